"""Arrays of images as they come, made what this package works with: uint8 from 0 to 255."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_mlp.errors import DataError

SCALE = "Scale pixels to 0…1 or 0…255: (x - x.min()) / (x.max() - x.min())."


def to_pixels(images: NDArray[Any], where: str) -> NDArray[np.uint8]:
    """The same images as uint8.

    Parameters
    ----------
    images : ndarray of numbers, the first axis over images
        Integers from 0 to 255, floats from 0 to 1 or from 0 to 255, or booleans. Floats of which none is above 1 are
        taken for shares of 255.
    where : str
        What errors call it.

    Raises
    ------
    DataError
        If a value is out of range or no number, naming the first image with such a value.

    Examples
    --------
    >>> to_pixels(np.array([[0.0, 0.5, 1.0]]), "mine")
    array([[  0, 128, 255]], dtype=uint8)
    """
    found: NDArray[np.uint8]
    if images.dtype == np.uint8 or images.size == 0:
        found = images.astype(np.uint8, copy=False)
        return found
    if images.dtype == np.bool_:
        return images.astype(np.uint8) * np.uint8(255)
    least, most = images.min(), images.max()  # NaN, if there is one
    if not (least >= 0 and most <= 255):
        rows = images.reshape(len(images), -1)
        row = int(np.argmin(((rows >= 0) & (rows <= 255)).all(axis=1)))
        values = rows[row]
        bad = values[~((values >= 0) & (values <= 255))][0]
        raise DataError(f"{where}, image {row}", expected="pixels from 0 to 255", got=f"{bad:.6g}", fix=SCALE)
    shares = images.dtype.kind == "f" and most <= 1
    found = np.rint(images * 255 if shares else images).astype(np.uint8)
    return found


def to_images(array: NDArray[Any], where: str) -> NDArray[np.uint8]:
    """Images of a data set, grey or RGB, as uint8 of shape (N, height, width) or (N, height, width, 3).

    Parameters
    ----------
    array : ndarray of numbers
        Of one of these shapes, (N, height, width, 1), or (N, side²) for flat images that are square; pixels as in
        `to_pixels`.
    where : str
        What errors call it.

    Raises
    ------
    DataError
        If the shape is another, a value is out of range, or there are no images.
    """
    shape, fix = array.shape, "Bring the images into shape (N, height, width), or (N, height, width, 3) for RGB."
    side = math.isqrt(shape[1]) if len(shape) == 2 else 0
    if len(shape) == 4 and shape[3] == 1:
        array = array[..., 0]
    elif side and side * side == shape[1]:
        array = array.reshape(-1, side, side)
    elif len(shape) == 4 and shape[1] in (1, 3):
        fix = "Put the channels last: np.moveaxis(x, 1, -1)."
    elif len(shape) == 4 and shape[3] == 4:
        fix = "Leave the transparency out: x[..., :3]."
    elif len(shape) == 2:
        fix = "Flat images must be square; others keep their shape: x.reshape(-1, height, width)."
    if not (array.ndim == 3 or (array.ndim == 4 and array.shape[3] == 3)) or array.size == 0:
        raise DataError(
            where, expected="images of shape (N, height, width), not empty", got=f"{array.dtype} of shape {shape}",
            fix=fix,
        )  # fmt: skip
    return to_pixels(array, where)

"""Images to classify, from whatever file they are in."""

import math
import os
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_mlp.data.idx import DTYPES, GZIP_MAGIC, read_idx, size_on_disk
from tinygrad_mlp.data.ink import fitted
from tinygrad_mlp.data.npz import read_npy
from tinygrad_mlp.data.picture import is_picture, read_grey, read_whole
from tinygrad_mlp.data.pixels import to_pixels
from tinygrad_mlp.errors import DataError, brief

NPY_MAGIC = b"\x93NUMPY"
KINDS = "a picture (PNG, JPEG, BMP, GIF, TIFF or WebP), an array saved by np.save, or an IDX file"
OTHERS = {  # beginnings of files that people take for such a picture
    b"PK": "a zip archive, such as an .npz",
    b"%!": "a PostScript file",
    b"%PDF": "a PDF file",
    b"<": "a text in markup, such as SVG",
    b"\0\0\0": "a photo in a format of video, such as HEIC or AVIF",
}


def read_images(
    path: str | os.PathLike[str], shape: tuple[int, ...] = (28, 28), *, drawn: bool = True
) -> NDArray[np.uint8]:
    """Read images for a network, by default as MNIST has them: light ink on black, uint8.

    Parameters
    ----------
    path : str or path-like
        A picture (PNG, JPEG, BMP, GIF, TIFF or WebP); an array saved by `numpy.save`, of N images, N flat images or
        one image; or IDX, raw or gzip. What it is, is told from its first bytes, whatever its name.
    shape : tuple of int
        Of an image: (height, width), or (height, width, 3) for RGB.
    drawn : bool
        Whether a picture is a drawing, of which the ink is cut out, scaled and centred
        (`tinygrad_mlp.data.ink.fitted`). Else all of it is scaled (`tinygrad_mlp.data.picture.read_whole`).

    Returns
    -------
    ndarray of uint8, shape (N, ...) with ``shape`` at the end

    Raises
    ------
    DataError
        If the file is missing, cannot be read, holds something else, or a picture is blank.
    MissingExtraError
        If it is a picture and Pillow is not installed.
    """
    where = str(path)
    try:
        with Path(path).open("rb") as stream:
            start = stream.read(12)
            stream.seek(0)
            if is_picture(start):
                return _read_drawing(stream, where, shape) if drawn else read_whole(Path(path), shape)[None]
            if start.startswith(NPY_MAGIC):
                images = _read_array(stream, where)
            elif start.startswith((GZIP_MAGIC, *(bytes([0, 0, code]) for code in DTYPES))):
                images = read_idx(path)
            else:
                raise _unknown(start, where)
    except OSError as error:
        raise DataError(where, expected="a readable file", got=error.strerror or str(error)) from error
    return to_pixels(_of_shape(images, shape, where), where)


def _read_drawing(stream: IO[bytes], where: str, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    height, width = shape
    image = fitted(read_grey(stream, where), height, width)
    if image is None:
        raise DataError(
            where, expected="a drawing", got="a picture without ink",
            fix="Draw dark on light or light on dark, in strokes that stand out from the paper.",
        )  # fmt: skip
    return image[None]


def _read_array(stream: IO[bytes], where: str) -> NDArray[Any]:
    try:
        return read_npy(stream, size_on_disk(where), where)
    except (DataError, MemoryError):
        raise
    except Exception as error:  # on damaged bytes NumPy raises half a dozen unrelated types
        raise DataError(where, expected="an array saved by np.save", got=f"none ({brief(error)})") from error


def _of_shape(images: NDArray[Any], shape: tuple[int, ...], where: str) -> NDArray[Any]:
    """The images, in shape (N, *shape)."""
    shapes = shape, (math.prod(shape),)
    if images.shape in shapes or (images.ndim > 1 and images.shape[1:] in shapes and len(images)):
        return images.reshape(-1, *shape)
    raise DataError(
        where, expected=f"images as the network was trained on, in an array of shape (N, {', '.join(map(str, shape))})",
        got=f"shape {images.shape}",
    )  # fmt: skip


def _unknown(start: bytes, where: str) -> DataError:
    known = next((name for magic, name in OTHERS.items() if start.startswith(magic)), None)
    got = known or (f"a file that begins with {start.hex(' ')}" if start else "an empty file")
    return DataError(where, expected=KINDS, got=got, fix="Save a drawing as PNG.")

"""Mini-batches."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_mlp.errors import ArgumentError, ShapeError
from tinygrad_mlp.validation import as_array


def batches(
    x: NDArray[Any],
    y: NDArray[Any],
    size: int,
    *,
    rng: np.random.Generator | None = None,
    part: tuple[int, int] = (0, 1),
) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """Go once through all examples, ``size`` of them at a time.

    Parameters
    ----------
    x, y : ndarray, list or DataFrame
        Examples and labels, of equal length along the first axis.
    size : int
        Examples in a batch; the last batch holds what is left.
    rng : numpy.random.Generator, optional
        Shuffles: one permutation per call, drawn when `batches` is called. Without it the examples come in order.
    part : (int, int)
        (i, n): of each batch the i-th of n shares, from 0, as even as can be; some are empty where a batch is small.

    Returns
    -------
    iterator of (ndarray, ndarray)
        Batches with the dtypes of ``x`` and ``y``; copies if shuffled, views if in order.

    Raises
    ------
    ShapeError
        If ``x`` and ``y`` differ in length.
    ArgumentError
        If ``size`` is not a positive integer, or ``rng`` not a Generator.

    Examples
    --------
    >>> x, y = np.arange(10, 15), np.arange(5)
    >>> for batch in batches(x, y, 2):
    ...     print(*batch)
    [10 11] [0 1]
    [12 13] [2 3]
    [14] [4]
    """
    x, y = as_array(x, "batches", "x"), as_array(y, "batches", "y")
    if x.ndim == 0 or y.ndim == 0 or len(x) != len(y):
        raise ShapeError("batches", expected="x and y of equal length", got=f"{x.shape} and {y.shape}")
    if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 1:
        raise ArgumentError("batches", expected="size, a positive integer", got=repr(size))
    if rng is not None and not isinstance(rng, np.random.Generator):
        raise ArgumentError(
            "batches",
            expected="rng, a numpy.random.Generator or None",
            got=repr(rng),
            fix="Make one generator before the loop, rng = np.random.default_rng(seed), and pass it to every call.",
        )
    # Checked and shuffled here, apart from the generator function below, which runs only once iterated.
    places = [share(start, min(start + size, len(x)), part) for start in range(0, len(x), size)]
    return slices(x, y, places) if rng is None else shuffled(x, y, places, rng.permutation(len(x)))


def share(start: int, end: int, part: tuple[int, int]) -> slice:
    """Where the i-th of n shares of a batch begins and ends."""
    i, n = part
    return slice(start + (end - start) * i // n, start + (end - start) * (i + 1) // n)


def slices(x: NDArray[Any], y: NDArray[Any], places: list[slice]) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    for place in places:
        yield x[place], y[place]


def shuffled(
    x: NDArray[Any], y: NDArray[Any], places: list[slice], order: NDArray[np.intp]
) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    for place in places:
        chosen = order[place]
        yield x.take(chosen, axis=0), y.take(chosen, axis=0)  # take is a quarter faster than x[chosen] on images


def to_float(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Flatten images and scale their pixels to [0, 1]: pixel / 255, in float32.

    Parameters
    ----------
    images : ndarray of uint8
        Of shape (N, height, width), (N, height, width, 3), or (N, height·width).

    Returns
    -------
    ndarray of float32
        Of shape (N, height·width); for MNIST, (N, 784).

    Raises
    ------
    ArgumentError
        If the images are not uint8 (scaling twice would pass unnoticed) or have fewer than two dimensions.

    Examples
    --------
    >>> to_float(np.array([[[0, 51], [102, 255]]], np.uint8))
    array([[0. , 0.2, 0.4, 1. ]], dtype=float32)
    """
    dtype = getattr(images, "dtype", None)
    if dtype != np.uint8 or images.ndim < 2:
        got = f"{dtype} of shape {images.shape}" if dtype else f"a {type(images).__name__}"
        raise ArgumentError(
            "to_float", expected="uint8 images of shape (N, height, width)", got=got,
            fix="A list needs np.array(images, np.uint8); floats from 0 to 1 need no to_float.",
        )  # fmt: skip
    flat = images.reshape(len(images), math.prod(images.shape[1:]))
    return np.divide(flat, np.float32(255), dtype=np.float32)

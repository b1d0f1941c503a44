"""The largest element or the mean of each window of an image. Vocabulary of the rules: see `tinygrad_mlp.rules`.

`elements` lays the windows out, `overlap_add` is its transpose, and each is the rule of the other.
"""

import functools
import math
from typing import Any

import numpy as np

from tinygrad_mlp.arguments import operand
from tinygrad_mlp.errors import ArgumentError, ShapeError
from tinygrad_mlp.ops.activations import X
from tinygrad_mlp.ops.convolution import NO_RIM, ONES, Pair, check_size, pair
from tinygrad_mlp.rules import derivative, primitive
from tinygrad_mlp.validation import whole_number


@primitive
def elements(x, *, size, stride, padding=NO_RIM, dilation=ONES, fill=0.0):
    """For each place in the window, the elements there, of all windows: (k l, N, C, H', W')."""
    return np.stack(views(rimmed(x, padding, fill), size, stride, dilation))


@primitive
def overlap_add(h, shape, *, size, stride, padding=NO_RIM, dilation=ONES):
    """Bring what `elements` laid out back to images of (N, C, H, W) ``shape``, and add what comes to one place."""
    n, channels, height, width = shape
    (top, bottom), (left, right) = padding
    whole = np.zeros_like(h, shape=(top + height + bottom, channels, left + width + right, n), order="C")
    image = np.transpose(whole, (3, 1, 0, 2))
    for place, view in enumerate(views(image, size, stride, dilation)):
        view += h[place]
    return image[:, :, top : top + height, left : left + width]


@primitive
def max_pool(x, *, size, stride, padding=NO_RIM, dilation=ONES):
    """The largest element of each window."""
    return functools.reduce(np.maximum, views(rimmed(x, padding, -math.inf), size, stride, dilation))


def first_largest(x, out, **how):
    """Where each window has its largest element, the first if there are several, as booleans laid out by `elements`."""
    laid_out = elements(x, **how, fill=-math.inf)
    largest = np.equal(laid_out, out) | np.isnan(laid_out)
    before = np.logical_or.accumulate(largest, axis=0)[:-1]
    return np.concatenate([largest[:1], largest[1:] & ~before])


derivative(elements, lambda g, _, x, *, fill=0.0, **how: overlap_add(g, x.shape, **how))
derivative(overlap_add, lambda g, _, h, shape, **how: elements(g, **how))
derivative(max_pool, lambda g, out, x, **how: overlap_add(g * first_largest(x, out, **how), x.shape, **how))


def rimmed(x, padding, fill):
    """Images with a rim; they come to lie with the batch last then."""
    if padding == NO_RIM:
        return x
    image = np.pad(np.transpose(x, (2, 1, 3, 0)), (padding[0], (0, 0), padding[1], (0, 0)), constant_values=fill)
    return np.transpose(image, (3, 1, 0, 2))


def views(x, size, stride, dilation):
    """For each place in the window, a view of the elements there."""
    span = [n - (k - 1) * d for n, k, d in zip(x.shape[2:], size, dilation, strict=True)]  # where windows can begin
    return [
        x[:, :, top : top + span[0] : stride[0], left : left + span[1] : stride[1]]
        for top in range(0, size[0] * dilation[0], dilation[0])
        for left in range(0, size[1] * dilation[1], dilation[1])
    ]


def max_pool2d(
    x: X, kernel_size: Pair, stride: Pair | None = None, padding: Pair = 0, dilation: Pair = 1, *,
    ceil_mode: bool = False,
) -> X:  # fmt: skip
    """The largest element of each window of an image; where it stands several times, the first gets the gradient.

    Parameters
    ----------
    x : array, shape (N, C, H, W), or (C, H, W) for one image
    kernel_size : int or pair
        Of the window.
    stride : int or pair, optional
        How far the window moves; by default as far as it is large.
    padding : int or pair
        The width of the rim, of -∞, at most half of the window.
    dilation : int or pair
        The distance of the elements in one window.
    ceil_mode : bool
        Whether a last window may reach beyond the rim.

    Raises
    ------
    ShapeError, ArgumentError
        If the window is larger than the image with its rim, or the rim than half of the window.

    Examples
    --------
    >>> max_pool2d(np.arange(16.0).reshape(1, 1, 4, 4), 2)
    array([[[[ 5.,  7.],
             [13., 15.]]]])
    """
    x = operand(x)
    if np.ndim(x) == 3:
        return max_pool2d(x[None], kernel_size, stride, padding, dilation, ceil_mode=ceil_mode)[0]
    how, _ = sliding("max_pool2d", x, kernel_size, stride, padding, dilation, ceil_mode)
    return max_pool(x, **how)


def avg_pool2d(
    x: X, kernel_size: Pair, stride: Pair | None = None, padding: Pair = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> X:  # fmt: skip
    """The mean of each window of an image.

    Parameters
    ----------
    x, kernel_size, stride, padding, ceil_mode
        As for `max_pool2d`; the rim is of zeros.
    count_include_pad : bool
        Whether the zeros of the rim count in the mean.
    divisor_override : int, optional
        What the sum of each window is divided by, instead of the number of its elements.

    Raises
    ------
    ShapeError, ArgumentError
        As for `max_pool2d`.

    Examples
    --------
    >>> avg_pool2d(np.arange(16.0).reshape(1, 1, 4, 4), 2)
    array([[[[ 2.5,  4.5],
             [10.5, 12.5]]]])
    """
    x = operand(x)
    if np.ndim(x) == 3:
        one = avg_pool2d(x[None], kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)
        return one[0]
    how, rim = sliding("avg_pool2d", x, kernel_size, stride, padding, 1, ceil_mode)
    total = np.sum(elements(x, **how), axis=0)
    if divisor_override is not None:
        return total / whole_number("avg_pool2d", "divisor_override", divisor_override, least=1)
    counted = rim if count_include_pad else (0, 0)
    rows, columns = (
        counts(n, out, k, s, p, c)
        for n, out, k, s, p, c in zip(
            x.shape[2:], total.shape[2:], how["size"], how["stride"], rim, counted, strict=True
        )
    )
    number = np.multiply.outer(rows, columns)
    return total / (int(number[0, 0]) if np.all(number == number[0, 0]) else np.astype(number, x.dtype))


def counts(n: int, out: int, size: int, stride: int, rim: int, counted: int) -> Any:
    """How many elements of the image, or of so much of its rim, each window meets along one axis."""
    starts = np.arange(out) * stride - rim
    return np.minimum(starts + size, n + counted) - np.maximum(starts, -counted)


def sliding(
    where: str, x: Any, kernel_size: Pair, stride: Pair | None, padding: Pair, dilation: Pair, ceil_mode: bool
) -> tuple[dict[str, Any], tuple[int, int]]:
    """How a window moves over images, as `elements` takes it; and the rim that was asked for."""
    if np.ndim(x) != 4:
        raise ShapeError(where, expected="images (N, C, H, W), or one of them", got=str(np.shape(x)))
    size = pair(where, "kernel_size", kernel_size, least=1)
    steps = size if stride is None else pair(where, "stride", stride, least=1)
    rim = pair(where, "padding", padding, least=0)
    distance = pair(where, "dilation", dilation, least=1)
    if 2 * rim[0] > size[0] or 2 * rim[1] > size[1]:
        raise ArgumentError(where, expected=f"padding of at most half of the window {size}", got=str(rim))
    check_size(where, x.shape[2:], size, [(p, p) for p in rim], distance)
    after = [beyond(*axis) if ceil_mode else 0 for axis in zip(x.shape[2:], size, steps, rim, distance, strict=True)]
    rims = tuple((p, p + more) for p, more in zip(rim, after, strict=True))
    return {"size": size, "stride": steps, "padding": rims, "dilation": distance}, rim


def beyond(n: int, size: int, stride: int, rim: int, dilation: int) -> int:
    """How much wider the rim has to be for a last window that begins in the image or before it, yet ends outside."""
    reach = (size - 1) * dilation + 1
    last = -(-(n + 2 * rim - reach) // stride) * stride  # where it begins, counted from the rim
    return max(0, last + reach - (n + 2 * rim)) if last < n + rim else 0

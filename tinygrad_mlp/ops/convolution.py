"""The convolution of images, as three functions whose rules are each other. Vocabulary: see `tinygrad_mlp.rules`.

y[n, o, h, w] = Σ_cij weight[o, c, i, j] · x[n, c, h s + i d - p, w s + j d - p], with the stride s, the dilation d, and
zeros around x to the width p: the sum that every library for networks calls convolution, and signal processing
correlation. It is linear in x and in the weights, so its gradients are its transposes, and their gradients the others.

All three are matrix products of weights or gradients with the windows of an image. The images lie with the batch last,
(groups, H, channels, W, N): then the runs of consecutive numbers are long, and a copy for each of the kernel's columns,
instead of each of its elements, is enough. The windows down the rows are a view of those copies.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tinygrad_mlp.arguments import operand
from tinygrad_mlp.errors import ArgumentError, ShapeError
from tinygrad_mlp.ops.activations import X
from tinygrad_mlp.ops.shaping import scatter
from tinygrad_mlp.rules import derivative, primitive
from tinygrad_mlp.validation import whole_number

Pair = int | Sequence[int]
ONES = (1, 1)
NO_RIM = ((0, 0), (0, 0))


@primitive
def convolution(x, weight, *, stride=ONES, padding=NO_RIM, dilation=ONES, groups=1):
    """The product: images (N, C, H, W) with weights (O, C / groups, k, l)."""
    image = padded(batch_last(x, groups), padding)
    columns, size = windows(image, weight.shape[2:], stride, dilation)
    rows = as_rows(np.reshape(weight, (groups, 1, len(weight) // groups, *weight.shape[1:])))
    return batch_first(np.matmul(rows, columns), (len(weight), *size, len(x)))


@primitive
def convolution_input(g, weight, size, *, stride=ONES, padding=NO_RIM, dilation=ONES, groups=1):
    """Its transpose in the images of (H, W) ``size``: the product of g, with zeros between, and the weights turned."""
    reach = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
    lengths = [n + r for n, r in zip(size, reach, strict=True)]
    starts = [r - before for r, (before, _) in zip(reach, padding, strict=True)]
    image = spread_out(batch_last(g, groups), lengths, starts, stride)
    columns, _ = windows(image, weight.shape[2:], ONES, dilation)
    turned = np.flip(np.reshape(weight, (groups, 1, len(weight) // groups, *weight.shape[1:])), (-2, -1))
    rows = as_rows(np.swapaxes(turned, 2, 3))
    return batch_first(np.matmul(rows, columns), (weight.shape[1] * groups, *size, len(g)))


@primitive
def convolution_weight(x, g, size, *, stride=ONES, padding=NO_RIM, dilation=ONES, groups=1):
    """Its transpose in the weights of (k, l) ``size``: the sum over images and places of g times the window there."""
    image = padded(batch_last(x, groups), padding)
    columns, (height, width) = windows(image, size, stride, dilation)
    channels, out = x.shape[1] // groups, g.shape[1] // groups
    rows = np.reshape(batch_last(g, groups), (groups, height, out, width * len(g)))
    weight = np.sum(np.matmul(rows, np.swapaxes(columns, -1, -2)), axis=1)
    weight = np.reshape(weight, (groups * out, size[0], channels, size[1]))
    return np.swapaxes(weight, 1, 2)


derivative(
    convolution,
    lambda g, _, x, weight, **how: convolution_input(g, weight, x.shape[2:], **how),
    lambda g, _, x, weight, **how: convolution_weight(x, g, weight.shape[2:], **how),
)
derivative(
    convolution_input,
    lambda g, _, h, weight, size, **how: convolution(g, weight, **how),
    lambda g, _, h, weight, size, **how: convolution_weight(g, h, weight.shape[2:], **how),
)
derivative(
    convolution_weight,
    lambda g, _, x, h, size, **how: convolution_input(h, g, x.shape[2:], **how),
    lambda g, _, x, h, size, **how: convolution(x, g, **how),
)


def batch_last(x, groups):
    """(N, C, H, W) as (groups, H, C / groups, W, N)."""
    n, channels, height, width = x.shape
    return np.transpose(np.reshape(x, (n, groups, channels // groups, height, width)), (1, 3, 2, 4, 0))


def batch_first(product, shape):
    """(groups, H, C / groups, W N) as (N, C, H, W), where ``shape`` is (C, H, W, N); no copy if there is one group."""
    channels, height, width, n = shape
    groups = product.shape[0]
    image = np.reshape(product, (groups, height, channels // groups, width, n))
    return np.reshape(np.transpose(image, (4, 0, 2, 1, 3)), (n, channels, height, width))


def padded(image, padding):
    """Zeros around an image that lies with the batch last."""
    return np.pad(image, ((0, 0), padding[0], (0, 0), padding[1], (0, 0)))


def spread_out(image, lengths, starts, stride):
    """Zeros of some H and W, with row i of an image at start + i stride, and columns likewise; what is outside is cut."""
    shape, index, inside = list(image.shape), [slice(None)] * 5, [slice(None)] * 5
    for axis, length, start, step in zip((1, 3), lengths, starts, stride, strict=True):
        first = max(0, -(start // step))  # the first that is not before 0
        count = max(0, min(image.shape[axis], (length - 1 - start) // step + 1) - first)
        begin = start + first * step
        inside[axis], index[axis] = slice(first, first + count), slice(begin, begin + count * step, step)
        shape[axis] = length
    return scatter(image[tuple(inside)], tuple(index), tuple(shape))


def windows(image, size, stride, dilation):
    """The windows of an image (groups, H, C, W, N) as matrices (groups, H', k C l, W' N), and (H', W')."""
    reach = [(k - 1) * d + 1 for k, d in zip(size, dilation, strict=True)]
    runs = sliding_window_view(image, reach[1], axis=3)[:, :, :, :: stride[1], :, :: dilation[1]]
    groups, height, channels, width, n, _ = runs.shape
    columns = np.reshape(
        np.transpose(runs, (0, 1, 2, 5, 3, 4)), (groups, height, channels * size[1], width * n)
    )  # a copy, unless the kernel has one column
    stack = sliding_window_view(columns, reach[0], axis=1)[:, :: stride[0], :, :, :: dilation[0]]
    height = stack.shape[1]
    matrices = np.reshape(
        np.transpose(stack, (0, 1, 4, 2, 3)), (groups, height, size[0] * channels * size[1], width * n)
    )  # a view, unless the rows are dilated
    return matrices, (height, width)


def as_rows(weight):
    """Weights (groups, 1, O, C, k, l) as matrices (groups, 1, O, k C l), in the order of `windows`."""
    *outer, channels, height, width = weight.shape
    return np.reshape(np.swapaxes(weight, 3, 4), (*outer, height * channels * width))


def conv2d(
    x: X, weight: Any, bias: Any = None, stride: Pair = 1, padding: Pair | str = 0, dilation: Pair = 1, groups: int = 1
) -> X:
    """Convolution of images with a kernel, which slides over them.

    y[n, o, h, w] = bias[o] + Σ_cij weight[o, c, i, j] · x[n, c, h s + i d - p, w s + j d - p], where x is 0 outside.

    Parameters
    ----------
    x : array, shape (N, C, H, W), or (C, H, W) for one image
    weight : array, shape (O, C / groups, k, l)
    bias : array, shape (O,), optional
    stride : int or pair
        s, how far the kernel moves from one result to the next, down and to the right.
    padding : int or pair, or "valid", or "same"
        p, the width of the rim of zeros above and below, left and right. "valid" is 0; "same" is what makes the result
        as large as x, and needs the stride 1.
    dilation : int or pair
        d, the distance of the elements of x that one kernel meets.
    groups : int
        Into how many groups the channels are parted, each with weights of its own.

    Returns
    -------
    array, shape (N, O, (H + 2 p - d (k - 1) - 1) // s + 1, …)
        In memory the batch lies last, where layers that follow find it.

    Raises
    ------
    ShapeError, ArgumentError
        If shapes do not fit each other, or the kernel is larger than the image with its rim.

    Examples
    --------
    >>> conv2d(np.arange(9.0).reshape(1, 1, 3, 3), np.ones((1, 1, 2, 2)))
    array([[[[ 8., 12.],
             [20., 24.]]]])
    """
    x, weight = operand(x), operand(weight)
    if x.ndim == 3:
        return conv2d(x[None], weight, bias, stride, padding, dilation, groups)[0]
    groups = whole_number("conv2d", "groups", groups, least=1)
    if x.ndim != 4 or weight.ndim != 4 or x.shape[1] != weight.shape[1] * groups or len(weight) % groups:
        raise ShapeError(
            "conv2d", expected="images (N, C, H, W) and weights (O, C / groups, k, l), O a multiple of groups",
            got=f"{x.shape} and {weight.shape} with groups={groups}",
        )  # fmt: skip
    stride, dilation = (pair("conv2d", name, v, least=1) for name, v in (("stride", stride), ("dilation", dilation)))
    rims = rim("conv2d", padding, weight.shape[2:], stride, dilation)
    check_size("conv2d", x.shape[2:], weight.shape[2:], rims, dilation)
    y = convolution(x, weight, stride=stride, padding=rims, dilation=dilation, groups=groups)
    return y if bias is None else y + np.reshape(operand(bias), (1, len(weight), 1, 1))


def pair(where: str, name: str, value: Any, *, least: int) -> tuple[int, int]:
    """A number for height and width alike, or one for each."""
    values = tuple(value) if np.iterable(value) and not isinstance(value, str) else (value, value)
    if len(values) != 2:
        raise ArgumentError(where, expected=f"{name} to be a whole number or two", got=repr(value))
    return whole_number(where, name, values[0], least=least), whole_number(where, name, values[1], least=least)


def rim(where: str, padding: Any, size: Any, stride: Any, dilation: Any) -> tuple[tuple[int, int], ...]:
    """How many zeros stand before and after the rows and the columns."""
    if padding == "same":
        if stride != ONES:
            raise ArgumentError(where, expected="the stride 1 with padding='same'", got=f"stride={stride}")
        total = [d * (k - 1) for d, k in zip(dilation, size, strict=True)]
        return tuple((n // 2, n - n // 2) for n in total)
    if isinstance(padding, str) and padding != "valid":
        raise ArgumentError(where, expected="padding to be a number, a pair, 'valid' or 'same'", got=repr(padding))
    return tuple((p, p) for p in pair(where, "padding", 0 if padding == "valid" else padding, least=0))


def check_size(where: str, image: Any, kernel: Any, rims: Any, dilation: Any) -> None:
    """Raise where a kernel is larger than the image with its rim."""
    whole = tuple(n + sum(p) for n, p in zip(image, rims, strict=True))
    reach = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True))
    if whole[0] < reach[0] or whole[1] < reach[1]:
        raise ShapeError(
            where, expected=f"images with their padding at least as large as the kernel, {reach}", got=str(whole),
            fix="Pad the images, or take a smaller kernel.",
        )  # fmt: skip

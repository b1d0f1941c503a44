"""Counterparts of functions that move elements about: shapes, axes, joining, indexing. See `operators`."""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple
from numpy.lib.stride_tricks import sliding_window_view

from tinygrad_mlp.onnx.graph import Graph
from tinygrad_mlp.onnx.trace import Dim, Value

Results = list[Value]
END = np.iinfo(np.int64).max


class Unsupported(Exception):
    """Arguments of a function that have no counterpart, though others have."""


def same(g: Graph, out: Results, x: Value, *_: Any, **__: Any) -> str:
    """The array itself, perhaps of another dtype."""
    return g.value(x, out[0].dtype)


def reshape(g: Graph, out: Results, x: Value, *_: Any, order: str = "C", **__: Any) -> str:
    """Another shape, whatever the function said it by: that of the result."""
    if order not in ("C", "K"):
        raise Unsupported(f"order={order!r}")
    return g.reshape(g.value(x), x.shape, out[0].shape)


def permuted(function: Callable[..., Any]) -> Callable[..., str]:
    """Axes in another order, which the function shows on an array whose axes have different lengths."""

    def permute(g: Graph, out: Results, x: Value, *args: Any, **params: Any) -> str:
        lengths = np.broadcast_to(0, range(2, x.ndim + 2))
        order = [n - 2 for n in function(lengths, *args, **params).shape]
        return g.value(x) if order == sorted(order) else g.op("Transpose", g.value(x), perm=order)

    return permute


def broadcast_to(g: Graph, out: Results, x: Any, shape: Any, subok: bool = False) -> str:
    """The array repeated along axes of length 1."""
    return g.op("Expand", g.value(x, out[0].dtype), g.shape(out[0].shape))


def filled(number: float) -> Callable[..., str]:
    """np.zeros_like and np.ones_like."""
    return lambda g, out, x, *_, **__: broadcast_to(g, out, number, None)


def concatenate(g: Graph, out: Results, arrays: Any, axis: int | None = 0) -> str:
    """Arrays one after the other."""
    if axis is None:
        raise Unsupported("axis=None")
    return g.op("Concat", *[g.value(x, out[0].dtype) for x in arrays], axis=axis)


def stack(g: Graph, out: Results, arrays: Any, axis: int = 0) -> str:
    """Arrays along a new axis."""
    new = normalize_axis_index(axis, out[0].ndim)
    parts = [g.op("Unsqueeze", g.value(x, out[0].dtype), g.integers(new)) for x in arrays]
    return g.op("Concat", *parts, axis=new)


def split(g: Graph, out: Results, x: Value, sections: Any, axis: int = 0) -> list[str]:
    """Parts of an array along an axis."""
    sizes = g.shape(tuple(part.shape[axis] for part in out))
    if len(out) == 1:
        return [g.value(x)]
    return g.ops("Split", len(out), g.value(x), sizes, axis=axis)


def flip(g: Graph, out: Results, x: Value, axis: Any = None) -> str:
    """Axes backwards."""
    name = g.value(x)
    for i in normalize_axis_tuple(range(x.ndim) if axis is None else axis, x.ndim):
        name = sliced(g, name, i, slice(None, None, -1))
    return name


def pad(g: Graph, out: Results, x: Value, pad_width: Any, mode: str = "constant", constant_values: Any = 0) -> str:
    """Elements around the array."""
    if mode not in ("constant", "reflect", "edge", "wrap") or not np.isscalar(constant_values):
        raise Unsupported(f"mode={mode!r}, constant_values={constant_values!r}")
    if np.asarray(pad_width).dtype.kind != "i":
        raise Unsupported("widths that depend on the batch")
    widths = np.broadcast_to(pad_width, (x.ndim, 2)).T.ravel().tolist()
    return g.op("Pad", g.value(x), g.integers(*widths), g.value(constant_values, x.dtype), mode=mode)


def repeat(g: Graph, out: Results, x: Value, repeats: Any, axis: int | None = None) -> str:
    """Each element several times."""
    if not isinstance(repeats, int):
        raise Unsupported("a number of repetitions for each element")
    name, shape = g.value(x), x.shape
    if axis is None:
        if any(isinstance(n, Dim) for n in shape):
            raise Unsupported("axis=None")
        shape = (int(np.prod(shape)),)
        name, axis = g.op("Reshape", name, g.integers(-1)), 0
    axis = normalize_axis_index(axis, len(shape))
    wide = g.op("Unsqueeze", name, g.integers(axis + 1))
    wide = g.op("Expand", wide, g.shape((*shape[: axis + 1], repeats, *shape[axis + 1 :])))
    return g.op("Reshape", wide, g.shape(out[0].shape))


def triangle(upper: int) -> Callable[..., str]:
    """np.tril and np.triu."""
    return lambda g, out, x, k=0: g.op("Trilu", g.value(x), g.array(np.array(k, np.int64)), upper=upper)


def windows(g: Graph, out: Results, x: Value, window_shape: Any, axis: Any = None, **_: Any) -> str:
    """Windows along axes: the places of their elements are gathered."""
    lengths = (window_shape,) if isinstance(window_shape, int) else tuple(window_shape)
    axes = normalize_axis_tuple(range(x.ndim) if axis is None else axis, x.ndim, allow_duplicate=True)
    name, ndim = g.value(x), x.ndim
    for i, length in zip(axes, lengths, strict=True):
        if isinstance(x.shape[i], Dim):
            raise Unsupported("windows along the batch")
        places = sliding_window_view(np.arange(x.shape[i]), length)
        name = g.op("Gather", name, g.array(places), axis=i)
        ndim += 1
        order = [*range(i + 1), *range(i + 2, ndim), i + 1]
        name = g.op("Transpose", name, perm=order)
    return name


def take(g: Graph, out: Results, x: Value, indices: Any, axis: int | None = None) -> str:
    """Elements at places along an axis."""
    name = g.value(x)
    if axis is None:
        name, axis = g.op("Reshape", name, g.integers(-1)), 0
    return g.op("Gather", name, g.value(indices, np.int64), axis=axis)


def take_along_axis(g: Graph, out: Results, x: Value, indices: Value, axis: int = -1) -> str:
    """Elements at a place of their own along an axis."""
    axis = normalize_axis_index(axis, x.ndim)
    if any(a != b for i, (a, b) in enumerate(zip(x.shape, indices.shape, strict=True)) if i != axis):
        raise Unsupported("indices that are broadcast")
    return g.op("GatherElements", g.value(x), g.value(indices, np.int64), axis=axis)


def sliced(g: Graph, name: str, axis: int, part: slice) -> str:
    """A slice along one axis; its ends may follow the size of the batch."""
    step = 1 if part.step is None else part.step
    start = (0 if step > 0 else END) if part.start is None else part.start
    stop = (END if step > 0 else -END) if part.stop is None else part.stop
    if (start, stop, step) == (0, END, 1):
        return name
    return g.op("Slice", name, g.shape((start,)), g.shape((stop,)), g.integers(axis), g.integers(step))


def getitem(g: Graph, out: Results, x: Value, index: Any) -> str:
    """``x[index]``: numbers, slices, new axes, and one array of integers."""
    parts = list(index) if isinstance(index, tuple) else [index]
    parts = [np.asarray(part) if isinstance(part, list) else part for part in parts]
    arrays = [part for part in parts if isinstance(part, (Value, np.ndarray, np.generic))]
    if any(part.dtype == np.bool for part in arrays) or any(isinstance(part, bool) for part in parts):
        raise Unsupported("a mask as index")
    if len(arrays) > 1 or (arrays and any(isinstance(part, (int, Dim)) for part in parts)):
        raise Unsupported("several arrays as index")
    given = sum(part is not None and part is not Ellipsis for part in parts)
    if not any(part is Ellipsis for part in parts):
        parts.append(Ellipsis)
    place = next(i for i, part in enumerate(parts) if part is Ellipsis)
    parts[place : place + 1] = [slice(None)] * (x.ndim - given)
    name, axis = g.value(x), 0
    for part in parts:
        if part is None:
            name = g.op("Unsqueeze", name, g.integers(axis))
            axis += 1
        elif isinstance(part, slice):
            name = sliced(g, name, axis, part)
            axis += 1
        elif isinstance(part, (int, Dim)):
            name = g.op("Gather", name, g.value(part, np.int64), axis=axis)
        else:
            name = g.op("Gather", name, g.value(part, np.int64), axis=axis)
            axis += part.ndim
    return name


SHAPING: dict[Any, Callable[..., Any]] = {
    **dict.fromkeys((np.copy, np.astype, np.positive, np.conjugate, "astype", "copy", "conj", "real"), same),
    **dict.fromkeys(
        (np.reshape, np.ravel, np.expand_dims, np.squeeze, np.atleast_1d, np.atleast_2d, np.atleast_3d, "flatten"),
        reshape,
    ),
    **{f: permuted(f) for f in (np.transpose, np.swapaxes, np.moveaxis, np.rollaxis, np.matrix_transpose)},
    **{name: permuted(operator.attrgetter(name)) for name in ("T", "mT")},
    "transpose": permuted(lambda x, *axes: x.transpose(*axes)),
    np.broadcast_to: broadcast_to, np.zeros_like: filled(0), np.ones_like: filled(1),
    np.full_like: lambda g, out, x, fill, *_, **__: broadcast_to(g, out, fill, None),
    np.concatenate: concatenate, np.stack: stack, np.split: split, np.flip: flip, np.pad: pad, np.repeat: repeat,
    np.tril: triangle(0), np.triu: triangle(1), sliding_window_view: windows,
    np.take: take, np.take_along_axis: take_along_axis, operator.getitem: getitem,
}  # fmt: skip

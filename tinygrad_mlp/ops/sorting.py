"""Functions that order elements, and those that rest on an order. Vocabulary of the rules: see `tinygrad_mlp.rules`."""

import math
from typing import Any

import numpy as np

from tinygrad_mlp.errors import ArgumentError, ShapeError
from tinygrad_mlp.ops.reductions import folded_axes, merged
from tinygrad_mlp.rules import composite, constant, derivative


def sort_vjp(g, out, x, axis=-1, *, kind=None, stable=None):
    """Bring each gradient back to the place its element came from; the elements are told by their ranks."""
    if axis is None:
        return np.reshape(sort_vjp(g, out, np.ravel(x)), x.shape)
    rank = np.argsort(np.argsort(x, axis=axis, kind="stable"), axis=axis)
    return np.take_along_axis(g, rank, axis=axis)


def partition_vjp(g, out, x, kth, axis=-1, *, kind="introselect"):
    """A partition is a sort undone in part: find where each rank went, then do as for sort."""
    if axis is None:
        return np.reshape(partition_vjp(g, out, np.ravel(x), kth), x.shape)
    by_rank = np.take_along_axis(g, np.argsort(out, axis=axis, kind="stable"), axis=axis)
    return sort_vjp(by_rank, out, x, axis)


# fmt: off
derivative(np.sort,       sort_vjp)
derivative(np.partition,  partition_vjp)
# fmt: on

constant(np.argsort, np.argpartition, np.lexsort, np.searchsorted, np.digitize, np.isin)


def following(place):
    """The place of the element after."""
    return np.floor(place) + 1


# method -> the places of the two elements between which a quantile lies, and the share of the second; or one place
METHODS: dict[str, tuple[Any, ...]] = {
    "linear": (np.floor, following, lambda place: place - np.floor(place)),
    "lower": (np.floor,),
    "higher": (np.ceil,),
    "nearest": (np.rint,),
    "midpoint": (np.floor, following, lambda place: (np.ceil(place) - np.floor(place)) / 2),
}


def neighbours(a, axes, q, skip_nan, places):
    """Whether the result is a number, the place q (n - 1) in the order, and the elements at some places near it.

    All have the quantiles along their first axis. NaNs come last in the order: they make the result NaN, or, with
    ``skip_nan``, do not count.
    """
    ordered = np.moveaxis(np.sort(merged(a, axes), axis=-1), -1, 0)
    count = np.sum(~np.isnan(ordered), axis=0)
    known = count > 0 if skip_nan else count == len(ordered)
    if not skip_nan:
        count = np.full_like(count, len(ordered))
    place = np.reshape(q, (-1,) + (1,) * count.ndim) * np.maximum(count - 1, 0).astype(q.dtype)
    last = np.maximum(count - 1, 0)
    return known, place, *(np.take_along_axis(ordered, np.minimum(f(place).astype(int), last), axis=0) for f in places)


def quantiles(where, a, q, axis, method, keepdims, skip_nan):
    """Quantiles along any axes, the elements of q in front."""
    axes = folded_axes(a, axis)
    q = np.asarray(q, a.dtype if isinstance(q, (int, float)) else None)
    if not np.all((q >= 0) & (q <= 1)):
        raise ArgumentError(where, expected="quantiles from 0 to 1, or percentiles from 0 to 100", got=str(q))
    if method not in METHODS:
        raise ArgumentError(where, expected=f"a method of {', '.join(METHODS)} on a Tensor", got=repr(method))
    if a.size == 0 and skip_nan:
        return np.mean(a, axis, keepdims=keepdims)
    if any(a.shape[i] == 0 for i in axes):
        raise ShapeError(where, expected="elements along the axis", got=f"an array of shape {a.shape}")
    known, place, *found = neighbours(a, axes, q, skip_nan, METHODS[method][:2])
    values = found[0]
    if len(found) == 2:
        share, step = METHODS[method][2](place), found[1] - found[0]
        values = np.where(share < 0.5, found[0] + step * share, found[1] - step * (1 - share))
    return arranged(np.where(known, values, math.nan), a, axes, q.shape, keepdims)


def middle(a, axis, keepdims, skip_nan):
    """The median along any axes: the mean of the two elements in the middle; NaN of nothing."""
    axes = folded_axes(a, axis)
    if a.size == 0:
        return np.mean(a, axis, keepdims=keepdims)
    known, _, below, above = neighbours(a, axes, np.array(0.5), skip_nan, (np.floor, np.ceil))
    return arranged(np.where(known, below / 2 + above / 2, math.nan).astype(a.dtype), a, axes, (), keepdims)


def arranged(values, a, axes, shape, keepdims):
    """Quantiles in their shape, before the axes of ``a`` that are left."""
    values = np.reshape(values, shape + values.shape[1:])
    return np.expand_dims(values, [len(shape) + i for i in axes]) if keepdims else values


@composite(np.quantile)
def _(a, q, axis=None, *, method="linear", keepdims=False):
    return quantiles("np.quantile", a, q, axis, method, keepdims, skip_nan=False)


@composite(np.nanquantile)
def _(a, q, axis=None, *, method="linear", keepdims=False):
    return quantiles("np.nanquantile", a, q, axis, method, keepdims, skip_nan=True)


@composite(np.percentile)
def _(a, q, axis=None, *, method="linear", keepdims=False):
    return quantiles("np.percentile", a, np.true_divide(q, a.dtype.type(100)), axis, method, keepdims, skip_nan=False)


@composite(np.nanpercentile)
def _(a, q, axis=None, *, method="linear", keepdims=False):
    return quantiles("np.nanpercentile", a, np.true_divide(q, a.dtype.type(100)), axis, method, keepdims, skip_nan=True)


@composite(np.median)
def _(a, axis=None, *, keepdims=False):
    return middle(a, axis, keepdims, skip_nan=False)


@composite(np.nanmedian)
def _(a, axis=None, *, keepdims=False):
    return middle(a, axis, keepdims, skip_nan=True)

"""Functions that order elements, and those that rest on an order. Vocabulary of the rules: see `tinygrad_mlp.rules`."""

import math

import numpy as np

from tinygrad_mlp.errors import ArgumentError
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


@composite(np.quantile)
def _(a, q, axis=None, *, method="linear", keepdims=False):
    ordered = np.sort(merged(a, axis), axis=-1)
    place = np.asarray(q) * (ordered.shape[-1] - 1)
    low, high = np.floor(place).astype(int), np.ceil(place).astype(int)
    shares = {
        "linear": place - low,
        "lower": 0 * place,
        "higher": 0 * place + 1,
        "midpoint": 0 * place + 0.5,
        "nearest": np.rint(place) - low,
    }
    if method not in shares:
        raise ArgumentError("np.quantile", expected=f"a method of {', '.join(shares)} on a Tensor", got=repr(method))
    share = shares[method].astype(a.dtype)
    values = ordered[..., low] * (1 - share) + ordered[..., high] * share
    # A NaN comes last in the order, and makes the result NaN, as in NumPy.
    last = np.expand_dims(ordered[..., -1], tuple(range(-place.ndim, 0)))
    values = np.where(np.isnan(last), math.nan, values)
    values = np.moveaxis(values, range(-place.ndim, 0), range(place.ndim))
    return np.expand_dims(values, [place.ndim + i for i in folded_axes(a, axis)]) if keepdims else values


@composite(np.percentile)
def _(a, q, axis=None, *, method="linear", keepdims=False):
    return np.quantile(a, np.asarray(q) / 100, axis, method=method, keepdims=keepdims)


@composite(np.median)
def _(a, axis=None, *, keepdims=False):
    return np.quantile(a, 0.5, axis, keepdims=keepdims)

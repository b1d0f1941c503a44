"""Functions that fold axes away, and running sums. Vocabulary of the rules: see `tinygrad_mlp.rules`."""

import math

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from tinygrad_mlp.errors import ArgumentError, ShapeError, UnsupportedArgumentError
from tinygrad_mlp.ops.elementwise import ratio
from tinygrad_mlp.rules import composite, constant, derivative, primitive
from tinygrad_mlp.validation import demand


@primitive
def euclidean(x, axis=None, *, keepdims=False):
    """The root of the sum of squares over any axes, with the gradient 0 at 0."""
    return np.sqrt(np.sum(x * x, axis=axis, keepdims=keepdims))


def spread(g, x, axis, keepdims):
    """Give an array folded from x its folded axes back, of length 1, so that it broadcasts against x."""
    return g if keepdims or axis is None or x.ndim == 0 else np.expand_dims(g, axis)


def folded(x, out):
    """How many elements of x went into each element of out."""
    return x.size // max(out.size, 1)


def share_of_ties(g, out, x, axis, keepdims):
    """Pass g to the elements that equal the maximum or minimum, or are NaN as it is, in equal shares."""
    out = spread(out, x, axis, keepdims)
    ties = np.equal(x, out) | (np.isnan(x) & np.isnan(out))
    count = np.maximum(np.sum(ties, axis=axis, keepdims=True), 1).astype(g.dtype)
    return np.where(ties, spread(g, x, axis, keepdims) / count, 0)


def deviation(x, out, axis, ddof, correction):
    """Each element less the mean, over the degrees of freedom: half the gradient of the variance."""
    freedom = folded(x, out) - (ddof if correction is None else correction)
    return (x - np.mean(x, axis=axis, keepdims=True)) / max(freedom, 0)


def cumsum_vjp(g, _, x, axis=None):
    """Each element is in all sums from its own place on: a running sum from the end."""
    if axis is None:
        return np.reshape(np.flip(np.cumsum(np.flip(g))), x.shape)
    return np.reshape(np.flip(np.cumsum(np.flip(g, axis), axis=axis), axis), x.shape)


def cumprod_vjp(g, out, x, axis=None):
    """The product of the elements before i, times aᵢ = gᵢ + xᵢ₊₁ aᵢ₊₁; without a division, so exact at zeros too.

    The recurrence runs in doubling steps s = 2ᵏ: aᵢ = bᵢ + fᵢ aᵢ₊ₛ, with aᵢ = 0 beyond the end.
    """
    if axis is None or x.ndim == 0:
        return np.reshape(cumprod_vjp(g, out, np.ravel(x), 0), x.shape)
    g, out, x = np.moveaxis(g, axis, -1), np.moveaxis(out, axis, -1), np.moveaxis(x, axis, -1)
    b, f = g, advanced(x, 1)
    for k in range(x.shape[-1].bit_length()):
        b, f = b + f * advanced(b, 2**k), f * advanced(f, 2**k)
    before = np.concatenate([np.ones_like(out[..., :1]), out[..., :-1]], axis=-1)
    return np.moveaxis(before * b, -1, axis)


def advanced(x, step):
    """x with each element moved forward by ``step`` along the last axis, and zeros at the end."""
    return np.concatenate([x[..., step:], np.zeros_like(x[..., :step])], axis=-1)


def folded_axes(x, axis):
    """The axes that ``axis`` means, as a tuple of numbers from 0."""
    return tuple(range(x.ndim)) if axis is None else normalize_axis_tuple(axis, x.ndim)


def reduced_axes(x, axis):
    """As `folded_axes`, but that a 0-d array has an axis 0 or -1 to fold, as for the reductions of a ufunc."""
    return () if x.ndim == 0 and axis in (0, -1, (0,), (-1,)) else folded_axes(x, axis)


def merged(x, axes):
    """x with the axes to fold moved to the end and made one."""
    kept = tuple(a for a in range(x.ndim) if a not in axes)
    rest = math.prod(x.shape[a] for a in axes)
    return np.reshape(np.transpose(x, kept + axes), (*[x.shape[a] for a in kept], rest))


def without_nan(x, value):
    """x with a value in the place of each NaN."""
    return np.where(np.isnan(x), value, x)


# fmt: off
derivative(np.sum,     lambda g, _, x, axis=None, *, keepdims=False: np.broadcast_to(spread(g, x, axis, keepdims), x.shape))
derivative(np.mean,    lambda g, out, x, axis=None, *, keepdims=False: np.broadcast_to(spread(g / max(folded(x, out), 1), x, axis, keepdims), x.shape))
derivative(np.max,     lambda g, out, x, axis=None, *, keepdims=False: share_of_ties(g, out, x, axis, keepdims))
derivative(np.min,     lambda g, out, x, axis=None, *, keepdims=False: share_of_ties(g, out, x, axis, keepdims))
derivative(np.amax,    lambda g, out, x, axis=None, *, keepdims=False: share_of_ties(g, out, x, axis, keepdims))
derivative(np.amin,    lambda g, out, x, axis=None, *, keepdims=False: share_of_ties(g, out, x, axis, keepdims))
derivative(np.var,     lambda g, out, x, axis=None, *, ddof=0, correction=None, keepdims=False: 2 * spread(g, x, axis, keepdims) * deviation(x, out, axis, ddof, correction))
derivative(np.std,     lambda g, out, x, axis=None, *, ddof=0, correction=None, keepdims=False: spread(ratio(g, out), x, axis, keepdims) * deviation(x, out, axis, ddof, correction))
derivative(euclidean,  lambda g, out, x, axis=None, *, keepdims=False: spread(ratio(g, out), x, axis, keepdims) * x)
derivative(np.cumsum,  cumsum_vjp)
derivative(np.cumprod, cumprod_vjp)
derivative(np.bincount, None, lambda g, _, x, weights=None, minlength=0: g[x])
# fmt: on

constant(
    np.argmax, np.argmin, np.nanargmax, np.nanargmin, np.all, np.any, np.count_nonzero,
    np.allclose, np.array_equal, np.array_equiv,
)  # fmt: skip


@composite(np.prod)
def _(a, axis=None, *, keepdims=False):
    if a.ndim == 0:
        np.prod(np.zeros(()), axis)  # raises where this NumPy knows no such axis
    axes = reduced_axes(a, axis)
    x = merged(a, axes)
    product = np.cumprod(np.concatenate([np.ones_like(x, shape=(*x.shape[:-1], 1)), x], axis=-1), axis=-1)[..., -1]
    return np.expand_dims(product, axes) if keepdims else product


@composite(np.ptp)
def _(a, axis=None, *, keepdims=False):
    return np.max(a, axis, keepdims=keepdims) - np.min(a, axis, keepdims=keepdims)


@composite(np.average)
def _(a, axis=None, weights=None, returned=False, *, keepdims=False):
    if weights is None:
        mean = np.mean(a, axis, keepdims=keepdims)
        count = a.size / mean.size
        return (mean, np.full_like(mean.data, count)) if returned else mean
    axes = folded_axes(a, axis)
    if np.shape(weights) != a.shape:
        if axis is None:
            raise UnsupportedArgumentError("np.average", expected="an axis for weights of another shape", got="None")
        if np.shape(weights) != tuple(a.shape[i] for i in axes):
            raise ShapeError(
                "np.average", expected=f"weights of shape {tuple(a.shape[i] for i in axes)}, along the axes {axes}",
                got=str(np.shape(weights)),
            )  # fmt: skip
        in_order = np.transpose(weights, np.argsort(axes))
        weights = np.expand_dims(in_order, [i for i in range(a.ndim) if i not in axes])
    total = np.sum(np.broadcast_to(weights, a.shape), axes, keepdims=keepdims)
    demand(np.all(total != 0), lambda: ZeroDivisionError("np.average: the weights sum to zero"))
    mean = np.sum(a * weights, axes, keepdims=keepdims) / total
    return (mean, total.astype(mean.dtype)) if returned else mean


@composite(np.cumulative_sum)
def _(x, *, axis=None, include_initial=False):
    return running(np.cumsum, x, axis, 0 if include_initial else None)


@composite(np.cumulative_prod)
def _(x, *, axis=None, include_initial=False):
    return running(np.cumprod, x, axis, 1 if include_initial else None)


def running(f, x, axis, initial):
    """Sums or products of the elements up to each; the axis may be left out where there is only one."""
    x = np.atleast_1d(x)
    if axis is None and x.ndim > 1:
        raise ArgumentError(
            f"np.cumulative_{f.__name__[3:]}", expected="an axis of an array that has several", got="None"
        )
    axis = 0 if axis is None else normalize_axis_index(axis, x.ndim)
    if initial is not None:
        shape = [*x.shape[:axis], 1, *x.shape[axis + 1 :]]
        x = np.concatenate([np.full(shape, initial, x.dtype), x], axis)
    return f(x, axis)


# -- the same, passing over NaN --------------------------------------------------------------------------------------
@composite(np.nansum)
def _(a, axis=None, *, keepdims=False):
    return np.sum(without_nan(a, 0), axis, keepdims=keepdims)


@composite(np.nanprod)
def _(a, axis=None, *, keepdims=False):
    return np.prod(without_nan(a, 1), axis, keepdims=keepdims)


@composite(np.nanmax)
def _(a, axis=None, *, keepdims=False):
    largest = np.max(without_nan(a, -math.inf), axis, keepdims=keepdims)
    return np.where(np.all(np.isnan(a), axis, keepdims=keepdims), math.nan, largest)


@composite(np.nanmin)
def _(a, axis=None, *, keepdims=False):
    smallest = np.min(without_nan(a, math.inf), axis, keepdims=keepdims)
    return np.where(np.all(np.isnan(a), axis, keepdims=keepdims), math.nan, smallest)


@composite(np.nanmean)
def _(a, axis=None, *, keepdims=False):
    count = np.sum(~np.isnan(a), axis=axis, keepdims=keepdims).astype(a.dtype)
    return np.nansum(a, axis, keepdims=keepdims) / count


@composite(np.nanvar)
def _(a, axis=None, *, ddof=0, keepdims=False):
    distance, freedom = nan_deviation(a, axis, ddof, keepdims)
    return np.sum(distance * distance, axis, keepdims=keepdims) / freedom


@composite(np.nanstd)
def _(a, axis=None, *, ddof=0, keepdims=False):
    distance, freedom = nan_deviation(a, axis, ddof, keepdims)
    return euclidean(distance, axis, keepdims=keepdims) / np.sqrt(freedom)


def nan_deviation(a, axis, ddof, keepdims):
    """Each number less the mean of the numbers, 0 for each NaN; and the degrees of freedom, NaN where none are left."""
    numbers = ~np.isnan(a)
    freedom = np.sum(numbers, axis=axis, keepdims=keepdims).astype(a.dtype) - ddof
    distance = np.where(numbers, a - np.nanmean(a, axis, keepdims=True), 0)
    return distance, np.where(freedom > 0, freedom, math.nan).astype(a.dtype)


@composite(np.nancumsum)
def _(a, axis=None):
    return np.cumsum(without_nan(a, 0), axis)


@composite(np.nancumprod)
def _(a, axis=None):
    return np.cumprod(without_nan(a, 1), axis)

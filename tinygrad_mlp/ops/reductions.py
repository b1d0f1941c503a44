"""Functions that fold axes away, and running sums. Vocabulary of the rules: see `tinygrad_mlp.rules`."""

import math

import numpy as np

from tinygrad_mlp.ops.elementwise import nonzero
from tinygrad_mlp.rules import composite, constant, derivative, primitive


@primitive
def euclidean(x, axis=None, *, keepdims=False):
    """The root of the sum of squares over any axes, with the gradient 0 at 0."""
    return np.sqrt(np.sum(x * x, axis=axis, keepdims=keepdims))


def spread(g, axis, keepdims):
    """Give a folded array its folded axes back, of length 1, so that it broadcasts against the input."""
    return g if keepdims or axis is None else np.expand_dims(g, axis)


def folded(x, out):
    """How many elements of x went into each element of out."""
    return x.size // max(out.size, 1)


def share_of_ties(g, out, x, axis, keepdims):
    """Pass g to the elements that equal the maximum or minimum, in equal shares."""
    ties = x == spread(out, axis, keepdims)
    count = np.maximum(np.sum(ties, axis=axis, keepdims=True), 1).astype(g.dtype)
    return np.where(ties, spread(g, axis, keepdims) / count, 0)


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
    axes = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return tuple(a % x.ndim for a in axes)


def merged(x, axis):
    """x with the axes to fold moved to the end and made one."""
    axes = folded_axes(x, axis)
    kept = tuple(a for a in range(x.ndim) if a not in axes)
    rest = math.prod(x.shape[a] for a in axes)
    return np.reshape(np.transpose(x, kept + axes), (*[x.shape[a] for a in kept], rest))


def without_nan(x, value):
    """x with a value in the place of each NaN."""
    return np.where(np.isnan(x), value, x)


# fmt: off
derivative(np.sum,     lambda g, _, x, axis=None, *, keepdims=False: np.broadcast_to(spread(g, axis, keepdims), x.shape))
derivative(np.mean,    lambda g, out, x, axis=None, *, keepdims=False: np.broadcast_to(spread(g / max(folded(x, out), 1), axis, keepdims), x.shape))
derivative(np.max,     lambda g, out, x, axis=None, *, keepdims=False: share_of_ties(g, out, x, axis, keepdims))
derivative(np.min,     lambda g, out, x, axis=None, *, keepdims=False: share_of_ties(g, out, x, axis, keepdims))
derivative(np.amax,    lambda g, out, x, axis=None, *, keepdims=False: share_of_ties(g, out, x, axis, keepdims))
derivative(np.amin,    lambda g, out, x, axis=None, *, keepdims=False: share_of_ties(g, out, x, axis, keepdims))
derivative(np.var,     lambda g, out, x, axis=None, *, ddof=0, correction=None, keepdims=False: 2 * spread(g, axis, keepdims) * deviation(x, out, axis, ddof, correction))
derivative(np.std,     lambda g, out, x, axis=None, *, ddof=0, correction=None, keepdims=False: spread(g / nonzero(out), axis, keepdims) * deviation(x, out, axis, ddof, correction))
derivative(euclidean,  lambda g, out, x, axis=None, *, keepdims=False: spread(g / nonzero(out), axis, keepdims) * x)
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
    x = merged(a, axis)
    product = np.cumprod(np.concatenate([np.ones_like(x, shape=(*x.shape[:-1], 1)), x], axis=-1), axis=-1)[..., -1]
    return np.expand_dims(product, folded_axes(a, axis)) if keepdims else product


@composite(np.ptp)
def _(a, axis=None, *, keepdims=False):
    return np.max(a, axis, keepdims=keepdims) - np.min(a, axis, keepdims=keepdims)


@composite(np.average)
def _(a, axis=None, weights=None, returned=False, *, keepdims=False):
    weights = np.ones_like(a) if weights is None else weights
    if np.shape(weights) != np.shape(a):
        axes = folded_axes(a, axis)
        in_order = np.transpose(weights, [axes.index(i) for i in sorted(axes)])
        weights = np.expand_dims(in_order, [i for i in range(a.ndim) if i not in axes])
        weights = np.broadcast_to(weights, a.shape)
    total = np.sum(weights, axis, keepdims=keepdims)
    mean = np.sum(a * weights, axis, keepdims=keepdims) / total
    return (mean, total) if returned else mean


@composite(np.cumulative_sum)
def _(x, *, axis=None, include_initial=False):
    axis = 0 if axis is None else axis
    if include_initial:
        x = np.concatenate([np.zeros_like(np.take(x, [0], axis)), x], axis)
    return np.cumsum(x, axis)


@composite(np.cumulative_prod)
def _(x, *, axis=None, include_initial=False):
    axis = 0 if axis is None else axis
    if include_initial:
        x = np.concatenate([np.ones_like(np.take(x, [0], axis)), x], axis)
    return np.cumprod(x, axis)


# -- the same, passing over NaN --------------------------------------------------------------------------------------
@composite(np.nansum)
def _(a, axis=None, *, keepdims=False):
    return np.sum(without_nan(a, 0), axis, keepdims=keepdims)


@composite(np.nanprod)
def _(a, axis=None, *, keepdims=False):
    return np.prod(without_nan(a, 1), axis, keepdims=keepdims)


@composite(np.nanmax)
def _(a, axis=None, *, keepdims=False):
    return np.max(without_nan(a, -math.inf), axis, keepdims=keepdims)


@composite(np.nanmin)
def _(a, axis=None, *, keepdims=False):
    return np.min(without_nan(a, math.inf), axis, keepdims=keepdims)


@composite(np.nanmean)
def _(a, axis=None, *, keepdims=False):
    count = np.sum(~np.isnan(a), axis=axis, keepdims=keepdims).astype(a.dtype)
    return np.nansum(a, axis, keepdims=keepdims) / count


@composite(np.nanvar)
def _(a, axis=None, *, ddof=0, keepdims=False):
    freedom = np.sum(~np.isnan(a), axis=axis, keepdims=keepdims).astype(a.dtype) - ddof
    distance = without_nan(a - np.nanmean(a, axis, keepdims=True), 0)
    return np.sum(distance * distance, axis, keepdims=keepdims) / freedom


@composite(np.nanstd)
def _(a, axis=None, *, ddof=0, keepdims=False):
    freedom = np.sum(~np.isnan(a), axis=axis, keepdims=keepdims).astype(a.dtype) - ddof
    distance = without_nan(a - np.nanmean(a, axis, keepdims=True), 0)
    return euclidean(distance, axis, keepdims=keepdims) / np.sqrt(freedom)


@composite(np.nancumsum)
def _(a, axis=None):
    return np.cumsum(without_nan(a, 0), axis)


@composite(np.nancumprod)
def _(a, axis=None):
    return np.cumprod(without_nan(a, 1), axis)

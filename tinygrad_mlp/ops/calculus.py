"""Differences, interpolation and polynomials, through functions that have rules."""

import math
import operator

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from tinygrad_mlp.errors import ArgumentError, ShapeError, UnsupportedArgumentError
from tinygrad_mlp.ops.reductions import folded_axes
from tinygrad_mlp.rules import composite


@composite(np.diff)
def _(a, n=1, axis=-1, prepend=None, append=None):
    if n == 0:
        return a
    if n < 0 or np.ndim(a) == 0:
        raise ArgumentError("np.diff", expected="n of at least 0 and an array with an axis", got=f"{n}, {np.shape(a)}")
    axis = normalize_axis_index(axis, np.ndim(a))
    before = (slice(None),) * axis
    ends = [x for x in (prepend, a, append) if x is not None]
    if len(ends) > 1:
        rim = [*np.shape(a)[:axis], 1, *np.shape(a)[axis + 1 :]]
        a = np.concatenate([np.broadcast_to(x, rim) if np.ndim(x) == 0 else x for x in ends], axis=axis)
    for _ in range(n):
        a = a[(*before, slice(1, None))] - a[(*before, slice(None, -1))]
    return a


@composite(np.ediff1d)
def _(ary, to_end=None, to_begin=None):
    steps = np.diff(np.ravel(ary))
    ends = [None if x is None else np.ravel(x) for x in (to_begin, to_end)]
    for end in ends:
        if end is not None and not np.can_cast(end.dtype, steps.dtype, "same_kind"):
            raise UnsupportedArgumentError("np.ediff1d", expected=f"ends of dtype {steps.dtype}", got=str(end.dtype))
    begin, end = (x if x is None or x.dtype == steps.dtype else np.astype(x, steps.dtype) for x in ends)
    return np.concatenate([x for x in (begin, steps, end) if x is not None])


def slope(y, d, edge_order):
    """The derivative along the first axis, of the parabola through three neighbours; at the edges, of a line or parabola.

    ``d`` is the distance of neighbours: one number, or a vector of numbers.
    """
    if np.ndim(d) == 0:
        inside = (y[2:] - y[:-2]) / (2 * d)
        first, last = d, d
    else:
        below, above = (np.reshape(part, (-1,) + (1,) * (y.ndim - 1)) for part in (d[:-1], d[1:]))
        inside = (
            -above / (below * (below + above)) * y[:-2]
            + (above - below) / (below * above) * y[1:-1]
            + below / (above * (below + above)) * y[2:]
        )
        first, last = d[0], d[-1]
    if edge_order == 1:
        left, right = (y[1:2] - y[:1]) / first, (y[-1:] - y[-2:-1]) / last
    else:
        second, before_last = (d, d) if np.ndim(d) == 0 else (d[1], d[-2])
        left = parabola(y[:1], y[1:2], y[2:3], first, second)
        right = -parabola(y[-1:], y[-2:-1], y[-3:-2], last, before_last)
    return np.concatenate([left, inside, right])


def parabola(y0, y1, y2, d1, d2):
    """The slope at y0 of the parabola through three values, d1 and d2 apart."""
    return (
        -(2 * d1 + d2) / (d1 * (d1 + d2)) * y0
        + (d1 + d2) / (d1 * d2) * y1
        - d1 / (d2 * (d1 + d2)) * y2
    )  # fmt: skip


def distances(h, n):
    """One distance, or those of a vector of n places, if they differ."""
    if np.ndim(h) == 0:
        return h
    if np.shape(h) != (n,):
        raise ShapeError("np.gradient", expected=f"numbers, or vectors of {n} places", got=f"shape {np.shape(h)}")
    d = np.diff(h)
    return d[0] if np.all(d == d[0]) else d


@composite(np.gradient)
def _(f, *varargs, axis=None, edge_order=1):
    axes = folded_axes(f, axis)
    spacings = varargs * len(axes) if len(varargs) == 1 and np.ndim(varargs[0]) == 0 else varargs or (1,) * len(axes)
    if len(spacings) != len(axes):
        raise UnsupportedArgumentError("np.gradient", expected=f"one spacing, or {len(axes)}", got=str(len(spacings)))
    if edge_order not in (1, 2):
        raise ArgumentError("np.gradient", expected="edge_order 1 or 2", got=str(edge_order))
    least = edge_order + 1
    if any(f.shape[i] < least for i in axes):
        raise ShapeError("np.gradient", expected=f"at least {least} elements along each axis", got=str(f.shape))
    slopes = []
    for i, h in zip(axes, spacings, strict=True):
        d = distances(h, f.shape[i])
        slopes.append(np.moveaxis(slope(np.moveaxis(f, i, 0), d, edge_order), 0, i))
    return slopes[0] if len(slopes) == 1 else tuple(slopes)


@composite(np.trapezoid)
def _(y, x=None, dx=1.0, axis=-1):
    place = normalize_axis_index(axis, np.ndim(y))
    if x is None:
        width = dx
    elif np.ndim(x) == 1:
        width = np.reshape(np.diff(x), (-1,) + (1,) * (np.ndim(y) - place - 1))
    else:
        width = np.diff(x, axis=axis)
    before = (slice(None),) * place
    return np.sum(width * (y[(*before, slice(1, None))] + y[(*before, slice(None, -1))]) / 2, axis=axis)


def pick(table, at):
    """``table[at]``, which arrays that speak NumPy's protocols understand as a table's index too."""
    return np.reshape(np.take_along_axis(table, np.ravel(at), 0), np.shape(at))


@composite(np.interp)
def _(x, xp, fp, left=None, right=None):
    xp, fp = (np.astype(p, float) if hasattr(p, "dtype") else np.asarray(p, float) for p in (xp, fp))
    if xp.ndim != 1 or xp.shape != fp.shape or not xp.size or np.ndim(left) or np.ndim(right):
        raise ShapeError(
            "np.interp",
            expected="a place and a value for each sample point, and numbers beyond them",
            got=f"shapes {xp.shape} and {fp.shape}, left={left}, right={right}",
        )
    low = np.maximum(np.searchsorted(xp, x, side="right") - 1, 0)
    high = np.minimum(low + 1, len(xp) - 1)
    (x0, y0), (x1, y1) = ((pick(xp, i), pick(fp, i)) for i in (low, high))
    steps = (y1 - y0) / np.where(high == low, 1, x1 - x0)
    from_low, from_high = y0 + steps * (x - x0), y1 + steps * (x - x1)
    value = np.where(np.isnan(from_low), from_high, from_low)
    # Where an infinite sample makes 0 · ∞, the value is that of the sample at x, if there is one.
    value = np.where(np.isnan(value) & ((x == x0) | (y0 == y1)), y0, value)
    value = np.where(x < xp[0], fp[0] if left is None else left, value)
    return np.where(x > xp[-1], fp[-1] if right is None else right, value)


@composite(np.linspace)
def _(start, stop, num=50, endpoint=True, retstep=False, *, axis=0):
    num = operator.index(num)
    if num < 0:
        raise ArgumentError("np.linspace", expected="a number of samples, at least 0", got=str(num))
    intervals = num - 1 if endpoint else num
    step = (stop - start) / max(intervals, 1)
    steps = np.arange(num).reshape(-1, *[1] * np.ndim(step)).astype(step.dtype)
    values = start + steps * step
    if endpoint and num > 1:
        last = np.broadcast_to(stop, values[-1:].shape).astype(values.dtype)
        values = np.concatenate([values[:-1], last])
    values = np.moveaxis(values, 0, axis)
    return (values, step if intervals > 0 else math.nan) if retstep else values


@composite(np.logspace)
def _(start, stop, num=50, endpoint=True, base=10.0, *, axis=0):
    return np.power(base, np.linspace(start, stop, num, endpoint, axis=axis))


@composite(np.vander)
def _(x, N=None, increasing=False):
    if x.ndim != 1 or (N is not None and N < 0):
        raise ArgumentError("np.vander", expected="a vector, and N of at least 0", got=f"shape {x.shape}, N={N}")
    powers = np.arange(len(x) if N is None else N)
    return x[:, None] ** (powers if increasing else powers[::-1])


@composite(np.polyval)
def _(p, x):
    value = np.zeros_like(x)
    for coefficient in p:
        value = value * x + coefficient
    return value


@composite(np.cov)
def _(m, y=None, rowvar=True, bias=False, ddof=None):
    for x in (m, y):
        if np.ndim(x) > 2:
            raise ShapeError("np.cov", expected="arrays of at most two dimensions", got=str(np.shape(x)))
    if ddof is not None and ddof != int(ddof):
        raise ArgumentError("np.cov", expected="a whole number as ddof", got=str(ddof))

    def rows(x, single_row_stays):
        x = np.astype(np.atleast_2d(x), float)
        return x if rowvar or single_row_stays else np.transpose(x)

    # Since NumPy 2.2 a matrix of one row is transposed as any other, if it is the first argument.
    new = np.lib.NumpyVersion(np.__version__) >= "2.2.0"
    x = rows(m, np.ndim(m) < 2 if new else np.atleast_2d(m).shape[0] == 1)
    if y is not None:
        x = np.concatenate([x, rows(y, np.atleast_2d(y).shape[0] == 1)])
    x = x - np.mean(x, axis=1, keepdims=True)
    freedom = x.shape[1] - ((0 if bias else 1) if ddof is None else ddof)
    return np.squeeze(x @ np.transpose(x) * (1 / freedom if freedom > 0 else math.inf))


@composite(np.corrcoef)
def _(x, y=None, rowvar=True):
    c = np.cov(x, y, rowvar)
    if c.ndim == 0:
        return c / c
    deviation = np.sqrt(np.diag(c))
    return c / deviation[:, None] / deviation

"""Differences, interpolation and polynomials, through functions that have rules."""

import numpy as np

from tinygrad_mlp.ops.reductions import folded_axes
from tinygrad_mlp.rules import composite


@composite(np.diff)
def _(a, n=1, axis=-1, prepend=None, append=None):
    ends = [x for x in (prepend, a, append) if x is not None]
    if len(ends) > 1:
        rim = [*a.shape[: axis % a.ndim], 1, *a.shape[axis % a.ndim + 1 :]]
        a = np.concatenate([np.broadcast_to(x, rim) if np.ndim(x) == 0 else x for x in ends], axis=axis)
    for _ in range(n):
        before = (slice(None),) * (axis % a.ndim)
        a = a[(*before, slice(1, None))] - a[(*before, slice(None, -1))]
    return a


@composite(np.ediff1d)
def _(ary, to_end=None, to_begin=None):
    steps = np.diff(np.ravel(ary))
    return np.concatenate([np.ravel(x) for x in (to_begin, steps, to_end) if x is not None])


def slope(y, d, edge_order):
    """The derivative along the first axis: of the parabola through three neighbours at distances d, or of an edge's line."""
    d = np.reshape(d, (-1,) + (1,) * (y.ndim - 1))
    below, above = d[:-1], d[1:]
    lower, upper = (y[1:-1] - y[:-2]) / below, (y[2:] - y[1:-1]) / above
    first, last = (y[1:2] - y[:1]) / d[:1], (y[-1:] - y[-2:-1]) / d[-1:]
    if edge_order == 2:
        bend = (upper - lower) / (below + above)
        first, last = first - bend[:1] * d[:1], last + bend[-1:] * d[-1:]
    return np.concatenate([first, (above * lower + below * upper) / (below + above), last])


@composite(np.gradient)
def _(f, *varargs, axis=None, edge_order=1):
    axes = folded_axes(f, axis)
    spacings = varargs * len(axes) if len(varargs) == 1 else varargs or (1,) * len(axes)
    slopes = []
    for i, h in zip(axes, spacings, strict=True):
        y = np.moveaxis(f, i, 0)
        d = np.diff(h) if np.ndim(h) else np.full_like(y, h, shape=len(y) - 1)
        slopes.append(np.moveaxis(slope(y, d, edge_order), 0, i))
    return slopes[0] if len(slopes) == 1 else tuple(slopes)


@composite(np.trapezoid)
def _(y, x=None, dx=1.0, axis=-1):
    y = np.moveaxis(y, axis, -1)
    width = dx if x is None else np.diff(x) if np.ndim(x) == 1 else np.diff(np.moveaxis(x, axis, -1))
    return np.sum(width * (y[..., 1:] + y[..., :-1]) / 2, axis=-1)


def pick(table, at):
    """``table[at]``, which arrays that speak NumPy's protocols understand as a table's index too."""
    return np.reshape(np.take_along_axis(table, np.ravel(at), 0), np.shape(at))


@composite(np.interp)
def _(x, xp, fp, left=None, right=None):
    at = np.clip(np.searchsorted(xp, x, side="right") - 1, 0, len(xp) - 2)
    xp, fp = (np.asarray(p) if isinstance(p, (list, tuple)) else p for p in (xp, fp))
    (x0, y0), (x1, y1) = ((pick(xp, i), pick(fp, i)) for i in (at, at + 1))
    inside = y0 + (y1 - y0) / (x1 - x0) * (x - x0)
    inside = np.where(x < xp[0], fp[0] if left is None else left, inside)
    return np.where(x > xp[-1], fp[-1] if right is None else right, inside)


@composite(np.linspace)
def _(start, stop, num=50, endpoint=True, retstep=False, *, axis=0):
    intervals = max(num - 1 if endpoint else num, 1)
    step = (stop - start) / intervals
    steps = np.arange(num).reshape(-1, *[1] * np.ndim(step)).astype(step.dtype)
    values = np.moveaxis(start + steps * step, 0, axis)
    return (values, step) if retstep else values


@composite(np.logspace)
def _(start, stop, num=50, endpoint=True, base=10.0, *, axis=0):
    return np.power(base, np.linspace(start, stop, num, endpoint, axis=axis))


@composite(np.vander)
def _(x, N=None, increasing=False):
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
    def rows(x):
        x = np.atleast_2d(x)
        return x if rowvar or x.shape[0] == 1 else np.transpose(x)

    x = rows(m) if y is None else np.concatenate([rows(m), rows(y)])
    x = x - np.mean(x, axis=1, keepdims=True)
    freedom = x.shape[1] - ((0 if bias else 1) if ddof is None else ddof)
    return np.squeeze(x @ np.transpose(x) / freedom)


@composite(np.corrcoef)
def _(x, y=None, rowvar=True):
    c = np.cov(x, y, rowvar)
    if c.ndim == 0:
        return c / c
    deviation = np.sqrt(np.diag(c))
    return c / deviation[:, None] / deviation

"""Functions that move elements without changing them. Vocabulary of the rules: see `tinygrad_mlp.rules`."""

import operator

import numpy as np

from tinygrad_mlp.rules import constant, derivative, primitive


@primitive
def scatter(g, index, shape):
    """Zeros of ``shape`` with ``g`` added at ``index``; an element picked several times gets the sum."""
    out = np.zeros_like(g, shape=shape)
    if picks_once(index):
        out[index] = g
    else:
        np.add.at(out, index, g)
    return out


def picks_once(index):
    """Whether ``x[index]`` cannot pick an element twice: it holds no array of integers."""
    entries = index if isinstance(index, tuple) else (index,)
    return all(i is None or i is Ellipsis or isinstance(i, (int, slice, np.integer)) for i in entries)


def parts(g, arrays, axis):
    """Cut the gradient of a concatenation into one piece per array."""
    if axis is None:
        return [
            np.reshape(piece, x.shape)
            for piece, x in zip(parts(g, [np.ravel(x) for x in arrays], 0), arrays, strict=True)
        ]
    ends = np.cumsum([x.shape[axis] for x in arrays])
    before = (slice(None),) * (axis % g.ndim)
    return [g[(*before, slice(end - x.shape[axis], end))] for end, x in zip(ends, arrays, strict=True)]


# fmt: off
derivative(np.reshape,        lambda g, out, x, shape: np.reshape(g, x.shape))
derivative(np.transpose,      lambda g, out, x, axes=None: np.transpose(g, None if axes is None else np.argsort([a % x.ndim for a in axes])))
derivative(np.expand_dims,    lambda g, out, x, axis: np.reshape(g, x.shape))
derivative(np.squeeze,        lambda g, out, x, axis=None: np.reshape(g, x.shape))
derivative(np.broadcast_to,   lambda g, out, x, shape: g)
derivative(np.astype,         lambda g, out, x, dtype: g)
derivative(operator.getitem,  lambda g, out, x, index: scatter(g, index, x.shape))
derivative(scatter,           lambda g, out, x, index, shape: g[index])
derivative(np.concatenate,    lambda g, out, arrays, axis=0: parts(g, arrays, axis))
derivative(np.stack,          lambda g, out, arrays, axis=0: np.moveaxis(g, axis, 0))
derivative(np.moveaxis,       lambda g, out, x, source, destination: np.moveaxis(g, destination, source))
derivative(np.swapaxes,       lambda g, out, x, axis1, axis2: np.swapaxes(g, axis1, axis2))
# fmt: on

constant(np.shape, np.ndim, np.size, np.zeros_like, np.ones_like, np.empty_like, np.full_like)

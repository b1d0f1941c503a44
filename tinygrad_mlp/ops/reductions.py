"""Functions that fold axes away. Vocabulary of the rules: see `tinygrad_mlp.rules`."""

import numpy as np

from tinygrad_mlp.rules import constant, derivative


def spread(g, axis, keepdims):
    """Give a folded array its folded axes back, of length 1, so that it broadcasts against the input."""
    return g if keepdims or axis is None else np.expand_dims(g, axis)


def share_of_ties(g, out, x, axis, keepdims):
    """Pass g to the elements that equal the maximum or minimum, in equal shares."""
    ties = x == spread(out, axis, keepdims)
    count = np.sum(ties, axis=axis, keepdims=True).astype(g.dtype)
    return np.where(ties, spread(g, axis, keepdims) / count, 0)


# fmt: off
derivative(np.sum,   lambda g, out, x, axis=None, *, keepdims=False: np.broadcast_to(spread(g, axis, keepdims), x.shape))
derivative(np.mean,  lambda g, out, x, axis=None, *, keepdims=False: np.broadcast_to(spread(g / (x.size // out.size), axis, keepdims), x.shape))
derivative(np.max,   lambda g, out, x, axis=None, *, keepdims=False: share_of_ties(g, out, x, axis, keepdims))
derivative(np.min,   lambda g, out, x, axis=None, *, keepdims=False: share_of_ties(g, out, x, axis, keepdims))
# fmt: on

constant(np.argmax, np.argmin, np.argsort, np.all, np.any, np.count_nonzero, np.allclose, np.array_equal, np.isclose)

"""Norms, and the functions of np.linalg that go by other names in np. Vocabulary of the rules: see `tinygrad_mlp.rules`."""

import math

import numpy as np

from tinygrad_mlp.errors import ArgumentError
from tinygrad_mlp.ops.elementwise import nonzero
from tinygrad_mlp.ops.linalg import singular_values
from tinygrad_mlp.ops.reductions import euclidean, folded_axes, spread
from tinygrad_mlp.rules import composite, derivative, primitive


@primitive
def power_norm(x, p, axis, *, keepdims=False):
    """(Σ |x|ᵖ)^(1/p), with the gradient 0 at each element that is 0."""
    return np.sum(np.abs(x) ** p, axis=axis, keepdims=keepdims) ** (1 / p)


def power_norm_vjp(g, out, x, p, axis, *, keepdims=False):
    """sign(x) (|x| / norm)ᵖ⁻¹."""
    share = np.abs(x) / nonzero(spread(out, axis, keepdims))
    return spread(g, axis, keepdims) * np.sign(x) * nonzero(share) ** (p - 1)


derivative(power_norm, power_norm_vjp)


def vector_norm(x, axes, order, keepdims):
    """A norm over some axes taken together."""
    if order in ("fro", 2):
        return euclidean(x, axes, keepdims=keepdims)
    if order == math.inf:
        return np.max(np.abs(x), axes, keepdims=keepdims)
    if order == -math.inf:
        return np.min(np.abs(x), axes, keepdims=keepdims)
    if order == 0:
        return np.sum(np.not_equal(x, 0), axes, keepdims=keepdims).astype(x.dtype)
    if order == 1:
        return np.sum(np.abs(x), axes, keepdims=keepdims)
    return power_norm(x, order, axes, keepdims=keepdims)


def matrix_norm(x, axes, order, keepdims):
    """A norm of the matrices along two axes."""
    matrices = np.moveaxis(x, axes, (-2, -1))
    if order == "fro":
        norm = euclidean(matrices, (-2, -1))
    elif order == "nuc":
        norm = np.sum(singular_values(matrices), -1)
    elif order in (2, -2):
        norm = (np.max if order > 0 else np.min)(singular_values(matrices), -1)
    elif order in (1, -1, math.inf, -math.inf):
        sums = np.sum(np.abs(matrices), -2 if abs(order) == 1 else -1)
        norm = (np.max if order > 0 else np.min)(sums, -1)
    else:
        raise ArgumentError("np.linalg.norm", expected="a matrix norm: ±1, ±2, ±inf, 'fro', 'nuc'", got=repr(order))
    return np.expand_dims(norm, axes) if keepdims else norm


@composite(np.linalg.norm)
def _(x, ord=None, axis=None, keepdims=False):
    axes = folded_axes(x, axis)
    if ord is None:
        return euclidean(x, axes, keepdims=keepdims)
    return (vector_norm if len(axes) == 1 else matrix_norm)(x, axes, ord, keepdims)


@composite(np.linalg.vector_norm)
def _(x, /, *, axis=None, keepdims=False, ord=2):
    return vector_norm(x, folded_axes(x, axis), ord, keepdims)


@composite(np.linalg.matrix_norm)
def _(x, /, *, keepdims=False, ord="fro"):
    return matrix_norm(x, folded_axes(x, (-2, -1)), ord, keepdims)


@composite(np.linalg.cond)
def _(x, p=None):
    if p in (None, 2, -2):
        s = singular_values(x)
        return s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
    return np.linalg.matrix_norm(x, ord=p) * np.linalg.matrix_norm(np.linalg.inv(x), ord=p)


@composite(np.trace)
def _(a, offset=0, axis1=0, axis2=1):
    return np.sum(np.diagonal(a, offset, axis1, axis2), axis=-1)


@composite(np.linalg.trace)
def _(x, /, *, offset=0):
    return np.trace(x, offset, -2, -1)


@composite(np.linalg.diagonal)
def _(x, /, *, offset=0):
    return np.diagonal(x, offset, -2, -1)


@composite(np.linalg.cross)
def _(x1, x2, /, *, axis=-1):
    return np.cross(x1, x2, axis=axis)


composite(np.linalg.matmul)(np.matmul)
composite(np.linalg.outer)(np.outer)
composite(np.linalg.tensordot)(np.tensordot)
composite(np.linalg.vecdot)(np.vecdot)
composite(np.linalg.matrix_transpose)(np.matrix_transpose)

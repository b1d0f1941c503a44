"""Norms, and the functions of np.linalg that go by other names in np. Vocabulary of the rules: see `tinygrad_mlp.rules`."""

import functools
import math

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from tinygrad_mlp.errors import ArgumentError, ShapeError
from tinygrad_mlp.ops.elementwise import nonzero, ratio, sign
from tinygrad_mlp.ops.linalg import singular_values
from tinygrad_mlp.ops.reductions import euclidean, folded_axes, spread
from tinygrad_mlp.rules import composite, derivative, primitive
from tinygrad_mlp.validation import demand


@primitive
def power_norm(x, p, axis, *, keepdims=False):
    """(Σ |x|ᵖ)^(1/p), with the gradient 0 at each element that is 0."""
    return np.sum(np.abs(x) ** p, axis=axis, keepdims=keepdims) ** (1 / p)


def power_norm_vjp(g, out, x, p, axis, *, keepdims=False):
    """sign(x) (|x| / norm)ᵖ⁻¹; where x is 0, this has a derivative of its own only from p = 2 on."""
    share = ratio(np.abs(x), spread(out, x, axis, keepdims))
    return spread(g, x, axis, keepdims) * (np.sign(x) if p >= 2 else sign(x)) * nonzero(share) ** (p - 1)


derivative(power_norm, power_norm_vjp)


def with_zero(x, axes):
    """x, with a 0 for the maximum of no elements: the norm of an empty vector is 0."""
    if any(x.shape[i] == 0 for i in axes):
        return np.zeros([1 if i in normalize_axis_tuple(axes, x.ndim) else n for i, n in enumerate(x.shape)], x.dtype)
    return x


def vector_norm(x, axes, order, keepdims):
    """A norm over some axes taken together."""
    if isinstance(order, str):
        raise ArgumentError("np.linalg.norm", expected="a number as the order of a norm of vectors", got=repr(order))
    if order in (None, 2):
        return euclidean(x, axes, keepdims=keepdims)
    if order == math.inf:
        return np.max(with_zero(np.abs(x), axes), axes, keepdims=keepdims)
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
    if order in (None, "fro", "f"):
        norm = euclidean(matrices, (-2, -1))
    elif order == "nuc":
        norm = np.sum(singular_values(matrices), -1)
    elif order in (1, -1, 2, -2, math.inf, -math.inf):
        of = singular_values(matrices) if abs(order) == 2 else np.sum(np.abs(matrices), -2 if abs(order) == 1 else -1)
        norm = np.max(with_zero(of, (-1,)), -1) if order > 0 else np.min(of, -1)
    else:
        raise ArgumentError("np.linalg.norm", expected="a matrix norm: ±1, ±2, ±inf, 'fro', 'nuc'", got=repr(order))
    return np.expand_dims(norm, axes) if keepdims else norm


@composite(np.linalg.norm)
def _(x, ord=None, axis=None, keepdims=False):
    axes = folded_axes(x, axis)
    if ord is None and axis is None:
        return euclidean(x, axes, keepdims=keepdims)
    if len(axes) not in (1, 2):
        raise ArgumentError("np.linalg.norm", expected="one axis or two", got=str(len(axes)))
    return (vector_norm if len(axes) == 1 else matrix_norm)(x, axes, ord, keepdims)


@composite(np.linalg.vector_norm)
def _(x, /, *, axis=None, keepdims=False, ord=2):
    return vector_norm(x, folded_axes(x, axis), ord, keepdims)


@composite(np.linalg.matrix_norm)
def _(x, /, *, keepdims=False, ord="fro"):
    return matrix_norm(x, folded_axes(x, (-2, -1)), ord, keepdims)


@composite(np.linalg.cond)
def _(x, p=None):
    if x.ndim < 2 or 0 in x.shape[-2:]:
        raise np.linalg.LinAlgError(f"np.linalg.cond: expected matrices with elements, got an array of shape {x.shape}")
    if p in (None, 2, -2):
        s = singular_values(x)
        ratio = s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
    else:
        singular = functools.partial(
            ArgumentError, "np.linalg.cond", expected="matrices that have an inverse", got="a singular one",
            fix="Its condition number is infinite.",
        )  # fmt: skip
        demand(np.all(np.linalg.matrix_rank(x) == x.shape[-1]), singular)
        ratio = np.linalg.matrix_norm(x, ord=p) * np.linalg.matrix_norm(np.linalg.inv(x), ord=p)
    return np.where(np.isnan(ratio) & ~np.any(np.isnan(x), (-2, -1)), math.inf, ratio)


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
    if not np.shape(x1) or not np.shape(x2):
        np.linalg.cross(np.zeros(np.shape(x1)), np.zeros(np.shape(x2)), axis=axis)  # raises, as this NumPy does
    if np.shape(x1)[axis] != 3 or np.shape(x2)[axis] != 3:
        raise ShapeError(
            "np.linalg.cross", expected=f"vectors of three numbers along axis {axis}",
            got=f"arrays of shape {np.shape(x1)} and {np.shape(x2)}",
        )  # fmt: skip
    return np.cross(x1, x2, axis=axis)


@composite(np.linalg.outer)
def _(x1, x2, /):
    if np.ndim(x1) != 1 or np.ndim(x2) != 1:
        raise ShapeError("np.linalg.outer", expected="two vectors", got=f"{np.shape(x1)} and {np.shape(x2)}")
    return np.outer(x1, x2)


composite(np.linalg.matmul)(np.matmul)
composite(np.linalg.tensordot)(np.tensordot)
composite(np.linalg.vecdot)(np.vecdot)
composite(np.linalg.matrix_transpose)(np.matrix_transpose)

"""Products. Vocabulary of the rules: see `tinygrad_mlp.rules`."""

import functools
import math

import numpy as np

from tinygrad_mlp.rules import composite, derivative


def matmul_left(g, x, y):
    """The gradient g Yᵀ of X Y with respect to X, where a 1-D operand stands for a row X or a column Y."""
    if np.ndim(y) == 1:
        return g[..., None] * y
    if np.ndim(x) == 1:
        return (y @ g[..., None])[..., 0]
    return g @ np.swapaxes(y, -1, -2)


def matmul_right(g, x, y):
    """The gradient Xᵀ g of X Y with respect to Y, where a 1-D operand stands for a row X or a column Y."""
    if np.ndim(x) == 1:
        return x * g[..., None] if np.ndim(y) == 1 else np.expand_dims(x, -1) * g[..., None, :]
    if np.ndim(y) == 1:
        return (np.swapaxes(x, -1, -2) @ g[..., None])[..., 0]
    return np.swapaxes(x, -1, -2) @ g


def full(g, x, y, mode):
    """The gradient of a convolution as that of the full one, of which ``mode`` cuts out the middle; then zeros."""
    short = min(len(x), len(y))
    return np.pad(g, ({"full": 0, "same": (short - 1) // 2, "valid": short - 1}[mode], short))


# fmt: off
derivative(np.matmul,    lambda g, _, x, y: matmul_left(g, x, y),
                         lambda g, _, x, y: matmul_right(g, x, y))
derivative(np.convolve,  lambda g, _, x, y, mode="full": np.convolve(full(g, x, y, mode), np.flip(y), "full")[len(y) - 1 : len(y) - 1 + len(x)],
                         lambda g, _, x, y, mode="full": np.convolve(full(g, x, y, mode), np.flip(x), "full")[len(x) - 1 : len(x) - 1 + len(y)])
# fmt: on


@composite(np.dot)
def _(a, b):
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return np.multiply(a, b)
    if np.ndim(b) == 1 or max(np.ndim(a), np.ndim(b)) == 2:
        return np.matmul(a, b)
    return np.tensordot(a, b, (-1, -2))


@composite(np.inner)
def _(a, b):
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return np.multiply(a, b)
    return np.tensordot(a, b, (-1, -1))


@composite(np.outer)
def _(a, b):
    return np.ravel(a)[:, None] * np.ravel(b)


@composite(np.vdot)
def _(a, b):
    return np.matmul(np.ravel(a), np.ravel(b))


@composite(np.tensordot)
def _(a, b, axes=2):
    if isinstance(axes, (int, np.integer)):
        axes = (range(-axes, 0), range(axes))
    of_a, of_b = (axis if np.iterable(axis) else (axis,) for axis in axes)
    shape_a, shape_b = np.shape(a), np.shape(b)
    of_a, of_b = [i % len(shape_a) for i in of_a], [i % len(shape_b) for i in of_b]
    kept_a = [i for i in range(len(shape_a)) if i not in of_a]
    kept_b = [i for i in range(len(shape_b)) if i not in of_b]

    def as_matrix(x, rows, columns):
        lengths = math.prod(np.shape(x)[i] for i in rows), math.prod(np.shape(x)[i] for i in columns)
        return np.reshape(np.transpose(x, rows + columns), lengths)

    product = np.matmul(as_matrix(a, kept_a, of_a), as_matrix(b, of_b, kept_b))
    return np.reshape(product, [shape_a[i] for i in kept_a] + [shape_b[i] for i in kept_b])


@composite(np.kron)
def _(a, b):
    n = max(np.ndim(a), np.ndim(b))
    a, b = (np.reshape(x, (1,) * (n - np.ndim(x)) + np.shape(x)) for x in (a, b))
    blocks = np.expand_dims(a, tuple(range(1, 2 * n, 2))) * np.expand_dims(b, tuple(range(0, 2 * n, 2)))
    return np.reshape(blocks, [i * j for i, j in zip(a.shape, b.shape, strict=True)])


@composite(np.cross)
def _(a, b, axisa=-1, axisb=-1, axisc=-1, axis=None):
    if axis is not None:
        axisa = axisb = axisc = axis
    x, y = np.moveaxis(a, axisa, -1), np.moveaxis(b, axisb, -1)
    if x.shape[-1] == y.shape[-1] == 2:
        return x[..., 0] * y[..., 1] - x[..., 1] * y[..., 0]
    x, y = (
        np.concatenate([v, np.zeros_like(v[..., :1])], axis=-1) if v.shape[-1] == 2 else v for v in (x, y)
    )  # a vector of two numbers lies in the plane z = 0
    product = np.roll(x, -1, -1) * np.roll(y, -2, -1) - np.roll(x, -2, -1) * np.roll(y, -1, -1)
    return np.moveaxis(product, -1, axisc)


@composite(np.vecdot)
def _(x1, x2, /, *, axis=-1):
    return np.sum(np.moveaxis(x1, axis, -1) * np.moveaxis(x2, axis, -1), axis=-1)


@composite(np.correlate)
def _(a, v, mode="valid"):
    # NumPy lays the shorter array along the longer one, and turns the result round where that swaps them.
    if len(v) > len(a):
        return np.flip(np.convolve(v, np.flip(a), mode))
    return np.convolve(a, np.flip(v), mode)


@composite(np.linalg.multi_dot)
def _(arrays):
    return functools.reduce(np.matmul, arrays)


@composite(np.linalg.matrix_power)
def _(a, n):
    if n < 0:
        return np.linalg.matrix_power(np.linalg.inv(a), -n)
    power = np.broadcast_to(np.eye(a.shape[-1], dtype=a.dtype), a.shape)
    for bit in f"{n:b}":
        power = power @ power
        power = power @ a if bit == "1" else power
    return power


if np.lib.NumpyVersion(np.__version__) >= "2.2.0":

    @composite(np.matvec)
    def _(x1, x2, /):
        return np.matmul(x1, x2[..., None])[..., 0]

    @composite(np.vecmat)
    def _(x1, x2, /):
        return np.matmul(x1[..., None, :], x2)[..., 0, :]

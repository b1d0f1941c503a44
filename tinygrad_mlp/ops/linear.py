"""Products. Vocabulary of the rules: see `tinygrad_mlp.rules`."""

import functools
import math

import numpy as np

from tinygrad_mlp.errors import ShapeError
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


def convolve_vjp(g, x, y, mode):
    """The gradient of x: g, as that of the full convolution of which ``mode`` cuts out the middle, along reversed y."""
    n, m = np.size(x), np.size(y)
    short = min(n, m)
    full = np.pad(g, ({"full": 0, "same": (short - 1) // 2, "valid": short - 1}[mode], short))
    return np.reshape(np.convolve(full, np.flip(np.ravel(y)), "full")[m - 1 : m - 1 + n], np.shape(x))


# fmt: off
derivative(np.matmul,    lambda g, _, x, y: matmul_left(g, x, y),
                         lambda g, _, x, y: matmul_right(g, x, y))
derivative(np.convolve,  lambda g, _, x, y, mode="full": convolve_vjp(g, x, y, mode),
                         lambda g, _, x, y, mode="full": convolve_vjp(g, y, x, mode))
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
    of_a, of_b = (list(axis) if np.iterable(axis) else [axis] for axis in axes)
    shape_a, shape_b = np.shape(a), np.shape(b)
    repeated = len(set(of_a)) < len(of_a) or len(set(of_b)) < len(of_b)
    if repeated or len(of_a) != len(of_b) or any(shape_a[i] != shape_b[j] for i, j in zip(of_a, of_b, strict=True)):
        raise ShapeError(
            "np.tensordot", expected="axes of the same lengths to sum over, each once",
            got=f"the axes {of_a} of {shape_a} and {of_b} of {shape_b}",
        )  # fmt: skip
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
    lengths = x.shape[-1], y.shape[-1]
    if not set(lengths) <= {2, 3}:
        raise ShapeError(
            "np.cross", expected="vectors of two or three numbers", got=f"of {lengths[0]} and {lengths[1]}"
        )
    if lengths != (3, 3):  # a vector of two numbers lies in the plane z = 0
        z = x[..., 0] * y[..., 1] - x[..., 1] * y[..., 0]
        if lengths == (2, 2):
            return z
        if lengths == (2, 3):
            product = np.stack([x[..., 1] * y[..., 2], -x[..., 0] * y[..., 2], z], axis=-1)
        else:
            product = np.stack([-x[..., 2] * y[..., 1], x[..., 2] * y[..., 0], z], axis=-1)
        return np.moveaxis(product, -1, axisc)
    product = np.roll(x, -1, -1) * np.roll(y, -2, -1) - np.roll(x, -2, -1) * np.roll(y, -1, -1)
    return np.moveaxis(product, -1, axisc)


@composite(np.vecdot)
def _(x1, x2, /, *, axis=-1):
    x1, x2 = np.moveaxis(x1, axis, -1), np.moveaxis(x2, axis, -1)
    if x1.shape[-1] != x2.shape[-1]:
        raise ShapeError("np.vecdot", expected="vectors of one length", got=f"{x1.shape[-1]} and {x2.shape[-1]}")
    return np.sum(x1 * x2, axis=-1)


@composite(np.correlate)
def _(a, v, mode="valid"):
    if np.ndim(a) != 1 or np.ndim(v) != 1:
        raise ShapeError("np.correlate", expected="two vectors", got=f"{np.shape(a)} and {np.shape(v)}")
    # NumPy lays the shorter array along the longer one, and turns the result round where that swaps them.
    if len(v) > len(a):
        return np.flip(np.convolve(v, np.flip(a), mode))
    return np.convolve(a, np.flip(v), mode)


@composite(np.linalg.multi_dot)
def _(arrays):
    dims = [np.ndim(x) for x in arrays]
    if len(dims) == 2:
        return np.dot(*arrays)
    if len(dims) < 3 or not set(dims[1:-1]) <= {2} or not {dims[0], dims[-1]} <= {1, 2}:
        raise ShapeError(
            "np.linalg.multi_dot", expected="two matrices or more, of which the first and the last may be vectors",
            got=", ".join(str(np.shape(x)) for x in arrays) or "none",
        )  # fmt: skip
    sizes = [*(np.shape(x)[0] if np.ndim(x) == 2 else 1 for x in arrays[:1]), *(np.shape(x)[0] for x in arrays[1:])]
    sizes.append(np.shape(arrays[-1])[1] if dims[-1] == 2 else 1)

    def cost(first, split, last):
        """The number of multiplications for the product of some neighbours, if it is split there."""
        return least(first, split) + least(split + 1, last) + sizes[first] * sizes[split + 1] * sizes[last + 1]

    @functools.cache
    def least(first, last):
        return min((cost(first, split, last) for split in range(first, last)), default=0)

    def product(first, last):
        if first == last:
            return arrays[first]
        split = min(range(first, last), key=lambda split: cost(first, split, last))
        return np.matmul(product(first, split), product(split + 1, last))

    return product(0, len(arrays) - 1)


@composite(np.linalg.matrix_power)
def _(a, n):
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise np.linalg.LinAlgError(f"np.linalg.matrix_power: expected square matrices, got {a.shape}")
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
        if np.ndim(x1) < 2 or np.ndim(x2) < 1:
            raise ShapeError("np.matvec", expected="matrices and vectors", got=f"{np.shape(x1)} and {np.shape(x2)}")
        return np.matmul(x1, np.expand_dims(x2, -1))[..., 0]

    @composite(np.vecmat)
    def _(x1, x2, /):
        if np.ndim(x1) < 1 or np.ndim(x2) < 2:
            raise ShapeError("np.vecmat", expected="vectors and matrices", got=f"{np.shape(x1)} and {np.shape(x2)}")
        return np.matmul(np.expand_dims(x1, -2), x2)[..., 0, :]

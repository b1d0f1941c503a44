"""Products of matrices. Vocabulary of the rules: see `tinygrad_mlp.rules`."""

import numpy as np

from tinygrad_mlp.rules import derivative


def matmul_left(g, x, y):
    """The gradient g Yᵀ of X Y with respect to X, where a 1-D operand stands for a row X or a column Y."""
    if y.ndim == 1:
        return g[..., None] * y
    if x.ndim == 1:
        return (y @ g[..., None])[..., 0]
    return g @ np.swapaxes(y, -1, -2)


def matmul_right(g, x, y):
    """The gradient Xᵀ g of X Y with respect to Y, where a 1-D operand stands for a row X or a column Y."""
    if x.ndim == 1:
        return x * g[..., None] if y.ndim == 1 else x[:, None] * g[..., None, :]
    if y.ndim == 1:
        return (np.swapaxes(x, -1, -2) @ g[..., None])[..., 0]
    return np.swapaxes(x, -1, -2) @ g


# fmt: off
derivative(np.matmul, lambda g, out, x, y: matmul_left(g, x, y),
                      lambda g, out, x, y: matmul_right(g, x, y))
# fmt: on

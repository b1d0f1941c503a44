"""Least squares, through the pseudoinverse."""

import numpy as np

from tinygrad_mlp.arguments import operand
from tinygrad_mlp.errors import ShapeError
from tinygrad_mlp.ops.linalg import singular_values
from tinygrad_mlp.rules import composite


@composite(np.linalg.lstsq)
def _(a, b, rcond=None):
    a, b = operand(a), operand(b)
    if a.ndim != 2 or b.ndim not in (1, 2) or a.shape[0] != b.shape[0]:
        raise ShapeError(
            "np.linalg.lstsq", expected="a matrix (M, N) and a right-hand side (M,) or (M, K)",
            got=f"{a.shape} and {b.shape}",
        )  # fmt: skip
    m, n = a.shape
    eps = np.finfo(np.result_type(a, b)).eps
    cut = {None: max(m, n) * eps, -1: eps}.get(rcond, rcond)
    s = singular_values(a)
    rank = np.sum(s > cut * s[:1], dtype=np.intc)
    x = np.linalg.pinv(a, rtol=cut) @ b
    squares = np.atleast_1d(np.sum(np.square(b - a @ x), axis=0))
    determined = np.broadcast_to((rank == n) & (m > n), squares.shape)  # elsewhere NumPy tells no residuals
    return x, squares[determined], rank, s

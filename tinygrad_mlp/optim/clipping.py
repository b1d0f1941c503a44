"""Bounds on gradients, applied between ``backward()`` and ``optimizer.step()``."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from tinygrad_mlp.errors import NonFiniteError
from tinygrad_mlp.optim.block import Array
from tinygrad_mlp.optim.parameters import named_tensors
from tinygrad_mlp.tensor import Tensor
from tinygrad_mlp.validation import at_least_zero


def clip_grad_norm(params: Iterable[Any], max_norm: float, *, error_if_nonfinite: bool = False) -> float:
    """Scale the gradients down together, in place, so that their joint Euclidean norm is at most ``max_norm``.

    All are multiplied by min(1, max_norm / (norm + 1e-6)), with norm = √(Σ g²) over all elements of all gradients.

    Parameters
    ----------
    params : iterable
        Tensors, or pairs of a name and a Tensor. Those without a gradient are skipped.
    max_norm : float
        At least 0. With ``math.inf`` nothing is clipped; the norm is still returned.
    error_if_nonfinite : bool
        Raise if the norm is not finite. Otherwise NaN or infinity in one gradient makes all NaN or zero, as in PyTorch.

    Returns
    -------
    float
        The norm before clipping. It does not overflow where the norm itself is in range.

    Raises
    ------
    NonFiniteError
        On request. It names the parameters; the gradients are as before.
    ArgumentError
        If max_norm is out of its range, or something is no Tensor.

    Notes
    -----
    The formula of PyTorch's ``clip_grad_norm_``. Source: Pascanu et al., 2013, arXiv:1211.5063.

    Examples
    --------
    >>> w = Tensor([0.0, 0.0], requires_grad=True)
    >>> w.grad = np.array([3.0, 4.0])
    >>> clip_grad_norm([w], 1.0)
    5.0
    >>> w.grad.round(4)
    array([0.6, 0.8])
    """
    if max_norm != math.inf:
        max_norm = at_least_zero("clip_grad_norm", "max_norm", max_norm)
    named = [(name, param) for name, param in named_tensors("clip_grad_norm", params) if param.grad is not None]
    norms = [norm(param.grad) for _, param in named]
    total = math.hypot(*norms)
    if error_if_nonfinite and not math.isfinite(total):
        raise NonFiniteError(
            "clip_grad_norm", expected="finite gradients", got=non_finite(named, norms),
            fix="Lower the learning rate, or find where it began with tg.debug().",
        )  # fmt: skip
    scale = max_norm / (total + 1e-6)
    if not scale >= 1:  # true of NaN too
        with np.errstate(invalid="ignore"):
            for _, param in named:
                np.multiply(param.grad, scale, out=param.grad)
    return total


def clip_grad_value(params: Iterable[Any], limit: float) -> None:
    """Bring each element of the gradients into [-limit, limit], in place.

    Parameters
    ----------
    params : iterable
        Tensors, or pairs of a name and a Tensor. Those without a gradient are skipped.
    limit : float
        At least 0.

    Raises
    ------
    ArgumentError
        If limit is out of its range, or something is no Tensor.

    Notes
    -----
    As PyTorch's ``clip_grad_value_``; NaN stays NaN.

    Examples
    --------
    >>> w = Tensor([0.0, 0.0], requires_grad=True)
    >>> w.grad = np.array([3.0, -0.5])
    >>> clip_grad_value([w], 1.0)
    >>> w.grad
    array([ 1. , -0.5])
    """
    limit = at_least_zero("clip_grad_value", "limit", limit)
    for _, param in named_tensors("clip_grad_value", params):
        if param.grad is not None:
            np.clip(param.grad, -limit, limit, out=param.grad)


def norm(gradient: Array) -> float:
    """Euclidean norm of all elements."""
    if gradient.dtype == np.float16:  # whose sums stop growing at 2048
        gradient = gradient.astype(np.float32)
    squares = float(np.vdot(gradient, gradient))
    if 1e-25 < squares < math.inf:
        return math.sqrt(squares)
    # Squares may have left the range of the dtype: bring the largest to 1 first.
    largest = float(np.max(np.abs(gradient), initial=0))
    if largest == 0 or not math.isfinite(largest):
        return largest
    shrunk = np.ravel(gradient.astype(np.float64) / largest)
    return largest * math.sqrt(float(np.dot(shrunk, shrunk)))


def non_finite(named: list[tuple[str | None, Tensor]], norms: list[float]) -> str:
    """Say which parameters have NaN or infinity in their gradients."""
    found = [
        f"{name or param.name or f'number {i} of {len(named)}'} {'NaN' if math.isnan(value) else 'infinity'}"
        for i, ((name, param), value) in enumerate(zip(named, norms, strict=True))
        if not math.isfinite(value)
    ]
    return ", ".join(found) or "a norm beyond the range of floating-point numbers"

"""Losses. Vocabulary of the rules: see `tinygrad_mlp.rules`."""

from typing import Any

import numpy as np

from tinygrad_mlp.errors import ArgumentError, DtypeError, ShapeError
from tinygrad_mlp.ops.activations import log_softmax, softmax
from tinygrad_mlp.rules import derivative, primitive


@primitive
def cross_entropy(logits: Any, targets: Any, *, label_smoothing: float = 0.0, reduction: str = "mean") -> Any:
    """Cross-entropy of softmax(logits) against targets, L = -1/N Σᵢ Σ_c Y_ic log P_ic, computed in one stable step.

    Parameters
    ----------
    logits : array, shape (N, C)
        Scores before the softmax, of any size: ±10,000 neither overflows nor loses the small one.
    targets : array, shape (N,) of integers, or (N, C) of floats
        The class of each row, 0 to C - 1; or its distribution over the classes.
    label_smoothing : float in [0, 1]
        Replaces Y by (1 - ε) Y + ε/C.
    reduction : {"mean", "sum", "none"}
        "none" gives one loss per row, shape (N,).

    Raises
    ------
    ShapeError, DtypeError, ArgumentError
        If logits and targets do not fit, or a class is out of range.

    Examples
    --------
    >>> cross_entropy(np.array([[0.0, 0.0], [10_000.0, 0.0]]), np.array([0, 0])).round(4)
    np.float64(0.3466)
    """
    y = distribution(logits, targets, label_smoothing)
    losses = -np.sum(y * log_softmax(logits), axis=-1)
    if reduction == "mean":
        return np.mean(losses)
    if reduction == "sum":
        return np.sum(losses)
    if reduction == "none":
        return losses
    raise ArgumentError("cross_entropy", expected='reduction "mean", "sum" or "none"', got=repr(reduction))


def distribution(logits, targets, label_smoothing):
    """The targets as an (N, C) array of probabilities, smoothed; raises where they do not fit the logits."""
    if logits.ndim != 2:
        raise ShapeError("cross_entropy", expected="logits of shape (N, C)", got=str(logits.shape))
    n, classes = logits.shape
    if not 0 <= label_smoothing <= 1:
        raise ArgumentError("cross_entropy", expected="label_smoothing from 0 to 1", got=str(label_smoothing))
    if targets.shape == (n, classes) and targets.dtype.kind == "f":
        y = targets
    elif targets.shape != (n,):
        raise ShapeError(
            "cross_entropy", expected=f"targets of shape ({n},) with class numbers, or ({n}, {classes}) with floats",
            got=f"{targets.shape} of {targets.dtype}", fix="Flatten class numbers with targets.reshape(-1).",
        )  # fmt: skip
    elif targets.dtype.kind not in "iu":
        raise DtypeError(
            "cross_entropy", expected="class numbers of an integer dtype", got=str(targets.dtype),
            fix="Convert them with targets.astype(int).",
        )  # fmt: skip
    else:
        y = (targets[:, None] == np.arange(classes)).astype(logits.dtype)
        if np.count_nonzero(y) != n:
            raise ArgumentError(
                "cross_entropy", expected=f"class numbers from 0 to {classes - 1}",
                got=f"{targets.min()} to {targets.max()}",
            )  # fmt: skip
    return (1 - label_smoothing) * y + label_smoothing / classes if label_smoothing else y


def per_row(g, n, reduction):
    """The gradient of each row's loss, as a column."""
    return g[:, None] if reduction == "none" else g / n if reduction == "mean" else g


def cross_entropy_logits(g, out, logits, targets, *, label_smoothing=0.0, reduction="mean"):
    """δz = (P - Y) / N. Where a row of Y sums to s instead of 1, s P - Y."""
    y = distribution(logits, targets, label_smoothing)
    return (softmax(logits) * np.sum(y, axis=-1, keepdims=True) - y) * per_row(g, len(logits), reduction)


def cross_entropy_targets(g, out, logits, targets, *, label_smoothing=0.0, reduction="mean"):
    """-(1 - ε) log P / N."""
    return (label_smoothing - 1) * log_softmax(logits) * per_row(g, len(logits), reduction)


derivative(cross_entropy, cross_entropy_logits, cross_entropy_targets)


def mse_loss(prediction: Any, target: Any) -> Any:
    """Mean squared error, mean((prediction - target)²), of two arrays of the same shape.

    Raises
    ------
    ShapeError
        If the shapes differ: (N, 1) against (N,) would broadcast to N·N differences.

    Examples
    --------
    >>> mse_loss(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
    np.float64(2.0)
    """
    if np.shape(prediction) != np.shape(target):
        raise ShapeError(
            "mse_loss", expected="a prediction and a target of the same shape",
            got=f"{np.shape(prediction)} and {np.shape(target)}",
            fix="Reshape one of them, prediction.reshape(target.shape); to broadcast on purpose, np.broadcast_to.",
        )  # fmt: skip
    return np.mean(np.square(prediction - target))

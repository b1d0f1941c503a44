"""Losses. Vocabulary of the rules: see `tinygrad_mlp.rules`."""

from typing import Any

import numpy as np

from tinygrad_mlp.arguments import operand
from tinygrad_mlp.errors import ArgumentError, DtypeError, ShapeError
from tinygrad_mlp.ops.activations import X, log_softmax, shifted, softmax
from tinygrad_mlp.rules import derivative, primitive
from tinygrad_mlp.validation import demand


@primitive
def cross_entropy(logits: X, targets: Any, *, label_smoothing: float = 0.0, reduction: str = "mean") -> X:
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
    logits, targets = operand(logits), operand(targets)
    check_targets(logits, targets, label_smoothing, reduction)
    z = shifted(logits, axis=-1)
    log_sum = np.log(np.exp(z).sum(axis=0))
    if targets.ndim == 2:
        y = smooth(targets.T, label_smoothing)
        losses = log_sum * np.sum(y, axis=0) - np.sum(y * np.where(y == 0, 0, z), axis=0)  # 0 · log 0 is 0
    else:
        right = z.reshape(-1)[flat_places(targets)]
        if label_smoothing:
            right = (1 - label_smoothing) * right + label_smoothing * (z.sum(axis=0) / len(z))
        losses = log_sum - right
    if reduction != "none":
        losses = losses.sum() / (len(targets) if reduction == "mean" else 1)
    return losses.astype(np.float16) if logits.dtype == np.float16 else losses


def check_targets(logits, targets, label_smoothing, reduction):
    """Raise where the arguments of cross_entropy do not fit each other."""
    if reduction not in ("mean", "sum", "none"):
        raise ArgumentError("cross_entropy", expected='reduction "mean", "sum" or "none"', got=repr(reduction))
    if not 0 <= label_smoothing <= 1:
        raise ArgumentError("cross_entropy", expected="label_smoothing from 0 to 1", got=str(label_smoothing))
    if logits.ndim != 2:
        raise ShapeError("cross_entropy", expected="logits of shape (N, C)", got=str(logits.shape))
    n, classes = logits.shape
    kind = targets.dtype.kind
    if targets.shape == (n, classes) and kind == "f":
        return
    if targets.shape != (n,):
        raise ShapeError(
            "cross_entropy", expected=f"targets of shape ({n},) with class numbers, or ({n}, {classes}) with floats",
            got=f"{targets.shape} of {targets.dtype}", fix="Flatten class numbers with targets.reshape(-1).",
        )  # fmt: skip
    if kind not in "iu":
        raise DtypeError(
            "cross_entropy", expected="class numbers of an integer dtype", got=str(targets.dtype),
            fix="Convert them with targets.astype(int).",
        )  # fmt: skip
    if n:

        def out_of_range() -> ArgumentError:
            expected = f"class numbers from 0 to {classes - 1}"
            return ArgumentError("cross_entropy", expected=expected, got=f"{targets.min()} to {targets.max()}")

        demand(np.max(targets) < classes, out_of_range)
        if kind == "i":
            demand(np.min(targets) >= 0, out_of_range)


def smooth(y, label_smoothing):
    """Give a share of each target to all classes alike; classes stand along the first axis."""
    return (1 - label_smoothing) * y + label_smoothing / len(y) if label_smoothing else y


def distribution(logits, targets, label_smoothing):
    """The targets as probabilities Y, an array of the shape and dtype of the logits, smoothed."""
    if targets.ndim == 2:
        return smooth(targets.T, label_smoothing).T
    n, classes = logits.shape
    y = np.zeros_like(logits, shape=(classes * n,))
    y[flat_places(targets)] = 1
    return smooth(y.reshape(classes, n), label_smoothing).T  # classes in front, as softmax has them


def flat_places(targets):
    """Where each row's class stands in a flat array of the shape (C, N): Dask takes no index for each of two axes."""
    n = len(targets)
    return targets.astype(np.intp) * n + np.arange(n)


def per_row(g, n, reduction):
    """The gradient of each row's loss, as a column."""
    return g[:, None] if reduction == "none" else g / n if reduction == "mean" else g


def cross_entropy_logits(g, _, logits, targets, *, label_smoothing=0.0, reduction="mean"):
    """δz = (P - Y) / N. Where the rows of Y are free, they may sum to s instead of 1: then s P - Y."""
    y = distribution(logits, targets, label_smoothing)
    p = softmax(logits)
    if targets.ndim == 2:
        p = p * np.sum(y, axis=-1, keepdims=True)
    return (p - y) * per_row(g, len(logits), reduction)


def cross_entropy_targets(g, _, logits, targets, *, label_smoothing=0.0, reduction="mean"):
    """-(1 - ε) log P / N."""
    return (label_smoothing - 1) * log_softmax(logits) * per_row(g, len(logits), reduction)


derivative(cross_entropy, cross_entropy_logits, cross_entropy_targets)


def mse_loss(prediction: X, target: Any) -> X:
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
    prediction, target = operand(prediction), operand(target)
    if np.shape(prediction) != np.shape(target):
        raise ShapeError(
            "mse_loss", expected="a prediction and a target of the same shape",
            got=f"{np.shape(prediction)} and {np.shape(target)}",
            fix="Reshape one of them, prediction.reshape(target.shape); to broadcast on purpose, np.broadcast_to.",
        )  # fmt: skip
    return np.mean(np.square(prediction - target))

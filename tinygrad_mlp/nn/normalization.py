"""Layers that normalize rows or columns."""

from typing import Any

import numpy as np

from tinygrad_mlp.arguments import operand, plain
from tinygrad_mlp.errors import ShapeError
from tinygrad_mlp.graph import changes
from tinygrad_mlp.nn.module import Module
from tinygrad_mlp.tensor import Tensor


class LayerNorm(Module):
    """(x - mean) / √(var + ε) · weight + bias, with the mean and variance of each row. Source: Ba et al., 2016.

    Parameters
    ----------
    features : int
        Size of the last axis.
    eps : float
        ε, added to the variance.
    dtype : dtype
        Of the parameters.

    Examples
    --------
    >>> LayerNorm(2)(np.array([[1.0, 3.0]])).data.round(2)
    array([[-1.,  1.]])
    """

    def __init__(self, features: int, *, eps: float = 1e-5, dtype: Any = np.float32) -> None:
        self.weight = Tensor(np.ones(features, dtype), requires_grad=True, name="weight")
        self.bias = Tensor(np.zeros(features, dtype), requires_grad=True, name="bias")
        self.eps = eps

    def forward(self, x: Any) -> Tensor:
        """Normalize the last axis."""
        x = operand(x)
        if x.ndim == 0 or x.shape[-1] != self.weight.size:
            raise ShapeError("LayerNorm", expected=f"shape (…, {self.weight.size})", got=str(x.shape))
        return normalize(x, axis=-1, eps=self.eps)[0] * self.weight + self.bias

    def summary(self) -> str:
        """The number of features."""
        return str(self.weight.size)


class RMSNorm(Module):
    """x / √(mean(x²) + ε) · weight, with the mean square of each row. Source: Zhang & Sennrich, 2019, arXiv:1910.07467.

    Parameters
    ----------
    features : int
        Size of the last axis.
    eps : float or None
        ε, added to the mean square; None stands for the machine epsilon of the input's dtype, as in PyTorch.
    dtype : dtype
        Of the parameters.

    Examples
    --------
    >>> RMSNorm(2)(np.array([[3.0, 4.0]])).data.round(3)
    array([[0.849, 1.131]])
    """

    def __init__(self, features: int, *, eps: float | None = None, dtype: Any = np.float32) -> None:
        self.weight = Tensor(np.ones(features, dtype), requires_grad=True, name="weight")
        self.eps = eps

    def forward(self, x: Any) -> Tensor:
        """Divide by the root mean square of the last axis."""
        x = operand(x)
        if x.ndim == 0 or x.shape[-1] != self.weight.size:
            raise ShapeError("RMSNorm", expected=f"shape (…, {self.weight.size})", got=str(x.shape))
        eps = float(np.finfo(x.dtype).eps) if self.eps is None else self.eps
        return x / np.sqrt(np.mean(np.square(x), axis=-1, keepdims=True) + eps) * self.weight

    def summary(self) -> str:
        """The number of features."""
        return str(self.weight.size)


class BatchNorm1d(Module):
    """(x - mean) / √(var + ε) · weight + bias, with the mean and variance of each column.

    Training uses the statistics of the batch and keeps a running average of them (of the variance without bias, as
    PyTorch does), which evaluation uses. Source: Ioffe & Szegedy, 2015.

    Parameters
    ----------
    features : int
        Number of columns.
    eps : float
        ε, added to the variance.
    momentum : float
        Weight of the newest batch in the running averages.
    dtype : dtype
        Of the parameters.

    Examples
    --------
    >>> layer = BatchNorm1d(2)
    >>> layer(np.array([[1.0, 2.0], [3.0, 6.0]])).data.round(2)
    array([[-1., -1.],
           [ 1.,  1.]])
    """

    def __init__(self, features: int, *, eps: float = 1e-5, momentum: float = 0.1, dtype: Any = np.float32) -> None:
        self.weight = Tensor(np.ones(features, dtype), requires_grad=True, name="weight")
        self.bias = Tensor(np.zeros(features, dtype), requires_grad=True, name="bias")
        self.running_mean = np.zeros(features, dtype)
        self.running_var = np.ones(features, dtype)
        self.eps = eps
        self.momentum = momentum

    def forward(self, x: Any) -> Tensor:
        """Normalize an array of shape (N, features)."""
        x = operand(x)
        if x.ndim != 2 or x.shape[1] != self.weight.size:
            raise ShapeError("BatchNorm1d", expected=f"shape (N, {self.weight.size})", got=str(x.shape))
        if not self.training:
            normalized = (x - self.running_mean) / np.sqrt(self.running_var + self.eps)
            return normalized * self.weight + self.bias
        n = x.shape[0]
        if n < 2:
            raise ShapeError(
                "BatchNorm1d", expected="at least 2 rows in training", got=str(x.shape),
                fix="Leave out a last batch of one, fit(..., drop_last=True), or call eval() first.",
            )  # fmt: skip
        normalized, mean, var = normalize(x, axis=0, eps=self.eps)
        for running, batch in ((self.running_mean, mean), (self.running_var, var * (n / (n - 1)))):
            running += self.momentum * (np.reshape(plain(batch), running.shape) - running)
            changes.mark(running)
        return normalized * self.weight + self.bias

    def summary(self) -> str:
        """The number of features."""
        return str(self.weight.size)


def normalize(x: Any, axis: int, eps: float) -> tuple[Any, Any, Any]:
    """(x - mean) / √(var + ε) along an axis, and the mean and the variance; float16 is squared in float32."""
    dtype = x.dtype
    if dtype == np.float16:
        x = x.astype(np.float32)
    mean = np.mean(x, axis=axis, keepdims=True)
    centered = x - mean
    var = np.mean(np.square(centered), axis=axis, keepdims=True)
    normalized = centered / np.sqrt(var + eps)
    return normalized.astype(dtype) if dtype == np.float16 else normalized, mean, var

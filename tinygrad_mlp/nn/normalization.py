"""Layers that normalize rows or columns."""

import math
from typing import Any

import numpy as np

from tinygrad_mlp.arguments import operand, plain
from tinygrad_mlp.errors import ShapeError
from tinygrad_mlp.graph import changes
from tinygrad_mlp.nn.module import Module
from tinygrad_mlp.tensor import Tensor


def with_features(x: Any, features: int, where: str) -> Any:
    """The operand, if its last axis has so many elements."""
    x = operand(x)
    if x.ndim == 0 or x.shape[-1] != features:
        raise ShapeError(where, expected=f"shape (…, {features})", got=str(x.shape))
    return x


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
        x = with_features(x, self.weight.size, "LayerNorm")
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
        x = with_features(x, self.weight.size, "RMSNorm")
        eps = float(np.finfo(x.dtype).eps) if self.eps is None else self.eps
        return x / np.sqrt(np.mean(np.square(x), axis=-1, keepdims=True) + eps) * self.weight

    def summary(self) -> str:
        """The number of features."""
        return str(self.weight.size)


class BatchNorm(Module):
    """What `BatchNorm1d` and `BatchNorm2d` have in common: all axes of the input but the second are averaged over."""

    axes: tuple[int, ...]
    shape: str

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, affine: bool = True, *,
        dtype: Any = np.float32,
    ) -> None:  # fmt: skip
        self.weight = Tensor(np.ones(num_features, dtype), requires_grad=True, name="weight") if affine else None
        self.bias = Tensor(np.zeros(num_features, dtype), requires_grad=True, name="bias") if affine else None
        self.running_mean = np.zeros(num_features, dtype)
        self.running_var = np.ones(num_features, dtype)
        self.eps = eps
        self.momentum = momentum

    def forward(self, x: Any) -> Any:
        """Normalize each feature; in training with the statistics of the batch, which move the running ones."""
        x = operand(x)
        name, features = type(self).__name__, self.running_mean.size
        if x.ndim != len(self.axes) + 1 or x.shape[1] != features:
            raise ShapeError(name, expected=f"shape {self.shape.format(features)}", got=str(x.shape))
        if self.training:
            n = math.prod(x.shape[i] for i in self.axes)
            if n < 2:
                raise ShapeError(
                    name, expected=f"at least 2 {'rows' if x.ndim == 2 else 'numbers in each channel'} in training",
                    got=str(x.shape),
                    fix="Leave out a last batch of one, fit(..., drop_last=True), or call eval() first.",
                )  # fmt: skip
            normalized, mean, var = normalize(x, axis=self.axes, eps=self.eps)
            for running, batch in ((self.running_mean, mean), (self.running_var, var * (n / (n - 1)))):
                running += self.momentum * (np.reshape(plain(batch), running.shape) - running)
                changes.mark(running)
        else:
            normalized = (x - self.along(self.running_mean)) / np.sqrt(self.along(self.running_var) + self.eps)
        if self.weight is None:
            return normalized
        return normalized * self.along(self.weight) + self.along(self.bias)

    def along(self, features: Any) -> Any:
        """One number for each feature, in a shape that broadcasts against the input."""
        after = len(self.axes) - 1
        return np.reshape(features, (-1, *(1,) * after)) if after else features

    def summary(self) -> str:
        """The number of features."""
        return str(self.running_mean.size)


class BatchNorm1d(BatchNorm):
    """(x - mean) / √(var + ε) · weight + bias, with the mean and variance of each column.

    Training uses the statistics of the batch and keeps a running average of them (of the variance without bias, as
    PyTorch does), which evaluation uses. Source: Ioffe & Szegedy, 2015.

    Parameters
    ----------
    num_features : int
        Number of columns.
    eps : float
        ε, added to the variance.
    momentum : float
        Weight of the newest batch in the running averages.
    affine : bool
        Whether there are a weight and a bias.
    dtype : dtype
        Of the parameters.

    Examples
    --------
    >>> layer = BatchNorm1d(2)
    >>> layer(np.array([[1.0, 2.0], [3.0, 6.0]])).data.round(2)
    array([[-1., -1.],
           [ 1.,  1.]])
    """

    axes = (0,)
    shape = "(N, {})"


class BatchNorm2d(BatchNorm):
    """The same for images: (x - mean) / √(var + ε) · weight + bias, with the mean and variance of each channel.

    Parameters
    ----------
    num_features : int
        Number of channels.
    eps, momentum, affine, dtype
        As in `BatchNorm1d`.

    Examples
    --------
    >>> BatchNorm2d(1)(np.array([[[[1.0, 3.0]]]])).data.round(2)
    array([[[[-1.,  1.]]]])
    """

    axes = (0, 2, 3)
    shape = "(N, {}, H, W)"


def normalize(x: Any, axis: int | tuple[int, ...], eps: float) -> tuple[Any, Any, Any]:
    """(x - mean) / √(var + ε) along axes, and the mean and the variance; float16 is squared in float32."""
    dtype = x.dtype
    if dtype == np.float16:
        x = x.astype(np.float32)
    mean = np.mean(x, axis=axis, keepdims=True)
    centered = x - mean
    var = np.mean(np.square(centered), axis=axis, keepdims=True)
    normalized = centered / np.sqrt(var + eps)
    return normalized.astype(dtype) if dtype == np.float16 else normalized, mean, var

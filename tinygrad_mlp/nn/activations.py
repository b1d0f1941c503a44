"""Activations as modules."""

from typing import Any

import numpy as np

from tinygrad_mlp.arguments import operand
from tinygrad_mlp.nn.module import Module
from tinygrad_mlp.ops import activations


class ReLU(Module):
    """max(0, x), element by element.

    >>> ReLU()(np.array([-1.0, 2.0]))
    array([0., 2.])
    """

    def forward(self, x: Any) -> Any:
        """Apply `tinygrad_mlp.relu`."""
        return activations.relu(operand(x))


class Tanh(Module):
    """Hyperbolic tangent, element by element.

    >>> Tanh()(np.array([0.0]))
    array([0.])
    """

    def forward(self, x: Any) -> Any:
        """Apply ``np.tanh``."""
        return np.tanh(operand(x))


class Sigmoid(Module):
    """1 / (1 + exp(-x)), element by element.

    >>> Sigmoid()(np.array([0.0]))
    array([0.5])
    """

    def forward(self, x: Any) -> Any:
        """Apply `tinygrad_mlp.sigmoid`."""
        return activations.sigmoid(operand(x))


class GELU(Module):
    """Gaussian error linear unit x Φ(x), element by element; with ``approximate="tanh"``, in its tanh form.

    >>> GELU()(np.array([0.0, 1.0])).round(4)
    array([0.    , 0.8413])
    """

    def __init__(self, approximate: str = "none") -> None:
        self.approximate = approximate

    def forward(self, x: Any) -> Any:
        """Apply `tinygrad_mlp.gelu`."""
        return activations.gelu(operand(x), self.approximate)

    def summary(self) -> str:
        """The form, where it is not the exact one."""
        return "" if self.approximate == "none" else self.approximate


class SiLU(Module):
    """x · sigmoid(x), also known as swish, element by element. Source: Elfwing et al., 2017, arXiv:1702.03118.

    >>> SiLU()(np.array([0.0, 1.0])).round(3)
    array([0.   , 0.731])
    """

    def forward(self, x: Any) -> Any:
        """Multiply by `tinygrad_mlp.sigmoid`."""
        x = operand(x)
        return x * activations.sigmoid(x)


class LeakyReLU(Module):
    """x where it is positive and ``negative_slope`` · x elsewhere; the derivative at 0 is ``negative_slope``.

    >>> LeakyReLU(0.1)(np.array([-1.0, 2.0]))
    array([-0.1,  2. ])
    """

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = negative_slope

    def forward(self, x: Any) -> Any:
        """Scale what is not positive."""
        x = operand(x)
        return np.where(x > 0, x, self.negative_slope * x)

    def summary(self) -> str:
        """The slope."""
        return f"{self.negative_slope:g}"


class Softmax(Module):
    """exp(x) / Σ exp(x) along the axis ``dim``: positive numbers that sum to 1.

    PyTorch's ``dim=None`` guesses an axis from the number of axes; here the default is the last one.

    >>> Softmax()(np.array([[0.0, 10_000.0]]))
    array([[0., 1.]])
    """

    def __init__(self, dim: int = -1) -> None:
        self.dim = dim

    def forward(self, x: Any) -> Any:
        """Apply `tinygrad_mlp.softmax`."""
        return activations.softmax(operand(x), axis=self.dim)

    def summary(self) -> str:
        """The axis."""
        return str(self.dim)

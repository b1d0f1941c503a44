"""Adam, and AdamW, whose weight decay is decoupled from the gradient."""

import math
from collections.abc import Iterable
from numbers import Real
from typing import Any

import numpy as np

from tinygrad_mlp.errors import ArgumentError
from tinygrad_mlp.optim.block import Array
from tinygrad_mlp.optim.optimizer import Optimizer
from tinygrad_mlp.optim.schedules import Schedule
from tinygrad_mlp.validation import at_least_zero


class Adam(Optimizer):
    """Adam: steps scaled by running averages of the gradient and of its square.

    With gradient g of a parameter w, weight decay λ, and t the number of the parameter's update, from 1::

        g ← g + λ w
        m ← β₁ m + (1 - β₁) g          m = 0 before the first step
        v ← β₂ v + (1 - β₂) g²         v = 0 before the first step
        w ← w - lr m / (1 - β₁ᵗ) / (√v / √(1 - β₂ᵗ) + ε)

    Parameters
    ----------
    params : iterable
        Tensors, pairs of a name and a Tensor, or groups; see `Optimizer`.
    lr : float or schedule
        Learning rate.
    betas : pair of float
        β₁ and β₂, from 0 to below 1.
    eps : float
        ε, at least 0.
    weight_decay : float
        λ, at least 0: L2 regularization.

    Raises
    ------
    ArgumentError
        If parameters or settings make no sense.

    Notes
    -----
    The equations of PyTorch's ``Adam``. Source: Kingma & Ba, 2015, arXiv:1412.6980. The state holds m and v, PyTorch's
    ``exp_avg`` and ``exp_avg_sq``.

    Examples
    --------
    >>> from tinygrad_mlp import Tensor
    >>> w = Tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = Adam([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.data
    array([ 0.9, -1.9])
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Schedule,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr, betas=betas, eps=eps, weight_decay=weight_decay)

    def check_settings(self, settings: dict[str, Any]) -> None:
        """β₁, β₂ and ε in range."""
        betas = tuple(settings["betas"])
        if len(betas) != 2 or not all(isinstance(beta, Real) and 0 <= float(beta) < 1 for beta in betas):
            raise ArgumentError(self.where, expected="betas to be two numbers, from 0 to below 1", got=repr(betas))
        settings["betas"] = (float(betas[0]), float(betas[1]))
        settings["eps"] = at_least_zero(self.where, "eps", settings["eps"])

    def buffer_names(self, settings: dict[str, Any]) -> tuple[str, ...]:
        """The running averages of the gradient and of its square."""
        return ("m", "v")

    def update(self, g: Array, buffers: dict[str, Array], settings: dict[str, Any], lr: float, t: int) -> None:
        """Turn the gradient into lr m / (1 - β₁ᵗ) / (√v / √(1 - β₂ᵗ) + ε)."""
        (beta1, beta2), eps = settings["betas"], settings["eps"]
        m, v = buffers["m"], buffers["v"]

        np.multiply(m, beta1, out=m)
        np.multiply(g, 1 - beta1, out=g)
        np.add(m, g, out=m)

        # (1 - β₂) g² is squared when it is small already: g² alone leaves the range of float32 sooner than v does.
        np.multiply(g, math.sqrt(1 - beta2) / (1 - beta1), out=g)
        np.multiply(g, g, out=g)
        np.multiply(v, beta2, out=v)
        np.add(v, g, out=v)

        # Both fractions times √(1 - β₂ᵗ), so that numbers take the corrections, not arrays.
        correction = math.sqrt(1 - beta2**t)
        np.sqrt(v, out=g)
        np.add(g, eps * correction, out=g)
        np.divide(m, g, out=g)
        np.multiply(g, lr * correction / (1 - beta1**t), out=g)


class AdamW(Adam):
    """Adam with decoupled weight decay.

    As `Adam`, but that weight decay shrinks the parameter instead of changing the gradient::

        w ← (1 - lr λ) w,  then Adam's step with λ = 0

    Parameters
    ----------
    params, lr, betas, eps
        As for `Adam`.
    weight_decay : float
        λ, at least 0.

    Raises
    ------
    ArgumentError
        If parameters or settings make no sense.

    Notes
    -----
    The equations of PyTorch's ``AdamW``, and its default λ. Source: Loshchilov & Hutter, 2019, arXiv:1711.05101.

    Examples
    --------
    >>> from tinygrad_mlp import Tensor
    >>> w = Tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = AdamW([w], lr=0.1, weight_decay=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.data
    array([ 0.85, -1.8 ])
    """

    decoupled_weight_decay = True

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Schedule,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(params, lr, betas=betas, eps=eps, weight_decay=weight_decay)

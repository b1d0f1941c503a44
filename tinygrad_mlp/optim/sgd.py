"""Stochastic gradient descent, plain, with momentum, or with Nesterov's momentum."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from tinygrad_mlp.errors import ArgumentError
from tinygrad_mlp.optim.block import Array
from tinygrad_mlp.optim.optimizer import Optimizer
from tinygrad_mlp.optim.schedules import Schedule
from tinygrad_mlp.validation import at_least_zero


class SGD(Optimizer):
    """Stochastic gradient descent.

    With gradient g of a parameter w, weight decay λ and momentum μ, one step is::

        g ← g + λ w
        b ← μ b + g                    b = 0 before the first step
        w ← w - lr b                   or, Nesterov: w ← w - lr (g + μ b)

    and w ← w - lr g without momentum.

    Parameters
    ----------
    params : iterable
        Tensors, pairs of a name and a Tensor, or groups; see `Optimizer`.
    lr : float or schedule
        Learning rate.
    momentum : float
        μ, at least 0; usually 0.9.
    nesterov : bool
        Look ahead along the momentum; only with momentum.
    weight_decay : float
        λ, at least 0: L2 regularization.

    Raises
    ------
    ArgumentError
        If parameters or settings make no sense.

    Notes
    -----
    The equations of PyTorch's ``SGD`` without dampening. Sources: Polyak, 1964; Sutskever et al., 2013, "On the
    importance of initialization and momentum in deep learning". The state holds μ b.

    Examples
    --------
    >>> from tinygrad_mlp import Tensor
    >>> w = Tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = SGD([w], lr=0.1, momentum=0.9)
    >>> for _ in range(100):
    ...     optimizer.zero_grad()
    ...     (w * w).sum().backward()
    ...     optimizer.step()
    >>> bool(np.abs(w.data).max() < 0.02)
    True
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Schedule,
        *,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay)

    def check_settings(self, settings: dict[str, Any]) -> None:
        """Momentum in range, and there is some for Nesterov."""
        settings["momentum"] = at_least_zero(self.where, "momentum", settings["momentum"])
        if settings["nesterov"] and settings["momentum"] == 0:
            raise ArgumentError(self.where, expected="momentum above 0 with nesterov=True", got="momentum=0")

    def buffer_names(self, settings: dict[str, Any]) -> tuple[str, ...]:
        """The momentum, if there is any."""
        return ("momentum",) if settings["momentum"] else ()

    def update(self, g: Array, buffers: dict[str, Array], settings: dict[str, Any], lr: float, t: int) -> None:
        """Turn the gradient into lr b, or lr (g + μ b)."""
        momentum = settings["momentum"]
        if not momentum:
            np.multiply(g, lr, out=g)
            return
        b = buffers["momentum"]  # between steps it holds μ b
        np.add(b, g, out=b)
        if settings["nesterov"]:
            np.multiply(b, momentum, out=b)
            np.add(g, b, out=g)
            np.multiply(g, lr, out=g)
        else:
            np.multiply(b, lr, out=g)
            np.multiply(b, momentum, out=b)

"""The loss of a batch and its gradients: compiled to a NumPy program where that can be done, else by the tape."""

import warnings
from collections.abc import Callable
from typing import Any

from tinygrad_mlp import program
from tinygrad_mlp.autodiff import gradients
from tinygrad_mlp.errors import ArgumentError, CompileError
from tinygrad_mlp.graph import topological_order
from tinygrad_mlp.nn import Module
from tinygrad_mlp.optim import Optimizer
from tinygrad_mlp.tensor import Tensor
from tinygrad_mlp.train.evaluation import prepare

Found = tuple[float, dict[int, Any]]


def checked_loss(loss: Any) -> Tensor:
    """The loss, if it is a scalar Tensor."""
    if not isinstance(loss, Tensor) or loss.size != 1:
        raise ArgumentError(
            "Trainer", expected="a loss that returns a scalar Tensor",
            got=f"shape {loss.shape}" if isinstance(loss, Tensor) else type(loss).__name__,
            fix="Average over the batch with np.mean, and compute on Tensors, not on x.data.",
        )  # fmt: skip
    return loss


def by_program(
    model: Module, loss: Callable[[Any, Any], Any], optimizer: Optimizer
) -> Callable[[Any, Any], dict[str, Any]]:
    """A compiled function of a batch, which gives the loss and the gradient of each parameter that it reaches."""
    parameters = list({id(p): p for p in (*model.parameters(), *optimizer.params)}.values())

    def loss_and_gradients(x: Any, y: Any) -> dict[str, Any]:
        value = checked_loss(loss(model(prepare(x)), y))
        reached = {id(leaf) for leaf in topological_order([value])[1]}
        wanted = [p for p in parameters if id(p) in reached]
        if len(wanted) < len(reached):
            raise CompileError(
                "compile", expected="gradients of parameters of the model or the optimizer alone",
                got="a loss that depends on another Tensor which requires one",
            )  # fmt: skip
        found = iter(gradients(value, wanted) if wanted else ())
        return {"loss": value.data, "gradients": [next(found) if id(p) in reached else None for p in parameters]}

    return program.compile(loss_and_gradients)


class LossAndGradients:
    """Called with a batch, it fills ``grad`` of the parameters and gives the loss.

    Parameters
    ----------
    compiled : bool
        Whether to try to compile it. Where that fails, a warning says why, once, and the tape does it.
    """

    def __init__(self, model: Module, loss: Callable[[Any, Any], Any], optimizer: Optimizer, *, compiled: bool) -> None:
        self.model = model
        self.loss = loss
        self.optimizer = optimizer
        self.program = by_program(model, loss, optimizer) if compiled else None
        self.parameters = list({id(p): p for p in (*model.parameters(), *optimizer.params)}.values())

    def __call__(self, x: Any, y: Any, check: Callable[[float], None]) -> float:
        """``check`` is given the loss before any gradient is handed out."""
        if self.program is None:
            return self.by_tape(x, y, check)
        try:
            found = self.program(x, y)
        except CompileError as error:
            value = self.by_tape(x, y, check)
            self.program = None
            warnings.warn(f"Training goes on uncompiled, and slower: {error}", stacklevel=4)
            return value
        value = float(found["loss"])
        check(value)
        for parameter, gradient in zip(self.parameters, found["gradients"], strict=True):
            parameter.grad = gradient
        return value

    def by_tape(self, x: Any, y: Any, check: Callable[[float], None]) -> float:
        """The same by recording the ops."""
        loss = checked_loss(self.loss(self.model(prepare(x)), y))
        value = float(loss)
        check(value)
        loss.backward()
        return value

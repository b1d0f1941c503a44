"""What goes wrong in training, in words that say where it began and what to do."""

import warnings
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from tinygrad_mlp.debugging import debug
from tinygrad_mlp.errors import NonFiniteError
from tinygrad_mlp.nn import Module
from tinygrad_mlp.optim import Optimizer

REMEDY = "Lower the learning rate, warm it up, or clip the gradients; checkpoints saved before are good."


def explain_divergence(compute_loss: Callable[[], Any], step: int, got: str) -> NoReturn:
    """Compute a loss again where every op is watched, so that the error names the first bad one."""
    try:
        with debug():
            loss = compute_loss()
            if loss.requires_grad:
                loss.backward()
    except NonFiniteError as error:
        error.add_note(f"In step {step} of training. {REMEDY}")
        raise
    raise NonFiniteError("training", expected="finite numbers", got=f"{got}, once, from dropout", fix=REMEDY)


def check_parameters(model: Module, step: int) -> None:
    """Raise where an update has left NaN or infinity behind; after the last of an epoch no loss would show it."""
    if bad := [name for name, p in model.named_parameters() if not np.isfinite(p.data).all()]:
        raise NonFiniteError(
            f"step {step} of training", expected="finite parameters", got=f"NaN or infinity in {', '.join(bad)}",
            fix=REMEDY,
        )  # fmt: skip


def warn_of_untrained_parameters(model: Module, optimizer: Optimizer, stacklevel: int) -> None:
    """Say which parameters will not train: without a gradient after the first step, or in no optimizer."""
    trained = {id(p) for p in optimizer.params}
    wanted = {name: p for name, p in model.named_parameters() if p.requires_grad}
    no_gradient = [name for name, p in wanted.items() if p.grad is None]
    not_updated = [name for name, p in wanted.items() if id(p) not in trained]
    told = [
        (no_gradient, "No gradient reached {}: the loss does not depend on it."),
        (not_updated, "The optimizer does not have {}: it will not train."),
    ]
    for names, sentence in told:
        if names:
            warnings.warn(sentence.format(", ".join(names)), stacklevel=stacklevel)

"""Optimizers with PyTorch's update equations, schedules of the learning rate, and bounds on gradients."""

from tinygrad_mlp.optim import schedules
from tinygrad_mlp.optim.adam import Adam, AdamW
from tinygrad_mlp.optim.clipping import clip_grad_norm, clip_grad_value
from tinygrad_mlp.optim.optimizer import Optimizer
from tinygrad_mlp.optim.sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "clip_grad_norm", "clip_grad_value", "schedules"]


def __dir__() -> list[str]:
    """The public names."""
    return __all__

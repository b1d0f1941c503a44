"""Layers, and the `Module` they are made of."""

from tinygrad_mlp.nn import init
from tinygrad_mlp.nn.files import load, save
from tinygrad_mlp.nn.layers import (
    GELU,
    BatchNorm1d,
    Dropout,
    Flatten,
    LayerNorm,
    Linear,
    ReLU,
    Sequential,
    Sigmoid,
    Tanh,
)
from tinygrad_mlp.nn.mlp import MLP
from tinygrad_mlp.nn.module import Module

__all__ = [
    "GELU",
    "MLP",
    "BatchNorm1d",
    "Dropout",
    "Flatten",
    "LayerNorm",
    "Linear",
    "Module",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Tanh",
    "init",
    "load",
    "save",
]


def __dir__() -> list[str]:
    """The public names."""
    return __all__

"""Layers, and the `Module` they are made of."""

from tinygrad_mlp.nn import init
from tinygrad_mlp.nn.activations import GELU, LeakyReLU, ReLU, Sigmoid, SiLU, Softmax, Tanh
from tinygrad_mlp.nn.attention import MultiheadAttention
from tinygrad_mlp.nn.convolution import Conv2d
from tinygrad_mlp.nn.embedding import Embedding
from tinygrad_mlp.nn.files import load, save
from tinygrad_mlp.nn.layers import Dropout, Flatten, Linear, Sequential
from tinygrad_mlp.nn.mlp import MLP
from tinygrad_mlp.nn.module import Module
from tinygrad_mlp.nn.normalization import BatchNorm1d, BatchNorm2d, LayerNorm, RMSNorm
from tinygrad_mlp.nn.pooling import AvgPool2d, GlobalAvgPool2d, MaxPool2d
from tinygrad_mlp.nn.recurrent import GRU, LSTM

__all__ = [
    "GELU",
    "GRU",
    "LSTM",
    "MLP",
    "AvgPool2d",
    "BatchNorm1d",
    "BatchNorm2d",
    "Conv2d",
    "Dropout",
    "Embedding",
    "Flatten",
    "GlobalAvgPool2d",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "MaxPool2d",
    "Module",
    "MultiheadAttention",
    "RMSNorm",
    "ReLU",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Tanh",
    "init",
    "load",
    "save",
]


def __dir__() -> list[str]:
    """The public names."""
    return __all__

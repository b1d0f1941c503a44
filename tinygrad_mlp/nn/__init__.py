"""Layers, and the `Module` they are made of."""

from tinygrad_mlp.nn import init as init
from tinygrad_mlp.nn.layers import GELU as GELU
from tinygrad_mlp.nn.layers import BatchNorm1d as BatchNorm1d
from tinygrad_mlp.nn.layers import Dropout as Dropout
from tinygrad_mlp.nn.layers import Flatten as Flatten
from tinygrad_mlp.nn.layers import LayerNorm as LayerNorm
from tinygrad_mlp.nn.layers import Linear as Linear
from tinygrad_mlp.nn.layers import ReLU as ReLU
from tinygrad_mlp.nn.layers import Sequential as Sequential
from tinygrad_mlp.nn.layers import Sigmoid as Sigmoid
from tinygrad_mlp.nn.layers import Tanh as Tanh
from tinygrad_mlp.nn.mlp import MLP as MLP
from tinygrad_mlp.nn.module import Module as Module

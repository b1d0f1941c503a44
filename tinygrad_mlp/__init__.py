"""Reverse-mode automatic differentiation on NumPy, small enough to read.

>>> import numpy as np
>>> import tinygrad_mlp as tg
>>> x = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True)
>>> loss = np.tanh(x * x).sum()
>>> loss.backward()
>>> bool(np.allclose(x.grad, 2 * x.data * (1 - np.tanh(x.data**2) ** 2)))
True
"""

from importlib import import_module
from typing import Any

from tinygrad_mlp import nn as nn
from tinygrad_mlp import ops as ops
from tinygrad_mlp import optim as optim
from tinygrad_mlp import rules as rules
from tinygrad_mlp.autodiff import grad as grad
from tinygrad_mlp.autodiff import gradients as gradients
from tinygrad_mlp.autodiff import hessian as hessian
from tinygrad_mlp.autodiff import hvp as hvp
from tinygrad_mlp.autodiff import jacobian as jacobian
from tinygrad_mlp.autodiff import jvp as jvp
from tinygrad_mlp.autodiff import value_and_grad as value_and_grad
from tinygrad_mlp.autodiff import vjp as vjp
from tinygrad_mlp.debugging import debug as debug
from tinygrad_mlp.drawing import draw as draw
from tinygrad_mlp.drawing import to_dot as to_dot
from tinygrad_mlp.ops.activations import gelu as gelu
from tinygrad_mlp.ops.activations import log_softmax as log_softmax
from tinygrad_mlp.ops.activations import logsumexp as logsumexp
from tinygrad_mlp.ops.activations import relu as relu
from tinygrad_mlp.ops.activations import sigmoid as sigmoid
from tinygrad_mlp.ops.activations import softmax as softmax
from tinygrad_mlp.ops.activations import softplus as softplus
from tinygrad_mlp.ops.losses import cross_entropy as cross_entropy
from tinygrad_mlp.ops.losses import mse_loss as mse_loss
from tinygrad_mlp.tensor import Tensor as Tensor
from tinygrad_mlp.tensor import no_grad as no_grad

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import on first use what training, drawing and testing need, so that the import itself loads NumPy alone."""
    if name in {"data", "train", "testing"}:
        return import_module(f"tinygrad_mlp.{name}")
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)

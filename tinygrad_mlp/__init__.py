"""Reverse-mode automatic differentiation on NumPy, small enough to read.

>>> import numpy as np
>>> import tinygrad_mlp as tg
>>> x = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True)
>>> loss = np.tanh(x * x).sum()
>>> loss.backward()
>>> bool(np.allclose(x.grad, 2 * x.data * (1 - np.tanh(x.data**2) ** 2)))
True
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from tinygrad_mlp import nn, ops, optim, other_names, rules, tensor  # noqa: F401 - ops registers the rules
from tinygrad_mlp.autodiff import grad, gradients, hessian, hvp, jacobian, jvp, value_and_grad, vjp
from tinygrad_mlp.debugging import debug
from tinygrad_mlp.drawing import draw, draw_steps, to_dot
from tinygrad_mlp.errors import MissingNameError
from tinygrad_mlp.onnx import export_onnx
from tinygrad_mlp.ops.activations import gelu, log_softmax, logsumexp, relu, sigmoid, softmax, softplus
from tinygrad_mlp.ops.attention import scaled_dot_product_attention
from tinygrad_mlp.ops.convolution import conv2d
from tinygrad_mlp.ops.losses import cross_entropy, mse_loss
from tinygrad_mlp.ops.pooling import avg_pool2d, max_pool2d
from tinygrad_mlp.program import compile, source  # noqa: A004 - the field's name for it
from tinygrad_mlp.tensor import Tensor, no_grad

del tensor  # the module is still to be imported by its name, but `tg.tensor` shall say what to write
if TYPE_CHECKING:
    from tinygrad_mlp import data, testing, train

__version__ = "0.1.0"

__all__ = [
    "Tensor",
    "avg_pool2d",
    "compile",
    "conv2d",
    "cross_entropy",
    "data",
    "debug",
    "draw",
    "draw_steps",
    "export_onnx",
    "gelu",
    "grad",
    "gradients",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "log_softmax",
    "logsumexp",
    "max_pool2d",
    "mse_loss",
    "nn",
    "no_grad",
    "optim",
    "relu",
    "rules",
    "scaled_dot_product_attention",
    "sigmoid",
    "softmax",
    "softplus",
    "source",
    "testing",
    "to_dot",
    "train",
    "value_and_grad",
    "vjp",
]


def __dir__() -> list[str]:
    """The public names, for completion: what is merely imported here is not among them."""
    return [*__all__, "__version__"]


if not TYPE_CHECKING:  # a checker would take any name to be there

    def __getattr__(name: str) -> Any:
        """Import on first use what training and testing need, so that the import itself loads NumPy alone."""
        if name in {"data", "train", "testing"}:
            return import_module(f"{__name__}.{name}")
        fix = None if name.startswith("_") else other_names.function(name, {"nn": nn.__all__, "optim": optim.__all__})
        if fix is None:
            msg = f"module {__name__!r} has no attribute {name!r}"
            raise AttributeError(msg, name=name, obj=sys.modules[__name__])
        raise MissingNameError(f"tg.{name}", expected="a name of this package", got=repr(name), fix=f"Write {fix}.")

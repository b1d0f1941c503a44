"""Multi-layer perceptron of any depth."""

from itertools import pairwise
from typing import Any

import numpy as np

from tinygrad_mlp.errors import ArgumentError
from tinygrad_mlp.nn.activations import GELU, ReLU, Sigmoid, Tanh
from tinygrad_mlp.nn.layers import Dropout, Linear, Rng
from tinygrad_mlp.nn.module import Module
from tinygrad_mlp.tensor import Tensor
from tinygrad_mlp.validation import choose, generator

ACTIVATIONS = {"relu": ReLU, "tanh": Tanh, "sigmoid": Sigmoid, "gelu": GELU}


class MLP(Module):
    """Linear layers with an activation between them: ``MLP(784, 128, 10)`` is h = ReLU(X W1 + b1), z = h W2 + b2.

    Returns the logits z; the softmax is part of the loss, `tinygrad_mlp.cross_entropy`.

    Parameters
    ----------
    *sizes : int
        Features of the input, of each hidden layer, and of the output.
    activation : {"relu", "tanh", "sigmoid", "gelu"}
        Activation after each layer but the last.
    init : {"he", "xavier", "normal"}
        Initial weights, see `tinygrad_mlp.nn.init`.
    dropout : float, 0 <= dropout < 1
        Probability with which a hidden unit is dropped in training.
    rng : numpy.random.Generator or int, optional
        Source of randomness, or a seed. Pass one where the weights shall be the same in each run.
    dtype : dtype
        Of the parameters.

    Examples
    --------
    >>> model = MLP(784, 128, 10, rng=0)
    >>> model
    MLP(784 → 128 → 10)  # 101,770 parameters
      (fc1): Linear(784 → 128)  # weight (784, 128), bias (128,), 100,480 parameters
      (activation1): ReLU()
      (fc2): Linear(128 → 10)  # weight (128, 10), bias (10,), 1,290 parameters
    >>> model(np.zeros((32, 784), np.float32)).shape
    (32, 10)
    """

    fc1: Linear  # the network of the document has two; deeper ones go on counting
    fc2: Linear

    def __init__(
        self,
        *sizes: int,
        activation: str = "relu",
        init: str = "he",
        dropout: float = 0.0,
        rng: Rng = None,
        dtype: Any = np.float32,
    ) -> None:
        if len(sizes) < 2:
            raise ArgumentError("MLP", expected="at least the sizes of input and output", got=repr(sizes))
        rng = generator(rng, "MLP", optional=True)
        activate = choose(ACTIVATIONS, activation, "MLP", "activation")
        self.sizes = sizes
        self.steps: list[str] = []
        for i, (fan_in, fan_out) in enumerate(pairwise(sizes), start=1):
            self.append(f"fc{i}", Linear(fan_in, fan_out, init=init, rng=rng, dtype=dtype))
            if i < len(sizes) - 1:
                self.append(f"activation{i}", activate())
                if dropout:
                    self.append(f"dropout{i}", Dropout(dropout, rng=rng))

    def append(self, name: str, module: Module) -> None:
        """Add a step at the end."""
        setattr(self, name, module)
        self.steps.append(name)

    def forward(self, x: Any) -> Tensor:
        """Logits of shape (N, classes) for an array of shape (N, features)."""
        for name in self.steps:
            x = getattr(self, name)(x)
        return x

    def summary(self) -> str:
        """``784 → 128 → 10``."""
        return " → ".join(map(str, self.sizes))

"""Linear, Dropout, Flatten and Sequential: small classes whose `forward` reads like the formula."""

import math
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np

from tinygrad_mlp.aligned import aligned
from tinygrad_mlp.arguments import operand
from tinygrad_mlp.errors import ArgumentError, ShapeError
from tinygrad_mlp.nn.init import INITS
from tinygrad_mlp.nn.module import Module
from tinygrad_mlp.tensor import Tensor
from tinygrad_mlp.validation import choose, generator

Rng: TypeAlias = "np.random.Generator | int | None"


class Linear(Module):
    """``x W + b``.

    Parameters
    ----------
    in_features, out_features : int
        Sizes of the last axis of the input and of the output.
    bias : bool
        Whether there is a b.
    init : {"he", "xavier", "normal"}
        Distribution of W at the start, see `tinygrad_mlp.nn.init`; b starts at 0.
    rng : numpy.random.Generator or int, optional
        Source of randomness, or a seed. Pass one where the numbers shall be the same in each run.
    dtype : dtype
        Of the parameters.

    Attributes
    ----------
    weight : Tensor, shape (in_features, out_features)
    bias : Tensor, shape (out_features,), or None

    Examples
    --------
    >>> layer = Linear(3, 2, rng=0)
    >>> layer(np.ones((5, 3), np.float32)).shape
    (5, 2)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        bias: bool = True,
        init: str = "he",
        rng: Rng = None,
        dtype: Any = np.float32,
    ) -> None:
        if in_features < 1 or out_features < 1:
            raise ArgumentError(
                "Linear", expected="at least one feature in and out", got=f"{in_features}, {out_features}"
            )
        weight = choose(INITS, init, "Linear", "init")(
            generator(rng, "Linear", optional=True), in_features, out_features
        )
        self.weight = Tensor(weight.astype(dtype), requires_grad=True, name="weight")
        self.weight.data = aligned(self.weight.data)
        self.bias = Tensor(np.zeros(out_features, dtype), requires_grad=True, name="bias") if bias else None

    def forward(self, x: Any) -> Tensor:
        """Map an array of shape (…, in_features) to (…, out_features)."""
        product = operand(x) @ self.weight
        return product if self.bias is None else product + self.bias

    def summary(self) -> str:
        """``784 → 128``."""
        return f"{self.weight.shape[0]} → {self.weight.shape[1]}"


class Dropout(Module):
    """In training, set each element to zero with probability p and scale the others by 1/(1 - p).

    Source: Srivastava et al., 2014, in the inverted form that leaves evaluation alone.

    Parameters
    ----------
    p : float, 0 <= p < 1
        Probability of a zero.
    rng : numpy.random.Generator or int, optional
        Source of randomness, or a seed. Pass one where the numbers shall be the same in each run.

    Examples
    --------
    >>> Dropout(0.5, rng=0)(np.ones(4))
    array([2., 2., 2., 0.])
    """

    def __init__(self, p: float, *, rng: Rng = None) -> None:
        if not 0 <= p < 1:
            raise ArgumentError("Dropout", expected="a probability p with 0 <= p < 1", got=repr(p))
        self.p = p
        self.rng = generator(rng, "Dropout", optional=True)

    def forward(self, x: Any) -> Any:
        """Drop elements in training; in evaluation, nothing."""
        x = operand(x)
        if not self.training or self.p == 0:
            return x
        kept = self.rng.random(x.shape, np.float32) >= self.p
        scale = kept / (1 - self.p)
        return x * (scale.astype(x.dtype) if x.dtype.kind == "f" else scale)

    def summary(self) -> str:
        """The probability."""
        return f"{self.p:g}"


class Flatten(Module):
    """The axes from ``start_dim`` to ``end_dim`` made one: by default (N, …) to (N, product of the rest).

    >>> Flatten()(np.zeros((2, 28, 28))).shape
    (2, 784)
    >>> Flatten(0, 1)(np.zeros((5, 3, 28))).shape
    (15, 28)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, x: Any) -> Any:
        """Fold these axes into one."""
        x = operand(x)
        shape = np.shape(x) or (1,)  # of a number, as of a list of one
        first, last = (i + len(shape) if i < 0 else i for i in (self.start_dim, self.end_dim))
        if not 0 <= first <= last < len(shape):
            raise ShapeError(
                "Flatten", expected=f"an array with the axes from {self.start_dim} to {self.end_dim}", got=str(shape)
            )
        return np.reshape(x, (*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :]))

    def summary(self) -> str:
        """The axes, where they are not all but the first."""
        return "" if (self.start_dim, self.end_dim) == (1, -1) else f"{self.start_dim} to {self.end_dim}"


class Sequential(Module):
    """Modules (or functions) applied one after the other.

    >>> model = Sequential(Linear(4, 3, rng=0), np.tanh, Linear(3, 2, rng=1))
    >>> [name for name, _ in model.named_parameters()]
    ['0.weight', '0.bias', '2.weight', '2.bias']
    """

    def __init__(self, *layers: Any) -> None:
        for i, layer in enumerate(layers):
            if not callable(layer):
                raise ArgumentError("Sequential", expected="modules or functions", got=f"{layer!r} at position {i}")
            setattr(self, str(i), layer)
        self.length = len(layers)

    def forward(self, x: Any) -> Any:
        """Feed each layer with what the one before it gave."""
        for layer in self:
            x = layer(x)
        return x

    def __iter__(self) -> Iterator[Any]:
        return (getattr(self, str(i)) for i in range(self.length))

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Any:
        return list(self)[index]

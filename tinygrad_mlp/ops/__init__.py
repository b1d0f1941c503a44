"""Tables of rules, one file per family. Importing this package registers them all."""

from tinygrad_mlp.ops import (
    activations,
    calculus,
    convolution,
    eig,
    einsum,
    elementwise,
    joining,
    linalg,
    linear,
    losses,
    lstsq,
    norms,
    pooling,
    reductions,
    shaping,
    sorting,
)

__all__ = [
    "activations",
    "calculus",
    "convolution",
    "eig",
    "einsum",
    "elementwise",
    "joining",
    "linalg",
    "linear",
    "losses",
    "lstsq",
    "norms",
    "pooling",
    "reductions",
    "shaping",
    "sorting",
]

"""The equations of `docs/2-layer-mlp.md`, written out in plain NumPy: what the engine's gradients are held against."""

from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]


class Forward(NamedTuple):
    """Section 2 and 3: everything on the way from the input to the loss."""

    a1: Array
    h: Array
    z: Array
    p: Array
    loss: Array


class Backward(NamedTuple):
    """Section 4: everything on the way back."""

    dz: Array
    W2: Array
    b2: Array
    dh: Array
    da1: Array
    W1: Array
    b1: Array


def forward(X: Array, Y: Array, W1: Array, b1: Array, W2: Array, b2: Array) -> Forward:
    """The network of two layers and its cross-entropy, for one-hot labels Y."""
    a1 = X @ W1 + b1
    h = np.maximum(0, a1)
    z = h @ W2 + b2
    e = np.exp(z - z.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    log_p = z - z.max(axis=1, keepdims=True) - np.log(e.sum(axis=1, keepdims=True))
    return Forward(a1, h, z, p, -np.sum(Y * log_p) / len(X))


def backward(X: Array, Y: Array, W1: Array, b1: Array, W2: Array, b2: Array) -> Backward:
    """The gradients of the loss with respect to everything."""
    a1, h, _, P, _ = forward(X, Y, W1, b1, W2, b2)
    dz = (P - Y) / len(X)
    dh = dz @ W2.T
    da1 = dh * (a1 > 0)
    return Backward(dz=dz, W2=h.T @ dz, b2=dz.sum(axis=0), dh=dh, da1=da1, W1=X.T @ da1, b1=da1.sum(axis=0))

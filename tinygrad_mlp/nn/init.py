"""Initial weights. Each function takes a generator and the fans of a layer and gives an array (fan_in, fan_out).

The weights of a convolution have another ``shape``; their fans are the channels times the area of the kernel.
"""

from __future__ import (
    annotations,
)  # numpy.random takes as long to import as this package, so annotations are not evaluated

from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Shape = tuple[int, ...] | None


def he(rng: np.random.Generator, fan_in: int, fan_out: int, shape: Shape = None) -> Array:
    """Normal with variance 2/fan_in, which keeps the size of a signal through relu. Source: He et al., 2015.

    >>> he(np.random.default_rng(0), 5000, 8).std().round(3)
    np.float64(0.02)
    """
    return rng.normal(0.0, np.sqrt(2 / fan_in), shape or (fan_in, fan_out))


def xavier(rng: np.random.Generator, fan_in: int, fan_out: int, shape: Shape = None) -> Array:
    """Normal with variance 2/(fan_in + fan_out), for tanh and sigmoid. Source: Glorot & Bengio, 2010.

    >>> xavier(np.random.default_rng(0), 5000, 3000).std().round(4)
    np.float64(0.0158)
    """
    return rng.normal(0.0, np.sqrt(2 / (fan_in + fan_out)), shape or (fan_in, fan_out))


def normal(rng: np.random.Generator, fan_in: int, fan_out: int, shape: Shape = None) -> Array:
    """Normal with standard deviation 0.01, whatever the size of the layer.

    >>> normal(np.random.default_rng(0), 500, 300).std().round(4)
    np.float64(0.01)
    """
    return rng.normal(0.0, 0.01, shape or (fan_in, fan_out))


INITS: dict[str, Callable[..., Array]] = {"he": he, "xavier": xavier, "normal": normal}

"""The same values, laid out otherwise in memory."""

from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def strided(x: Array) -> Array:
    """Every other element of an array twice as long along each axis."""
    wide = np.full([2 * n for n in x.shape], np.nan, dtype=x.dtype)
    every_other: Any = (..., *(slice(None, None, 2),) * x.ndim)
    view: Array = wide[every_other]
    view[...] = x
    return view


def reversed_axes(x: Array) -> Array:
    """A view with negative strides."""
    backwards: Any = (..., *(slice(None, None, -1),) * x.ndim)
    view: Array = x[backwards].copy()[backwards]
    return view


LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "contiguous": lambda x: np.array(x, order="C"),
    "Fortran-ordered": lambda x: np.array(x, order="F"),
    "strided": strided,
    "reversed": reversed_axes,
}

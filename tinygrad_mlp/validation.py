"""Checks of arguments, each of which says what was expected and what came."""

from __future__ import annotations  # numpy.random takes as long to import as this package, so it is not evaluated

import math
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any

import numpy as np

from tinygrad_mlp.errors import ArgumentError


def at_least_zero(where: str, name: str, value: Any) -> float:
    """``value`` as a Python float: NumPy scalars would turn float32 arithmetic into float64."""
    if not isinstance(value, Real) or not 0 <= float(value) < math.inf:
        raise ArgumentError(where, expected=f"{name} to be a finite number, at least 0", got=repr(value))
    return float(value)


def whole_number(where: str, name: str, value: Any, *, least: int) -> int:
    """``value`` as a Python int, at least ``least``."""
    if not isinstance(value, Integral) or value < least:
        raise ArgumentError(where, expected=f"{name} to be a whole number, at least {least}", got=repr(value))
    return int(value)


def converted(value: Any, like: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A copy of ``value`` in the dtype of ``like``; rounding is no loss.

    Raises
    ------
    ValueError
        Saying what is wrong with it: another shape, another kind of number, a number that is too large.
    """
    array = np.asarray(value)
    if array.shape != like.shape:
        raise ValueError(f"has shape {array.shape} instead of {like.shape}")
    if not np.can_cast(array.dtype, like.dtype, "same_kind"):
        raise ValueError(f"has dtype {array.dtype} instead of {like.dtype}")
    with np.errstate(over="ignore"):
        copy = np.array(array, like.dtype)
    lost = np.isfinite(array) & ~np.isfinite(copy) if like.dtype.kind in "fc" else np.asarray(array != copy)
    if np.any(lost):
        raise ValueError(f"has values too large for {like.dtype}")
    return copy


def as_array(value: Any, where: str, name: str) -> Any:
    """An array of what people have instead of one: a list, or a table with ``to_numpy``, such as a DataFrame.

    Anything else is given back as it is.

    Raises
    ------
    ArgumentError
        If its entries are no numbers, or its rows have different lengths.
    """
    if not (isinstance(value, (list, tuple)) or hasattr(value, "to_numpy")):
        return value
    try:
        array = value.to_numpy() if hasattr(value, "to_numpy") else np.asarray(value)
    except ValueError as error:
        raise ArgumentError(
            where, expected=f"{name} to be an array", got=f"a {type(value).__name__} with rows of different lengths",
            fix="Give all rows the same length.",
        ) from error  # fmt: skip
    if array.dtype.kind not in "biufc":
        raise ArgumentError(
            where, expected=f"{name} to hold numbers",
            got=f"a {type(value).__name__} with dtype {array.dtype}, such as {array.flat[0]!r}"[:200],
            fix="Number the classes: names, y = np.unique(y, return_inverse=True); drop columns that are no numbers.",
        )  # fmt: skip
    return array


def choose(table: dict[str, Any], name: str, where: str, what: str) -> Any:
    """Look up a choice given by name, or say which there are."""
    if name not in table:
        raise ArgumentError(where, expected=f"{what} {', '.join(map(repr, table))}", got=repr(name))
    return table[name]


def generator(rng: np.random.Generator | int | None, where: str, *, optional: bool = False) -> np.random.Generator:
    """The generator given, or a new one from a seed; if ``optional``, one without a seed for None."""
    if optional and rng is None:
        return np.random.default_rng()
    if isinstance(rng, (np.random.Generator, int, np.integer)) and not isinstance(rng, bool):
        return np.random.default_rng(rng)
    raise ArgumentError(
        where, expected="rng to be a numpy.random.Generator or an integer seed", got=repr(rng), fix="Write rng=0."
    )


def demand(holds: Any, error: Callable[[], Exception]) -> None:
    """Raise ``error()`` unless a condition on the values of arrays holds.

    Not ``if``: where the run is being written down as a program, the program has to ask again each time.
    """
    ask = getattr(holds, "__demand__", None)
    if ask is not None:
        ask(error)
    elif not holds:
        raise error()

"""Checks shared by optimizers, schedules and clipping."""

import math
from collections.abc import Iterable, Iterator
from numbers import Integral, Real
from typing import Any

from tinygrad_mlp.errors import ArgumentError
from tinygrad_mlp.tensor import Tensor


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


def named_tensors(where: str, params: Iterable[Any]) -> Iterator[tuple[str | None, Tensor]]:
    """Pairs of a name, or None, and a Tensor, from an iterable of Tensors or of such pairs."""
    if isinstance(params, Tensor):
        raise ArgumentError(
            where, expected="an iterable of Tensors", got="one Tensor", fix="Put it into a list: [tensor]."
        )
    for item in params:
        name, tensor = item if isinstance(item, tuple) and len(item) == 2 else (None, item)
        if not isinstance(tensor, Tensor):
            raise ArgumentError(
                where, expected="Tensors, or pairs of a name and a Tensor", got=repr(item)[:80],
                fix="Pass model.parameters() or model.named_parameters().",
            )  # fmt: skip
        yield name, tensor

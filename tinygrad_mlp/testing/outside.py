"""A gradient that somebody else computes, in the form a check takes it in: ``(*points, *weights) -> gradients``."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_mlp.testing.numeric import Array, Function
from tinygrad_mlp.testing.values import as_array, broadcasts

Filled = Callable[..., list[Any]]  # points -> all arguments of the function


class WrongShape(Exception):
    """A gradient whose number or shape cannot be right; the message says which."""


def from_vjp(vjp: Callable[..., Any], filled: Filled, places: Sequence[int]) -> Function:
    """The gradient by ``vjp(v, *arguments)``; v is an array, or a tuple of them where there are several results."""

    def gradient(*everything: Any) -> list[Array]:
        points, weights = everything[: len(places)], everything[len(places) :]
        arguments = filled(*(x.copy() for x in points))
        given = tuple(w.copy() for w in weights)
        found = one_for_each("vjp", vjp(given[0] if len(given) == 1 else given, *arguments), len(arguments), places)
        return [fitting("vjp", g, x.shape, place) for g, x, place in zip(found, points, places, strict=True)]

    return gradient


def from_jac(jac: Callable[..., Any], filled: Filled, places: Sequence[int]) -> Function:
    """The gradient by ``jac(*arguments)``, Jacobians of shape ``result.shape + argument.shape``."""

    def gradient(*everything: Any) -> list[Array]:
        points, (weight, *others) = everything[: len(places)], everything[len(places) :]
        if others:
            raise WrongShape("jac serves a function with one array as its result; this one has several.")
        arguments = filled(*(x.copy() for x in points))
        found = one_for_each("jac", jac(*arguments), len(arguments), places)
        return [
            np.tensordot(weight, fitting("jac", matrix, weight.shape + x.shape, place), weight.ndim)
            for matrix, x, place in zip(found, points, places, strict=True)
        ]

    return gradient


def one_for_each(name: str, found: Any, count: int, places: Sequence[int]) -> list[Any]:
    """One gradient for each argument of floats, from one, or a sequence of them, or of one for every argument."""
    if not isinstance(found, (tuple, list)) or (len(places) == 1 and not any(np.ndim(as_array(g)) for g in found)):
        found = [found]
    if len(found) == count:
        return [found[place] for place in places]
    if len(found) != len(places):
        raise WrongShape(f"{name} gives {len(found)} gradients for {len(places)} arguments of floats.")
    return list(found)


def fitting(name: str, found: Any, shape: tuple[int, ...], place: int) -> Array:
    """A gradient as an array of the shape it must have; None is zero."""
    if found is None:
        return np.zeros(shape)
    array: Array = as_array(found)
    if array.shape != shape:
        raise WrongShape(
            f"{name} gives an array of shape {array.shape} for argument {place}, where {shape} is expected."
            + reason(array.shape, shape)
        )
    return array if array.dtype.kind == "f" else array.astype(np.float64)


def reason(found: tuple[int, ...], expected: tuple[int, ...]) -> str:
    """How a gradient may have come to a wrong shape."""
    if found == expected[::-1]:
        return " It is transposed."
    if math.prod(found) == math.prod(expected):
        return " It has as many elements: it was not reshaped."
    if broadcasts(expected, found):
        return " It is not summed over the axes along which the argument is broadcast."
    if broadcasts(found, expected):
        return " It is left to be broadcast: each element needs its own."
    return ""

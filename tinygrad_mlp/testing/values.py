"""What goes into a function that is checked, and what comes out of it."""

from typing import Any

import numpy as np

from tinygrad_mlp.arguments import plain
from tinygrad_mlp.errors import DtypeError

IGNORED = (type(None), bool, int, str, bytes)  # results that have no gradient, beside those that have


def as_floats(value: Any) -> Any:
    """A list of numbers, however nested, as an array of floats; everything else as it is.

    >>> as_floats([1.0, 2]), as_floats([1, 2]), as_floats("ij,jk")
    (array([1., 2.]), [1, 2], 'ij,jk')
    """
    if not isinstance(value, (list, tuple)) or not only_numbers(value):
        return value
    array = np.array(value)
    return array if array.dtype.kind == "f" else value


def only_numbers(value: Any) -> bool:
    """Whether a nested list holds numbers, not arrays."""
    if isinstance(value, (list, tuple)):
        return all(only_numbers(item) for item in value) and len({np.shape(item) for item in value}) < 2
    return isinstance(value, (int, float))


def float_results(value: Any) -> list[Any]:
    """The results that are floats, in whatever tuples, lists and dicts; None, integers, booleans and texts left out.

    >>> float_results((1.0, {"a": np.ones(2), "count": 3}, None))
    [1.0, array([1., 1.])]
    """
    if isinstance(value, (tuple, list, dict)):
        items = value.values() if isinstance(value, dict) else value
        return [result for item in items for result in float_results(item)]
    if isinstance(value, IGNORED):
        return []
    kind = as_array(value).dtype.kind if isinstance(value, (float, complex)) or hasattr(value, "__array__") else "O"
    if kind == "O":
        raise DtypeError(
            "check_grads", expected="results that are arrays of floats, alone or in tuples, lists and dicts",
            got=f"a {type(value).__name__}", fix="Return the arrays themselves.",
        )  # fmt: skip
    return [value] if kind in "fc" else []


def as_array(value: Any) -> Any:
    """The array behind a Tensor, or behind an array of another library."""
    return np.asarray(plain(value))


def broadcasts(small: tuple[int, ...], large: tuple[int, ...]) -> bool:
    """Whether an array of one shape broadcasts to the other."""
    try:
        return np.broadcast_shapes(small, large) == large
    except ValueError:
        return False

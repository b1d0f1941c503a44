"""What can be written as JSON."""

from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_mlp.errors import ArgumentError


def jsonable(value: Any, where: str) -> Any:
    """Plain Python in the place of NumPy's numbers and arrays, tuples and paths.

    Raises
    ------
    ArgumentError
        If something else is inside; the message says under which key.

    Examples
    --------
    >>> jsonable({"norm": np.float32(0.5), "sizes": (784, 10)}, "config")
    {'norm': 0.5, 'sizes': [784, 10]}
    """
    if isinstance(value, (np.generic, np.ndarray)):
        value = value.tolist()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (list, tuple)):
        return [jsonable(item, f"{where}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: jsonable(item, f"{where}[{key!r}]") for key, item in value.items()}
    raise ArgumentError(
        where, expected="numbers, strings, None, paths, and lists and dicts of them", got=type(value).__name__,
        fix="Convert it first, with float(x) or str(x).",
    )  # fmt: skip

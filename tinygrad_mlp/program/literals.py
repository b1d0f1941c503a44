"""Values as Python expressions that give them back, bit for bit."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_mlp.errors import CompileError

ROOMS = ("", "linalg", "fft", "lib.stride_tricks", "strings", "char")
DTYPES = {np.dtype(kind): f"np.{kind.__name__}" for kind in (
    np.float16, np.float32, np.float64, np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32,
    np.uint64, np.complex64, np.complex128,
)} | {np.dtype(bool): "bool"}  # fmt: skip


@functools.cache
def path_of(function: Callable[..., Any]) -> str:
    """How to write a NumPy function: ``np.linalg.inv``, ``np.add.reduce``.

    >>> path_of(np.add.reduce), path_of(np.lib.stride_tricks.sliding_window_view)
    ('np.add.reduce', 'np.lib.stride_tricks.sliding_window_view')
    """
    owner = getattr(function, "__self__", None)
    if isinstance(owner, np.ufunc):
        return f"{path_of(owner)}.{function.__name__}"
    name = getattr(function, "__name__", "")
    for room in ROOMS:
        place = functools.reduce(getattr, filter(None, room.split(".")), np)
        if getattr(place, name, None) is function:
            return ".".join(filter(None, ["np", room, name]))
    raise CompileError("source", expected="functions of NumPy alone", got=repr(function))


def expression(value: Any) -> str:
    """A value as text.

    >>> expression(np.arange(3)), expression(np.ones((2, 3), np.float32)), expression(np.float32(1 / 128))
    ('np.arange(3)', 'np.ones((2, 3), np.float32)', 'np.float32(1 / 128)')
    """
    if isinstance(value, np.ndarray):
        return array(value)
    if isinstance(value, np.generic):
        return scalar(value)
    if isinstance(value, np.dtype):
        return DTYPES.get(value, repr(value).replace("dtype", "np.dtype", 1))
    if isinstance(value, type):
        return DTYPES[np.dtype(value)] if issubclass(value, np.generic) else value.__name__
    if isinstance(value, float) and not np.isfinite(value):
        return "np.nan" if np.isnan(value) else "np.inf" if value > 0 else "-np.inf"
    if isinstance(value, (np.ufunc,)) or callable(value):
        return path_of(value)
    return repr(value)


def scalar(value: Any) -> str:
    """A NumPy scalar; one over a whole number is written so."""
    if value.dtype.kind == "f" and np.isfinite(value):
        inverse = round(float(1 / value)) if abs(value) > 1e-6 else 0
        fraction = 1 < inverse < 1_000_000 and value == value.dtype.type(1) / value.dtype.type(inverse)
        if fraction and value == value.dtype.type(1 / inverse):
            return f"{DTYPES[value.dtype]}(1 / {inverse})"
    name = DTYPES[value.dtype]
    return f"{'np.bool' if name == 'bool' else name}({expression(value.item())})"


def array(value: Any) -> str:
    """An array: counted, all alike, or element by element."""
    kind = DTYPES.get(value.dtype)
    if value.size == 0:
        return f"np.zeros({value.shape}, {kind})"
    if value.ndim == 1 and value.dtype == np.int64 and value.size > 1 and np.array_equal(value, np.arange(value.size)):
        return f"np.arange({value.size})"
    plain = value.dtype in (np.dtype(float), np.dtype(int), np.dtype(bool))
    if value.ndim == 0:
        return f"np.array({expression(value.item())}{'' if plain else f', {kind}'})"
    first = value.flat[0]
    if (
        value.size > 4
        and value.dtype.kind in "biuf"
        and (value == first).all()
        and (first != 0 or not np.signbit(value.astype(float)).any())
    ):
        shape = value.shape[0] if value.ndim == 1 else value.shape
        if first in (0, 1):
            return f"np.{'ones' if first else 'zeros'}({shape}, {kind})"
        return f"np.full({shape}, {expression(first.item())}, {kind})"
    values = str([expression(item) for item in value.ravel().tolist()]).replace("'", "")
    shaped = "" if value.ndim == 1 else f".reshape({', '.join(map(str, value.shape))})"
    return f"np.array({values}{'' if plain else f', {kind}'}){shaped}"

"""An op's call as text: ``sum(axis=0)``, ``multiply(·, 2)``, where a dot stands for an operand with a box."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_mlp.arguments import Traced
from tinygrad_mlp.ops.elementwise import clamp, where
from tinygrad_mlp.rules import RULES, accepted_arguments, function_name

LONGEST = 40
OPERAND = "·"


def call(
    function: Callable[..., Any], args: tuple[Any, ...], params: dict[str, Any], longest: int | None = LONGEST
) -> str:
    """Name of the op with whatever is no operand; arguments that say nothing (``axis=None``) are left out.

    Those of a `primitive` are left out where they have their default.
    """
    shown = [text(arg) for arg in args]
    while shown and shown[-1] in ("None", OPERAND):
        if shown[-1] == OPERAND and any(form != OPERAND for form in shown):
            break
        shown.pop()
    usual = inspect.signature(function).parameters if hasattr(function, "records") else {}
    said = [
        f"{name}={text(value)}"
        for name, value in params.items()
        if value is not None and value is not False and not (name in usual and same(value, usual[name].default))
    ]
    inside = ", ".join(shown + said)
    return short(function) + (f"({inside if longest is None else shorten(inside, longest)})" if inside else "")


def same(value: Any, default: Any) -> bool:
    """Whether an argument is its default; arrays are compared with nothing."""
    return type(value) is type(default) and isinstance(value, (int, float, str, tuple)) and bool(value == default)


def short(function: Callable[..., Any]) -> str:
    """``np.multiply`` as ``multiply``."""
    return function_name(function).removeprefix("np.")


def text(value: Any) -> str:
    """One argument."""
    if isinstance(value, Traced) or getattr(value, "ndim", 0) > 0:
        return OPERAND
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, (float, np.floating)) or (isinstance(value, np.ndarray) and value.dtype.kind == "f"):
        return f"{float(value):.4g}"
    if isinstance(value, (np.generic, np.ndarray)):
        return str(value.item())
    if isinstance(value, slice):
        ends = ["" if end is None else str(end) for end in (value.start, value.stop, value.step)]
        return ":".join(ends if value.step is not None else ends[:2])
    if value is Ellipsis:
        return "..."
    if isinstance(value, (list, tuple)):
        return f"({', '.join(map(text, value[:8]))}{', ...' if len(value) > 8 else ''})"
    if isinstance(value, np.dtype):
        return value.name
    if isinstance(value, type) or callable(value):
        return getattr(value, "__name__", type(value).__name__)
    return str(value) if isinstance(value, (int, str, type(None))) else type(value).__name__


def shorten(words: str, limit: int = LONGEST) -> str:
    """Cut what is too long for a box."""
    return words if len(words) <= limit else words[: limit - 3] + "..."


def operand_name(function: Callable[..., Any], position: int) -> str:
    """What an op's rule calls an argument, ``targets``, if it has a telling name for it, else ``array``."""
    if function not in RULES or all(rule is None for rule in RULES[function]):
        return "array"
    names = accepted_arguments(function)[1] or ()
    return names[position] if position < len(names) and len(names[position]) > 2 else "array"


def stretched(function: Callable[..., Any], shape: tuple[int, ...], out: tuple[int, ...]) -> tuple[int, ...] | None:
    """The shape to which an op broadcast an operand, if it did."""
    if function in (where, clamp, np.broadcast_to) or (isinstance(function, np.ufunc) and not function.signature):
        full = out
    elif function is np.matmul and len(shape) >= 2 and len(out) > 2:
        full = out[:-2] + shape[-2:]
    else:
        return None
    return full if full != shape else None

"""The backward pass of single ops as formulas: what each rule of an op computes, in names and NumPy."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_mlp.arguments import Traced
from tinygrad_mlp.errors import CompileError
from tinygrad_mlp.graph import unbroadcast
from tinygrad_mlp.program.instructions import mapped
from tinygrad_mlp.program.notes import Note, Notes
from tinygrad_mlp.program.text import Text
from tinygrad_mlp.rules import RULES


def equations_of(tensor: Traced, name: Callable[[Any], str]) -> dict[int, str]:
    """The gradient that each rule of the op behind a Tensor sends to an operand, by the operand's ``id``.

    Parameters
    ----------
    tensor : Tensor
        The result of the op.
    name : callable
        Gives the name of a Tensor or array.

    Examples
    --------
    >>> from tinygrad_mlp import Tensor
    >>> x, w = Tensor(np.ones((2, 3)), name="x"), Tensor(np.ones((3, 4)), requires_grad=True, name="w")
    >>> equations_of(x @ w, lambda value: value.name or "z")[id(w)]
    '∇w = x.T @ δz'
    """
    node = tensor.node
    found: dict[int, str] = {}
    for position, rule in enumerate(RULES.get(node.function, ())):
        operand = node.args[position] if position < len(node.args) else None
        if rule is not None and isinstance(operand, Traced) and operand.node is not None:
            try:
                found[id(operand)] = equation(tensor, rule, operand, name)
            except (CompileError, KeyError):  # a rule that looks at values has no formula
                continue
    return found


def equation(tensor: Traced, rule: Callable[..., Any], operand: Traced, name: Callable[[Any], str]) -> str:
    """One rule: ``δh = δz @ W2.T``, or ``∇W2 = h.T @ δz`` where the operand is a parameter."""
    notes = Notes(lambda: None)
    inputs: list[tuple[str, Any]] = []
    made: dict[int, Note] = {}

    def note(value: Any, label: str) -> Note:
        inputs.append((label, notes.variable(value, "argument")))
        return Note(value, inputs[-1][1], notes)

    def noted(value: Any) -> Any:
        array = value.data if isinstance(value, Traced) else value
        if not isinstance(array, np.ndarray):
            return array
        if id(value) not in made:
            made[id(value)] = note(array, name(value))
        return made[id(value)]

    gradient = note(np.ones_like(tensor.data), f"d_{name(tensor)}")
    args = mapped(tensor.node.args, noted)
    with np.errstate(all="ignore"):
        found = rule(gradient, note(tensor.data, name(tensor)), *args, **tensor.node.params)
        if found.shape != operand.data.shape:
            found = unbroadcast(found, operand.data, tensor.node.function)
    mark = "∇" if operand.node.function is None else "δ"
    left = f"{mark}{name(operand)}"
    if isinstance(found, Note) and found.variable is gradient.variable:
        return f"{left} = δ{name(tensor)}"
    text = Text(notes.instructions, inputs, {}, [found.variable])
    lines = [line.split("  #")[0].rstrip() for line in text.lines() if not line.startswith("#")]
    result = text.names[found.variable]
    lines[-1] = lines[-1].replace(f"{result} = ", f"{left} = ", 1)
    return re.sub(r"\bd_", "δ", "; ".join(lines))

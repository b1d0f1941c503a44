"""What the user asked to see: outputs, a failed op, or a failed gradient check."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from tinygrad_mlp.arguments import Traced, unfolded
from tinygrad_mlp.drawing.rule_errors import rule_errors
from tinygrad_mlp.errors import ArgumentError, GraphError, ShapeError
from tinygrad_mlp.graph import topological_order
from tinygrad_mlp.tensor import Tensor


@dataclass
class Subject:
    """Where a drawing begins.

    Attributes
    ----------
    outputs : list of Tensor
        Drawn as outputs.
    failures : list of (function, operands, message)
        Ops that could not run.
    recorded : list of Tensor
        The results of all ops behind them, in the order in which they ran.
    errors : dict
        ``id(result)`` to the error of the rules of its op, from a failed gradient check.
    notes : list of str
        For the footer.
    """

    outputs: list[Traced] = field(default_factory=list)
    failures: list[tuple[Callable[..., Any], tuple[Any, ...], str]] = field(default_factory=list)
    recorded: list[Traced] = field(default_factory=list)
    errors: dict[int, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def understand(things: tuple[Any, ...]) -> Subject:
    """Sort what was passed to `draw` into outputs and failures, and walk the graph behind them."""
    subject = Subject()
    check = False
    for thing in things:
        report = getattr(thing, "report", thing)
        if isinstance(thing, Traced):
            if all(thing is not output for output in subject.outputs):
                subject.outputs.append(thing)
        elif isinstance(thing, ShapeError) and thing.function is not None:
            subject.failures.append((thing.function, thing.operands, str(thing)))
        elif hasattr(report, "arguments"):
            check = True
            f = report.f if hasattr(report, "f") else partial(report.function, **report.params)
            subject.outputs += rerun(f, report.arguments)
        else:
            raise ArgumentError(
                "draw", expected="Tensors, a ShapeError that an op raised, or the report of a failed gradient check",
                got=f"{type(thing).__name__} {str(thing)[:80]!r}", fix="Pass the loss: tg.draw(loss, model=model).",
            )  # fmt: skip
    if not subject.outputs and not subject.failures:
        raise ArgumentError("draw", expected="at least one Tensor", got="none", fix="Pass the loss: tg.draw(loss).")
    operands = [item for _, args, _ in subject.failures for item in unfolded(args)]
    try:
        subject.recorded, _ = topological_order([*subject.outputs, *(x for x in operands if isinstance(x, Traced))])
    except GraphError as error:
        raise GraphError(
            "draw", expected="a graph that is still there", got="one that an earlier backward() has freed",
            fix="Draw before backward(), or keep the graph with backward(retain_graph=True).",
        ) from error  # fmt: skip
    if check:
        subject.errors = rule_errors(subject.recorded)
        subject.notes.append("red: ops whose backward rule disagrees with a finite difference of that op alone")
    return subject


def rerun(f: Callable[..., Any], arguments: tuple[Any, ...]) -> list[Traced]:
    """Run a function that failed a gradient check once more, on Tensors, to get its graph."""
    args = []
    for i, arg in enumerate(arguments):
        array = arg.data if isinstance(arg, Traced) else arg
        is_float = isinstance(array, (float, np.ndarray, np.generic)) and np.asarray(array).dtype.kind == "f"
        args.append(Tensor(np.asarray(array), requires_grad=True, name=f"x{i}") if is_float else array)
    return [x for x in unfolded((f(*args),)) if isinstance(x, Traced)]


def leaf(tensor: Any) -> bool:
    """Whether a Tensor requires a gradient and no op made it."""
    return tensor.node is not None and tensor.node.function is None

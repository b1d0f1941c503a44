"""Writes the numbers into the boxes of a drawing, and makes its edges: values, gradients, bytes, health."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_mlp.arguments import Traced, plain
from tinygrad_mlp.drawing.backward import Flow
from tinygrad_mlp.drawing.builder import Outline, Use
from tinygrad_mlp.drawing.kept import Memory
from tinygrad_mlp.drawing.modules import array_operands
from tinygrad_mlp.drawing.op_labels import short, stretched
from tinygrad_mlp.drawing.picture import Box, Edge, Gradient, Kind, State
from tinygrad_mlp.drawing.statistics import Statistics, health, measure, shape_text
from tinygrad_mlp.drawing.subject import Subject, leaf


@dataclass(frozen=True)
class Numbers:
    """Where the numbers come from, and which of them the drawing shows."""

    subject: Subject
    flow: Flow
    memory: Memory
    values: bool
    histograms: bool

    def value(self, array: Any) -> Statistics | None:
        """What there is to say about a value."""
        return measure(array, self.histograms) if self.values else None

    def gradient(self, array: Any) -> Gradient:
        """What there is to say about the gradient of something that requires one."""
        found = None if array is None else measure(array, self.histograms)
        if found is None:
            return Gradient(State.NONE if self.flow.complete else State.NOT_RUN)
        return Gradient(State.ZERO if found.zeros == found.size else State.NUMBER, found)


def fill_boxes(outline: Outline, numbers: Numbers) -> None:
    """Write into each box what its kind shows."""
    for box in outline.boxes.values():
        FILLERS[box.kind](box, outline, numbers)
    if numbers.values:
        mark_first_trouble(outline, numbers.subject.recorded)
        for output in numbers.subject.outputs:
            if output.data.size == 1 and output.data.dtype.kind in "fiu":
                outline.shown[id(output)].value = float(output.data.reshape(())[()])


def fill_item(box: Box, outline: Outline, numbers: Numbers) -> None:
    """Data or a parameter."""
    item = outline.items[box.id]
    array = plain(item)
    box.shape, box.dtype, box.found = array.shape, str(array.dtype), numbers.value(array)
    box.health = box.found.trouble if box.found is not None else ""
    if box.kind is Kind.PARAMETER:
        box.frozen = item.node is None
        box.parameters = int(array.size)
    if isinstance(item, Traced) and leaf(item):
        known = numbers.flow.totals.get(id(item)) if numbers.flow.complete else item.grad
        box.gradient = numbers.gradient(known)


def fill_op(box: Box, outline: Outline, numbers: Numbers) -> None:
    """One op."""
    (tensor,) = outline.ops[box.id]
    box.found = numbers.value(tensor.data)
    box.health = health(short(tensor.node.function), box.found)
    box.error = numbers.subject.errors.get(id(tensor))
    box.gradient = numbers.gradient(numbers.flow.totals.get(id(tensor)))
    sum_up(box, outline.ops[box.id], numbers)


def fill_module(box: Box, outline: Outline, numbers: Numbers) -> None:
    """A folded module."""
    parameters = list(outline.scopes[box.id].module.parameters())
    box.parameters = sum(p.size for p in parameters)
    sum_up(box, outline.ops[box.id], numbers)
    if numbers.values:
        for tensor in outline.ops[box.id]:
            box.health = trouble(tensor) or box.health
    if box.parameters:
        totals = numbers.flow.totals
        hidden = [p for p in parameters if id(p) in totals and id(p) not in outline.shown]
        box.gradient = numbers.gradient(np.concatenate([np.ravel(totals[id(p)]) for p in hidden]) if hidden else None)


def fill_failure(box: Box, outline: Outline, numbers: Numbers) -> None:
    """An op that could not run."""
    args = next(args for _, args, message in numbers.subject.failures if outline.boxes[id(args)] is box)
    box.health = f"{' and '.join(shape_text(item.shape) for _, item in array_operands(args))} do not fit"


FILLERS: dict[Kind, Callable[[Box, Outline, Numbers], None]] = {
    Kind.DATA: fill_item, Kind.PARAMETER: fill_item, Kind.OP: fill_op, Kind.MODULE: fill_module,
    Kind.FAILED: fill_failure,
}  # fmt: skip


def sum_up(box: Box, results: list[Traced], numbers: Numbers) -> None:
    """What one op and all those of a module have in common: the last result's shape, the functions, the bytes kept."""
    box.shape, box.dtype = results[-1].data.shape, str(results[-1].data.dtype)
    box.functions = [tensor.node.function for tensor in results]
    kept = [numbers.memory.kept[id(tensor)] for tensor in results if id(tensor) in numbers.memory.kept]
    box.kept = sum(kept) if kept else None


def trouble(tensor: Traced) -> str:
    """What is not finite in a result."""
    array = tensor.data
    if array.dtype.kind in "fiub" and np.isfinite(array).all():
        return ""
    found = measure(array)
    return "" if found is None else found.trouble


def mark_first_trouble(outline: Outline, recorded: list[Traced]) -> None:
    """Say which op of the forward pass was the first to make a NaN or an infinity."""
    for tensor in recorded:
        if trouble(tensor):
            outline.shown[id(tensor)].first_trouble = True
            return


def make_edges(outline: Outline, numbers: Numbers) -> list[Edge]:
    """One edge for all the uses of a value by one box."""
    return [edge(f"e{i}", uses, numbers) for i, uses in enumerate(grouped(outline.uses))]


def grouped(uses: Iterable[Use]) -> list[list[Use]]:
    """The uses that are drawn as one edge, in the order of their first ones."""
    found: dict[tuple[int, str], list[Use]] = {}
    for use in uses:
        found.setdefault((id(use.item), use.target.id), []).append(use)
    return list(found.values())


def edge(name: str, uses: list[Use], numbers: Numbers) -> Edge:
    """The edge of some uses of one value by one box."""
    first = uses[0]
    shape = plain(first.item).shape
    made = Edge(name, first.source.id, first.target.id, shape, times=sum(use.times for use in uses))
    if first.target.kind is Kind.OP and first.result is not None:
        made.stretched = stretched(first.result.node.function, shape, first.result.data.shape)
    if getattr(first.item, "node", None) is not None:
        carried = [numbers.flow.edges[pair(use)] for use in uses if pair(use) in numbers.flow.edges]
        if carried:
            made.gradient = numbers.gradient(sum(carried[1:], carried[0]))
        else:
            ran = numbers.flow.complete and first.result is not None
            made.gradient = Gradient(State.NONE if ran else State.NOT_RUN)
    return made


def pair(use: Use) -> tuple[int, int]:
    """The key of a use in `Flow.edges`."""
    return id(use.result), id(use.item)

"""Writes the numbers into the boxes of a drawing, and makes its edges: values, gradients, bytes, health."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from tinygrad_mlp.arguments import Traced, plain
from tinygrad_mlp.drawing.backward import Flow
from tinygrad_mlp.drawing.builder import Outline, Use
from tinygrad_mlp.drawing.costs import Cost
from tinygrad_mlp.drawing.equations import equations, symbols
from tinygrad_mlp.drawing.groups import starred
from tinygrad_mlp.drawing.kept import Memory
from tinygrad_mlp.drawing.masks import masked
from tinygrad_mlp.drawing.modules import array_operands
from tinygrad_mlp.drawing.op_labels import short, stretched
from tinygrad_mlp.drawing.picture import Box, Edge, Gradient, Kind, State
from tinygrad_mlp.drawing.statistics import Statistics, health, measure, norm_of, percent, shape_text
from tinygrad_mlp.drawing.subject import Subject, leaf
from tinygrad_mlp.program.equations import equations_of

MOST_EQUATIONS = 500  # ops; the rules of more take longer to write down than the page to draw


@dataclass
class Numbers:
    """Where the numbers come from, and which of them the drawing shows."""

    subject: Subject
    flow: Flow
    memory: Memory
    values: bool
    histograms: bool
    costs: dict[int, Cost]
    names: dict[int, str]  # of parameters and buffers, as modules have them

    def value(self, arrays: Sequence[Any]) -> Statistics | None:
        """What there is to say about the values that one box stands for."""
        return measure(joined(arrays), self.histograms) if self.values else None

    def gradient(self, arrays: Sequence[Any]) -> Gradient:
        """What there is to say about the gradients of what one box or edge stands for, each of which requires one."""
        found = measure(joined(arrays), self.histograms) if arrays else None
        if found is None:
            return Gradient(State.NONE if self.flow.complete else State.NOT_RUN)
        if found.zeros == found.size:
            return Gradient(State.ZERO, found)
        norms = [norm_of(array) for array in arrays] if len(arrays) > 1 and found.finite else []
        return Gradient(State.NUMBER, found, (min(norms), max(norms)) if norms else None)

    def totals(self, items: Iterable[Any]) -> list[Any]:
        """The whole gradients of those Tensors that have one; without a backward pass of ours, what is in ``grad``."""
        if self.flow.complete:
            return [self.flow.totals[id(item)] for item in items if id(item) in self.flow.totals]
        return [item.grad for item in items if item.grad is not None]

    def total(self, items: Sequence[Any]) -> Gradient:
        """What there is to say about the whole gradients; of a scalar, also its terms, if it has several."""
        gradient = self.gradient(self.totals(items))
        terms = self.terms.get(id(items[0]), ()) if len(items) == 1 and items[0].size == 1 else ()
        return replace(gradient, terms=tuple(terms)) if len(terms) > 1 else gradient

    @cached_property
    def terms(self) -> dict[int, list[float]]:
        """The ``id`` of a scalar to the gradients that it adds up."""
        found: dict[int, list[float]] = {}
        for (_, key), gradients in self.flow.edges.items():
            found.setdefault(key, []).extend(float(np.ravel(g)[0]) for g in gradients if np.size(g) == 1)
        return found

    @cached_property
    def symbols(self) -> dict[int, str]:
        """The names that the document gives to results."""
        return {key: name for output in self.subject.outputs for key, name in symbols(output).items()}

    @cached_property
    def equations(self) -> dict[tuple[int, int], str]:
        """``(id of a result, id of an operand)`` to the equation of the gradient that flows from one to the other.

        For the network of the document they are the document's; for others, on a page, what the rules compute. A
        gradient of a parameter is written ∇, any other δ.
        """
        found = {edge: text for output in self.subject.outputs for edge, text in equations(output).items()}
        if found or not self.histograms or len(self.subject.recorded) > MOST_EQUATIONS:
            return found
        counts: Counter[str] = Counter()
        labels: dict[int, str] = {}

        def label(value: Any) -> str:
            if id(value) not in labels:
                made = isinstance(value, Traced) and value.node is not None and value.node.function
                name = self.names.get(id(value)) or getattr(value, "name", None) or (short(made) if made else "x")
                counts[name] += 1
                labels[id(value)] = name.replace(".", "_") + (f"_{counts[name]}" if counts[name] > 1 else "")
            return labels[id(value)]

        for tensor in self.subject.recorded:
            found |= {(id(tensor), operand): text for operand, text in equations_of(tensor, label).items()}
        return found

    @cached_property
    def masked(self) -> set[int]:
        """What holds -inf on purpose."""
        return masked(self.subject.recorded)


def joined(arrays: Sequence[Any]) -> Any:
    """All elements of some arrays; one array as it is."""
    return arrays[0] if len(arrays) == 1 else np.concatenate([np.ravel(array) for array in arrays])


def fill_boxes(outline: Outline, numbers: Numbers) -> None:
    """Write into each box what its kind shows."""
    for box in outline.boxes.values():
        FILLERS[box.kind](box, outline, numbers)
    if numbers.values:
        mark_first_trouble(outline, numbers)
        for output in numbers.subject.outputs:
            if output.data.size == 1 and output.data.dtype.kind in "fiu":
                outline.shown[id(output)].value = float(output.data.reshape(())[()])


def fill_items(box: Box, outline: Outline, numbers: Numbers) -> None:
    """Data or a parameter, or those of all repeats."""
    items = list(outline.items[box.id].values())
    first = items[0]
    box.shape, box.dtype, box.found = plain(first).shape, str(plain(first).dtype), numbers.value(plain(items))
    box.times = len(items)
    note_health(box, items, box.found.trouble if box.found is not None else "", numbers)
    box.title = starred(outline.titles[box.id])
    if box.kind is Kind.PARAMETER:
        box.frozen = first.node is None
        box.parameters = sum(int(item.size) for item in items)
    if isinstance(first, Traced) and leaf(first):
        box.gradient = numbers.total(items)


def fill_ops(box: Box, outline: Outline, numbers: Numbers) -> None:
    """One op, or all its repeats."""
    results = outline.ops[box.id]
    box.found = numbers.value([tensor.data for tensor in results])
    note_health(box, results, health(short(results[0].node.function), box.found), numbers)
    box.error = max((numbers.subject.errors[id(x)] for x in results if id(x) in numbers.subject.errors), default=None)
    box.gradient = numbers.total(results)
    box.symbol = box.symbol or numbers.symbols.get(id(results[0]), "")
    box.times = len(results)
    sum_up(box, results, numbers)


def fill_group(box: Box, outline: Outline, numbers: Numbers) -> None:
    """A folded group: a module, all repeats of it, or what else is folded."""
    group, results = outline.groups[box.id], outline.ops[box.id]
    parameters = {id(p): p for module in group.modules for p in module.parameters()} or {
        id(x): x
        for result in results
        for _, x in array_operands(result.node.args)
        if isinstance(x, Traced) and leaf(x) and id(x) not in outline.shown
    }
    box.parameters = sum(p.size for p in parameters.values())
    box.times = len(group.modules) or 1
    sum_up(box, results, numbers)
    if numbers.values:
        for tensor in results:
            box.health = (id(tensor) not in numbers.masked and trouble(tensor)) or box.health
    if box.parameters:
        box.shared = any(id(p) in outline.shown for p in parameters.values())
        inside = numbers.totals(parameters.values())
        box.gradient = numbers.gradient([joined(inside)] if inside else [])


def fill_failure(box: Box, outline: Outline, numbers: Numbers) -> None:
    """An op that could not run."""
    args = next(args for _, args, message in numbers.subject.failures if outline.boxes[id(args)] is box)
    box.health = f"{' and '.join(shape_text(item.shape) for _, item in array_operands(args))} do not fit"


FILLERS: dict[Kind, Callable[[Box, Outline, Numbers], None]] = {
    Kind.DATA: fill_items, Kind.PARAMETER: fill_items, Kind.OP: fill_ops, Kind.MODULE: fill_group,
    Kind.FAILED: fill_failure,
}  # fmt: skip


def sum_up(box: Box, results: list[Traced], numbers: Numbers) -> None:
    """What one op and all those of a module have in common: the last result's shape, the functions, the bytes kept."""
    box.shape, box.dtype = results[-1].data.shape, str(results[-1].data.dtype)
    box.functions = [tensor.node.function for tensor in results]
    costs = [numbers.costs[id(tensor)] for tensor in results if id(tensor) in numbers.costs]
    box.cost = sum(costs, Cost()) if costs else None
    kept = [numbers.memory.kept[id(tensor)] for tensor in results if id(tensor) in numbers.memory.kept]
    box.kept = sum(kept) if kept else None


def trouble(tensor: Traced) -> str:
    """What is not finite in a result."""
    array = tensor.data
    if array.dtype.kind in "fiub" and np.isfinite(array).all():
        return ""
    found = measure(array)
    return "" if found is None else found.trouble


def note_health(box: Box, shown: list[Any], words: str, numbers: Numbers) -> None:
    """Write down what is wrong with a value; -inf in a mask is not."""
    box.health = words
    if box.found is not None and box.found.inf and all(id(item) in numbers.masked for item in shown):
        box.masked = True
        box.health = f"{percent(box.found.inf, box.found.size)} masked (-inf)"


def mark_first_trouble(outline: Outline, numbers: Numbers) -> None:
    """Say which op of the forward pass was the first to make a NaN or an infinity that is no mask."""
    for tensor in numbers.subject.recorded:
        if id(tensor) not in numbers.masked and trouble(tensor):
            outline.shown[id(tensor)].first_trouble = True
            return


def make_edges(outline: Outline, numbers: Numbers) -> list[Edge]:
    """One edge for all the uses of a value by one box."""
    return [edge(f"e{i}", uses, numbers) for i, uses in enumerate(grouped(outline))]


def grouped(outline: Outline) -> list[list[Use]]:
    """The uses that are drawn as one edge, in the order of their first ones."""
    found: dict[tuple[int, str, int | None], list[Use]] = {}
    for use in outline.uses:
        found.setdefault((id(use.drawn), use.target.id, use.nth), []).append(use)
    return list(found.values())


def edge(name: str, uses: list[Use], numbers: Numbers) -> Edge:
    """The edge of some uses of a value, and of its repeats, by one box."""
    first = uses[0]
    shape = plain(first.item).shape
    made = Edge(name, first.source.id, first.target.id, shape)
    made.symbol = numbers.symbols.get(id(first.item), "") and f"δ{numbers.symbols[id(first.item)]}"
    made.loops = first.carried and first.source.position >= first.target.position
    if first.target.kind is Kind.OP and first.result is not None:
        made.stretched = stretched(first.result.node.function, shape, first.result.data.shape)
    times: dict[int, int] = {}
    carried: dict[int, Any] = {}
    for use in uses:
        times[id(use.item)] = times.get(id(use.item), 0) + use.times
        if pair(use) in numbers.flow.edges:
            gradients = numbers.flow.edges[pair(use)]
            gradient = sum(gradients[1:], gradients[0]) if use.nth is None else gradients[use.nth]
            carried[id(use.item)] = carried[id(use.item)] + gradient if id(use.item) in carried else gradient
    made.times = max(times.values())
    if carried:
        made.gradient = numbers.gradient(list(carried.values()))
    elif getattr(first.item, "node", None) is not None:
        ran = numbers.flow.complete and first.result is not None
        made.gradient = Gradient(State.NONE if ran else State.NOT_RUN)
    return made


def pair(use: Use) -> tuple[int, int]:
    """The key of a use in `Flow.edges`."""
    return id(use.result), id(use.item)

"""From a recorded graph to the plain data of a picture. Walks are iterative, and nothing in the graph changes."""

from collections.abc import Collection
from typing import Any

from tinygrad_mlp.drawing.backward import Flow, backward_pass
from tinygrad_mlp.drawing.builder import Outline, outline
from tinygrad_mlp.drawing.equations import equations
from tinygrad_mlp.drawing.fill import Numbers, fill_boxes, grouped, make_edges, pair
from tinygrad_mlp.drawing.kept import Memory
from tinygrad_mlp.drawing.modules import Modules, array_operands
from tinygrad_mlp.drawing.picture import Kind, Picture, Step
from tinygrad_mlp.drawing.places import Places
from tinygrad_mlp.drawing.statistics import number, size_of
from tinygrad_mlp.drawing.subject import Subject, leaf, understand
from tinygrad_mlp.errors import ArgumentError


def describe(
    *things: Any,
    model: Any = None,
    depth: int | None = None,
    collapse: Collection[str] = (),
    values: bool = True,
    grads: bool = True,
    max_nodes: int = 3000,
    histograms: bool = False,
) -> Picture:
    """Everything a drawing of ``things`` shows; the options are those of `tinygrad_mlp.to_dot`."""
    subject = understand(things)
    modules = Modules(model, [tensor.node.scope for tensor in subject.recorded], collapse)
    notes = list(subject.notes)
    boxes = count_boxes(subject, modules, depth)
    wanted = boxes
    while boxes > max_nodes and modules.depth and depth != 0:
        depth = (modules.depth if depth is None else min(depth, modules.depth)) - 1
        boxes = count_boxes(subject, modules, depth)
    if boxes > max_nodes:
        raise ArgumentError(
            "draw", expected=f"at most max_nodes={max_nodes} boxes", got=f"{boxes:,} with all modules folded",
            fix="Draw a part (an earlier Tensor), compute inside a tg.nn.Module so that it can fold, "
            "or raise max_nodes.",
        )  # fmt: skip
    if boxes < wanted:
        notes.append(f"modules folded to depth={depth}: {wanted:,} boxes are more than max_nodes={max_nodes}")
    flow = backward_pass(subject.outputs, subject.recorded) if grads and subject.outputs else Flow()
    if flow.complete and (len(subject.outputs) > 1 or any(output.data.ndim for output in subject.outputs)):
        notes.append("gradients are those of the sum of all outputs")
    if flow.problem:
        notes.append(f"no gradients: {flow.problem}")
    numbers = Numbers(subject, flow, Memory(subject.recorded), values, histograms)
    found = outline(subject, modules, Places(subject.recorded, modules, depth))
    fill_boxes(found, numbers)
    return Picture(
        boxes=list(found.boxes.values()),
        edges=make_edges(found, numbers),
        clusters=list(found.clusters.values()),
        steps=backward_steps(found, numbers),
        facts=facts(found, numbers, modules.roots),
        notes=notes,
    )


def count_boxes(subject: Subject, modules: Modules, depth: int | None) -> int:
    """How many boxes a drawing folded to ``depth`` has, not counting what folded modules are fed with."""
    seen: set[int] = set()
    for tensor in subject.recorded:
        _, fold = modules.place(tensor.node.scope, depth)
        seen.add(id(tensor if fold is None else fold))
        if fold is None:
            leaves = (x for _, x in array_operands(tensor.node.args) if getattr(x, "node", None) is None or leaf(x))
            seen.update(map(id, leaves))
    return len(seen)


def backward_steps(found: Outline, numbers: Numbers) -> list[Step]:
    """The drawing's backward pass, op by op in the order in which the engine ran it."""
    names = {edge: equation for output in numbers.subject.outputs for edge, equation in equations(output).items()}
    sent: dict[int, dict[str, str]] = {}  # id of a result -> edge along which its rules send a gradient -> equation
    for i, uses in enumerate(grouped(found.uses)):
        for use in uses:
            if pair(use) in numbers.flow.edges:
                sent.setdefault(id(use.result), {})[f"e{i}"] = names.get(pair(use), "")
    return [
        Step(found.shown[key].id, tuple(sent[key]), tuple(sent[key].values()))
        for key in numbers.flow.order
        if key in sent
    ]


def facts(found: Outline, numbers: Numbers, roots: list[Any]) -> list[str]:
    """The footer: the network's name, its parameters, the batch size, bytes kept for backward, the outputs."""
    boxes = list(found.boxes.values())
    lines = [f"{type(root).__name__}({root.summary()})" for root in roots]
    if roots:
        count = sum(p.size for p in {id(p): p for root in roots for p in root.parameters()}.values())
    else:
        count = sum(box.parameters for box in boxes if box.kind is Kind.PARAMETER)
    lines.append(f"{count:,} parameter{'' if count == 1 else 's'}")
    batch = next((box.shape[0] for box in boxes if box.kind is Kind.DATA and box.shape), None)
    if roots and batch is not None:
        lines.append(f"batch of {batch}")
    if numbers.subject.recorded:
        lines.append(f"{size_of(numbers.memory.total)} kept for backward")
    return lines + [f"{box.output} {number(box.value)}" for box in boxes if box.output and box.value is not None]

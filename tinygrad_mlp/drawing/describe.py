"""From a recorded graph to the plain data of a picture. Walks are iterative, and nothing in the graph changes."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from tinygrad_mlp.drawing.backward import Flow, backward_pass
from tinygrad_mlp.drawing.builder import Outline, outline
from tinygrad_mlp.drawing.costs import Cost, measure_costs
from tinygrad_mlp.drawing.fill import Numbers, fill_boxes, grouped, make_edges, pair
from tinygrad_mlp.drawing.fit import Folder
from tinygrad_mlp.drawing.kept import Memory
from tinygrad_mlp.drawing.picture import Kind, Picture, Step, View
from tinygrad_mlp.drawing.statistics import number, seconds, size_of
from tinygrad_mlp.drawing.subject import understand
from tinygrad_mlp.drawing.views import (
    MOST,
    Open,
    after_folding,
    after_opening,
    levels,
    places_of,
    ways_to,
    with_stretches,
)

MAX_NODES = 300
SMALL = 20  # no layout of so few boxes takes long
SIMPLER = (40, 12)  # boxes of the drawings to fall back on


@dataclass
class Study:
    """What drawings of one graph have in common, however much of it they fold.

    Attributes
    ----------
    numbers : Numbers
        The graph, and what was measured of it.
    folder : Folder
        Folds it.
    notes : list of str
        For the footer of any drawing.
    """

    numbers: Numbers
    folder: Folder
    notes: list[str]

    def picture(self, depth: int | None = None, max_nodes: int = MAX_NODES) -> Picture:
        """The drawing with so many levels of modules open, and at most so many boxes where that can be."""
        places, folded = self.folder.fit(depth, max_nodes)
        return self.draw(outline(self.numbers.subject, self.folder.modules, places), folded)

    def draw(self, found: Outline, folded: list[str]) -> Picture:
        """The picture of an outline; ``folded`` are notes on what is not drawn open."""
        fill_boxes(found, self.numbers)
        return Picture(
            boxes=list(found.boxes.values()),
            edges=make_edges(found, self.numbers),
            clusters=list(found.clusters.values()),
            steps=backward_steps(found, self.numbers),
            facts=facts(found, self.numbers, self.folder.modules.roots),
            notes=self.notes + folded,
        )

    def views(self, max_nodes: int) -> tuple[list[View], int]:
        """The views of a page, and how many of them are those of whole levels, which come first."""
        folding, notes = self.folder.with_repeats(None, max_nodes)
        folding = with_stretches(folding)
        ways = ways_to(folding)
        whole = levels(ways)
        drawn: dict[Open, Outline] = {}
        for opened in dict.fromkeys([*whole, *ways.values()]):
            places = places_of(folding, self.folder.modules, opened)
            if len(drawn) < MOST and (places.count() <= max_nodes or not drawn):
                drawn[opened] = outline(self.numbers.subject, self.folder.modules, places)
        sets = list(drawn)
        found = []
        for opened, drawing in drawn.items():
            opens = {box: after_opening(opened, group, sets, ways) for box, group in drawing.groups.items()}
            frames = {drawing.clusters[id(group)].id: group for group in opened if id(group) in drawing.clusters}
            folds = {cluster: after_folding(opened, group, sets, ways) for cluster, group in frames.items()}
            picture = self.draw(drawing, notes)
            found.append(View(picture, *({k: v for k, v in d.items() if v is not None} for d in (opens, folds))))
        return found, sum(opened in drawn for opened in whole)

    def pictures(self, depth: int | None, max_nodes: int) -> list[Picture]:
        """The drawing, and simpler ones in case that its layout takes too long."""
        found = [self.picture(depth, max_nodes)]
        for fewer in SIMPLER:
            if len(found[-1].boxes) > max(fewer, SMALL):
                found.append(self.picture(depth, fewer))
                found[-1].notes.append("folded further, because a layout with more boxes took too long")
        return found


def study(
    *things: Any,
    model: Any = None,
    collapse: Collection[str] = (),
    values: bool = True,
    grads: bool = True,
    histograms: bool = False,
    profile: bool = False,
) -> Study:
    """Walk the graph behind ``things``, and back for its gradients; the options are those of `tinygrad_mlp.to_dot`."""
    subject = understand(things)
    notes = list(subject.notes)
    flow = backward_pass(subject.outputs, subject.recorded) if grads and subject.outputs else Flow()
    if flow.complete and (len(subject.outputs) > 1 or any(output.data.ndim for output in subject.outputs)):
        notes.append("gradients are those of the sum of all outputs")
    if flow.problem:
        notes.append(f"no gradients: {flow.problem}")
    costs = measure_costs(subject.recorded, flow.totals) if profile else {}
    folder = Folder(subject.recorded, model, collapse)
    numbers = Numbers(subject, flow, Memory(subject.recorded), values, histograms, costs, folder.modules.names)
    return Study(numbers, folder, notes)


def describe(*things: Any, depth: int | None = None, max_nodes: int = MAX_NODES, **options: Any) -> Picture:
    """Everything a drawing of ``things`` shows; the options are those of `tinygrad_mlp.to_dot`."""
    return study(*things, **options).picture(depth, max_nodes)


def backward_steps(found: Outline, numbers: Numbers) -> list[Step]:
    """The drawing's backward pass, box by box in the order in which the engine came to them."""
    names = numbers.equations
    sent: dict[str, dict[str, str]] = {}  # id of a box -> edge along which it sends a gradient -> equation
    for i, uses in enumerate(grouped(found)):
        for use in uses:
            if pair(use) in numbers.flow.edges:
                sent.setdefault(use.target.id, {})[f"e{i}"] = names.get(pair(use), "")
    order = dict.fromkeys(found.shown[key].id for key in numbers.flow.order)
    return [Step(box, tuple(sent[box]), tuple(sent[box].values())) for box in order if box in sent]


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
    if numbers.costs:
        total = sum(numbers.costs.values(), Cost())
        lines.append(f"{seconds(total.forward)} forward, {seconds(total.backward)} backward")
    return lines + [f"{box.output} {number(box.value)}" for box in boxes if box.output and box.value is not None]

"""From the plain data of a picture to DOT text: pure, and the same bytes for the same picture."""

import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import prod

from tinygrad_mlp.drawing.labels import attributes, footer, parameter, size_text, words
from tinygrad_mlp.drawing.legend import legend
from tinygrad_mlp.drawing.picture import Box, Cluster, Edge, Kind, Picture, State
from tinygrad_mlp.drawing.rule_errors import BLAMED
from tinygrad_mlp.drawing.statistics import number, seconds, shape_text, signed, size_of
from tinygrad_mlp.drawing.styles import FONT, FONT_SIZE, LABELLED_EDGES, SMALL, Theme

# Straight lines and a few rounds of improvement: what graphviz needs to lay out thousands of boxes in a second.
FAST = {"splines": "line", "nslimit": "0.1", "nslimit1": "0.1", "mclimit": "0.01"}


def dot_body(picture: Picture, theme: Theme, *, shapes: bool = True, direction: str = "TB") -> list[str]:
    """The lines between the braces of a digraph."""
    large = len(picture.boxes) > LABELLED_EDGES
    notes = list(picture.notes)
    if large:
        notes.append(f"more than {LABELLED_EDGES} boxes: labels of edges left out; the HTML page shows them on a click")
    label = footer(picture, notes, legend(picture, theme, shapes=shapes))
    setup = {
        "rankdir": direction, "labelloc": "b", "bgcolor": theme.background, "fontname": FONT, "pad": "0.2",
        "nodesep": "0.3", "ranksep": "0.35", "newrank": "true", "fontcolor": theme.text,
    }  # fmt: skip
    edges = {
        "fontname": FONT, "fontsize": SMALL, "fontcolor": theme.muted, "color": theme.line, "arrowsize": "0.7"
    }  # fmt: skip
    lines = [
        f"graph [{attributes(setup | (FAST if large else {}))} label={label}]",
        f"node [{attributes({'fontname': FONT, 'fontsize': FONT_SIZE, 'fontcolor': theme.text, 'height': '0.3'})}]",
        f"edge [{attributes(edges)}]",
    ]
    straight = spine(picture)
    nodes = {box.id: [node(box, theme, shapes=shapes, straight=box.id in straight)] for box in picture.boxes}
    for op, parameters in beside(picture).items():
        nodes[op].append(f"{{rank=same; {'; '.join([*parameters, op])}}}")
    lines += ["  " * depth + line for depth, line in nested(picture, nodes, theme)]
    lines += [
        edge(e, theme, shapes=shapes, labelled=not large, straight={e.source, e.target} <= straight)
        for e in picture.edges
    ]
    return ["\t" + line + "\n" for line in lines]


def spine(picture: Picture) -> set[str]:
    """The boxes from the last output back along first operands: the way of the data, to be drawn as a straight line."""
    first: dict[str, str] = {}
    kinds = {box.id: box.kind for box in picture.boxes}
    for e in picture.edges:
        if kinds[e.source] is not Kind.PARAMETER:
            first.setdefault(e.target, e.source)
    ends = [box.id for box in picture.boxes if box.output is not None or box.kind is Kind.FAILED]
    found: set[str] = set()
    at = ends[-1] if ends else None
    while at is not None and at not in found:
        found.add(at)
        at = first.get(at)
    return found


def beside(picture: Picture) -> dict[str, list[str]]:
    """The parameters that stand beside the one op that uses them, so that the way of the data is a straight line."""
    boxes = {box.id: box for box in picture.boxes}
    uses: dict[str, int] = {}
    fed = set()
    for e in picture.edges:
        uses[e.source] = uses.get(e.source, 0) + 1
        if boxes[e.source].kind is not Kind.PARAMETER:
            fed.add(e.target)
    found: dict[str, list[str]] = {}
    for e in picture.edges:
        source, target = boxes[e.source], boxes[e.target]
        alone = source.kind is Kind.PARAMETER and uses[e.source] == 1 and source.cluster == target.cluster
        if alone and target.kind is Kind.OP and e.target in fed:
            found.setdefault(e.target, []).append(e.source)
    return found


def nested(picture: Picture, nodes: dict[str, list[str]], theme: Theme) -> Iterable[tuple[int, str]]:
    """Clusters with what is in them, then the boxes outside; each line with its depth."""
    inside: dict[str | None, list[str]] = {}
    for box in picture.boxes:
        inside.setdefault(box.cluster, []).extend(nodes[box.id])
    children: dict[str | None, list[Cluster]] = {}
    for c in picture.clusters:
        children.setdefault(c.parent, []).append(c)
    stack: list[tuple[int, Cluster | None]] = [(0, c) for c in reversed(children.get(None, []))]  # None ends a cluster
    while stack:
        depth, cluster = stack.pop()
        if cluster is None:
            yield depth, "}"
            continue
        look = {
            "label": cluster.title, "labelloc": "t", "labeljust": "l", "style": "rounded,filled", "fontsize": FONT_SIZE,
            "fillcolor": theme.module, "color": theme.module_line, "fontcolor": theme.muted, "id": cluster.id,
            "margin": 14,
        }  # fmt: skip
        yield depth, f"subgraph {cluster.id} {{"
        yield depth + 1, f"graph [{attributes(look)}]"
        yield from ((depth + 1, line) for line in inside.get(cluster.id, []))
        stack.append((depth, None))
        stack += [(depth + 1, c) for c in reversed(children.get(cluster.id, []))]
    yield from ((0, line) for line in inside.get(None, []))


def node(box: Box, theme: Theme, *, shapes: bool, straight: bool) -> str:
    """One box: the look of its kind, then what overrides it."""
    look: dict[str, object] = {"id": box.id, "tooltip": hint(box)}
    if box.kind is Kind.PARAMETER:
        return f"{box.id} [{attributes(look | {'shape': 'plain'})} label={parameter(box, theme, shapes=shapes)}]"
    kind = LOOKS[box.kind]
    look = kind.shape | {"fillcolor": getattr(theme, kind.role), "color": getattr(theme, f"{kind.role}_line")} | look
    look |= {"group": "spine"} if straight else {}
    look |= emphasis(box, theme)
    title = f"{box.symbol} = {box.title}" if box.symbol and box.output is None else box.title
    label = [title, *kind.lines(box, shapes=shapes), *output_line(box), *health_lines(box), *cost_line(box)]
    return f"{box.id} [{attributes(look | {'label': label})}]"


def data_lines(box: Box, *, shapes: bool) -> list[str]:
    """What data says under its name."""
    shape = [f"{shape_text(box.shape or ())} {box.dtype}" if shapes else box.dtype]
    return [signed(box.found.mean)] if box.found is not None and box.found.size == 1 and box.found.finite else shape


def module_lines(box: Box, *, shapes: bool) -> list[str]:
    """What a folded module says under its name; all of it with or without shapes."""
    ops = f"{len(box.functions)} op{'s' if len(box.functions) > 1 else ''} folded"
    if not box.parameters:
        return [] if box.title.startswith(f"{len(box.functions)} ops") else [ops]
    if box.shared:
        return [f"{ops}, {box.parameters:,} parameters, shared", f"gradient of all uses: {words(box.gradient)}"]
    return [f"{ops}, {box.parameters:,} parameters", f"gradient: {words(box.gradient)}"]


def cost_line(box: Box) -> list[str]:
    """Time forward and backward, and the bytes of the result, where they were measured."""
    if box.cost is None:
        return []
    return [f"{seconds(box.cost.forward)} + {seconds(box.cost.backward)} back, {size_of(box.cost.result)}"]


def op_lines(box: Box, *, shapes: bool) -> list[str]:
    """What an op says under its name: of a scalar, value and gradient; those of an array stand on the edges."""
    if box.shape is None or box.dtype == "" or prod(box.shape) != 1 or box.times > 1:
        return []
    value = [] if box.found is None or box.output is not None else [signed(box.found.mean)]
    gradient = [] if box.gradient.state is State.NOT_RUN else [f"grad {words(box.gradient)}"]
    return value + gradient if box.found is None or box.found.finite else gradient


@dataclass(frozen=True)
class Look:
    """How a kind of box looks: the roles of its colours, its shape, and the lines under its name."""

    role: str
    shape: dict[str, object]
    lines: Callable[..., list[str]] = op_lines


LOOKS = {
    Kind.DATA: Look("data", {"shape": "box", "style": "filled"}, data_lines),
    Kind.MODULE: Look("module", {"shape": "box3d", "style": "filled"}, module_lines),
    Kind.FAILED: Look("trouble", {"shape": "octagon", "style": "filled", "penwidth": 2, "peripheries": 2}),
    Kind.OP: Look("op", {"shape": "ellipse", "style": "filled", "margin": "0.06,0.03"}),
}


def emphasis(box: Box, theme: Theme) -> dict[str, object]:
    """What changes a box's look: trouble before a missing gradient, that before being an output."""
    look: dict[str, object] = {}
    if box.kind is Kind.OP:
        look["penwidth"] = 1 if box.kept is None else 2.4
        look |= {"shape": "box"} if box.output is not None else {}
    if is_troubled(box):
        look |= {"fillcolor": theme.trouble, "color": theme.trouble_line, "peripheries": 2}
    elif box.output is not None:
        look |= {"fillcolor": theme.output, "color": theme.output_line}
    elif box.kind is Kind.MODULE and box.parameters and box.gradient.state in (State.ZERO, State.NONE):
        look |= {"fillcolor": theme.warning, "color": theme.warning_line}
    return look


def is_troubled(box: Box) -> bool:
    """Whether a box is drawn in red: an op that failed, a value that is not finite, or a wrong rule."""
    infinite = box.found is not None and not box.found.finite and not box.masked
    infinite = infinite or (box.kind is Kind.MODULE and bool(box.health))
    return infinite or box.kind is Kind.FAILED or is_wrong(box)


def is_wrong(box: Box) -> bool:
    """Whether a gradient check blames the rule of an op."""
    return box.error is not None and box.error > BLAMED


def output_line(box: Box) -> list[str]:
    """The name of an output with its value, or its shape where it is no scalar."""
    if box.output is None:
        return []
    return [
        f"{box.output} {shape_text(box.shape or ())}" if box.value is None else f"{box.output} = {number(box.value)}"
    ]


def health_lines(box: Box) -> list[str]:
    """What is wrong with a value, and what a gradient check says of the op's rule."""
    lines = textwrap.wrap(box.health + (", first here" if box.first_trouble else ""), 48) if box.health else []
    if box.error is not None:
        lines.append(f"rule is off by {number(100 * box.error)} %" if is_wrong(box) else "rule is right")
    return lines


def edge(e: Edge, theme: Theme, *, shapes: bool, labelled: bool, straight: bool) -> str:
    """One use of a value."""
    lines = [*shape_line(e, shapes=shapes), *gradient_line(e)]
    look: dict[str, object] = {"id": e.id} | line_style(e, theme)
    if e.loops:
        look |= {"class": "loop", "constraint": "false", "style": "dashed"}
        lines = ["to the next", *lines]
    elif straight:
        look["weight"] = 10
    look["tooltip"] = lines
    if labelled and lines:
        look["label"] = [f" {line} " for line in lines]
    return f"{e.source} -> {e.target} [{attributes(look)}]"


def shape_line(e: Edge, *, shapes: bool) -> list[str]:
    """The shape on an edge, what it was broadcast to, and how often it is used."""
    said: list[str] = []
    if (shapes and e.shape) or e.stretched is not None:
        said.append(shape_text(e.shape) + ("" if e.stretched is None else f" -> {shape_text(e.stretched)}"))
    if e.times > 1:
        said.append(f"(×{e.times})")
    return [" ".join(said)] if said else []


def gradient_line(e: Edge) -> list[str]:
    """The gradient on an edge."""
    gradient = e.gradient
    if gradient.state is State.NUMBER and gradient.found is not None:
        return [f"{e.symbol or 'grad'} {gradient.found.trouble or size_text(gradient)}"]
    zero = "grad 0" if gradient.found is not None and gradient.found.size == 1 else "grad 0 everywhere"
    return {State.ZERO: [zero], State.NONE: ["no grad arrives"]}.get(gradient.state, [])


def line_style(e: Edge, theme: Theme) -> dict[str, object]:
    """Dotted where no gradient flows, dashed where a value was broadcast; red and amber as on boxes."""
    state, found = e.gradient.state, e.gradient.found
    look: dict[str, object] = {"style": "dashed"} if e.stretched is not None else {}
    if state is State.NOT_NEEDED:
        return {"style": "dotted", "color": theme.data_line, "penwidth": 1.4}
    if state in (State.ZERO, State.NONE):
        look |= {"color": theme.warning_line, "fontcolor": theme.warning_line, "penwidth": 2}
    elif found is not None and not found.finite:
        look |= {"color": theme.trouble_line, "fontcolor": theme.trouble_line, "penwidth": 2}
    return look


def hint(box: Box) -> list[str]:
    """What a mouse resting on a box is told."""
    lines = [box.title]
    if box.where:
        lines.append(f"in {box.where}")
    if box.shape is not None:
        lines.append(f"{shape_text(box.shape)} {box.dtype}")
    if box.kept is not None:
        lines.append(f"{size_of(box.kept)} kept for backward")
    return lines

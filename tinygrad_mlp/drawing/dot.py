"""From the plain data of a picture to DOT text: pure, and the same bytes for the same picture."""

import textwrap
from collections.abc import Iterable

from tinygrad_mlp.drawing.labels import attributes, footer, parameter, words
from tinygrad_mlp.drawing.picture import Box, Cluster, Edge, Kind, Picture, State
from tinygrad_mlp.drawing.rule_errors import BLAMED
from tinygrad_mlp.drawing.statistics import extent, number, size_of
from tinygrad_mlp.drawing.styles import FONT, FONT_SIZE, LABELLED_EDGES, SMALL, Theme

# Straight lines and a few rounds of improvement: what graphviz needs to lay out thousands of boxes in a second.
FAST = {"splines": "line", "nslimit": "0.1", "nslimit1": "0.1", "mclimit": "0.01"}


def dot_body(picture: Picture, theme: Theme, *, shapes: bool = True, direction: str = "TB") -> list[str]:
    """The lines between the braces of a digraph."""
    large = len(picture.boxes) > LABELLED_EDGES
    notes = list(picture.notes)
    if large:
        notes.append(f"more than {LABELLED_EDGES} boxes: labels of edges left out; the HTML page shows them on a click")
    label = footer(picture, theme, notes)
    setup = {
        "rankdir": direction, "labelloc": "b", "bgcolor": theme.background, "fontname": FONT, "pad": "0.2",
        "nodesep": "0.3", "ranksep": "0.35", "fontcolor": theme.text,
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
    """One box."""
    look: dict[str, object] = {"id": box.id, "tooltip": hint(box)}
    if box.kind is Kind.PARAMETER:
        return f"{box.id} [{attributes(look | {'shape': 'plain'})} label={parameter(box, theme, shapes=shapes)}]"
    if straight:
        look["group"] = "spine"
    wrong = box.error is not None and box.error > BLAMED
    trouble = wrong or box.kind is Kind.FAILED or (box.found is not None and not box.found.finite)
    trouble = trouble or (box.kind is Kind.MODULE and bool(box.health))
    if trouble:
        look |= {"fillcolor": theme.trouble, "color": theme.trouble_line, "peripheries": 2}
    lines = [box.title]
    if box.kind is Kind.DATA:
        look = {"shape": "box", "style": "filled", "fillcolor": theme.data, "color": theme.data_line} | look
        lines.append((extent(box.shape or ()) + " " if shapes else "") + box.dtype)
    elif box.kind is Kind.MODULE:
        look = {"shape": "box3d", "style": "filled", "fillcolor": theme.module, "color": theme.module_line} | look
        ops = f"{len(box.functions)} op{'s' if len(box.functions) > 1 else ''} folded"
        lines.append(f"{ops}, {box.parameters:,} parameters" if box.parameters else ops)
        lines += [f"gradient: {words(box.gradient)}"] if box.parameters else []
        if box.parameters and not trouble and box.gradient.state in (State.ZERO, State.NONE):
            look |= {"fillcolor": theme.warning, "color": theme.warning_line}
    elif box.kind is Kind.FAILED:
        look = {"shape": "octagon", "style": "filled", "penwidth": 2} | look
    else:
        look = {"shape": "ellipse", "style": "filled", "fillcolor": theme.op, "color": theme.op_line} | look
        look["penwidth"] = 1 if box.kept is None else 2.4
        look["margin"] = "0.06,0.03"
    if box.output is not None:
        value = number(box.value) if box.value is not None else extent(box.shape or ())
        lines.append(f"{box.output} = {value}" if box.value is not None else f"{box.output} {value}")
        look |= {"shape": "box"} if box.kind is Kind.OP else {}
        look |= {} if trouble else {"fillcolor": theme.output, "color": theme.output_line}
    if box.health:
        lines += textwrap.wrap(box.health + (", first here" if box.first_trouble else ""), 48)
    if box.error is not None:
        lines.append(f"rule is off by {number(100 * box.error)} %" if wrong else "rule is right")
    return f"{box.id} [{attributes(look | {'label': lines})}]"


def edge(e: Edge, theme: Theme, *, shapes: bool, labelled: bool, straight: bool) -> str:
    """One use of a value."""
    look: dict[str, object] = {"id": e.id}
    lines = []
    if shapes or e.stretched is not None:
        lines.append(extent(e.shape) + ("" if e.stretched is None else f" -> {extent(e.stretched)}"))
    if e.times > 1:
        lines[-1:] = [" ".join([*lines[-1:], f"(×{e.times})"])]
    state, found = e.gradient.state, e.gradient.found
    if state is State.NOT_NEEDED:
        look |= {"style": "dotted", "color": theme.data_line, "penwidth": 1.4}
    elif e.stretched is not None:
        look["style"] = "dashed"
    if state is State.NUMBER and found is not None:
        lines.append(f"grad {found.trouble or number(found.norm)}")
        if not found.finite:
            look |= {"color": theme.trouble_line, "fontcolor": theme.trouble_line, "penwidth": 2}
    elif state in (State.ZERO, State.NONE):
        lines.append("grad 0 everywhere" if state is State.ZERO else "no grad arrives")
        look |= {"color": theme.warning_line, "fontcolor": theme.warning_line, "penwidth": 2}
    if straight:
        look["weight"] = 10
    look["tooltip"] = lines
    if labelled and lines:
        look["label"] = [f" {line} " for line in lines]
    return f"{e.source} -> {e.target} [{attributes(look)}]"


def hint(box: Box) -> list[str]:
    """What a mouse resting on a box is told."""
    lines = [box.title]
    if box.where:
        lines.append(f"in {box.where}")
    if box.shape is not None:
        lines.append(f"{extent(box.shape)} {box.dtype}")
    if box.kept is not None:
        lines.append(f"{size_of(box.kept)} kept for backward")
    return lines

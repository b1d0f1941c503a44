"""The backward pass as pictures for slides: one drawing, in which the gradients appear op by op."""

import copy
import xml.etree.ElementTree as ET
from collections.abc import Iterator

from tinygrad_mlp.drawing.dot import shape_line
from tinygrad_mlp.drawing.labels import words
from tinygrad_mlp.drawing.picture import Picture, Step
from tinygrad_mlp.drawing.render import Digraph
from tinygrad_mlp.drawing.styles import FONT, THEMES, Theme

NAMESPACES = {"": "http://www.w3.org/2000/svg", "xlink": "http://www.w3.org/1999/xlink"}
SVG = f"{{{NAMESPACES['']}}}"
BOLD = "3"
LINE, LARGE, MARGIN = 18, 13, 14  # of the caption, in points
WIDTH = 0.6  # of a character, relative to its height


def frames(graph: Digraph) -> Iterator[bytes]:
    """The drawing before the backward pass, and after each of its ops, as SVG. All have the same size and layout."""
    picture, svg = graph.laid_out("svg")
    for prefix, uri in NAMESPACES.items():
        ET.register_namespace(prefix, uri)
    drawn = ET.fromstring(svg)  # noqa: S314 - written by our renderer
    captions = [["Forward: every op has its value."], *told(picture)]
    for count, caption in enumerate(captions):
        frame = copy.deepcopy(drawn)
        show(frame, picture, count, shapes=graph.shapes)
        write(frame, caption, captions, THEMES[graph.theme])
        yield ET.tostring(frame, encoding="UTF-8", xml_declaration=True)


def told(picture: Picture) -> Iterator[list[str]]:
    """What is said above each step: which op it is, and what goes where."""
    boxes = {box.id: box for box in picture.boxes}
    edges = {e.id: e for e in picture.edges}
    for number, step in enumerate(picture.steps, 1):
        lines = [f"Backward, step {number} of {len(picture.steps)}: {boxes[step.box].title}"]
        for edge, equation in zip(step.edges, step.equations, strict=True):
            target = boxes[edges[edge].source]
            head = f"{equation}," if equation else f"to {target.symbol or target.title}:"
            lines.append(f"{head} {words(edges[edge].gradient)}")
        yield lines


def show(frame: ET.Element, picture: Picture, count: int, *, shapes: bool) -> None:
    """Hide the gradients that have not arrived after so many steps, and draw bold what the last one did."""
    groups = {group.get("id"): group for group in frame.iter(f"{SVG}g")}
    now = picture.steps[count - 1] if count else Step("", (), ())
    flown = {edge for step in picture.steps[:count] for edge in step.edges}
    for e in picture.edges:
        for text in texts(groups[e.id]) if e.id not in flown else ():
            if content(text) not in shape_line(e, shapes=shapes):
                text.set("visibility", "hidden")
    complete = {e.source for e in picture.edges} - {e.source for e in picture.edges if e.id not in flown}
    for box in picture.boxes:
        for text in texts(groups[box.id]) if box.id not in complete and not (box.output and count) else ():
            if content(text).startswith("grad"):
                text.set("visibility", "hidden")
    for name in (now.box, *now.edges) if count else ():
        for shape in groups[name].iter():
            if shape.tag in (f"{SVG}path", f"{SVG}polygon", f"{SVG}ellipse") and shape.get("stroke") != "transparent":
                shape.set("stroke-width", BOLD)
        for text in texts(groups[name]):
            text.set("font-weight", "bold")


def texts(group: ET.Element) -> list[ET.Element]:
    """The texts in a group."""
    return list(group.iter(f"{SVG}text"))


def content(text: ET.Element) -> str:
    """What a text says."""
    return (text.text or "").strip()


def write(frame: ET.Element, caption: list[str], captions: list[list[str]], theme: Theme) -> None:
    """Put a caption above the drawing, in room enough for the longest of all captions."""
    _, _, width, height = map(float, (frame.get("viewBox") or "").split())
    above = MARGIN + LINE * max(map(len, captions))
    wide = max(width, 2 * MARGIN + WIDTH * LARGE * max(len(line) for lines in captions for line in lines))
    frame.set("viewBox", f"0 {-above} {wide:g} {height + above:g}")
    frame.set("width", f"{wide:g}pt")
    frame.set("height", f"{height + above:g}pt")
    paper = ET.Element(
        f"{SVG}rect", x="0", y=str(-above), width=f"{wide:g}", height=f"{height + above:g}", fill=theme.background
    )
    frame.insert(0, paper)
    for i, line in enumerate(caption):
        look = {"x": str(MARGIN), "y": str(LINE * (i + 1) - above), "font-family": f"{FONT},sans-serif"}
        look |= {"font-size": str(LARGE), "fill": theme.text} | ({} if i else {"font-weight": "bold"})
        ET.SubElement(frame, f"{SVG}text", look).text = line

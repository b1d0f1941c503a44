"""How drawings read: arrows that point up, labels that overlap, seconds, and size, counted from the SVG.

``python tests/benchmarks/drawings.py [--peers PYTHON] [--keep DIRECTORY]`` prints the table of ``docs/performance.md``.
With ``--peers``, the same networks are drawn by torchview, in that Python; ``--keep`` leaves all pictures there.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from itertools import combinations, product
from pathlib import Path

from networks import Ours, Torch, network

SCREEN = 1280, 800  # pixels
PIXELS = 96 / 72  # per point, the unit of an SVG by graphviz
SVG = "{http://www.w3.org/2000/svg}"
KINDS = "node", "edge"
NARROW = " .,:;ijl|!'()[]"
SECONDS = 120
NAMES = {
    "mlp": "MLP", "residual": "residual net, 3 blocks", "rnn5": "RNN, 5 steps", "rnn100": "RNN, 100 steps",
    "attention": "attention block", "lenet": "LeNet", "micrograd": "micrograd's example",
    "chain300": "chain of 300 ops", "chain3000": "chain of 3,000 ops", "random": "random graph of 50 ops",
}  # fmt: skip


# -- geometry ----------------------------------------------------------------------------------------------------


def measure(svg):
    """Arrows up, not counting those of loops; overlaps of labels; width and height in screens."""
    root = ET.fromstring(svg)  # noqa: S314 - graphviz wrote it
    nodes, edges = ([g for g in root.iter(f"{SVG}g") if kind in (g.get("class") or "").split()] for kind in KINDS)
    up = sum(points_up(g) for g in edges if "loop" not in g.get("class").split())
    labels = [box for g in edges if (box := text_box(g)) is not None]
    boxes = [box for g in nodes if (box := outline(g)) is not None]
    overlaps = sum(overlap(a, b) for a, b in [*combinations(labels, 2), *product(labels, boxes)])
    width, height = (float(root.get(side).removesuffix("pt")) * PIXELS for side in ("width", "height"))
    return up, overlaps, width / SCREEN[0], height / SCREEN[1]


def points_up(edge):
    """Whether an arrow ends higher than it begins, by more than its head."""
    points = re.findall(r"(-?[\d.]+),(-?[\d.]+)", edge.find(f".//{SVG}path").get("d"))
    return float(points[-1][1]) < float(points[0][1]) - 8


def text_box(group):
    """The rectangle of a label: left, top, right, bottom; the width is that of Helvetica, narrow characters apart."""
    texts = [t for t in group.iter(f"{SVG}text") if (t.text or "").strip()]
    if not texts:
        return None
    size = float(texts[0].get("font-size"))
    width = size * max(sum(0.28 if c in NARROW else 0.56 for c in t.text.strip()) for t in texts)
    x, rows = float(texts[0].get("x")), [float(t.get("y")) for t in texts]
    return x - width / 2, min(rows) - 0.75 * size, x + width / 2, max(rows) + 0.2 * size


def outline(group):
    """The rectangle of a box."""
    points = []
    for shape in group.iter():
        if shape.tag == f"{SVG}ellipse":
            cx, cy, rx, ry = (float(shape.get(name)) for name in ("cx", "cy", "rx", "ry"))
            points += [(cx - rx, cy - ry), (cx + rx, cy + ry)]
        elif shape.tag in (f"{SVG}polygon", f"{SVG}path"):
            found = re.findall(r"(-?[\d.]+),(-?[\d.]+)", shape.get("points") or shape.get("d"))
            points += [(float(x), float(y)) for x, y in found]
    return (*map(min, *points), *map(max, *points)) if points else None


def overlap(a, b):
    """Whether two rectangles share more than a point's breadth."""
    return min(a[2], b[2]) - max(a[0], b[0]) > 1 and min(a[3], b[3]) - max(a[1], b[1]) > 1


# -- runs --------------------------------------------------------------------------------------------------------


def draw_ours(name, target):
    """Draw one network, and answer with the seconds, drawing and layout together."""
    import warnings

    import tinygrad_mlp as tg

    warnings.simplefilter("ignore")
    model, x = network(Ours(), name)
    loss = model(x)
    start = time.perf_counter()
    tg.draw(loss, path=target)
    return time.perf_counter() - start


def draw_torchview(name, target):
    """The same by torchview."""
    from torchview import draw_graph

    lib = Torch()
    model, x = network(lib, name)
    start = time.perf_counter()
    graph = draw_graph(model, input_data=x, depth=9, expand_nested=True, graph_name=name).visual_graph
    Path(target).write_bytes(graph.pipe("svg"))
    return time.perf_counter() - start


def run(python, how, name, directory, renderer=""):
    """Draw in a process of its own: the cells of the table, or the reason why there are none."""
    target = Path(directory, f"{name}-{how}-{Path(renderer).name or 'dot'}.svg")
    here = str(Path(__file__).parents[2])
    environment = os.environ | {"TINYGRAD_MLP_DOT": renderer, "PYTHONPATH": here}
    command = [python, __file__, "--one", how, name, str(target)]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=SECONDS, check=True)
    except subprocess.TimeoutExpired:
        return [f"over {SECONDS} s", "", "", ""]
    except subprocess.CalledProcessError as error:
        return [error.stderr.strip().splitlines()[-1][:60], "", "", ""]
    up, overlaps, width, height = measure(target.read_text(encoding="utf-8"))
    return [f"{float(done.stdout):.2f}", str(up), str(overlaps), f"{width:.1f} × {height:.1f}"]


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", metavar="PYTHON", help="a Python that has torch and torchview")
    parser.add_argument("--keep", metavar="DIR", help="where to leave the pictures (default: nowhere)")
    parser.add_argument("--one", nargs=3, metavar=("HOW", "NAME", "FILE"), help="draw one network, print the seconds")
    options = parser.parse_args()
    if options.one:
        how, name, target = options.one
        print({"ours": draw_ours, "torchview": draw_torchview}[how](name, target))
        return
    from tinygrad_mlp.drawing.render import renderers

    with tempfile.TemporaryDirectory() as scratch:
        directory = options.keep or scratch
        Path(directory).mkdir(exist_ok=True)
        contenders = [(Path(program).name, sys.executable, "ours", program) for program in renderers()]
        if options.peers:
            contenders.append(("torchview", options.peers, "torchview", ""))
        print("| network | drawn by | seconds | arrows up | overlaps | screens, width × height |")
        print("|---|---|---|---|---|---|")
        for name, words in NAMES.items():
            for label, python, how, renderer in contenders:
                cells = run(python, how, name, directory, renderer)
                print(f"| {words} | {label} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()

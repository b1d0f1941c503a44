"""The backward pass as slides: nothing moves, and each number appears when it is known."""

import xml.etree.ElementTree as ET
from itertools import pairwise

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp.errors import ArgumentError

SVG = "{http://www.w3.org/2000/svg}"


def leaf(name, shape=()):
    values = np.arange(1.0, 1.0 + np.prod(shape)).reshape(shape)
    return tg.Tensor(values, requires_grad=True, name=name)


def network():
    model = tg.nn.MLP(4, 3, 2, rng=0)
    return tg.cross_entropy(model(np.ones((5, 4), np.float32)), np.array([0, 1, 0, 1, 1]))


def diamond():
    x = leaf("x")
    return np.tanh(x) * x + x


GRAPHS = {
    "a product": lambda: leaf("x") * leaf("w"),
    "a network": network,
    "a diamond": diamond,
    "a broadcast": lambda: np.sum(leaf("x", (2, 3)) * leaf("b", (3,))),
    "several outputs": lambda: (lambda x: (np.sin(x), np.cos(x)))(leaf("x", (3,))),
    "nothing for a part": lambda: leaf("x") * tg.Tensor(2.0, name="c"),
}


def frames(directory, *outputs, **options):
    paths = tg.draw_steps(*outputs, directory=directory, **options)
    return [ET.fromstring(path.read_bytes()) for path in paths]  # noqa: S314 - our own


def visible(frame, names=None):
    """What texts say that are shown: of all groups, or of the boxes and edges of these ids."""
    groups = [g for g in frame.iter(f"{SVG}g") if g.get("id") in names] if names is not None else [frame]
    return [t.text.strip() for g in groups for t in g.iter(f"{SVG}text") if t.get("visibility") != "hidden" and t.text]


@pytest.mark.parametrize("graph", GRAPHS)
def test_nothing_moves_and_gradients_only_appear(graph, tmp_path):
    """Property: all frames have one size and layout, each shows what the one before it did, the last one everything."""
    made = GRAPHS[graph]()
    outputs = made if isinstance(made, tuple) else (made,)
    whole = tg.draw(*outputs)
    everything = frames(tmp_path, *outputs)
    assert len(everything) == 1 + len(whole.picture.steps) > 1
    assert len({(f.get("width"), f.get("height"), f.get("viewBox")) for f in everything}) == 1
    assert (
        len({tuple(p.get("d") or p.get("points") for p in f.iter() if p.tag != f"{SVG}text") for f in everything}) == 1
    )
    names = {item.id for item in (*whole.picture.boxes, *whole.picture.edges)}
    shown = [visible(frame, names) for frame in everything]
    assert all(set(before) <= set(after) for before, after in pairwise(shown))
    assert shown[-1] == visible(ET.fromstring(whole.rendered("svg")), names)  # noqa: S314 - our own
    assert not [text for text in shown[0] if text.startswith("grad")]


def test_a_gradient_that_is_added_up_appears_when_it_is_whole(tmp_path):
    x = diamond()
    picture = tg.draw(x).picture
    (leaf_box,) = [box for box in picture.boxes if box.title == "x"]
    last = max(i for i, step in enumerate(picture.steps, 1) for e in picture.edges if e.id in step.edges
               and e.source == leaf_box.id)  # fmt: skip
    told = ["gradient" in " ".join(visible(frame, {leaf_box.id})) for frame in frames(tmp_path, x)]
    assert told == [i >= last for i in range(len(told))]


def test_captions_tell_the_step_its_equations_and_what_arrived(tmp_path):
    captions = [visible(frame)[-3:] for frame in frames(tmp_path, network())]
    assert captions[0][-1] == "Forward: every op has its value."
    assert captions[3][0] == "Backward, step 3 of 6: matmul"
    assert captions[3][1].startswith("δh = δz W₂ᵀ, norm ")
    assert captions[3][2].startswith("∇W₂ = hᵀ δz, norm ")
    first = visible(frames(tmp_path, GRAPHS["a product"]())[1])
    assert first[-3:] == ["Backward, step 1 of 1: multiply", "to x: 1", "to w: 1"]


def test_what_a_step_did_is_bold(tmp_path):
    graph = GRAPHS["a product"]()
    for number, frame in enumerate(frames(tmp_path, graph)):
        (edge,) = [g for g in frame.iter(f"{SVG}g") if g.get("id") == "e0"]
        assert (next(edge.iter(f"{SVG}path")).get("stroke-width") == "3") == (number == 1)


def test_themes_and_files(tmp_path):
    """A chain of ten needs two digits; the paper has the colour of the theme."""
    x = leaf("x")
    for _ in range(10):
        x = np.tanh(x)
    first, *_ = frames(tmp_path / "new" / "slides", x, theme="dark")
    assert next(first.iter(f"{SVG}rect")).get("fill") == "#14181d"
    assert sorted(p.name for p in (tmp_path / "new" / "slides").iterdir()) == [f"step-{i:02}.svg" for i in range(11)]


@pytest.mark.parametrize("options", [{}, {"grads": False}])
def test_without_a_backward_pass_there_are_no_steps(options, tmp_path):
    x = tg.Tensor(1.0) * 2 if not options else leaf("x") * 2
    with pytest.raises(
        ArgumentError, match=r"expected outputs that gradients flow back from, got none\. Draw a result"
    ):
        tg.draw_steps(x, directory=tmp_path / "slides", **options)
    assert not (tmp_path / "slides").exists()

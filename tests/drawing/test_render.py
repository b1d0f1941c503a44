"""Files, renderers, and what happens where there is none."""

import html
import os
import re
import stat
import time

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp.drawing import render as rendering
from tinygrad_mlp.errors import RendererNotFound

STARTS = {"svg": b"<?xml", "png": b"\x89PNG", "html": b"<!doctype html>", "dot": b'digraph "graph"', "gv": b"digraph"}


def graph():
    x = tg.Tensor([1.0, 2.0], requires_grad=True, name="x")
    return (x * x).sum()


@pytest.fixture
def nothing_installed(monkeypatch):
    """Neither dot nor graphviz-pure can be found."""
    monkeypatch.delenv("TINYGRAD_MLP_DOT", raising=False)
    monkeypatch.setattr(rendering.shutil, "which", lambda *args, **kwargs: None)


def program(directory, script):
    """An executable that runs a shell script."""
    path = directory / "renderer"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.mark.parametrize("kind", STARTS)
def test_the_ending_says_the_format(kind, tmp_path):
    path = tmp_path / f"graph.{kind}"
    drawing = tg.draw(graph(), path=path)
    assert path.read_bytes().startswith(STARTS[kind])
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert drawing.source.startswith("digraph")


def test_a_path_may_be_a_string_and_the_ending_in_capitals(tmp_path):
    tg.draw(graph(), path=str(tmp_path / "graph.SVG"))
    assert (tmp_path / "graph.SVG").read_bytes().startswith(b"<?xml")


def test_without_a_renderer_the_text_is_written_and_the_error_says_what_to_install(nothing_installed, tmp_path):
    with pytest.raises(RendererNotFound) as caught:
        tg.draw(graph(), path=tmp_path / "graph.svg")
    assert str(caught.value) == (
        "draw: expected a program that renders svg, got neither TINYGRAD_MLP_DOT, nor dot, nor graphviz-pure. "
        "pip install graphviz-pure; for PDF as well, Graphviz itself: apt install graphviz, brew install graphviz."
    )
    assert caught.value.__notes__ == [f"The drawing is in {tmp_path / 'graph.dot'}, as text."]
    assert (tmp_path / "graph.dot").read_text().startswith("digraph")


@pytest.mark.parametrize("name", ["graph.nonsense", "graph"])
def test_an_unknown_format_is_named(name, tmp_path):
    with pytest.raises(RendererNotFound, match=r"expected a program that renders (nonsense|the format)"):
        tg.draw(graph(), path=tmp_path / name)
    assert (tmp_path / "graph.dot").exists()


def test_the_environment_variable_comes_first(monkeypatch, tmp_path):
    monkeypatch.setenv("TINYGRAD_MLP_DOT", str(program(tmp_path, 'echo "mine $1"')))
    tg.draw(graph(), path=tmp_path / "graph.pdf")
    assert (tmp_path / "graph.pdf").read_text() == "mine -Tpdf\n"


@pytest.mark.parametrize(("script", "words"), [("echo too old >&2; exit 3", "too old"), (None, "No such file")])
def test_a_chosen_program_that_fails_is_not_replaced_in_silence(script, words, monkeypatch, tmp_path):
    chosen = program(tmp_path, script) if script else tmp_path / "missing"
    monkeypatch.setenv("TINYGRAD_MLP_DOT", str(chosen))
    with pytest.raises(RendererNotFound, match=words):
        tg.draw(graph(), path=tmp_path / "graph.svg")


def test_the_next_program_is_tried_where_one_fails(monkeypatch, tmp_path):
    """A dot that cannot write the format does not keep graphviz-pure from doing it."""
    broken, pure = str(program(tmp_path, "exit 1")), rendering.renderers()[-1]
    monkeypatch.setattr(rendering, "renderers", lambda: [broken, pure])
    tg.draw(graph(), path=tmp_path / "graph.svg")
    assert (tmp_path / "graph.svg").read_bytes().startswith(b"<?xml")


def test_order_of_the_programs(monkeypatch):
    monkeypatch.delenv("TINYGRAD_MLP_DOT", raising=False)
    monkeypatch.setattr(rendering.shutil, "which", lambda name, path=None: f"{name}, {path is not None}")
    assert rendering.renderers() == ["dot, False", "graphviz-pure, True"]
    monkeypatch.setenv("TINYGRAD_MLP_DOT", "mine")
    assert rendering.renderers() == ["mine"]


def test_graphviz_pure_is_found_beside_the_python_that_runs(monkeypatch):
    """Also where the virtual environment is not activated."""
    monkeypatch.delenv("TINYGRAD_MLP_DOT", raising=False)
    monkeypatch.setenv("PATH", os.devnull)
    assert [os.path.basename(p).split(".")[0] for p in rendering.renderers()] == ["graphviz-pure"]  # noqa: PTH119 - as the code under test


def test_notebooks_get_the_page_that_steps_and_a_still_picture():
    """The page is the whole file, escaped, so that nothing in it can end the attribute it stands in."""
    drawing = tg.draw(graph())
    bundle = drawing._repr_mimebundle_(include=None, exclude=None)
    assert sorted(bundle) == ["image/svg+xml", "text/html"]
    assert "<svg" in bundle["image/svg+xml"]
    frame = re.fullmatch(r'<iframe srcdoc="([^"<>]*)" style="[^"<>]*"></iframe>', bundle["text/html"])
    assert html.unescape(frame[1]) == drawing.page()
    assert "Step through backward" in frame[1]


def test_notebooks_get_the_still_picture_alone_if_asked_to():
    for drawing in (tg.draw(graph(), interactive=False), tg.to_dot(graph())):
        assert list(drawing._repr_mimebundle_()) == ["image/svg+xml"]


def test_notebooks_get_text_where_nothing_renders(nothing_installed):
    bundle = tg.draw(graph())._repr_mimebundle_()
    assert list(bundle) == ["text/plain"]


def test_two_thousand_ops_have_straight_lines_and_no_labels_on_edges():
    """What graphviz lays out in a second; with labels and curves it takes 40 times as long."""
    x = tg.Tensor(1.0, requires_grad=True)
    for _ in range(2000):
        x = np.tanh(x) * x
    source = tg.to_dot(x, max_nodes=30_000, time_limit=60.0).source
    assert 'splines="line"' in source
    assert "labels of edges left out" in source
    assert not [line for line in source.splitlines() if "->" in line and "e17" in line and " label=" in line]


def chain(steps):
    y = tg.Tensor([1.0, 2.0], requires_grad=True, name="x")
    for i in np.random.default_rng(0).integers(0, 3, steps):
        y = (np.tanh, np.sin, np.cos)[i](y)
    return np.sum(y)


def test_a_layout_that_takes_too_long_is_given_up_for_a_simpler_one(monkeypatch, tmp_path):
    """The renderer that is too slow for more than 100 lines is killed, and the drawing folded until it is not."""
    log = tmp_path / "log"
    script = f'echo $$ >>{log}; n=$(wc -l); [ "$n" -gt 100 ] && exec sleep 60; echo "$n lines"'
    monkeypatch.setenv("TINYGRAD_MLP_DOT", str(program(tmp_path, script)))
    start = time.monotonic()
    drawing = tg.draw(chain(200), path=tmp_path / "graph.svg", time_limit=1.0)
    assert time.monotonic() - start < 5
    assert len(drawing.picture.boxes) > 100
    assert (tmp_path / "graph.svg").read_text().endswith("lines\n")
    first, *_ = log.read_text().split()
    with pytest.raises(ProcessLookupError):
        os.kill(int(first), 0)
    assert drawing.laid_out("svg")[0].notes[-1] == "folded further, because a layout with more boxes took too long"


def test_no_drawing_simple_enough_is_an_error_that_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("TINYGRAD_MLP_DOT", str(program(tmp_path, "exec sleep 60")))
    with pytest.raises(RendererNotFound, match=r"a layout within the time limit, got none from .* in 0.2 s. Raise"):
        tg.draw(graph(), path=tmp_path / "graph.svg", time_limit=0.2)


def test_no_arrow_points_up(monkeypatch):
    """A parameter beside an op in one module may not pull another module up: what dot does without newrank."""
    rng = np.random.default_rng(0)

    class Block(tg.nn.Module):
        def __init__(self):
            self.fc1, self.fc2 = tg.nn.Linear(4, 4, rng=rng), tg.nn.Linear(4, 4, rng=rng)

        def forward(self, x):
            return x + self.fc2(tg.relu(self.fc1(x)))

    drawing = tg.draw(tg.nn.Sequential(Block(), Block(), Block())(np.ones((2, 4), np.float32)).sum())
    for renderer in rendering.renderers():
        monkeypatch.setenv("TINYGRAD_MLP_DOT", renderer)
        svg = drawing.rendered("svg").decode()
        paths = re.findall(r'class="edge">.*?<path [^>]*d="M[-\d.]+,([-\d.]+)C[^"]*,([-\d.]+)"', svg, re.DOTALL)
        assert len(paths) > 30
        assert [path for path in paths if float(path[1]) < float(path[0]) - 8] == []

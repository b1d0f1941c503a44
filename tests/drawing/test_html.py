"""The page, without a browser."""

import json
import re

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp.commands.network import draw_network
from tinygrad_mlp.commands.run_report import write_report
from tinygrad_mlp.errors import DataError


def written(path, *outputs, **options):
    tg.draw(*outputs, path=path, **options)
    return path.read_text(encoding="utf-8")


def data_of(page, view=None):
    """The data of a view; by default, of the one with all modules open."""
    data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)[1])
    return data["views"][data["levels"][-1] if view is None else view]


def small_loss(name="x"):
    model = tg.nn.MLP(4, 3, 2, rng=0)
    x = tg.Tensor(np.ones((5, 4), np.float32), name=name)
    return tg.cross_entropy(model(x), np.array([0, 1, 1, 0, 1]))


def test_the_page_holds_everything_and_asks_for_nothing(tmp_path):
    """No address but those of namespaces, no file, no import; a policy that forbids the network."""
    page = written(tmp_path / "graph.html", small_loss())
    addresses = set(re.findall(r"(?:https?:)?//[\w.]+[^\s\"'<]*", page))
    assert {a for a in addresses if a.startswith("http")} <= {
        "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink", "http://www.w3.org/1999/xhtml",
    }  # fmt: skip
    assert not re.search(r"\b(src|href)=\"(?!data:|#)", page)
    assert "default-src 'none'" in page


def test_every_box_edge_and_step_has_its_place_in_the_svg(tmp_path):
    page = written(tmp_path / "graph.html", small_loss())
    drawings = re.findall(r"<template>(.*?)</template>", page, re.DOTALL)
    assert len(drawings) == 5  # three levels, and each layer alone
    for i, drawing in enumerate(drawings):
        data = data_of(page, i)
        ids = set(re.findall(r'<g id="(\w+)" class="(?:node|edge)"', drawing))
        assert ids == set(data["boxes"]) | set(data["edges"])
        assert {e for step in data["steps"] for e in step["edges"]} <= set(data["edges"])
        assert set(data["folds"]) == set(re.findall(r'<g id="(\w+)" class="cluster"', drawing))
    assert [step["op"] for step in data_of(page)["steps"]] == [
        "cross_entropy",
        "add",
        "matmul",
        "relu",
        "add",
        "matmul",
    ]


def test_the_panel_tells_the_rule_as_registered(tmp_path):
    data = data_of(written(tmp_path / "graph.html", small_loss()))
    (relu,) = [box for box in data["boxes"].values() if box["title"] == "relu"]
    assert relu["rules"][0]["line"].startswith("derivative(relu,")
    assert relu["rules"][0]["where"].startswith("activations.py, line ")
    assert dict(relu["lines"])["kept for backward"] == "60 B"
    assert sum(relu["value"]["histogram"]) == 15


def test_users_text_cannot_end_the_script(tmp_path):
    page = written(tmp_path / "graph.html", small_loss("</script><script>alert(1)</script>"))
    assert "<script>alert" not in page
    assert "</script><script>alert(1)</script>" in [box["title"] for box in data_of(page)["boxes"].values()]


@pytest.mark.parametrize(("theme", "fixed"), [("light", None), ("dark", "dark"), ("print", "light")])
def test_the_theme_is_what_the_page_starts_with(theme, fixed, tmp_path):
    page = written(tmp_path / "graph.html", small_loss(), theme=theme)
    found = re.search(r"<html[^>]*data-theme=\"(\w+)\"", page)
    assert (found and found[1]) == fixed
    assert 'fill="var(--op)"' in page
    assert not re.search(r'(fill|stroke)="#', page[page.index("<svg") : page.index("</svg>")])


@pytest.mark.parametrize("kind", ["html", "svg", "dot"])
def test_a_network_at_work_on_images(kind, tmp_path, small_data):
    path = tmp_path / f"graph.{kind}"
    model = tg.nn.MLP(64, 7, 3, rng=0)
    drawing = draw_network(path, model, source=small_data, batch_size=10)
    text = path.read_text(encoding="utf-8")
    assert "images" in text
    assert "labels" in text
    assert drawing.picture.facts[:3] == ["MLP(64 → 7 → 3)", "479 parameters", "batch of 10"]
    assert all(p.grad is None for p in model.parameters())


def test_the_network_of_the_document_is_drawn_unless_told_otherwise(tmp_path):
    assert draw_network(tmp_path / "graph.dot").picture.facts[:3] == [
        "MLP(784 → 128 → 10)", "101,770 parameters", "batch of 128",
    ]  # fmt: skip


@pytest.fixture
def run(tmp_path):
    (tmp_path / "config.toml").write_text('optimizer = "<adamw>"\n')
    epochs = [{"epoch": 1, "train_loss": 0.5, "val_accuracy": 0.25}, {"epoch": 2, "test_accuracy": 0.975}]
    (tmp_path / "history.json").write_text(json.dumps(epochs))
    (tmp_path / "curves.png").write_bytes(b"\x89PNG")
    return tmp_path


def test_a_report_is_one_file_with_everything(run):
    text = write_report(run, small_loss()).read_text(encoding="utf-8")
    order = [
        text.index(words) for words in ("97.50 % of the test images", "<svg", "image/png", "<td>0.5</td>", "&lt;ad")
    ]
    assert order == sorted(order)
    assert "confusion.png was not made." in text
    assert "cross_entropy" in text


def test_a_report_without_a_renderer_has_the_graph_as_text(run, monkeypatch):
    monkeypatch.setenv("TINYGRAD_MLP_DOT", str(run / "missing"))
    text = write_report(run, small_loss()).read_text(encoding="utf-8")
    assert "digraph &quot;graph&quot;" in text


def test_a_report_needs_a_run(tmp_path):
    with pytest.raises(DataError, match=r"a training run with history\.json"):
        write_report(tmp_path)


def test_opening_and_folding_lead_to_views_that_show_it(tmp_path):
    """Whatever is folded in a view can be opened, and the view to go to shows what is in it, and what is open folds."""
    page = written(tmp_path / "graph.html", small_loss())
    count = len(re.findall("<template>", page))
    for i in range(count):
        data = data_of(page, i)
        folded = {key: box for key, box in data["boxes"].items() if dict(box["lines"])["kind"] == "module"}
        assert set(folded) == set(data["opens"])
        for key, to in data["opens"].items():
            assert folded[key]["title"] not in [box["title"] for box in data_of(page, to)["boxes"].values()]
            assert len(data_of(page, to)["folds"]) > 0
        for to in data["folds"].values():
            assert len(data_of(page, to)["opens"]) > 0


def test_a_large_flat_graph_has_stretches_that_open(tmp_path):
    functions = [np.tanh, np.sin, np.cos]
    y = tg.Tensor([1.0, 2.0], requires_grad=True, name="x")
    for i in np.random.default_rng(0).integers(0, 3, 1000):
        y = functions[i](y)
    page = written(tmp_path / "graph.html", np.sum(y))
    first = data_of(page, 0)
    assert 10 < len(first["boxes"]) <= 60
    opened = data_of(page, min(first["opens"].values()))
    assert len(opened["boxes"]) > len(first["boxes"])

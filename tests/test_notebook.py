"""What notebooks show: models as trees, histories as curves, drawings as pages, progress as a bar."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_mlp as tg
from tinygrad_mlp.train import History


class Page(HTMLParser):
    """The elements and the words of some HTML; an element that is not closed, or closed twice, is an error."""

    def __init__(self, source):
        super().__init__()
        self.open, self.found, self.words = [], [], []
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)
        self.found.append((tag, dict(attributes), len(self.open)))

    def handle_startendtag(self, tag, attributes):
        self.found.append((tag, dict(attributes), len(self.open)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append((data, tuple(self.open)))

    def lines(self):
        return [words for words, inside in self.words if words.strip()]


EVIL = "<script>alert(\"&amp;')</script>"


def test_a_model_is_a_tree_that_opens_and_closes():
    """The lines of its repr; one with modules inside is the summary of what it can hide."""
    model = tg.nn.Sequential(tg.nn.MLP(3, 4, 2, rng=0), tg.nn.Sequential(tg.nn.Sequential(tg.nn.ReLU())), tg.nn.Tanh())
    page = Page(model._repr_html_())
    assert page.lines() == [line.strip() for line in repr(model).splitlines()]
    summaries = [words.split(":")[0] for words, inside in page.words if inside[-1:] == ("summary",)]
    assert summaries == ["Sequential()  # 26 parameters", "(0)", "(1)", "(0)"]
    assert [tag for tag, attributes, _ in page.found if "open" in attributes] == ["details"], "only the outermost"
    depth = {words.strip(): inside.count("details") for words, inside in page.words}
    assert [depth[line.strip()] for line in repr(model).splitlines()] == [1, 2, 2, 2, 2, 2, 3, 3, 1]


def test_what_models_and_histories_hold_is_escaped():
    model = tg.nn.Module()
    model.parts = {EVIL: tg.nn.ReLU(), "b": type(EVIL, (tg.nn.Module,), {})()}
    history = History([{"epoch": 1, f"{EVIL}_loss": 1.0, "train_loss": 2.0}])
    for shown in (model._repr_html_(), history._repr_html_()):
        page = Page(shown)
        assert "script" not in {tag for tag, *_ in page.found}
        assert EVIL in "".join(page.lines())


numbers = st.none() | st.floats() | st.floats(-1, 1)


@given(st.lists(st.tuples(numbers, numbers, numbers), max_size=6))
def test_a_history_is_its_curves(rows):
    """Property: each number that is finite is a point inside its plot, and a gap, NaN or infinity parts a curve."""
    names = ["train_loss", "val_loss", "val_accuracy"]
    history = History({"epoch": i, **dict(zip(names, row, strict=True))} for i, row in enumerate(rows, start=1))
    page = Page(history._repr_html_())
    finite = {n: [v is not None and np.isfinite(v) for v in history.column(n)] for n in names}
    kinds = [names[:2], names[2:]]
    svgs = [attributes for tag, attributes, _ in page.found if tag == "svg"]
    assert len(svgs) == sum(any(any(finite[n]) for n in kind) for kind in kinds)
    curves = [a["d"] for tag, a, _ in page.found if tag == "path" and a["stroke"] != "currentColor"]
    begin = [sum(now and not before for before, now in zip([False, *f], f, strict=False)) for f in finite.values()]
    assert len(curves) == sum(begin)
    points = [tuple(map(float, point)) for d in curves for point in re.findall(r"([-\d.]+) ([-\d.]+)", d)]
    assert len(points) == sum(map(sum, finite.values()))
    assert all(0 <= x <= 360 and 0 <= y <= 220 for x, y in points)


def test_curves_fall_where_losses_fall():
    history = History(
        [{"epoch": i, "train_loss": 1 / i, "val_loss": 2.0, "lr": 0.1, "seconds": 3.0} for i in (1, 2, 3)]
    )
    page = Page(history._repr_html_())
    train, val, _ = [a["d"] for tag, a, _ in page.found if tag == "path" and a["stroke"] != "currentColor"]
    heights = [float(y) for y in re.findall(r" ([\d.]+)", train)]
    assert heights == sorted(heights), "further down on the screen"
    assert len({*re.findall(r" ([\d.]+)", val)}) == 1
    assert page.lines() == [
        "0.3333",
        "2",
        "1",
        "3",
        "train_loss 0.3333",
        "val_loss 2",
        "0.05",
        "0.15",
        "1",
        "3",
        "lr 0.1",
    ]
    assert History()._repr_html_() == "<p>no epochs yet</p>"


CELL = """
import numpy as np, tinygrad_mlp as tg
x, y = np.eye(4, dtype=np.float32), np.arange(4) % 2
model = tg.nn.MLP(4, 8, 2, rng=0)
trainer = tg.train.Trainer(model, tg.optim.SGD(model.parameters(), 0.1), callbacks=[tg.train.Progress()])
display(trainer.fit((x, y), None, epochs=2, batch_size=2, rng=0), model, tg.draw(tg.cross_entropy(model(x), y)))
"""


@pytest.mark.extras
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")  # of the kernel's own libraries
def test_a_kernel_shows_them():
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    outputs = notebook.cells[0].outputs
    assert not [out for out in outputs if out.get("name") == "stderr"]
    history, model, drawing = [out.data["text/html"] for out in outputs[-3:]]
    assert ("<svg" in history, "<details" in model, drawing.startswith("<iframe")) == (True, True, True)
    assert "<svg" in outputs[-1].data["image/svg+xml"]
    bars = [out for out in outputs if "application/vnd.jupyter.widget-view+json" in out.get("data", {})]
    lines = "".join(out.text for out in outputs if out.get("name") == "stdout")
    assert (len(bars), lines.count("train loss")) == (2, 2), "a bar and a line for each epoch"

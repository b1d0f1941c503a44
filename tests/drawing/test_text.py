"""Users' text, numbers and determinism."""

import subprocess
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_mlp as tg
from tinygrad_mlp.drawing.html import roles
from tinygrad_mlp.drawing.labels import SYMBOLS, latin1
from tinygrad_mlp.drawing.render import render
from tinygrad_mlp.drawing.statistics import measure, number, percent, shape_text, size_of
from tinygrad_mlp.drawing.styles import THEMES

PROGRAM = """
import numpy as np, tinygrad_mlp as tg
model = tg.nn.Sequential(tg.nn.Linear(4, 5, rng=0), tg.nn.LayerNorm(5), tg.nn.GELU(), tg.nn.Dropout(0.5, rng=0))
x = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
loss = tg.mse_loss(model(x), np.zeros((3, 5), np.float32))
print({before})
print(tg.to_dot(loss, model=model).source)
"""


def test_the_same_program_gives_the_same_bytes():
    """In another process, with other hashes, and after other work has shifted every id and time."""
    texts = []
    for seed, before in (("1", "''"), ("2", "len([tg.Tensor(1.0, requires_grad=True) * i for i in range(1000)]) * ''")):
        run = subprocess.run(
            [sys.executable, "-c", PROGRAM.format(before=before)], capture_output=True, check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"}, timeout=60,
        )  # fmt: skip
        texts.append(run.stdout)
    assert texts[0] == texts[1]
    assert b"digraph" in texts[0]


def shown(name):
    """All text in the SVG of a picture with a parameter, data and a module of that name."""

    class Named(tg.nn.Module):
        def forward(self, x):
            return x * tg.Tensor([2.0], name=name) + self.p

        def summary(self):
            return name

    model = Named()
    model.p = tg.Tensor([1.0], requires_grad=True)
    setattr(model, name, model.p)
    del model.p
    vars(model)["p"] = getattr(model, name)
    loss = model(tg.Tensor([3.0], requires_grad=True, name=name)).sum()
    svg = ET.fromstring(render(tg.to_dot(loss).source, "svg").decode())  # noqa: S314 - our own
    return "\n".join("".join(text.itertext()) for text in svg.iter("{http://www.w3.org/2000/svg}text"))


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=12).filter(lambda name: name.strip() == name != "p"))
def test_any_name_is_shown_as_it_is(name):
    """Quotes, backslashes, markup, control characters and all of Unicode: on parameters, data and clusters."""
    text = "".join(shown(name).split())
    assert text.count("".join(latin1(name).split())) >= 3


@pytest.mark.parametrize(
    "name", ['"', "\\", "\\N", "<b>&amp;", "\n", "a\\", "&lt;", "∇", "\x00", "<x>", "</TABLE>", "\ud7ff"]
)
def test_known_traps_are_shown_as_they_are(name):
    test_any_name_is_shown_as_it_is.hypothesis.inner_test(name)


@given(st.text())
def test_labels_stay_within_printable_latin_1(text):
    assert latin1(text).isprintable()
    latin1(text).translate(dict.fromkeys(map(ord, SYMBOLS))).encode("latin-1")


@given(st.lists(st.floats(width=64), min_size=1, max_size=20))
def test_statistics_are_those_of_the_finite_elements(values):
    """Also where squares or sums overflow: compared with NumPy in extended precision."""
    found = measure(np.array(values))
    finite = np.array([v for v in values if np.isfinite(v)], np.longdouble)
    assert (found.nan, found.inf) == (sum(map(np.isnan, values)), sum(map(np.isinf, values)))
    assert found.zeros == values.count(0.0)
    if finite.size:
        assert (found.low, found.high) == (finite.min(), finite.max())
        top = float(np.abs(finite).max())
        assert found.mean == pytest.approx(float(finite.mean()), rel=1e-9, abs=top * 1e-12)
        assert found.std == pytest.approx(float(finite.std()), rel=1e-6, abs=top * 1e-7)
    if finite.size == len(values):
        assert found.norm == pytest.approx(float(np.sqrt(np.sum(finite * finite))), rel=1e-9) or found.norm == np.inf


@pytest.mark.parametrize("array", [np.array([]), np.array(["a"]), np.array([None]), np.array(1j)])
def test_what_has_no_statistics_has_none(array):
    assert measure(array) is None


def test_an_array_that_refuses_to_become_numpys_has_no_statistics():
    class Refuses:
        def __array__(self, dtype=None, copy=None):
            raise TypeError

    assert measure(Refuses()) is None


def test_histograms_count_every_finite_element():
    assert sum(measure(np.array([0.0, 1.0, 2.0, np.nan]), histogram=True).histogram) == 3
    assert measure(np.ones(3), histogram=True).histogram == ()
    assert measure(np.array([1.0, 1.0 + 1e-16, 1.0 - 1e-16]), histogram=True).histogram == ()
    assert sum(measure(np.array([-1e308, 1e308]), histogram=True).histogram) == 2
    assert measure(np.array([np.nan]), histogram=True).histogram == ()


def test_numbers_are_short():
    assert [number(x) for x in (0.0, 1 / 3, -1e-9, 1e20)] == ["0", "0.333", "-1e-09", "1e+20"]
    assert [shape_text(s) for s in ((), (3,), (0, 2))] == ["scalar", "3", "0×2"]
    assert [percent(*p) for p in ((0, 5), (1, 300), (299, 300), (5, 5))] == ["0 %", "<1 %", ">99 %", "100 %"]
    assert [size_of(n) for n in (0, 999, 1000, 999_999, 10**12)] == ["0 B", "999 B", "1 kB", "1 MB", "1 TB"]


def test_each_role_of_the_light_theme_has_a_colour_of_its_own():
    """The HTML page finds the role of a colour by the colour; graphviz gives names to pure black and white."""
    colours = list(roles(THEMES["light"]).values())
    assert len(set(colours)) == len(colours)
    assert not {"#ffffff", "#000000"} & set(colours)


@pytest.mark.parametrize("theme", ["light", "dark", "print"])
def test_text_has_contrast(theme):
    """At least 4.5 to 1, as the accessibility guidelines for web content ask, on every fill a text stands on."""

    def luminance(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        return np.dot(
            [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts], [0.2126, 0.7152, 0.0722]
        )

    def contrast(a, b):
        low, high = sorted((luminance(a), luminance(b)))
        return (high + 0.05) / (low + 0.05)

    t = THEMES[theme]
    fills = [t.background, t.data, t.parameter, t.frozen, t.op, t.output, t.module, t.trouble, t.warning, *t.shades]
    assert min(contrast(t.text, fill) for fill in fills) >= 4.5
    pairs = [(t.muted, t.background), (t.muted, t.module), (t.muted, t.frozen)]
    pairs += [(line, fill) for line in (t.trouble_line, t.warning_line) for fill in (t.background, t.module)]
    assert min(contrast(*pair) for pair in pairs) >= 4.5


def legend_of(*outputs, **options):
    return tg.to_dot(*outputs, **options).source.split("\n\tnode [")[0].split("kept for backward")[-1]


def test_the_legend_explains_what_is_drawn_and_nothing_else():
    x = tg.Tensor(2.0, requires_grad=True, name="x")
    assert "arrows" not in legend_of(np.tanh(x))
    assert [word in legend_of(np.tanh(x)) for word in ("parameter", "op", "data", "folded", "NaN")] == [1, 1, 0, 0, 0]
    model = tg.nn.MLP(3, 2, 2, rng=0)
    model.fc1.bias.requires_grad = False
    loss = model(np.full((1, 3), np.nan, np.float32)).sum()
    entries = ("data", "frozen", "folded", "NaN or Inf", "dotted", "dashed: broadcast")
    assert [entry in legend_of(loss, depth=1) for entry in entries] == [True, False, True, True, True, False]
    assert [entry in legend_of(loss) for entry in entries] == [True, True, False, True, True, True]
    assert "dashed: broadcast" in legend_of((x * np.ones(3)).sum())

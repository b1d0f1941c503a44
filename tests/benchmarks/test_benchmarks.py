"""The benchmarks run, and what they race learns the same thing."""

import sys

import bench
import contenders
import convolutions
import drawings
import numpy as np
import pytest
import whole


def test_a_race_of_our_own(capsys):
    """Workers start, take turns, answer and end; the limit is the fastest, or nothing measured is what it says."""
    workers = [bench.Worker(sys.executable, "contenders.py", (f.__name__, 512, "sgd"), 1) for f in contenders.OURS]
    times = bench.race(workers, rounds=3, steps=4)
    assert {name: len(seconds) for name, seconds in times.items()} == {"limit": 3, "ours": 3, "numpy": 3}
    assert min(times["limit"]) < min(times["ours"])
    assert all(worker.process.returncode == 0 for worker in workers)


def test_convolutions_take_turns():
    """Each answers each turn with the time it took."""
    for layer in convolutions.LAYERS:
        workers = [bench.Worker(sys.executable, "convolutions.py", (name, layer), 1) for name in ("limit", "ours")]
        times = bench.race(workers, rounds=2, steps=1)
        assert {name: len(seconds) for name, seconds in times.items()} == {"limit": 2, "ours": 2}
        assert min(times["limit"] + times["ours"]) > 0


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_by_hand_and_ours_take_the_same_steps(optimizer, monkeypatch):
    """From the same weights, the step by hand and ours give the same weights: they are doing the same work."""
    import tinygrad_mlp as tg

    seen = {}
    monkeypatch.setattr(contenders, "LR", 1e-3)
    monkeypatch.setattr(contenders, "weights", lambda w=contenders.weights: seen.setdefault("by hand", w()))
    by_hand = contenders.numpy(16, optimizer)
    model = tg.nn.MLP(*contenders.SIZES, rng=1)
    for parameter, start in zip(model.parameters(), seen["by hand"], strict=True):
        parameter.data[...] = start
    monkeypatch.setattr(tg.nn, "MLP", lambda *sizes, rng: model)
    ours = contenders.ours(16, optimizer)
    for i in range(5):
        by_hand(i)
        ours(i)
    for parameter, other in zip(model.parameters(), seen["by hand"], strict=True):
        np.testing.assert_allclose(parameter.data, other, rtol=1e-3, atol=1e-5)


def test_nobody_trains_into_denormal_numbers(monkeypatch):
    """At the pace of training most units die, and their share of Adam's first sums decays until it is denormal."""
    import tinygrad_mlp as tg

    made = []

    class AdamW(tg.optim.AdamW):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            made.append(self)

    monkeypatch.setattr(tg.optim, "AdamW", AdamW)
    step = contenders.ours(32, "adamw")
    for i in range(1500):
        step(i)
    for name, flat in made[0].blocks[0].buffers.items():
        denormal = (flat != 0) & (np.abs(flat) < np.finfo(np.float32).tiny)
        assert np.mean(denormal) < 0.05, name


def test_memory_of_a_step_stays_within_its_bar(capsys):
    """Peak memory of a step at batch 2048: at most twice parameters, optimizer state and activations."""
    assert whole.memory(None)["ratio"] <= 2


@pytest.mark.parametrize("name", drawings.NAMES)
def test_drawings_meet_their_bars(name, tmp_path):
    """No arrow up, no label over another, two screens wide; the ruler itself is tried below."""
    seconds = drawings.draw_ours(name, tmp_path / "graph.svg")
    up, overlaps, width, _ = drawings.measure((tmp_path / "graph.svg").read_text(encoding="utf-8"))
    assert (up, overlaps) == (0, 0)
    assert width <= 2
    assert seconds <= 20  # on a machine that does other things; the table's bar is 10


def test_the_ruler_of_drawings_sees_an_arrow_up_and_an_overlap():
    def edge(y, x):
        text = f'<text x="{x}" y="40" font-size="9">grad 1.5</text>'
        return f'<g class="edge"><path d="M0,0C0,1 0,2 0,{y}"/>{text}</g>'

    svg = '<svg xmlns="http://www.w3.org/2000/svg" width="96pt" height="60pt">{}</svg>'
    assert drawings.measure(svg.format(edge(30, 0) + edge(40, 90)))[:2] == (0, 0)
    assert drawings.measure(svg.format(edge(-30, 0) + edge(40, 20)))[:2] == (1, 1)
    box = '<g class="node"><ellipse cx="0" cy="40" rx="20" ry="9"/></g>'
    assert drawings.measure(svg.format(edge(30, 0) + box))[:2] == (0, 1)
    assert drawings.measure(svg.format(""))[2:] == pytest.approx((0.1, 0.1))

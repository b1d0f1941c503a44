"""The history: which epoch is best, and what stands in its files."""

import csv
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_mlp.errors import ArgumentError
from tinygrad_mlp.train import History

numbers = st.lists(st.floats(0, 10), min_size=1, max_size=20)


@given(numbers, st.sampled_from(["val_loss", "train_loss", "val_accuracy"]))
def test_the_best_epoch(values, monitor):
    """Property: nothing is better than the best epoch, and nothing before it as good."""
    history = History({"epoch": i, monitor: value} for i, value in enumerate(values, start=1))
    best = history.best_epoch(monitor)
    keys = [value if monitor.endswith("loss") else -value for value in history.column(monitor)]
    assert all(keys[best - 1] <= key for key in keys)
    assert all(keys[best - 1] < key for key in keys[: best - 1])


def test_no_best_epoch():
    with pytest.raises(ArgumentError, match="history: expected at least one epoch, got none"):
        History().best_epoch("val_loss")
    with pytest.raises(ArgumentError, match=r"one of \['epoch', 'train_loss'\], got 'val_los'"):
        History([{"epoch": 1, "train_loss": 1.0, "val_loss": None}]).best_epoch("val_los")


def test_nan_is_never_the_best():
    nan = float("nan")
    for values, best in (([nan, 2.0, 1.0, nan], 3), ([2.0, nan, 3.0], 1), ([nan, nan], 1)):
        history = History({"epoch": i, "val_loss": value} for i, value in enumerate(values, start=1))
        assert history.best_epoch("val_loss") == best


losses = st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=5)


@given(losses)
def test_files_hold_every_number_exactly(tmp_path_factory, values):
    """Property: reading the files back gives the same rows; None is null, and an empty field."""
    directory = tmp_path_factory.mktemp("history")
    history = History({"epoch": i, "val_loss": value} for i, value in enumerate(values, start=1))
    history[-1]["test_accuracy"] = 0.5
    history.save_json(directory / "history.json")
    history.save_csv(directory / "history.csv")
    assert json.loads((directory / "history.json").read_text()) == history
    with (directory / "history.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    assert [list(row) for row in found] == [["epoch", "val_loss", "test_accuracy"]] * len(history)
    for row, original in zip(found, history, strict=True):
        assert {name: None if value == "" else float(value) for name, value in row.items()} == {
            "test_accuracy": None, **original
        }  # fmt: skip

"""The pictures of a run."""

import sys

import numpy as np
import pytest
from PIL import Image

from tinygrad_mlp.commands import plots
from tinygrad_mlp.errors import MissingExtraError
from tinygrad_mlp.train import History

rng = np.random.default_rng(0)


def pixels(path):
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture.convert("L"))


@pytest.mark.parametrize("measured", [True, False])
def test_curves(measured, tmp_path):
    row = {"epoch": 1, "train_loss": 0.5, "val_loss": 0.4, "val_accuracy": 0.9, "lr": 0.1}
    rows = [row, row | {"epoch": 2, "train_loss": 0.3}]
    history = History(rows if measured else [r | {"val_loss": None, "val_accuracy": None} for r in rows])
    plots.save_curves(tmp_path / "curves.png", history)
    assert pixels(tmp_path / "curves.png").std() > 5


def test_confusion_counts_each_pair(tmp_path, monkeypatch):
    """Every count of (true, predicted) stands in its cell; zeros are left out."""
    from matplotlib.axes import Axes

    labels, predicted = rng.integers(0, 3, 50), rng.integers(0, 3, 50)
    labels[labels == 2] = 1
    seen = {}
    monkeypatch.setattr(Axes, "text", lambda self, x, y, text, **how: seen.update({(int(y), int(x)): int(text)}))
    plots.save_confusion(tmp_path / "confusion.png", labels, predicted, 4)
    pairs = list(zip(labels.tolist(), predicted.tolist(), strict=True))
    assert seen == {pair: pairs.count(pair) for pair in set(pairs)}
    assert sum(seen.values()) == 50


def test_a_perfect_classifier_has_pictures_too(tmp_path):
    labels = np.array([0, 1, 2])
    images = rng.integers(0, 256, (3, 5, 4), dtype=np.uint8)
    plots.save_confusion(tmp_path / "confusion.png", labels, labels, 3)
    plots.save_errors(tmp_path / "errors.png", images, labels, np.eye(3))
    assert {p.name for p in tmp_path.iterdir()} == {"confusion.png", "errors.png"}


@pytest.mark.parametrize("units", [1, 2, 9, 128])
def test_weights_as_tiles(units, tmp_path):
    plots.save_weights(tmp_path / "weights.png", rng.normal(size=(20, units)), 5, 4)
    assert pixels(tmp_path / "weights.png").std() > 5


def test_weights_that_are_all_zero(tmp_path):
    plots.save_weights(tmp_path / "weights.png", np.zeros((20, 3)), 5, 4)
    assert (tmp_path / "weights.png").exists()


def test_errors_are_the_most_confident_ones_first(tmp_path, monkeypatch):
    from matplotlib.axes import Axes

    titles = []
    monkeypatch.setattr(Axes, "text", lambda self, x, y, text, **how: titles.append(text))
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.45, 0.55]])
    images = rng.integers(0, 256, (4, 5, 4), dtype=np.uint8)
    plots.save_errors(tmp_path / "errors.png", images, np.array([1, 1, 1, 0]), probabilities)
    assert titles == ["1, not 0 (90 %)", "1, not 0 (60 %)", "0, not 1 (55 %)"]


def test_without_matplotlib(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(
        MissingExtraError, match=r"plots: expected matplotlib, got none\. pip install 'tinygrad-mlp\[plots\]'"
    ):
        plots.save_weights(tmp_path / "weights.png", np.zeros((20, 3)), 5, 4)

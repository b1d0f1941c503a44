"""A run in a directory: what it leaves there."""

import csv
import json
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_mlp as tg
from tinygrad_mlp.commands import run
from tinygrad_mlp.commands.config import Config
from tinygrad_mlp.data import load_mnist, read_idx, write_idx
from tinygrad_mlp.data.sets import held_out_of
from tinygrad_mlp.errors import DataError, StateError
from tinygrad_mlp.train import Trainer, checkpoint
from tinygrad_mlp.train.evaluation import predict

FILES = ["best.npz", "config.toml", "history.csv", "history.json", "last.npz", "report.html"]
PICTURES = ["confusion.png", "curves.png", "errors.png", "weights.png"]


@pytest.fixture(scope="module")
def config(small_data):
    return Config(data=str(small_data), hidden=[8], epochs=4, batch_size=32, lr=0.02)


@pytest.fixture(scope="module")
def finished(config, tmp_path_factory):
    """A finished run: its directory, and the accuracy it returned."""
    directory = tmp_path_factory.mktemp("runs") / "deep" / "down"
    return directory, run.train(config, directory)


def test_all_files_are_there_and_no_others(finished):
    assert sorted(p.name for p in finished[0].iterdir()) == sorted(FILES + PICTURES)


def test_the_history_has_a_row_for_each_epoch(finished):
    directory, accuracy = finished
    rows = json.loads((directory / "history.json").read_text())
    names = ["epoch", "train_loss", "val_loss", "val_accuracy", "lr", "seconds"]
    assert [list(row) for row in rows] == [names] * 3 + [[*names, "test_accuracy"]]
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    assert rows[-1]["test_accuracy"] == accuracy > 0.8
    with (directory / "history.csv").open(newline="") as file:
        table = list(csv.reader(file))
    assert table[0] == [*names, "test_accuracy"]
    assert [row[-1] for row in table[1:]] == ["", "", "", str(accuracy)]


def test_the_settings_are_kept(config, finished):
    assert Config(**Config.read(finished[0] / "config.toml")) == config


def test_load_gives_the_best_network(config, finished):
    directory, accuracy = finished
    model, own, _ = run.load(directory)
    assert own == config
    assert model.sizes == (64, 8, 3)
    assert not model.training
    images, labels = load_mnist(config.data).test
    assert np.mean(predict(model, images).argmax(axis=1) == labels) == accuracy
    x, y = load_mnist(config.data).train
    _, held_out = held_out_of(y, run.PART, np.random.default_rng([config.seed, 2]))
    x, y = x[held_out], y[held_out]
    loss = float(tg.cross_entropy(predict(model, x), y, label_smoothing=config.label_smoothing))
    rows = json.loads((directory / "history.json").read_text())
    assert loss == pytest.approx(min(row["val_loss"] for row in rows), rel=1e-5)


def test_a_finished_run_resumes_to_itself(config, finished):
    directory, accuracy = finished
    before = {name: (directory / name).read_bytes() for name in FILES}
    assert run.train(config, directory, resume=True) == accuracy
    assert {name: (directory / name).read_bytes() for name in FILES} == before


def test_equal_seeds_give_equal_runs(config, finished, tmp_path, monkeypatch):
    """And another seed another one."""
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    expected, _ = checkpoint.read(finished[0] / "last.npz")
    for seed, equal in ((0, True), (1, False)):
        run.train(Config(**{**vars(config), "seed": seed}), tmp_path / str(seed))
        state, _ = checkpoint.read(tmp_path / str(seed) / "last.npz")
        assert all(np.array_equal(state[name], expected[name]) for name in state) == equal


def test_the_seed_decides_both_the_weights_and_the_order(config, tmp_path, monkeypatch):
    found = []

    def look(trainer, train, validation, epochs, batch_size, rng):
        found.append((trainer.model.fc1.weight.data.sum(), rng.random()))
        raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "fit", look)
    for i, seed in enumerate((0, 1, 0)):
        with pytest.raises(KeyboardInterrupt):
            run.train(Config(**{**vars(config), "seed": seed}), tmp_path / str(i))
    assert found[0] == found[2]
    assert [len(set(values)) for values in zip(*found, strict=True)] == [2, 2]


def test_without_matplotlib_there_are_no_pictures(config, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "matplotlib.figure", raising=False)
    run.train(config, tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == FILES
    assert (
        "no pictures: plots: expected matplotlib, got none. pip install 'tinygrad-mlp[plots]'"
        in capsys.readouterr().out.replace("\n  ", " ")
    )


def test_no_epochs_leave_the_settings_alone(config, tmp_path):
    run.train(Config(**{**vars(config), "epochs": 0}), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["config.toml"]


@pytest.mark.parametrize(
    ("train_labels", "test_labels", "message"),
    [(11, 5, "expected at least 12 training images, got 11."), (24, 5, "expected test labels below 2, got 4.")],
)
def test_data_that_cannot_be_trained_on_leave_no_directory(train_labels, test_labels, message, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    for name, labels in (("train", np.arange(train_labels) % 2), ("t10k", np.arange(test_labels))):
        write_idx(data / f"{name}-images-idx3-ubyte", np.zeros((len(labels), 2, 2), np.uint8))
        write_idx(data / f"{name}-labels-idx1-ubyte", labels.astype(np.uint8))
    with pytest.raises(DataError) as caught:
        run.train(Config(data=str(data)), tmp_path / "run")
    assert str(caught.value) == f"{data}: {message}"
    assert not (tmp_path / "run").exists()
    assert len(read_idx(data / "t10k-labels-idx1-ubyte")) == test_labels


def test_what_is_no_run_cannot_be_loaded(tmp_path, finished):
    with pytest.raises(DataError, match=r"best\.npz: expected a checkpoint, got no such file"):
        run.load(tmp_path)
    arrays, progress = checkpoint.read(finished[0] / "best.npz")
    for settings in ({}, {"sizes": [64, 8, 3], "speed": 1}, {"sizes": [64, 8, 3], "epochs": -1}):
        text = np.array(json.dumps(progress | {"config": settings}))
        np.savez(tmp_path / "other.npz", progress=text, **arrays)
        with pytest.raises(DataError, match=r"other\.npz: expected a checkpoint of tinygrad-mlp train, got another"):
            run.load(tmp_path / "other.npz")
    for sizes in ([64, 9, 3], [64], [64, 8, "3"], [64, 8, 0], 64, [10**9, 8, 3]):
        text = np.array(json.dumps(progress | {"config": progress["config"] | {"sizes": sizes}}))
        np.savez(tmp_path / "other.npz", progress=text, **arrays)
        with pytest.raises(DataError, match=r"got another \(sizes: expected"):
            run.load(tmp_path / "other.npz")
    text = np.array(json.dumps(progress | {"config": progress["config"] | {"sizes": [64, 8, 4]}}))
    np.savez(tmp_path / "other.npz", progress=text, **arrays)
    with pytest.raises(StateError, match=r"MLP\.load_state_dict"):
        run.load(tmp_path / "other.npz")
    arrays["model/fc1.weight"] = arrays["model/fc1.weight"] * np.float32(np.nan)
    np.savez(tmp_path / "other.npz", progress=np.array(json.dumps(progress)), **arrays)
    with pytest.raises(DataError, match=r"other\.npz: expected finite weights, got NaN or infinity in fc1\.weight"):
        run.load(tmp_path / "other.npz")


@given(st.lists(st.integers(0, 5), min_size=1, max_size=300), st.integers(0, 9))
def test_the_validation_part_is_a_twelfth_of_each_class(labels, seed):
    """Property: one in twelve, of each class its share to within one, whatever the order; no image is in both parts."""
    labels = np.array(labels, np.uint8)
    kept, held_out = held_out_of(labels, run.PART, np.random.default_rng(seed))
    assert len(held_out) == len(labels) // 12
    assert sorted([*kept, *held_out]) == list(range(len(labels)))
    for count, held in zip(np.bincount(labels), np.bincount(labels[held_out], minlength=labels.max() + 1), strict=True):
        assert abs(held - count / 12) < 1


def test_the_seed_draws_the_validation_part():
    labels = np.resize(np.arange(3), 240)
    parts = [held_out_of(labels, run.PART, np.random.default_rng([seed, 2]))[1].tolist() for seed in (0, 1, 0)]
    assert parts[0] == parts[2] != parts[1]


def test_the_least_smoothed_loss_is_that_of_the_smoothed_targets():
    config = Config(label_smoothing=0.3)
    targets = np.full(4, 0.3 / 4) + np.eye(4)[0] * 0.7
    assert run.smoothing_note(config, 4).endswith(f" is {-np.sum(targets * np.log(targets)):.3f}")
    assert run.smoothing_note(Config(label_smoothing=0.0), 4) == ""


def test_patience_ends_a_run(config, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    run.train(Config(**{**vars(config), "lr": 0.0, "epochs": 9, "patience": 2}), tmp_path)
    rows = json.loads((tmp_path / "history.json").read_text())
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert "test_accuracy" in rows[-1]
    for patience, epochs in ((2, 3), (4, 5), (None, 9)):
        longer = Config(**{**vars(config), "lr": 0.0, "epochs": 9, "patience": patience})
        run.train(longer, tmp_path, resume=True)
        assert len(json.loads((tmp_path / "history.json").read_text())) == epochs


def test_a_checkpoint_that_lies_about_is_no_run(config, finished, tmp_path, monkeypatch):
    """Without --resume nothing is gone on with."""
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    (tmp_path / "last.npz").write_bytes(b"of another run")
    run.train(config, tmp_path)
    assert checkpoint.read_progress(tmp_path / "last.npz")["epoch"] == 4

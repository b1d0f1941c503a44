"""The callbacks: best weights come back however training ends, files are there, progress is told."""

import io
import json
import sys

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp.errors import ArgumentError, StateError
from tinygrad_mlp.train import Callback, Checkpoint, EarlyStopping, Log, Progress, Trainer

X = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int)


class Script(Callback):
    """Replaces each epoch's val_loss by one from a list, notes the weights, and acts after a given epoch or step."""

    def __init__(self, losses, act=None, epoch=0, step=0):
        self.losses, self.act, self.epoch, self.step = losses, act, epoch, step
        self.weights = []

    def on_step_end(self, trainer):
        if trainer.optimizer.step_count == self.step:
            self.act(trainer)

    def on_epoch_end(self, trainer):
        trainer.history[-1]["val_loss"] = self.losses[trainer.epoch - 1]
        self.weights.append(trainer.model.fc1.weight.data.copy())
        if trainer.epoch == self.epoch:
            self.act(trainer)


def make(*callbacks):
    model = tg.nn.MLP(3, 4, 2, rng=0)
    return Trainer(model, tg.optim.SGD(model.parameters(), 0.1), callbacks=callbacks)


def fit(trainer, epochs=6, validation=(X, Y)):
    return trainer.fit((X, Y), validation, epochs, batch_size=8, rng=0)


def fail(trainer):
    raise RuntimeError("failed")


def interrupt(trainer):
    trainer.interrupted = True


def interrupt_at_once(trainer):
    raise KeyboardInterrupt


LOSSES = [3.0, 1.0, 2.0, 1.0, 4.0, 5.0]  # best in epoch 2; the tie in epoch 4 is no better


@pytest.mark.parametrize(
    ("script", "patience", "epochs", "error"),
    [
        (Script(LOSSES), None, 6, None),
        (Script(LOSSES), 3, 5, None),
        (Script(LOSSES), 1, 3, None),
        (Script(LOSSES, fail, epoch=4), None, 4, RuntimeError),
        (Script(LOSSES, fail, step=14), None, 4, RuntimeError),
        (Script(LOSSES, interrupt, epoch=5), None, 5, KeyboardInterrupt),
        (Script(LOSSES, interrupt, step=14), None, 4, KeyboardInterrupt),
        (Script(LOSSES, interrupt_at_once, step=14), None, 4, KeyboardInterrupt),
    ],
    ids=["end", "patience 3", "patience 1", "error", "error in step", "Ctrl-C", "Ctrl-C in step", "second Ctrl-C"],
)
def test_the_best_weights_come_back_however_training_ends(script, patience, epochs, error):
    trainer = make(script, EarlyStopping(patience=patience))
    if error is None:
        fit(trainer)
    else:
        with pytest.raises(error):
            fit(trainer)
    assert len(trainer.history) == epochs
    np.testing.assert_array_equal(trainer.model.fc1.weight.data, script.weights[1])


def test_early_stopping_can_watch_accuracy():
    script = Script([0.0] * 6)
    trainer = make(script, EarlyStopping("val_accuracy", patience=2))
    fit(trainer)
    accuracies = trainer.history.column("val_accuracy")
    best = trainer.history.best_epoch("val_accuracy")
    assert accuracies[best - 1] == max(accuracies)
    np.testing.assert_array_equal(trainer.model.fc1.weight.data, script.weights[best - 1])


def test_a_run_without_a_finished_epoch_keeps_its_weights():
    trainer = make(EarlyStopping(), Script([], fail, step=2))
    with pytest.raises(RuntimeError):
        fit(trainer)
    assert trainer.optimizer.step_count == 2


@pytest.mark.parametrize("callback", [EarlyStopping, lambda: Checkpoint("unused")])
def test_a_measure_that_is_not_taken(callback, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArgumentError) as caught:
        fit(make(callback()), validation=None)
    assert str(caught.value) == (
        "history: expected a measure taken each epoch, one of ['epoch', 'train_loss', 'lr', 'seconds'], got 'val_loss'."
        " Give fit() validation data, or monitor train_loss."
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"patience": 0}, "expected patience of at least 1 epoch, or None, got 0"),
        ({"min_delta": -0.1}, "expected min_delta of at least 0, got -0.1"),
        ({"monitor": "bleu"}, "measure 'bleu': expected mode='min' or mode='max', got mode=None. Say whether small"),
        ({"mode": "low"}, "measure 'val_loss': expected mode='min' or mode='max', got mode='low'"),
    ],
)
def test_early_stopping_that_cannot_be(settings, message):
    with pytest.raises(ArgumentError, match=message):
        EarlyStopping(**settings)


def test_min_delta_says_what_an_improvement_is():
    """From 3.0 to 2.9 is none by 0.5; the best epoch is compared with the last that was one."""
    trainer = make(Script([3.0, 2.9, 2.6, 2.4, 2.3, 2.2]), EarlyStopping(patience=2, min_delta=0.5))
    assert len(fit(trainer)) == 3
    trainer = make(Script([3.0, 2.9, 2.4, 2.0, 2.0, 2.0]), EarlyStopping(patience=2, min_delta=0.5))
    assert len(fit(trainer)) == 5


def test_a_measure_of_error_that_falls_is_an_improvement():
    for name, mode in (("val_error", None), ("val_mse", None), ("score", "min")):
        script = Script([1.0] * 6)

        class Add(Callback):
            def on_epoch_end(self, trainer, name=name):
                trainer.history[-1][name] = np.float32(1 / trainer.epoch)

        trainer = make(script, Add(), EarlyStopping(name, patience=1, mode=mode))
        assert len(fit(trainer)) == 6
        np.testing.assert_array_equal(trainer.model.fc1.weight.data, script.weights[-1])


def test_best_weights_of_another_model_are_refused_before_the_work():
    stopping = EarlyStopping()
    stopping.load_state_dict({"fc1.weight": np.zeros((2, 2))})
    trainer = make(stopping)
    with pytest.raises(StateError, match="best weights with the names and shapes of the model's"):
        trainer.fit((X, Y), None, 1, 8, 0)
    assert trainer.optimizer.step_count == 0


def test_a_callback_without_state_takes_none():
    Callback().load_state_dict({})
    with pytest.raises(StateError, match=r"Callback\.load_state_dict: expected no state, got a, b\. Resume with"):
        Callback().load_state_dict({"a": 1, "b": 2})


def test_checkpoint_keeps_the_last_and_the_best(tmp_path):
    directory = tmp_path / "deep" / "run"
    script = Script(LOSSES)
    trainer = make(script, Checkpoint(directory))
    fit(trainer)
    assert sorted(p.name for p in directory.iterdir()) == ["best.npz", "last.npz"]
    for name, epoch in (("best.npz", 2), ("last.npz", 6)):
        loaded = make(Script(LOSSES), Checkpoint(directory))
        loaded.resume(directory / name)
        assert loaded.epoch == epoch
        np.testing.assert_array_equal(loaded.model.fc1.weight.data, script.weights[epoch - 1])


@pytest.mark.parametrize("callback", [Checkpoint, Log])
def test_a_place_that_cannot_be_written_shows_before_the_work(callback, tmp_path):
    (tmp_path / "file").touch()
    trainer = make(callback(tmp_path / "file"), Progress())
    with pytest.raises(FileExistsError):
        fit(trainer)
    assert trainer.optimizer.step_count == 0


def test_what_json_cannot_hold_is_named(tmp_path):
    class Add(Callback):
        def on_epoch_end(self, trainer):
            trainer.history[-1]["extra"] = self

    with pytest.raises(
        ArgumentError, match=r"history\[0\]\['extra'\]: expected numbers, strings, .* got Add\. Convert"
    ):
        fit(make(Add(), Log(tmp_path)))
    with pytest.raises(ArgumentError, match=r"config\['when'\]: expected numbers, .* got Add"):
        Trainer(make().model, make().optimizer, config={"when": Add()})


def test_log_writes_each_epoch(tmp_path):
    seen = []

    class Look(Callback):
        def on_epoch_end(self, trainer):
            csv = (tmp_path / "history.csv").read_text().splitlines()
            seen.append((len(json.loads((tmp_path / "history.json").read_text())), len(csv)))

    fit(make(Log(tmp_path), Look()), epochs=3)
    assert seen == [(1, 2), (2, 3), (3, 4)]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_prints_a_line_per_epoch(capsys):
    fit(make(Script([2.5] * 10), Progress()), epochs=10)
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert len(lines) == 10
    assert lines[0].startswith("epoch  1/10  train loss 0.")
    assert "  val loss 2.5000  val accuracy " in lines[0]
    assert lines[9].startswith("epoch 10/10  ")
    assert lines[9].endswith(" s")
    assert captured.err == "", "no bar where there is no terminal"


def test_progress_leaves_out_what_was_not_measured(capsys):
    fit(make(Progress()), epochs=1, validation=None)
    assert "val" not in capsys.readouterr().out


@pytest.mark.parametrize("error", [None, RuntimeError])
def test_progress_draws_a_bar_on_a_terminal_and_takes_it_away(error, monkeypatch, capsys):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    progress = Progress()
    script = Script([1.0] * 6, fail if error else None, step=5 if error else 0)
    if error:
        with pytest.raises(error):
            fit(make(progress, script), epochs=2)
    else:
        fit(make(progress, script), epochs=2)
    assert "epoch 1/2" in terminal.getvalue()
    assert "epoch 2/2" in terminal.getvalue()
    assert "/3" in terminal.getvalue(), "three steps in an epoch"
    assert progress._bar is None
    assert len(capsys.readouterr().out.splitlines()) == (1 if error else 2)

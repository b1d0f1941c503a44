"""Checkpoints: resuming is exact, damage is told, and a file that cannot be written harms nothing."""

import errno
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_mlp as tg
from tinygrad_mlp.errors import DataError, StateError
from tinygrad_mlp.train import Callback, Checkpoint, EarlyStopping, Trainer, checkpoint

data = np.random.default_rng(0)
X = data.normal(size=(30, 4)).astype(np.float32)
Y = (X[:, 0] > X[:, 1]).astype(int)
BATCH, EPOCHS = 8, 4  # four steps in an epoch, the last one of six examples
STEPS = 4 * EPOCHS
COSINE = tg.optim.schedules.cosine(0.05, STEPS)
OPTIMIZERS = {
    "sgd": lambda p: tg.optim.SGD(p, COSINE),
    "momentum": lambda p: tg.optim.SGD(p, COSINE, momentum=0.9),
    "nesterov": lambda p: tg.optim.SGD(p, COSINE, momentum=0.9, nesterov=True, weight_decay=0.01),
    "adam": lambda p: tg.optim.Adam(p, COSINE),
    "adamw": lambda p: tg.optim.AdamW(p, COSINE, weight_decay=0.1),
}


@pytest.fixture(autouse=True, scope="module")
def nobody_pulls_the_plug():
    """Waiting for the disk protects from a loss of power alone, and is most of the time of these tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


class Interrupt(Callback):
    """What Ctrl-C does, after a given step."""

    def __init__(self, step):
        self.step = step

    def on_step_end(self, trainer):
        if trainer.optimizer.step_count == self.step:
            trainer.interrupted = True


def start(directory, *, step=None, optimizer="adamw", shared=False, patience=None, bits=np.random.PCG64):
    """A trainer with dropout and batch statistics, and the generator to shuffle with."""
    rng = np.random.Generator(bits(5))
    layers = [tg.nn.Linear(4, 6, rng=rng), tg.nn.BatchNorm1d(6), tg.nn.ReLU(), tg.nn.Dropout(0.3, rng=rng)]
    model = tg.nn.Sequential(*layers, tg.nn.Linear(6, 2, rng=rng))
    callbacks = [EarlyStopping(patience=patience), Interrupt(step), Checkpoint(directory)]
    trainer = Trainer(
        model, OPTIMIZERS[optimizer](model.named_parameters()), clip_norm=1.0, callbacks=callbacks, config={"x": 1}
    )
    return trainer, rng if shared else np.random.Generator(bits(6))


def run(trainer, rng):
    return trainer.fit((X, Y), (X[:10], Y[:10]), EPOCHS, BATCH, rng)


def outcome(trainer):
    """All that must be equal, bit for bit."""
    history = [{name: value for name, value in row.items() if name != "seconds"} for row in trainer.history]
    arrays = trainer.model.state_dict() | trainer.optimizer.state_dict() | trainer.callbacks[0].state_dict()
    return history, {name: np.asarray(value).tobytes() for name, value in arrays.items()}


steps = st.integers(1, STEPS)


@given(
    st.sampled_from(sorted(OPTIMIZERS)), steps, steps, st.booleans(), st.none() | st.just(1)
)  # fmt: skip
@settings(max_examples=30, deadline=None)
def test_resuming_is_exact(optimizer, first, second, shared, patience):
    """Property: interrupted after any two steps and resumed, a run ends with the same weights, buffers and history.

    Under every optimizer; also where shuffling and dropout draw from one generator; also where patience ends it.
    """
    with TemporaryDirectory() as directory:
        whole, rng = start(directory, optimizer=optimizer, shared=shared, patience=patience)
        run(whole, rng)
        Path(directory, "last.npz").unlink()
        for step in (first, second, None):
            part, rng = start(directory, step=step, optimizer=optimizer, shared=shared, patience=patience)
            if Path(directory, "last.npz").exists():
                part.resume(Path(directory, "last.npz"))
            try:
                run(part, rng)
            except KeyboardInterrupt:
                state, _ = checkpoint.read(Path(directory, "last.npz"))
                assert state["optimizer/step_count"] == part.optimizer.step_count == step
        assert outcome(part) == outcome(whole)


@pytest.mark.parametrize(
    "bits", [np.random.PCG64, np.random.PCG64DXSM, np.random.MT19937, np.random.Philox, np.random.SFC64]
)
def test_every_kind_of_random_generator_resumes(bits, tmp_path):
    whole, rng = start(tmp_path, bits=bits)
    run(whole, rng)
    part, rng = start(tmp_path, step=6, bits=bits)
    with pytest.raises(KeyboardInterrupt):
        run(part, rng)
    rest, rng = start(tmp_path, bits=bits)
    rest.resume(tmp_path / "last.npz")
    run(rest, rng)
    assert outcome(rest) == outcome(whole)


def test_a_run_that_a_callback_stopped_stays_stopped(tmp_path):
    class Stop(Callback):
        def on_epoch_end(self, trainer):
            trainer.stop = True

    stopped, rng = start(tmp_path)
    stopped.callbacks.insert(2, Stop())
    run(stopped, rng)
    resumed, rng = start(tmp_path)
    resumed.callbacks.insert(2, Callback())
    resumed.resume(tmp_path / "last.npz")
    assert len(run(resumed, rng)) == 1
    assert len(run(resumed, rng)) == EPOCHS, "a second call of fit goes on"


def test_only_the_first_fit_after_resuming_sets_the_generator_back(tmp_path):
    trainer, rng = start(tmp_path)
    trainer.fit((X, Y), (X, Y), 1, BATCH, rng)
    resumed, rng = start(tmp_path)
    resumed.resume(tmp_path / "last.npz")
    orders = []
    for epochs in (2, 3):
        resumed.fit((X, Y), (X, Y), epochs, BATCH, rng)
        orders.append(resumed._shuffle_state)
    assert orders[0] != orders[1]


def test_history_and_configuration_are_in_the_file(tmp_path):
    """Numbers that a callback measured with NumPy too."""

    class Measure(Callback):
        def on_epoch_end(self, trainer):
            trainer.history[-1]["norm"] = np.float32(0.5)

    trainer, rng = start(tmp_path)
    trainer.callbacks.insert(0, Measure())
    trainer.fit((X, Y), None, 0, BATCH, rng)
    trainer.callbacks[1].monitor = trainer.callbacks[3].monitor = "train_loss"
    trainer.fit((X, Y), None, 1, BATCH, rng)
    with np.load(tmp_path / "last.npz", allow_pickle=False) as file:
        assert {name.split("/")[0] for name in file.files} == {"model", "optimizer", "callback", "progress"}
    progress = checkpoint.read_progress(tmp_path / "last.npz")
    assert progress["config"] == {"x": 1}
    assert progress["history"] == [{**trainer.history[0], "norm": 0.5}]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The bytes of a checkpoint."""
    directory = tmp_path_factory.mktemp("saved")
    trainer, rng = start(directory)
    run(trainer, rng)
    return (directory / "last.npz").read_bytes()


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_a_file_cut_short_is_bad_data(saved, data):
    """Property: of a checkpoint cut at any byte, nothing is loaded, and the one error names the file."""
    end = data.draw(st.integers(0, len(saved) - 1))
    with TemporaryDirectory() as directory:
        path = Path(directory, "cut.npz")
        path.write_bytes(saved[:end])
        trainer, _ = start(directory)
        before = outcome(trainer)
        with pytest.raises(DataError, match=r"cut\.npz: expected a whole checkpoint, got one that cannot be read"):
            trainer.resume(path)
        assert outcome(trainer) == before


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_a_damaged_file_is_bad_data_or_the_same(saved, data):
    """Property: with any byte changed, a checkpoint raises DataError, or holds what it held."""
    at, bit = data.draw(st.integers(0, len(saved) - 1)), data.draw(st.integers(0, 7))
    with TemporaryDirectory() as directory:
        path = Path(directory, "damaged.npz")
        path.write_bytes(saved)
        arrays, progress = checkpoint.read(path)
        path.write_bytes(saved[:at] + bytes([saved[at] ^ 1 << bit]) + saved[at + 1 :])
        try:
            read, read_progress = checkpoint.read(path)
        except DataError:
            return
        assert read_progress == progress
        assert all(np.array_equal(read[name], array) for name, array in arrays.items() if name in read)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "expected a checkpoint, got no such file."),
        (lambda path: path.mkdir(), "expected a whole checkpoint, got one that cannot be read"),
        (lambda path: path.write_text("hello"), "expected a whole checkpoint, got one that cannot be read"),
        (lambda path: np.savez(path, weights=X), "expected a whole checkpoint, got one whose progress cannot be read"),
        (lambda path: np.savez(path, progress=np.array("3")), "expected a checkpoint of this version, got one where"),
        (lambda path: np.savez(path, progress=np.array("{}")), "expected a checkpoint of this version, got one where"),
        (lambda path: np.savez(path, progress=np.array({}, object)), "expected a whole checkpoint, got one that"),
    ],
)  # fmt: skip
def test_other_files_are_bad_data(make, message, tmp_path):
    path = tmp_path / "other.npz"
    make(path)
    with pytest.raises(DataError) as caught:
        start(tmp_path)[0].resume(path)
    assert str(caught.value).startswith(f"{path}: {message}")


def other_model(trainer):
    trainer.model = tg.nn.MLP(4, 5, 2, rng=0)


def other_optimizer(trainer):
    trainer.optimizer = OPTIMIZERS["sgd"](trainer.model.named_parameters())


def fewer_callbacks(trainer):
    del trainer.callbacks[0:]


def other_callbacks(trainer):
    trainer.callbacks.reverse()


def other_generator(trainer):
    setattr(trainer.model, "3", tg.nn.Dropout(0.3, rng=np.random.Generator(np.random.MT19937(0))))


def no_dropout(trainer):
    setattr(trainer.model, "3", tg.nn.ReLU())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (other_model, "MLP.load_state_dict: expected an entry of the same shape and kind of number"),
        (other_optimizer, "SGD.load_state_dict: expected the state of an optimizer of the same kind"),
        (fewer_callbacks, "last.npz: expected state for 0 callbacks, got callback/0/0.weight"),
        (other_callbacks, "Checkpoint.load_state_dict: expected no state, got 0.weight"),
        (other_generator, "states of the random generators of the model, {'3.rng': 'MT19937'}, got {'3.rng': 'PCG64'}"),
        (no_dropout, "expected states of the random generators of the model, {}, got {'3.rng': 'PCG64'}. Build the"),
    ],
)
def test_a_checkpoint_of_another_run_does_not_fit(saved, change, message, tmp_path):
    (tmp_path / "last.npz").write_bytes(saved)
    trainer, _ = start(tmp_path)
    change(trainer)
    with pytest.raises(StateError) as caught:
        trainer.resume(tmp_path / "last.npz")
    assert message in str(caught.value)


def test_a_full_disk_leaves_the_old_checkpoint_whole(saved, tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "last.npz"
    path.write_bytes(saved)
    trainer, rng = start(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match=r"No space left on device: .*best\.npz"):
            run(trainer, rng)
        with pytest.raises(OSError, match=r"No space left on device: .*last\.npz"):
            trainer.save(path)
    assert path.read_bytes() == saved
    assert [p.name for p in tmp_path.iterdir()] == ["last.npz"], "no half-written file is left"


def test_saving_what_was_loaded_gives_the_same_file(saved, tmp_path):
    """Property: loading and saving is the identity; whatever the checkpoint holds is read back."""
    path = tmp_path / "last.npz"
    path.write_bytes(saved)
    trainer, _ = start(tmp_path)
    trainer.resume(path)
    trainer.save(path)
    (tmp_path / "before.npz").write_bytes(saved)
    (arrays, progress), (arrays_before, progress_before) = (
        checkpoint.read(path),
        checkpoint.read(tmp_path / "before.npz"),
    )
    assert progress == progress_before
    assert arrays.keys() == arrays_before.keys()
    assert all(np.array_equal(arrays[name], arrays_before[name]) for name in arrays)

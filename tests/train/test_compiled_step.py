"""The compiled step of the Trainer: the same bits as the tape, and a word where there is none."""

import itertools

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp.train import Checkpoint, Trainer

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (70, 3, 3), dtype=np.uint8)
Y = RNG.integers(0, 4, 70)

OPTIMIZERS = {
    "sgd": lambda p: tg.optim.SGD(p, 0.1),
    "nesterov": lambda p: tg.optim.SGD(p, tg.optim.schedules.cosine(0.1, 20), momentum=0.9, nesterov=True),
    "adam": lambda p: tg.optim.Adam(p, 0.01, weight_decay=0.1),
    "adamw": lambda p: tg.optim.AdamW(p, tg.optim.schedules.warmup(tg.optim.schedules.step(0.01, 9, 0.5), 4)),
}


def network():
    return tg.nn.Sequential(
        tg.nn.Linear(9, 12, rng=0), tg.nn.BatchNorm1d(12), tg.nn.ReLU(), tg.nn.Dropout(0.3, rng=1),
        tg.nn.Linear(12, 8, rng=2), tg.nn.LayerNorm(8), tg.nn.GELU(), tg.nn.Linear(8, 4, rng=3),
    )  # fmt: skip


def state(trainer):
    return {
        **{name: array.tobytes() for name, array in trainer.model.state_dict().items()},
        **{name: np.asarray(value).tobytes() for name, value in trainer.optimizer.state_dict().items()},
        "losses": trainer.history.column("train_loss"),
        "validation": trainer.history.column("val_loss"),
    }


def trainer(optimizer, *, clip_norm=None, callbacks=(), compiled=True):
    model = network()
    return Trainer(
        model, OPTIMIZERS[optimizer](model.parameters()), clip_norm=clip_norm, callbacks=callbacks, compile=compiled
    )


def test_the_weights_are_the_same_bits_with_and_without():
    """Property: over optimizers, schedules, clipping, dropout, batch norm and a smaller last batch."""
    for optimizer, clip_norm in itertools.product(OPTIMIZERS, (None, 0.5)):
        ends = []
        for compiled in (True, False):
            run = trainer(optimizer, clip_norm=clip_norm, compiled=compiled)
            run.fit((X, Y), (X, Y), epochs=3, batch_size=16, rng=5)
            assert (run._loss_and_gradients.program is not None) == compiled
            ends.append(state(run))
        assert ends[0] == ends[1], (optimizer, clip_norm)


def test_layers_for_images_train_to_the_same_bits_with_and_without():
    """Also over a smaller last batch, and in memory that lies with the batch last."""
    nn, ends = tg.nn, []
    for compiled in (True, False):
        model = nn.Sequential(
            lambda x: np.reshape(x, (len(x), 1, 3, 3)), nn.Conv2d(1, 4, 2, padding="same", rng=0), nn.BatchNorm2d(4),
            nn.ReLU(), nn.MaxPool2d(2, 1, 1), nn.Conv2d(4, 6, 3, 2, 1, groups=2, rng=1), nn.GELU(), nn.AvgPool2d(2, 1),
            nn.Conv2d(6, 4, 1, rng=2), nn.GlobalAvgPool2d(),
        )  # fmt: skip
        run = Trainer(model, tg.optim.AdamW(model.parameters(), 0.01), compile=compiled)
        run.fit((X, Y), (X, Y), epochs=2, batch_size=16, rng=5)
        assert (run._loss_and_gradients.program is not None) == compiled
        ends.append(state(run))
    assert ends[0] == ends[1]


def test_a_run_that_is_resumed_ends_with_the_same_bits(tmp_path):
    """Property: compiled before the interruption, by the tape after it, and the other way round."""
    whole = trainer("adamw")
    whole.fit((X, Y), (X, Y), epochs=4, batch_size=16, rng=5)
    for first, second in ((True, False), (False, True)):
        directory = tmp_path / str(first)
        trainer("adamw", callbacks=[Checkpoint(directory)], compiled=first).fit((X, Y), (X, Y), 2, 16, 5)
        run = trainer("adamw", callbacks=[Checkpoint(directory)], compiled=second)
        run.resume(directory / "last.npz")
        run.fit((X, Y), (X, Y), 4, 16, 5)
        assert state(run) == state(whole)


def test_parameters_without_a_gradient_keep_none():
    model = network()
    model.unused = tg.nn.Linear(2, 2, rng=0)
    run = Trainer(model, tg.optim.SGD(model.parameters(), 0.1))
    with pytest.warns(UserWarning, match=r"No gradient reached unused.weight, unused.bias"):
        run.step(X, Y)
    assert model.unused.weight.grad is None
    assert getattr(model, "0").weight.grad is not None


def test_a_model_that_cannot_be_compiled_trains_by_the_tape_and_says_why():
    class Branching(tg.nn.Module):
        def __init__(self):
            self.fc = tg.nn.Linear(9, 4, rng=0)
            self.dropout = tg.nn.Dropout(0.5, rng=1)

        def forward(self, x):
            z = self.dropout(self.fc(x))
            return z if float(np.sum(z.data)) > 0 else z * 2

    ends = []
    for compiled in (True, False):
        model = Branching()
        run = Trainer(model, tg.optim.SGD(model.parameters(), 0.1), compile=compiled)
        if compiled:
            with pytest.warns(UserWarning, match=r"goes on uncompiled, and slower: compile at .*test_compiled_step.py"):
                run.step(X, Y)
        else:
            run.step(X, Y)
        run.fit((X, Y), None, epochs=1, batch_size=16, rng=0)
        ends.append([p.data.tobytes() for p in model.parameters()])
    assert ends[0] == ends[1]

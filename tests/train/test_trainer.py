"""The training loop: what happens, in which order, and what it says when it cannot go on."""

import signal
import threading
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_mlp as tg
from tinygrad_mlp.errors import ArgumentError, NonFiniteError, ShapeError, StateError
from tinygrad_mlp.train import Callback, Checkpoint, Trainer

rng = np.random.default_rng(0)
X = rng.normal(size=(20, 3)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int)


class Recorder(Callback):
    """Notes every hook, and runs something at one of them."""

    def __init__(self, log, name="", at="", act=None):
        self.log, self.name, self.at, self.act = log, name, at, act

    def note(self, hook, trainer):
        self.log.append(f"{self.name}{hook} {trainer.epoch}.{trainer.batch}")
        if self.at in (hook, f"{hook} {trainer.epoch}.{trainer.batch}"):
            self.act(trainer)

    def on_fit_begin(self, trainer):
        self.note("begin", trainer)

    def on_step_end(self, trainer):
        self.note("step", trainer)

    def on_epoch_end(self, trainer):
        self.note("epoch", trainer)

    def on_fit_end(self, trainer):
        self.note("end", trainer)


def make(*callbacks, lr=0.05, loss=tg.cross_entropy, model=None, optimizer=tg.optim.SGD, **more):
    model = tg.nn.MLP(3, 4, 2, rng=0) if model is None else model
    return Trainer(model, optimizer(model.parameters(), lr), loss, callbacks=callbacks, **more)


def fail(trainer):
    raise RuntimeError("callback failed")


def press_ctrl_c(trainer):
    signal.raise_signal(signal.SIGINT)


def weights(trainer):
    return np.concatenate([p.data.ravel() for p in trainer.model.parameters()])


def test_hooks_are_called_in_order():
    """Begin; after each step; after each epoch, counted by then; end."""
    log = []
    make(Recorder(log)).fit((X, Y), None, epochs=2, batch_size=8, rng=0)
    epochs = [["step 0.1", "step 0.2", "step 0.3", "epoch 1.0"], ["step 1.1", "step 1.2", "step 1.3", "epoch 2.0"]]
    assert log == ["begin 0.0", *epochs[0], *epochs[1], "end 2.0"]


def test_callbacks_are_called_in_their_order():
    log = []
    make(Recorder(log, "a "), Recorder(log, "b ")).fit((X, Y), None, epochs=1, batch_size=20, rng=0)
    assert log == [f"{name} {hook}" for hook in ("begin 0.0", "step 0.1", "epoch 1.0", "end 1.0") for name in "ab"]


@pytest.mark.parametrize("hook", ["begin", "step", "epoch", "end"])
def test_every_callback_is_told_of_the_end_when_one_fails(hook):
    log = []
    with pytest.raises(RuntimeError, match="callback failed"):
        make(Recorder(log, "a ", hook, fail), Recorder(log, "b ")).fit((X, Y), None, epochs=1, batch_size=20, rng=0)
    assert [entry[:5] for entry in log if "end" in entry] == ["a end", "b end"]


def test_a_callback_stops_training_after_the_epoch():
    def stop(trainer):
        trainer.stop = True

    trainer = make(Recorder([], at="step 1.1", act=stop))
    assert trainer.fit((X, Y), None, epochs=9, batch_size=8, rng=0).column("epoch") == [1, 2]
    assert len(trainer.fit((X, Y), None, epochs=4, batch_size=8, rng=0)) == 4, "a new call of fit goes on"


def test_fit_again_goes_on():
    """Property: two calls of fit with one generator do what one call does."""
    at_once, in_parts = make(), make()
    at_once.fit((X, Y), (X, Y), epochs=5, batch_size=8, rng=3)
    generator = np.random.default_rng(3)
    in_parts.fit((X, Y), (X, Y), epochs=2, batch_size=8, rng=generator)
    in_parts.fit((X, Y), (X, Y), epochs=5, batch_size=8, rng=generator)
    np.testing.assert_array_equal(weights(at_once), weights(in_parts))


@given(st.integers(1, 25), st.booleans())
@settings(max_examples=20)
def test_losses_are_means_over_all_examples(batch_size, with_validation):
    """Property: whatever the batch size, train_loss and val_loss weigh each example alike (no update: lr 0)."""
    trainer = make(lr=0.0)
    row = trainer.fit((X, Y), (X, Y) if with_validation else None, epochs=1, batch_size=batch_size, rng=0)[0]
    whole = float(tg.cross_entropy(trainer.model(X), Y))
    assert row["train_loss"] == pytest.approx(whole, rel=1e-5)
    assert row["lr"] == 0.0
    assert row["seconds"] > 0
    if with_validation:
        assert row["val_loss"] == pytest.approx(whole, rel=1e-5)
        assert row["val_accuracy"] == np.mean(trainer.model(X).argmax(axis=1) == Y)
        loss, accuracy = trainer.evaluate(X, Y, batch_size=batch_size)
        assert (loss, accuracy) == (pytest.approx(whole, rel=1e-5), row["val_accuracy"])
    else:
        assert row["val_loss"] is row["val_accuracy"] is None


def test_the_learning_rate_of_the_last_step_is_in_the_history():
    trainer = make(lr=lambda step: 0.1 + step)
    assert trainer.fit((X, Y), None, epochs=2, batch_size=8, rng=0).column("lr") == [2.1, 5.1]


@pytest.mark.parametrize(
    ("targets", "loss", "outputs"),
    [
        (X[:, :1], tg.mse_loss, 1),
        (np.eye(2, dtype=np.float32)[Y], tg.cross_entropy, 2),
        (Y, lambda output, y: tg.mse_loss(output[:, 0], y.astype(np.float32)), 2),
    ],
)
def test_other_targets(targets, loss, outputs):
    """Floats have no accuracy; class numbers have one under any loss."""
    trainer = make(loss=loss, model=tg.nn.MLP(3, 4, outputs, rng=0))
    row = trainer.fit((X, targets), (X, targets), epochs=3, batch_size=8, rng=0)[-1]
    assert np.isfinite(row["val_loss"])
    assert (row["val_accuracy"] is None) == (targets is not Y)


def test_integer_targets_of_a_regression_have_no_accuracy():
    model = tg.nn.Sequential(tg.nn.Linear(3, 1, rng=0), lambda z: z.reshape(-1))
    trainer = make(model=model, loss=lambda output, y: tg.mse_loss(output, y.astype(np.float32)))
    assert trainer.fit((X, Y), (X, Y), epochs=1, batch_size=8, rng=0)[0]["val_accuracy"] is None


def test_images_are_converted_batch_by_batch():
    """uint8 images reach the model as float32 in [0, 1], flat; nothing larger than a batch is ever converted."""
    images = np.random.default_rng(0).integers(0, 256, (20, 2, 2), dtype=np.uint8)
    seen = []

    def look(x):
        seen.append((x.shape, x.dtype, x.min() >= 0, x.max() <= 1, x.max() > 0.5))
        return x

    model = tg.nn.Sequential(look, tg.nn.Linear(4, 2, rng=0))
    make(model=model, compile=False).fit((images, Y), (images, Y), epochs=1, batch_size=8, rng=0)
    shapes = [(8, 4), (8, 4), (4, 4), (20, 4)]
    assert seen == [(shape, np.float32, True, True, True) for shape in shapes]


@given(st.floats(1e-3, 10), st.integers(0, 100))
@settings(max_examples=20)
def test_gradients_are_clipped(clip_norm, seed):
    """Property: with SGD at lr 1, an update is as long as the gradient, and at most clip_norm."""
    scaled = np.random.default_rng(seed).normal(size=X.shape).astype(np.float32) * 10
    free, clipped = make(lr=1.0), make(lr=1.0, clip_norm=clip_norm)
    lengths = []
    for trainer in (free, clipped):
        before = weights(trainer)
        trainer.fit((scaled, Y), None, epochs=1, batch_size=20, rng=0)
        lengths.append(np.linalg.norm(weights(trainer) - before))
    assert lengths[1] == pytest.approx(min(lengths[0], clip_norm), rel=1e-3)


class Frozen(tg.nn.Module):
    """Evaluates its inner dropout whatever the rest does."""

    def __init__(self):
        self.frozen = tg.nn.Dropout(0.5, rng=0).eval()
        self.fc = tg.nn.Linear(3, 2, rng=0)

    def forward(self, x):
        return self.fc(self.frozen(x))


def broken(output, y):
    raise RuntimeError("loss failed")


@pytest.mark.parametrize("loss", [tg.cross_entropy, broken])
def test_evaluation_leaves_every_mode_as_it_was(loss):
    trainer = make(model=Frozen(), loss=loss)
    for training in (True, False):
        trainer.model.training = trainer.model.fc.training = training
        try:
            trainer.evaluate(X, Y)
        except RuntimeError:
            assert loss is broken
        assert [m.training for _, m in trainer.model.named_modules()] == [training, False, training]


def test_fit_trains_in_training_mode_and_a_callback_may_freeze_a_part():
    """Also a model that was evaluating before; what is frozen at the beginning stays so over the epochs."""
    model = tg.nn.Sequential(tg.nn.Dropout(0.5, rng=0), tg.nn.Dropout(0.5, rng=0), tg.nn.Linear(3, 2, rng=0)).eval()
    modes = []

    class Freeze(Callback):
        def on_fit_begin(self, trainer):
            trainer.model[1].eval()

        def on_step_end(self, trainer):
            modes.append([layer.training for layer in trainer.model])

    make(Freeze(), model=model).fit((X, Y), (X, Y), epochs=2, batch_size=20, rng=0)
    assert modes == [[True, False, True]] * 2


def test_evaluation_neither_drops_nor_records():
    trainer = make(model=tg.nn.MLP(3, 50, 2, dropout=0.9, rng=0))
    seen = []
    trainer.loss = lambda output, y: seen.append(output.requires_grad) or tg.cross_entropy(output, y)
    assert trainer.evaluate(X, Y) == trainer.evaluate(X, Y)
    assert seen == [False, False]


def test_warns_of_parameters_that_do_not_train():
    """After the first step only, at the line that called fit: without a gradient, and in no optimizer."""
    model = tg.nn.MLP(3, 4, 2, rng=0)
    model.unused = tg.Tensor(np.zeros(3), requires_grad=True)
    model.frozen = tg.Tensor(np.zeros(3))
    optimizer = tg.optim.SGD([p for name, p in model.named_parameters() if name not in ("fc1.bias", "frozen")], 0.1)
    with pytest.warns(UserWarning, match="No gradient|The optimizer") as found:
        Trainer(model, optimizer).fit((X, Y), None, epochs=2, batch_size=8, rng=0)
    assert [str(w.message) for w in found] == [
        "No gradient reached unused: the loss does not depend on it.",
        "The optimizer does not have fc1.bias: it will not train.",
    ]
    assert all(w.filename == __file__ for w in found)


def test_no_warning_and_no_floating_point_noise_where_all_is_well():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        history = make().fit((X, Y), (X, Y), epochs=1, batch_size=8, rng=0)
    assert np.isfinite(history[0]["val_loss"])


def test_a_loss_that_is_not_finite_names_the_op():
    trainer = make(loss=lambda output, y: np.log(output * 0 - 1).sum())
    with pytest.raises(NonFiniteError, match=r"^np\.log at .*test_trainer\.py.*expected a finite result") as caught:
        trainer.fit((X, Y), None, epochs=1, batch_size=8, rng=0)
    assert caught.value.__notes__ == [
        "In step 1 of training. Lower the learning rate, warm it up, or clip the gradients; "
        "checkpoints saved before are good."
    ]


def test_a_validation_loss_that_is_not_finite_is_an_error_too():
    wrong = np.where(X > 10, X, np.float32(np.inf))
    with pytest.raises(NonFiniteError, match=r"np\.matmul in MLP\.fc1"):
        make().fit((X, Y), (wrong, Y), epochs=1, batch_size=8, rng=0)


def test_clipping_notices_gradients_that_are_not_finite():
    """√0 has a finite value and an infinite derivative; clipping must not turn it into zeros or NaN in silence."""
    trainer = make(loss=lambda output, y: np.sqrt(output * 0).sum(), clip_norm=1.0)
    before = weights(trainer)
    with pytest.raises(NonFiniteError, match=r"backward of np\.sqrt"):
        trainer.fit((X, Y), None, epochs=1, batch_size=8, rng=0)
    np.testing.assert_array_equal(weights(trainer), before)


def test_the_last_update_of_an_epoch_is_checked_before_it_is_saved(tmp_path):
    """Without validation, no loss would show what the last update broke; the checkpoint before stays."""
    trainer = make(Checkpoint(tmp_path, monitor="train_loss"), lr=lambda step: 1e38 if step == 5 else 0.1)
    with pytest.raises(NonFiniteError, match=r"^step 6 of training: expected finite parameters, got NaN or infinity"):
        trainer.fit((X * 100, Y), None, epochs=2, batch_size=8, rng=0)
    good = make(Checkpoint(tmp_path, monitor="train_loss"))
    good.resume(tmp_path / "last.npz")
    assert good.epoch == 1
    assert np.isfinite(weights(good)).all()


def test_dropout_that_makes_a_loss_infinite_once_is_an_error():
    once = iter([np.inf])
    trainer = make(loss=lambda output, y: tg.cross_entropy(output, y) * next(once, 1.0))
    with pytest.raises(NonFiniteError, match="training: expected finite numbers, got a loss of inf, once"):
        trainer.fit((X, Y), None, epochs=1, batch_size=8, rng=0)


@pytest.mark.usefixtures("terminal")
def test_ctrl_c_ends_training_after_the_step():
    log = []
    trainer = make(Recorder(log, "a ", "step 0.2", press_ctrl_c), Recorder(log, "b "))
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        trainer.fit((X, Y), None, epochs=2, batch_size=8, rng=0)
    assert log[-4:] == ["a step 0.2", "b step 0.2", "a end 0.2", "b end 0.2"]
    assert trainer.optimizer.step_count == 2
    assert signal.getsignal(signal.SIGINT) is handler


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("moment", ["epoch 2.0", "end"])
def test_ctrl_c_at_the_very_end_is_not_lost(moment):
    with pytest.raises(KeyboardInterrupt):
        make(Recorder([], at=moment, act=press_ctrl_c)).fit((X, Y), None, epochs=2, batch_size=8, rng=0)


@pytest.mark.usefixtures("terminal")
def test_a_second_ctrl_c_ends_at_once():
    log = []

    def press_twice(trainer):
        press_ctrl_c(trainer)
        press_ctrl_c(trainer)
        log.append("not reached")

    with pytest.raises(KeyboardInterrupt):
        make(Recorder(log, "", "step 0.2", press_twice)).fit((X, Y), None, epochs=2, batch_size=8, rng=0)
    assert log[-2:] == ["step 0.2", "end 0.2"]


def test_two_threads_train_as_each_alone():
    """Signals stay with the main thread, and no state is shared."""
    data = np.random.default_rng(1).normal(size=(2, 300, 3)).astype(np.float32)
    targets = [(x[:, 1] > 0).astype(int) for x in data]

    def train(i, found):
        model = tg.nn.MLP(3, 8, 2, dropout=0.3, rng=i)
        trainer = make(model=model, optimizer=tg.optim.Adam, lr=0.01)
        trainer.fit((data[i], targets[i]), (data[i], targets[i]), epochs=5, batch_size=16, rng=i)
        found[i] = weights(trainer)

    alone, together = {}, {}
    for i in (0, 1):
        train(i, alone)
    threads = [threading.Thread(target=train, args=(i, together)) for i in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in (0, 1):
        np.testing.assert_array_equal(alone[i], together[i])


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"epochs": -1}, ArgumentError, "fit: expected epochs >= 0 and batch_size >= 1, got -1 and 8."),
        ({"batch_size": 0}, ArgumentError, "fit: expected epochs >= 0 and batch_size >= 1, got 1 and 0."),
        ({"train": (X, Y[1:])}, ShapeError,
         "fit: expected as many targets as examples in train, and at least one, got 19 and 20."),
        ({"train": (X[:0], Y[:0])}, ShapeError,
         "fit: expected as many targets as examples in train, and at least one, got 0 and 0."),
        ({"validation": (X[1:], Y)}, ShapeError,
         "fit: expected as many targets as examples in validation, and at least one, got 20 and 19."),
    ],
)  # fmt: skip
def test_wrong_arguments_are_refused_before_training(changes, error, message):
    log = []
    given_arguments = {"train": (X, Y), "validation": None, "epochs": 1, "batch_size": 8, "rng": 0} | changes
    with pytest.raises(error) as caught:
        make(Recorder(log)).fit(**given_arguments)
    assert str(caught.value) == message
    assert log == []


def interrupted(directory):
    """A run of 20 examples in batches of 8 that ended after the first batch."""
    trainer = make(Recorder([], at="step 0.1", act=lambda trainer: trainer._interrupt()))
    with pytest.raises(KeyboardInterrupt):
        trainer.fit((X, Y), None, 1, 8, 0)
    trainer.save(directory / "last.npz")
    return directory / "last.npz"


@pytest.mark.parametrize(
    "change", [{"batch_size": 4}, {"batch_size": 16}, {"train": (X[1:], Y[1:])}, {"drop_last": True}]
)
def test_the_rest_of_an_epoch_is_cut_as_it_began(change, tmp_path):
    """Other batches would leave examples out, or show them twice; they are for the next epoch."""
    path = interrupted(tmp_path)
    trainer = make()
    trainer.resume(path)
    arguments = {"train": (X, Y), "validation": None, "epochs": 1, "batch_size": 8, "rng": 0}
    with pytest.raises(StateError, match=r"^fit: expected the rest of an epoch after batch 1, with .*'batch_size': 8"):
        trainer.fit(**arguments | change)
    trainer.fit(**arguments)
    assert trainer.optimizer.step_count == 3
    trainer.fit(**arguments | change | {"epochs": 2})
    assert trainer.epoch == 2


def test_the_generator_of_a_resumed_run_is_of_the_same_kind(tmp_path):
    trainer = make()
    trainer.resume(interrupted(tmp_path))
    with pytest.raises(StateError, match="fit: expected rng with a PCG64, as in the saved run, got MT19937"):
        trainer.fit((X, Y), None, 1, 8, np.random.Generator(np.random.MT19937(0)))


def test_drop_last_leaves_out_the_small_batch():
    """The loss of the epoch is the mean over the examples that were seen."""
    seen = []
    model = tg.nn.Sequential(tg.nn.Linear(3, 4, rng=0), tg.nn.BatchNorm1d(4), tg.nn.Linear(4, 2, rng=0))
    loss = lambda output, y: (seen.append(len(y)), tg.cross_entropy(output, y) * 0 + 2)[1]  # noqa: E731
    trainer = make(model=model, loss=loss, compile=False)
    history = trainer.fit((X[:17], Y[:17]), None, 2, 8, 0, drop_last=True)
    assert seen == [8, 8] * 2
    assert history.column("train_loss") == [2.0, 2.0]
    assert trainer.batches_per_epoch == 2
    with pytest.raises(ArgumentError, match="fit: expected a batch_size of at most 7, the number of examples, with"):
        trainer.fit((X[:7], Y[:7]), None, 3, 8, 0, drop_last=True)


@pytest.mark.parametrize("clip_norm", [0, -1.0, float("nan")])
def test_a_clip_norm_that_stops_all_training_is_refused(clip_norm):
    with pytest.raises(ArgumentError, match="Trainer: expected clip_norm to be a number above 0, or None, got"):
        make(clip_norm=clip_norm)


def test_no_epochs_train_nothing():
    log = []
    assert make(Recorder(log)).fit((X, Y), None, epochs=0, batch_size=8, rng=0) == []
    assert log == ["begin 0.0", "end 0.0"]


def test_the_shuffle_needs_a_seed():
    """No default, so that every run can be repeated."""
    model = tg.nn.MLP(2, 2, rng=0)
    trainer = Trainer(model, tg.optim.SGD(model.parameters(), 0.1))
    with pytest.raises(ArgumentError, match=r"fit: .*an integer seed.*rng=0"):
        trainer.fit((np.ones((2, 2), np.float32), np.zeros(2, int)), None, 1, 1, None)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"callbacks": [Checkpoint]}, r"instances of Callback, got <class .*Checkpoint'>.*parentheses"),
        ({"train": np.ones((4, 2))}, r"train to be a pair, \(examples, targets\), got ndarray"),
        ({"validation": np.ones((4, 2))}, r"validation to be a pair"),
        ({"loss": lambda output, y: 1.0}, r"a loss that returns a scalar Tensor, got float"),
        ({"loss": lambda output, y: output}, r"a loss that returns a scalar Tensor, got shape \(4, 2\).*np\.mean"),
    ],
)
def test_what_fit_cannot_use_is_named(change, message):
    """Each of the slips that a first user makes, in a sentence that says what to write."""
    model = tg.nn.MLP(2, 2, rng=0)
    pair = np.ones((4, 2), np.float32), np.zeros(4, int)
    settings = {"loss": tg.cross_entropy, "callbacks": [], "train": pair, "validation": None} | change
    with pytest.raises(ArgumentError, match=message):
        Trainer(model, tg.optim.SGD(model.parameters(), 0.1), settings["loss"], callbacks=settings["callbacks"]).fit(
            settings["train"], settings["validation"], 1, 4, 0
        )


class Frame:
    """What pandas and polars have in common, as far as it matters here."""

    def __init__(self, array):
        self.array = array

    def to_numpy(self):
        return self.array


def test_lists_and_data_frames_train_as_arrays_do():
    x, y = X.astype(float), Y
    found = []
    for form in (np.asarray, np.ndarray.tolist, Frame):
        trainer = make()
        history = trainer.fit((form(x), form(y)), [form(x), form(y)], 2, 8, 0)
        found.append((weights(trainer).tobytes(), history[-1]["val_accuracy"]))
    assert found[0] == found[1] == found[2]
    with pytest.raises(ArgumentError, match=r"fit: expected targets in train to hold numbers, got a list .*Number the"):
        make().fit((x.tolist(), ["yes"] * 20), None, 1, 8, 0)

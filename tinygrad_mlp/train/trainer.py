"""The training loop, and the hooks it calls."""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from tinygrad_mlp.data import batches
from tinygrad_mlp.errors import ArgumentError, ShapeError, StateError
from tinygrad_mlp.nn import Module
from tinygrad_mlp.ops.losses import cross_entropy
from tinygrad_mlp.optim import Optimizer, clip_grad_norm
from tinygrad_mlp.train import checkpoint
from tinygrad_mlp.train.evaluation import evaluating, prepare
from tinygrad_mlp.train.faults import check_parameters, explain_divergence, warn_of_untrained_parameters
from tinygrad_mlp.train.gradients import LossAndGradients
from tinygrad_mlp.train.history import History
from tinygrad_mlp.train.interrupt import on_ctrl_c
from tinygrad_mlp.train.jsonable import jsonable
from tinygrad_mlp.train.malloc import keep_freed_memory
from tinygrad_mlp.train.ranks import Ranks
from tinygrad_mlp.validation import as_array, generator

Pair = tuple[Any, Any]
# What a checkpoint says about the run, besides the states of model, optimizer, callbacks and rng.
_SAVED = (
    "config", "epoch", "batch", "stop", "last_loss", "last_lr", "history",
    "_loss_sum", "_seconds", "_shuffle_state", "_plan",
)  # fmt: skip


class Callback:
    """Override the hooks you need. Each is given the `Trainer`, whose attributes say what has happened so far.

    >>> class PrintLoss(Callback):
    ...     def on_epoch_end(self, trainer):
    ...         print(trainer.epoch, trainer.history[-1]["train_loss"])
    """

    def on_fit_begin(self, trainer: "Trainer") -> None:
        """Called before the first step, also of a resumed run."""

    def on_step_end(self, trainer: "Trainer") -> None:
        """Called after each update of the parameters."""

    def on_epoch_end(self, trainer: "Trainer") -> None:
        """Called after the epoch's row has been added to ``trainer.history``."""

    def on_fit_end(self, trainer: "Trainer") -> None:
        """Called at the end, also when an error or Ctrl-C ends training."""

    def state_dict(self) -> dict[str, Any]:
        """The arrays and numbers, by name, that a checkpoint must hold for this callback to go on."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        if state:
            raise StateError(
                f"{type(self).__name__}.load_state_dict", expected="no state", got=", ".join(state),
                fix="Resume with the callbacks of the saved run, in the same order.",
            )  # fmt: skip


class Trainer:
    """Trains a model on mini-batches.

    Parameters
    ----------
    model : Module
    optimizer : Optimizer
        Over the model's parameters.
    loss : callable
        ``(output, targets) -> scalar Tensor``, a mean over the batch.
    clip_norm : float, optional
        Scale the gradients of each step down to this global norm, which is more than 0.
    callbacks : iterable of Callback
        Called in this order.
    config : dict, optional
        Saved in every checkpoint. What JSON can hold: numbers, strings, lists, dicts; NumPy's numbers become Python's,
        paths become strings.
    compile : bool
        Whether to run the loss and its gradients as a NumPy program (`tinygrad_mlp.compile`), which gives the same bits
        in less time. Where that cannot be done, a warning says why, and training goes on without.
    ranks : Ranks, optional
        The processes that train together: each calls `fit` with the same arguments, and ``batch_size`` counts the
        examples of all. See `tinygrad_mlp.train.ranks`.

    Attributes
    ----------
    history : History
    epoch, batch : int
        Number of epochs done, and of batches done in the current one.
    epochs, batches_per_epoch : int
        Number of epochs that `fit` was asked for, and of steps in each.
    last_loss, last_lr : float
        Loss and learning rate of the last step.
    stop : bool
        Set by a callback to end training after the epoch.
    interrupted : bool
        Whether Ctrl-C was pressed; training ends after the step, or after the epoch if its steps are done.

    Examples
    --------
    >>> import tinygrad_mlp as tg
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(64, 2)).astype(np.float32)
    >>> y = (x[:, 0] > x[:, 1]).astype(int)
    >>> model = tg.nn.MLP(2, 8, 2, rng=rng)
    >>> trainer = Trainer(model, tg.optim.Adam(model.parameters(), 0.05))
    >>> history = trainer.fit((x, y), (x, y), epochs=20, batch_size=16, rng=rng)
    >>> history[-1]["val_accuracy"] > 0.95
    True
    """

    def __init__(
        self,
        model: Module,
        optimizer: Optimizer,
        loss: Callable[[Any, Any], Any] = cross_entropy,
        *,
        clip_norm: float | None = None,
        callbacks: Iterable[Callback] = (),
        config: dict[str, Any] | None = None,
        compile: bool = True,
        ranks: Ranks | None = None,
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.loss = loss
        self.clip_norm = clip_norm
        self.ranks = ranks
        self.callbacks = list(callbacks)
        for callback in self.callbacks:
            if not isinstance(callback, Callback):
                raise ArgumentError(
                    "Trainer", expected="callbacks to be instances of Callback", got=repr(callback),
                    fix="Write Progress(), with parentheses.",
                )  # fmt: skip
        if clip_norm is not None and not clip_norm > 0:
            raise ArgumentError(
                "Trainer", expected="clip_norm to be a number above 0, or None", got=repr(clip_norm),
                fix="With gradients of norm 0 nothing would train.",
            )  # fmt: skip
        self._loss_and_gradients = LossAndGradients(model, loss, optimizer, compiled=compile)
        self.config = jsonable(config or {}, "config")
        self.history = History()
        self.epoch = self.batch = self.epochs = self.batches_per_epoch = 0
        self.last_loss = self.last_lr = 0.0
        self.stop = self.interrupted = False
        self._loss_sum = self._seconds = 0.0  # of the current epoch
        self._plan: dict[str, int] | None = None  # what the current epoch is cut into
        self._rng = np.random.default_rng(0)  # the one given to fit takes its place
        self._shuffle_state: Any = None  # of _rng when the epoch began: what the order of its batches follows from
        self._rng_state: Any = None  # of _rng when the loaded checkpoint was saved

    def save(self, path: str | Path) -> None:
        """Write a checkpoint: everything that `resume` needs to go on. Done atomically; see `checkpoint.save`."""
        progress = {name.lstrip("_"): getattr(self, name) for name in _SAVED}
        progress["rng_state"] = self._rng_state or self._rng.bit_generator.state
        checkpoint.save(path, self.model, self.optimizer, self.callbacks, progress)

    def resume(self, path: str | Path) -> None:
        """Load a checkpoint; `fit`, called as for the saved run, then ends with the same weights, bit for bit.

        The configuration stays the one that this trainer was made with.

        Raises
        ------
        DataError
            If the file is missing, cut short or no checkpoint.
        StateError
            If it belongs to another model, optimizer or set of callbacks. Nothing is changed then.
        """
        progress = checkpoint.load(path, self.model, self.optimizer, self.callbacks)
        for name in _SAVED[1:]:
            setattr(self, name, progress[name.lstrip("_")])
        self.history = History(self.history)
        self._rng_state = progress["rng_state"]

    def fit(
        self,
        train: Pair,
        validation: Pair | None,
        epochs: int,
        batch_size: int,
        rng: np.random.Generator | int,
        *,
        drop_last: bool = False,
    ) -> History:
        """Train until ``epochs`` are done in all, those of earlier calls and of a resumed run included.

        Parameters
        ----------
        train, validation : (array, array)
            Examples and targets, as arrays, lists or DataFrames. Images of dtype uint8 are scaled to [0, 1] and
            flattened batch by batch. The validation may be None.
        epochs, batch_size : int
            Number of epochs in all, and of examples in a batch.
        rng : numpy.random.Generator or int
            Shuffles the examples.
        drop_last : bool
            Leave out the last batch of an epoch where it is smaller than the others, for layers that need several
            examples, such as BatchNorm. Other examples are left out in each epoch.

        Raises
        ------
        StateError
            If the middle of an epoch was resumed and the epoch is not cut into the same batches as before.
        NonFiniteError
            If the loss becomes NaN or infinite, naming the first op whose output was not finite; or a parameter.
        KeyboardInterrupt
            On Ctrl-C, after the step is finished and the callbacks have ended.
        """
        if epochs < 0 or batch_size < 1:
            raise ArgumentError("fit", expected="epochs >= 0 and batch_size >= 1", got=f"{epochs} and {batch_size}")
        for name, pair in (("train", train), ("validation", validation)):
            if pair is None and name == "validation":
                continue
            if not isinstance(pair, (tuple, list)) or len(pair) != 2:
                raise ArgumentError(
                    "fit", expected=f"{name} to be a pair, (examples, targets)", got=type(pair).__name__,
                    fix="Write fit((x, y), …).",
                )  # fmt: skip
        train, validation = _arrays(train, "train"), _arrays(validation, "validation")
        for name, pair in (("train", train), ("validation", validation)):
            if pair is None:
                continue
            if not len(pair[0]) == len(pair[1]) > 0:
                raise ShapeError(
                    "fit", expected=f"as many targets as examples in {name}, and at least one",
                    got=f"{len(pair[1])} and {len(pair[0])}",
                )  # fmt: skip
        plan = {"examples": len(train[0]), "batch_size": batch_size, "drop_last": drop_last}
        steps = plan["examples"] // batch_size if drop_last else -(-plan["examples"] // batch_size)
        if steps == 0:
            raise ArgumentError(
                "fit", expected=f"a batch_size of at most {len(train[0])}, the number of examples, with drop_last",
                got=str(batch_size),
            )  # fmt: skip
        if self.batch and (self._plan != plan or self.batch > steps):
            raise StateError(
                "fit", expected=f"the rest of an epoch after batch {self.batch}, with {self._plan}", got=f"{plan}",
                fix="Finish the epoch as it began; the next one may be cut into other batches.",
            )  # fmt: skip
        self._plan = plan
        self._rng = generator(rng, "fit")
        if self._rng_state is None:
            self.stop = False
        else:  # resumed, perhaps after a callback had asked for the end
            bits = self._rng.bit_generator
            if type(bits).__name__ != self._rng_state["bit_generator"]:
                raise StateError(
                    "fit", expected=f"rng with a {self._rng_state['bit_generator']}, as in the saved run",
                    got=type(bits).__name__,
                )  # fmt: skip
            bits.state, self._rng_state = self._rng_state, None
        self.epochs, self.batches_per_epoch = epochs, steps
        self.interrupted = False
        self.model.train()
        keep_freed_memory()
        if self.ranks is not None:
            self.ranks.begin(self.model)
        with on_ctrl_c(self._interrupt), ExitStack() as ends:
            for callback in reversed(self.callbacks):  # a stack, so that each is told whatever the others raise
                ends.callback(callback.on_fit_end, self)
            self._call("on_fit_begin")
            while self.epoch < epochs and not (self.stop or self.interrupted):
                self._run_epoch(train, validation, batch_size)
        if self.interrupted:
            if self.ranks is not None:
                self.ranks.any(self.interrupted)  # which waits until all have saved what they save
            raise KeyboardInterrupt
        return self.history

    def _run_epoch(self, train: Pair, validation: Pair | None, batch_size: int) -> None:
        started = time.perf_counter() - self._seconds
        for x, y in self._rest_of_epoch(train, batch_size):
            self.last_lr = self.optimizer.lr
            self.last_loss = self.step(x, y)
            self._loss_sum += self.last_loss * min(batch_size, len(train[0]) - self.batch * batch_size)
            self.batch += 1
            self._seconds = time.perf_counter() - started
            if self.interrupted and self.ranks is not None:
                self.ranks.check_same(self.model)
            self._call("on_step_end")
            if self.interrupted:
                return
        check_parameters(self.model, self.optimizer.step_count)
        val_loss, val_accuracy = self.evaluate(*validation) if validation is not None else (None, None)
        self.epoch += 1
        self.history.append(
            {
                "epoch": self.epoch,
                "train_loss": self._loss_sum / min(self.batch * batch_size, len(train[0])),
                "val_loss": val_loss,
                "val_accuracy": val_accuracy,
                "lr": self.last_lr,
                "seconds": time.perf_counter() - started,
            }
        )
        self.batch, self._loss_sum, self._seconds = 0, 0.0, 0.0
        if self.ranks is not None:
            self.ranks.check_same(self.model)
        self._call("on_epoch_end")
        if self.ranks is not None:
            self.stop = self.ranks.any(self.stop)

    def _rest_of_epoch(self, train: Pair, batch_size: int) -> Iterator[Pair]:
        """The batches still to do. Their order follows from the state of ``rng`` at the start of the epoch."""
        bits = self._rng.bit_generator
        if self.batch == 0:
            self._shuffle_state = bits.state
            shuffled = batches(*train, batch_size, rng=self._rng, part=self._part)
        else:
            state, bits.state = bits.state, self._shuffle_state
            shuffled = batches(*train, batch_size, rng=self._rng, part=self._part)
            bits.state = state
        return islice(shuffled, self.batch, self.batches_per_epoch)

    @np.errstate(over="ignore", divide="ignore", invalid="ignore")  # what is not finite raises, which says more
    def step(self, x: Any, y: Any) -> float:
        """One update of the parameters from one batch, or with ``ranks`` from our share of it; the loss before it."""
        self.optimizer.zero_grad()

        def check(value: float) -> None:
            if not math.isfinite(value):
                self._diverged(x, y, f"a loss of {value}")

        value = self._loss_and_gradients(x, y, check) if len(y) else 0.0
        if self.ranks is not None:
            value, self.interrupted = self.ranks.average(self.optimizer.params, value, len(y))
        if self.optimizer.step_count == 0:
            warn_of_untrained_parameters(self.model, self.optimizer, stacklevel=6)
        if self.clip_norm is not None:
            norm = clip_grad_norm(self.optimizer.params, self.clip_norm)
            if not math.isfinite(norm):
                self._diverged(x, y, f"gradients of norm {norm}")
        self.optimizer.step()
        return value

    @np.errstate(over="ignore", divide="ignore", invalid="ignore")
    def evaluate(self, x: Any, y: Any, batch_size: int = 1000) -> tuple[float, float | None]:
        """Mean loss over all examples, and the fraction classified right; None where targets are not class numbers.

        Raises
        ------
        NonFiniteError
            If the loss is NaN or infinite.
        """
        x, y = as_array(x, "evaluate", "x"), as_array(y, "evaluate", "y")
        loss_sum, right, classes = 0.0, 0.0, False
        with evaluating(self.model):
            for inputs, targets in batches(x, y, batch_size, part=self._part):
                if not len(targets):
                    continue  # on more ranks than examples
                output = self.model(prepare(inputs))
                value = float(self.loss(output, targets))
                if not math.isfinite(value):
                    self._diverged(inputs, targets, f"a loss of {value} in evaluation")
                loss_sum += value * len(targets)
                classes = y.dtype.kind in "iu" and y.ndim == 1 and output.ndim == 2
                if classes:
                    right += int(np.count_nonzero(output.argmax(axis=1) == targets))
        if self.ranks is not None:
            loss_sum, right, known = self.ranks.sums(loss_sum, right, classes)
            classes = known > 0
        return loss_sum / len(x), right / len(x) if classes else None

    def _diverged(self, x: Any, y: Any, got: str) -> NoReturn:
        explain_divergence(lambda: self.loss(self.model(prepare(x)), y), self.optimizer.step_count + 1, got)

    def _call(self, hook: str) -> None:
        for callback in self.callbacks:
            getattr(callback, hook)(self)

    def _interrupt(self) -> None:
        if self.ranks is None:
            self.interrupted = True
        else:
            self.ranks.pressed = True  # until the next step tells the others

    @property
    def _part(self) -> tuple[int, int]:
        return (0, 1) if self.ranks is None else self.ranks.part


def _arrays(pair: Any, name: str) -> Any:
    """Examples and targets as arrays."""
    if pair is None:
        return None
    return as_array(pair[0], "fit", f"examples in {name}"), as_array(pair[1], "fit", f"targets in {name}")

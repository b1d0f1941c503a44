"""The training loop."""

import math
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from tinygrad_mlp.data import batches
from tinygrad_mlp.debugging import debug
from tinygrad_mlp.errors import ArgumentError, NonFiniteError, ShapeError
from tinygrad_mlp.nn import Module
from tinygrad_mlp.ops.losses import cross_entropy
from tinygrad_mlp.optim import Optimizer, clip_grad_norm
from tinygrad_mlp.tensor import Tensor
from tinygrad_mlp.train import checkpoint
from tinygrad_mlp.train.callbacks import Callback
from tinygrad_mlp.train.evaluation import evaluating, prepare
from tinygrad_mlp.train.history import History
from tinygrad_mlp.train.interrupt import on_ctrl_c
from tinygrad_mlp.train.malloc import keep_freed_memory
from tinygrad_mlp.validation import generator

Pair = tuple[Any, Any]
REMEDY = "Lower the learning rate, warm it up, or clip the gradients; checkpoints saved before are good."


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
        Scale the gradients of each step down to this global norm.
    callbacks : iterable of Callback
        Called in this order.
    config : dict, optional
        Kept in checkpoints, for whoever loads them; numbers, texts and lists.

    Attributes
    ----------
    history : History
    epoch, batch : int
        Epochs done, and batches done in the current one.
    epochs, batches_per_epoch : int
        What `fit` was asked for.
    last_loss, last_lr : float
        Of the last step.
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
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.loss = loss
        self.clip_norm = clip_norm
        self.callbacks = list(callbacks)
        for callback in self.callbacks:
            if not isinstance(callback, Callback):
                raise ArgumentError(
                    "Trainer", expected="callbacks to be instances of Callback", got=repr(callback),
                    fix="Write Progress(), with parentheses.",
                )  # fmt: skip
        self.config = dict(config or {})
        self.history = History()
        self.epoch = self.batch = self.epochs = self.batches_per_epoch = 0
        self.loss_sum = self.seconds = self.last_loss = self.last_lr = 0.0
        self.rng = np.random.default_rng(0)  # the one given to fit takes its place
        self.shuffle_state: Any = None  # of rng when the epoch began: what the order of its batches follows from
        self.rng_state: Any = None  # of rng when the loaded checkpoint was saved
        self.stop = self.interrupted = False

    def resume(self, path: str | Path) -> None:
        """Load a checkpoint; `fit`, called as for the saved run, then ends with the same weights, bit for bit."""
        checkpoint.load(path, self)

    def fit(
        self, train: Pair, validation: Pair | None, epochs: int, batch_size: int, rng: np.random.Generator | int
    ) -> History:
        """Train until ``epochs`` are done in all, those of earlier calls and of a resumed run included.

        Parameters
        ----------
        train, validation : (array, array)
            Examples and targets. Images of dtype uint8 are scaled to [0, 1] and flattened batch by batch. The
            validation may be None.
        epochs, batch_size : int
        rng : numpy.random.Generator or int
            Shuffles the examples.

        Raises
        ------
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
            if not len(pair[0]) == len(pair[1]) > 0:
                raise ShapeError(
                    "fit", expected=f"as many targets as examples in {name}, and at least one",
                    got=f"{len(pair[1])} and {len(pair[0])}",
                )  # fmt: skip
        self.rng = generator(rng, "fit")
        if self.rng_state is None:
            self.stop = False
        else:  # resumed, perhaps after a callback had asked for the end
            self.rng.bit_generator.state, self.rng_state = self.rng_state, None
        self.epochs, self.batches_per_epoch = epochs, -(-len(train[0]) // batch_size)
        self.interrupted = False
        self.model.train()
        keep_freed_memory()
        with on_ctrl_c(self._interrupt), ExitStack() as ends:
            for callback in reversed(self.callbacks):  # a stack, so that each is told whatever the others raise
                ends.callback(callback.on_fit_end, self)
            self._call("on_fit_begin")
            while self.epoch < epochs and not (self.stop or self.interrupted):
                self._run_epoch(train, validation, batch_size)
        if self.interrupted:
            raise KeyboardInterrupt
        return self.history

    def _run_epoch(self, train: Pair, validation: Pair | None, batch_size: int) -> None:
        started = time.perf_counter() - self.seconds
        for x, y in self._rest_of_epoch(train, batch_size):
            self.last_lr = self.optimizer.lr
            self.last_loss = self.step(x, y)
            self.loss_sum += self.last_loss * len(y)
            self.batch += 1
            self.seconds = time.perf_counter() - started
            self._call("on_step_end")
            if self.interrupted:
                return
        self._check_parameters()
        val_loss, val_accuracy = self.evaluate(*validation) if validation is not None else (None, None)
        self.epoch += 1
        self.history.append(
            {
                "epoch": self.epoch,
                "train_loss": self.loss_sum / len(train[0]),
                "val_loss": val_loss,
                "val_accuracy": val_accuracy,
                "lr": self.last_lr,
                "seconds": time.perf_counter() - started,
            }
        )
        self.batch, self.loss_sum, self.seconds = 0, 0.0, 0.0
        self._call("on_epoch_end")

    def _rest_of_epoch(self, train: Pair, batch_size: int) -> Iterator[Pair]:
        """The batches still to do. Their order follows from the state of ``rng`` at the start of the epoch."""
        bits = self.rng.bit_generator
        if self.batch == 0:
            self.shuffle_state = bits.state
            return batches(*train, batch_size, rng=self.rng)
        state, bits.state = bits.state, self.shuffle_state
        shuffled = batches(*train, batch_size, rng=self.rng)
        bits.state = state
        return islice(shuffled, self.batch, None)

    @np.errstate(over="ignore", divide="ignore", invalid="ignore")  # what is not finite raises, which says more
    def step(self, x: Any, y: Any) -> float:
        """One update of the parameters from one batch; the loss before it."""
        self.optimizer.zero_grad()
        loss = self.loss(self.model(prepare(x)), y)
        if not isinstance(loss, Tensor) or loss.size != 1:
            raise ArgumentError(
                "Trainer", expected="a loss that returns a scalar Tensor",
                got=f"shape {loss.shape}" if isinstance(loss, Tensor) else type(loss).__name__,
                fix="Average over the batch with np.mean, and compute on Tensors, not on x.data.",
            )  # fmt: skip
        value = float(loss)
        if not math.isfinite(value):
            self._explain_divergence(x, y, f"a loss of {value}")
        loss.backward()
        if self.optimizer.step_count == 0:
            self._warn_of_untrained_parameters()
        if self.clip_norm is not None:
            norm = clip_grad_norm(self.optimizer.params, self.clip_norm)
            if not math.isfinite(norm):
                self._explain_divergence(x, y, f"gradients of norm {norm}")
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
        loss_sum, right, classes = 0.0, 0, False
        with evaluating(self.model):
            for inputs, targets in batches(x, y, batch_size):
                output = self.model(prepare(inputs))
                value = float(self.loss(output, targets))
                if not math.isfinite(value):
                    self._explain_divergence(inputs, targets, f"a loss of {value} in evaluation")
                loss_sum += value * len(targets)
                classes = y.dtype.kind in "iu" and y.ndim == 1 and output.ndim == 2
                if classes:
                    right += int(np.count_nonzero(output.argmax(axis=1) == targets))
        return loss_sum / len(x), right / len(x) if classes else None

    def _explain_divergence(self, x: Any, y: Any, got: str) -> NoReturn:
        """Run the step again where every op is watched, so that the error names the first bad one."""
        try:
            with debug():
                loss = self.loss(self.model(prepare(x)), y)
                if loss.requires_grad:
                    loss.backward()
        except NonFiniteError as error:
            error.add_note(f"In step {self.optimizer.step_count + 1} of training. {REMEDY}")
            raise
        raise NonFiniteError("training", expected="finite numbers", got=f"{got}, once, from dropout", fix=REMEDY)

    def _check_parameters(self) -> None:
        """The last update of an epoch has no step after it whose loss would show what it broke."""
        if bad := [name for name, p in self.model.named_parameters() if not np.isfinite(p.data).all()]:
            raise NonFiniteError(
                f"step {self.optimizer.step_count} of training", expected="finite parameters",
                got=f"NaN or infinity in {', '.join(bad)}", fix=REMEDY,
            )  # fmt: skip

    def _warn_of_untrained_parameters(self) -> None:
        """Say which parameters will not train: without a gradient after the first step, or in no optimizer."""
        trained = {id(p) for p in self.optimizer.params}
        wanted = {name: p for name, p in self.model.named_parameters() if p.requires_grad}
        no_gradient = [name for name, p in wanted.items() if p.grad is None]
        not_updated = [name for name, p in wanted.items() if id(p) not in trained]
        if no_gradient:
            warnings.warn(
                f"No gradient reached {', '.join(no_gradient)}: the loss does not depend on it.", stacklevel=6
            )
        if not_updated:
            warnings.warn(f"The optimizer does not have {', '.join(not_updated)}: it will not train.", stacklevel=6)

    def _call(self, hook: str) -> None:
        for callback in self.callbacks:
            getattr(callback, hook)(self)

    def _interrupt(self) -> None:
        self.interrupted = True

"""The training loop."""

import math
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_mlp.data import batches, to_float
from tinygrad_mlp.errors import ArgumentError, NonFiniteError
from tinygrad_mlp.nn import Module
from tinygrad_mlp.ops.losses import cross_entropy
from tinygrad_mlp.optim import Optimizer, clip_grad_norm
from tinygrad_mlp.tensor import no_grad
from tinygrad_mlp.train import checkpoint
from tinygrad_mlp.train.callbacks import Callback
from tinygrad_mlp.train.history import History
from tinygrad_mlp.train.memory import keep_freed_memory

Pair = tuple[Any, Any]


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
        Whether Ctrl-C was pressed; training ends after the step.

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
        """Train until ``epochs`` are done in all, those of a resumed run included.

        Parameters
        ----------
        train, validation : (array, array)
            Examples and targets. Images of dtype uint8 are scaled to [0, 1] and flattened batch by batch.
        epochs, batch_size : int
        rng : numpy.random.Generator or int
            Shuffles the examples.

        Raises
        ------
        NonFiniteError
            If the loss is NaN or infinite, naming the first op whose output was not finite.
        KeyboardInterrupt
            On Ctrl-C, after the step is finished and the callbacks have ended.
        """
        if epochs < 0 or batch_size < 1:
            raise ArgumentError("fit", expected="epochs >= 0 and batch_size >= 1", got=f"{epochs} and {batch_size}")
        self.rng = np.random.default_rng(rng)
        if self.rng_state is not None:
            self.rng.bit_generator.state = self.rng_state
        self.epochs, self.batches_per_epoch = epochs, -(-len(train[0]) // batch_size)
        self.stop = self.interrupted = False
        keep_freed_memory()
        with self._ctrl_c():
            try:
                self._call("on_fit_begin")
                while self.epoch < epochs and not self.stop:
                    self._run_epoch(train, validation, batch_size)
            finally:
                self._call("on_fit_end")
        return self.history

    def _run_epoch(self, train: Pair, validation: Pair | None, batch_size: int) -> None:
        started = time.perf_counter() - self.seconds
        self.model.train()
        for x, y in self._rest_of_epoch(train, batch_size):
            self.last_lr = self.optimizer.lr
            self.last_loss = self.step(x, y)
            self.loss_sum += self.last_loss * len(y)
            self.batch += 1
            self.seconds = time.perf_counter() - started
            self._call("on_step_end")
            if self.interrupted:
                raise KeyboardInterrupt
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
        if self.interrupted:
            raise KeyboardInterrupt

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

    def step(self, x: Any, y: Any) -> float:
        """One update of the parameters from one batch; the loss before it."""
        self.optimizer.zero_grad()
        loss = self.loss(self.model(prepare(x)), y)
        value = float(loss)
        if not math.isfinite(value):
            self._explain_divergence(x, y, value)
        loss.backward()
        if self.optimizer.step_count == 0:
            self._warn_of_untrained_parameters()
        if self.clip_norm is not None:
            clip_grad_norm(self.optimizer.params, self.clip_norm)
        self.optimizer.step()
        return value

    def evaluate(self, x: Any, y: Any, batch_size: int = 1000) -> tuple[float, float | None]:
        """Mean loss over all examples, and the fraction classified right; None where targets are not class numbers."""
        training = self.model.training
        self.model.eval()
        loss_sum, right = 0.0, 0
        classes = y.dtype.kind in "iu" and y.ndim == 1
        with no_grad():
            for inputs, targets in batches(x, y, batch_size):
                output = self.model(prepare(inputs))
                loss_sum += float(self.loss(output, targets)) * len(targets)
                if classes:
                    right += int(np.count_nonzero(output.argmax(axis=-1) == targets))
        self.model.train(training)
        return loss_sum / len(x), right / len(x) if classes else None

    def _explain_divergence(self, x: Any, y: Any, value: float) -> None:
        """Run the step's forward pass again where every op is watched, so that the error names the first bad one."""
        fix = "Lower the learning rate, warm it up, or clip the gradients; the last checkpoint is still good."
        from tinygrad_mlp.debugging import debug
        try:
            with debug():
                self.loss(self.model(prepare(x)), y)
        except NonFiniteError as error:
            error.add_note(f"in step {self.optimizer.step_count + 1} of training. {fix}")
            raise
        raise NonFiniteError("training", expected="a finite loss", got=f"{value} from dropout's last draw", fix=fix)

    def _warn_of_untrained_parameters(self) -> None:
        """Say which parameters will not train: without a gradient after the first step, or in no optimizer."""
        trained = {id(p) for p in self.optimizer.params}
        wanted = {name: p for name, p in self.model.named_parameters() if p.requires_grad}
        no_gradient = [name for name, p in wanted.items() if p.grad is None]
        not_updated = [name for name, p in wanted.items() if id(p) not in trained]
        if no_gradient:
            warnings.warn(
                f"No gradient reached {', '.join(no_gradient)}: the loss does not depend on it.", stacklevel=4
            )
        if not_updated:
            warnings.warn(f"The optimizer does not have {', '.join(not_updated)}: it will not train.", stacklevel=4)

    def _call(self, hook: str) -> None:
        for callback in self.callbacks:
            getattr(callback, hook)(self)

    @contextmanager
    def _ctrl_c(self) -> Iterator[None]:
        """Let a first Ctrl-C end training after the step; a second one ends it at once."""
        if threading.current_thread() is not threading.main_thread():  # only the main thread gets signals
            yield
            return
        previous = signal.getsignal(signal.SIGINT)

        def interrupt(signum: int, frame: Any) -> None:
            self.interrupted = True
            signal.signal(signal.SIGINT, previous)

        signal.signal(signal.SIGINT, interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, previous)


def prepare(x: Any) -> Any:
    """What the model is fed: images as floats, everything else as it is."""
    return to_float(x) if x.dtype == np.uint8 and x.ndim > 1 else x

"""Callbacks that most runs want: progress on the screen, the best weights, checkpoints, a log."""

import sys
from pathlib import Path
from typing import Any

from tinygrad_mlp.errors import ArgumentError, StateError
from tinygrad_mlp.train.history import Mode, direction
from tinygrad_mlp.train.trainer import Callback, Trainer

Arrays = dict[str, Any]


def in_notebook() -> bool:
    """Whether a kernel of Jupyter runs this: it has IPython loaded, whose settings say so."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and "IPKernelApp" in shell.config


class Progress(Callback):
    """A bar over the steps of each epoch on a terminal or in a notebook, and one line per epoch.

    The lines go to standard output. The bar is `tqdm.auto`'s: on a terminal it goes to standard error; in a notebook it
    is a widget, if ipywidgets is installed.

    >>> import numpy as np
    >>> import tinygrad_mlp as tg
    >>> x, y = np.eye(4), np.arange(4) % 2
    >>> model = tg.nn.MLP(4, 8, 2, rng=0)
    >>> optimizer = tg.optim.SGD(model.parameters(), lr=0.1)
    >>> _ = tg.train.Trainer(model, optimizer, callbacks=[Progress()]).fit((x, y), None, epochs=1, batch_size=4, rng=0)
    epoch 1/1  train loss ...
    """

    def __init__(self) -> None:
        self._bar: Any = None  # each epoch makes its own

    def on_step_end(self, trainer: Trainer) -> None:
        """Move the bar."""
        if not in_notebook() and (sys.stderr is None or not sys.stderr.isatty()):
            return
        if self._bar is None:
            from tqdm.auto import tqdm

            title = f"epoch {trainer.epoch + 1}/{trainer.epochs}"
            self._bar = tqdm(
                total=trainer.batches_per_epoch, initial=trainer.batch - 1, desc=title, unit="step", leave=False
            )
        self._bar.update()
        if trainer.batch % 50 == 0:
            self._bar.set_postfix(loss=f"{trainer.last_loss:.4f}", refresh=False)

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Print the epoch's line."""
        self.on_fit_end(trainer)
        row = trainer.history[-1]
        parts = [
            f"epoch {row['epoch']:>{len(str(trainer.epochs))}}/{trainer.epochs}",
            f"train loss {row['train_loss']:.4f}",
        ]
        if row["val_loss"] is not None:
            parts.append(f"val loss {row['val_loss']:.4f}")
        if row["val_accuracy"] is not None:
            parts.append(f"val accuracy {100 * row['val_accuracy']:.2f} %")
        print(*parts, f"{row['seconds']:.1f} s", sep="  ", flush=True)

    def on_fit_end(self, trainer: Trainer) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class EarlyStopping(Callback):
    """Keep the weights of the best epoch and put them back at the end, however training ends.

    Parameters
    ----------
    monitor : str
        A measure in the history, such as ``val_loss``.
    patience : int, optional
        End training after this many epochs without a new best. None never ends it early.
    mode : {"min", "max"}, optional
        Whether small or large values are good. Need not be given for losses, errors, accuracies and other measures
        whose name ends in a known word; see `tinygrad_mlp.train.history.direction`.
    min_delta : float
        An epoch is a new best only if it is better by more than this.

    Raises
    ------
    ArgumentError
        If the measure is not in the history, or its direction is not known.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_mlp as tg
    >>> x, y = np.eye(4), np.arange(4) % 2
    >>> model = tg.nn.MLP(4, 8, 2, rng=0)
    >>> optimizer = tg.optim.SGD(model.parameters(), lr=0.1)
    >>> stopping = EarlyStopping("val_accuracy", patience=3)
    >>> trainer = tg.train.Trainer(model, optimizer, callbacks=[stopping])
    >>> history = trainer.fit((x, y), (x, y), epochs=50, batch_size=4, rng=0)
    >>> len(history) < 50
    True
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        patience: int | None = None,
        *,
        mode: Mode | None = None,
        min_delta: float = 0.0,
    ) -> None:
        if patience is not None and patience < 1:
            raise ArgumentError("EarlyStopping", expected="patience of at least 1 epoch, or None", got=repr(patience))
        if not min_delta >= 0:
            raise ArgumentError("EarlyStopping", expected="min_delta of at least 0", got=repr(min_delta))
        self.monitor = monitor
        self.patience = patience
        self.mode = direction(monitor, mode)
        self.min_delta = min_delta
        self._best_weights: Arrays = {}

    def on_fit_begin(self, trainer: Trainer) -> None:
        """Raise where weights that were loaded are those of another model."""
        shapes = {name: value.shape for name, value in trainer.model.state_dict().items()}
        if self._best_weights and {name: value.shape for name, value in self._best_weights.items()} != shapes:
            self._best_weights = {}  # not to be put back at the end
            raise StateError(
                "EarlyStopping", expected="best weights with the names and shapes of the model's", got="others",
                fix="Resume with the model and the callbacks of the saved run, in the same order.",
            )  # fmt: skip

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Compare the epoch with the best one."""
        best = trainer.history.best_epoch(self.monitor, self.mode, self.min_delta)
        if best == trainer.epoch:
            self._best_weights = trainer.model.state_dict()
        elif self.patience is not None and trainer.epoch - best >= self.patience:
            trainer.stop = True

    def on_fit_end(self, trainer: Trainer) -> None:
        """Put the best weights back."""
        if self._best_weights:
            trainer.model.load_state_dict(self._best_weights)

    def state_dict(self) -> Arrays:
        """The best weights."""
        return self._best_weights

    def load_state_dict(self, state: Arrays) -> None:
        """Go on from earlier best weights."""
        self._best_weights = dict(state)


class Checkpoint(Callback):
    """Save ``last.npz`` after each epoch and on Ctrl-C, and ``best.npz`` after each epoch that is the best so far.

    List it after the callbacks whose state it should save.

    Parameters
    ----------
    directory : str or Path
        Where to write; made if it does not exist.
    monitor, mode, min_delta
        What the best epoch is, as for `EarlyStopping`.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import tinygrad_mlp as tg
    >>> x, y = np.eye(4), np.arange(4) % 2
    >>> model = tg.nn.MLP(4, 8, 2, rng=0)
    >>> optimizer = tg.optim.SGD(model.parameters(), lr=0.1)
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     trainer = tg.train.Trainer(model, optimizer, callbacks=[Checkpoint(directory)])
    ...     _ = trainer.fit((x, y), (x, y), epochs=1, batch_size=4, rng=0)
    ...     sorted(path.name for path in Path(directory).iterdir())
    ['best.npz', 'last.npz']
    """

    def __init__(
        self, directory: str | Path, monitor: str = "val_loss", *, mode: Mode | None = None, min_delta: float = 0.0
    ) -> None:
        self.directory = Path(directory)
        self.monitor = monitor
        self.mode = direction(monitor, mode)
        self.min_delta = min_delta

    def on_fit_begin(self, trainer: Trainer) -> None:
        """Make the directory, so that a place that cannot be written shows before the work, not after."""
        self.directory.mkdir(parents=True, exist_ok=True)

    def on_step_end(self, trainer: Trainer) -> None:
        """Save when Ctrl-C was pressed."""
        if trainer.interrupted:
            trainer.save(self.directory / "last.npz")

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Save, and save the best epoch once more."""
        if trainer.history.best_epoch(self.monitor, self.mode, self.min_delta) == trainer.epoch:
            trainer.save(self.directory / "best.npz")
        trainer.save(self.directory / "last.npz")


class Log(Callback):
    """Write the history after each epoch to ``history.csv`` and ``history.json`` in a directory.

    >>> import tempfile
    >>> import numpy as np
    >>> import tinygrad_mlp as tg
    >>> x, y = np.eye(4), np.arange(4) % 2
    >>> model = tg.nn.MLP(4, 8, 2, rng=0)
    >>> optimizer = tg.optim.SGD(model.parameters(), lr=0.1)
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     trainer = tg.train.Trainer(model, optimizer, callbacks=[Log(directory)])
    ...     _ = trainer.fit((x, y), None, epochs=1, batch_size=4, rng=0)
    ...     sorted(path.name for path in Path(directory).iterdir())
    ['history.csv', 'history.json']
    """

    def __init__(self, directory: str | Path) -> None:
        self.directory = Path(directory)

    def on_fit_begin(self, trainer: Trainer) -> None:
        """Make the directory."""
        self.directory.mkdir(parents=True, exist_ok=True)

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Write both files anew, each atomically."""
        trainer.history.save_csv(self.directory / "history.csv")
        trainer.history.save_json(self.directory / "history.json")

"""Things that happen while a `Trainer` trains."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinygrad_mlp.errors import ArgumentError, StateError
from tinygrad_mlp.train import checkpoint

if TYPE_CHECKING:
    from tinygrad_mlp.train.trainer import Trainer

Arrays = dict[str, Any]


class Callback:
    """Override the hooks you need. Each gets the `Trainer`, whose attributes tell the rest.

    >>> class PrintLoss(Callback):
    ...     def on_epoch_end(self, trainer):
    ...         print(trainer.epoch, trainer.history[-1]["train_loss"])
    """

    def on_fit_begin(self, trainer: "Trainer") -> None:
        """Before the first step, also of a resumed run."""

    def on_step_end(self, trainer: "Trainer") -> None:
        """After each update of the parameters."""

    def on_epoch_end(self, trainer: "Trainer") -> None:
        """After the epoch's row is in ``trainer.history``."""

    def on_fit_end(self, trainer: "Trainer") -> None:
        """At the end, also when an error or Ctrl-C ends training."""

    def state_dict(self) -> Arrays:
        """What a checkpoint has to hold for this callback to go on: arrays and numbers, by name."""
        return {}

    def load_state_dict(self, state: Arrays) -> None:
        """Go on from what `state_dict` gave."""
        if state:
            raise StateError(
                f"{type(self).__name__}.load_state_dict", expected="no state", got=", ".join(state),
                fix="Resume with the callbacks of the saved run, in the same order.",
            )  # fmt: skip


class Progress(Callback):
    """A bar over the steps of each epoch on a terminal, and one line per epoch.

    The lines go to standard output, the bar to standard error, and only where that is a terminal.
    """

    def __init__(self) -> None:
        self.bar: Any = None  # each epoch makes its own

    def on_step_end(self, trainer: "Trainer") -> None:
        """Move the bar."""
        if not sys.stderr.isatty():
            return
        if self.bar is None:
            from tqdm import tqdm

            title = f"epoch {trainer.epoch + 1}/{trainer.epochs}"
            self.bar = tqdm(
                total=trainer.batches_per_epoch, initial=trainer.batch - 1, desc=title, unit="step", leave=False
            )
        self.bar.update()
        if trainer.batch % 50 == 0:
            self.bar.set_postfix(loss=f"{trainer.last_loss:.4f}", refresh=False)

    def on_epoch_end(self, trainer: "Trainer") -> None:
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
        print(*parts, f"lr {row['lr']:.2e}", f"{row['seconds']:.2f} s", sep="  ", flush=True)

    def on_fit_end(self, trainer: "Trainer") -> None:
        """Take the bar away."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None


class EarlyStopping(Callback):
    """Keep the weights of the best epoch and put them back at the end, however training ends.

    Parameters
    ----------
    monitor : str
        A measure of the history; see `History.best_epoch`.
    patience : int, optional
        End training after this many epochs without a new best. None never ends it early.

    Raises
    ------
    ArgumentError
        If the measure is not in the history.
    """

    def __init__(self, monitor: str = "val_loss", patience: int | None = None) -> None:
        if patience is not None and patience < 1:
            raise ArgumentError("EarlyStopping", expected="patience of at least 1 epoch, or None", got=repr(patience))
        self.monitor = monitor
        self.patience = patience
        self.best_weights: Arrays = {}

    def on_epoch_end(self, trainer: "Trainer") -> None:
        """Compare the epoch with the best one."""
        best = trainer.history.best_epoch(self.monitor)
        if best == trainer.epoch:
            self.best_weights = trainer.model.state_dict()
        elif self.patience is not None and trainer.epoch - best >= self.patience:
            trainer.stop = True

    def on_fit_end(self, trainer: "Trainer") -> None:
        """Put the best weights back."""
        if self.best_weights:
            trainer.model.load_state_dict(self.best_weights)

    def state_dict(self) -> Arrays:
        """The best weights."""
        return self.best_weights

    def load_state_dict(self, state: Arrays) -> None:
        """Go on from earlier best weights."""
        self.best_weights = state


class Checkpoint(Callback):
    """Save ``last.npz`` after each epoch and on Ctrl-C, and ``best.npz`` after each epoch that is the best so far.

    Stand it behind the callbacks whose state it shall hold.

    Parameters
    ----------
    directory : str or Path
        Made if it is not there.
    monitor : str
        A measure of the history; see `History.best_epoch`.
    """

    def __init__(self, directory: str | Path, monitor: str = "val_loss") -> None:
        self.directory = Path(directory)
        self.monitor = monitor

    def on_fit_begin(self, trainer: "Trainer") -> None:
        """Make the directory, so that a place that cannot be written shows before the work, not after."""
        self.directory.mkdir(parents=True, exist_ok=True)

    def on_step_end(self, trainer: "Trainer") -> None:
        """Save when Ctrl-C was pressed."""
        if trainer.interrupted:
            checkpoint.save(self.directory / "last.npz", trainer)

    def on_epoch_end(self, trainer: "Trainer") -> None:
        """Save."""
        if trainer.history.best_epoch(self.monitor) == trainer.epoch:
            checkpoint.save(self.directory / "best.npz", trainer)
        checkpoint.save(self.directory / "last.npz", trainer)


class Log(Callback):
    """Write the history after each epoch to ``history.csv`` and ``history.json`` in a directory."""

    def __init__(self, directory: str | Path) -> None:
        self.directory = Path(directory)

    def on_fit_begin(self, trainer: "Trainer") -> None:
        """Make the directory."""
        self.directory.mkdir(parents=True, exist_ok=True)

    def on_epoch_end(self, trainer: "Trainer") -> None:
        """Write both files anew, each in one piece."""
        trainer.history.save_csv(self.directory / "history.csv")
        trainer.history.save_json(self.directory / "history.json")

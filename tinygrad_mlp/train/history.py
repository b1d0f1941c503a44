"""What a training run measured, one row per epoch."""

import csv
import io
import json
import math
from pathlib import Path
from typing import Any, Literal

from tinygrad_mlp.errors import ArgumentError
from tinygrad_mlp.files import write_atomically
from tinygrad_mlp.train.jsonable import jsonable

Mode = Literal["min", "max"]
KNOWN: dict[str, Mode] = {  # the last word of a measure -> which values of it are good
    "loss": "min", "error": "min", "mse": "min", "rmse": "min", "mae": "min", "perplexity": "min",
    "accuracy": "max", "acc": "max", "precision": "max", "recall": "max", "f1": "max", "auc": "max",
}  # fmt: skip


class History(list[dict[str, Any]]):
    """A list with one dict per epoch: epoch, train_loss, val_loss, val_accuracy, lr, seconds.

    Losses are means over the examples, accuracies fractions from 0 to 1, seconds wall time. Without validation data
    the ``val_`` entries are None, and so is the accuracy where the targets are not class numbers. Callbacks may add
    entries of their own to the last row. A notebook shows the curves.

    Examples
    --------
    >>> history = History([{"epoch": 1, "val_loss": 0.5}, {"epoch": 2, "val_loss": 0.4}])
    >>> history.column("val_loss")
    [0.5, 0.4]
    """

    def column(self, name: str) -> list[Any]:
        """One measure over all epochs."""
        return [row[name] for row in self]

    def best_epoch(self, monitor: str, mode: Mode | None = None, min_delta: float = 0.0) -> int:
        """The first epoch with the best value of a measure.

        Parameters
        ----------
        monitor : str
            Name of the measure.
        mode : {"min", "max"}, optional
            Whether small or large values are good; see `direction`.
        min_delta : float
            A value counts as better only if it is so by more than this. NaN is never better.

        Raises
        ------
        ArgumentError
            If the measure was not taken, there is no epoch yet, or the direction is not known.
        """
        if not self:
            raise ArgumentError("history", expected="at least one epoch", got="none")
        if any(row.get(monitor) is None for row in self):
            measured = [name for name, value in self[-1].items() if value is not None]
            raise ArgumentError(
                "history", expected=f"a measure taken each epoch, one of {measured}", got=repr(monitor),
                fix="Give fit() validation data, or monitor train_loss.",
            )  # fmt: skip
        sign = 1 if direction(monitor, mode) == "max" else -1
        best, best_value = self[0], sign * self[0][monitor]
        for row in self[1:]:
            value = sign * row[monitor]
            if value > best_value + min_delta or (math.isnan(best_value) and not math.isnan(value)):
                best, best_value = row, value
        return int(best["epoch"])

    def _repr_html_(self) -> str:
        from tinygrad_mlp.train.curves import curves

        return curves(self)

    def save_json(self, path: Path) -> None:
        """Write a list of one object per epoch."""
        write_atomically(path, json.dumps(jsonable(self, "history"), indent=1).encode())

    def save_csv(self, path: Path) -> None:
        """Write one line per epoch under a line of names."""
        text = io.StringIO()
        names = list(dict.fromkeys(name for row in self for name in row))
        writer = csv.DictWriter(text, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(jsonable(self, "history"))
        write_atomically(path, text.getvalue().encode())


def direction(monitor: str, mode: Mode | None = None) -> Mode:
    """``mode``, or what the last word of a measure's name says: ``val_loss`` is to be small, ``val_accuracy`` large.

    Raises
    ------
    ArgumentError
        If the mode is another one, or None and the last word is not known.

    Examples
    --------
    >>> direction("val_mse"), direction("bleu", "max")
    ('min', 'max')
    """
    known = KNOWN.get(monitor.rpartition("_")[2].lower())
    if mode in ("min", "max"):
        return mode
    if mode is None and known is not None:
        return known
    raise ArgumentError(
        f"measure {monitor!r}", expected="mode='min' or mode='max'", got=f"mode={mode!r}",
        fix="Say whether small or large values are good.",
    )  # fmt: skip

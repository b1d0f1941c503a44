"""What a training run measured, one row per epoch."""

import csv
import io
import json
from pathlib import Path
from typing import Any

from tinygrad_mlp.errors import ArgumentError
from tinygrad_mlp.files import write_atomically


class History(list[dict[str, Any]]):
    """A list with one dict per epoch: epoch, train_loss, val_loss, val_accuracy, lr, seconds.

    Losses are means over the examples, accuracies fractions from 0 to 1, seconds wall time. Without validation data
    the ``val_`` entries are None, and so is the accuracy where the targets are not class numbers.

    Examples
    --------
    >>> history = History([{"epoch": 1, "val_loss": 0.5}, {"epoch": 2, "val_loss": 0.4}])
    >>> history.column("val_loss")
    [0.5, 0.4]
    """

    def column(self, name: str) -> list[Any]:
        """One measure over all epochs."""
        return [row[name] for row in self]

    def best_epoch(self, monitor: str) -> int:
        """The first epoch with the best value of a measure: smallest if its name ends in ``loss``, else largest.

        Raises
        ------
        ArgumentError
            If the measure was not taken, or there is no epoch yet.
        """
        if not self:
            raise ArgumentError("history", expected="at least one epoch", got="none")
        if any(row.get(monitor) is None for row in self):
            measured = [name for name, value in self[-1].items() if value is not None]
            raise ArgumentError(
                "history", expected=f"a measure taken each epoch, one of {measured}", got=repr(monitor),
                fix="Give fit() validation data, or monitor train_loss.",
            )  # fmt: skip
        values = self.column(monitor)
        best = min(values) if monitor.endswith("loss") else max(values)
        return int(self[values.index(best)]["epoch"])

    def save_json(self, path: Path) -> None:
        """Write a list of one object per epoch."""
        write_atomically(path, json.dumps(self, indent=1).encode())

    def save_csv(self, path: Path) -> None:
        """Write one line per epoch under a line of names."""
        text = io.StringIO()
        names = list(dict.fromkeys(name for row in self for name in row))
        writer = csv.DictWriter(text, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self)
        write_atomically(path, text.getvalue().encode())

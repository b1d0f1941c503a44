"""A training run in TensorBoard."""

import time
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_mlp.errors import ArgumentError, MissingExtraError
from tinygrad_mlp.train.evaluation import in_evaluation, prepare
from tinygrad_mlp.train.trainer import Callback, Pair, Trainer


class TensorBoard(Callback):
    """Write what TensorBoard shows: scalars, histograms of weights and gradients, and the drawn graph.

    Needs ``pip install 'tinygrad-mlp[tensorboard]'``; ``tensorboard --logdir DIRECTORY`` shows it. The number of steps
    done stands under everything. After each epoch come the numbers of the history and a histogram of each parameter,
    and of its gradient in the last step. A run that goes on from a checkpoint writes into the same directory; what an
    earlier attempt wrote after that checkpoint is hidden.

    Parameters
    ----------
    directory : str or Path
        Where to write; one per run.
    every : int
        Steps between two entries of ``step/loss`` and ``step/lr``.
    example : (array, array), optional
        Some examples and their targets, whose loss is drawn with its graph at the start, with the model in evaluation.

    Raises
    ------
    MissingExtraError
        If tensorboardX is not installed.

    Examples
    --------
    >>> import tempfile
    >>> import tinygrad_mlp as tg
    >>> x, y = np.eye(4), np.arange(4) % 2
    >>> model = tg.nn.MLP(4, 8, 2, rng=0)
    >>> optimizer = tg.optim.SGD(model.parameters(), lr=0.1)
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     board = TensorBoard(directory, example=(x, y))
    ...     trainer = tg.train.Trainer(model, optimizer, callbacks=[board])
    ...     _ = trainer.fit((x, y), None, epochs=1, batch_size=4, rng=0)
    ...     [path.name.startswith("events.out.tfevents") for path in Path(directory).iterdir()]
    [True]
    """

    def __init__(self, directory: str | Path, *, every: int = 50, example: Pair | None = None) -> None:
        try:
            import tensorboardX
        except ImportError as error:
            raise MissingExtraError(
                "TensorBoard", expected="the library tensorboardX", got="none",
                fix="Install it with: pip install 'tinygrad-mlp[tensorboard]'.",
            ) from error  # fmt: skip
        if every < 1:
            raise ArgumentError("TensorBoard", expected="every to be at least 1 step", got=repr(every))
        self.directory = Path(directory)
        self.every = every
        self.example = example
        self._open = tensorboardX.SummaryWriter
        self._writer: Any = None  # each fit has its own

    def on_fit_begin(self, trainer: Trainer) -> None:
        """Open the file, and draw the graph."""
        step = trainer.optimizer.step_count
        own = f".{time.time_ns()}"  # tensorboardX gives files that are opened in the same second the same name
        self._writer = self._open(str(self.directory), purge_step=step + 1 if step else None, filename_suffix=own)
        if self.example is not None and step == 0:
            self._draw(trainer, *self.example)

    def on_step_end(self, trainer: Trainer) -> None:
        """Write loss and learning rate now and then."""
        step = trainer.optimizer.step_count
        if step % self.every == 0:
            self._writer.add_scalar("step/loss", trainer.last_loss, step)
            self._writer.add_scalar("step/lr", trainer.last_lr, step)

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Write the numbers of the epoch, and the histograms."""
        step = trainer.optimizer.step_count
        for name, value in trainer.history[-1].items():
            if isinstance(value, (int, float)):
                self._writer.add_scalar(f"epoch/{name}", value, step)
        for name, parameter in trainer.model.named_parameters():
            for room, array in (("weights", parameter.data), ("gradients", parameter.grad)):
                if array is not None and np.isfinite(array).all():  # others have no bins
                    self._writer.add_histogram(f"{room}/{name}", array, step)
        self._writer.flush()

    def on_fit_end(self, trainer: Trainer) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _draw(self, trainer: Trainer, x: Any, y: Any) -> None:
        from tensorboardX.proto.summary_pb2 import Summary

        from tinygrad_mlp.drawing import to_dot

        with in_evaluation(trainer.model):
            loss = trainer.loss(trainer.model(prepare(x)), y)
        png = to_dot(loss, model=trainer.model).rendered("png")
        width, height = np.frombuffer(png, ">u4", 2, 16).tolist()  # from the header of the file
        image = Summary.Image(width=width, height=height, colorspace=3, encoded_image_string=png)
        self._writer.file_writer.add_summary(Summary(value=[Summary.Value(tag="graph", image=image)]), 0)

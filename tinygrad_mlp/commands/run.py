"""A training run in a directory: settings in, weights, history and pictures out."""

import hashlib
import itertools
import math
import os
import shlex
import sys
import time
from contextlib import redirect_stdout
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tinygrad_mlp import nn
from tinygrad_mlp.commands.config import Config, cut
from tinygrad_mlp.commands.network import network_loss
from tinygrad_mlp.commands.run_report import write_report
from tinygrad_mlp.commands.streams import printable, say
from tinygrad_mlp.data import DataSet, load_data
from tinygrad_mlp.data.sets import held_out_of
from tinygrad_mlp.errors import ArgumentError, DataError, MissingExtraError, StateError
from tinygrad_mlp.files import locked, write_atomically
from tinygrad_mlp.ops.activations import softmax
from tinygrad_mlp.ops.losses import cross_entropy
from tinygrad_mlp.train import checkpoint
from tinygrad_mlp.train.callbacks import Checkpoint, EarlyStopping, Log, Progress
from tinygrad_mlp.train.evaluation import predict
from tinygrad_mlp.train.ranks import Ranks, started_by_mpi
from tinygrad_mlp.train.trainer import Trainer

Array = np.ndarray[Any, Any]
PART = 12  # one in so many training images is for validation
MAY_CHANGE = ("data", "epochs", "patience")  # the same data may have moved; a run may be made longer


def train(config: Config, directory: Path | None, *, resume: bool = False, compile: bool = True) -> float:
    """Train a network and leave everything in a directory.

    A twelfth of the training images is for validation, drawn by the seed, from each class alike.

    Parameters
    ----------
    config : Config
    directory : Path or None
        Gets ``config.toml``, ``history.csv``, ``history.json``, ``best.npz``, ``last.npz``, the pictures and
        ``report.html`` with all of it. None: a new one in ``runs/``, called by the time.
    resume : bool
        Go on from ``last.npz`` if it is there; the result is the same, bit for bit, as if the run had never stopped.
    compile : bool
        Whether to train by a compiled step; see `tinygrad_mlp.train.Trainer`.

    Returns
    -------
    float
        Accuracy of the best weights on the test images, from 0 to 1.

    Raises
    ------
    ArgumentError
        If there is a run in the directory that is not to be resumed, or another process writes into it.
    StateError
        If the run to resume had other settings or other data.
    """
    from threadpoolctl import threadpool_limits

    data = load_data(config.data)
    classes = len(data.classes) if data.classes else int(data.train.labels.max()) + 1
    if len(data.train.labels) < PART:
        raise DataError(str(config.data), expected=f"at least {PART} training images", got=str(len(data.train.labels)))
    check_labels(data.test.labels, classes, config.data)
    sizes = [data.train.images[0].size, *config.hidden, classes]
    model = build(sizes, config)
    ranks = Ranks() if started_by_mpi() else None
    settings = asdict(config) | {"sizes": sizes, "images": images_of(data)._asdict(), "digests": digests(data)}
    if ranks is not None and ranks.rank:
        return follow(ranks, config, settings, model, data, compile=compile)
    if directory is None:
        directory = new_directory()
    else:
        directory.mkdir(parents=True, exist_ok=True)
    with locked(directory):
        if not resume and (directory / "config.toml").exists():
            raise ArgumentError(
                "--out", expected="a directory without a run in it", got=str(directory),
                fix=f"Choose another, or go on with it: {resuming(directory)}",
            )  # fmt: skip
        begun = resume and (directory / "last.npz").exists()
        saved = checkpoint.read_progress(directory / "last.npz") if begun else None
        if saved is not None:
            check_unchanged(directory / "last.npz", saved["config"], settings)
            if config.epochs < saved["epoch"]:
                raise ArgumentError(
                    "--epochs", expected=f"at least {saved['epoch']}, which are done", got=str(config.epochs)
                )
        if not (directory / "config.toml").exists() or Config(**Config.read(directory / "config.toml")) != config:
            write_atomically(directory / "config.toml", config.toml())
        try:
            if ranks is not None:
                ranks.tell((directory, saved))
            with threadpool_limits(config.threads, user_api="blas"):
                return train_in(directory, config, settings, model, data, saved, compile=compile, ranks=ranks)
        except KeyboardInterrupt:
            print(f"\ngo on with: {resuming(directory)}", file=sys.stderr)
            raise


def follow(
    ranks: Ranks, config: Config, settings: dict[str, Any], model: nn.MLP, data: DataSet, *, compile: bool
) -> float:
    """Train along with rank 0, which alone says and writes something, and which Ctrl-C ends for all."""
    from threadpoolctl import threadpool_limits

    directory, saved = ranks.tell(None)
    with (
        Path(os.devnull).open("w") as nowhere,
        redirect_stdout(nowhere),
        threadpool_limits(config.threads, user_api="blas"),
    ):
        try:
            return train_in(directory, config, settings, model, data, saved, compile=compile, ranks=ranks)
        except KeyboardInterrupt:
            return math.nan


def train_in(
    directory: Path, config: Config, settings: dict[str, Any], model: nn.MLP, data: DataSet,
    saved: dict[str, Any] | None, *, compile: bool, ranks: Ranks | None,
) -> float:  # fmt: skip
    """Train in a directory that is ours, from its last checkpoint if there is one; the accuracy on the test images."""
    first = ranks is None or ranks.rank == 0
    kept, held_out = held_out_of(data.train.labels, PART, np.random.default_rng([config.seed, 2]))
    images, labels = data.train.images[kept], data.train.labels[kept]
    validation = data.train.images[held_out], data.train.labels[held_out]
    steps = math.ceil(len(labels) / config.batch_size)
    trainer = Trainer(
        model,
        config.make_optimizer(model.named_parameters(), steps),
        partial(cross_entropy, label_smoothing=config.label_smoothing),
        clip_norm=config.clip_norm,
        callbacks=[
            EarlyStopping("val_loss", config.patience),
            *([Log(directory), Checkpoint(directory), Progress()] if first else []),
        ],
        config=settings,
        compile=compile,
        ranks=ranks,
    )
    if saved is not None:
        trainer.resume(directory / "last.npz")
        say(f"resumed after epoch {trainer.epoch}, step {trainer.optimizer.step_count}")
        if saved["config"].get("patience") != config.patience:
            trainer.stop = False
        if trainer.stop and trainer.epoch < config.epochs:
            say("training had ended there for want of a new best; with more --patience it goes on")
    smoothed = smoothing_note(config, model.sizes[-1])
    threads = f"{config.threads} thread{'' if config.threads == 1 else 's'}"
    if ranks is not None:
        threads += f" on each of {ranks.size} ranks"
    say(f"{'-'.join(map(str, model.sizes))} MLP, {sum(p.size for p in model.parameters()):,} parameters; "
        f"{config.epochs} epochs of {steps} steps, {threads}")  # fmt: skip
    say(f"{len(labels):,} images to train on; {len(held_out):,} to validate, drawn by the seed from each class")
    if smoothed:
        say(smoothed)
    shuffle = np.random.default_rng([config.seed, 1])
    history = trainer.fit((images, labels), validation, config.epochs, config.batch_size, shuffle)
    logits = predict(model, data.test.images)
    accuracy = float(np.mean(logits.argmax(axis=1) == data.test.labels))
    if history and first:
        history[-1]["test_accuracy"] = accuracy
        history.save_json(directory / "history.json")
        history.save_csv(directory / "history.csv")
        say(f"test accuracy {100 * accuracy:.2f} %, with the weights of epoch {history.best_epoch('val_loss')}")
        loss_name = "loss of smoothed targets" if smoothed else "loss"
        save_pictures(directory, model, history, data.test, logits, loss_name)
        batch = slice(0, config.batch_size)
        count = len(labels[batch])
        notes = {
            "Computation graph": f"The loss is the cross-entropy of {count} training images, without label smoothing.",
            "Epochs": smoothed,
        }
        write_report(directory, network_loss(model, images[batch], labels[batch]), model=model, notes=notes)
    written = sorted(path.name for path in directory.iterdir() if not path.name.startswith("."))
    say(f"wrote {printable(directory)}: {', '.join(written)}")
    return accuracy


def smoothing_note(config: Config, classes: int) -> str:
    """A sentence about losses that no accuracy explains, or nothing."""
    if not config.label_smoothing:
        return ""
    rest = config.label_smoothing / classes
    target = 1 - config.label_smoothing + rest
    least = -target * math.log(target) - (classes - 1) * rest * math.log(rest)
    return f"losses are those of targets smoothed by {config.label_smoothing:g}, so the least possible is {least:.3f}"


def digests(data: DataSet) -> dict[str, str]:
    """The sha256 of each array of a data set, shapes included."""
    found = {}
    for name, images_and_labels in (("training", data.train), ("test", data.test)):
        for part, array in zip(("images", "labels"), images_and_labels, strict=True):
            digest = hashlib.sha256(str(array.shape).encode())
            digest.update(np.ascontiguousarray(array).data)
            found[f"{name} {part}"] = digest.hexdigest()
    return found


def check_unchanged(path: Path, saved: dict[str, Any], own: dict[str, Any]) -> None:
    """Raise where the settings or the data of a run are no longer those in its checkpoint, naming the differences."""
    was, is_now = saved | saved.get("digests", {}), own | own["digests"]
    names = [
        name for name in is_now if name not in ("digests", "images", *MAY_CHANGE) and was.get(name) != is_now[name]
    ]
    if names:
        raise StateError(
            str(path), expected=", ".join(f"{name} = {cut(str(was.get(name)))}" for name in names),
            got=", ".join(f"{name} = {cut(str(is_now[name]))}" for name in names),
            fix="Settings or data were changed since: put them back, or begin a new run.",
        )  # fmt: skip


def new_directory() -> Path:
    """Make a directory in ``runs/`` that nobody else has, called by the time."""
    Path("runs").mkdir(exist_ok=True)
    name = time.strftime("%Y%m%d-%H%M%S")
    for i in itertools.count(1):
        path = Path("runs", name if i == 1 else f"{name}-{i}")
        try:
            path.mkdir()
        except FileExistsError:  # begun in the same second
            continue
        return path
    raise AssertionError


def resuming(directory: Path) -> str:
    """The command line that goes on with a run."""
    return f"tinygrad-mlp train --resume {shlex.quote(str(directory))}"


def check_labels(labels: Array, classes: int, source: str | None) -> None:
    """Raise where there are more classes than a network tells apart."""
    if len(labels) and labels.max() >= classes:
        raise DataError(source or "MNIST", expected=f"test labels below {classes}", got=str(labels.max()))


def build(sizes: list[int], config: Config) -> nn.MLP:
    """The untrained network of a configuration.

    Raises
    ------
    MemoryError
        If its weights, their gradients and the two arrays of Adam need more memory than the machine has.
    """
    needed, there = 16 * count_parameters(sizes), memory()
    if needed > there:
        raise MemoryError(f"the network needs {needed / 1e9:,.1f} GB to train, of {there / 1e9:,.1f} GB in the machine")
    rng = np.random.default_rng([config.seed, 0])
    return nn.MLP(*sizes, activation=config.activation, init=config.init, dropout=config.dropout, rng=rng)


class Images(NamedTuple):
    """What is known of the images that a network was trained on.

    Attributes
    ----------
    shape : tuple of int
        (height, width), or (height, width, 3) for RGB.
    drawn : bool
        Whether they are like MNIST's, light on a black border: pictures are made to look like that.
    classes : tuple of str, or None
        Names of the classes, where these are not numbers.
    """

    shape: tuple[int, ...]
    drawn: bool
    classes: tuple[str, ...] | None


class Trained(NamedTuple):
    """A network ready for evaluation, the settings it was trained with, and its images."""

    model: nn.MLP
    config: Config
    images: Images


def images_of(data: DataSet) -> Images:
    """What is known of the images of a data set."""
    some = data.train.images[:1000]
    borders = (some[:, 0], some[:, -1], some[:, :, 0], some[:, :, -1])
    drawn = some.ndim == 3 and all(np.median(border) == 0 for border in borders)
    return Images(some.shape[1:], drawn, data.classes)


def load(path: Path) -> Trained:
    """The trained network in a checkpoint, or the best one in a run directory.

    Raises
    ------
    DataError
        If there is no checkpoint, or it was not saved by a training run of this kind.
    """
    file = path / "best.npz" if path.is_dir() else path
    settings = checkpoint.read_progress(file)["config"]
    try:
        sizes = settings.pop("sizes")
        images = settings.pop("images", None)
        settings.pop("digests", None)
        config = Config(**settings)
        check_sizes(sizes, config, file.stat().st_size)
        kind = image_kind(images, sizes)
    except (KeyError, TypeError, ArgumentError) as error:
        raise DataError(
            str(file), expected="a checkpoint of tinygrad-mlp train", got=f"another ({cut(str(error))})"
        ) from error
    model = build(sizes, config)
    checkpoint.load_model(file, model)
    if bad := [name for name, p in model.named_parameters() if not np.isfinite(p.data).all()]:
        raise DataError(str(file), expected="finite weights", got=f"NaN or infinity in {', '.join(bad)}")
    model.eval()
    return Trained(model, config, kind)


def image_kind(images: Any, sizes: list[int]) -> Images:
    """What a checkpoint says of the images; one that says nothing is of drawings, square if they can be."""
    if images is None:
        side = math.isqrt(sizes[0])
        return Images((side, side) if side * side == sizes[0] else (1, sizes[0]), drawn=True, classes=None)
    shape, drawn, classes = (images[name] for name in Images._fields)
    if not is_list_of(int, shape) or min(shape) < 1 or math.prod(shape) != sizes[0] or shape[2:] not in ([], [3]):
        raise ArgumentError("shape", expected=f"that of images of {sizes[0]} pixels", got=cut(repr(shape)))
    if type(drawn) is not bool or (drawn and len(shape) != 2):
        raise ArgumentError("drawn", expected="true or false, and true of grey images alone", got=cut(repr(drawn)))
    if classes is not None and not (is_list_of(str, classes) and len(classes) == sizes[-1]):
        raise ArgumentError("classes", expected=f"{sizes[-1]} names", got=cut(repr(classes)))
    return Images(tuple(shape), drawn, classes and tuple(classes))


def is_list_of(kind: type, value: Any) -> bool:
    """Whether a value is a list of at least two of a type."""
    return isinstance(value, list) and len(value) > 1 and all(type(entry) is kind for entry in value)


def check_sizes(sizes: Any, config: Config, room: int) -> None:
    """Raise where these are not the sizes of a network of this configuration, or a file of this size cannot hold it."""
    ends = [sizes[0], sizes[-1]] if isinstance(sizes, list) and len(sizes) > 1 else [0]
    if any(type(size) is not int or size < 1 for size in ends) or sizes[1:-1] != config.hidden:
        raise ArgumentError("sizes", expected="inputs, hidden units and classes", got=cut(repr(sizes)))
    if 4 * count_parameters(sizes) > room:
        raise ArgumentError("sizes", expected=f"a network that {room:,} bytes can hold", got=cut(repr(sizes)))


def count_parameters(sizes: list[int]) -> int:
    """Number of weights and biases between layers of these sizes."""
    return sum((a + 1) * b for a, b in itertools.pairwise(sizes))


def memory() -> float:
    """Bytes of memory in this machine, or infinity where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return math.inf


def save_pictures(directory: Path, model: nn.MLP, history: Any, test: Any, logits: Array, loss_name: str) -> None:
    """Draw the run, if matplotlib is there."""
    from tinygrad_mlp.commands import plots

    try:
        plots.save_curves(directory / "curves.png", history, loss_name)
        plots.save_confusion(directory / "confusion.png", test.labels, logits.argmax(axis=1), logits.shape[1])
        weight, (height, width, *channels) = next(iter(model.parameters())).data, test.images.shape[1:]
        images = test.images.mean(axis=3) if channels else test.images
        weight = weight.reshape(height * width, -1, weight.shape[1]).mean(axis=1)  # over the colours, if there are any
        plots.save_weights(directory / "weights.png", weight, height, width)
        plots.save_errors(directory / "errors.png", images, test.labels, softmax(logits))
    except MissingExtraError as error:
        say(f"no pictures: {error}")

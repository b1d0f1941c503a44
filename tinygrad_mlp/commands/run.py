"""A training run in a directory: settings in, weights, history and pictures out."""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_mlp import nn
from tinygrad_mlp.commands.config import Config
from tinygrad_mlp.commands.network import network_loss
from tinygrad_mlp.commands.run_report import write_report
from tinygrad_mlp.data import load_mnist
from tinygrad_mlp.errors import ArgumentError, DataError, MissingExtraError
from tinygrad_mlp.files import write_atomically
from tinygrad_mlp.ops.activations import softmax
from tinygrad_mlp.ops.losses import cross_entropy
from tinygrad_mlp.train import checkpoint
from tinygrad_mlp.train.callbacks import Checkpoint, EarlyStopping, Log, Progress
from tinygrad_mlp.train.evaluation import predict
from tinygrad_mlp.train.trainer import Trainer

Array = np.ndarray[Any, Any]


def train(config: Config, directory: Path, *, resume: bool = False) -> float:
    """Train a network and leave everything in ``directory``; a twelfth of the images, the last, are for validation.

    Parameters
    ----------
    config : Config
    directory : Path
        Gets ``config.toml``, ``history.csv``, ``history.json``, ``best.npz``, ``last.npz``, the pictures and
        ``report.html`` with all of it.
    resume : bool
        Go on from ``last.npz`` if it is there; the result is the same, bit for bit, as if the run had never stopped.

    Returns
    -------
    float
        Accuracy of the best weights on the test images, from 0 to 1.
    """
    data = load_mnist(config.data)
    images, labels = data.train
    kept = len(images) - len(images) // 12
    if kept == len(images):
        raise DataError(str(config.data), expected="at least 12 training images", got=str(len(images)))
    classes = int(labels.max()) + 1
    check_labels(data.test.labels, classes, config.data)
    sizes = [images[0].size, *config.hidden, classes]
    model = build(sizes, config)
    directory.mkdir(parents=True, exist_ok=True)
    write_atomically(directory / "config.toml", config.toml().encode())
    steps = -(-kept // config.batch_size)
    trainer = Trainer(
        model,
        config.make_optimizer(model.named_parameters(), steps),
        partial(cross_entropy, label_smoothing=config.label_smoothing),
        clip_norm=config.clip_norm,
        callbacks=[EarlyStopping("val_loss", config.patience), Log(directory), Checkpoint(directory), Progress()],
        config=asdict(config) | {"sizes": sizes},
    )
    if resume and (directory / "last.npz").exists():
        trainer.resume(directory / "last.npz")
        print(f"resumed after epoch {trainer.epoch}, step {trainer.optimizer.step_count}")
    elif resume:
        print(f"no checkpoint in {directory} yet: training begins")
    parameters = sum(parameter.size for parameter in model.parameters())
    print(f"{'-'.join(map(str, sizes))} MLP, {parameters:,} parameters; {kept:,} images to train on, "
          f"{len(images) - kept:,} to validate; {config.epochs} epochs of {steps} steps")  # fmt: skip
    validation = images[kept:], labels[kept:]
    shuffle = np.random.default_rng([config.seed, 1])
    history = trainer.fit((images[:kept], labels[:kept]), validation, config.epochs, config.batch_size, shuffle)
    logits = predict(model, data.test.images)
    accuracy = float(np.mean(logits.argmax(axis=1) == data.test.labels))
    if history:
        history[-1]["test_accuracy"] = accuracy
        history.save_json(directory / "history.json")
        history.save_csv(directory / "history.csv")
        print(f"test accuracy {100 * accuracy:.2f} %, with the weights of epoch {history.best_epoch('val_loss')}")
        save_pictures(directory, model, history, data.test, logits)
        batch = slice(0, config.batch_size)
        write_report(directory, network_loss(model, images[batch], labels[batch]), model=model)
    print(f"wrote {directory}: {', '.join(sorted(p.name for p in directory.iterdir()))}")
    return accuracy


def check_labels(labels: Array, classes: int, source: str | None) -> None:
    """Raise where there are more classes than a network tells apart."""
    if len(labels) and labels.max() >= classes:
        raise DataError(source or "MNIST", expected=f"test labels below {classes}", got=str(labels.max()))


def build(sizes: list[int], config: Config) -> nn.MLP:
    """The untrained network of a configuration."""
    rng = np.random.default_rng([config.seed, 0])
    return nn.MLP(*sizes, activation=config.activation, init=config.init, dropout=config.dropout, rng=rng)


def load(path: Path) -> tuple[nn.MLP, Config]:
    """The trained network in a checkpoint, or the best one in a run directory, ready for evaluation.

    Raises
    ------
    DataError
        If there is no checkpoint, or it was not saved by a training run of this kind.
    """
    file = path / "best.npz" if path.is_dir() else path
    settings = checkpoint.read_progress(file)["config"]
    try:
        sizes = settings.pop("sizes")
        config = Config(**settings)
    except (KeyError, TypeError, ArgumentError) as error:
        raise DataError(str(file), expected="a checkpoint of tinygrad-mlp train", got=f"another ({error})") from error
    model = build(sizes, config)
    checkpoint.load_model(file, model)
    model.eval()
    return model, config


def save_pictures(directory: Path, model: nn.MLP, history: Any, test: Any, logits: Array) -> None:
    """Draw the run, if matplotlib is there."""
    from tinygrad_mlp.commands import plots

    try:
        plots.save_curves(directory / "curves.png", history)
        plots.save_confusion(directory / "confusion.png", test.labels, logits.argmax(axis=1), logits.shape[1])
        plots.save_weights(directory / "weights.png", next(iter(model.parameters())).data, *test.images.shape[1:])
        plots.save_errors(directory / "errors.png", test.images, test.labels, softmax(logits))
    except MissingExtraError as error:
        print(f"no pictures: {error}")

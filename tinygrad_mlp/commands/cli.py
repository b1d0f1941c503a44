"""The command line: ``tinygrad-mlp train | eval | predict | draw | source | export | check | learn | data``.

Exit status: 0 done; 1 a file or standard output cannot be written, memory is short, or a check failed; 2 bad arguments;
3 bad data; 4 the training diverged; 130 Ctrl-C.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from tinygrad_mlp import __version__
from tinygrad_mlp.commands.config import Config, kind
from tinygrad_mlp.commands.pages import PAGES, SECTIONS, PageFormatter, examples
from tinygrad_mlp.commands.predict import run_predict
from tinygrad_mlp.commands.start import run_train
from tinygrad_mlp.commands.streams import Stream, printable, say, standard_streams
from tinygrad_mlp.errors import (
    ArgumentError,
    DataError,
    GradientError,
    MissingExtraError,
    NonFiniteError,
    StateError,
    TinygradError,
)
from tinygrad_mlp.train.evaluation import predict


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status.

    >>> main(["train", "--lr", "fast"])
    2
    """
    # What is not finite is an error of ours where it matters, in more words than NumPy's warnings have.
    with standard_streams() as output, np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        status = run_command(argv, output)
        try:
            output.flush()  # here, where a failure is ours to report
        except OSError as error:
            status = report(error)
        if output.failure and status == 0:  # of a command that was to go on
            status = report(output.failure)
        return status


def run_command(argv: Sequence[str] | None, output: Stream) -> int:
    """Run a command, and report what ends it."""
    try:
        options = parser().parse_args(argv)
        output.patient = options.run is run_train  # a run is worth more than the lines about it
        options.run(options)
    except SystemExit as end:  # of the parser, which has said why
        return int(end.code or 0)
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    except GradientError as error:
        print(error, file=sys.stderr)
        return 1
    except (TinygradError, OSError, MemoryError) as error:
        return report(error)
    return 0


def report(error: Exception) -> int:
    """Say in one line what went wrong; the exit status."""
    if isinstance(error, BrokenPipeError):  # the reader of our output, such as head, has had enough
        return 1
    lines = [str(error), *getattr(error, "__notes__", [])]
    if isinstance(error, MemoryError):
        lines = [f"not enough memory: {lines[0] or 'an array could not be allocated'}.", *lines[1:],
                 "A smaller network or batch needs less."]  # fmt: skip
    print("tinygrad-mlp:", " ".join(printable(line) for line in " ".join(lines).split()), file=sys.stderr)
    statuses = ((ArgumentError, 2), (MissingExtraError, 2), (DataError, 3), (StateError, 3), (NonFiniteError, 4))
    return next((status for kind, status in statuses if isinstance(error, kind)), 1)


def parser() -> Parser:
    """The arguments of all commands."""
    top = Parser(
        prog="tinygrad-mlp", formatter_class=PageFormatter,
        description="Train small networks on NumPy, look at them, and learn how it works.",
        epilog="Each command has such a page of its own. To begin:\n  tinygrad-mlp train --help\n  tinygrad-mlp train",
    )  # fmt: skip
    top.add_argument("--version", action="version", version=f"tinygrad-mlp {__version__}", help="Print the version.")
    commands = top.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)

    train = commands.add_parser("train", help="Train a network on MNIST.", argument_default=argparse.SUPPRESS)
    group: Any = None
    for f in fields(Config):
        group = train.add_argument_group(SECTIONS[f.name]) if f.name in SECTIONS else group
        default = getattr(Config(), f.name)
        shown = " ".join(map(str, default)) if isinstance(default, list) else default
        group.add_argument(
            "--" + f.name.replace("_", "-"),
            type=kind(f),
            choices=f.metadata["choices"],
            nargs="+" if isinstance(default, list) else None,
            help=f"{f.metadata['help']}" + ("" if default is None else f" Default: {shown}.").replace("%", "%%"),
            metavar=None if f.metadata["choices"] else "PATH" if f.name == "data" else "N",
        )
    files = train.add_argument_group("the run and its files")
    files.add_argument("--config", type=Path, metavar="FILE.toml", help="File of settings, which options override.")
    files.add_argument("--out", type=Path, metavar="DIR", help="Directory to write into. Default: a new one in runs/.")
    files.add_argument(
        "--resume", type=Path, nargs="?", const=None, metavar="DIR",
        help="Go on with the run in DIR. Default: the run in --out, which begins if there is none; without --out, the "
             "newest in runs/. With more --epochs or --patience than it had, it is trained longer.",
    )  # fmt: skip
    files.add_argument(
        "--no-compile", action="store_false", dest="compile",
        help="Compute gradients by the tape instead of by a NumPy program: slower, with the same bits.",
    )  # fmt: skip
    files.add_argument(
        "--ranks", type=at_least(1), metavar="N",
        help="Train on N processes of this machine, each on a share of every batch. Needs the extra mpi.",
    )  # fmt: skip
    train.usage = "%(prog)s [options]"  # of which there are too many to be read in a row
    train.set_defaults(run=run_train)

    evaluate = commands.add_parser("eval", help="Measure a trained network on the test images.")
    evaluate.add_argument("checkpoint", type=Path, metavar="RUN", help="Directory of a run, or .npz file in it.")
    evaluate.add_argument("--data", metavar="PATH", help="Data set. Default: that which the network was trained on.")
    evaluate.set_defaults(run=run_eval)

    predict = commands.add_parser("predict", help="Classify images.")
    predict.add_argument("checkpoint", type=Path, metavar="RUN", help="Directory of a run, or .npz file in it.")
    predict.add_argument("images", type=Path, nargs="+", help="Pictures of drawings such as PNG, .npy or IDX files.")
    predict.add_argument(
        "--show", type=Path, metavar="PATH",
        help="Write what the network saw: one sheet into a file .png, or each image into a directory.",
    )  # fmt: skip
    predict.set_defaults(run=run_predict)

    draw = commands.add_parser("draw", help="Draw the computation graph of a network and its loss.")
    where = draw.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "--out", type=Path, metavar="FILE",
        help="File to write; its ending says what: .svg, .png, .html (a page to explore) or .dot.",
    )  # fmt: skip
    where.add_argument(
        "--steps", type=Path, metavar="DIR", help="Directory for an SVG of each step of the backward pass, for slides."
    )
    draw.add_argument(
        "--checkpoint", type=Path, metavar="RUN",
        help="Directory of a run, or .npz file in it. Default: an untrained 784-128-10 network.",
    )  # fmt: skip
    draw.add_argument("--data", metavar="PATH", help="Data set. Default: that of the run, or the MNIST inside.")
    draw.add_argument(
        "--batch-size", type=at_least(1), default=128, metavar="N",
        help="Number of images to draw with, taken from the start of the test set. Default: 128.",
    )  # fmt: skip
    draw.add_argument(
        "--depth", type=at_least(0), metavar="N", help="Number of levels of modules to draw open. Default: all."
    )
    draw.add_argument(
        "--direction", choices=("TB", "LR", "BT", "RL"), default="TB",
        help="Direction of the forward pass: from top to bottom, left to right, and so on. Default: TB.",
    )  # fmt: skip
    draw.add_argument("--theme", choices=("light", "dark", "print"), default="light", help="Colours. Default: light.")
    draw.set_defaults(run=run_draw)

    source = commands.add_parser("source", help="Print the loss of a network and its gradients as a NumPy program.")
    source.add_argument(
        "--checkpoint", type=Path, metavar="RUN", help="Directory of a run, or .npz file in it. Default: 784-128-10."
    )
    source.add_argument(
        "--batch-size", type=at_least(1), default=128, metavar="N", help="Number of images. Default: 128."
    )
    source.add_argument("--buffers", action="store_true", help="Show what is run: results go to arrays used again.")
    source.set_defaults(run=run_source)

    export = commands.add_parser("export", help="Write a trained network for other runtimes. Needs the extra onnx.")
    export.add_argument("checkpoint", type=Path, metavar="RUN", help="Directory of a run, or .npz file in it.")
    export.add_argument("--out", type=Path, required=True, metavar="FILE.onnx", help="File to write.")
    export.set_defaults(run=run_export)

    check = commands.add_parser("check", help="Prove the gradients of the network's ops on this machine.")
    check.set_defaults(run=run_check)

    learn = commands.add_parser("learn", help="Learn backpropagation by exercises.")
    learn.add_argument("number", type=at_least(1), nargs="?", help="Exercise. Default: the first that is not solved.")
    learn.add_argument("--check", action="store_true", help="Check the attempt instead of showing the exercise.")
    learn.add_argument("--dir", type=Path, default=Path("course"), metavar="DIR", help="Where. Default: course.")
    learn.set_defaults(run=run_learn)

    data = commands.add_parser("data", help="Describe and verify a data set.")
    data.add_argument("--data", metavar="PATH", help="Data set. Default: the MNIST inside.")
    data.set_defaults(run=run_data)

    for name, command in commands.choices.items():
        command.description, command.epilog, command.formatter_class = PAGES[name][0], examples(name), PageFormatter
    return top


def run_eval(options: argparse.Namespace) -> None:
    """``tinygrad-mlp eval``."""
    from tinygrad_mlp.commands import run
    from tinygrad_mlp.data import load_data
    from tinygrad_mlp.ops.losses import cross_entropy

    model, config, own = run.load(options.checkpoint)
    source = options.data or config.data
    _, (images, labels), classes = load_data(source)
    if classes and own.classes and classes != own.classes:
        raise DataError(str(source), expected=f"the classes {', '.join(own.classes)}", got=", ".join(classes))
    run.check_labels(labels, model.sizes[-1], source)
    logits = predict(model, check_size(images, source or "MNIST", model))
    right = int((logits.argmax(axis=1) == labels).sum())
    loss = float(cross_entropy(logits.astype("float64"), labels))  # a sum of large losses overflows float32
    say(f"{right:,} of {len(labels):,} test images right: accuracy {100 * right / len(labels):.2f} %, "
        f"cross-entropy {loss:.4f}")  # fmt: skip
    if config.label_smoothing:
        say("this cross-entropy is that of the labels as they are; training smoothed them")


def check_size(images: Any, source: object, model: Any) -> Any:
    """The images, if they have as many pixels as the network has inputs."""
    if images[0].size != model.sizes[0]:
        raise DataError(
            str(source), got=f"shape {images.shape}",
            expected=f"images of {model.sizes[0]} pixels, as the network was trained on",
        )  # fmt: skip
    return images


def at_least(least: int) -> Callable[[str], int]:
    """A parser of whole numbers from ``least`` on."""

    def number(text: str) -> int:
        try:
            if int(text) >= least:
                return int(text)
        except ValueError:
            pass
        raise argparse.ArgumentTypeError(f"expected a whole number of at least {least}, got {text[:80]!r}")

    return number


def run_draw(options: argparse.Namespace) -> None:
    """``tinygrad-mlp draw``."""
    from tinygrad_mlp.commands import run
    from tinygrad_mlp.commands.network import draw_network

    model, config, _ = run.load(options.checkpoint) if options.checkpoint else (None, Config(), ())
    found = draw_network(
        options.steps or options.out, model, steps=options.steps is not None, source=options.data or config.data,
        batch_size=options.batch_size, depth=options.depth, direction=options.direction, theme=options.theme,
    )  # fmt: skip
    written = f"{len(found)} files in {printable(options.steps)}" if isinstance(found, list) else printable(options.out)
    say(f"wrote {written}: the loss is that of test images, without label smoothing")


def run_source(options: argparse.Namespace) -> None:
    """``tinygrad-mlp source``."""
    from tinygrad_mlp.commands import run
    from tinygrad_mlp.commands.source import network_source
    from tinygrad_mlp.nn import MLP

    model = run.load(options.checkpoint).model if options.checkpoint else MLP(784, 128, 10, rng=0)
    model.train()
    print(network_source(model, batch_size=options.batch_size, buffers=options.buffers), end="")


def run_export(options: argparse.Namespace) -> None:
    """``tinygrad-mlp export``."""
    from tinygrad_mlp.commands import run
    from tinygrad_mlp.onnx import export_onnx

    if options.out.suffix.lower() != ".onnx":
        raise ArgumentError("export", expected="--out FILE.onnx", got=str(options.out))
    model = run.load(options.checkpoint).model
    export_onnx(model, options.out, np.zeros((1, model.sizes[0]), np.float32))
    say(f"wrote {printable(options.out)}: x, float32 of shape (batch, {model.sizes[0]}), pixels from 0 to 1; "
        f"output, the logits of {model.sizes[-1]} classes")  # fmt: skip


def run_check(options: argparse.Namespace) -> None:
    """``tinygrad-mlp check``."""
    from tinygrad_mlp.commands.check import check_network

    for line in check_network():
        say(line)


def run_learn(options: argparse.Namespace) -> None:
    """``tinygrad-mlp learn``."""
    from tinygrad_mlp.commands.learn import learn

    for line in learn(options.dir, options.number, check=options.check):
        say(line)


def run_data(options: argparse.Namespace) -> None:
    """``tinygrad-mlp data``."""
    from tinygrad_mlp.data import load_data, verify
    from tinygrad_mlp.data.mnist import size

    if options.data is None:
        for file, shape, sha256 in verify():
            say(f"{file}  {'×'.join(map(str, shape))}  sha256 {sha256} as published")
    data = load_data(options.data)
    for name, split in (("train", data.train), ("test", data.test)):
        counts = np.bincount(split.labels, minlength=len(data.classes or ()))
        shown = [f"{which} {count}" for which, count in zip(data.classes or (), counts, strict=False)] or counts
        say(f"{name}: {len(split.images):,} images of {size(split)}, mean {split.images.mean():.1f}; "
            f"per class {', '.join(printable(entry) for entry in shown)}")  # fmt: skip

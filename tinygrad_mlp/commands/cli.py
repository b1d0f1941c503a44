"""The command line: ``tinygrad-mlp train | eval | predict | draw | check | data``.

Exit status: 0 done; 1 a file or standard output cannot be written, memory is short, or a check failed; 2 bad arguments;
3 bad data; 4 the training diverged; 130 Ctrl-C.
"""

import argparse
import math
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, NoReturn

from tinygrad_mlp.commands.config import Config, kind
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
    Traceback (most recent call last):
    ...
    SystemExit: 2
    """
    options = parser().parse_args(argv)
    try:
        options.run(options)
        sys.stdout.flush()  # here, where a failure is ours to report
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output, such as head, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except GradientError as error:
        print(error, file=sys.stderr)
        return 1
    except (TinygradError, OSError, MemoryError) as error:
        statuses = ((ArgumentError, 2), (MissingExtraError, 2), (DataError, 3), (StateError, 3), (NonFiniteError, 4))
        status = next((status for kind, status in statuses if isinstance(error, kind)), 1)
        lines = [str(error), *getattr(error, "__notes__", [])]
        print("tinygrad-mlp:", " ".join(" ".join(lines).split()), file=sys.stderr)
        return status
    return 0


def parser() -> Parser:
    """The arguments of all commands."""
    top = Parser(prog="tinygrad-mlp", description="Train and look at small networks on NumPy.")
    commands = top.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)

    train = commands.add_parser("train", help="train a network on MNIST", argument_default=argparse.SUPPRESS)
    for f in fields(Config):
        default = getattr(Config(), f.name)
        shown = f"{f.metadata['help']}" + ("" if default is None else f" (default: {default})".replace("%", "%%"))
        train.add_argument(
            "--" + f.name.replace("_", "-"),
            type=kind(f),
            choices=f.metadata.get("choices"),
            nargs="+" if isinstance(default, list) else None,
            help=shown,
            metavar=None if "choices" in f.metadata else "DIR" if f.name == "data" else "N",
        )
    train.add_argument("--config", type=Path, metavar="FILE.toml", help="settings, which the options above override")
    train.add_argument("--out", type=Path, metavar="DIR", help="where to write (default: runs/ and the time)")
    train.add_argument("--resume", type=Path, nargs="?", const=None, metavar="DIR",
                       help="go on with the run in DIR (default: in --out, or the newest in runs/)")  # fmt: skip
    train.set_defaults(run=run_train)

    evaluate = commands.add_parser("eval", help="measure a trained network on the test images")
    evaluate.add_argument("checkpoint", type=Path, help="run directory, or .npz file")
    evaluate.add_argument("--data", metavar="DIR", help="other data than the network was trained on")
    evaluate.set_defaults(run=run_eval)

    predict = commands.add_parser("predict", help="classify images")
    predict.add_argument("checkpoint", type=Path, help="run directory, or .npz file")
    predict.add_argument("images", type=Path, nargs="+", help="IDX, .npy or picture files such as PNG")
    predict.set_defaults(run=run_predict)

    draw = commands.add_parser("draw", help="draw the computation graph of a network and its loss")
    draw.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help=".svg, .png, .html (a page to explore), .dot"
    )
    draw.add_argument(
        "--checkpoint", type=Path, metavar="RUN", help="run directory, or .npz (default: 784-128-10, new)"
    )
    draw.add_argument("--data", metavar="DIR", help="images to run through it (default: the MNIST inside)")
    draw.add_argument("--batch-size", type=positive, default=128, metavar="N", help="so many of them (default: 128)")
    draw.add_argument("--depth", type=int, metavar="N", help="levels of modules to draw open (default: all)")
    draw.add_argument("--direction", choices=("TB", "LR", "BT", "RL"), default="TB", help="of the forward pass")
    draw.add_argument("--theme", choices=("light", "dark", "print"), default="light")
    draw.set_defaults(run=run_draw)

    check = commands.add_parser("check", help="prove the gradients of the network's ops on this machine")
    check.set_defaults(run=run_check)

    data = commands.add_parser("data", help="describe and verify the data")
    data.add_argument("--data", metavar="DIR", help="other data than the MNIST inside")
    data.set_defaults(run=run_data)
    return top


def run_train(options: argparse.Namespace) -> None:
    """``tinygrad-mlp train``."""
    from tinygrad_mlp.commands import run

    given = {f.name: getattr(options, f.name) for f in fields(Config) if hasattr(options, f.name)}
    settings = Config.read(options.config) | given if hasattr(options, "config") else given
    config = Config(**settings)
    if not hasattr(options, "resume"):
        directory = getattr(options, "out", None) or Path("runs", time.strftime("%Y%m%d-%H%M%S"))
        if (directory / "config.toml").exists():
            raise ArgumentError(
                "--out", expected="a directory without a run in it", got=str(directory),
                fix=f"Choose another, or go on with it: tinygrad-mlp train --resume {directory}",
            )  # fmt: skip
    else:
        directory = options.resume or getattr(options, "out", None) or newest_run()
        if getattr(options, "out", directory) != directory:
            raise ArgumentError("--resume", expected="the directory of --out, or none", got=str(directory))
        config = resumed(config, settings, directory)
    try:
        run.train(config, directory, resume=hasattr(options, "resume"))
    except KeyboardInterrupt:
        if (directory / "config.toml").exists():
            print(f"\ngo on with: tinygrad-mlp train --resume {directory}", file=sys.stderr)
        raise


def newest_run() -> Path:
    """The run directory in ``runs/`` that began last."""
    found = sorted(Path("runs").glob("*/config.toml"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise ArgumentError("--resume", expected="a run in runs/", got="none", fix="Name its directory.")
    return found[-1].parent


def resumed(config: Config, settings: dict[str, Any], directory: Path) -> Config:
    """The configuration of the run in a directory; options given again must say the same."""
    if not (directory / "config.toml").exists():  # killed before it had begun: begin it
        return config
    own = Config(**Config.read(directory / "config.toml"))
    is_now, was = asdict(config), asdict(own)
    changed = [name for name in settings if is_now[name] != was[name]]
    if changed:
        kept = (f"{name} = {'by default' if was[name] is None else was[name]}" for name in changed)
        raise ArgumentError(
            "--resume", expected=f"the settings of the run, {', '.join(kept)}",
            got=", ".join(f"{name} = {is_now[name]}" for name in changed),
            fix="Leave them out, or begin a new run.",
        )  # fmt: skip
    return own


def run_eval(options: argparse.Namespace) -> None:
    """``tinygrad-mlp eval``."""
    from tinygrad_mlp.commands import run
    from tinygrad_mlp.data import load_mnist
    from tinygrad_mlp.ops.losses import cross_entropy

    model, config = run.load(options.checkpoint)
    source = options.data or config.data
    images, labels = load_mnist(source).test
    run.check_labels(labels, model.sizes[-1], source)
    logits = predict(model, check_size(images, source or "MNIST", model))
    right = int((logits.argmax(axis=1) == labels).sum())
    print(f"{right:,} of {len(labels):,} test images right: accuracy {100 * right / len(labels):.2f} %, "
          f"cross-entropy {float(cross_entropy(logits, labels)):.4f}")  # fmt: skip


def run_predict(options: argparse.Namespace) -> None:
    """``tinygrad-mlp predict``."""
    from tinygrad_mlp.commands import run
    from tinygrad_mlp.data.images import read_images
    from tinygrad_mlp.ops.activations import softmax

    model, _ = run.load(options.checkpoint)
    side = math.isqrt(model.sizes[0])
    for path in options.images:
        images = check_size(read_images(path, side, side), path, model)
        for i, p in enumerate(softmax(predict(model, images))):
            name = f"{path}[{i}]" if len(images) > 1 else str(path)
            print(f"{name}: class {p.argmax()}, probability {p.max():.4f}")


def check_size(images: Any, source: object, model: Any) -> Any:
    """The images, if they have as many pixels as the network has inputs."""
    if images[0].size != model.sizes[0]:
        raise DataError(
            str(source), got=f"shape {images.shape}",
            expected=f"images of {model.sizes[0]} pixels, as the network was trained on",
        )  # fmt: skip
    return images


def positive(text: str) -> int:
    """A whole number of at least 1."""
    if int(text) < 1:
        raise ValueError(text)
    return int(text)


def run_draw(options: argparse.Namespace) -> None:
    """``tinygrad-mlp draw``."""
    from tinygrad_mlp.commands import run
    from tinygrad_mlp.commands.network import draw_network

    model, config = run.load(options.checkpoint) if options.checkpoint else (None, Config())
    draw_network(
        options.out, model, source=options.data or config.data, batch_size=options.batch_size,
        depth=options.depth, direction=options.direction, theme=options.theme,
    )  # fmt: skip
    print(f"wrote {options.out}")


def run_check(options: argparse.Namespace) -> None:
    """``tinygrad-mlp check``."""
    from tinygrad_mlp.commands.check import check_network

    for line in check_network():
        print(line, flush=True)


def run_data(options: argparse.Namespace) -> None:
    """``tinygrad-mlp data``."""
    import numpy as np

    from tinygrad_mlp.data import load_mnist, verify

    if options.data is None:
        for file, shape, sha256 in verify():
            print(f"{file}  {'×'.join(map(str, shape))}  sha256 {sha256} as published")
    for name, (images, labels) in load_mnist(options.data)._asdict().items():
        counts = np.bincount(labels)
        print(f"{name}: {images.shape[0]:,} images of {images.shape[1]}×{images.shape[2]}, mean {images.mean():.1f}; "
              f"per class {', '.join(map(str, counts))}")  # fmt: skip

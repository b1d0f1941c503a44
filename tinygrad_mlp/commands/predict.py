"""``tinygrad-mlp predict``: classify images, say how sure that is, and show what the network saw."""

import argparse
import io
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_mlp.commands.streams import printable
from tinygrad_mlp.data.images import read_images
from tinygrad_mlp.errors import ArgumentError, DataError, MissingExtraError
from tinygrad_mlp.files import write_atomically
from tinygrad_mlp.ops.activations import softmax
from tinygrad_mlp.train.evaluation import predict

Array = np.ndarray[Any, Any]
SURE = 0.5  # the probability below which a class is less likely than all others together
ENLARGED = 8  # so many pixels of a shown picture for one of the network's
LARGEST_SHOWN = 4000  # pixels that the side of a shown picture has by being enlarged
OTHER_ENDINGS = (".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".svg", ".pdf")  # of no directory
GREY = 96  # between the images of a sheet


def run_predict(options: argparse.Namespace) -> None:
    """``tinygrad-mlp predict``."""
    from tinygrad_mlp.commands import run

    model, _, (shape, drawn, classes) = run.load(options.checkpoint)
    if options.show:
        check_show(options.show, options.images)
    seen: list[tuple[str, Array]] = []
    failed = 0
    for path in options.images:
        try:
            images = read_images(path, shape, drawn=drawn)
        except DataError as error:
            if len(options.images) == 1:
                raise
            print(f"tinygrad-mlp: {printable(error)}", file=sys.stderr)
            failed += 1
            continue
        except MemoryError as error:
            error.add_note(f"It was wanted for {path}.")
            raise
        for i, p in enumerate(softmax(predict(model, images))):
            name = printable(f"{path}[{i}]" if len(images) > 1 else path)
            print(f"{name}: {verdict(p, classes)}")
        seen += [(path.stem, image) for image in images] if options.show else []
    if seen:
        show(options.show, seen)
    if failed:
        raise DataError("predict", expected=f"{len(options.images)} files to classify", got=f"{failed} that cannot be")


def verdict(p: Array, classes: Sequence[str] | None = None) -> str:
    """What the probabilities of the classes say, in words.

    >>> verdict(np.array([0.05, 0.95])), verdict(np.array([0.4, 0.35, 0.25]))
    ('class 1, probability 0.9500', 'class 0, probability 0.4000: unsure, or class 1, 0.3500')
    """
    first, *others = np.argsort(p)[::-1]
    names = [printable(name) for name in classes or range(len(p))]
    said = f"class {names[first]}, probability {p[first]:.4f}"
    return said if p[first] >= SURE else f"{said}: unsure, or class {names[others[0]]}, {p[others[0]]:.4f}"


def check_show(target: Path, images: list[Path]) -> None:
    """Raise where what is shown cannot be written, or would be written over an image."""
    if target.suffix.lower() in OTHER_ENDINGS and not target.is_dir():
        bad = True
    elif is_sheet(target):
        bad = any(path.exists() and target.exists() and path.samefile(target) for path in images)
    else:
        bad = target.is_file()
    if bad:
        raise ArgumentError("--show", expected="a new .png file, or a directory", got=str(target))


def is_sheet(target: Path) -> bool:
    """Whether all images go on one sheet."""
    return target.suffix.lower() == ".png" and not target.is_dir()


def show(target: Path, seen: list[tuple[str, Array]]) -> None:
    """Write images as PNG: on one sheet, or each into a file with its number, in a directory."""
    if is_sheet(target):
        write_picture(target, sheet([image for _, image in seen]))
        return
    target.mkdir(parents=True, exist_ok=True)
    for i, (name, image) in enumerate(seen):
        write_picture(target / f"{i}-{name[:50]}.png", enlarged(image))


def sheet(images: list[Array]) -> Array:
    """Images side by side, in rows, with lines between them, the first at the top left."""
    columns = math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / columns)
    height, width, *channels = images[0].shape
    held = np.full((rows * (height + 1), columns * (width + 1), *channels), GREY, np.uint8)
    for i, image in enumerate(images):
        top, left = i // columns * (height + 1), i % columns * (width + 1)
        held[top : top + height, left : left + width] = image
    return enlarged(held[:-1, :-1])


def enlarged(image: Array) -> Array:
    """An image of which each pixel is a square, as large as a screen shows well."""
    times = max(1, min(ENLARGED, LARGEST_SHOWN // max(image.shape[:2])))
    return image.repeat(times, axis=0).repeat(times, axis=1)


def write_picture(path: Path, image: Array) -> None:
    """Write a grey picture as PNG."""
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtraError(
            "--show", expected="Pillow, to write pictures", got="none", fix="pip install 'tinygrad-mlp[plots]'"
        ) from error
    content = io.BytesIO()
    Image.fromarray(image).save(content, "PNG")
    write_atomically(path, content.getvalue())

"""Damaged data files: whatever their bytes, they are read or refused in a sentence, within bounds of memory and time.

``python tests/data/campaign.py`` damages each kind of file a hundred times, ``--seconds 600`` goes on with other random
numbers for so long. It ends with a table, and with status 1 if anything failed.
"""

import argparse
import faulthandler
import gzip
import io
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from tinygrad_mlp.data import load_mnist, read_idx, write_idx
from tinygrad_mlp.data.images import read_images
from tinygrad_mlp.data.picture import MOST_PIXELS
from tinygrad_mlp.errors import DataError

MEMORY = 6 * MOST_PIXELS  # bytes that reading a damaged file may take: the largest picture, also in RGBA, and some room
TIMEOUT = 20  # seconds that it may take
BATCH = 25  # files to a process


def pictures() -> dict[str, bytes]:
    """A small drawing in each format, depth and compression that differs in code."""
    drawing = Image.new("L", (24, 20), 255)
    ImageDraw.Draw(drawing).line((4, 3, 9, 15), width=3)
    rgba = drawing.convert("RGBA")
    kinds = {
        "grey.png": (drawing, {}),
        "palette.png": (drawing.convert("P"), {"transparency": 0}),
        "deep.png": (Image.fromarray(np.asarray(drawing, np.uint16) * 257), {}),
        "alpha.png": (rgba, {}),
        "photo.jpg": (drawing.convert("RGB"), {"exif": exif()}),
        "progressive.jpg": (drawing, {"progressive": True}),
        "print.jpg": (drawing.convert("CMYK"), {}),
        "grey.bmp": (drawing, {}),
        "colour.bmp": (rgba, {}),
        "clear.gif": (drawing, {"transparency": 0}),
        "plain.tif": (drawing, {}),
        "lzw.tif": (rgba, {"compression": "tiff_lzw"}),
        "zip.tif": (Image.fromarray(np.asarray(drawing, np.float32)), {"compression": "tiff_adobe_deflate"}),
        "fax.tif": (drawing.convert("1"), {"compression": "group4"}),
        "jpeg.tif": (drawing.convert("RGB"), {"compression": "jpeg"}),
        "lossy.webp": (rgba, {}),
        "lossless.webp": (drawing.convert("RGB"), {"lossless": True, "exif": exif()}),
    }
    return {name: written(picture, name, options) for name, (picture, options) in kinds.items()}


def exif() -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = 6
    return tags


def written(picture: Image.Image, name: str, options: dict[str, Any]) -> bytes:
    content = io.BytesIO()
    picture.save(content, {"jpg": "jpeg", "tif": "tiff"}.get(name[-3:], name.split(".")[1]), **options)
    return content.getvalue()


def arrays(directory: Path) -> dict[str, bytes]:
    """Images in files of arrays."""
    images = np.arange(3 * 784, dtype=np.uint8).reshape(3, 28, 28)
    labels = np.arange(3, dtype=np.uint8)
    write_idx(directory / "images", images)
    content = {"images.idx": (directory / "images").read_bytes()}
    content["images.gz"] = gzip.compress(content["images.idx"])
    for name, array in (("bytes.npy", images), ("floats.npy", images / 255)):
        np.save(directory / "array.npy", array)
        content[name] = (directory / "array.npy").read_bytes()
    for name, save in (("stored.npz", np.savez), ("packed.npz", np.savez_compressed)):
        save(directory / "set.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
        content[name] = (directory / "set.npz").read_bytes()
    return content


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """The bytes of a file, some of them others than they were."""
    held = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        size = int(min(len(held), rng.choice([1, 1, 2, 4, 8, 40])))
        near = rng.random() < 0.6  # headers say sizes: most damage befalls them
        start = int(rng.integers(0, max(1, (min(len(held), 150) if near else len(held)) - size + 1)))
        kind = rng.integers(6)
        if kind == 0:
            held[start : start + size] = rng.bytes(size)
        elif kind == 1:
            held[start : start + size] = bytes([rng.choice([0, 1, 0x7F, 0x80, 0xFF])]) * size
        elif kind == 2:
            held[start] ^= 1 << int(rng.integers(8)) if held else 0
        elif kind == 3:
            del held[start : start + size]
        elif kind == 4:
            held[start:start] = held[start : start + size] * int(rng.integers(1, 50))
        else:
            del held[int(rng.integers(0, len(held) + 1)) :]
        if not held:
            break
    return repaired(bytes(held)) if rng.random() < 0.8 else bytes(held)


def repaired(content: bytes) -> bytes:
    """A PNG with the checksums of its chunks set right, so that damage reaches what is behind them."""
    if not content.startswith(b"\x89PNG\r\n\x1a\n"):
        return content
    held, at = bytearray(content), 8
    while at + 12 <= len(held):
        end = at + 8 + int.from_bytes(held[at : at + 4], "big")
        if end + 4 > len(held):
            break
        held[end : end + 4] = zlib.crc32(held[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return bytes(held)


def read(path: Path) -> None:
    """Read a file as the commands do; anything but images and a refusal in one sentence is an error."""
    readers: list[Callable[[Path], Any]] = [read_images]
    if path.suffix in (".idx", ".gz"):
        readers.append(read_idx)
    elif path.suffix == ".npz":
        readers = [load_mnist]
    for reader in readers:
        try:
            found = reader(path)
        except DataError as error:
            said = str(error)
            assert said.startswith(str(path)), said
            assert "expected" in said, said
            assert len(said) < 1000, said
        else:
            if reader is read_images:
                assert found.dtype == np.uint8, found.dtype
                assert found.shape[1:] == (28, 28), found.shape


def attempt(content: bytes, path: Path, seeds: range) -> str:
    """Damage a file and read it, once for each seed, in a process of its own; what went wrong."""
    receiver, sender = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(receiver)
        os.dup2(sender, 2)
        faulthandler.enable()
        now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, now + MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        warnings.simplefilter("error")
        seed = seeds.start
        try:
            for seed in seeds:
                path.write_bytes(damaged(content, np.random.default_rng(seed)))
                signal.alarm(TIMEOUT)
                read(path)
        except BaseException:
            print(f"seed {seed}", file=sys.stderr)
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    os.close(sender)
    with os.fdopen(receiver, errors="replace") as stream:
        said = stream.read()
    _, status = os.waitpid(process, 0)
    code = os.waitstatus_to_exitcode(status)
    return f"{path.name}, seeds from {seeds.start}: exit status {code}\n{said}" if code else ""


def campaign(times: int, seconds: float, seed: int) -> int:
    """Damage each file so many times, and again until the time is over; the number of failures."""
    until, failures = time.monotonic() + seconds, 0
    held: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as root:
        files = pictures() | arrays(Path(root))
        first = seed
        while True:
            for name, content in files.items():
                for start in range(first, first + times, BATCH):
                    seeds = range(start, min(start + BATCH, first + times))
                    if said := attempt(content, Path(root, name), seeds):
                        failures += 1
                        print(said, file=sys.stderr)
                    else:
                        held[name] += len(seeds)
            first += times
            if time.monotonic() > until:
                break
    for name, number in held.items():
        print(f"{name:16} {number:8,} held")
    print(f"{'all':16} {held.total():8,} held, {failures} processes of {BATCH} files failed")
    return failures


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--times", type=int, default=100, help="Times that each kind of file is damaged in a turn.")
    options.add_argument("--seconds", type=float, default=0, help="Time after which no further turn begins.")
    options.add_argument("--seed", type=int, default=0, help="The first of the seeds, one for each damage.")
    given = options.parse_args()
    sys.exit(bool(campaign(given.times, given.seconds, given.seed)))

"""Picture files: which are opened, how large they may be, and what of them is light."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_mlp.errors import DataError, MissingExtraError, brief

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = {  # as Pillow calls them: what their files begin with. Others, such as PostScript, would start programs
    "PNG": (b"\x89PNG",),
    "JPEG": (b"\xff\xd8\xff",),
    "BMP": (b"BM",),
    "GIF": (b"GIF8",),
    "TIFF": (b"II*\0", b"MM\0*"),
    "WEBP": (b"RIFF",),
}
MOST_PIXELS = 50_000_000
LARGEST_SIDE = 1024  # pixels; larger pictures are scaled down as soon as they are read


def is_picture(start: bytes) -> bool:
    """Whether a file that begins with these bytes is a picture of a kind that is opened."""
    return start.startswith(tuple(magic for magics in FORMATS.values() for magic in magics))


def read_grey(stream: IO[bytes], where: str) -> "Image":
    """The picture in a file: upright, in grey, without transparency, scaled down where it is large.

    Raises
    ------
    DataError
        If the file is damaged, has several pages, or more than fifty million pixels.
    MissingExtraError
        If Pillow is not installed.
    """
    return _to_grey(_read(stream, where), where)


def read_whole(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """The picture in a file as an image of a shape, grey or RGB: all of it, between margins of its corner's colour.

    Raises
    ------
    DataError, MissingExtraError
        As `read_grey`.
    """
    with _opening(path) as stream:
        picture = _read(stream, str(path))
        if picture.mode not in ("L", "RGB"):
            picture = _to_grey(picture, str(path))
    from PIL import Image, ImageOps

    height, width, *channels = shape
    picture = picture.convert("RGB" if channels else "L")
    if picture.size != (width, height):
        corner = tuple(picture.crop((0, 0, 1, 1)).tobytes())
        picture = ImageOps.pad(picture, (width, height), Image.Resampling.BOX, color=corner)
    image: NDArray[np.uint8] = np.asarray(picture)
    return image


def picture_size(path: Path) -> tuple[int, int]:
    """Height and width of the picture in a file, which is not unpacked."""
    with _opening(path) as stream, _opened(stream, str(path)) as picture:
        return picture.height, picture.width


@contextmanager
def _opening(path: Path) -> Iterator[IO[bytes]]:
    try:
        with path.open("rb") as stream:
            yield stream
    except OSError as error:
        raise DataError(str(path), expected="a readable file", got=error.strerror or str(error)) from error


class _Bounded:
    """A file of which no more is asked than there is: a picture may say that gigabytes follow."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream = stream
        self.size = os.fstat(stream.fileno()).st_size

    def read(self, size: int = -1) -> bytes:
        """As of any file."""
        left = max(0, self.size - self.stream.tell())
        return self.stream.read(left if size < 0 else min(size, left))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextmanager
def _opened(stream: IO[bytes], where: str) -> "Iterator[Image]":
    """The picture in a file, of which only the header is read yet; damage found inside becomes a `DataError`."""
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtraError(
            where, expected="Pillow, to read a picture", got="none", fix="pip install 'tinygrad-mlp[plots]'"
        ) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damage that does no harm; and of sizes, which are judged here
            with Image.open(_Bounded(stream), formats=tuple(FORMATS)) as picture:
                _check(picture, where)
                yield picture
    except (DataError, MemoryError):
        raise
    except Exception as error:  # on damaged bytes Pillow raises a dozen unrelated types
        raise DataError(where, expected="a picture", got=f"a file that cannot be read ({brief(error)})") from error


def _read(stream: IO[bytes], where: str) -> "Image":
    """The picture, upright and scaled down, in mode "I" or "F", "L", "RGB" or "RGBA"."""
    with _opened(stream, where) as picture:
        from PIL import Image, ImageOps

        picture.draft(None, (LARGEST_SIDE, LARGEST_SIDE))
        if picture.mode.startswith("I;"):  # 16 bits, which not every version of Pillow scales
            picture = picture.convert("I")
        elif "transparency" in picture.info or picture.mode in ("LA", "PA"):
            picture = picture.convert("RGBA")
        elif picture.mode not in ("L", "RGB", "RGBA", "I", "F"):
            picture = picture.convert("RGB")
        picture.thumbnail((LARGEST_SIDE, LARGEST_SIDE), Image.Resampling.BOX)
        return ImageOps.exif_transpose(picture)


def _check(opened: "Image", where: str) -> None:
    """Raise where a file holds more than it should; nothing is unpacked yet."""
    width, height = opened.size
    if width * height > MOST_PIXELS:
        raise DataError(
            where, expected=f"a picture of at most {MOST_PIXELS:,} pixels", got=f"{width:,}×{height:,} pixels",
            fix="Scale it down.",
        )  # fmt: skip
    if getattr(opened, "is_animated", False) and opened.format != "MPO":  # MPO: a photo and its previews
        raise DataError(
            where, expected="one picture", got="several pages or frames", fix="Save the one that is meant as PNG."
        )


def _to_grey(picture: "Image", where: str) -> "Image":
    """How light each pixel is."""
    from PIL import Image, ImageStat

    if picture.mode in ("I", "F"):  # of any range: white is the lightest pixel
        values = np.asarray(picture, np.float32)
        if not np.isfinite(values).all():
            raise DataError(where, expected="pixels that are finite numbers", got="NaN or infinity")
        values = values - min(0, values.min())
        return Image.fromarray(np.rint(values * (255 / max(1e-30, values.max()))).astype(np.uint8))
    if picture.mode == "RGBA":
        if picture.getchannel("A").getextrema() != (255, 255):
            return _without_alpha(picture)
        picture = picture.convert("RGB")
    if picture.mode == "L":
        return picture
    grey = picture.convert("L")
    bands = dict(zip(ImageStat.Stat(picture).stddev, picture.split(), strict=True))
    contrast = max(bands)
    # Yellow ink on white, or blue on red, is as light as its paper, but not in every colour.
    return bands[contrast] if contrast > 1.5 * ImageStat.Stat(grey).stddev[0] else grey


def _without_alpha(picture: "Image") -> "Image":
    """How light each pixel is on a ground that shows what is visible.

    If most of the picture is visible and of several tones, it is taken for paper, which goes on where nothing is
    visible. Else what is visible is ink, and the ground is the opposite: white behind black, black behind white.
    """
    from PIL import Image

    light, alpha = picture.convert("RGB").convert("L"), picture.getchannel("A")
    opaque = np.asarray(alpha)
    seen = np.asarray(light)[opaque > opaque.max() / 2]
    if not seen.size:  # nothing is visible
        return Image.new("L", picture.size)
    is_paper = seen.size > opaque.size / 2 and np.ptp(seen) > 32
    ground = round(float(np.median(seen))) if is_paper else 0 if seen.mean() > 127 else 255
    return Image.composite(light, Image.new("L", picture.size, ground), alpha)

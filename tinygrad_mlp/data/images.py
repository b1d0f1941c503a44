"""Images to classify, from whatever file they are in."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_mlp.data.idx import read_idx
from tinygrad_mlp.errors import DataError, MissingExtraError


def read_images(path: str | Path, height: int = 28, width: int = 28) -> NDArray[np.uint8]:
    """Read images as MNIST has them: light ink on black, uint8.

    Parameters
    ----------
    path : str or Path
        An ``.npy`` file with uint8 of shape (N, height, width) or (height, width); a picture that Pillow reads,
        such as PNG, with one image; anything else is taken for IDX, raw or gzip.
    height, width : int
        Pictures are scaled to this size. A picture whose border is light is inverted, being dark ink on paper.

    Returns
    -------
    ndarray of uint8, shape (N, height, width)

    Raises
    ------
    DataError
        If the file is missing, cannot be read, or holds something else.
    MissingExtraError
        If it is a picture and Pillow is not installed.
    """
    path = Path(path)
    images: NDArray[Any]
    if path.suffix.lower() == ".npy":
        try:
            images = np.lib.format.open_memmap(path, mode="r")  # reads nothing, and so allocates nothing, yet
        except Exception as error:  # on damaged bytes NumPy raises half a dozen unrelated types
            raise DataError(str(path), expected="an array saved by np.save", got=f"none ({error})") from error
    elif path.suffix.lower() in {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"}:
        images = read_picture(path, height, width)
    else:
        images = read_idx(path)
    if images.ndim == 2:
        images = images[None]
    if images.dtype != np.uint8 or images.ndim != 3 or 0 in images.shape:
        raise DataError(
            str(path),
            expected="uint8 images of shape (N, height, width)",
            got=f"{images.dtype} of shape {images.shape}",
            fix="Scale pixels to 0…255 and convert with .astype(np.uint8).",
        )
    return np.array(images)


def read_picture(path: Path, height: int, width: int) -> NDArray[np.uint8]:
    """One picture, grey, scaled, light on dark."""
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtraError(
            str(path), expected="Pillow, to read a picture", got="none", fix="pip install 'tinygrad-mlp[plots]'"
        ) from error
    try:
        with Image.open(path) as opened:
            picture: Image.Image = opened
            if opened.mode.startswith("I"):  # 16 bits of grey, which Pillow would clip to 8
                picture = Image.fromarray((np.asarray(opened) >> 8).astype(np.uint8))
            flat = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture.convert("RGBA"))
            grey: NDArray[np.uint8] = np.asarray(flat.convert("L").resize((width, height), Image.Resampling.LANCZOS))
    except Exception as error:  # on damaged bytes Pillow raises a dozen unrelated types
        raise DataError(str(path), expected="a picture", got=f"a file that cannot be read ({error})") from error
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    return np.invert(grey) if border.mean() > 127 else grey

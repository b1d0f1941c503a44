"""Pictures in folders, one folder for each class."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_mlp.data.labels import to_labels
from tinygrad_mlp.data.picture import picture_size, read_whole
from tinygrad_mlp.errors import DataError

LARGEST = 64  # pixels: the side up to which pictures that are all of one size keep it
SIDE = 28  # of the images that others become


def class_folders(directory: Path) -> list[Path]:
    """The folders in a directory, in the order of their numbers if their names are numbers, else by name."""
    folders = [path for path in directory.iterdir() if path.is_dir() and not path.name.startswith((".", "__"))]
    numbered = all(path.name.isdecimal() for path in folders)
    return sorted(folders, key=lambda path: (int(path.name) if numbered else 0, path.name))


def read_folders(folders: list[Path], shape: tuple[int, ...] | None = None) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    """Read all pictures in some folders; the label of a picture is the place of its folder in the list.

    Parameters
    ----------
    folders : list of Path
    shape : tuple of int, optional
        Of the images. By default, pictures that are all of one size of at most 64×64 pixels keep it, others are
        scaled to 28×28 (`tinygrad_mlp.data.picture.read_whole`); and they are grey, unless one of them has a colour.

    Returns
    -------
    images : ndarray of uint8, shape (N, height, width) or (N, height, width, 3)
    labels : ndarray of integers, shape (N,)

    Raises
    ------
    DataError
        If a folder holds no pictures, or a file in it that is none.
    """
    files = [(file, label) for label, folder in enumerate(folders) for file in _files(folder)]
    own = shape or (*_size([file for file, _ in files]), 3)
    images = np.empty((len(files), *own), np.uint8)
    for image, (file, _) in zip(images, files, strict=True):
        image[...] = read_whole(file, own)
    if shape is None and (images == images[..., :1]).all():
        images = np.ascontiguousarray(images[..., 0])
    return images, to_labels(np.array([label for _, label in files]), str(folders[0].parent))


def _files(folder: Path) -> list[Path]:
    """The files in a folder, in the order of their names, but for those that systems hide in it."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    files = [path for path in files if path.name != "Thumbs.db"]
    if not files:
        raise DataError(str(folder), expected="pictures of one class", got="none", fix="Remove the folder, or fill it.")
    return files


def _size(files: list[Path]) -> tuple[int, int]:
    """Height and width for pictures: their own, if all have the same and it is small."""
    sizes = {picture_size(file) for file in files}
    height, width = sizes.pop()
    return (SIDE, SIDE) if sizes or max(height, width) > LARGEST else (height, width)

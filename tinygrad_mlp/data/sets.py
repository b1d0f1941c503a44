"""Data sets to train on, from whatever they are kept in."""

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tinygrad_mlp.data.csv import read_csv
from tinygrad_mlp.data.folder import class_folders, read_folders
from tinygrad_mlp.data.idx import GZIP_MAGIC
from tinygrad_mlp.data.mnist import Split, is_idx_directory, load_mnist, matched, split_of
from tinygrad_mlp.data.npz import read_npz
from tinygrad_mlp.errors import DataError

TEST_PART = 6  # one in so many examples is for testing, where a data set does not say which
NPZ_FORMS = (  # what arrays are called
    ("x_train", "y_train", "x_test", "y_test"),
    ("train_images", "train_labels", "test_images", "test_labels"),
    ("x", "y"),
    ("X", "y"),
    ("images", "labels"),
    ("data", "target"),
)
KINDS = (
    "a directory with the files of MNIST, with train.csv and test.csv, or with one folder of pictures for each class; "
    "an .npz file; or a .csv file"
)


class DataSet(NamedTuple):
    """Examples to train on and examples to test with; ``classes`` are their names, or None where these are numbers.

    >>> load_data().test.images.shape, load_data().classes
    ((10000, 28, 28), None)
    """

    train: Split
    test: Split
    classes: tuple[str, ...] | None = None


def load_data(source: str | os.PathLike[str] | None = None) -> DataSet:
    """Load a data set of images and their classes.

    Parameters
    ----------
    source : str or path-like, optional
        - None: the MNIST that travels with this package.
        - A directory with the four files of MNIST, see `tinygrad_mlp.data.load_mnist`.
        - A directory with one folder of pictures for each class; or with two folders, ``train`` and ``test``, that
          hold such folders.
        - An ``.npz`` file with arrays ``x_train``, ``y_train``, ``x_test`` and ``y_test``; or ``x`` and ``y``. They may
          also be called ``train_images``…, ``images`` and ``labels``, or ``data`` and ``target``.
        - A CSV file with the label and then the pixels in each line; or a directory with two, one with "train" and
          one with "test" in its name.

        Where nothing says what to test with, it is one in six examples of each class, the same ones each time.

    Returns
    -------
    DataSet
        Images are uint8 of shape (N, height, width), or (N, height, width, 3) if they are RGB; labels are integers.

    Raises
    ------
    DataError
        If a file is missing, damaged or not as described, naming the file and the row in it.
    MissingExtraError
        If the source has pictures and Pillow is not installed.

    Examples
    --------
    >>> load_data().train.images.shape
    (60000, 28, 28)
    """
    if source is None:
        return DataSet(*load_mnist())
    path = Path(source)
    try:
        if not path.is_dir():
            return _load_file(path)
        if is_idx_directory(path):
            return DataSet(*load_mnist(path))
        return _load_tables(path) or _load_folders(path)
    except OSError as error:
        raise DataError(str(path), expected="a readable directory", got=error.strerror or str(error)) from error


def _load_file(path: Path) -> DataSet:
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError as error:
        raise DataError(str(path), expected="a readable file", got=error.strerror or str(error)) from error
    if start.startswith(b"PK"):
        return _load_npz(path)
    if start.startswith((GZIP_MAGIC, b"\0\0")):
        raise DataError(
            str(path), expected=KINDS, got="one IDX file, or another that is compressed",
            fix="Give the directory of the IDX files, or unpack the file.",
        )  # fmt: skip
    if b"\0" in start or not start:
        raise DataError(
            str(path), expected=KINDS, got=f"a file that begins with {start!r}" if start else "an empty file"
        )
    return _divided(*read_csv(path), str(path))


def _load_npz(path: Path) -> DataSet:
    found = read_npz(path, *NPZ_FORMS)
    (arrays, where) = list(found.values()), [f"{path}, {name}" for name in found]
    train = split_of(arrays[0], arrays[1], where[0], where[1])
    if len(arrays) == 2:
        return _divided(*train, str(path))
    return DataSet(*matched(train, split_of(arrays[2], arrays[3], where[2], where[3]), where[2]))


def _load_tables(directory: Path) -> DataSet | None:
    """The data set in two CSV files of a directory, if that has any."""
    files = sorted(path for path in directory.iterdir() if path.suffix.lower() == ".csv")
    if not files:
        return None
    found = [[path for path in files if part in path.name.lower()] for part in ("train", "test")]
    if any(len(paths) != 1 for paths in found):
        raise DataError(
            str(directory), expected="two CSV files, one with train and one with test in its name",
            got=", ".join(path.name for path in files), fix="Or give one file alone.",
        )  # fmt: skip
    (train,), (test,) = found
    return DataSet(*matched(Split(*read_csv(train)), Split(*read_csv(test)), str(test)))


def _load_folders(directory: Path) -> DataSet:
    folders = class_folders(directory)
    if {folder.name for folder in folders} == {"train", "test"}:
        train, test = class_folders(directory / "train"), class_folders(directory / "test")
        names = tuple(folder.name for folder in train)
        if names != tuple(folder.name for folder in test) or len(names) < 2:
            raise DataError(
                str(directory), expected="the same two or more folders in train and in test",
                got=f"{_named(train)} and {_named(test)}",
            )  # fmt: skip
        first = Split(*read_folders(train))
        return DataSet(first, Split(*read_folders(test, first.images.shape[1:])), names)
    if len(folders) < 2:
        got = "none of the four files of MNIST and " + _named(folders)
        raise DataError(str(directory), expected=KINDS, got=got)
    return _divided(*read_folders(folders), str(directory), tuple(folder.name for folder in folders))


def _named(folders: list[Path]) -> str:
    names = ", ".join(folder.name for folder in folders)[:200]
    return f"the folders {names}" if len(folders) > 1 else f"the folder {names}" if folders else "no folders"


def _divided(
    images: NDArray[np.uint8], labels: NDArray[Any], where: str, classes: tuple[str, ...] | None = None
) -> DataSet:
    """The data set in which one in six examples of each class is for testing."""
    kept, held_out = held_out_of(labels, TEST_PART, np.random.default_rng(0))
    if not held_out.size:
        raise DataError(where, expected=f"at least {TEST_PART} examples", got=str(len(labels)))
    return DataSet(Split(images[kept], labels[kept]), Split(images[held_out], labels[held_out]), classes)


def held_out_of(labels: NDArray[Any], part: int, rng: np.random.Generator) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Indices of the examples to keep and of those to hold out, both in ascending order.

    One in so many is held out; of each class as many as its share, to within one.
    """
    order = rng.permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]  # by class, and within a class at random
    held_out = np.sort(order[part - 1 :: part])
    return np.setdiff1d(np.arange(len(labels)), held_out), held_out

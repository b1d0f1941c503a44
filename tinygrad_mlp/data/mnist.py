"""MNIST: 60,000 training and 10,000 test images of handwritten digits, which travel with the package.

Y. LeCun, C. Cortes, C. J. C. Burges, *The MNIST database of handwritten digits*, CC BY-SA 3.0 (``mnist/NOTICE.md``).
"""

import hashlib
import os
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tinygrad_mlp.data.idx import header, read_idx
from tinygrad_mlp.data.labels import to_labels
from tinygrad_mlp.data.npz import read_npz
from tinygrad_mlp.data.pixels import to_images
from tinygrad_mlp.errors import DataError

# In the order of MNIST(train, test), images before labels: the files without .gz, and their sha256.
SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
NPZ_NAMES = ("x_train", "y_train", "x_test", "y_test")


class Split(NamedTuple):
    """Images, uint8 of shape (N, 28, 28), 0 the background; and their labels, uint8 of shape (N,).

    >>> images, labels = load_mnist().test
    >>> images.shape, labels.shape
    ((10000, 28, 28), (10000,))
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]


class MNIST(NamedTuple):
    """The training and the test set, which unpack as ``train, test = load_mnist()``.

    >>> len(load_mnist().train.labels), len(load_mnist().test.labels)
    (60000, 10000)
    """

    train: Split
    test: Split


class Verified(NamedTuple):
    """A bundled file that is what it should be."""

    file: str
    shape: tuple[int, ...]
    sha256: str


def load_mnist(source: str | os.PathLike[str] | None = None) -> MNIST:
    """Load MNIST, or a data set in its format such as Fashion-MNIST.

    Parameters
    ----------
    source : str or path-like, optional
        - None: the MNIST that travels with this package.
        - A directory with the four IDX files, raw or gzip, under their usual names: ``train-images-idx3-ubyte``
          or ``train-images.idx3-ubyte``, with or without ``.gz``; the test files start with ``t10k``.
        - Keras's ``mnist.npz``, with the arrays ``x_train``, ``y_train``, ``x_test`` and ``y_test``.

    Returns
    -------
    MNIST
        ``train`` and ``test``, each with ``images`` (N, height, width) and ``labels`` (N,), both uint8.

    Raises
    ------
    DataError
        If a file is missing or damaged, or the arrays do not belong together.

    Examples
    --------
    >>> train, test = load_mnist()
    >>> train.images.shape, test.labels.shape, test.labels[:5]
    ((60000, 28, 28), (10000,), array([7, 2, 1, 0, 4], dtype=uint8))
    """
    if source is None:
        with as_file(files(__package__) / "mnist") as directory:
            return load_mnist(directory)
    path = Path(source)
    if path.is_dir():
        where = list(map(str, found := find_idx_files(path)))
        arrays = [read_idx(file) for file in found]
    else:
        where = [f"{path}, {name}" for name in NPZ_NAMES]
        arrays = list(read_npz(path, NPZ_NAMES).values())
    train = split_of(arrays[0], arrays[1], where[0], where[1])
    return MNIST(*matched(train, split_of(arrays[2], arrays[3], where[2], where[3]), where[2]))


def verify() -> list[Verified]:
    """Compare the MNIST that travels with this package with the published one.

    Returns
    -------
    list of Verified
        Name, shape and sha256 (of the uncompressed file) of each of the four files.

    Raises
    ------
    DataError
        At the first file that is missing, damaged or different.

    Examples
    --------
    >>> for file, shape, sha256 in verify():
    ...     print(file, shape, sha256[:8])
    train-images-idx3-ubyte (60000, 28, 28) ba891046
    train-labels-idx1-ubyte (60000,) 65a50cbb
    t10k-images-idx3-ubyte (10000, 28, 28) 0fa7898d
    t10k-labels-idx1-ubyte (10000,) ff7bcfd4
    """
    verified = []
    for name, array in zip(SHA256, [array for split in load_mnist() for array in split], strict=True):
        digest = hashlib.sha256(header(array))  # with uint8 elements, header and array are the file, byte for byte
        digest.update(array.data)
        if digest.hexdigest() != SHA256[name]:
            raise DataError(
                name, expected=f"sha256 {SHA256[name]}", got=digest.hexdigest(), fix="Install tinygrad-mlp again."
            )
        verified.append(Verified(name, array.shape, digest.hexdigest()))
    return verified


def find_idx_files(directory: Path) -> list[Path]:
    """The four files, in the order of `SHA256`, under whichever of their names they have."""
    found, lacking = [], []
    for name in SHA256:
        stems = (name, name.replace("-idx", ".idx"))
        spellings = [stem + suffix for stem in stems for suffix in ("", ".gz")]
        file = next((directory / spelling for spelling in spellings if (directory / spelling).is_file()), None)
        if file is None:
            lacking.append(" or ".join(spellings))
        else:
            found.append(file)
    if lacking:
        raise DataError(
            str(directory),
            expected="; ".join(lacking),
            got=", ".join(sorted(file.name for file in found)) or "none of the four files of MNIST",
            fix="Put the files there, raw or gzip.",
        )
    return found


def is_idx_directory(directory: Path) -> bool:
    """Whether one of the four files is there."""
    stems = {name.split("-idx")[0] for name in SHA256}
    return any(path.is_file() and path.name.split("-idx")[0].split(".idx")[0] in stems for path in directory.iterdir())


def split_of(images: NDArray[Any], labels: NDArray[Any], where: str, labels_where: str) -> Split:
    """Images and labels as a `Split`, or a `DataError` unless they are such."""
    images, labels = to_images(images, where), to_labels(labels, labels_where)
    if len(images) != len(labels):
        raise DataError(labels_where, expected=f"{len(images):,} labels, one for each image", got=f"{len(labels):,}")
    return Split(images, labels)


def matched(train: Split, test: Split, where: str) -> tuple[Split, Split]:
    """The same, or a `DataError` unless their images have one shape."""
    if train.images.shape[1:] != test.images.shape[1:]:
        raise DataError(where, expected=f"images of {size(train)} pixels, as for training", got=size(test))
    return train, test


def size(split: Split) -> str:
    """``28×28``, or ``32×32 in RGB``."""
    return "×".join(map(str, split.images.shape[1:3])) + (" in RGB" if split.images.ndim > 3 else "")

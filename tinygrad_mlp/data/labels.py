"""Class numbers as they come, made what this package works with."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_mlp.errors import DataError

MOST_CLASSES = 65_536
NUMBER = "Number the classes from 0: names, y = np.unique(y, return_inverse=True)."


def to_labels(labels: NDArray[Any], where: str, row: str = "label", first: int = 0) -> NDArray[Any]:
    """The same class numbers, as uint8 where they fit and else as int64, in shape (N,).

    Parameters
    ----------
    labels : ndarray of numbers, shape (N,) or (N, 1)
        Whole numbers from 0, of whatever dtype.
    where : str
        What errors call it.
    row, first : str, int
        What errors call an entry, and the number of the first one.

    Raises
    ------
    DataError
        If the labels are not whole numbers from 0, naming the first that is not.

    Examples
    --------
    >>> to_labels(np.array([[3.0], [1.0]]), "mine")
    array([3, 1], dtype=uint8)
    """
    if labels.ndim == 2 and labels.shape[1] > 1:
        raise DataError(
            where, expected="labels of shape (N,)", got=f"shape {labels.shape}",
            fix="If they are one-hot: y = y.argmax(axis=1).",
        )  # fmt: skip
    if labels.ndim not in (1, 2) or labels.dtype.kind not in "biuf":
        raise DataError(where, expected="labels of shape (N,)", got=f"{labels.dtype} of shape {labels.shape}")
    labels = labels.reshape(-1)
    whole = (labels >= 0) & (labels < MOST_CLASSES)
    if labels.dtype.kind == "f":
        whole &= np.floor(labels) == labels
    if not whole.all():
        bad = int(np.argmin(whole))
        raise DataError(
            f"{where}, {row} {bad + first}", expected=f"a class, a whole number from 0 to {MOST_CLASSES - 1}",
            got=f"{labels[bad]:.8g}", fix=NUMBER,
        )  # fmt: skip
    return labels.astype(np.uint8 if not labels.size or labels.max() < 256 else np.int64)

"""MNIST as a table of text: in each line the label, then the pixels, with commas between them."""

import os
import warnings
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from tinygrad_mlp.data.labels import to_labels
from tinygrad_mlp.data.pixels import to_images
from tinygrad_mlp.errors import DataError

FORM = "a line of numbers with commas between them, the label and then the pixels"


def read_csv(path: str | os.PathLike[str]) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    """Read images and labels from a CSV file.

    Parameters
    ----------
    path : str or path-like
        The file: one image to a line, its label first, then its pixels, which are square images row by row. A first
        line of names is passed over.

    Returns
    -------
    images : ndarray of uint8, shape (N, side, side)
    labels : ndarray of integers, shape (N,)

    Raises
    ------
    DataError
        If the file is missing or no such table, naming the first line that is not as it should be.
    """
    where = str(path)
    try:
        with Path(path).open(encoding="utf-8-sig", errors="replace") as stream:
            skipped = int(_is_heading(stream.readline()))
            stream.seek(0)
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of a table without lines, which is refused below
                    table = np.loadtxt(stream, np.float32, delimiter=",", comments=None, skiprows=skipped, ndmin=2)
            except ValueError as error:
                raise _first_bad_line(path, skipped) or DataError(where, expected=FORM, got=str(error)) from error
    except OSError as error:
        raise DataError(where, expected="a readable file", got=error.strerror or str(error)) from error
    if table.shape[1] < 2:
        raise DataError(where, expected=f"in each line {FORM}", got=f"a table of shape {table.shape}")
    return to_images(table[:, 1:], where), to_labels(table[:, 0], where, "line", 1 + skipped)


def _is_heading(line: str) -> bool:
    """Whether the first line has names instead of numbers."""
    return not _is_number(line.split(",")[0])


def _first_bad_line(path: str | os.PathLike[str], skipped: int) -> DataError | None:
    """The first line that is not all numbers, or not as long as the one before it."""
    columns = 0
    with Path(path).open(encoding="utf-8-sig", errors="replace") as stream:
        for number, line in enumerate(_lines(stream, skipped), start=1 + skipped):
            cells = line.strip().split(",")
            if cells == [""]:
                continue
            columns = columns or len(cells)
            bad = next((cell for cell in cells if not _is_number(cell)), None)
            if bad is not None:
                return DataError(f"{path}, line {number}", expected=FORM, got=repr(bad[:40]))
            if len(cells) != columns:
                return DataError(
                    f"{path}, line {number}", expected=f"{columns} numbers, as in the lines before",
                    got=str(len(cells)), fix="Is a line broken, or a number missing?",
                )  # fmt: skip
    return None


def _lines(stream: TextIO, skipped: int) -> Any:
    return islice(stream, skipped, None)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True

"""Keras's ``mnist.npz``, read as the untrusted file it is.

``np.load`` allocates what the header of an array claims before it reads any data, and may unpickle; so the header is
read by NumPy, judged here, and the data then read step by step.
"""

import math
import os
import zipfile
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_mlp.data.idx import read_exactly
from tinygrad_mlp.errors import DataError

HEADER_READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read_npz(path: str | os.PathLike[str], names: tuple[str, ...]) -> list[NDArray[np.uint8]]:
    """Read uint8 arrays from an ``.npz`` archive; never a pickle.

    Raises
    ------
    DataError
        If the archive is missing, damaged, lacks an array, or holds one of another dtype.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            check_names(archive, names, path)
            arrays = []
            for name in names:
                with archive.open(f"{name}.npy") as member:
                    arrays.append(read_member(member, f"{path}, {name}"))
            return arrays
    except DataError:
        raise
    except (FileNotFoundError, PermissionError) as error:
        raise DataError(str(path), expected="a readable file", got=str(error.strerror)) from error
    except Exception as error:  # on damaged bytes zipfile, zlib and NumPy raise a dozen unrelated types
        raise DataError(str(path), expected="an intact .npz archive", got=f"a damaged one ({error})") from error


def check_names(archive: zipfile.ZipFile, names: tuple[str, ...], where: str | os.PathLike[str]) -> None:
    held = [name.removesuffix(".npy") for name in archive.namelist()]
    if not set(names) <= set(held):
        raise DataError(
            str(where), expected=f"the arrays {', '.join(names)}", got=", ".join(held) or "an empty archive"
        )


def read_member(member: IO[bytes], where: str) -> NDArray[np.uint8]:
    version = np.lib.format.read_magic(member)
    if version not in HEADER_READERS:
        raise DataError(where, expected="an .npy array of version 1.0 or 2.0", got=".".join(map(str, version)))
    shape, fortran_order, dtype = HEADER_READERS[version](member)
    if dtype != np.uint8:
        raise DataError(where, expected="dtype uint8", got=str(dtype))
    data = read_exactly(member, math.prod(shape), where)
    array: NDArray[Any] = np.ndarray(shape, np.uint8, buffer=data, order="F" if fortran_order else "C")
    return array

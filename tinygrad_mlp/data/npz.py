"""Keras's ``mnist.npz``, read as the untrusted file it is.

``np.load`` allocates what the header of an array claims before it reads any data, and may unpickle; so the header is
read by NumPy, judged here, and the data then read step by step.
"""

import math
import os
import warnings
import zipfile
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_mlp.data.idx import check_unpacked, read_exactly
from tinygrad_mlp.errors import DataError, brief

HEADER_READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read_npz(path: str | os.PathLike[str], *forms: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    """Read arrays of numbers from an ``.npz`` archive; never a pickle.

    Parameters
    ----------
    path : str or path-like
    *forms : tuple of str
        Names of arrays. The first of these tuples of which all names are there says what is read.

    Returns
    -------
    dict
        The arrays by name, in the order of their tuple.

    Raises
    ------
    DataError
        If the archive is missing, damaged, lacks an array, holds one of something else than numbers, or unpacks to
        more than a hundred times its size.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            arrays = {}
            for name in chosen(archive, forms, path):
                with archive.open(f"{name}.npy") as member:
                    held = archive.getinfo(f"{name}.npy").compress_size
                    arrays[name] = read_npy(member, held, f"{path}, {name}")
            return arrays
    except (DataError, MemoryError):
        raise
    except (FileNotFoundError, PermissionError) as error:
        raise DataError(str(path), expected="a readable file", got=str(error.strerror)) from error
    except Exception as error:  # on damaged bytes zipfile, zlib and NumPy raise a dozen unrelated types
        raise DataError(str(path), expected="an intact .npz archive", got=f"a damaged one ({brief(error)})") from error


def chosen(
    archive: zipfile.ZipFile, forms: tuple[tuple[str, ...], ...], where: str | os.PathLike[str]
) -> tuple[str, ...]:
    """The first of the tuples of which all names are in the archive."""
    held = [name.removesuffix(".npy") for name in archive.namelist()]
    form = next((form for form in forms if set(form) <= set(held)), None)
    if form is None:
        wanted = "; or ".join(", ".join(form) for form in forms)
        raise DataError(str(where), expected=f"the arrays {wanted}", got=", ".join(held)[:300] or "an empty archive")
    if any(member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for member in archive.infolist()):
        raise DataError(
            str(where), expected="an archive as np.savez or np.savez_compressed writes it", got="another compression"
        )
    return form


def read_npy(stream: IO[bytes], held: int, where: str | os.PathLike[str]) -> NDArray[Any]:
    """Read an array of numbers, in the machine's byte order, from a stream in the format of ``.npy``.

    Parameters
    ----------
    stream : binary stream
    held : int
        Bytes that it takes on disk.
    where : str or path-like
        What errors call the array.
    """
    version = np.lib.format.read_magic(stream)
    if version not in HEADER_READERS:
        raise DataError(str(where), expected="an .npy array of version 1.0 or 2.0", got=".".join(map(str, version)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of headers as Python 2 wrote them
        shape, fortran_order, dtype = HEADER_READERS[version](stream)
    if dtype.kind not in "biuf":
        raise DataError(str(where), expected="an array of numbers", got=f"dtype {dtype}")
    size = math.prod(shape) * dtype.itemsize
    check_unpacked(size, held, where)
    data = read_exactly(stream, size, where)
    array: NDArray[Any] = np.ndarray(shape, dtype, buffer=data, order="F" if fortran_order else "C")
    return array.astype(dtype.newbyteorder("="), copy=False)

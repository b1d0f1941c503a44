"""An ``.npz`` file, read as the untrusted file it is: nothing is unpickled, and nothing unpacks to more than it is.

``np.load`` allocates what the header of an array claims, and a few compressed bytes can unpack to gigabytes. So only
entries that are stored as they are count here (as `numpy.savez` writes them), and a header must say exactly how much
data follows it.
"""

import io
import math
import os
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_mlp.errors import DataError

Array = np.ndarray[Any, Any]
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
KINDS = "biufcU"


def archive_of(arrays: Mapping[str, Any]) -> bytes:
    """The bytes of an ``.npz`` file; equal arrays give equal bytes."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, value in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(value), allow_pickle=False)
    return content.getvalue()


def read_archive(
    path: Path, prefix: str = "", *, at_most: float = math.inf, entry_at_most: float = math.inf
) -> dict[str, Array]:
    """The arrays of a file whose names begin with a prefix.

    Parameters
    ----------
    path : Path
    prefix : str
    at_most, entry_at_most : float
        Sizes of the file and of an entry that is read, in bytes, beyond which nothing is read.

    Raises
    ------
    DataError
        If the file is missing, damaged, larger than it may be, or holds anything else than plain arrays.
    """
    try:
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            _check_size("it", size, at_most)
            with zipfile.ZipFile(stream) as archive:
                members = archive.infolist()
                _check_sizes(members, size)
                wanted = [member for member in members if member.filename.startswith(prefix)]
                for member in wanted:
                    _check_size(member.filename, member.file_size, entry_at_most)
                return {m.filename.removesuffix(".npy"): _read_array(archive.read(m), m.filename) for m in wanted}
    except FileNotFoundError:
        raise DataError(str(path), expected="a checkpoint", got="no such file") from None
    except (DataError, MemoryError):
        raise
    except Exception as error:  # on damaged bytes zipfile and NumPy raise a dozen unrelated types
        raise DataError(str(path), expected="a whole checkpoint", got=f"one that cannot be read ({error})") from error


def _check_size(what: str, size: int, at_most: float) -> None:
    if size > at_most:
        raise ValueError(f"{what} has {size:,} bytes, where {at_most:,} can be needed at most")


def _check_sizes(members: list[zipfile.ZipInfo], size: int) -> None:
    names = [member.filename for member in members]
    if len(set(names)) < len(names):
        raise ValueError("two entries of the same name")
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise ValueError("an entry is compressed")
    if sum(member.file_size for member in members) > size:
        raise ValueError("the entries are larger than the file")


def _read_array(content: bytes, name: str) -> Array:
    """The array in the bytes of an ``.npy`` file."""
    stream = io.BytesIO(content)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # NumPy warns of headers that it has to repair
        shape, fortran_order, dtype = HEADERS[np.lib.format.read_magic(stream)](stream)
    if dtype.kind not in KINDS:
        raise ValueError(f"{name} has dtype {dtype}")
    held = len(content) - stream.tell()
    if held != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"{name} says shape {shape} of {dtype}, but holds {held} bytes")
    array: Array = np.frombuffer(content, dtype, offset=stream.tell())
    return array.reshape(shape, order="F" if fortran_order else "C")

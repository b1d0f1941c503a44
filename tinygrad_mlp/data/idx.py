"""IDX, the file format of MNIST, raw or gzip.

An IDX file is the bytes ``00 00 type ndim``, then ``ndim`` sizes as big-endian uint32, then the elements, big-endian
and in C order. Nothing else in the file says how long it is, so a header is believed only as far as data follows it.
"""

import gzip
import math
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_mlp.errors import ArgumentError, DataError, brief
from tinygrad_mlp.validation import as_array

DTYPES: dict[int, np.dtype[Any]] = {
    0x08: np.dtype("u1"),
    0x09: np.dtype("i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
CODES = {dtype.newbyteorder("="): code for code, dtype in DTYPES.items()}
GZIP_MAGIC = b"\x1f\x8b"
MAX_NDIM = 64  # NumPy's
UNPACKED = 100  # times their size on disk: the most that files may unpack to; MNIST's unpack to five times theirs
FREE = 1 << 26  # bytes that they may unpack to in any case
STEP = 1 << 18  # the most that a header without data behind it makes us allocate


def read_idx(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Read an IDX file, raw or gzip, whatever its name.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    ndarray
        Writable, in C order and the machine's byte order; uint8, int8, int16, int32, float32 or float64.

    Raises
    ------
    DataError
        If the file is missing, not IDX, shorter or longer than its header says, a damaged gzip, or unpacks to more
        than 64 MiB and a hundred times its size. Memory stays within what the file holds and what the header says,
        whichever is less.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     write_idx(f"{directory}/labels.gz", np.array([7, 2, 1], np.uint8))
    ...     read_idx(f"{directory}/labels.gz")
    array([7, 2, 1], dtype=uint8)
    """
    with opened(path) as stream:
        dtype, shape = read_header(stream, path)
        size = math.prod(shape) * dtype.itemsize
        check_unpacked(size, size_on_disk(path), path)
        data = read_exactly(stream, size, path)
    try:
        array: NDArray[Any] = np.ndarray(shape, dtype, buffer=data)
    except ValueError as error:  # no elements, but sizes whose product NumPy cannot count
        raise DataError(str(path), expected="a shape that NumPy can hold", got=str(shape)) from error
    if not dtype.isnative:
        array = array.byteswap(inplace=True).view(dtype.newbyteorder("="))
    return array


def write_idx(path: str | os.PathLike[str], array: NDArray[Any]) -> None:
    """Write an array as IDX, compressed where the name ends in ``.gz``.

    Parameters
    ----------
    path : str or path-like
        The file; an existing one is replaced.
    array : ndarray, list or DataFrame
        uint8, int8, int16, int32, float32 or float64, of any shape.

    Raises
    ------
    ArgumentError
        If IDX has no such dtype. Nothing is written then.

    Examples
    --------
    >>> write_idx("ages", np.array([31, 47]))
    Traceback (most recent call last):
    ...
    tinygrad_mlp.errors.ArgumentError: write_idx: expected uint8, int8, int16, int32, float32 or float64, got int64. \
Convert it first: array.astype(np.int32), say.
    """
    array = as_array(array, "write_idx", "array")
    content = header(array) + array.astype(DTYPES[CODES[array.dtype.newbyteorder("=")]], copy=False).tobytes()
    # The time of writing stays out of the file, so that equal arrays give equal files.
    Path(path).write_bytes(gzip.compress(content, mtime=0) if str(path).endswith(".gz") else content)


def header(array: NDArray[Any]) -> bytes:
    """The bytes that come before the elements of ``array`` in an IDX file."""
    code = CODES.get(array.dtype.newbyteorder("="))
    if code is None:
        raise ArgumentError(
            "write_idx",
            expected="uint8, int8, int16, int32, float32 or float64",
            got=str(array.dtype),
            fix="Convert it first: array.astype(np.int32), say.",
        )
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[IO[bytes] | gzip.GzipFile]:
    """Open a file for reading, through gzip if it starts like one; failures to read it become `DataError`."""
    try:
        with Path(path).open("rb") as file:
            yield gzip.GzipFile(fileobj=file) if file.peek(2)[:2] == GZIP_MAGIC else file
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(
            str(path),
            expected="an intact gzip file",
            got=f"a damaged one ({brief(error)})",
            fix="Fetch the file again.",
        ) from error
    except OSError as error:
        raise DataError(str(path), expected="a readable file", got=error.strerror or str(error)) from error


def read_header(
    stream: IO[bytes] | gzip.GzipFile, path: str | os.PathLike[str]
) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """The dtype, in the file's byte order, and the shape that an IDX file claims to have."""
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in DTYPES or magic[3] > MAX_NDIM:
        raise DataError(
            str(path),
            expected="an IDX file: bytes 00 00, a type of 08, 09, 0b, 0c, 0d or 0e, a number of dimensions up to 64",
            got=magic.hex(" ") or "an empty file",
        )
    sizes = stream.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise DataError(
            str(path), expected=f"{magic[3]} sizes of 4 bytes in the header", got=f"{len(sizes)} bytes of them"
        )
    return DTYPES[magic[2]], struct.unpack(f">{magic[3]}I", sizes)


def size_on_disk(path: str | os.PathLike[str]) -> int:
    """Bytes that a file takes, without its holes."""
    status = Path(path).stat()
    blocks = getattr(status, "st_blocks", 0)  # of 512 bytes; 0 where the file system does not count them
    return min(status.st_size, 512 * blocks) if blocks else status.st_size


def check_unpacked(size: int, held: int, where: str | os.PathLike[str]) -> None:
    """Raise where a little in a file would become very many bytes of data: compressed, or a file with holes.

    Parameters
    ----------
    size, held : int
        Bytes that the header of the data says, and bytes that they take in the file.
    where : str or path-like
        What errors call the data.
    """
    if size > max(FREE, UNPACKED * held):
        raise DataError(
            str(where), expected=f"data that take at most {UNPACKED} times the {held:,} bytes they take on disk",
            got=f"{size:,} bytes, as its header says", fix="It looks made to fill the memory; do not trust the file.",
        )  # fmt: skip


def read_exactly(stream: IO[bytes] | gzip.GzipFile, size: int, where: str | os.PathLike[str]) -> bytearray:
    """Read ``size`` bytes up to the end of the stream, step by step: memory grows with the data that really comes."""
    data = bytearray()
    while len(data) < size and (chunk := stream.read(min(STEP, size - len(data)))):
        data += chunk
    expected = f"{size:,} bytes of data, as its header says"
    if len(data) < size:
        raise DataError(str(where), expected=expected, got=f"{len(data):,}", fix="The file is cut short.")
    if stream.read(1):  # this read also checks the checksum that a compressed stream ends with
        raise DataError(
            str(where), expected=expected, got="more", fix="The header and the data do not belong together."
        )
    return data

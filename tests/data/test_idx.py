"""IDX files: what is written is read, and what is damaged is a DataError that claims no memory."""

import gzip
import math
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinygrad_mlp.data.idx import MAX_NDIM, header, read_idx, write_idx
from tinygrad_mlp.errors import ArgumentError, DataError

DTYPES = ["u1", "i1", "i2", "i4", "f4", "f8"]

arrays = st.sampled_from(DTYPES).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
)


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return tmp_path_factory.mktemp("idx")


def content(array, *, packed=False):
    """The bytes of an IDX file, written out from the format's definition and not by the code under test."""
    code = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}[array.dtype.str[1:]]
    raw = bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    raw += array.astype(array.dtype.newbyteorder(">")).tobytes()
    return gzip.compress(raw, mtime=0) if packed else raw


def read_bytes(directory, data):
    path = directory / "some-idx"
    path.write_bytes(data)
    return read_idx(path)


def same(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


@given(arrays, st.sampled_from(["a", "a.gz"]))
def test_round_trip(directory, array, name):
    """Property: read_idx(write_idx(a)) is a, bit for bit (NaNs too), for every dtype and number of dimensions."""
    write_idx(directory / name, array)
    read = read_idx(directory / name)
    assert same(read, array)
    assert read.dtype.isnative
    assert read.flags.writeable


@given(arrays, st.booleans())
def test_reads_the_format_as_defined(directory, array, packed):
    """Property: bytes laid out by the definition of IDX are read as the array they stand for."""
    assert same(read_bytes(directory, content(array, packed=packed)), array)


@given(arrays)
def test_writes_the_format_as_defined(directory, array):
    """Property: what is written is what the definition of IDX says, and the gzip of it under .gz."""
    write_idx(directory / "w", array)
    write_idx(directory / "w.gz", array)
    assert (directory / "w").read_bytes() == content(array)
    assert gzip.decompress((directory / "w.gz").read_bytes()) == content(array)


@given(arrays.filter(lambda a: a.ndim > 1))
def test_layout_and_byte_order_in_memory_do_not_matter(directory, array):
    """Property: Fortran-ordered and byte-swapped arrays give the same file as their plain copies."""
    write_idx(directory / "plain", array)
    for other in (np.asfortranarray(array), array.astype(array.dtype.newbyteorder())):
        write_idx(directory / "other", other)
        assert (directory / "other").read_bytes() == (directory / "plain").read_bytes()


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
def test_cut_anywhere(tmp_path, dtype, packed):
    data = content(np.arange(6, dtype=dtype).reshape(2, 3), packed=packed)
    for length in range(len(data)):
        with pytest.raises(DataError):
            read_bytes(tmp_path, data[:length])


@given(arrays, st.booleans(), st.data())
def test_cut_anywhere_of_anything(directory, array, packed, data):
    """Property: a file cut short at any byte raises DataError, and nothing else."""
    whole = content(array, packed=packed)
    length = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(DataError):
        read_bytes(directory, whole[:length])


@given(arrays, st.binary(min_size=1, max_size=9))
def test_trailing_bytes(directory, array, more):
    """Property: a byte too many is a DataError, raw or inside the gzip."""
    for data in (content(array) + more, gzip.compress(content(array) + more)):
        with pytest.raises(DataError, match=r"expected [0-9,]+ bytes of data, as its header says, got more"):
            read_bytes(directory, data)


@given(arrays, st.booleans(), st.data())
def test_flipped_bits(directory, array, packed, data):
    """Property: with one byte changed, a file gives a DataError or an array of the size its header tells."""
    damaged = bytearray(content(array, packed=packed))
    damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        read = read_bytes(directory, bytes(damaged))
    except DataError:
        return
    if packed:  # only bytes outside the checksum's reach, such as the time in gzip's header
        assert same(read, array)
    else:
        assert header(read) + read.astype(read.dtype.newbyteorder(">")).tobytes() == bytes(damaged)


@given(st.binary(max_size=64), st.booleans())
def test_arbitrary_bytes(directory, data, packed):
    """Property: any bytes whatever, raw or after gzip's magic, give an array or a DataError."""
    for start in (b"\x1f\x8b\x08", b"\0\0\x08") if packed else (b"",):
        try:
            read = read_bytes(directory, start + data)
        except DataError:
            read = None
        assert read is None or type(read) is np.ndarray


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("shape", [(2**32 - 1,), (60_000, 28, 28), (2**32 - 1,) * 3])
def test_a_header_that_lies_allocates_nothing(tmp_path, shape, packed):
    raw = bytes([0, 0, 14, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + bytes(100)
    path = tmp_path / "lie"
    path.write_bytes(gzip.compress(raw) if packed else raw)
    tracemalloc.start()
    try:
        size = f"{8 * math.prod(shape):,} bytes"
        with pytest.raises(DataError, match=f"expected {size} of data.*got 100|expected data that take .*, got {size}"):
            read_idx(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


def test_a_zip_bomb_stays_packed(tmp_path):
    path = tmp_path / "bomb"
    path.write_bytes(gzip.compress(bytes([0, 0, 8, 1, 0, 0, 0, 9]) + bytes(30_000_000)))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="expected 9 bytes of data, as its header says, got more"):
            read_idx(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


def test_memory_is_that_of_the_array(tmp_path):
    """Reading holds the array once: what is allocated on the way stays within a quarter of its size."""
    path = tmp_path / "large.gz"
    array = np.zeros((4_000_000,), np.int16)
    write_idx(path, array)
    tracemalloc.start()
    try:
        read_idx(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.25 * array.nbytes


def test_gzip_in_several_members(tmp_path):
    array = np.arange(12, dtype=np.int32)
    raw = content(array)
    assert same(read_bytes(tmp_path, gzip.compress(raw[:11]) + gzip.compress(raw[11:])), array)


MESSAGES = {
    "nothing": (b"", "expected an IDX file: .* got an empty file"),
    "three bytes": (b"\0\0\x08", "expected an IDX file: .* got 00 00 08"),
    "a picture": (b"\x89PNG\r\n\x1a\n", "expected an IDX file: .* got 89 50 4e 47"),
    "an unknown type": (bytes([0, 0, 10, 1, 0, 0, 0, 0]), "expected an IDX file: .* got 00 00 0a 01"),
    "65 dimensions": (bytes([0, 0, 8, MAX_NDIM + 1]), "expected an IDX file: .* got 00 00 08 41"),
    "half a header": (bytes([0, 0, 8, 3, 0, 0]), "expected 3 sizes of 4 bytes in the header, got 2 bytes of them"),
    "too short": (bytes([0, 0, 8, 1, 0, 0, 4, 0, 7]), "expected 1,024 bytes of data, .* got 1. The file is cut short"),
    "too long": (bytes([0, 0, 8, 1, 0, 0, 0, 1, 7, 7]), "expected 1 bytes of data, .* got more. The header and"),
    "no elements, endless": (
        bytes([0, 0, 8, 4]) + b"\xff" * 12 + bytes(4),
        r"expected a shape that NumPy can hold, got \(4294967295, 4294967295, 4294967295, 0\)",
    ),
    "a gzip cut short": (
        gzip.compress(content(np.zeros(99, "u1")))[:-9],
        "expected an intact gzip file, got a damaged one .*Fetch the file",
    ),
    "a wrong checksum": (
        gzip.compress(content(np.arange(9)[:, None].astype("u1")))[:-8] + bytes(8),
        "expected an intact gzip file, got a damaged one .*CRC",
    ),
}


@pytest.mark.parametrize("case", MESSAGES)
def test_messages(tmp_path, case):
    data, message = MESSAGES[case]
    with pytest.raises(DataError, match="some-idx: " + message):
        read_bytes(tmp_path, data)


def test_missing_file(tmp_path):
    with pytest.raises(DataError, match="gone: expected a readable file, got No such file or directory"):
        read_idx(tmp_path / "gone")


def test_a_directory_is_no_file(tmp_path):
    with pytest.raises(DataError, match="expected a readable file, got Is a directory"):
        read_idx(tmp_path)


@pytest.mark.parametrize("dtype", ["u2", "u4", "i8", "f2", "?", "c8", "U3", "O", "M8[s]"])
def test_dtypes_that_idx_lacks(tmp_path, dtype):
    with pytest.raises(ArgumentError, match=r"write_idx: expected uint8, int8, .* or float64, got "):
        write_idx(tmp_path / "none", np.zeros(2, dtype))
    assert not list(tmp_path.iterdir())


def test_equal_arrays_give_equal_files(tmp_path):
    """The gzip holds no time of writing."""
    write_idx(tmp_path / "a.gz", np.arange(9, dtype=np.uint8))
    assert (tmp_path / "a.gz").read_bytes()[4:8] == bytes(4)

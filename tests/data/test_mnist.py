"""MNIST: the bundled files, directories in every usual spelling, Keras's npz, and what is wrong with bad ones."""

import gzip
import hashlib
import io
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_mlp.data
from tinygrad_mlp.data import load_mnist, verify, write_idx
from tinygrad_mlp.data import mnist as module
from tinygrad_mlp.data.mnist import NPZ_NAMES, SHA256
from tinygrad_mlp.errors import DataError

BUNDLED = Path(tinygrad_mlp.data.__file__).parent / "mnist"
RNG = np.random.default_rng(0)
ARRAYS = (
    RNG.integers(0, 256, (6, 28, 28), dtype=np.uint8),
    RNG.integers(0, 10, 6, dtype=np.uint8),
    RNG.integers(0, 256, (3, 28, 28), dtype=np.uint8),
    RNG.integers(0, 10, 3, dtype=np.uint8),
)
NAMES = tuple(SHA256)


def fill(directory, arrays=ARRAYS, names=NAMES):
    for name, array in zip(names, arrays, strict=True):
        write_idx(directory / name, array)
    return directory


def npz(directory, arrays=ARRAYS, names=NPZ_NAMES, save=np.savez_compressed):
    path = directory / "mnist.npz"
    save(path, **dict(zip(names, arrays, strict=True)))
    return path


def replaced(index, array):
    return (*ARRAYS[:index], array, *ARRAYS[index + 1 :])


def assert_loaded(data, arrays=ARRAYS):
    (train_images, train_labels), (test_images, test_labels) = data
    for found, expected in zip((train_images, train_labels, test_images, test_labels), arrays, strict=True):
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, expected)


# -- bundled -----------------------------------------------------------------------------------------------------------
def test_bundled():
    train, test = data = load_mnist()
    assert train is data.train
    assert test is data.test
    assert train.images.shape == (60_000, 28, 28)
    assert train.labels.shape == (60_000,)
    assert test.images.shape == (10_000, 28, 28)
    assert test.labels.shape == (10_000,)
    assert {array.dtype for split in data for array in split} == {np.dtype(np.uint8)}
    # Counts of the digits, as published for MNIST.
    assert np.bincount(train.labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(test.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert round(float(train.images.mean()), 2) == 33.32


def test_bundled_files_have_the_published_sha256():
    """By the bytes of the files, apart from what `verify` does; the notice gives the same values."""
    notice = (BUNDLED / "NOTICE.md").read_text(encoding="utf-8")
    for name, sha256 in SHA256.items():
        assert hashlib.sha256(gzip.decompress((BUNDLED / f"{name}.gz").read_bytes())).hexdigest() == sha256
        assert f"| {name} | " in notice
        assert f" | {sha256} |" in notice


def test_verify():
    assert [tuple(row) for row in verify()] == [
        (name, shape, SHA256[name])
        for name, shape in zip(NAMES, [(60_000, 28, 28), (60_000,), (10_000, 28, 28), (10_000,)], strict=True)
    ]


def test_verify_finds_one_changed_pixel(monkeypatch):
    data = load_mnist()
    data.test.images[77, 3, 3] ^= 1
    monkeypatch.setattr(module, "load_mnist", lambda: data)
    message = "t10k-images-idx3-ubyte: expected sha256 0fa7898d.*, got .*Install tinygrad-mlp again."
    with pytest.raises(DataError, match=message):
        verify()


# -- directories -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("separator", ["-idx", ".idx"])
def test_spellings(tmp_path, separator, suffix):
    names = [name.replace("-idx", separator) + suffix for name in NAMES]
    assert_loaded(load_mnist(fill(tmp_path, names=names)))
    assert_loaded(load_mnist(str(tmp_path)))


def test_spellings_may_mix(tmp_path):
    names = (NAMES[0], NAMES[1] + ".gz", NAMES[2].replace("-idx", ".idx"), NAMES[3].replace("-idx", ".idx") + ".gz")
    assert_loaded(load_mnist(fill(tmp_path, names=names)))


def test_other_image_sizes_load(tmp_path):
    arrays = (np.zeros((6, 8, 5), np.uint8), ARRAYS[1], np.zeros((3, 8, 5), np.uint8), ARRAYS[3])
    assert_loaded(load_mnist(fill(tmp_path, arrays)), arrays)


def test_a_file_is_lacking(tmp_path):
    fill(tmp_path)
    (tmp_path / NAMES[3]).unlink()
    with pytest.raises(DataError) as caught:
        load_mnist(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: expected t10k-labels-idx1-ubyte or t10k-labels-idx1-ubyte.gz or t10k-labels.idx1-ubyte or "
        "t10k-labels.idx1-ubyte.gz, got t10k-images-idx3-ubyte, train-images-idx3-ubyte, train-labels-idx1-ubyte. "
        "Put the files there, raw or gzip."
    )


def test_an_empty_directory_lists_all_it_looked_for(tmp_path):
    with pytest.raises(DataError, match="got none of the four files of MNIST") as caught:
        load_mnist(tmp_path)
    for name in NAMES:
        for spelling in (name, name + ".gz", name.replace("-idx", ".idx"), name.replace("-idx", ".idx") + ".gz"):
            assert spelling in str(caught.value)


def test_a_damaged_file_is_named(tmp_path):
    fill(tmp_path)
    path = tmp_path / NAMES[2]
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match=f"{NAMES[2]}: expected 2,352 bytes of data, .* got 2,351"):
        load_mnist(tmp_path)


MISMATCHES = {
    "one label too few": (1, ARRAYS[1][:-1], "{1}: expected 6 labels, one for each image, got 5"),
    "one label too many": (3, np.zeros(4, np.uint8), "{3}: expected 3 labels, one for each image, got 4"),
    "labels for images": (0, ARRAYS[1], r"{0}: expected images of .* got uint8 of shape \(6,\)"),
    "images for labels": (3, ARRAYS[2], r"{3}: expected labels of shape .* got uint8 of shape \(3, 28, 28\)"),
    "no images": (2, np.zeros((0, 28, 28), np.uint8), r"{2}: expected .*, not empty, got uint8 of shape \(0, 28, 28\)"),
    "no pixels": (2, np.zeros((3, 28, 0), np.uint8), r"{2}: expected .*, not empty, got uint8 of shape \(3, 28, 0\)"),
    "two sizes": (2, np.zeros((3, 8, 5), np.uint8), "{2}: expected images of 28×28 pixels, as for training, got 8×5"),
}


@pytest.mark.parametrize("case", MISMATCHES)
def test_mismatches(tmp_path, case):
    index, array, message = MISMATCHES[case]
    with pytest.raises(DataError, match=message.format(*NAMES)):
        load_mnist(fill(tmp_path, replaced(index, array)))
    with pytest.raises(DataError, match=r"mnist.npz, " + message.format(*NPZ_NAMES)):
        load_mnist(npz(tmp_path, replaced(index, array)))


def test_other_dtypes_load_as_what_they_mean(tmp_path):
    """Whole numbers to 255, floats to 255, floats to 1."""
    for dtype, scale in ((np.int16, 1), (np.int32, 1), (np.float64, 1), (np.float32, 1 / 255)):
        arrays = [(array * (scale if array.ndim > 1 else 1)).astype(dtype) for array in ARRAYS]
        assert_loaded(load_mnist(fill(tmp_path, arrays)))
        assert_loaded(load_mnist(npz(tmp_path, arrays)))


# -- npz ---------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz(tmp_path, save):
    assert_loaded(load_mnist(npz(tmp_path, save=save)))


def test_npz_in_fortran_order(tmp_path):
    assert_loaded(load_mnist(npz(tmp_path, [np.asfortranarray(array) for array in ARRAYS])))


def test_npz_lacks_an_array(tmp_path):
    path = npz(tmp_path, ARRAYS[:3], NPZ_NAMES[:3])
    with pytest.raises(
        DataError, match="expected the arrays x_train, y_train, x_test, y_test, got x_train, y_train, x_t"
    ):
        load_mnist(path)


def test_npz_is_never_unpickled(tmp_path):
    path = npz(tmp_path, replaced(1, np.array([print] * 6, dtype=object)))
    with pytest.raises(DataError, match=r"mnist.npz, y_train: expected an array of numbers, got dtype object"):
        load_mnist(path)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.filterwarnings("ignore:Stored array in format")
def test_npy_versions(tmp_path, version):
    """Version 3.0 is for field names beyond Latin-1, which images do not have."""
    path = tmp_path / "mnist.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in zip(NPZ_NAMES, ARRAYS, strict=True):
            with archive.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, array, version=version)
    if version == (3, 0):
        with pytest.raises(DataError, match=r"x_train: expected an .npy array of version 1.0 or 2.0, got 3.0"):
            load_mnist(path)
    else:
        assert_loaded(load_mnist(path))


def test_source_does_not_exist(tmp_path):
    with pytest.raises(DataError, match="nowhere: expected a readable file, got No such file or directory"):
        load_mnist(tmp_path / "nowhere")


def test_source_is_another_file(tmp_path):
    fill(tmp_path)
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte: expected an intact .npz archive, got .*not a zip"):
        load_mnist(tmp_path / NAMES[0])


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_an_npz_header_that_lies_allocates_nothing(tmp_path, method):
    path = tmp_path / "mnist.npz"
    member = io.BytesIO()
    np.lib.format.write_array_header_1_0(member, {"descr": "|u1", "fortran_order": False, "shape": (2**40, 28, 28)})
    with zipfile.ZipFile(path, "w", method) as archive:
        for name in NPZ_NAMES:
            archive.writestr(f"{name}.npy", member.getvalue() + bytes(10))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=r"x_train: expected data that take .* got 862,017,116,176,384 bytes"):
            load_mnist(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """The path of a small archive, and its bytes."""
    arrays = (np.ones((2, 2, 2), np.uint8), np.ones(2, np.uint8), np.ones((1, 2, 2), np.uint8), np.ones(1, np.uint8))
    path = npz(tmp_path_factory.mktemp("npz"), arrays)
    return path, path.read_bytes()


@given(st.data())
def test_a_damaged_npz(archive, data):
    """Property: an archive cut at any byte raises DataError; with a byte changed, it does or loads all the same."""
    path, whole = archive
    if data.draw(st.booleans()):
        path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
        with pytest.raises(DataError):
            load_mnist(path)
    else:
        damaged = bytearray(whole)
        damaged[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
        path.write_bytes(damaged)
        try:
            read = load_mnist(path)
        except DataError:
            return
        assert all((array == 1).all() for split in read for array in split)

"""Small files that say they are large: refused by their headers, before there is memory for what they say."""

import gzip
import io
import resource
import zipfile

import numpy as np
import pytest
from PIL import Image
from tables import row

from tinygrad_mlp.data import load_mnist
from tinygrad_mlp.data.idx import FREE, header
from tinygrad_mlp.data.images import read_images
from tinygrad_mlp.data.mnist import NPZ_NAMES
from tinygrad_mlp.errors import DataError

COUNT = 2 * FREE // 784  # images, which take twice what any file may unpack to


def idx(path):
    content = header(np.broadcast_to(np.uint8(0), (COUNT, 28, 28))) + bytes(COUNT * 784)
    path.write_bytes(gzip.compress(content, 1))


def npy_header(shape):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return stream.getvalue()


def npz(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in NPZ_NAMES:
            with archive.open(f"{name}.npy", "w") as member:
                member.write(npy_header((COUNT, 28, 28)))
                for _ in range(COUNT // 1000):
                    member.write(bytes(784_000))


def sparse(path):
    with path.open("wb") as file:
        file.write(npy_header((8_000_000, 28, 28)))
        file.truncate(file.tell() + 8_000_000 * 784)


def lie(path):
    path.write_bytes(npy_header((999_999_999_999, 28, 28)))


def png(path):
    """One that takes a thousand times its size."""
    Image.new("L", (8_000, 8_000)).save(path)


UNPACKED = "data that take at most 100 times the [0-9,]+ bytes they take on disk, got [0-9,]+ bytes, as its header"
BOMBS = {
    "images.gz": (idx, read_images, f"images.gz: expected {UNPACKED} says. It looks made to fill the memory"),
    "set.npz": (npz, load_mnist, f"set.npz, x_train: expected {UNPACKED}"),
    "sparse.npy": (sparse, read_images, f"sparse.npy: expected {UNPACKED}"),
    "lie.npy": (lie, read_images, f"lie.npy: expected {UNPACKED}"),
    "large.png": (png, read_images, "large.png: expected a picture of at most 50,000,000 pixels"),
}


def test_bombs_are_refused_by_their_headers(tmp_path):
    for name, (make, read, message) in BOMBS.items():
        make(tmp_path / name)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with row(name), pytest.raises(DataError, match=message):
            read(tmp_path / name)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # kB


def test_data_that_pack_well_are_read(tmp_path):
    """White images are no bomb."""
    white, labels = np.full((9000, 28, 28), 255, np.uint8), np.zeros(9000, np.uint8)
    np.savez_compressed(tmp_path / "set.npz", x_train=white, y_train=labels, x_test=white, y_test=labels)
    assert load_mnist(tmp_path / "set.npz").train.images.shape == (9000, 28, 28)

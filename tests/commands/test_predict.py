"""``tinygrad-mlp predict``: a line for each image, what the network saw, and what is said of files it cannot read."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from commands.lines import failure
from data.drawings import anywhere, strokes
from PIL import Image
from tables import row

from tinygrad_mlp.commands.cli import main
from tinygrad_mlp.commands.run import load
from tinygrad_mlp.data import load_mnist, write_idx
from tinygrad_mlp.data.images import read_images
from tinygrad_mlp.ops.activations import softmax
from tinygrad_mlp.train.evaluation import predict


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The directory of a run on MNIST."""
    directory = tmp_path_factory.mktemp("predict") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "matplotlib.figure", None)
        assert main(["train", "--out", str(directory), "--hidden", "32", "--epochs", "1"]) == 0
    return directory


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch, tmp_path):
    """In an empty directory."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def digits():
    """Files of drawings: a three and a seven."""
    rng = np.random.default_rng(0)
    for name, digit in (("three.png", 3), ("seven.png", 7)):
        ink = anywhere(strokes(digit, rng), (160, 120), 0.1, rng)
        ink.point(lambda cover: 255 - cover).save(name)
    return ["three.png", "seven.png"]


def test_a_line_for_each_image(call, trained, digits):
    """The class that the network finds, and its probability; files of several images number them."""
    images = load_mnist().test.images[:3]
    np.save("some.npy", images)
    np.save("one.npy", images[0] / 255)
    write_idx("images.gz", images)
    Path("two\nlines").write_bytes(Path("one.npy").read_bytes())
    status, out, err = call("predict", trained, *digits, "some.npy", "one.npy", "images.gz", "two\nlines")
    assert (status, err) == (0, [])
    names = [*digits, *(f"some.npy[{i}]" for i in range(3)), "one.npy", *(f"images.gz[{i}]" for i in range(3))]
    assert [line.split(":")[0] for line in out] == [*names, r"two\nlines"]
    seen = np.concatenate([*map(read_images, digits), images, images[:1], images, images[:1]])
    for line, p in zip(out, softmax(predict(load(trained).model, seen)), strict=True):
        assert re.fullmatch(rf".*: class {p.argmax()}, probability {p.max():.4f}(: unsure, .*)?", line)
    assert out[0].startswith("three.png: class 3, ")
    assert out[1].startswith("seven.png: class 7, ")


def test_it_says_that_it_is_unsure(call, trained):
    """Where no class is more probable than not; with the second best."""
    images = load_mnist().test.images
    p = softmax(predict(load(trained).model, images))
    least = p.max(axis=1).argmin()
    np.save("odd.npy", images[least])
    (line,) = call("predict", trained, "odd.npy")[1]
    second, first = np.argsort(p[least])[-2:]
    said = f"class {first}, probability {p[least, first]:.4f}: unsure, or class {second}, {p[least, second]:.4f}"
    assert line == f"odd.npy: {said}"
    assert p[least, first] < 0.5


def test_show_writes_what_the_network_saw(call, trained, digits):
    """On one sheet, or each image by itself."""
    assert call("predict", trained, *digits, "--show", "sheet.png")[0] == 0
    assert call("predict", trained, *digits, "--show", "seen")[0] == 0
    assert sorted(path.name for path in Path("seen").iterdir()) == ["0-three.png", "1-seven.png"]
    sheet = np.asarray(Image.open("sheet.png"))
    for i, name in enumerate(digits):
        image = read_images(name)[0]
        np.testing.assert_array_equal(np.asarray(Image.open(f"seen/{i}-{Path(name).stem}.png"))[::8, ::8], image)
        np.testing.assert_array_equal(sheet[::8, i * 29 * 8 : (i * 29 + 28) * 8 : 8], image)


def test_show_of_many_images_is_no_larger_than_it_must_be(call, trained):
    np.save("many.npy", np.resize(load_mnist().test.images, (1000, 28, 28)))
    assert call("predict", trained, "many.npy", "--show", "sheet.png")[0] == 0
    with Image.open("sheet.png") as sheet:
        assert max(sheet.size) <= 4000


def test_show_writes_over_no_image(call, trained, digits):
    before = Path("three.png").read_bytes()
    for target in ("three.png", "./three.png", "seen.jpg", "file"):
        Path("file").touch()
        with row(target):
            line = failure(call("predict", trained, *digits, "--show", target), 2)
            assert line.startswith("tinygrad-mlp: --show: expected a new .png file, or a directory, got ")
    assert Path("three.png").read_bytes() == before


def test_one_bad_file_does_not_keep_others_from_being_read(call, trained, digits):
    Image.new("L", (50, 50), 255).save("blank.png")
    status, out, err = call("predict", trained, digits[0], "blank.png", "gone.png", digits[1], "--show", "seen")
    assert (status, len(out), len(err)) == (3, 2, 3)
    assert err[0].startswith("tinygrad-mlp: blank.png: expected a drawing, got a picture without ink.")
    assert err[1].startswith("tinygrad-mlp: gone.png: expected a readable file, got No such file")
    assert err[2] == "tinygrad-mlp: predict: expected 4 files to classify, got 2 that cannot be."
    assert len(list(Path("seen").iterdir())) == 2


def saved(array):
    return lambda path: np.save(path, array)


def raw(content):
    return lambda path: Path(path).write_bytes(content)


BAD = {
    "no.png": (lambda path: None, "expected a readable file, got No such file or directory"),
    "dir": (lambda path: Path(path).mkdir(), "expected a readable file, got Is a directory"),
    "text.png": (raw(b"no image"), "expected a picture (PNG, JPEG, BMP, GIF, TIFF or WebP), an array saved by np."),
    "cut.npy": (raw(b"\x93NUMPY\1\0"), "expected an array saved by np.save, got none ("),
    "pickle.npy": (saved(np.array([{}])), "expected an array of numbers, got dtype object"),
    "wide.npy": (saved(np.zeros((9, 9), np.uint8)), "expected images as the network was trained on, in an array of sh"),
    "empty.npy": (saved(np.zeros((0, 28, 28))), "expected images as the network was trained on, in an array of shape"),
    "minus.npy": (saved(np.full((2, 28, 28), -0.5)), "image 0: expected pixels from 0 to 255, got -0.5. Scale"),
    "nan.npy": (saved(np.full((28, 28), np.nan)), "image 0: expected pixels from 0 to 255, got nan."),
    "other.idx": (lambda path: write_idx(path, np.zeros((2, 9), np.uint8)), "expected images as the network was"),
    "cut.idx": (raw(bytes([0, 0, 8, 1, 0, 0, 0, 9])), "expected 9 bytes of data, as its header says, got 0."),
}  # fmt: skip


def test_bad_files_exit_3_with_one_line(call, trained):
    for name, (make, message) in BAD.items():
        with row(name):
            make(name)
            line = failure(call("predict", trained, name), 3)
            assert re.match(rf"tinygrad-mlp: {re.escape(name)}[:,] {re.escape(message)}", line), line


def test_predict_without_pillow(call, trained, digits, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert failure(call("predict", trained, "three.png"), 2) == (
        "tinygrad-mlp: three.png: expected Pillow, to read a picture, got none. pip install 'tinygrad-mlp[plots]'"
    )


def test_images_need_not_be_square(call):
    """What shape they have is kept with the run."""
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (24, 8, 5), dtype=np.uint8), np.arange(24, dtype=np.uint8) % 2
    images[:, [0, -1]] = images[:, :, [0, -1]] = 0  # as of a drawing
    np.savez("set.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    assert call("train", "--data", "set.npz", "--out", "run", "--hidden", "4", "--epochs", "1")[0] == 0
    assert load(Path("run")).images.shape == (8, 5)
    np.save("some.npy", images)
    assert len(call("predict", "run", "some.npy")[1]) == 24
    ink = anywhere(strokes(1, rng), (90, 90), 0.1, rng)
    ink.save("one.png")
    assert call("predict", "run", "one.png", "--show", "seen.png")[0] == 0
    with Image.open("seen.png") as seen:
        assert seen.size == (5 * 8, 8 * 8)

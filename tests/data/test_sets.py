"""Data sets of one's own: arrays, tables and folders of pictures, and what is said of those that are none."""

import numpy as np
import pytest
from PIL import Image
from tables import row

from tinygrad_mlp.data import load_data, load_mnist, write_idx
from tinygrad_mlp.data.mnist import SHA256
from tinygrad_mlp.errors import DataError

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (24, 6, 6), dtype=np.uint8)
RGB = RNG.integers(0, 256, (24, 6, 6, 3), dtype=np.uint8)
LABELS = np.arange(24) % 3
FORMS = {  # images as they are given, and as they are then
    "bytes": (GREY, GREY),
    "flat": (GREY.reshape(24, 36), GREY),
    "with one channel": (GREY[..., None], GREY),
    "int64": (GREY.astype(np.int64), GREY),
    "floats to 255": (GREY.astype(np.float64), GREY),
    "floats to 1": (GREY / np.float32(255), GREY),
    "big endian": (GREY.astype(">f4"), GREY),
    "booleans": (GREY > 99, np.where(GREY > 99, 255, 0)),
    "RGB": (RGB, RGB),
    "RGB, floats to 1": (RGB / 255, RGB),
}


def same(data, images, labels=LABELS):
    """The training and the test images hold each example once, with its label."""
    found = {(x.tobytes(), int(y)) for split in (data.train, data.test) for x, y in zip(*split, strict=True)}
    assert all(split.images.dtype == np.uint8 for split in (data.train, data.test))
    assert data.train.images.shape[1:] == images.shape[1:]
    return found == {(x.astype(np.uint8).tobytes(), int(y)) for x, y in zip(images, labels, strict=True)}


def test_arrays_of_any_usual_form(tmp_path):
    path = tmp_path / "set.npz"
    for name, (given, images) in FORMS.items():
        for labels in (LABELS, LABELS.astype(np.int32), LABELS.astype(float), LABELS[:, None], LABELS.astype("u1")):
            with row((name, labels.dtype, labels.shape)):
                np.savez(path, x=given, y=labels)
                data = load_data(path)
                assert same(data, images)
                assert data.train.labels.dtype == np.uint8
                assert data.classes is None


def test_names_of_arrays(tmp_path):
    for names in ("x_train y_train x_test y_test", "train_images train_labels test_images test_labels"):
        arrays = GREY[:20], LABELS[:20], GREY[20:], LABELS[20:]
        np.savez(tmp_path / "set.npz", **dict(zip(names.split(), arrays, strict=True)))
        data = load_data(str(tmp_path / "set.npz"))
        np.testing.assert_array_equal(data.train.images, GREY[:20])
        np.testing.assert_array_equal(data.test.labels, LABELS[20:])
    for names in ("x y", "X y", "images labels", "data target"):
        np.savez(tmp_path / "set.npz", **dict(zip(names.split(), (GREY, LABELS), strict=True)), extra=np.array("text"))
        assert same(load_data(tmp_path / "set.npz"), GREY)


def test_what_is_held_out_for_testing_is_of_each_class_and_the_same_each_time(tmp_path):
    np.savez(tmp_path / "set.npz", x=GREY, y=LABELS)
    first, second = load_data(tmp_path / "set.npz"), load_data(tmp_path / "set.npz")
    assert np.bincount(first.test.labels).max() - np.bincount(first.test.labels).min() <= 1
    assert len(first.test.labels) == 4
    np.testing.assert_array_equal(first.test.images, second.test.images)


def csv(path, images, labels, heading=""):
    lines = [",".join(map(str, [int(y), *x.ravel()])) for x, y in zip(images, labels, strict=True)]
    path.write_text("\n".join([heading] * bool(heading) + lines) + "\n", encoding="utf-8")
    return path


def test_tables_with_and_without_a_heading(tmp_path):
    assert same(load_data(csv(tmp_path / "a.csv", GREY, LABELS)), GREY)
    assert same(load_data(csv(tmp_path / "b.csv", GREY, LABELS, "label,pixel0,pixel1")), GREY)
    assert same(load_data(csv(tmp_path / "c.csv", np.round(GREY / 255, 4), LABELS, "\ufefflabel,1x1")), GREY)
    directory = tmp_path / "both"
    directory.mkdir()
    csv(directory / "mnist_train.csv", GREY[:20], LABELS[:20])
    csv(directory / "mnist_test.csv", GREY[20:], LABELS[20:])
    data = load_data(directory)
    np.testing.assert_array_equal(data.train.images, GREY[:20])
    np.testing.assert_array_equal(data.test.images, GREY[20:])


def folders(directory, images, labels, names):
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
        folder = directory / names[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{i:02}.png")
    return directory


def test_folders_of_pictures(tmp_path):
    names = ("ant", "bee", "cat")
    data = load_data(folders(tmp_path / "grey", GREY, LABELS, names))
    assert same(data, GREY)
    assert data.classes == names
    (tmp_path / "grey" / "ant" / ".DS_Store").touch()
    (tmp_path / "grey" / "notes.txt").touch()
    assert same(load_data(tmp_path / "grey"), GREY)
    assert same(load_data(folders(tmp_path / "rgb", RGB, LABELS, names)), RGB)
    folders(tmp_path / "both" / "train", GREY[:20], LABELS[:20], names)
    data = load_data(folders(tmp_path / "both" / "test", GREY[20:], LABELS[20:], names).parent)
    assert (len(data.train.images), len(data.test.images), data.classes) == (20, 4, names)


def test_folders_with_numbers_are_in_their_order(tmp_path):
    names = ("2", "10", "9")
    data = load_data(folders(tmp_path, GREY, LABELS, names))
    assert data.classes == ("2", "9", "10")
    assert same(data, GREY, np.array([0, 2, 1])[LABELS])


def test_large_pictures_are_scaled_and_keep_their_proportions(tmp_path):
    for i, size in enumerate(((200, 100), (60, 120), (28, 28), (70, 70))):
        folder = tmp_path / "ab"[i % 2]
        folder.mkdir(exist_ok=True)
        for j in range(6):
            Image.new("L", size, 200).save(folder / f"{i}{j}.jpg")
    data = load_data(tmp_path)
    assert data.train.images.shape[1:] == (28, 28)
    assert np.abs(data.train.images.astype(int) - 200).max() <= 2  # margins are of the colour of the corner


def test_the_sets_of_mnist_are_loaded_as_by_load_mnist(tmp_path):
    for name, array in zip(SHA256, (GREY, LABELS, GREY, LABELS), strict=True):
        write_idx(tmp_path / name, array.astype(np.uint8))
    np.savez(tmp_path / "keras.npz", x_train=GREY, y_train=LABELS, x_test=GREY, y_test=LABELS)
    for source in (tmp_path, tmp_path / "keras.npz"):
        for found, expected in zip(load_data(source), load_mnist(source), strict=False):
            np.testing.assert_array_equal(found.images, expected.images)
            np.testing.assert_array_equal(found.labels, expected.labels)


def with_x(images):
    return lambda path: np.savez(path, x=images, y=LABELS)


def with_y(labels):
    return lambda path: np.savez(path, x=GREY, y=labels)


def one_more(array, value):
    array = array.astype(float if isinstance(value, float) else np.int64)
    array[17] = value
    return array


def text(content):
    return lambda path: path.write_text(content, encoding="utf-8")


def tree(*names):
    def make(path):
        for name in names:
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(b"")

    return make


BAD = {
    "large.npz": (with_x(one_more(GREY, 300)), "large.npz, x, image 17: expected pixels from 0 to 255, got 300. Scale"),
    "minus.npz": (with_x(one_more(GREY, -0.5)), "minus.npz, x, image 17: expected pixels from 0 to 255, got -0.5"),
    "nan.npz": (with_x(one_more(GREY, np.nan)), "nan.npz, x, image 17: expected pixels from 0 to 255, got nan"),
    "first.npz": (with_x(np.moveaxis(RGB, -1, 1)), r"got uint8 of shape \(24, 3, 6, 6\). Put the channels last"),
    "alpha.npz": (with_x(np.zeros((24, 6, 6, 4))), r"float64 of shape \(24, 6, 6, 4\). Leave the transparency out"),
    "flat.npz": (with_x(np.zeros((24, 35))), r"float64 of shape \(24, 35\). Flat images must be square"),
    "none.npz": (with_x(np.zeros((0, 6, 6))), "none.npz, x: expected images of shape .*, not empty"),
    "half.npz": (with_y(one_more(LABELS, 1.5)), "half.npz, y, label 17: expected a class, .*, got 1.5. Number the"),
    "below.npz": (with_y(one_more(LABELS, -1)), "below.npz, y, label 17: expected a class, .*, got -1. Number the"),
    "far.npz": (with_y(one_more(LABELS, 10**9)), "far.npz, y, label 17: expected a class, .*, got 1e"),
    "hot.npz": (with_y(np.eye(3)[LABELS]), r"hot.npz, y: expected labels of shape \(N,\), got .*y.argmax\(axis=1\)"),
    "words.npz": (with_y(np.array(["a"] * 24)), "words.npz, y: expected an array of numbers, got dtype <U1"),
    "fewer.npz": (with_y(LABELS[:-1]), "fewer.npz, y: expected 24 labels, one for each image, got 23"),
    "other.npz": (lambda path: np.savez(path, a=GREY), "expected the arrays x_train, y_train, .*; or x, y; .*, got a"),
    "short.csv": (text("0,1,2,3,4\n1,5,6,7\n"), "short.csv, line 2: expected 5 numbers, as in the lines before, got 4"),
    "word.csv": (text("label,a,b,c,d\n0,1,2,3,4\n1,5,x,7,8\n"), "word.csv, line 3: expected a line of numbers .*'x'"),
    "semicolons.csv": (text("0;1;2;3;4\n1;5;6;7;8\n"), "semicolons.csv, line 2: expected a line of numbers"),
    "pixels.csv": (text("0,1,2,3\n1,5,6,7\n"), r"pixels.csv: .*shape \(2, 3\). Flat images must be square"),
    "class.csv": (text("0,1,2,3,4\n-1,5,6,7,8\n"), "class.csv, line 2: expected a class, .*, got -1"),
    "white.csv": (text("0,1,2,3,4\n1,5,6,7,256\n"), "white.csv, image 1: expected pixels from 0 to 255, got 256"),
    "empty.csv": (text(""), "empty.csv: expected a directory with the files of MNIST, .* got an empty file"),
    "few.csv": (text("0,1,2,3,4\n"), "few.csv: expected at least 6 examples, got 1"),
    "gone.npz": (lambda path: None, "gone.npz: expected a readable file, got No such file or directory"),
    "images.gz": (lambda path: write_idx(path, GREY), "got one IDX file, or .* Give the directory of the IDX files"),
    "nothing": (lambda path: path.mkdir(), "nothing: expected a directory with the files of MNIST, .* and no folders"),
    "alone": (tree("cat/1.png"), "alone: expected a directory with .*, got none of the four .* and the folder cat"),
    "hollow": (tree("cat/1.png", "dog/.hidden"), "got a file that cannot be read|dog: expected pictures of one class"),
    "tables": (tree("train.csv", "more.csv"), "tables: expected two CSV files, .*, got more.csv, train.csv"),
    "uneven": (tree("train/a/1.png", "train/b/1.png", "test/a/1.png"), "uneven: expected the same two or more folders"),
}


@pytest.mark.filterwarnings("ignore:.*input contained no data")
def test_what_is_no_data_set_is_named_with_its_row_and_what_to_do(tmp_path):
    for name, (make, message) in BAD.items():
        make(tmp_path / name)
        with row(name), pytest.raises(DataError, match=message):
            load_data(tmp_path / name)


def test_a_picture_that_cannot_be_read_is_named(tmp_path):
    folders(tmp_path, GREY, LABELS, ("a", "b", "c"))
    (tmp_path / "b" / "99.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"b/99.png: expected a picture, got a file that cannot be read"):
        load_data(tmp_path)

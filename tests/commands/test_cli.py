"""The command line: what each command prints, and the one line and the exit status when it cannot."""

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tinygrad_mlp.commands.cli import main
from tinygrad_mlp.data import load_mnist, read_idx
from tinygrad_mlp.rules import RULES
from tinygrad_mlp.train import Trainer

COMMAND = [sys.executable, "-m", "tinygrad_mlp"]


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch, tmp_path):
    """Without matplotlib, which takes longer than all the rest; in an empty directory."""
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def trained(small_data, tmp_path_factory):
    """The directory of a finished run."""
    directory = tmp_path_factory.mktemp("cli") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "matplotlib.figure", None)
        assert main(["train", "--data", str(small_data), "--out", str(directory), *SHORT]) == 0
    return directory


SHORT = ["--hidden", "8", "--epochs", "3", "--batch-size", "16", "--lr", "0.02"]


@pytest.fixture
def call(capsys):
    """Run a command in this process: exit status, and the lines on standard output and standard error."""

    def call(*arguments):
        capsys.readouterr()
        try:
            status = main(list(map(str, arguments)))
        except SystemExit as end:
            status = end.code
        captured = capsys.readouterr()
        return status, captured.out.splitlines(), captured.err.splitlines()

    return call


def failure(result, status):
    """The one line on standard error of a command that failed with this status."""
    assert result[0] == status
    assert len(result[2]) == 1
    return result[2][0]


# Training.


def test_train_says_what_it_does(call, small_data):
    status, out, err = call("train", "--data", small_data, "--out", "run", *SHORT)
    assert (status, err) == (0, [])
    assert out[0] == "64-8-3 MLP, 547 parameters; 220 images to train on, 20 to validate; 3 epochs of 14 steps"
    assert [line.split("  ")[0] for line in out[1:4]] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]
    assert out[4].startswith("test accuracy ")
    assert out[5].startswith("no pictures: plots: expected matplotlib, got none.")
    assert out[6] == "wrote run: best.npz, config.toml, history.csv, history.json, last.npz, report.html"
    assert len(out) == 7


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "nesterov", "adam", "adamw"])
@pytest.mark.parametrize("schedule", ["none", "step", "cosine"])
def test_every_optimizer_and_schedule_learns(optimizer, schedule, call, small_data):
    """At its default learning rate, with warm-up and clipping."""
    options = ["--optimizer", optimizer, "--schedule", schedule, "--warmup", "3", "--clip-norm", "5"]
    status, out, _ = call(
        "train", "--data", small_data, "--out", "run", "--epochs", "15", "--batch-size", "16", *options
    )
    assert status == 0
    accuracy = float(next(line for line in out if line.startswith("test accuracy")).split()[2])
    assert accuracy > 80, "a third by chance"


def test_the_other_options(call, small_data):
    options = (
        "--hidden 6 5 --activation gelu --init xavier --dropout 0.1 --label-smoothing 0 --weight-decay 0.01 --seed 7"
    )
    status, out, _ = call("train", "--data", small_data, "--out", "run", "--epochs", "1", *options.split())
    assert status == 0
    assert out[0].startswith("64-6-5-3 MLP, ")


def test_without_out_the_run_goes_to_runs(call, small_data):
    assert call("train", "--data", small_data, *SHORT)[0] == 0
    (directory,) = Path("runs").iterdir()
    assert (directory / "best.npz").exists()
    status, out, _ = call("train", "--resume")
    assert status == 0
    assert out[0] == "resumed after epoch 3, step 42"


def test_settings_from_a_file_and_options_that_override_them(call, small_data):
    Path("my.toml").write_text(f"data = '{small_data}'\nhidden = [5]\nepochs = 1\n", encoding="utf-8")
    status, out, _ = call("train", "--config", "my.toml", "--out", "run", "--hidden", "7")
    assert status == 0
    assert out[0].startswith("64-7-3 MLP, ")
    text = Path("run/config.toml").read_text(encoding="utf-8")
    assert "hidden = [7]\n" in text
    assert "epochs = 1\n" in text


BAD_ARGUMENTS = [
    ([], "tinygrad-mlp: the following arguments are required: COMMAND (see tinygrad-mlp --help)"),
    (["fly"], "tinygrad-mlp: argument COMMAND: invalid choice: 'fly'"),
    (["train", "--lr", "fast"], "tinygrad-mlp train: argument --lr: invalid float value: 'fast' (see"),
    (["train", "--epochs", "1.5"], "tinygrad-mlp train: argument --epochs: invalid int value: '1.5' (see"),
    (["train", "--optimizer", "lion"], "tinygrad-mlp train: argument --optimizer: invalid choice: 'lion'"),
    (["train", "--hidden"], "tinygrad-mlp train: argument --hidden: expected at least one argument (see"),
    (["train", "--speed", "3"], "tinygrad-mlp: unrecognized arguments: --speed 3 (see"),
    (["train", "extra"], "tinygrad-mlp: unrecognized arguments: extra (see"),
    (["predict", "run"], "tinygrad-mlp predict: the following arguments are required: images (see"),
    (["eval"], "tinygrad-mlp eval: the following arguments are required: checkpoint (see"),
    (["train", "--lr", "-1"], "tinygrad-mlp: lr: expected float of at least 0.0 and at most 1e+300, got -1.0."),
    (["train", "--lr", "nan"], "tinygrad-mlp: lr: expected float of at least 0.0 and at most 1e+300, got nan."),
    (["train", "--hidden", "0"], "tinygrad-mlp: hidden: expected int of at least 1 and at most 2147483647, got 0."),
    (["train", "--dropout", "1"], "tinygrad-mlp: dropout: expected a number below 1, got 1.0."),
    (["train", "--config", "no.toml"], "tinygrad-mlp: no.toml: expected a TOML file of settings, got [Errno 2] No"),
    (["train", "--config", "."], "tinygrad-mlp: .: expected a TOML file of settings, got [Errno 21] Is a directory"),
    (["train", "--resume"], "tinygrad-mlp: --resume: expected a run in runs/, got none. Name its directory."),
    (["train", "--resume", "a", "--out", "b"], "tinygrad-mlp: --resume: expected the directory of --out, or none"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), BAD_ARGUMENTS, ids=[" ".join(case[0]) for case in BAD_ARGUMENTS])
def test_bad_arguments_exit_2_with_one_line(arguments, message, call):
    assert failure(call(*arguments), 2).startswith(message)
    assert list(Path().iterdir()) == [], "and leave nothing behind"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("speed = 3", "my.toml: expected only the settings data, hidden, "),
        ("epochs = 'ten'", "epochs: expected int of at least 0 and at most 2147483647, got 'ten'."),
        ("hidden = 128", "hidden: expected a list of int of at least 1 and at most 2147483647, got 128."),
        ("epochs = ", "my.toml: expected a TOML file of settings, got Invalid value"),
    ],
)
def test_bad_settings_exit_2(content, message, call):
    Path("my.toml").write_text(content, encoding="utf-8")
    assert failure(call("train", "--config", "my.toml"), 2).startswith(f"tinygrad-mlp: {message}")


def test_a_run_is_not_overwritten(call, trained):
    line = failure(call("train", "--out", trained), 2)
    assert line == (
        f"tinygrad-mlp: --out: expected a directory without a run in it, got {trained}. "
        f"Choose another, or go on with it: tinygrad-mlp train --resume {trained}"
    )


def test_resuming_with_other_settings_is_refused(call, small_data, trained):
    same = call("train", "--resume", trained, "--data", small_data, "--hidden", "8")
    assert same[0] == 0
    line = failure(call("train", "--resume", trained, "--hidden", "9", "--epochs", "3", "--seed", "1"), 2)
    assert line == (
        "tinygrad-mlp: --resume: expected the settings of the run, hidden = [8], seed = 0, got hidden = [9], seed = 1. "
        "Leave them out, or begin a new run."
    )
    line = failure(call("train", "--resume", trained, "--weight-decay", "0.1"), 2)
    assert "expected the settings of the run, weight_decay = by default, got weight_decay = 0.1." in line
    assert call("train", "--resume", "--out", trained)[1][0] == "resumed after epoch 3, step 42"


def test_resuming_what_had_not_begun_begins(call, small_data):
    status, out, _ = call("train", "--resume", "run", "--data", small_data, *SHORT)
    assert status == 0
    assert out[0] == "no checkpoint in run yet: training begins"


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04half a checkpoint"])
def test_resuming_from_a_damaged_checkpoint_exits_3(content, call, small_data):
    call("train", "--out", "run", "--data", small_data, *SHORT)
    Path("run/last.npz").write_bytes(content)
    line = failure(call("train", "--resume", "run"), 3)
    assert line.startswith(
        f"tinygrad-mlp: {Path('run/last.npz')}: expected a whole checkpoint, got one that cannot be read"
    )


def test_divergence_exits_4_and_names_the_op(call, small_data):
    options = ["--lr", "1e10", "--optimizer", "sgd", "--warmup", "0"]
    line = failure(call("train", "--data", small_data, "--out", "run", *options), 4)
    assert line.startswith("tinygrad-mlp: np.matmul in MLP.fc")
    assert "expected a finite result of finite operands, got " in line
    assert line.endswith(
        "of training. Lower the learning rate, warm it up, or clip the gradients; checkpoints saved before are good."
    )


def test_bad_data_exit_3_and_leave_nothing(call, tmp_path):
    message = "tinygrad-mlp: no such place: expected a readable file, got No such file or directory."
    assert failure(call("train", "--data", "no such place", "--out", "run"), 3) == message
    assert failure(call("data", "--data", "no such place"), 3) == message
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "got none of the four files of MNIST. Put the files there" in failure(call("train", "--data", empty), 3)
    assert [p.name for p in tmp_path.iterdir()] == ["empty"]


def test_data_cut_short_exit_3(call, small_data, tmp_path):
    for file in small_data.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes()[:100])
    line = failure(call("train", "--data", tmp_path), 3)
    assert line.endswith("expected 15,360 bytes of data, as its header says, got 84. The file is cut short.")


def test_a_file_in_the_place_of_the_directory_exits_1(call, small_data):
    Path("run").touch()
    for option in ("--out", "--resume"):
        line = failure(call("train", "--data", small_data, option, "run", *SHORT), 1)
        assert line == f"tinygrad-mlp: [Errno {errno.EEXIST}] File exists: 'run'"


def test_a_full_disk_exits_1(call, small_data, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    line = failure(call("train", "--data", small_data, "--out", "run", *SHORT), 1)
    assert line == f"tinygrad-mlp: [Errno {errno.ENOSPC}] No space left on device: '{Path('run/config.toml')}'"


def test_more_memory_than_there_is_exits_1(call, small_data):
    line = failure(call("train", "--data", small_data, "--out", "run", "--hidden", "2000000000", "2000000000"), 1)
    assert line.startswith("tinygrad-mlp: Unable to allocate ")


@pytest.mark.parametrize("moment", ["load", "fit"])
def test_ctrl_c_exits_130(moment, call, small_data, monkeypatch):
    """How to go on is said once there is something to go on with."""

    def interrupt(*arguments, **settings):
        raise KeyboardInterrupt

    if moment == "load":
        monkeypatch.setattr("tinygrad_mlp.commands.run.load_mnist", interrupt)
    else:
        monkeypatch.setattr(Trainer, "step", interrupt)
    status, _, err = call("train", "--data", small_data, "--out", "run", *SHORT)
    assert status == 130
    expected = ["go on with: tinygrad-mlp train --resume run"] if moment == "fit" else []
    assert [line for line in err if line] == [*expected, "interrupted"]


# Using what was trained.


def test_eval(call, trained, small_data):
    expected = "of 60 test images right: accuracy "
    for place in (trained, trained / "best.npz"):
        status, out, err = call("eval", place)
        assert (status, err, len(out)) == (0, [], 1)
        assert expected in out[0]
    assert call("eval", trained, "--data", small_data) == (0, out, [])


def test_eval_on_other_data(call, trained):
    assert failure(call("eval", trained, "--data", "nowhere"), 3).startswith(
        "tinygrad-mlp: nowhere: expected a readable"
    )
    line = failure(call("eval", "nowhere"), 3)
    assert line == "tinygrad-mlp: nowhere: expected a checkpoint, got no such file."
    line = failure(call("eval", "."), 3)
    assert line == "tinygrad-mlp: best.npz: expected a checkpoint, got no such file."


def save_npz(path, images, labels):
    np.savez(path, x_train=images, y_train=labels, x_test=images, y_test=labels)
    return path


def test_data_of_another_shape_exit_3(call, trained):
    labels = np.arange(12, dtype=np.uint8) % 3
    line = failure(call("eval", trained, "--data", save_npz("wide.npz", np.zeros((12, 9, 9), np.uint8), labels)), 3)
    assert line == (
        "tinygrad-mlp: wide.npz: expected images of 64 pixels, as the network was trained on, got shape (12, 9, 9)."
    )
    line = failure(call("eval", trained, "--data", save_npz("more.npz", np.zeros((12, 8, 8), np.uint8), labels + 1)), 3)
    assert line == "tinygrad-mlp: more.npz: expected test labels below 3, got 3."


@pytest.fixture
def image(small_data):
    """A test image with a dark border, and its class as the network sees it."""
    image = load_mnist(small_data).test.images[0].copy()
    image[[0, -1]] = image[:, [0, -1]] = 0
    return image


def test_predict(call, trained, small_data, image):
    """IDX, npy and PNG, black on white or white on black, of any size: one line per image, and the same class."""
    np.save("one.npy", image)
    np.save("two.npy", np.stack([image, image]))
    Image.fromarray(image).save("dark.png")
    Image.fromarray(255 - image).save("light.png")
    Image.fromarray(255 - image).convert("RGB").save("colour.PNG")
    Image.fromarray(image.astype(np.uint16) * 257).save("deep.png")
    Image.fromarray(image).resize((80, 80), Image.Resampling.NEAREST).save("large.png")
    files = ["one.npy", "dark.png", "light.png", "colour.PNG", "deep.png", "two.npy"]
    status, out, err = call("predict", trained, *files)
    assert (status, err) == (0, [])
    said = out[0].removeprefix("one.npy: ")
    assert out == [f"{name}: {said}" for name in [*files[:5], "two.npy[0]", "two.npy[1]"]]
    assert call("predict", trained, "large.png")[1][0].split(",")[0] == f"large.png: {said.split(',')[0]}"
    path = small_data / "t10k-images-idx3-ubyte"
    out = call("predict", trained / "best.npz", path)[1]
    assert len(out) == 60
    found = [int(line.split("class ")[1].split(",")[0]) for line in out]
    right = np.count_nonzero(found == read_idx(small_data / "t10k-labels-idx1-ubyte"))
    assert call("eval", trained)[1][0].startswith(f"{right} of 60 ")
    assert all(1 / 3 <= float(line.split("probability ")[1]) <= 1 for line in out)


def text(path):
    path.write_text("no image")


BAD_IMAGES = {
    "no.png": (lambda path: None, "expected a picture, got a file that cannot be read ([Errno 2] No such file"),
    "text.png": (text, "expected a picture, got a file that cannot be read (cannot identify image file"),
    "no.npy": (lambda path: None, "expected an array saved by np.save, got none ([Errno 2] No such file"),
    "text.npy": (text, "expected an array saved by np.save, got none ("),
    "archive.npy": (lambda path: np.savez(path.open("wb"), a=1), "expected an array saved by np.save, got none ("),
    "pickle.npy": (lambda path: np.save(path, np.array([{}])), "expected an array saved by np.save, got none ("),
    "float.npy": (lambda path: np.save(path, np.zeros((8, 8))), "expected uint8 images of shape (N, height, width)"),
    "flat.npy": (lambda path: np.save(path, np.zeros(64, np.uint8)), "expected uint8 images of shape (N,"),
    "empty.npy": (lambda path: np.save(path, np.zeros((0, 8, 8), np.uint8)), "expected"),
    "wide.npy": (lambda path: np.save(path, np.zeros((9, 9), np.uint8)), "expected images of 64 pixels, as the"),
    "text.idx": (text, "expected an IDX file: bytes 00 00"),
    "no.idx": (lambda path: None, "expected a readable file, got No such file or directory"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # of the archive left open above
@pytest.mark.parametrize("name", BAD_IMAGES)
def test_bad_images_exit_3(name, call, trained, tmp_path):
    make, message = BAD_IMAGES[name]
    make(tmp_path / name)
    assert failure(call("predict", trained, name), 3).startswith(f"tinygrad-mlp: {name}: {message}")


def test_a_header_that_lies_about_its_size_allocates_nothing(call, trained):
    np.save("lie.npy", np.zeros((8, 8), np.uint8))
    content = Path("lie.npy").read_bytes()
    Path("lie.npy").write_bytes(content.replace(b"(8, 8), }" + b" " * 12, b"(999999999999, 8, 8)}"))
    assert b"999999999999" in Path("lie.npy").read_bytes()
    assert failure(call("predict", trained, "lie.npy"), 3).startswith("tinygrad-mlp: lie.npy: expected an array saved")


def test_every_damaged_picture_is_bad_data(call, trained, image):
    """Cut at every byte, and with every byte changed, a PNG gives an answer or one line and status 3."""
    Image.fromarray(image).save("whole.png")
    content = Path("whole.png").read_bytes()
    damaged = [content[:i] for i in range(0, len(content), 3)]
    damaged += [content[:i] + bytes([content[i] ^ 255]) + content[i + 1 :] for i in range(0, len(content), 3)]
    for version in damaged:
        Path("damaged.png").write_bytes(version)
        result = call("predict", trained, "damaged.png")
        if result[0] != 0:
            failure(result, 3)
        else:
            assert len(result[1]) == 1
            assert re.fullmatch(r"damaged\.png: class \d, probability [01]\.\d+", result[1][0])


def test_predict_without_pillow(call, trained, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert failure(call("predict", trained, "digit.png"), 2) == (
        "tinygrad-mlp: digit.png: expected Pillow, to read a picture, got none. pip install 'tinygrad-mlp[plots]'"
    )


def test_data(call, small_data):
    assert call("data", "--data", small_data) == (
        0,
        [
            f"train: 240 images of 8×8, mean {load_mnist(small_data).train.images.mean():.1f}; per class 80, 80, 80",
            f"test: 60 images of 8×8, mean {load_mnist(small_data).test.images.mean():.1f}; per class 20, 20, 20",
        ],
        [],
    )


def test_data_verifies_the_mnist_inside(call):
    status, out, err = call("data")
    assert (status, err, len(out)) == (0, [], 6)
    assert all(line.endswith(" as published") for line in out[:4])
    assert out[4].startswith("train: 60,000 images of 28×28, mean 33.3; per class 5923, 6742, ")


@pytest.mark.parametrize("command", [[], ["train"], ["eval"], ["predict"], ["data"]])
def test_help(command, call):
    status, out, err = call(*command, "--help")
    assert (status, err) == (0, [])
    assert out[0].startswith(" ".join(["usage: tinygrad-mlp", *command]))


# Real processes.


def shell(script):
    return subprocess.run(["/bin/bash", "-c", script], capture_output=True, text=True, timeout=60, check=False)


def test_exit_status_of_the_process(small_data):
    for arguments, status in ((["--help"], 0), (["fly"], 2), (["data", "--data", "nowhere"], 3)):
        done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == status
        assert len(done.stderr.splitlines()) == (status != 0)


def test_a_reader_that_has_had_enough(small_data):
    """`… | head -1` sees one line and no traceback; the run can go on later."""
    train = f"'{sys.executable}' -m tinygrad_mlp train --data '{small_data}' --hidden 8 --epochs 100 --batch-size 4"
    done = shell(f"{train} --out run | head -1; exit ${{PIPESTATUS[0]}}")
    assert (done.returncode, done.stderr, len(done.stdout.splitlines())) == (1, "", 1)
    assert Path("run/last.npz").exists()


@pytest.mark.parametrize("ending", ["svg", "png", "html", "dot"])
def test_draw_writes_every_kind_of_picture(ending, call, trained, small_data):
    """Of the run's own network on its own data; without a run, of that of the document."""
    assert call("draw", "--checkpoint", trained, "--out", f"a.{ending}") == (0, [f"wrote a.{ending}"], [])
    assert call("draw", "--out", f"b.{ending}")[0] == 0
    for name, width in (("a", "64"), ("b", "784")):
        content = Path(f"{name}.{ending}").read_bytes()
        assert len(content) > 1000
        assert ending == "png" or f"{width}".encode() in content


def test_draw_refuses_what_it_cannot_do(call):
    assert "The drawing is in graph.dot, as text." in failure(call("draw", "--out", "graph.xyz"), 1)
    assert Path("graph.dot").exists()
    assert "missing" in failure(call("draw", "--out", "missing/graph.svg"), 1)
    assert "--batch-size" in failure(call("draw", "--out", "graph.svg", "--batch-size", "0"), 2)


def test_a_run_leaves_a_report(trained):
    text = (trained / "report.html").read_text(encoding="utf-8")
    for part in ("Confusion matrix", "fc1.weight", "<svg", "test accuracy"):
        assert part in text


def test_check_proves_the_network(call):
    status, out, _ = call("check")
    assert status == 0
    assert any(line.startswith("np.matmul: right in value, derivatives") for line in out)
    assert any("31 at order 1" in line for line in out)


def test_check_reports_a_broken_rule(call, monkeypatch):
    monkeypatch.setitem(RULES, np.tanh, (lambda g, out, x: g * (1 + out * out),))
    status, _, err = call("check")
    assert status == 1
    assert err[0].startswith("Rule of np.tanh: wrong in")

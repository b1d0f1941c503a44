"""The command line: what each command prints, and the one line and the exit status when it cannot."""

import errno
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from commands.lines import failure

import tinygrad_mlp as tg
from tinygrad_mlp.commands.cli import main, parser
from tinygrad_mlp.commands.pages import PAGES
from tinygrad_mlp.data import load_mnist, read_idx, write_idx
from tinygrad_mlp.files import locked
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


# Training.


def test_train_says_what_it_does(call, small_data):
    status, out, err = call("train", "--data", small_data, "--out", "run", *SHORT)
    assert (status, err) == (0, [])
    assert out[:3] == [
        "64-8-3 MLP, 547 parameters; 3 epochs of 14 steps, 1 thread",
        "220 images to train on; 20 to validate, drawn by the seed from each class",
        "losses are those of targets smoothed by 0.1, so the least possible is 0.291",
    ]
    assert [line.split("  ")[0] for line in out[3:6]] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]
    assert out[6].startswith("test accuracy ")
    assert out[7].startswith("no pictures: plots: expected matplotlib, got none.")
    wrote = "wrote run: best.npz, config.toml, history.csv, history.json, last.npz, report.html"
    assert " ".join(line.strip() for line in out[9:]) == wrote
    assert all(len(line) <= 80 for line in out)


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
    (["eval"], "tinygrad-mlp eval: the following arguments are required: RUN (see"),
    (["train", "--lr", "-1"], "tinygrad-mlp: lr: expected a number of at least 0 and at most 1e+30, got -1.0."),
    (["train", "--lr", "nan"], "tinygrad-mlp: lr: expected a number of at least 0 and at most 1e+30, got nan."),
    (["train", "--hidden", "0"], "tinygrad-mlp: hidden: expected a whole number of at least 1 and at most 21"),
    (["train", "--dropout", "1"], "tinygrad-mlp: dropout: expected a number of at least 0 and below 1, got 1.0."),
    (["train", "--config", "no.toml"], "tinygrad-mlp: no.toml: expected a TOML file of settings, got [Errno 2] No"),
    (["train", "--config", "."], "tinygrad-mlp: .: expected a TOML file of settings, got [Errno 21] Is a directory"),
    (["train", "--resume"], "tinygrad-mlp: --resume: expected a run in runs/, got none. Name its directory."),
    (["train", "--resume", "a", "--out", "b"], "tinygrad-mlp: --resume: expected the directory of --out, or none"),
    (["train", "--clip-norm", "0"], "tinygrad-mlp: clip_norm: expected a number above 0 and at most 1e+30, got 0.0."),
    (["train", "--step-gamma", "2"], "tinygrad-mlp: step_gamma: expected a number of at least 0 and at most 1, got"),
    (["draw", "--out", "a.svg", "--depth", "-1"], "tinygrad-mlp draw: argument --depth: expected a whole number of at"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), BAD_ARGUMENTS, ids=[" ".join(case[0]) for case in BAD_ARGUMENTS])
def test_bad_arguments_exit_2_with_one_line(arguments, message, call):
    assert failure(call(*arguments), 2).startswith(message)
    assert list(Path().iterdir()) == [], "and leave nothing behind"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("speed = 3", "my.toml: expected only the settings data, hidden, "),
        ("epochs = 'ten'", "epochs: expected a whole number of at least 0 and at most 2147483647, got 'ten'."),
        (
            "hidden = 128",
            "hidden: expected a list of at most 1000, each a whole number of at least 1 and at most 2147483647, got 12",
        ),
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
    """With --out there need be no run; with --resume there must be one, be it killed before its first file."""
    arguments = ["--data", small_data, *SHORT]
    Path("empty").mkdir()
    Path("empty/.config.toml.1-2.partial").touch()
    for option in (["--resume", "empty"], ["--out", "new", "--resume"]):
        status, out, _ = call("train", *option, *arguments)
        assert status == 0
        assert out[0].startswith("64-8-3 MLP")
    Path("new/last.npz").unlink()
    again = call("train", "--resume", "new")[1]
    assert again[:3] == out[:3], "killed before its first checkpoint, it knows its settings"


@pytest.mark.parametrize("name", ["mistyped name", "file", "full"])
def test_a_mistyped_resume_is_an_error_that_says_how_to_begin(name, call, small_data):
    Path("file").touch()
    Path("full").mkdir()
    Path("full/other.txt").touch()
    line = failure(call("train", "--resume", name, "--data", small_data, *SHORT), 2)
    quoted = "'mistyped name'" if " " in name else name
    assert line == (
        f"tinygrad-mlp: --resume: expected the directory of a run, got {name}, where there is none. "
        f"To begin one there: tinygrad-mlp train --out {quoted}"
    )


def test_a_finished_run_is_trained_longer(call, small_data, trained, tmp_path):
    """To the same weights as a run that was made longer while it ran; but not shorter than what is done."""
    shutil.copytree(trained, "run")
    status, out, _ = call("train", "--resume", "run", "--epochs", "5")
    assert status == 0
    assert out[0] == "resumed after epoch 3, step 42"
    assert [line.split("  ")[0] for line in out[4:6]] == ["epoch 4/5", "epoch 5/5"]
    assert "epochs = 5\n" in Path("run/config.toml").read_text()
    assert call("train", "--resume", "run")[1][0] == "resumed after epoch 5, step 70"
    line = failure(call("train", "--resume", "run", "--epochs", "4"), 2)
    assert line == "tinygrad-mlp: --epochs: expected at least 5, which are done, got 4."


def test_resuming_compares_settings_and_data(call, small_data, trained):
    """With what the checkpoint says of them: an edited config.toml, other images at the same path. Data may move."""
    shutil.copytree(trained, "run")
    shutil.copytree(small_data, "data")
    assert call("train", "--resume", "run", "--data", "data")[0] == 0
    assert 'data = "data"' in Path("run/config.toml").read_text()
    labels = read_idx("data/train-labels-idx1-ubyte")
    write_idx("data/train-labels-idx1-ubyte", labels[::-1])
    line = failure(call("train", "--resume", "run"), 3)
    digest = "training labels = [0-9a-f]{64}"
    assert re.search(rf"run/last\.npz: expected {digest}, got {digest}\. ", line)
    assert line.endswith("Settings or data were changed since: put them back, or begin a new run.")
    write_idx("data/train-labels-idx1-ubyte", labels)
    text = Path("run/config.toml").read_text()
    Path("run/config.toml").write_text(text.replace("seed = 0", "seed = 1").replace("lr = 0.02\n", ""))
    line = failure(call("train", "--resume", "run"), 3)
    assert "last.npz: expected lr = 0.02, seed = 0, got lr = None, seed = 1. Settings or data were changed" in line


def test_starts_in_the_same_second_get_directories_of_their_own(call, small_data, monkeypatch):
    monkeypatch.setattr("time.strftime", lambda form: "20250101-000000")
    for _ in range(3):
        assert call("train", "--data", small_data, *SHORT)[0] == 0
    assert sorted(p.name for p in Path("runs").iterdir()) == [f"20250101-000000{end}" for end in ("", "-2", "-3")]


def test_a_directory_in_use_is_left_alone(call, small_data):
    Path("run").mkdir()
    with locked(Path("run")):
        for options in (["--out", "run"], ["--resume", "run"]):
            line = failure(call("train", *options, "--data", small_data, *SHORT), 2)
            assert line.startswith(
                "tinygrad-mlp: run: expected a directory that no other run writes into, got one that"
            )
    assert list(Path("run").iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04half a checkpoint"])
def test_resuming_from_a_damaged_checkpoint_exits_3(content, call, small_data):
    call("train", "--out", "run", "--data", small_data, *SHORT)
    Path("run/last.npz").write_bytes(content)
    line = failure(call("train", "--resume", "run"), 3)
    assert line.startswith(
        f"tinygrad-mlp: {Path('run/last.npz')}: expected a whole checkpoint, got one that cannot be read"
    )


def test_divergence_exits_4_and_names_the_op(call, small_data):
    options = ["--lr", "1e20", "--optimizer", "sgd", "--warmup", "0"]
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
    assert "got none of the four files of MNIST and no folders" in failure(call("train", "--data", empty), 3)
    assert [p.name for p in tmp_path.iterdir()] == ["empty"]


def test_data_cut_short_exit_3(call, small_data, tmp_path):
    for file in small_data.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes()[:100])
    line = failure(call("train", "--data", tmp_path), 3)
    assert line.endswith("expected 15,360 bytes of data, as its header says, got 84. The file is cut short.")


def test_a_file_in_the_place_of_the_directory_exits_1(call, small_data):
    Path("run").touch()
    line = failure(call("train", "--data", small_data, "--out", "run", *SHORT), 1)
    assert line == f"tinygrad-mlp: [Errno {errno.EEXIST}] File exists: 'run'"


def test_a_full_disk_exits_1(call, small_data, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    line = failure(call("train", "--data", small_data, "--out", "run", *SHORT), 1)
    assert line == f"tinygrad-mlp: [Errno {errno.ENOSPC}] No space left on device: '{Path('run/config.toml')}'"


def test_more_memory_than_there_is_exits_1(call, small_data):
    for hidden in (["2000000000", "2000000000"], ["2147483647"] * 9):
        line = failure(call("train", "--data", small_data, "--out", "run", "--hidden", *hidden), 1)
        assert line.startswith("tinygrad-mlp: not enough memory: the network needs ")
        assert line.endswith(" GB in the machine. A smaller network or batch needs less.")
    assert not Path("run").exists()


@pytest.mark.parametrize("error", [MemoryError(), MemoryError("Unable to allocate 9 EiB")])
def test_no_memory_left_is_a_sentence(error, call, small_data, monkeypatch):
    def fail(*arguments, **settings):
        raise error

    monkeypatch.setattr(Trainer, "step", fail)
    line = failure(call("train", "--data", small_data, "--out", "run", *SHORT), 1)
    reason = str(error) or "an array could not be allocated"
    assert line == f"tinygrad-mlp: not enough memory: {reason}. A smaller network or batch needs less."


@pytest.mark.parametrize("moment", ["load", "fit"])
def test_ctrl_c_exits_130(moment, call, small_data, monkeypatch):
    """How to go on is said once there is something to go on with."""

    def interrupt(*arguments, **settings):
        raise KeyboardInterrupt

    if moment == "load":
        monkeypatch.setattr("tinygrad_mlp.commands.run.load_data", interrupt)
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
        assert (status, err, len(out)) == (0, [], 2)
        assert expected in out[0]
        assert out[1] == "this cross-entropy is that of the labels as they are; training smoothed them"
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
    assert (status, err, len(out)) == (0, [], 12)
    assert all(line.endswith(" as published") for line in out[1:8:2])
    assert out[8].startswith("train: 60,000 images of 28×28, mean 33.3; per class 5923, 6742, ")
    assert all(len(line) <= 80 for line in out if "sha256" not in line)


@pytest.mark.parametrize("command", [[], *([name] for name in PAGES)])
def test_help(command, call, monkeypatch):
    """Sentences in lines of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    status, out, err = call(*command, "--help")
    assert (status, err) == (0, [])
    assert out[0].startswith(" ".join(["usage: tinygrad-mlp", *command]))
    assert all(len(line) <= 80 for line in out)
    assert not command or "examples:" in out


def test_every_example_of_a_help_page_is_a_command():
    """Its arguments are understood; what they do is tested in the places of the commands."""
    assert set(PAGES) == set(parser()._subparsers._group_actions[0].choices)
    for name, (_, shown) in PAGES.items():
        for line in shown:
            program, *arguments = line.split(" >")[0].split()
            assert (program, arguments[0]) == ("tinygrad-mlp", name)
            parser().parse_args(arguments)


def test_every_option_has_a_sentence():
    (commands,) = parser()._subparsers._group_actions
    actions = [action for command in commands.choices.values() for action in command._actions]
    texts = {action.dest: action.help for action in actions} | {a.dest: a.help for a in commands._choices_actions}
    del texts["help"]  # argparse's own
    assert [name for name, text in texts.items() if not re.fullmatch(r"[A-Z].*\.", text)] == []


def test_version(call):
    assert call("--version") == (0, [f"tinygrad-mlp {tg.__version__}"], [])


# Real processes.


def test_exit_status_of_the_process(small_data):
    for arguments, status in ((["--help"], 0), (["fly"], 2), (["data", "--data", "nowhere"], 3)):
        done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == status
        assert len(done.stderr.splitlines()) == (status != 0)


@pytest.mark.parametrize("ending", ["svg", "png", "html", "dot"])
def test_draw_writes_every_kind_of_picture(ending, call, trained, small_data):
    """Of the run's own network on its own data; without a run, of that of the document."""
    assert call("draw", "--checkpoint", trained, "--out", f"a.{ending}") == (
        0,
        [f"wrote a.{ending}: the loss is that of test images, without label smoothing"],
        [],
    )
    assert call("draw", "--out", f"b.{ending}")[0] == 0
    for name, width in (("a", "64"), ("b", "784")):
        content = Path(f"{name}.{ending}").read_bytes()
        assert len(content) > 1000
        assert ending == "png" or f"{width}".encode() in content


def test_draw_writes_each_step_of_the_backward_pass(call, trained):
    status, said, _ = call("draw", "--checkpoint", trained, "--steps", "slides")
    assert (status, said[0][:24]) == (0, "wrote 7 files in slides:")
    assert sorted(path.name for path in Path("slides").iterdir()) == [f"step-{i}.svg" for i in range(7)]
    assert "∇W₁ = Xᵀ δa₁, norm" in Path("slides/step-6.svg").read_text(encoding="utf-8")


def test_draw_refuses_what_it_cannot_do(call):
    assert "--steps: not allowed with argument --out" in failure(call("draw", "--out", "a.svg", "--steps", "b"), 2)
    assert "The drawing is in graph.dot, as text." in failure(call("draw", "--out", "graph.xyz"), 1)
    assert Path("graph.dot").exists()
    assert "missing" in failure(call("draw", "--out", "missing/graph.svg"), 1)
    assert "--batch-size" in failure(call("draw", "--out", "graph.svg", "--batch-size", "0"), 2)


def test_a_run_leaves_a_report(trained):
    text = (trained / "report.html").read_text(encoding="utf-8")
    for part in ("Confusion matrix", "fc1.weight", "<svg", "test accuracy"):
        assert part in text
    graph, epochs = text.index("Computation graph"), text.index("<h2>Epochs")
    assert "The loss is the cross-entropy of 16 training images, without label smoothing." in text[graph : graph + 200]
    assert "losses are those of targets smoothed by 0.1, so the least possible is 0.291" in text[epochs : epochs + 200]


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

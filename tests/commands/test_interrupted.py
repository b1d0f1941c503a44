"""Processes that Ctrl-C interrupts, and that are resumed: they end with the very same bits. Kills: `campaign.py`."""

import json
import os
import signal
import subprocess
import sys

import pytest

from tinygrad_mlp.train import checkpoint

RUN = [sys.executable, "-m", "tinygrad_mlp", "train"]
SETTINGS = ["--hidden", "8", "--dropout", "0.2", "--epochs", "6", "--batch-size", "2", "--clip-norm", "1"]


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Processes without matplotlib, whose pictures take longer than all the rest, and with one thread for BLAS."""
    directory = tmp_path_factory.mktemp("shadow")
    (directory / "matplotlib.py").write_text("raise ImportError")
    path = os.pathsep.join(filter(None, [str(directory), os.environ.get("PYTHONPATH")]))
    return os.environ | {"PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def arguments(small_data):
    return [*RUN, "--data", str(small_data), *SETTINGS]


def complete(command, environment):
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def start(command, environment):
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def outcome(directory):
    """All arrays in the two checkpoints, and the history, but for the seconds."""
    found = {}
    for name in ("last.npz", "best.npz"):
        arrays, progress = checkpoint.read(directory / name)
        for row in progress["history"]:
            del row["seconds"]
        found |= {f"{name} {entry}": array.tobytes() for entry, array in arrays.items()}
        found[name] = {key: value for key, value in progress.items() if key != "seconds"}
    rows = json.loads((directory / "history.json").read_text())
    found["history"] = [{key: value for key, value in row.items() if key != "seconds"} for row in rows]
    return found


@pytest.fixture(scope="module")
def whole(arguments, environment, tmp_path_factory):
    """What a run ends with that nothing disturbs."""
    directory = tmp_path_factory.mktemp("whole") / "run"
    complete([*arguments, "--out", str(directory)], environment)
    return outcome(directory)


@pytest.mark.usefixtures("terminal")
def test_ctrl_c_saves_says_how_to_go_on_and_resumes_to_the_same_bits(arguments, environment, whole, tmp_path):
    directory = tmp_path / "run"
    process = start([*arguments, "--out", str(directory)], environment)
    while not (line := process.stdout.readline()).startswith("epoch"):
        assert line, process.stderr.read()
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert stderr.split("\n") == ["", f"go on with: tinygrad-mlp train --resume {directory}", "", "interrupted", ""]
    _, progress = checkpoint.read(directory / "last.npz")
    assert 0 < progress["epoch"] < 6
    out = complete([*RUN, "--resume", str(directory)], environment)  # the settings are in config.toml
    assert out.startswith(f"resumed after epoch {progress['epoch']}, step ")
    assert outcome(directory) == whole


@pytest.mark.usefixtures("terminal")
def test_a_second_ctrl_c_ends_at_once(arguments, environment, tmp_path):
    """Held back in a step that never ends, the first one waits; the second does not."""
    script = (
        "import sys, time; from tinygrad_mlp import optim; from tinygrad_mlp.commands import cli\n"
        "def step(self): print('in step', flush=True); time.sleep(60)\n"
        "optim.Optimizer.step = step\n"
        "sys.exit(cli.main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", script, *arguments[3:], "--out", str(tmp_path / "run")]
    process = start(command, environment)
    while "in step" not in (line := process.stdout.readline()):
        assert line, process.stderr.read()
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=0.3)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "Traceback" not in stderr

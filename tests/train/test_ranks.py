"""Training on several processes gives what one gives, and ends as a whole, whatever ends one of them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tables import row
from train import rank

from tinygrad_mlp.commands.start import start_ranks
from tinygrad_mlp.errors import MissingExtraError

ROOT = Path(__file__).parent.parent.parent
ENVIRONMENT = os.environ | {
    "PYTHONPATH": str(ROOT), "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
}  # fmt: skip
TRAIN = [
    sys.executable, "-m", "tinygrad_mlp", "train", "--hidden", "8", "--batch-size", "13", "--epochs", "60",
    "--optimizer", "sgd", "--lr", "0.05",
]  # fmt: skip


def test_ranks_need_their_extra(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'tinygrad-mlp\[mpi\]'"):
        start_ranks(2)


@pytest.mark.extras
@pytest.mark.parametrize("count", [1, 2, 3])
def test_ranks_compute_what_one_process_computes(count, tmp_path):
    """Property: after 50 steps of uneven shares the parameters are those of one process, to the order of summation."""
    command = ["mpiexec", "-n", str(count), sys.executable, "-m", "mpi4py", rank.__file__, str(tmp_path / "found.npz")]
    ran = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    others = ", ".join(map(str, range(1, count)))
    drift = f"Ranks: expected the same parameters on all ranks, got others on {others} than on 0."
    assert ran.stdout.startswith(drift if others else "")
    found = np.load(tmp_path / "found.npz")
    for i, setting in enumerate(rank.SETTINGS):
        with row(setting):
            model, history = rank.train(*setting)
            tolerance = 1e-6 if setting[1] is np.float32 else 1e-12
            for name, value in model.state_dict().items():
                assert np.linalg.norm(found[f"{i} {name}"] - value) <= tolerance * np.linalg.norm(value)
            losses = [[line["train_loss"], line["val_loss"], line["val_accuracy"]] for line in history]
            np.testing.assert_allclose(found[f"{i} loss"], losses, rtol=10 * tolerance)


@pytest.fixture(scope="module")
def uninterrupted(small_data, tmp_path_factory):
    """The weights of a run of one process."""
    out = tmp_path_factory.mktemp("one")
    subprocess.run([*TRAIN, "--data", str(small_data), "--out", str(out)], env=ENVIRONMENT, check=True, timeout=120)
    return weights(out)


def weights(directory):
    """All parameters of the last checkpoint, side by side."""
    with np.load(directory / "last.npz") as arrays:
        return np.concatenate([arrays[name].ravel() for name in arrays.files if name.startswith("model/")])


def resume(out, *options):
    """Go on with a run to its end; its weights."""
    subprocess.run([*TRAIN, "--resume", str(out), *options], env=ENVIRONMENT, check=True, timeout=120)
    return weights(out)


def processes_below(pid):
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found += [child, *processes_below(child)]
    return found


def arguments_of(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:  # it has ended
        return []


def started(small_data, out):
    """A run on two ranks that has done its first epoch, and the process ids of the ranks."""
    command = [*TRAIN, "--ranks", "2", "--data", str(small_data), "--out", str(out)]
    run = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    until = time.monotonic() + 60
    while not (out / "last.npz").exists():
        assert run.poll() is None, run.stdout.read()
        assert time.monotonic() < until
        time.sleep(0.02)
    below = [pid for pid in processes_below(run.pid) if arguments_of(pid)[:1] == [sys.executable.encode()]]
    assert len(below) == 2
    return run, below


@pytest.mark.extras
def test_a_killed_rank_ends_the_job_and_the_run_goes_on(tmp_path, small_data, uninterrupted):
    """Property: kill -9 ends all ranks within seconds; resumed on another number of ranks, the weights are right."""
    for victim, options in ((1, []), (0, ["--ranks", "3"])):
        with row(victim):
            out = tmp_path / str(victim)
            run, ranks = started(small_data, out)
            os.kill(ranks[victim], signal.SIGKILL)
            run.communicate(timeout=10)
            assert run.returncode != 0
            assert not any(map(arguments_of, ranks))
            found = resume(out, *options)
            assert np.linalg.norm(found - uninterrupted) <= 1e-5 * np.linalg.norm(uninterrupted)


@pytest.mark.extras
def test_ctrl_c_is_agreed_by_all_ranks(tmp_path, small_data, uninterrupted, terminal):
    """Property: told to one rank alone, it ends all of them after the same step, with that step saved."""
    run, ranks = started(small_data, tmp_path / "out")
    os.kill(ranks[1], signal.SIGINT)
    output, _ = run.communicate(timeout=20)
    assert run.returncode == 130, output
    assert "go on with: tinygrad-mlp train --resume" in output
    assert output.count("epoch  1/60") == 1  # rank 0 alone prints
    found = resume(tmp_path / "out", "--ranks", "2")
    assert np.linalg.norm(found - uninterrupted) <= 1e-5 * np.linalg.norm(uninterrupted)


@pytest.mark.extras
def test_a_rank_that_raises_ends_the_job(tmp_path):
    """Property: the others do not wait for it, the status is not zero, and its traceback is there."""
    script = tmp_path / "raise.py"
    script.write_text(
        "from tinygrad_mlp.train.ranks import Ranks\nranks = Ranks()\n"
        "if ranks.rank == 1: raise ValueError('of rank 1')\nranks.any(False)\n"
    )
    command = ["mpiexec", "-n", "2", sys.executable, "-m", "mpi4py", str(script)]
    ran = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=20)
    assert ran.returncode != 0
    assert "Traceback" in ran.stderr
    assert "ValueError: of rank 1" in ran.stderr

"""Standard output and standard error that are closed, narrow, full or gone: no traceback, and no run is lost."""

import errno
import io
import os
import shlex
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_mlp.commands.streams import Stream, encodable, printable, say

COMMAND = [sys.executable, "-m", "tinygrad_mlp"]
TRAIN = ["train", "--hidden", "8", "--epochs", "2", "--batch-size", "16"]
FILES = {"best.npz", "config.toml", "history.csv", "history.json", "last.npz", "report.html"}


@pytest.fixture
def shell(tmp_path):
    """Run a shell command in an empty directory, without matplotlib and without a renderer, which take long."""
    (tmp_path / "shadow").mkdir()
    (tmp_path / "shadow" / "matplotlib.py").write_text("raise ImportError")
    path = os.pathsep.join(filter(None, [str(tmp_path / "shadow"), os.environ.get("PYTHONPATH")]))
    environment = os.environ | {"PYTHONPATH": path, "TINYGRAD_MLP_DOT": "none"}

    def shell(script, **changes):
        return subprocess.run(
            ["/bin/bash", "-c", script], cwd=tmp_path, env=environment | changes, capture_output=True, timeout=60,
            check=False,
        )  # fmt: skip

    return shell


@pytest.mark.parametrize(
    ("streams", "status", "said"),
    [
        ("2>&-", 0, ""),
        (">&-", 0, ""),
        (">&- 2>&-", 0, ""),
        ("| head -1", 1, ""),
        ("2>/dev/full", 0, ""),
        (">/dev/full", 1, "tinygrad-mlp: [Errno 28] No space left on device: 'standard output'\n"),
    ],
)
def test_a_run_outlives_its_streams(streams, status, said, shell, small_data, tmp_path):
    """The run is worth more than the lines about it; that they were lost is told at the end, if anybody listens."""
    command = shlex.join([*COMMAND, *TRAIN, "--data", str(small_data), "--out", "run"])
    done = shell(f"{command} {streams}; exit ${{PIPESTATUS[0]}}")
    assert (done.returncode, done.stderr.decode()) == (status, said)
    assert {path.name for path in (tmp_path / "run").iterdir()} == FILES
    for path in (tmp_path / "run").iterdir():
        assert b"epoch 1/2" not in path.read_bytes(), "a file got the number of a closed stream"


@pytest.mark.parametrize("streams", ["| head -1", ">/dev/full", ">&-"])
def test_other_commands_end_when_nobody_reads(streams, shell, small_data):
    done = shell(f"{shlex.join([*COMMAND, 'data', '--data', str(small_data)])} {streams}; exit ${{PIPESTATUS[0]}}")
    assert done.returncode in (0, 1)
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr


@pytest.mark.parametrize(
    "setting",
    [
        {"PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "cp1252"}, {"PYTHONIOENCODING": "latin-1"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
)  # fmt: skip
def test_narrow_encodings_and_odd_names(setting, shell, small_data, tmp_path):
    """Output in ASCII, names of files that are no UTF-8 or that a terminal would obey."""
    name = b"r\xff\x1b[31m \xc3\xa9\n"
    (tmp_path / os.fsdecode(b"d\xe9")).symlink_to(small_data)
    train = shlex.join([*COMMAND, *TRAIN])
    done = shell(f"{train} --data $'d\\xe9' --out $'r\\xff\\x1b[31m \\xc3\\xa9\\n'", **setting)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\x1b" not in done.stdout
    assert {path.name for path in (tmp_path / os.fsdecode(name)).iterdir()} == FILES
    done = shell(f"{train} --resume $'r\\xff\\x1b[31m \\xc3\\xa9\\n'", **setting)
    assert (done.returncode, done.stderr) == (0, b"")
    done = shell(f"{shlex.join(COMMAND)} eval $'no\\x1b\\n\\xff'; {shlex.join([*COMMAND, 'data'])}", **setting)
    assert done.stderr.startswith(b"tinygrad-mlp: no\\x1b")
    assert (done.returncode, len(done.stderr.splitlines())) == (0, 1)


class Broken(io.StringIO):
    """A stream that fails from the second write on."""

    writes = 0

    def write(self, text):
        self.writes += 1
        if self.writes > 1:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super().write(text)


def test_a_patient_stream_remembers_the_first_failure():
    stream = Stream(Broken(), "standard output", patient=True)
    for _ in range(3):
        stream.write("line")
    stream.flush()
    assert stream.failure.errno == errno.EIO
    assert stream._stream.getvalue() == "line"
    assert stream._stream.writes == 2
    impatient = Stream(Broken(), "standard output")
    impatient.write("line")
    with pytest.raises(OSError, match="Input/output error: 'standard output'"):
        impatient.write("line")


def test_streams_that_are_not_there():
    stream = Stream(None, "standard error")
    stream.write("nothing")
    stream.flush()
    assert not stream.isatty()
    with pytest.raises(io.UnsupportedOperation):
        stream.fileno()
    closed = io.StringIO()
    closed.close()
    stream = Stream(closed, "standard error", patient=True)
    assert not stream.isatty()
    stream.write("nothing")
    assert stream.failure.errno == errno.EBADF


@given(st.text(), st.sampled_from(["ascii", "cp1252", "latin-1", "utf-8"]))
def test_every_text_can_be_written(text, encoding):
    """Property: in any encoding, with nothing that a terminal obeys; plain ASCII stays as it is."""
    shown = encodable(text, encoding)
    shown.encode(encoding)
    assert not any(c for c in shown if c < " " and c not in "\t\n\r")
    if text.isascii() and text.isprintable():
        assert shown == text
    assert printable(text).isprintable()
    assert printable(printable(text)) == printable(text)


def test_known_characters_have_plain_ones():
    assert encodable("28×28 ± 1 – é", "ascii") == "28x28 +- 1 - \\xe9"
    assert encodable("28×28", "cp1252") == "28×28"


def test_lines_of_80_columns(capsys):
    say("word " * 40 + "x" * 100)
    lines = capsys.readouterr().out.splitlines()
    assert [len(line) > 80 for line in lines] == [False] * (len(lines) - 1) + [True]
    assert all(line.startswith("  ") for line in lines[1:])

"""Files that are there in full or not at all, and directories for one process at a time."""

import errno
import os
import subprocess
import sys

import pytest

from tinygrad_mlp.errors import ArgumentError
from tinygrad_mlp.files import locked, write_atomically

OLD, NEW = b"old", b"new content"


@pytest.mark.parametrize("function", ["fsync", "replace"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_write_that_fails_names_the_file_and_leaves_the_old_one(function, code, tmp_path, monkeypatch):
    def fail(*arguments):
        raise OSError(code, os.strerror(code))

    path = tmp_path / "last.npz"
    path.write_bytes(OLD)
    with monkeypatch.context() as patch:
        patch.setattr(os, function, fail)
        with pytest.raises(OSError, match=f"{os.strerror(code)}: '{path}'"):
            write_atomically(path, NEW)
    assert path.read_bytes() == OLD
    assert list(tmp_path.iterdir()) == [path]
    write_atomically(path, NEW)
    assert path.read_bytes() == NEW


def test_a_place_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere/a'"):
        write_atomically(tmp_path / "nowhere" / "a", NEW)


def test_links_and_pipes_stay_what_they_are(tmp_path):
    """The file behind a symbolic link is written; a device is written to."""
    (tmp_path / "link").symlink_to("file")
    write_atomically(tmp_path / "link", NEW)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == NEW
    write_atomically(tmp_path / "link", OLD)
    assert (tmp_path / "file").read_bytes() == OLD
    script = "import pathlib, tinygrad_mlp.files as f; f.write_atomically(pathlib.Path('/dev/stdout'), b'through')"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=60, check=True)
    assert done.stdout == b"through"


def test_a_long_name_has_room_for_the_temporary_one(tmp_path):
    name = "é" * 127
    write_atomically(tmp_path / name, NEW)
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_a_directory_is_for_one_process_at_a_time(tmp_path):
    """A second one is refused in words; after the first there is nothing left, also of those that were killed."""
    (tmp_path / ".last.npz.123-abcd.partial").write_bytes(b"half")
    (tmp_path / "kept").touch()
    script = (
        "import sys, pathlib, tinygrad_mlp.files as f\n"
        "with f.locked(pathlib.Path(sys.argv[1])): print('in', flush=True); sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"in\n"
    with (
        pytest.raises(
            ArgumentError, match="expected a directory that no other run writes into, got one that is in use"
        ),
        locked(tmp_path),
    ):
        pass
    process.kill()
    process.communicate()
    assert sorted(p.name for p in tmp_path.iterdir()) == [".lock", "kept"]
    with locked(tmp_path), pytest.raises(ArgumentError), locked(tmp_path):
        pass
    assert [p.name for p in tmp_path.iterdir()] == ["kept"]


def test_many_processes_hold_a_directory_one_after_another(tmp_path):
    """Whoever gets in is alone in there, though the lock is removed each time."""
    script = """
import pathlib, sys, tinygrad_mlp.files as files
from tinygrad_mlp.errors import ArgumentError
directory, entered = pathlib.Path(sys.argv[1]), 0
while entered < 200:
    try:
        with files.locked(directory):
            (directory / "inside").touch(exist_ok=False)
            (directory / "inside").unlink()
            entered += 1
    except ArgumentError:
        pass
"""
    command = [sys.executable, "-c", script, str(tmp_path)]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(3)]
    assert [process.communicate(timeout=60)[1] for process in processes] == [b""] * 3
    assert list(tmp_path.iterdir()) == []

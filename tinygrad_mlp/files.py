"""Files that are either there in full or not at all, and directories that one process at a time writes into."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tinygrad_mlp.errors import ArgumentError

PARTIAL = ".partial"  # the ending of files that are being written; their names begin with a dot
LOCK = ".lock"


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a reader, also after a crash, sees the old content or the new, never a part.

    What is no regular file, such as a pipe or ``/dev/stdout``, is written to as it is.

    Raises
    ------
    OSError
        If the directory cannot be written or the disk is full; the old file is still there then.
    """
    if path.exists() and not path.is_file():
        with _naming(path), path.open("wb") as stream:
            stream.write(content)
        return
    target = Path(os.path.realpath(path))  # of a symbolic link, the file behind it
    temporary = target.with_name(f".{target.name[:50]}.{os.getpid()}-{secrets.token_hex(4)}{PARTIAL}")
    try:
        with _naming(path):
            with temporary.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)  # noqa: PTH105 - beside fsync, and where tests inject failures
    except BaseException:  # raised again: also after Ctrl-C no half-written file stays
        with suppress(OSError):
            temporary.unlink()
        raise


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Let errors name the file that was to be written: write() and fsync() name none, and open() the temporary one."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Keep other processes out of a directory, and remove what a killed process left half-written in it.

    The operating system takes the lock away with the process that holds it, however that ends. Where there is no
    ``fcntl`` (Windows) nothing is locked.

    Raises
    ------
    ArgumentError
        If another process holds the directory.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    path = directory / LOCK
    while True:
        with path.open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ArgumentError(
                    str(directory), expected="a directory that no other run writes into", got="one that is in use",
                    fix="Wait until the other run has ended, or choose another directory.",
                ) from None  # fmt: skip
            if not _is_same_file(file.fileno(), path):
                continue  # the process before removed it between our open() and flock()
            try:
                for leftover in directory.glob(f".*{PARTIAL}"):
                    leftover.unlink()
                yield
            finally:
                with suppress(OSError):
                    path.unlink()
            return


def _is_same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False

"""Files that are either there in full or not at all."""

import os
from contextlib import suppress
from pathlib import Path


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a reader, also after a crash, sees the old content or the new, never a part.

    Raises
    ------
    OSError
        If the directory cannot be written or the disk is full; the old file is still there then.
    """
    temporary = path.with_name(path.name + ".partial")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:  # raised again: also after Ctrl-C no half-written file stays
        with suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError) and error.filename is None:  # write() and fsync() do not say which file
            error.filename = str(path)
        raise

"""Standard output and standard error that take any text, whatever they are and whatever becomes of them."""

import errno
import io
import os
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from typing import Any, TextIO

WIDTH = 80
PLAIN = {"×": "x", "·": "*", "±": "+-", "…": "...", "–": "-", "‖": "|", "≤": "<=", "→": "->"}
# What terminals obey instead of showing: control characters (but ends of lines and tabs), marks that reorder text.
_OBEYED = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class Stream(io.TextIOBase):
    """A text stream in the place of a standard stream.

    What its encoding lacks, and what a terminal would obey, is written in other characters. Where there is no stream,
    nothing is written. After a first failure (a full disk, a reader that has gone) nothing is written either.

    Attributes
    ----------
    patient : bool
        Whether the program goes on after a failure; else it is raised.
    failure : OSError or None
        The first failure.
    """

    def __init__(self, stream: TextIO | None, name: str, *, patient: bool = False) -> None:
        self._stream = stream
        self._name = name
        self.patient = patient
        self.failure: OSError | None = None

    def write(self, text: str) -> int:
        """Write a text."""
        self._try(lambda stream: stream.write(encodable(text, self.encoding)))
        return len(text)

    def flush(self) -> None:
        """Write what is still in memory."""
        self._try(lambda stream: stream.flush())

    def _try(self, action: Callable[[TextIO], Any]) -> None:
        if self._stream is None or self.failure:
            return
        try:
            action(self._stream)
        except (OSError, ValueError) as error:  # ValueError: the stream was closed
            code = error.errno if isinstance(error, OSError) and error.errno else errno.EBADF
            self.failure = OSError(code, os.strerror(code), self._name)
            with suppress(OSError, ValueError):  # what is left in memory goes nowhere, also when Python ends
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
            if not self.patient:
                raise self.failure from error

    @property
    def encoding(self) -> str:  # type: ignore[override]  # io declares an attribute
        """The encoding of the stream behind."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    def close(self) -> None:
        """Do nothing: the stream behind is not ours to close, nor to flush when this one is forgotten."""

    def isatty(self) -> bool:
        """Whether the stream behind is a terminal."""
        try:
            return self._stream is not None and self._stream.isatty()
        except ValueError:  # closed
            return False

    def fileno(self) -> int:
        """The descriptor of the stream behind."""
        if self._stream is None:
            raise io.UnsupportedOperation("fileno")
        return self._stream.fileno()


def encodable(text: str, encoding: str) -> str:
    r"""A text in which what an encoding lacks, or a terminal obeys, is written in other characters.

    >>> encodable("28×28 \x1b[31m", "ascii")
    '28x28 \\x1b[31m'
    """
    text = _OBEYED.sub(lambda match: escaped(match[0]), text)
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        text = "".join(c if _has(encoding, c) else PLAIN.get(c) or escaped(c) for c in text)
    return text


def _has(encoding: str, character: str) -> bool:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def escaped(text: str) -> str:
    """A text in Python's escapes, all ASCII."""
    return text.encode("unicode_escape").decode()


def printable(text: object) -> str:
    r"""A name in one line: what cannot be seen, ends of lines too, is written as an escape.

    >>> printable("two\nlines")
    'two\\nlines'
    """
    return "".join(c if c.isprintable() else escaped(c) for c in str(text))


def say(text: str) -> None:
    """Print a text in lines of at most 80 columns; a word that is longer stays whole, and so does a text with lines."""
    if "\n" in text:
        print(text, flush=True)
        return
    lines = textwrap.wrap(text, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    print("\n".join(lines), flush=True)


@contextmanager
def standard_streams() -> Iterator[Stream]:
    """Within the block, standard output (which is given) and standard error are such streams."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:  # closed: the next file that is opened would get its number, and a library's messages
            os.open(os.devnull, os.O_RDWR)
    output = Stream(sys.stdout, "standard output")
    with redirect_stdout(output), redirect_stderr(Stream(sys.stderr, "standard error", patient=True)):
        yield output

"""Ctrl-C that waits for a good moment."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def on_ctrl_c(press: Callable[[], None]) -> Iterator[None]:
    """Call ``press`` at the first Ctrl-C inside; a second one does what it would do outside: it ends the program."""
    if threading.current_thread() is not threading.main_thread():  # only the main thread gets signals
        yield
        return

    def interrupt(signum: int, frame: Any) -> None:
        signal.signal(signal.SIGINT, previous)
        press()

    previous = signal.signal(signal.SIGINT, interrupt) or signal.SIG_DFL  # None: not set from Python
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)

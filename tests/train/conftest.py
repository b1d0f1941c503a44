"""What the tests of training share."""

import signal

import pytest


@pytest.fixture
def terminal():
    """SIGINT raises KeyboardInterrupt here and in processes started inside, also where tests run in the background.

    There it is ignored, and that is what processes inherit.
    """
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, previous)

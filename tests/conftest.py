"""Fixtures that tests in several directories share, and the profiles of hypothesis.

The profile is chosen with the environment variable HYPOTHESIS_PROFILE: ``dev`` (default, few examples), ``ci`` (the
same ones each time), ``deep`` (a long look).
"""

import os
import signal

import numpy as np
import pytest
from hypothesis import settings

from tinygrad_mlp import rules
from tinygrad_mlp.data import write_idx

settings.register_profile("dev", max_examples=25, deadline=None, print_blob=True)
settings.register_profile("ci", max_examples=25, deadline=None, print_blob=True, derandomize=True)
settings.register_profile("deep", max_examples=2000, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


@pytest.fixture(autouse=True)
def registry():
    """The registry after each test is what it was before, whatever the test or an example has registered."""
    kept = [(held, held.copy()) for held in (rules.RULES, rules.SEQUENCES, rules.CONSTANTS, rules.COMPOSITES)]
    yield
    for held, before in kept:
        if held != before:
            held.clear()
            held.update(before)
            rules.accepted_arguments.cache_clear()


@pytest.fixture(scope="session")
def small_data(tmp_path_factory):
    """A directory in the format of MNIST: 240 training and 60 test images of 8×8, three classes, easy to learn."""
    directory = tmp_path_factory.mktemp("small")
    rng = np.random.default_rng(0)
    prototypes = rng.integers(0, 128, (3, 8, 8))
    for name, count in (("train", 240), ("t10k", 60)):
        labels = np.resize(np.arange(3, dtype=np.uint8), count)
        images = (prototypes[labels] + rng.integers(0, 128, (count, 8, 8))).astype(np.uint8)
        write_idx(directory / f"{name}-images-idx3-ubyte", images)
        write_idx(directory / f"{name}-labels-idx1-ubyte", labels)
    return directory


@pytest.fixture
def terminal():
    """SIGINT raises KeyboardInterrupt here and in processes started inside, also where tests run in the background.

    There it is ignored, and that is what processes inherit.
    """
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, previous)

"""Ops to break on purpose."""

import pytest

from tinygrad_mlp import rules


@pytest.fixture
def op():
    """``op(function, *vjps)`` makes a function an op with these rules, for the length of a test."""

    def register(function, *vjps):
        made = rules.primitive(function)
        rules.derivative(made, *vjps)
        return made

    return register

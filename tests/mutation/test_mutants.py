"""A sample of the mutants, every time; all of them with ``python tests/mutation/mutants.py``."""

import numpy as np
import pytest
from mutation import mutants, optimizer_mutants
from mutation.mutants import EQUIVALENT, FILES, killed, notices

from tinygrad_mlp import graph

EVERY = 20


@pytest.mark.parametrize("file", FILES)
def test_suite_notices_broken_rules(file):
    """Property: a rule with one term dropped, operands swapped, the other sign or twice the size fails a case."""
    survivors = [
        str(mutant)
        for mutant in mutants.mutants(file, EVERY)
        if killed(mutant) is False and str(mutant) not in EQUIVALENT
    ]
    assert not survivors


def test_suite_notices_broken_optimizers():
    """Property: an update, schedule or clipping with one pass or term changed leaves PyTorch's trajectories."""
    count, survivors = optimizer_mutants.survivors(every=9)
    assert count > 10
    assert not survivors


def test_functions_are_whole_again():
    """Property: after a mutant the code of every function is what it was."""
    functions = [f for places in mutants.targets_of.values() for fs in places.values() for f in fs]
    before = [f.__code__ for f in functions]
    assert killed(next(mutants.mutants("linear"))) is not False
    assert [f.__code__ for f in functions] == before


@pytest.mark.parametrize("function", [np.add, np.multiply, np.where])
def test_suite_notices_a_missing_sum(function, monkeypatch):
    """Property: an engine that takes one slice where it must sum over a broadcast axis fails a case."""

    def one_slice(gradient, like, *rest):
        kept = gradient[(0,) * (gradient.ndim - like.ndim)]
        return kept[tuple(slice(0, n) for n in like.shape)].astype(like.dtype)

    assert not notices([function])
    monkeypatch.setattr(graph, "unbroadcast", one_slice)
    assert notices([function])

"""Schedules: their formulas, their bounds, their errors."""

import math
import pickle
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables import row

from tinygrad_mlp.errors import ArgumentError
from tinygrad_mlp.optim import SGD, schedules
from tinygrad_mlp.tensor import Tensor

lrs = st.floats(0, 10, allow_subnormal=False)
lengths = st.integers(1, 1000)
steps = st.integers(0, 3000)


@given(lrs, steps)
def test_constant(lr, s):
    """The rate is lr at every step."""
    assert schedules.constant(lr)(s) == lr


@given(lrs, lengths, st.floats(0, 1), steps)
def test_step(lr, every, gamma, s):
    """The rate is lr·gamma^⌊s/every⌋: flat on a stair, gamma times as high on the next, at most lr for gamma ≤ 1."""
    schedule = schedules.step(lr, every, gamma)
    assert schedule(0) == lr
    assert 0 <= schedule(s) <= lr
    assert schedule(s) == schedule(s - s % every)
    assert schedule(s + every) == pytest.approx(gamma * schedule(s), rel=1e-12, abs=1e-300)


@given(lrs, lengths, lrs, steps)
def test_cosine(lr, total_steps, final, s):
    """From lr to final along half a cosine: monotone, within the two, symmetric about the middle, final ever after."""
    schedule = schedules.cosine(lr, total_steps, final)
    low, high = min(lr, final), max(lr, final)
    tolerance = 1e-14 * high
    assert low - tolerance <= schedule(s) <= high + tolerance
    assert schedule(0) == pytest.approx(lr, rel=1e-14, abs=1e-14 * high)
    assert schedule(total_steps + s) == final
    assert (schedule(s + 1) - schedule(s)) * (final - lr) >= -tolerance * high
    if s <= total_steps:
        assert schedule(s) + schedule(total_steps - s) == pytest.approx(lr + final, abs=1e-13 * high)


def test_cosine_at_a_third():
    """cos(π/3) = 1/2, so a third of the way the rate is three quarters above final."""
    assert schedules.cosine(5.0, 300, final=1.0)(100) == pytest.approx(1 + 4 * 0.75, rel=1e-14)


@given(lrs, lengths, lengths, steps)
def test_warmup(lr, total_steps, rise, s):
    """schedule(0)·(s+1)/steps for s < steps, then the schedule from its beginning; never above its highest rate."""
    inner = schedules.cosine(lr, total_steps)
    schedule = schedules.warmup(inner, rise)
    assert 0 <= schedule(s) <= lr * (1 + 1e-14)
    if s < rise:
        assert schedule(s) == pytest.approx(lr * (s + 1) / rise, rel=1e-14)
    else:
        assert schedule(s) == inner(s - rise)
    assert schedule(rise - 1) == schedule(rise) == inner(0)


def test_warmup_of_no_steps_is_the_schedule_itself():
    inner = schedules.step(1.0, 2, 0.5)
    assert [schedules.warmup(inner, 0)(s) for s in range(6)] == [inner(s) for s in range(6)]


def test_schedules_can_be_pickled():
    """An optimizer goes to another process with its schedule."""
    inner = schedules.step(1.0, 2, 0.5)
    for schedule in (schedules.constant(0.1), inner, schedules.cosine(1.0, 9, 0.1), schedules.warmup(inner, 3)):
        copy = pickle.loads(pickle.dumps(schedule))  # noqa: S301 - made here
        assert [copy(s) for s in range(12)] == [schedule(s) for s in range(12)]


def test_a_schedule_that_overflows_is_refused_by_the_optimizer():
    optimizer = SGD([Tensor([1.0], requires_grad=True)], schedules.step(1.0, 1, 1e200))
    optimizer.step_count = 2
    with pytest.raises(ArgumentError, match="the schedule at step 2 to be a finite number, at least 0, got inf"):
        optimizer.step()


BAD = {
    "constant": (lambda: schedules.constant(-1), "schedules.constant: expected lr to be a finite number, at least 0"),
    "step lr": (lambda: schedules.step(math.inf, 1, 0.5), "schedules.step: expected lr to be a finite number"),
    "step every": (lambda: schedules.step(1, 0, 0.5), "expected every to be a whole number, at least 1, got 0."),
    "step every float": (
        lambda: schedules.step(1, 2.5, 0.5),
        "expected every to be a whole number, at least 1, got 2.5.",
    ),
    "step gamma": (lambda: schedules.step(1, 1, -0.5), "expected gamma to be a finite number, at least 0, got -0.5."),
    "cosine lr": (lambda: schedules.cosine(math.nan, 1), "schedules.cosine: expected lr to be a finite number"),
    "cosine steps": (lambda: schedules.cosine(1, 0), "expected total_steps to be a whole number, at least 1, got 0."),
    "cosine final": (lambda: schedules.cosine(1, 1, -1), "expected final to be a finite number, at least 0, got -1."),
    "warmup steps": (
        lambda: schedules.warmup(schedules.constant(1), -1),
        "expected steps to be a whole number, at least 0",
    ),
    "warmup of a number": (lambda: schedules.warmup(0.1, 5), "got 0.1. Write warmup(constant(lr), steps)."),
}


def test_bad_arguments():
    for name, (make, message) in BAD.items():
        with row(name), pytest.raises(ArgumentError, match=re.escape(message)):
            make()

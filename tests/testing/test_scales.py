"""check_grads gives the same verdict at every scale: no false alarm, and nothing passes because it is small."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import tinygrad_mlp as tg
from tinygrad_mlp.testing import GradientError, check_grads

FUNCTIONS = {
    "sin": np.sin, "exp": np.exp, "tanh": np.tanh, "square": np.square, "cube": lambda x: x * x * x, "abs": np.abs,
    "relu": tg.relu, "root": lambda x: np.sqrt(1 + x * x), "clip": lambda x: np.maximum(x, 0.5),
    "softsign": lambda x: x / (1 + np.abs(x)), "x |x|": lambda x: x * np.abs(x), "log": lambda x: np.log(1 + x * x),
    "sum": lambda x: np.sum(x * x), "centred": lambda x: x - np.mean(x), "max": np.max, "variance": np.var,
    "softmax": tg.softmax, "logsumexp": tg.logsumexp, "far from 0": lambda x: np.sin(x + 1e7),
    "only rounding": lambda x: np.sum(tg.softmax(x)) - 1, "constant": lambda x: 0 * x + 1,
}  # fmt: skip
FLAT = {"only rounding", "constant", "centred"}  # no slope, or one that may be 0
SCALE_FREE = {
    "log": lambda x: np.log(np.abs(x)), "abs": np.abs, "abs + 1": lambda x: np.abs(x) + 1, "relu": tg.relu,
    "square root": lambda x: np.sqrt(np.abs(x)), "linear": lambda x: 1.5 * x, "sum": np.sum, "mean": np.mean,
    "max": np.max, "sort": np.sort, "where": lambda x: np.where(x > 0, x, 2 * x), "clip": lambda x: np.maximum(x, 1e-3),
    "leaky": lambda x: np.maximum(x, 0.01 * x), "softsign": lambda x: x / (1 + np.abs(x)), "sin": np.sin,
    "x log x": lambda x: np.sum(np.abs(x) * np.log(np.abs(x))), "logsumexp": tg.logsumexp, "cumsum": np.cumsum,
    "nearly parallel": lambda x: np.maximum(x * (1 + 1e-12), x),
}  # fmt: skip

steps = st.lists(st.integers(-192, 192).map(lambda n: n / 64), min_size=1, max_size=4).map(np.array)
powers = st.integers(-900, 900)
numbers = (  # as they come: tiny beside huge, subnormal, near 0 and at it
    st.floats(-1e300, 1e300) | st.floats(-2, 2)
    | st.sampled_from([0.0, 1e-3, -1e-3, 1e-9, -1e-9, 1e-300, 1.7e9, 5e-324])
)  # fmt: skip


def scaled(f, a, b):
    """2ᵃ f(x / 2ᵇ)."""
    return lambda x: f(x * 2.0**-b) * 2.0**a


@given(st.sampled_from(list(FUNCTIONS)), steps, powers, powers, st.integers(1, 2))
def test_scaling_inputs_and_outputs_never_makes_a_right_rule_wrong(name, x, a, b, order):
    """Property: 2ᵃ f(x / 2ᵇ) passes wherever its derivatives are representable."""
    assume(abs(a - b) < 950 and (order == 1 or abs(a - 2 * b) < 950))
    assert check_grads(scaled(FUNCTIONS[name], a, b), x * 2.0**b, order=order).ok


@given(st.sampled_from(sorted(set(FUNCTIONS) - FLAT)), steps, powers, powers)
def test_twice_the_gradient_is_wrong_at_every_scale(name, x, a, b):
    """Property: a gradient that is twice too large is found, however large or small all numbers are."""
    assume(abs(a - b) < 950 and x.any())  # zeros alone do not tell on which scale f changes
    f = scaled(FUNCTIONS[name], a, b)
    product = tg.vjp(f, x * 2.0**b)[1]
    doubled = lambda v, x: 2 * tg.vjp(f, x)[1](v)  # noqa: E731
    smooth = check_grads(f, x * 2.0**b, order=1)
    assume(np.any(product(np.ones_like(f(x * 2.0**b)))) and not smooth.kinks and not smooth.rough)
    with pytest.raises(GradientError):
        check_grads(f, x * 2.0**b, vjp=doubled)


@given(st.sampled_from(list(SCALE_FREE)), st.lists(numbers, min_size=1, max_size=4).map(np.array))
def test_no_false_alarm_on_numbers_of_all_sizes_together(name, x):
    """Property: elements of any sizes beside each other, subnormal ones and zeros too, do not make a rule wrong."""
    with np.errstate(all="ignore"):
        assume(np.isfinite(SCALE_FREE[name](x)).all())
        assume(np.isfinite(tg.vjp(SCALE_FREE[name], x)[1](np.ones_like(SCALE_FREE[name](x)))).all())
    assert check_grads(SCALE_FREE[name], x, order=1).ok


@pytest.mark.parametrize("distance", [1e-3, 1e-6, 1e-9, 1e-12])
def test_the_slope_next_to_a_kink_is_that_of_its_side(distance):
    """However near the kink, one side's slope is right and the other's wrong."""
    for x, slope in ((distance, 1.0), (-distance, 0.0)):
        assert check_grads(lambda x: np.maximum(x, 0), np.array([x, 1.0]), vjp=lambda v, x: v * (x > 0)).ok
        wrong = np.array([1 - slope, 1.0])
        with pytest.raises(GradientError):
            check_grads(lambda x: np.maximum(x, 0), np.array([x, 1.0]), vjp=lambda v, x, wrong=wrong: v * wrong)


def test_the_numbers_in_a_report_are_derivatives():
    """One result: its derivative of each order, not that of a weighted sum."""
    assert check_grads(lambda x: x * x, 3.0, order=1).analytic == 6.0
    report = check_grads(lambda x: x * x * x, 3.0)
    assert {round(abs(report.analytic), 6), round(abs(report.numeric), 6)} <= {18.0, 27.0}
    assert check_grads(np.tanh, np.array([0.0, 0.0]), order=1).analytic == pytest.approx(1.0)
    assert "of Σ w · f with random weights w" in str(check_grads(tg.softmax, np.array([1.0, 2.0]), order=1))

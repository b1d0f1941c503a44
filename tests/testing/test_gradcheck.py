"""check_grads: right where gradients are right, wrong where they are not, and a report either way."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_mlp as tg
from tinygrad_mlp.errors import ArgumentError, DtypeError, NonFiniteError
from tinygrad_mlp.testing import GradientError, check_grads, strategies
from tinygrad_mlp.testing.values import float_results

x = np.array([0.5, -1.25, 2.0])


def as_tuple(v):
    return v if isinstance(v, tuple) else (v,)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_right_at_every_order(order):
    """A right function passes at any order, and the report counts what was compared."""
    report = check_grads(lambda x: np.sin(x) * np.exp(x), x[:2], order=order)
    assert report.ok
    assert list(report.compared) == list(range(1, order + 1))


@given(st.floats(0.9, 1.1).filter(lambda c: abs(c - 1) > 1e-4), st.integers(1, 3))
def test_small_errors_are_found_at_every_order(factor, order):
    """A gradient off by a hundredth of a percent or more is wrong, whichever derivative it is of."""
    function = tg.rules.primitive(np.sin)
    chain = [function]
    for _ in range(order):
        chain.append(tg.rules.primitive(np.cos if len(chain) % 2 else np.sin))
    vjps = []
    for k in range(order):
        sign = -1.0 if k % 2 else 1.0
        size = sign * (factor if k == order - 1 else 1.0)
        vjps.append(lambda g, out, x, k=k, size=size: size * g * chain[k + 1](x))
        tg.rules.derivative(chain[k], vjps[-1])
    tg.rules.derivative(chain[order], lambda g, out, x: g * x)
    try:
        with pytest.raises(GradientError) as caught:
            check_grads(function, x, order=order)
    finally:
        for made in chain:
            del tg.rules.RULES[made]
    assert caught.value.report.failed_at == order


@given(strategies.arrays(dtype=np.float32, shape=strategies.shapes(max_dims=2)))
def test_float32(array):
    """float32 gives no false alarm: it is compared with derivatives evaluated in float64."""
    assert check_grads(lambda x: np.tanh(x) * np.exp(x), array).ok


def test_float32_mistake(op):
    """An error of one percent is found in float32 too."""
    square = op(lambda x: x * x, lambda g, out, x: 2.02 * g * x)
    with pytest.raises(GradientError, match="times what it should be"):
        check_grads(square, x.astype(np.float32))


def test_large_argument_is_searched(op):
    """One wrong element among thousands is found and located."""
    wrong = np.ones(2000)
    wrong[1234] = 1.5
    square = op(lambda x: x * x, lambda g, out, x: 2 * g * x * wrong)
    with pytest.raises(GradientError) as caught:
        check_grads(square, np.linspace(1, 2, 2000))
    report = caught.value.report
    assert report.index == (1234,)
    assert report.analytic == pytest.approx(1.5 * report.numeric)
    assert check_grads(lambda x: x * x, np.linspace(1, 2, 2000)).compared[1] < 20


@pytest.mark.parametrize(
    ("f", "arrays"),
    [
        (tg.relu, (np.array([0.0, 1.0, -1.0]),)),
        (np.maximum, (np.array([1.0, 2.0]), np.array([1.0, 3.0]))),
        (lambda x: np.max(x), (np.array([1.0, 1.0, 1.0, 0.0]),)),
        (np.abs, (np.array([0.0, -2.0]),)),
    ],
)
def test_kink_accepts_any_subgradient(f, arrays):
    """At a kink a gradient between the one-sided slopes is right, and the report counts the kinks."""
    report = check_grads(f, *arrays)
    assert report.ok
    assert report.kinks
    assert "between the one-sided slopes" in str(report)


@pytest.mark.parametrize(("slope", "fine"), [(-0.2, False), (0.0, True), (0.3, True), (1.0, True), (1.2, False)])
def test_kink_rejects_what_is_outside(op, slope, fine):
    """A gradient outside of the one-sided slopes is wrong at a kink too."""
    relu = op(lambda x: np.maximum(x, 0), lambda g, out, x: g * np.where(x > 0, 1, np.where(x == 0, slope, 0)))
    if fine:
        assert check_grads(relu, np.array([0.0, 1.0]), order=1).ok
    else:
        with pytest.raises(GradientError, match="a kink: anything from"):
            check_grads(relu, np.array([0.0, 1.0]), order=1)


def test_conventions_need_not_compose():
    """relu(x) - 3 relu(-x) has slopes 3 and 1 at 0; the convention relu'(0) = 0 composes to 0, which is outside."""
    with pytest.raises(GradientError, match="a kink"):
        check_grads(lambda x: tg.relu(x) - 3 * tg.relu(-x), np.zeros(2))


def test_singular_points_are_reported():
    """Where no finite slope exists the report says so, and checks the rest."""
    report = check_grads(np.sqrt, np.array([0.0, 4.0]), order=1)
    assert len(report.singular) == 1
    assert "not compared" in str(report)


def test_several_results_and_constants():
    """Tuples of results are checked; integers and options are passed on."""
    report = check_grads(lambda x, n: (x * n, np.sum(x)), x, 3)
    assert report.compared[1] == 3


@pytest.mark.parametrize(
    ("f", "compared"),
    [
        (lambda x: (x * 2, (x, np.sum(x))), 3),
        (lambda x: {"value": x * 2, "count": 3, "parts": [np.sin(x), None]}, 3),
        (lambda x: (np.sum(x), "auxiliary", True, np.arange(3)), 3),
    ],
)
def test_results_in_containers(f, compared):
    """Every array of floats in nested tuples, lists and dicts is checked; what has no gradient is passed over."""
    assert check_grads(f, x).compared[1] == compared
    with pytest.raises(GradientError):
        check_grads(f, x, vjp=lambda v, x: tg.vjp(lambda x: tuple(float_results(f(x))), x)[1](as_tuple(v)) + 0.01)


@pytest.mark.parametrize(
    ("f", "got"),
    [
        (lambda x: None, "got none"),
        (lambda x: x > 0, "got none"),
        (lambda x: {x[0] * 2}, "got a set"),
        (lambda x: np.array([x, None], dtype=object), "got a ndarray"),
        (lambda x: x * 1j if isinstance(x, np.ndarray) else x, "got complex numbers"),
    ],
)
def test_results_without_gradient_are_refused_in_words(f, got):
    """A function that returns nothing to differentiate is a mistake of the caller, not a wrong gradient."""
    with pytest.raises(DtypeError, match=got):
        check_grads(f, x)


def test_tensor_methods():
    """A function that uses methods of Tensors gets Tensors, also where it is merely evaluated."""
    assert check_grads(lambda x: x * x.detach().size, x).ok


def test_empty():
    """An empty array has nothing to compare, and passes."""
    assert check_grads(np.sin, np.zeros((0, 3))).compared == {1: 0, 2: 0}


def test_closed_over_parameters():
    """A model closes over its parameters; only the arguments are checked."""
    model = tg.nn.MLP(3, 4, 2, rng=0, activation="tanh", dtype=np.float64)
    assert check_grads(model, np.ones((2, 3))).ok


def test_arguments_are_validated():
    """No floats to differentiate with respect to, or no finite value, is an error of the caller."""
    with pytest.raises(DtypeError, match="at least one array of floats"):
        check_grads(np.sin, np.arange(3))
    with pytest.raises(NonFiniteError, match="finite values"):
        check_grads(lambda x: x / 0.0, x)


def test_same_seed_same_report():
    """The report depends on the seed alone."""
    assert str(check_grads(tg.softmax, x, rng=3)) == str(check_grads(tg.softmax, x, rng=3))
    assert check_grads(tg.softmax, x, rng=3).analytic != check_grads(tg.softmax, x, rng=4).analytic


def test_import_needs_no_hypothesis():
    """Only the strategies import hypothesis."""
    code = "import sys, tinygrad_mlp.testing; sys.exit('hypothesis' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("order", [0, -1])
def test_an_order_below_1_is_refused(order):
    """A check that compares nothing proves nothing."""
    with pytest.raises(ArgumentError, match="order of at least 1"):
        check_grads(np.sin, np.ones(2), order=order)


def test_lists_of_floats_are_arrays():
    assert check_grads(np.sin, [0.5, 1.0]).ok

"""Numerical derivatives: right within their own error estimate, and aware of where there is none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_mlp.testing import numeric

SMOOTH = {
    np.sin: np.cos,
    np.exp: np.exp,
    np.tanh: lambda x: 1 - np.tanh(x) ** 2,
    np.arctan: lambda x: 1 / (1 + x * x),
    np.square: lambda x: 2 * x,
}


def line(f, *x, index=0):
    """f along one element of x."""
    return numeric.Line(lambda x: [f(x)], [np.array(x)], 0, np.eye(len(x))[index], [np.ones(len(x))])


def slope(f, x, method=numeric.central):
    """The derivative of f at a number."""
    return method(line(f, x))


@given(st.sampled_from(list(SMOOTH)), st.floats(-20, 20))
def test_error_estimate_bounds_the_error(f, x):
    """Central differences are wrong by at most ten times their own estimate, which is itself small."""
    found, right = slope(f, x), SMOOTH[f](x)
    assert found.kind == "smooth"
    assert abs(found.value - right) <= 10 * found.error + 1e-9 * abs(right) + 1e-12
    assert found.error <= 1e-6 * abs(right) + 1e-9


@given(st.sampled_from(list(SMOOTH)), st.floats(-20, 20))
def test_complex_step_is_exact(f, x):
    """Complex step is exact to rounding."""
    assert slope(f, x, numeric.complex_step).value == pytest.approx(SMOOTH[f](x), rel=1e-10)


@given(st.integers(-12, 6), st.sampled_from([np.sqrt, np.log, np.reciprocal]))
def test_step_follows_the_scale_of_the_input(exponent, f):
    """Functions that change at the scale of their input are resolved at every scale."""
    x = 10.0**exponent
    right = {np.sqrt: 0.5 * x**-0.5, np.log: 1 / x, np.reciprocal: -1 / x**2}[f]
    assert slope(f, x).value == pytest.approx(right, rel=1e-6)


def test_small_element_among_large_ones():
    """The step fits the element, not only the array: sqrt at 1e-9 next to 1."""
    found = numeric.central(line(np.sqrt, 1e-9, 1.0, 2.0))
    assert found.value == pytest.approx(0.5 * (1e-9) ** -0.5, rel=1e-6)


@pytest.mark.parametrize(
    ("f", "x", "low", "high"),
    [
        (lambda x: np.maximum(x, 0), 0.0, 0.0, 1.0),
        (np.abs, 0.0, -1.0, 1.0),
        (lambda x: np.where(x > 1, 3 * x, x + 2), 1.0, 1.0, 3.0),
        (lambda x: np.abs(np.sin(x)), np.pi, -1.0, 1.0),
    ],
)
def test_kink(f, x, low, high):
    """At a kink the one-sided slopes are found."""
    found = slope(f, x)
    assert found.kind == "kink"
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-5), pytest.approx(high, abs=1e-5))


@given(st.floats(1e-6, 1) | st.floats(-1, -1e-6))
def test_next_to_a_kink_is_smooth(x):
    """However near, next to a kink the slope is that of its side."""
    found = slope(np.abs, x)
    assert found.kind == "smooth"
    assert found.value == pytest.approx(np.sign(x), rel=1e-6)


@pytest.mark.parametrize(
    ("f", "x"), [(np.floor, 1.0), (np.sign, 0.0), (np.cbrt, 0.0), (np.sqrt, 0.0), (lambda x: np.sqrt(np.abs(x)), 0.0)]
)
def test_jump_or_vertical_tangent_is_singular(f, x):
    """Where slopes grow without bound, none is claimed."""
    assert slope(f, x).kind == "singular"


@pytest.mark.parametrize(
    ("f", "x"), [(np.abs, 1.5), (lambda x: np.maximum(x, 0), 0.0), (np.conj, 1.0), (np.floor, 1.5)]
)
def test_complex_step_is_refused_where_not_analytic(f, x):
    """Functions that mean something else on complex numbers, or reject them, are told by central differences."""
    if numeric.is_analytic(line(f, x), np.random.default_rng(0)):
        assert slope(f, x, numeric.complex_step).value == slope(f, x).value


def test_complex_step_is_taken_where_analytic():
    """Composite analytic functions use complex step."""

    def f(x):
        return np.tanh(x) * x / np.sum(np.exp(x))

    assert numeric.is_analytic(line(f, 0.1, 0.5), np.random.default_rng(0))


def test_functions_are_given_arrays_of_any_dimension():
    """A 0-d argument stays a 0-d array, on which functions may call what scalars do not have."""
    given = []

    def square(x):
        given.append(type(x))
        return [x * x]

    found = numeric.central(numeric.Line(square, [np.array(3.0)], 0, np.array(1.0), [np.array(1.0)]))
    assert found.value == pytest.approx(6.0)
    assert set(given) == {np.ndarray}

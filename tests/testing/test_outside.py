"""Gradients that somebody else computes: a backward pass written by hand, a Jacobian."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_mlp as tg
from tinygrad_mlp.errors import ArgumentError
from tinygrad_mlp.testing import GradientError, check_grads, strategies

x = np.array([0.5, -1.25, 2.0])
A = np.array([[1.0, 2.0, -1.0], [0.5, -0.5, 3.0]])


@given(strategies.programs(inputs=2, smooth=False), strategies.broadcastable_arrays(2), st.booleans())
def test_the_verdict_is_that_on_our_own_gradient(program, arrays, right):
    """Property: the same gradients, handed over as ``vjp`` and ``jac``, get the same verdict; twice them is wrong."""
    factor = 1 if right else 2

    def vjp(v, *arrays):
        return tuple(factor * g for g in tg.vjp(program, *arrays)[1](v))

    def jac(*arrays):
        return tuple(factor * j for j in tg.jacobian(program, (0, 1))(*arrays))

    try:
        report = check_grads(program, *arrays, order=1)
        fine = right or bool(report.kinks) or not any(np.any(g) for g in jac(*arrays))
    except GradientError:  # conventions at kinks need not compose
        return
    for outside in ({"vjp": vjp}, {"jac": jac}):
        if right:
            assert check_grads(program, *arrays, **outside).compared == report.compared
        elif not fine:
            with pytest.raises(GradientError):
                check_grads(program, *arrays, **outside)


def test_jacobians_are_those_of_scipy():
    """A scalar function has a gradient, a vector function a matrix with a row for each result."""
    assert check_grads(lambda x: float(np.sum(x**2)), x, jac=lambda x: 2 * x).ok
    assert check_grads(lambda x: A @ x, x, jac=lambda x: A).ok
    with pytest.raises(
        GradientError, match=r"of shape \(3, 2\) for argument 0, where \(2, 3\) is expected. It is transp"
    ):
        check_grads(lambda x: A @ x, x, jac=lambda x: A.T)


def test_arguments_without_gradient():
    """One gradient for each argument of floats, or one for every argument; None is a gradient of zero."""

    def power(x, n):
        return x**n

    assert check_grads(power, x, 3, vjp=lambda v, x, n: v * n * x ** (n - 1)).ok
    assert check_grads(power, x, 3, vjp=lambda v, x, n: (v * n * x ** (n - 1), None)).ok
    assert check_grads(lambda x, y: x * 2, x, x, vjp=lambda v, x, y: (2 * v, None)).ok
    with pytest.raises(GradientError, match="gives 3 gradients for 2 arguments"):
        check_grads(np.multiply, x, x, vjp=lambda v, x, y: (v * y, v * x, v))
    with pytest.raises(GradientError, match="The gradient is zero"):
        check_grads(np.sin, x, vjp=lambda v, x: None)


def test_float32_libraries():
    """A library that computes in float32 whatever it is given is held to float32."""

    def f(x):
        return np.tanh(np.asarray(x, np.float32))

    assert check_grads(f, x, vjp=lambda v, x: np.float32(v) * (1 - f(x) ** 2)).ok
    with pytest.raises(GradientError, match="twice too large"):
        check_grads(f, x, vjp=lambda v, x: 2 * np.float32(v) * (1 - f(x) ** 2))


def test_failures_name_the_line():
    """What a backward pass raises is a finding; the report says where."""
    with pytest.raises(GradientError, match="raised NameError: name 'missing' is not defined, at line"):
        check_grads(np.sin, x, vjp=lambda v, x: missing)  # noqa: F821


def test_reproduction_has_the_gradient():
    """The script in the report defines the backward pass too."""

    def backward(v, x):
        return v * np.sin(x)

    with pytest.raises(GradientError) as caught:
        check_grads(np.sin, x, vjp=backward)
    assert "def backward(v, x):" in caught.value.report.reproduction
    assert "vjp=backward)" in caught.value.report.reproduction


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"vjp": np.multiply, "jac": np.sin}, "expected vjp or jac, got both"),
        ({"vjp": np.multiply, "order": 2}, "expected order 1, because vjp and jac return arrays"),
    ],
)
def test_options_are_validated(options, words):
    with pytest.raises(ArgumentError, match=words):
        check_grads(np.sin, x, **options)

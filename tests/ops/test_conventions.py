"""What the rules answer where calculus leaves a choice."""

import math

import numpy as np
import pytest
from tables import row

import tinygrad_mlp as tg
from tinygrad_mlp.errors import ArgumentError
from tinygrad_mlp.ops import activations
from tinygrad_mlp.rules import function_name

KINKS = {
    "absolute": (lambda x: np.abs(x), 0.0, 0.0),
    "fabs": (lambda x: np.fabs(x), 0.0, 0.0),
    "relu": (lambda x: tg.relu(x), 0.0, 0.0),
    "sqrt": (lambda x: np.sqrt(x), 0.0, np.inf),
    "maximum": (lambda x: np.maximum(x, 1.0), 1.0, 0.5),
    "minimum": (lambda x: np.minimum(1.0, x), 1.0, 0.5),
    "fmax": (lambda x: np.fmax(x, 1.0), 1.0, 0.5),
    "fmin": (lambda x: np.fmin(x, 1.0), 1.0, 0.5),
    "clip low": (lambda x: np.clip(x, 0.0, 1.0), 0.0, 1.0),
    "clip high": (lambda x: np.clip(x, 0.0, 1.0), 1.0, 1.0),
    "x**0": (lambda x: x**0, 0.0, 0.0),
    "x**0.0": (lambda x: np.power(x, 0.0), 0.0, 0.0),
    "0**y": (lambda y: np.power(0.0, y), 2.0, 0.0),
    "x**1": (lambda x: x**1, 0.0, 1.0),
    "norm": (lambda x: np.linalg.norm(np.stack([x, x])), 0.0, 0.0),
    "norm 3": (lambda x: np.linalg.norm(np.stack([x, x]), 3), 0.0, 0.0),
    "std": (lambda x: np.std(np.stack([x, 1.0])), 1.0, 0.0),
    "hypot": (lambda x: np.hypot(x, 0.0), 0.0, 0.0),
    "logaddexp": (lambda x: np.logaddexp(x, -np.inf), -np.inf, 0.0),
    "logaddexp at infinity": (lambda x: np.logaddexp(x, 1.0), np.inf, 1.0),
    "logaddexp of two infinities": (lambda x: np.logaddexp(x, np.inf), np.inf, 0.5),
    "logaddexp2 below infinity": (lambda x: np.logaddexp2(x, np.inf), 1.0, 0.0),
    "logsumexp of -inf": (lambda x: tg.logsumexp(np.stack([x, x])), -np.inf, 0.0),
    "logsumexp at infinity": (lambda x: tg.logsumexp(np.stack([x, 1.0])), np.inf, 1.0),
    "relu of NaN": (lambda x: tg.relu(x), np.nan, 1.0),
    "maximum of NaN": (lambda x: np.maximum(x, 1.0), np.nan, 1.0),
    "minimum beside NaN": (lambda x: np.minimum(x, np.nan), 1.0, 1.0),
    "fmax of NaN": (lambda x: np.fmax(x, 1.0), np.nan, 0.0),
    "fmin beside NaN": (lambda x: np.fmin(1.0, x), np.nan, 0.0),
    "max of NaN": (lambda x: np.max(np.stack([x, 1.0])), np.nan, 1.0),
    "softmax of one number": (lambda x: tg.softmax(x), 0.7, 0.0),
    "copysign": (lambda x: np.copysign(x, -1.0), 0.0, 0.0),
}


def test_conventions():
    """Property: where calculus leaves a choice, the gradient is the one that the docs state."""
    for name, (f, x, expected) in KINKS.items():
        with row(name), np.errstate(divide="ignore"):
            assert tg.grad(f)(np.array(x)) == expected


def test_what_hides_a_singularity_says_so_in_the_second_derivative():
    """Property: squares of norms and absolute values are smooth, but not through what has no derivative at 0: NaN."""
    functions = {
        "abs²": lambda x: np.abs(x) ** 2,
        "norm²": lambda x: np.linalg.norm(np.stack([x, 2 * x])) ** 2,
        "hypot²": lambda x: np.hypot(x, 3 * x) ** 2,
        "std²": lambda x: np.std(np.stack([x, -x])) ** 2,
        "norm 1.5": lambda x: np.linalg.norm(np.stack([x, 1.0]), 1.5),
    }
    for name, f in functions.items():
        with row(name), np.errstate(all="ignore"):
            assert tg.grad(f)(np.array(0.0)) == 0.0
            assert np.isnan(tg.grad(tg.grad(f))(np.array(0.0)))
    cube = tg.grad(tg.grad(lambda x: np.linalg.norm(np.stack([x, 1.0]), 3)))
    assert cube(np.array(0.0)) == 0.0


def test_repeated_values_of_a_decomposition():
    """Property: where vectors can be exchanged, functions that do not depend on the choice have a gradient."""
    w = np.arange(9.0).reshape(3, 3)

    def projector(x):
        values, vectors = np.linalg.eigh(x)
        return np.sum(w * (vectors * np.where(values > 2, 1.0, 0.0) @ vectors.T))

    x = np.diag([1.0, 1.0, 3.0])
    expected = np.zeros((3, 3))  # of eigh, only the lower triangle counts
    expected[2, :2] = (w[2, :2] + w[:2, 2]) / 2
    np.testing.assert_allclose(tg.grad(projector)(x), expected, atol=1e-12)
    assert np.isnan(tg.grad(lambda x: np.sum(w * np.linalg.eigh(x)[1]))(x)).any()
    np.testing.assert_allclose(tg.grad(lambda x: np.linalg.norm(x, "nuc"))(np.eye(3)), np.eye(3), atol=1e-12)
    np.testing.assert_allclose(tg.grad(lambda x: np.sum(np.linalg.svd(x)[0] ** 2))(np.eye(3)), 0, atol=1e-12)


def test_small_numbers_are_not_squared():
    """Property: the vectors of X do not change with its scale, so their gradient is that of X divided by the scale."""
    x = np.array([[0.3, 0.9], [-0.5, 0.4]])

    def f(x):
        u, _, vt = np.linalg.svd(x)
        return u[0, 1] * vt[0, 1]

    np.testing.assert_allclose(tg.grad(f)(1e-200 * x) * 1e-200, tg.grad(f)(x), rtol=1e-9)


def test_a_determinant_has_derivatives_at_singular_matrices():
    """Property: the gradient of det is the matrix of cofactors; for one of rank 1 it is 0, but not its derivative."""
    x = np.array([[1.0, 2.0, 0.5], [1.0, 2.0, 0.5], [0.3, -1.0, 2.0]])
    np.testing.assert_allclose(tg.grad(np.linalg.det)(x), np.cross(np.roll(x, -1, 0), np.roll(x, -2, 0)), atol=1e-12)
    assert not tg.grad(np.linalg.det)(np.ones((3, 3))).any()
    hessian = tg.hessian(np.linalg.det)(np.ones((3, 3)))
    assert hessian[0, 0, 1, 1] == hessian[0, 0, 2, 2] == 1
    assert hessian[0, 0, 1, 2] == -1


def test_complex_eigenvalues_are_refused():
    """Property: also by a compiled function, whose first matrix had real ones."""
    gradient = tg.grad(lambda x: np.sum(np.linalg.eig(x)[0] ** 3))
    compiled = tg.compile(gradient)
    np.testing.assert_allclose(compiled(np.diag([1.0, 2.0])), np.diag([3.0, 12.0]))
    for f in (gradient, compiled, tg.grad(lambda x: np.sum(np.linalg.eigvals(x)))):
        with pytest.raises(ArgumentError, match=r"eigenvalues are real, got complex.*np\.linalg\.eigh takes symmetric"):
            f(np.array([[0.0, 1.0], [-1.0, 0.0]]))


def test_eigenvalues_alone_may_come_in_another_order():
    """Property: the gradient goes to the right ones, also in large matrices, where LAPACK orders pairs otherwise."""
    n, rng = 150, np.random.default_rng(0)
    vectors, weights, values = np.eye(n) + rng.normal(size=(n, n)) / n, rng.normal(size=n), np.arange(1.0, n + 1)
    x = vectors * values @ np.linalg.inv(vectors)
    gradient = tg.grad(lambda x: np.sum(weights * np.sort(np.linalg.eigvals(x))))(x)
    np.testing.assert_allclose(gradient, (vectors * weights @ np.linalg.inv(vectors)).T, atol=1e-9)


def test_a_softmax_of_nothing_is_refused():
    """Property: as by SciPy, along an axis without elements; the logarithm of the sum of nothing is -∞."""
    nothing = tg.Tensor(np.zeros((2, 0)), requires_grad=True)
    for f in (tg.softmax, tg.log_softmax):
        with pytest.raises(ValueError, match=r"\(2, 0\)"):
            f(nothing)
    np.testing.assert_array_equal(tg.logsumexp(nothing, axis=1).data, -np.inf)


def test_float16_is_computed_where_it_has_range():
    """Property: sums and squares of float16 do not leave its range on the way to a result that is inside."""
    many = np.zeros(4096, np.float16)
    np.testing.assert_allclose(tg.softmax(many), 1 / 4096, rtol=1e-3)
    assert tg.log_softmax(many)[0] == np.float16(-np.log(4096))
    logits = np.zeros((10_000, 10_000 // 100), np.float16)
    loss = tg.cross_entropy(logits, np.zeros(10_000, int))
    assert (loss.dtype, loss) == (np.float16, np.float16(np.log(100)))
    x = np.array([[-1000.0, 1000.0]], np.float16)
    column = np.array([[100.0]] * 300 + [[-100.0]] * 300, np.float16)
    for layer, data in ((tg.nn.LayerNorm(2, dtype=np.float16), x), (tg.nn.BatchNorm1d(1, dtype=np.float16), column)):
        t = tg.Tensor(data, requires_grad=True)
        out = layer(t)
        np.testing.assert_array_equal(out.data, np.sign(data))
        out[0, 0].backward()
        assert (out.dtype, t.grad.dtype) == (np.float16, np.float16)


def test_the_normal_distribution_is_exact_in_its_tail():
    """Where Φ(x) as (1 + erf(x/√2))/2 has lost all digits."""
    x = np.linspace(-37, 8, 500)
    exact = [math.erfc(-v / math.sqrt(2)) / 2 for v in x]
    np.testing.assert_allclose(activations.normal_cdf(x), exact, rtol=5e-13)
    np.testing.assert_allclose(activations.normal_cdf(x[x > -6]), np.array(exact)[x > -6], rtol=5e-15)
    for dtype, rtol in ((np.float32, 1e-5), (np.float16, 2e-3)):
        some = np.linspace(-3, 3, 25, dtype=dtype)
        exact = [math.erfc(-v / math.sqrt(2)) / 2 for v in some.tolist()]
        assert activations.normal_cdf(some).dtype == dtype
        np.testing.assert_allclose(activations.normal_cdf(some), exact, rtol=rtol)
    np.testing.assert_array_equal(activations.normal_cdf(np.array([-np.inf, np.inf, np.nan])), [0, 1, np.nan])


def test_the_cross_entropy_of_each_row():
    """Property: minus the logarithm of the probability of its class."""
    z, targets = np.arange(12.0).reshape(3, 4) % 5, np.array([3, 0, 2])
    expected = -np.log(tg.softmax(z)[np.arange(3), targets])
    np.testing.assert_allclose(tg.cross_entropy(z, targets, reduction="none"), expected, rtol=1e-12)


def test_masked_scores_in_the_cross_entropy():
    """Property: a class with the logit -∞ costs nothing where its target is 0, and ∞ where it is not; never NaN."""
    z = np.array([[0.0, -np.inf, 1.0]])
    assert np.isclose(tg.cross_entropy(z, np.array([[0.5, 0.0, 0.5]])), np.log(1 + np.e) - 0.5)
    assert tg.cross_entropy(z, np.array([0]), label_smoothing=0.1) == np.inf
    assert tg.cross_entropy(z, np.array([1]), label_smoothing=0.1) == np.inf
    gradient = tg.grad(lambda z: tg.cross_entropy(z, np.array([1]), label_smoothing=0.1))(z)
    np.testing.assert_allclose(gradient, tg.softmax(z) - [[0.1 / 3, 0.9 + 0.1 / 3, 0.1 / 3]], rtol=1e-12)


def test_ties_share():
    """Property: k elements that tie for the maximum get 1/k each."""
    x = np.array([[1.0, 1.0, 1.0, 1.0], [1.0, 2.0, 2.0, 1.0]])
    for f in (np.max, np.min, np.amax, np.amin):
        expected = [[0.25] * 4, [0, 0.5, 0.5, 0] if f in (np.max, np.amax) else [0.5, 0, 0, 0.5]]
        with row(function_name(f)):
            np.testing.assert_array_equal(tg.grad(lambda x, f=f: np.sum(f(x, axis=1)))(x), expected)

"""What calculus says of every gradient, as properties of whole programs and models."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_mlp as tg
from tinygrad_mlp import autodiff
from tinygrad_mlp.testing import check_grads, strategies

pairs = strategies.broadcastable_arrays(2, max_dims=2)


def total(program):
    """A program as a scalar function."""
    return lambda *arrays: np.sum(program(*arrays))


def gradients(f, *arrays):
    """All gradients of a scalar function."""
    return autodiff.grad(f, tuple(range(len(arrays))))(*arrays)


def assert_same(found, expected, rtol=1e-9):
    """Equal up to rounding."""
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-9)


@given(strategies.programs(), strategies.programs(), pairs, strategies.elements(), strategies.elements())
def test_linearity(f, g, arrays, a, b):
    """∇(a f + b g) = a ∇f + b ∇g."""
    both = gradients(lambda *x: a * np.sum(f(*x)) + b * np.sum(g(*x)), *arrays)
    separate = [a * u + b * v for u, v in zip(gradients(total(f), *arrays), gradients(total(g), *arrays), strict=True)]
    assert_same(both, separate)


@given(strategies.programs(smooth=False), pairs)
def test_chain_rule_against_evaluation(program, arrays):
    """First derivatives of random graphs, diamonds and broadcasting and kinks included, agree with evaluation.

    At a kink the composition of conventions need not be a subgradient, so arrays that hit one are left to the smooth
    programs.
    """
    moved = [x + 0.123 * (i + 1) + 0.01 * np.arange(x.size).reshape(x.shape) for i, x in enumerate(arrays)]
    check_grads(program, *moved, order=1)


@given(strategies.programs(), pairs)
def test_chain_rule_to_second_order(program, arrays):
    """First and second derivatives of smooth random graphs agree with evaluation, and exist everywhere."""
    report = check_grads(program, *arrays, order=2)
    assert not report.kinks
    assert not report.singular


@given(strategies.programs(), strategies.programs(inputs=1), pairs)
def test_chain_rule_composes(inner, outer, arrays):
    """The gradient of outer(inner(x)) is the gradient of outer at inner(x), pulled back through inner."""
    value, pull = autodiff.vjp(inner, *arrays)
    at_once = gradients(lambda *x: np.sum(outer(inner(*x))), *arrays)
    assert_same(pull(autodiff.grad(total(outer))(value)), at_once)


@given(strategies.programs(), pairs)
def test_backward_and_grad_agree(program, arrays):
    """`Tensor.backward` fills in what `grad` returns."""
    leaves = [tg.Tensor(x, requires_grad=True) for x in arrays]
    np.sum(program(*leaves)).backward()
    expected = gradients(total(program), *arrays)
    found = [np.zeros_like(leaf.data) if leaf.grad is None else leaf.grad for leaf in leaves]
    assert_same(found, expected)


@given(strategies.programs(), pairs, st.data())
def test_forward_and_backward_are_adjoint(program, arrays, data):
    """⟨J v, w⟩ = ⟨v, Jᵀ w⟩, and both give the value."""
    value, pull = autodiff.vjp(program, *arrays)
    w = data.draw(strategies.arrays(np.shape(value)))
    tangents = tuple(data.draw(strategies.arrays(x.shape)) for x in arrays)
    same_value, tangent = autodiff.jvp(program, arrays, tangents)
    np.testing.assert_array_equal(value, same_value)
    forward = np.sum(w * tangent)
    backward = sum(np.sum(v * g) for v, g in zip(tangents, pull(w), strict=True))
    assert forward == pytest.approx(float(backward), rel=1e-9, abs=1e-8)


@given(strategies.programs(inputs=1), strategies.arrays(strategies.shapes(max_dims=1)))
def test_hessian_is_symmetric(program, x):
    """∂²f/∂xᵢ∂xⱼ = ∂²f/∂xⱼ∂xᵢ, and H v is a product with that matrix."""
    hessian = autodiff.hessian(total(program))(x).reshape(x.size, x.size)
    np.testing.assert_allclose(hessian, hessian.T, rtol=1e-9, atol=1e-9)
    product = autodiff.hvp(total(program), x, np.ones_like(x))
    np.testing.assert_allclose(np.ravel(product), hessian.sum(axis=1), rtol=1e-9, atol=1e-9)


def model_gradients(model, x, labels):
    """Gradients of the mean loss with respect to the parameters."""
    for parameter in model.parameters():
        parameter.grad = None
    tg.cross_entropy(model(x), labels).backward()
    return [p.grad.copy() for p in model.parameters()]


batches = st.tuples(
    strategies.modules(3, 2), strategies.arrays(st.tuples(st.integers(1, 5), st.just(3))), st.integers(0, 99)
)


@given(batches)
def test_batch_permutation(batch):
    """The order of the examples in a batch does not change the gradient of the mean loss."""
    model, x, seed = batch
    rng = np.random.default_rng(seed)
    labels, order = rng.integers(0, 2, len(x)), rng.permutation(len(x))
    assert_same(model_gradients(model, x[order], labels[order]), model_gradients(model, x, labels))


@given(batches)
def test_mean_of_per_example_gradients(batch):
    """The gradient of the mean loss is the mean of the gradients of the single losses."""
    model, x, seed = batch
    labels = np.random.default_rng(seed).integers(0, 2, len(x))
    single = [model_gradients(model, x[i : i + 1], labels[i : i + 1]) for i in range(len(x))]
    means = [np.mean(gradients, axis=0) for gradients in zip(*single, strict=True)]
    assert_same(model_gradients(model, x, labels), means)


@given(strategies.modules(2, 3, smooth=True), strategies.arrays((2, 2)))
def test_modules_to_second_order(model, x):
    """First and second derivatives of small smooth modules with respect to their input agree with evaluation."""
    check_grads(model, x)


@given(strategies.arrays((2, 3)), strategies.elements(), st.sampled_from([tg.softmax, tg.log_softmax, tg.logsumexp]))
def test_softmax_shift_invariance(z, shift, f):
    """softmax and log_softmax do not change when a constant is added, logsumexp moves with it; gradients stay."""
    axis = {} if f is not tg.logsumexp else {"axis": -1}
    moved = shift if f is tg.logsumexp else 0
    np.testing.assert_allclose(f(z + shift, **axis), f(z, **axis) + moved, rtol=1e-9, atol=1e-12)
    weights = np.arange(1.0, 1 + np.size(f(z, **axis))).reshape(np.shape(f(z, **axis)))
    gradient = autodiff.grad(lambda z: np.sum(weights * f(z, **axis)))
    np.testing.assert_allclose(gradient(z + shift), gradient(z), rtol=1e-9, atol=1e-12)
    if f is not tg.logsumexp:
        np.testing.assert_allclose(np.sum(gradient(z), axis=-1), 0, atol=1e-9)

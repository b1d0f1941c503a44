"""The engine's gradients of the two-layer network against the closed form of the document."""

import closed_form
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_mlp as tg


@st.composite
def problems(draw, scales=(0.01, 1.0, 30.0)):
    """A network of random sizes with random weights, and a batch for it: (model, X, labels, one-hot Y)."""
    n, d, h, c = (draw(st.integers(1, 7)) for _ in range(4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scale = st.sampled_from(scales)
    model = tg.nn.MLP(d, h, c, rng=rng, dtype=np.float64)
    for parameter in model.parameters():
        parameter.data[...] = draw(scale) * rng.normal(size=parameter.shape)
    labels = rng.integers(0, c, n)
    return model, rng.normal(size=(n, d)), labels, np.eye(c)[labels]


def arrays(model):
    return [p.data for p in model.parameters()]


def close(actual, expected):
    """Equal to 1e-12 of the largest element."""
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-12 * np.abs(expected).max(initial=0))


@given(problems())
def test_forward_pass_is_the_closed_form(problem):
    """Property: logits, softmax and cross-entropy of the model are z, p and L of the document."""
    model, X, labels, Y = problem
    expected = closed_form.forward(X, Y, *arrays(model))
    logits = model(X)
    close(logits.data, expected.z)
    close(tg.softmax(logits).data, expected.p)
    close(tg.cross_entropy(logits, labels).data, np.asarray(expected.loss))


@given(problems())
def test_parameter_gradients_are_the_closed_form(problem):
    """Property: backward() fills the four gradients of the document, in the shapes of its section 7."""
    model, X, labels, Y = problem
    tg.cross_entropy(model(X), labels).backward()
    expected = closed_form.backward(X, Y, *arrays(model))
    for parameter, gradient in zip(
        model.parameters(), [expected.W1, expected.b1, expected.W2, expected.b2], strict=True
    ):
        assert parameter.grad.shape == parameter.shape
        close(parameter.grad, gradient)


@given(problems())
def test_intermediate_gradients_are_the_closed_form(problem):
    """Property: the gradients that flow through z, h and a1 are δz = (P-Y)/N, δh = δz W2ᵀ, δa1 = δh ⊙ 1[a1>0]."""
    model, X, labels, Y = problem
    a1 = model.fc1(X)
    h = tg.relu(a1)
    z = model.fc2(h)
    dz, dh, da1 = tg.gradients(tg.cross_entropy(z, labels), [z, h, a1])
    expected = closed_form.backward(X, Y, *arrays(model))
    close(dz, expected.dz)
    close(dh, expected.dh)
    close(da1, expected.da1)


@given(problems())
def test_one_hot_and_class_targets_agree(problem):
    """Property: labels as class numbers and as one-hot rows give the same loss and the same gradients."""
    model, X, labels, Y = problem
    by_number, by_row = (tg.cross_entropy(model(X), targets) for targets in (labels, Y))
    np.testing.assert_allclose(by_row.item(), by_number.item(), rtol=1e-12)
    by_number.backward()
    by_class = [p.grad for p in model.parameters()]
    model.zero_grad()
    by_row.backward()
    for parameter, gradient in zip(model.parameters(), by_class, strict=True):
        close(parameter.grad, gradient)


@given(problems(), st.data())
def test_a_dead_unit_gets_exactly_zero(problem, data):
    """Property: a hidden unit with a1 <= 0 for the whole batch outputs 0 and its weights get exactly 0."""
    model, X, labels, _ = problem
    unit = data.draw(st.integers(0, model.fc1.bias.size - 1))
    model.fc1.bias.data[unit] = -(np.abs(X @ model.fc1.weight.data).max() + 1)
    hidden = tg.relu(model.fc1(X))
    tg.cross_entropy(model.fc2(hidden), labels).backward()
    assert not hidden.data[:, unit].any()
    assert not model.fc1.weight.grad[:, unit].any()
    assert model.fc1.bias.grad[unit] == 0
    assert not model.fc2.weight.grad[unit].any()


def test_at_zero_the_relu_passes_nothing():
    """1[a1 > 0]: a unit with a1 = 0 exactly counts as dead."""
    a1 = tg.Tensor([0.0, -1.0, 2.0], requires_grad=True)
    tg.relu(a1).sum().backward()
    np.testing.assert_array_equal(a1.grad, [0.0, 0.0, 1.0])


@given(problems(), st.floats(0.001, 1))
def test_gradient_descent_is_theta_minus_eta_gradient(problem, lr):
    """Property: a step of SGD is θ ← θ - η ∇L, with the closed form's gradients."""
    model, X, labels, Y = problem
    before = [a.copy() for a in arrays(model)]
    expected = closed_form.backward(X, Y, *before)
    tg.cross_entropy(model(X), labels).backward()
    tg.optim.SGD(model.parameters(), lr).step()
    gradients = [expected.W1, expected.b1, expected.W2, expected.b2]
    for parameter, old, gradient in zip(model.parameters(), before, gradients, strict=True):
        np.testing.assert_allclose(parameter.data, old - lr * gradient, rtol=1e-12, atol=1e-12 * np.abs(old).max())


@given(problems(scales=(1.0,)), st.sampled_from([-10_000.0, 10_000.0]))
def test_huge_logits_stay_exact(problem, shift):
    """Property: adding ±10,000 to all logits changes neither the loss nor the gradient, and nothing overflows."""
    model, X, labels, _ = problem
    z = tg.Tensor(model(X).data, requires_grad=True)
    shifted = tg.Tensor(z.data + shift, requires_grad=True)
    a, b = tg.cross_entropy(z, labels), tg.cross_entropy(shifted, labels)
    a.backward()
    b.backward()
    np.testing.assert_allclose(b.data, a.data, atol=1e-10)
    np.testing.assert_allclose(shifted.grad, z.grad, atol=1e-10)


@given(problems(), st.floats(0, 0.99))
def test_label_smoothing_is_smoothed_targets(problem, epsilon):
    """Property: label_smoothing=ε is the cross-entropy against (1-ε) Y + ε/C."""
    model, X, labels, Y = problem
    smoothed = (1 - epsilon) * Y + epsilon / Y.shape[1]
    a = tg.cross_entropy(model(X), labels, label_smoothing=epsilon)
    a.backward()
    gradients = [p.grad for p in model.parameters()]
    model.zero_grad()
    b = tg.cross_entropy(model(X), smoothed)
    b.backward()
    close(a.data, b.data)
    for parameter, gradient in zip(model.parameters(), gradients, strict=True):
        np.testing.assert_allclose(parameter.grad, gradient, rtol=0, atol=1e-12 * max(1, np.abs(gradient).max()))


@pytest.mark.parametrize("init, variance", [("he", 2 / 400), ("xavier", 2 / 700), ("normal", 1e-4)])
def test_initial_weights_have_their_variance(init, variance):
    """He, Xavier and Normal: mean 0 and the variance of their formula, within four standard errors."""
    weight = tg.nn.Linear(400, 300, init=init, rng=0, dtype=np.float64).weight.data
    assert abs(weight.mean()) < 4 * np.sqrt(variance / weight.size)
    assert abs(weight.var() / variance - 1) < 4 * np.sqrt(2 / weight.size)


def test_the_network_of_the_document():
    """784 inputs, 128 hidden units, 10 outputs: the shapes of sections 1, 2 and 7, and 101,770 parameters."""
    model = tg.nn.MLP(784, 128, 10, rng=0)
    shapes = {name: p.shape for name, p in model.named_parameters()}
    assert shapes == {"fc1.weight": (784, 128), "fc1.bias": (128,), "fc2.weight": (128, 10), "fc2.bias": (10,)}
    assert sum(p.size for p in model.parameters()) == 101_770
    assert isinstance(model.activation1, tg.nn.ReLU)

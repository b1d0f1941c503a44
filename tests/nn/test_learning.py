"""What the network of the document can learn."""

import numpy as np

import tinygrad_mlp as tg

X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
XOR = np.array([0, 1, 1, 0])


def fitted_accuracy(model):
    optimizer = tg.optim.Adam(model.parameters(), 0.05)
    for _ in range(300):
        optimizer.zero_grad()
        tg.cross_entropy(model(X), XOR).backward()
        optimizer.step()
    return np.mean(model(X).argmax(axis=1) == XOR)


def test_xor_needs_a_hidden_layer():
    """No line separates XOR: logistic regression gets three of four at the most, two layers get all."""
    assert fitted_accuracy(tg.nn.MLP(2, 2, rng=0, dtype=np.float64)) <= 0.75
    assert fitted_accuracy(tg.nn.MLP(2, 8, 2, rng=0, dtype=np.float64)) == 1.0


def test_a_batch_gradient_is_the_mean_of_the_gradients_of_its_examples():
    model, rng = tg.nn.MLP(5, 4, 3, rng=0, dtype=np.float64), np.random.default_rng(1)
    x, y = rng.normal(size=(6, 5)), rng.integers(0, 3, 6)
    tg.cross_entropy(model(x), y).backward()
    whole = [p.grad for p in model.parameters()]
    model.zero_grad()
    for i in range(6):
        (tg.cross_entropy(model(x[i : i + 1]), y[i : i + 1]) / 6).backward()
    for parameter, gradient in zip(model.parameters(), whole, strict=True):
        np.testing.assert_allclose(parameter.grad, gradient, rtol=1e-12, atol=1e-15)

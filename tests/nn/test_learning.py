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

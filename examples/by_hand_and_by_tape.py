"""The document's network trained twice: with each gradient derived by hand, and by the tape, to the same weights."""

import time

import numpy as np

import tinygrad_mlp as tg

STEPS, N, RATE = 100, 64, 0.3


def gradients_by_hand(X, Y, W1, b1, W2, b2):
    """Sections 2 to 4 of the document, in its letters."""
    a1 = X @ W1 + b1
    h = np.maximum(0, a1)
    z = h @ W2 + b2
    e = np.exp(z - z.max(axis=1, keepdims=True))
    P = e / e.sum(axis=1, keepdims=True)

    dz = (P - Y) / len(X)  # δz = (P - Y) / N
    dh = dz @ W2.T
    da1 = dh * (a1 > 0)  # δa₁ = δh ⊙ 1[a₁ > 0]
    return X.T @ da1, da1.sum(axis=0), h.T @ dz, dz.sum(axis=0)


def loss(X, Y, W1, b1, W2, b2):
    """The forward pass, which is all that the tape is told."""
    return tg.cross_entropy(tg.relu(X @ W1 + b1) @ W2 + b2, Y)


def train(gradients, X, Y, parameters):
    """Gradient descent, θ ← θ - η ∇θ, on one batch after the other."""
    started = time.perf_counter()
    for step in range(STEPS):
        batch = slice(step * N, (step + 1) * N)
        slopes = gradients(X[batch], Y[batch], *parameters)
        parameters = [p - RATE * slope for p, slope in zip(parameters, slopes, strict=True)]
    return parameters, time.perf_counter() - started


data = tg.data.load_mnist()
X, Y = tg.data.to_float(data.train.images[: STEPS * N]), np.eye(10, dtype=np.float32)[data.train.labels[: STEPS * N]]
rng = np.random.default_rng(0)
W1, W2 = (rng.normal(0, np.sqrt(2 / n), (n, m)).astype(np.float32) for n, m in ((784, 128), (128, 10)))
start = [W1, np.zeros(128, np.float32), W2, np.zeros(10, np.float32)]

by_hand, seconds_by_hand = train(gradients_by_hand, X, Y, start)
by_tape, seconds_by_tape = train(tg.grad(loss, argnum=(2, 3, 4, 5)), X, Y, start)

for name, hand, tape in zip(("W1", "b1", "W2", "b2"), by_hand, by_tape, strict=True):
    print(f"{name}: largest difference {np.abs(hand - tape).max():.0e}, largest element {np.abs(hand).max():.2f}")
X, labels = tg.data.to_float(data.test.images), data.test.labels
for name, (W1, b1, W2, b2), seconds in (("hand", by_hand, seconds_by_hand), ("tape", by_tape, seconds_by_tape)):
    right = np.mean((np.maximum(0, X @ W1 + b1) @ W2 + b2).argmax(axis=1) == labels)
    print(f"by {name}: test accuracy {100 * right:.2f} %, {seconds:.2f} s")

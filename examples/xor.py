"""XOR: what one layer cannot learn, and two layers can, with the hidden units that make the difference."""

import numpy as np

import tinygrad_mlp as tg

X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=np.float64)
Y = np.array([0, 1, 1, 0])


def train(model, steps=300):
    """The loss after so many steps of Adam on all four points."""
    optimizer = tg.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(steps):
        loss = tg.cross_entropy(model(X), Y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


line = tg.nn.Linear(2, 2, rng=0)
print(f"one layer:  loss {train(line):.4f}, and log 2 = {np.log(2):.4f}: no better than to guess")

network = tg.nn.MLP(2, 4, 2, activation="tanh", rng=0)
print(f"two layers: loss {train(network):.4f}")

hidden, classes = np.tanh(network.fc1(X)).data, network(X).argmax(axis=1)
print("\n  X    class  hidden units, in which a line does separate the classes")
for x, unit, found in zip(X.astype(int), hidden, classes, strict=True):
    print(f"{x[0]} {x[1]}  {found:5}    {'  '.join(f'{u:5.2f}' for u in unit)}")

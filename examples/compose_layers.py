"""Write a layer of one's own, compose it with others, and train the result: a residual network on two spirals."""

import numpy as np

import tinygrad_mlp as tg


class Residual(tg.nn.Module):
    """x + f(x): whatever f does, the gradient has a straight way back."""

    def __init__(self, inner):
        self.inner = inner

    def forward(self, x):
        return x + self.inner(x)


def spirals(rng, n=400):
    """Points on two arms that wind around each other, and the arm of each."""
    arm = rng.integers(0, 2, n)
    radius = rng.uniform(0.2, 1.0, n)
    angle = 12 * radius + np.pi * arm
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return (points + rng.normal(0, 0.02, points.shape)).astype(np.float32), arm


rng = np.random.default_rng(0)
x, y = spirals(rng)
model = tg.nn.Sequential(
    tg.nn.Linear(2, 32, rng=rng),
    Residual(tg.nn.Sequential(tg.nn.LayerNorm(32), tg.nn.MLP(32, 32, 32, activation="gelu", rng=rng))),
    Residual(tg.nn.Sequential(tg.nn.LayerNorm(32), tg.nn.MLP(32, 32, 32, activation="gelu", rng=rng))),
    tg.nn.Linear(32, 2, init="xavier", rng=rng),
)
print(model)

optimizer = tg.optim.AdamW(model.parameters(), tg.optim.schedules.cosine(0.01, 200), weight_decay=0.01)
for step in range(200):
    loss = tg.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    norm = tg.optim.clip_grad_norm(model.parameters(), max_norm=1.0)
    optimizer.step()
    if step % 50 == 49:
        accuracy = np.mean(model(x).argmax(axis=1) == y)
        print(f"step {step + 1:3}  loss {loss.item():.4f}  gradient norm {norm:.3f}  accuracy {100 * accuracy:.1f} %")

"""A user's script as a type checker sees it: `.ci/run` checks it strictly against the installed wheel.

Each slip at the end must be flagged, because an ignore that silences nothing is itself an error there.
"""

from typing import TYPE_CHECKING, Any, assert_type

import numpy as np

import tinygrad_mlp as tg


class Classifier(tg.nn.Module):
    """A module of one's own: calling it has the types of its forward."""

    def __init__(self) -> None:
        self.hidden = tg.nn.Linear(4, 8, rng=0)
        self.out = tg.nn.Linear(8, 3, rng=1)

    def forward(self, x: Any) -> tg.Tensor:
        """Scores."""
        return self.out(tg.relu(self.hidden(x)))


x = tg.Tensor(np.ones((5, 4), np.float32))
model = tg.nn.MLP(4, 8, 3, rng=0)
loss = tg.cross_entropy(model(x), np.array([0, 1, 2, 0, 1]))

assert_type(model(x), tg.Tensor)
assert_type(Classifier()(x), tg.Tensor)
assert_type(x + 1, tg.Tensor)
assert_type(2 * x @ model.fc1.weight, tg.Tensor)
assert_type((x**2).mean(axis=0).T, tg.Tensor)
assert_type(tg.relu(x), tg.Tensor)
assert_type(tg.softmax(x, axis=0), tg.Tensor)
assert_type(tg.mse_loss(x, np.zeros((5, 4))), tg.Tensor)
assert_type(loss, tg.Tensor)

optimizer = tg.optim.AdamW(model.parameters(), lr=tg.optim.schedules.cosine(0.01, total_steps=10))
optimizer.zero_grad()
loss.backward()
optimizer.step()
print(f"{loss.item():.4f} {tg.train.History()} {tg.data.to_float(np.zeros((1, 2, 2), np.uint8)).shape}")

if TYPE_CHECKING:
    tg.nosuch  # type: ignore[attr-defined]
    tg.Tensro  # type: ignore[attr-defined]
    tg.nn.Linear("3", 2, rng=0)  # type: ignore[arg-type]
    tg.optim.SGD(model.parameters(), "fast")  # type: ignore[arg-type]

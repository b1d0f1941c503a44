"""Digits that a trained network takes for others, made by the gradient with respect to the image: adversarial.png.

python examples/adversarial.py [--steps 200] [--out adversarial.png]        # needs the extra plots
"""

import argparse

import numpy as np
from PIL import Image

import tinygrad_mlp as tg

options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
options.add_argument("--steps", type=int, default=200)
options.add_argument("--out", default="adversarial.png")
given = options.parse_args()

rng = np.random.default_rng(0)
train, test = tg.data.load_mnist()
model = tg.nn.MLP(784, 64, 10, rng=rng)
optimizer = tg.optim.AdamW(model.parameters(), lr=0.003)
for _ in range(given.steps):
    some = rng.integers(0, len(train.labels), 128)
    loss = tg.cross_entropy(model(tg.data.to_float(train.images[some])), train.labels[some])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

# The weights stand still now, and the images move: uphill, to where the loss of their own class is larger. A step of
# the same size in every pixel, x + ε sign(∂L/∂x), is the largest rise that a bound on each pixel allows.
images, labels = tg.data.to_float(test.images[:1000]), test.labels[:1000]
slope = tg.grad(lambda x: tg.cross_entropy(model(x), labels))(images)
for epsilon in (0.0, 0.02, 0.05, 0.1, 0.2):
    moved = np.clip(images + epsilon * np.sign(slope), 0, 1)
    right = np.mean(model(moved).argmax(axis=1) == labels)
    print(f"every pixel moved by at most {epsilon:4.2f}: accuracy {100 * right:5.1f} %")

moved = np.clip(images + 0.1 * np.sign(slope), 0, 1)
before, after = model(images).argmax(axis=1), model(moved).argmax(axis=1)
fooled = np.flatnonzero((before == labels) & (after != labels))[:8]
print("above, what is seen right; below, what the network takes for", *after[fooled])
rows = [np.concatenate([x.reshape(28, 28) for x in some[fooled]], axis=1) for some in (images, moved)]
picture = Image.fromarray(np.rint(255 * np.concatenate(rows)).astype(np.uint8))
picture.resize((picture.width * 2, picture.height * 2), Image.Resampling.NEAREST).save(given.out)
print(f"wrote {given.out}")

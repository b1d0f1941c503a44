"""Two spirals, and the boundary between them while the network learns it, as an animated picture: spiral.gif.

python examples/spiral.py [--steps 200] [--out spiral.gif]        # needs the extra plots
"""

import argparse

import numpy as np
from PIL import Image, ImageDraw

import tinygrad_mlp as tg

SIDE = 160  # pixels
BLUE, ORANGE = np.array([[70, 110, 190], [225, 135, 50]])


def spirals(rng, n=300):
    """Points in [-1, 1]² on two arms that wind around each other, and the arm of each."""
    arm = rng.integers(0, 2, n)
    radius = rng.uniform(0.1, 0.95, n)
    angle = 8 * radius + np.pi * arm
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return points + rng.normal(0, 0.015, points.shape), arm


def picture(model, points, arms):
    """What the network says of each pixel, paler where it is less sure, and the points on it."""
    axis = np.linspace(-1, 1, SIDE)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1)
    with tg.no_grad():
        p = tg.softmax(model(grid), axis=-1).data
    sure = np.abs(p[..., :1] - 0.5) * 1.2
    colours = np.where(p[..., :1] > 0.5, BLUE, ORANGE) * sure + 255 * (1 - sure)
    image = Image.fromarray(np.rint(colours).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for (x, y), arm in zip((points + 1) / 2 * (SIDE - 1), arms, strict=True):
        draw.ellipse([x - 2, y - 2, x + 2, y + 2], fill=tuple(map(int, (BLUE, ORANGE)[arm])), outline="white")
    return image.quantize(64, dither=Image.Dither.NONE)


options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
options.add_argument("--steps", type=int, default=200)
options.add_argument("--out", default="spiral.gif")
given = options.parse_args()

rng = np.random.default_rng(0)
points, arms = spirals(rng)
model = tg.nn.MLP(2, 32, 32, 2, activation="tanh", rng=rng)
optimizer = tg.optim.AdamW(model.parameters(), lr=0.01)
frames = []
for step in range(given.steps + 1):
    loss = tg.cross_entropy(model(points), arms)
    if step % (given.steps // 20) == 0:
        frames.append(picture(model, points, arms))
    if step % (given.steps // 4) == 0:
        accuracy = np.mean(model(points).argmax(axis=1) == arms)
        print(f"step {step:3}  loss {loss.item():.4f}  accuracy {100 * accuracy:.1f} %")
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
times = [150] * (len(frames) - 1) + [2000]  # milliseconds
frames[0].save(given.out, save_all=True, append_images=frames[1:], duration=times, loop=0)
print(f"wrote {given.out}")

"""Digits drawn by strokes, on papers, at places and in sizes: what `predict` must read as well as a centred original.

``python tests/data/drawings.py RUN`` measures it at full size, for the table in ``docs/pictures.md``.
"""

import argparse
import itertools
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from tinygrad_mlp.commands.run import load
from tinygrad_mlp.data.images import read_images
from tinygrad_mlp.train.evaluation import predict

SIZES = ((64, 64), (280, 280), (900, 600))
WIDTHS = (0.03, 0.08, 0.14)  # of a stroke, in heights of the digit


def arc(x, y, rx, ry, start, stop, n=24):
    """Points on an ellipse; degrees, clockwise from the right, y downwards."""
    t = np.radians(np.linspace(start, stop, n))
    return np.stack([x + rx * np.cos(t), y + ry * np.sin(t)], axis=1)


def line(*points):
    return np.array(points, float)


# In a box from (0, 0), top left, to (1, 1); each digit in the ways people write it, each way a list of strokes.
GLYPHS = {
    0: [[arc(0.5, 0.5, 0.36, 0.5, -90, 270)], [arc(0.5, 0.5, 0.28, 0.5, -70, 290)]],
    1: [[line((0.5, 0), (0.5, 1))], [line((0.3, 0.25), (0.55, 0), (0.5, 1))]],
    2: [
        [np.concatenate([arc(0.48, 0.27, 0.32, 0.27, -170, 30), line((0.1, 1), (0.88, 1))])],
        [np.concatenate([arc(0.48, 0.27, 0.3, 0.27, -150, 40), line((0.15, 0.97), (0.9, 0.93))])],
    ],
    3: [
        [np.concatenate([arc(0.42, 0.25, 0.34, 0.25, -150, 80), arc(0.42, 0.74, 0.4, 0.26, -80, 150)])],
        [np.concatenate([line((0.12, 0.03), (0.8, 0.03), (0.42, 0.4)), arc(0.42, 0.7, 0.38, 0.3, -80, 150)])],
    ],
    4: [
        [line((0.15, 0), (0.1, 0.55), (0.85, 0.55)), line((0.75, 0.05), (0.7, 1))],
        [line((0.65, 0), (0.08, 0.62), (0.92, 0.62)), line((0.68, 0.3), (0.66, 1))],
    ],
    5: [
        [np.concatenate([line((0.85, 0), (0.25, 0), (0.2, 0.42)), arc(0.45, 0.68, 0.38, 0.32, -115, 140)])],
        [
            np.concatenate([line((0.25, 0.02), (0.22, 0.45)), arc(0.45, 0.7, 0.35, 0.3, -110, 140)]),
            line((0.25, 0.02), (0.85, 0)),
        ],
    ],
    6: [
        [np.concatenate([line((0.68, 0), (0.4, 0.25), (0.22, 0.6)), arc(0.5, 0.73, 0.3, 0.27, 190, -170)])],
        [np.concatenate([line((0.55, 0), (0.3, 0.35), (0.2, 0.7)), arc(0.48, 0.76, 0.28, 0.24, 180, -160)])],
    ],
    7: [[line((0.1, 0.02), (0.9, 0.02), (0.42, 1))], [line((0.12, 0.08), (0.85, 0.03), (0.6, 0.45), (0.45, 1))]],
    8: [
        [arc(0.5, 0.25, 0.27, 0.25, 90, 450), arc(0.5, 0.75, 0.34, 0.25, -90, 270)],
        [np.concatenate([arc(0.5, 0.25, 0.26, 0.25, -30, -270), arc(0.5, 0.75, 0.32, 0.25, -90, 180), [(0.75, 0.1)]])],
    ],
    9: [
        [np.concatenate([arc(0.45, 0.28, 0.3, 0.28, 0, -360), line((0.75, 0.28), (0.7, 0.65), (0.6, 1))])],
        [np.concatenate([arc(0.45, 0.28, 0.28, 0.28, -20, -360), line((0.73, 0.28), (0.72, 1))])],
    ],
}  # fmt: skip


def strokes(digit, rng):
    """One writing of a digit: leaning, narrower or wider, its lines not quite straight; height 1, around (0, 0)."""
    glyph = GLYPHS[digit][rng.integers(len(GLYPHS[digit]))]
    turn, lean, wide = rng.normal(0, 0.08), rng.normal(-0.12, 0.12), rng.uniform(0.6, 0.85)
    shape = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ [[wide, lean], [0, 1]]
    drawn = []
    for stroke in glyph:
        height, number, phase = rng.uniform([[0], [2], [0]], [[0.025], [6], [6]], (3, 2))
        wave = height * np.sin(number * stroke[:, ::-1] + phase)
        drawn.append((stroke - 0.5 + wave) @ shape.T)
    low, high = np.concatenate(drawn).min(axis=0), np.concatenate(drawn).max(axis=0)
    return [(stroke - (low + high) / 2) / (high - low).max() for stroke in drawn]


def mask(drawn, size, height, place, width):
    """Coverage by ink, uint8, of a digit that is `height` pixels high and whose middle is at `place`."""
    finer = max(1, 512 // max(size))
    picture = Image.new("L", (size[0] * finer, size[1] * finer))
    pen = ImageDraw.Draw(picture)
    radius = max(0.5, width * height / 2) * finer
    for stroke in drawn:
        points = [tuple(p) for p in (stroke * height + place) * finer]
        pen.line(points, fill=255, width=round(2 * radius), joint="curve")
        for x, y in points:
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return picture.resize(size, Image.Resampling.BOX)


def flat(colour, ink):
    return lambda m, rng: Image.composite(Image.new("RGB", m.size, ink), Image.new("RGB", m.size, colour), m)


def shaded(m, rng):
    """A photo: cream paper with grain, light from one side, and a soft shadow over part of it."""
    width, height = m.size
    y, x = np.mgrid[:height, :width] / max(m.size)
    slope, offset = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 0.6)
    light = 1 - 0.35 * (x * np.cos(slope) + y * np.sin(slope)) ** 2
    light *= 1 - 0.4 / (1 + np.exp(-(x * np.cos(slope + 2) + y * np.sin(slope + 2) - offset) * 25))
    cover = np.asarray(m, float)[..., None] / 255
    colour = cover * [50, 50, 80] + (1 - cover) * [235, 228, 210]
    photo = colour * light[..., None] + rng.normal(0, 4, (height, width, 1))
    return Image.fromarray(np.clip(photo, 0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(max(m.size) / 800))


def cut_out(m, rng):
    """White ink on nothing, as a canvas in a dark page exports it."""
    return Image.merge("RGBA", (Image.new("L", m.size, 255),) * 3 + (m,))


PAPERS = {
    "white": flat("white", "black"),
    "grey": flat((150, 150, 150), (40, 40, 40)),
    "cream": flat((250, 238, 205), (30, 40, 120)),
    "photo with a shadow": shaded,
    "blackboard": flat((40, 52, 46), (225, 225, 215)),
    "transparent, white ink": cut_out,
}


def centred(drawn, width):
    """The original: drawn straight into MNIST's box, with its centre of mass in the middle."""
    rough = np.asarray(mask(drawn, (28, 28), 20, (14.5, 14.5), width), float)
    middle = [np.average(np.arange(28) + 0.5, weights=rough.sum(axis=axis)) for axis in (0, 1)]  # x, y
    return np.asarray(mask(drawn, (28, 28), 20, 29 - np.array(middle), width))


def anywhere(drawn, size, width, rng):
    """The same digit at some place of a larger picture, from a third to two thirds as high."""
    height = min(size) * rng.uniform(0.35, 0.65)
    margin = height * (0.5 + width / 2) + 1
    return mask(drawn, size, height, [rng.uniform(margin, side - margin) for side in size], width)


def main():
    options = argparse.ArgumentParser(description="Measure how well drawings are read.")
    options.add_argument("run", type=Path, help="Directory of a run trained on MNIST.")
    options.add_argument("--writings", type=int, default=2, help="Ways in which each digit is written.")
    options.add_argument("--places", type=int, default=20, help="Places for each writing, width, paper and size.")
    given = options.parse_args()
    model, rng = load(given.run).model, np.random.default_rng(0)
    rows = []  # digit, class found, and what it is counted under
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "drawing.png")

        def found(image):
            return int(predict(model, image[None]).argmax())

        for digit, _, width in itertools.product(range(10), range(given.writings), WIDTHS):
            drawn = strokes(digit, rng)
            rows.append((digit, found(centred(drawn, width)), "centred", "", width))
            for size, _ in itertools.product(SIZES, range(given.places)):
                covered = anywhere(drawn, size, width, rng)
                for name, paper in PAPERS.items():
                    paper(covered, rng).save(file)
                    rows.append((digit, found(read_images(file)[0]), name, size, width))
    for column in (2, 3, 4):
        for value in dict.fromkeys(row[column] for row in rows):
            chosen = [row[0] == row[1] for row in rows if row[column] == value and (column == 2 or row[2] != "centred")]
            if chosen:
                print(f"{value!s:24} {len(chosen):7,} pictures  {100 * np.mean(chosen):6.2f} % right")


if __name__ == "__main__":
    main()

"""A drawing as MNIST would have it: its ink alone, white on black, scaled and centred as those digits were."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

LARGEST_SIDE = 512  # pixels; larger pictures are scaled down before anything is looked for in them
COARSE = 64  # longest side of the pictures in which paper is told from ink
BOX = 20 / 28  # MNIST: digits fit a box of 20×20 in 28×28
FINER = 4  # strokes are thickened in pixels so many times finer than those of the result
STROKE = 1.75 / 28  # to which thinner strokes are thickened; those of MNIST are about 2.5/28 wide
FAINTEST = 0.12  # of the brightness of the paper: the least that ink differs from it
NOISE = 5.0  # standard deviations of the grain of the paper, from which on something is ink


def fitted(grey: "Image", height: int, width: int) -> NDArray[np.uint8] | None:
    """The ink in a grey picture, white on black, as MNIST places its digits; None where there is no ink.

    The ink keeps its proportions. It is scaled to a box of 20/28 of the result, and its centre of mass comes to lie in
    the middle, as on http://yann.lecun.com/exdb/mnist/. Strokes thinner than MNIST's are thickened. A picture that
    comes from MNIST stays as it is.

    Parameters
    ----------
    grey : Image of mode "L"
        Dark on light or light on dark; its border is taken for paper.
    height, width : int
        Of the result, in pixels.
    """
    from PIL import Image, ImageFilter

    small = shrunk(grey, LARGEST_SIDE)
    dark = is_dark(small)
    if grey.size == (width, height):
        image: NDArray[np.uint8] = np.bitwise_xor(np.asarray(grey), np.uint8(255 * dark))
        if is_fitted(image):
            return image
    ink = ink_of(small, dark=dark)
    if ink is None:
        return None
    top, bottom = extent(ink.sum(axis=1))
    left, right = extent(ink.sum(axis=0))
    scale = max((bottom - top) / height, (right - left) / width) / BOX  # pixels of the picture to one of the result
    (y, x), (middle_y, middle_x) = centre(ink), middle(height, width)
    corner = y - middle_y * scale, x - middle_x * scale
    fine = cut_out(ink, corner, scale, height, width)
    lacking = FINER * STROKE * min(height, width) - stroke_width(fine)
    if lacking >= 2:
        fine = fine.filter(ImageFilter.MaxFilter(int(lacking) // 2 * 2 + 1))
    found = np.asarray(fine.resize((width, height), Image.Resampling.BOX), np.float32)
    as_bytes: NDArray[np.uint8] = np.rint(found * (255 / found.max())).astype(np.uint8)
    return as_bytes


def is_fitted(image: NDArray[np.uint8]) -> bool:
    """Whether an image is light on a black that is black, in a box as those of MNIST, and lies where they lie."""
    rows, columns = (np.flatnonzero(image.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return False
    too_small = max(np.ptp(rows) + 1 - BOX * len(image), np.ptp(columns) + 1 - BOX * len(image[0]))
    away = np.subtract(centre(image), middle(*image.shape))
    return bool(abs(too_small) <= 1 and np.abs(away).max() < 1)


def centre(image: NDArray[Any]) -> tuple[float, float]:
    """The centre of mass, in pixels from the top and from the left edge."""
    y, x = (np.average(np.arange(n) + 0.5, weights=image.sum(axis=1 - i)) for i, n in enumerate(image.shape))
    return float(y), float(x)


def middle(height: int, width: int) -> tuple[float, float]:
    """Where MNIST has the centre of mass: in the middle of pixel 14 of 28, counted from 0."""
    return height // 2 + 0.5, width // 2 + 0.5


def shrunk(picture: "Image", side: int) -> "Image":
    """A copy whose sides are at most so long."""
    from PIL import Image

    copy = picture.copy()
    copy.thumbnail((side, side), Image.Resampling.BOX)
    return copy


def ink_of(grey: "Image", *, dark: bool) -> NDArray[np.float32] | None:
    """How much of each pixel is ink, from 0 to 1, whatever the paper and the light on it; None where there is none."""
    from PIL import Image

    half = max(grey.size) / 2
    departure = departure_from_paper(grey, half, dark=dark)
    bold = departure > full_ink(departure) / 2
    # Again, as closely as the strokes allow: the smaller the window, the smaller the shadows that go with the paper.
    width = stroke_width(Image.fromarray(bold.astype(np.uint8) * 255))
    departure = departure_from_paper(grey, min(3 * width + 1, half), dark=dark)
    departure -= np.median(departure)  # closing takes the lightest of the grain of the paper for paper
    full = full_ink(departure)
    grain = 1.5 * float(np.median(np.abs(departure)))
    if full < max(FAINTEST, NOISE * grain):
        return None
    least = max(0.3 * full, 3 * grain)
    ink: NDArray[np.float32] = np.clip((departure - least) / (0.9 * full - least), 0, 1, dtype=np.float32)
    return np.where(drawn(ink), ink, np.float32(0))


def drawn(ink: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which pixels belong to the drawing, and not to specks or to the edge of something at the border."""
    from PIL import Image

    height, width = ink.shape
    amounts = np.asarray(shrunk(Image.fromarray(ink), COARSE))
    labels = components(amounts > 0.05)
    mass = np.bincount(labels.ravel(), amounts.ravel())
    mass[0] = 0
    inner = mass.copy()
    inner[np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])] = 0
    if inner.max() > mass.max() / 4:
        mass = inner
    kept = Image.fromarray((mass > mass.max() / 20)[labels])
    return np.asarray(kept.resize((width, height)))


def components(mask: NDArray[np.bool_]) -> NDArray[np.intp]:
    """A number for each set of neighbouring pixels in a mask, 0 outside it."""
    labels = np.pad(np.where(mask, np.arange(1, mask.size + 1).reshape(mask.shape), 0), 1)
    while True:
        rows = np.maximum(np.maximum(labels[:-2], labels[2:]), labels[1:-1])
        largest = np.maximum(np.maximum(rows[:, :-2], rows[:, 2:]), rows[:, 1:-1]) * mask
        if np.array_equal(largest, labels[1:-1, 1:-1]):
            return np.unique(largest, return_inverse=True)[1].reshape(mask.shape)
        labels[1:-1, 1:-1] = largest


def departure_from_paper(grey: "Image", widest: float, *, dark: bool) -> NDArray[np.float32]:
    """By what part of the light of the paper around it each pixel is darker, or lighter if the ink is.

    What is narrower than the widest stroke is not paper.
    """
    from PIL import Image, ImageFilter

    coarse = shrunk(grey, COARSE)
    side = int(widest * max(coarse.size) / max(grey.size)) // 2 * 2 + 3
    most, least = ImageFilter.MaxFilter(side), ImageFilter.MinFilter(side)
    # Closing, or opening if the ink is light: strokes go, shadows stay.
    paper = coarse.filter(most).filter(least) if dark else coarse.filter(least).filter(most)
    light = np.asarray(paper.resize(grey.size, Image.Resampling.BILINEAR), np.float32)
    difference = light - np.asarray(grey, np.float32)
    return (difference if dark else -difference) / (light + 16)


def full_ink(departure: NDArray[np.float32]) -> float:
    """The departure from the paper of a pixel that is all ink."""
    return float(np.median(departure[departure >= departure.max() / 2]))


def is_dark(grey: "Image") -> bool:
    """Whether the ink is darker than the paper: the strongest departure from the border, in ratios of light, is ink."""
    level = np.log(np.asarray(shrunk(grey, 4 * COARSE), np.float32) + 16)
    border = np.median(np.concatenate([level[0], level[-1], level[:, 0], level[:, -1]]))
    return bool(border - level.min() >= level.max() - border)


def extent(profile: NDArray[Any]) -> tuple[float, float]:
    """From where to where all of a row or column sum lies but for its outermost two hundredth: specks do not count."""
    share = np.concatenate([[0.0], np.cumsum(profile, dtype=np.float64)]) / profile.sum(dtype=np.float64)
    edges = np.interp([0.005, 0.995], share, np.arange(len(share)))
    return float(edges[0]), float(edges[1])


def cut_out(ink: NDArray[np.float32], corner: tuple[float, float], scale: float, height: int, width: int) -> "Image":
    """The ink from a corner on, which may lie between pixels and outside the picture; so much finer than the result."""
    from PIL import Image, ImageOps

    margin = int(scale * max(height, width)) + 1
    picture = ImageOps.expand(Image.fromarray(np.rint(255 * ink).astype(np.uint8)), margin)
    top, left = corner[0] + margin, corner[1] + margin
    found = picture.resize(
        (FINER * width, FINER * height),
        Image.Resampling.BOX if scale > FINER else Image.Resampling.BILINEAR,
        box=(left, top, left + scale * width, top + scale * height),
    )
    light = np.asarray(found, np.float32)
    full = np.median(light[light >= light.max() / 2])  # less than 255 where strokes are thinner than a pixel
    return Image.fromarray(np.clip(light * (255 / full), 0, 255).astype(np.uint8))


def stroke_width(picture: "Image") -> float:
    """The mean width of strokes, in pixels: twice their area by the length of their outline."""
    from PIL import ImageFilter

    inside = np.asarray(picture) > 127
    eroded = np.asarray(picture.filter(ImageFilter.MinFilter(3))) > 127
    return 2 * float(inside.sum()) / max(1, float(inside.sum() - eroded.sum()))

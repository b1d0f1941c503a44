"""Derivatives by evaluation alone, each with an estimate of its own error.

One direction at a time: the slope at t = 0 of φ(t) = Σ w · F(…, x + t d, …), where w weighs the outputs.

- *Complex step*: Im φ(ih) / h, exact to rounding, where F is analytic.
- *Central differences* at four steps, each half the one before, extrapolated to step 0 (Richardson, Ridders 1982). How
  much the extrapolated values disagree, plus what rounding can do, is the estimated error. Steps start near the size of
  the inputs and shrink until the estimate is good.
- The *one-sided* slopes come with them. Where they do not close in on each other as the step shrinks, F has a kink, and
  every value between them is a subgradient. Where they grow instead, F jumps or has a vertical tangent.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Arrays = Sequence[Array]
Function = Callable[..., list[Any]]

LEVELS = 4
STEPS = (2.0**-6, 2.0**-16, 2.0**-26)  # relative to the size of the input; the next is tried where one does not do
GOOD_ENOUGH = 1e-7
SMALLEST_KINK = 1e-5  # a gap between one-sided slopes below this share of the slope is curvature or rounding
METHOD = "central differences"
EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Slope:
    """A slope along one direction.

    Attributes
    ----------
    value : float
        The slope; at a kink, the middle of the one-sided slopes.
    error : float
        Estimated error of ``value``, ``low`` and ``high``.
    low, high : float
        The one-sided slopes, sorted; both equal ``value`` where the function is smooth.
    kind : {"smooth", "kink", "singular"}
        "singular": a jump or a vertical tangent, where no finite slope exists.
    magnitude : float
        Sum of the absolute contributions that ``value`` adds up.
    method : {"complex step", "central differences"}
    """

    value: float
    error: float
    low: float
    high: float
    kind: str
    magnitude: float
    method: str


def weighted(outputs: Arrays, weights: Arrays) -> Any:
    """Σ w · F over all elements of all outputs."""
    return sum(np.sum(w * y) for w, y in zip(weights, outputs, strict=True))


def moved(arrays: Arrays, argument: int, direction: Array, t: Any) -> list[Array]:
    """The arguments, one of them moved by t along the direction."""
    return [np.asarray(x + t * direction) if i == argument else x for i, x in enumerate(arrays)]


def complex_step(function: Function, arrays: Arrays, argument: int, direction: Array, weights: Arrays) -> Slope | None:
    """Im φ(ih) / h with a step so small that h² vanishes; None where the function does not take complex numbers."""
    h = 2.0**-100
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("error")
        try:
            outputs = function(*moved(arrays, argument, direction, h * 1j))
            parts = [w * np.imag(y) / h for w, y in zip(weights, outputs, strict=True)]
        except Exception:  # whatever stops it, central differences remain
            return None
        value = float(sum(np.sum(part) for part in parts))
        magnitude = float(sum(np.sum(np.abs(part)) for part in parts))
    if not np.isfinite(value):
        return None
    return Slope(value, 8 * EPSILON * magnitude, value, value, "smooth", magnitude, "complex step")


def is_analytic(function: Function, arrays: Arrays, argument: int, weights: Arrays, rng: np.random.Generator) -> bool:
    """Whether complex step can be trusted: along a random direction, central differences give the same slope.

    ``np.abs``, ``np.conj`` and choices between elements run on complex numbers, but mean something else there.
    """
    direction = rng.uniform(0.5, 1.5, arrays[argument].shape) * rng.choice([-1.0, 1.0], arrays[argument].shape)
    direction = np.where(np.isnan(arrays[argument]), 0.0, direction)
    exact = complex_step(function, arrays, argument, direction, weights)
    if exact is None:
        return False
    slope = central(function, arrays, argument, direction, weights)
    difference = abs(exact.value - slope.value)
    return slope.kind == "smooth" and difference <= 10 * slope.error + GOOD_ENOUGH * slope.magnitude


def central(function: Function, arrays: Arrays, argument: int, direction: Array, weights: Arrays) -> Slope:
    """Central differences with Richardson extrapolation, at ever smaller steps until the error is small."""
    x = np.abs(arrays[argument])
    along = x[direction != 0]
    here = float(np.max(along, initial=0.0))
    around = float(np.median(x[x > 0])) if np.any(x > 0) else 1.0
    size = max(here, around)
    # A domain may end where this element is 0; and a function need not change at the scale of its input.
    steps = {STEPS[0], *(size * step for step in STEPS), STEPS[0] * float(np.min(along[along > 0], initial=size))}
    best = None
    with np.errstate(all="ignore"):
        middle = function(*arrays)
        for step in sorted(steps, reverse=True):
            slope = attempt(function, arrays, argument, direction, weights, middle, step)
            if best is None or slope.kind != "smooth" or best.kind != "smooth" or slope.error < best.error:
                best = slope
            flat = slope.magnitude == 0 and slope.error < 1e-9
            if slope.kind == "smooth" and (flat or slope.error <= GOOD_ENOUGH * slope.magnitude):
                break
    assert best is not None  # noqa: S101 - steps is never empty
    return best


def attempt(
    function: Function, arrays: Arrays, argument: int, direction: Array, weights: Arrays, middle: Arrays, step: float
) -> Slope:
    """One run of `central`, with steps from ``step`` down to ``step / 8``."""
    reach = float(np.max(np.abs(arrays[argument][direction != 0]), initial=0.0))
    centrals, forwards, backwards, noises, magnitude = [], [], [], [], 0.0
    for level in range(LEVELS):
        h = step * 2.0**-level
        plus = function(*moved(arrays, argument, direction, h))
        minus = function(*moved(arrays, argument, direction, -h))
        # Subtracting before adding up keeps rounding of the outputs that do not change out of the sum.
        changes = [w * (p - m) / (2 * h) for w, p, m in zip(weights, plus, minus, strict=True)]
        sizes = [np.abs(w) * (np.abs(p) + np.abs(m)) for w, p, m in zip(weights, plus, minus, strict=True)]
        magnitude = float(sum(np.sum(np.abs(change)) for change in changes))
        forwards.append(float(weighted([p - c for p, c in zip(plus, middle, strict=True)], weights)) / h)
        backwards.append(float(weighted([c - m for m, c in zip(minus, middle, strict=True)], weights)) / h)
        centrals.append(float(sum(np.sum(change) for change in changes)))
        steepest = max(magnitude, abs(forwards[-1]), abs(backwards[-1]))
        noises.append(EPSILON * (float(sum(np.sum(size) for size in sizes)) / 2 + steepest * reach) / h)
    value, error = extrapolated(centrals, noises)
    low, high = sorted((forwards[-1], backwards[-1]))
    kind = classify(forwards, backwards, centrals, noises[-1], magnitude)
    if kind == "kink":
        return Slope((low + high) / 2, 1e-6 * (high - low) + noises[-1], low, high, kind, magnitude, METHOD)
    return Slope(value, error, value, value, kind, magnitude, METHOD)


def classify(
    forwards: list[float], backwards: list[float], centrals: list[float], noise: float, magnitude: float
) -> str:
    """Tell from the slopes at halving steps whether there is a kink, a jump or vertical tangent, or neither."""
    if not np.isfinite([*forwards, *backwards, *centrals]).all():
        return "singular"
    gaps = [abs(f - b) for f, b in zip(forwards, backwards, strict=True)]
    gap = gaps[-1]
    if grows(gaps, noise) or grows([abs(c) for c in centrals], noise):
        return "singular"
    settled = max(abs(forwards[-1] - forwards[0]), abs(backwards[-1] - backwards[0])) < gap / 10
    visible = gap > max(SMALLEST_KINK * (magnitude + abs(forwards[-1]) + abs(backwards[-1])), 100 * noise)
    return "kink" if settled and visible else "smooth"


def grows(values: list[float], noise: float) -> bool:
    """Whether values keep growing as the step halves, by √2 (a square root), 2 (a jump) or in between."""
    return values[0] > 100 * noise and all(1.2 * a < b < 2.5 * a for a, b in pairwise(values))


def extrapolated(centrals: list[float], noises: list[float]) -> tuple[float, float]:
    """Richardson's table for an error that is a series in h²; the entry that agrees best with its neighbours."""
    table = [[centrals[0]]]
    best, least = centrals[0], np.inf
    for i in range(1, len(centrals)):
        row = [centrals[i]]
        for j in range(1, i + 1):
            row.append((4**j * row[j - 1] - table[i - 1][j - 1]) / (4**j - 1))
            disagreement = max(abs(row[j] - row[j - 1]), abs(row[j] - table[i - 1][j - 1]))
            if disagreement + noises[i] < least:
                best, least = row[j], disagreement + noises[i]
        table.append(row)
    return best, least


def as_floats(value: Any) -> Any:
    """A list of numbers, however nested, as an array of floats; everything else as it is.

    >>> as_floats([1.0, 2]), as_floats([1, 2]), as_floats("ij,jk")
    (array([1., 2.]), [1, 2], 'ij,jk')
    """
    if not isinstance(value, (list, tuple)) or not only_numbers(value):
        return value
    array = np.array(value)
    return array if array.dtype.kind == "f" else value


def only_numbers(value: Any) -> bool:
    """Whether a nested list holds numbers, not arrays."""
    if isinstance(value, (list, tuple)):
        return all(only_numbers(item) for item in value) and len({np.shape(item) for item in value}) < 2
    return isinstance(value, (int, float))

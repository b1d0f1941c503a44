"""Derivatives by evaluation alone, each with an estimate of its own error.

One direction at a time: the slope at t = 0 of φ(t) = Σ w · F(…, x + t d, …), where w weighs the outputs.

- *Complex step*: Im φ(ih) / h, exact to rounding, where F is analytic.
- *Central differences* at three steps, each half the one before, extrapolated to step 0 (Richardson, Ridders 1982). How
  much the extrapolated values disagree, plus what rounding can do, is the estimated error. A fourth difference, at a
  step a thousand times smaller, has to confirm it: where F changes faster than the steps are long, it does not.
- The *one-sided* slopes come with them. Where they do not close in on each other as the step shrinks, F has a kink, and
  every value between them is a subgradient. Where they grow instead, F jumps or has a vertical tangent.

Steps start near the size of the inputs and shrink until one gives a good estimate. Where none does, the best is taken
of those that agree with all smaller steps: a smaller step may be less precise, but it is never misled by what lies
further away.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Arrays = Sequence[Array]
Function = Callable[..., list[Any]]

HALVINGS = 3  # steps of the extrapolation
FAR = 2.0**-10  # the confirming step, relative to the first
RUNGS = (-6, -16, -26, -36)  # binary exponents of the steps tried, relative to a scale of the input
GOOD_ENOUGH = 1e-7  # relative error at which no smaller step is tried
RESOLVED = 0.1  # relative error of a slope about which something is known
CONFIRMED = 1e-6  # relative disagreement with a smaller step that is no contradiction
NEAR = 2.0**-16  # relative to the smallest element: where a kink is seen so near, it is taken to be here
SMALLEST_KINK = 1e-5  # a gap between one-sided slopes below this share of the slope is curvature or rounding
TINIEST = 5e-324
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
    weight : float or None
        The weight of the one element of the results that changes along the direction; None where several do.
    method : {"complex step", "central differences"}
    """

    value: float
    error: float
    low: float
    high: float
    kind: str
    magnitude: float
    weight: float | None
    method: str

    def scaled(self, factor: float) -> "Slope":
        """The slope of ``factor`` · φ."""
        low, high = sorted((self.low * factor, self.high * factor))
        error, magnitude = self.error * abs(factor), self.magnitude * abs(factor)
        return replace(self, value=self.value * factor, error=error, low=low, high=high, magnitude=magnitude)


class Line:
    """φ(t) = Σ w · F(…, x + t d, …), whose slope at t = 0 is asked for.

    Parameters
    ----------
    function : callable
        F: takes the arrays, returns a list of arrays.
    arrays : list of array
        Its arguments.
    argument : int
        Which of them moves.
    direction : array
        d, of the shape of that argument.
    weights : list of array
        w, of the shapes of the results.
    middle : list of array, optional
        F at t = 0, if it is known.
    """

    def __init__(
        self,
        function: Function,
        arrays: Arrays,
        argument: int,
        direction: Array,
        weights: Arrays,
        middle: Arrays | None = None,
    ) -> None:
        self.function, self.arrays, self.argument, self.direction = function, arrays, argument, direction
        self.weights = vector(weights)
        middle = function(*arrays) if middle is None else middle
        self.middle = vector(middle)
        self.epsilon = max((float(np.finfo(y.dtype).eps) for y in middle), default=EPSILON)
        self.affected: Any = True  # which results depend on what moves: all, until it is found out
        self.reach = float(np.max(np.abs(direction), initial=0.0)) or 1.0
        self.x: Array = np.abs(arrays[argument])
        moves = direction != 0
        sizes = self.x[moves] / np.abs(direction[moves])  # the t at which the moved elements change by their own size
        self.sizes: Array = sizes[np.isfinite(sizes) & (sizes > 0)]

    def at(self, t: Any) -> Array:
        """The results at t, as one vector."""
        return self.results(self.arrays[self.argument] + t * self.direction)

    def results(self, moved: Array) -> Array:
        """The results with another array in the place of the argument."""
        arrays = list(self.arrays)
        arrays[self.argument] = np.asarray(moved)  # a sum of 0-d arrays is a scalar of NumPy's
        return vector(self.function(*arrays))

    def rounding(self, values: Array) -> float:
        """What rounding of the results can do to φ, at the middle and at some other values."""
        size = np.maximum(np.max(np.abs(values), axis=0), np.abs(self.middle))
        units = np.abs(self.weights) * (self.epsilon * size + TINIEST)
        return float(np.sum(units, where=self.affected))

    def find_affected(self, step: float) -> None:
        """Find which results depend on what moves: those that change over a step, or turn NaN with it."""
        if self.affected is not True:
            return
        try:
            nan = self.results(np.where(self.direction != 0, np.nan, self.arrays[self.argument]))
        except Exception:  # many a function refuses NaN; then every result may depend
            return
        self.affected = np.isnan(nan) | (self.at(step) != self.middle) | (self.at(-step) != self.middle)

    def sole_weight(self, parts: Array) -> float | None:
        """The weight of the one result that contributes to the slope; None where several do."""
        if len(parts) == 1:
            return float(self.weights[0])
        changing = np.flatnonzero(parts)
        return float(self.weights[changing[0]]) if len(changing) == 1 else None


def vector(arrays: Arrays) -> Array:
    """All elements of some arrays."""
    return np.ravel(arrays[0]) if len(arrays) == 1 else np.concatenate([np.zeros(0), *map(np.ravel, arrays)])


def typical(x: Array) -> float:
    """The usual size of the elements of an array that are neither 0 nor NaN nor infinite; 1 if there are none."""
    sizes = np.abs(x[np.isfinite(x) & (x != 0)])
    return float(np.median(sizes)) if sizes.size else 1.0


def exponent(size: float) -> int:
    """That of the largest power of two that is not above a size."""
    return int(np.frexp(size)[1]) - 1 if size else -1075


def complex_step(line: Line) -> Slope | None:
    """Im φ(ih) / h with a step so small that h² vanishes; None where the function does not take complex numbers."""
    sizes = line.sizes if line.sizes.size else line.x[line.x > 0] / line.reach * 2.0**-60
    smallest = float(np.min(sizes)) if sizes.size else 2.0**-260 / line.reach  # at 0, F may change on any scale
    h = 2.0 ** max(min(exponent(smallest) - 40, -100), -1020)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("error")
        try:
            imaginary = np.asarray(np.imag(line.at(h * 1j)), np.float64)
        except Exception:  # whatever stops it, central differences remain
            return None
        parts = line.weights * imaginary / h
        value, magnitude = float(np.sum(parts)), float(np.sum(np.abs(parts)))
    if not np.isfinite(value):
        return None
    error = 8 * (line.epsilon * magnitude + TINIEST / h * np.count_nonzero(parts))
    return Slope(value, error, value, value, "smooth", magnitude, line.sole_weight(parts), "complex step")


def is_analytic(line: Line, rng: np.random.Generator) -> bool:
    """Whether complex step can be trusted on a function: along a random direction, it agrees with central differences.

    ``np.abs``, ``np.conj`` and choices between elements run on complex numbers, but mean something else there. Each
    element moves in proportion to its size, so that small ones count beside large ones.
    """
    sizes = np.where(line.x > 0, line.x, typical(line.x))
    factors = rng.uniform(0.5, 1.5, sizes.shape) * rng.choice([-1.0, 1.0], sizes.shape)
    direction = np.where(np.isfinite(sizes), sizes * factors, 0.0)
    across = Line(line.function, line.arrays, line.argument, direction, [line.weights], [line.middle])
    exact = complex_step(across)
    if exact is None:
        return False
    slope = central(across)
    resolved = slope.kind == "smooth" and slope.error <= RESOLVED * slope.magnitude
    return resolved and abs(exact.value - slope.value) <= 10 * slope.error + CONFIRMED * slope.magnitude


def central(line: Line) -> Slope:
    """Central differences with Richardson extrapolation, at ever smaller steps until the error is small."""
    found: list[Slope] = []
    changes = False  # whether the steps, taken by themselves, agree on a slope that is not 0
    smallest = 0.0  # step at which a kink was seen
    with np.errstate(all="ignore"):
        for step in steps(line):
            slope, disagreement = attempt(line, step)
            if slope.kind == "smooth" and slope.error <= GOOD_ENOUGH * slope.magnitude:
                return slope
            if slope.kind == "constant":
                if changes:
                    break  # the step has become too small to change anything
                return replace(slope, kind="smooth")
            found.append(slope)
            changes = changes or (slope.kind == "smooth" and abs(slope.value) > 10 * disagreement)
            smallest = step if slope.kind == "kink" else smallest
            line.find_affected(step)
    slope = settled(found)
    if slope.kind == "kink" and smallest > NEAR * float(np.min(line.x[line.x > 0], initial=1.0)) / line.reach:
        slope = replace(slope, error=(slope.high - slope.low) / 10)  # perhaps it is somewhere else in between
    return slope


def steps(line: Line) -> list[float]:
    """Steps to try, the largest first: powers of two below every scale on which the function may change.

    The scales are 1, the usual size of the elements of the array, and the sizes of the largest and the smallest that
    moves.
    """
    scales = [1.0 / line.reach, typical(line.x) / line.reach]
    scales += [float(np.max(line.sizes)), float(np.min(line.sizes))] if line.sizes.size else []
    least = exponent(float(np.max(line.sizes, initial=0.0))) - 41  # so that the step far below still moves x
    exponents: list[int] = []
    for candidate in sorted({exponent(scale) + rung for scale in scales for rung in RUNGS}, reverse=True):
        if max(least, -1060) < candidate < 1020 and (not exponents or candidate <= exponents[-1] - 5):
            exponents.append(candidate)
    return [2.0**e for e in exponents]


def attempt(line: Line, step: float) -> tuple[Slope, float]:
    """The slope by three steps, each half the one before, confirmed by one far below.

    Its kind may be "constant": smooth, and φ did not change at all. Beside it, how far the three steps disagree.
    """
    h = step * np.array([*(2.0**-i for i in range(HALVINGS)), FAR])
    plus, minus = np.array([line.at(t) for t in h]), np.array([line.at(-t) for t in h])
    # Subtracting before adding up keeps rounding of the results that do not change out of the sum.
    changes = line.weights * (plus - minus) / (2 * h[:, None])
    forwards = np.sum(line.weights * (plus - line.middle), axis=1) / h
    backwards = np.sum(line.weights * (line.middle - minus), axis=1) / h
    centrals, weight = np.sum(changes, axis=1), line.sole_weight(changes[0])
    if not np.isfinite([*forwards, *backwards, *centrals]).all():
        return Slope(np.nan, np.inf, np.nan, np.nan, "singular", 0.0, weight, METHOD), np.inf
    magnitude, near, far = float(np.sum(np.abs(changes[HALVINGS - 1]))), HALVINGS - 1, HALVINGS
    steepest = max(magnitude, abs(float(forwards[near])), abs(float(backwards[near])))
    position = steepest * line.epsilon * float(np.max(line.sizes, initial=0.0))
    noises = (line.rounding(np.concatenate([plus, minus])) + position) / h

    gaps = np.abs(forwards - backwards)
    closes = gaps[near] <= 5 * noises[near] or gaps[far] <= max(gaps[near] / 4, SMALLEST_KINK * steepest)
    stays = max(abs(forwards[far] - forwards[near]), abs(backwards[far] - backwards[near])) <= gaps[far] / 10
    first, second = centrals[1 : near + 1] + (centrals[1 : near + 1] - centrals[:near]) / 3  # without the error in h²
    value = float(second + (second - first) / 15)  # without that in h⁴
    error = disagreement = float(abs(second - first) + noises[near])
    if grows(gaps, 0.1 * steepest) or grows(np.abs(centrals), 0.1 * steepest):
        return Slope(value, np.inf, value, value, "singular", magnitude, weight, METHOD), np.inf
    if stays and not closes and gaps[far] > 100 * noises[far]:
        sides = np.array([forwards, backwards])
        bend = (sides[:, far] - sides[:, near]) * FAR / (2.0**-near - FAR)
        low, high = sorted(map(float, sides[:, far] + bend))
        error = float(np.max(np.abs(bend)) + 1e-6 * (high - low) + noises[far])
        return Slope((low + high) / 2, error, low, high, "kink", magnitude, weight, METHOD), np.inf
    doubt = abs(float(centrals[far]) - value)
    if not closes or doubt > 10 * (error + noises[far]) + CONFIRMED * magnitude:
        error += doubt + float(gaps[far])
    constant = not (plus - line.middle).any() and not (minus - line.middle).any()
    kind = "constant" if constant else "smooth"
    return Slope(value, error, value, value, kind, magnitude, weight, METHOD), disagreement


def grows(values: Array, visible: float) -> bool:
    """Whether values keep growing as the step halves, by √2 (a square root), 2 (a jump) or in between."""
    *halved, far = values
    return bool(
        halved[-1] > visible
        and all(1.2 * a < b < 2.5 * a for a, b in pairwise(halved))
        and 1.2**8 < far / halved[-1] < 2.5**8
    )


def settled(found: Sequence[Slope]) -> Slope:
    """The most precise of the slopes, the largest step first, that agree with all those of smaller steps."""
    agreeing: list[Slope] = []
    for slope in reversed(found):
        if slope.kind != "singular" and all(
            abs(slope.value - other.value) <= 10 * (slope.error + other.error) + CONFIRMED * slope.magnitude
            for other in agreeing
        ):
            agreeing.append(slope)
    singular = [slope for slope in found if slope.kind == "singular"]
    best = min(agreeing, key=lambda slope: slope.error, default=None)
    return singular[-1] if singular and (best is None or best.error > best.magnitude) else best  # type: ignore[return-value]  # one of them is not empty

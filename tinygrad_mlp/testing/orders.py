"""One order of a gradient check: the gradient as a function, and the comparison of its slopes."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tinygrad_mlp.calls import carries, differentiate
from tinygrad_mlp.tensor import Tensor
from tinygrad_mlp.testing import numeric
from tinygrad_mlp.testing.diagnosis import diagnose
from tinygrad_mlp.testing.findings import Findings
from tinygrad_mlp.testing.gradient_report import Comparison, GradientReport
from tinygrad_mlp.testing.numeric import Array, Arrays
from tinygrad_mlp.testing.values import as_array

DIRECTIONS = 8
NEARBY = 12
TOLERANCES = {"float64": (1e-6, 1e-12), "float32": (2e-3, 2e-4), "float16": (2e-2, 2e-3)}  # see Level.tolerances


class Level:
    """The comparison at one order: function, where, and what was found.

    Parameters
    ----------
    function : callable
        Takes the points, returns a list of arrays.
    gradient : callable
        ``(*points, *weights) -> gradients``: what is to be checked.
    points, labels
        Where, and what to call each point.
    order : int
        Of the derivative.
    rtol : float or None
        Tolerated relative error, if the caller has said it.
    elements : int
        How many elements of an argument are looked at one by one.
    rng : numpy.random.Generator
        Source of weights and directions.
    """

    def __init__(
        self,
        function: numeric.Function,
        gradient: numeric.Function,
        points: list[Array],
        labels: list[str],
        order: int,
        rtol: float | None,
        elements: int,
        rng: np.random.Generator,
    ) -> None:
        self.function, self.gradient, self.points, self.labels = function, gradient, points, labels
        self.order, self.rtol, self.elements, self.rng = order, rtol, elements, rng
        self.weights = [random_weights(rng, y) for y in arrays_of(function(*points))]
        self.wide = [np.asarray(x, np.float64) for x in points]  # float32 is evaluated in float64
        self.wide_weights = [np.asarray(w, np.float64) for w in self.weights]
        self.middle = self.evaluate(*self.wide)
        self.gradients: list[Array] = []
        self.found: list[list[Comparison]] = []
        self.nearby: list[list[Array]] = []

    def differentiate(self) -> None:
        """Take the gradients that are to be checked."""
        self.gradients = self.gradient(*self.points, *self.weights)

    def compare(self) -> None:
        """Compare the gradient with respect to each argument with the numeric one."""
        self.found = [self.argument(i) for i in range(len(self.points))]

    def argument(self, i: int) -> list[Comparison]:
        """Compare the gradient with respect to one argument: each element, or random directions through many."""
        x = self.points[i]
        shape, numbers = x.shape, ~np.isnan(x)  # there is no slope at NaN
        exact = x.size > 0 and numeric.is_analytic(self.line(i, np.ones(shape)), self.rng)
        if x.size <= self.elements:
            return self.judged([self.slope(i, index, exact) for index in np.ndindex(shape) if numbers[index]])
        directions = [self.rng.choice([-1.0, 1.0], shape) * numbers for _ in range(DIRECTIONS)]
        found = self.judged([self.along(i, None, d, exact) for d in directions])
        wrong = [c.excess > 1 for c in found]
        return [*found, self.search(i, directions[wrong.index(True)], exact)] if any(wrong) else found

    def search(self, i: int, direction: Array, exact: bool) -> Comparison:
        """The element at fault for a wrong slope along a direction: halve the direction where it is more wrong."""
        indices = np.arange(direction.size)
        while len(indices) > 1:
            halves = np.array_split(indices, 2)
            found = []
            for half in halves:
                part = np.zeros(direction.size)
                part[half] = direction.flat[half]
                found.append(self.judged([self.along(i, None, part.reshape(direction.shape), exact)])[0].excess)
            indices = halves[int(np.argmax(found))]
        return self.judged([self.slope(i, tuple(map(int, np.unravel_index(indices[0], direction.shape))), exact)])[0]

    def slope(self, i: int, index: tuple[int, ...], exact: bool) -> tuple[Any, ...]:
        """The slope with respect to one element."""
        direction = np.zeros(self.points[i].shape)
        direction[index] = 1.0
        return self.along(i, index, direction, exact)

    def along(self, i: int, index: tuple[int, ...] | None, direction: Array, exact: bool) -> tuple[Any, ...]:
        """One direction, and the analytic and the numeric slope along it."""
        line = self.line(i, direction)
        slope = (exact and numeric.complex_step(line)) or numeric.central(line)
        return i, index, direction, directional(self.gradients[i], index, direction), slope

    def line(self, i: int, direction: Array) -> numeric.Line:
        """The weighted function along a direction of one argument."""
        return numeric.Line(self.evaluate, self.wide, i, direction, self.wide_weights, self.middle)

    def tolerances(self, i: int) -> tuple[float, float, float]:
        """Tolerated relative to the slope, relative to the largest slope, and absolutely: what the dtypes allow."""
        dtypes = [x.dtype for x in (*self.points, self.gradients[i], *self.middle)]
        worst = max(dtypes, key=lambda dtype: float(np.finfo(dtype).eps))
        relative, absolute = TOLERANCES[worst.name]
        return self.rtol or relative, absolute, 4 * float(np.finfo(worst).smallest_subnormal)

    def judged(self, slopes: list[tuple[Any, ...]]) -> list[Comparison]:
        """Give each slope its tolerance, which depends on the largest; where one weight is known, divide by it."""
        largest = max((slope.magnitude for *_, slope in slopes if slope.error <= slope.magnitude), default=0.0)
        found = []
        for i, index, direction, analytic, slope in slopes:
            one = self.comparison(i, index, analytic, slope, largest)
            if one.excess > 1 and slope.method == "complex step":
                again = numeric.central(self.line(i, direction))  # where they differ, the function is not analytic
                if again.error <= numeric.RESOLVED * again.magnitude:
                    one = self.comparison(i, index, analytic, again, largest)
            if one.excess > 1 and one.slope.kind == "smooth":
                unsteady = self.unsteadiness(i, index, direction) / abs(one.slope.weight or 1.0)
                one = replace(one, tolerance=one.tolerance + 10 * unsteady)
            found.append(one)
        return found

    def comparison(
        self, i: int, index: tuple[int, ...] | None, analytic: float, slope: numeric.Slope, largest: float
    ) -> Comparison:
        """An analytic and a numeric slope with their tolerance, beside the largest slope for this argument."""
        relative, absolute, quantum = self.tolerances(i)
        tolerance = 10 * slope.error + relative * slope.magnitude + absolute * largest + quantum
        weight = slope.weight or 1.0
        return Comparison(
            self.order, self.labels[i], index, analytic / weight, slope.scaled(1 / weight), tolerance / abs(weight),
            absolute * largest / abs(weight),
        )  # fmt: skip

    def unsteadiness(self, i: int, index: tuple[int, ...] | None, direction: Array) -> float:
        """How much the analytic slope changes where the points change in their last digits: its own rounding error.

        The point itself does not count. So a rule that is wrong there alone is not taken for one that rounds.
        """
        if not self.nearby:
            for _ in range(NEARBY):
                self.nearby.append(self.gradient(*(beside(x, self.rng) for x in self.points), *self.weights))
        slopes = [directional(gradients[i], index, direction) for gradients in self.nearby]
        spread = max(slopes) - min(slopes)
        return spread if np.isfinite(spread) else 0.0

    def evaluate(self, *arrays: Any) -> list[Any]:
        """The function on plain arrays."""
        return arrays_of(self.function(*arrays))

    def tell(self, report: GradientReport) -> None:
        """Add what was found to the report."""
        comparisons = [c for found in self.found for c in found]
        report.compared[self.order] = len(comparisons)
        report.kinks += [c for c in comparisons if c.slope.kind == "kink"]
        report.singular += [c for c in comparisons if c.slope.kind == "singular"]
        report.rough += [c for c in comparisons if c.rough]
        wrong = [c for c in comparisons if c.excess > 1]
        worst = max(comparisons, key=lambda c: (c.excess, c.index is not None), default=None)
        if worst is not None and (report.worst is None or worst.excess > report.worst.excess or wrong):
            report.worst = worst
        if wrong:
            at = next(i for i, found in enumerate(self.found) if any(c is worst for c in found))
            report.ok, report.failed_at, report.wrong = False, self.order, len(wrong)
            findings = Findings(
                self.evaluate,
                self.function,
                self.gradient,
                self.wide,
                self.wide_weights,
                self.gradients,
                self.found,
                self.labels,
                at,
            )
            report.diagnosis = diagnose(findings, self.order)


def directional(gradient: Array, index: tuple[int, ...] | None, direction: Array) -> float:
    """The slope along a direction, or with respect to one element."""
    return float(np.sum(gradient * direction) if index is None else gradient[index])


def beside(x: Array, rng: np.random.Generator) -> Array:
    """The array with its last digits changed."""
    sizes = np.where(x != 0, x, np.min(np.abs(x[x != 0]), initial=1.0))
    return np.asarray(x + 64 * np.finfo(x.dtype).eps * rng.uniform(-1, 1, x.shape) * sizes, x.dtype)


def gradient_of(function: numeric.Function, count: int) -> numeric.Function:
    """``(*x, *w) -> gradients of Σ w · function(x)``, a function that has gradients in turn."""

    def gradient(*everything: Any) -> list[Any]:
        record = any(isinstance(a, Tensor) for a in everything)
        inputs = [a if isinstance(a, Tensor) else Tensor(a, requires_grad=True) for a in everything[:count]]
        outputs = function(*inputs)
        pairs = [(y, w) for y, w in zip(outputs, everything[count:], strict=True) if carries(y)]
        return differentiate([y for y, _ in pairs], [w for _, w in pairs], inputs, create_graph=record)

    return gradient


def arrays_of(outputs: Sequence[Any]) -> list[Any]:
    """The arrays of some results."""
    return [as_array(y) for y in outputs]


def random_weights(rng: np.random.Generator, like: Array) -> Array:
    """Weights of ±0.5 to ±1.5, never near 0, in the dtype of the outputs and exact in float32."""
    weights = np.round(rng.uniform(0.5, 1.5, like.shape) * 64) / 64 * rng.choice([-1.0, 1.0], like.shape)
    return np.asarray(weights, dtype=like.dtype if like.dtype.kind == "f" else np.float64)


def later_weights(weights: Arrays) -> Arrays:
    """The weights that higher orders start from: 1 for a single number, so that its own derivatives are told."""
    return [np.ones_like(w) for w in weights] if sum(w.size for w in weights) == 1 else weights

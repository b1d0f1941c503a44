"""One order of a gradient check: the gradient as a function, and the comparison of its slopes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_mlp.arguments import plain
from tinygrad_mlp.calls import carries, differentiate
from tinygrad_mlp.tensor import Tensor
from tinygrad_mlp.testing import numeric
from tinygrad_mlp.testing.diagnosis import Findings, diagnose
from tinygrad_mlp.testing.gradient_report import Comparison, GradientReport
from tinygrad_mlp.testing.numeric import Array

DIRECTIONS = 8
TINY = 1e-12  # below this, slopes count as zero


class Level:
    """The comparison at one order: function, where, and what was found."""

    def __init__(
        self,
        function: numeric.Function,
        points: list[Array],
        labels: list[str],
        order: int,
        tolerances: tuple[float, float],
        elements: int,
        rng: np.random.Generator,
    ) -> None:
        self.function, self.points, self.labels, self.order = function, points, labels, order
        self.rtol, self.atol = tolerances
        self.elements, self.rng = elements, rng
        outputs = arrays_of(function(*points))
        self.weights = [random_weights(rng, y) for y in outputs]
        self.wide = [np.asarray(x, np.float64) for x in points]  # float32 is evaluated in float64
        self.wide_weights = [np.asarray(w, np.float64) for w in self.weights]
        self.gradients: list[Array] = []
        self.found: list[list[Comparison]] = []

    def differentiate(self) -> None:
        """Take the gradients by the rules."""
        self.gradients = gradient_of(self.function, len(self.points))(*self.points, *self.weights)

    def compare(self) -> None:
        """Compare the gradient with respect to each argument with the numeric one."""
        self.found = [self.argument(i) for i in range(len(self.points))]

    def argument(self, i: int) -> list[Comparison]:
        """Compare the gradient with respect to one argument: each element, or random directions through many."""
        x = self.points[i]
        shape, numbers = x.shape, ~np.isnan(x)  # there is no slope at NaN
        exact = x.size > 0 and numeric.is_analytic(self.evaluate, self.wide, i, self.wide_weights, self.rng)
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
        """The analytic and the numeric slope along one direction."""
        place = (self.evaluate, self.wide, i, direction, self.wide_weights)
        slope = (exact and numeric.complex_step(*place)) or numeric.central(*place)
        gradient = self.gradients[i] if index is None else self.gradients[i][index]
        return i, index, float(np.sum(gradient * direction) if index is None else gradient), slope

    def judged(self, slopes: list[tuple[Any, ...]]) -> list[Comparison]:
        """Give each slope its tolerance, which depends on the largest."""
        largest = max((slope.magnitude for *_, slope in slopes if slope.kind != "singular"), default=0.0)
        return [
            Comparison(
                self.order, self.labels[i], index, analytic, slope,
                10 * slope.error + self.rtol * slope.magnitude + self.atol * largest + TINY,
            )
            for i, index, analytic, slope in slopes
        ]  # fmt: skip

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
                gradient_of(self.function, len(self.points)),
                self.wide,
                self.wide_weights,
                self.gradients,
                self.found,
                self.labels,
                at,
            )
            report.diagnosis = diagnose(findings, self.order)


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
    return [np.asarray(plain(y)) for y in outputs]


def random_weights(rng: np.random.Generator, like: Array) -> Array:
    """Weights of ±0.5 to ±1.5, never near 0, in the dtype of the outputs and exact in float32."""
    weights = np.round(rng.uniform(0.5, 1.5, like.shape) * 64) / 64 * rng.choice([-1.0, 1.0], like.shape)
    return np.asarray(weights, dtype=like.dtype if like.dtype.kind == "f" else np.float64)

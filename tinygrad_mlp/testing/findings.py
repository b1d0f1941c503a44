"""What is known about a gradient that is wrong: numbers, and the Jacobian beside that of the rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from tinygrad_mlp.testing import numeric
from tinygrad_mlp.testing.gradient_report import Comparison
from tinygrad_mlp.testing.numeric import Array, Arrays

CLOSE = 1e-4
ENTRIES = 1024  # of the largest Jacobian that is looked at


@dataclass(frozen=True)
class Findings:
    """All that is known about a gradient that is wrong.

    Attributes
    ----------
    evaluate, function : callable
        The function on plain arrays, and on Tensors.
    gradient : callable
        ``(*points, *weights) -> gradients``, by the rules.
    points, weights : list of array
        Where, and the incoming gradient.
    gradients : list of array
        By the rules.
    found : list of list of Comparison
        Analytic and numeric slopes, per argument.
    labels : list of str
        What to call the arguments.
    at : int
        The argument whose gradient is worst.
    """

    evaluate: numeric.Function
    function: numeric.Function
    gradient: numeric.Function
    points: Arrays
    weights: Arrays
    gradients: Arrays
    found: Sequence[Sequence[Comparison]]
    labels: Sequence[str]
    at: int

    @property
    def analytic(self) -> Array:
        """The slopes by the rules, element by element or along random directions."""
        return np.array([c.analytic * (c.slope.weight or 1.0) for c in self.found[self.at]])

    @property
    def numeric(self) -> Array:
        """The slopes by evaluation."""
        return slopes(self.found[self.at])

    @property
    def wrong(self) -> Array:
        """Which of the slopes are wrong."""
        return np.array([c.excess > 1 for c in self.found[self.at]])

    def whole(self, i: int) -> Array | None:
        """The numeric gradient with respect to argument ``i``, if it was taken element by element."""
        if len(self.found[i]) != self.points[i].size or any(c.index is None for c in self.found[i]):
            return None
        return slopes(self.found[i]).reshape(self.points[i].shape)

    @property
    def label(self) -> str:
        """What to call the argument whose gradient is worst."""
        return self.labels[self.at]

    @property
    def alike(self) -> bool:
        """Whether there is one result, of the shape of the argument."""
        return len(self.weights) == 1 and self.weights[0].shape == self.points[self.at].shape

    @cached_property
    def results(self) -> Arrays:
        """The results at the points."""
        return self.evaluate(*self.points)

    @cached_property
    def jacobian(self) -> Array | None:
        """∂result / ∂element by evaluation, a row for each element of the argument, if that is not too many numbers."""
        shape, count = self.points[self.at].shape, sum(w.size for w in self.weights)
        if self.whole(self.at) is None or self.points[self.at].size * count > ENTRIES:
            return None
        return np.reshape([self.along(self.points, unit(index, shape)) for index in np.ndindex(shape)], (-1, count))

    @cached_property
    def jacobian_by_rules(self) -> Array | None:
        """The same by the rules: what they give for an incoming gradient of 1 in one result, and 0 in the others."""
        if self.jacobian is None:
            return None
        columns = []
        for k, w in enumerate(self.weights):
            for index in np.ndindex(w.shape):
                weights = [np.zeros_like(other) for other in self.weights]
                weights[k][index] = 1.0
                columns.append(np.ravel(self.gradient(*self.points, *weights)[self.at]))
        return np.stack(columns, axis=1)

    def along(self, points: Arrays, direction: Array) -> Array:
        """The slope of every result along a direction of the argument, at some points."""
        return partials(numeric.Line(self.evaluate, points, self.at, direction, self.weights))


def partials(line: numeric.Line) -> Array:
    """The slope of each result by itself, unweighted: central differences at the first step that half of it confirms.

    As precise as a diagnosis needs, and without an estimate of the error.
    """
    for step in numeric.steps(line):
        once, found = ((line.at(t) - line.at(-t)) / (2 * t) for t in (step, step / 2))
        if np.allclose(once, found, 1e-6, 1e-6 * np.max(np.abs(found), initial=0.0)):
            break
    return found


def slopes(found: Sequence[Comparison]) -> Array:
    """The slopes of Σ w · f by evaluation."""
    return np.array([c.slope.value * (c.slope.weight or 1.0) for c in found])


def close(a: Any, b: Any) -> bool:
    """Whether two gradients are the same as far as a diagnosis goes, and not just both zero."""
    size = float(np.max(np.abs(b), initial=0.0))
    return np.shape(a) == np.shape(b) and size > 0 and bool(np.all(np.abs(np.subtract(a, b)) <= CLOSE * size))


def unit(index: tuple[int, ...], shape: tuple[int, ...]) -> Array:
    """Zeros, and a one at ``index``."""
    direction = np.zeros(shape)
    direction[index] = 1.0
    return direction

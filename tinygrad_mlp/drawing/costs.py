"""What each op costs: its time forward and backward, measured by running it again, and the bytes of its result."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_mlp.arguments import Traced
from tinygrad_mlp.graph import contributions

RUNS = 3


@dataclass(frozen=True)
class Cost:
    """Seconds of the fastest of three runs, and bytes."""

    forward: float = 0.0
    backward: float = 0.0
    result: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.forward + other.forward, self.backward + other.backward, self.result + other.result)


def measure_costs(recorded: list[Traced], gradients: dict[int, Any]) -> dict[int, Cost]:
    """The cost of each op, by the ``id`` of its result; ``gradients`` are those of the results.

    An op without a gradient costs nothing backward. Nothing that is computed here is kept.
    """
    with np.errstate(all="ignore"):
        return {id(tensor): cost(tensor, gradients.get(id(tensor))) for tensor in recorded}


def cost(tensor: Traced, gradient: Any) -> Cost:
    """The cost of the op that made ``tensor``."""
    node = tensor.node
    forward = fastest(lambda: node.function(*node.arrays, **node.params))
    backward = 0.0 if gradient is None else fastest(lambda: contributions(tensor, gradient))
    return Cost(forward, backward, getattr(tensor.data, "nbytes", 0))


def fastest(run: Callable[[], Any]) -> float:
    """The seconds of the fastest of a few runs."""
    best = np.inf
    for _ in range(RUNS):
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
    return best

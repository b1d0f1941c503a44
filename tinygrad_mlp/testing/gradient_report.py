"""What a gradient check found."""

import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_mlp.rules import function_name
from tinygrad_mlp.testing.numeric import Slope
from tinygrad_mlp.testing.reproduction import script


@dataclass(frozen=True)
class Comparison:
    """One analytic slope next to the numeric one.

    Both are slopes of Σ w · f(x) with random weights w. Where only one element of the results changes, they are divided
    by its weight, so that they are its derivatives.

    Attributes
    ----------
    order : int
        Of the derivative.
    argument : str
        Which argument it is with respect to; from order 2 on, the incoming gradients of lower orders are arguments too.
    index : tuple of int or None
        Which of its elements; None for a random direction through all of them.
    analytic : float
        What the rules say.
    slope : Slope
        What evaluation says; its ``weight`` is what both have been divided by, or None.
    tolerance : float
        How far apart the two may be.
    negligible : float
        What is small beside the largest slope with respect to the same argument.

    Examples
    --------
    >>> from tinygrad_mlp.testing import check_grads
    >>> worst = check_grads(np.square, np.array([3.0]), order=1).worst
    >>> worst.index, round(float(worst.analytic / worst.slope.value), 6)
    ((0,), 1.0)
    """

    order: int
    argument: str
    index: tuple[int, ...] | None
    analytic: float
    slope: Slope
    tolerance: float
    negligible: float

    @property
    def excess(self) -> float:
        """Distance from what is right, in tolerances: above 1 is wrong. A kink allows all between its slopes."""
        if self.slope.kind == "singular":
            return 0.0
        distance = max(self.slope.low - self.analytic, self.analytic - self.slope.high, 0.0)
        return distance / self.tolerance if not np.isnan(distance) else float("inf")

    @property
    def rough(self) -> bool:
        """Whether the numeric slope is too uncertain for agreement to say much."""
        size = max(self.slope.magnitude, abs(self.analytic))
        return self.slope.kind == "smooth" and size > 0 and self.slope.error > 1e-3 * size + self.negligible


@dataclass
class GradientReport:
    """The outcome of `check_grads`.

    Attributes
    ----------
    f, arguments : callable, tuple
        What was checked, and where.
    options : dict
        The settings that were not left at their defaults.
    ok : bool
        Whether nothing is wrong.
    failed_at : int or None
        The order at which the check failed.
    worst : Comparison or None
        The element furthest from its tolerance.
    compared : dict
        Order -> number of elements (or random directions) compared.
    wrong : int
        Number of them that differ, at the order that failed.
    kinks : list of Comparison
        Where the one-sided slopes differ, and the analytic slope was compared with the interval between them.
    singular : list of Comparison
        Where no finite slope exists (a jump, a vertical tangent), and nothing could be compared.
    rough : list of Comparison
        Where the numeric slope is known only roughly, and so is whether the analytic one is right.
    diagnosis : str or None
        The mistake in words, where one fits.

    Examples
    --------
    >>> from tinygrad_mlp.testing import check_grads
    >>> report = check_grads(np.tanh, np.array([0.0, 1.0]))
    >>> report.ok, report.compared
    (True, {1: 2, 2: 4})
    """

    f: Callable[..., Any]
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    ok: bool = True
    failed_at: int | None = None
    worst: Comparison | None = None
    compared: dict[int, int] = field(default_factory=dict)
    wrong: int = 0
    kinks: list[Comparison] = field(default_factory=list)
    singular: list[Comparison] = field(default_factory=list)
    rough: list[Comparison] = field(default_factory=list)
    diagnosis: str | None = None

    # The worst element, without the detour.

    argument = property(lambda self: self.worst and self.worst.argument, doc="Which argument the worst element is of.")
    index = property(lambda self: self.worst and self.worst.index, doc="Where the worst element is.")
    analytic = property(lambda self: self.worst and self.worst.analytic, doc="Its slope by the rules.")
    numeric = property(lambda self: self.worst and self.worst.slope.value, doc="Its slope by evaluation.")
    error = property(lambda self: self.worst and self.worst.slope.error, doc="Estimated error of ``numeric``.")

    @property
    def reproduction(self) -> str:
        """A short script that repeats the check."""
        return script(self.f, self.arguments, "check_grads", self.options)

    def __str__(self) -> str:
        verdict = "right" if self.ok else "wrong" if self.failed_at is None else f"wrong at order {self.failed_at}"
        lines = [f"Gradients of {name_of(self.f)}: {verdict}."]
        if self.diagnosis:
            lines.append(f"  diagnosis   {self.diagnosis}")
        if self.worst is not None:
            slope = self.worst.slope
            where = "along a random direction" if self.worst.index is None else f"at index {list(self.worst.index)}"
            where += "" if slope.weight else ", of Σ w · f with random weights w"
            lines += [
                f"  worst       {self.worst.argument}, {where}",
                f"  analytic    {self.worst.analytic:.10g}",
                f"  numeric     {described(slope)}",
            ]
        lines.append(f"  compared    {counted(self.compared)}" + (f"; {self.wrong} wrong" if self.wrong else ""))
        if self.kinks:
            lines.append(f"  kinks       {len(self.kinks)}, compared with the interval between the one-sided slopes")
        if self.singular:
            lines.append(f"  no slope    {len(self.singular)}, at jumps and vertical tangents, not compared")
        if self.rough:
            lines.append(f"  rough       {len(self.rough)}, where the numeric slope is too uncertain to say much")
        if not self.ok:
            lines += ["", "To reproduce:", "", textwrap.indent(self.reproduction, "    ")]
        return "\n".join(lines)


def described(slope: Slope) -> str:
    """A numeric slope in words."""
    if slope.kind == "kink":
        return f"a kink: anything from {slope.low:.10g} to {slope.high:.10g} ({slope.method})"
    return f"{slope.value:.10g} ± {slope.error:.1g} ({slope.method})"


def counted(compared: dict[int, int]) -> str:
    """How many slopes were compared at each order."""
    return ", ".join(f"{n} at order {order}" for order, n in compared.items()) or "nothing"


def name_of(f: Callable[..., Any]) -> str:
    """A function in a sentence."""
    return function_name(f) if hasattr(f, "__name__") else repr(f)

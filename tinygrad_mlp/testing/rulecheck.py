"""`check_rule`: all that the engine demands of one registered rule."""

import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_mlp.errors import DtypeError, GradientError
from tinygrad_mlp.rules import COMPOSITES, RULES, function_name, missing_rule
from tinygrad_mlp.testing.demands import DEMANDS, Case, faults
from tinygrad_mlp.testing.diagnosis import raised
from tinygrad_mlp.testing.reproduction import script
from tinygrad_mlp.testing.values import as_floats

Function = Callable[..., Any]

SHOWN = 7  # broken demands that a report describes


@dataclass
class RuleReport:
    """The outcome of `check_rule`.

    Attributes
    ----------
    function, arguments, params
        What was checked, and on what.
    held : list of str
        The demands that are met.
    violations : list of (str, str)
        Those that are not, each with what was seen.

    Examples
    --------
    >>> import numpy as np
    >>> report = check_rule(np.tanh, np.array([0.5, 1.0]))
    >>> report.ok, report.violations
    (True, [])
    """

    function: Function
    arguments: tuple[Any, ...]
    params: dict[str, Any]
    held: list[str] = field(default_factory=list)
    violations: list[tuple[str, str]] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether the rule meets every demand."""
        return not self.violations

    @property
    def diagnosis(self) -> str | None:
        """What to look at first: a rule that is missing, raises or returns None, or else the first broken demand."""
        return self.violations[0][1] if self.violations else None

    @property
    def reproduction(self) -> str:
        """A short script that repeats the check."""
        return script(self.function, self.arguments, "check_rule", self.params)

    def __str__(self) -> str:
        problems: dict[str, list[str]] = {}
        for name, text in self.violations:
            problems.setdefault(name, []).append(textwrap.shorten(text, 240))
        broken = f"wrong in {', '.join(problems)}" if problems else "right"
        lines = [f"Rule of {function_name(self.function)}: {broken}."]
        for name, texts in list(problems.items())[:SHOWN]:
            times = f"{len(texts)} times, first: " if len(texts) > 1 else ""
            lines.append(f"  {name}: {times}{texts[0]}")
        if len(problems) > SHOWN:
            lines.append(f"  and {len(problems) - SHOWN} more")
        lines.append(f"  held: {', '.join(self.held) or 'nothing'}")
        if not self.ok:
            lines += ["", "To reproduce:", "", textwrap.indent(self.reproduction, "    ")]
        return "\n".join(lines)


def check_rule(function: Function, *args: Any, rng: np.random.Generator | int = 0, **params: Any) -> RuleReport:
    """Hold the rules registered for ``function`` to all that the engine demands of them.

    The value on Tensors is that on arrays; first and second derivatives are right, for each argument, also where
    arguments broadcast, are empty or 0-d (as far as the function itself allows), and for each memory layout; float32
    stays float32; the gradient is linear in the incoming one, and adjoint to the forward derivative, ⟨J v, w⟩ =
    ⟨v, Jᵀ w⟩; rules given arrays return arrays, edit nothing, return no view of an input and keep no reference to g.

    Parameters
    ----------
    function : callable
        With registered rules (`tinygrad_mlp.rules.derivative`), or a composite.
    *args
        Example arguments. The arrays of floats among them, also in lists and tuples, are differentiated with respect
        to, except where the rule is None.
    rng : numpy.random.Generator or int
        Source of the incoming gradients.
    **params
        Keyword arguments of the function.

    Returns
    -------
    RuleReport

    Raises
    ------
    GradientError
        If a demand is not met; its ``report`` lists all that are not.
    MissingRuleError
        If nothing is registered for ``function``.
    DtypeError
        If no argument is an array of floats, or a list of them.

    Examples
    --------
    >>> report = check_rule(np.multiply, np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]]))
    >>> report.ok, len(report.held)
    (True, 11)
    """
    if function not in RULES and function not in COMPOSITES:
        raise missing_rule(function)
    args = tuple(as_floats(a) for a in args)
    report = RuleReport(function, args, params)
    case = Case(function, args, params, np.random.default_rng(rng))
    if not case.arrays:
        raise DtypeError(
            "check_rule", expected="at least one array of floats to differentiate with respect to", got="none",
            fix="Write 1.0 for 1.",
        )  # fmt: skip
    with np.errstate(all="ignore"):
        report.violations += [("rules", problem) for problem in faults(case)]
        for demand in DEMANDS if report.ok else ():  # a rule that is missing or raises breaks them all
            try:
                problems = list(dict.fromkeys(demand(case)))
            except Exception as error:  # a rule that raises breaks the demand; it goes into the report
                problems = [raised(error)]
            name = demand.__name__.replace("_", " ")
            report.violations += [(name, problem) for problem in problems]
            if not problems:
                report.held.append(name)
    if not report.ok:
        raise GradientError(report)
    return report

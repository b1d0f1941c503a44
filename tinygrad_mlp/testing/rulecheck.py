"""`check_rule`: all that the engine demands of one registered rule."""

import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_mlp.errors import DtypeError, GradientError
from tinygrad_mlp.rules import COMPOSITES, RULES, function_name, missing_rule
from tinygrad_mlp.testing.demands import DEMANDS, Case
from tinygrad_mlp.testing.numeric import as_floats
from tinygrad_mlp.testing.reproduction import script

Function = Callable[..., Any]


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
    def reproduction(self) -> str:
        """A short script that repeats the check."""
        return script(self.function, self.arguments, "check_rule", self.params)

    def __str__(self) -> str:
        broken = sorted({name for name, _ in self.violations})
        lines = [f"Rule of {function_name(self.function)}: {'wrong in ' + ', '.join(broken) if broken else 'right'}."]
        lines += [f"  {name}: {text.replace(chr(10), chr(10) + '    ')}" for name, text in self.violations]
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
        for demand in DEMANDS:
            try:
                problems = list(dict.fromkeys(demand(case)))
            except Exception as error:  # a rule that raises breaks the demand; it goes into the report
                problems = [f"raised {type(error).__name__}: {error}"]
            name = demand.__name__.replace("_", " ")
            report.violations += [(name, problem) for problem in problems]
            if not problems:
                report.held.append(name)
    if not report.ok:
        raise GradientError(report)
    return report

"""Explanations from the gradient alone: a transformation of the right one that gives the wrong one exactly.

Each takes `Findings` and returns a sentence, or None where it does not fit.
"""

from fractions import Fraction

import numpy as np

from tinygrad_mlp.calls import carries
from tinygrad_mlp.graph import topological_order
from tinygrad_mlp.tensor import Tensor
from tinygrad_mlp.testing.findings import CLOSE, Findings, close
from tinygrad_mlp.testing.which_elements import those

FACTORS = {Fraction(-1): "The sign is wrong.", Fraction(2): "The gradient is twice too large.",
           Fraction(1, 2): "The gradient is half of what it should be."}  # fmt: skip


def not_a_number(f: Findings) -> str | None:
    """NaN or infinity where the slope is finite."""
    wrong = ~np.isfinite(f.analytic)
    if not wrong.any():
        return None
    which = those(f, wrong)
    cause = "a division by it, or its logarithm" if which.endswith(" is 0") else "0 / 0, 0 · ∞ or outside of a domain"
    return (
        f"The gradient is not finite in {wrong.sum()} of {wrong.size} elements{which}: {cause}, perhaps in a branch "
        "that a mask hides (0 · ∞ is NaN)."
    )


def nothing(f: Findings) -> str | None:
    """A gradient of zero."""
    if np.any(f.analytic):
        return None
    if reached(f):
        return f"The gradient is zero: by the rules, the result depends on nothing in {f.label}."
    return (
        f"The gradient is zero: no path leads from the result back to {f.label}. Something on the way uses a "
        "plain array (x.data, x.detach(), float(x)) or a rule that is None."
    )


def reached(f: Findings) -> bool:
    """Whether the graph of the result contains the argument."""
    inputs = [Tensor(x, requires_grad=True) for x in f.points]
    outputs = [y for y in f.function(*inputs) if carries(y)]
    return any(leaf is inputs[f.at] for leaf in topological_order(outputs)[1])


def ignores_g(f: Findings) -> str | None:
    """A gradient that does not scale with the incoming one."""
    doubled = f.gradient(*f.points, *(2 * w for w in f.weights))[f.at]
    if close(doubled, f.gradients[f.at]):
        return "The incoming gradient g is ignored: doubling it changes nothing."
    if not close(doubled, 2 * f.gradients[f.at]):
        return "The gradient is not linear in the incoming gradient g: doubling g does not double it."
    return None


def other_argument(f: Findings) -> str | None:
    """The gradient that belongs to another argument."""
    for i in range(len(f.points)):
        whole = f.whole(i)
        if i != f.at and whole is not None and close(f.gradients[f.at], whole):
            return f"Swapped: the gradient of {f.label} is that of {f.labels[i]}."
    return None


def wrong_factor(f: Findings) -> str | None:
    """A constant factor."""
    square = float(np.sum(f.numeric**2))
    if square == 0:
        return f"The result does not depend on {f.label}, but its gradient is not zero."
    factor = float(np.sum(f.analytic * f.numeric)) / square
    if not close(f.analytic, factor * f.numeric):
        return None
    simple = Fraction(factor).limit_denominator(12)
    if np.count_nonzero(f.numeric) < 2 and simple not in FACTORS:
        return None  # some factor fits any single number
    if not np.isclose(float(simple), factor, rtol=CLOSE):
        return f"The gradient is {factor:.6g} times what it should be."
    return FACTORS.get(simple, f"The gradient is {simple} times what it should be.") + mean_or_sum(f, simple)


def mean_or_sum(f: Findings, factor: Fraction) -> str:
    """Which axis has the length by which a gradient is too small or too large; 2 has other causes too often."""
    averaged = factor.numerator == 1
    length = factor.denominator if averaged else factor.numerator
    arrays = [*(("the result", w) for w in f.weights), (f.label, f.points[f.at])]
    axes = [f"axis {axis} of {name}" for name, x in arrays for axis, n in enumerate(x.shape) if n == length > 2]
    if not axes or 1 not in (factor.numerator, factor.denominator):
        return ""
    question = "averaged where it must be summed" if averaged else "summed where it must be averaged"
    return f" {length} is the length of {axes[0]}: {question}?"


def swapped_axes(f: Findings) -> str | None:
    """The transpose of the right gradient."""
    got, whole = f.gradients[f.at], f.whole(f.at)
    if whole is None or whole.ndim < 2 or not close(got, np.swapaxes(whole, -1, -2)):
        return None
    return "Transposed: its last two axes are swapped."


def zero_in_some(f: Findings) -> str | None:
    """Zero, in all elements that are wrong; or the slope is."""
    wrong, negligible = f.wrong, CLOSE**2 * float(np.max(np.abs(f.numeric), initial=0.0))
    count = f"in {wrong.sum()} of {wrong.size} elements{those(f, wrong)}"
    if not f.analytic[wrong].any():
        return f"The gradient is zero {count}, though the result depends on them."
    if np.all(np.abs(f.numeric[wrong]) <= negligible):
        return f"The gradient is not zero {count}, though the result does not depend on them."
    return None


def derivative_lost(f: Findings) -> str | None:
    """The incoming gradient, handed on as it is by a function of one argument."""
    if len(f.points) > 1 or not f.alike or not close(f.gradients[f.at], f.weights[0]):
        return None
    return "The gradient is the incoming one, handed on as it is: the derivative of the function is missing."


def factor_lost(f: Findings) -> str | None:
    """A factor that is an argument or the result, missing or one too many."""
    got, whole = f.gradients[f.at], f.whole(f.at)
    if whole is None or np.count_nonzero(whole) < 2:
        return None
    for name, x in [*zip(f.labels, f.points, strict=True), *(("the result", y) for y in f.results)]:
        if x.ndim <= whole.ndim and x.shape == whole.shape[whole.ndim - x.ndim :] and np.ptp(x) > 0:
            if close(got * x, whole):
                return f"A factor is missing: {name}."
            if close(got, whole * x):
                return f"A factor too many: {name}."
    return None


def term_lost(f: Findings) -> str | None:
    """A derivative that is wrong by the same number everywhere."""
    whole = f.whole(f.at)
    if whole is None or not f.alike or whole.size < 2:
        return None
    off = (f.gradients[f.at] - whole) / f.weights[0]
    number = float(np.mean(off))
    if not np.all(np.abs(off - number) <= CLOSE * abs(number)):
        return None
    size, term = f"{abs(number):.6g}", "x" if np.isclose(abs(number), 1) else f"{abs(number):.6g} x"
    if number < 0:
        return f"The derivative is too small by {size} everywhere, as if a term {term} were left out."
    return f"The derivative is too large by {size} everywhere, as if there were a term {term} more."


def rearranged(f: Findings) -> str | None:
    """The right numbers at the wrong places, or with wrong signs."""
    if f.numeric.size > 1 and close(np.abs(f.analytic), np.abs(f.numeric)):
        wrong = f.analytic * f.numeric < 0
        return f"The sign is wrong in {wrong.sum()} of {wrong.size} elements{those(f, wrong)}."
    if f.numeric.size > 1 and close(np.sort(f.analytic), np.sort(f.numeric)):
        return "The values are right but at the wrong places: the elements are permuted."
    return None


def some_wrong(f: Findings) -> str | None:
    """How many elements are wrong and which, where not all are."""
    wrong = f.wrong
    if wrong.all():
        return None
    return f"Wrong in {wrong.sum()} of {wrong.size} elements{those(f, wrong)}; the others are right."

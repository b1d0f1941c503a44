"""From numbers to words: which common mistake explains a wrong gradient.

Each explanation is a transformation of the right gradient that gives the wrong one exactly. They are tried in turn,
the most specific first.
"""

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_mlp.calls import carries
from tinygrad_mlp.graph import contributions, topological_order
from tinygrad_mlp.rules import function_name
from tinygrad_mlp.tensor import Tensor
from tinygrad_mlp.testing import numeric
from tinygrad_mlp.testing.gradient_report import Comparison
from tinygrad_mlp.testing.numeric import Array, Arrays

CLOSE = 1e-4
FACTORS = {Fraction(-1): "The sign is wrong.", Fraction(2): "The gradient is twice too large.",
           Fraction(1, 2): "The gradient is half of what it should be."}  # fmt: skip


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

    def whole(self, i: int) -> Array | None:
        """The numeric gradient with respect to argument ``i``, if it was taken element by element."""
        if len(self.found[i]) != self.points[i].size or any(c.index is None for c in self.found[i]):
            return None
        return slopes(self.found[i]).reshape(self.points[i].shape)


def slopes(found: Sequence[Comparison]) -> Array:
    """The slopes of Σ w · f by evaluation."""
    return np.array([c.slope.value * (c.slope.weight or 1.0) for c in found])


def diagnose(findings: Findings, order: int) -> str | None:
    """The mistake in words: the first explanation that fits, or how many elements it concerns."""
    with np.errstate(all="ignore"):
        near = close(
            findings.analytic, findings.numeric
        )  # then every explanation would seem to fit that changes little
        tried = () if near else EXPLANATIONS
        said = next((text for explain in tried if (text := explain(findings))), None) or share_wrong(findings)
    return f"Right up to order {order - 1}, wrong at order {order} only. {said}" if order > 1 else said


def not_a_number(f: Findings) -> str | None:
    """NaN or infinity where the slope is finite."""
    wrong = ~np.isfinite(f.analytic)
    return f"The gradient is not finite in {wrong.sum()} of {wrong.size} elements." if wrong.any() else None


def nothing(f: Findings) -> str | None:
    """A gradient of zero."""
    if np.any(f.analytic):
        return None
    if reached(f):
        return f"The gradient is zero: by the rules, the result depends on nothing in {f.labels[f.at]}."
    return (
        f"The gradient is zero: no path leads from the result back to {f.labels[f.at]}. Something on the way uses a "
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
            return f"Swapped: the gradient of {f.labels[f.at]} is that of {f.labels[i]}."
    return None


def wrong_factor(f: Findings) -> str | None:
    """A constant factor."""
    square = float(np.sum(f.numeric**2))
    if square == 0:
        return f"The result does not depend on {f.labels[f.at]}, but its gradient is not zero."
    factor = float(np.sum(f.analytic * f.numeric)) / square
    if not close(f.analytic, factor * f.numeric):
        return None
    simple = Fraction(factor).limit_denominator(12)
    if np.count_nonzero(f.numeric) < 2 and simple not in FACTORS:
        return None  # some factor fits any single number
    if not np.isclose(float(simple), factor, rtol=CLOSE):
        return f"The gradient is {factor:.6g} times what it should be."
    said = FACTORS.get(simple, f"The gradient is {simple} times what it should be.")
    length = simple.denominator if simple.numerator == 1 else simple.numerator
    axes = [axis for y in f.weights for axis, n in enumerate(y.shape) if n == length > 1]
    if simple.numerator == 1 and axes:
        said += f" {length} is the length of axis {axes[0]} of the result: averaged where it must be summed?"
    return said


def transposed(f: Findings) -> str | None:
    """The transpose of the right gradient; or the Jacobian where its transpose belongs."""
    got, whole = f.gradients[f.at], f.whole(f.at)
    if whole is None:
        return None
    if whole.ndim >= 2 and got.shape[-1] == got.shape[-2] and close(got, np.swapaxes(whole, -1, -2)):
        return "Transposed: its last two axes are swapped."
    if len(f.weights) == 1 and f.weights[0].shape == got.shape:
        forward = [
            numeric.central(numeric.Line(f.evaluate, f.points, f.at, f.weights[0], [unit(index, got.shape)])).value
            for index in np.ndindex(got.shape)
        ]
        if close(got, np.reshape(forward, got.shape)):
            return "Transposed: the rule multiplies by the Jacobian, not by its transpose (W where Wᵀ belongs)."
    return None


def not_summed(f: Findings) -> str | None:
    """One slice along an axis of the result, where all of them had to be added up."""
    got = f.gradients[f.at]
    if f.whole(f.at) is None:
        return None
    for k, w in enumerate(f.weights):
        for axis in range(w.ndim) if w.shape != got.shape else ():
            for place in {0, w.shape[axis] - 1} if w.shape[axis] > 1 else ():
                chosen = [np.zeros_like(other) for other in f.weights]
                slicing = (*(slice(None),) * axis, place)
                chosen[k][slicing] = w[slicing]
                found = [
                    numeric.central(numeric.Line(f.evaluate, f.points, f.at, unit(index, got.shape), chosen)).value
                    for index in np.ndindex(got.shape)
                ]
                if close(got, np.reshape(found, got.shape)):
                    return (
                        f"Not summed over axis {axis} of the result, along which {f.labels[f.at]} was broadcast: "
                        f"only index {place} counts."
                    )
    return None


def rearranged(f: Findings) -> str | None:
    """The right numbers at the wrong places, or with wrong signs."""
    if f.numeric.size > 1 and close(np.abs(f.analytic), np.abs(f.numeric)):
        return f"The sign is wrong in {int(np.sum(f.analytic * f.numeric < 0))} of {f.numeric.size} elements."
    if f.numeric.size > 1 and close(np.sort(f.analytic), np.sort(f.numeric)):
        return "The values are right but at the wrong places: the elements are permuted."
    return None


EXPLANATIONS: tuple[Callable[[Findings], str | None], ...] = (
    not_a_number, nothing, ignores_g, other_argument, wrong_factor, transposed, not_summed, rearranged,
)  # fmt: skip


def share_wrong(f: Findings) -> str | None:
    """How many elements are wrong, where not all are."""
    wrong = [c for c in f.found[f.at] if c.excess > 1]
    total = len(f.found[f.at])
    return f"Wrong in {len(wrong)} of {total} elements; the others are right." if len(wrong) < total else None


def diagnose_exception(
    error: Exception, function: numeric.Function, points: Sequence[Array], labels: Sequence[str]
) -> str:
    """Name the rule that gave a gradient of an impossible shape, or else just say what was raised."""
    inputs = [Tensor(x, requires_grad=True) for x in points]
    names = {id(x): label for x, label in zip(inputs, labels, strict=True)}
    try:
        recorded, _ = topological_order([y for y in function(*inputs) if carries(y)])
        for tensor in reversed(recorded):
            for parent, gradient in contributions(tensor, np.ones_like(tensor.data)):
                if gradient is None:
                    return f"The rule of {function_name(tensor.node.function)} returned None."
                if not fits(np.shape(gradient), parent.data.shape):
                    return (
                        f"The rule of {function_name(tensor.node.function)} gives a gradient of shape "
                        f"{np.shape(gradient)} for {names.get(id(parent), 'an input')} of shape {parent.data.shape}: "
                        "not summed over an axis along which the function broadcasts by itself, or transposed."
                    )
    except Exception:  # noqa: S110 - the first error tells more
        pass
    return f"The backward pass {raised(error)}."


def raised(error: Exception) -> str:
    """What was raised, and at which line outside of this package and NumPy.

    >>> raised(KeyError("x"))
    "raised KeyError: 'x'"
    """
    said = f"raised {type(error).__name__}: {error}".rstrip(".")
    others = (str(Path(__file__).parents[1]), str(Path(np.__file__).parent), "<frozen")
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith(others)]
    return f"{said}, at line {frames[-1].lineno} of {Path(frames[-1].filename).name}" if frames else said


def fits(gradient: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether an input of ``shape`` broadcasts to the gradient, so that the engine can sum it back."""
    try:
        return np.broadcast_shapes(gradient, shape) == gradient
    except ValueError:
        return False


def close(a: Any, b: Any) -> bool:
    """Whether two gradients are the same as far as a diagnosis goes, and not just both zero."""
    size = float(np.max(np.abs(b), initial=0.0))
    return np.shape(a) == np.shape(b) and size > 0 and bool(np.all(np.abs(np.subtract(a, b)) <= CLOSE * size))


def unit(index: tuple[int, ...], shape: tuple[int, ...]) -> Array:
    """Zeros, and a one at ``index``."""
    direction = np.zeros(shape)
    direction[index] = 1.0
    return direction

"""Explanations from the Jacobian of a function beside that of its rules: how g finds its way to the elements.

Each takes `Findings` and returns a sentence, or None where it does not fit. A Jacobian has a row for each element of
the argument, and a column for each element of the results.
"""

from collections.abc import Callable, Iterator

import numpy as np

from tinygrad_mlp.rules import RULES, function_name
from tinygrad_mlp.testing.findings import CLOSE, Findings, close
from tinygrad_mlp.testing.numeric import Array


def transposed(f: Findings) -> str | None:
    """The Jacobian where its transpose belongs."""
    if f.jacobian is None or not f.alike or not close(f.jacobian_by_rules, f.jacobian.T):
        return None
    return "Transposed: the rule multiplies by the Jacobian, not by its transpose (W where Wᵀ belongs)."


def diagonal_alone(f: Findings) -> str | None:
    """Each element gets the gradient of its own result, and other results depend on it too."""
    true, ours = f.jacobian, f.jacobian_by_rules
    if true is None or ours is None or not f.alike or elementwise(true) or not elementwise(ours):
        return None
    return (
        "Only the diagonal of the Jacobian counts: each element gets the gradient of its own result alone, though "
        "others depend on it too (through a sum, a mean or a maximum)."
    )


def not_summed(f: Findings) -> str | None:
    """Some of the contributions to an element, where all of them had to be added up."""
    true, ours = f.jacobian, f.jacobian_by_rules
    if true is None or ours is None:
        return None
    off, counts = differ(ours, true), visible(ours)
    if np.any(off & counts) or not counts[off.any(axis=1)].any(axis=1).all():
        return None
    for axis, place, chosen in slices(f):
        if np.array_equal(counts.any(axis=0), chosen & visible(true).any(axis=0)):
            return (
                f"Not summed over axis {axis} of the result, along which {f.label} was broadcast: "
                f"only index {place} counts."
            )
    return f"Not summed: where an element of {f.label} reaches several results, not all of them count."


def slices(f: Findings) -> Iterator[tuple[int, int, Array]]:
    """The first and the last index of each axis of each result: axis, index, and which columns that is."""
    for k, w in enumerate(f.weights):
        for axis, length in enumerate(w.shape):
            for place in {0, length - 1} if length > 1 else ():
                chosen = [np.zeros(other.shape, bool) for other in f.weights]
                chosen[k][(*(slice(None),) * axis, place)] = True
                yield axis, place, np.concatenate([c.ravel() for c in chosen])


def counted_twice(f: Findings) -> str | None:
    """Some contributions to an element, but not all, a whole number of times too often."""
    true, ours = f.jacobian, f.jacobian_by_rules
    if true is None or ours is None:
        return None
    off, counts = differ(ours, true), visible(true)
    if not counts[off].all() or not (counts & ~off)[off.any(axis=1)].any(axis=1).all():
        return None
    times = ours[off] / true[off]
    count = round(float(times[0]))
    if count < 2 or not np.allclose(times, count, CLOSE):
        return None
    return f"Some contributions to {f.label} count {count} times, as where an index is repeated."


def at_the_result(f: Findings) -> str | None:
    """The derivative, taken at the result instead of at the argument."""
    if f.jacobian is None or not f.alike or not elementwise(f.jacobian):
        return None
    points = [*f.points]
    points[f.at] = np.reshape(f.results[0], f.points[f.at].shape)
    slope = f.along(points, np.ones_like(points[f.at])).reshape(points[f.at].shape)
    if not close(f.gradients[f.at], f.weights[0] * slope):
        return None
    return "The derivative is taken at the result instead of at the argument: f'(f(x)) for f'(x)."


def another_function(f: Findings) -> str | None:
    """The derivative of another function of one argument that has rules here, if it is that of one alone."""
    if f.jacobian is None or not f.alike or not elementwise(f.jacobian):
        return None
    x, slope = f.points[f.at], f.gradients[f.at] / f.weights[0]
    if x.size < 3 or np.ptp(slope) <= CLOSE * np.max(np.abs(slope)):
        return None
    unary = [(g, rules[0]) for g, rules in [*RULES.items()] if len(rules) == 1 and rules[0] is not None]
    names = [function_name(g) for g, rule in unary if same_slope(g, rule, x, slope, f.results[0])]
    return f"This is the gradient of another function: {names[0]}." if len(names) == 1 else None


def same_slope(function: Callable[..., Array], rule: Callable[..., Array], x: Array, slope: Array, y: Array) -> bool:
    """Whether a function that is not y at x has this derivative there."""
    try:
        out = function(x)
        return out.shape == x.shape and not close(out, y) and close(rule(np.ones_like(x), out, x), slope)
    except Exception:  # functions that do not take x, or need more than it
        return False


def elementwise(jacobian: Array) -> bool:
    """Whether nothing counts that is not on the diagonal."""
    return not np.any(visible(jacobian) & ~np.eye(len(jacobian), dtype=bool))


def visible(jacobian: Array) -> Array:
    """Where it is not zero, rounding aside."""
    size = np.abs(jacobian)
    return np.asarray(size > CLOSE**2 * np.max(size, initial=0.0))


def differ(ours: Array, true: Array) -> Array:
    """Where two Jacobians are not the same."""
    return np.asarray(np.abs(ours - true) > CLOSE * np.max(np.abs(true), initial=0.0))

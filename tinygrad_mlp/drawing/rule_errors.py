"""The error of each op's own rules, so that a failed gradient check shows which op is to blame."""

from typing import Any

import numpy as np

from tinygrad_mlp.arguments import Traced, plain
from tinygrad_mlp.graph import pullback
from tinygrad_mlp.testing.numeric import Line, central

BLAMED = 1e-3


def rule_errors(recorded: list[Traced]) -> dict[int, float]:
    """For each op, by the ``id`` of its result, how far its rules are from a central difference of that op alone.

    The error is ``|a - n| / max(|a|, |n|)``, where a is the slope that the rules give along a random direction through
    all operands, and n the numerical slope; at a kink, the nearest of the slopes between the one-sided ones.
    """
    rng = np.random.default_rng(0)
    with np.errstate(all="ignore"):
        return {id(tensor): rule_error(tensor, rng) for tensor in recorded}


def rule_error(tensor: Traced, rng: np.random.Generator) -> float:
    """The error of the rules of the op that made ``tensor``; infinite if one of them raises."""
    node = tensor.node
    weights = np.asarray(rng.standard_normal(tensor.data.shape), tensor.data.dtype)
    gradients = {id(tensor): weights}
    try:
        pullback([tensor], gradients)
    except Exception:  # whatever the rule raises, it is this op that is to blame
        return np.inf
    directions = {id(x): rng.standard_normal(x.data.shape) for x in node.parents}
    analytic = sum(float(np.sum(gradient * directions[key])) for key, gradient in gradients.items())

    def along(t: Any) -> list[Any]:
        return [node.function(*shifted(node.args, directions, t[()]), **node.params)]

    slope = central(Line(along, [np.zeros(())], 0, np.ones(()), [weights]))
    numeric = min(max(analytic, slope.low), slope.high)
    largest = max(abs(analytic), abs(numeric))
    return abs(analytic - numeric) / largest if largest > 0 else 0.0


def shifted(args: Any, directions: dict[int, Any], t: float) -> list[Any]:
    """The arguments as arrays, those that require a gradient in float64 and moved by t along their directions."""
    found: list[Any] = []
    for arg in args:
        if isinstance(arg, (list, tuple)) and any(isinstance(item, Traced) for item in arg):
            found.append(shifted(arg, directions, t))
        elif id(arg) in directions:
            found.append(np.asarray(arg.data, np.float64) + t * directions[id(arg)])
        else:
            found.append(plain(arg))
    return found

"""The error of each op's own rules, so that a failed gradient check shows which op is to blame."""

from typing import Any

import numpy as np

from tinygrad_mlp.arguments import Traced
from tinygrad_mlp.graph import pullback

BLAMED = 1e-3
STEPS = (1e-4, 1e-6)


def own_errors(recorded: list[Traced]) -> dict[int, float]:
    """For each op, how far its rules are from a central difference of that op alone.

    The error is ``|a - n| / max(|a|, |n|)`` of the slopes along a random direction through all operands, the smaller
    of those of two step sizes.
    """
    rng = np.random.default_rng(0)
    with np.errstate(all="ignore"):
        return {id(tensor): own_error(tensor, rng) for tensor in recorded}


def own_error(tensor: Traced, rng: np.random.Generator) -> float:
    """The same for the op that made one Tensor."""
    node = tensor.node
    seed = np.asarray(rng.standard_normal(tensor.data.shape), tensor.data.dtype)
    gradients = {id(tensor): seed}
    try:
        pullback([tensor], gradients)
    except Exception:  # whatever the rule raises, it is this op that is to blame
        return np.inf
    moves = {id(x): rng.standard_normal(x.data.shape) for x in node.parents}
    analytic = sum(float(np.sum(gradient * moves[key])) for key, gradient in gradients.items())
    errors = []
    for step in STEPS:
        ahead, behind = (node.function(*moved(node.args, moves, h), **node.params) for h in (step, -step))
        numeric = float(np.sum(seed * (ahead - behind))) / (2 * step)
        top = max(abs(analytic), abs(numeric))
        errors.append(abs(analytic - numeric) / top if top > 0 else 0.0)
    return min(errors)


def moved(args: Any, moves: dict[int, Any], step: float) -> list[Any]:
    """The arguments as arrays in float64, each Tensor that requires a gradient moved along its direction."""
    found: list[Any] = []
    for arg in args:
        if isinstance(arg, (list, tuple)) and any(isinstance(item, Traced) for item in arg):
            found.append(moved(arg, moves, step))
        elif id(arg) in moves:
            found.append(np.asarray(arg.data, np.float64) + step * moves[id(arg)])
        else:
            found.append(arg.data if isinstance(arg, Traced) else arg)
    return found

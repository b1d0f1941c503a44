"""Which -inf are there on purpose: masks, such as scores of attention that are -inf where nothing is to be seen."""

from typing import Any

import numpy as np

from tinygrad_mlp.arguments import Traced, plain, unfolded


def masked(recorded: list[Traced]) -> set[int]:
    """The ``id`` of results and operands whose elements that are not finite are all -inf, and come from a constant."""
    found: set[int] = set()
    for tensor in recorded:
        operands = list(unfolded((tensor.node.args, tuple(tensor.node.params.values()))))
        found |= {id(x) for x in operands if getattr(x, "node", None) is None and holds_minus_infinity(x)}
        if holds_minus_infinity(tensor) and any(id(x) in found for x in operands):
            found.add(id(tensor))
    return found


def holds_minus_infinity(value: Any) -> bool:
    """Whether a value has elements of -inf, and none that are NaN or +inf."""
    plainly = plain(value)
    if not isinstance(plainly, (float, np.ndarray, np.generic)) or np.asarray(plainly).dtype.kind != "f":
        return False
    array = np.asarray(plainly)
    return bool(np.any(np.isneginf(array)) and not np.any(np.isnan(array)) and not np.any(np.isposinf(array)))

"""What a graph keeps for its backward pass."""

import inspect
from collections.abc import Callable
from typing import Any

from tinygrad_mlp.arguments import Traced, unfolded
from tinygrad_mlp.graph import memory
from tinygrad_mlp.rules import RULES


class Memory:
    """Bytes of the results of ops that the graph holds: as operands of later ops, or because a rule reads its ``out``.

    Each buffer counts once, for the first op that uses it; views of parameters and of input data do not count, since
    those exist anyway.
    """

    def __init__(self, recorded: list[Traced]) -> None:
        operands = [array for tensor in recorded for array in unfolded(tensor.node.arrays) if hasattr(array, "ndim")]
        used = {id(array) for array in operands}
        own = {id(tensor.data) for tensor in recorded}
        counted = {id(memory(array)) for array in operands if id(array) not in own}
        self.kept: dict[int, int] = {}
        for tensor in recorded:
            if id(tensor.data) in used or reads_output(tensor.node.function):
                base = memory(tensor.data)
                self.kept[id(tensor)] = 0 if id(base) in counted else getattr(base, "nbytes", 0)
                counted.add(id(base))
        self.total = sum(self.kept.values())


def reads_output(function: Callable[..., Any]) -> bool:
    """Whether a rule of an op uses the op's own output: the rules say so, see `tinygrad_mlp.rules`."""
    return any(list(inspect.signature(rule).parameters)[1] != "_" for rule in RULES.get(function, ()) if rule)

"""Where each op and each parameter of a drawing goes: into which open groups, or into the box of which folded one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tinygrad_mlp.drawing.folding import Folding
from tinygrad_mlp.drawing.groups import Group
from tinygrad_mlp.drawing.modules import Modules, array_operands


@dataclass(frozen=True)
class Place:
    """The open groups around something, from the outermost inwards, and the folded one that hides it, if any."""

    groups: list[Group]
    fold: Group | None = None


class Places:
    """The place of each op, by the ``id`` of its result, and of parameters and data, by theirs.

    A parameter is drawn, or hidden, where all ops that use it are. So is data that a module owns, that each repeat has
    of its own, or that is used in one stretch alone; other data is what the network is fed with, and stands outside.
    """

    def __init__(self, folding: Folding, modules: Modules, is_folded: Callable[[Group], bool]) -> None:
        self.folding = folding
        drawn = {id(tensor): folding.drawn(tensor) for tensor in folding.recorded}
        of_first = {id(first): place(folding.around[id(first)], is_folded) for first in drawn.values()}
        self.ops = {key: of_first[id(first)] for key, first in drawn.items()}
        self.items: dict[int, Place] = {}
        repeated = {id(folding.drawn(item)) for item in folding.first.values()}
        for tensor in folding.recorded:
            here = self.ops[id(tensor)]
            for _, item in array_operands(tensor.node.args):
                key = id(folding.drawn(item))
                if key not in drawn:
                    owned = key in modules.names or key in repeated
                    known = self.items.get(key, here)
                    self.items[key] = shared(known, here if owned else outside_of_modules(here))

    def of(self, item: Any) -> Place:
        """The place of a parameter or data."""
        return self.items.get(id(self.folding.drawn(item)), Place([]))

    def count(self) -> int:
        """How many boxes the drawing has."""
        ops = {id(here.fold or self.folding.drawn(t)) for t in self.folding.recorded for here in [self.ops[id(t)]]}
        return len(ops) + sum(here.fold is None for here in self.items.values())


def place(groups: list[Group], is_folded: Callable[[Group], bool]) -> Place:
    """The groups outside the first folded one, and that."""
    folded = next((i for i, group in enumerate(groups) if is_folded(group)), None)
    return Place(groups) if folded is None else Place(groups[:folded], groups[folded])


def outside_of_modules(here: Place) -> Place:
    """The place of what an op is fed with from outside."""
    return Place([], here.fold if here.fold is not None and not here.fold.modules else None)


def shared(first: Place, second: Place) -> Place:
    """The innermost place that holds both."""
    groups = []
    for a, b in zip(first.groups, second.groups, strict=False):
        if a is not b:
            break
        groups.append(a)
    return Place(groups, first.fold if first.fold is second.fold else None)

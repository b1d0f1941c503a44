"""Where each op and each parameter of a drawing goes: into which open modules, or into the box of which folded one."""

from dataclasses import dataclass
from typing import Any

from tinygrad_mlp.arguments import Traced
from tinygrad_mlp.drawing.modules import Modules, array_operands


@dataclass(frozen=True)
class Place:
    """The open scopes around something, from the outermost inwards, and the folded scope that hides it, if any."""

    scopes: list[Any]
    fold: Any = None


class Places:
    """The place of each op, by the ``id`` of its result, and of the parameters and buffers of modules, by theirs.

    A parameter is drawn, or hidden, where all ops that use it are.
    """

    def __init__(self, recorded: list[Traced], modules: Modules, depth: int | None) -> None:
        self.ops = {id(tensor): Place(*modules.place(tensor.node.scope, depth)) for tensor in recorded}
        self.members: dict[int, Place] = {}
        for tensor in recorded:
            here = self.ops[id(tensor)]
            for _, item in array_operands(tensor.node.args):
                if id(item) in modules.names:
                    self.members[id(item)] = shared(self.members.get(id(item), here), here)

    def of(self, item: Any) -> Place:
        """The place of a parameter, a buffer or data."""
        return self.members.get(id(item), Place([]))


def shared(first: Place, second: Place) -> Place:
    """The innermost place that holds both."""
    scopes = []
    for a, b in zip(first.scopes, second.scopes, strict=False):
        if a is not b:
            break
        scopes.append(a)
    return Place(scopes, first.fold if first.fold is second.fold else None)

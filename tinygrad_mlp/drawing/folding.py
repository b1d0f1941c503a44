"""Which groups a drawing has, and what stands for what: one repeat for all of them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tinygrad_mlp.arguments import Traced
from tinygrad_mlp.drawing.groups import Group, starred
from tinygrad_mlp.drawing.repeats import Ops, Run, common, runs


@dataclass
class Folding:
    """The groups around each op.

    Attributes
    ----------
    recorded : list of Tensor
        The results of the ops, in the order in which they ran.
    around : dict
        The groups around an op, from the outermost inwards, by the ``id`` of its result.
    first : dict
        The ``id`` of a result, parameter or array in a later repeat to its like in the first one.
    """

    recorded: list[Traced]
    around: dict[int, list[Group]]
    first: dict[int, Any] = field(default_factory=dict)

    def drawn(self, item: Any) -> Any:
        """What is drawn for a result, parameter or array."""
        while id(item) in self.first:
            item = self.first[id(item)]
        return item

    def fold_repeats(self) -> None:
        """Let the first repeat stand for the others, wherever enough of them follow each other."""
        ops = Ops(self.recorded, self.around)
        todo = [(0, len(self.recorded), 0)]
        alike: dict[int, dict[int, Any]] = {}  # id of a parameter or array -> all that it would stand in for
        while todo:
            start, stop, outer = todo.pop()
            for run in runs(ops, start, stop):
                self.fold(run, ops, common(ops, run) + outer, alike)
                todo.append((run.start, run.start + run.period, outer + 1))
        for items, tensor in zip(ops.operands, self.recorded, strict=True):
            if id(tensor) not in self.first:  # a use outside of the later repeats: there the item stands for itself
                for item in items:
                    alike.setdefault(id(item), {})[id(item)] = item
        for key, firsts in alike.items():
            if len(firsts) == 1 and key not in firsts:
                self.first[key] = next(iter(firsts.values()))

    def fold(self, run: Run, ops: Ops, depth: int, alike: dict[int, dict[int, Any]]) -> None:
        """Map the later repeats of a run to the first one, and put a group around that."""
        repeat = Group("", f"{run.times} times")
        firsts = range(run.start, run.start + run.period)
        for i in firsts:
            likes = range(i, run.stop, run.period)
            for inside in zip(*(ops.around[j][common(ops, run) :] for j in likes), strict=True):
                merge(inside)
            for j in likes[1:]:
                self.first[id(self.recorded[j])] = self.recorded[i]
                for then, now in zip(ops.operands[i], ops.operands[j], strict=True):
                    if id(now) not in ops.made_at:
                        alike.setdefault(id(now), {})[id(then)] = then
        for i in firsts:
            groups = self.around[id(self.recorded[i])]
            self.around[id(self.recorded[i])] = [*groups[:depth], repeat, *groups[depth:]]


def merge(groups: Iterable[Group]) -> None:
    """Let the first of some groups speak for all of them."""
    first, *others = groups
    modules = {id(module): module for group in (first, *others) for module in group.modules}
    if len(modules) > len(first.modules):
        first.modules = list(modules.values())
        first.path = starred([first.path, *(group.path for group in others)])

"""Folds a drawing until it is small enough to read."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import Any

from tinygrad_mlp.arguments import Traced
from tinygrad_mlp.drawing.folding import Folding
from tinygrad_mlp.drawing.groups import Group
from tinygrad_mlp.drawing.modules import Modules
from tinygrad_mlp.drawing.places import Places
from tinygrad_mlp.drawing.stretches import fold_stretches

FEW = 40  # boxes that are left, about, once what follows each other has to fold
REPEATS = 1 / 5  # the share of max_nodes beyond which repeats are drawn once


@dataclass
class Folder:
    """Folds one graph to drawings of any size; ``model`` and ``collapse`` are those of `tinygrad_mlp.to_dot`."""

    recorded: list[Traced]
    model: Any
    collapse: Collection[str]

    @cached_property
    def modules(self) -> Modules:
        """The modules of the graph, each call of them drawn by itself."""
        return Modules(self.model, [tensor.node.scope for tensor in self.recorded], self.collapse)

    @cached_property
    def open(self) -> Folding:
        """Each op drawn by itself."""
        return Folding(self.recorded, {id(tensor): self.modules.around(tensor.node.scope) for tensor in self.recorded})

    @cached_property
    def repeats(self) -> Folding:
        """The first repeat drawn for all of them, with groups that speak for all of them, too."""
        modules = Modules(self.model, [tensor.node.scope for tensor in self.recorded], self.collapse)
        folding = Folding(self.recorded, {id(tensor): modules.around(tensor.node.scope) for tensor in self.recorded})
        folding.fold_repeats()
        return folding

    def with_repeats(self, depth: int | None, max_nodes: int) -> tuple[Folding, list[str]]:
        """Repeats drawn once if there are too many boxes otherwise, and a note on it."""
        before = Places(self.open, self.modules, folds(depth)).count()
        if before <= REPEATS * max_nodes or not self.repeats.first:
            return self.open, []
        count = Places(self.repeats, self.modules, folds(depth)).count()
        return self.repeats, [f"parts that repeat are drawn once: {count:,} boxes instead of {before:,}"]

    def fit(self, depth: int | None, max_nodes: int) -> tuple[Places, list[str]]:
        """Places for at most ``max_nodes`` boxes where that can be, and notes on what had to be folded for it.

        First repeats are drawn once, then modules fold, the innermost first, all but the outermost, then what follows
        each other.
        """
        folding, notes = self.with_repeats(depth, max_nodes)
        places = Places(folding, self.modules, folds(depth))
        before, reason = places.count(), f"{places.count():,} boxes are more than max_nodes={max_nodes}"
        while places.count() > max_nodes and self.modules.depth > 1 and depth not in (0, 1):
            depth = (self.modules.depth if depth is None else min(depth, self.modules.depth)) - 1
            places = Places(folding, self.modules, folds(depth))
        if places.count() < before:
            notes.append(f"modules folded to depth={depth}: {reason}")
        opened, size = places, max(2, ceil(before / min(max_nodes, FEW)))
        while places.count() > max_nodes and size < 2 * before:
            places = Places(fold_stretches(folding, opened, size), self.modules, folds(depth))
            size *= 2
        if places is not opened:
            notes.append(f"what follows each other is folded: {reason}")
        return places, notes


def folds(depth: int | None) -> Callable[[Group], bool]:
    """Which groups are drawn as one box."""
    return lambda group: group.folded or (depth is not None and group.level is not None and group.level >= depth)

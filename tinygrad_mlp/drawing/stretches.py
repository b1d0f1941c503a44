"""Folds what follows each other, where there is no better way left to make a drawing small."""

from itertools import takewhile

from tinygrad_mlp.arguments import Traced
from tinygrad_mlp.drawing.folding import Folding
from tinygrad_mlp.drawing.groups import Group
from tinygrad_mlp.drawing.op_labels import short
from tinygrad_mlp.drawing.places import Places


def fold_stretches(folding: Folding, places: Places, size: int) -> Folding:
    """Put a group around each ``size`` boxes or repeats that follow each other in one place."""
    found = Folding(folding.recorded, dict(folding.around), folding.first)
    stretch: list[Traced] = []
    units: set[int] = set()
    at: list[Group] = []
    for tensor in [t for t in folding.recorded if id(t) not in folding.first]:
        place = places.ops[id(tensor)]
        outer = list(takewhile(lambda group: group.modules, place.groups))
        unit = id(place.groups[len(outer)] if len(outer) < len(place.groups) else place.fold or tensor)
        if outer != at or (unit not in units and len(units) == size):
            put_around(stretch, at, found)
            stretch, units, at = [], set(), outer
        stretch.append(tensor)
        units.add(unit)
    put_around(stretch, at, found)
    return found


def put_around(stretch: list[Traced], outer: list[Group], folding: Folding) -> None:
    """A new group around some ops, inside those that are around them already."""
    if len(stretch) > 1:
        group = Group("", named(stretch), folded=True)
        for tensor in stretch:
            folding.around[id(tensor)] = [*outer, group, *folding.around[id(tensor)][len(outer) :]]


def named(stretch: list[Traced]) -> str:
    """``24 ops: matmul, add, tanh, ...``."""
    names = list(dict.fromkeys(short(tensor.node.function) for tensor in stretch))
    return f"{len(stretch)} ops: {', '.join(names[:3])}{', ...' if len(names) > 3 else ''}"

"""The views of a page: the same graph with more or fewer modules open, between which a reader goes by opening them."""

from collections.abc import Iterator
from itertools import groupby
from math import ceil, sqrt

from tinygrad_mlp.arguments import Traced
from tinygrad_mlp.drawing.folding import Folding
from tinygrad_mlp.drawing.groups import Group
from tinygrad_mlp.drawing.modules import Modules
from tinygrad_mlp.drawing.places import Places
from tinygrad_mlp.drawing.stretches import put_around

CROWDED = 60  # boxes beside each other in one group; more of them are put in stretches, which open like modules
MOST = 40  # views in a page
Open = frozenset[Group]


def ways_to(folding: Folding) -> dict[Group, Open]:
    """For each group that can be opened: those around it, and itself."""
    found: dict[Group, Open] = {}
    for groups in folding.around.values():
        opening = [group for group in groups if is_openable(group)]
        found |= {group: frozenset(opening[: i + 1]) for i, group in enumerate(opening) if group not in found}
    return found


def levels(ways: dict[Group, Open]) -> list[Open]:
    """What is open in the views of whole levels: none, the outermost, those inside them, and so on."""
    deepest = max((len(way) for way in ways.values()), default=0)
    return [frozenset(group for group, way in ways.items() if len(way) <= depth) for depth in range(deepest + 1)]


def is_openable(group: Group) -> bool:
    """Whether a group can be drawn open or folded: not the frame around a repeat, which is part of the drawing."""
    return bool(group.modules) or group.folded


def places_of(folding: Folding, modules: Modules, opened: Open) -> Places:
    """Where everything goes in a view."""
    return Places(folding, modules, lambda group: is_openable(group) and group not in opened)


def after_opening(opened: Open, group: Group, sets: list[Open], ways: dict[Group, Open]) -> int | None:
    """The view to go to when a folded group is opened: the same with it, else the one that shows the way to it."""
    return next((sets.index(found) for found in (opened | ways[group], ways[group]) if found in sets), None)


def after_folding(opened: Open, group: Group, sets: list[Open], ways: dict[Group, Open]) -> int | None:
    """The view to go to when an open group is folded: the same without it, else the way to the group around it."""
    rest = frozenset(other for other in opened if group not in ways[other])
    return next((sets.index(found) for found in (rest, ways[group] - {group}) if found in sets), None)


def with_stretches(folding: Folding) -> Folding:
    """The same folding, with stretches where a group has too many boxes beside each other to be looked at."""
    found = Folding(folding.recorded, dict(folding.around), folding.first)
    kept = [tensor for tensor in folding.recorded if id(tensor) not in folding.first]
    for level in range(max((len(groups) for groups in folding.around.values()), default=0) + 1):
        for outer, units in neighbours(kept, folding, level):
            size = ceil(sqrt(len(units)))
            for start in range(0, len(units) if len(units) > CROWDED else 0, size):
                stretch = [tensor for unit in units[start : start + size] for tensor in unit]
                around = found.around[id(stretch[0])]
                put_around(stretch, around[: around.index(outer[-1]) + 1] if outer else [], found)
    return found


def neighbours(
    tensors: list[Traced], folding: Folding, level: int
) -> Iterator[tuple[tuple[Group, ...], list[list[Traced]]]]:
    """Each group at a level, as the groups around it and itself, with the ops and groups side by side in it."""

    def outer(tensor: Traced) -> tuple[Group, ...]:
        return tuple(folding.around[id(tensor)][:level])

    def unit(tensor: Traced) -> int:
        inner = folding.around[id(tensor)][level:]
        return id(inner[0] if inner else tensor)

    for key, run in groupby(tensors, outer):
        if len(key) == level:
            yield key, [list(members) for _, members in groupby(run, unit)]

"""Lays out what a drawing consists of, in topological order: which boxes there are, and which uses connect them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tinygrad_mlp.arguments import Traced
from tinygrad_mlp.drawing.groups import Group
from tinygrad_mlp.drawing.modules import Modules, array_operands
from tinygrad_mlp.drawing.op_labels import call, operand_name, short
from tinygrad_mlp.drawing.picture import Box, Cluster, Kind
from tinygrad_mlp.drawing.places import Places
from tinygrad_mlp.drawing.subject import Subject, leaf


@dataclass(frozen=True)
class Use:
    """An operand of an op, which becomes an arrow; ``result`` is None if the op failed.

    ``drawn`` is the operand, or what stands for it in the first repeat. ``nth`` tells the uses of a scalar by one op
    apart, which are drawn one by one; it is None where all uses are drawn as one. ``carried`` tells whether the operand
    is the result of one repeat, and is used by the next.
    """

    item: Any
    drawn: Any
    times: int
    source: Box
    target: Box
    result: Traced | None
    nth: int | None = None
    carried: bool = False


@dataclass
class Outline:
    """The boxes, still without their numbers, and what each of them stands for.

    Attributes
    ----------
    boxes : dict
        By the ``id`` of the Tensor, array or folded group that they show.
    clusters : dict
        By the ``id`` of the group.
    ops : dict
        The id of a box to the results of the ops that it shows: one, its repeats, or all those of a folded group.
    items : dict
        The id of a box to the parameters or data that it shows, by their ``id``: one, or one per repeat.
    titles : dict
        The id of a box to what these are called.
    groups : dict
        The id of a box to the folded group that it shows.
    shown : dict
        The ``id`` of a Tensor or array to the box that shows it.
    uses : list of Use
        In the order of the ops.
    """

    boxes: dict[int, Box] = field(default_factory=dict)
    clusters: dict[int, Cluster] = field(default_factory=dict)
    ops: dict[str, list[Traced]] = field(default_factory=dict)
    items: dict[str, dict[int, Any]] = field(default_factory=dict)
    titles: dict[str, list[str]] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    shown: dict[int, Box] = field(default_factory=dict)
    uses: list[Use] = field(default_factory=list)


def outline(subject: Subject, modules: Modules, places: Places) -> Outline:
    """Go through the ops once. A box's id is its position in the topological order."""
    found = Outline()
    for tensor in subject.recorded:
        add_op(found, tensor, modules, places)
    for function, args, message in subject.failures:
        add_failure(found, function, args, message, modules, places)
    for i, output in enumerate(subject.outputs):
        box = operand_box(found, output, "output", modules, places)
        numbered = f" {i + 1}" if len(subject.outputs) > 1 else ""
        box.output = output.name or ("loss" if output.data.size == 1 else "output") + numbered
    return found


def add_op(found: Outline, tensor: Traced, modules: Modules, places: Places) -> None:
    """The box of an op, or of the folded group it is in, after those of its operands."""
    node = tensor.node
    fold = places.ops[id(tensor)].fold
    counted: dict[int, tuple[int, Any, int]] = {}  # id(operand) -> its first position, itself, how often it is used
    for position, item in array_operands(node.args):
        first, _, times = counted.get(id(item), (position, item, 0))
        counted[id(item)] = first, item, times + 1
    sources = [
        (item, times, operand_box(found, item, operand_name(node.function, position), modules, places))
        for position, item, times in counted.values()
        if fold is None or places.of(item).fold is not fold
    ]
    box = op_box(found, tensor, modules, places) if fold is None else group_box(found, tensor, places)
    found.ops[box.id].append(tensor)
    found.shown[id(tensor)] = box
    again = id(tensor) in places.folding.first
    for item, times, source in sources:
        one_by_one = fold is None and times > 1 and tensor.data.size == getattr(item, "size", 0) == 1
        for nth in range(times) if one_by_one else (None,):
            if source is not box or fold is None:
                drawn = places.folding.drawn(item)
                found.uses.append(
                    Use(
                        item,
                        drawn,
                        times if nth is None else 1,
                        source,
                        box,
                        tensor,
                        nth,
                        again and source.id in found.ops,
                    )
                )


def add_failure(
    found: Outline, function: Callable[..., Any], args: Any, message: str, modules: Modules, places: Places
) -> None:
    """The box of an op that could not run, and what it was called with."""
    items = [
        (item, operand_box(found, item, operand_name(function, i), modules, places)) for i, item in array_operands(args)
    ]
    box = add(found, id(args), Kind.FAILED, call(function, args, {}), [])
    box.where = message
    box.functions.append(function)
    found.uses += [Use(item, item, 1, source, box, None) for item, source in items]


def op_box(found: Outline, tensor: Traced, modules: Modules, places: Places) -> Box:
    """The box of one op, and of its repeats."""
    first = places.folding.drawn(tensor)
    node = tensor.node
    title = call(node.function, node.args, node.params)
    box = found.boxes.get(id(first))
    if box is None:
        box = add(found, id(first), Kind.OP, title, places.ops[id(first)].groups)
        box.where = "" if node.scope is None else modules.path(node.scope)
        box.symbol = tensor.name or ""
        found.ops[box.id] = []
    elif title != box.title:
        box.title = f"{short(node.function)}(...)"
    return box


def group_box(found: Outline, tensor: Traced, places: Places) -> Box:
    """The box of the folded group that an op is in."""
    place = places.ops[id(tensor)]
    assert place.fold is not None  # noqa: S101 - the caller has looked
    box = found.boxes.get(id(place.fold))
    if box is None:
        box = add(found, id(place.fold), Kind.MODULE, place.fold.title, place.groups)
        box.where = place.fold.name
        found.ops[box.id] = []
        found.groups[box.id] = place.fold
    return box


def operand_box(found: Outline, item: Any, name: str, modules: Modules, places: Places) -> Box:
    """The box of an operand: that of the op which made it, or one of its own, for a parameter or data."""
    box = found.shown.get(id(item))
    if box is not None:
        return box
    first = places.folding.drawn(item)
    is_parameter = isinstance(item, Traced) and (leaf(item) or id(item) in modules.names)
    title = modules.names.get(id(item)) or getattr(item, "name", None) or ("tensor" if is_parameter else name)
    box = found.boxes.get(id(first))
    if box is None:
        box = add(found, id(first), Kind.PARAMETER if is_parameter else Kind.DATA, title, places.of(item).groups)
        found.items[box.id], found.titles[box.id] = {}, []
    found.items[box.id][id(item)] = item
    found.titles[box.id].append(title)
    found.shown[id(item)] = box
    return box


def add(found: Outline, key: int, kind: Kind, title: str, groups: list[Group]) -> Box:
    """A new box, in the innermost of some open groups, which get a cluster if they have none yet."""
    parent = None
    for group in groups:
        if id(group) not in found.clusters:
            name = f"cluster_{len(found.clusters)}"
            found.clusters[id(group)] = Cluster(name, group.title, parent, group.name)
        parent = found.clusters[id(group)].id
    found.boxes[key] = Box(len(found.boxes), kind, title, cluster=parent)
    return found.boxes[key]

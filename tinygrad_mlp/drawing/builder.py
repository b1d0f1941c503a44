"""Lays out what a drawing consists of, in topological order: which boxes there are, and which uses connect them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tinygrad_mlp.arguments import Traced
from tinygrad_mlp.drawing.modules import Modules, array_operands
from tinygrad_mlp.drawing.op_labels import call, operand_name
from tinygrad_mlp.drawing.picture import Box, Cluster, Kind
from tinygrad_mlp.drawing.places import Places
from tinygrad_mlp.drawing.subject import Subject, leaf


@dataclass(frozen=True)
class Use:
    """An operand of an op, which becomes an arrow; ``result`` is None if the op failed."""

    item: Any
    times: int
    source: Box
    target: Box
    result: Traced | None


@dataclass
class Outline:
    """The boxes, still without their numbers, and what each of them stands for.

    Attributes
    ----------
    boxes : dict
        By the ``id`` of the Tensor, array or folded scope that they show.
    clusters : dict
        By the ``id`` of the scope.
    ops : dict
        The id of a box to the results of the ops that it shows; on a folded module, all those inside.
    items : dict
        The id of a box to the parameter or data that it shows.
    scopes : dict
        The id of a box to the folded scope that it shows.
    shown : dict
        The ``id`` of a Tensor or array to the box that shows it.
    uses : list of Use
        In the order of the ops.
    """

    boxes: dict[int, Box] = field(default_factory=dict)
    clusters: dict[int, Cluster] = field(default_factory=dict)
    ops: dict[str, list[Traced]] = field(default_factory=dict)
    items: dict[str, Any] = field(default_factory=dict)
    scopes: dict[str, Any] = field(default_factory=dict)
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
    """The box of an op, or of the folded module it is in, after those of its operands."""
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
    box = op_box(found, tensor, modules, places) if fold is None else module_box(found, tensor, modules, places)
    found.ops[box.id].append(tensor)
    found.shown[id(tensor)] = box
    found.uses += [Use(item, times, source, box, tensor) for item, times, source in sources if source is not box]


def add_failure(
    found: Outline, function: Callable[..., Any], args: Any, message: str, modules: Modules, places: Places
) -> None:
    """The box of an op that could not run, and what it was called with."""
    items = [
        (item, operand_box(found, item, operand_name(function, i), modules, places)) for i, item in array_operands(args)
    ]
    box = add(found, id(args), Kind.FAILED, call(function, args, {}), [], modules)
    box.where = message
    box.functions.append(function)
    found.uses += [Use(item, 1, source, box, None) for item, source in items]


def op_box(found: Outline, tensor: Traced, modules: Modules, places: Places) -> Box:
    """The box of one op."""
    node = tensor.node
    title = call(node.function, node.args, node.params)
    box = add(found, id(tensor), Kind.OP, title, places.ops[id(tensor)].scopes, modules)
    box.where = "" if node.scope is None else modules.path(node.scope)
    found.ops[box.id] = []
    return box


def module_box(found: Outline, tensor: Traced, modules: Modules, places: Places) -> Box:
    """The box of the folded module that an op is in."""
    place = places.ops[id(tensor)]
    box = found.boxes.get(id(place.fold))
    if box is None:
        box = add(found, id(place.fold), Kind.MODULE, modules.title(place.fold), place.scopes, modules)
        box.where = modules.path(place.fold)
        found.ops[box.id] = []
        found.scopes[box.id] = place.fold
    return box


def operand_box(found: Outline, item: Any, name: str, modules: Modules, places: Places) -> Box:
    """The box of an operand: that of the op which made it, or one of its own, for a parameter or data."""
    box = found.shown.get(id(item))
    if box is None:
        is_parameter = isinstance(item, Traced) and (leaf(item) or id(item) in modules.names)
        title = modules.names.get(id(item)) or getattr(item, "name", None) or ("tensor" if is_parameter else name)
        kind = Kind.PARAMETER if is_parameter else Kind.DATA
        box = add(found, id(item), kind, title, places.of(item).scopes, modules)
        found.items[box.id] = item
        found.shown[id(item)] = box
    return box


def add(found: Outline, key: int, kind: Kind, title: str, scopes: list[Any], modules: Modules) -> Box:
    """A new box, in the innermost of some open modules, which get a cluster if they have none yet."""
    parent = None
    for scope in scopes:
        if id(scope) not in found.clusters:
            name = f"cluster_{len(found.clusters)}"
            found.clusters[id(scope)] = Cluster(name, modules.title(scope), parent, modules.path(scope))
        parent = found.clusters[id(scope)].id
    found.boxes[key] = Box(f"n{len(found.boxes)}", kind, title, cluster=parent)
    return found.boxes[key]

"""Makes the boxes and edges of one drawing, in topological order."""

from typing import Any

import numpy as np

from tinygrad_mlp.arguments import Traced
from tinygrad_mlp.drawing.backward import Flow
from tinygrad_mlp.drawing.kept import Memory
from tinygrad_mlp.drawing.modules import Modules, common, operands
from tinygrad_mlp.drawing.op_labels import call, operand_name, short, stretched
from tinygrad_mlp.drawing.picture import Box, Cluster, Edge, Gradient, Kind, State
from tinygrad_mlp.drawing.statistics import Statistics, extent, health, measure
from tinygrad_mlp.drawing.subject import Subject, leaf

EdgeKey = tuple[int, str]  # id of the operand, id of the box that uses it


class Builder:
    """Goes through the recorded ops once, and leaves boxes, edges and clusters in its attributes."""

    def __init__(
        self, subject: Subject, modules: Modules, flow: Flow, depth: int | None, *, values: bool, histograms: bool
    ) -> None:
        self.subject = subject
        self.modules = modules
        self.flow = flow
        self.depth = depth
        self.values = values
        self.histograms = histograms
        self.memory = Memory(subject.recorded)
        self.boxes: dict[int, Box] = {}  # by id of the Tensor, array or folded scope
        self.leaves: dict[int, Traced] = {}  # the Tensors with a box that require a gradient and that no op made
        self.folded: dict[int, Any] = {}  # id of a Tensor or array -> the folded scope that hides it
        self.clusters: dict[int, Cluster] = {}
        self.edges: dict[EdgeKey, Edge] = {}
        self.carried: dict[EdgeKey, Any] = {}  # the gradient that flows back along an edge
        self.sent: dict[int, dict[str, tuple[int, int]]] = {}  # id of a result -> edges its rules send gradients along
        self.homes: dict[int, tuple[list[Any], Any]] = {}  # id of a parameter -> clusters and fold all its uses share
        self.troubled = False
        for tensor in subject.recorded:
            self.note_homes(tensor)
        for tensor in subject.recorded:
            self.add_op(tensor)
        for function, args, message in subject.failures:
            self.add_failure(function, args, message)
        for i, output in enumerate(subject.outputs):
            self.mark_output(output, i)
        self.measure_gradients()

    # Boxes.

    def add(self, key: int, kind: Kind, title: str, place: list[Any], **known: Any) -> Box:
        """A new box; its id is its position in the topological order."""
        self.boxes[key] = Box(f"n{len(self.boxes)}", kind, title, cluster=self.cluster(place), **known)
        return self.boxes[key]

    def cluster(self, scopes: list[Any]) -> str | None:
        """The id of the innermost of some nested clusters, which are made if they are new."""
        parent = None
        for scope in scopes:
            if id(scope) not in self.clusters:
                self.clusters[id(scope)] = Cluster(
                    f"cluster_{len(self.clusters)}", self.modules.title(scope), parent, self.modules.path(scope)
                )
            parent = self.clusters[id(scope)].id
        return parent

    def note_homes(self, tensor: Traced) -> None:
        """Remember where parameters and buffers of modules are used: they are drawn, or hidden, where all uses are."""
        place, fold = self.modules.place(tensor.node.scope, self.depth)
        for _, item in operands(tensor.node.args):
            if id(item) in self.modules.names:
                known, same = self.homes.get(id(item), (place, fold))
                self.homes[id(item)] = common(known, place), fold if same is fold else None

    def find(self, item: Any) -> Box | None:
        """The box that shows a Tensor or array: its own, or that of the folded module that hides it."""
        return self.boxes.get(id(self.folded.get(id(item), item)))

    def add_op(self, tensor: Traced) -> None:
        """The box of an op, or of the folded module it is in, after those of its operands."""
        node = tensor.node
        place, fold = self.modules.place(node.scope, self.depth)
        uses: dict[int, tuple[int, Any, int]] = {}
        for position, item in operands(node.args):
            if fold is not None and self.homes.get(id(item), ([], None))[1] is fold:
                self.folded[id(item)] = fold
            else:
                first, _, times = uses.get(id(item), (position, item, 0))
                uses[id(item)] = first, item, times + 1
        sources = [self.ensure(item, operand_name(node.function, position)) for position, item, _ in uses.values()]
        found = self.measured(tensor.data, healthy=fold is None)
        box = self.boxes.get(id(fold))
        if fold is not None:
            self.folded[id(tensor)] = fold
            if box is None:
                box = self.add(id(fold), Kind.MODULE, self.modules.title(fold), place)
                box.parameters = sum(p.size for p in fold.module.parameters())
                box.where = self.modules.path(fold)
        else:
            box = self.add(id(tensor), Kind.OP, call(node.function, node.args, node.params), place, found=found)
            box.health = health(short(node.function), found)
            box.error = self.subject.errors.get(id(tensor))
            box.where = "" if node.scope is None else self.modules.path(node.scope)
        assert box is not None  # noqa: S101 - one of the branches has made it
        if found is not None and found.trouble:
            box.first_trouble = box.first_trouble or not self.troubled
            box.health = found.trouble
            self.troubled = True
        box.shape, box.dtype = tensor.data.shape, str(tensor.data.dtype)
        box.functions.append(node.function)
        if id(tensor) in self.memory.kept:
            box.kept = (box.kept or 0) + self.memory.kept[id(tensor)]
        for (_, item, times), source in zip(uses.values(), sources, strict=True):
            if source is not box:
                self.connect(item, source, box, times, tensor)

    def ensure(self, item: Any, name: str) -> Box:
        """The box of an operand; a new one for a parameter or for data."""
        box = self.find(item)
        if box is not None:
            return box
        data = item.data if isinstance(item, Traced) else item
        title = self.modules.names.get(id(item)) or getattr(item, "name", None)
        place = self.homes.get(id(item), ([], None))[0]
        known = {"shape": data.shape, "dtype": str(data.dtype), "found": self.measured(data)}
        if isinstance(item, Traced) and (leaf(item) or id(item) in self.modules.names):
            box = self.add(id(item), Kind.PARAMETER, title or "tensor", place, **known)
            box.frozen = item.node is None
            box.parameters = int(data.size)
        else:
            box = self.add(id(item), Kind.DATA, title or name, place, **known)
        if isinstance(item, Traced) and leaf(item):
            self.leaves[id(item)] = item
        box.health = box.found.trouble if box.found is not None else ""
        return box

    def add_failure(self, function: Any, args: tuple[Any, ...], message: str) -> None:
        """The box of an op that could not run, and edges from what it was called with."""
        items = list(operands(args))
        sources = [self.ensure(item, operand_name(function, position)) for position, item in items]
        fit = " and ".join(extent(item.shape) for _, item in items)
        box = self.add(id(args), Kind.FAILED, call(function, args, {}), [], health=f"{fit} do not fit", where=message)
        box.functions.append(function)
        for (_, item), source in zip(items, sources, strict=True):
            self.connect(item, source, box, 1, None)

    def mark_output(self, output: Traced, position: int) -> None:
        """Say that a box is an output, and its value."""
        box = self.ensure(output, "output")
        box.output = output.name or ("loss" if output.data.size == 1 else "output")
        if len(self.subject.outputs) > 1 and output.name is None:
            box.output += f" {position + 1}"
        if output.data.size == 1 and self.values and output.data.dtype.kind in "fiu":
            box.value = float(output.data.reshape(())[()])

    def measured(self, array: Any, *, healthy: bool = True) -> Statistics | None:
        """Statistics, if values are shown; with ``healthy=False`` only of an array that is not finite."""
        if not self.values or (not healthy and array.dtype.kind in "fiub" and np.isfinite(array).all()):
            return None
        return measure(array, self.histograms)

    # Edges and the gradients on them.

    def connect(self, item: Any, source: Box, box: Box, times: int, result: Traced | None) -> None:
        """An edge from an operand to a box that uses it, or more uses of an edge that is there."""
        key = id(item), box.id
        shape = item.data.shape if isinstance(item, Traced) else item.shape
        edge = self.edges.setdefault(key, Edge(f"e{len(self.edges)}", source.id, box.id, shape, times=0))
        edge.times += times
        if getattr(item, "node", None) is not None and key not in self.carried:
            edge.gradient = Gradient(State.NONE if self.flow.complete and result is not None else State.NOT_RUN)
        if result is None:
            return
        if box.kind is Kind.OP:
            edge.stretched = stretched(result.node.function, shape, result.data.shape)
        carried = self.flow.edges.get((id(result), id(item)))
        if carried is not None:
            self.carried[key] = self.carried[key] + carried if key in self.carried else carried
            self.sent.setdefault(id(result), {})[edge.id] = id(result), id(item)

    def measure_gradients(self) -> None:
        """Fill in the gradients of edges, parameters, results and folded modules."""
        for edge, array in self.carried.items():
            self.edges[edge].gradient = self.seen(array)
        for tensor in self.subject.recorded:
            if id(tensor) in self.boxes:
                self.boxes[id(tensor)].gradient = self.seen(self.flow.totals.get(id(tensor)))
        for parameter in self.leaves.values():
            known = self.flow.totals.get(id(parameter)) if self.flow.complete else parameter.grad
            self.boxes[id(parameter)].gradient = self.seen(known)
        inside: dict[int, list[Any]] = {}
        for key, fold in self.folded.items():
            if key in self.homes and key in self.flow.totals:
                inside.setdefault(id(fold), []).append(np.ravel(self.flow.totals[key]))
        for key, box in self.boxes.items():
            if box.kind is Kind.MODULE and box.parameters:
                box.gradient = self.seen(np.concatenate(inside[key]) if key in inside else None)

    def seen(self, array: Any) -> Gradient:
        """What there is to say about the gradient of something that requires one."""
        found = None if array is None else measure(array, self.histograms)
        if found is None:
            return Gradient(State.NONE if self.flow.complete else State.NOT_RUN)
        return Gradient(State.ZERO if found.zeros == found.size else State.NUMBER, found)

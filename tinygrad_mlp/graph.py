"""The recorded graph and the walk that differentiates it.

A `Node` says how a Tensor was made: function, arguments, params. It never holds the Tensor it made, so references run
one way, from results back to inputs, and a graph dies the moment its last Tensor goes, without the garbage collector.

Nodes are numbered as they are made. An op always runs after the ops it feeds on, so walking the numbers downwards is a
topological order. Changes of memory are numbered by the same clock, so that a node knows whether one came after it.
"""

import itertools
import weakref
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from typing import Any

import numpy as np

from tinygrad_mlp.arguments import NO_PARAMS, Traced, unfolded
from tinygrad_mlp.errors import GraphError, ShapeError
from tinygrad_mlp.rules import RULES, function_name

Visit = Callable[[Any, Any, Any], None]

clock = itertools.count()
backward_observer: ContextVar[Callable[[dict[int, Any]], Visit] | None] = ContextVar("backward_observer", default=None)
differentiating: ContextVar[bool] = ContextVar("differentiating", default=False)  # inside a function, by `tg.grad`


class Changes:
    """When the values in a memory last changed by our hands: by ``optimizer.step()``, ``load_state_dict()``, …

    There is one time per memory, whichever Tensors, views and plain arrays look at it; an entry dies with its memory.

    Attributes
    ----------
    latest : int
        The time of the last change of all: ops that ran later need not look further.
    """

    def __init__(self) -> None:
        self.latest = -1
        self.entries: dict[int, list[Any]] = {}  # id of an array that owns memory -> a weak reference to it, the time

    def mark(self, array: Any) -> None:
        """Say that an array was edited in place. Arrays of other libraries keep their memory to themselves."""
        owner = memory(array)
        key = id(owner)
        self.latest = time = next(clock)
        entry = self.entries.get(key)
        if entry is None:
            if not isinstance(owner, np.ndarray):
                return
            self.entries[key] = [weakref.ref(owner, lambda _: self.entries.pop(key, None)), time]
        else:
            entry[1] = time

    def after(self, time: int, array: Any) -> bool:
        """Whether an array was edited in place after ``time``."""
        entry = self.entries.get(id(memory(array)))
        return entry is not None and entry[1] > time


changes = Changes()  # one for the process, as memory is


def memory(array: Any) -> Any:
    """The array that owns the memory of which an array is a view; windows are views by way of an object between."""
    owner = array
    base = array.base if isinstance(array, np.ndarray) else None  # the base of a dtype is itself
    while base is not None:
        if isinstance(base, np.ndarray):
            owner = base
        base = getattr(base, "base", None)
    return owner


class Node:
    """How a Tensor came to be; on a leaf that requires a gradient, a node without a function.

    Attributes
    ----------
    function : callable or None
        The op, or None on a leaf.
    args : tuple or None
        Its positional arguments as given, Tensors among them. None once a backward pass has freed the graph.
    arrays : list
        The same with arrays in the place of Tensors: what the op computed with.
    params : dict
        Its keyword arguments.
    parents : list of Tensor
        Those among its arguments that require a gradient, in their order.
    time : int
        Position in the order in which ops ran.
    scope : Scope or None
        The modules that were running, see `tinygrad_mlp.nn.module.Scope`.
    trace : object
        What `debug` keeps here, with a ``line`` and a ``release()``; None outside it.
    """

    __slots__ = ("args", "arrays", "function", "params", "parents", "scope", "time", "trace")

    def __init__(
        self,
        function: Callable[..., Any] | None = None,
        args: tuple[Any, ...] | None = (),
        arrays: Sequence[Any] = (),
        params: dict[str, Any] = NO_PARAMS,
        parents: Sequence[Traced] = (),
        scope: Any = None,
    ) -> None:
        self.function = function
        self.args = args
        self.arrays = arrays
        self.params = params
        self.parents = parents
        self.time = next(clock)
        self.scope = scope
        self.trace: Any = None

    def free(self) -> None:
        """Let go of everything kept for the backward pass; the function and its line stay, for error messages."""
        self.args = None
        self.arrays = self.parents = ()
        self.params = NO_PARAMS
        if self.trace is not None:
            self.trace.release()


def topological_order(outputs: Iterable[Traced], since: int = 0) -> tuple[list[Traced], list[Traced]]:
    """Everything that requires a gradient and that ``outputs`` depend on.

    Parameters
    ----------
    outputs : iterable of Tensor
        Where the walk begins.
    since : int
        Results of ops that ran before this time count as leaves: the walk does not go behind them.

    Returns
    -------
    recorded : list of Tensor
        The results of ops, in the order in which they ran.
    leaves : list of Tensor
        The leaves that require a gradient, in the order in which the walk meets them.

    Raises
    ------
    GraphError
        Where the walk reaches a Tensor whose graph an earlier backward pass has freed.
    """
    recorded: dict[int, Traced] = {}  # by time, which sorts them
    leaves: dict[int, Traced] = {}
    stack = list(outputs)
    while stack:
        tensor = stack.pop()
        node = tensor.node
        if node is None:  # requires no gradient, or no longer
            continue
        time = node.time
        if time in recorded or time in leaves:
            continue
        if node.function is None or time < since:
            leaves[time] = tensor
        elif node.args is None:
            raise freed(tensor)
        else:
            recorded[time] = tensor
            stack += node.parents
    return [recorded[time] for time in sorted(recorded)], list(leaves.values())


def unbroadcast(gradient: Any, like: Any, function: Callable[..., Any]) -> Any:
    """Sum a gradient over the axes along which its input was broadcast, and cast it to the input's dtype.

    Raises
    ------
    ShapeError
        If no broadcasting explains the shape: the rule of ``function`` is wrong.
    """
    shape = like.shape
    added = gradient.ndim - len(shape)
    if added > 0:
        gradient = gradient.sum(axis=tuple(range(added)))  # half the overhead of np.sum
    if gradient.shape != shape:
        stretched = tuple(i for i, n in enumerate(shape) if n == 1)
        if added >= 0:
            gradient = gradient.sum(axis=stretched, keepdims=True)
        if gradient.shape != shape:
            raise ShapeError(
                f"backward rule of {function_name(function)}", got=str(gradient.shape),
                expected=f"a gradient of the shape {shape} of its input, or one that {shape} broadcasts to",
            )  # fmt: skip
    return gradient if gradient.dtype == like.dtype else gradient.astype(like.dtype)


def contributions(
    tensor: Traced, gradient: Any, create_graph: bool = False, needed: set[int] | None = None
) -> list[tuple[Any, Any]]:
    """Call the rules of the op that made ``tensor``: pairs of a parent and the gradient that flows to it.

    ``needed``, if given, are the ids of the only parents of interest.
    """
    node = tensor.node
    inputs, out = (node.args, tensor) if create_graph else (node.arrays, tensor._data)
    pairs: list[tuple[Any, Any]] = []
    for arg, rule in zip(node.args, RULES[node.function]):  # noqa: B905 - strict=False costs a tenth of a microsecond
        if rule is None:
            continue
        if isinstance(arg, Traced):
            source = arg.node
            if (
                source is not None
                and (needed is None or id(arg) in needed)
                and (source.time < node.time or is_parent(arg, node))
            ):
                pairs.append((arg, rule(gradient, out, *inputs, **node.params)))
        elif isinstance(arg, (list, tuple)):
            wanted = [is_parent(x, node) and (needed is None or id(x) in needed) for x in arg]
            if any(wanted):
                parts = rule(gradient, out, *inputs, **node.params)
                pairs += [pair for pair, want in zip(zip(arg, parts, strict=True), wanted, strict=True) if want]
    return pairs


def is_parent(value: Any, node: Node) -> bool:
    """Whether a gradient flows from a node to a value: it required one when the op ran, and it does now.

    A leaf may have been frozen or unfrozen meanwhile.
    """
    return isinstance(value, Traced) and value.node is not None and any(value is parent for parent in node.parents)


def dependents(recorded: list[Traced], inputs: set[int]) -> set[int]:
    """The ids of ``inputs`` and of all the Tensors in ``recorded`` that depend on them."""
    found = set(inputs)
    for tensor in recorded:
        if any(id(parent) in found for parent in tensor.node.parents):
            found.add(id(tensor))
    return found


def pullback(
    recorded: list[Traced],
    gradients: dict[int, Any],
    *,
    inputs: set[int] | None = None,
    create_graph: bool = False,
    free: bool = False,
) -> None:
    """Carry gradients from outputs back to everything they depend on.

    Where ``backward_observer`` is set, it is called with ``gradients``, and what it returns is told of each gradient
    that flows along an edge, in the order of the pass: ``(tensor, parent, contribution)``.

    Parameters
    ----------
    recorded : list of Tensor
        From `topological_order`. It is emptied on the way, so that a Tensor nobody else holds goes as soon as it is
        done with.
    gradients : dict
        ``id(tensor) -> gradient``. On entry the seeds of the outputs; on return the gradients of the leaves, or of
        ``inputs``. These arrays may share memory with each other and with the seeds: copy one before editing it.
    inputs : set of int, optional
        The ids of the Tensors whose gradients are wanted, results of ops among them. Only what lies between them and
        the outputs is computed. Default: all leaves.
    create_graph : bool
        Call the rules with Tensors instead of arrays, so that the gradients are recorded in turn.
    free : bool
        Free each node once it is done with.
    """
    summed: set[int] = set()  # totals allocated here, which may be added to in place
    needed = None if inputs is None else dependents(recorded, inputs)
    observe = backward_observer.get()
    visit = None if observe is None else observe(gradients)
    while recorded:
        tensor = recorded.pop()
        node = tensor.node
        gradient = gradients.pop(id(tensor), None)
        if gradient is not None:
            if inputs is not None and id(tensor) in inputs:
                gradients[id(tensor)] = gradient
            if changes.latest > node.time:
                check_unchanged(tensor)
            try:
                pairs = contributions(tensor, gradient, create_graph, needed)
            except Exception as error:  # raised again, with the op
                error.add_note(f"in the backward rule of {function_name(node.function)}")
                raise
            for parent, contribution in pairs:
                data = parent._data
                if contribution.shape != data.shape or contribution.dtype is not data.dtype:  # a kind has one object
                    contribution = unbroadcast(contribution, data, node.function)
                if visit is not None:
                    visit(tensor, parent, contribution)
                key = id(parent)
                total = gradients.get(key)
                if total is None:
                    gradients[key] = contribution
                elif key in summed:
                    total += contribution
                    gradients[key] = total
                else:
                    gradients[key] = total + contribution
                    if not create_graph:  # Tensors never change in place
                        summed.add(key)
        if free:
            node.free()


def check_unchanged(tensor: Traced) -> None:
    """Raise if an operand of the op that made ``tensor``, or its result, has changed since the op ran."""
    node = tensor.node
    for arg, array in zip(unfolded(node.args), unfolded(node.arrays), strict=True):
        if changes.after(node.time, array) or (isinstance(arg, Traced) and arg._data is not array):
            raise overwritten(tensor, arg)
    if changes.after(node.time, tensor._data):
        raise overwritten(tensor, tensor)


def identify(tensor: Any) -> str:
    """Name a Tensor or an array in an error message."""
    if not isinstance(tensor, Traced):
        return f"plain array of shape {tensor.shape}"
    name = f"{tensor.name!r}, " if tensor.name else ""
    node = tensor.node
    made = (
        "no gradient"
        if node is None
        else f"the result of {function_name(node.function)}"
        if node.function
        else "a leaf"
    )
    line = f", made at {node.trace.line}" if node is not None and node.trace else ""
    return f"Tensor ({name}{made}, shape {tensor._data.shape}{line})"


def freed(tensor: Traced) -> GraphError:
    """The error for a backward pass through a graph that is not there: freed by an earlier one, or never recorded."""
    if way_out := getattr(tensor.node.function, "no_graph", None):
        return GraphError(
            "backward", expected="a graph", got=f"a {identify(tensor)}, whose ops were not recorded", fix=way_out
        )
    return GraphError(
        "backward",
        expected="a graph that is still there",
        got=f"a {identify(tensor)} whose graph an earlier backward() has freed",
        fix="Compute that Tensor anew for each backward(); or cut it off with .detach() if no gradient should flow "
        "through it; or keep the graph with the first backward(retain_graph=True).",
    )


def overwritten(tensor: Traced, operand: Any) -> GraphError:
    """The error for an operand that changed between the op that used it and the backward pass."""
    return GraphError(
        f"backward of {function_name(tensor.node.function)}",
        expected="operands unchanged since the forward pass",
        got=f"a {identify(operand)} that was changed in place afterwards, by optimizer.step(), load_state_dict(), "
        "x.data = … or x.mark_changed()",
        fix="Call backward() first and change the values afterwards, or run the forward pass again; or let the op use "
        "a copy, Tensor(x.data.copy()).",
    )

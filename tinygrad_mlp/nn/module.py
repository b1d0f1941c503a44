"""`Module`: the base of everything that holds parameters."""

import copy
import sys
from collections import UserDict, UserList, deque
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, ParamSpec, Protocol, TypeVar

import numpy as np

from tinygrad_mlp import tensor
from tinygrad_mlp.errors import GraphError, StateError
from tinygrad_mlp.graph import changes, identify, topological_order
from tinygrad_mlp.tensor import Tensor
from tinygrad_mlp.validation import converted

Arrays = dict[str, np.ndarray[Any, Any]]
P = ParamSpec("P")
R = TypeVar("R", covariant=True)


class Forward(Protocol[P, R]):
    """What has a `forward`: it tells a type checker what calling the module takes and returns."""

    def forward(self, *args: P.args, **params: P.kwargs) -> R: ...


class Module:
    """A part of a network: parameters, other modules, and a `forward` that uses them.

    Whatever is assigned to an attribute is part of the module, in the order of assignment, also inside lists, tuples,
    dicts, deques, dataclasses, namespaces and arrays of objects: a `Tensor` is a parameter, an ndarray a buffer (saved,
    not trained), a `Module` a child. Results of ops, such as activations kept for a look at them, are not part of it.

    Examples
    --------
    >>> import tinygrad_mlp as tg
    >>> class Scale(tg.nn.Module):
    ...     def __init__(self, features):
    ...         self.factor = tg.Tensor(np.ones(features), requires_grad=True)
    ...     def forward(self, x):
    ...         return x * self.factor
    >>> model = Scale(3)
    >>> [name for name, parameter in model.named_parameters()]
    ['factor']
    >>> model(np.array([1.0, 2.0, 3.0]))
    Tensor([1., 2., 3.], op=np.multiply)
    """

    training: bool = True

    def forward(self, *args: Any, **params: Any) -> Any:
        """What the module computes. Subclasses define it; users call the module itself."""
        raise NotImplementedError

    def __call__(self: Forward[P, R], *args: P.args, **params: P.kwargs) -> R:
        token = tensor.scope.set(Scope(tensor.scope.get(), self))  # type: ignore[arg-type]  # self is a Module
        try:
            return self.forward(*args, **params)
        except RecursionError as error:
            raise GraphError(
                type(self).__name__, expected=f"calls within Python's recursion limit of {sys.getrecursionlimit()}",
                got="modules nested deeper than that",
                fix="Put modules side by side, nn.Sequential(a, b, c), or raise it with sys.setrecursionlimit().",
            ) from error  # fmt: skip
        finally:
            tensor.scope.reset(token)

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, np.generic) and isinstance(vars(self).get(name), np.ndarray):
            value = np.asarray(value)  # arithmetic on an array without axes gives a NumPy scalar, which is no buffer
        object.__setattr__(self, name, value)

    def __deepcopy__(self, memo: dict[int, Any]) -> "Module":
        """Copies of all modules are made before they are filled, so that no nesting is too deep."""
        modules = [module for _, module in self.named_modules()]
        for module in modules:
            memo[id(module)] = type(module).__new__(type(module))
        for module in modules:
            vars(memo[id(module)]).update(copy.deepcopy(vars(module), memo))
        twin: Module = memo[id(self)]
        return twin

    def named_members(self, prefix: str = "") -> Iterator[tuple[str, Any]]:
        """``(path, value)`` of all Tensors, arrays, random generators and modules in here, each object once.

        Raises
        ------
        StateError
            If Tensors or modules are in a set, which has no order; or if a Tensor that requires a gradient is not here,
            but the result of an op on it is.
        """
        seen = {id(self)}
        results: list[tuple[str, Tensor]] = []
        stack = [(prefix + name, value) for name, value in reversed(vars(self).items())]
        while stack:
            path, value = stack.pop()
            inside = contents(path, value)
            if id(value) in seen or (
                inside is None and not isinstance(value, (Tensor, np.ndarray, np.random.Generator))
            ):
                continue
            seen.add(id(value))
            if isinstance(value, Tensor) and value._is_result:
                results.append((path, value))
                continue
            yield path, value
            stack.extend((f"{path}.{name}", item) for name, item in reversed((inside or {}).items()))
        for path, result in results:
            check_result(path, result, seen)

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """``(name, parameter)`` in the order of assignment; the name is the path to it, ``fc1.weight``."""
        return ((path, value) for path, value in self.named_members() if isinstance(value, Tensor))

    def parameters(self) -> Iterator[Tensor]:
        """The parameters without their names."""
        return (parameter for _, parameter in self.named_parameters())

    def named_modules(self) -> Iterator[tuple[str, "Module"]]:
        """``(path, module)`` of this module, whose path is empty, and of all modules inside."""
        yield "", self
        for path, value in self.named_members():
            if isinstance(value, Module):
                yield path, value

    def state_dict(self) -> Arrays:
        """Copies of all parameters and buffers, by name."""
        return {name: array.copy() for name, array in self._arrays().items()}

    def load_state_dict(self, state: Arrays) -> None:
        """Copy parameters and buffers from a `state_dict` of the same structure.

        Raises
        ------
        StateError
            Naming every entry that is missing, unexpected, of another shape or kind of number, or too large for the
            dtype it is loaded into, and every array that is read-only; nothing is changed then.
        """
        refuse_checkpoint(f"{type(self).__name__}.load_state_dict", state)
        arrays = self._arrays()
        problems = [f"{name} is missing" for name in arrays if name not in state]
        problems += [f"{name} is unexpected" for name in state if name not in arrays]
        problems += [f"{name} is read-only here" for name, array in arrays.items() if not array.flags.writeable]
        loaded: Arrays = {}  # copies, as the state may hold the very arrays that are written to
        for name in (name for name in arrays if name in state):
            try:
                loaded[name] = converted(state[name], arrays[name])
            except ValueError as error:
                problems.append(f"{name} {error}")
        if problems:
            raise StateError(
                f"{type(self).__name__}.load_state_dict",
                expected="an entry of the same shape and kind of number for each parameter and buffer",
                got=f"a state in which {'; '.join(problems)}",
                fix="Build the module with the sizes and dtypes it was saved with.",
            )
        for name, array in arrays.items():
            array[...] = loaded[name]
            changes.mark(array)

    def _arrays(self) -> Arrays:
        named = [(name, value.data if isinstance(value, Tensor) else value) for name, value in self.named_members()]
        arrays = [(name, value) for name, value in named if isinstance(value, np.ndarray) and value.dtype.kind != "O"]
        found = dict(arrays)
        if len(found) < len(arrays):
            names = [name for name, _ in arrays]
            raise StateError(
                f"{type(self).__name__}.state_dict", expected="a name of its own for each parameter and buffer",
                got=f"twice {next(name for name in names if names.count(name) > 1)}", fix="Rename a key of a dict.",
            )  # fmt: skip
        return found

    def train(self, mode: bool = True) -> "Module":
        """Switch dropout and batch statistics on (or off) in this module and all inside; returns the module."""
        for _, module in self.named_modules():
            module.training = mode
        return self

    def eval(self) -> "Module":
        """``train(False)``: the same input gives the same output."""
        return self.train(mode=False)

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.grad = None

    def summary(self) -> str:
        """What the first line of the repr shows between its parentheses; subclasses say their sizes here."""
        return ""

    def _lines(self) -> Iterator[tuple[int, str]]:
        """The lines of the repr, each with the depth of its module."""
        for path, module in self.named_modules():
            own = {name: value for name, value in vars(module).items() if isinstance(value, Tensor)}
            counted = module.parameters() if module is self else own.values()
            notes = [f"{name} {value.shape}" for name, value in own.items()]
            if count := sum(parameter.size for parameter in counted):
                notes.append(f"{count:,} parameters")
            head = f"({path.rpartition('.')[2]}): " if path else ""
            text = f"{head}{type(module).__name__}({module.summary()}){'  # ' + ', '.join(notes) if notes else ''}"
            yield path.count(".") + 1 if path else 0, text

    def __repr__(self) -> str:
        return "\n".join("  " * depth + text for depth, text in self._lines())

    def _repr_html_(self) -> str:
        from tinygrad_mlp.nn.tree import tree

        return tree(self._lines())


def refuse_checkpoint(where: str, state: Mapping[str, Any]) -> None:
    """Raise where a state is the whole checkpoint of a run."""
    if "progress" in state and any(name.startswith("model/") for name in state):
        raise StateError(
            where, expected="the state of a model", got="the checkpoint of a run",
            fix="Read its model with tg.train.checkpoint.load_model(path, model).",
        )  # fmt: skip


class Scope:
    """The modules that are running: the innermost one, and the scope it was called in. Its text is their path."""

    __slots__ = ("module", "outer")

    def __init__(self, outer: "Scope | None", module: Module) -> None:
        self.outer = outer
        self.module = module

    def __str__(self) -> str:
        modules = [self.module]
        scope = self
        while scope.outer is not None:
            scope = scope.outer
            modules.append(scope.module)
        names = [type(modules[-1]).__name__]
        for outer, inner in pairwise(reversed(modules)):
            inside = outer.named_modules()
            names.append(next((path for path, module in inside if module is inner), type(inner).__name__))
        return ".".join(names)


def contents(path: str, value: Any) -> dict[Any, Any] | None:
    """What a module or a container holds, by name; None for what holds nothing."""
    if isinstance(value, Module):
        return vars(value)
    if isinstance(value, (dict, UserDict)):
        return dict(value)
    if isinstance(value, (list, tuple, deque, UserList)):
        return dict(enumerate(value))
    if isinstance(value, SimpleNamespace):
        return vars(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name, None) for field in fields(value)}
    if isinstance(value, np.ndarray) and value.dtype.kind == "O":
        return dict(enumerate(value.flat))
    if isinstance(value, (set, frozenset)) and any(isinstance(item, (Tensor, Module)) for item in value):
        raise StateError(
            "Module", expected="parameters and modules in an order, by which they are named",
            got=f"some in a {type(value).__name__}, {path}", fix="Keep them in a list.",
        )  # fmt: skip
    return None


def check_result(path: str, result: Tensor, members: set[int]) -> None:
    """Raise where the result of an op stands in the place of a parameter: what it is made of is nowhere in the module.

    What a module computed, an activation that it keeps, is no such result.
    """
    if result.node is None or result.node.scope is not None or result.node.args is None:
        return
    _, leaves = topological_order([result])
    for leaf in leaves:
        if id(leaf) not in members:
            raise StateError(
                "Module", expected=f"a leaf as {path}, which can be trained and saved", got=f"a {identify(result)}",
                fix="Compute on the array first, Tensor(0.1 * array, requires_grad=True); a result that is "
                "no parameter, such as a loss, is kept as x.item() or x.data.",
            )  # fmt: skip

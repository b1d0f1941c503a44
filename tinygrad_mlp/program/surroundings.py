"""What a function reaches beside its arguments: parameters, buffers, closed-over arrays, settings, generators.

While notes are taken, notes stand in the places of all arrays found here, so that whatever is computed from them is
noted too. Afterwards the arrays are read from their places at each call, and the rest (numbers, functions, flags, the
structure of containers) must be what it was, or the program does not fit.
"""

import functools
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from tinygrad_mlp.nn.module import Module
from tinygrad_mlp.tensor import Tensor

MISSING = object()
PACKAGE = __name__.partition(".")[0]
OURS = (f"{PACKAGE}.", "numpy.")


class Cell:
    """A cell of a closure, read and written like a dict with one key."""

    __slots__ = ("cell",)

    def __init__(self, cell: types.CellType) -> None:
        self.cell = cell

    def __getitem__(self, key: str) -> Any:
        return self.cell.cell_contents

    def __setitem__(self, key: str, value: Any) -> None:
        self.cell.cell_contents = value


class Data:
    """The data of a Tensor, read and written like a dict with one key."""

    __slots__ = ("tensor",)

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor

    def __getitem__(self, key: str) -> Any:
        return self.tensor._data

    def __setitem__(self, key: str, value: Any) -> None:
        self.tensor._data = value  # not a change of the values: the old array comes back


class Place:
    """Where an array or a random generator from outside is read from: ``container[key]``."""

    __slots__ = ("container", "key", "name")

    def __init__(self, container: Any, key: Any, name: str) -> None:
        self.container = container
        self.key = key
        self.name = name

    def read(self) -> Any:
        """What is there now."""
        return self.container[self.key]


class Surroundings:
    """All that some objects reach.

    Attributes
    ----------
    arrays : list of Place
        Of arrays, and of the data of Tensors.
    generators : list of Place
        Of random generators.
    fixed : list of (container, key, value)
        What must stay the same object, or an equal number or text.
    sizes : list of (container, int)
    tensors : list of (Tensor, bool, object)
        Whether each requires a gradient, and its ``grad`` when this was made.
    """

    def __init__(self, *roots: tuple[str, Any]) -> None:
        self.arrays: list[Place] = []
        self.generators: list[Place] = []
        self.fixed: list[tuple[Any, Any, Any]] = []
        self.sizes: list[tuple[Any, int]] = []
        self.tensors: list[tuple[Tensor, bool, Any]] = []
        self.modules: dict[int, str] = {}  # id of a module -> its path
        self.seen: set[int] = set()
        stack: list[tuple[Any, Any, str, Any]] = [(None, None, name, root) for name, root in reversed(roots)]
        while stack:
            stack.extend(reversed(list(self.enter(*stack.pop()))))

    def enter(self, container: Any, key: Any, name: str, value: Any) -> Iterator[tuple[Any, Any, str, Any]]:
        """Take down one thing, and give what is inside it."""
        if isinstance(value, np.ndarray):
            if container is not None:
                self.arrays.append(Place(container, key, name))
            return
        if isinstance(value, np.random.Generator):
            if container is not None:
                self.generators.append(Place(container, key, name))
            return
        if container is not None:
            self.fixed.append((container, key, value))
        if id(value) in self.seen or isinstance(value, (str, bytes, int, float, complex, type, types.ModuleType)):
            return
        self.seen.add(id(value))
        if isinstance(value, Tensor):
            self.tensors.append((value, value.node is not None, value.grad))
            if isinstance(value.data, np.ndarray):
                self.arrays.append(Place(Data(value), "data", name or value.name or ""))
        elif isinstance(value, types.FunctionType):
            yield from self.function(value, name)
        elif isinstance(value, types.MethodType):
            yield None, None, name, value.__func__
            yield None, None, name, value.__self__
        elif isinstance(value, functools.partial):
            yield None, None, name, value.func
            yield from ((None, None, "", item) for item in (*value.args, *value.keywords.values()))
        elif isinstance(value, (list, tuple, dict)):
            self.sizes.append((value, len(value)))
            for k, item in value.items() if isinstance(value, dict) else enumerate(value):
                yield (None if isinstance(value, tuple) else value), k, joined(name, k), item
        elif isinstance(value, Module) or (hasattr(value, "__dict__") and not is_ours(type(value).__module__)):
            self.sizes.append((vars(value), len(vars(value))))
            prefix = "" if container is None else name
            for k, item in vars(value).items():
                yield vars(value), k, joined(prefix, k), item
            if isinstance(value, Module):
                self.modules[id(value)] = prefix
                yield None, None, "", type(value).forward
            elif callable(value) and not isinstance(value, type):
                yield None, None, "", type(value).__call__

    def function(self, f: types.FunctionType, name: str) -> Iterator[tuple[Any, Any, str, Any]]:
        """What a function closes over, its defaults, and the globals that it names."""
        for label, cell in zip(f.__code__.co_freevars, f.__closure__ or (), strict=True):
            try:
                yield Cell(cell), label, label, cell.cell_contents
            except ValueError:  # not filled yet
                continue
        yield from ((None, None, "", value) for value in f.__defaults__ or ())
        yield from ((None, None, "", value) for value in (f.__kwdefaults__ or {}).values())
        if not is_ours(f.__module__ or ""):
            for label in dict.fromkeys(names_in(f.__code__)):
                if label in f.__globals__:
                    yield f.__globals__, label, label, f.__globals__[label]

    def unchanged(self) -> bool:
        """Whether all that must stay the same has stayed so."""
        for container, key, value in self.fixed:
            try:
                now = container[key]
            except (KeyError, IndexError, ValueError):
                return False
            if now is not value and not (type(now) is type(value) and type(value) in SIMPLE and now == value):
                return False
        return all(len(container) == n for container, n in self.sizes) and all(
            (tensor.node is not None) is flag for tensor, flag, _ in self.tensors
        )

    @contextmanager
    def replaced(self, change: Callable[[Place, Any], Any]) -> Iterator[None]:
        """Put something in the place of each array and generator; the old ones come back whatever happens."""
        before = [(place, place.read()) for place in [*self.arrays, *self.generators]]
        try:
            for place, value in before:
                place.container[place.key] = change(place, value)
            yield
        finally:
            for place, value in before:
                place.container[place.key] = value


SIMPLE = (int, float, complex, str, bytes, bool)


def joined(prefix: str, key: Any) -> str:
    """``fc1`` and ``weight`` as ``fc1.weight``."""
    return f"{prefix}.{key}" if prefix else str(key)


def is_ours(module: str) -> bool:
    """Whether a module belongs to this package or to NumPy, whose globals do not change."""
    return f"{module}.".startswith(OURS)


def names_in(code: types.CodeType) -> Iterator[str]:
    """The names that some code looks up, that of functions defined inside included."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from names_in(constant)

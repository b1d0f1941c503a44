"""The program as data: variables, and the calls that make them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


class Variable:
    """A value of the program.

    Attributes
    ----------
    kind : {"argument", "outside", "constant", "result"}
        Passed in; held by something the function reaches (a parameter, a buffer); made by the function without
        regard to its arguments; or made by an instruction.
    shape, dtype, strides
        Of the array. ``dtype`` is None for what is no array, such as a random generator.
    memory : Variable
        The variable whose memory this one is a view of, or the variable itself.
    value : object
        Of a constant, the array; None else.
    scalar : bool
        Whether NumPy returned a scalar instead of an array.
    name : str
        What modules, parameters and arguments call it; empty for most results.
    """

    __slots__ = ("dtype", "kind", "memory", "name", "scalar", "shape", "strides", "value")

    def __init__(self, value: Any, kind: str, memory: "Variable | None" = None) -> None:
        self.kind = kind
        array = value if isinstance(value, np.ndarray) else None
        self.scalar = isinstance(value, (np.generic, bool, int, float))
        self.shape: tuple[int, ...] = () if array is None else array.shape
        self.strides: tuple[int, ...] = () if array is None else array.strides
        self.dtype = array.dtype if array is not None else np.asarray(value).dtype if self.scalar else None
        self.memory: Variable = memory or self
        self.value = value if kind == "constant" else None
        self.name = ""


@dataclass(eq=False, slots=True)
class Instruction:
    """One call of the program.

    Attributes
    ----------
    function : callable
        A NumPy function, a ufunc or one of its methods, ``operator.getitem`` or ``setitem``, or `Method`, `Attribute`.
    args, params
        Its arguments, with variables in the place of arrays, also inside tuples, lists, dicts and slices.
    results : tuple of Variable
        Empty for a call that only edits memory.
    several : bool
        Whether NumPy returned a tuple or list.
    writes : Variable or None
        The memory that the call edits.
    effect : bool
        Whether it must run even if nobody uses its results: a draw moves its generator on.
    scope : object
        The modules that were running.
    lines : pair of (Line or None)
        The lines of a rule or layer, and of the user, that name what is being computed.
    backward : object
        In a backward pass, the op whose rule was running; else None.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    params: dict[str, Any]
    results: tuple[Variable, ...]
    several: bool = False
    writes: Variable | None = None
    effect: bool = False
    scope: Any = None
    lines: tuple[Any, Any] = (None, None)
    backward: Any = None

    @property
    def reads(self) -> list[Variable]:
        """The variables among its arguments."""
        return variables_in((self.args, self.params))


@dataclass(frozen=True)
class Method:
    """``x.name(...)``, as a function of x and the rest."""

    name: str

    def __call__(self, x: Any, *args: Any, **params: Any) -> Any:
        return getattr(x, self.name)(*args, **params)


@dataclass(frozen=True)
class Attribute:
    """``x.name``, as a function of x."""

    name: str

    def __call__(self, x: Any) -> Any:
        return getattr(x, self.name)


def mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    """Nested tuples, lists, dicts and slices with ``change`` applied to what they hold."""
    if type(value) in (tuple, list):
        return type(value)([mapped(item, change) for item in value])
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*[mapped(item, change) for item in value])
    if isinstance(value, (tuple, list)):
        return type(value)([mapped(item, change) for item in value])
    if type(value) is dict:
        return {key: mapped(item, change) for key, item in value.items()}
    if isinstance(value, slice):
        return slice(*[mapped(end, change) for end in (value.start, value.stop, value.step)])
    return change(value)


def variables_in(values: Any) -> list[Variable]:
    """The variables inside nested arguments, each as often as it stands there."""
    found: list[Variable] = []
    mapped(values, lambda value: found.append(value) if isinstance(value, Variable) else None)
    return found


class Unmet(Exception):
    """Something that the function demands of its arguments does not hold in this run."""


def demand(holds: Any) -> None:
    """An instruction: go on only if a condition holds."""
    if not holds:
        raise Unmet


def demand_shape(x: Any, shape: tuple[int, ...]) -> None:
    """An instruction: go on only if an array whose shape depends on values has the shape it had."""
    if np.shape(x) != shape:
        raise Unmet


class Result:
    """A place in what the function returns: an output of the program, or a number that is known.

    Attributes
    ----------
    index : int or None
        Position among the outputs.
    number : object
        The value, where there is no output.
    array : bool
        Whether a scalar of NumPy's becomes an array.
    tensor : bool
        Whether `present` makes a Tensor of it.
    """

    __slots__ = ("array", "index", "number", "tensor")

    array: bool
    index: int | None
    number: Any
    tensor: bool

    def present(self, value: Any) -> Any:
        """What the caller gets."""
        raise NotImplementedError

"""Arrays that take notes: a function runs once on them, and what NumPy did is written down, call by call.

A `Note` stands in the place of an array. NumPy's protocols bring every call to it; it makes the call on the real
arrays, so that the run is a real one, and appends an `Instruction` to its `Notes`. The engine's rules are plain NumPy,
so forward and backward pass, to any order, are noted without knowing it.

What would take a value out of the run (a branch on it, ``float(x)``) is refused, because the program would keep the
value of the day it was written.
"""

import operator
import threading
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from tinygrad_mlp.debugging import user_line
from tinygrad_mlp.errors import CompileError
from tinygrad_mlp.graph import memory
from tinygrad_mlp.program.instructions import Attribute, Instruction, Method, Variable, demand, demand_shape, mapped
from tinygrad_mlp.program.lines import running_lines
from tinygrad_mlp.tensor import Tensor

SHAPE_ONLY = {
    np.shape, np.ndim, np.size, np.result_type, np.can_cast, np.iscomplexobj, np.isrealobj, np.min_scalar_type,
    np.common_type, np.may_share_memory, np.shares_memory,
}  # fmt: skip
SHAPED_BY_VALUES = {
    "argwhere", "bincount", "compress", "delete", "extract", "flatnonzero", "histogram_bin_edges", "insert",
    "intersect1d", "nonzero", "repeat", "setdiff1d", "setxor1d", "trim_zeros", "union1d", "unique", "unique_all",
    "unique_counts", "unique_inverse", "unique_values", "where",
}  # fmt: skip
CHOICES = {np.where, np.take, np.take_along_axis, np.searchsorted, np.isin, np.choose}
IN_PLACE = {"sort", "fill", "put", "partition"}
METHODS = {
    "all", "any", "argmax", "argmin", "argpartition", "argsort", "astype", "choose", "clip", "compress", "conj",
    "conjugate", "copy", "cumprod", "cumsum", "diagonal", "dot", "flatten", "max", "mean", "min", "nonzero", "prod",
    "ravel", "repeat", "reshape", "round", "searchsorted", "squeeze", "std", "sum", "swapaxes", "take", "trace",
    "transpose", "var", *IN_PLACE,
}  # fmt: skip
FREEZES = {"item", "tolist", "tobytes", "tofile", "dump", "dumps", "data", "flat", "view", "ctypes"}


class Notes:
    """What one run did.

    Attributes
    ----------
    instructions : list of Instruction
    constants : dict
        By ``id``, the variables of arrays that the function made itself, which nothing noted has touched.
    scope : callable
        Tells the modules that are running, for names.
    """

    def __init__(self, scope: Callable[[], Any]) -> None:
        self.instructions: list[Instruction] = []
        self.constants: dict[int, Variable] = {}
        self.owners: dict[int, Variable] = {}  # id of an array that owns memory -> the first variable in it
        self.kept: list[Any] = []  # so that no id is given twice
        self.scope = scope
        self.thread = threading.get_ident()
        self.gradients: list[tuple[Variable, Variable]] = []  # a gradient, and what it is the gradient of
        self.undo: list[tuple[Any, Any]] = []  # arrays from outside that were written to, and what was in them
        self.kind: type[Note] = Note  # of the results

    def variable(self, value: Any, kind: str) -> Variable:
        """A new variable for a value; a view shares the memory of the variable it looks at."""
        self.kept.append(value)
        root = memory(value)
        variable = Variable(value, kind, self.owners.get(id(root)))
        if isinstance(value, np.ndarray):
            self.kept.append(root)
            self.owners.setdefault(id(root), variable.memory)
        return variable

    def operand(self, value: Any) -> Any:
        """What an instruction holds in the place of an argument: the variable of an array, or the value itself."""
        if isinstance(value, Note):
            return value.variable
        if isinstance(value, np.ndarray):
            known = self.constants.get(id(value))
            held: Any = None if known is None else known.value
            if known is None or held.tobytes() != value.tobytes():  # perhaps the function has edited it since
                known = self.constants[id(value)] = self.variable(value, "constant")
                known.value = copied(value)
            return known
        return value

    def call(self, function: Callable[..., Any], args: tuple[Any, ...], params: dict[str, Any]) -> Any:
        """Make a call on the real arrays, and note it."""
        values, named = mapped(args, real), mapped(params, real)
        result = function(*values, **named)
        if function in SHAPE_ONLY:
            return result
        for note in notes_in((args, params)):
            if result is note.value:
                return note
        noted = self.noted(function, args, params, result)
        if shape_may_vary(function, args, params):
            for note in notes_in(noted):
                self.append(demand_shape, (note, note.shape), {}, [], effect=True)
        return noted

    def noted(
        self, function: Callable[..., Any], args: tuple[Any, ...], params: dict[str, Any], result: Any,
        effect: bool = False,
    ) -> Any:  # fmt: skip
        """Append an instruction, and return its results as notes."""
        several = isinstance(result, (tuple, list))
        results = [
            self.kind(value, self.variable(value, "result"), self) for value in (result if several else (result,))
        ]
        self.append(function, args, params, [note.variable for note in results], effect=effect, several=several)
        if not several:
            return results[0]
        return type(result)(*results) if hasattr(result, "_fields") else type(result)(results)

    def append(
        self, function: Callable[..., Any], args: tuple[Any, ...], params: dict[str, Any], results: list[Variable],
        *, writes: Variable | None = None, effect: bool = False, several: bool = False,
    ) -> None:  # fmt: skip
        """Append an instruction."""
        self.instructions.append(
            Instruction(
                function, mapped(args, self.operand), mapped(params, self.operand), tuple(results), several=several,
                writes=None if writes is None else writes.memory, effect=effect, scope=self.scope(),
                lines=running_lines(),
            )
        )  # fmt: skip

    def write(self, target: Any, function: Callable[..., Any], args: tuple[Any, ...], params: dict[str, Any]) -> None:
        """Make a call that edits ``target`` in place, and note it."""
        if not isinstance(target, Note):
            refuse(
                "an array made inside the function that is edited with values of the run",
                "Start it from np.zeros_like(x), where x is an argument; or write np.where.",
            )
        memory = target.variable.memory
        if memory.kind in ("argument", "outside"):
            self.undo.append((target.value, target.value.copy()))
        function(*mapped(args, real), **mapped(params, real))
        self.append(function, args, params, [], writes=memory)


def copied(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A copy with the same strides, which NumPy's loops go by."""
    copy = array.copy(order="K")
    if copy.strides == array.strides:
        return copy
    root = memory(array)
    start = array.__array_interface__["data"][0] - root.__array_interface__["data"][0]
    return np.ndarray(array.shape, array.dtype, root.ravel(order="K").copy(), start, array.strides)


class Note(NDArrayOperatorsMixin):
    """An array of a run that is being noted."""

    __slots__ = ("__weakref__", "notes", "value", "variable")
    __hash__ = object.__hash__

    def __init__(self, value: Any, variable: Variable, notes: Notes) -> None:
        self.value = value
        self.variable = variable
        self.notes = notes

    shape = property(lambda self: np.shape(self.value))
    dtype = property(lambda self: np.asarray(self.value).dtype)
    ndim = property(lambda self: np.ndim(self.value))
    size = property(lambda self: np.size(self.value))
    nbytes = property(lambda self: self.value.nbytes)
    itemsize = property(lambda self: self.value.itemsize)
    strides = property(lambda self: np.asarray(self.value).strides)
    flags = property(lambda self: np.asarray(self.value).flags)
    base = property(lambda self: getattr(self.value, "base", None))

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *args: Any, out: Any = (), **params: Any) -> Any:
        if any(isinstance(arg, Tensor) for arg in args):
            return NotImplemented
        function = ufunc if method == "__call__" else getattr(ufunc, method)
        if self.notes.thread != threading.get_ident():  # another thread, which met an array of the run by chance
            return function(*mapped(args, real), **params, **({"out": mapped(out, real)} if out else {}))
        if method == "at":
            return self.notes.write(args[0], function, args, params)
        if not out:
            return self.notes.call(function, args, params)
        if len(out) != 1:
            refuse(f"{ufunc.__name__} with several out=", "Let the function return new arrays.")
        return self.in_place(function, args, params, out[0])

    def in_place(self, function: Callable[..., Any], args: tuple[Any, ...], params: dict[str, Any], out: Any) -> Any:
        """``x += y``: a new value for x where nothing else sees its memory, else a write into it."""
        if isinstance(out, Note) and out.variable is out.variable.memory and out.variable.kind == "result":
            notes = self.notes
            views = [v for v in notes.kept if v is not out.value and memory(v) is out.value]
            if not views:
                fresh = function(*mapped(args, real), **mapped(params, real))
                if fresh.dtype != out.dtype:
                    np.can_cast(fresh.dtype, out.dtype, "same_kind") or refuse("a cast in place", "Write x = x + y.")
                if fresh.dtype == out.dtype and fresh.shape == out.shape and fresh.strides == out.value.strides:
                    note = notes.noted(function, args, params, fresh)
                    out.value, out.variable = note.value, note.variable
                    return out
        self.notes.write(out, function, args, params | {"out": out})
        return out

    def __array_function__(self, function: Callable[..., Any], types: Any, args: Any, params: Any) -> Any:
        if any(issubclass(t, Tensor) for t in types):
            return NotImplemented
        if self.notes.thread != threading.get_ident():
            return function(*mapped(args, real), **mapped(params, real))
        if function is np.copyto or function is np.put or function is np.fill_diagonal:
            return self.notes.write(args[0], function, args, params)
        if params.get("out") is not None:
            refuse(f"{function.__name__} with out=", "Let the function return a new array.")
        return self.notes.call(function, args, params)

    def __getitem__(self, index: Any) -> Any:
        for part in index if isinstance(index, tuple) else (index,):
            if isinstance(part, slice) and notes_in((part.start, part.stop, part.step)):
                refuse("a slice whose ends are taken from an array of the run", "Choose with np.where or a mask.")
        return self.notes.call(operator.getitem, (self, index), {})

    def __setitem__(self, index: Any, value: Any) -> None:
        self.notes.write(self, operator.setitem, (self, index, value), {})

    def __getattr__(self, name: str) -> Any:
        if name in ("T", "mT", "real", "imag"):
            return self.notes.call(Attribute(name), (self,), {})
        if name in IN_PLACE:
            return lambda *args, **params: self.notes.write(self, Method(name), (self, *args), params)
        if name in METHODS:
            return lambda *args, **params: self.notes.call(Method(name), (self, *args), params)
        if name in FREEZES:
            refuse(f".{name} of {self}")
        raise AttributeError(name)

    def __demand__(self, error: Callable[[], Exception]) -> None:
        """Raise ``error()`` unless this holds, now and in each run of the program."""
        if not self.value:
            raise error()
        self.notes.append(demand, (self,), {}, [], effect=True)

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        return f"an array of the run, of shape {self.shape}"

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NoReturn:
        refuse(
            f"np.asarray of {self}",
            "Write np.stack([x, y]) for a list of arrays; hand a table in as an argument for table[x].",
        )

    def __bool__(self) -> NoReturn:
        refuse(f"a branch (if, and, while, bool) on {self}", "Choose with np.where; or leave that part out of f.")

    def __float__(self) -> NoReturn:
        refuse(f"float() of {self}")

    def __int__(self) -> NoReturn:
        refuse(f"int() of {self}")

    def __complex__(self) -> NoReturn:
        refuse(f"complex() of {self}")

    def __index__(self) -> NoReturn:
        refuse(f"a size, a position or a number of repetitions taken from {self}")

    def __deepcopy__(self, memo: Any) -> NoReturn:
        refuse(f"a copy of {self}", "Write x.copy().")

    def __reduce__(self) -> NoReturn:
        refuse(f"pickling of {self}")


def shape_may_vary(function: Callable[..., Any], args: tuple[Any, ...], params: dict[str, Any]) -> bool:
    """Whether the values of operands can change the shape of a result, as those of a mask do."""
    if isinstance(function, np.ufunc) or isinstance(getattr(function, "__self__", None), np.ufunc):
        return False
    if function is operator.getitem:
        index = args[1] if isinstance(args[1], tuple) else (args[1],)
        return any(isinstance(part, Note) and part.dtype == np.bool for part in index)
    if function in CHOICES and len(args) > 1:
        return False
    name = getattr(function, "name", None) or function.__name__
    counting = any(note.dtype.kind in "biu" for note in notes_in((args[1:], params)))
    return counting or name in SHAPED_BY_VALUES


def real(value: Any) -> Any:
    """The array behind a note; anything else as it is."""
    return value.value if isinstance(value, Note) else value


def notes_in(values: Any) -> list[Note]:
    """The notes inside nested arguments."""
    found: list[Note] = []
    mapped(values, lambda value: found.append(value) if isinstance(value, Note) else None)
    return found


def refuse(what: str, fix: str = "") -> NoReturn:
    """Raise, because the program would keep a value of the run in which it was written."""
    raise CompileError(
        f"compile at {user_line()}", expected="a function that computes with arrays and hands out none of their values",
        got=what, fix=fix or "Use np.where to choose, return the array, or leave that part out of f.",
    )  # fmt: skip

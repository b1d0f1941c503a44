"""A model's forward pass as calls of functions on arrays whose first axis is a batch of any size.

The model runs twice, on batches of two sizes, and `tinygrad_mlp.program.notes` writes down what NumPy did. Where the
two runs have the same number, the number is part of the model; where they differ, it follows the size of the batch.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_mlp import tensor
from tinygrad_mlp.arguments import Traced
from tinygrad_mlp.errors import CompileError
from tinygrad_mlp.nn import Module
from tinygrad_mlp.program.compiled import writing
from tinygrad_mlp.program.instructions import Instruction, Variable, demand, demand_shape, mapped
from tinygrad_mlp.program.notes import Note, Notes
from tinygrad_mlp.program.surroundings import Place, Surroundings
from tinygrad_mlp.tensor import Tensor, record
from tinygrad_mlp.train.evaluation import evaluating

SIZES = 2, 3  # of the batches


@dataclass(frozen=True)
class Dim:
    """A number that depends on the size of the batch: times · size + plus."""

    times: int
    plus: int

    def __str__(self) -> str:
        times = "batch" if self.times == 1 else f"{self.times}*batch"
        return times + (f"{self.plus:+}" if self.plus else "")


@dataclass(eq=False)
class Value:
    """An array of the run.

    Attributes
    ----------
    shape : tuple of int and Dim
    dtype : dtype
    array : array or None
        Of a parameter, a buffer or a constant. It may have 1 where the shape follows the size of the batch.
    name : str
        In the graph; empty for what has none yet.
    """

    shape: tuple[Any, ...]
    dtype: np.dtype[Any]
    array: np.ndarray[Any, Any] | None = None
    name: str = ""

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)


@dataclass(eq=False)
class Call:
    """A call of a function. ``args`` and ``params`` hold Values and Dims in the places of arrays and numbers."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    params: dict[str, Any]
    results: list[Value]
    scope: Any


class WholeNote(Note, Traced):
    """A note that also takes primitives: those in ``Notes.whole`` are noted as one call, others by what they call."""

    __slots__ = ()

    node = None
    _data = property(lambda self: self)

    def __record__(self, function: Callable[..., Any], args: Any, params: Any = {}) -> Any:  # noqa: B006 - only read
        given: list[Any] = []
        mapped((args, params), given.append)
        if any(isinstance(arg, Tensor) for arg in given):
            return record(function, args, params)
        if function in self.notes.whole:  # type: ignore[attr-defined]
            return self.notes.call(function, args, params)
        return getattr(function, "__wrapped__", function)(*args, **params)


class WholeNotes(Notes):
    """Notes of a forward pass."""

    def __init__(self, whole: Iterable[Callable[..., Any]]) -> None:
        super().__init__(tensor.scope.get)
        self.kind = WholeNote
        self.whole = frozenset(whole)


@dataclass
class Run:
    """One run: what was called, the variables of its inputs and of what it found outside, and what it returned."""

    instructions: list[Instruction]
    inputs: list[Variable]
    outside: dict[Variable, Any]
    result: Any


def run(model: Module, inputs: tuple[Any, ...], whole: Iterable[Callable[..., Any]]) -> Run:
    """Run a model on notes in the place of its inputs, parameters and buffers."""
    surroundings = Surroundings(("", model))
    notes = WholeNotes(whole)
    outside: dict[Variable, Any] = {}
    made: dict[int, Note] = {}

    def change(_: Place, value: Any) -> Any:
        if not isinstance(value, np.ndarray):  # a random generator: what it draws differs from run to run
            return value
        if id(value) not in made:
            variable = notes.variable(value, "outside")
            outside[variable] = value
            made[id(value)] = WholeNote(value, variable, notes)
        return made[id(value)]

    given = [WholeNote(x, notes.variable(x, "argument"), notes) for x in inputs]
    with evaluating(model), writing:
        try:
            with surroundings.replaced(change):
                result = mapped(model(*given), lambda x: notes.operand(x.data if isinstance(x, Tensor) else x))
        finally:
            for array, before in reversed(notes.undo):
                array[...] = before
    instructions = [i for i in notes.instructions if i.function not in (demand, demand_shape)]
    return Run(instructions, [note.variable for note in given], outside, result)


class Both:
    """Two runs of one model, laid over each other."""

    def __init__(self, model: Module, first: Run, second: Run) -> None:
        self.model = model
        self.values: dict[Variable, Value] = {}
        self.names = {
            id(x.data if isinstance(x, Tensor) else x): name
            for name, x in model.named_members()
            if isinstance(x, (Tensor, np.ndarray))
        }
        self.where = type(model).__name__
        for a, b in zip(first.inputs, second.inputs, strict=True):
            self.values[a] = Value(self.merged(a.shape, b.shape), a.dtype)  # type: ignore[arg-type]
        self.inputs = [self.values[v] for v in first.inputs]
        for variable, array in first.outside.items():
            self.values[variable] = Value(array.shape, array.dtype, array, self.names.get(id(array), ""))
        calls = [i.function for i in first.instructions], [i.function for i in second.instructions]
        if calls[0] != calls[1]:
            raise self.error(
                "a model that calls the same functions whatever the size of the batch", "one that does not",
                "The first axis of the example is taken for the batch: make layers over time with batch_first=True.",
            )  # fmt: skip
        self.calls = [self.call(a, b) for a, b in zip(first.instructions, second.instructions, strict=True)]
        self.result = self.merged(first.result, second.result)

    def call(self, a: Instruction, b: Instruction) -> Call:
        """One call of both runs."""
        self.where = str(a.scope or type(self.model).__name__)
        args, params = self.merged(a.args, b.args), self.merged(a.params, b.params)
        results = []
        for x, y in zip(a.results, b.results, strict=True):
            self.values[x] = Value(self.merged(x.shape, y.shape), x.dtype)  # type: ignore[arg-type]
            results.append(self.values[x])
        if a.writes is not None:
            raise self.error("results in new arrays", "an array that is edited in place", "Use np.where or np.stack.")
        return Call(a.function, args, params, results, a.scope)

    def merged(self, a: Any, b: Any) -> Any:
        """What stands in both runs: itself where it is the same, else by its dependence on the size of the batch."""
        if isinstance(a, slice):
            return slice(*self.merged((a.start, a.stop, a.step), (b.start, b.stop, b.step)))
        if isinstance(a, (tuple, list)):
            if type(a) is not type(b) or len(a) != len(b):
                raise self.error("as many arrays for each size of the batch", f"{len(a)} and {len(b)}")
            return type(a)([self.merged(x, y) for x, y in zip(a, b, strict=True)])
        if isinstance(a, dict):
            return {key: self.merged(item, b[key]) for key, item in a.items()}
        if isinstance(a, Variable):
            if a not in self.values:
                self.values[a] = self.constant(a.value, b.value)
            return self.values[a]
        if type(a) is int and type(b) is int and a != b:
            times = (b - a) // (SIZES[1] - SIZES[0])
            return Dim(times, a - times * SIZES[0])
        if type(a) is not type(b) or not (a is b or np.array_equal(a, b) or (a != a and b != b)):
            raise self.error("numbers that do not depend on the batch", f"{a!r} and {b!r}")
        return a

    def constant(self, a: Any, b: Any) -> Value:
        """An array that the model made by itself: the same in both runs, but for axes along which it repeats."""
        if a.ndim == b.ndim:
            once = tuple(slice(None) if n == m else slice(0, 1) for n, m in zip(a.shape, b.shape, strict=True))
            if all(np.array_equal(x, np.broadcast_to(a[once], x.shape), equal_nan=x.dtype.kind == "f") for x in (a, b)):
                return Value(self.merged(a.shape, b.shape), a.dtype, a[once], self.names.get(id(a), ""))
        raise self.error("arrays that do not depend on the size of the batch", f"one made from it, of shape {a.shape}")

    def error(self, expected: str, got: str, fix: str = "") -> CompileError:
        """What cannot be exported, with the module that was running."""
        return CompileError(f"export_onnx in {self.where}", expected=expected, got=got, fix=fix)

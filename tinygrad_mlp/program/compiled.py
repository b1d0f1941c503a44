"""`compile`: run a function once, write down what NumPy did, and from then on run what was written."""

import random
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_mlp import tensor
from tinygrad_mlp.arguments import Traced
from tinygrad_mlp.errors import CompileError
from tinygrad_mlp.graph import Node, backward_observer, changes, differentiating
from tinygrad_mlp.program.buffers import Code
from tinygrad_mlp.program.draws import noted_generator
from tinygrad_mlp.program.instructions import Instruction, Method, Result, Unmet, Variable, demand, demand_shape, mapped
from tinygrad_mlp.program.notes import Note, Notes, real, refuse
from tinygrad_mlp.program.passes import optimized
from tinygrad_mlp.program.surroundings import Place, Surroundings
from tinygrad_mlp.tensor import Tensor

LIMIT = 32  # programs that one function keeps
writing = threading.RLock()  # notes stand in the places of arrays meanwhile, so one function at a time


class Compiled:
    """What `compile` returns: called like the function, it runs the program that fits the arguments.

    Attributes
    ----------
    programs : list of Program
        Written so far, the latest last.
    """

    def __init__(self, f: Callable[..., Any]) -> None:
        self.f = f
        self.programs: list[Program] = []
        self.__name__ = getattr(f, "__name__", type(f).__name__)
        self.__doc__ = f.__doc__

    def __call__(self, *args: Any, **params: Any) -> Any:
        if differentiating.get() or tensor.observer.get() is not None:
            return self.f(*args, **params)  # inside grad or debug(): those want to see the ops
        leaves: list[Any] = []
        key = (tensor.grad_enabled.get(), signature((args, params), leaves))
        for program in reversed(self.programs):
            if program.key == key and program.fits(leaves):
                try:
                    return program(leaves)
                except Unmet:  # as if it had not run
                    return self.f(*args, **params)
        if any(foreign(leaf) for leaf in leaves):  # of another library, or of a program that this becomes a part of
            return self.f(*args, **params)
        program, result = write(self.f, args, params, key, leaves)
        self.programs = [*self.programs[1 - LIMIT :], program]
        return result

    def __repr__(self) -> str:
        count = len(self.programs)
        return f"compile({self.__name__})  # {count} program{'' if count == 1 else 's'}"


def signature(value: Any, leaves: list[Any]) -> Any:
    """What two calls must share to run the same program; arrays, Tensors and what holds others go to ``leaves``."""
    kind = type(value)
    if kind is np.ndarray:
        leaves.append(value)
        return value.shape, value.dtype, value.strides
    if kind in (tuple, list):
        return (kind, *[signature(item, leaves) for item in value])
    if kind is dict:
        return (kind, *[(name, signature(item, leaves)) for name, item in value.items()])
    if isinstance(value, Tensor):
        leaves.append(value)
        data = value.data
        return Tensor, data.shape, data.dtype, getattr(data, "strides", None), value.requires_grad
    if isinstance(value, np.generic):
        leaves.append(value)
        return kind, value.dtype
    if value is None or kind in (bool, int, str, bytes, type):
        return kind, value
    if kind in (float, complex):
        return kind, repr(value)  # which tells -0.0 from 0.0
    leaves.append(value)
    return kind, id(value)


def foreign(leaf: Any) -> bool:
    """Whether an argument is or holds an array that is not NumPy's, which the buffers of a program cannot take."""
    array = leaf.data if isinstance(leaf, Tensor) else leaf
    return hasattr(array, "__array_function__") and not isinstance(array, (np.ndarray, np.generic))


class Program:
    """One function, written down for arguments of one signature.

    Attributes
    ----------
    instructions : list of Instruction
        After the passes.
    arguments, outside : list of Variable
        What is passed in, and what is read from ``places``.
    places : list of Place
    outputs : list of Variable
    """

    def __init__(
        self, key: Any, instructions: list[Instruction], arguments: list[Variable | None],
        outside: dict[Variable, Place], surroundings: Surroundings, result: Any, held: list[Any],
        gradients: list[tuple[Variable, Variable]],
    ) -> None:  # fmt: skip
        self.key = key
        self.surroundings = surroundings
        self.gradients = gradients
        self.held = held  # objects whose id is in the key
        wanted = [item.variable for item in result_parts(result) if isinstance(item, Output)]
        self.instructions, found = optimized(instructions, wanted)
        used = {v for i in self.instructions for v in i.reads} | {v for v in found.values() if isinstance(v, Variable)}
        self.arguments = arguments
        self.outside = [v for v in outside if v in used]
        self.places = [outside[v] for v in self.outside]
        written = {i.writes for i in self.instructions if i.writes is not None}
        self.edited = [place for v, place in zip(self.outside, self.places, strict=True) if v.memory in written]
        self.layouts = [(v.shape, v.dtype, v.strides) if v.dtype is not None else None for v in self.outside]
        self.outputs = list(dict.fromkeys(v for v in found.values() if isinstance(v, Variable)))
        self.result = result
        for item in result_parts(result):
            if isinstance(item, Output):
                item.place(found, self.outputs)
        inputs = [*(v for v in arguments if v is not None), *self.outside]
        self.code = Code(self.instructions, self.outputs, inputs, result)
        self.run = self.code.compiled()
        self.may_stop = any(i.function in (demand, demand_shape) for i in self.instructions) and any(
            i.writes is not None or (i.effect and i.function not in (demand, demand_shape)) for i in self.instructions
        )
        self.spare: list[list[Any]] = []  # buffers that no thread is using

    def fits(self, leaves: list[Any]) -> bool:
        """Whether what the function reaches is still what it was."""
        for place, layout in zip(self.places, self.layouts, strict=True):
            try:
                array = place.container[place.key]
            except (KeyError, IndexError, ValueError):
                return False
            if layout is not None and not (
                type(array) is np.ndarray
                and array.shape == layout[0]
                and array.dtype == layout[1]
                and array.strides == layout[2]
            ):
                return False
        return self.surroundings.unchanged()

    def state(self) -> list[tuple[Any, Any]]:
        """What a run may change outside, and what it was before."""
        places = [*self.edited, *(p for v, p in zip(self.outside, self.places, strict=True) if v.dtype is None)]
        return [(item, content(item)) for item in (place.read() for place in places)]

    def __call__(self, leaves: list[Any]) -> Any:
        values = [
            leaf.data if isinstance(leaf, Tensor) else leaf
            for leaf, v in zip(leaves, self.arguments, strict=True)
            if v is not None
        ]
        values += [place.container[place.key] for place in self.places]
        try:
            buffers = self.spare.pop()
        except IndexError:
            buffers = self.code.workspace()
        before = self.state() if self.may_stop else None
        try:
            return self.run(buffers, *values)
        except Unmet:
            for array, content in before or ():
                restore(array, content)
            raise
        finally:
            self.spare.append(buffers)
            for place in self.edited:
                changes.mark(place.read())


class Output(Result):
    """An array among the results.

    Attributes
    ----------
    variable : Variable
    value : array or Tensor
        Of the run in which the program was written.
    """

    __slots__ = ("carries", "name", "value", "variable")

    def __init__(self, variable: Variable, value: Any, like: Tensor | None) -> None:
        self.variable = variable
        self.value = value
        self.tensor = like is not None
        self.name = like.name if like is not None else None
        self.carries = like is not None and like.node is not None
        self.array = like is not None or isinstance(value, np.ndarray)
        self.index: int | None = None
        self.number: Any = None

    def place(self, found: dict[Variable, Any], outputs: list[Variable]) -> None:
        """Take down the position among the outputs of the program, or the value where that is known."""
        value = found[self.variable]
        if isinstance(value, Variable):
            self.index = outputs.index(value)
        else:
            self.number = value
        self.value = None

    def present(self, value: Any) -> Tensor:
        """The Tensor that the caller gets."""
        tensor = Tensor(value, name=self.name)
        if self.carries:
            tensor.node = Node(compiled_function, None)
        return tensor


def compiled_function() -> None:
    """Stands in the graph for what a compiled function computed: none of its ops is recorded."""


compiled_function.no_graph = (  # type: ignore[attr-defined]  # told by `graph.freed`
    "Compile the whole, tg.compile(tg.value_and_grad(loss)), or call the function uncompiled."
)


def result_parts(result: Any) -> list[Any]:
    """The leaves of nested results."""
    parts: list[Any] = []
    mapped(result, parts.append)
    return parts


def write(
    f: Callable[..., Any], args: tuple[Any, ...], params: dict[str, Any], key: Any, leaves: list[Any]
) -> tuple[Program, Any]:
    """Run ``f`` on notes in the place of arrays: the program, and the results of this run."""
    objects = [leaf for leaf in leaves if not isinstance(leaf, (np.ndarray, np.generic, Tensor))]
    surroundings = Surroundings(("", f), *[("", thing) for thing in objects])
    drawn = np.random.get_state(), random.getstate()  # noqa: NPY002 - to see whether the function uses it
    notes = Notes(tensor.scope.get)
    outside: dict[Variable, Place] = {}
    states: list[tuple[Any, Any]] = []
    made: dict[int, Any] = {}

    def change(place: Place, value: Any) -> Any:
        if id(value) not in made:
            variable = notes.variable(value, "outside")
            variable.name = place.name
            outside[variable] = place
            if isinstance(value, np.random.Generator):
                states.append((value, content(value)))
                made[id(value)] = noted_generator(value, variable, notes)
            else:
                made[id(value)] = Note(value, variable, notes)
        return made[id(value)]

    def argument(leaf: Any) -> Note | None:
        array = leaf.data if isinstance(leaf, Tensor) else leaf
        if not isinstance(array, (np.ndarray, np.generic)):
            return None
        return Note(array, notes.variable(array, "argument"), notes)

    with writing, surroundings.replaced(change):
        given = [argument(leaf) for leaf in leaves]
        swapped = [(leaf, leaf.data) for leaf in leaves if isinstance(leaf, Tensor)]
        replacements = {
            id(leaf): note for leaf, note in zip(leaves, given, strict=True)
            if note is not None and not isinstance(leaf, Tensor)
        }  # fmt: skip
        try:
            for leaf, note in zip(leaves, given, strict=True):
                if isinstance(leaf, Tensor):
                    leaf._data = note
            token = backward_observer.set(lambda gradients: Marks(notes))
            try:
                result = f(*mapped(args, lambda x: replacements.get(id(x), x)),
                           **mapped(params, lambda x: replacements.get(id(x), x)))  # fmt: skip
                check_undrawn(*drawn)
                result = mapped(result, lambda item: output(item, notes))
            finally:
                backward_observer.reset(token)
        except CompileError:
            for item, before in reversed([*states, *notes.undo]):
                restore(item, before)
            raise
        finally:
            for leaf, data in swapped:
                leaf._data = data
    check_unchanged(surroundings)
    for array, _ in notes.undo:
        changes.mark(array)
    value = mapped(result, lambda item: item.value if isinstance(item, Output) else item)
    arguments = [None if note is None else note.variable for note in given]
    return Program(
        key, notes.instructions, arguments, outside, surroundings, result, leaves_held(leaves), notes.gradients
    ), value


def output(item: Any, notes: Notes) -> Any:
    """What a function returned, as the program will give it."""
    if isinstance(item, Tensor):
        value = Tensor(real(item.data), name=item.name)
        value.node = item.node
        return Output(returned(item.data, notes), value, like=item)
    if isinstance(item, (Note, np.ndarray)):
        return Output(returned(item, notes), real(item), like=None)
    if item is None or isinstance(item, (bool, int, float, complex, str, bytes, np.generic)):
        return item
    return refuse(
        f"a result of type {type(item).__name__}", "Return arrays, Tensors, numbers, or tuples, lists, dicts of them."
    )


def returned(array: Any, notes: Notes) -> Variable:
    """The variable of a result: of a copy, if it depends on no argument, since callers may edit what they get."""
    if not isinstance(array, Note):
        array = notes.noted(Method("copy"), (array, "K"), {}, real(array).copy("K"))
    return array.variable  # type: ignore[no-any-return]


def check_undrawn(state: Any, python_state: Any) -> None:
    """Raise where the run has drawn from a generator that all share, and put that back."""
    now = np.random.get_state()  # noqa: NPY002
    if any(np.any(a != b) for a, b in zip(state, now, strict=True)) or random.getstate() != python_state:
        np.random.set_state(state)  # noqa: NPY002
        random.setstate(python_state)
        refuse("a random number from the generator that np.random, or Python's random, has for all",
               "Draw from an np.random.Generator that is passed in, or that the function reaches.")  # fmt: skip


def check_unchanged(surroundings: Surroundings) -> None:
    """Raise where the run has changed something that the program will not change again."""
    if not surroundings.unchanged():
        refuse("an attribute, a variable or a container from outside that the function changes",
               "Return the new value, or change it outside.")  # fmt: skip
    for x, _, grad in surroundings.tensors:
        if x.grad is not grad:
            x.grad = grad
            refuse("backward() inside the function", "Compile tg.value_and_grad(loss), or use tg.gradients.")


def content(item: Any) -> Any:
    """What is in an array or a random generator."""
    return item.copy() if isinstance(item, np.ndarray) else item.bit_generator.state


def restore(item: Any, before: Any) -> None:
    """Put it back."""
    if isinstance(item, np.ndarray):
        item[...] = before
    else:
        item.bit_generator.state = before


def leaves_held(leaves: list[Any]) -> list[Any]:
    """The objects whose identity is part of the key, so that no other gets their id."""
    return [leaf for leaf in leaves if not isinstance(leaf, (np.ndarray, np.generic, Traced))]


class Marks:
    """Told of each gradient on its way back: marks the instructions of a rule, and names the gradient."""

    def __init__(self, notes: Notes) -> None:
        self.notes = notes
        self.start = len(notes.instructions)

    def __call__(self, result: Any, parent: Any, contribution: Any) -> None:
        for instruction in self.notes.instructions[self.start :]:
            instruction.backward = result.node
        self.start = len(self.notes.instructions)
        if isinstance(contribution, Note) and isinstance(parent.data, Note):
            self.notes.gradients.append((contribution.variable, parent.data.variable))

"""The program as it is run: results go to arrays that are there already, as long as nobody outside holds them."""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_mlp.program.instructions import Attribute, Instruction, Method, Result, Variable
from tinygrad_mlp.program.passes import lowered

SYMBOLS = {
    np.add: "+", np.subtract: "-", np.multiply: "*", np.divide: "/", np.less: "<", np.less_equal: "<=",
    np.greater: ">", np.greater_equal: ">=",
}  # fmt: skip

Layout = tuple[tuple[int, ...], Any, tuple[int, ...]]


def planned(instructions: list[Instruction], outputs: list[Variable]) -> tuple[dict[Variable, int], list[Layout]]:
    """Which result goes to which buffer, and the layout of each buffer.

    A buffer is taken again once the last instruction has read the memory in it. An elementwise ufunc may write over an
    operand that it is the last to read; nothing else may.
    """
    last: dict[Variable, int] = {}
    for i, instruction in enumerate(instructions):
        for variable in (*instruction.reads, *instruction.results):
            last[variable.memory] = i
        if instruction.writes is not None:
            last[instruction.writes] = i
    held = {v.memory for v in outputs}
    places: dict[Variable, int] = {}
    layouts: list[Layout] = []
    free: dict[Layout, list[int]] = {}
    for i, instruction in enumerate(instructions):
        dying = {v.memory for v in instruction.reads if last[v.memory] == i and v.memory in places}
        early = {memory for memory in dying if overwritable(instruction, memory)}
        for memory in early:
            free.setdefault(layouts[places[memory]], []).append(places[memory])
        result = instruction.results[0] if len(instruction.results) == 1 else None
        if result is not None and result.memory is result and result not in held and takes_out(instruction):
            layout = (result.shape, result.dtype, result.strides)
            pool = free.setdefault(layout, [])
            if not pool:
                layouts.append(layout)
                pool.append(len(layouts) - 1)
            places[result] = pool.pop()
            if last[result] == i:
                pool.append(places[result])
        for memory in dying - early:
            free.setdefault(layouts[places[memory]], []).append(places[memory])
    return places, layouts


def overwritable(instruction: Instruction, memory: Variable) -> bool:
    """Whether a call may write over an operand: element i of the result needs element i of it, and no other."""
    function = instruction.function
    if not isinstance(function, np.ufunc) or function.signature is not None or len(instruction.results) != 1:
        return False
    return all(v is memory and v.shape == instruction.results[0].shape for v in instruction.reads if v.memory is memory)


def on_scalars(instruction: Instruction) -> bool:
    """Whether a call is on scalars alone, which Python's operators take to the same result in less time."""
    scalars = bool(instruction.reads) and all(v.scalar for v in instruction.reads)
    return scalars and not instruction.params and len(instruction.args) == 2


def takes_out(instruction: Instruction) -> bool:
    """Whether NumPy can be told where to put the result."""
    function, _, params = lowered(instruction)
    result = instruction.results[0]
    if result.scalar or result.shape == () or 0 in result.shape or "out" in params or instruction.several:
        return False
    if isinstance(function, np.ufunc):
        return function.nout == 1
    if function is np.zeros_like:
        return len(instruction.args) == 1 and set(params) <= {"order", "dtype", "shape"}
    if function == Method("copy"):
        return not params and len(instruction.args) == 1
    return isinstance(getattr(function, "__self__", None), np.ufunc) and function.__name__ == "reduce"


def axis_order(layout: Layout) -> list[int]:
    """The axes from the one with the longest stride to the one with the shortest."""
    return sorted(range(len(layout[0])), key=lambda axis: -abs(layout[2][axis]))


def empty(layout: Layout) -> Any:
    """An array of a shape, a dtype, and the order of axes that some strides have."""
    shape, dtype, _ = layout
    order = axis_order(layout)
    dense = np.empty([shape[axis] for axis in order], dtype)
    return dense.transpose(np.argsort(order))


def dense(layout: Layout) -> bool:
    """Whether an array made by `empty` has these strides."""
    return bool(empty(layout).strides == layout[2])


class Code:
    """The lines of a runnable function, and the objects that their names stand for."""

    def __init__(
        self, instructions: list[Instruction], outputs: list[Variable], arguments: list[Variable], result: Any
    ) -> None:
        places, layouts = planned(instructions, outputs)
        self.layouts = layouts
        self.places = {v: n for v, n in places.items() if dense(layouts[n])}
        self.names: dict[Variable, str] = {}
        self.objects: dict[str, Any] = {}
        self.functions: dict[Any, str] = {}
        self.arguments = [self.name(v) for v in arguments]
        self.lines = [self.line(instruction) for instruction in instructions]
        self.outputs = outputs
        self.result = self.text(result)

    def name(self, variable: Variable) -> str:
        """The name of a variable; a constant brings its array along."""
        if variable not in self.names:
            self.names[variable] = f"{'c' if variable.kind == 'constant' else 'v'}{len(self.names)}"
            if variable.kind == "constant":
                self.objects[self.names[variable]] = variable.value
        return self.names[variable]

    def function(self, function: Callable[..., Any]) -> str:
        """The name of a function."""
        if function not in self.functions:
            self.functions[function] = f"f{len(self.functions)}_{getattr(function, '__name__', 'call')}"
            self.objects[self.functions[function]] = function
        return self.functions[function]

    def text(self, value: Any) -> str:
        """An argument as an expression."""
        if isinstance(value, Variable):
            return self.name(value)
        if type(value) in (tuple, list):
            inside = ", ".join(map(self.text, value))
            return f"[{inside}]" if isinstance(value, list) else f"({inside}{',' if len(value) == 1 else ''})"
        if type(value) is dict:
            return "{" + ", ".join(f"{k!r}: {self.text(v)}" for k, v in value.items()) + "}"
        if isinstance(value, slice):
            return f"slice({self.text(value.start)}, {self.text(value.stop)}, {self.text(value.step)})"
        if isinstance(value, Result):
            return self.returned(value)
        if value is None or type(value) in (bool, int, str) or value is Ellipsis:
            return repr(value)
        name = f"k{len(self.objects)}"
        self.objects[name] = value
        return name

    def returned(self, item: Result) -> str:
        """One of the results."""
        value = item.number if item.index is None else self.outputs[item.index]
        scalar = value.scalar if isinstance(value, Variable) else True
        text = f"{self.function(np.asarray)}({self.text(value)})" if item.array and scalar else self.text(value)
        return f"{self.function(item.present)}({text})" if item.tensor else text

    def line(self, instruction: Instruction) -> str:
        """One instruction as a line of Python."""
        function, args, params = lowered(instruction)
        result = instruction.results[0] if len(instruction.results) == 1 and not instruction.several else None
        buffer = self.places.get(result) if result is not None else None
        words = [self.text(value) for value in args]
        if function is operator.getitem:
            call = f"{words[0]}[{words[1]}]"
        elif function is operator.setitem:
            return f"{words[0]}[{words[1]}] = {words[2]}"
        elif function in SYMBOLS and on_scalars(instruction):
            call = f"{words[0]} {SYMBOLS[function]} {words[1]}"
        elif function is np.zeros_like and buffer is not None:
            return f"{self.name(instruction.results[0])} = b{buffer}; b{buffer}.fill(0)"
        elif isinstance(function, Attribute):
            call = f"{words[0]}.{function.name}"
        elif isinstance(function, Method) and buffer is None:
            call = f"{words[0]}.{function.name}({self.listed(words[1:], params)})"
        elif function == Method("copy"):
            left = self.name(instruction.results[0])
            return f"{left} = b{buffer}; {self.function(np.copyto)}(b{buffer}, {words[0]})"
        elif buffer is not None:
            call = f"{self.function(function)}({self.listed(words, params | {'out': Buffer(buffer)})})"
        else:
            call = f"{self.function(function)}({self.listed(words, params)})"
        left = ", ".join(map(self.name, instruction.results))
        return (
            f"{left}{',' if instruction.several and len(instruction.results) == 1 else ''} = {call}" if left else call
        )

    def listed(self, words: list[str], params: dict[str, Any]) -> str:
        """Arguments between parentheses."""
        named = [f"{k}={v if isinstance(v, Buffer) else self.text(v)}" for k, v in params.items()]
        return ", ".join([*words, *named])

    def source(self) -> str:
        """The function as text."""
        buffers = "".join(f"b{n}, " for n in range(len(self.layouts)))
        body = [f"{buffers}= buffers"] if buffers else []
        body += [*self.lines, f"return {self.result}"]
        arguments = ", ".join(["buffers", *self.arguments])
        return f"def run({arguments}):\n" + "".join(f"    {line}\n" for line in body)

    def compiled(self) -> Callable[..., Any]:
        """The function."""
        space = dict(self.objects)
        exec(compile(self.source(), "<program>", "exec"), space)  # noqa: S102 - text of our own making
        run: Callable[..., Any] = space["run"]
        return run

    def workspace(self) -> list[Any]:
        """Arrays for the buffers."""
        return [empty(layout) for layout in self.layouts]


class Buffer(int):
    """The number of a buffer, as an argument."""

    def __str__(self) -> str:
        return f"b{int(self)}"

    __format__ = lambda self, spec: str(self)  # noqa: E731

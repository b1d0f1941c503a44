"""The program as a reader of a book expects it: one function of plain NumPy that needs nothing of ours."""

import keyword
import operator
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from tinygrad_mlp.program.instructions import Attribute, Instruction, Method, Variable, demand, demand_shape
from tinygrad_mlp.program.literals import expression, path_of
from tinygrad_mlp.program.passes import is_view, lowered, transposes

WIDTH = 96
COLUMN = 64
ATOM = 100
# ufunc -> (symbol, precedence), as in Python's grammar
BINARY = {
    np.power: ("**", 14), np.matmul: ("@", 12), np.multiply: ("*", 12), np.divide: ("/", 12),
    np.floor_divide: ("//", 12), np.remainder: ("%", 12), np.add: ("+", 11), np.subtract: ("-", 11),
    np.bitwise_and: ("&", 9), np.bitwise_or: ("|", 7), np.greater: (">", 6), np.greater_equal: (">=", 6),
    np.less: ("<", 6), np.less_equal: ("<=", 6), np.equal: ("==", 6), np.not_equal: ("!=", 6),
}  # fmt: skip
COMPARISON = 6
UNARY = {np.negative: ("-", 13), np.invert: ("~", 13)}
REDUCTIONS = {np.add: "sum", np.multiply: "prod", np.maximum: "max", np.minimum: "min", np.logical_or: "any",
              np.logical_and: "all"}  # fmt: skip


class Text:
    """Writes the lines of one program.

    Parameters
    ----------
    instructions : list of Instruction
    inputs : list of (str, Variable)
        What the function takes, with the names to give them.
    names : dict of Variable to str
        Names of results.
    outputs : iterable of Variable
        What stays a variable because the function returns it.
    places : dict of Variable to int, optional
        The number of the buffer that a result goes to; every call is a line of its own then.
    """

    def __init__(
        self, instructions: list[Instruction], inputs: list[tuple[str, Variable]], names: dict[Variable, str],
        outputs: Iterable[Variable], places: dict[Variable, int] | None = None,
    ) -> None:  # fmt: skip
        self.places = places
        self.instructions = instructions
        self.outputs = set(outputs)
        self.wanted = names
        self.taken: set[str] = {"np"}
        self.names: dict[Variable, str] = {}
        self.parts: dict[Variable, tuple[str, int]] = {}  # expressions that stand in the line that uses them
        self.sources: dict[Variable, set[Variable]] = {}  # what those expressions read
        for name, variable in inputs:
            self.names[variable] = self.unique(name)
        self.uses = Counter(v for i in instructions for v in i.reads)
        self.uses.update(self.outputs)
        self.writes = [(n, i.writes) for n, i in enumerate(instructions) if i.writes is not None]
        named = [(line, i.results[0]) for i in instructions for line in i.lines if line is not None and i.results]
        last = {line.key: (result, line.name) for line, result in named}
        self.hints = dict(last.values())
        self.holders: dict[str, Variable] = {}  # the variable that has a name at the moment

    def unique(self, name: str) -> str:
        """A valid name that no other variable has."""
        name = re.sub(r"\W+", "_", name).strip("_") or "x"
        name = f"_{name}" if name[0].isdigit() else f"{name}_" if keyword.iskeyword(name) else name
        found, count = name, 1
        while found in self.taken:
            count += 1
            found = f"{name}_{count}"
        self.taken.add(found)
        return found

    def named(self, variable: Variable, name: str, position: int) -> str:
        """A name for a result: one that is no longer needed is taken again, as in ``x = x - mean``."""
        holder = self.holders.get(name)
        if holder is not None and not self.used_after(holder, position):
            self.holders[name] = variable
            return self.names[holder]
        found = self.unique(name)
        self.holders[name] = variable
        return found

    def used_after(self, variable: Variable, position: int) -> bool:
        """Whether a later line, or one that a folded expression will stand in, reads a variable."""
        readers = {variable, *(v for v, sources in self.sources.items() if variable in sources)}
        later = self.instructions[position + 1 :]
        return bool(readers & self.outputs) or any(readers & set(i.reads) for i in later)

    def lines(self) -> list[str]:
        """The body of the function, but for its return."""
        found = []
        section = None
        for i, instruction in enumerate(self.instructions):
            line = self.line(instruction, i)
            if line is None:
                continue
            heading = "forward" if instruction.backward is None and section != "backward" else "backward"
            if heading != section:
                found.append(f"# {heading}")
                section = heading
            found.append(line)
        return found

    def line(self, instruction: Instruction, position: int) -> str | None:
        """One instruction as a statement; None where it becomes part of a later line."""
        buffer = (self.places or {}).get(instruction.results[0]) if instruction.results else None
        first = ""
        if buffer is None:
            text, precedence = self.call(instruction)
        else:
            first, text, precedence = *self.into(instruction, buffer), 0
        if instruction.function in (demand, demand_shape):
            return f"assert {text}"
        if not instruction.results:
            return text
        result = instruction.results[0]
        if len(instruction.results) == 1 and not instruction.several:
            if self.foldable(instruction, position, text):
                self.parts[result] = text, precedence
                self.sources[result] = {v for r in instruction.reads for v in (r, *self.sources.get(r, ()))}
                return None
            name = self.names[result] = self.named(result, self.proposal(instruction), position)
            return commented(f"{first}{name} = {text}", str(result.shape) if not result.scalar else "()")
        for i, item in enumerate(instruction.results):
            self.names[item] = self.unique(f"{self.proposal(instruction)}_{i}")
        left = ", ".join(self.names[item] for item in instruction.results)
        comma = "," if len(instruction.results) == 1 else ""
        return commented(f"{left}{comma} = {text}", ", ".join(str(item.shape) for item in instruction.results))

    def into(self, instruction: Instruction, buffer: int) -> tuple[str, str]:
        """What fills a buffer before its name is given, and the call that does or gives it."""
        function, args, params = lowered(instruction)
        if function is np.zeros_like:
            return f"b{buffer}.fill(0); ", f"b{buffer}"
        if isinstance(function, Method):  # x.copy()
            return f"np.copyto(b{buffer}, {self.word(args[0])}); ", f"b{buffer}"
        words = [*map(self.word, args), *(f"{name}={self.word(value)}" for name, value in params.items())]
        return "", f"{path_of(function)}({', '.join([*words, f'out=b{buffer}'])})"

    def proposal(self, instruction: Instruction) -> str:
        """What to call a result: as modules, parameters or gradients say, else after the function."""
        function = instruction.function
        name = str(getattr(function, "name", None) or getattr(function, "__name__", "x"))
        if name == "reduce":
            name = REDUCTIONS[function.__self__]  # type: ignore[attr-defined]  # a ufunc's method
        name = {"getitem": "picked", "T": "transposed", "copy": "copied"}.get(name, name)
        return self.wanted.get(instruction.results[0]) or self.hints.get(instruction.results[0]) or name

    def foldable(self, instruction: Instruction, position: int, text: str) -> bool:
        """Whether a result may stand as an expression in the one line that uses it."""
        result = instruction.results[0]
        if self.places is not None or result in self.outputs or instruction.effect or result in self.wanted:
            return False
        if self.uses[result] != 1 and not (is_view(instruction) and self.uses[result] and len(text) < 30):
            return False
        memories = {v.memory for v in (*instruction.reads, result)}
        if len(text) > WIDTH // 2 or any(n > position and memory in memories for n, memory in self.writes):
            return False
        users = [i for i in self.instructions[position + 1 :] if result in i.reads]
        return all((i.backward is None) == (instruction.backward is None) or is_view(instruction) for i in users)

    def call(self, instruction: Instruction) -> tuple[str, int]:
        """The right side of a statement, and how tightly it binds."""
        function, args, params = instruction.function, instruction.args, instruction.params
        if function is demand:
            return self.operand(args[0])
        if function is demand_shape:
            return f"{self.atom(args[0])}.shape == {args[1]}", COMPARISON
        if function is operator.getitem:
            return f"{self.atom(args[0])}[{self.index(args[1])}]", ATOM
        if function is operator.setitem:
            return f"{self.atom(args[0])}[{self.index(args[1])}] = {self.word(args[2])}", 0
        if isinstance(function, Attribute):
            return f"{self.atom(args[0])}.{function.name}", ATOM
        if isinstance(function, Method):
            axis = params.get("axis")
            params = params | {"axis": axis[0]} if isinstance(axis, tuple) and len(axis) == 1 else params
            return f"{self.atom(args[0])}.{function.name}({self.listed(args[1:], params)})", ATOM
        if transposes(function, args, params):
            return f"{self.atom(args[0])}.T", ATOM
        if isinstance(function, np.ufunc) and set(params) <= {"out"} and function in BINARY and len(args) == 2:
            symbol, level = BINARY[function]
            if params.get("out") is args[0] and params:
                return f"{self.word(args[0])} {symbol}= {self.word(args[1])}", 0
            if not params:
                left, right = self.operand(args[0]), self.operand(args[1])
                tighter = level + 1 if level == COMPARISON or symbol == "**" else level
                return f"{bound(left, tighter)} {symbol} {bound(right, level + 1)}", level
        if not params and function in UNARY:
            symbol, level = UNARY[function]
            return f"{symbol}{bound(self.operand(args[0]), level)}", level
        ufunc = getattr(function, "__self__", None)
        if isinstance(ufunc, np.ufunc) and function.__name__ == "reduce" and ufunc in REDUCTIONS:
            named = {"axis": 0} | params if len(args) == 1 else params
            if set(named) <= {"axis", "keepdims"} and named.get("keepdims", False) in (True, False) and len(args) <= 2:
                axis = args[1] if len(args) == 2 else named["axis"]
                axis = axis[0] if isinstance(axis, tuple) and len(axis) == 1 else axis
                shown = ({} if axis is None else {"axis": axis}) | ({"keepdims": True} if named.get("keepdims") else {})
                return f"np.{REDUCTIONS[ufunc]}({self.listed(args[:1], shown)})", ATOM
        return f"{path_of(function)}({self.listed(args, params)})", ATOM

    def listed(self, args: Iterable[Any], params: dict[str, Any]) -> str:
        """Arguments between parentheses."""
        return ", ".join([*map(self.word, args), *(f"{name}={self.word(value)}" for name, value in params.items())])

    def operand(self, value: Any) -> tuple[str, int]:
        """An argument and how tightly it binds."""
        if isinstance(value, Variable):
            if value in self.parts:
                return self.parts[value]
            if value not in self.names:
                return expression(value.value), ATOM  # a constant
            return self.names[value], ATOM
        text = self.word(value)
        return text, 13 if text.startswith("-") else ATOM

    def atom(self, value: Any) -> str:
        """An argument to which ``.name`` or ``[index]`` may be added."""
        return bound(self.operand(value), ATOM)

    def word(self, value: Any) -> str:
        """An argument between commas."""
        if isinstance(value, Variable):
            return self.operand(value)[0]
        if type(value) in (tuple, list):
            inside = ", ".join(map(self.word, value))
            return f"[{inside}]" if isinstance(value, list) else f"({inside}{',' if len(value) == 1 else ''})"
        if type(value) is dict:
            return "{" + ", ".join(f"{k!r}: {self.word(v)}" for k, v in value.items()) + "}"
        if isinstance(value, slice):
            return f"slice({self.word(value.start)}, {self.word(value.stop)}, {self.word(value.step)})"
        return expression(value)

    def index(self, value: Any) -> str:
        """What stands between the brackets of ``x[…]``."""
        if isinstance(value, tuple) and value:
            return ", ".join(map(self.index, value)) + ("," if len(value) == 1 else "")
        if isinstance(value, slice):
            ends = ["" if end is None else self.word(end) for end in (value.start, value.stop, value.step)]
            return ":".join(ends if value.step is not None else ends[:2])
        return "..." if value is Ellipsis else self.word(value)


def bound(operand: tuple[str, int], level: int) -> str:
    """An operand in parentheses, unless it binds at least as tightly as ``level``."""
    text, own = operand
    return text if own >= level else f"({text})"


def commented(statement: str, comment: str) -> str:
    """A statement with the shape of its result."""
    return f"{statement:<{COLUMN}}  # {comment}" if comment else statement

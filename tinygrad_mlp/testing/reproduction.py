"""A failing check as a short script that runs as it is.

The script repeats what the user wrote: the function, the helpers and constants it uses, and the rules registered for
an op of the user's own. Their source comes from `inspect`; what has none becomes a comment.
"""

import ast
import builtins
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from tinygrad_mlp.rules import RULES, function_name
from tinygrad_mlp.tensor import Tensor

LARGEST = 64  # elements of an array that a reader still wants to see
CONSTANTS = (bool, int, float, str, tuple, list, np.ndarray, np.generic, Tensor, type(None))


def script(f: Callable[..., Any], arguments: Sequence[Any], call: str, options: dict[str, Any]) -> str:
    """The script that repeats ``call(f, *arguments, **options)``; arrays too large to print are told by their shape."""
    source = Source()
    name = source.expression(f)
    values = {k: source.expression(v) if inspect.isroutine(v) else literal(v) for k, v in options.items()}
    items = [name, *map(literal, arguments), *(f"{key}={value}" for key, value in values.items())]
    imports = ["import numpy as np", "import tinygrad_mlp as tg", *source.imports]
    one_line = f"{call}({', '.join(items)})"
    if len(one_line) > 100 or "\n" in one_line:
        one_line = "\n".join([f"{call}(", *(textwrap.indent(item, "    ") + "," for item in items), ")"])
    return "\n\n".join(["\n".join([*imports, f"from tinygrad_mlp.testing import {call}"]), *source.parts, one_line])


class Source:
    """Collects what a script must define before it can name a function.

    Attributes
    ----------
    imports, parts : list of str
        Import lines, and definitions in the order in which they need each other.
    """

    def __init__(self) -> None:
        self.imports: list[str] = []
        self.parts: list[str] = []
        self.known = {"np", "tg"}

    def expression(self, f: Any) -> str:
        """How to write a function, once what it needs is defined."""
        name = getattr(f, "__name__", None)
        package = (getattr(f, "__module__", None) or "numpy").split(".")[0]
        if isinstance(f, np.ufunc) or (name and package == "numpy"):
            return function_name(f)
        if name and getattr(sys.modules["tinygrad_mlp"], name, None) is f:
            return f"tg.{name}"
        if not inspect.isfunction(f):
            return repr(f) if is_python(repr(f), "eval") else self.comment("f", repr(f))
        if name != "<lambda>":
            self.define(f.__name__, f)
            return f.__name__
        found = matching_lambda(f)
        if found is None:
            return self.comment("f", "a lambda that you defined")
        self.needs(found, f)
        return found

    def define(self, name: str, value: Any) -> None:
        """Define ``name``, unless it is defined already."""
        if name in self.known or hasattr(builtins, name):
            return
        self.known.add(name)
        package = (getattr(value, "__module__", None) or "").split(".")[0]
        if isinstance(value, ModuleType):
            self.imports.append(f"import {value.__name__} as {name}")
        elif package in {"numpy", "tinygrad_mlp", "math", "functools"} and hasattr(value, "__name__"):
            self.imports.append(f"from {value.__module__} import {name}")
        elif isinstance(value, CONSTANTS):
            self.parts.append(f"{name} = {literal(value)}")
        elif inspect.isfunction(value):
            self.function(name, value)
        else:
            self.comment(name, repr(value))

    def function(self, name: str, f: Callable[..., Any]) -> None:
        """Define a function as the user did, and the rules of an op."""
        plain = inspect.unwrap(f)
        anonymous = plain.__name__ == "<lambda>"
        text = matching_lambda(plain) if anonymous else source_lines(plain)
        if text is None or not is_python(text):
            self.comment(name, "as you defined it")
            return
        self.needs(text, plain)
        value = text if anonymous else plain.__name__
        if f in RULES and (anonymous or not text.startswith("@")):
            value = f"tg.rules.primitive({value})"
        self.parts += [] if anonymous else [text]
        self.parts += [f"{name} = {value}"] if value != name else []
        if f in RULES:
            rules = ["None" if rule is None else self.expression(rule) for rule in RULES[f]]
            self.parts.append(f"tg.rules.derivative({', '.join([name, *rules])})")

    def needs(self, text: str, f: Callable[..., Any]) -> None:
        """Define the names that a source uses and a function finds around it."""
        around = {**getattr(f, "__globals__", {}), **inspect.getclosurevars(f).nonlocals}
        nodes = list(ast.walk(ast.parse(text)))
        bound = {n.arg for n in nodes if isinstance(n, ast.arg)}
        names = [n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)]
        for name in dict.fromkeys(names):
            if name in around and name not in bound:
                self.define(name, around[name])

    def comment(self, name: str, text: str) -> str:
        """Say what a name stands for where it cannot be written."""
        self.parts.append("\n".join(f"# {line}" for line in f"{name} = {text}".split("\n")))
        return name


def literal(value: Any) -> str:
    """A value as the Python expression that makes it."""
    if isinstance(value, (list, tuple)):
        inside = ", ".join(map(literal, value))
        comma = "," if len(value) == 1 else ""
        return f"[{inside}]" if isinstance(value, list) else f"({inside}{comma})"
    if isinstance(value, np.generic):
        return repr(value)
    if isinstance(value, Tensor):
        return f"tg.Tensor({literal(value.data)}{', requires_grad=True' if value.requires_grad else ''})"
    if not isinstance(value, np.ndarray):
        return f"np.{value.__name__}" if isinstance(value, type) and value.__module__ == "numpy" else repr(value)
    dtype = "" if value.dtype in (np.float64, np.int64, np.bool_) else f", dtype=np.{value.dtype.name}"
    if value.size == 0:
        return f"np.zeros({value.shape}{dtype or f', dtype=np.{value.dtype.name}'})"
    if value.size > LARGEST:
        return f"np.random.default_rng(0).normal(size={value.shape})  # some array of this shape"
    text = np.array2string(value, separator=", ", floatmode="unique", threshold=sys.maxsize, max_line_width=sys.maxsize)
    text = re.sub(r" +([],])", r"\1", re.sub(r"\s+", " ", text).replace("[ ", "["))
    text = re.sub(r"(?<![.a-z])(nan|inf)\b", r"np.\1", text)
    return f"np.array({text}{dtype})"


def source_lines(f: Callable[..., Any]) -> str | None:
    """The source of a function without the indentation, or None where there is none."""
    try:
        return textwrap.dedent("".join(inspect.getsourcelines(f)[0])).rstrip()
    except (OSError, TypeError):
        return None


def matching_lambda(f: Callable[..., Any]) -> str | None:
    """The source of a lambda, found by the positions of its code: the smallest body that they all lie in."""
    try:
        tree = ast.parse("".join(inspect.findsource(f)[0]))
    except (OSError, TypeError, SyntaxError):
        return None
    code = f.__code__
    spans = [((row, column), (last_row, last)) for row, last_row, column, last in code.co_positions() if last]
    bodies = {
        ((body.lineno, body.col_offset), (body.end_lineno, body.end_col_offset)): node
        for node in ast.walk(tree)
        if isinstance(node, ast.Lambda) and node.lineno == code.co_firstlineno
        for body in [node.body]
    }
    around = [(start, end) for start, end in bodies if all(start <= a and b <= end for a, b in spans)]
    if not around or (not spans and len(around) > 1):  # Python 3.12 keeps no position of a constant
        return None
    return ast.unparse(bodies[max(around)])  # of nested ones, the last to begin


def is_python(text: str, mode: str = "exec") -> bool:
    """Whether some text parses."""
    try:
        compile(text, "<source>", mode, ast.PyCF_ONLY_AST)
    except SyntaxError:
        return False
    return True

"""`source`: the program of a function as text that stands alone."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_mlp.program.buffers import Code
from tinygrad_mlp.program.compiled import Compiled, Output, Program
from tinygrad_mlp.program.instructions import Variable
from tinygrad_mlp.program.literals import expression
from tinygrad_mlp.program.surroundings import Data, Place
from tinygrad_mlp.program.text import Text

WRITTEN_OUT = 64  # elements


def source(f: Callable[..., Any], args: tuple[Any, ...], *, buffers: bool) -> str:
    """Write the program of ``f`` down as text."""
    compiled = f if isinstance(f, Compiled) else Compiled(f)
    compiled(*args)
    program = compiled.programs[-1]
    return with_buffers(program) if buffers else readable(program, compiled.f)


def readable(program: Program, f: Callable[..., Any]) -> str:
    """The program as the book has it."""
    given = {
        v: f"={expression(a)}"
        for v, p in zip(program.outside, program.places, strict=True)
        if (a := small(p)) is not None
    }
    labels = argument_names(f, len(program.arguments))
    inputs = [(name, v) for name, v in zip(labels, program.arguments, strict=True) if v is not None]
    inputs += sorted(zip(outside_names(program), program.outside, strict=True), key=lambda pair: pair[1] in given)
    text = Text(program.instructions, inputs, result_names(program, {v: n for n, v in inputs}), program.outputs)
    lines = text.lines()
    takes = ", ".join(text.names[v] + given.get(v, "") for _, v in inputs)
    body = [*lines, f"return {returned(program.result, text, program)}"]
    name = text.unique(getattr(f, "__name__", "program").replace("<lambda>", "program"))
    return "\n".join(["import numpy as np", "", "", f"def {name}({takes}):", *(f"    {line}" for line in body), ""])


def returned(result: Any, text: Text, program: Program) -> str:
    """What the function returns."""
    if isinstance(result, Output):
        if result.index is None:
            return expression(np.asarray(result.number) if result.array else result.number)
        variable = program.outputs[result.index]
        return (
            f"np.asarray({text.word(variable)})"
            if result.array and variable.scalar and not result.tensor
            else text.word(variable)
        )
    if type(result) in (tuple, list):
        inside = ", ".join(returned(item, text, program) for item in result)
        return f"[{inside}]" if isinstance(result, list) else f"({inside},)" if len(result) == 1 else inside
    if type(result) is dict:
        return "{" + ", ".join(f"{k!r}: {returned(v, text, program)}" for k, v in result.items()) + "}"
    return expression(result)


def small(place: Place) -> Any:
    """An array that the function closes over, if it is short enough to be written out as a default."""
    array = place.read()
    plain = isinstance(array, np.ndarray) and not isinstance(place.container, Data)
    return array if plain and array.size <= WRITTEN_OUT else None


def argument_names(f: Callable[..., Any], count: int) -> list[str]:
    """The names of the arguments, as the function has them."""
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    plain = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    return [plain[i] if len(plain) >= count else f"x{i}" for i in range(count)]


def outside_names(program: Program) -> list[str]:
    """``model.fc1.weight`` as ``fc1_weight``: what all names share in front says nothing."""
    paths = [place.name.split(".") for place in program.places]
    deep = [path for path in paths if len(path) > 1]
    shared = deep[0][0] if deep and all(path[0] == deep[0][0] for path in deep) and len(paths) > 1 else None
    return ["_".join(path[1:] if len(path) > 2 and path[0] == shared else path) for path in paths]


def result_names(program: Program, inputs: dict[Variable, str]) -> dict[Variable, str]:
    """Names of results: what a module gave is called after it, a gradient after what it is the gradient of."""
    names: dict[Variable, str] = {}
    last: dict[Any, Variable] = {}
    for instruction in program.instructions:
        if instruction.results and instruction.backward is None:
            if instruction.scope is not None:
                last[id(instruction.scope)] = instruction.results[0]
            if instruction.line is not None and instruction.line.own:
                last[instruction.line.key] = instruction.results[0]
    for instruction in program.instructions:
        if not instruction.results:
            continue
        result, scope, line = instruction.results[0], instruction.scope, instruction.line
        if scope is not None and last.get(id(scope)) is result:
            path = program.surroundings.modules.get(id(scope.module), "")
            if path:
                names[result] = path.rpartition(".")[2] if path.count(".") < 2 else path
        if line is not None and line.own and last.get(line.key) is result:
            names[result] = line.name
    named = inputs | names
    for gradient, of in program.gradients:
        if of in named:
            names[gradient] = f"d_{named[of]}"
    return names


def with_buffers(program: Program) -> str:
    """What `compile` runs."""
    code: Code = program.code
    return code.source()

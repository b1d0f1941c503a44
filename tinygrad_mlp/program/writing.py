"""`source`: the program of a function as text that stands alone."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_mlp.program.buffers import Layout, axis_order
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
    return written(program, compiled.f, buffers)


def written(program: Program, f: Callable[..., Any], buffers: bool) -> str:
    """The program as the book has it, or with the buffers that results go to."""
    given = {
        v: f"={expression(a)}"
        for v, p in zip(program.outside, program.places, strict=True)
        if (a := small(p)) is not None
    }
    labels = argument_names(f, len(program.arguments))
    inputs = [(name, v) for name, v in zip(labels, program.arguments, strict=True) if v is not None]
    inputs += sorted(zip(outside_names(program), program.outside, strict=True), key=lambda pair: pair[1] in given)
    names = result_names(program, {v: n for n, v in inputs})
    places = program.code.places if buffers else None
    text = Text(program.instructions, inputs, names, program.outputs, places)
    lines = text.lines()
    takes = ", ".join(text.names[v] + given.get(v, "") for _, v in inputs)
    made = []
    if places:
        layouts = {n: program.code.layouts[n] for n in sorted(set(places.values()))}
        made = [
            "# buffers, kept from call to call",
            *(f"b{n} = {empty_array(layout)}" for n, layout in layouts.items()),
        ]
    body = [*made, *lines, f"return {returned(program.result, text, program)}"]
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
            if instruction.lines[1] is not None:
                last[instruction.lines[1].key] = instruction.results[0]
    for instruction in program.instructions:
        if not instruction.results:
            continue
        result, scope, line = instruction.results[0], instruction.scope, instruction.lines[1]
        if scope is not None and last.get(id(scope)) is result:
            path = program.surroundings.modules.get(id(scope.module), "")
            if path:
                names[result] = path.rpartition(".")[2] if path.count(".") < 2 else path
        if line is not None and last.get(line.key) is result:
            names[result] = line.name
    named = inputs | names
    for gradient, of in program.gradients:
        if of in named:
            names[gradient] = f"d_{named[of]}"
    return names


def empty_array(layout: Layout) -> str:
    """An array without content, of a shape, a dtype and an order of axes."""
    shape, dtype, _ = layout
    axes = axis_order(layout)
    text = f"np.empty({tuple(shape[axis] for axis in axes)}, {expression(dtype)})"
    back = tuple(sorted(range(len(axes)), key=lambda axis: axes[axis]))
    return text if list(back) == sorted(back) else f"{text}.transpose({back})"

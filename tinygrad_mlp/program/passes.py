"""From what a run did to what has to be done: no product with 1, nothing twice, nothing that nobody uses.

Each pass takes and gives the list of instructions; none changes a bit of any result.
"""

import operator
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from tinygrad_mlp.program.instructions import Attribute, Instruction, Method, Variable, mapped, variables_in

Instructions = list[Instruction]
COMPARED = 1 << 16  # bytes of constants that are compared by what they hold


def optimized(instructions: Instructions, outputs: Iterable[Variable]) -> tuple[Instructions, dict[Variable, Any]]:
    """The instructions that are needed for ``outputs``, and what each output is now: a variable, or a number."""
    kept = list(outputs)
    instructions, known = without_ones(instructions, kept)
    instructions = without_repeats(instructions, [v for v in kept if isinstance(known.get(v, v), Variable)])
    found = {v: known.get(v, v) for v in kept}
    instructions = without_unused(instructions, [v for v in found.values() if isinstance(v, Variable)])
    same = copies(instructions, list(found.values()))
    found = {v: same.get(now, now) if isinstance(now, Variable) else now for v, now in found.items()}
    kept_instructions = [i for i in instructions if not (i.results and i.results[0] in same)]
    for instruction in kept_instructions:
        replaced(instruction, same)
    return kept_instructions, found


def copies(instructions: Instructions, outputs: list[Any]) -> dict[Variable, Variable]:
    """Copies of results that nothing else uses: the copy, and what may stand in its place."""
    uses = Counter(v.memory for i in instructions for v in i.reads)
    uses.update(v.memory for v in outputs if isinstance(v, Variable))
    written = {i.writes for i in instructions if i.writes is not None}
    same: dict[Variable, Variable] = {}
    for i in instructions:
        if i.function not in (np.copy, Method("copy")) or len(i.args) != 1 or i.params or len(i.results) != 1:
            continue
        source, copy = i.args[0], i.results[0]
        alike = (source.shape, source.dtype, source.strides) == (copy.shape, copy.dtype, copy.strides)
        own = source.kind == "result" and source.memory is source and not source.scalar
        if alike and own and uses[source] == 1 and not {source, copy.memory} & written:
            same[copy] = source
    return same


def replaced(instruction: Instruction, known: dict[Variable, Any]) -> None:
    """Put what is known in the places of an instruction's variables."""

    def change(value: Any) -> Any:
        return known.get(value, value) if isinstance(value, Variable) else value

    instruction.args = mapped(instruction.args, change)
    instruction.params = mapped(instruction.params, change)
    for result in instruction.results:  # a view of what is left out looks at what stands in its place
        owner = change(result.memory)
        result.memory = owner.memory if isinstance(owner, Variable) else result


def without_ones(instructions: Instructions, outputs: list[Variable]) -> tuple[Instructions, dict[Variable, Any]]:
    """Compute what follows from the number 1 that backward passes start with, and leave out products with 1.

    A scalar that depends on no argument becomes a number of its dtype in the instructions that use it.
    """
    written = {i.writes for i in instructions if i.writes is not None}
    known: dict[Variable, Any] = {}
    kept = []
    for instruction in instructions:
        replaced(instruction, known)
        number = constant_scalar(instruction)
        if number is not None and instruction.results[0].memory not in written:
            known[instruction.results[0]] = number
            continue
        factor = unchanged_operand(instruction)
        if factor is not None and instruction.results[0] not in outputs:
            result = instruction.results[0]
            same = (factor.shape, factor.dtype, factor.strides) == (result.shape, result.dtype, result.strides)
            if same and factor.kind == "result" and not {factor.memory, result.memory} & written:
                known[result] = factor
                continue
        kept.append(instruction)
    return kept, known


def constant_scalar(instruction: Instruction) -> Any:
    """The value of a 0-d result that depends on no variable, but for its shape; else None."""
    if len(instruction.results) != 1 or instruction.several or instruction.writes or instruction.effect:
        return None
    result = instruction.results[0]
    if result.shape != () or result.dtype is None or result.dtype.kind not in "fiu":
        return None
    if instruction.function in (np.ones_like, np.zeros_like):
        return result.dtype.type(instruction.function is np.ones_like)
    known = isinstance(instruction.function, np.ufunc) or instruction.function == Method("astype")
    if known and not instruction.reads and not instruction.params:
        with np.errstate(all="ignore"):
            return instruction.function(*instruction.args)
    if instruction.function is operator.getitem and not variables_in(instruction.args):
        return result.dtype.type(instruction.args[0])
    return None


def unchanged_operand(instruction: Instruction) -> Variable | None:
    """The operand that a call gives back as it was: the other factor of a product with 1, x of ``x[...]``."""
    if instruction.function is operator.getitem and instruction.args[1] is Ellipsis:
        x = instruction.args[0]
        return x if isinstance(x, Variable) and not x.scalar else None
    if instruction.function is not np.multiply or instruction.params or len(instruction.args) != 2:
        return None
    for one, other in (instruction.args, instruction.args[::-1]):
        if isinstance(one, (int, float, np.generic)) and one == 1 and isinstance(other, Variable):
            return other
    return None


def without_repeats(instructions: Instructions, outputs: list[Variable]) -> Instructions:
    """Leave out a call that was made before on the same values.

    Memory has a version, counted up by each write, so that a call before a write is not one after it. What a caller
    gets, or what is written to, keeps memory of its own.
    """
    written = {i.writes for i in instructions if i.writes is not None}
    own = written | {v.memory for v in outputs}
    versions: Counter[Variable] = Counter()
    seen: dict[Any, Instruction] = {}
    known: dict[Variable, Any] = {}
    kept = []
    for instruction in instructions:
        replaced(instruction, known)
        if instruction.writes is not None:
            versions[instruction.writes] += 1
        elif instruction.results and not instruction.effect and not any(r.memory in own for r in instruction.results):
            key = identity(instruction, versions)
            before = seen.get(key) if key is not None else None
            if before is not None:
                known.update(zip(instruction.results, before.results, strict=True))
                for new, old in zip(instruction.results, before.results, strict=True):
                    old.name = old.name or new.name
                continue
            if key is not None:
                seen[key] = instruction
        kept.append(instruction)
    return kept


def identity(instruction: Instruction, versions: Counter[Variable]) -> Any:
    """What two calls with the same result have in common; None where that cannot be told."""

    def told(value: Any) -> Any:
        if isinstance(value, Variable):
            held: Any = value.value
            if value.kind == "constant" and held.nbytes <= COMPARED:
                return ("constant", value.dtype, value.shape, value.strides, held.tobytes())
            return (id(value), versions[value.memory])
        if isinstance(value, (tuple, list)):
            return (type(value).__name__, *map(told, value))
        if isinstance(value, dict):
            return tuple((k, told(v)) for k, v in sorted(value.items()))
        if isinstance(value, slice):
            return ("slice", told(value.start), told(value.stop), told(value.step))
        return (
            (type(value).__name__, repr(value))
            if isinstance(value, (float, complex, np.generic))
            else (type(value), value)
        )

    try:
        key = (instruction.function, told(instruction.args), told(instruction.params))
        hash(key)
    except TypeError:
        return None
    return key


def without_unused(instructions: Instructions, outputs: Iterable[Variable]) -> Instructions:
    """Leave out what contributes to no output, moves no generator and writes to no memory that matters."""
    needed = set(outputs)
    memories = {v.memory for v in needed}
    kept = []
    for instruction in reversed(instructions):
        writes = instruction.writes
        matters = writes is not None and (writes in memories or writes.kind in ("argument", "outside"))
        if instruction.effect or matters or any(r in needed for r in instruction.results):
            needed.update(instruction.reads)
            memories.update(v.memory for v in instruction.reads)
            kept.append(instruction)
    return kept[::-1]


def transposes(function: Callable[..., Any], args: tuple[Any, ...], params: dict[str, Any]) -> bool:
    """Whether a call is ``x.T`` of a matrix."""
    if not args or not isinstance(args[0], Variable) or len(args[0].shape) != 2 or params:
        return False
    return (function is np.transpose and len(args) == 1) or (
        function is np.swapaxes and len(args) == 3 and (args[1] - args[2]) % 2 == 1
    )


def is_view(instruction: Instruction) -> bool:
    """Whether the result looks at the memory of an operand."""
    result = instruction.results[0] if len(instruction.results) == 1 else None
    return result is not None and result.memory is not result


def lowered(instruction: Instruction) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
    """The same call without the wrapper in Python that NumPy puts around reductions of an array."""
    function, args, params = instruction.function, instruction.args, instruction.params
    if transposes(function, args, params):
        return Attribute("T"), args[:1], {}
    name = function.name if isinstance(function, Method) else getattr(function, "__name__", "")
    ufunc = REDUCTIONS.get(name) if isinstance(function, Method) or function in WRAPPERS else None
    array = args[0] if args and isinstance(args[0], Variable) else None
    if (
        ufunc is not None
        and array is not None
        and not array.scalar
        and len(args) <= 2
        and set(params) <= {"axis", "keepdims"}
    ):
        axis = args[1] if len(args) == 2 else params.get("axis")
        keepdims = params.get("keepdims", False)
        named = {"axis": axis} | ({"keepdims": True} if keepdims is True else {})
        return ufunc.reduce, (array,), named
    return function, args, params


REDUCTIONS = {"sum": np.add, "max": np.maximum, "min": np.minimum, "amax": np.maximum, "amin": np.minimum}
WRAPPERS = {np.sum, np.max, np.min, np.amax, np.amin}

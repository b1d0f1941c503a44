"""Break the optimizers, schedules and clipping in every small way, and see whether PyTorch's trajectories notice.

    python tests/mutation/optimizer_mutants.py

A mutant is one function with one expression changed: a term, a factor or a whole pass over an array dropped, operands
swapped, a sum made a difference. It is killed when one of the trajectories that PyTorch has recorded for
``tests/optim`` no longer holds.
"""

import ast
import copy
import inspect
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent.parent))

import test_graph
from mutation.mutants import codes, put, variants
from optim.test_reference import our_trajectory, reference

from tinygrad_mlp.optim import SGD, Adam, Optimizer, clip_grad_norm, clip_grad_value, schedules
from tinygrad_mlp.optim.block import Block

TARGETS: list[FunctionType] = [
    SGD.update, Adam.update, Optimizer.step_block, Block.gather,
    schedules._step, schedules._cosine, schedules._warmup, clip_grad_norm, clip_grad_value,
]  # fmt: skip
OTHER = {"add": "subtract", "subtract": "add", "multiply": "divide", "divide": "multiply"}
with np.load(Path(__file__).parent.parent / "optim" / "reference.npz", allow_pickle=False) as stored:
    RECORDED = dict(zip(reference.CONFIGURATIONS, stored["trajectories"], strict=True))


def changes(node: ast.AST) -> Iterator[ast.AST]:
    """The ways to break one expression or statement."""
    yield from variants(node)
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield ast.Pass()
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in OTHER:
        name = ast.Attribute(node.func.value, OTHER[node.func.attr], ast.Load())
        yield ast.Call(name, node.args, node.keywords)
        if node.func.attr in ("subtract", "divide"):
            yield ast.Call(node.func, node.args[::-1], node.keywords)


def mutants() -> Iterator[tuple[str, FunctionType, CodeType]]:
    """What is changed, the function, and its code as changed."""
    for function in TARGETS:
        path = Path(inspect.getfile(function))
        tree = ast.parse(path.read_text(encoding="utf-8"))
        name = function.__name__
        (body,) = [
            node for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef)
            and (node.name, node.lineno) == (name, function.__code__.co_firstlineno)
        ]  # fmt: skip
        for node in list(ast.walk(body)):
            for field, value in list(ast.iter_fields(node)):
                for place, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
                    if not isinstance(child, (ast.expr, ast.stmt)) or inside_raise(body, child):
                        continue
                    for change in changes(child):
                        put(node, field, place, ast.copy_location(copy.deepcopy(change), child))
                        module = compile(ast.fix_missing_locations(copy.deepcopy(tree)), str(path), "exec")
                        put(node, field, place, child)
                        (code,) = [c for _, c in codes(module) if c.co_qualname == function.__qualname__]
                        if code != function.__code__:
                            yield (
                                f"{function.__qualname__}: {ast.unparse(child)}  →  {ast.unparse(change)}",
                                function,
                                code,
                            )


def inside_raise(body: ast.AST, child: ast.AST) -> bool:
    """Whether an expression is part of an error, whose text the trajectories cannot see."""
    return any(child is node for error in ast.walk(body) if isinstance(error, ast.Raise) for node in ast.walk(error))


def notices(function: FunctionType) -> bool:
    """Whether a recorded trajectory that uses a function no longer holds, or a graph no longer sees an update."""
    try:
        test_graph.test_parameters_changed_between_forward_and_backward_are_noticed()
        with np.errstate(all="ignore"):
            for configuration, expected in RECORDED.items():
                name, _, schedule, warm, clipping = configuration
                used = {
                    Adam.update: "adam" in name, SGD.update: "adam" not in name,
                    schedules._step: schedule == "step", schedules._cosine: schedule == "cosine",
                    schedules._warmup: warm, clip_grad_norm: clipping == "norm", clip_grad_value: clipping == "value",
                }.get(function, True)  # fmt: skip
                if used and not np.allclose(our_trajectory(*configuration), expected, rtol=1e-10, atol=1e-13):
                    return True
    except (Exception, pytest.fail.Exception):
        return True
    return False


def survivors(every: int = 1) -> tuple[int, list[str]]:
    """How many mutants were tried, all or a sample, and which of them nobody notices."""
    count, found = 0, []
    for text, function, code in itertools.islice(mutants(), 0, None, every):
        before, function.__code__ = function.__code__, code
        try:
            noticed = notices(function)
        finally:
            function.__code__ = before
        count += 1
        if not noticed:
            found.append(text)
    return count, found


if __name__ == "__main__":
    tried, unnoticed = survivors()
    print(*unnoticed, f"{tried - len(unnoticed)} of {tried} mutants killed, {len(unnoticed)} survived", sep="\n")
    sys.exit(bool(unnoticed))

"""Break the rules of the package in every small way, and see whether the case table notices.

    python tests/mutation/mutants.py [name of a file of ops/] …

A mutant is one file of ``tinygrad_mlp/ops`` with one expression changed: a term or factor dropped, operands swapped, a
sign or a factor of 2 added. Only the code of the rules, of their helpers and of composites is exchanged, in the running
process; the forward functions stay as they are. A mutant is killed when a case of a function that it can affect fails.
"""

import ast
import copy
import importlib
import inspect
import itertools
import signal
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType

sys.path.insert(0, str(Path(__file__).parent.parent))

from ops import test_arguments, test_conventions, test_rules, test_same_as_numpy
from ops.cases import CASES

import tinygrad_mlp as tg
from tinygrad_mlp.rules import COMPOSITES, RULES

PATIENCE = 5.0  # seconds
FILES = sorted(path.stem for path in Path(tg.ops.__file__).parent.glob("*.py") if path.stem != "__init__")

OTHERS = [
    test_conventions.test_conventions, test_conventions.test_ties_share, test_arguments.test_orders_that_go_by_memory,
    test_conventions.test_the_cross_entropy_of_each_row, test_conventions.test_masked_scores_in_the_cross_entropy,
    test_arguments.test_multi_dot_takes_the_cheapest_order,
]  # fmt: skip
EQUIVALENT = {  # change -> why it changes nothing
    "calculus: x - np.mean(x, axis=1, keepdims=True)  →  np.mean(x, axis=1, keepdims=True) - x":
        "the covariance multiplies it with itself",
    "reductions: a - np.nanmean(a, axis, keepdims=True)  →  np.nanmean(a, axis, keepdims=True) - a":
        "the variance squares it",
    "linalg: s[..., None, :] - s[..., :, None] + eye  →  s[..., None, :] - s[..., :, None] - eye":
        "the diagonal is 0 / 1 or 0 / -1",
    "sorting: np.mean(a, axis, keepdims=keepdims)  →  -np.mean(a, axis, keepdims=keepdims)":
        "the mean of nothing is NaN",
    "sorting: np.mean(a, axis, keepdims=keepdims)  →  2 * np.mean(a, axis, keepdims=keepdims)":
        "the mean of nothing is NaN",
    "calculus: x if rowvar or single_row_stays else np.transpose(x)  →  "
    "-(x if rowvar or single_row_stays else np.transpose(x))":
        "the covariance of -x is that of x",
    "norms: np.zeros([1 if i in normalize_axis_tuple(axes, x.ndim) else n for i, n in enumerate(x.shape)], x.dtype)"
    "  →  "
    "-np.zeros([1 if i in normalize_axis_tuple(axes, x.ndim) else n for i, n in enumerate(x.shape)], x.dtype)":
        "nothing but zeros",
    "norms: np.zeros([1 if i in normalize_axis_tuple(axes, x.ndim) else n for i, n in enumerate(x.shape)], x.dtype)"
    "  →  "
    "2 * np.zeros([1 if i in normalize_axis_tuple(axes, x.ndim) else n for i, n in enumerate(x.shape)], x.dtype)":
        "nothing but zeros",
    "linear: cost(first, split, last)  →  2 * cost(first, split, last)":
        "the least of the costs is the least of twice the costs",
    "linalg: np.zeros_like(x)  →  -np.zeros_like(x)":
        "the one cofactor of a number is 1",
    "linalg: np.zeros_like(x)  →  2 * np.zeros_like(x)":
        "the one cofactor of a number is 1",
    "elementwise: g * np.where(np.equal(x, 0), math.nan, 0)  →  np.where(np.equal(x, 0), math.nan, 0)":
        "0 or NaN, whatever g is",
    "elementwise: g * np.where(np.equal(x, 0), math.nan, 0)  →  -(g * np.where(np.equal(x, 0), math.nan, 0))":
        "0 or NaN, whatever g is",
    "elementwise: g * np.where(np.equal(x, 0), math.nan, 0)  →  2 * (g * np.where(np.equal(x, 0), math.nan, 0))":
        "0 or NaN, whatever g is",
    "shaping: np.zeros_like(x)  →  -np.zeros_like(x)":
        "the gradient of an empty array",
    "shaping: np.zeros_like(x)  →  2 * np.zeros_like(x)":
        "the gradient of an empty array",
    "linear: np.reshape(np.transpose(x, rows + columns), lengths)  →  "
    "-np.reshape(np.transpose(x, rows + columns), lengths)":
        "both factors of the product change sign",
    "reductions: np.concatenate([x[..., step:], np.zeros_like(x[..., :step])], axis=-1)  →  "
    "-np.concatenate([x[..., step:], np.zeros_like(x[..., :step])], axis=-1)":
        "f changes sign and so does what it is multiplied with",
    "pooling: -math.inf  →  math.inf":
        "no largest element equals the rim",
    "lstsq: b - a @ x  →  a @ x - b":
        "the residual squares it",
    "linear: power @ a  →  a @ power":
        "powers of a matrix commute with it",
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One change: where, what it says now, and the code objects of the file as changed."""

    file: str
    line: int
    before: str
    after: str
    codes: dict[tuple[int, ...], CodeType]

    def __str__(self) -> str:
        return f"{self.file}: {self.before}  →  {self.after}"


def variants(node: ast.AST) -> Iterator[ast.AST]:
    """The ways to break one expression."""
    if isinstance(node, ast.BinOp):
        if isinstance(node.op, (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow)):
            yield node.left  # the second term, factor, or divisor dropped
        if isinstance(node.op, (ast.Add, ast.Mult)):
            yield node.right
        if isinstance(node.op, (ast.Sub, ast.Div, ast.MatMult)):
            yield ast.BinOp(node.right, node.op, node.left)
        if isinstance(node.op, (ast.Add, ast.Sub)):
            yield ast.BinOp(node.left, ast.Sub() if isinstance(node.op, ast.Add) else ast.Add(), node.right)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and not isinstance(node.operand, ast.Constant):
        yield node.operand


def doubled(expression: ast.expr) -> Iterator[ast.expr]:
    """A result with the other sign, and twice as large."""
    yield ast.UnaryOp(ast.USub(), expression)
    yield ast.BinOp(ast.Constant(2), ast.Mult(), expression)


def codes(code: CodeType, path: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], CodeType]]:
    """All code objects of a compiled file, each with its path from the outside in."""
    nested = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    for i, inner in enumerate(nested):
        yield (*path, i), inner
        yield from codes(inner, (*path, i))


def mutants(file: str, every: int = 1) -> Iterator[Mutant]:
    """The mutants of one file, all of them or a sample."""
    count = itertools.count()
    path = Path(tg.ops.__file__).parent / f"{file}.py"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    results = {id(node.body) for node in ast.walk(tree) if isinstance(node, ast.Lambda)}
    results |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Return)}
    for node in list(ast.walk(tree)):
        for field, value in list(ast.iter_fields(node)):
            for place, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
                if not isinstance(child, ast.expr):
                    continue
                changes = [*variants(child), *(doubled(child) if id(child) in results else ())]
                for change in changes:
                    before, after = ast.unparse(child), ast.unparse(change)
                    if before == after or next(count) % every:
                        continue
                    put(node, field, place, ast.copy_location(copy.deepcopy(change), child))
                    changed = compile(ast.fix_missing_locations(copy.deepcopy(tree)), str(path), "exec")
                    put(node, field, place, child)
                    yield Mutant(file, child.lineno, before, after, dict(codes(changed)))


def put(node: ast.AST, field: str, place: int | None, child: ast.AST) -> None:
    """Set a child of a node."""
    if place is None:
        setattr(node, field, child)
    else:
        getattr(node, field)[place] = child


def targets(file: str) -> dict[tuple[int, ...], list[FunctionType]]:
    """The functions of one file that take part in derivatives, by the path of their code."""
    module = importlib.import_module(f"tinygrad_mlp.ops.{file}")
    path = Path(module.__file__)
    own = dict(codes(compile(path.read_text(encoding="utf-8"), str(path), "exec")))
    forward = {f.__code__ for f in map(inspect.unwrap, RULES) if inspect.isfunction(f)}
    functions = [rule for rules in RULES.values() for rule in rules if isinstance(rule, FunctionType)]
    functions += [*filter(inspect.isfunction, COMPOSITES.values()), *filter(inspect.isfunction, vars(module).values())]
    unique = {id(f): f for f in functions if f.__code__ not in forward and not hasattr(f, "__wrapped__")}.values()
    return {place: [f for f in unique if f.__code__ == code] for place, code in own.items()}


def names(code: CodeType) -> set[str]:
    """The global names that a function and the functions inside it use."""
    return set(code.co_names).union(*(names(c) for c in code.co_consts if isinstance(c, CodeType)))


def affected(changed: list[FunctionType]) -> list:
    """The functions in the registry whose derivatives some changed functions can affect."""
    called = {f.__name__ for f in changed}
    helpers = [f for file in FILES for fs in targets_of[file].values() for f in fs]
    while True:
        more = {f.__name__ for f in helpers if f.__name__ != "<lambda>" and names(f.__code__) & called}
        if more <= called:
            break
        called |= more

    def depends(f: object) -> bool:
        return isinstance(f, FunctionType) and (any(f is c for c in changed) or bool(names(f.__code__) & called))

    direct = [f for f, rules in RULES.items() if any(map(depends, rules))]
    return direct + [f for f, definition in COMPOSITES.items() if depends(definition)]


def notices(functions: list) -> bool:
    """Whether a case of one of these functions fails."""
    checks = [test_rules.test_first_order, test_rules.test_second_order, test_rules.test_value]
    checks += [test_rules.test_float32, test_rules.test_memory_layout, test_same_as_numpy.check_remembered]
    try:
        for check in checks:
            for function in functions:
                check(function)
        for test in OTHERS:
            test()
    except Exception:
        return True
    return False


def killed(mutant: Mutant) -> bool | None:
    """Whether the suite notices a mutant; None if it changes no derivative."""
    changed = [
        (f, code) for place, fs in targets_of[mutant.file].items() for f in fs
        if (code := mutant.codes[place]) != f.__code__
    ]  # fmt: skip
    functions = affected([f for f, _ in changed])
    if not functions:
        return None
    before = [(f, f.__code__) for f, _ in changed]
    try:
        for f, code in changed:
            f.__code__ = code
        signal.setitimer(signal.ITIMER_REAL, PATIENCE)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return notices(functions)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for f, code in before:
            f.__code__ = code


def stop(number: int, frame: object) -> None:
    """A mutant that never ends has been noticed."""
    raise TimeoutError


signal.signal(signal.SIGALRM, stop)
targets_of = {file: targets(file) for file in FILES}


def main(files: list[str]) -> int:
    """Print the survivors and the score; the exit status is 1 if any mutant survives that is not equivalent."""
    if notices(list(CASES)):
        print("The case table fails without any mutant.")
        return 1
    total = equivalent = survived = 0
    for file in files or FILES:
        for mutant in mutants(file):
            verdict = killed(mutant)
            total += verdict is not None
            if verdict is False and str(mutant) in EQUIVALENT:
                equivalent += 1
            elif verdict is False:
                survived += 1
                print(f"survived, line {mutant.line} of {mutant}", flush=True)
    print(f"{total - equivalent - survived} of {total} mutants killed, {equivalent} equivalent, {survived} survived")
    return min(survived, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

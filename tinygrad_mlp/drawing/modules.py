"""Which module an op ran in, what parameters are called, and which modules are drawn open, folded or not at all."""

from collections.abc import Collection, Iterator
from typing import Any

from tinygrad_mlp.arguments import Traced, unfolded
from tinygrad_mlp.drawing.groups import Group
from tinygrad_mlp.errors import ArgumentError


def chain(scope: Any) -> list[Any]:
    """The scopes an op ran in, from the outermost to the innermost. Each call of a module is a scope of its own."""
    found = []
    while scope is not None:
        found.append(scope)
        scope = scope.outer
    return found[::-1]


class Modules:
    """The modules of a graph.

    Parameters
    ----------
    model : Module or None
        Gives names. Without it the outermost modules that ran do.
    scopes : list
        The scope of each op, in the order in which they ran.
    folded : collection of str
        Paths of the modules to fold, which must be there.
    """

    def __init__(self, model: Any, scopes: list[Any], folded: Collection[str]) -> None:
        self.paths: dict[int, str] = {}
        self.names: dict[int, str] = {}
        self.folded = folded
        self.groups: dict[int, Group] = {}  # by id(scope); scopes live as long as the graph
        self.calls: dict[int, int] = {}  # id(scope) -> how often its module had run when it did
        self.ops: dict[int, int] = {}  # id(scope) -> ops inside
        self.depth = 0
        runs: dict[int, int] = {}
        seen: list[Any] = []
        for scope in scopes:
            inside = chain(scope)
            self.depth = max(self.depth, len(inside))
            for s in inside:
                if id(s) not in self.ops:
                    self.ops[id(s)] = 0
                    self.calls[id(s)] = runs[id(s.module)] = runs.get(id(s.module), 0) + 1
                self.ops[id(s)] += 1
            if inside and all(inside[0].module is not root for root in seen):
                seen.append(inside[0].module)
        self.roots = seen if model is None else [model]
        for root in self.roots:
            prefix = f"{type(root).__name__}." if len(self.roots) > 1 else ""
            for path, module in root.named_modules():
                self.paths.setdefault(id(module), prefix + path)
            for path, value in root.named_members():
                self.names.setdefault(id(value), prefix + path)
        known = [path for path in self.paths.values() if path]
        for path in folded:
            if path not in known:
                raise ArgumentError(
                    "draw", expected=f"in collapse, paths of modules among {', '.join(known) or 'none'}", got=repr(path)
                )  # fmt: skip

    def around(self, scope: Any) -> list[Group]:
        """The groups around an op, from the outermost inwards; one op without parameters says all by itself."""
        found = []
        for level, s in enumerate(chain(scope)):
            if id(s) not in self.groups and (self.ops[id(s)] > 1 or any(True for _ in s.module.parameters())):
                what = f"{type(s.module).__name__}({s.module.summary()})"
                path = self.paths.get(id(s.module), "")
                self.groups[id(s)] = Group(path, what, self.calls[id(s)], level, [s.module], folded=path in self.folded)
            if id(s) in self.groups:
                found.append(self.groups[id(s)])
        return found

    def path(self, scope: Any) -> str:
        """The path to a module; its class, for the outermost one."""
        return self.paths.get(id(scope.module)) or type(scope.module).__name__


def array_operands(args: Any) -> Iterator[tuple[int, Any]]:
    """The arrays among the arguments of an op that get a box, each with the position of its argument.

    Numbers stand in the op's label instead.
    """
    for position, arg in enumerate(args):
        for item in unfolded((arg,)):
            if isinstance(item, Traced) or getattr(item, "ndim", 0) > 0:
                yield position, item

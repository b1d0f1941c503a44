"""What is drawn as one: the call of a module, a part that repeats, a stretch of a long chain of ops."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(eq=False)
class Group:
    """Ops that are drawn in one frame, or folded into one box.

    Attributes
    ----------
    path : str
        Path to the module; "" for the outermost one and for what is no module.
    what : str
        ``Linear(784 → 128)``, ``100 times``, ``24 ops``.
    call : int
        How often the module had run when it ran these ops, itself included.
    level : int or None
        How many modules are around a module; None for what is no module.
    modules : list of Module
        The module, and on a group that stands for its repeats, theirs.
    folded : bool
        Whether it is always drawn as one box.
    """

    path: str
    what: str
    call: int = 1
    level: int | None = None
    modules: list[Any] = field(default_factory=list)
    folded: bool = False

    @property
    def title(self) -> str:
        """``fc1: Linear(784 → 128)``."""
        call = f", call {self.call}" if self.call > 1 else ""
        return (f"{self.path}: {self.what}" if self.path else self.what) + call

    @property
    def name(self) -> str:
        """The path of a module, the class of the outermost one, or what else the group is."""
        return self.path or self.what.split("(", maxsplit=1)[0]


def starred(names: list[str]) -> str:
    """Several paths as one, with a star for the number that differs.

    >>> starred(["blocks.0.fc1", "blocks.1.fc1"]), starred(["W", "W"]), starred(["a", "b.c"])
    ('blocks.*.fc1', 'W', 'a, ...')
    """
    parts = [name.split(".") for name in names]
    places = [set(place) for place in zip(*parts, strict=False)]
    if len({len(part) for part in parts}) == 1 and all(len(p) == 1 or all(map(is_number, p)) for p in places):
        return ".".join(next(iter(p)) if len(p) == 1 else "*" for p in places)
    return f"{names[0]}, ..."


def is_number(part: str) -> bool:
    """Whether a part of a path is a position in a list, or already stands for several."""
    return part.isdigit() or part == "*"

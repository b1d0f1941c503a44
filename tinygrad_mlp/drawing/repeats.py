"""Finds loops and repeated blocks in the order of the ops: the same ops on the same shapes, fed in the same way."""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any

from tinygrad_mlp.arguments import Traced
from tinygrad_mlp.drawing.groups import Group
from tinygrad_mlp.drawing.modules import array_operands
from tinygrad_mlp.drawing.op_labels import call

LEAST = 3  # fewer repeats are drawn one by one,
WORTH = 8  # and so are those whose folding saves fewer boxes
LONGEST = 500  # ops in one repeat
CANDIDATES = 16  # how many later ops like the first are tried as the beginning of the second repeat


@dataclass(frozen=True)
class Run:
    """``times`` repeats of ``period`` ops, of which the first begins at ``start``."""

    start: int
    period: int
    times: int

    @property
    def stop(self) -> int:
        """Where the ops after the last repeat begin."""
        return self.start + self.period * self.times

    @property
    def spared(self) -> int:
        """How many ops need not be drawn."""
        return self.period * (self.times - 1)


class Ops:
    """The ops in their order, made comparable.

    Parameters
    ----------
    recorded : list of Tensor
        Their results.
    around : dict
        The groups around each op, by the ``id`` of its result.
    """

    def __init__(self, recorded: list[Traced], around: dict[int, list[Group]]) -> None:
        self.around = [around[id(tensor)] for tensor in recorded]
        self.operands = [[item for _, item in array_operands(tensor.node.args)] for tensor in recorded]
        self.made_at = {id(tensor): i for i, tensor in enumerate(recorded)}
        self.kinds = [kind(tensor, groups) for tensor, groups in zip(recorded, self.around, strict=True)]
        self.size: dict[int, int] = {}  # id of a group -> ops in it
        for groups in self.around:
            for group in groups:
                self.size[id(group)] = self.size.get(id(group), 0) + 1

    def alike(self, i: int, period: int, start: int) -> bool:
        """Whether op i does what the op one period before does, in a run that begins at ``start``."""
        before = i - period
        if self.kinds[i] != self.kinds[before] or len(self.operands[i]) != len(self.operands[before]):
            return False
        return all(
            self.fed_alike(now, i, then, before, start)
            for now, then in zip(self.operands[i], self.operands[before], strict=True)
        )

    def fed_alike(self, now: Any, i: int, then: Any, before: int, start: int) -> bool:
        """Whether two operands play the same part in two repeats.

        Both were made equally long ago; or they are the same; or both are data or parameters of one shape; or one
        comes from the repeat before, and the other, in the first repeat, from outside.
        """
        if now is then:
            return True
        made_now, made_then = self.made_at.get(id(now), -1), self.made_at.get(id(then), -1)
        if made_now >= start and made_then >= start:
            return i - made_now == before - made_then
        if made_now >= start:
            return before < start + (i - before) and now.shape == then.shape
        return made_then < start and (made_now < 0) == (made_then < 0) and shape_of(now) == shape_of(then)


def kind(tensor: Traced, groups: list[Group]) -> Hashable:
    """What two ops have in common if they may be repeats of each other. The index of ``x[t]`` may differ."""
    node = tensor.node
    words = "" if is_indexing(node) else call(node.function, node.args, node.params, longest=None)
    return node.function, words, shape_of(tensor), tuple((group.what, group.folded) for group in groups)


def is_indexing(node: Any) -> bool:
    """Whether an op is ``x[...]``."""
    return getattr(node.function, "__name__", "") == "getitem"


def shape_of(item: Any) -> Hashable:
    """Shape, dtype and whether a gradient flows."""
    array = item.data if isinstance(item, Traced) else item
    return array.shape, array.dtype, getattr(item, "node", None) is not None


def runs(ops: Ops, start: int, stop: int) -> Iterator[Run]:
    """The repeats among some ops, each as long as it can be, none of them overlapping another."""
    places: dict[Hashable, list[int]] = {}
    for i in range(start, stop):
        places.setdefault(ops.kinds[i], []).append(i)
    turn = dict.fromkeys(places, 0)
    at = start
    while at < stop:
        later = places[ops.kinds[at]]
        while later[turn[ops.kinds[at]]] <= at and turn[ops.kinds[at]] < len(later) - 1:
            turn[ops.kinds[at]] += 1
        best = None
        for second in later[turn[ops.kinds[at]] :][:CANDIDATES]:
            run = longest(ops, at, second - at, stop) if second > at else None
            if run is not None and (best is None or run.spared > best.spared):
                best = run
            if best is not None and 2 * best.spared > stop - at:
                break
        if best is not None:
            yield best
        at = at + 1 if best is None else best.stop


def longest(ops: Ops, start: int, period: int, stop: int) -> Run | None:
    """As many repeats as there are, if they are enough and cut no module in two."""
    if period > LONGEST:
        return None
    end = start + period
    while end < stop and ops.alike(end, period, start):
        end += 1
    for times in range((end - start) // period, LEAST - 1, -1):
        run = Run(start, period, times)
        if run.spared < WORTH:
            return None
        if not cuts_module(ops, run):
            return run
    return None


def common(ops: Ops, run: Run) -> int:
    """How many of the outermost groups are around the whole of a run."""
    first = ops.around[run.start]
    for depth, group in enumerate(first):
        if not all(len(groups) > depth and groups[depth] is group for groups in ops.around[run.start : run.stop]):
            return depth
    return len(first)


def cuts_module(ops: Ops, run: Run) -> bool:
    """Whether a module has ops both inside and outside of one repeat, and is not around all of them."""
    depth = common(ops, run)
    for begin in range(run.start, run.stop, run.period):
        counted: dict[int, int] = {}
        for groups in ops.around[begin : begin + run.period]:
            for group in groups[depth:]:
                counted[id(group)] = counted.get(id(group), 0) + 1
        if any(ops.size[key] != count for key, count in counted.items()):
            return True
    return False

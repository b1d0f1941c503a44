"""The arguments of an op: which of them are Tensors, which arrays stand behind them, what shapes they have."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Self

NO_PARAMS: dict[str, Any] = {}


class Traced:
    """Base class of ``Tensor``. It stands here so that the registry and the graph need not import ``tensor.py``."""

    __slots__ = ()

    data: Any
    node: Any
    grad: Any
    name: str | None

    def __record__(
        self, function: Callable[..., Any], args: tuple[Any, ...], params: dict[str, Any] = NO_PARAMS
    ) -> Self:
        """Run an op and remember it: `tinygrad_mlp.tensor.record`."""
        raise NotImplementedError


def unfolded(values: Iterable[Any]) -> Iterator[Any]:
    """The arguments one by one, those inside lists and tuples too.

    >>> list(unfolded([1, [2, (3, 4)]]))
    [1, 2, 3, 4]
    """
    for value in values:
        if isinstance(value, (list, tuple)):
            yield from unfolded(value)
        else:
            yield value


def first_traced(values: Iterable[Any]) -> Traced | None:
    """The first Tensor among some arguments, those inside lists and tuples included."""
    return next((value for value in unfolded(values) if isinstance(value, Traced)), None)


def plain(value: Any) -> Any:
    """Arrays in the place of Tensors, also inside lists and tuples."""
    if isinstance(value, Traced):
        return value.data
    if isinstance(value, tuple):
        return tuple(plain(item) for item in value)
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def shapes(arguments: Iterable[Any]) -> str:
    """List the shapes of the arrays among some arguments: ``(3, 4) and (5,)``."""
    found = [str(tuple(item.shape)) for item in unfolded(arguments) if hasattr(item, "shape")]
    return " and ".join([", ".join(found[:-1]), found[-1]] if len(found) > 1 else found) or "no arrays"

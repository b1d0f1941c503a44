"""The arguments of an op: which of them are Tensors, which arrays stand behind them, what shapes they have."""

from collections.abc import Callable, Iterable, Iterator
from types import EllipsisType, NoneType
from typing import Any, Self

import numpy as np

from tinygrad_mlp.errors import DtypeError

NO_PARAMS: dict[str, Any] = {}


class Traced:
    """Base class of ``Tensor``. It stands here so that the registry and the graph need not import ``tensor.py``."""

    __slots__ = ()

    _data: Any
    data: Any
    node: Any
    grad: Any
    name: str | None

    def __record__(
        self, function: Callable[..., Any], args: tuple[Any, ...], params: dict[str, Any] = NO_PARAMS
    ) -> Self:
        """Run an op and remember it: `tinygrad_mlp.tensor.record`."""
        raise NotImplementedError


# What an op takes as it is, besides arrays of floats; everything else goes through `operand` or `held`.
NUMBERS = frozenset(
    {bool, int, float, NoneType, slice, EllipsisType, str, np.bool, np.float16, np.float32, np.float64, np.int64}
)
ARITHMETIC = ("__array_ufunc__", "__array_function__", "__add__", "__mul__")


def as_array(value: Any) -> Any:
    """An array as the engine keeps it: what speaks NumPy's protocols as it is, all else made an ndarray.

    ``np.matrix`` and ``np.memmap`` become plain arrays of the same memory, and so their ``*`` is that of arrays.

    Raises
    ------
    DtypeError
        For a subclass of ndarray with arithmetic of its own, such as a masked array, and for an array of Tensors.
    """
    if isinstance(value, np.ndarray):
        kind = type(value)
        if kind is not np.ndarray:
            if kind is not np.matrix and any(getattr(kind, f) is not getattr(np.ndarray, f) for f in ARITHMETIC):
                raise DtypeError(
                    "Tensor", expected="a plain array", got=f"a {kind.__name__}, whose arithmetic is its own",
                    fix="Pass np.asarray(array); of a masked array first choose what masked elements shall be, with "
                    "array.filled(0.0).",
                )  # fmt: skip
            value = np.asarray(value)
        if value.dtype.kind == "O" and any(isinstance(item, Traced) for item in value.flat):
            raise DtypeError(
                "Tensor", expected="an array of numbers", got="an array of Tensors", fix="Write np.stack([x, y])."
            )
        return value
    if hasattr(value, "__array_function__") and hasattr(value, "dtype") and not isinstance(value, np.generic):
        return value
    return np.asarray(value)


def operand(value: Any) -> Any:
    """An argument that a rule differentiates: a Tensor, an array or a number; a list is the array of its items."""
    if isinstance(value, (Traced, np.generic)) or type(value) in NUMBERS:
        return value
    if isinstance(value, (list, tuple)):
        if first_traced(value) is not None:
            items: list[Any] = [operand(item) for item in value]
            return first_traced(items).__record__(np.stack, (items,))  # type: ignore[union-attr]  # there is one
        return np.asarray(value)
    if not hasattr(value, "__array__") and not hasattr(value, "__array_function__"):
        return value
    return as_array(value)


def held(value: Any) -> Any:
    """An argument as the graph keeps it: indices, labels and masks copied, because they are edited and reused.

    Arrays of floating-point numbers, which are large, are not copied.
    """
    if isinstance(value, np.ndarray) and value.dtype.kind in "iub":
        return np.array(value)
    if isinstance(value, tuple):
        return tuple(held(item) for item in value)
    if isinstance(value, list):
        return [held(item) for item in value]
    return value


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
    for value in values:
        if isinstance(value, Traced):
            return value
        if isinstance(value, (list, tuple)) and (found := first_traced(value)) is not None:
            return found
    return None


def plain(value: Any) -> Any:
    """Arrays in the place of Tensors, also inside lists and tuples."""
    if isinstance(value, Traced):
        return value._data
    if isinstance(value, tuple):
        return tuple(plain(item) for item in value)
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def shapes(arguments: Iterable[Any]) -> str:
    """List the shapes of the arrays among some arguments: ``(3, 4) and (5,)``."""
    found = [str(tuple(item.shape)) for item in unfolded(arguments) if hasattr(item, "shape")]
    return " and ".join([", ".join(found[:-1]), found[-1]] if len(found) > 1 else found) or "no arrays"

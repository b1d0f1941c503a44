"""What makes a Tensor feel like an array: operators, comparisons, and methods."""

import operator
from collections.abc import Iterator
from typing import Any, Self

import numpy as np

from tinygrad_mlp.arguments import Traced, plain
from tinygrad_mlp.errors import GraphError
from tinygrad_mlp.graph import differentiating


class Operators(Traced):
    """The operators of `Tensor`. Written out, because going through NumPy's dispatch costs as much as a small op."""

    __slots__ = ()

    # Arithmetic.

    def __add__(self, other: Any) -> Self:
        return self.__record__(np.add, (self, other))

    def __radd__(self, other: Any) -> Self:
        return self.__record__(np.add, (other, self))

    def __sub__(self, other: Any) -> Self:
        return self.__record__(np.subtract, (self, other))

    def __rsub__(self, other: Any) -> Self:
        return self.__record__(np.subtract, (other, self))

    def __mul__(self, other: Any) -> Self:
        return self.__record__(np.multiply, (self, other))

    def __rmul__(self, other: Any) -> Self:
        return self.__record__(np.multiply, (other, self))

    def __truediv__(self, other: Any) -> Self:
        return self.__record__(np.divide, (self, other))

    def __rtruediv__(self, other: Any) -> Self:
        return self.__record__(np.divide, (other, self))

    def __mod__(self, other: Any) -> Self:
        return self.__record__(np.remainder, (self, other))

    def __rmod__(self, other: Any) -> Self:
        return self.__record__(np.remainder, (other, self))

    def __floordiv__(self, other: Any) -> Any:
        return np.floor_divide(self._data, plain(other))

    def __rfloordiv__(self, other: Any) -> Any:
        return np.floor_divide(plain(other), self._data)

    def __pow__(self, other: Any) -> Self:
        return self.__record__(np.power, (self, other))

    def __rpow__(self, other: Any) -> Self:
        return self.__record__(np.power, (other, self))

    def __matmul__(self, other: Any) -> Self:
        return self.__record__(np.matmul, (self, other))

    def __rmatmul__(self, other: Any) -> Self:
        return self.__record__(np.matmul, (other, self))

    def __neg__(self) -> Self:
        return self.__record__(np.negative, (self,))

    def __pos__(self) -> Self:
        return self

    def __abs__(self) -> Self:
        return self.__record__(np.absolute, (self,))

    def __getitem__(self, index: Any) -> Self:
        return self.__record__(operator.getitem, (self, plain(index)))

    # In place, which no Tensor changes.

    def __setitem__(self, index: Any, value: Any) -> None:
        raise in_place("x[index] = value")

    def __iadd__(self, other: Any) -> Self:
        return self.__record__(np.add, (self._rebindable("+="), other))

    def __isub__(self, other: Any) -> Self:
        return self.__record__(np.subtract, (self._rebindable("-="), other))

    def __imul__(self, other: Any) -> Self:
        return self.__record__(np.multiply, (self._rebindable("*="), other))

    def __itruediv__(self, other: Any) -> Self:
        return self.__record__(np.divide, (self._rebindable("/="), other))

    def __ipow__(self, other: Any) -> Self:
        return self.__record__(np.power, (self._rebindable("**="), other))

    def __imatmul__(self, other: Any) -> Self:
        return self.__record__(np.matmul, (self._rebindable("@="), other))

    def _rebindable(self, symbol: str) -> Self:
        """``x += y`` makes a new Tensor; a leaf's old one, held by a model or an optimizer, would never change."""
        if self.node is not None and self.node.function is None:
            raise in_place(f"x {symbol} y on a leaf that requires a gradient")
        return self

    # Comparisons give plain arrays: their gradient is zero everywhere.

    def __lt__(self, other: Any) -> Any:
        return self._data < plain(other)

    def __le__(self, other: Any) -> Any:
        return self._data <= plain(other)

    def __gt__(self, other: Any) -> Any:
        return self._data > plain(other)

    def __ge__(self, other: Any) -> Any:
        return self._data >= plain(other)

    def __eq__(self, other: object) -> Any:
        return self._data == plain(other)

    def __ne__(self, other: object) -> Any:
        return self._data != plain(other)

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        return bool(self._data)

    def __float__(self) -> float:
        return float(self._number("float(x)"))

    def __int__(self) -> int:
        return int(self._data)

    def __format__(self, spec: str) -> str:
        return format(self._data.item(), spec) if spec and self._data.size == 1 else str(self)

    def __len__(self) -> int:
        return len(self._data)

    def __iter__(self) -> Iterator[Self]:
        return (self[i] for i in range(len(self._data)))

    # Methods.

    @property
    def T(self) -> Self:
        """The axes in reverse order."""
        return self.__record__(np.transpose, (self,))

    @property
    def mT(self) -> Self:
        """The last two axes swapped: each matrix transposed."""
        return self.__record__(np.swapaxes, (self, -1, -2))

    def sum(self, axis: Any = None, keepdims: bool = False) -> Self:
        """``np.sum(self, axis, keepdims=keepdims)``."""
        return self.__record__(np.sum, (self,), {"axis": axis, "keepdims": keepdims})

    def mean(self, axis: Any = None, keepdims: bool = False) -> Self:
        """``np.mean(self, axis, keepdims=keepdims)``."""
        return self.__record__(np.mean, (self,), {"axis": axis, "keepdims": keepdims})

    def max(self, axis: Any = None, keepdims: bool = False) -> Self:
        """``np.max(self, axis, keepdims=keepdims)``."""
        return self.__record__(np.max, (self,), {"axis": axis, "keepdims": keepdims})

    def min(self, axis: Any = None, keepdims: bool = False) -> Self:
        """``np.min(self, axis, keepdims=keepdims)``."""
        return self.__record__(np.min, (self,), {"axis": axis, "keepdims": keepdims})

    def prod(self, axis: Any = None, keepdims: bool = False) -> Self:
        """``np.prod(self, axis, keepdims=keepdims)``."""
        return self.__record__(np.prod, (self,), {"axis": axis, "keepdims": keepdims})

    def var(self, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Self:
        """``np.var(self, axis, ddof=ddof, keepdims=keepdims)``."""
        return self.__record__(np.var, (self,), {"axis": axis, "ddof": ddof, "keepdims": keepdims})

    def std(self, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Self:
        """``np.std(self, axis, ddof=ddof, keepdims=keepdims)``."""
        return self.__record__(np.std, (self,), {"axis": axis, "ddof": ddof, "keepdims": keepdims})

    def cumsum(self, axis: Any = None) -> Self:
        """``np.cumsum(self, axis)``."""
        return self.__record__(np.cumsum, (self,), {"axis": axis})

    def dot(self, other: Any) -> Self:
        """``np.dot(self, other)``."""
        return self.__record__(np.dot, (self, other))

    def clip(self, min: Any = None, max: Any = None) -> Self:
        """``np.clip(self, min, max)``."""
        return self.__record__(np.clip, (self, min, max))

    def take(self, indices: Any, axis: Any = None) -> Self:
        """``np.take(self, indices, axis)``."""
        return self.__record__(np.take, (self, indices), {"axis": axis})

    def repeat(self, repeats: Any, axis: Any = None) -> Self:
        """``np.repeat(self, repeats, axis)``."""
        return self.__record__(np.repeat, (self, repeats), {"axis": axis})

    def item(self) -> Any:
        """The one element of a Tensor of size 1, as a Python number."""
        return self._number("x.item()").item()

    def tolist(self) -> Any:
        """The values as nested lists of Python numbers."""
        return self._number("x.tolist()").tolist()

    def _number(self, how: str) -> Any:
        """The plain array, for a conversion to Python numbers, which have no gradient."""
        if self.node is not None and differentiating.get():
            raise GraphError(
                how, expected="no conversion to a plain number of what is being differentiated",
                got=f"a Tensor of shape {self._data.shape}, whose gradient would be lost",
                fix="Compute with the Tensor and NumPy's functions (np.sin(x) for math.sin(x)); take the number on "
                "purpose with x.detach().item().",
            )  # fmt: skip
        return self._data

    def argmax(self, axis: Any = None) -> Any:
        """``np.argmax(self, axis)``, a plain array."""
        return np.argmax(self._data, axis)

    def argmin(self, axis: Any = None) -> Any:
        """``np.argmin(self, axis)``, a plain array."""
        return np.argmin(self._data, axis)

    def ravel(self) -> Self:
        """``np.ravel(self)``."""
        return self.__record__(np.ravel, (self,))

    def flatten(self) -> Self:
        """``np.ravel(self)``: a Tensor never changes in place, so a copy would be no different."""
        return self.ravel()

    def squeeze(self, axis: Any = None) -> Self:
        """``np.squeeze(self, axis)``."""
        return self.__record__(np.squeeze, (self,), {"axis": axis})

    def swapaxes(self, axis1: int, axis2: int) -> Self:
        """``np.swapaxes(self, axis1, axis2)``."""
        return self.__record__(np.swapaxes, (self, axis1, axis2))

    def reshape(self, *shape: Any) -> Self:
        """``np.reshape(self, shape)``; the shape as a tuple or as single integers."""
        return self.__record__(np.reshape, (self, shape[0] if len(shape) == 1 else shape))

    def transpose(self, *axes: Any) -> Self:
        """``np.transpose(self, axes)``; the axes as a tuple or as single integers."""
        return self.__record__(np.transpose, (self,), {"axes": axes[0] if len(axes) == 1 else axes or None})

    def astype(self, dtype: Any) -> Self:
        """The same values in another floating-point dtype; the gradient is cast back."""
        return self.__record__(np.astype, (self, dtype))


def in_place(what: str) -> GraphError:
    """The error for a change in place of something that a graph may hold."""
    return GraphError(
        "Tensor", expected="no change in place, because the graph keeps operands for backward", got=what,
        fix="Build a new Tensor (x = x + y, np.where(mask, value, x)); or edit the array on purpose with "
        "x.data[...] = value, before it is used.",
    )  # fmt: skip

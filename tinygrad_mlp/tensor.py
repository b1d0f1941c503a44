"""The Tensor: an array that remembers how it was made. Its operators stand in ``operators.py``.

NumPy's protocols bring every ``np.f(x)`` to `Tensor.__array_ufunc__` or `Tensor.__array_function__`, and those bring it
to `record`, which runs the function on the arrays and hangs a `Node` on the result. This file names NumPy functions and
knows no rule; ``ops/`` registers rules and knows no Tensor.
"""

import copy
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
from numpy import ndarray

from tinygrad_mlp.arguments import (
    NO_PARAMS,
    NUMBERS,
    Traced,
    as_array,
    held,
    operand,
    plain,
    shapes,
    unfolded,
)
from tinygrad_mlp.errors import (
    DtypeError,
    GraphError,
    ShapeError,
    TinygradError,
    UnsupportedArgumentError,
)
from tinygrad_mlp.graph import Node, changes, clock, differentiating, pullback, topological_order
from tinygrad_mlp.operators import Operators
from tinygrad_mlp.other_names import METHODS, OtherName
from tinygrad_mlp.rules import (
    COMPOSITES,
    CONSTANTS,
    RULES,
    SEQUENCES,
    check_arguments,
    function_name,
    missing_rule,
)

Observer = Callable[[Callable[..., Any], tuple[Any, ...], Any], Any]

grad_enabled: ContextVar[bool] = ContextVar("grad_enabled", default=True)
scope: ContextVar[Any] = ContextVar("scope", default=None)
observer: ContextVar[Observer | None] = ContextVar("observer", default=None)
accumulating = threading.Lock()  # held while gradients are added to leaves, which threads may share


class Tensor(Operators):
    """An array that records what is computed from it, so that the result can be differentiated.

    Parameters
    ----------
    data : array_like
        Kept as it is when it already speaks NumPy's protocols (no copy, no conversion), else made an array.
    requires_grad : bool
        Whether `backward` shall fill ``grad``. Only floating-point Tensors can.
    name : str, optional
        Shown in drawings and error messages.

    Attributes
    ----------
    data : ndarray
        The values. On a leaf they can be replaced or updated (``x.data = array``, ``x.data -= step``), and a graph that
        used them before will refuse to run backward. What is edited inside, ``x.data[0] = 1.0``, is invisible to the
        graph; `mark_changed` makes it known.
    grad : ndarray or None
        What `backward` has added up since it was last set to None.

    Examples
    --------
    >>> x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> loss = (x * x).sum()
    >>> loss.backward()
    >>> x.grad
    array([2., 4., 6.])
    """

    __slots__ = ("__weakref__", "_data", "_given", "grad", "name", "node")

    def __init__(self, data: Any, requires_grad: bool = False, name: str | None = None) -> None:
        if isinstance(data, Tensor):
            raise DtypeError(
                "Tensor", expected="an array, a number or nested lists of them", got="a Tensor",
                fix="Use it as it is, x.detach() for the same values without history, or np.stack for a list of them.",
            )  # fmt: skip
        self._data = as_array(data)
        self._given = True  # missing on results, which `record` makes
        self.grad: Any = None
        self.name = name
        self.node: Node | None = None
        if requires_grad:
            self.requires_grad = True

    # What NumPy's users expect of an array.

    shape = property(lambda self: self._data.shape, doc="Lengths of the axes.")
    dtype = property(lambda self: self._data.dtype, doc="Type of the elements.")
    ndim = property(lambda self: self._data.ndim, doc="Number of axes.")
    size = property(lambda self: self._data.size, doc="Number of elements.")

    @property
    def data(self) -> Any:
        """The values, an array."""
        return self._data

    @data.setter
    def data(self, value: Any) -> None:
        if self.node is not None and self.node.function is not None:
            raise GraphError(
                "x.data = …", expected="a leaf", got=f"the result of {function_name(self.node.function)}",
                fix="Backward needs what the op computed; change x.detach(), or make a new Tensor.",
            )  # fmt: skip
        if isinstance(value, Tensor):
            raise DtypeError("x.data = …", expected="an array", got="a Tensor", fix="Assign its array, y.data.")
        array = as_array(value)
        if self.node is not None:
            check_floating("x.data = …", array)
        if array is self._data:  # x.data += step has edited it
            changes.mark(array)
        self._data = array
        changes.latest = next(clock)  # ops that used the old array see that it is another one

    @property
    def requires_grad(self) -> bool:
        """Whether a gradient flows to or through this Tensor. Settable on leaves; False freezes a parameter."""
        return self.node is not None

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if self.node is not None and self.node.function is not None:
            raise GraphError(
                "requires_grad", expected="a leaf", got=f"the result of {function_name(self.node.function)}",
                fix="Set it on the Tensors that you made yourself; x.detach() makes a leaf of a result.",
            )  # fmt: skip
        if value:
            check_floating("Tensor", self._data)
        if not value:
            self.node = None
        elif self.node is None:
            self.node = Node()

    @property
    def _is_result(self) -> bool:
        """Whether this is the result of an op, which is neither trained nor saved."""
        if self.node is not None:
            return self.node.function is not None
        return not hasattr(self, "_given")

    def detach(self) -> "Tensor":
        """The same data, in the same memory, without history: no gradient flows through the result."""
        return Tensor(self._data, name=self.name)

    def mark_changed(self) -> None:
        """Say that ``data`` was edited in place: what has used this memory will refuse to run backward."""
        changes.mark(self._data)

    def backward(self, gradient: Any = None, retain_graph: bool = False) -> None:
        """Add the gradient of this Tensor to ``grad`` of every leaf it depends on.

        Parameters
        ----------
        gradient : array_like, optional
            Gradient of the final scalar with respect to this Tensor, of its shape. Default 1, for a scalar.
        retain_graph : bool
            Keep the graph, so that a second backward pass can go through it.

        Raises
        ------
        GraphError
            If no gradient can flow: nothing requires one, this is no scalar and ``gradient`` is missing, an earlier
            backward has freed the graph, or an operand was changed in place since.
        """
        seed = seed_gradient(self, gradient)
        recorded, leaves = topological_order([self])
        gradients = {id(self): seed}
        pullback(recorded, gradients, free=not retain_graph)
        given: set[int] = set()
        with accumulating:
            for leaf in leaves:
                leaf_gradient = gradients.get(id(leaf))
                if leaf_gradient is not None:
                    key = id(leaf_gradient)
                    accumulate(leaf, leaf_gradient, key in given)
                    given.add(key)

    # What NumPy's own functions do with a Tensor.

    def __record__(self, function: Any, args: tuple[Any, ...], params: dict[str, Any] = NO_PARAMS) -> Any:
        return record(function, args, params)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *args: Any, **params: Any) -> Any:
        if method == "reduce" and ufunc in REDUCTIONS:
            return record(REDUCTIONS[ufunc], args, {"axis": 0, **params})
        if method != "__call__":
            raise UnsupportedArgumentError(
                f"{function_name(ufunc)}.{method}", expected="a plain call on a Tensor", got=f".{method}",
                fix="Use the function of that name (np.sum, np.cumsum, np.outer), or x.data, without a gradient.",
            )  # fmt: skip
        return record(ufunc, args, params)

    def __array_function__(
        self, function: Callable[..., Any], types: Any, args: tuple[Any, ...], params: dict[str, Any]
    ) -> Any:
        return record(function, args, params)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        if self.node is not None:
            raise GraphError(
                "np.asarray", expected="a Tensor that requires no gradient",
                got=f"one that does, of shape {self.shape}: its gradient would be lost",
                fix="Stack Tensors with np.stack([x, y]); take the plain array on purpose with x.data.",
            )  # fmt: skip
        return np.array(self.data, dtype=dtype, copy=copy)

    def __dir__(self) -> list[str]:
        """The names that are there, for completion."""
        return [name for name in super().__dir__() if name not in OTHER_NAMES]

    def __repr__(self) -> str:
        text = (
            np.array2string(self.data, prefix="Tensor(", separator=", ") if self.size < 1000 else f"shape={self.shape}"
        )
        flags = [f"dtype={self.dtype}"] if self.dtype != np.float64 else []
        if self.name is not None:
            flags.append(f"name={self.name!r}")
        if self.node is not None:
            function = self.node.function
            flags.append(f"op={function_name(function)}" if function else "requires_grad=True")
        return f"Tensor({', '.join([text, *flags])})"

    def __deepcopy__(self, memo: dict[int, Any]) -> "Tensor":
        if self.node is not None and self.node.function is not None:
            raise GraphError(
                "copy.deepcopy", expected="a leaf", got=f"the result of {function_name(self.node.function)}",
                fix="Copy x.detach().",
            )  # fmt: skip
        twin = Tensor(copy.deepcopy(self._data, memo), self.requires_grad, self.name)
        twin.grad = copy.deepcopy(self.grad, memo)
        return twin

    def __reduce__(self) -> Any:
        if self.node is not None and self.node.function is not None:
            raise GraphError(
                "pickle", expected="a leaf", got=f"the result of {function_name(self.node.function)}",
                fix="Pickle x.detach(), or x.data.",
            )  # fmt: skip
        return Tensor, (self._data, self.requires_grad, self.name), (None, {"grad": self.grad})


OTHER_NAMES = [name for name in METHODS if not hasattr(Tensor, name)]
for name in OTHER_NAMES:
    setattr(Tensor, name, OtherName(name, METHODS[name]))

REDUCTIONS: dict[np.ufunc, Callable[..., Any]] = {
    np.add: np.sum,
    np.multiply: np.prod,
    np.maximum: np.max,
    np.minimum: np.min,
}


def record(function: Callable[..., Any], args: tuple[Any, ...], params: dict[str, Any] = NO_PARAMS) -> Any:
    """Run ``function`` on the arrays behind ``args``; if one of them requires a gradient, remember how.

    Every op on a Tensor comes here: from an operator, from NumPy's dispatch, or from a primitive.

    Raises
    ------
    MissingRuleError
        If the function, or an argument that requires a gradient, has no backward rule.
    UnsupportedArgumentError
        If the rules do not know an argument.
    ShapeError
        If the shapes do not fit.
    """
    rules = RULES.get(function)
    if rules is None:
        return without_rule(function, args, params)
    if params or len(args) > len(rules):
        args, params = check_arguments(function, args, params)
    arrays = []
    parents = []
    for arg in args:
        if isinstance(arg, Tensor):
            arrays.append(arg._data)
            if arg.node is not None:
                parents.append(arg)
        elif type(arg) in NUMBERS or (type(arg) is ndarray and arg.dtype.kind == "f"):
            arrays.append(arg)
        else:
            i = len(arrays)
            arg = admitted(function, arg, differentiable=i < len(rules))
            args = (*args[:i], arg, *args[i + 1 :])
            arrays.append(plain(arg))
            parents += [item for item in unfolded((arg,)) if isinstance(item, Tensor) and item.node is not None]
    try:
        out = function(*arrays, **params)
    except Exception as error:  # raised again, with the op and the shapes
        raise explain(error, function, args) from error
    result = Tensor.__new__(Tensor)
    result._data = out if type(out) is ndarray else result_array(function, out)
    result.grad = result.name = result.node = None
    if parents and grad_enabled.get():
        if result._data.dtype.kind != "f":
            raise DtypeError(
                function_name(function), expected="a floating-point result of a Tensor that requires a gradient",
                got=str(result._data.dtype), fix="Compute on the plain array on purpose: x.data.",
            )  # fmt: skip
        if len(args) > len(rules):
            for i in range(len(rules), len(args)):
                if isinstance(args[i], Tensor) and args[i].node is not None:
                    raise missing_rule(function, argument=i)
        result.node = Node(function, args, arrays, params, parents, scope.get())
    watch = observer.get()
    if watch is not None:
        watch(function, args, result)
    return result


def admitted(function: Callable[..., Any], value: Any, differentiable: bool) -> Any:
    """An argument as the op, its rules and the graph are to have it; ``differentiable`` says whether it has a rule."""
    if differentiable and (type(value) is not ndarray or value.dtype.kind == "O"):
        if function in SEQUENCES and isinstance(value, (list, tuple)):
            value = [operand(item) for item in value]
        else:
            value = operand(value)
    return held(value)


def result_array(function: Callable[..., Any], out: Any) -> Any:
    """What an op returned, where that is no plain ndarray: a NumPy scalar, or an array of another library."""
    if isinstance(out, Tensor):
        raise GraphError(
            function_name(function), expected="a primitive that computes on its arguments alone",
            got="one that returned a Tensor, because it uses one from outside: its gradient would be lost",
            fix="Make that Tensor an argument with a rule of its own; or use its plain array (x.data).",
        )  # fmt: skip
    if isinstance(out, (list, tuple)):
        raise DtypeError(
            function_name(function), expected="an op that returns one array", got=type(out).__name__,
            fix="Define a function of several results through others of one, with tg.rules.composite.",
        )  # fmt: skip
    return as_array(out)


def check_floating(where: str, array: Any) -> None:
    """Raise where an array has no floating-point numbers, and so can have no gradient."""
    if not np.issubdtype(array.dtype, np.floating):
        raise DtypeError(
            where, expected="a floating-point dtype for requires_grad=True", got=str(array.dtype),
            fix="Write the numbers with a point (1.0 for 1), or convert with array.astype(np.float32).",
        )  # fmt: skip


def without_rule(function: Callable[..., Any], args: tuple[Any, ...], params: dict[str, Any]) -> Any:
    """Call a composite on the Tensors, or a constant on plain arrays; there is nothing to record."""
    if function in COMPOSITES:
        args, params = check_arguments(function, args, params)
        return COMPOSITES[function](*args, **params)
    if function in CONSTANTS:
        return function(*plain(args), **{name: plain(value) for name, value in params.items()})
    raise missing_rule(function)


def seed_gradient(output: Tensor, gradient: Any) -> Any:
    """The gradient a backward pass starts with: the one given, checked, or 1 for a scalar."""
    if output.node is None:
        raise GraphError(
            "backward", expected="a Tensor that requires a gradient", got=f"one of shape {output.shape} that does not",
            fix="Set requires_grad=True on a leaf it is computed from, and compute it outside no_grad().",
        )  # fmt: skip
    if gradient is None:
        if output.size != 1:
            raise GraphError(
                "backward", expected="a scalar", got=f"a Tensor of shape {output.shape}",
                fix="Reduce it first (x.sum(), x.mean()), or pass backward(gradient) of the same shape.",
            )  # fmt: skip
        return np.ones_like(output._data)
    gradient = plain(gradient)
    if not hasattr(gradient, "__array_function__"):
        gradient = np.asarray(gradient)
    data = output._data
    if gradient.shape != data.shape:
        raise ShapeError(
            "backward", expected=f"a gradient of shape {data.shape}, that of the Tensor", got=str(gradient.shape)
        )
    return gradient.astype(data.dtype)


def accumulate(leaf: Traced, gradient: Any, shared: bool) -> None:
    """Add to ``leaf.grad``, which owns its memory: what the backward pass hands over may belong to other leaves too."""
    grad = leaf.grad
    if grad is not None:
        if type(grad) is not ndarray or grad.dtype is not gradient.dtype or grad.shape != gradient.shape:
            check_gradient("backward", leaf, f"leaf {leaf.name!r}" if leaf.name else "a leaf")
        leaf.grad += gradient
    elif isinstance(gradient, np.generic):
        leaf.grad = np.asarray(gradient)
    elif shared or type(gradient) is not ndarray or gradient.base is not None:
        leaf.grad = gradient.copy()
    else:
        leaf.grad = gradient


def check_gradient(where: str, leaf: Traced, name: str) -> None:
    """Raise where ``leaf.grad``, which anyone may assign, does not have the shape and dtype of the values."""
    grad, data = leaf.grad, leaf._data
    if getattr(grad, "shape", None) != data.shape:
        raise ShapeError(
            where, expected=f"a gradient of shape {data.shape} in grad of {name}",
            got=f"{getattr(grad, 'shape', type(grad).__name__)}",
            fix="Assign an array of the shape of the values, or None.",
        )  # fmt: skip
    if grad.dtype != data.dtype:
        raise DtypeError(
            where, expected=f"a gradient of dtype {data.dtype} in grad of {name}", got=str(grad.dtype),
            fix="Convert it with array.astype(x.dtype), or set it to None.",
        )  # fmt: skip


def explain(error: Exception, function: Callable[..., Any], args: tuple[Any, ...]) -> Exception:
    """Make NumPy's complaint about an op name the op and the shapes."""
    if isinstance(error, ShapeError) and error.function is None:
        error.function, error.operands = function, args
    if isinstance(error, TinygradError):
        return error
    where = function_name(function) + (f" in {scope.get()}" if scope.get() else "")
    if type(error) is ValueError:
        shape_error = ShapeError(
            where, expected="arguments that fit each other", got=f"{shapes(args)} ({error})",
            fix="Compare the shapes axis by axis from the right: equal, or one of them 1, or as the op demands.",
        )  # fmt: skip
        shape_error.function, shape_error.operands = function, args
        return shape_error
    error.add_note(f"in {where} on {shapes(args)}")
    return error


@contextmanager
def no_grad() -> Iterator[None]:
    """Record nothing inside: results require no gradient. Per thread, restored also on an exception.

    >>> x = Tensor([1.0], requires_grad=True)
    >>> with no_grad():
    ...     y = x * 2
    >>> y.requires_grad
    False
    """
    tokens = grad_enabled.set(False), differentiating.set(False)
    try:
        yield
    finally:
        grad_enabled.reset(tokens[0])
        differentiating.reset(tokens[1])

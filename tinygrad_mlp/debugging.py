"""`debug`: a context that finds where a NaN was born, and what overwrote an array that the graph still needs."""

import math
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from contextvars import ContextVar
from types import FrameType, TracebackType
from typing import Any
from weakref import WeakSet

import numpy as np

from tinygrad_mlp.arguments import plain, unfolded
from tinygrad_mlp.errors import NonFiniteError
from tinygrad_mlp.graph import backward_observer
from tinygrad_mlp.rules import function_name
from tinygrad_mlp.tensor import Tensor, observer, scope

INTERNAL = tuple(os.path.dirname(file) + os.sep for file in (__file__, np.__file__))  # noqa: PTH120 - imports less


def debug() -> "Watch":
    """A context in which mistakes raise where they are made. Per thread; nests; costs nothing outside.

    - An op whose result is not finite raises at the user's line, and so does a backward rule whose gradient is not. The
      first one in the order of the run is the cause, and the only one seen.
    - Arrays kept for the backward pass are read-only while their graph lives: overwriting one raises NumPy's
      "assignment destination is read-only" at the line that does it, instead of giving a wrong gradient. Arrays that
      share memory with a kept one but have another size (the whole data set, of which a batch is a view) stay writable.
      An exception that leaves the context ends all its locks.
    - Messages about a Tensor name the line that made it, such as the one that outlived its backward pass.

    NumPy's floating-point warnings are off inside: the errors say more.

    Raises
    ------
    NonFiniteError
        Naming the op, the module path, the user's line and the statistics of the operands. A NaN or an infinity that
        was there before (in a parameter, in the data, in a mask) is named as such where a result first shows it.

    Examples
    --------
    >>> import tinygrad_mlp as tg
    >>> x = tg.Tensor([1.0, 0.0], requires_grad=True, name="x")
    >>> with tg.debug():
    ...     loss = np.sum(np.log(x))
    Traceback (most recent call last):
    ...
    tinygrad_mlp.errors.NonFiniteError: np.log at <doctest tinygrad_mlp.debugging.debug[2]>:2: expected a finite result
    of finite operands, got 0 NaN and 1 inf in shape (2,). Operands: leaf Tensor 'x' of shape (2,), float64, min 0,
    max 1, mean 0.5.
    >>> with tg.debug():
    ...     loss = np.sum(x * x)
    ...     x.data[0] = 5.0
    Traceback (most recent call last):
    ...
    ValueError: assignment destination is read-only
    """
    return Watch()


class Watch:
    """What `debug` returns: the context, and what the engine tells of its ops."""

    def __init__(self) -> None:
        self.traces: WeakSet[Trace] = WeakSet()
        self.stack = ExitStack()

    def __enter__(self) -> None:
        with ExitStack() as stack:
            stack.enter_context(np.errstate(divide="ignore", over="ignore", invalid="ignore"))
            for variable, value in ((observer, self.op), (backward_observer, gradient_check)):
                setting: ContextVar[Any] = variable
                stack.callback(setting.reset, setting.set(value))
            self.stack = stack.pop_all()

    def __exit__(self, kind: object, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.stack.close()
        if error is not None:
            for trace in list(self.traces):
                trace.release()
        if isinstance(error, NonFiniteError):
            cut_below_user(traceback)

    def op(self, function: Callable[..., Any], args: tuple[Any, ...], result: Any) -> None:
        """Check one op that has run, and lock what its node keeps."""
        node = result.node
        if not finite(result.data):
            raise non_finite_result(function, args, result)
        if node is not None:
            node.trace = Trace(user_line(), [*unfolded(node.arrays), result.data])
            self.traces.add(node.trace)


class Trace:
    """What a node keeps under `debug`: the line that made it, and locks on its arrays until it is freed or dies."""

    __slots__ = ("__weakref__", "line", "locked")

    def __init__(self, line: str, arrays: Iterable[Any]) -> None:
        self.line = line
        self.locked = [
            a for array in arrays if isinstance(array, np.ndarray) for a in same_elements(array) if locks.acquire(a)
        ]

    def release(self) -> None:
        """Let the arrays be written to again, unless another node keeps them."""
        locked, self.locked = self.locked, []
        for array in locked:
            locks.release(array)

    __del__ = release


class Locks:
    """Arrays that are read-only until the last one who asked for that lets go."""

    def __init__(self) -> None:
        self.mutex = threading.RLock()  # a Trace can die, and so release, while this thread is in here
        self.held: dict[int, tuple[Any, int]] = {}

    def acquire(self, array: Any) -> bool:
        """Make an array read-only; False if it has been so without us."""
        with self.mutex:
            _, count = self.held.get(id(array), (array, 0))
            if not count and not array.flags.writeable:
                return False
            array.flags.writeable = False
            self.held[id(array)] = array, count + 1
            return True

    def release(self, array: Any) -> None:
        """Undo one `acquire` that was True."""
        with self.mutex:
            _, count = self.held.pop(id(array))
            if count > 1:
                self.held[id(array)] = array, count - 1
                return
            locked_bases = [base for base in bases(array) if not base.flags.writeable]
            for base in reversed(locked_bases):  # NumPy makes no view writable whose base is not
                base.flags.writeable = True
            array.flags.writeable = True
            for base in locked_bases:
                base.flags.writeable = False


locks = Locks()  # one for the process, as there is one flag per array


def gradient_check(gradients: dict[int, Any]) -> Callable[[Any, Any, Any], None]:
    """Check the seeds of a backward pass, and give the function that checks each gradient on the way."""
    if not all(finite(seed) for seed in gradients.values()):
        raise NonFiniteError(
            f"backward at {user_line()}",
            expected="a finite gradient to start with",
            got=all_statistics(gradients.values()),
        )

    def check(tensor: Any, parent: Any, contribution: Any) -> None:
        node = tensor.node
        where = f"backward of {location(node.function, node.scope, node.trace.line if node.trace else None)}"
        if not finite(contribution):
            raise NonFiniteError(
                where, expected="a finite gradient from finite operands and a finite incoming gradient",
                got=f"{census(contribution)} in that of {label(parent)}. "
                f"Operands: {all_statistics(node.args)}; result: {statistics(tensor)}",
                fix="Keep the operands away from the points where the derivative is infinite; np.where on the "
                "result comes too late, on the operand it helps.",
            )  # fmt: skip
        before = gradients.get(id(parent))
        if before is not None and not finite(plain(before) + plain(contribution)):
            raise NonFiniteError(
                where, expected=f"a finite sum of the gradients that reach {label(parent)}", got="an overflow",
                fix="Scale the loss down, or compute in float64.",
            )  # fmt: skip

    return check


def non_finite_result(function: Callable[..., Any], args: tuple[Any, ...], result: Any) -> NonFiniteError:
    """The error for an op: whose result is the first that is not finite, or that was given what is not."""
    where = location(function, scope.get(), user_line())
    given = [value for value in unfolded(args) if not finite(value)]
    if given:
        return NonFiniteError(
            where, expected="finite operands", got=f"one that was not finite before: {all_statistics(given)}",
            fix="No op in this debug() made it: look at the data, the initial parameters, or the last update.",
        )  # fmt: skip
    return NonFiniteError(
        where, expected="a finite result of finite operands",
        got=f"{census(result)} in shape {result.shape}. Operands: {all_statistics(args)}",
    )  # fmt: skip


def location(function: Callable[..., Any], modules: Any, line: str | None) -> str:
    """Name an op that ran: ``np.log in MLP.fc1 at train.py:12``."""
    return function_name(function) + (f" in {modules}" if modules else "") + (f" at {line}" if line else "")


def all_statistics(values: Iterable[Any]) -> str:
    """The statistics of several operands."""
    return "; ".join(statistics(value) for value in unfolded(values))


def statistics(value: Any) -> str:
    """What an operand is, its shape, dtype and range."""
    array = plain(value)
    if not isinstance(array, np.ndarray):
        return repr(array)
    parts = [f"{label(value)} of shape {array.shape}", str(array.dtype)]
    if array.dtype.kind == "f":
        good = array[np.isfinite(array)].astype(np.float64)
        if good.size:
            parts.append(f"min {good.min():.6g}, max {good.max():.6g}, mean {good.mean():.6g}")
        if good.size < array.size:
            parts.append(census(array))
    return ", ".join(parts)


def label(value: Any) -> str:
    """What an operand is: ``leaf Tensor 'w'``, ``Tensor from np.exp``, ``array``."""
    if not isinstance(value, Tensor):
        return "array"
    name = f" {value.name!r}" if value.name else ""
    if value.node is None:
        return f"Tensor{name}"
    return f"Tensor{name} from {function_name(value.node.function)}" if value.node.function else f"leaf Tensor{name}"


def census(value: Any) -> str:
    """The number of NaNs and infinities."""
    array = plain(value)
    return f"{np.count_nonzero(np.isnan(array))} NaN and {np.count_nonzero(np.isinf(array))} inf"


def finite(value: Any) -> bool:
    """Whether a value has no NaN and no infinity. What is no floating-point array or number passes."""
    array = plain(value)
    if isinstance(array, (np.ndarray, np.generic)):
        return array.dtype.kind != "f" or bool(np.isfinite(array).all())
    return not isinstance(array, float) or math.isfinite(array)


def same_elements(array: Any) -> list[Any]:
    """An array and those it is a view of that hold no other elements than it does."""
    return [array, *(base for base in bases(array) if base.size == array.size)]


def bases(array: Any) -> Iterator[Any]:
    """The arrays of which an array is a view."""
    while isinstance(array.base, np.ndarray):
        array = array.base
        yield array


def user_line() -> str:
    """``file:line`` of the innermost frame that is neither in this package nor in NumPy."""
    frame: FrameType | None = sys._getframe()
    while frame is not None and internal(frame):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else "an unknown line"


def internal(frame: FrameType) -> bool:
    """Whether a frame runs code of this package or of NumPy."""
    return frame.f_code.co_filename.startswith(INTERNAL)


def cut_below_user(traceback: TracebackType | None) -> None:
    """End a traceback at the last line of the user, so that a post-mortem debugger opens there."""
    last = None
    while traceback is not None:
        if not internal(traceback.tb_frame):
            last = traceback
        traceback = traceback.tb_next
    if last is not None:
        last.tb_next = None

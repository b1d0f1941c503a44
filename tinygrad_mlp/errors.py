"""Every error this package raises on purpose, and the one sentence they all speak.

A message says where it happened, what was expected, what came, and what to do:

>>> raise ShapeError("mse_loss", expected="equal shapes", got="(8, 1) and (8,)", fix="Reshape one of them.")
Traceback (most recent call last):
...
tinygrad_mlp.errors.ShapeError: mse_loss: expected equal shapes, got (8, 1) and (8,). Reshape one of them.
"""

from collections.abc import Callable
from typing import Any


class TinygradError(Exception):
    """Base of all errors of this package: ``where: expected …, got …. What to do.``"""

    def __init__(self, where: str, *, expected: str, got: str, fix: str = "") -> None:
        super().__init__(f"{where}: expected {expected}, got {got}.{' ' + fix if fix else ''}")


class ShapeError(TinygradError, ValueError):
    """Shapes that do not fit an op.

    Attributes
    ----------
    function : callable or None
        The op that failed, when the engine ran it.
    operands : tuple
        What it was called with: enough to draw the graph up to the failure.
    """

    function: Callable[..., Any] | None = None
    operands: tuple[Any, ...] = ()


class GraphError(TinygradError, RuntimeError):
    """A graph used in a way that has no gradient: freed, overwritten, or never recorded."""


class MissingRuleError(TinygradError, TypeError):
    """A function, or one of its arguments, for which no backward rule is registered."""


class UnsupportedArgumentError(TinygradError, TypeError):
    """An argument of a NumPy function that does not work on Tensors, such as ``out=``."""


class DtypeError(TinygradError, TypeError):
    """A gradient asked of numbers that have none: integers, booleans, strings."""


class MissingNameError(TinygradError, AttributeError):
    """A name that other frameworks have and this one has not, with what to write instead."""


class ArgumentError(TinygradError, ValueError):
    """An argument outside its range."""


class StateError(TinygradError, ValueError):
    """A state_dict or checkpoint that does not fit the object it is loaded into."""


class DataError(TinygradError, ValueError):
    """A data file that is missing, cut short, corrupted or not what its header says."""


class NonFiniteError(TinygradError, ArithmeticError):
    """A NaN or an infinity where a finite number is needed."""


class MissingExtraError(TinygradError, ImportError):
    """An optional dependency that is not installed."""


class CompileError(TinygradError, TypeError):
    """What cannot be written down, as a program because a value of one run would be kept for all, or as ONNX."""


class RendererNotFound(TinygradError, RuntimeError):
    """No program here can turn DOT text into the format asked for."""


class GradientError(AssertionError):
    """A gradient check that failed; ``report`` holds all it found.

    >>> import numpy as np
    >>> from tinygrad_mlp.testing import check_grads
    >>> try:
    ...     check_grads(lambda w: w.data * w, np.array([1.0, 2.0, 4.0]))  # .data cuts the graph
    ... except GradientError as error:
    ...     print(error.report.diagnosis)
    The gradient is half of what it should be.
    """

    def __init__(self, report: Any) -> None:
        super().__init__(str(report))
        self.report = report


def brief(error: BaseException) -> str:
    """What an error of another library says, in one line of at most 200 characters."""
    return " ".join(str(error).split())[:200]

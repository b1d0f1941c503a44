"""A run written down as a NumPy program, to be read and to be run."""

from collections.abc import Callable
from typing import Any

__all__ = ["compile", "source"]


def compile(f: Callable[..., Any]) -> Callable[..., Any]:  # noqa: A001 - the field's name for it
    """Make a function that runs as a straight-line NumPy program, with the results of ``f`` bit for bit.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_mlp as tg
    >>> slope = compile(tg.grad(lambda x: np.sum(np.tanh(x) ** 2)))
    >>> slope(np.array([0.5, 1.0, 2.0]))
    array([0.72686198, 0.63970001, 0.13621869])
    """
    from tinygrad_mlp.program.compiled import Compiled

    return Compiled(f)


def source(f: Callable[..., Any], *args: Any, buffers: bool = False) -> str:
    """The program that `compile` writes for these arguments, as text that stands alone.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_mlp as tg
    >>> print(source(tg.grad(lambda x: np.sum(np.tanh(x) ** 2)), np.zeros(3)))
    import numpy as np
    ...
    """
    from tinygrad_mlp.program.writing import source

    return source(f, args, buffers=buffers)

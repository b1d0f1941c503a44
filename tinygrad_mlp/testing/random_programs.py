"""A function that is its own source, so that a failing example prints as Python."""

from typing import Any

import numpy as np

import tinygrad_mlp

SMOOTH = (
    "np.tanh({a})",
    "np.sin({a})",
    "np.exp(-{a} * {a})",
    "np.sqrt(1 + {a} * {a})",
    "0.5 * {a}",
    "{a} + {b}",
    "{a} - {b}",
    "{a} * np.cos({b})",
    "{a} / (1 + {b} * {b})",
    "np.mean({a}) * {b}",
    "np.sum(np.stack([{a}, {a} * 2]), axis=0)",
    "tg.sigmoid({a}) * {b}",
)
KINKED = ("np.maximum({a}, {b})", "np.where({a} > {b}, {a}, {b})", "np.absolute({a})", "tg.relu({a})")


class Program:
    """A function given by a lambda expression in terms of ``np`` and ``tg``; its repr is that expression.

    >>> program = Program("lambda x: [a := np.tanh(x), x * a + a][-1]")
    >>> program
    lambda x: [a := np.tanh(x), x * a + a][-1]
    >>> program(0.0)
    np.float64(0.0)
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.function = eval(source, {"np": np, "tg": tinygrad_mlp})  # noqa: S307 - our own templates

    def __call__(self, *arrays: Any) -> Any:
        return self.function(*arrays)

    def __repr__(self) -> str:
        return self.source

"""Random numbers: a draw is an instruction, so that each run of the program draws anew."""

from typing import Any

import numpy as np

from tinygrad_mlp.program.instructions import Method, Variable
from tinygrad_mlp.program.notes import Notes, refuse


def noted_generator(rng: np.random.Generator, variable: Variable, notes: Notes) -> np.random.Generator:
    """A generator that draws from ``rng`` and notes each draw."""

    class NotedGenerator(np.random.Generator):  # made here, because numpy.random takes long to import
        def __getattribute__(self, name: str) -> Any:
            method = getattr(rng, name)
            if name.startswith("_") or not callable(method):
                return method
            if name in ("shuffle", "spawn"):
                refuse(f"rng.{name}", "Draw with rng.permutation, or leave that part out of f.")

            def draw(*args: Any, **params: Any) -> Any:
                return notes.noted(Method(name), (variable, *args), params, method(*args, **params), effect=True)

            return draw

    return NotedGenerator(rng.bit_generator)

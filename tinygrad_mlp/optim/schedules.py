"""Learning rates as functions of the step number.

A schedule is any function ``step -> lr``, step counting from 0. Pass one as ``lr`` of an optimizer: it is applied
inside ``optimizer.step()``. It keeps no state, so that it can be plotted, and resuming it is one integer.
"""

import math
from collections.abc import Callable
from functools import partial

from tinygrad_mlp.errors import ArgumentError
from tinygrad_mlp.validation import at_least_zero, whole_number

__all__ = ["Schedule", "constant", "cosine", "step", "warmup"]

Schedule = Callable[[int], float]


def constant(lr: float) -> Schedule:
    """The same learning rate at every step.

    Raises
    ------
    ArgumentError
        If lr is negative or not finite.

    Examples
    --------
    >>> constant(0.1)(1000)
    0.1
    """
    lr = at_least_zero("schedules.constant", "lr", lr)
    return partial(_constant, lr)


def step(lr: float, every: int, gamma: float) -> Schedule:
    """lr · gamma^⌊s / every⌋ at step s: multiplied by gamma after each ``every`` steps.

    Parameters
    ----------
    lr : float
        Where it starts, at least 0.
    every : int
        Length of a stair in steps, at least 1.
    gamma : float
        Factor from stair to stair, at least 0.

    Raises
    ------
    ArgumentError
        If an argument is out of its range.

    Examples
    --------
    >>> schedule = step(1.0, every=10, gamma=0.5)
    >>> [schedule(s) for s in (0, 9, 10, 20)]
    [1.0, 1.0, 0.5, 0.25]
    """
    lr = at_least_zero("schedules.step", "lr", lr)
    every = whole_number("schedules.step", "every", every, least=1)
    gamma = at_least_zero("schedules.step", "gamma", gamma)
    return partial(_step, lr, every, gamma)


def cosine(lr: float, total_steps: int, final: float = 0.0) -> Schedule:
    """final + (lr - final) · (1 + cos(π s / total_steps)) / 2 at step s, and ``final`` from ``total_steps`` on.

    Parameters
    ----------
    lr : float
        Where it starts, at least 0.
    total_steps : int
        When it arrives, at least 1.
    final : float
        Where it arrives, at least 0.

    Raises
    ------
    ArgumentError
        If an argument is out of its range.

    Notes
    -----
    Source: Loshchilov & Hutter, 2017, arXiv:1608.03983, without restarts.

    Examples
    --------
    >>> schedule = cosine(1.0, total_steps=100, final=0.1)
    >>> [round(schedule(s), 3) for s in (0, 50, 100, 1000)]
    [1.0, 0.55, 0.1, 0.1]
    """
    lr = at_least_zero("schedules.cosine", "lr", lr)
    total_steps = whole_number("schedules.cosine", "total_steps", total_steps, least=1)
    final = at_least_zero("schedules.cosine", "final", final)
    return partial(_cosine, lr, total_steps, final)


def warmup(schedule: Schedule, steps: int) -> Schedule:
    """Rise to the start of another schedule, then follow it.

    schedule(0) · (s + 1) / steps at step s < steps, schedule(s - steps) afterwards.

    Parameters
    ----------
    schedule : callable
        What follows.
    steps : int
        Length of the rise, at least 0.

    Raises
    ------
    ArgumentError
        If an argument is out of its range.

    Examples
    --------
    >>> schedule = warmup(constant(1.0), steps=4)
    >>> [schedule(s) for s in (0, 1, 3, 4, 100)]
    [0.25, 0.5, 1.0, 1.0, 1.0]
    """
    if not callable(schedule):
        raise ArgumentError(
            "schedules.warmup", expected="a schedule, a function of the step", got=repr(schedule),
            fix="Write warmup(constant(lr), steps).",
        )  # fmt: skip
    steps = whole_number("schedules.warmup", "steps", steps, least=0)
    return partial(_warmup, schedule, steps)


# The formulas stand outside the functions that check their arguments, so that schedules can be pickled.


def _constant(lr: float, step: int) -> float:
    return lr


def _step(lr: float, every: int, gamma: float, step: int) -> float:
    try:
        return lr * gamma ** (step // every)
    except OverflowError:
        return math.inf  # which the optimizer refuses, and names the step


def _cosine(lr: float, total_steps: int, final: float, step: int) -> float:
    return final + (lr - final) * (1 + math.cos(math.pi * min(step, total_steps) / total_steps)) / 2


def _warmup(schedule: Schedule, steps: int, step: int) -> float:
    return schedule(0) * ((step + 1) / steps) if step < steps else schedule(step - steps)

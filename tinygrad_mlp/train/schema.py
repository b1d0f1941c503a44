"""What the progress in a checkpoint must look like: checked at the door, so that nothing behind it need doubt it."""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_mlp.train.jsonable import jsonable

BIT_GENERATORS = ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64")
MEASURES = ("train_loss", "val_loss", "val_accuracy", "lr", "seconds")  # of each row; those of validation may be None
LARGEST_COUNT = 2**53


def is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < LARGEST_COUNT


def is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) <= sys.float_info.max


def is_generator_state(state: Any) -> bool:
    """Whether NumPy can draw from it: some states that it takes make it read beyond its memory, or hang."""
    if not isinstance(state, dict) or state.get("bit_generator") not in BIT_GENERATORS:
        return False
    kind = state["bit_generator"]
    try:
        bits = getattr(np.random, kind)(0)
        bits.state = state
        inner: Any = bits.state
        if jsonable(inner, kind) != state:
            return False
        if kind == "MT19937":
            return bool(0 <= inner["state"]["pos"] <= 624 and np.any(inner["state"]["key"]))
        if kind == "Philox":
            return bool(0 <= inner["buffer_pos"] <= 4)
        return bool(kind == "SFC64" or inner["state"]["inc"] % 2 == 1)
    except Exception:  # on wrong states NumPy raises half a dozen unrelated types
        return False


def is_history(rows: Any) -> bool:
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        return False
    epochs = [row.get("epoch") for row in rows]
    return (
        all(is_count(epoch) for epoch in epochs)
        and all(a < b for a, b in zip([0, *epochs], epochs, strict=False))
        and all(is_measure(row, name) for row in rows for name in MEASURES)
    )


def is_measure(row: dict[str, Any], name: str) -> bool:
    return name in row and (is_number(row[name]) or (row[name] is None and name.startswith("val_")))


def is_plan(plan: Any) -> bool:
    return (
        isinstance(plan, dict)
        and plan.keys() == {"examples", "batch_size", "drop_last"}
        and is_count(plan["examples"])
        and is_count(plan["batch_size"])
        and isinstance(plan["drop_last"], bool)
    )


FIELDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "epoch": (is_count, "a whole number, at least 0"),
    "batch": (is_count, "a whole number, at least 0"),
    "loss_sum": (is_number, "a finite number"),
    "seconds": (is_number, "a finite number"),
    "last_loss": (is_number, "a finite number"),
    "last_lr": (is_number, "a finite number"),
    "stop": (lambda value: isinstance(value, bool), "true or false"),
    "history": (is_history, "a row of measures for each epoch"),
    "plan": (lambda value: value is None or is_plan(value), "the numbers of examples and of examples in a batch"),
    "shuffle_state": (lambda value: value is None or is_generator_state(value), "the state of a random generator"),
    "rng_state": (is_generator_state, "the state of a random generator"),
    "module_rng_states": (
        lambda value: isinstance(value, dict) and all(map(is_generator_state, value.values())),
        "states of random generators",
    ),
    "config": (lambda value: isinstance(value, dict), "a dict"),
}


def problems(progress: Any) -> list[str]:
    """What is wrong with the progress in a checkpoint, in words; nothing, if it is right."""
    if not isinstance(progress, dict):
        return [f"progress is {type(progress).__name__}, not a dict"]
    if lacking := [name for name in FIELDS if name not in progress]:
        return [f"{name} is missing" for name in lacking]
    found = [f"{name} is not {words}" for name, (holds, words) in FIELDS.items() if not holds(progress[name])]
    if found:
        return found
    if progress["history"] and progress["history"][-1]["epoch"] != progress["epoch"]:
        found.append("history does not end with the epoch")
    if progress["batch"] and (progress["shuffle_state"] is None or progress["plan"] is None):
        found.append("batch is in the middle of an epoch whose order is not known")
    elif progress["batch"] and progress["shuffle_state"]["bit_generator"] != progress["rng_state"]["bit_generator"]:
        found.append("shuffle_state is not of the kind of rng_state")
    return found

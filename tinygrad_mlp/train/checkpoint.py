"""Checkpoints: everything a run needs to go on, in one ``.npz`` without pickles.

Entries are named ``model/…`` (parameters and buffers), ``optimizer/…``, ``callback/0/…``, and ``progress``, a text in
JSON with the position in the run, the states of all random generators, the history and the configuration.
`Trainer.save` and `Trainer.resume` use this.
"""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from tinygrad_mlp.errors import DataError, StateError
from tinygrad_mlp.files import write_atomically
from tinygrad_mlp.nn import Module
from tinygrad_mlp.optim import Optimizer
from tinygrad_mlp.train.archive import Array, archive_of, read_archive
from tinygrad_mlp.train.jsonable import jsonable
from tinygrad_mlp.train.schema import is_count, problems

Arrays = dict[str, Array]
LARGEST_PROGRESS = 2**26  # bytes of JSON, four to a letter: some ten thousand epochs


class Stateful(Protocol):
    """What has a state to save: modules, optimizers, callbacks."""

    def state_dict(self) -> dict[str, Any]:
        """Arrays and numbers, by name."""
        raise NotImplementedError

    def load_state_dict(self, state: Any) -> None:
        """Go on from what `state_dict` gave."""


def save(
    path: str | Path, model: Module, optimizer: Optimizer, callbacks: Sequence[Stateful], progress: dict[str, Any]
) -> None:
    """Write the whole state of a run, atomically.

    Raises
    ------
    OSError
        If the file cannot be written; an earlier checkpoint of that name is still whole then.
    ArgumentError
        If the progress holds what JSON cannot, such as an object that a callback put into the history.
    """
    progress = progress | {"module_rng_states": {n: rng.bit_generator.state for n, rng in _generators(model)}}
    arrays = {
        f"{prefix}{name}": value
        for prefix, part in _parts(model, optimizer, callbacks).items()
        for name, value in part.state_dict().items()
    }
    text = json.dumps({name: jsonable(value, name) for name, value in progress.items()})
    write_atomically(Path(path), archive_of({"progress": np.array(text)} | arrays))


def load(path: str | Path, model: Module, optimizer: Optimizer, callbacks: Sequence[Stateful] = ()) -> dict[str, Any]:
    """Bring model, optimizer and callbacks, built as the saved ones were, to the saved state; the progress saved.

    Raises
    ------
    DataError
        If the file is missing, cut short or no checkpoint.
    StateError
        If it belongs to another model, optimizer or set of callbacks. Nothing is changed then.
    """
    parts = _parts(model, optimizer, callbacks)
    before = [part.state_dict() for part in parts.values()]
    arrays, progress = read(path, at_most=_room(before))
    if stray := [name for name in arrays if not name.startswith(tuple(parts))]:
        raise StateError(
            str(path), expected=f"state for {len(callbacks)} callbacks", got=", ".join(stray),
            fix="Resume with the callbacks of the saved run, in the same order.",
        )  # fmt: skip
    _check_counts(path, arrays)
    try:
        for prefix, part in parts.items():
            part.load_state_dict(_under(arrays, prefix))
        _set_generators(path, model, progress["module_rng_states"])
    except BaseException:
        for part, state in zip(parts.values(), before, strict=True):
            part.load_state_dict(state)
        raise
    return progress


def load_model(path: str | Path, model: Module) -> None:
    """Load the parameters and buffers of a checkpoint alone into a model built as the saved one was.

    Raises
    ------
    DataError
        If the file is missing, cut short or no checkpoint.
    StateError
        If it belongs to another model. Nothing is changed then.
    """
    room = _room([model.state_dict()])
    model.load_state_dict(_under(read_archive(Path(path), "model/", at_most=room), "model/"))


def read_progress(path: str | Path) -> dict[str, Any]:
    """The position of a saved run, its history, and under ``"config"`` its configuration.

    Raises
    ------
    DataError
        If the file is missing, cut short or no checkpoint.
    """
    return _progress(path, read_archive(Path(path), "progress", entry_at_most=LARGEST_PROGRESS))


def read(path: str | Path, *, at_most: float = math.inf) -> tuple[Arrays, dict[str, Any]]:
    """All entries of a checkpoint file of at most so many bytes, and the progress in it."""
    arrays = read_archive(Path(path), at_most=at_most)
    progress = _progress(path, arrays)
    del arrays["progress"]
    return arrays, progress


def _progress(path: str | Path, arrays: Arrays) -> dict[str, Any]:
    try:
        progress = json.loads(str(arrays["progress"]))
    except (KeyError, ValueError, RecursionError) as error:
        raise DataError(
            str(path), expected="a whole checkpoint", got=f"one whose progress cannot be read ({error})"
        ) from error
    if found := problems(progress):
        raise DataError(str(path), expected="a checkpoint of this version", got=f"one where {'; '.join(found)}")
    return dict(progress)


def _parts(model: Module, optimizer: Optimizer, callbacks: Sequence[Stateful]) -> dict[str, Stateful]:
    """What has a state, by the prefix of its entries."""
    own: dict[str, Stateful] = {"model/": model, "optimizer/": optimizer}
    return own | {f"callback/{i}/": part for i, part in enumerate(callbacks)}


def _under(arrays: Arrays, prefix: str) -> Arrays:
    """The entries under a prefix, without it."""
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}


def _generators(model: Module) -> list[tuple[str, np.random.Generator]]:
    """The random generators of a model (those of dropout), by path."""
    return [(path, value) for path, value in model.named_members() if isinstance(value, np.random.Generator)]


def _set_generators(path: str | Path, model: Module, saved: dict[str, Any]) -> None:
    own = dict(_generators(model))
    kinds = {name: type(rng.bit_generator).__name__ for name, rng in own.items()}
    saved_kinds = {name: state["bit_generator"] for name, state in saved.items()}
    if kinds != saved_kinds:
        raise StateError(
            str(path), expected=f"states of the random generators of the model, {kinds}", got=f"{saved_kinds}",
            fix="Build the model as it was saved, with the same dropout.",
        )  # fmt: skip
    for name, rng in own.items():
        rng.bit_generator.state = saved[name]


def _room(states: Sequence[Mapping[str, Any]]) -> int:
    """The largest file to read where such states are expected: an optimizer and callbacks hold the weights again."""
    return LARGEST_PROGRESS + 10 * sum(np.asarray(value).nbytes + 1000 for state in states for value in state.values())


def _check_counts(path: str | Path, arrays: Arrays) -> None:
    """Raise where the number of steps that an optimizer has done is none."""
    for name, value in arrays.items():
        count = name == "optimizer/step_count" or (name.startswith("optimizer/") and name.endswith(".steps"))
        if count and not (value.shape == () and value.dtype.kind in "iu" and is_count(int(value))):
            raise DataError(str(path), expected=f"{name} to be a whole number, at least 0", got=repr(value)[:80])

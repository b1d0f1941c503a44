"""Checkpoints: everything a run needs to go on, in one ``.npz`` without pickles.

Entries are named ``model/…`` (parameters and buffers), ``optimizer/…``, ``callback/0/…``, and ``progress``, a text in
JSON with the position in the run, the states of all random generators, the history and the configuration.
"""

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.npyio import NpzFile

from tinygrad_mlp.errors import DataError, StateError
from tinygrad_mlp.files import write_atomically
from tinygrad_mlp.nn import Module
from tinygrad_mlp.train.history import History

if TYPE_CHECKING:
    from tinygrad_mlp.train.trainer import Trainer

Arrays = dict[str, np.ndarray[Any, Any]]
POSITION = ("epoch", "batch", "loss_sum", "seconds", "last_loss", "last_lr", "stop", "shuffle_state", "history")


def save(path: str | Path, trainer: "Trainer") -> None:
    """Write the whole state of a trainer, atomically.

    Raises
    ------
    OSError
        If the file cannot be written; an earlier checkpoint of that name is still whole then.
    """
    progress = {name: getattr(trainer, name) for name in POSITION} | {
        "config": trainer.config,
        "rng_state": trainer.rng.bit_generator.state,
        "module_rng_states": {name: rng.bit_generator.state for name, rng in generators(trainer.model)},
    }
    arrays = {f"model/{name}": value for name, value in trainer.model.state_dict().items()}
    arrays |= {f"optimizer/{name}": value for name, value in trainer.optimizer.state_dict().items()}
    for i, callback in enumerate(trainer.callbacks):
        arrays |= {f"callback/{i}/{name}": value for name, value in callback.state_dict().items()}
    content = io.BytesIO()
    text = json.dumps(progress, default=lambda value: value.tolist())  # NumPy's numbers, the arrays in random states
    np.savez(content, allow_pickle=False, progress=np.array(text), **arrays)
    write_atomically(Path(path), content.getvalue())


def load(path: str | Path, trainer: "Trainer") -> None:
    """Bring a trainer, built as the saved one was, to the saved state; `Trainer.fit` then goes on from there.

    Raises
    ------
    DataError
        If the file is missing, cut short or no checkpoint.
    StateError
        If it belongs to another model, optimizer or set of callbacks.
    """
    arrays, progress = read(path)
    trainer.model.load_state_dict(entries(arrays, "model/"))
    trainer.optimizer.load_state_dict(entries(arrays, "optimizer/"))
    last = len(trainer.callbacks) - 1
    for i, callback in enumerate(trainer.callbacks):
        callback.load_state_dict(entries(arrays, f"callback/{i}/"))
    if stray := [name for name in arrays if name.startswith("callback/") and int(name.split("/")[1]) > last]:
        raise StateError(
            str(path), expected=f"state for {last + 1} callbacks", got=", ".join(stray),
            fix="Resume with the callbacks of the saved run, in the same order.",
        )  # fmt: skip
    own, saved = dict(generators(trainer.model)), progress["module_rng_states"]
    kinds = {name: type(rng.bit_generator).__name__ for name, rng in own.items()}
    saved_kinds = {name: state["bit_generator"] for name, state in saved.items()}
    if kinds != saved_kinds:
        raise StateError(
            str(path), expected=f"states of the random generators of the model, {kinds}", got=f"{saved_kinds}",
            fix="Build the model as it was saved, with the same dropout.",
        )  # fmt: skip
    for name, rng in own.items():
        rng.bit_generator.state = saved[name]
    for name in POSITION:
        setattr(trainer, name, progress[name])
    trainer.history = History(trainer.history)
    trainer.rng_state = progress["rng_state"]


def load_model(path: str | Path) -> tuple[Arrays, dict[str, Any]]:
    """The ``state_dict`` of the model in a checkpoint, and the configuration it was saved with."""
    arrays, progress = read(path)
    return entries(arrays, "model/"), progress["config"]


def read(path: str | Path) -> tuple[Arrays, dict[str, Any]]:
    """All entries of a checkpoint file."""
    try:
        with Path(path).open("rb") as stream, NpzFile(stream, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        progress = dict(json.loads(str(arrays.pop("progress"))))
    except FileNotFoundError:
        raise DataError(str(path), expected="a checkpoint", got="no such file") from None
    except Exception as error:  # on damaged bytes zipfile and NumPy raise a dozen unrelated types
        raise DataError(str(path), expected="a whole checkpoint", got=f"one that cannot be read ({error})") from error
    if lacking := [name for name in (*POSITION, "config", "rng_state", "module_rng_states") if name not in progress]:
        raise DataError(str(path), expected="a checkpoint of this version", got=f"one without {', '.join(lacking)}")
    return arrays, progress


def entries(arrays: Arrays, prefix: str) -> Arrays:
    """The entries under a prefix, without it."""
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}


def generators(model: Module) -> list[tuple[str, np.random.Generator]]:
    """The random generators of a model (those of dropout), by path."""
    return [(path, value) for path, value in model.named_members() if isinstance(value, np.random.Generator)]

"""Checkpoints: everything a run needs to go on, in one ``.npz`` without pickles.

Entries are named ``model/…`` (parameters and buffers), ``optimizer/…``, ``callback/0/…``, and ``progress``, a text in
JSON with the position in the run, the states of all random generators, the history and the configuration.
"""

import io
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_mlp.errors import DataError, StateError
from tinygrad_mlp.nn import Module
from tinygrad_mlp.train.files import write_atomically
from tinygrad_mlp.train.history import History

if TYPE_CHECKING:
    from tinygrad_mlp.train.trainer import Trainer

Arrays = dict[str, np.ndarray[Any, Any]]


def save(path: str | Path, trainer: "Trainer") -> None:
    """Write the whole state of a trainer, atomically.

    Raises
    ------
    OSError
        If the file cannot be written; an earlier checkpoint of that name is still whole then.
    """
    progress = {
        "epoch": trainer.epoch,
        "batch": trainer.batch,
        "loss_sum": trainer.loss_sum,
        "seconds": trainer.seconds,
        "shuffle_state": trainer.shuffle_state,
        "rng_state": trainer.rng.bit_generator.state,
        "module_rng_states": {name: rng.bit_generator.state for name, rng in generators(trainer.model)},
        "history": trainer.history,
        "config": trainer.config,
    }
    arrays = {f"model/{name}": value for name, value in trainer.model.state_dict().items()}
    arrays |= {f"optimizer/{name}": value for name, value in trainer.optimizer.state_dict().items()}
    for i, callback in enumerate(trainer.callbacks):
        arrays |= {f"callback/{i}/{name}": value for name, value in callback.state_dict().items()}
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, progress=np.array(json.dumps(progress)), **arrays)
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
    for i, callback in enumerate(trainer.callbacks):
        callback.load_state_dict(entries(arrays, f"callback/{i}/"))
    own = dict(generators(trainer.model))
    if own.keys() != progress["module_rng_states"].keys():
        raise StateError(
            f"{path}",
            expected=f"random states for the generators {sorted(own)} of the model",
            got=f"{sorted(progress['module_rng_states'])}",
            fix="Build the model as it was saved, with the same dropout.",
        )
    for name, rng in own.items():
        rng.bit_generator.state = progress["module_rng_states"][name]
    trainer.epoch = progress["epoch"]
    trainer.batch = progress["batch"]
    trainer.loss_sum = progress["loss_sum"]
    trainer.seconds = progress["seconds"]
    trainer.shuffle_state = progress["shuffle_state"]
    trainer.rng_state = progress["rng_state"]
    trainer.history = History(progress["history"])


def load_model(path: str | Path) -> tuple[Arrays, dict[str, Any]]:
    """The ``state_dict`` of the model in a checkpoint, and the configuration it was saved with."""
    arrays, progress = read(path)
    return entries(arrays, "model/"), progress["config"]


def read(path: str | Path) -> tuple[Arrays, dict[str, Any]]:
    """All entries of a checkpoint file."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        progress = json.loads(str(arrays.pop("progress")))
    except FileNotFoundError:
        raise DataError(str(path), expected="a checkpoint", got="no such file") from None
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(str(path), expected="a whole checkpoint", got=f"one that cannot be read ({error})") from error
    return arrays, progress


def entries(arrays: Arrays, prefix: str) -> Arrays:
    """The entries under a prefix, without it."""
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}


def generators(model: Module) -> list[tuple[str, np.random.Generator]]:
    """The random generators of a model (those of dropout), by path."""
    return [(path, value) for path, value in model.named_members() if isinstance(value, np.random.Generator)]

"""Weights in files, under this package's names and orientation or PyTorch's.

PyTorch keeps the weight of ``Linear`` as (out_features, in_features), the transpose of ours, as it does those of
attention, LSTM and GRU, and counts the batches that a ``BatchNorm`` saw. A square weight in the wrong orientation has
the right shape, so a file says its layout.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_mlp.errors import ArgumentError, DataError, MissingExtraError, StateError
from tinygrad_mlp.nn.attention import MultiheadAttention
from tinygrad_mlp.nn.layers import Linear
from tinygrad_mlp.nn.module import Arrays, Module, refuse_checkpoint
from tinygrad_mlp.nn.normalization import BatchNorm
from tinygrad_mlp.nn.recurrent import Recurrent
from tinygrad_mlp.validation import choose

OWN, TORCH = "tinygrad_mlp", "torch"
LAYOUTS = {OWN: OWN, TORCH: TORCH}
ENTRY = "__layout__"  # of an .npz file; in .safetensors the metadata say it under "layout"
TURNED = {Linear: "weight", MultiheadAttention: "in_proj_weight", Recurrent: "weight_"}  # how their names begin
COUNT = "num_batches_tracked"


def save(model: Module, path: str | os.PathLike[str], *, layout: str = OWN) -> None:
    """Write the parameters and buffers of a model to a file, which is there in full afterwards or as it was before.

    Parameters
    ----------
    model : Module
    path : str or path
        Ends in ``.safetensors``, which needs ``pip install 'tinygrad-mlp[safetensors]'``, or in ``.npz``.
    layout : {"tinygrad_mlp", "torch"}
        Whose names and orientation. With "torch", PyTorch reads the file into a module of the same structure by
        ``model.load_state_dict(safetensors.torch.load_file(path))``. Parameters of modules that PyTorch does not have
        are written as they are.

    Raises
    ------
    ArgumentError
        If the ending or the layout is another one.
    MissingExtraError
        If the safetensors library is not installed.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> model, other = (Linear(3, 2, rng=seed) for seed in (0, 1))
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     save(model, f"{directory}/weights.npz")
    ...     load(other, f"{directory}/weights.npz")
    >>> np.array_equal(model.weight, other.weight)
    True
    """
    from tinygrad_mlp.files import write_atomically  # loads what `import tinygrad_mlp` need not

    choose(LAYOUTS, layout, "nn.save", "layout")
    ending = _ending("nn.save", path)
    state = model.state_dict()
    if layout == TORCH:
        state = _turn_weights(model, state)
        for name in _names(model, BatchNorm, COUNT):
            state[name] = np.array(0)  # PyTorch computes with it only where momentum=None
    if ending == ".npz":
        from io import BytesIO

        content = BytesIO()
        entries: dict[str, Any] = {ENTRY: np.array(layout), **state}
        np.savez(content, **entries)
        write_atomically(Path(path), content.getvalue())
    else:
        written = _safetensors("numpy").save(state, {"format": "pt" if layout == TORCH else "np", "layout": layout})
        write_atomically(Path(path), written)


def load(model: Module, path: str | os.PathLike[str], *, layout: str | None = None) -> None:
    """Read the parameters and buffers of a model, built as the saved one was, from a file.

    Parameters
    ----------
    model : Module
    path : str or path
        Ends in ``.safetensors`` or ``.npz``.
    layout : {"tinygrad_mlp", "torch"}, optional
        Of a file that does not say its own, such as one that ``safetensors.torch.save_file`` wrote.

    Raises
    ------
    ArgumentError
        If the ending or the layout is another one.
    DataError
        If the file is missing or damaged.
    StateError
        If the file has another layout than the one given, or says none and none is given; or naming every entry that is
        missing, unexpected, or of another shape or kind of number. The model is as before then.
    MissingExtraError
        If the safetensors library is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import tinygrad_mlp as tg
    >>> model, other = tg.nn.Linear(2, 2, rng=0), tg.nn.Linear(2, 2, rng=1)
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     tg.nn.save(model, Path(directory) / "weights.npz")
    ...     tg.nn.load(other, Path(directory) / "weights.npz")
    >>> bool((model.weight.data == other.weight.data).all())
    True
    """
    if layout is not None:
        choose(LAYOUTS, layout, "nn.load", "layout")
    read = _read_npz if _ending("nn.load", path) == ".npz" else _read_safetensors
    try:
        state, said = read(path)
    except FileNotFoundError:
        raise DataError(str(path), expected="a file of weights", got="no such file") from None
    except (OSError, MissingExtraError):
        raise
    except Exception as error:  # on damaged bytes zipfile, NumPy and safetensors raise a dozen unrelated types
        raise DataError(
            str(path), expected="a whole file of weights", got=f"one that cannot be read ({error})"
        ) from error
    refuse_checkpoint(str(path), state)
    if (said or layout) not in LAYOUTS or (said and layout not in (None, said)):
        raise StateError(
            str(path), expected=f"the layout {layout!r}" if layout else "a file that says its layout",
            got=f"one of layout {said!r}" if said else "one that does not",
            fix="Leave layout out." if layout else "Say layout='torch' for weights that PyTorch wrote.",
        )  # fmt: skip
    if (said or layout) == TORCH:
        state = _turn_weights(model, state)
        for name in _names(model, BatchNorm, COUNT):
            state.pop(name, None)
    try:
        model.load_state_dict(state)
    except StateError as error:
        error.add_note(f"The state was read from {path}.")
        raise


def _turn_weights(model: Module, state: Arrays) -> Arrays:
    """The state with each weight that PyTorch keeps transposed the other way round, from either orientation."""
    turned = set()
    for path, module in model.named_modules():
        starts = [f"{path}.{start}".lstrip(".") for kind, start in TURNED.items() if isinstance(module, kind)]
        turned |= {name for name in state for start in starts if name.startswith(start)}
    return {name: np.ascontiguousarray(value.T) if name in turned else value for name, value in state.items()}


def _names(model: Module, kind: type[Module], entry: str) -> list[str]:
    """The names of an entry in all layers of a kind."""
    modules = model.named_modules()
    return [f"{path}.{entry}" if path else entry for path, module in modules if isinstance(module, kind)]


def _read_npz(path: str | os.PathLike[str]) -> tuple[Arrays, str | None]:
    with Path(path).open("rb") as stream, np.load(stream, allow_pickle=False) as file:
        state = dict(file)
    said = state.pop(ENTRY, None)
    return state, None if said is None else str(said)


def _read_safetensors(path: str | os.PathLike[str]) -> tuple[Arrays, str | None]:
    with _safetensors().safe_open(path, framework="numpy") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, (file.metadata() or {}).get("layout")  # noqa: SIM118


def _safetensors(part: str = "") -> Any:
    import importlib

    try:
        return importlib.import_module(f"safetensors.{part}".rstrip("."))
    except ImportError as error:
        raise MissingExtraError(
            "files of weights in .safetensors", expected="the safetensors library", got="none",
            fix="Install it with: pip install 'tinygrad-mlp[safetensors]', or write .npz.",
        ) from error  # fmt: skip


def _ending(where: str, path: str | os.PathLike[str]) -> str:
    ending = Path(path).suffix.lower()
    if ending not in (".npz", ".safetensors"):
        raise ArgumentError(where, expected="a path that ends in .safetensors or .npz", got=repr(str(path)))
    return ending

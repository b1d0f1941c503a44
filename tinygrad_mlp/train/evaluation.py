"""Running a model without training it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from tinygrad_mlp.data import to_float
from tinygrad_mlp.errors import NonFiniteError
from tinygrad_mlp.nn import Module
from tinygrad_mlp.tensor import no_grad

Array = np.ndarray[Any, Any]


@contextmanager
def in_evaluation(model: Module) -> Iterator[None]:
    """Within the block: evaluation mode. Each module's mode is restored afterwards."""
    modes = [(module, module.training) for _, module in model.named_modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


@contextmanager
def evaluating(model: Module) -> Iterator[None]:
    """Within the block: evaluation mode, no recording."""
    with in_evaluation(model), no_grad():
        yield


def prepare(x: Any) -> Any:
    """The input of the model: images as floats, everything else as it is."""
    return to_float(x) if x.dtype == np.uint8 and x.ndim > 1 else x


def predict(model: Module, images: Array, batch_size: int = 1000) -> Array:
    """Logits of uint8 images, shape (N, classes).

    Raises
    ------
    NonFiniteError
        If one of them is NaN or infinite, which has no class and no probability.
    """
    with evaluating(model), np.errstate(over="ignore", invalid="ignore"):
        chunks = [model(prepare(images[i : i + batch_size])).data for i in range(0, len(images), batch_size)]
    logits: Array = np.concatenate(chunks)
    if not np.isfinite(logits).all():
        raise NonFiniteError(
            "predict", expected="finite outputs of the network",
            got=f"NaN or infinity for {int((~np.isfinite(logits)).any(axis=1).sum()):,} of {len(images):,} images",
            fix="Its weights are damaged or too large: use an earlier checkpoint, or train again.",
        )  # fmt: skip
    return logits

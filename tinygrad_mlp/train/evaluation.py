"""Running a model without training it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from tinygrad_mlp.data import to_float
from tinygrad_mlp.nn import Module
from tinygrad_mlp.tensor import no_grad

Array = np.ndarray[Any, Any]


@contextmanager
def evaluating(model: Module) -> Iterator[None]:
    """Inside, nothing is recorded and every module evaluates; afterwards each is in the mode it was in."""
    modes = [(module, module.training) for _, module in model.named_modules()]
    model.eval()
    try:
        with no_grad():
            yield
    finally:
        for module, mode in modes:
            module.training = mode


def prepare(x: Any) -> Any:
    """What the model is fed: images as floats, everything else as it is."""
    return to_float(x) if x.dtype == np.uint8 and x.ndim > 1 else x


def predict(model: Module, images: Array, batch_size: int = 1000) -> Array:
    """Logits of uint8 images, shape (N, classes)."""
    with evaluating(model):
        chunks = [model(prepare(images[i : i + batch_size])).data for i in range(0, len(images), batch_size)]
    return np.concatenate(chunks)

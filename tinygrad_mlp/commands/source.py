"""The program of a network and its loss, for ``tinygrad-mlp source``."""

from typing import Any

import numpy as np

from tinygrad_mlp.autodiff import gradients
from tinygrad_mlp.nn import MLP
from tinygrad_mlp.ops.losses import cross_entropy
from tinygrad_mlp.program import source


def network_source(model: MLP, *, batch_size: int = 128, buffers: bool = False) -> str:
    """The loss of a network on a batch, and its gradients, as a NumPy program.

    Parameters
    ----------
    model : MLP
    batch_size : int
        Number of images.
    buffers : bool
        Show what is run, with results in arrays that are used again, instead of what is to be read.

    Examples
    --------
    >>> print(network_source(MLP(784, 128, 10, rng=0)).partition("#")[0].strip())
    import numpy as np
    <BLANKLINE>
    <BLANKLINE>
    def step(images, labels, fc1_weight, fc1_bias, fc2_weight, fc2_bias):
    """

    def step(images: Any, labels: Any) -> Any:
        logits = model(images)
        loss = cross_entropy(logits, labels)
        return loss, *gradients(loss, list(model.parameters()))

    images = np.zeros((batch_size, model.sizes[0]), np.float32)
    return source(step, images, np.zeros(batch_size, int), buffers=buffers)

"""The picture of a network at work on MNIST, for the command line and for reports."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinygrad_mlp.data import load_data, to_float
from tinygrad_mlp.drawing import draw, draw_steps
from tinygrad_mlp.nn import MLP, Module
from tinygrad_mlp.ops.losses import cross_entropy
from tinygrad_mlp.tensor import Tensor

if TYPE_CHECKING:
    from tinygrad_mlp.drawing.render import Digraph


def network_loss(model: Module, images: Any, labels: Any) -> Any:
    """The loss of a network on some images, with the graph behind it.

    Parameters
    ----------
    model : Module
        Maps (N, pixels) to (N, classes).
    images : ndarray of uint8, shape (N, height, width)
    labels : ndarray of integers, shape (N,)
    """
    return cross_entropy(model(Tensor(to_float(images), name="images")), Tensor(labels, name="labels"))


def draw_network(
    path: str | Path,
    model: Module | None = None,
    *,
    steps: bool = False,
    source: str | os.PathLike[str] | None = None,
    batch_size: int = 128,
    **options: Any,
) -> "Digraph | list[Path]":
    """Draw a network at work on a batch of MNIST.

    Parameters
    ----------
    path : str or Path
        File to write, see `tinygrad_mlp.draw`; with ``steps`` the directory, see `tinygrad_mlp.draw_steps`.
    model : Module, optional
        Default: the untrained network of the document, ``MLP(784, 128, 10)``.
    steps : bool
        Whether to draw each step of the backward pass by itself.
    source : str or path-like, optional
        Data set of the images, see `tinygrad_mlp.data.load_data`.
    batch_size : int
        Number of images, taken from the start of the test set.
    **options
        Options of `tinygrad_mlp.to_dot`.

    Raises
    ------
    RendererNotFound
        If no program here makes that format.
    DataError
        If ``source`` does not hold what it should.
    """
    model = MLP(784, 128, 10, rng=0) if model is None else model
    images, labels = load_data(source).test
    loss = network_loss(model, images[:batch_size], labels[:batch_size])
    if steps:
        return draw_steps(loss, directory=path, model=model, **options)
    return draw(loss, path=path, model=model, **options)

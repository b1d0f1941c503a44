"""Data: MNIST, data sets of your own, IDX files, mini-batches.

>>> import numpy as np
>>> train, test = load_mnist()
>>> x, y = next(batches(train.images, train.labels, 128, rng=np.random.default_rng(0)))
>>> to_float(x).shape, y.shape
((128, 784), (128,))
"""

from tinygrad_mlp.data.batches import batches, to_float
from tinygrad_mlp.data.idx import read_idx, write_idx
from tinygrad_mlp.data.mnist import MNIST, Split, load_mnist, verify
from tinygrad_mlp.data.sets import DataSet, load_data

__all__ = [
    "MNIST",
    "DataSet",
    "Split",
    "batches",
    "load_data",
    "load_mnist",
    "read_idx",
    "to_float",
    "verify",
    "write_idx",
]


def __dir__() -> list[str]:
    """The public names."""
    return __all__

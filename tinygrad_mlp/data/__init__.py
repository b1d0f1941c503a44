"""Data: IDX files, MNIST, mini-batches.

>>> import numpy as np
>>> train, test = load_mnist()
>>> x, y = next(batches(train.images, train.labels, 128, rng=np.random.default_rng(0)))
>>> to_float(x).shape, y.shape
((128, 784), (128,))
"""

from tinygrad_mlp.data.batches import batches as batches
from tinygrad_mlp.data.batches import to_float as to_float
from tinygrad_mlp.data.idx import read_idx as read_idx
from tinygrad_mlp.data.idx import write_idx as write_idx
from tinygrad_mlp.data.mnist import MNIST as MNIST
from tinygrad_mlp.data.mnist import Split as Split
from tinygrad_mlp.data.mnist import load_mnist as load_mnist
from tinygrad_mlp.data.mnist import verify as verify

"""No memory leak: the mean of the losses (Σ w x)² over the arrays x in xs, as
a plain number.

w may become a Tensor inside, as in training. A total of Tensors would keep the
graph of every step: take numbers out.
"""

import numpy as np


def mean_loss(w, xs):
    raise NotImplementedError  # the blank

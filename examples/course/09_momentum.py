"""Momentum. The new velocity is momentum · v + g, and the weights go against
it, times the learning rate lr.

Return the new weights and the new velocity.
"""

import numpy as np


def momentum_step(w, g, v, lr, momentum):
    raise NotImplementedError  # the blank

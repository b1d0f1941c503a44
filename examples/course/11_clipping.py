"""Clipping: scale a list of arrays so that the norm of all of them together is
at most max_norm.

The direction stays, and what is short enough stays as it is. Return the list.
"""

import numpy as np


def clip(grads, max_norm):
    raise NotImplementedError  # the blank

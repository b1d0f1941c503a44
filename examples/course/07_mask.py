"""A mask that does not give NaN: y = log(x) where x > 0, and 0 elsewhere.

Return ∂L/∂x: g / x where x > 0, and exactly 0 elsewhere, also at x = 0.
"""

import numpy as np


def masked_log_rule(g, x):
    raise NotImplementedError  # the blank

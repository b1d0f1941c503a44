"""Functions that work element by element. Vocabulary of the rules: see `tinygrad_mlp.rules`."""

import numpy as np

from tinygrad_mlp.rules import constant, derivative

# fmt: off

# -- arithmetic ------------------------------------------------------------------------------------------------------
derivative(np.add,       lambda g, out, x, y: g,
                         lambda g, out, x, y: g)
derivative(np.subtract,  lambda g, out, x, y: g,
                         lambda g, out, x, y: -g)
derivative(np.multiply,  lambda g, out, x, y: g * y,
                         lambda g, out, x, y: g * x)
derivative(np.divide,    lambda g, out, x, y: g / y,
                         lambda g, out, x, y: -g * out / y)
# y - (y != 0) is the exponent y - 1, but 0 where y is 0: x**0 has the derivative 0 at x = 0 too.
derivative(np.power,     lambda g, out, x, y: g * y * x ** (y - (y != 0)),
                         lambda g, out, x, y: g * out * np.log(np.where(x > 0, x, 1)))
derivative(np.negative,  lambda g, out, x: -g)
derivative(np.square,    lambda g, out, x: 2 * g * x)
derivative(np.sqrt,      lambda g, out, x: g / (2 * out))
derivative(np.absolute,  lambda g, out, x: g * np.sign(x))

# -- exponentials ----------------------------------------------------------------------------------------------------
derivative(np.exp,       lambda g, out, x: g * out)
derivative(np.log,       lambda g, out, x: g / x)
derivative(np.tanh,      lambda g, out, x: g * (1 - out * out))

# -- choices: a tie of maximum or minimum gives half to each; a value on a bound of clip passes its gradient ----------
derivative(np.maximum,   lambda g, out, x, y: larger(g, x, y),
                         lambda g, out, x, y: larger(g, y, x))
derivative(np.minimum,   lambda g, out, x, y: larger(g, y, x),
                         lambda g, out, x, y: larger(g, x, y))
derivative(np.where,     None,
                         lambda g, out, mask, x, y: np.where(mask, g, 0),
                         lambda g, out, mask, x, y: np.where(mask, 0, g))
derivative(np.clip,      lambda g, out, x, low=None, high=None: np.where(out == x, g, 0),
                         lambda g, out, x, low=None, high=None: np.where(x < low, g, 0),
                         lambda g, out, x, low=None, high=None: np.where(x > high, g, 0))

# fmt: on

constant(
    np.sign, np.floor, np.ceil, np.rint, np.trunc, np.floor_divide,
    np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal,
    np.logical_and, np.logical_or, np.logical_not, np.logical_xor,
    np.isnan, np.isinf, np.isfinite, np.signbit,
)  # fmt: skip


def larger(g, x, y):
    """The share of ``g`` that goes to x in maximum(x, y): all where x is larger, half at a tie."""
    return np.where(x > y, g, np.where(x == y, g / 2, 0))

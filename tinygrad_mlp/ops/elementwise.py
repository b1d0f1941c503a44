"""Functions that work element by element. Vocabulary of the rules: see `tinygrad_mlp.rules`."""

import math

import numpy as np

from tinygrad_mlp.errors import ArgumentError, UnsupportedArgumentError
from tinygrad_mlp.ops.shaping import scatter
from tinygrad_mlp.rules import composite, constant, derivative, primitive

MISSING = object()  # the default of an argument for which None says something
LN2, LN10, DEGREE = math.log(2), math.log(10), math.pi / 180


def larger(g, x, y):
    """The share of ``g`` that goes to x in maximum(x, y): nothing where x is smaller, half at a tie, all else (NaN)."""
    return np.where(np.less(x, y), 0, np.where(np.equal(x, y), g / 2, g))


def nonzero(x):
    """x with 1 in the place of 0: a divisor whose numerator is 0 there, so that 0/0 becomes 0."""
    return np.where(x == 0, 1, x)


@primitive
def ratio(x, y):
    """x / y, or x where y is 0. Its own derivative is that of x / y also there: what 0 hides has no higher one."""
    return x / nonzero(y)


@primitive
def sign(x):
    """np.sign, but that its derivative at 0, where it jumps, is NaN."""
    return np.sign(x)


def exponent(x, out, others):
    """x - out for a sum of exponentials, the share of x in it: at out = ∞, all goes to what is infinite; at -∞ nothing.

    ``others`` is the number of operands that equal ``out``.
    """
    endless = np.where(np.equal(x, out), -np.log(np.maximum(others, 1)), -math.inf)
    return np.where(np.isposinf(out), endless, x - np.where(np.isinf(out), 0, out))


def log_share(x, y, out):
    """`exponent` of x beside y."""
    return exponent(x, out, np.add(np.equal(x, out), np.equal(y, out), dtype=float))


@primitive
def where(mask, x, y):
    """np.where with all three arguments; with one alone it is np.nonzero."""
    return np.where(mask, x, y)


@primitive
def clamp(x, low, high):
    """np.clip, whose bounds have two names each."""
    return np.clip(x, low, high)


@primitive
def fraction(x):
    """The fractional part of np.modf."""
    return np.modf(x)[0]


@primitive
def sinc_derivative(x, order):
    """The derivative of sinc of some order n, by x fₙ + n fₙ₋₁ = πⁿ⁻¹ sin(πx + nπ/2); near 0 by the power series."""
    near = np.abs(x) < 0.5
    far = np.where(near, 1, x)
    value = np.sinc(far)
    for n in range(1, order + 1):
        value = (math.pi ** (n - 1) * np.sin(math.pi * far + n * math.pi / 2) - n * value) / far
    small = np.where(near, x, 0)
    series = np.zeros_like(small)
    for k in range((order + 1) // 2, order // 2 + 12):
        coefficient = (-1) ** k * math.pi ** (2 * k) / (2 * k + 1) / math.factorial(2 * k - order)
        series = series + coefficient * small ** (2 * k - order)
    return np.where(near, series, value)


# fmt: off

# -- arithmetic ------------------------------------------------------------------------------------------------------
derivative(np.add,          lambda g, _, x, y: g,
                            lambda g, _, x, y: g)
derivative(np.subtract,     lambda g, _, x, y: g,
                            lambda g, _, x, y: -g)
derivative(np.multiply,     lambda g, _, x, y: g * y,
                            lambda g, _, x, y: g * x)
derivative(np.divide,       lambda g, _, x, y: g / y,
                            lambda g, out, x, y: -g * out / y)
derivative(np.remainder,    lambda g, _, x, y: g,
                            lambda g, _, x, y: -g * np.floor(x / y))
derivative(np.fmod,         lambda g, _, x, y: g,
                            lambda g, _, x, y: -g * np.trunc(x / y))
# y - (y != 0) is the exponent y - 1, but 0 where y is 0: x**0 has the derivative 0 at x = 0 too.
derivative(np.power,        lambda g, _, x, y: g * y * x ** (y - np.not_equal(y, 0)),
                            lambda g, out, x, y: g * out * np.log(np.where(np.greater(x, 0), x, 1)))
derivative(np.float_power,  lambda g, _, x, y: g * y * np.float_power(x, y - np.not_equal(y, 0)),
                            lambda g, out, x, y: g * out * np.log(np.where(np.greater(x, 0), x, 1)))
derivative(np.ldexp,        lambda g, _, x, n: np.ldexp(g, n))
derivative(fraction,        lambda g, _, x: g)
derivative(np.negative,     lambda g, _, x: -g)
derivative(np.positive,     lambda g, _, x: g)
derivative(np.conjugate,    lambda g, _, x: g)
derivative(np.reciprocal,   lambda g, out, x: -g * out * out)
derivative(np.square,       lambda g, _, x: 2 * g * x)
derivative(np.sqrt,         lambda g, out, x: g / (2 * out))
derivative(np.cbrt,         lambda g, out, x: g / (3 * out * out))
derivative(np.absolute,     lambda g, _, x: g * sign(x))
derivative(np.fabs,         lambda g, _, x: g * sign(x))
derivative(sign,            lambda g, _, x: g * np.where(np.equal(x, 0), math.nan, 0))
derivative(np.copysign,     lambda g, _, x, y: g * np.sign(x) * np.copysign(1, y),
                            None)
derivative(np.hypot,        lambda g, out, x, y: ratio(g, out) * x,
                            lambda g, out, x, y: ratio(g, out) * y)
derivative(ratio,           lambda g, _, x, y: g / y,
                            lambda g, _, x, y: -g * x / y / y)
derivative(np.nan_to_num,   lambda g, _, x, copy=True, nan=0.0, posinf=None, neginf=None: np.where(np.isfinite(x), g, 0))

# -- exponentials and logarithms -------------------------------------------------------------------------------------
derivative(np.exp,          lambda g, out, x: g * out)
derivative(np.exp2,         lambda g, out, x: g * out * LN2)
derivative(np.expm1,        lambda g, _, x: g * np.exp(x))
derivative(np.log,          lambda g, _, x: g / x)
derivative(np.log2,         lambda g, _, x: g / (x * LN2))
derivative(np.log10,        lambda g, _, x: g / (x * LN10))
derivative(np.log1p,        lambda g, _, x: g / (1 + x))
derivative(np.logaddexp,    lambda g, out, x, y: g * np.exp(log_share(x, y, out)),
                            lambda g, out, x, y: g * np.exp(log_share(y, x, out)))
derivative(np.logaddexp2,   lambda g, out, x, y: g * np.exp2(log_share(x, y, out)),
                            lambda g, out, x, y: g * np.exp2(log_share(y, x, out)))

# -- trigonometric and hyperbolic functions --------------------------------------------------------------------------
derivative(np.sin,          lambda g, _, x: g * np.cos(x))
derivative(np.cos,          lambda g, _, x: -g * np.sin(x))
derivative(np.tan,          lambda g, out, x: g * (1 + out * out))
derivative(np.arcsin,       lambda g, _, x: g / np.sqrt(1 - x * x))
derivative(np.arccos,       lambda g, _, x: -g / np.sqrt(1 - x * x))
derivative(np.arctan,       lambda g, _, x: g / (1 + x * x))
derivative(np.arctan2,      lambda g, _, y, x: g * x / (np.square(x) + np.square(y)),
                            lambda g, _, y, x: -g * y / (np.square(x) + np.square(y)))
derivative(np.sinh,         lambda g, _, x: g * np.cosh(x))
derivative(np.cosh,         lambda g, _, x: g * np.sinh(x))
derivative(np.tanh,         lambda g, out, x: g * (1 - out * out))
derivative(np.arcsinh,      lambda g, _, x: g / np.sqrt(x * x + 1))
derivative(np.arccosh,      lambda g, _, x: g / np.sqrt(x * x - 1))
derivative(np.arctanh,      lambda g, _, x: g / (1 - x * x))
derivative(np.sinc,         lambda g, _, x: g * sinc_derivative(x, 1))
derivative(sinc_derivative, lambda g, _, x, order: g * sinc_derivative(x, order + 1))
derivative(np.deg2rad,      lambda g, _, x: g * DEGREE)
derivative(np.radians,      lambda g, _, x: g * DEGREE)
derivative(np.rad2deg,      lambda g, _, x: g / DEGREE)
derivative(np.degrees,      lambda g, _, x: g / DEGREE)
# A whole number of turns is added to each element, which is a constant.
derivative(np.unwrap,       lambda g, _, x, discont=None, axis=-1, *, period=2 * math.pi: g)

# -- choices: a tie of maximum or minimum gives half to each; a value on a bound of clip passes its gradient ----------
derivative(np.maximum,      lambda g, _, x, y: larger(g, x, y),
                            lambda g, _, x, y: larger(g, y, x))
derivative(np.minimum,      lambda g, _, x, y: larger(g, y, x),
                            lambda g, _, x, y: larger(g, x, y))
# fmax and fmin pass over a NaN: the other argument gets all.
derivative(np.fmax,         lambda g, _, x, y: np.where(np.isnan(y), g, np.where(np.isnan(x), 0, larger(g, x, y))),
                            lambda g, _, x, y: np.where(np.isnan(x), g, np.where(np.isnan(y), 0, larger(g, y, x))))
derivative(np.fmin,         lambda g, _, x, y: np.where(np.isnan(y), g, np.where(np.isnan(x), 0, larger(g, y, x))),
                            lambda g, _, x, y: np.where(np.isnan(x), g, np.where(np.isnan(y), 0, larger(g, x, y))))
derivative(np.heaviside,    None,
                            lambda g, _, x, y: np.where(x == 0, g, 0))
derivative(where,           None,
                            lambda g, _, mask, x, y: np.where(mask, g, 0),
                            lambda g, _, mask, x, y: np.where(mask, 0, g))
# Where low = high, the bound that x lies beyond gets the gradient; where low > high, the result is high.
derivative(clamp,           lambda g, out, x, low, high: np.where(out == x, g, 0),
                            lambda g, out, x, low, high: np.where((out != x) & (out == low) & (x < low), g, 0),
                            lambda g, out, x, low, high: np.where((out != x) & ((out != low) | (x > high)), g, 0))

# fmt: on

constant(
    np.sign, np.floor, np.ceil, np.rint, np.trunc, np.fix, np.round, np.around, np.floor_divide, np.spacing,
    np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal,
    np.logical_and, np.logical_or, np.logical_not, np.logical_xor,
    np.isnan, np.isinf, np.isfinite, np.isneginf, np.isposinf, np.signbit, np.isclose,
    np.isreal, np.iscomplex, np.angle, np.imag,
)  # fmt: skip


@composite(np.where)
def _(condition, x=None, y=None):
    return np.nonzero(condition) if x is None and y is None else where(condition, x, y)


@composite(np.clip)
def _(a, a_min=MISSING, a_max=MISSING, *, min=MISSING, max=MISSING):
    given = [bound is not MISSING for bound in (a_min, a_max, min, max)]
    if given[0] != given[1] or (given[0] and any(given[2:])):
        raise UnsupportedArgumentError(
            "np.clip", expected="both bounds by position, None for no bound, or min= and max=",
            got=", ".join(name for name, here in zip(("a_min", "a_max", "min", "max"), given, strict=True) if here),
        )  # fmt: skip
    low, high = (a_min, a_max) if given[0] else (min, max)
    return clamp(a, None if low is MISSING else low, None if high is MISSING else high)


@composite(np.select)
def _(condlist, choicelist, default=0):
    out = default
    for condition, choice in reversed(list(zip(condlist, choicelist, strict=True))):
        out = np.where(condition, choice, out)
    return out


@composite(np.piecewise)
def _(x, condlist, funclist, *args, **kw):
    if np.isscalar(condlist) or (np.ndim(condlist[0]) == 0 and x.ndim != 0):
        condlist = [condlist]  # one condition stands for a list of one
    table = np.stack([np.astype(c if hasattr(c, "dtype") else np.asarray(c), bool) for c in condlist])
    n = len(table)
    if len(funclist) not in (n, n + 1):
        raise ArgumentError("np.piecewise", expected=f"{n} or {n + 1} functions", got=str(len(funclist)))
    conditions = [table[i] for i in range(n)] + [~np.any(table, axis=0)]
    out = np.zeros_like(x)
    for condition, piece in zip(conditions, funclist, strict=False):
        picked = x[condition]
        if picked.size:
            values = piece
            if callable(piece):
                values = np.astype(np.broadcast_to(piece(picked, *args, **kw), picked.shape), x.dtype)
                values = scatter(values, condition, x.shape)
            rows = np.reshape(condition, condition.shape + (1,) * (x.ndim - condition.ndim))
            out = np.where(rows, np.full_like(x, values), out)
    return out


@composite(np.choose)
def _(a, choices, *, mode="raise"):
    place, *rows = np.broadcast_arrays(a, *choices)
    place = np.choose(place, range(len(rows)), mode=mode)
    return np.take_along_axis(np.stack(rows), np.expand_dims(place, 0), axis=0)[0]


@composite(np.real)
def _(val):
    return np.positive(val)


@composite(np.real_if_close)
def _(a, tol=100):
    return np.positive(a)


@composite(np.modf)
def _(x):
    return fraction(x), np.trunc(x)


@composite(np.divmod)
def _(x, y):
    return np.floor_divide(x, y), np.remainder(x, y)

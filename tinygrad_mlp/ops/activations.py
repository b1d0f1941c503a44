"""Functions of neural networks that NumPy lacks. Vocabulary of the rules: see `tinygrad_mlp.rules`."""

from typing import Any, TypeVar

import numpy as np

from tinygrad_mlp.ops.elementwise import exponent
from tinygrad_mlp.ops.reductions import spread
from tinygrad_mlp.rules import derivative, primitive
from tinygrad_mlp.validation import choose

X = TypeVar("X", bound=Any)  # an array for an array, a Tensor for a Tensor


@primitive
def relu(x: X) -> X:
    """Rectified linear unit, max(0, x), element by element; its derivative at 0 is 0.

    >>> relu(np.array([-1.0, 0.0, 2.0]))
    array([0., 0., 2.])
    """
    return np.maximum(x, 0)


@primitive
def sigmoid(x: X) -> X:
    """Logistic function 1 / (1 + exp(-x)), to full relative accuracy also where it is nearly 0.

    >>> sigmoid(np.array([-800.0, 0.0]))
    array([0. , 0.5])
    """
    return np.exp(-np.logaddexp(0, -x))


@primitive
def softplus(x: X) -> X:
    """log(1 + exp(x)), a smooth relu, without overflow.

    >>> softplus(np.array([-1000.0, 1000.0]))
    array([   0., 1000.])
    """
    return np.logaddexp(0, x)


# log(2 Φ(-x) / t) + x²/2 as a polynomial in 2 t - 1, where t = 2 / (2 + x/√2) and x ≥ 0: interpolated at Chebyshev nodes
# in 50 digits, the highest power first.
TAIL = (
    -1.27761208134371e-08, 2.9805146585325066e-08, 7.745592530272985e-08, -2.8956273006229245e-07,
    -4.1469053271340876e-08, 1.283395095391267e-06, -1.409445234158612e-06, -2.963484482098863e-06,
    8.662534694357756e-06, 1.3989392396639464e-07, -3.0237840110217682e-05, 3.174693529901325e-05,
    7.141810415950841e-05, -0.00017430412982327097, -9.373894763009867e-05, 0.0006736791352460035,
    -0.0001462462874291228, -0.002345812552994328, 0.001758933507403578, 0.0088249385613122, -0.009872689364099262,
    -0.04689561023132891, 0.047343306841863525, 0.6726432239776583, -0.6717940840566922,
)  # fmt: skip


@primitive
def normal_cdf(x: X) -> X:
    """Φ(x), the probability that a standard normal variable is less than x, to full relative accuracy down to Φ(-37).

    >>> normal_cdf(np.array([-20.0, 0.0, 1.0]))
    array([2.75362412e-89, 5.00000000e-01, 8.41344746e-01])
    """
    dtype = np.result_type(x)
    if dtype == np.float16:
        return normal_cdf(x.astype(np.float32)).astype(dtype)
    t = 2 / (2 + np.abs(x) * 0.7071067811865476)
    tail = t / 2 * np.exp(np.polyval(np.array(TAIL, t.dtype), 2 * t - 1) - 0.5 * x * x)
    return np.where(x < 0, tail, 1 - tail)


def gelu(x: X, approximate: str = "none") -> X:
    """Gaussian error linear unit, x Φ(x), where Φ is the distribution function of the standard normal distribution.

    Source: Hendrycks & Gimpel, 2016, arXiv:1606.08415.

    Parameters
    ----------
    x : array
    approximate : {"none", "tanh"}
        With "tanh", x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³))), which is faster and within 5e-4 of the exact one.

    Examples
    --------
    >>> gelu(np.array([-1.0, 0.0, 1.0])).round(4)
    array([-0.1587,  0.    ,  0.8413])
    """
    if choose({"none": False, "tanh": True}, approximate, "gelu", "approximate"):
        return 0.5 * x * (1 + np.tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)))
    return x * normal_cdf(x)


def shifted(x: Any, axis: int) -> Any:
    """x - max(x), in a new array with ``axis`` in front, where NumPy reduces a short axis several times faster.

    In float32 if x has float16, whose sums stop growing at 2048.
    """
    swapped = np.swapaxes(np.atleast_1d(x), axis, 0)
    front = swapped.astype(np.float32) if x.dtype == np.float16 else swapped.copy()
    front -= front.max(axis=0)
    return front


def back(front, x, axis):
    """The axis in its place again, and the dtype."""
    result = np.swapaxes(front, 0, axis) if x.ndim else front[0]
    return result.astype(np.float16) if x.dtype == np.float16 else result


@primitive
def softmax(x: X, axis: int = -1) -> X:
    """exp(x) / Σ exp(x) along ``axis``: positive numbers that sum to 1. Shifted by the maximum, so nothing overflows.

    >>> softmax(np.array([0.0, 10_000.0]))
    array([0., 1.])
    """
    e = np.exp(shifted(x, axis))
    e /= e.sum(axis=0)
    return back(e, x, axis)


@primitive
def log_softmax(x: X, axis: int = -1) -> X:
    """log(softmax(x)) = x - logsumexp(x), exact also where the softmax underflows.

    >>> log_softmax(np.array([0.0, 10_000.0]))
    array([-10000.,      0.])
    """
    z = shifted(x, axis)
    z -= np.log(np.exp(z).sum(axis=0))
    return back(z, x, axis)


@primitive
def logsumexp(x: X, axis: int | tuple[int, ...] | None = None, *, keepdims: bool = False) -> X:
    """log(Σ exp(x)) along ``axis`` (an int, a tuple, or None for all), shifted by the maximum.

    >>> logsumexp(np.array([1000.0, 1000.0])).round(3)
    np.float64(1000.693)
    """
    top = np.max(x, axis=axis, keepdims=True) if x.size else np.zeros_like(x, shape=())
    top = np.where(np.isfinite(top), top, np.zeros_like(top))
    with np.errstate(divide="ignore"):  # log(0) of nothing but -∞
        total = np.log(np.sum(np.exp(x - top), axis=axis, keepdims=True)) + top
    return total if keepdims else np.squeeze(total, axis=axis)


# fmt: off
derivative(relu,         lambda g, _, x: g * ~(x <= 0))  # of NaN, g
derivative(sigmoid,      lambda g, out, x: g * out * (1 - out))
derivative(normal_cdf,   lambda g, _, x: g * (0.3989422804014327 * np.exp(-0.5 * x * x)))
derivative(softplus,     lambda g, _, x: g * sigmoid(x))
derivative(softmax,      lambda g, out, x, axis=-1: out * (g - np.sum(g * out, axis=axis, keepdims=True)))
derivative(log_softmax,  lambda g, out, x, axis=-1: g - np.exp(out) * np.sum(g, axis=axis, keepdims=True))
derivative(logsumexp,    lambda g, out, x, axis=None, *, keepdims=False: spread(g, x, axis, keepdims) * shares(x, spread(out, x, axis, keepdims), axis))
# fmt: on


def shares(x, out, axis):
    """The share of each element in the sum of exponentials."""
    return np.exp(exponent(x, out, np.sum(np.equal(x, out), axis=axis, keepdims=True)))

"""The one table of cases: each function with a rule or a composite, and the calls by which its gradient is tested.

A case is a call and the arrays it is called with, all of which are differentiated. What must not be (indices, masks,
axes) the call holds itself. Domains keep away from kinks and poles; the conventions there have tests of their own.
"""

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

import tinygrad_mlp as tg
from tinygrad_mlp.ops import (
    activations,
    attention,
    convolution,
    eig,
    einsum,
    elementwise,
    linalg,
    norms,
    pooling,
    reductions,
    shaping,
)  # fmt: skip
from tinygrad_mlp.rules import function_name

rng = np.random.default_rng(0)


@dataclass(frozen=True)
class Case:
    """One call: ``call(*arrays)``. ``keeps_float32`` is False where NumPy itself computes in float64."""

    call: Callable[..., Any]
    arrays: tuple[Any, ...]
    keeps_float32: bool = field(default=True, kw_only=True)

    def __str__(self) -> str:
        code = getattr(self.call, "__code__", None)
        call = f"line {code.co_firstlineno}" if code else function_name(self.call)
        return f"{call} on {', '.join(str(a.shape) for a in self.arrays)}"


def case(call, *arrays, **options):
    """A case; a tuple is short for `real` numbers of that shape."""
    return Case(call, tuple(np.asarray(real(*a) if isinstance(a, tuple) else a) for a in arrays), **options)


# -- domains ---------------------------------------------------------------------------------------------------------
def spaced(shape, low, high):
    """Numbers from low to high in random order, no two of them close."""
    size = math.prod(shape)
    places = (rng.permutation(size) + rng.uniform(0.2, 0.8, size)) / max(size, 1)
    return np.reshape(low + (high - low) * places, shape)


def real(*shape):
    """Numbers of either sign from -1.85 to 1.85, none near a whole number."""
    return spaced(shape, 0.15, 0.85) + rng.integers(-2, 2, shape)


def positive(*shape):
    """Numbers from 0.3 to 2.5."""
    return spaced(shape, 0.3, 2.5)


def inside(*shape):
    """Numbers from -0.9 to 0.9."""
    return spaced(shape, -0.9, 0.9)


def beyond(*shape):
    """Numbers from 1.2 to 3."""
    return spaced(shape, 1.2, 3.0)


def invertible(*shape):
    """Square matrices far from singular."""
    return inside(*shape) + 2.5 * np.eye(shape[-1])


def definite(*shape):
    """Symmetric positive definite matrices."""
    half = inside(*shape)
    return half @ np.swapaxes(half, -1, -2) + np.diag(np.arange(1.0, shape[-1] + 1))


def with_real_spectrum(*shape):
    """Square matrices whose eigenvalues are about 1, 2, …, and whose eigenvectors are not orthogonal."""
    return inside(*shape) / 4 + np.diag(np.arange(1.0, shape[-1] + 1))


def flat(x):
    """Vectors of two numbers in the plane z = 0."""
    return np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, 3 - x.shape[-1])])


def with_nan(*shape):
    """Real numbers, the first of which is NaN."""
    values = real(*shape)
    values.flat[0] = np.nan
    return values


# -- families --------------------------------------------------------------------------------------------------------
def unary(f, domain=real, **options):
    return [case(f, domain(*shape), **options) for shape in [(), (3,), (2, 0), (2, 1)]]


def binary(f, one=real, other=real, **options):
    pairs = [((2, 3), (3,)), ((), (2,)), ((2, 1), (1, 2)), ((0,), (1,)), ((2, 1, 2), (2, 1))]
    calls = [case(f, one(*a), other(*b), **options) for a, b in pairs]
    return [*calls, case(lambda x: f(x, 0.7), one(3), **options), case(lambda y: f(0.7, y), other(3), **options)]


def reduction(f, domain=real, empty=True, several=True):
    calls = [
        case(f, domain(3)),
        case(f, domain()),
        case(f, domain(2, 3)),
        case(f, domain(2, 1)),
        case(lambda x: f(x, axis=-1), domain(2, 3)),
        case(lambda x: f(x, axis=0), domain(2, 3)),
        case(lambda x: f(x, axis=-2, keepdims=True), domain(2, 3)),
        case(lambda x: f(x, keepdims=True), domain(2, 2)),
    ]
    if several:
        calls += [
            case(lambda x: f(x, axis=(0, -1)), domain(2, 2, 2)),
            case(lambda x: f(x, axis=(2, 0), keepdims=True), domain(2, 1, 2)),
        ]
    if empty:
        calls += [case(f, domain(0)), case(lambda x: f(x, axis=0), domain(0, 2))]
    return [*calls, case(lambda x: f(x, axis=-1), domain(0, 2))]


def running(f, domain=real):
    calls = [case(lambda x, axis=axis: f(x, axis=axis), domain(2, 3)) for axis in (0, -1, 1)]
    return [*calls, *(case(f, domain(*shape)) for shape in [(4,), (2, 2), (), (0,), (1,)])]


def sliding(**how):
    """How a kernel moves over an image: by single steps, without a rim, unless told otherwise."""
    return {"stride": (1, 1), "padding": ((0, 0), (0, 0)), "dilation": (1, 1), "groups": 1} | how


# images (N, C, H, W), weights (O, C / groups, k, l), and how the one slides over the other
CONVOLUTIONS = [
    ((2, 2, 3, 4), (3, 2, 2, 3), sliding()),
    ((1, 2, 4, 3), (2, 2, 2, 1), sliding(stride=(2, 3), padding=((1, 0), (2, 1)))),
    ((2, 1, 4, 5), (2, 1, 2, 2), sliding(dilation=(2, 3))),
    ((1, 4, 2, 3), (2, 2, 1, 2), sliding(groups=2, padding=((0, 0), (1, 1)))),
    ((2, 1, 1, 2), (1, 1, 1, 1), sliding(padding=((1, 1), (2, 2)), stride=(2, 2))),
]


def convolutions(f, *order, size=None):
    """Calls of one of the three functions on two of images, gradients of the result, and weights, in that order."""
    calls = []
    for images, weights, how in CONVOLUTIONS:
        g = convolution.convolution(np.zeros(images), np.zeros(weights), **how).shape
        shapes = {"x": images, "w": weights, "g": g}
        sizes = () if size is None else (shapes[size][2:],)
        calls.append(case(lambda a, b, s=sizes, h=how: f(a, b, *s, **h), *(shapes[name] for name in order)))
    return calls


POOLINGS = [  # images, and how a window moves over them
    ((1, 2, 4, 5), sliding(size=(2, 2), stride=(2, 2))),
    ((2, 1, 3, 4), sliding(size=(3, 2), padding=((1, 1), (0, 1)))),
    ((1, 1, 4, 5), sliding(size=(2, 2), stride=(1, 3), dilation=(2, 1))),
    ((0, 1, 2, 2), sliding(size=(2, 1))),
]
for _, moving in POOLINGS:
    del moving["groups"]
laid_out = [pooling.elements(np.zeros(shape), **how).shape for shape, how in POOLINGS]


numbers = np.array([2, 0, 2])
mask = np.array([True, False, True])

SOFTMAX = [((2, 3), -1), ((2, 3), 0), ((), -1), ((), 0), ((2, 0), 0)]  # shapes and axes

CASES: dict[Any, list[Case]] = {
    # -- elementwise -------------------------------------------------------------------------------------------------
    np.add: binary(np.add),
    np.subtract: binary(np.subtract),
    np.multiply: binary(np.multiply),
    np.divide: binary(np.divide, real, positive),
    np.remainder: binary(np.remainder, lambda *s: spaced(s, 1.65, 1.95), lambda *s: spaced(s, 0.71, 0.79)),
    np.fmod: binary(np.fmod, lambda *s: spaced(s, 1.65, 1.95), lambda *s: -spaced(s, 0.71, 0.79)),
    np.divmod: binary(np.divmod, lambda *s: spaced(s, 1.65, 1.95), lambda *s: spaced(s, 0.71, 0.79)),
    np.power: [*binary(np.power, positive, real), *(case(lambda x, n=n: x**n, (3,)) for n in (-1, 0, 1, 2, 3, 2.0))],
    np.float_power: binary(np.float_power, positive, real, keeps_float32=False),
    np.ldexp: [case(lambda x: np.ldexp(x, np.array([1, -2, 0])), (2, 3)), case(lambda x: np.ldexp(x, 3), ())],
    np.negative: unary(np.negative),
    np.positive: unary(np.positive),
    np.conjugate: unary(np.conj),
    np.real: unary(np.real),
    np.real_if_close: unary(np.real_if_close),
    np.reciprocal: unary(np.reciprocal),
    np.square: unary(np.square),
    np.sqrt: unary(np.sqrt, positive),
    np.cbrt: unary(np.cbrt),
    np.absolute: unary(np.abs),
    np.fabs: unary(np.fabs),
    elementwise.sign: unary(elementwise.sign),
    elementwise.ratio: [case(elementwise.ratio, (2, 3), positive(3)), case(elementwise.ratio, (), positive(2))],
    np.copysign: binary(np.copysign),
    np.hypot: binary(np.hypot),
    np.modf: unary(np.modf),
    elementwise.fraction: [case(elementwise.fraction, (3,))],
    np.nan_to_num: [*unary(np.nan_to_num), case(lambda x: np.nan_to_num(x, nan=3.0), (2,))],
    np.exp: unary(np.exp),
    np.exp2: unary(np.exp2),
    np.expm1: unary(np.expm1),
    np.log: unary(np.log, positive),
    np.log2: unary(np.log2, positive),
    np.log10: unary(np.log10, positive),
    np.log1p: unary(np.log1p, inside),
    np.logaddexp: binary(np.logaddexp),
    np.logaddexp2: binary(np.logaddexp2),
    np.sin: unary(np.sin),
    np.cos: unary(np.cos),
    np.tan: unary(np.tan, inside),
    np.arcsin: unary(np.arcsin, inside),
    np.arccos: unary(np.arccos, inside),
    np.arctan: unary(np.arctan),
    np.arctan2: binary(np.arctan2),
    np.sinh: unary(np.sinh),
    np.cosh: unary(np.cosh),
    np.tanh: unary(np.tanh),
    np.arcsinh: unary(np.arcsinh),
    np.arccosh: unary(np.arccosh, beyond),
    np.arctanh: unary(np.arctanh, inside),
    np.sinc: [*unary(np.sinc), case(np.sinc, np.array([0.0, 1e-3, 0.49, 0.51, 3.0]))],
    elementwise.sinc_derivative: [
        case(lambda x, n=n: elementwise.sinc_derivative(x, n), np.array([0.0, 0.2, 0.7, 2.4])) for n in (1, 2, 3)
    ],
    np.deg2rad: unary(np.deg2rad),
    np.radians: unary(np.radians),
    np.rad2deg: unary(np.rad2deg),
    np.degrees: unary(np.degrees),
    np.unwrap: [
        case(np.unwrap, np.array([0.1, 3.0, -3.0, -0.2])),
        case(lambda x: np.unwrap(x, axis=0), np.array([[0.1, 3.0], [4.0, -3.0]])),
    ],
    np.maximum: binary(np.maximum),
    np.minimum: binary(np.minimum),
    np.fmax: [
        *binary(np.fmax),
        case(lambda x: np.fmax(x, np.array([np.nan, 0.0])), (2,), keeps_float32=False),
        case(lambda x: np.fmax(np.array([np.nan, 0.0]), x), (2,), keeps_float32=False),
    ],
    np.fmin: [
        *binary(np.fmin),
        case(lambda x: np.fmin(x, np.array([np.nan, 0.0])), (2,), keeps_float32=False),
        case(lambda x: np.fmin(np.array([np.nan, 0.0]), x), (2,), keeps_float32=False),
    ],
    np.heaviside: [
        case(lambda y: np.heaviside(np.array([-1.0, 0.0, 1.0]), y), (), keeps_float32=False),
        case(np.heaviside, (2,), (2,)),
    ],
    np.where: [
        case(lambda x, y: np.where(mask, x, y), (2, 3), (3,)),
        case(lambda x, y: np.where(mask, x, y), (), (2, 1)),
        case(lambda x: np.where(x > 0, x, 0), (4,)),
    ],
    elementwise.where: [case(lambda x, y: elementwise.where(mask, x, y), (3,), ())],
    np.clip: [
        case(lambda x: np.clip(x, -1, 1), (4,)),
        case(lambda x: np.clip(x, None, 1), (4,)),
        case(lambda x: np.clip(x, a_min=0.0, a_max=None), (4,)),
        case(lambda x: np.clip(x, min=0.0), (4,)),
        case(lambda x: np.clip(x, max=0.0), (4,)),
        case(np.clip, (4, 3), -positive(3), positive(4, 1)),
        case(lambda x, high: np.clip(x, max=high), (3,), ()),
        case(lambda low: np.clip(np.array([-9.0, 0.1, 9.0]), low, -5.0), (), keeps_float32=False),
        case(
            lambda low, high: np.clip(np.array([-9.0, 0.1, 9.0]), low, high),
            np.array(1.0),
            np.array(-1.0),
            keeps_float32=False,
        ),
    ],
    elementwise.clamp: [case(elementwise.clamp, (4, 3), -positive(3), positive(4, 1))],
    np.select: [
        case(lambda x, y: np.select([np.array([True, False, False]), mask[::-1]], [x, y], 2.0), (3,), (3,)),
        case(lambda x: np.select([x > 1, x > 0], [x * x, 2 * x]), (2, 3)),
    ],
    np.piecewise: [
        case(lambda x: np.piecewise(x, [x > 1, x < 0], [np.square, lambda x: x**3, 5.0]), (2, 3)),
        case(
            lambda x: np.piecewise(x, [x > -9, x > 0], [lambda x, n, a: n - a * x, lambda x, n, a: a * x**n], 3, a=2.0),
            (6,),
        ),
        case(lambda x: np.piecewise(x, x > 0, [np.sqrt]), positive(2)),
        case(lambda x: np.piecewise(x, [True, False, False], [np.square, 7.0]), (3,)),
        case(lambda x: np.piecewise(x, [x < 0, x >= 0], [np.cos, np.square]), ()),
    ],
    np.choose: [
        case(lambda x, y: np.choose(np.array([0, 1, 1]), [x, y]), (3,), (2, 3)),
        case(lambda x: np.choose(np.array([4, -1]), [x, 2 * x, 3 * x], mode="clip"), (2,)),
        case(lambda x: np.choose(np.array([4, -1]), [x, 2 * x, 3 * x], mode="wrap"), (2,)),
    ],
    # -- reductions --------------------------------------------------------------------------------------------------
    np.sum: reduction(np.sum),
    np.mean: reduction(np.mean, empty=False),
    np.max: reduction(np.max, empty=False),
    np.min: reduction(np.min, empty=False),
    np.amax: reduction(np.amax, empty=False),
    np.amin: reduction(np.amin, empty=False),
    np.var: [
        *reduction(np.var, empty=False),
        case(lambda x: np.var(x, ddof=1), (4,)),
        case(lambda x: np.var(x, axis=0, correction=1), (3, 2)),
    ],
    np.std: [
        *(
            case(lambda x, a=a: np.std(x, **a), (2, 3))
            for a in ({}, {"axis": 1}, {"axis": 0, "keepdims": True}, {"axis": (0, 1), "ddof": 1})
        ),
        case(np.std, (4,)),
    ],
    reductions.euclidean: reduction(reductions.euclidean, empty=False),
    np.prod: [
        *reduction(np.prod),
        case(np.prod, np.array([2.0, 0.0, 3.0])),
        case(np.prod, np.array([0.0, 0.0, 3.0])),
        case(lambda x: np.prod(x, 0), (5, 2)),
    ],
    np.ptp: reduction(np.ptp, empty=False),
    np.cumsum: running(np.cumsum),
    np.cumprod: [
        *running(np.cumprod),
        case(np.cumprod, np.array([2.0, 0.0, 3.0, 0.0, 5.0, 7.0])),
        case(np.cumprod, (7,)),
    ],
    np.cumulative_sum: [
        case(np.cumulative_sum, (3,)),
        case(lambda x: np.cumulative_sum(x, axis=-1, include_initial=True), (2, 3)),
    ],
    np.cumulative_prod: [
        case(np.cumulative_prod, (3,)),
        case(lambda x: np.cumulative_prod(x, axis=-1, include_initial=True), (2, 3)),
    ],
    np.average: [
        *reduction(np.average, empty=False)[:-1],
        case(lambda x: np.average(x, 0, returned=True), (2, 3)),
        case(lambda x, w: np.average(x, weights=w), (2, 3), positive(2, 3)),
        case(lambda x, w: np.average(x, axis=-1, weights=w), (2, 3), positive(3)),
        case(lambda x, w: np.average(x, 0, w, returned=True), (2, 3), positive(2)),
        case(lambda x, w: np.average(x, axis=(2, 0), weights=w), (2, 1, 3), positive(3, 2)),
    ],
    np.nansum: [case(np.nansum, with_nan(3)), case(lambda x: np.nansum(x, axis=-1, keepdims=True), with_nan(2, 3))],
    np.nanprod: [case(np.nanprod, with_nan(3)), case(lambda x: np.nanprod(x, axis=0), with_nan(2, 3))],
    np.nanmax: [case(np.nanmax, with_nan(3)), case(lambda x: np.nanmax(x, axis=0), with_nan(2, 3))],
    np.nanmin: [case(np.nanmin, with_nan(3)), case(lambda x: np.nanmin(x, axis=0), with_nan(2, 3))],
    np.nanmean: [case(np.nanmean, with_nan(3)), case(lambda x: np.nanmean(x, axis=0, keepdims=True), with_nan(2, 3))],
    np.nanvar: [case(np.nanvar, with_nan(3)), case(lambda x: np.nanvar(x, axis=-1, ddof=1), with_nan(2, 4))],
    np.nanstd: [case(np.nanstd, with_nan(3)), case(lambda x: np.nanstd(x, axis=-1, ddof=1), with_nan(2, 4))],
    np.nancumsum: [case(np.nancumsum, with_nan(3)), case(lambda x: np.nancumsum(x, axis=0), with_nan(2, 3))],
    np.nancumprod: [case(np.nancumprod, with_nan(3)), case(lambda x: np.nancumprod(x, axis=0), with_nan(2, 3))],
    np.bincount: [
        case(lambda w: np.bincount([0, 2, 0], weights=w), (3,), keeps_float32=False),
        case(lambda w: np.bincount(np.array([1, 1]), w, minlength=4), (2,), keeps_float32=False),
    ],
    np.trace: [
        case(np.trace, (2, 3)),
        case(lambda x: np.trace(x, 1), (3, 2)),
        case(lambda x: np.trace(x, offset=-1, axis1=-1, axis2=0), (3, 2, 2)),
    ],
    # -- order -------------------------------------------------------------------------------------------------------
    np.sort: [
        *(case(lambda x, a=a: np.sort(x, axis=a), (2, 3)) for a in (0, -1, None)),
        *(case(np.sort, a) for a in ((4,), (2, 2), (0,))),
    ],
    np.partition: [
        case(lambda x: np.partition(x, 2), (5,)),
        case(lambda x: np.partition(x, 1, axis=0), (3, 2)),
        case(lambda x: np.partition(x, (0, 3), axis=None), (2, 3)),
        case(lambda x: np.partition(x, -1), (2, 4)),
    ],
    np.median: reduction(np.median, empty=False),
    np.quantile: [
        case(lambda x: np.quantile(x, 0.4, method="nearest"), (5,)),
        *(
            case(lambda x, m=m: np.quantile(x, 0.3, method=m), (5,))
            for m in ("linear", "lower", "higher", "midpoint", "nearest")
        ),
        case(lambda x: np.quantile(x, [0.0, 0.2, 1.0], axis=0), (4, 2), keeps_float32=False),
        case(lambda x: np.quantile(x, [[0.5, 0.2]], axis=(0, 2), keepdims=True), (2, 2, 2), keeps_float32=False),
        case(lambda x: np.quantile(x, 0.4, axis=-1), (2, 3)),
    ],
    np.nanmedian: [
        case(np.nanmedian, with_nan(4)),
        case(lambda x: np.nanmedian(x, axis=-1, keepdims=True), with_nan(2, 3)),
    ],
    np.nanquantile: [
        case(lambda x: np.nanquantile(x, 0.3), with_nan(5)),
        case(lambda x: np.nanquantile(x, [0.0, 0.4], axis=0, method="midpoint"), with_nan(4, 2), keeps_float32=False),
    ],
    np.nanpercentile: [case(lambda x: np.nanpercentile(x, 30, axis=1), with_nan(2, 4))],
    np.percentile: [
        case(lambda x: np.percentile(x, 30), (4,)),
        case(lambda x: np.percentile(x, [10, 60], axis=-1, keepdims=True), (2, 3), keeps_float32=False),
    ],
    # -- shapes ------------------------------------------------------------------------------------------------------
    np.reshape: [
        case(lambda x: np.reshape(x, (3, -1)), (2, 3)),
        case(lambda x: np.reshape(x, 6, order="F"), (2, 3)),
        case(lambda x: x.reshape(1, 1), ()),
        case(lambda x: np.reshape(x, (2, 0, 5)), (0, 3)),
    ],
    np.ravel: [case(np.ravel, (2, 3)), case(lambda x: np.ravel(x, order="F"), (2, 3)), case(np.ravel, ())],
    np.transpose: [
        case(np.transpose, (2, 3)),
        case(lambda x: np.transpose(x, (1, -1, 0)), (1, 2, 3)),
        case(lambda x: x.T, (2,)),
        case(lambda x: np.permute_dims(x, (2, 0, 1)), (1, 2, 3)),
    ],
    np.matrix_transpose: [case(np.matrix_transpose, (2, 2, 3))],
    np.moveaxis: [
        case(lambda x: np.moveaxis(x, 0, -1), (1, 2, 3)),
        case(lambda x: np.moveaxis(x, (0, 1), (-1, 0)), (1, 2, 3)),
    ],
    np.rollaxis: [
        case(lambda x, a=a: np.rollaxis(x, *a), (1, 2, 3)) for a in ((2,), (0, 2), (-1, -2), (1, 3), (0, -1))
    ],
    np.swapaxes: [case(lambda x: np.swapaxes(x, 0, -1), (1, 2, 3))],
    np.expand_dims: [
        case(lambda x: np.expand_dims(x, -1), (2,)),
        case(lambda x: np.expand_dims(x, (0, 2)), (2, 2)),
        case(lambda x: np.expand_dims(x, 0), ()),
    ],
    np.squeeze: [
        case(np.squeeze, (1, 2, 1)),
        case(lambda x: np.squeeze(x, axis=-1), (1, 2, 1)),
        case(lambda x: np.squeeze(x, axis=(0, 2)), (1, 2, 1)),
    ],
    np.broadcast_to: [
        case(lambda x: np.broadcast_to(x, (2, 3)), (3,)),
        case(lambda x: np.broadcast_to(x, (2, 3)), (2, 1)),
        case(lambda x: np.broadcast_to(x, (2,)), ()),
        case(lambda x: np.broadcast_to(x, (0, 3)), (1, 3)),
    ],
    np.broadcast_arrays: [case(np.broadcast_arrays, (2, 1), (3,), ())],
    np.atleast_1d: [case(np.atleast_1d, ()), case(np.atleast_1d, (2,), ())],
    np.atleast_2d: [case(np.atleast_2d, ()), case(np.atleast_2d, (2,), (1, 2, 1))],
    np.atleast_3d: [case(np.atleast_3d, ()), case(np.atleast_3d, (2,), (1, 2), (1, 2, 1))],
    np.astype: [case(lambda x: np.astype(x, np.float64), (3,), keeps_float32=False)],
    np.copy: [case(np.copy, (2, 2))],
    np.full_like: [case(lambda x: np.full_like(x, x[0]), (2,))],
    np.meshgrid: [
        case(np.meshgrid, (2,), (3,)),
        case(lambda x, y, z: np.meshgrid(x, y, z, indexing="ij", sparse=True), (2,), (3,), (1,)),
        case(np.meshgrid, (2,)),
    ],
    # -- picked elements ---------------------------------------------------------------------------------------------
    operator.getitem: [
        case(lambda x, i=i: x[i], (3, 2))
        for i in (
            0,
            -1,
            slice(None, None, -2),
            (slice(None), 1),
            (..., None, 0),
            numbers,
            [0, 0],
            (numbers, 1),
            (numbers[:, None], np.array([0, 1])),
            mask,
            (mask, 0),
            (0, 1),
            (mask, np.array([0, 1])),
        )
    ],
    shaping.scatter: [case(lambda g, i=i: shaping.scatter(g, i, (3, 2)), (3, 2)) for i in (slice(None), numbers)]
    + [case(lambda g: shaping.scatter(g, mask, (3,)), (2,))],
    np.take: [
        case(lambda x: np.take(x, numbers), (2, 3)),
        case(lambda x: np.take(x, [[0, -1], [1, 1]], axis=-1), (3, 2)),
        case(lambda x: np.take(x, 1, axis=0), (3, 2)),
        case(lambda x: np.take(x, [5, -7], axis=0, mode="clip"), (3, 2)),
        case(lambda x: np.take(x, [5, -7], axis=0, mode="wrap"), (3, 2)),
        case(lambda x: np.take(x, [7, -9], mode="wrap"), (3, 2)),
    ],
    np.take_along_axis: [
        case(lambda x: np.take_along_axis(x, np.array([[0, 0], [2, 1]]), axis=-1), (2, 3)),
        case(lambda x: np.take_along_axis(x, np.array([[0, 1, 1]]), axis=0), (2, 3)),
        case(lambda x: np.take_along_axis(x, np.array([3, 0, 0]), axis=None), (2, 3)),
        case(lambda x: np.take_along_axis(x, np.array([[0], [1]]), axis=1), (1, 3)),
    ],
    np.compress: [
        case(lambda x: np.compress([True, False, True], x, axis=1), (2, 3)),
        case(lambda x: np.compress([False, True, True], x), (2, 3)),
    ],
    np.extract: [case(lambda x: np.extract(mask, x), (3,)), case(lambda x: np.extract(x > 0, x), (2, 3))],
    np.delete: [case(lambda x: np.delete(x, 1), (2, 3)), case(lambda x: np.delete(x, [0, -1], axis=1), (2, 3))],
    np.insert: [
        case(lambda x, v: np.insert(x, 1, v, axis=1), (2, 3), (2,)),
        case(lambda x, v: np.insert(x, [0, 2], v), (3,), ()),
        case(lambda v: np.insert(np.ones(3), 1, v), (2,), keeps_float32=False),
    ],
    np.diagonal: [
        case(np.diagonal, (2, 3)),
        case(lambda x: np.diagonal(x, 1, -1, 0), (2, 2, 3)),
        case(lambda x: np.diagonal(x, offset=-1), (3, 2)),
    ],
    np.diag: [
        case(np.diag, (3,)),
        case(lambda x: np.diag(x, 1), (2,)),
        case(np.diag, (2, 3)),
        case(lambda x: np.diag(x, k=-1), (3, 3)),
    ],
    np.diagflat: [case(np.diagflat, (2, 2)), case(lambda x: np.diagflat(x, -1), (2,))],
    np.tril: [case(np.tril, (3, 3)), case(lambda x: np.tril(x, -1), (2, 2, 3)), case(np.tril, (2,))],
    np.triu: [case(np.triu, (3, 3)), case(lambda x: np.triu(x, k=1), (2, 2, 3))],
    np.flip: [
        case(np.flip, (2, 3)),
        case(lambda x: np.flip(x, axis=-1), (2, 3)),
        case(lambda x: np.flip(x, (0, 1)), (2, 3)),
    ],
    np.fliplr: [case(np.fliplr, (2, 3))],
    np.flipud: [case(np.flipud, (2, 3))],
    np.rot90: [case(lambda x, k=k: np.rot90(x, k), (2, 3)) for k in (1, 2, -1, 4)]
    + [case(lambda x: np.rot90(x, axes=(1, 2)), (1, 2, 3))],
    np.roll: [
        case(lambda x: np.roll(x, 2), (2, 3)),
        case(lambda x: np.roll(x, -1, axis=-1), (2, 3)),
        case(lambda x: np.roll(x, (1, 2), axis=(0, 1)), (2, 3)),
        case(lambda x: np.roll(x, 1), (0,)),
    ],
    np.fft.fftshift: [
        case(np.fft.fftshift, (3, 4)),
        case(lambda x: np.fft.fftshift(x, axes=-1), (2, 5)),
        case(lambda x: np.fft.fftshift(x, axes=(0, 2)), (3, 2, 3)),
    ],
    np.fft.ifftshift: [
        case(np.fft.ifftshift, (3, 4)),
        case(lambda x: np.fft.ifftshift(x, axes=-1), (2, 5)),
        case(lambda x: np.fft.ifftshift(x, axes=(0, 2)), (3, 2, 3)),
    ],
    np.repeat: [
        case(lambda x: np.repeat(x, 2), (2, 2)),
        case(lambda x: np.repeat(x, [1, 0, 3], axis=-1), (2, 3)),
        case(lambda x: np.repeat(x, 2, axis=0), (2, 2)),
        case(lambda x: np.repeat(x, 3), ()),
    ],
    np.tile: [case(lambda x, r=r: np.tile(x, r), (2, 2)) for r in (2, (2, 1), (2, 1, 2), 0)]
    + [case(lambda x: np.tile(x, 3), ())],
    np.resize: [case(lambda x: np.resize(x, (2, 4)), (3,)), case(lambda x: np.resize(x, 2), (3,))],
    np.pad: [
        case(lambda x, m=m: np.pad(x, ((1, 2), (0, 1)), mode=m), (3, 2))
        for m in ("constant", "edge", "reflect", "symmetric", "wrap")
    ]
    + [
        case(lambda x: np.pad(x, 1), (2,)),
        case(lambda x: np.pad(x, (0, 2), constant_values=5.0), (2,)),
        case(lambda x: np.pad(x, 1), (0,)),
    ],
    sliding_window_view: [
        case(lambda x: sliding_window_view(x, 2), (4,)),
        case(lambda x: sliding_window_view(x, (2, 2)), (3, 3)),
        case(lambda x: sliding_window_view(x, 2, axis=-1), (2, 3)),
    ],
    # -- joined and cut ----------------------------------------------------------------------------------------------
    np.concatenate: [
        case(lambda x, y: np.concatenate([x, y]), (2, 3), (1, 3)),
        case(lambda x, y: np.concatenate((x, y), axis=-1), (2, 1), (2, 2)),
        case(lambda x, y: np.concatenate([x, y], axis=None), (2, 2), (1,)),
        case(lambda x: np.concatenate([x, x * x, np.zeros_like(x)]), (2,)),
        case(lambda x: np.concat([x, x]), (0,)),
        case(lambda x, y: np.concatenate([x, y], dtype=np.float64), (2,), (1,), keeps_float32=False),
        case(np.concatenate, (2, 2)),
    ],
    np.stack: [
        case(lambda x, y: np.stack([x, y]), (2,), (2,)),
        case(lambda x, y: np.stack((x, y), axis=-1), (2, 3), (2, 3)),
        case(lambda x, y: np.stack([x, y]), (), ()),
        case(lambda x: np.stack([x, 2 * x], dtype=np.float64, casting="safe"), (2,), keeps_float32=False),
        case(np.stack, (2, 3)),
    ],
    np.vstack: [
        case(lambda x, y: np.vstack([x, y]), (3,), (2, 3)),
        case(np.vstack, (2, 2)),
        case(lambda x, y: np.vstack([x, y], dtype=None, casting="same_kind"), (3,), (2, 3)),  # so np.row_stack calls it
    ],
    np.hstack: [
        case(lambda x, y: np.hstack((x, y)), (2, 1), (2, 2)),
        case(lambda x, y: np.hstack([x, y], casting="safe"), (), (3,)),
    ],
    np.dstack: [
        case(lambda x, y: np.dstack([x, y]), (2, 2), (2, 2, 1)),
        case(lambda x, y: np.dstack([x, y]), (2,), (2,)),
    ],
    np.column_stack: [case(lambda x, y: np.column_stack([x, y]), (2,), (2, 2))],
    np.append: [
        case(np.append, (2, 2), (3,)),
        case(lambda x, y: np.append(x, y, axis=1), (2, 1), (2, 2)),
        case(lambda x: np.append(x, 3.0), (2,), keeps_float32=False),
    ],
    np.block: [
        case(lambda x, y: np.block([[[x, y]], [[y, x]]]), (1, 2), (1, 1)),
        case(lambda x: np.block([[[x]], [[2 * x]]]), (1, 2)),
        case(lambda x, y, z: np.block([[x, y], [z]]), (2, 1), (2, 2), (1, 3)),
        case(lambda x, y: np.block([x, y]), (2,), (1,)),
        case(lambda x, y: np.block([x, y]), np.array([[0.5, -1.5]]), np.array([0.7, 1.2, -0.4])),
        case(lambda x: np.block(x), (2,)),
        case(lambda x: np.block([[x, 1.0], [2.0, x]]), (), keeps_float32=False),
    ],
    np.split: [case(lambda x: np.split(x, 2), (4, 1)), case(lambda x: np.split(x, [1, 2], axis=-1), (2, 4))],
    np.array_split: [
        case(lambda x: np.array_split(x, 3), (7,)),
        case(lambda x: np.array_split(x, 3), (5,)),
        case(lambda x: np.array_split(x, [1, 1], axis=1), (2, 3)),
    ],
    np.vsplit: [case(lambda x: np.vsplit(x, 2), (2, 2))],
    np.hsplit: [case(lambda x: np.hsplit(x, [1]), (2, 3)), case(lambda x: np.hsplit(x, 2), (4,))],
    np.dsplit: [case(lambda x: np.dsplit(x, 2), (1, 2, 2))],
    np.unstack: [case(np.unstack, (2, 2)), case(lambda x: np.unstack(x, axis=-1), (2, 3))],
    np.apply_along_axis: [
        case(lambda x: np.apply_along_axis(lambda r: np.outer(r, r), 1, x), (2, 2, 1)),
        case(lambda x: np.apply_along_axis(np.sum, 1, x), (2, 3)),
        case(lambda x: np.apply_along_axis(lambda r: np.outer(r, r), 0, x), (2, 3)),
    ],
    # -- products ----------------------------------------------------------------------------------------------------
    np.matmul: [
        case(np.matmul, a, b)
        for a, b in (
            ((2, 3), (3, 2)),
            ((3,), (3,)),
            ((3,), (3, 2)),
            ((2, 3), (3,)),
            ((2, 2, 3), (3, 1)),
            ((2, 1, 2, 3), (3, 3, 1)),
            ((3,), (2, 3, 1)),
            ((2, 2, 3), (3,)),
            ((0, 2), (2, 3)),
            ((2, 0), (0, 1)),
        )
    ],
    np.dot: [
        case(np.dot, a, b)
        for a, b in (
            ((), (2,)),
            ((3,), (3,)),
            ((2, 3), (3,)),
            ((3,), (3, 2)),
            ((2, 3), (3, 2)),
            ((2, 1, 3), (2, 3, 2)),
            ((3,), (2, 3, 2)),
            ((2, 2, 3), (3,)),
            ((2, 2), ()),
            ((2, 0), (0, 2)),
        )
    ],
    np.inner: [
        case(np.inner, a, b)
        for a, b in (((), (2,)), ((3,), (3,)), ((2, 3), (3,)), ((2, 3), (1, 3)), ((2, 1, 3), (2, 3)))
    ],
    np.outer: [case(np.outer, a, b) for a, b in (((2,), (3,)), ((2, 2), (1, 2)), ((), (2,)), ((0,), (2,)))],
    np.vdot: [case(np.vdot, (3,), (3,)), case(np.vdot, (2, 2), (2, 2))],
    np.tensordot: [
        case(np.tensordot, (1, 2, 3), (2, 3, 2)),
        case(lambda x, y: np.tensordot(x, y, 0), (2,), (3,)),
        case(lambda x, y: np.tensordot(x, y, axes=([0, -1], [1, 0])), (2, 1, 3), (3, 2)),
        case(lambda x, y: np.tensordot(x, y, axes=(1, 0)), (2, 3), (3, 2)),
        case(lambda x, y: np.tensordot(x, y, 1), (2, 0), (0, 3)),
    ],
    np.kron: [
        case(np.kron, a, b)
        for a, b in (((2,), (3,)), ((2, 2), (1, 3)), ((2,), (2, 2)), ((), (2,)), ((1, 2, 2), (2, 1)))
    ],
    np.cross: [
        # NumPy is about to drop vectors of two numbers.
        case(
            lambda x, y: np.cross(x, y) if isinstance(x, tg.Tensor) else x[..., 0] * y[..., 1] - x[..., 1] * y[..., 0],
            (3, 2),
            (2,),
        ),
        case(np.cross, (3,), (3,)),
        case(np.cross, (2, 3), (3,)),
        case(lambda x, y: np.cross(x, y, axis=0), (3, 2), (3, 2)),
        case(lambda x, y: np.cross(x, y, axisa=0, axisb=-1, axisc=0), (3, 2), (2, 3)),
        case(lambda x, y: np.cross(x, y, axisa=0), (3,), (2, 3)),
        *(
            case(lambda x, y: np.cross(x, y) if isinstance(x, tg.Tensor) else np.cross(flat(x), flat(y)), *shapes)
            for shapes in (((3, 2), (3,)), ((3,), (2, 2)))
        ),
    ],
    np.vecdot: [case(np.vecdot, (2, 3), (3,)), case(lambda x, y: np.vecdot(x, y, axis=0), (3, 2), (3, 1))],
    np.convolve: [
        case(lambda x, y, m=m: np.convolve(x, y, m), (a,), (b,))
        for m in ("full", "same", "valid")
        for a, b in ((5, 3), (3, 3), (2, 5), (4, 2), (4, 1))
    ],
    np.correlate: [
        case(lambda x, y, m=m: np.correlate(x, y, m), (a,), (b,))
        for m in ("full", "same", "valid")
        for a, b in ((5, 3), (3, 3), (2, 5), (4, 2), (2, 4))
    ]
    + [case(np.correlate, (3,), (3,))],
    np.einsum: [
        case(lambda *xs, s=s: np.einsum(s, *xs), *shapes)
        for s, *shapes in (
            ("ij,jk->ik", (2, 3), (3, 2)),
            ("ij,jk", (2, 3), (3, 2)),
            ("ii", (3, 3)),
            ("ii->i", (2, 2)),
            ("iij->j", (2, 2, 3)),
            ("ij->", (2, 3)),
            ("i->", (3,)),
            ("ji", (2, 3)),
            ("i,j->ij", (2,), (3,)),
            ("i,i,i->i", (3,), (3,), (3,)),
            ("...ij,...jk->...ik", (2, 1, 2), (2, 3)),
            ("...i,i", (2, 3), (3,)),
            ("i...->...", (2, 3)),
            ("ij,kl->i", (2, 3), (1, 2)),
            ("ii,i->", (2, 2), (2,)),
            (",i->i", (), (2,)),
            ("ij,ij->j", (2, 3), (1, 3)),
            ("b i, b j -> b i j", (2, 1), (2, 3)),
            ("ijij->ij", (2, 1, 2, 1)),
            ("ij->ij", (0, 2)),
            ("...", (2, 2)),
            ("iji->j", (2, 2, 2)),
        )
    ]
    + [
        case(lambda x, y: np.einsum(x, [0, 1], y, [1, 2], [0, 2]), (2, 3), (3, 1)),
        case(lambda x: np.einsum(x, [Ellipsis, 0]), (2, 2)),
        case(lambda x: np.einsum("ij,jk,kl->il", x, x, x, optimize=True), (2, 2)),
    ],
    einsum.contract: [case(lambda x, y: einsum.contract([x, y], "ij,j->i"), (2, 3), (3,))],
    np.linalg.multi_dot: [
        case(lambda x, y, z: np.linalg.multi_dot([x, y, z]), (2, 3), (3, 1), (1, 2)),
        case(lambda x, y, z: np.linalg.multi_dot([x, y, z]), (2,), (2, 3), (3,)),
        case(lambda w, x, y, z: np.linalg.multi_dot([w, x, y, z]), (2, 1), (1, 3), (3, 2), (2, 1)),
        case(lambda x, y: np.linalg.multi_dot([x, y]), (2, 3), (3,)),
    ],
    np.linalg.matrix_power: [
        case(lambda x, n=n: np.linalg.matrix_power(x, n), invertible(2, 2)) for n in (0, 1, 2, 3, -1, -2)
    ]
    + [case(lambda x: np.linalg.matrix_power(x, 5), inside(2, 2, 2))],
    # -- linear algebra ----------------------------------------------------------------------------------------------
    np.linalg.inv: [
        case(np.linalg.inv, invertible(3, 3)),
        case(np.linalg.inv, invertible(2, 2, 2)),
        case(np.linalg.inv, invertible(1, 1)),
        case(np.linalg.inv, invertible(0, 2, 2)),
    ],
    np.linalg.pinv: [
        case(np.linalg.pinv, (3, 2)),
        case(np.linalg.pinv, (2, 3)),
        case(np.linalg.pinv, invertible(2, 2)),
        case(np.linalg.pinv, (2, 3, 2)),
        case(lambda x: np.linalg.pinv(x, rcond=1e-9), (3, 2)),
    ],
    np.linalg.det: [
        case(np.linalg.det, np.array([[1.0, 2.0], [2.0, 4.0]])),
        case(np.linalg.det, np.zeros((3, 3))),
        case(np.linalg.det, invertible(3, 3)),
        case(np.linalg.det, invertible(2, 2, 2)),
    ],
    np.linalg.slogdet: [
        case(lambda x: np.linalg.slogdet(x).logabsdet, -invertible(3, 3)),
        case(lambda x: np.linalg.slogdet(x)[1], invertible(2, 2, 2)),
    ],
    linalg.cofactors: [
        case(linalg.cofactors, invertible(3, 3)),
        case(linalg.cofactors, invertible(2, 2, 2)),
        case(linalg.cofactors, np.array([[1.0, 2.0, 0.5], [1.0, 2.0, 0.5], [0.3, -1.0, 2.0]])),
        case(linalg.cofactors, (1, 1)),
    ],
    linalg.over_gaps: [
        case(linalg.over_gaps, (3, 3), positive(3)),
        case(linalg.over_gaps, (2, 2, 2), np.array([[0.3, 1.2], [2.0, 0.4]])),
    ],
    linalg.log_determinant: [case(linalg.log_determinant, invertible(2, 2))],
    np.linalg.solve: [
        case(np.linalg.solve, invertible(3, 3), real(3)),
        case(np.linalg.solve, invertible(2, 2), real(2, 3)),
        case(np.linalg.solve, invertible(2, 2, 2), real(2, 1)),
        case(np.linalg.solve, invertible(2, 2, 2), real(2)),
        case(np.linalg.solve, invertible(2, 2), real(3, 2, 1)),
    ],
    np.linalg.cholesky: [
        case(np.linalg.cholesky, definite(3, 3)),
        case(np.linalg.cholesky, definite(2, 2, 2)),
        case(lambda x: np.linalg.cholesky(x, upper=True), definite(3, 3)),
    ],
    np.linalg.eigh: [
        case(lambda x: (np.linalg.eigh(x)[0], np.linalg.eigh(x).eigenvectors ** 2), definite(3, 3)),
        case(lambda x: np.linalg.eigh(x, "U"), definite(3, 3)),
        case(np.linalg.eigh, definite(2, 2, 2)),
    ],
    np.linalg.eigvalsh: [
        case(np.linalg.eigvalsh, definite(3, 3)),
        case(lambda x: np.linalg.eigvalsh(x, UPLO="U"), definite(2, 2, 2)),
    ],
    linalg.eigenvalues: [case(lambda x: linalg.eigenvalues(x, "L"), definite(2, 2))],
    linalg.eigenvectors: [case(lambda x: linalg.eigenvectors(x, "L"), definite(2, 2))],
    np.linalg.eig: [  # of arrays, NumPy 2.5 makes them complex in any case; and LAPACK chooses the signs of the vectors
        case(lambda x: (np.real(np.linalg.eig(x)[0]), np.real(np.linalg.eig(x).eigenvectors) ** 2), matrix)
        for matrix in (with_real_spectrum(3, 3), with_real_spectrum(2, 2, 2), definite(3, 3))
    ],
    np.linalg.eigvals: [
        case(lambda x: np.real(np.linalg.eigvals(x)), matrix)
        for matrix in (with_real_spectrum(3, 3), with_real_spectrum(2, 2, 2), np.array([[0.0, 2.0], [1.0, 0.3]]))
    ],
    eig.general_eigenvalues: [case(eig.general_eigenvalues, with_real_spectrum(2, 2))],
    eig.paired_eigenvalues: [case(eig.paired_eigenvalues, with_real_spectrum(2, 2))],
    eig.general_eigenvectors: [case(eig.general_eigenvectors, with_real_spectrum(2, 2))],
    np.linalg.svd: [
        case(lambda x: np.linalg.svd(x, full_matrices=False), (3, 2)),
        case(lambda x: np.linalg.svd(x, full_matrices=False), (2, 3)),
        case(np.linalg.svd, invertible(2, 2)),
        case(lambda x: np.linalg.svd(x, compute_uv=False), (2, 3, 2)),
    ],
    np.linalg.svdvals: [case(np.linalg.svdvals, (3, 2)), case(np.linalg.svdvals, (2, 2, 3))],
    linalg.singular_values: [case(linalg.singular_values, (3, 2))],
    linalg.left_vectors: [case(linalg.left_vectors, (3, 2))],
    linalg.right_vectors: [case(linalg.right_vectors, (3, 2))],
    np.linalg.qr: [
        case(np.linalg.qr, (3, 2)),
        case(np.linalg.qr, (2, 3)),
        case(np.linalg.qr, (2, 2, 2)),
        case(lambda x: np.linalg.qr(x, mode="r"), (3, 3)),
    ],
    linalg.orthogonal: [case(linalg.orthogonal, (3, 2))],
    np.linalg.lstsq: [
        case(np.linalg.lstsq, (4, 2), (4,)),
        case(np.linalg.lstsq, (4, 2), (4, 3)),
        case(lambda a, b: np.linalg.lstsq(a, b, rcond=-1), (2, 3), (2,)),
        case(np.linalg.lstsq, invertible(3, 3), (3,)),
        case(lambda b: np.linalg.lstsq([[1.0, 2.0], [2.0, 4.0], [0.5, 1.0]], b, 1e-9), (3,), keeps_float32=False),
    ],
    np.linalg.tensorinv: [
        case(np.linalg.tensorinv, np.reshape(invertible(4, 4), (2, 2, 4, 1))),
        case(lambda x: np.linalg.tensorinv(x, ind=1), np.reshape(invertible(4, 4), (4, 2, 2))),
    ],
    np.linalg.tensorsolve: [
        case(np.linalg.tensorsolve, np.reshape(invertible(4, 4), (2, 2, 4)), real(2, 2)),
        case(lambda a, b: np.linalg.tensorsolve(a, b, axes=(0,)), np.reshape(invertible(4, 4), (2, 4, 2)), real(4)),
    ],
    np.linalg.norm: [
        *(case(lambda x, o=o: np.linalg.norm(x, o), (3,)) for o in (None, 1, 2, 3, 0.5, -1, -2, np.inf, -np.inf, 0)),
        *(
            case(lambda x, o=o: np.linalg.norm(x, o), (2, 3))
            for o in (None, "fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf)
        ),
        case(np.linalg.norm, (2, 1, 2)),
        case(lambda x: np.linalg.norm(x, axis=-1), (2, 3)),
        case(lambda x: np.linalg.norm(x, 3, axis=0, keepdims=True), (2, 3)),
        case(lambda x: np.linalg.norm(x, "nuc", axis=(2, 0), keepdims=True), (2, 2, 3)),
        case(lambda x: np.linalg.norm(x, 1, axis=(0, 2)), (2, 2, 3)),
        case(lambda x: np.linalg.norm(x, axis=(0, 1), keepdims=True), (2, 2)),
        case(lambda x: np.linalg.norm(x, keepdims=True), (2, 2)),
    ],
    norms.power_norm: [case(lambda x: norms.power_norm(x, 3, -1), (2, 3))],
    np.linalg.vector_norm: [
        case(np.linalg.vector_norm, (2, 3)),
        case(lambda x: np.linalg.vector_norm(x, axis=-1, ord=3, keepdims=True), (2, 3)),
        case(lambda x: np.linalg.vector_norm(x, ord=1, axis=(0, 2)), (2, 2, 2)),
    ],
    np.linalg.matrix_norm: [
        case(np.linalg.matrix_norm, (2, 2, 3)),
        case(lambda x: np.linalg.matrix_norm(x, ord="nuc", keepdims=True), (2, 3)),
    ],
    np.linalg.cond: [case(lambda x, p=p: np.linalg.cond(x, p), invertible(2, 2)) for p in (None, -2, 1, "fro", np.inf)],
    np.linalg.trace: [case(np.linalg.trace, (2, 2, 3)), case(lambda x: np.linalg.trace(x, offset=1), (2, 3))],
    np.linalg.diagonal: [case(np.linalg.diagonal, (2, 2, 3)), case(lambda x: np.linalg.diagonal(x, offset=-1), (2, 3))],
    np.linalg.cross: [
        case(np.linalg.cross, (2, 3), (2, 3)),
        case(lambda x, y: np.linalg.cross(x, y, axis=0), (3, 2), (3, 2)),
    ],
    np.linalg.matmul: [case(np.linalg.matmul, (2, 3), (3, 2))],
    np.linalg.outer: [case(np.linalg.outer, (2,), (3,))],
    np.linalg.tensordot: [case(lambda x, y: np.linalg.tensordot(x, y, axes=1), (2, 3), (3, 2))],
    np.linalg.vecdot: [case(lambda x, y: np.linalg.vecdot(x, y, axis=0), (3, 2), (3, 2))],
    np.linalg.matrix_transpose: [case(np.linalg.matrix_transpose, (2, 1, 3))],
    # -- differences, interpolation, polynomials ---------------------------------------------------------------------
    np.diff: [
        case(np.diff, (4,)),
        case(lambda x: np.diff(x, n=2, axis=0), (4, 2)),
        case(lambda x: np.diff(x, prepend=0.0, append=x[:, :1]), (2, 3), keeps_float32=False),
        case(lambda x: np.diff(x, 0), (2,)),
        case(np.diff, (1,)),
    ],
    np.ediff1d: [
        case(np.ediff1d, (2, 2)),
        case(lambda x, e: np.ediff1d(x, to_end=e, to_begin=[1.0, 2.0]), (3,), (), keeps_float32=False),
    ],
    np.gradient: [
        case(lambda x: np.gradient(x, 0.5), (2, 3)),
        case(lambda x: np.gradient(x, np.array([0.0, 0.5, 2.0, 5.0]), edge_order=2), (4,), keeps_float32=False),
        case(np.gradient, (4,)),
        case(np.gradient, (3, 2)),
        case(lambda x: np.gradient(x, 0.5, axis=-1), (2, 4)),
        case(lambda x: np.gradient(x, 2.0, 3.0), (2, 2)),
        case(lambda x: np.gradient(x, edge_order=2), (4,)),
        case(
            lambda x: np.gradient(x, np.array([0.0, 0.5, 2.0, 3.0]), axis=0, edge_order=2), (4, 2), keeps_float32=False
        ),
        case(lambda x, h: np.gradient(x, h), (4,), np.array(0.5)),
    ],
    np.trapezoid: [
        case(np.trapezoid, (4,)),
        case(lambda y: np.trapezoid(y, dx=0.5, axis=0), (3, 2)),
        case(np.trapezoid, (2, 3), (3,)),
        case(lambda y, x: np.trapezoid(y, x, axis=0), (3, 2), (3, 2)),
        case(lambda y, x: np.trapezoid(y, x, axis=0), (3, 2), (3,)),
    ],
    np.interp: [
        case(lambda x, f: np.interp(x, [-1.0, 0.0, 2.5], f), (4,), (3,), keeps_float32=False),
        case(
            lambda x, xp, f: np.interp(x, xp, f),
            np.array([0.5, 1.3, 9.0]),
            np.array([0.0, 1.0, 2.0]),
            real(3),
            keeps_float32=False,
        ),
        case(lambda x: np.interp(x, [0.0, 1.0], [2.0, 3.0], left=5.0, right=6.0), (4,), keeps_float32=False),
    ],
    np.linspace: [
        case(lambda a, b: np.linspace(a, b, 4), (), ()),
        case(lambda a, b: np.linspace(a, b, 3, endpoint=False, axis=-1), (2,), ()),
        case(lambda a: np.linspace(a, 5.0, 3, retstep=True), (2,)),
        case(lambda a, b: np.linspace(a, b, 1), (), ()),
    ],
    np.logspace: [
        case(lambda a, b: np.logspace(a, b, 3), (), ()),
        case(lambda a: np.logspace(a, 1.0, 3, base=2.0, axis=1), (2,)),
    ],
    np.vander: [
        case(np.vander, (3,), keeps_float32=False),
        case(lambda x: np.vander(x, 2, increasing=True), (3,), keeps_float32=False),
    ],
    np.polyval: [
        case(np.polyval, (3,), (2, 2)),
        case(lambda x: np.polyval([1.0, 2.0, 3.0], x), (2,), keeps_float32=False),
    ],
    np.cov: [
        case(np.cov, (2, 4), keeps_float32=False),
        case(np.cov, (4,), keeps_float32=False),
        case(lambda x, y: np.cov(x, y, ddof=0), (4,), (4,), keeps_float32=False),
        case(lambda x: np.cov(x, rowvar=False, bias=True), (4, 2), keeps_float32=False),
    ],
    np.corrcoef: [
        case(np.corrcoef, (4,), keeps_float32=False),
        case(np.corrcoef, (2, 4), keeps_float32=False),
        case(lambda x, y: np.corrcoef(x, y), (4,), (4,), keeps_float32=False),
        case(lambda x: np.corrcoef(x, rowvar=False), (4, 2), keeps_float32=False),
    ],
    # -- what NumPy lacks --------------------------------------------------------------------------------------------
    tg.relu: unary(tg.relu),
    tg.sigmoid: unary(tg.sigmoid),
    activations.normal_cdf: unary(activations.normal_cdf),
    tg.softplus: unary(tg.softplus),
    **{
        f: [case(lambda x, f=f, axis=axis: f(x, axis=axis), shape) for shape, axis in SOFTMAX]
        for f in (tg.softmax, tg.log_softmax)
    },
    attention.masked_softmax: [
        case(lambda x: attention.masked_softmax(x, mask), (2, 3)),
        case(lambda x: attention.masked_softmax(x, np.array([[True, True], [False, False]])), (3, 1, 2)),
        case(lambda x: attention.masked_softmax(x, np.tri(3, dtype=bool)), (2, 3, 3)),
    ],
    tg.logsumexp: [
        *reduction(tg.logsumexp, empty=False),
        *(case(lambda x, axis=axis: tg.logsumexp(x, axis=axis), ()) for axis in (0, -1)),
        case(lambda x: tg.logsumexp(x, axis=0), (2, 0)),
    ],
    tg.cross_entropy: [
        *(
            case(lambda z, r=r: tg.cross_entropy(z, np.array([0, 2]), label_smoothing=0.1, reduction=r), (2, 3))
            for r in ("mean", "sum", "none")
        ),
        case(tg.cross_entropy, (2, 3), positive(2, 3)),
    ],
    pooling.elements: [case(lambda x, h=how: pooling.elements(x, **h, fill=0.7), images) for images, how in POOLINGS],
    pooling.overlap_add: [
        case(lambda x, s=images, h=how: pooling.overlap_add(x, s, **h), shape)
        for shape, (images, how) in zip(laid_out, POOLINGS, strict=True)
    ],
    pooling.max_pool: [case(lambda x, h=how: pooling.max_pool(x, **h), images) for images, how in POOLINGS],
    convolution.convolution: convolutions(convolution.convolution, "x", "w"),
    convolution.convolution_input: convolutions(convolution.convolution_input, "g", "w", size="x"),
    convolution.convolution_weight: convolutions(convolution.convolution_weight, "x", "g", size="w"),
}

if hasattr(np, "matvec"):
    CASES[np.matvec] = [case(np.matvec, (2, 3), (3,)), case(np.matvec, (2, 1, 3), (2, 3))]
    CASES[np.vecmat] = [case(np.vecmat, (3,), (3, 2)), case(np.vecmat, (2, 3), (3, 1))]

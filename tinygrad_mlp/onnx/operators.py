"""The functions that have a counterpart in ONNX, elementwise, reductions and products; `shaping` has the others.

An entry of `OPERATORS` takes the graph, the results of the call, which know their shapes and dtypes, and the arguments
of the function; it appends operators and returns the name of the result.
"""

import math
import string
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from tinygrad_mlp.onnx.graph import Graph
from tinygrad_mlp.onnx.shaping import SHAPING, Unsupported
from tinygrad_mlp.onnx.trace import Value
from tinygrad_mlp.ops import activations
from tinygrad_mlp.ops.activations import log_softmax, logsumexp, relu, sigmoid, softmax, softplus
from tinygrad_mlp.ops.convolution import convolution as convolve
from tinygrad_mlp.ops.pooling import max_pool

__all__ = ["OPERATORS", "Unsupported"]

Results = list[Value]
Operator = Callable[..., Any]


def elementwise(kind: str) -> Operator:
    """An operator on arguments of the dtype of its result."""
    return lambda g, out, *args: g.op(kind, *[g.value(x, out[0].dtype) for x in args])


def comparison(kind: str, negated: bool = False) -> Operator:
    """An operator on arguments brought to one dtype, which gives truth values."""

    def compare(g: Graph, out: Results, x: Any, y: Any) -> str:
        common = np.result_type(*[v.dtype if isinstance(v, Value) else v for v in (x, y)])
        found = g.op(kind, g.value(x, common), g.value(y, common))
        return g.op("Not", found) if negated else found

    return compare


def logical(kind: str) -> Operator:
    """An operator on truth values; on integers, of which NumPy takes the bits, there is none."""

    def combine(g: Graph, out: Results, *args: Any) -> str:
        if out[0].dtype != np.bool:
            raise Unsupported("operations on bits")
        return g.op(kind, *[g.value(x, np.bool) for x in args])

    return combine


def product(g: Graph, out: Results, *args: Any) -> str:
    """Several factors, one after the other."""
    dtype = out[0].dtype
    name = g.value(args[0], dtype)
    for factor in args[1:]:
        name = g.op("Mul", name, g.value(factor, dtype))
    return name


def where(g: Graph, out: Results, condition: Any, x: Any, y: Any) -> str:
    """A choice."""
    dtype = out[0].dtype
    return g.op("Where", g.value(condition, np.bool), g.value(x, dtype), g.value(y, dtype))


def clip(g: Graph, out: Results, x: Any, low: Any = None, high: Any = None, *, min: Any = None, max: Any = None) -> str:
    """The lower bound first, as NumPy has it."""
    low, high = min if low is None else low, max if high is None else high
    name = g.value(x, out[0].dtype)
    for kind, bound in (("Max", low), ("Min", high)):
        if bound is not None:
            name = g.op(kind, name, g.value(bound, out[0].dtype))
    return name


def logaddexp(g: Graph, out: Results, x: Any, y: Any) -> str:
    """max(x, y) + softplus(-|x - y|)."""
    x, y = (g.value(v, out[0].dtype) for v in (x, y))
    return g.op("Add", g.op("Max", x, y), g.op("Softplus", g.op("Neg", g.op("Abs", g.op("Sub", x, y)))))


def normal_cdf(g: Graph, out: Results, x: Any) -> str:
    """(1 + erf(x/√2)) / 2."""
    dtype = out[0].dtype
    erf = g.op("Erf", g.op("Mul", g.value(x, dtype), g.value(0.7071067811865476, dtype)))
    return g.op("Mul", g.op("Add", erf, g.value(1, dtype)), g.value(0.5, dtype))


def base(kind: str, number: float) -> Operator:
    """A logarithm to some base, or a power of it."""

    def scaled(g: Graph, out: Results, x: Any) -> str:
        dtype = out[0].dtype
        if kind == "Exp":
            return g.op("Exp", g.op("Mul", g.value(x, dtype), g.value(math.log(number), dtype)))
        return g.op("Div", g.op("Log", g.value(x, dtype)), g.value(math.log(number), dtype))

    return scaled


def rounded(g: Graph, out: Results, x: Any, decimals: int = 0) -> str:
    """To whole numbers, ties to even."""
    if decimals:
        raise Unsupported(f"decimals={decimals}")
    return g.op("Round", g.value(x, out[0].dtype))


def axes_of(x: Value, axis: Any) -> tuple[int, ...]:
    """The axes that a reduction folds."""
    return normalize_axis_tuple(range(x.ndim) if axis is None else axis, x.ndim)


def reduction(kind: str) -> Operator:
    """An operator that folds axes."""

    def fold(g: Graph, out: Results, x: Value, axis: Any = None, dtype: Any = None, *, keepdims: bool = False) -> str:
        name = g.value(x, out[0].dtype)
        return folded(g, kind, name, axes_of(x, axis), keepdims)

    return fold


def folded(g: Graph, kind: str, name: str, axes: tuple[int, ...], keepdims: bool) -> str:
    """A reduction over axes, which may be none."""
    return g.op(kind, name, g.integers(*axes), keepdims=int(keepdims)) if axes else name


def truth(kind: str) -> Operator:
    """np.any and np.all, as the largest and the smallest of 0 and 1."""

    def fold(g: Graph, out: Results, x: Value, axis: Any = None, *, keepdims: bool = False) -> str:
        numbers = g.cast(g.value(x, np.bool), np.int32)
        return g.cast(folded(g, kind, numbers, axes_of(x, axis), keepdims), np.bool)

    return fold


def variance(g: Graph, out: Results, x: Value, axis: Any = None, dtype: Any = None, *, ddof: float = 0,
             keepdims: bool = False) -> str:  # fmt: skip
    """The mean of the squares of what differs from the mean."""
    axes, dtype = axes_of(x, axis), out[0].dtype
    name = g.value(x, dtype)
    centered = g.op("Sub", name, folded(g, "ReduceMean", name, axes, keepdims=True))
    squares = g.op("Mul", centered, centered)
    if not ddof:
        return folded(g, "ReduceMean", squares, axes, keepdims)
    sizes = [x.shape[i] for i in axes]
    if not all(type(n) is int for n in sizes):
        raise Unsupported("ddof over the batch")
    return g.op("Div", folded(g, "ReduceSum", squares, axes, keepdims), g.value(math.prod(sizes) - ddof, dtype))


def deviation(g: Graph, out: Results, x: Value, axis: Any = None, **params: Any) -> str:
    """The root of the variance."""
    return g.op("Sqrt", variance(g, out, x, axis, **params))


def along(kind: str) -> Operator:
    """Softmax and its logarithm."""

    def normalized(g: Graph, out: Results, x: Value, axis: int = -1) -> str:
        if not x.ndim:
            raise Unsupported("an array without axes")
        return g.op(kind, g.value(x, out[0].dtype), axis=axis)

    return normalized


def extreme(kind: str) -> Operator:
    """np.argmax and np.argmin: the first of equals."""

    def place(g: Graph, out: Results, x: Value, axis: int | None = None, *, keepdims: bool = False) -> str:
        name = g.value(x)
        if axis is None:
            if keepdims:
                raise Unsupported("keepdims without an axis")
            name, axis = g.op("Reshape", name, g.integers(-1)), 0
        return g.op(kind, name, axis=axis, keepdims=int(keepdims))

    return place


def cumsum(g: Graph, out: Results, x: Value, axis: int | None = None) -> str:
    """Sums so far."""
    name = g.value(x, out[0].dtype)
    if axis is None:
        name, axis = g.op("Reshape", name, g.integers(-1)), 0
    return g.op("CumSum", name, g.array(np.array(axis, np.int64)))


def einsum(g: Graph, out: Results, subscripts: str, *operands: Any, optimize: Any = False) -> str:
    """Einstein's summation, in NumPy's own notation."""
    if not isinstance(subscripts, str):
        raise Unsupported("lists of numbers as subscripts")
    return g.op("Einsum", *[g.value(x, out[0].dtype) for x in operands], equation=subscripts)


def convolution(
    g: Graph, out: Results, x: Value, weight: Value, *, stride: Any, padding: Any, dilation: Any, groups: int
) -> str:
    """Images with a kernel."""
    pads = [padding[0][0], padding[1][0], padding[0][1], padding[1][1]]
    operands = [g.value(v, out[0].dtype) for v in (x, weight)]
    return g.op("Conv", *operands, strides=list(stride), pads=pads, dilations=list(dilation), group=groups)


def tensordot(g: Graph, out: Results, x: Value, y: Value, axes: Any = 2) -> str:
    """Products summed over pairs of axes."""
    if isinstance(axes, int):
        axes = list(range(x.ndim - axes, x.ndim)), list(range(axes))
    pairs = [normalize_axis_tuple(a, v.ndim) for a, v in zip(axes, (x, y), strict=True)]
    first, second = string.ascii_lowercase[: x.ndim], list(string.ascii_uppercase[: y.ndim])
    for a, b in zip(*pairs, strict=True):
        second[b] = first[a]
    left = [first[i] for i in range(x.ndim) if i not in pairs[0]]
    left += [second[i] for i in range(y.ndim) if i not in pairs[1]]
    return einsum(g, out, f"{first},{''.join(second)}->{''.join(left)}", x, y)


def largest(
    g: Graph, out: Results, x: Value, *, size: Any, stride: Any, padding: Any, dilation: Any
) -> str:  # fmt: skip
    """The largest elements of windows. The rim is laid around before, because runtimes take narrow ones only."""
    name, dtype = g.value(x, out[0].dtype), out[0].dtype
    if padding != ((0, 0), (0, 0)):
        rim = [0, 0, padding[0][0], padding[1][0], 0, 0, padding[0][1], padding[1][1]]
        name = g.op("Pad", name, g.integers(*rim), g.value(-math.inf, dtype))
    return g.op("MaxPool", name, kernel_shape=size, strides=stride, dilations=dilation)


def dot(g: Graph, out: Results, x: Any, y: Any) -> str:
    """The last axis of x with the last but one of y."""
    return (
        tensordot(g, out, x, y, (x.ndim - 1, max(y.ndim - 2, 0)))
        if np.ndim(x) and np.ndim(y)
        else product(g, out, x, y)
    )


SAME = {
    "Abs": (np.absolute, np.fabs), "Acos": (np.arccos,), "Acosh": (np.arccosh,), "Add": (np.add,),
    "Asin": (np.arcsin,), "Asinh": (np.arcsinh,), "Atan": (np.arctan,), "Atanh": (np.arctanh,), "Ceil": (np.ceil,),
    "Cos": (np.cos,), "Cosh": (np.cosh,), "Div": (np.divide,), "Exp": (np.exp,), "Floor": (np.floor,),
    "Log": (np.log,), "MatMul": (np.matmul,), "Max": (np.maximum,), "Min": (np.minimum,), "Neg": (np.negative,),
    "Pow": (np.power, np.float_power), "Reciprocal": (np.reciprocal,), "Relu": (relu,), "Round": (np.rint,),
    "Sigmoid": (sigmoid,), "Sign": (np.sign,), "Sin": (np.sin,), "Sinh": (np.sinh,), "Softplus": (softplus,),
    "Sqrt": (np.sqrt,), "Sub": (np.subtract,), "Tan": (np.tan,), "Tanh": (np.tanh,),
}  # fmt: skip
OPERATORS: dict[Any, Operator] = SHAPING | {f: elementwise(kind) for kind, names in SAME.items() for f in names}
OPERATORS |= {
    np.multiply: product,
    np.square: lambda g, out, x: product(g, out, x, x),
    np.log2: base("Log", 2), np.log10: base("Log", 10), np.exp2: base("Exp", 2),
    np.logaddexp: logaddexp, activations.normal_cdf: normal_cdf, np.round: rounded, np.where: where, np.clip: clip,
    np.greater: comparison("Greater"), np.greater_equal: comparison("GreaterOrEqual"),
    np.less: comparison("Less"), np.less_equal: comparison("LessOrEqual"),
    np.equal: comparison("Equal"), np.not_equal: comparison("Equal", negated=True),
    np.isnan: lambda g, out, x: g.op("IsNaN", g.value(x)), np.isinf: lambda g, out, x: g.op("IsInf", g.value(x)),
    np.logical_and: logical("And"), np.logical_or: logical("Or"), np.logical_xor: logical("Xor"),
    np.logical_not: logical("Not"), np.bitwise_and: logical("And"), np.bitwise_or: logical("Or"),
    np.invert: logical("Not"),
    np.sum: reduction("ReduceSum"), np.mean: reduction("ReduceMean"), np.prod: reduction("ReduceProd"),
    np.max: reduction("ReduceMax"), np.min: reduction("ReduceMin"), np.amax: reduction("ReduceMax"),
    np.amin: reduction("ReduceMin"), logsumexp: reduction("ReduceLogSumExp"),
    np.any: truth("ReduceMax"), np.all: truth("ReduceMin"), np.var: variance, np.std: deviation,
    np.argmax: extreme("ArgMax"), np.argmin: extreme("ArgMin"), np.cumsum: cumsum,
    softmax: along("Softmax"), log_softmax: along("LogSoftmax"),
    convolve: convolution, max_pool: largest, np.einsum: einsum, np.tensordot: tensordot, np.dot: dot,
    np.inner: lambda g, out, x, y: tensordot(g, out, x, y, (x.ndim - 1, y.ndim - 1)),
}  # fmt: skip

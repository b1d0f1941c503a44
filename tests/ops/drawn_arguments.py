"""Arguments for every function, drawn by the names of its parameters: legal ones, and such as NumPy refuses.

Arrays hold NaN, infinities and zeros, and may be empty or 0-d; axes, counts and shapes may lie out of range.
"""

import inspect

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinygrad_mlp.rules import COMPOSITES, RULES, function_name

SHAPES = st.one_of(
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
    st.sampled_from([(), (2,), (3,), (2, 2), (3, 3), (3, 2), (2, 2, 2)]),
)
SPECIAL = st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -3.0, np.nan, np.inf, -np.inf])
PLAIN = st.integers(-24, 24).map(lambda n: n / 8)
ARRAYS = st.one_of(
    hnp.arrays(st.sampled_from([np.float64, np.float64, np.float32]), SHAPES, elements=elements, fill=st.nothing())
    for elements in (SPECIAL, PLAIN)
)
FINITE = hnp.arrays(st.sampled_from([np.float64, np.float64, np.float32]), SHAPES, elements=PLAIN)
INTEGERS = st.integers(-4, 4)
AXIS = st.integers(-3, 3)
AXES = st.one_of(st.none(), AXIS, st.lists(AXIS, max_size=3).map(tuple))
LENGTHS = st.integers(-1, 4)
INDICES = st.one_of(INTEGERS, hnp.arrays(int, hnp.array_shapes(max_dims=2, max_side=3), elements=INTEGERS))
MASKS = hnp.arrays(bool, SHAPES)
SEQUENCES = st.one_of(
    st.lists(FINITE, max_size=3),
    SHAPES.flatmap(lambda s: st.lists(hnp.arrays(float, s, elements=PLAIN), min_size=1, max_size=3)),
)
FRACTIONS = st.one_of(
    st.sampled_from([-0.1, 0.0, 0.3, 0.5, 1.0, 1.2]), st.lists(st.sampled_from([0.0, 0.25, 1.0, 1.5]))
)

ARGUMENTS = {  # by name, where a function says nothing of its own
    "axis": AXES,
    "axis1": AXIS,
    "axis2": AXIS,
    "axisa": AXIS,
    "axisb": AXIS,
    "axisc": AXIS,
    "axes": AXES,
    "keepdims": st.booleans(),
    "ddof": st.integers(0, 3),
    "correction": st.integers(0, 2),
    "offset": INTEGERS,
    "k": INTEGERS,
    "n": INTEGERS,
    "q": FRACTIONS,
    "order": st.sampled_from("CFAKX"),
    "shape": st.lists(LENGTHS, max_size=3).map(tuple),
    "source": AXES.filter(lambda a: a is not None),
    "destination": AXES.filter(lambda a: a is not None),
    "start": AXIS,
    "indices": INDICES,
    "condition": MASKS,
    "obj": INDICES,
    "shift": INTEGERS,
    "repeats": LENGTHS,
    "reps": st.lists(st.integers(0, 2), max_size=3).map(tuple),
    "new_shape": st.lists(st.integers(0, 3), max_size=2).map(tuple),
    "pad_width": st.one_of(LENGTHS, st.tuples(LENGTHS, LENGTHS)),
    "window_shape": LENGTHS,
    "kth": INTEGERS,
    "indices_or_sections": st.one_of(LENGTHS, st.lists(INTEGERS, max_size=3)),
    "arrays": SEQUENCES,
    "tup": SEQUENCES,
    "num": LENGTHS,
    "endpoint": st.booleans(),
    "retstep": st.booleans(),
    "returned": st.booleans(),
    "include_initial": st.booleans(),
    "edge_order": st.integers(0, 3),
    "increasing": st.booleans(),
    "N": st.one_of(st.none(), LENGTHS),
    "rowvar": st.booleans(),
    "bias": st.booleans(),
    "UPLO": st.sampled_from(["L", "U", "l", "x"]),
    "upper": st.booleans(),
    "full_matrices": st.booleans(),
    "compute_uv": st.booleans(),
    "ind": st.integers(-1, 3),
    "ord": st.sampled_from([None, 0, 1, -1, 2, -2, 3, 0.5, np.inf, -np.inf, "fro", "nuc", "x"]),
    "method": st.sampled_from(["linear", "lower", "higher", "midpoint", "nearest", "hazen", "x"]),
    "nan": st.just(1.5),
    "posinf": st.sampled_from([None, 3.0]),
    "neginf": st.sampled_from([None, 3.0]),
    "sparse": st.booleans(),
    "indexing": st.sampled_from(["xy", "ij", "x"]),
    "dtype": st.sampled_from([np.float32, np.float64]),
    "minlength": st.integers(-1, 3),
    "base": st.sampled_from([2.0, 10.0]),
    "period": st.sampled_from([1.0, 6.0]),
    "constant_values": st.sampled_from([0, 2.5]),
    "optimize": st.booleans(),
    "casting": st.sampled_from(["same_kind", "no", "x"]),
    "discont": st.none(),
    "dx": st.just(0.5),
    "tol": st.just(100),
    "kind": st.just("stable"),
    "stable": st.none(),
    "rcond": st.just(1e-9),
    "rtol": st.just(1e-9),
    "subok": st.just(value=False),
    "copy": st.just(value=True),
}
MODES = {
    "take": ["raise", "wrap", "clip", "x"],
    "choose": ["raise", "wrap", "clip", "x"],
    "pad": ["constant", "edge", "reflect", "symmetric", "wrap", "x"],
    "qr": ["reduced", "r", "complete", "x"],
}
CONVOLUTION = ["full", "same", "valid", "x"]
OWN = {  # function -> its arguments where they are not those above
    np.ldexp: {"n": INDICES},
    np.power: {"y": st.one_of(ARRAYS, INTEGERS)},
    np.linalg.cond: {"p": st.sampled_from([None, 1, -1, 2, -2, np.inf, "fro", "x"])},
    np.bincount: {"x": hnp.arrays(int, st.integers(0, 4), elements=st.integers(-1, 4)), "weights": ARRAYS},
    np.rot90: {"axes": st.tuples(AXIS, AXIS)},
    np.tensordot: {
        "axes": st.one_of(st.integers(-1, 3), st.tuples(AXIS, AXIS), st.tuples(*[st.lists(AXIS, max_size=2)] * 2))
    },
    np.linalg.tensordot: {"axes": st.integers(-1, 3)},
    np.compress: {"condition": hnp.arrays(bool, st.integers(0, 4))},
    np.take_along_axis: {"indices": hnp.arrays(int, SHAPES, elements=INTEGERS)},
    np.choose: {"a": hnp.arrays(int, SHAPES, elements=INTEGERS), "choices": SEQUENCES},
    np.select: {"condlist": st.lists(MASKS, max_size=2), "choicelist": SEQUENCES},
    np.interp: {"xp": st.lists(st.integers(0, 9), max_size=4).map(lambda x: np.sort(np.array(x, float)))},
    np.apply_along_axis: {"func1d": st.sampled_from([np.sum, np.cumsum, np.sort]), "axis": AXIS},
    np.insert: {"values": st.one_of(ARRAYS, st.just(1.5))},
    np.piecewise: {
        "condlist": st.one_of(MASKS, st.lists(MASKS, max_size=2)),
        "funclist": st.lists(st.sampled_from([np.square, np.negative, 2.0, 3]), max_size=3),
    },
    np.linalg.lstsq: {"rcond": st.sampled_from([None, -1, 1e-9])},
    np.block: {"arrays": st.one_of(SEQUENCES, st.lists(SEQUENCES, max_size=2))},
    np.linalg.norm: {"axis": st.one_of(st.none(), AXIS, st.tuples(AXIS, AXIS))},
    np.vecdot: {"axis": AXIS},
    np.linalg.vecdot: {"axis": AXIS},
    np.vander: {"x": ARRAYS},
    np.resize: {"new_shape": st.one_of(st.integers(-1, 3), st.lists(st.integers(0, 3), max_size=2).map(tuple))},
    np.full_like: {"fill_value": st.one_of(ARRAYS, st.just(1.5)), "shape": st.sampled_from([None, (2,), 3, (2, 2)])},
    np.reshape: {"shape": st.one_of(LENGTHS, ARGUMENTS["shape"])},
    np.convolve: {"mode": st.sampled_from(CONVOLUTION)},
    np.correlate: {"mode": st.sampled_from(CONVOLUTION)},
}
for function in (
    np.cumulative_sum, np.cumulative_prod, np.append, np.unstack, np.cross,
    np.sort,
):  # fmt: skip
    OWN[function] = {"axis": st.one_of(st.none(), AXIS)}
for function in (np.median, np.quantile, np.percentile, np.nanmedian, np.nanquantile, np.nanpercentile):
    OWN[function] = {"axis": st.one_of(st.none(), AXIS, st.lists(AXIS, min_size=1, max_size=3).map(tuple))}
# BLAS skips the products with a factor 0, and sums in an order of its own, where NaN and infinities show.
for function in (np.dot, np.inner, np.vdot, np.tensordot):
    OWN[function] = {**OWN.get(function, {}), "a": FINITE, "b": FINITE}
for function in (np.trapezoid, np.diff, np.linalg.cross):
    OWN[function] = {"axis": AXIS}
VARIADIC = {np.atleast_1d, np.atleast_2d, np.atleast_3d, np.broadcast_arrays, np.meshgrid}
EINSUM = st.sampled_from(
    ["ij,jk->ik", "ii", "ii->i", "i,i", "ij->ji", "...i,i", "i->ii", "ij,jk->il", "i.j", "", "->", "ijk->j", "i,j"]
)


@st.composite
def calls(draw, function):
    """Positional and keyword arguments."""
    if function is np.einsum:
        return (draw(EINSUM), *draw(st.lists(ARRAYS, min_size=1, max_size=2))), {}
    if function in VARIADIC:
        return tuple(draw(st.lists(ARRAYS, max_size=3))), {}
    args, params = [], {}
    for parameter in parameters(function):
        name, own = parameter.name, {**ARGUMENTS, **OWN.get(function, {})}
        if name == "mode" and function.__name__ in MODES:
            strategy = st.sampled_from(MODES[function.__name__])
        else:
            # LAPACK may never return from infinities.
            strategy = own.get(name, FINITE if function_name(function).startswith("np.linalg") else ARRAYS)
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if parameter.default is parameter.empty and parameter.kind is not parameter.KEYWORD_ONLY:
            args.append(draw(strategy))
        elif draw(st.booleans()):
            params[name] = draw(strategy)
    return tuple(args), params


def definition(function):
    """The composite, or one of the rules."""
    return COMPOSITES.get(function) or next(rule for rule in RULES[function] if rule is not None)


def parameters(function):
    """What a function takes on Tensors."""
    return list(inspect.signature(definition(function)).parameters.values())[0 if function in COMPOSITES else 2 :]

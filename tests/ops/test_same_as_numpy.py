"""Every function on drawn arguments, legal or not: a Tensor gives what its array gives, or the same kind of error."""

import contextlib
import warnings

import numpy as np
import pytest
from hypothesis import given
from ops.drawn_arguments import calls, definition
from tables import row

import tinygrad_mlp as tg
from tinygrad_mlp.errors import TinygradError
from tinygrad_mlp.rules import COMPOSITES, RULES, function_name

KINDS = (ValueError, TypeError, IndexError, ZeroDivisionError)


def outcome(function, args, params):
    """The results as a list, or the exception."""
    try:
        result = function(*args, **params)
    except Exception as error:
        return error
    return list(result) if isinstance(result, (list, tuple)) else [result]


def lifted(value):
    """Tensors in the place of arrays of floats."""
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return tg.Tensor(value, requires_grad=True)
    return type(value)(map(lifted, value)) if isinstance(value, (list, tuple)) else value


def check_same(function, args, params):
    """Compare the outcomes on Tensors and on arrays; go backward from what is differentiable."""
    expected = outcome(function, args, params)
    found = outcome(function, lifted(args), {name: lifted(value) for name, value in params.items()})
    if isinstance(found, TinygradError):  # refused in words, or NumPy's error in words
        return
    if isinstance(expected, Exception) or isinstance(found, Exception):
        kinds = [[kind for kind in KINDS if isinstance(x, kind)] for x in (expected, found)]
        assert set(kinds[0]) & set(kinds[1]), f"NumPy: {expected!r}, a Tensor: {found!r}"
        return
    assert len(found) == len(expected)
    for x, e in zip(found, expected, strict=True):
        value = x.data if isinstance(x, tg.Tensor) else np.asarray(x)
        assert (value.shape, value.dtype) == (np.shape(e), np.asarray(e).dtype)
        tolerance = 1e-3 if value.dtype == np.float32 else 1e-9
        np.testing.assert_allclose(value, e, rtol=tolerance, atol=tolerance)
    for x in found:
        if isinstance(x, tg.Tensor) and x.requires_grad:
            with contextlib.suppress(TinygradError, np.linalg.LinAlgError):  # a singular matrix
                x.backward(np.ones(x.shape, x.dtype), retain_graph=True)


NAN, INF = np.nan, np.inf
ONES = np.ones((2, 3))
REMEMBERED = {  # calls that once differed
    np.nanmax: [([NAN, NAN],)], np.nanmin: [([NAN, NAN],)], np.nanvar: [([-INF, NAN],)],
    np.nanstd: [([INF, NAN, 1.0],)],
    np.median: [([1.0, INF, INF],), ([],), ([1.0, 2.0, 4.0, 8.0],)], np.nanmedian: [([NAN, NAN],), ([INF, NAN, INF],)],
    np.quantile: [([1.0, INF], 0.5), ([1.0, 2.0], 1.5), ([-INF, 1.0], 0.0)], np.percentile: [([1.0, 2.0], 101)],
    np.interp: [([0.0, 1.0, 2.0], [0.0, 1.0, 2.0], fp) for fp in ([0.0, INF, 1.0], [1.0, 3.0, INF], [INF, 3.0, 4.0])]
    + [([0.5, 1.5], [0.0, 1.0, 2.0], [-INF, 3.0, INF]), ([0.5], [0.0], [2.0]), ([0.5], [0.0, 1.0], [2.0])],
    np.cov: [([[1.0, 2.0, 4.0]], None, False), (np.ones((0, 3)),), (np.ones((2, 2, 2)),)],
    np.average: [(ONES, 0, [1.0, -1.0]), (ONES, None, [1.0, 2.0]), (ONES, 0, [1.0, 2.0, 3.0])],
    np.diff: [(ONES, -1), (ONES, 1, 2), (2.0,)],
    np.cumulative_sum: [(ONES,), (2.0,)], np.cumulative_prod: [(ONES,), (2.0,)],
    np.gradient: [([1.0, 2.0],), ([1.0],), (ONES, 1.0, 2.0, 3.0), ([1.0, NAN, 4.0],), ([1.0, 2.0], [0.0, 1.0, 2.0])],
    np.tensordot: [(np.ones((2, 3)), np.ones((3, 2)), 2), (ONES, ONES, (2, 0))],
    np.vecdot: [(np.ones(2), np.ones((3, 1)))], np.cross: [(np.ones(1), np.ones(1))],
    np.linspace: [(0.0, 1.0, -1)], np.prod: [(2.0, 0), (2.0, -1), (2.0, 1)], np.sum: [(2.0, 0)], np.nansum: [(2.0, -1)],
    np.linalg.cond: [(np.zeros((2, 2)),)], np.linalg.norm: [(np.ones(2), "fro"), (np.ones((2, 2, 2)), 2)],
    np.trapezoid: [([1.0, 2.0], [[0.0, 1.0], [0.0, 3.0]])], np.modf: [([-INF, INF, 1.5],)],
    np.linalg.tensorsolve: [([0.5], [1.0])],
    np.linalg.lstsq: [
        (np.eye(4, 2) * s, [1.0, 2.0, 3.0, 4.0], rcond)
        for s, rcond in (([1e3, 1e-7], 1e-9), ([1.0, 5e-16], None), ([1.0, 5e-16], -1), ([1.0, 0.0], None))
    ],
    np.piecewise: [(ONES, [True, False], [np.square]), (2.0, np.zeros((2, 0), bool), [np.square])],
}  # fmt: skip


def check_remembered(function):
    """Hold the calls of a function that once differed to the law."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for first, *rest in REMEMBERED.get(function, []):
            with row(f"{function_name(function)} of {first}, {rest}"):
                check_same(function, (np.array(first), *(np.array(r) if isinstance(r, list) else r for r in rest)), {})


def test_what_once_differed_is_the_same():
    """Property: as below, on the calls of the past."""
    for function in REMEMBERED:
        check_remembered(function)


def room(function):
    """The module of what a function is on Tensors; ufuncs of NumPy before 2.2 do not tell theirs."""
    return getattr(definition(function), "__module__", "numpy")


# np.cross of Tensors goes on taking vectors of two numbers, which NumPy 2.5 gave up, and real eigenvalues of Tensors go
# on being real numbers, which NumPy 2.5 writes as complex ones; the table of cases tests them.
DIFFERENT = {np.cross, np.linalg.eig, np.linalg.eigvals} if np.lib.NumpyVersion(np.__version__) >= "2.5.0" else set()
NUMPYS_OWN = [f for f in [*RULES, *COMPOSITES] if function_name(f).startswith("np.") and f not in DIFFERENT]
FAMILIES = sorted({room(function) for function in NUMPYS_OWN})


@pytest.mark.parametrize("family", FAMILIES)
def test_same_as_numpy(family):
    """Property: on any arguments a Tensor gives NumPy's values, or the same kind of error; its gradient can be had."""
    for function in NUMPYS_OWN:
        if room(function) != family:
            continue

        @given(calls(function))
        def check(call):
            check_same(function, *call)  # noqa: B023 - called before the next turn

        with row(function_name(function)), warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            check()

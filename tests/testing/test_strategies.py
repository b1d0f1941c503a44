"""The strategies draw what they promise, and reach the corners they are there for."""

import numpy as np
import pytest
from hypothesis import find, given
from hypothesis import strategies as st

import tinygrad_mlp as tg
from tinygrad_mlp.testing import strategies


@given(strategies.arrays(dtype=np.float32, min_value=-1, max_value=2))
def test_arrays_keep_their_bounds(array):
    """Elements are within their bounds and exact in float32, whatever the layout."""
    assert array.dtype == np.float32
    assert ((array >= -1) & (array <= 2) & (array * 64 == np.round(array * 64))).all()


@pytest.mark.parametrize(
    "corner",
    [
        lambda x: x.ndim == 0,
        lambda x: x.size == 1 and x.ndim == 2,
        lambda x: x.size > 3 and not x.flags.c_contiguous and x.flags.f_contiguous,
        lambda x: x.ndim and x.size > 1 and x.strides[0] < 0,
        lambda x: x.size > 1 and not x.flags.forc and min(x.strides) > 0,
        lambda x: x.size > 3 and len(np.unique(x)) < x.size,
        lambda x: (x == 0).any() and x.any(),
    ],
)
def test_corners_are_reached(corner):
    """0-d, size 1, Fortran order, negative and wide strides, ties and zeros are all drawn."""
    assert corner(find(strategies.arrays(), corner))


def test_empty_arrays_are_reached():
    """Empty arrays come on demand."""
    assert find(strategies.arrays(strategies.shapes(min_side=0)), lambda x: x.size == 0).size == 0


@given(strategies.arrays(unique=True))
def test_unique(array):
    """With unique=True no two elements are equal."""
    assert len(np.unique(array)) == array.size


@given(strategies.arrays().flatmap(lambda x: st.tuples(st.just(x), strategies.layouts(x))))
def test_layouts_keep_the_values(pair):
    """A layout changes strides, never values."""
    assert np.array_equal(*pair)
    assert pair[0].dtype == pair[1].dtype


@given(strategies.broadcastable_arrays(3))
def test_broadcastable(arrays):
    """The shapes broadcast against each other."""
    assert np.broadcast(*arrays).ndim <= 3


@given(st.data(), strategies.arrays())
def test_axes_are_valid(data, array):
    """Every axis drawn is one that NumPy takes: a sum removes as many axes as are named."""
    axis = data.draw(strategies.axes(array.ndim))
    named = array.ndim if axis is None else np.size(axis)
    assert np.sum(array, axis=axis).ndim == array.ndim - named


def test_axes_reach_their_corners():
    """None, negative numbers and tuples of several are drawn."""
    for corner in (
        lambda a: a is None,
        lambda a: isinstance(a, int) and a < 0,
        lambda a: isinstance(a, tuple) and len(a) > 1,
    ):
        assert corner(find(strategies.axes(3), corner))


@given(strategies.labels(5, 3))
def test_labels(labels):
    """Labels are integers from 0 to classes - 1."""
    assert labels.shape == (5,)
    assert labels.dtype.kind == "i"
    assert (labels >= 0).all()
    assert (labels < 3).all()


@given(strategies.modules(3, 2))
def test_modules(module):
    """A module maps (N, in) to (N, out)."""
    assert module(np.ones((4, 3))).shape == (4, 2)


@given(strategies.programs(inputs=2, smooth=False), strategies.broadcastable_arrays(2))
def test_programs_run_on_arrays_and_print_as_python(program, arrays):
    """A program is a finite function of arrays of any shapes that broadcast, and its repr evaluates to the same one."""
    value = program(*arrays)
    assert np.isfinite(value).all()
    assert np.array_equal(eval(repr(program), {"np": np, "tg": tg})(*arrays), value)  # noqa: S307 - our own text


def test_programs_have_diamonds():
    """Some program lets one result go two ways that meet again."""
    found = find(strategies.programs(inputs=1), lambda p: repr(p).count("a ") + repr(p).count("a)") > 3)
    assert np.isfinite(found(np.array([0.5]))).all()

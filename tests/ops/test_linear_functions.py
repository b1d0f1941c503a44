"""Functions linear in x, on arrays of any shape: Σ w f(x) = Σ x ∇ holds exactly, without finite differences."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_mlp as tg

SHAPES = hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4)


def integers(shape, seed):
    """Whole numbers as floats, so that sums are exact in any order."""
    return np.random.default_rng(seed).integers(-9, 10, shape).astype(float)


def check(f, x):
    """Assert Σ w f(x) = Σ x ∇ and that the gradient, linear in w, has Σ w f as its own gradient."""
    tensor = tg.Tensor(x, requires_grad=True)
    out = f(tensor)
    np.testing.assert_array_equal(out.data, f(x))
    w = tg.Tensor(integers(out.shape, 1), requires_grad=True)
    gradient = tg.gradients(np.sum(out * w), tensor, create_graph=True)
    assert gradient.shape == x.shape
    assert np.sum(gradient.data * x) == np.sum(w.data * out.data)
    v = integers(x.shape, 2)
    if gradient.requires_grad:
        np.testing.assert_array_equal(tg.gradients(np.sum(gradient * v), w), f(v))


@st.composite
def arrays_with_axis(draw, count):
    """An array with some of its axes: negative or not, each once."""
    x = integers(draw(SHAPES.filter(lambda shape: len(shape) >= count)), 0)
    axes = draw(st.permutations(range(x.ndim)))[:count]
    return x, tuple(a - x.ndim if draw(st.booleans()) else a for a in axes)


@given(SHAPES.flatmap(lambda shape: st.tuples(st.just(shape), hnp.valid_tuple_axes(len(shape)))), st.booleans())
def test_sum(shape_and_axes, keepdims):
    """Property: sum is linear, over any axes of any shape."""
    shape, axes = shape_and_axes
    check(lambda x: np.sum(x, axis=axes, keepdims=keepdims), integers(shape, 0))


@given(arrays_with_axis(1), st.integers(-5, 5))
def test_one_axis(array_and_axis, n):
    """Property: what moves, repeats or adds up elements along one axis is linear."""
    x, (axis,) = array_and_axis
    check(lambda x: np.roll(x, n, axis=axis), x)
    check(lambda x: np.flip(x, axis), x)
    check(lambda x: np.cumsum(x, axis=axis), x)
    check(lambda x: np.repeat(x, abs(n), axis=axis), x)
    check(lambda x: np.moveaxis(x, axis, 0), x)
    check(lambda x: np.expand_dims(x, axis), x)
    check(lambda x: np.concatenate([x, 2 * x], axis=axis), x)
    check(lambda x: np.stack([x, 2 * x, x], axis=axis), x)
    if x.shape[axis]:
        check(lambda x: np.diff(x, axis=axis), x)
        check(lambda x: np.take(x, [n, 0, n], axis=axis, mode="wrap"), x)
        check(lambda x: np.array_split(x, 3, axis=axis)[1], x)


@given(arrays_with_axis(2), st.integers(-3, 3))
def test_two_axes(array_and_axes, k):
    """Property: what turns, swaps or cuts along two axes is linear."""
    x, (first, second) = array_and_axes
    check(lambda x: np.swapaxes(x, first, second), x)
    check(lambda x: np.rot90(x, k, (first, second)), x)
    check(lambda x: np.trace(x, k, first, second), x)
    check(lambda x: np.diagonal(x, k, first, second), x)
    check(lambda x: np.triu(x, k), x)


@given(SHAPES.flatmap(lambda shape: st.tuples(st.just(shape), hnp.basic_indices(shape, allow_newaxis=True))))
def test_basic_index(shape_and_index):
    """Property: slices, numbers, ellipsis and new axes pick linearly."""
    shape, index = shape_and_index
    check(lambda x: x[index] * 1, integers(shape, 0))


@given(
    hnp.array_shapes(max_dims=3, max_side=4).flatmap(
        lambda shape: st.tuples(st.just(shape), hnp.integer_array_indices(shape))
    )
)
def test_integer_index(shape_and_index):
    """Property: arrays of integers pick linearly, an element as often as it is named."""
    shape, index = shape_and_index
    check(lambda x: x[index], integers(shape, 0))


@given(hnp.array_shapes(max_dims=3, max_side=4).flatmap(lambda shape: hnp.arrays(bool, shape)))
def test_mask(mask):
    """Property: a mask picks linearly, in an index, in where and in extract."""
    x = integers(mask.shape, 0)
    check(lambda x: x[mask], x)
    check(lambda x: np.where(mask, x, 0), x)
    check(lambda x: np.extract(mask, x), x)


@given(
    hnp.array_shapes(max_dims=3, max_side=4).flatmap(
        lambda shape: st.tuples(
            st.just(shape), st.lists(st.tuples(*[st.integers(0, 5)] * 2), min_size=len(shape), max_size=len(shape))
        )
    ),
    st.sampled_from(["constant", "edge", "reflect", "symmetric", "wrap"]),
)
def test_pad(shape_and_width, mode):
    """Property: padding by elements or zeros is linear, however wide the rim."""
    shape, width = shape_and_width
    check(lambda x: np.pad(x, width, mode), integers(shape, 0))


@given(st.data())
def test_einsum(data):
    """Property: einsum is linear in each operand, whatever letters repeat, are summed, or stand in an ellipsis."""
    letter = st.sampled_from("ijk")
    terms = [data.draw(st.lists(letter, max_size=3)) for _ in range(data.draw(st.integers(1, 3)))]
    lengths = {a: data.draw(st.integers(0, 3)) for a in "ijk"}
    used = sorted({a for term in terms for a in term})
    result = data.draw(st.permutations(used))[: data.draw(st.integers(0, len(used)))]
    dots = [data.draw(st.integers(0, 2)) for _ in terms]
    written = ",".join("..." + "".join(t) for t in terms)
    subscripts = written + data.draw(st.sampled_from(["", "->..." + "".join(result)]))
    shapes = [(2, 3)[2 - d :] + tuple(lengths[a] for a in t) for d, t in zip(dots, terms, strict=True)]
    arrays = [integers(shape, i) for i, shape in enumerate(shapes)]
    for i, x in enumerate(arrays):
        check(lambda x, i=i: np.einsum(subscripts, *arrays[:i], x, *arrays[i + 1 :]), x)


@pytest.mark.parametrize(
    "f", [np.dot, np.inner, np.matmul, np.outer, np.kron, np.vdot, np.cross, np.convolve, np.multiply]
)
@given(data=st.data())
def test_products(f, data):
    """Property: a product is linear in each factor, for all shapes that NumPy accepts."""
    sides = st.just(3) if f is np.cross else st.integers(1, 3)
    dims = {np.convolve: (1, 1), np.cross: (1, 2), np.matmul: (1, 3)}.get(f, (0, 3))
    a, b = (integers(data.draw(st.lists(sides, min_size=dims[0], max_size=dims[1])), i) for i in range(2))
    try:
        f(a, b)
    except ValueError:
        return
    check(lambda x: f(x, b), a)
    check(lambda x: f(a, x), b)

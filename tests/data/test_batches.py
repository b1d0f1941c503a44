"""Mini-batches: every example once, pairs together, the generator decides; and the scaling of pixels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinygrad_mlp.data import batches, to_float
from tinygrad_mlp.errors import ArgumentError, ShapeError

lengths = st.integers(0, 50)
sizes = st.integers(1, 60)
seeds = st.integers(0, 2**32)


def pairs(n):
    """Examples of two equal elements, and labels that are minus the example."""
    x = np.repeat(np.arange(n), 2).reshape(n, 2)
    return x, -np.arange(n)


@given(lengths, sizes, seeds)
def test_an_epoch_is_a_permutation(n, size, seed):
    """Property: shuffled or not, every example comes once, with its own label."""
    x, y = pairs(n)
    for rng in (None, np.random.default_rng(seed)):
        epoch = list(batches(x, y, size, rng=rng))
        seen = [int(label) for _, yb in epoch for label in yb]
        assert sorted(seen) == sorted(y)
        for xb, yb in epoch:
            assert xb.shape == (len(yb), 2)
            np.testing.assert_array_equal(xb, -np.stack([yb, yb], axis=1))


@given(lengths, sizes, st.booleans())
def test_only_the_last_batch_is_partial(n, size, shuffle):
    """Property: all batches have `size` examples but the last, which has what is left, never none."""
    rng = np.random.default_rng(0) if shuffle else None
    found = [len(yb) for _, yb in batches(*pairs(n), size, rng=rng)]
    assert found == [size] * (n // size) + [n % size] * (n % size > 0)


@given(lengths, sizes)
def test_without_a_generator_in_order(n, size):
    """Property: without rng the batches, put together, are the input."""
    x, y = pairs(n)
    assert [int(label) for _, yb in batches(x, y, size) for label in yb] == list(y)


@given(st.integers(1, 50), sizes, seeds)
def test_same_seed_same_order(n, size, seed):
    """Property: equal generators give equal epochs, and the order is the generator's one permutation."""
    x, y = pairs(n)
    first, second, plain = (np.random.default_rng(seed) for _ in range(3))
    for _ in range(2):  # the second epoch too
        a = np.concatenate([yb for _, yb in batches(x, y, size, rng=first)])
        b = np.concatenate([yb for _, yb in batches(x, y, size, rng=second)])
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, y[plain.permutation(n)])


def test_epochs_differ():
    rng = np.random.default_rng(0)
    x, y = pairs(1000)
    first, second = (np.concatenate([yb for _, yb in batches(x, y, 128, rng=rng)]) for _ in range(2))
    assert (first != second).any()


def test_the_permutation_is_drawn_at_the_call():
    """A checkpoint written before the first batch is taken already holds the state after the permutation."""
    rng = np.random.default_rng(0)
    before = rng.bit_generator.state
    batches(*pairs(9), 2, rng=rng)
    assert rng.bit_generator.state != before


def test_data_is_handed_on_as_it_is():
    """uint8 stays uint8; in order the batches are views, shuffled they are copies."""
    x, y = np.zeros((9, 28, 28), np.uint8), np.zeros(9, np.uint8)
    for rng, shared in ((None, True), (np.random.default_rng(0), False)):
        xb, yb = next(batches(x, y, 4, rng=rng))
        assert xb.dtype == yb.dtype == np.uint8
        assert xb.shape == (4, 28, 28)
        assert np.shares_memory(xb, x) is shared
        assert np.shares_memory(yb, y) is shared


@pytest.mark.parametrize("size", [0, -1, 2.0, True, None, "8"])
def test_size_must_be_a_positive_integer(size):
    with pytest.raises(ArgumentError, match=f"batches: expected size, a positive integer, got {size!r}"):
        batches(*pairs(4), size)


def test_numpy_integers_are_integers():
    assert len(list(batches(*pairs(4), np.int64(2)))) == 2


def test_lengths_must_be_equal():
    """Raised by the call itself, not by the first step of a loop over it."""
    with pytest.raises(ShapeError, match=r"batches: expected x and y of equal length, got \(3, 2\) and \(4,\)"):
        batches(pairs(3)[0], pairs(4)[1], 2)
    with pytest.raises(ShapeError, match=r"equal length, got \(\) and \(\)"):
        batches(np.array(1), np.array(1), 2)


@pytest.mark.parametrize("rng", [0, np.random.RandomState(0)])
def test_rng_must_be_a_generator(rng):
    """A seed would give the same order in every epoch."""
    with pytest.raises(
        ArgumentError, match=r"batches: expected rng, a numpy.random.Generator or None, got .*default_rng"
    ):
        batches(*pairs(4), 2, rng=rng)


@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=3, min_side=0, max_side=6)))
def test_to_float(images):
    """Property: pixel / 255 rounded once to float32, flattened, within [0, 1]."""
    x = to_float(images)
    assert x.dtype == np.float32
    assert x.shape == (len(images), np.prod(images.shape[1:]))
    np.testing.assert_array_equal(x.ravel(), (images.astype(np.float64) / 255).astype(np.float32).ravel())
    assert ((x >= 0) & (x <= 1)).all()


def test_to_float_covers_the_whole_range():
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    x = to_float(pixels)
    assert x[0, 0] == 0
    assert x[0, 255] == 1
    assert (np.diff(x[0]) > 0).all()


@pytest.mark.parametrize(
    "images", [np.zeros((2, 4), np.float32), np.zeros((2, 4), np.int64), np.zeros(4, np.uint8), [[0, 1]]]
)
def test_to_float_wants_uint8_images(images):
    with pytest.raises(ArgumentError, match=r"to_float: expected uint8 images of shape .* got (.* of shape|a list)"):
        to_float(images)


class Frame:
    """What pandas and polars have in common, as far as it matters here."""

    def __init__(self, array):
        self.array = np.asarray(array)

    def to_numpy(self):
        return self.array


def test_lists_and_data_frames_are_arrays():
    x, y = pairs(6)
    expected = list(batches(x, y, 4))
    for form in (np.ndarray.tolist, Frame, lambda array: tuple(array)):
        for (xb, yb), (xe, ye) in zip(batches(form(x), form(y), 4), expected, strict=True):
            np.testing.assert_array_equal(xb, xe)
            np.testing.assert_array_equal(yb, ye)


def test_what_is_no_array_of_numbers_is_refused_with_a_cure():
    for x, message in (
        (
            [[1, 2], [3]],
            r"batches: expected x to be an array, got a list with rows of different lengths. Give all rows",
        ),
        ([["a"], ["b"]], r"expected x to hold numbers, got a list with dtype <U1, such as .*'a'.*. Number the classes"),
        (Frame([[1.0, "b"], [2.0, "c"]]), r"expected x to hold numbers, got a Frame with dtype <U32, .*Number the"),
    ):
        with pytest.raises(ArgumentError, match=message):
            batches(x, [0, 1], 2)

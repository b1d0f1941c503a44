"""Windows of images: which element is the largest, and what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ops.cases import POOLINGS
from tables import row

import tinygrad_mlp as tg
from tinygrad_mlp.errors import ArgumentError, ShapeError
from tinygrad_mlp.ops.pooling import elements, overlap_add

rng = np.random.default_rng(0)
pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))
rims = st.tuples(st.integers(0, 2), st.integers(0, 2))


@given(pairs, pairs, st.tuples(rims, rims), pairs)
def test_laying_windows_out_and_adding_them_up_are_transposes(size, stride, padding, dilation):
    """Property: ⟨elements(x), h⟩ = ⟨x, overlap_add(h)⟩."""
    how = {"size": size, "stride": stride, "padding": padding, "dilation": dilation}
    x = rng.normal(size=(2, 3, 7, 8))
    laid_out = elements(x, **how)
    h = rng.normal(size=laid_out.shape)
    np.testing.assert_allclose(np.sum(overlap_add(h, x.shape, **how) * x), np.sum(laid_out * h), atol=1e-12)


def test_the_first_of_equals_gets_the_gradient():
    """As in PyTorch. NaN is the largest of all, so that it is passed on."""
    x = np.array([[1.0, 1.0, 3.0, 0.0], [1.0, 0.0, 0.0, 3.0], [0.0, np.nan, 5.0, 4.0], [np.nan, 2.0, 4.0, 5.0]])
    gradient = tg.grad(lambda x: np.sum(tg.max_pool2d(x, 2) * np.array([[2.0, 3.0], [5.0, 7.0]])))(x[None, None])
    np.testing.assert_array_equal(gradient[0, 0], [[2, 0, 3, 0], [0, 0, 0, 0], [0, 5, 7, 0], [0, 0, 0, 0]])
    assert np.isnan(tg.max_pool2d(x[None], 2)).tolist() == [[[False, False], [True, False]]]


def test_results_lie_as_their_images_do():
    """Property: with the batch last where the image has it last, so that no layer turns it round."""
    for _, how in POOLINGS[:3]:
        image = np.transpose(rng.normal(size=(6, 2, 7, 8)), (3, 1, 0, 2))  # (8, 2, 6, 7), the batch last
        laid_out = elements(image, **how)
        assert np.transpose(laid_out, (0, 3, 2, 4, 1)).flags.c_contiguous
        gradient = tg.grad(lambda x, how=how: np.sum(tg.max_pool2d(x, how["size"], how["stride"]) ** 2))(image)
        assert np.transpose(gradient, (2, 1, 3, 0)).flags.c_contiguous


BAD = [
    (lambda x: tg.max_pool2d(x[0, 0], 2), ShapeError, r"max_pool2d: expected images \(N, C, H, W\).*got \(5, 5\)"),
    (lambda x: tg.avg_pool2d(x, 6), ShapeError, r"avg_pool2d: .*as large as the kernel, \(6, 6\), got \(5, 5\)"),
    (lambda x: tg.max_pool2d(x, 3, padding=2), ArgumentError, r"at most half of the window \(3, 3\), got \(2, 2\)"),
    (lambda x: tg.avg_pool2d(x, 2, 0), ArgumentError, r"stride to be a whole number, at least 1, got 0"),
    (lambda x: tg.avg_pool2d(x, 2, divisor_override=0), ArgumentError, r"divisor_override to be a whole number"),
    (lambda x: tg.nn.GlobalAvgPool2d()(x[0, 0]), ShapeError, r"GlobalAvgPool2d: expected images"),
]


def test_bad_arguments():
    for call, error, message in BAD:
        with row(message), pytest.raises(error, match=message):
            call(rng.normal(size=(1, 2, 5, 5)))

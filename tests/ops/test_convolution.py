"""The convolution is the sum it says, and its three forms are one trilinear form."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ops.cases import CONVOLUTIONS
from tables import row

import tinygrad_mlp as tg
from tinygrad_mlp.errors import ArgumentError, ShapeError
from tinygrad_mlp.ops.convolution import convolution, convolution_input, convolution_weight

rng = np.random.default_rng(0)


def by_definition(x, weight, stride, padding, dilation, groups):
    """Σ_cij weight[o, c, i, j] · x[n, c, h s + i d - p, w s + j d - p], place by place."""
    x = np.pad(x, ((0, 0), (0, 0), *padding))
    (n, _, height, width), (out, channels, k, m) = x.shape, weight.shape
    rows = range(0, height - (k - 1) * dilation[0], stride[0])
    columns = range(0, width - (m - 1) * dilation[1], stride[1])
    y = np.zeros((n, out, len(rows), len(columns)))
    for o in range(out):
        group = x[:, o // (out // groups) * channels :][:, :channels]
        for h, top in enumerate(rows):
            for w, left in enumerate(columns):
                window = group[:, :, top :: dilation[0], left :: dilation[1]][:, :, :k, :m]
                y[:, o, h, w] = np.sum(window * weight[o], axis=(1, 2, 3))
    return y


def test_the_product_is_the_sum_of_the_definition():
    for images, weights, how in CONVOLUTIONS:
        x, weight = rng.normal(size=images), rng.normal(size=weights)
        with row((images, weights, how)):
            np.testing.assert_allclose(convolution(x, weight, **how), by_definition(x, weight, **how), rtol=1e-12)


pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))
rims = st.tuples(st.integers(0, 3), st.integers(0, 3))


@given(st.integers(0, 2), pairs, pairs, st.tuples(rims, rims), pairs, st.sampled_from([(1, 1), (1, 3), (2, 1), (3, 2)]))
def test_the_transposes_are_transposes(n, kernel, stride, padding, dilation, grouping):
    """Property: ⟨conv(x, w), g⟩ = ⟨x, conv_input(g, w)⟩ = ⟨w, conv_weight(x, g)⟩, whatever the kernel does."""
    groups, each = grouping
    how = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    x = rng.normal(size=(n, groups * each, 7, 8))
    weight = rng.normal(size=(2 * groups, each, *kernel))
    y = convolution(x, weight, **how)
    np.testing.assert_allclose(y, by_definition(x, weight, **how), rtol=1e-9, atol=1e-12)
    g = rng.normal(size=y.shape)
    to_input = convolution_input(g, weight, x.shape[2:], **how)
    to_weight = convolution_weight(x, g, kernel, **how)
    assert to_input.shape == x.shape
    assert to_weight.shape == weight.shape
    np.testing.assert_allclose(np.sum(to_input * x), np.sum(y * g), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(np.sum(to_weight * weight), np.sum(y * g), rtol=1e-9, atol=1e-12)


def test_one_image_goes_through_as_in_a_batch():
    x, weight, bias = rng.normal(size=(2, 5, 5)), rng.normal(size=(3, 2, 2, 2)), rng.normal(size=3)
    one = tg.conv2d(x, weight, bias, padding="same", dilation=2)
    assert one.shape == (3, 5, 5)
    np.testing.assert_array_equal(one, tg.conv2d(x[None], weight, bias, 1, 1, 2)[0])


def test_what_follows_finds_the_batch_last_in_memory():
    """No copy turns a result round; an elementwise op keeps the order of the axes."""
    y = tg.conv2d(rng.normal(size=(8, 2, 5, 5)), rng.normal(size=(3, 2, 2, 2)))
    assert np.transpose(np.maximum(y, 0), (2, 1, 3, 0)).flags.c_contiguous


BAD = [
    (lambda x, w: tg.conv2d(x[0, 0], w), ShapeError, r"images \(N, C, H, W\) and .*got \(5, 5\) and \(4, 2, 3, 3\)"),
    (lambda x, w: tg.conv2d(x, w[:, :1]), ShapeError, r"got \(1, 2, 5, 5\) and \(4, 1, 3, 3\) with groups=1"),
    (lambda x, w: tg.conv2d(x, w[:3, :1], groups=2), ShapeError, r"O a multiple of groups, got .* with groups=2"),
    (lambda x, w: tg.conv2d(x, w, dilation=3), ShapeError, r"as large as the kernel, \(7, 7\), got \(5, 5\)\. Pad"),
    (lambda x, w: tg.conv2d(x, w, stride=0), ArgumentError, r"stride to be a whole number, at least 1, got 0"),
    (lambda x, w: tg.conv2d(x, w, stride=(1, 2, 3)), ArgumentError, r"stride to be a whole number or two"),
    (lambda x, w: tg.conv2d(x, w, padding=-1), ArgumentError, r"padding to be a whole number, at least 0, got -1"),
    (lambda x, w: tg.conv2d(x, w, padding="full"), ArgumentError, r"'valid' or 'same', got 'full'"),
    (lambda x, w: tg.conv2d(x, w, stride=2, padding="same"), ArgumentError, r"stride 1 with padding='same'"),
    (lambda x, w: tg.conv2d(x, w, groups=1.0), ArgumentError, r"groups to be a whole number"),
]


def test_bad_arguments():
    for call, error, message in BAD:
        with row(message), pytest.raises(error, match=message):
            call(rng.normal(size=(1, 2, 5, 5)), rng.normal(size=(4, 2, 3, 3)))

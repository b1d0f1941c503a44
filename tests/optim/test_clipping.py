"""Clipping by norm and by value."""

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tables import row

import tinygrad_mlp as tg
from tinygrad_mlp.errors import ArgumentError, NonFiniteError
from tinygrad_mlp.optim import clip_grad_norm, clip_grad_value


def with_gradient(grad, name=None):
    grad = np.asarray(grad)
    tensor = tg.Tensor(np.zeros(grad.shape, grad.dtype), requires_grad=True, name=name)
    tensor.grad = grad.copy()
    return tensor


gradients = st.sampled_from([np.float32, np.float64]).flatmap(
    lambda dtype: st.lists(
        hnp.arrays(
            dtype,
            hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
            elements=st.floats(-1000, 1000, width=16),
        ),
        max_size=3,
    )
)


@given(gradients, st.floats(1e-3, 1e4))
def test_norm(grads, max_norm):
    """The norm over all gradients is returned; afterwards it is at most max_norm; direction and dtype are kept."""
    params = [with_gradient(grad) for grad in grads]
    before = np.concatenate([np.zeros(1), *(np.ravel(grad).astype(np.float64) for grad in grads)])
    norm = clip_grad_norm(params, max_norm)
    assert type(norm) is float
    assert norm == pytest.approx(np.linalg.norm(before), rel=1e-5)
    scale = min(1, max_norm / (norm + 1e-6))
    for param, grad in zip(params, grads, strict=True):
        assert param.grad.dtype == grad.dtype
        if scale == 1:
            assert np.array_equal(param.grad, grad)
        else:
            smallest = np.finfo(grad.dtype).smallest_subnormal
            np.testing.assert_allclose(
                param.grad, grad.astype(np.float64) * scale, rtol=4 * np.finfo(grad.dtype).eps, atol=2 * smallest
            )


@given(gradients, st.floats(0, 1e4, width=16))
def test_value(grads, limit):
    """Each element is brought into [-limit, limit], and left alone where it is there already."""
    params = [with_gradient(grad) for grad in grads]
    clip_grad_value(params, limit)
    for param, grad in zip(params, grads, strict=True):
        assert param.grad.dtype == grad.dtype
        assert np.array_equal(param.grad, np.where(np.abs(grad) > limit, np.sign(grad) * limit, grad))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("extreme", ["max", "smallest_subnormal"])
def test_norm_neither_overflows_nor_underflows(dtype, extreme):
    """Where squares leave the range of the dtype, the norm is right all the same."""
    value = getattr(np.finfo(dtype), extreme) * dtype(0.5 if extreme == "max" else 1)
    assert clip_grad_norm([with_gradient(np.full(4, value))], math.inf) == pytest.approx(
        2 * float(value), rel=1e-6, abs=0
    )


def test_gradients_are_edited_in_place_whatever_their_layout():
    """Views and transposed arrays too; parameters without gradient are skipped; pairs with names are taken."""
    whole = np.full((4, 6), 2.0)
    strided, missing = tg.Tensor(np.zeros((3, 4)), requires_grad=True), tg.Tensor([1.0], requires_grad=True)
    strided.grad = whole[:, ::2].T
    assert clip_grad_norm([("a", strided), ("b", missing)], 1.0) == pytest.approx(math.sqrt(48))
    assert missing.grad is None
    assert whole[0, 0] == pytest.approx(2 / math.sqrt(48))
    clip_grad_value([("a", strided), ("b", missing)], 0.1)
    assert whole[0].tolist() == [0.1, 2.0, 0.1, 2.0, 0.1, 2.0]


def test_nothing_to_clip():
    assert clip_grad_norm([], 1.0) == 0.0
    assert clip_grad_norm([with_gradient(np.zeros(3))], 0.0) == 0.0


@pytest.mark.parametrize(("bad", "expected"), [(math.nan, [math.nan, math.nan]), (math.inf, [math.nan, 0.0])])
def test_non_finite_norm_is_let_through_as_in_pytorch(bad, expected):
    """NaN spreads to all gradients; infinity becomes NaN, and the others zero."""
    params = [with_gradient(np.array([bad, 1.0], np.float32)), with_gradient(np.array([1.0], np.float32))]
    norm = clip_grad_norm(params, 1.0)
    assert norm == pytest.approx(bad, nan_ok=True)
    np.testing.assert_array_equal(np.concatenate([p.grad for p in params]), [*expected, expected[1]])


def test_non_finite_norm_is_an_error_on_request():
    """The message names the parameters; no gradient has changed."""
    params = [
        ("fc1.weight", with_gradient([5.0, math.nan])), ("fc1.bias", with_gradient([5.0])),
        with_gradient([math.inf], name="scale"), with_gradient([-math.inf]),
    ]  # fmt: skip
    with pytest.raises(NonFiniteError) as caught:
        clip_grad_norm(params, 1.0, error_if_nonfinite=True)
    assert str(caught.value) == (
        "clip_grad_norm: expected finite gradients, got fc1.weight NaN, scale infinity, number 3 of 4 infinity. "
        "Lower the learning rate, or find where it began with tg.debug()."
    )
    assert params[1][1].grad.tolist() == [5.0]
    assert clip_grad_norm([params[1]], 1.0, error_if_nonfinite=True) == 5.0


def test_norm_beyond_the_largest_float():
    """Finite gradients whose norm is not: said as it is."""
    params = [with_gradient([1.5e308]), with_gradient([1.5e308])]
    with pytest.raises(NonFiniteError, match="got a norm beyond the range of floating-point numbers"):
        clip_grad_norm(params, 1.0, error_if_nonfinite=True)


BAD = {
    "negative norm": (lambda: clip_grad_norm([], -1.0), "clip_grad_norm: expected max_norm to be a finite number"),
    "NaN norm": (lambda: clip_grad_norm([], math.nan), "clip_grad_norm: expected max_norm to be a finite number"),
    "negative limit": (lambda: clip_grad_value([], -1.0), "clip_grad_value: expected limit to be a finite number"),
    "one Tensor": (
        lambda: clip_grad_norm(with_gradient([1.0]), 1.0),
        "clip_grad_norm: expected an iterable of Tensors",
    ),
    "an array": (lambda: clip_grad_value([np.ones(2)], 1.0), "clip_grad_value: expected Tensors"),
}


def test_bad_arguments():
    for name, (call, message) in BAD.items():
        with row(name), pytest.raises(ArgumentError, match=re.escape(message)):
            call()

"""Running a model without training it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_mlp as tg
from tinygrad_mlp.errors import NonFiniteError
from tinygrad_mlp.train.evaluation import evaluating, predict

images = np.random.default_rng(0).integers(0, 256, (7, 2, 3), dtype=np.uint8)


@given(st.integers(1, 9))
@settings(max_examples=9)
def test_predictions_do_not_depend_on_the_batch(batch_size):
    """Property: whatever the batch size, one row of logits per image, of the pixels divided by 255; dropout is off."""
    model = tg.nn.MLP(6, 5, 4, dropout=0.9, rng=0)
    logits = predict(model, images, batch_size)
    with evaluating(model):
        expected = model(images.reshape(7, 6).astype(np.float32) / np.float32(255)).data
    np.testing.assert_allclose(logits, expected, rtol=1e-5, atol=1e-6)
    assert type(logits) is np.ndarray


def test_modes_come_back_after_an_error():
    model = tg.nn.Sequential(tg.nn.Dropout(0.5, rng=0).eval(), tg.nn.Dropout(0.5, rng=0))

    def fail():
        with evaluating(model):
            assert [m.training for _, m in model.named_modules()] == [False] * 3
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert [m.training for _, m in model.named_modules()] == [True, False, True]


@pytest.mark.parametrize("value", [np.nan, 3e38])
def test_logits_that_are_not_finite_have_no_class(value):
    model = tg.nn.MLP(6, 5, 4, rng=0)
    model.fc1.weight.data[...] = value
    with pytest.raises(
        NonFiniteError, match="predict: expected finite outputs of the network, got NaN or infinity for"
    ):
        predict(model, images)

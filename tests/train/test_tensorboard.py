"""The files of `tg.train.TensorBoard`, read back by TensorBoard itself."""

import doctest
import sys

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp.errors import ArgumentError, MissingExtraError
from tinygrad_mlp.train import TensorBoard, Trainer

X = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int)


def trained(directory, epochs, **options):
    model = tg.nn.Sequential(tg.nn.MLP(3, 4, 2, dropout=0.5, rng=0), tg.nn.BatchNorm1d(2))
    trainer = Trainer(model, tg.optim.SGD(model.parameters(), 0.1), callbacks=[TensorBoard(directory, **options)])
    trainer.fit((X, Y), (X, Y), epochs, batch_size=8, rng=0)
    return trainer


def read(directory):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(directory), size_guidance={"histograms": 0, "scalars": 0, "images": 0})
    return events.Reload()


@pytest.mark.extras
def test_tensorboard_reads_scalars_histograms_and_the_graph(tmp_path):
    trainer = trained(tmp_path, 2, every=2, example=(X[:4], Y[:4]))
    events = read(tmp_path)
    epochs = [f"epoch/{name}" for name in trainer.history[0]]
    assert sorted(events.Tags()["scalars"]) == sorted([*epochs, "step/loss", "step/lr"])
    for tag in epochs:
        found = [(event.step, event.value) for event in events.Scalars(tag)]
        expected = trainer.history.column(tag.removeprefix("epoch/"))
        assert found == [(3, pytest.approx(expected[0])), (6, pytest.approx(expected[1]))]
    assert [event.step for event in events.Scalars("step/loss")] == [2, 4, 6]
    assert events.Scalars("step/loss")[-1].value == pytest.approx(trainer.last_loss)
    names = [name for name, _ in trainer.model.named_parameters()]
    assert sorted(events.Tags()["histograms"]) == sorted([f"{r}/{n}" for r in ("weights", "gradients") for n in names])
    for name, parameter in trainer.model.named_parameters():
        for room, array in (("weights", parameter.data), ("gradients", parameter.grad)):
            last = events.Histograms(f"{room}/{name}")[-1]
            shown = last.histogram_value
            assert (last.step, shown.num) == (6, array.size)
            assert (shown.min, shown.max, shown.sum) == pytest.approx((array.min(), array.max(), array.sum()), rel=1e-5)
    (image,) = events.Images("graph")
    assert image.encoded_image_string.startswith(b"\x89PNG")
    assert min(image.width, image.height) > 100


@pytest.mark.extras
def test_the_drawing_changes_nothing_in_the_training(tmp_path):
    """Neither running statistics, nor generators, nor the mode."""
    with_it, without = trained(tmp_path / "a", 2, example=(X[:4], Y[:4])), trained(tmp_path / "b", 2)
    for name, value in without.model.state_dict().items():
        np.testing.assert_array_equal(with_it.model.state_dict()[name], value)
    assert "graph" not in read(tmp_path / "b").Tags()["images"]


@pytest.mark.extras
def test_a_resumed_run_hides_what_came_after_its_checkpoint(tmp_path):
    trainer = trained(tmp_path, 1)
    trainer.save(tmp_path / "last.npz")
    trainer.fit((X, Y), (X, Y), 3, batch_size=8, rng=0)
    trainer.resume(tmp_path / "last.npz")
    trainer.fit((X, Y), (X, Y), 2, batch_size=8, rng=0)
    assert [event.step for event in read(tmp_path).Scalars("epoch/epoch")] == [3, 6]


@pytest.mark.extras
def test_the_example_of_the_docs():
    from tinygrad_mlp.train import tensorboard

    assert doctest.testmod(tensorboard) == (0, 6)


@pytest.mark.extras
def test_bad_arguments(tmp_path):
    with pytest.raises(ArgumentError, match="TensorBoard: expected every to be at least 1 step, got 0"):
        TensorBoard(tmp_path, every=0)


def test_without_the_library_the_error_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'tinygrad-mlp\[tensorboard\]'"):
        TensorBoard(tmp_path)

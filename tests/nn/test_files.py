"""Weights in files: what was saved comes back, and what does not fit is refused."""

import sys

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp.errors import ArgumentError, DataError, MissingExtraError, StateError

ENDINGS = [".npz", pytest.param(".safetensors", marks=pytest.mark.extras)]
LAYOUTS = ["tinygrad_mlp", "torch"]


def network(seed, hidden=3):
    """Every layer with a state; its first weight is square."""
    rng = np.random.default_rng(seed)
    nn = tg.nn
    model = nn.Sequential(
        nn.Linear(3, 3, rng=rng),
        nn.LayerNorm(3),
        np.tanh,
        nn.BatchNorm1d(3),
        nn.Linear(3, hidden, bias=False, rng=rng),
        nn.Conv2d(2, 3, 3, rng=rng),
        nn.BatchNorm2d(2),
        nn.Embedding(3, 3, rng=rng),
        nn.MultiheadAttention(4, 2, rng=rng),
        nn.LSTM(4, 1, bidirectional=True, rng=rng),
        nn.GRU(3, 3, 2, rng=rng),
    )
    for value in model.state_dict().values():
        assert value.dtype == np.float32
    model.load_state_dict({n: rng.random(v.shape, np.float32) for n, v in model.state_dict().items()})
    return model.eval()


def same(model, state):
    found = model.state_dict()
    return list(found) == list(state) and all(np.array_equal(found[name], state[name]) for name in state)


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_was_saved_comes_back(ending, tmp_path):
    """In either layout, which the file itself says; a module of its own, without a name before the dot, too."""
    path = tmp_path / f"weights{ending}"
    for layout in LAYOUTS:
        for make in (network, lambda seed: tg.nn.Linear(2, 2, rng=seed), lambda seed: tg.nn.MLP(4, 5, 5, 2, rng=seed)):
            model, other = make(0), make(1)
            tg.nn.save(model, path, layout=layout)
            tg.nn.load(other, str(path))
            assert same(other, model.state_dict())
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_of_another_layout_or_shape_changes_nothing(ending, tmp_path):
    path, model = tmp_path / f"weights{ending}", network(1)
    before = model.state_dict()
    tg.nn.save(network(0), path, layout="torch")
    with pytest.raises(StateError, match=r"expected the layout 'tinygrad_mlp', got one of layout 'torch'. Leave"):
        tg.nn.load(model, path, layout="tinygrad_mlp")
    tg.nn.save(network(0, hidden=4), path)
    with pytest.raises(StateError, match=r"4.weight has shape \(3, 4\) instead of \(3, 3\)") as caught:
        tg.nn.load(model, path)
    assert caught.value.__notes__ == [f"The state was read from {path}."]
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="expected a whole file of weights, got one that cannot be read"):
        tg.nn.load(model, path)
    path.unlink()
    with pytest.raises(DataError, match="got no such file"):
        tg.nn.load(model, path)
    assert same(model, before)


def test_a_file_that_says_no_layout_is_not_guessed_at(tmp_path):
    path, model = tmp_path / "weights.npz", tg.nn.Linear(2, 2, rng=0)
    np.savez(path, weight=[[1.0, 2.0], [3.0, 4.0]], bias=[5.0, 6.0])
    with pytest.raises(StateError, match=r"expected a file that says its layout, got one that does not. Say layout='t"):
        tg.nn.load(model, path)
    tg.nn.load(model, path, layout="torch")
    assert model.weight.tolist() == [[1.0, 3.0], [2.0, 4.0]]
    tg.nn.load(model, path, layout="tinygrad_mlp")
    assert model.weight.tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_other_endings_and_layouts_are_refused(tmp_path):
    model = network(0)
    for do in (tg.nn.save, tg.nn.load):
        with pytest.raises(ArgumentError, match=r"expected a path that ends in .safetensors or .npz, got '.*w.pt'"):
            do(model, tmp_path / "w.pt")
        with pytest.raises(ArgumentError, match="expected layout 'tinygrad_mlp', 'torch', got 'jax'"):
            do(model, tmp_path / "w.npz", layout="jax")
    assert not list(tmp_path.iterdir())


def test_without_the_library_the_error_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.delitem(sys.modules, "safetensors.numpy", raising=False)
    for do in (tg.nn.save, tg.nn.load):
        with pytest.raises(MissingExtraError, match=r"pip install 'tinygrad-mlp\[safetensors\]', or write .npz"):
            do(network(0), tmp_path / "w.safetensors")


def test_a_checkpoint_is_not_taken_for_weights(tmp_path):
    path, model = tmp_path / "last.npz", tg.nn.MLP(2, 3, 2, rng=0)
    tg.train.Trainer(model, tg.optim.SGD(model.parameters(), 0.1)).save(path)
    said = (
        r"expected the state of a model, got the checkpoint of a run. Read its model with tg.train.checkpoint.load_mo"
    )
    with pytest.raises(StateError, match=said):
        tg.nn.load(model, path)
    with np.load(path) as state, pytest.raises(StateError, match=said):
        model.load_state_dict(state)


@pytest.mark.extras
def test_torch_layout_is_what_pytorch_writes(tmp_path):
    """Names, orientation and the count of batches of ``torch.nn.Sequential(...).state_dict()``."""
    from safetensors.numpy import load_file

    model, path = network(0, hidden=4), tmp_path / "weights.safetensors"
    tg.nn.save(model, path, layout="torch")
    found = load_file(path)
    shapes = {"0.weight": (3, 3), "0.bias": (3,), "1.weight": (3,), "1.bias": (3,), "4.weight": (4, 3)}
    batch_norm = dict.fromkeys([f"3.{name}" for name in ("weight", "bias", "running_mean", "running_var")], (3,))
    shapes |= dict.fromkeys([f"6.{name}" for name in ("weight", "bias", "running_mean", "running_var")], (2,))
    shapes |= {"6.num_batches_tracked": (), "5.weight": (3, 2, 3, 3), "5.bias": (3,)}
    first = {n: v.shape for n, v in found.items() if int(n.split(".")[0]) < 7}  # test_sequences.py has the others
    assert first == shapes | batch_norm | {"3.num_batches_tracked": ()}
    assert found["3.num_batches_tracked"].dtype == np.int64
    np.testing.assert_array_equal(found["0.weight"], model[0].weight.data.T)
    np.testing.assert_array_equal(found["5.weight"], model[5].weight.data)

"""Layers for sequences: values and gradients are PyTorch's, hold to second order, and are the same compiled."""

import importlib.util
import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from tables import row

import tinygrad_mlp as tg
from tinygrad_mlp.errors import ArgumentError, DtypeError, ShapeError

reference = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("make_sequence_reference.py"))))
SOURCES = ["stored", "live"] if importlib.util.find_spec("torch") else ["stored"]


def make(name):
    """The layer of a configuration, with the numbers that PyTorch's had, or a function."""
    kind, args, params, _, _ = reference.CONFIGURATIONS[name]
    if not hasattr(tg.nn, kind):
        return getattr(tg, kind)
    layer = getattr(tg.nn, kind)(*args, **params)
    for i, parameter in enumerate(layer.parameters()):
        parameter.data = reference.numbers(name, parameter.shape, i)
    return layer


def parameters(layer):
    return dict(layer.named_parameters()) if isinstance(layer, tg.nn.Module) else {}


def total(name, values):
    """Σ g · value."""
    return sum(np.sum(v * reference.numbers(name, v.shape, 50 + i)) for i, v in enumerate(values))


@pytest.mark.parametrize("source", SOURCES)
def test_values_and_gradients_are_those_of_pytorch(source):
    """Of every input and parameter; and a mask of -∞ is no mistake to `tg.debug`."""
    with np.load(Path(__file__).with_name("sequence_reference.npz"), allow_pickle=False) as file:
        stored = dict(file)
    assert {entry.split(": ")[0] for entry in stored} == set(reference.CONFIGURATIONS)
    for name, (*_, more) in reference.CONFIGURATIONS.items():
        layer = make(name)
        given = reference.inputs(name, lambda a: tg.Tensor(a, requires_grad=True))
        with row(name), tg.debug():
            values = reference.flat(layer(*given, **more))
            total(name, values).backward()
            found = {f"value {i}": v.data for i, v in enumerate(values)}
            leaves = [x for x in reference.flat(given) if isinstance(x, tg.Tensor)]
            found |= {f"input {i}": x.grad for i, x in enumerate(leaves)}
            found |= {n: p.grad for n, p in parameters(layer).items()}
            if source == "live":
                expected = reference.torch_results(name)
            else:
                parts = {entry: entry.split(": ") for entry in stored}
                expected = {parts[entry][1]: array for entry, array in stored.items() if parts[entry][0] == name}
            assert set(found) == set(expected)
            for entry, array in found.items():
                np.testing.assert_allclose(array, expected[entry], rtol=1e-10, atol=1e-12, err_msg=entry)


def on_a_line(name):
    """The weighted sum of the results as a function of where on a line through inputs and parameters they are."""
    layer, more = make(name), reference.CONFIGURATIONS[name][4]
    start, given = {n: p.data for n, p in parameters(layer).items()}, reference.inputs(name, lambda a: a)

    def f(t):
        def moved(x):
            if isinstance(x, tuple):
                return tuple(map(moved, x))
            return x + t * np.cos(x) if x.dtype.kind == "f" else x

        for path, value in start.items():
            owner, _, attribute = path.rpartition(".")
            setattr(getattr(layer, owner) if owner else layer, attribute, moved(value))
        return sum(np.sum(np.sin(v) * (i + 1)) for i, v in enumerate(reference.flat(layer(*map(moved, given), **more))))

    return f


def test_gradients_hold_to_second_order():
    """Property: along a line, the second derivative is the limit of differences of the first."""
    for name in reference.CONFIGURATIONS:
        slope, h = tg.grad(on_a_line(name)), 1e-5
        with row(name):
            expected = (slope(np.array(h)) - slope(np.array(-h))) / (2 * h)
            np.testing.assert_allclose(tg.grad(slope)(np.array(0.0)), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_compiled_layer_gives_the_same_bits(dtype):
    """Property: values and gradients, those of the layer's parameters or of the function's inputs."""
    for name, (*_, more) in reference.CONFIGURATIONS.items():
        layer = make(name)
        leaves = list(parameters(layer).values())
        for p in leaves:
            p.data = p.data.astype(dtype)

        def run(*given, layer=layer, leaves=leaves, more=more):
            values = reference.flat(layer(*given, **more))
            loss = sum(np.sum(np.sin(v)) for v in values)
            return [loss, *values, *tg.gradients(loss, leaves)] if leaves else loss

        compiled = tg.compile(run if leaves else tg.value_and_grad(run, (0, 1, 2)))
        eager = run if leaves else tg.value_and_grad(run, (0, 1, 2))
        for factor in (1, 1.5):
            given = reference.inputs(name, lambda a, factor=factor: (factor * a).astype(dtype))
            with row(name):
                found, expected = (reference.flat(f(*given)) for f in (compiled, eager))
                for a, b in zip(found, expected, strict=True):
                    a, b = (np.asarray(x.detach().data if isinstance(x, tg.Tensor) else x) for x in (a, b))
                    assert a.dtype == b.dtype == dtype
                    np.testing.assert_array_equal(a, b)


def test_attention_looks_at_nothing_forbidden():
    """Property: causal results and gradients do not depend on what comes later; a query without keys gets 0."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 5, 4))
    later = x.copy()
    later[:, 3:] = rng.normal(size=(2, 2, 4))
    for f in (lambda x: tg.scaled_dot_product_attention(x, x, x, is_causal=True), attention_of(4, is_causal=True)):
        np.testing.assert_array_equal(np.asarray(plain(f(x)))[:, :3], np.asarray(plain(f(later)))[:, :3])
    nothing = np.full((5, 5), -np.inf)
    np.testing.assert_array_equal(tg.scaled_dot_product_attention(x, x, x, nothing), np.zeros_like(x))
    assert not tg.grad(lambda x: np.sum(tg.scaled_dot_product_attention(x, x, x, nothing)))(x).any()


def attention_of(features, **more):
    layer = tg.nn.MultiheadAttention(features, 2, batch_first=True, rng=0, dtype=np.float64)
    return lambda x: layer(x, x, x, **more)[0]


def plain(x):
    return getattr(x, "data", x) if isinstance(x, tg.Tensor) else x


def test_a_mask_can_be_learned():
    """Property: numbers added to the scores have a gradient, 0 where they are -∞."""
    q, k, v = np.random.default_rng(0).normal(size=(3, 3, 4))
    mask = np.random.default_rng(1).normal(size=(3, 3))
    assert tg.testing.check_grads(lambda m: tg.scaled_dot_product_attention(q, k, v, m), mask, order=2)
    mask[0, 1] = -np.inf
    with tg.debug():
        gradient = tg.grad(lambda m: np.sum(tg.scaled_dot_product_attention(q, k, v, m) ** 2))(mask)
    assert np.isfinite(gradient).all()
    assert gradient[0, 1] == 0


def test_weights_are_dropped():
    """Property: each with the probability given, the others scaled; in evaluation none."""
    q, v = np.zeros((1, 4)), np.ones((1000, 1))
    k = np.zeros((1000, 4))
    out = tg.scaled_dot_product_attention(q, k, v, dropout_p=0.25, rng=0)
    assert 0.9 < out[0, 0] < 1.1
    assert out[0, 0] != 1
    layer = tg.nn.MultiheadAttention(4, 2, dropout=0.5, rng=0)
    x = np.ones((6, 1, 4), np.float32)
    assert (layer(x, x, x)[1].data == 0).any()
    assert (layer.eval()(x, x, x)[1].data > 0).all()


WRONG = [
    (lambda: tg.nn.Embedding(3, 2, rng=0)([0, 3]), ArgumentError, r"integers from 0 to 2, got integers from 0 to 3"),
    (lambda: tg.nn.Embedding(3, 2, rng=0)([-1]), ArgumentError, r"Make num_embeddings the number of kinds"),
    (lambda: tg.nn.Embedding(3, 2, rng=0)([1.0]), DtypeError, r"integers, the numbers of rows, got dtype float64"),
    (lambda: tg.nn.Embedding(3, 2, padding_idx=3, rng=0), ArgumentError, r"one of 3 rows, got 3"),
    (lambda: tg.nn.Embedding(0, 2, rng=0), ArgumentError, r"num_embeddings to be a whole number, at least 1, got 0"),
    (lambda: tg.nn.MultiheadAttention(6, 4, rng=0), ArgumentError, r"num_heads to divide embed_dim=6, got 4"),
    (lambda: attention_of(4)(np.ones(4)), ShapeError, r"query, key and value \(N, L, E\)"),
    (lambda: tg.scaled_dot_product_attention(*np.ones((3, 2))), ShapeError, r"queries \(…, L, E\) and keys"),
    (lambda: tg.scaled_dot_product_attention(*np.ones((3, 2, 2)), dropout_p=0.5), ArgumentError, r"rng to be a numpy"),
    (lambda: tg.scaled_dot_product_attention(*np.ones((3, 2, 2)), dropout_p=2, rng=0), ArgumentError, r"<= dropout_p"),
]  # fmt: skip


def test_what_does_not_fit_is_named():
    for call, kind, message in WRONG:
        with row(message), pytest.raises(kind, match=message):
            call()


def test_a_compiled_embedding_asks_again_whether_there_is_a_row():
    layer = tg.nn.Embedding(3, 2, rng=0)
    compiled = tg.compile(lambda x: np.sum(layer(x)))
    compiled(np.array([0, 2]))
    with pytest.raises(ArgumentError, match="got integers from 1 to 7"):
        compiled(np.array([1, 7]))


class Reader(tg.nn.Module):
    """Logits for a sequence of numbers, through each kind of layer."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.table = tg.nn.Embedding(5, 4, rng=rng)
        self.attention = tg.nn.MultiheadAttention(4, 2, dropout=0.2, batch_first=True, rng=rng)
        self.lstm = tg.nn.LSTM(4, 3, 2, batch_first=True, dropout=0.2, rng=rng)
        self.gru = tg.nn.GRU(3, 3, batch_first=True, bidirectional=True, rng=rng)
        self.head = tg.nn.Linear(6, 5, rng=rng)

    def forward(self, x):
        x = self.table(x)
        x = x + self.attention(x, x, x, need_weights=False, is_causal=True)[0]
        return self.head(self.gru(self.lstm(x)[0])[0][:, -1])


def test_the_trainer_gives_the_same_bits_compiled_or_not():
    """Property: also with weights that are dropped; and the loss falls."""
    x = np.random.default_rng(0).integers(0, 5, (48, 6))
    models = [Reader(), Reader()]
    for model, compiled in zip(models, (True, False), strict=True):
        trainer = tg.train.Trainer(model, tg.optim.Adam(model.parameters(), 0.02), compile=compiled)
        history = trainer.fit((x, x[:, 0]), (x, x[:, 0]), epochs=4, batch_size=16, rng=1)
        assert history[-1]["val_loss"] < np.log(5)
    for a, b in zip(*(model.parameters() for model in models), strict=True):
        np.testing.assert_array_equal(a.data, b.data)


def test_files_hold_weights_as_pytorch_lays_them(tmp_path):
    """Property: in PyTorch's layout those of attention, LSTM and GRU are transposed, a table of rows is not."""
    model, other = Reader(), Reader()
    for p in other.parameters():
        p.data = p.data + 1
    tg.nn.save(model, tmp_path / "w.npz", layout="torch")
    tg.nn.load(other, tmp_path / "w.npz")
    with np.load(tmp_path / "w.npz") as file:
        for (name, p), q in zip(model.named_parameters(), other.parameters(), strict=True):
            np.testing.assert_array_equal(file[name], p.data if name == "table.weight" else p.data.T, err_msg=name)
            np.testing.assert_array_equal(p.data, q.data)

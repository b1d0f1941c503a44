"""Models in ONNX files: onnxruntime computes what they do for batches of any size, or the export says why not."""

import doctest
import sys
from pathlib import Path

import numpy as np
import pytest
from nn.test_modules import CALLS, LAYERS
from numpy.lib.stride_tricks import sliding_window_view
from tables import row

import tinygrad_mlp as tg
from tinygrad_mlp.commands.cli import main
from tinygrad_mlp.commands.run import load
from tinygrad_mlp.errors import ArgumentError, CompileError, MissingExtraError

RNG = np.random.default_rng(0)


class Applied(tg.nn.Module):
    """A function as a module."""

    def __init__(self, function):
        self.function = function

    def forward(self, *args):
        return self.function(*args)


def run(model, path, example, *batches):
    """What onnxruntime makes of each batch, by the names of the outputs."""
    import onnxruntime

    tg.export_onnx(model, path, example)
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    names = [i.name for i in session.get_inputs()]
    outputs = [o.name for o in session.get_outputs()]
    return [dict(zip(outputs, session.run(None, dict(zip(names, b, strict=True))), strict=True)) for b in batches]


@pytest.mark.extras
def test_every_layer_agrees_with_onnxruntime_on_batches_of_other_sizes(tmp_path):
    """Also in a model of three layers, in which it stands between others; parameters and buffers keep their names."""
    import onnx

    for name, (make, shape, *_) in LAYERS.items():
        if name in CALLS:  # in OVER_TIME
            continue
        with row(name):
            model, path = tg.nn.Sequential(make(), make_again(shape)).eval(), tmp_path / "model.onnx"
            narrow = isinstance(model[0], (tg.nn.Conv2d, tg.nn.GELU))  # onnxruntime has no others
            dtype = np.float32 if narrow else np.float64
            for parameter in model.parameters():
                parameter.data = parameter.data.astype(dtype)
            batches = [RNG.normal(size=(size, *shape[1:])).astype(dtype) for size in (1, 2, 7)]
            found = run(model, path, batches[0], *[(b,) for b in batches])
            for x, y in zip(batches, found, strict=True):
                np.testing.assert_allclose(y["output"], np.asarray(model(x).detach()), atol=1e-5)
            file = onnx.load(path)
            onnx.checker.check_model(file, full_check=True)
            arrays = {i.name: onnx.numpy_helper.to_array(i) for i in file.graph.initializer}
            state = model.state_dict()
            assert {n for n in arrays if not n.startswith("constant")} <= set(state)
            assert {n for n, _ in model.named_parameters()} <= set(arrays)
            assert all(np.array_equal(arrays[n], state[n]) for n in set(arrays) & set(state))
            for value in (*file.graph.input, *file.graph.output):
                assert value.type.tensor_type.shape.dim[0].dim_param == "batch"


def make_again(shape):
    """A parameter behind the layer, so that results of all layers are Tensors."""
    model = Applied(lambda x: x * model.scale)
    model.scale = tg.Tensor(np.array(1.5), requires_grad=True)
    return model


BATCH_FIRST = {"batch_first": True, "rng": 0}
OVER_TIME = {  # name -> makes, and the number of arrays that they are called with; None stands for numbers of rows
    "Embedding": ([lambda: tg.nn.Embedding(11, 6, rng=0), lambda: tg.nn.Embedding(11, 6, padding_idx=0, rng=0)], None),
    "MultiheadAttention": ([lambda: tg.nn.MultiheadAttention(6, 2, **BATCH_FIRST), lambda: tg.nn.MultiheadAttention(6, 3, bias=False, **BATCH_FIRST)], 3),
    "LSTM": ([lambda: tg.nn.LSTM(6, 4, **BATCH_FIRST), lambda: tg.nn.LSTM(6, 4, 2, bidirectional=True, **BATCH_FIRST)], 1),
    "GRU": ([lambda: tg.nn.GRU(6, 4, **BATCH_FIRST), lambda: tg.nn.GRU(6, 4, 2, bias=False, bidirectional=True, **BATCH_FIRST)], 1),
}  # fmt: skip


@pytest.mark.extras
def test_every_layer_over_time_agrees_with_onnxruntime_on_batches_of_other_sizes(tmp_path):
    """All their results: outputs, attention weights, last states."""
    import onnx

    assert set(OVER_TIME) == set(CALLS)
    for name, (makes, count) in OVER_TIME.items():
        for make in makes:
            with row(name):
                model, path = make(), tmp_path / "model.onnx"
                sizes = [(size, 5, 6) for size in (1, 2, 7)]
                if count is None:
                    batches = [(RNG.integers(0, 11, size[:2]),) for size in sizes]
                else:
                    batches = [tuple(RNG.normal(size=(count, *size)).astype(np.float32)) for size in sizes]
                for x, outputs in zip(batches, run(model, path, batches[1], *batches), strict=True):
                    for ours, theirs in zip(flat(model(*x)), outputs.values(), strict=True):
                        assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
                        np.testing.assert_allclose(theirs, ours, rtol=1e-5, atol=1e-5)
                assert {n for n, _ in model.named_parameters()} <= {i.name for i in onnx.load(path).graph.initializer}


TABLE = RNG.normal(size=(11, 4)).astype(np.float32)
WEIGHT = tg.Tensor(RNG.normal(size=(4, 4)).astype(np.float32), requires_grad=True)
KERNEL = RNG.normal(size=(6, 2, 3, 3)).astype(np.float32)


def embedded(tokens):
    return tg.Tensor(TABLE, requires_grad=True)[tokens]


def recurrent(x):
    """A loop over time, from a state of zeros, with gates that are split."""
    h, outputs = np.zeros_like(x, shape=(x.shape[0], 2)), []
    for t in range(x.shape[1]):
        gate, new = np.split(np.concatenate([x[:, t, :2], h], axis=1) @ WEIGHT, 2, axis=1)
        h = tg.sigmoid(gate) * h + np.tanh(new)
        outputs.append(h)
    return np.stack(outputs, axis=1), h


def attention(x):
    """Causal, with two heads."""
    n, length, features = x.shape
    q = np.transpose(np.reshape(x @ WEIGHT, (n, length, 2, features // 2)), (0, 2, 1, 3))
    scores = q @ np.swapaxes(q, -1, -2) / np.sqrt(2.0)
    p = tg.softmax(np.where(np.tril(np.ones((length, length), bool)), scores, -np.inf))
    return np.reshape(np.moveaxis(p @ q, 1, 2), (n, length, features))


def convolution(x):
    patches = sliding_window_view(np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))), (3, 3), axis=(2, 3))[:, :, ::2, ::2]
    return np.einsum("nchwij,kcij->nkhw", patches, KERNEL)


ROW, IMAGE = (4,), (2, 5, 6)
FUNCTIONS = {
    "embedding": (embedded, "tokens"),
    "embedding of an offset": (lambda t: embedded(np.reshape(t * 2 - t, (-1,))), "tokens"),
    "recurrent": (recurrent, (3, 4)),
    "attention": (attention, (5, 4)),
    "convolution": (convolution, IMAGE),
    "convolutions": (lambda x: [tg.conv2d(x, KERNEL, np.ones(6, np.float32), stride, padding, dilation) for stride, padding, dilation in ((1, "same", 1), (2, (1, 3), 1), ((1, 2), 2, (2, 1)))], IMAGE),
    "convolution in groups, one image": (lambda x: tg.conv2d(x, KERNEL[:4, :1], groups=2), IMAGE),
    "pools": (lambda x: [f(x, *how) for f in (tg.max_pool2d, tg.avg_pool2d) for how in ((2,), ((2, 3), (1, 2), 1), (3, 2, 1))], IMAGE),
    "pools of other kinds": (lambda x: [tg.max_pool2d(x, 2, 3, 1, 2, ceil_mode=True), tg.avg_pool2d(x, 2, 2, 1, ceil_mode=True, count_include_pad=False)], IMAGE),
    "rims": (lambda x: [np.pad(x, ((0, 0), (0, 0), (1, 2), (0, 1)), mode=mode) for mode in ("reflect", "edge", "wrap", "constant")], IMAGE),
    "max pool by windows": (lambda x: np.max(sliding_window_view(x, (2, 2), axis=(2, 3)), axis=(-2, -1)), IMAGE),
    "several results": (lambda x: {"a": x + 1, "b": [x.sum(axis=1), x.shape[0] * x]}, ROW),
    "arithmetic": (lambda x: 1 - x * 2.5 / (x**2 + 1) - (-x) + np.square(x) + 3 // 2, ROW),
    "of the mean of the batch": (lambda x: x - x.mean(axis=0), ROW),
    "of the size of the batch": (lambda x: x.sum() / x.shape[0] + np.zeros_like(x, shape=(x.shape[0], 4)), ROW),
    "constants of the size of the batch": (lambda x: np.concatenate([x, np.ones((len(x), 2), np.float32)], 1), ROW),
    "in place": (lambda x: np.negative(x).__iadd__(x.max(axis=1, keepdims=True)).__imul__(2.0), ROW),
    "exponentials": (lambda x: np.exp(x) + np.log(np.abs(x) + 1) + np.logaddexp(x, 2 * x) + tg.softplus(x) + 2.0**x, ROW),
    "bases": (lambda x: np.log2(np.abs(x) + 1) + np.log10(np.abs(x) + 1) + np.exp2(x) + np.sqrt(np.abs(x)), ROW),
    "angles": (lambda x: np.sin(x) + np.cos(x) + np.tanh(x) + np.arctan(x) + np.sinh(x) + np.tan(x / 10), ROW),
    "choices": (lambda x: np.where((x > 0) & ~(x >= 1) | (x != x), x, np.clip(x, -0.5, 0.5)) + np.minimum(x, 0), ROW),
    "rounding": (lambda x: np.floor(x) + np.ceil(x) + np.round(x) + np.sign(x), ROW),
    "reductions": (lambda x: [f(x, axis=a) for f in (np.sum, np.mean, np.max, np.min, np.prod, np.std) for a in (1, (1, 2), -1)], (3, 4)),
    "variance": (lambda x: np.var(x, axis=1, ddof=1, keepdims=True) + np.any(x > 0, axis=1, keepdims=True), ROW),
    "log-sum": (lambda x: tg.log_softmax(x) + tg.logsumexp(x, axis=1, keepdims=True), ROW),
    "classes": (lambda x: [np.argmax(x, axis=1), np.argmin(x, axis=-1), x.argmax(axis=0)], ROW),
    "cumulative": (lambda x: np.cumsum(x, axis=1), ROW),
    "slices": (lambda x: [x[:, 1], x[1:, ::2], x[..., -1:], x[:, None, ::-1], x[0], x[-1:, :2], x[:, 3:0:-2]], ROW),
    "ends that follow the batch": (lambda x: [x[: x.shape[0] - 1], x[x.shape[0] - 1]], ROW),
    "gathering": (lambda x: [x[:, np.array([[0, 2], [-1, 1]])], np.take(x, [1, 0], axis=1), x[np.array([0])]], ROW),
    "sorted places": (lambda x: np.take_along_axis(x, np.argmax(x, axis=1, keepdims=True), axis=1), ROW),
    "joining": (lambda x: np.concatenate([np.stack([x, 2 * x], axis=1), x[:, None]], axis=1), ROW),
    "shapes": (lambda x: np.ravel(np.squeeze(np.expand_dims(np.flip(x, axis=1), 0), axis=0)) * 2, ROW),
    "two axes of the batch": (lambda x: np.reshape(x[:, None] - x[None], (len(x), len(x) * 4)), ROW),
    "spreading": (lambda x: np.broadcast_to(x[:, None], (len(x), 3, 4)) + np.repeat(x, 3, axis=1).reshape(len(x), 3, 4), ROW),
    "padding": (lambda x: np.pad(x, ((0, 0), (1, 2)), mode="edge") + np.pad(x, ((0, 0), (2, 1)), constant_values=1.0), ROW),
    "triangles": (lambda x: np.tril(x) + np.triu(x, 1) * 2, (4, 4)),
    "products": (lambda x: [np.tensordot(x, TABLE, axes=(1, 1)), np.dot(x, TABLE.T), np.inner(x, TABLE), np.einsum("ni,ni->n", x, x)], ROW),
    "dtypes": (lambda x: [x.astype(np.float64) * np.float64(2), (x > 0) * x, (x > 0).astype(int) + 1], ROW),
    "a result that is an input": (lambda x: x, ROW),
}  # fmt: skip


def example(of, size):
    return RNG.integers(0, 11, (size, 3)) if of == "tokens" else RNG.normal(size=(size, *of)).astype(np.float32)


@pytest.mark.extras
def test_functions_agree_with_onnxruntime_on_batches_of_other_sizes(tmp_path):
    for name, (function, of) in FUNCTIONS.items():
        with row(name):
            model = Applied(function)
            batches = [example(of, size) for size in (1, 3, 6)]
            found = run(model, tmp_path / "model.onnx", batches[1], *[(b,) for b in batches])
            for x, outputs in zip(batches, found, strict=True):
                expected = flat(model(x))
                assert len(expected) == len(outputs)
                for ours, theirs in zip(expected, outputs.values(), strict=True):
                    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
                    np.testing.assert_allclose(theirs, ours, rtol=1e-5, atol=1e-5)


def flat(result):
    """The arrays of nested results."""
    if isinstance(result, (list, tuple, dict)):
        return [x for item in (result.values() if isinstance(result, dict) else result) for x in flat(item)]
    return [np.asarray(result.data if isinstance(result, tg.Tensor) else result)]


@pytest.mark.extras
def test_the_example_of_the_docs():
    import tinygrad_mlp.onnx

    assert doctest.testmod(tinygrad_mlp.onnx) == (0, 7)


@pytest.mark.extras
def test_several_inputs_are_called_as_forward_calls_them(tmp_path):
    class Two(tg.nn.Module):
        def forward(self, left, right):
            return left * right

    x, y = np.ones((2, 3), np.float32), np.full((2, 1), 4.0, np.float32)
    assert run(Two(), tmp_path / "m.onnx", (x, y), (x, y))[0]["output"].tolist() == [[4.0] * 3] * 2


@pytest.mark.extras
def test_parameters_keep_names_that_inputs_and_outputs_would_have(tmp_path):
    import onnx

    class Model(tg.nn.Module):
        def __init__(self):
            self.x, self.output = (tg.Tensor(np.full(2, n, np.float32), requires_grad=True) for n in (3.0, 4.0))

        def forward(self, x):
            return self.x * x + self.output

    (found,) = run(Model(), tmp_path / "m.onnx", np.ones((1, 2), np.float32), (np.ones((3, 2), np.float32),))
    assert found["output_output"].tolist() == [[7.0, 7.0]] * 3
    graph = onnx.load(tmp_path / "m.onnx").graph
    assert ([i.name for i in graph.initializer], [i.name for i in graph.input]) == (["x", "output"], ["x_input"])


@pytest.mark.extras
def test_the_model_is_exported_in_evaluation_and_stays_as_it_was(tmp_path):
    model = tg.nn.Sequential(tg.nn.Linear(4, 3, rng=0), tg.nn.BatchNorm1d(3), tg.nn.Dropout(0.5, rng=0))
    before, x = model.state_dict(), example(ROW, 3)
    found = run(model, tmp_path / "m.onnx", x, (x,))[0]["output"]
    assert all(module.training for _, module in model.named_modules())
    assert all(np.array_equal(before[name], value) for name, value in model.state_dict().items())
    np.testing.assert_allclose(found, model.eval()(x).data, atol=1e-6)


REFUSED = {
    "an op without a counterpart": (lambda x: np.sort(x, axis=1), r"in Sequential\.1: expected functions that have a counterpart in ONNX, got np\.sort"),
    "a branch on values": (lambda x: x if x.sum() > 0 else -x, r"got a branch \(if, and, while, bool\) on an array of the run"),
    "a branch on the size of the batch": (lambda x: x if len(x) < 3 else -x, r"expected a model that calls the same functions whatever the size .* batch_first=True"),
    "numbers of the size of the batch": (lambda x: x * len(x) ** 2, r"the same results from onnxruntime, for a batch of"),
    "fractions of the size of the batch": (lambda x: x * (1 / len(x)), r"expected numbers that do not depend on the batch, got 0\.5 and 0\.33"),
    "arrays of the size of the batch": (lambda x: x + np.arange(len(x))[:, None], r"one made from it, of shape \(2, 1\)"),
    "random numbers": (lambda x: x * np.random.default_rng().random(4), r"arrays that do not depend on the size of the batch"),
    "a mask as index": (lambda x: x[x > 0], r"arguments of getitem that have a counterpart in ONNX, got others \(a mask as index\)"),
    "arguments": (lambda x: np.sum(x, axis=1, initial=3.0), r"arguments of np\.sum .*got others .*unexpected keyword argument 'initial'"),
    "an edit in place": (lambda x: edited(x), r"expected results in new arrays, got an array that is edited in place"),
}  # fmt: skip


def edited(x):
    y = np.zeros_like(x)
    y[:, 0] = x[:, 0]
    return y


@pytest.mark.extras
def test_what_has_no_counterpart_is_refused_with_its_module_and_no_file_is_written(tmp_path):
    for name, (function, message) in REFUSED.items():
        path = tmp_path / "model.onnx"
        path.write_bytes(b"the old one")
        with row(name), pytest.raises(CompileError, match=message):
            tg.export_onnx(tg.nn.Sequential(tg.nn.ReLU(), Applied(function)), path, example(ROW, 2))
        assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"the old one"]


@pytest.mark.extras
def test_a_wrong_counterpart_is_noticed_before_the_file_is_written(tmp_path, monkeypatch):
    from tinygrad_mlp.onnx import operators

    monkeypatch.setitem(operators.OPERATORS, np.tanh, operators.elementwise("Sigmoid"))
    with pytest.raises(CompileError, match=r"expected the same results from onnxruntime, for a batch of 1, got a diff"):
        tg.export_onnx(tg.nn.Tanh(), tmp_path / "model.onnx", example(ROW, 2))
    assert not list(tmp_path.iterdir())


@pytest.mark.extras
def test_examples_without_a_batch_are_refused(tmp_path):
    for bad in (np.zeros((0, 4)), np.float32(1), ()):
        with row(bad), pytest.raises(ArgumentError, match="an example with elements, whose first axis is the batch"):
            tg.export_onnx(tg.nn.ReLU(), tmp_path / "model.onnx", bad)


@pytest.mark.extras
def test_the_command_exports_a_run(tmp_path, small_data, capsys):
    import onnxruntime

    run, out = str(tmp_path / "run"), tmp_path / "model.onnx"
    assert main(["train", "--data", str(small_data), "--epochs", "1", "--hidden", "5", "--out", run]) == 0
    assert main(["export", run, "--out", str(out)]) == 0
    assert " ".join(capsys.readouterr().out.split()).endswith(
        f"wrote {out}: x, float32 of shape (batch, 64), pixels from 0 to 1; output, the logits of 3 classes"
    )
    images = RNG.random((7, 64), np.float32)
    (found,) = onnxruntime.InferenceSession(out.read_bytes()).run(None, {"x": images})
    np.testing.assert_allclose(found, load(Path(run))[0](images).data, atol=1e-5)
    assert main(["export", run, "--out", str(tmp_path / "model.pb")]) == 2
    assert "export: expected --out FILE.onnx, got" in capsys.readouterr().err


def test_without_the_library_the_error_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'tinygrad-mlp\[onnx\]'"):
        tg.export_onnx(tg.nn.ReLU(), tmp_path / "model.onnx", np.zeros((1, 2)))

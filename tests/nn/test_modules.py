"""Module and the layers: one contract for all of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables import row

import tinygrad_mlp as tg
from tinygrad_mlp.errors import ArgumentError, DtypeError, ShapeError, StateError

F64 = {"dtype": np.float64}
# name -> (make, input shape, parameters, repr). A new layer needs a row here.
LAYERS = {
    "Linear": (lambda: tg.nn.Linear(3, 2, rng=0, **F64), (4, 3), 8, "Linear(3 → 2)  # weight (3, 2), bias (2,), 8 parameters"),
    "Linear without bias": (lambda: tg.nn.Linear(3, 2, bias=False, rng=0, **F64), (4, 3), 6, "Linear(3 → 2)  # weight (3, 2), 6 parameters"),
    "Linear, batched": (lambda: tg.nn.Linear(3, 2, rng=0, **F64), (5, 4, 3), 8, "Linear(3 → 2)  # weight (3, 2), bias (2,), 8 parameters"),
    "ReLU": (tg.nn.ReLU, (4, 3), 0, "ReLU()"),
    "Tanh": (tg.nn.Tanh, (4, 3), 0, "Tanh()"),
    "Sigmoid": (tg.nn.Sigmoid, (4, 3), 0, "Sigmoid()"),
    "GELU": (tg.nn.GELU, (4, 3), 0, "GELU()"),
    "SiLU": (tg.nn.SiLU, (4, 3), 0, "SiLU()"),
    "LeakyReLU": (lambda: tg.nn.LeakyReLU(0.2), (4, 3), 0, "LeakyReLU(0.2)"),
    "Softmax": (lambda: tg.nn.Softmax(0), (4, 3), 0, "Softmax(0)"),
    "Dropout": (lambda: tg.nn.Dropout(0.4, rng=0), (4, 3), 0, "Dropout(0.4)"),
    "LayerNorm": (lambda: tg.nn.LayerNorm(3, **F64), (4, 3), 6, "LayerNorm(3)  # weight (3,), bias (3,), 6 parameters"),
    "RMSNorm": (lambda: tg.nn.RMSNorm(3, **F64), (4, 3), 3, "RMSNorm(3)  # weight (3,), 3 parameters"),
    "BatchNorm1d": (lambda: tg.nn.BatchNorm1d(3, **F64), (4, 3), 6, "BatchNorm1d(3)  # weight (3,), bias (3,), 6 parameters"),
    "BatchNorm2d": (lambda: tg.nn.BatchNorm2d(3, **F64), (4, 3, 2, 3), 6, "BatchNorm2d(3)  # weight (3,), bias (3,), 6 parameters"),
    "BatchNorm2d, bare": (lambda: tg.nn.BatchNorm2d(3, affine=False, **F64), (2, 3, 2, 2), 0, "BatchNorm2d(3)"),
    "Flatten, some axes": (lambda: tg.nn.Flatten(1, -2), (4, 3, 2, 5), 0, "Flatten(1 to -2)"),
    "GELU, tanh": (lambda: tg.nn.GELU("tanh"), (4, 3), 0, "GELU(tanh)"),
    "Flatten": (tg.nn.Flatten, (4, 3, 2), 0, "Flatten()"),
    "Conv2d": (lambda: tg.nn.Conv2d(4, 2, 3, 2, 1, groups=2, rng=0, **F64), (2, 4, 3, 5), 38, "Conv2d(4 → 2, 3 × 3, stride (2, 2), padding 1, groups 2)  # weight (2, 2, 3, 3), bias (2,), 38 parameters"),
    "MaxPool2d": (lambda: tg.nn.MaxPool2d(3, 2, 1, dilation=2, ceil_mode=True), (2, 2, 5, 6), 0, "MaxPool2d(3, stride 2, padding 1, ceil_mode, dilation 2)"),
    "AvgPool2d": (lambda: tg.nn.AvgPool2d((2, 3)), (2, 2, 5, 6), 0, "AvgPool2d((2, 3))"),
    "GlobalAvgPool2d": (tg.nn.GlobalAvgPool2d, (2, 3, 4, 5), 0, "GlobalAvgPool2d()"),
    "Embedding": (lambda: tg.nn.Embedding(3, 2, rng=0, **F64), (2, 3, 2), 6, "Embedding(3 → 2)  # weight (3, 2), 6 parameters"),
    "MultiheadAttention": (lambda: tg.nn.MultiheadAttention(4, 2, rng=0, **F64), (3, 2, 4), 80, "MultiheadAttention(4, 2 heads)  # in_proj_weight (4, 12), in_proj_bias (12,), 80 parameters\n  (dropout): Dropout(0)\n  (out_proj): Linear(4 → 4)  # weight (4, 4), bias (4,), 20 parameters"),
    "LSTM": (lambda: tg.nn.LSTM(3, 2, rng=0, **F64), (4, 2, 3), 56, "LSTM(3 → 2)  # weight_ih_l0 (3, 8), weight_hh_l0 (2, 8), bias_ih_l0 (8,), bias_hh_l0 (8,), 56 parameters\n  (dropout): Dropout(0)"),
    "GRU": (lambda: tg.nn.GRU(3, 2, 2, bias=False, rng=0, **F64), (4, 2, 3), 54, "GRU(3 → 2, 2 layers)  # weight_ih_l0 (3, 6), weight_hh_l0 (2, 6), weight_ih_l1 (2, 6), weight_hh_l1 (2, 6), 54 parameters\n  (dropout): Dropout(0)"),
    "Sequential": (lambda: tg.nn.Sequential(tg.nn.Linear(3, 2, rng=0, **F64), np.tanh), (4, 3), 8, "Sequential()  # 8 parameters\n  (0): Linear(3 → 2)  # weight (3, 2), bias (2,), 8 parameters"),
    "MLP": (lambda: tg.nn.MLP(3, 2, 2, rng=0, **F64), (4, 3), 14, "MLP(3 → 2 → 2)  # 14 parameters\n  (fc1): Linear(3 → 2)  # weight (3, 2), bias (2,), 8 parameters\n  (activation1): ReLU()\n  (fc2): Linear(2 → 2)  # weight (2, 2), bias (2,), 6 parameters"),
}  # fmt: skip
# what a layer is called with where that is not one array, and which of its results is looked at
CALLS = {
    "Embedding": lambda layer, x: layer(np.array([[0, 2, 0], [1, 2, 2]])) + 0 * x,
    "MultiheadAttention": lambda layer, x: layer(x, x, x)[0],
    "LSTM": lambda layer, x: layer(x)[0],
    "GRU": lambda layer, x: layer(x)[0],
}


def call(name, layer, x):
    return CALLS[name](layer, x) if name in CALLS else layer(x)


every_layer = pytest.mark.parametrize("name", LAYERS)


def batch(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def test_every_layer_has_a_row():
    made = {type(make()) for make, *_ in LAYERS.values()}
    public = {value for value in vars(tg.nn).values() if isinstance(value, type)}
    assert made == public - {tg.nn.Module}


@every_layer
def test_parameters_and_repr(name):
    make, _, count, text = LAYERS[name]
    assert sum(p.size for p in make().parameters()) == count
    assert repr(make()) == text


@every_layer
def test_gradients_equal_central_differences(name):
    """Of the input and of every parameter, in training mode, along a random direction."""
    make, shape, *_ = LAYERS[name]
    layer, x = make(), tg.Tensor(batch(shape), requires_grad=True)
    weights = batch(call(name, layer, x).shape, seed=1)

    def loss():
        for _, module in layer.named_modules():
            if isinstance(module, tg.nn.Dropout):
                module.rng = np.random.default_rng(7)  # the same elements dropped each time
        return (call(name, layer, x) * weights).sum()

    def loss_with(leaf, data):
        before, leaf.data = leaf.data, data
        value = loss().item()
        leaf.data = before
        return value

    loss().backward()
    for leaf in [x, *layer.parameters()]:
        direction, h = batch(leaf.shape, seed=2), 1e-6
        slope = (loss_with(leaf, leaf.data + h * direction) - loss_with(leaf, leaf.data - h * direction)) / (2 * h)
        np.testing.assert_allclose((leaf.grad * direction).sum(), slope, rtol=1e-6, atol=1e-8)


@every_layer
def test_state_makes_a_round_trip(name):
    """Also buffers; the state is a copy, and loading copies."""
    make, shape, *_ = LAYERS[name]
    source, target = make(), make()
    for p in source.parameters():
        p.data += 1
    call(name, source, batch(shape))
    state = source.state_dict()
    target.load_state_dict(state)
    for array in state.values():
        array += 5
    source.eval()
    target.eval()
    x = tg.Tensor(batch(shape))
    np.testing.assert_array_equal(np.asarray(call(name, target, x).data), call(name, source, x).data)


@every_layer
def test_float32_in_float32_out(name):
    make, shape, *_ = LAYERS[name]
    layer = make()
    for p in layer.parameters():
        p.data = p.data.astype(np.float32)
    for _, module in layer.named_modules():
        if hasattr(module, "running_mean"):
            module.running_mean, module.running_var = np.zeros(3, np.float32), np.ones(3, np.float32)
    x = tg.Tensor(batch(shape).astype(np.float32), requires_grad=True)
    for mode in (True, False):
        out = call(name, layer.train(mode), x)
        assert out.dtype == np.float32
        out.sum().backward()
        assert x.grad.dtype == np.float32


class Net(tg.nn.Module):
    """Modules and parameters in every place they may stand."""

    def __init__(self):
        self.scale = tg.Tensor([1.0], requires_grad=True)
        self.blocks = [tg.nn.Linear(2, 2, rng=0), tg.nn.Linear(2, 2, rng=1)]
        self.heads = {"a": tg.nn.Linear(2, 1, rng=2), "b": (tg.nn.Linear(2, 1, rng=3),)}
        self.shared = self.blocks[0]
        self.mean = np.zeros(2)
        self.note = "not a parameter"


def test_lists_dicts_and_shared_modules():
    names = [name for name, _ in Net().named_parameters()]
    assert names == [
        "scale", "blocks.0.weight", "blocks.0.bias", "blocks.1.weight", "blocks.1.bias",
        "heads.a.weight", "heads.a.bias", "heads.b.0.weight", "heads.b.0.bias",
    ]  # fmt: skip
    assert [path for path, _ in Net().named_modules()] == ["", "blocks.0", "blocks.1", "heads.a", "heads.b.0"]
    assert "mean" in Net().state_dict()


def test_a_module_in_a_cycle_is_walked_once():
    net = Net()
    net.blocks[0].parent = net
    assert len(list(net.named_parameters())) == 9


def test_train_and_eval_reach_every_module():
    net = Net().eval()
    assert not any(module.training for _, module in net.named_modules())
    assert all(module.training for _, module in net.train().named_modules())


def test_load_state_dict_names_every_problem_and_changes_nothing():
    model = tg.nn.MLP(3, 2, 2, rng=0)
    before = model.state_dict()
    state = model.state_dict()
    del state["fc1.bias"]
    state["fc9.bias"] = np.zeros(2)
    state["fc2.weight"] = np.zeros((5, 2))
    state["fc1.weight"] += 1
    with pytest.raises(StateError) as caught:
        model.load_state_dict(state)
    for part in ("fc1.bias is missing", "fc9.bias is unexpected", "fc2.weight has shape (5, 2) instead of (2, 2)"):
        assert part in str(caught.value)
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (np.ones((3, 2)) * 1j, "fc1.weight has dtype complex128 instead of float32"),
        (np.full((3, 2), "1.0"), "fc1.weight has dtype <U3 instead of float32"),
        (np.full((3, 2), 1e300), "fc1.weight has values too large for float32"),
    ],
)
def test_load_state_dict_loses_nothing_but_digits(value, problem):
    model = tg.nn.MLP(3, 2, 2, rng=0)
    before = model.state_dict()
    with pytest.raises(StateError, match=problem):
        model.load_state_dict(before | {"fc2.weight": np.zeros((2, 2)), "fc1.weight": value})
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    model.load_state_dict(before | {"fc1.weight": np.full((3, 2), 1 / 3)})
    assert model.fc1.weight.data[0, 0] == np.float32(1 / 3)
    model.steps = np.zeros(2, np.int8)
    with pytest.raises(StateError, match="steps has values too large for int8"):
        model.load_state_dict(model.state_dict() | {"steps": np.array([1, 300])})


def test_weights_are_swapped_through_their_own_arrays():
    model = tg.nn.MLP(2, 2, 2, rng=0)
    first, second = model.fc1.weight.data.copy(), model.fc2.weight.data.copy()
    own = {name: p.data for name, p in model.named_parameters()}
    model.load_state_dict(own | {"fc1.weight": own["fc2.weight"], "fc2.weight": own["fc1.weight"]})
    np.testing.assert_array_equal(model.fc1.weight.data, second)
    np.testing.assert_array_equal(model.fc2.weight.data, first)


def test_shape_errors_name_the_module():
    model = tg.nn.Sequential(tg.nn.MLP(4, 3, 2, rng=0))
    with pytest.raises(ShapeError, match=r"np\.matmul in Sequential\.0\.fc1: .*\(5, 9\) and \(4, 3\)"):
        model(np.ones((5, 9), np.float32))


def test_zero_grad():
    model = tg.nn.Linear(2, 1, rng=0)
    model(np.ones((1, 2), np.float32)).sum().backward()
    model.zero_grad()
    assert all(p.grad is None for p in model.parameters())


BAD = [
    (lambda: tg.nn.Linear(2, 1, rng="0"), r"Linear: .*Generator or an integer seed.*rng=0"),
    (lambda: tg.nn.Linear(2, 1, init="best", rng=0), r"'he', 'xavier', 'normal', got 'best'"),
    (lambda: tg.nn.Linear(0, 1, rng=0), r"at least one feature"),
    (lambda: tg.nn.MLP(3, rng=0), r"sizes of input and output, got \(3,\)"),
    (lambda: tg.nn.MLP(3, 2, activation="swish", rng=0), r"'relu', 'tanh', 'sigmoid', 'gelu', got 'swish'"),
    (lambda: tg.nn.Conv2d(3, 4, 3, groups=2, rng=0), r"multiples of groups=2, got 3 in and 4 out"),
    (lambda: tg.nn.Conv2d(0, 4, 3, rng=0), r"in_channels to be a whole number, at least 1, got 0"),
    (lambda: tg.nn.Conv2d(1, 4, (3, 0), rng=0), r"kernel_size to be a whole number, at least 1, got 0"),
    (lambda: tg.nn.Conv2d(1, 4, 3, padding_mode="mirror", rng=0), r"'reflect', 'replicate', 'circular', got 'mirror'"),
    (lambda: tg.nn.GELU("erf")(1.0), r"approximate 'none', 'tanh', got 'erf'"),
    (lambda: tg.nn.Dropout(1.0, rng=0), r"0 <= p < 1, got 1\.0"),
    (lambda: tg.nn.Sequential(3), r"got 3 at position 0"),
]


def test_bad_arguments():
    for make, message in BAD:
        with row(message), pytest.raises(ArgumentError, match=message):
            make()


@pytest.mark.parametrize("dtype", [object, int])
def test_weights_are_floating_point(dtype):
    with pytest.raises(DtypeError, match="expected a floating-point dtype"):
        tg.nn.Linear(2, 1, rng=0, dtype=dtype)


def test_the_same_seed_gives_the_same_weights_whatever_the_dtype():
    a, b = tg.nn.MLP(5, 4, 3, rng=3), tg.nn.MLP(5, 4, 3, rng=3, dtype=np.float64)
    for p, q in zip(a.parameters(), b.parameters(), strict=True):
        np.testing.assert_array_equal(p.data, q.data.astype(np.float32))


@given(st.floats(0, 0.9), st.integers(0, 100))
def test_dropout_keeps_the_mean_and_evaluation_is_the_identity(p, seed):
    """Property: outputs are 0 or x/(1-p), about p of them 0; in evaluation the layer returns its input."""
    layer, x = tg.nn.Dropout(p, rng=seed), np.ones(4000)
    out = layer(x)
    assert set(np.unique(out.round(6))) <= {0.0, round(1 / (1 - p), 6)}
    assert abs((out == 0).mean() - p) < 5 * np.sqrt(p * (1 - p) / 4000) + 1e-9
    assert layer.eval()(x) is x


def test_batchnorm_follows_running_statistics():
    layer, rng = tg.nn.BatchNorm1d(2, dtype=np.float64), np.random.default_rng(0)
    x = rng.normal([3.0, -1.0], [2.0, 0.5], size=(64, 2))
    out = layer(x)
    np.testing.assert_allclose(out.data.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(layer.running_mean, 0.1 * x.mean(axis=0))
    np.testing.assert_allclose(layer.running_var, 0.9 + 0.1 * x.var(axis=0, ddof=1))
    for _ in range(200):
        layer(x)
    np.testing.assert_allclose(layer.eval()(x).data, (x - x.mean(0)) / np.sqrt(x.var(0, ddof=1) + 1e-5), rtol=1e-6)
    with pytest.raises(ShapeError, match="at least 2 rows"):
        layer.train()(x[:1])
    with pytest.raises(ShapeError, match=r"shape \(N, 2\)"):
        layer(x[0])


def test_flatten_takes_any_axes():
    """As PyTorch's, of a number too."""
    x = np.arange(24.0).reshape(2, 3, 4)
    for dims, shape in (((0, -1), (24,)), ((0, 1), (6, 4)), ((-1, -1), (2, 3, 4)), ((1, 2), (2, 12))):
        np.testing.assert_array_equal(tg.nn.Flatten(*dims)(x), x.reshape(shape))
    assert tg.nn.Flatten(0)(np.float64(3)).shape == (1,)
    for dims, shape in (((1, -1), (3,)), ((2, 1), (2, 3, 4)), ((0, 3), (2, 3, 4)), ((-4, -1), (2, 3, 4))):
        with pytest.raises(ShapeError, match=f"the axes from {dims[0]} to {dims[1]}, got"):
            tg.nn.Flatten(*dims)(np.zeros(shape))


def test_normalization_refuses_another_number_of_features():
    """Where the shapes would broadcast, a wrong number of features must not pass in silence."""
    for layer, shape in (
        (tg.nn.BatchNorm1d(3), (4, 1)),
        (tg.nn.BatchNorm1d(3).eval(), (4, 1)),
        (tg.nn.LayerNorm(3), (4, 1)),
        (tg.nn.RMSNorm(3), (4, 1)),
    ):
        with pytest.raises(ShapeError, match=r"3\), got \(4, 1\)"):
            layer(np.ones(shape))


def test_dropout_scales_integers_too():
    out = tg.nn.Dropout(0.2, rng=0)(np.arange(1, 9))
    assert set(out / np.arange(1, 9)) <= {0.0, 1.25}


def test_modules_take_keywords():
    class Scaled(tg.nn.Module):
        def forward(self, x, factor=1.0):
            return x * factor

    assert Scaled()(2.0, factor=3.0) == 6.0


def test_two_parameters_of_one_name_are_refused():
    class Twice(tg.nn.Module):
        def __init__(self):
            self.d = {"1": tg.Tensor([1.0]), 1: tg.Tensor([2.0])}

    with pytest.raises(StateError, match=r"a name of its own.*twice d\.1"):
        Twice().state_dict()


def test_layernorm_normalizes_rows():
    out = tg.nn.LayerNorm(5, dtype=np.float64)(batch((3, 5))).data
    np.testing.assert_allclose(out.mean(axis=-1), 0, atol=1e-12)
    np.testing.assert_allclose(out.std(axis=-1), 1, rtol=1e-4)


def test_an_empty_batch_goes_through():
    model = tg.nn.Sequential(tg.nn.Flatten(), tg.nn.MLP(4, 3, 2, dropout=0.5, rng=0))
    assert model(np.zeros((0, 2, 2), np.float32)).shape == (0, 2)


def test_the_scope_is_restored_after_an_exception():
    with pytest.raises(ShapeError):
        tg.nn.Linear(2, 2, rng=0)(np.ones((1, 3)))
    x = tg.Tensor([1.0], requires_grad=True)
    assert (x * 2).node.scope is None


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_an_optimizer_edits_in_place_begins_on_a_cache_line(dtype):
    layers = [tg.nn.Linear(7, n, rng=0, dtype=dtype) for n in range(1, 20)]
    optimizers = [tg.optim.AdamW(layer.parameters(), 1e-3) for layer in layers]
    arrays = [layer.weight.data for layer in layers]
    arrays += [array for some in optimizers for array in (some.blocks[0].change, *some.blocks[0].buffers.values())]
    assert {array.ctypes.data % 64 for array in arrays} == {0}

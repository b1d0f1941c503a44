"""Arrays that are not NumPy's pass through forward and backward without ever being made ndarrays."""

import numpy as np
import pytest
from duck import Duck
from tables import row

import tinygrad_mlp as tg

X = np.array([[0.3, -1.2, 0.8], [1.5, 0.4, -0.6]])
W = np.array([[0.2, -0.4], [0.9, 0.1], [-0.3, 0.7]])

REPRESENTATIVES = {
    "multiply": lambda x, w: x * np.swapaxes(w, 0, 1),
    "tanh": lambda x, w: np.tanh(x @ w),
    "power": lambda x, w: x**2 + (x**2 + 1) ** 0.5,
    "where": lambda x, w: np.where(x > 0, x, 0),
    "clip": lambda x, w: np.clip(x, -1, 1),
    "maximum": lambda x, w: np.maximum(x, 0.4),
    "sum": lambda x, w: np.sum(x, axis=-1, keepdims=True) * x,
    "mean": lambda x, w: x - np.mean(x, axis=0),
    "max": lambda x, w: np.max(x, axis=1),
    "var": lambda x, w: np.var(x, axis=1),
    "prod": lambda x, w: np.prod(x, axis=0),
    "cumsum": lambda x, w: np.cumsum(x, axis=1),
    "cumprod": lambda x, w: np.cumprod(x, axis=1),
    "reshape": lambda x, w: np.reshape(x, (3, 2)) * w,
    "transpose": lambda x, w: np.transpose(x) * w,
    "getitem": lambda x, w: x[:, 1:] * x[..., :1],
    "take": lambda x, w: np.take(x, [0, 2, 2], axis=1),
    "concatenate": lambda x, w: np.concatenate([x, np.transpose(w)]),
    "stack": lambda x, w: np.stack([x, np.transpose(w)], axis=1),
    "sort": lambda x, w: np.sort(x, axis=1),
    "pad": lambda x, w: np.pad(x, 1, mode="edge"),
    "tile": lambda x, w: np.tile(x, 2),
    "roll": lambda x, w: np.roll(x, 1, axis=0),
    "einsum": lambda x, w: np.einsum("ij,jk->ik", x, w),
    "dot": np.dot,
    "tensordot": lambda x, w: np.tensordot(x, w, 1),
    "kron": np.kron,
    "solve": lambda x, w: np.linalg.solve(x @ w, x),
    "inv": lambda x, w: np.linalg.inv(x @ w),
    "slogdet": lambda x, w: np.linalg.slogdet(x @ w)[1],
    "norm": lambda x, w: np.linalg.norm(x, axis=1),
    "median": lambda x, w: np.median(x, axis=1),
    "vstack": lambda x, w: np.vstack([x, np.transpose(w)]),
    "split": lambda x, w: np.split(x, 3, axis=1)[1],
    "diff": lambda x, w: np.diff(x),
    "relu": lambda x, w: tg.relu(x @ w),
    "sigmoid": lambda x, w: tg.sigmoid(x),
    "softmax": lambda x, w: tg.softmax(x),
    "log_softmax": lambda x, w: tg.log_softmax(x),
    "logsumexp": lambda x, w: tg.logsumexp(x, axis=-1),
    "cross_entropy": lambda x, w: tg.cross_entropy(x, np.array([0, 2])),
}


def gradients(f, kind):
    x, w = tg.Tensor(kind(X), requires_grad=True), tg.Tensor(kind(W), requires_grad=True)
    total = np.sum(f(x, w) ** 2)
    assert isinstance(total.data, kind if kind is Duck else np.ndarray)
    total.backward()
    return x.grad, w.grad


def test_first_order():
    """Property: forward and backward keep a foreign array what it is, and give the gradient of the plain one."""
    for name, f in REPRESENTATIVES.items():
        with row(name):
            for duck, array in zip(gradients(f, Duck), gradients(f, np.array), strict=True):
                assert (duck is None) == (array is None)
                if duck is not None:
                    assert isinstance(duck, Duck)
                    np.testing.assert_allclose(duck.values, array, rtol=1e-12)


def test_the_duck_refuses_to_be_coerced():
    """Property: the test above can fail: NumPy cannot make an array of a Duck unseen."""
    with pytest.raises(AssertionError, match="coerced"):
        np.asarray(Duck([1.0]))


def test_a_compiled_function_runs_as_it_is_on_other_arrays():
    """Property: the result is that of the function, of the kind that was given, and no program is written."""
    gradient = tg.grad(lambda x: np.sum(np.tanh(x) ** 2))
    compiled = tg.compile(gradient)
    for values in (X, 2 * X):  # a program would hold the first ones
        slope = compiled(Duck(values))
        assert isinstance(slope, Duck)
        np.testing.assert_array_equal(slope.values, gradient(values))
    assert compiled.programs == []


def network_gradients(kind, targets):
    """The loss and the gradients of a network whose parameters, data and targets are arrays of a kind."""
    model = tg.nn.MLP(5, 4, 3, rng=0, dtype=np.float64)
    for p in model.parameters():
        p.data = kind(p.data)
    loss = tg.cross_entropy(model(tg.Tensor(kind(np.sin(np.arange(40.0)).reshape(8, 5)))), kind(targets))
    loss.backward()
    return [loss.data, *(p.grad for p in model.parameters())]


TARGETS = [np.arange(8) % 3, np.arange(8, dtype=np.uint8) % 3, np.eye(3)[np.arange(8) % 3]]


def test_a_network_runs_on_ducks():
    """Property: loss and gradients of the MLP are ducks, with the numbers of NumPy's arrays."""
    for targets in TARGETS:
        for duck, array in zip(network_gradients(Duck, targets), network_gradients(np.array, targets), strict=True):
            np.testing.assert_allclose(duck.values, array, rtol=1e-12)


@pytest.mark.extras
def test_a_network_runs_on_dask_arrays():
    """Property: loss and gradients of the MLP are Dask arrays, not computed yet, that become those in memory."""
    import dask.array as da

    for targets in TARGETS:
        chunked = network_gradients(lambda values: da.from_array(np.asarray(values), chunks=3), targets)
        for dask, array in zip(chunked, network_gradients(np.array, targets), strict=True):
            assert isinstance(dask, da.Array)
            np.testing.assert_allclose(dask.compute(scheduler="synchronous"), array, rtol=1e-12)


@pytest.mark.extras
def test_the_table_of_functions_is_true():
    """Property: docs/arrays.md is what tests/arrays.py writes."""
    import arrays

    found = arrays.measured()
    assert all(not any(row["duck", compiled]) for row in found.values() for compiled in (False, True))
    assert arrays.written(arrays.page(found)) == arrays.PAGE.read_text(encoding="utf-8"), "run python tests/arrays.py"

"""An array that is not NumPy's: it must pass through forward and backward without ever being made an ndarray."""

import numpy as np
import pytest
from tables import row

import tinygrad_mlp as tg


class Duck(np.lib.mixins.NDArrayOperatorsMixin):
    """The least that NumPy's protocols ask of an array; ``np.asarray`` on it raises."""

    def __init__(self, values):
        self.values = np.asarray(values)

    shape = property(lambda self: self.values.shape)
    dtype = property(lambda self: self.values.dtype)
    ndim = property(lambda self: self.values.ndim)
    size = property(lambda self: self.values.size)
    T = property(lambda self: Duck(self.values.T))

    def astype(self, dtype):
        return Duck(self.values.astype(dtype))

    def copy(self):
        return Duck(self.values.copy())

    def __getitem__(self, index):
        return Duck(self.values[bare(index)])

    def __setitem__(self, index, value):
        self.values[bare(index)] = bare(value)

    def __len__(self):
        return len(self.values)

    def __array__(self, dtype=None, copy=None):
        raise AssertionError("coerced to an ndarray")

    def __array_ufunc__(self, ufunc, method, *args, **params):
        return wrapped(getattr(ufunc, method)(*map(bare, args), **{k: bare(v) for k, v in params.items()}))

    def __array_function__(self, function, types, args, params):
        return wrapped(function(*map(bare, args), **{k: bare(v) for k, v in params.items()}))


def bare(value):
    if isinstance(value, Duck):
        return value.values
    return type(value)(map(bare, value)) if isinstance(value, (list, tuple)) else value


def wrapped(value):
    if isinstance(value, (np.ndarray, np.generic)):
        return Duck(value)
    if hasattr(value, "_fields"):
        return type(value)(*map(wrapped, value))
    return type(value)(map(wrapped, value)) if isinstance(value, (list, tuple)) else value


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

"""An array that is not NumPy's, and can do no more than CuPy's can: it is never made an ndarray unseen."""

import numpy as np


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

    def reshape(self, *shape):
        return Duck(self.values.reshape(*shape))

    def sum(self, axis=None, keepdims=False):
        return Duck(self.values.sum(axis=axis, keepdims=keepdims))

    def max(self, axis=None, keepdims=False):
        return Duck(self.values.max(axis=axis, keepdims=keepdims))

    def __getitem__(self, index):
        return Duck(self.values[bare(index)])

    def __setitem__(self, index, value):
        self.values[bare(index)] = bare(value)

    def __len__(self):
        return len(self.values)

    def __bool__(self):
        return bool(self.values)

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

"""What may stand beside a Tensor in an op: what is recorded is differentiated rightly, or refused in words."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables import row

import tinygrad_mlp as tg
from tinygrad_mlp.errors import DtypeError, GraphError, ShapeError, TinygradError

X = np.array([[1.0, 20.0], [300.0, 4000.0]])

# Functions of an array and of a list of two Tensors, which stands for the array of them.
WITH_LISTS = [
    lambda x, items: x * items,
    lambda x, items: items * x,
    lambda x, items: x + items,
    lambda x, items: items - x,
    lambda x, items: x / items,
    lambda x, items: items / x,
    lambda x, items: x**items,
    lambda x, items: x @ items,
    lambda x, items: np.maximum(x, items),
    lambda x, items: np.hypot(items, x),
    lambda x, items: np.where(x > 100, x, items),
    lambda x, items: np.clip(x, items, None),
    lambda x, items: np.einsum("ij,j->i", x, items),
    lambda x, items: np.linalg.solve(x, items),
    lambda x, items: tg.mse_loss(x[0], items),
    lambda x, items: np.concatenate([x, [items]]),
    lambda x, items: np.stack([x, [items, items]]),
]


@given(st.sampled_from(WITH_LISTS), st.booleans(), st.floats(0.5, 2.0), st.floats(0.5, 2.0))
def test_a_list_of_tensors_is_the_array_of_them(f, with_x, a, b):
    """Property: values, and gradients to the second order, are those with np.stack; lists of numbers are arrays too."""
    x = tg.Tensor(X / 300, requires_grad=with_x)

    def slope(join):
        def g(a, b):
            return np.sum(np.tanh(f(x, join(a, b))) ** 2)

        return lambda a, b: tg.grad(g, (0, 1))(a, b)[0] * 1.0

    listed, stacked = (slope(join) for join in (lambda a, b: [a, b], lambda a, b: np.stack([a, b])))
    np.testing.assert_allclose(listed(a, b), stacked(a, b), rtol=1e-12)
    for second, reference in zip(tg.grad(listed, (0, 1))(a, b), tg.grad(stacked, (0, 1))(a, b), strict=True):
        np.testing.assert_allclose(second, reference, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(np.asarray(f(x, [a, b]).detach()), f(x.data, np.array([a, b])), rtol=1e-12)


def test_where_numpy_looks_into_a_list_of_tensors_it_says_what_to_write():
    a, b = tg.Tensor(2.0, requires_grad=True), tg.Tensor(3.0, requires_grad=True)
    for refused in [
        np.sum, np.mean, np.max, np.prod, np.linalg.norm,
        lambda items: np.dot(tg.Tensor(X), items),
        lambda items: np.tensordot(tg.Tensor(X), items, 1),
    ]:  # fmt: skip
        with row(refused), pytest.raises(GraphError, match=r"np\.stack\(\[x, y\]\)"):
            refused([a, b])
    with pytest.raises(ShapeError, match=r"np\.stack: .*\(2,\) and \(3,\)"):
        tg.Tensor(X) * [tg.Tensor(np.ones(2)), tg.Tensor(np.ones(3))]
    with pytest.raises(DtypeError, match=r"an array of Tensors\. Write np\.stack"):
        tg.Tensor(X) * np.frompyfunc([a, b].__getitem__, 1, 1)(np.arange(2))


class Frame:
    """A table of another library, which can give an array."""

    def __array__(self, dtype=None, copy=None):
        return np.array(X, dtype)


class Scaled(np.ndarray):
    """A subclass with a product of its own."""

    def __mul__(self, other):
        return np.asarray(self) @ other


def test_kinds_of_arrays_count_as_the_plain_array():
    """np.matrix too: its product, as an operand of an op, is that of arrays."""
    w = tg.Tensor(np.array([[1.0, 2.0], [0.5, -1.0]]), requires_grad=True)
    for kind in (X.view(np.matrix), Frame(), X.tolist(), X.view(np.recarray)):
        for f in (
            lambda x, w: x @ w,
            lambda x, w: w * x,
            lambda x, w: np.dot(w, x),
            lambda x, w: np.where(w > 0, x, w),
        ):
            with row(type(kind)):
                result = f(kind, w)
                np.testing.assert_array_equal(result.data, f(X, w.data))
                assert type(result.data) is np.ndarray
                expected = tg.gradients(np.sum(f(X, w) ** 2), w)
                np.testing.assert_array_equal(tg.gradients(np.sum(result**2), w), expected)
        assert type(tg.Tensor(kind).data) is np.ndarray
    x = tg.Tensor(X.view(np.matrix), requires_grad=True)
    np.sum(x * x).backward()
    np.testing.assert_array_equal(x.grad, 2 * X)


def test_layers_and_losses_take_lists_and_tables():
    makes = [lambda: tg.nn.Linear(2, 2, rng=0), tg.nn.ReLU, tg.nn.Tanh, tg.nn.Sigmoid, tg.nn.GELU, tg.nn.Flatten]
    makes += [lambda: tg.nn.Dropout(0.5, rng=0), lambda: tg.nn.LayerNorm(2), lambda: tg.nn.BatchNorm1d(2)]
    makes += [lambda: tg.nn.MLP(2, 3, 2, rng=0)]
    for make in makes:
        for mode in (True, False):
            with row(make):
                expected = np.asarray(make().train(mode)(tg.Tensor(X)).data)
                for given_as in (Frame(), X.tolist(), X):
                    result = make().train(mode)(given_as)
                    np.testing.assert_array_equal(getattr(result, "data", result), expected)
    for logits in (X, tg.Tensor(X)):
        for loss, targets in ((tg.cross_entropy, [0, 1]), (tg.cross_entropy, Frame()), (tg.mse_loss, X.T.tolist())):
            array = np.asarray(targets)
            with row(targets):
                np.testing.assert_array_equal(loss(logits, targets), np.asarray(loss(logits, array)))


def test_arrays_with_arithmetic_of_their_own_are_refused():
    w = tg.Tensor(np.ones((2, 2)), requires_grad=True)
    for kind in (np.ma.masked_array(X, X > 100), X.view(Scaled)):
        for use in (tg.Tensor, lambda x: w + x, lambda x: np.multiply(x, w), lambda x: np.concatenate([x, w])):
            with (
                row(type(kind)),
                pytest.raises(DtypeError, match=rf"a plain array, got a {type(kind).__name__}.*asarray"),
            ):
                use(kind)


@pytest.mark.parametrize("leave", [math.sin, float, lambda x: x.item(), lambda x: x.tolist(), "{:.3}".format])
def test_a_number_taken_out_of_what_is_differentiated(leave):
    """Inside a function that tg.grad differentiates it is refused; elsewhere, and on purpose, it is allowed."""
    text = isinstance(leave(tg.Tensor(0.5, requires_grad=True)), str)

    def f(x):
        leave(x.detach())
        with tg.no_grad():
            leave(x)
        leave(x)
        return x * 2.0

    for derivative in (tg.grad(f), tg.jacobian(f), lambda x: tg.vjp(f, x), lambda x: tg.hvp(f, x, 1.0)):
        if text:
            derivative(0.5)
        else:
            with pytest.raises(GraphError, match=r"whose gradient would be lost.*np\.sin.*x\.detach\(\)\.item\(\)"):
                derivative(0.5)
    leave(tg.Tensor(0.5, requires_grad=True))


def test_a_primitive_computes_on_its_arguments_alone():
    w = tg.Tensor([2.0, 3.0], requires_grad=True)

    @tg.rules.primitive
    def weighted(x):
        return x * w

    @tg.rules.primitive
    def both(x):
        return x, x

    for op, error, message in [
        (weighted, GraphError, r"weighted: .*arguments alone.*from outside.*an argument with a rule"),
        (both, DtypeError, r"both: .*one array, got tuple.*composite"),
    ]:
        tg.rules.derivative(op, lambda g, _, x: g)
        with row(op), pytest.raises(error, match=message) as caught:
            op(tg.Tensor([1.0, 1.0], requires_grad=True))
        assert isinstance(caught.value, TinygradError)


def test_a_sequence_of_arrays_is_declared():
    @tg.rules.primitive
    def total(arrays):
        return sum(np.sum(x) for x in arrays)

    tg.rules.derivative(total, lambda g, _, arrays: [g * np.ones(x.shape) for x in arrays], sequence=True)
    x, y = tg.Tensor([1.0, 2.0], requires_grad=True), tg.Tensor([[3.0]], requires_grad=True)
    total([x, y]).backward()
    np.testing.assert_array_equal(x.grad, [1.0, 1.0])
    np.testing.assert_array_equal(y.grad, [[1.0]])

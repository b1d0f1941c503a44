"""The graph: right on every shape of it, iterative, and gone by reference count."""

import gc
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_mlp as tg
from tinygrad_mlp.errors import GraphError, ShapeError


@pytest.fixture
def no_gc():
    """Only reference counts free anything."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def leaf(*values):
    return tg.Tensor(np.array(values, float), requires_grad=True)


def test_a_tensor_used_twice_gets_both_gradients():
    x = leaf(3.0)
    (x * x + x).sum().backward()
    np.testing.assert_array_equal(x.grad, [7.0])


def test_a_diamond_is_visited_once_per_node():
    """y = 2^30 x through thirty diamonds: a walk along every path would never end."""
    x = leaf(1.0)
    y = x
    for _ in range(30):
        y = y + y
    y.sum().backward()
    np.testing.assert_array_equal(x.grad, [2.0**30])


def test_branches_of_different_length_meet_in_order():
    """The short branch must wait for the long one: a depth-first walk without order gives half the gradient."""
    x = leaf(2.0)
    a = x * 3.0
    b = np.exp(np.log(np.tanh(a) + 2.0))
    (a * b).sum().backward()
    t = np.tanh(6.0)
    np.testing.assert_allclose(x.grad, [3 * (t + 2) + 6 * 3 * (1 - t * t)])


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6), st.booleans()), min_size=1, max_size=25))
def test_random_graphs_equal_forward_mode(program):
    """Property: on random graphs with shared nodes, backward equals the derivative carried along forward."""
    x = leaf(0.7)
    values, tangents = [x, x * 0.5], [1.0, 0.5]
    for i, j, multiply in program:
        a, b = i % len(values), j % len(values)
        if multiply:
            scale = 0.5 / (1 + abs(values[a].data) + abs(values[b].data))
            tangents.append(scale * (tangents[a] * values[b].data + tangents[b] * values[a].data))
            values.append(scale * values[a] * values[b])
        else:
            values.append((values[a] - values[b]) * 0.5)
            tangents.append((tangents[a] - tangents[b]) * 0.5)
    sum(values).sum().backward()
    np.testing.assert_allclose(x.grad, sum(tangents), rtol=1e-9, atol=1e-12)


def test_leaves_accumulate_and_results_do_not():
    x = leaf(1.0, 2.0)
    for _ in range(3):
        y = x * 2.0
        y.sum().backward()
    np.testing.assert_array_equal(x.grad, [6.0, 6.0])
    assert y.grad is None


def test_gradients_of_two_leaves_share_no_memory():
    """x + y hands the same array to both; editing one gradient, as clipping does, must leave the other."""
    x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)
    seed = np.ones(2)
    (x + y).backward(seed)
    x.grad *= 10
    np.testing.assert_array_equal(y.grad, [1.0, 1.0])
    np.testing.assert_array_equal(seed, [1.0, 1.0])


@pytest.mark.parametrize(
    "function", [lambda x: x.sum(), lambda x: np.broadcast_to(x, (3, 2)).sum(), lambda x: x.reshape(2, 1).sum()]
)
def test_a_gradient_can_be_edited(function):
    """Not a read-only view of one number, nor a view of someone else's array."""
    x = leaf(1.0, 2.0)
    function(x).backward()
    x.grad += 1
    assert x.grad.base is None


def test_a_chain_of_100_000_ops(no_gc):
    """Differentiates without recursion, and dies with its last Tensor, without the garbage collector."""
    x = leaf(1.0)
    y = x
    for _ in range(50_000):
        y = y * 1.00001 + 0.1
    first = weakref.ref(y)
    y.sum().backward()
    np.testing.assert_allclose(x.grad, [1.00001**50_000])
    del y
    assert first() is None


def test_a_graph_nobody_differentiates_dies_too(no_gc):
    x = leaf(1.0)
    refs = []
    y = x
    for _ in range(1000):
        y = y * 2.0 + x
        refs.append(weakref.ref(y))
    assert all(ref() is not None for ref in refs)
    del y
    assert not any(ref() is not None for ref in refs)


def test_backward_frees_what_it_has_passed(no_gc):
    """While backward runs, results nobody else holds go as soon as they are done with: memory falls on the way."""
    x = tg.Tensor(np.ones(1000), requires_grad=True)
    first = np.tanh(x)
    ref = weakref.ref(first)
    last = first * 2.0
    del first
    assert ref() is not None
    last.sum().backward()
    assert ref() is None
    assert last.requires_grad  # still says so, though it cannot run again


def test_a_second_backward_names_the_tensor_and_the_ways_out():
    x = tg.Tensor([1.0], requires_grad=True, name="x")
    y = np.tanh(x)
    y.name = "hidden"
    (y * 2.0).sum().backward()
    with pytest.raises(GraphError) as caught:
        (y * 3.0).sum().backward()
    message = str(caught.value)
    for part in ("'hidden'", "np.tanh", "shape (1,)", "freed", ".detach()", "retain_graph=True"):
        assert part in message


def test_retain_graph_allows_a_second_backward():
    x = leaf(2.0)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    np.testing.assert_array_equal(x.grad, [8.0])
    with pytest.raises(GraphError, match="freed"):
        y.backward()


def test_parameters_changed_between_forward_and_backward_are_noticed():
    """optimizer.step() before the second of two losses runs backward gives wrong gradients elsewhere, an error here."""
    w = tg.Tensor([2.0], requires_grad=True, name="w")
    first, second = (w * w).sum(), (w * w * w).sum()
    optimizer = tg.optim.SGD([w], 0.1)
    first.backward()
    optimizer.step()
    with pytest.raises(GraphError, match=r"'w', a leaf, shape \(1,\).*changed in place.*optimizer.step"):
        second.backward()


def test_load_state_dict_counts_as_a_change():
    model = tg.nn.Linear(2, 1, rng=0)
    loss = model(np.ones((1, 2), np.float32)).sum()
    model.load_state_dict(model.state_dict())
    with pytest.raises(GraphError, match="load_state_dict"):
        loss.backward()


def test_float32_stays_float32_through_scalars_and_reductions():
    x = tg.Tensor(np.ones((2, 3), np.float32), requires_grad=True)
    y = np.mean(np.tanh(x * 2.0 + 1) ** 2, axis=0) / 3
    assert y.dtype == np.float32
    y.sum().backward()
    assert x.grad.dtype == np.float32


def test_a_float32_input_of_a_float64_op_gets_a_float32_gradient():
    x = tg.Tensor(np.ones(3, np.float32), requires_grad=True)
    y = tg.Tensor(np.ones(3), requires_grad=True)
    (x * y).sum().backward()
    assert (x.grad.dtype, y.grad.dtype) == (np.float32, np.float64)


def test_a_zero_dimensional_gradient_is_an_array():
    x = tg.Tensor(2.0, requires_grad=True)
    (x * x).backward()
    assert isinstance(x.grad, np.ndarray)
    assert x.grad == 4.0


@pytest.mark.parametrize("wrong", [lambda g, out, x: g[:1, :2], lambda g, out, x: g.T, lambda g, out, x: g[0]])
def test_a_rule_with_a_gradient_of_the_wrong_shape_is_named(wrong):
    @tg.rules.primitive
    def doubled(x):
        return x * 2

    tg.rules.derivative(doubled, wrong)
    try:
        with pytest.raises(ShapeError, match=r"backward rule of doubled: expected a gradient of the shape \(2, 3\)"):
            doubled(tg.Tensor(np.ones((2, 3)), requires_grad=True)).sum().backward()
    finally:
        del tg.rules.RULES[doubled]


@given(st.data())
def test_broadcasting_is_undone(data):
    """Property: whatever axes an input was stretched along, its gradient is the sum over them, in its own shape."""
    shapes = data.draw(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, max_side=3)).input_shapes
    x, y = (tg.Tensor(np.random.default_rng(0).normal(size=shape), requires_grad=True) for shape in shapes)
    out = x * y
    out.sum().backward()
    for a, b in ((x, y), (y, x)):
        ones = np.ones(out.shape)
        full = np.broadcast_to(b.data, out.shape) * ones
        padded = (1,) * (out.ndim - a.ndim) + a.shape
        axes = tuple(i for i, n in enumerate(padded) if n == 1)
        np.testing.assert_allclose(a.grad, full.sum(axis=axes, keepdims=True).reshape(a.shape))

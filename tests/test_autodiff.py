"""The function transforms: closed forms, algebra, nesting, ownership, and what they refuse."""

import functools
import itertools
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tables import row

import tinygrad_mlp as tg
from tinygrad_mlp import autodiff, graph, tensor
from tinygrad_mlp.errors import ArgumentError, DtypeError, GraphError, ShapeError

numbers = st.integers(-128, 128).map(lambda n: n / 64)  # products of these never underflow
positive = st.floats(0.5, 2)
shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)
dtypes = st.sampled_from([np.float32, np.float64])


def arrays(shape, elements=numbers):
    return hnp.arrays(np.float64, shape, elements=elements)


def derivative_of_order(f, order):
    return functools.reduce(lambda g, _: tg.grad(g), range(order), f)


def network(a, x):
    return np.tanh(a @ x) * np.sum(x * x)


# -- closed forms ------------------------------------------------------------------------------------------------------


@given(positive, st.integers(0, 5), st.integers(0, 4))
def test_every_order_of_a_power(x, n, order):
    """Property: the k-th derivative of x**n is n (n-1) … (n-k+1) x**(n-k)."""
    factor = np.prod([float(n - k) for k in range(order)])
    expected = factor * x ** (n - order) if order <= n else 0.0
    np.testing.assert_allclose(derivative_of_order(lambda x: x**n, order)(x), expected, rtol=1e-12)


@given(numbers, numbers, st.integers(1, 5))
def test_every_order_of_an_exponential(a, x, order):
    """Property: the k-th derivative of exp(a x) is aᵏ exp(a x)."""
    result = derivative_of_order(lambda x: np.exp(a * x), order)(x)
    np.testing.assert_allclose(result, a**order * np.exp(a * x), rtol=1e-12)


@given(numbers)
def test_four_orders_of_tanh(x):
    """Property: tanh' = 1 - t², tanh'' = -2t(1 - t²), tanh''' = (6t² - 2)(1 - t²), tanh'''' = (16t - 24t³)(1 - t²)."""
    t = np.tanh(x)
    for order, factor in enumerate([1, -2 * t, 6 * t * t - 2, 16 * t - 24 * t**3], start=1):
        np.testing.assert_allclose(derivative_of_order(np.tanh, order)(x), factor * (1 - t * t), atol=1e-12)


@given(st.data(), shapes, dtypes)
def test_gradient_has_shape_and_dtype_of_its_argument(data, shape, dtype):
    """Property: grad gives an array of the argument's shape and dtype, at orders 1 and 2."""
    x = data.draw(arrays(shape)).astype(dtype)
    first = tg.grad(lambda x: np.sum(x * x * x))
    for result, expected in (
        (first(x), 3 * x * x),
        (tg.grad(lambda x: np.sum(first(x)))(x), 6 * x),
    ):
        assert isinstance(result, np.ndarray)
        assert (result.shape, result.dtype) == (shape, dtype)
        np.testing.assert_allclose(result, expected, rtol=1e-5)


@given(arrays((3, 3)), arrays(3))
def test_hessian_of_a_quadratic_form(a, x):
    """Property: the Hessian of ½ xᵀAx is ½ (A + Aᵀ), and hvp multiplies with it."""

    def form(x):
        return 0.5 * (x @ (a @ x))

    hessian = tg.hessian(form)(x)
    np.testing.assert_allclose(hessian, (a + a.T) / 2, atol=1e-12)
    np.testing.assert_allclose(tg.hvp(form, x, a[0]), hessian @ a[0], atol=1e-12)


# -- algebra -----------------------------------------------------------------------------------------------------------


@given(arrays((2, 3)), arrays(3), arrays(3), arrays(2))
def test_products_are_those_of_the_jacobian(a, x, v, w):
    """Property: jvp is J v and vjp is wᵀ J, with the J of `jacobian`."""
    matrix = tg.jacobian(network, argnum=1)(a, x)
    np.testing.assert_allclose(tg.jvp(lambda x: network(a, x), x, v)[1], matrix @ v, atol=1e-11)
    np.testing.assert_allclose(tg.vjp(lambda x: network(a, x), x)[1](w), w @ matrix, atol=1e-11)


@given(arrays((2, 3)), arrays(3), arrays((2, 3)), arrays(3))
def test_hessian_is_symmetric_and_hvp_multiplies_with_it(a, x, da, dx):
    """Property: H[i][j] is the transpose of H[j][i], and hvp over both arguments is the sum of the blocks times v."""

    def f(a, x):
        return np.sum(network(a, x) ** 2)

    (aa, ax), (xa, xx) = tg.hessian(f, argnum=(0, 1))(a, x)
    np.testing.assert_allclose(aa.reshape(6, 6), aa.reshape(6, 6).T, atol=1e-9)
    np.testing.assert_allclose(xx, xx.T, atol=1e-9)
    np.testing.assert_allclose(ax.reshape(6, 3), xa.reshape(3, 6).T, atol=1e-9)
    product_a, product_x = tg.hvp(f, (a, x), (da, dx))
    np.testing.assert_allclose(product_a, np.tensordot(aa, da, 2) + ax @ dx, atol=1e-8)
    np.testing.assert_allclose(product_x, np.tensordot(xa, da, 2) + xx @ dx, atol=1e-8)


@given(st.data(), shapes, shapes)
def test_jacobian_has_the_shape_of_value_and_argument(data, inside, outside):
    """Property: of an outer product c ⊗ x, the Jacobian has shape value.shape + x.shape and entries c δ."""
    x, c = data.draw(arrays(inside)), data.draw(arrays(outside))
    matrix = tg.jacobian(lambda x: c.reshape((*outside, *[1] * len(inside))) * x)(x)
    assert matrix.shape == (*outside, *inside, *inside)
    expected = np.tensordot(c, np.eye(x.size).reshape((*inside, *inside)), axes=0)
    np.testing.assert_allclose(matrix, expected)


@given(arrays((2, 3)), arrays(3))
def test_tuple_of_argument_numbers(a, x):
    """Property: argnum=(1, 0) gives the gradients of argnum=1 and argnum=0; -1 is the last argument."""

    def f(a, x):
        return np.sum(network(a, x))

    by_x, by_a = tg.grad(f, (1, 0))(a, x)
    np.testing.assert_array_equal(by_x, tg.grad(f, -1)(a, x))
    np.testing.assert_array_equal(by_a, tg.grad(f)(a, x))
    assert [m.shape for m in tg.jacobian(network, (0, 1))(a, x)] == [(2, 2, 3), (2, 3)]
    assert isinstance(tg.grad(f, (0,))(a, x), tuple)


@given(arrays(3))
def test_functions_that_return_several_arrays(x):
    """Property: jacobian, vjp and jvp take a tuple of arrays apart and give a tuple back."""

    def f(x):
        return x * x, np.sum(x)

    square, total = tg.jacobian(f)(x)
    np.testing.assert_allclose(square, np.diag(2 * x))
    np.testing.assert_allclose(total, np.ones(3))
    (value, _), product = tg.vjp(f, x)
    np.testing.assert_allclose(value, x * x)
    np.testing.assert_allclose(product((x, 5.0)), 2 * x * x + 5)
    _, (first, second) = tg.jvp(f, x, np.ones(3))
    np.testing.assert_allclose(first, 2 * x)
    np.testing.assert_allclose(second, 3.0)


@given(arrays(3))
def test_value_and_grad_run_the_function_once(x):
    """Property: value and gradient are those of f and grad(f), from one run."""
    runs = []

    def f(x):
        runs.append(1)
        return np.sum(x**3)

    value, gradient = tg.value_and_grad(f)(x)
    assert len(runs) == 1
    np.testing.assert_allclose(value, np.sum(x**3))
    np.testing.assert_array_equal(gradient, tg.grad(f)(x))


# -- nesting -----------------------------------------------------------------------------------------------------------


@given(numbers, numbers)
def test_perturbations_are_not_confused(x, y):
    """Property: a gradient counts the paths through the arguments of its own call only, whatever it closes over."""
    grad = tg.grad
    cases = [
        (lambda x: x * grad(lambda y: x * y)(y), 2 * x),
        (lambda x: x * grad(lambda y: x + y)(y), 1),
        (lambda x: grad(lambda y: x * x)(y), 0),
        (lambda x: grad(lambda y: y * y * x)(x), 4 * x),
        (lambda x: grad(lambda y: y * y * x)(y), 2 * y),
        (lambda x: grad(lambda y: grad(lambda z: x * y * z * z)(y))(x), 8 * x),
        (lambda x: grad(lambda x: x * grad(lambda x: x**3)(x))(x), 18 * x),
        (lambda x: tg.jvp(lambda y: x * y * y, x, 1.0)[1], 4 * x),
        (lambda x: tg.jvp(lambda y: y * y, y, x)[1], 2 * y),
        (lambda x: tg.vjp(lambda y: y * y, y)[1](x), 2 * y),
        (lambda x: tg.hvp(lambda y: x * y**3, y, 1.0), 6 * y),
    ]
    for f, expected in cases:
        np.testing.assert_allclose(grad(f)(x), expected, atol=1e-12)


@given(arrays(3), arrays(3))
def test_transforms_compose(x, v):
    """Property: the derivative of jvp, vjp, jacobian and hvp is that of the formula they compute."""

    def cube(x):
        return np.sum(x**3)

    np.testing.assert_allclose(tg.jacobian(tg.grad(cube))(x), np.diag(6 * x), atol=1e-12)
    np.testing.assert_allclose(tg.grad(lambda x: np.sum(tg.hvp(cube, x, v)))(x), 6 * v, atol=1e-12)
    np.testing.assert_allclose(tg.grad(lambda x: np.sum(tg.hessian(cube)(x)))(x), np.full(3, 6.0))
    np.testing.assert_allclose(tg.jvp(tg.grad(cube), x, v)[1], 6 * x * v, atol=1e-12)
    np.testing.assert_allclose(tg.grad(lambda v: np.sum(tg.jvp(tg.grad(cube), x, v)[1]))(v), 6 * x, atol=1e-12)


def test_gradient_of_a_gradient_norm_reaches_what_is_closed_over():
    w = tg.Tensor([2.0, 3.0], requires_grad=True)
    x = np.array([1.0, 5.0])
    slope = tg.grad(lambda x: np.sum(w * x * x))(tg.Tensor(x))
    np.sum(slope * slope).backward()
    np.testing.assert_allclose(w.grad, 8 * w.data * x * x)


def test_arrays_in_arrays_out_tensors_in_tensors_out():
    w = tg.Tensor([2.0, 3.0], requires_grad=True)
    x = np.array([1.0, 5.0])
    for f in (lambda x: np.sum(x * x), lambda x: np.sum(w * x * x)):
        assert all(type(part) is np.ndarray for part in tg.value_and_grad(f)(x))
        assert all(type(part) is tg.Tensor for part in tg.value_and_grad(f)(tg.Tensor(x)))
    assert not tg.grad(lambda x: np.sum(x * x))(tg.Tensor(x)).requires_grad
    assert w.grad is None


def test_a_call_does_not_walk_behind_its_arguments():
    y = tg.Tensor([1.0, 2.0], requires_grad=True) * 2
    np.sum(y).backward()
    np.testing.assert_array_equal(tg.grad(lambda x: np.sum(x * y))(np.ones(2)), [2.0, 4.0])


def test_no_grad():
    with tg.no_grad():
        assert tg.grad(tg.grad(lambda x: x**3))(2.0) == 12
        assert tg.jvp(lambda x: x**3, 2.0, 1.0)[1] == 12
        x = tg.Tensor([2.0], requires_grad=True)
        value, gradient = tg.value_and_grad(lambda y: np.sum(x * y))(x)
    assert not value.requires_grad
    assert not gradient.requires_grad
    assert gradient.data.tolist() == [2]

    def half_hidden(x):
        with tg.no_grad():
            factor = x * 1.0
        return x * factor

    assert tg.grad(half_hidden)(3.0) == 3


def test_modes_are_restored_after_an_exception():
    def fails(x):
        raise ZeroDivisionError

    with tg.no_grad():
        with pytest.raises(ZeroDivisionError):
            tg.grad(fails)(1.0)
        assert not tensor.grad_enabled.get()
    assert not graph.differentiating.get()


def test_numbers_and_constants():
    assert tg.grad(lambda x: x * x)(3) == 6
    result = tg.grad(lambda x: 5)(3.0)
    assert (result.dtype, result.shape, result[()]) == (np.float64, (), 0)
    assert tg.grad(lambda x, *, power: x**power)(2.0, power=3) == 12
    assert tg.jacobian(lambda x: np.ones(2))(np.ones(3)).tolist() == [[0.0] * 3] * 2
    assert tg.jvp(lambda x: 5.0, 3.0, 1.0)[1] == 0


def test_long_chains_need_no_recursion():
    def chain(x):
        for _ in range(3000):
            x = x * 1.0
        return x * x

    assert tg.grad(tg.grad(chain))(3.0) == 2


def test_results_own_their_memory():
    x = np.ones((2, 2))
    first, second = tg.grad(lambda x, y: np.sum(x + y), (0, 1))(x, x)
    first[...] = 7
    assert second.tolist() == [[1, 1], [1, 1]]
    _, product = tg.vjp(lambda x: x, x)
    product(x)[...] = 7
    assert x.tolist() == [[1, 1], [1, 1]]


# -- gradients of recorded Tensors -------------------------------------------------------------------------------------


@given(arrays(3, positive))
def test_gradients_of_leaves_and_results(x):
    """Property: gradients gives total derivatives, also where one input lies above another or is the output itself."""
    leaf, other = tg.Tensor(x, requires_grad=True), tg.Tensor(x, requires_grad=True)
    square = leaf * leaf
    out = np.sum(square * leaf)
    for _ in range(2):
        by_leaf, by_square, by_other, by_out = tg.gradients(out, [leaf, square, other, out])
        np.testing.assert_allclose(by_leaf, 3 * x * x)
        np.testing.assert_allclose(by_square, x)
        np.testing.assert_array_equal(by_other, np.zeros(3))
        assert by_out == 1
    assert leaf.grad is None
    assert type(by_leaf) is np.ndarray


@given(arrays(3), arrays(3))
def test_gradients_with_weights_and_several_outputs(x, w):
    """Property: the result is the sum over the outputs of their weighted gradients, an output given twice included."""
    leaf = tg.Tensor(x, requires_grad=True)
    y, z = leaf * leaf, 3 * leaf
    result = tg.gradients([y, z, y], leaf, grad_outputs=[w, np.ones(3), w])
    np.testing.assert_allclose(result, 4 * x * w + 3)
    total = np.sum(y)
    np.testing.assert_allclose(tg.gradients((total, total), leaf), 4 * x)


@given(arrays(3))
def test_gradients_of_gradients(x):
    """Property: with create_graph, the results are Tensors that differentiate on."""
    leaf = tg.Tensor(x, requires_grad=True)
    first = tg.gradients(np.sum(leaf**4), leaf, create_graph=True)
    second = tg.gradients(np.sum(first), leaf, create_graph=True)
    np.testing.assert_allclose(second.data, 12 * x * x, atol=1e-12)
    second.backward(np.ones(3))
    np.testing.assert_allclose(leaf.grad, 24 * x, atol=1e-12)
    unrelated = tg.Tensor([1.0], requires_grad=True)
    assert type(tg.gradients(np.sum(leaf), unrelated, create_graph=True)) is tg.Tensor


def test_gradients_compute_only_what_lies_between(monkeypatch):
    @tg.rules.primitive
    def probe(x):
        return x + 0

    def rule(g, out, x):
        raise AssertionError

    tg.rules.derivative(probe, rule)
    x, y = (tg.Tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
    out = np.sum(np.stack([probe(x), y])) + np.sum(probe(x) * y)
    np.testing.assert_array_equal(tg.gradients(out, y), 1 + x.data)
    np.testing.assert_array_equal(tg.grad(lambda y: np.sum(probe(x) * y))(y.data), x.data)
    out = np.sum(np.concatenate([x, x])) + np.sum(y)
    monkeypatch.setitem(tg.rules.RULES, np.concatenate, (rule,))
    np.testing.assert_array_equal(tg.gradients(out, y), np.ones(2))
    del tg.rules.RULES[probe]


def test_rules_may_return_plain_arrays_at_every_order():
    @tg.rules.primitive
    def shift(x):
        return x + 1

    tg.rules.derivative(shift, lambda g, out, x: np.ones(2))
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    out = np.sum(x * x + shift(x) + shift(x) + shift(x))
    result = tg.gradients(out, x, create_graph=True)
    np.testing.assert_array_equal(result.data, 3 + 2 * x.data)
    del tg.rules.RULES[shift]


# -- first order is plain NumPy ----------------------------------------------------------------------------------------


def tensors_made(run):
    """How many Tensors come to be while ``run`` runs."""
    makers = {tg.Tensor.__init__.__code__, tensor.record.__code__}
    made = 0

    def watch(frame, event, _):
        nonlocal made
        made += event == "call" and frame.f_code in makers

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        run()
    finally:
        sys.setprofile(before)
    return made


def spy(vjp, fed):
    """The same rule, which notes the types it is fed."""

    @functools.wraps(vjp)
    def noted(*args, **params):
        fed.extend(map(type, args))
        return vjp(*args, **params)

    return noted


def test_first_order_backward_makes_no_tensor(monkeypatch):
    rng = np.random.default_rng(0)
    model = tg.nn.MLP(4, 8, 3, rng=rng)
    x = rng.normal(size=(5, 4)).astype(np.float32)
    loss = tg.cross_entropy(model(x), np.arange(5) % 3) + np.sum(tg.sigmoid(model(x))[1:] ** 2) / 7
    fed = []
    for function, vjps in list(tg.rules.RULES.items()):
        monkeypatch.setitem(tg.rules.RULES, function, tuple(vjp and spy(vjp, fed) for vjp in vjps))
    parameters = list(model.parameters())
    assert tensors_made(lambda: tg.gradients(loss, parameters, create_graph=True)) > 20
    assert tg.Tensor in fed
    fed.clear()
    assert tensors_made(loss.backward) == 0
    assert fed
    assert tg.Tensor not in fed
    assert all(p.grad is not None for p in parameters)


# -- errors ------------------------------------------------------------------------------------------------------------

ONES = np.ones(3)
LEAF = tg.Tensor(ONES, requires_grad=True)


MESSAGES = (
    [
        (lambda: tg.grad(lambda x: x)(ONES), GraphError, "expected a function with a scalar result, got one of shape "
         "(3,). Reduce the result (np.sum, np.mean); or take all its derivatives with tg.jacobian"),
        (lambda: tg.grad(lambda x: (x, x))(1.0), GraphError, "scalar result, got 2 results"),
        (lambda: tg.grad(lambda x: None)(1.0), DtypeError, "expected a function that returns a floating-point array "
         "or a tuple of them, got one that returns NoneType"),
        (lambda: tg.grad(np.sum)(np.arange(3)), DtypeError, "floating-point dtype for requires_grad=True, got int64"),
        (lambda: tg.grad(np.sum, 1)(ONES), ArgumentError, "the number of one of the 1 positional arguments, counted "
         "from 0, got 1."),
        (lambda: tg.hvp(np.sum, ONES, np.ones(2)), ShapeError, "hvp: expected vectors of the shapes (3,), got (2,)."),
        (lambda: tg.jvp(np.multiply, (ONES, ONES), (ONES,)), ShapeError, "jvp: expected vectors of the "
         "shapes (3,), (3,), got (3,)."),
        (lambda: tg.vjp(np.sum, ONES)[1](ONES), ShapeError, "vjp: expected vectors of the shapes (), got (3,)."),
        (lambda: tg.gradients(LEAF * 2, LEAF), GraphError, "gradients: expected scalar outputs, got a Tensor (the "
         "result of np.multiply, shape (3,)). Reduce it (np.sum, np.mean), or weight its elements"),
        (lambda: tg.gradients(np.sum(LEAF), tg.Tensor(ONES)), GraphError, "Tensors that require a gradient, got "
         "Tensor without."),
        (lambda: tg.gradients(np.sum(ONES), LEAF), GraphError, "Tensors that require a gradient, got float64 without."),
        (lambda: tg.gradients(LEAF * 2, LEAF, grad_outputs=np.ones(2)), ShapeError, "gradients: expected vectors"),
    ]
)  # fmt: skip


def test_messages():
    for call, error, message in MESSAGES:
        with row(message):
            with pytest.raises(error) as caught:
                call()
            assert message in str(caught.value)


def test_gradients_refuse_a_freed_graph():
    x = tg.Tensor([1.0], requires_grad=True)
    y = x * x
    y.backward()
    with pytest.raises(GraphError, match="an earlier backward"):
        tg.gradients(y * 2, x)


def test_public_names():
    names = ["grad", "value_and_grad", "vjp", "jvp", "hvp", "jacobian", "hessian", "gradients"]
    assert all(getattr(tg, name) is getattr(autodiff, name) for name in names)


def test_jacobian_does_not_depend_on_the_memory_layout():
    """Property: the Jacobian of a function whose result is not contiguous has the columns of finite differences."""
    functions = {
        "transpose": lambda x: x.T,
        "moveaxis": lambda x: 2 * np.moveaxis(x, 0, -1),
        "inv": lambda x: np.linalg.inv(x).T,
    }
    for (name, f), order in itertools.product(functions.items(), "CF"):
        x = np.array([[2.0, 1.0], [0.5, 3.0]], order=order)
        found = tg.jacobian(f)(x)
        for index in np.ndindex(x.shape):
            step = np.zeros_like(x)
            step[index] = 1e-6
            with row(f"{name} in order {order}"):
                np.testing.assert_allclose(found[(..., *index)], (f(x + step) - f(x - step)) / 2e-6, atol=1e-8)


def test_the_hessian_of_the_determinant():
    """det = a d - b c: the second derivatives are 1 and -1, across."""
    found = tg.hessian(np.linalg.det)(np.array([[2.0, 1.0], [0.5, 3.0]]))
    expected = np.zeros((2, 2, 2, 2))
    expected[0, 0, 1, 1] = expected[1, 1, 0, 0] = 1
    expected[0, 1, 1, 0] = expected[1, 0, 0, 1] = -1
    np.testing.assert_allclose(found, expected, atol=1e-12)

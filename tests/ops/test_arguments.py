"""The ways in which NumPy takes arguments: by keyword, as lists, and those that Tensors do not take."""

import itertools

import numpy as np
import pytest
from ops.cases import Case
from ops.differences import close, first_order, numeric, outputs, scalar, second_order
from tables import row

import tinygrad_mlp as tg
from tinygrad_mlp.errors import UnsupportedArgumentError
from tinygrad_mlp.graph import topological_order


def test_inputs_by_keyword():
    """Property: an input given by keyword, inside a list or not, and out=None, change nothing."""
    x = tg.Tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
    calls = [
        np.sum(a=x, axis=0, out=None), np.add.reduce(x), x.sum(0), np.median(a=x * 1, axis=0, out=None) * 2,
        np.stack(arrays=[x[0], x[1]]).sum(0), np.cumsum(a=x, axis=0)[-1],
    ]  # fmt: skip
    for result in calls:
        np.testing.assert_array_equal(result.data, [3, 5, 7])
        np.testing.assert_array_equal(tg.gradients(np.sum(result), x), np.ones((2, 3)))
    low = tg.Tensor(1.0, requires_grad=True)
    assert tg.gradients(np.sum(np.clip(x, a_min=low, a_max=None)), low) == 1.0


OPERANDS_AS_LISTS = {
    "power": lambda x: x ** [2.0, 3.0],
    "rpower": lambda x: [2.0, 3.0] ** x,
    "divide": lambda x: [1.0, 2.0] / x,
    "maximum": lambda x: np.maximum([0.0, 9.0], x),
    "arctan2": lambda x: np.arctan2([1.0, 2.0], x),
    "hypot": lambda x: np.hypot(x, [1.0, 2.0]),
    "matmul": lambda x: x @ [[1.0, 2.0], [3.0, 4.0]],
    "rmatmul": lambda x: [[1.0, 2.0], [3.0, 4.0]] @ x,
    "inner": lambda x: x @ [1.0, 2.0],
    "row": lambda x: [1.0, 2.0] @ (x * np.eye(2)),
    "concatenate": lambda x: np.concatenate([x, [1.0, 2.0]]),
    "stack": lambda x: np.stack([[1.0, 2.0], x]),
    "where": lambda x: np.where([True, False], x, [1.0, 2.0]),
    "logaddexp": lambda x: np.logaddexp(x, [1.0, 2.0]),
    "dot": lambda x: np.dot([1.0, 2.0], x),
    "einsum": lambda x: np.einsum("i,i", x, [1.0, 2.0]),
    "kron": lambda x: np.kron([1.0, 2.0], x),
    "solve": lambda x: np.linalg.solve([[1.0, 2.0], [3.0, 5.0]], x),
    "outer": lambda x: np.outer([1.0, 2.0], x),
    "cross": lambda x: np.cross([1.0, 2.0, 3.0], np.append(x, x[:1])),
    "convolve": lambda x: np.convolve([1.0, 2.0], x),
    "tensordot": lambda x: np.tensordot([1.0, 2.0], x, 1),
    "inner product": lambda x: np.inner([1.0, 2.0], x),
    "vdot": lambda x: np.vdot(x, [1.0, 2.0]),
    "correlate": lambda x: np.correlate(x, [1.0, 2.0]),
    "append": lambda x: np.append([1.0, 2.0], x),
    "hstack": lambda x: np.hstack([x, [1.0]]),
    "vstack": lambda x: np.vstack([[1.0, 2.0], x]),
    "average": lambda x: np.average(x, weights=[1.0, 3.0]),
    "interp": lambda x: np.interp(x, [0.0, 1.0], [1.0, 3.0]),
    "select": lambda x: np.select([[True, False]], [x], [1.0, 2.0]),
    "choose": lambda x: np.choose([0, 1], [x, [1.0, 2.0]]),
    "clip": lambda x: np.clip(x, [0.0, 0.0], [1.0, 0.5]),
    "polyval": lambda x: np.polyval([1.0, 2.0], x),
}


def test_lists_as_operands():
    """Property: where NumPy takes a list of numbers for an array, so does the gradient, to order 2."""
    x = np.array([0.4, 0.7])
    for name, f in OPERANDS_AS_LISTS.items():
        call = Case(f, (x,))
        first = numeric(lambda arrays, call=call: float(scalar(outputs(call, arrays), seed=1)), [x])
        second = numeric(lambda arrays, call=call: float(scalar(first_order(call, arrays), seed=2)), [x])
        with row(name):
            close(first_order(call, [x]), first)
            close(second_order(call, [x]), second)


def test_unknown_arguments_are_named():
    """Property: an argument that a rule or a composite does not know raises, and the message says what to do."""
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    for call in (lambda: np.sum(x, where=[True, False]), lambda: np.median(x, overwrite_input=True)):
        with pytest.raises(UnsupportedArgumentError, match="expected only the arguments"):
            call()
    with pytest.raises(UnsupportedArgumentError, match="Pass the others by keyword"):
        np.ptp(x, 0, None, 1)
    with pytest.raises(UnsupportedArgumentError, match="got one as constant_values="):
        np.pad(x, 1, constant_values=x[0])


def cheapest(sizes):
    """The least number of multiplications for a chain of matrices, by trying every order."""
    costs = [
        cheapest(sizes[:i] + sizes[i + 1 :]) + sizes[i - 1] * sizes[i] * sizes[i + 1] for i in range(1, len(sizes) - 1)
    ]
    return min(costs, default=0)


def test_multi_dot_takes_the_cheapest_order():
    """Property: the products that are recorded cost as little as those of the best of all orders."""
    rng = np.random.default_rng(0)
    for count in (4, 5, 6) * 10:
        sizes = rng.integers(1, 9, count).tolist()
        tensors = [tg.Tensor(np.ones(shape), requires_grad=True) for shape in itertools.pairwise(sizes)]
        recorded, _ = topological_order([np.linalg.multi_dot(tensors)])
        products = [t.node.arrays for t in recorded if t.node.function is np.matmul]
        assert sum(x.size * y.shape[1] for x, y in products) == cheapest(sizes)


READ_AS_THEY_LIE = {
    "ravel A": lambda x: np.ravel(x, order="A"),
    "ravel K": lambda x: np.ravel(x, order="K"),
    "reshape A": lambda x: np.reshape(x, (4, 3), order="A"),
}
LAYOUTS = {
    "C": np.ascontiguousarray,
    "Fortran": np.asfortranarray,
    "neither": lambda x: np.swapaxes(x, 0, 1).copy().swapaxes(0, 1),
}


def test_orders_that_go_by_memory():
    """Property: orders A and K read the elements as they lie; each gets the gradient of its place, to order 2."""
    for (name, f), (order, layout) in itertools.product(READ_AS_THEY_LIE.items(), LAYOUTS.items()):
        x = layout(np.arange(12.0).reshape(2, 3, 2))
        weight = np.cos(f(x))  # a function of the element alone: so the gradient is, too
        first = tg.grad(lambda x, f=f, weight=weight: np.sum(f(x) * weight))
        of_cube = tg.grad(lambda x, f=f: np.sum(f(x) ** 3))
        with row(f"{name} of {order}"):
            np.testing.assert_array_equal(first(x), np.cos(x))
            np.testing.assert_allclose(tg.grad(lambda x, g=of_cube: np.sum(g(x)))(x), 6 * x)

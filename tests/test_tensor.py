"""Tensors among NumPy's functions and operators, and the errors that guard them."""

import copy
import pickle
import threading
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tables import row

import tinygrad_mlp as tg
from tinygrad_mlp.errors import (
    ArgumentError,
    DtypeError,
    GraphError,
    MissingRuleError,
    ShapeError,
    UnsupportedArgumentError,
)

OPERATORS = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "**": lambda a, b: a**b,
    "%": lambda a, b: a % b,
    "@": lambda a, b: a @ b,
}


def tensor(*shape, **settings):
    return tg.Tensor(np.linspace(0.5, 2.0, int(np.prod(shape))).reshape(shape), requires_grad=True, **settings)


def test_operators_work_from_both_sides():
    """Tensor ∘ Tensor, Tensor ∘ array, array ∘ Tensor and numbers give NumPy's values, as Tensors."""
    x, y = tensor(2, 2), np.array([[1.5, 0.5], [2.0, 1.0]])
    for symbol, apply in OPERATORS.items():
        with row(symbol):
            expected = apply(x.data, y)
            for result in (apply(x, tg.Tensor(y)), apply(x, y), apply(tg.Tensor(x.data), y)):
                assert isinstance(result, tg.Tensor)
                np.testing.assert_array_equal(result.data, expected)
            np.testing.assert_array_equal(apply(y, x).data, apply(y, x.data))
            if symbol != "@":
                np.testing.assert_array_equal(apply(x, 2.0).data, apply(x.data, 2.0))
                np.testing.assert_array_equal(apply(2.0, x).data, apply(2.0, x.data))


@given(hnp.arrays(float, hnp.array_shapes(max_dims=3, max_side=3), elements=st.floats(-5, 5)))
def test_the_three_spellings_are_one(array):
    """Property: np.multiply(x, x), x * x and a primitive on Tensors agree with NumPy on arrays, value by value."""
    x = tg.Tensor(array)
    np.testing.assert_array_equal(np.multiply(x, x).data, array * array)
    np.testing.assert_array_equal((x * x).data, array * array)
    np.testing.assert_array_equal(tg.relu(x).data, np.maximum(array, 0))
    np.testing.assert_array_equal(tg.relu(array), np.maximum(array, 0))


def test_comparisons_and_argmax_give_plain_arrays():
    x = tensor(3)
    for result in (x > 1, x >= x, x == x, x != 1, x < np.ones(3), np.less(x, 1), np.argmax(x), np.isnan(x), x.argmax()):
        assert not isinstance(result, tg.Tensor)
    assert float(x[0]) == 0.5
    assert x[0].item() == 0.5
    assert bool(x[0] > 0)
    assert len(x) == 3
    assert [float(v) for v in x] == [0.5, 1.25, 2.0]


METHODS = (
    [("sum", (0,)), ("mean", (1,)), ("max", (0,)), ("min", (1,)), ("prod", (0,)), ("var", (1,)), ("std", (0,)),
     ("cumsum", (1,)), ("dot", (np.ones(3),)), ("ravel", ()), ("flatten", ()), ("squeeze", ()), ("swapaxes", (0, 1)),
     ("clip", (0.7, 1.5)), ("take", ([0, 2], 1)), ("repeat", (2, 0)),
     ("reshape", (3, 2)), ("transpose", (1, 0)), ("astype", (np.float32,))]
)  # fmt: skip


def test_methods_are_those_of_arrays():
    """Same name, same arguments, same values as on an ndarray, and recorded."""
    for method, args in METHODS:
        with row(method):
            x = tensor(2, 3)
            result = getattr(x, method)(*args)
            np.testing.assert_allclose(result.data, getattr(x.data, method)(*args))
            result.sum().backward()
            assert x.grad.shape == (2, 3)


def test_tensors_are_hashable_by_identity():
    x, y = tensor(2), tensor(2)
    assert len({x, y, x}) == 2


def test_no_gradient_is_lost_in_a_conversion():
    for convert in (np.asarray, lambda x: np.array([x, x]), lambda x: np.ones(3).__iadd__(x), np.array):
        with pytest.raises((GraphError, UnsupportedArgumentError), match=r"np\.stack|y = f\(x\)"):
            convert(tensor(3))


def test_assigning_a_tensor_into_an_array_says_what_to_write():
    target = np.zeros((2, 3))
    with pytest.raises(GraphError, match=r"np\.stack"):
        target[0] = tensor(3)


def test_plain_tensors_convert_freely():
    x = tg.Tensor([1.0, 2.0])
    np.testing.assert_array_equal(np.asarray(x), [1.0, 2.0])
    assert np.asarray(x, dtype=np.float32).dtype == np.float32


def test_no_copy_is_made_of_an_array():
    array = np.ones(3)
    assert tg.Tensor(array).data is array
    assert tg.Tensor(array, requires_grad=True).detach().data is array


ERRORS = (
    [
        (lambda x: x @ x, ShapeError, r"np\.matmul: .*\(2, 3\) and \(2, 3\)"),
        (lambda x: x + np.ones(4), ShapeError, r"np\.add: .*\(2, 3\) and \(4,\)"),
        (lambda x: x.reshape(7), ShapeError, r"np\.reshape: .*\(2, 3\)"),
        (lambda x: np.concatenate([x, x.T]), ShapeError, r"np\.concatenate: .*\(2, 3\) and \(3, 2\)"),
        (lambda x: np.i0(x), MissingRuleError, r"np\.i0: .*tg\.rules\.derivative\(np\.i0,.*tg\.rules\.constant"),
        (lambda x: np.add(x, 1, out=np.ones((2, 3))), UnsupportedArgumentError, r"np\.add: .*out=.*y = f\(x\)"),
        (lambda x: np.sum(x, where=x.data > 1), UnsupportedArgumentError, r"np\.sum: .*where=.*np\.where"),
        (lambda x: np.sum(x, dtype=np.float32), UnsupportedArgumentError, r"np\.sum: .*dtype=.*astype"),
        (lambda x: np.add.accumulate(x), UnsupportedArgumentError, r"np\.add\.accumulate: .*np\.cumsum"),
        (lambda x: x.__setitem__(0, 1.0), GraphError, r"x\[index\] = value.*np\.where.*x\.data\[\.\.\.\]"),
        (lambda x: x.__iadd__(1.0), GraphError, r"x \+= y on a leaf.*x = x \+ y"),
        (lambda x: x.backward(), GraphError, r"a scalar.*\(2, 3\).*x\.sum\(\).*backward\(gradient\)"),
        (lambda x: x.backward(np.ones(3)), ShapeError, r"gradient of shape \(2, 3\).*\(3,\)"),
        (lambda x: x.detach().sum().backward(), GraphError, r"requires a gradient.*requires_grad=True"),
        (lambda x: tg.Tensor([1, 2], requires_grad=True), DtypeError, r"int64.*1\.0 for 1"),
        (lambda x: tg.Tensor(x), DtypeError, r"np\.stack"),
        (lambda x: x.astype(int), DtypeError, r"np\.astype: .*floating-point.*int64.*x\.data"),
        (lambda x: np.astype(x, int), DtypeError, r"np\.astype: .*floating-point.*int64.*x\.data"),
        (lambda x: setattr(x * 2, "requires_grad", False), GraphError, r"np\.multiply.*detach"),
        (lambda x: copy.deepcopy(x * 2), GraphError, r"deepcopy.*np\.multiply"),
        (lambda x: pickle.dumps(x * 2), GraphError, r"pickle.*np\.multiply"),
        (lambda x: tg.mse_loss(x[:, :1], np.ones(2)), ShapeError, r"mse_loss: .*\(2, 1\) and \(2,\).*reshape"),
            (lambda x: tg.cross_entropy(x, np.array([0, 3])), ValueError, r"0 to 2, got 0 to 3"),
        (lambda x: tg.cross_entropy(x, np.array([0, -1])), ValueError, r"0 to 2, got -1 to 0"),
        (lambda x: tg.cross_entropy(x, np.array([[0], [1]])), ShapeError, r"\(2,\) with class.*\(2, 1\).*reshape"),
        (lambda x: tg.cross_entropy(x, np.array([0.0, 1.0])), DtypeError, r"integer.*float64.*astype\(int\)"),
        (lambda x: tg.cross_entropy(x[0], np.array([0])), ShapeError, r"logits of shape \(N, C\)"),
        (lambda x: tg.cross_entropy(x, np.array([0, 1]), label_smoothing=2.0), ValueError, r"from 0 to 1, got 2\.0"),
        (lambda x: tg.cross_entropy(x, np.array([0, 1]), reduction="avg"), ValueError, '\"mean\", \"sum\" or \"none\"'),
    ]
)  # fmt: skip


def test_errors_name_the_op_the_shapes_and_the_way_out():
    for call, error, message in ERRORS:
        with row(message), pytest.raises(error, match=message):
            call(tensor(2, 3))


def test_numpys_own_errors_keep_their_type_and_say_where():
    with pytest.raises(np.exceptions.AxisError) as caught:
        tensor(2, 3).sum(axis=5)
    assert "np.sum on (2, 3)" in caught.value.__notes__[0]


def test_a_shape_error_carries_the_operands_for_drawing():
    x = tensor(2, 3)
    with pytest.raises(ShapeError) as caught:
        x @ x
    assert caught.value.function is np.matmul
    assert [operand is x for operand in caught.value.operands] == [True, True]


def test_rebinding_a_result_is_allowed():
    """``loss += penalty`` is common and harmless: the old Tensor is a result, no parameter."""
    x = tensor(2)
    loss = (x * x).sum()
    loss += x.sum()
    loss.backward()
    np.testing.assert_allclose(x.grad, 2 * x.data + 1)


def test_no_grad_is_restored_after_an_exception_and_separate_per_thread():
    x, seen = tensor(2), []

    def look():
        seen.append((x * 2).requires_grad)

    @tg.no_grad()
    def inside():
        look()
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
        raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        inside()
    assert seen == [False, True]
    assert (x * 2).requires_grad


def test_freezing_a_leaf():
    x, y = tensor(2), tensor(2)
    x.requires_grad = False
    (x * y).sum().backward()
    assert x.grad is None
    np.testing.assert_array_equal(y.grad, x.data)


def test_freezing_a_leaf_after_the_forward_pass():
    x, y = tensor(2), tensor(2)
    loss = (x * y).sum()
    x.requires_grad = False
    loss.backward()
    assert x.grad is None
    np.testing.assert_array_equal(y.grad, x.data)


def test_a_function_that_is_no_primitive_cannot_have_a_rule():
    def forgotten(x):
        return x * 2

    with pytest.raises(
        ArgumentError, match=r"a NumPy function or a primitive.*@tg\.rules\.primitive above def forgotten"
    ):
        tg.rules.derivative(forgotten, lambda g, out, x: 2 * g)
    with pytest.raises(ArgumentError, match=r"a rule for each argument of np\.exp"):
        tg.rules.derivative(np.exp)


def test_an_error_in_a_rule_names_the_op():
    x = tg.Tensor([[1.0, 2.0], [2.0, 4.0]], requires_grad=True)
    with pytest.raises(np.linalg.LinAlgError) as caught:
        np.linalg.slogdet(x)[1].backward()
    assert "in the backward rule of log_determinant" in caught.value.__notes__


def test_numbers_are_formatted_and_floored():
    x = tg.Tensor(2.5, requires_grad=True)
    assert f"{x:.2f}" == "2.50"
    assert x // 2 == 1.0
    assert 6 // x == 2.0
    assert x.tolist() == 2.5


def test_a_subclass_is_recorded_like_a_tensor():
    class Parameter(tg.Tensor):
        pass

    w = Parameter([1.0, 2.0], requires_grad=True)
    (np.stack([w, w * 3.0]).sum() + np.exp(w).sum()).backward()
    np.testing.assert_allclose(w.grad, 4 + np.exp(w.data))


def test_named_tuples_and_kinds_of_lists_are_sequences():
    class Rows(list):
        pass

    class Pair(NamedTuple):
        first: tg.Tensor
        second: tg.Tensor

    for kind in (Rows, lambda items: Pair(*items)):
        x = tg.Tensor([1.0, 2.0], requires_grad=True)
        y = np.stack(kind([x, x * 3.0]))
        np.testing.assert_array_equal(y.data, [[1, 2], [3, 6]])
        y.sum().backward()
        np.testing.assert_array_equal(x.grad, [4, 4])
    x = tg.Tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
    x[Pair(1, 2)].backward()
    np.testing.assert_array_equal(x.grad, [[0, 0, 0], [0, 0, 1]])


def test_transposes():
    x = tensor(2, 3)
    batch = tg.Tensor(np.arange(12.0).reshape(2, 2, 3))
    np.testing.assert_array_equal(x.T.data, x.data.T)
    np.testing.assert_array_equal(batch.mT.data, batch.data.mT)


def test_an_argument_without_a_rule_is_an_error_not_a_zero():
    @tg.rules.primitive
    def scaled(x, factor):
        return x * factor

    tg.rules.derivative(scaled, lambda g, out, x, factor: g * factor)
    try:
        with pytest.raises(MissingRuleError, match="argument 1"):
            scaled(tensor(2), tensor(2))
    finally:
        del tg.rules.RULES[scaled]


def test_repr_shows_values_name_and_origin():
    x = tg.Tensor(np.array([1.0, 2.0], np.float32), requires_grad=True, name="w")
    assert repr(x) == "Tensor([1., 2.], dtype=float32, name='w', requires_grad=True)"
    assert repr(x * 2.0) == "Tensor([2., 4.], dtype=float32, op=np.multiply)"
    assert repr(tg.Tensor(np.ones((100, 100)))) == "Tensor(shape=(100, 100))"


def test_copies_and_pickles_of_leaves():
    x = tensor(2, name="w")
    for twin in (copy.deepcopy(x), pickle.loads(pickle.dumps(x))):  # noqa: S301 - our own bytes
        assert twin.requires_grad
        assert twin.name == "w"
        twin.data[0] = 9
        assert x.data[0] == 0.5

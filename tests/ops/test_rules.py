"""Every rule on every case of the table: value, orders 1 to 4, float32, memory layout, raw arrays."""

import inspect

import numpy as np
import pytest
from ops.cases import CASES
from ops.differences import close, first_order, leaves, numeric, outputs, scalar, second_order
from tables import row

import tinygrad_mlp as tg
from tinygrad_mlp import tensor
from tinygrad_mlp.graph import topological_order
from tinygrad_mlp.rules import COMPOSITES, RULES, function_name

every_function = pytest.mark.parametrize("function", CASES, ids=function_name)


def test_every_function_has_cases():
    """Property: the registry and the table name the same functions."""
    assert set(RULES) | set(COMPOSITES) == set(CASES)


@every_function
def test_value(function):
    """Property: a Tensor's value is that of the plain call, in shape, dtype and numbers."""
    for case in CASES[function]:
        with row(case):
            result, expected = case.call(*leaves(case.arrays)), case.call(*case.arrays)
            assert isinstance(result, (list, tuple)) == isinstance(expected, (list, tuple))
            if isinstance(expected, (list, tuple)):
                assert type(result) is type(expected)
            else:
                result, expected = [result], [expected]
            for r, e in zip(result, expected, strict=True):
                values = r.data if isinstance(r, tg.Tensor) else r
                assert values.shape == np.shape(e)
                assert values.dtype == e.dtype
                np.testing.assert_allclose(values, e, rtol=1e-12, atol=1e-12)


def recorded(case):
    """The results of ops on the way to the results of a case."""
    return topological_order([r for r in outputs(case, leaves(case.arrays)) if isinstance(r, tg.Tensor)])[0]


def test_cases_use_the_function():
    """Property: each case of a function with a rule of its own records that function."""
    for function in RULES:
        for case in CASES[function]:
            with row(case):
                assert function in {t.node.function for t in recorded(case)}


@every_function
def test_first_order(function):
    """Property: the gradient is the limit of differences of values."""
    for case in CASES[function]:
        with row(case):
            expected = numeric(lambda arrays, case=case: float(scalar(outputs(case, arrays), seed=1)), case.arrays)
            close(first_order(case, case.arrays), expected)


@every_function
def test_second_order(function):
    """Property: the gradient of a gradient is the limit of differences of gradients."""
    for case in CASES[function]:
        with row(case):
            expected = numeric(lambda arrays, case=case: float(scalar(first_order(case, arrays), seed=2)), case.arrays)
            close(second_order(case, case.arrays), expected)


@every_function
def test_float32(function):
    """Property: float32 in, float32 out, value and gradient, near those of float64."""
    for case in CASES[function]:
        with row(case):
            arrays = [a.astype(np.float32) for a in case.arrays]
            for result in outputs(case, leaves(arrays)) if case.keeps_float32 else []:
                assert result.dtype == np.float32
            gradients = first_order(case, arrays)
            assert all(g.dtype == np.float32 for g in gradients)
            close(gradients, first_order(case, case.arrays), rtol=1e-3, atol=1e-4)


@every_function
def test_memory_layout(function):
    """Property: the gradient does not depend on how the inputs lie in memory, nor are they changed."""
    for case in CASES[function]:
        with row(case):
            expected = first_order(case, case.arrays)
            for layout in (np.asfortranarray, strided):
                arrays = [layout(a).reshape(a.shape) if a.ndim == 0 else layout(a) for a in case.arrays]
                close(first_order(case, arrays), expected, rtol=1e-12, atol=1e-12)
                for a, original in zip(arrays, case.arrays, strict=True):
                    np.testing.assert_array_equal(a, original)


def strided(x):
    """The same numbers as every second element, backwards, of a larger array."""
    if x.ndim == 0:
        return x.copy()
    wide = np.zeros((*x.shape[:-1], 2 * x.shape[-1]))
    wide[..., ::-2] = x
    return wide[..., ::-2]


@every_function
def test_first_order_is_raw_numpy(function):
    """Property: a first-order backward pass makes no Tensor: rules see arrays only."""
    for case in CASES[function]:
        with row(case):
            inputs = leaves(case.arrays)
            total = scalar(outputs(case, inputs), seed=1)
            if isinstance(total, tg.Tensor) and total.requires_grad:
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(tensor, "record", made_a_tensor)
                    total.backward()
                assert {type(x.grad) for x in inputs} <= {np.ndarray, type(None)}
            else:  # a power of 0, and the number of elements that are not 0
                assert function in (np.linalg.matrix_power, np.linalg.norm)


def made_a_tensor(*args):
    raise AssertionError(args)


def test_a_rule_names_the_output_where_it_uses_it():
    """Property: a rule whose second parameter is called ``_`` runs without the output."""
    for case in (case for function in RULES for case in CASES[function]):
        for result in recorded(case):
            node = result.node
            for rule in RULES[node.function]:
                if rule is not None and list(inspect.signature(rule).parameters)[1] == "_":
                    with row(f"{function_name(node.function)}, {case}"):
                        rule(np.ones_like(result.data), None, *node.arrays, **node.params)


SMOOTH = {
    "power": (lambda x: x**5, 0.8),
    "sqrt": (np.sqrt, 0.8),
    "sin": (np.sin, 0.8),
    "tanh": (np.tanh, 0.8),
    "log1p": (np.log1p, 0.8),
    "arctan": (np.arctan, 0.8),
    "sinc at 0": (np.sinc, 0.0),
    "sinc": (np.sinc, 0.7),
    "logaddexp": (lambda x: np.logaddexp(x, -x), 0.3),
    "hypot": (lambda x: np.hypot(x, 2.0), 0.8),
    "prod": (lambda x: np.prod(np.stack([x, x * x, np.sin(x)])), 0.0),
    "sum": (lambda x: np.sum(np.stack([x, x**4])), 0.8),
    "var": (lambda x: np.var(np.stack([x, x * x, x**3])), 0.8),
    "std": (lambda x: np.std(np.stack([x, x * x, x**3])), 0.8),
    "norm": (lambda x: np.linalg.norm(np.stack([x, x * x, np.exp(x)])), 0.8),
    "einsum": (lambda x: np.einsum("i,i,i->", *[np.stack([x, x * x])] * 3), 0.8),
    "inv": (lambda x: np.sum(np.linalg.inv(np.diag(np.stack([x, x * x])) + 1)), 0.8),
    "slogdet": (lambda x: np.linalg.slogdet(np.diag(np.stack([x, x * x])) + 2)[1], 0.8),
    "eigh": (
        lambda x: np.linalg.eigh(np.outer(np.stack([x, x * x]), np.stack([x, x * x])) + np.diag([1.0, 2.0]))[0][0],
        0.8,
    ),
    "softmax": (lambda x: tg.softmax(np.stack([x, x * x, 2 * x]))[0], 0.8),
}


def test_orders_three_and_four():
    """Property: each derivative is the limit of differences of the one before, up to order 4."""
    for name, (f, x) in SMOOTH.items():
        below = tg.grad(tg.grad(f))
        for _ in range(2):
            above = tg.grad(below)
            expected = numeric(lambda arrays, below=below: float(below(arrays[0])), [np.array(x)])
            with row(name):
                np.testing.assert_allclose(above(np.array(x)), expected[0], rtol=1e-6, atol=1e-6)
            below = above


def test_no_two_cases_share_an_array():
    """Property: the arrays of the cases lie apart in memory, so that none is edited through another."""
    arrays = [a for cases in CASES.values() for case in cases for a in case.arrays if a.size]
    assert len({a.ctypes.data for a in arrays}) == len(arrays)

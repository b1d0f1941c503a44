"""check_rule: passes the rules of the package, and names each demand that a broken rule misses."""

import numpy as np
import pytest
from hypothesis import given
from ops.cases import CASES

import tinygrad_mlp as tg
from tinygrad_mlp import rules
from tinygrad_mlp.errors import DtypeError, MissingRuleError
from tinygrad_mlp.ops import linalg
from tinygrad_mlp.rules import function_name
from tinygrad_mlp.testing import GradientError, check_rule, strategies

x = np.array([[0.5, -1.25, 2.0], [0.75, 1.5, -0.25]])
y = np.array([1.5, 0.25, -0.5])


@pytest.mark.parametrize(
    ("function", "args", "params"),
    [
        (np.tanh, (x,), {}),
        (np.multiply, (x, y), {}),
        (np.matmul, (x, x.T), {}),
        (np.concatenate, ([x, 2 * x],), {"axis": 1}),
        (np.where, (x > 0, x, 2 * x), {}),
        (np.sum, (x,), {"axis": -1, "keepdims": True}),
        (np.mean, (x,), {}),
        (tg.softmax, (x,), {"axis": 0}),
        (tg.cross_entropy, (x, np.array([2, 0])), {}),
    ],
)
def test_rules_of_the_package(function, args, params):
    """Rules of every kind meet every demand: elementwise, reductions, sequences, conditions, classes."""
    report = check_rule(function, *args, **params)
    assert report.ok
    assert len(report.held) == 11


LARGEST = {  # of the calls in the case table that pass the function arrays alone
    function: max(calls, key=lambda case: sum(x.size for x in case.arrays))
    for function, cases in CASES.items()
    if (calls := [case for case in cases if case.call is function])
    and function is not linalg.orthogonal  # needs at least as many rows as columns; np.linalg.qr sees to that
}


@pytest.mark.parametrize("function", LARGEST, ids=function_name)
def test_case_table_meets_every_demand(function):
    """What the case table does not look at: linearity, the adjoint identity, aliasing, shapes that NumPy also takes."""
    assert check_rule(function, *LARGEST[function].arrays).ok


@given(strategies.broadcastable_arrays(2))
def test_broadcasting_rules(pair):
    """Rules of elementwise functions hold for any shapes that broadcast, in any layout."""
    check_rule(np.multiply, *pair)


kept = []
chance = iter(range(10**6))


def keeps(g, out, x):
    kept.append(g)
    return 2 * g * x


def edits(g, out, x):
    g *= 2
    return g * x


def square(x):
    return x * x


BROKEN = {
    "derivatives": (square, lambda g, out, x: 3 * g * x),
    "linearity": (square, lambda g, out, x: 2 * x + 0 * g),
    "adjoint": (square, lambda g, out, x: 2 * abs(g) * x),
    "no mutation": (square, edits),
    "ownership": (square, keeps),
    "dtypes": (lambda x: x * np.float64(2) + np.zeros(1), lambda g, out, x: 2 * g),
    "gradient shapes": (square, lambda g, out, x: np.sum(2 * g * x, axis=0)),
    "layouts": (square, lambda g, out, x: 2 * g * (np.ascontiguousarray(x) if x.flags.c_contiguous else 0 * x)),
    "broadcasting": (square, lambda g, out, x: (2.0 if x.shape[:1] != (1,) else 1.0) * g * x),
    "value": (lambda x: x * 2 + next(chance), lambda g, out, x: 2 * g),
}  # fmt: skip


@pytest.mark.parametrize("demand", BROKEN)
def test_violation_is_named(op, demand):
    """A rule broken in one way is reported under the demand that it breaks."""
    function, vjp = BROKEN[demand]
    with pytest.raises(GradientError) as caught:
        check_rule(op(function, vjp), x)
    report = caught.value.report
    assert demand in {name for name, _ in report.violations}
    assert f"{demand}: " in str(report)
    assert not report.ok


@pytest.mark.parametrize(
    ("arguments", "vjps", "words"),
    [
        ((y, y), [lambda g, out, x, y: g * y], r"There is no rule for argument 1: derivative\(.*\) was given 1\."),
        ((y,), [lambda g, out, x: None], "for argument 0 returned None"),
        ((y,), [lambda g, out, x: g * nowhere], r"raised NameError: .* is not defined, at line \d+ of test"),  # noqa: F821
        ((y,), [lambda g, x: g], r"raised TypeError: .* takes 2 positional arguments but 3 were given"),
    ],
)  # fmt: skip
def test_what_keeps_a_rule_from_running_is_the_one_diagnosis(op, arguments, vjps, words):
    """A missing rule, one that returns None and one that raises are told once, and nothing else is."""
    with pytest.raises(GradientError, match=words) as caught:
        check_rule(op(lambda *args: np.prod(np.stack(args), axis=0), *vjps), *arguments)
    assert [name for name, _ in caught.value.report.violations] == ["rules"]


@pytest.mark.parametrize("vjp", [lambda g, out, x: g * x, lambda g, out, x: x, lambda g, out, x: np.sum(x)])
def test_a_report_has_ten_lines_at_most(op, vjp):
    """Repeats are counted instead of listed, and the first line after the verdict says what is wrong."""
    with pytest.raises(GradientError) as caught:
        check_rule(op(square, vjp), x)
    lines = str(caught.value).split("\n\nTo reproduce:")[0].split("\n")
    assert len(lines) <= 10
    assert caught.value.report.diagnosis.split(". ")[0] in lines[1]
    assert " times, first: " in str(caught.value)


def test_view_of_an_input(op):
    """A rule that hands out its input is found: whoever edits the gradient would edit the data."""
    half_square = op(lambda x: x * x / 2, lambda g, out, x: x)
    with pytest.raises(GradientError, match="a view of it"):
        check_rule(half_square, x)


def test_tensor_from_arrays(op):
    """A rule that wraps its result is found: first-order backward is to stay plain NumPy."""
    double = op(lambda x: 2 * x, lambda g, out, x: tg.Tensor(2 * g))
    with pytest.raises(GradientError, match="a Tensor, although all arguments are arrays"):
        check_rule(double, x)


def test_one_argument_alone(op):
    """A rule that only works while the other argument is a Tensor too is found, and the argument named."""
    product = op(
        np.multiply,
        lambda g, out, x, y: g * (y if isinstance(out, np.ndarray) or isinstance(y, tg.Tensor) else 2 * y),
        lambda g, out, x, y: g * x,
    )
    with pytest.raises(GradientError, match="single arguments: with respect to argument 0 alone"):
        check_rule(product, x, y)


def test_composites(monkeypatch):
    """A composite has no rule of its own; what it computes and its derivatives are checked."""
    monkeypatch.setitem(rules.COMPOSITES, np.vander, lambda x, N: np.stack([x**k for k in range(N)][::-1], axis=1))
    assert check_rule(np.vander, y, N=3).ok
    monkeypatch.setitem(rules.COMPOSITES, np.vander, lambda x, N: np.stack([x**k for k in range(N)], axis=1))
    with pytest.raises(GradientError, match="value: on Tensors"):
        check_rule(np.vander, y, N=3)


def test_unregistered_function():
    """Without a rule there is nothing to check, and the error shows how to register one."""
    with pytest.raises(MissingRuleError, match=r"tg\.rules\.derivative\(square"):
        check_rule(square, y)


def test_report_has_a_reproduction(op):
    """The report of a failure ends with a script that repeats it."""
    with pytest.raises(GradientError) as caught:
        check_rule(op(square, lambda g, out, x: g * x), y)
    assert "check_rule(" in caught.value.report.reproduction
    assert "np.array([1.5, 0.25, -0.5])" in caught.value.report.reproduction


def test_lists_of_numbers_are_arrays():
    """An array-like argument is checked as the array it stands for; a list of arrays stays a list."""
    assert check_rule(np.exp, [1.0, 2.0]).ok
    assert check_rule(np.concatenate, [np.ones(2), np.ones(3)]).ok


def test_nothing_to_differentiate_is_an_error():
    """Integers have no gradient: that is the caller's mistake, not the rule's."""
    with pytest.raises(DtypeError, match=r"check_rule: expected at least one array of floats.*Write 1\.0 for 1"):
        check_rule(np.exp, np.arange(3))

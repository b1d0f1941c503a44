"""Each common mistake, made on purpose, is named."""

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp.testing import GradientError, check_grads

x = np.array([0.5, -1.25, 2.0, 0.75])
y = np.array([1.5, 0.25, -0.5, 3.0])
X = np.array([[0.5, -1.25, 2.0], [0.75, 1.0, -0.5], [0.25, 3.0, 1.75]])
Y = np.array([[1.5, 0.25, -0.5], [2.0, -1.0, 0.125], [0.5, 0.75, -2.0]])


def square(x):
    return x * x


def scale_rows(x, s):
    return x * s[:, None]


def softmax(x):
    return np.exp(x) / np.sum(np.exp(x))


def last_of_repeated(g, out, x):
    found = np.zeros(4)
    found[[0, 0, 2]] = g
    return found


def detached(x):
    return x.data if isinstance(x, tg.Tensor) else x


MISTAKES = {
    "twice": (square, (x,), 1, "twice too large", lambda g, out, x: 4 * g * x),
    "half": (square, (x,), 1, "half of what", lambda g, out, x: g * x),
    "factor": (square, (x,), 1, "3/4 times", lambda g, out, x: 1.5 * g * x),
    "odd factor": (square, (x,), 1, "6.28319 times", lambda g, out, x: 4 * np.pi * g * x),
    "sign": (square, (x,), 1, "The sign is wrong.", lambda g, out, x: -2 * g * x),
    "sign of some": (square, (x,), 1, "The sign is wrong in 1 of 4", lambda g, out, x: 2 * g * np.abs(x)),
    "g ignored": (square, (x,), 1, "The incoming gradient g is ignored", lambda g, out, x: 2 * x),
    "g not linear": (square, (x,), 1, "not linear in the incoming", lambda g, out, x: 2 * g * g * x),
    "zero": (square, (x,), 1, "depends on nothing", lambda g, out, x: 0 * g * x),
    "zero in one of two": (
        np.sin, (y[:2],), 1, "zero in 1 of 2 elements, though", lambda g, out, x: g * np.cos(x) * (x < 1)
    ),
    "a little off in one": (
        square, (x * [1, 1, 10, 1],), 1, "Wrong in 1 of 4", lambda g, out, x: g * (2 * x + 1e-3 * (x > 19)),
    ),
    "not finite": (square, (x,), 1, "not finite in 4 of 4", lambda g, out, x: np.nan * g * x),
    "order 2": (square, (x,), 2, "wrong at order 2 only", lambda g, out, x: 2 * g * detached(x)),
    "swapped": (
        np.multiply, (x, y), 1, "Swapped: the gradient of argument", lambda g, out, x, y: g * x,
        lambda g, out, x, y: g * y,
    ),
    "transposed": (np.transpose, (X,), 1, "Transposed: its last two axes", lambda g, out, x: g),
    "operand transposed": (
        np.matmul, (X, Y), 1, "W where Wᵀ belongs", lambda g, out, x, y: g @ y, lambda g, out, x, y: x.T @ g,
    ),
    "not summed": (
        np.multiply, (X, x[:3]), 1, "Not summed over axis 0 of the result", lambda g, out, x, y: g * y,
        lambda g, out, x, y: (g * x)[0],
    ),
    "averaged": (
        np.multiply, (X, x[:3]), 1, "averaged where it must be summed", lambda g, out, x, y: g * y,
        lambda g, out, x, y: np.mean(g * x, axis=0),
    ),
    "wrong shape": (
        scale_rows, (X[:, :2], x[:3]), 1, "gives a gradient of shape (3, 2) for argument 1 of shape (3,)",
        lambda g, out, x, s: g * s[:, None], lambda g, out, x, s: g * x,
    ),
    "permuted": (np.positive, (x,), 1, "at the wrong places", lambda g, out, x: np.flip(g)),
    "no dependence": (lambda x: 0 * x, (x,), 1, "does not depend on argument 0", lambda g, out, x: g),
    "some elements": (
        square, (x,), 1, "Wrong in 1 of 4 elements", lambda g, out, x: g * np.where(x < 0, 2.5 * x + 1, 2 * x)
    ),
    "diagonal": (
        softmax, (x,), 1, "Only the diagonal of the Jacobian counts",
        lambda g, out, x: g * softmax(x) * (1 - softmax(x)),
    ),
    "repeated index": (
        lambda x: x[[0, 0, 2]], (x,), 1, "Not summed: where an element of argument 0 reaches several", last_of_repeated,
    ),
    "counted twice": (
        lambda x: np.stack([x[0] * x[1], x[2] * x[1]]), (x,), 1, "Some contributions to argument 0 count 2 times",
        lambda g, out, x: np.stack([g[0] * x[1], g[0] * x[0] + 2 * g[1] * x[2], g[1] * x[1], 0 * g[0]]),
    ),
    "factor missing": (
        np.multiply, (x, y), 1, "A factor is missing: argument 1.",
        lambda g, out, x, y: g + 0 * y, lambda g, out, x, y: g * x,
    ),
    "factor too many": (np.exp, (x,), 1, "A factor too many: the result.", lambda g, out, x: g * out * out),
    "term missing": (
        lambda x: x + np.sin(x), (x,), 1, "too small by 1 everywhere, as if a term x were",
        lambda g, out, x: g * np.cos(x),
    ),
    "term too much": (
        np.sin, (x,), 1, "too large by 0.5 everywhere, as if there were a term 0.5 x",
        lambda g, out, x: g * (np.cos(x) + 0.5),
    ),
    "at the result": (np.sin, (x,), 1, "f'(f(x)) for f'(x)", lambda g, out, x: g * np.cos(np.sin(x))),
    "another function": (np.sin, (x,), 1, "of another function: np.tanh.", lambda g, out, x: g * (1 - np.tanh(x) ** 2)),
    "division by zero": (
        np.prod, (x * [1, 0, 1, 1],), 1, "not finite in 1 of 4 elements, those where argument 0 is 0: a division",
        lambda g, out, x: g * out / x,
    ),
    "zero in some": (
        np.sin, (x,), 1, "zero in 1 of 4 elements, those where argument 0 is negative, though the result depends",
        lambda g, out, x: g * np.cos(x) * (x > 0),
    ),
    "not zero in some": (
        tg.relu, (x,), 1, "not zero in 1 of 4 elements, those where argument 0 is negative, though the result does not",
        lambda g, out, x: g,
    ),
    "derivative missing": (np.sin, (x,), 1, "handed on as it is", lambda g, out, x: g),
    "twice along an axis of 2": (square, (x[:2],), 1, "twice too large.", lambda g, out, x: 4 * g * x),
    "opposite signs": (
        np.fmod, (x * 3 + 0.1, y), 1, "those where argument 1 and argument 0 have opposite signs",
        lambda g, out, x, y: g,
        lambda g, out, x, y: -g * np.floor(x / y),
    ),
    "equal": (
        np.multiply, (x, np.where(x > 1, x, y)), 1, "those where argument 0 and argument 1 are equal",
        lambda g, out, x, y: g * (y + (x == y)), lambda g, out, x, y: g * x,
    ),
    "repeated value": (
        square, (np.array([0.5, 2.0, 0.5, 1.5]),), 1, "those whose value in argument 0 occurs more than once",
        lambda g, out, x: 2 * g * x * np.array([3, 1, 5, 1]),
    ),
    "rule that raises": (square, (x,), 1, "raised KeyError", lambda g, out, x: {}["gradient"]),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_is_named(op, mistake):
    """The diagnosis of a deliberate mistake names it, at the order at which it shows."""
    function, arguments, order, words, *vjps = MISTAKES[mistake]
    made = op(lambda *args: function(*args), *vjps)
    with pytest.raises(GradientError) as caught:
        check_grads(made, *arguments)
    report = caught.value.report
    assert words in report.diagnosis
    assert report.failed_at == order
    assert report.diagnosis in str(caught.value)
    assert "averaged" not in report.diagnosis or mistake == "averaged", "no axis is blamed for another factor"


def test_detached_argument():
    """A function that leaves the graph is told from a rule that gives zero."""
    with pytest.raises(GradientError, match=r"no path leads from the result back to argument 0"):
        check_grads(lambda x: np.sin(x.data), x)


def test_function_with_side_effects():
    """Editing arguments, chance and different values on Tensors are found before any gradient is."""

    def edits(x):
        if not isinstance(x, tg.Tensor):
            x += 1
        return x * 2

    rng = np.random.default_rng(0)
    with pytest.raises(GradientError, match="changes its arguments in place"):
        check_grads(edits, x)
    with pytest.raises(GradientError, match="different values for the same arguments"):
        check_grads(lambda x: x * rng.normal(), x)
    with pytest.raises(GradientError, match="other values on Tensors"):
        check_grads(lambda x: x * 2 if isinstance(x, tg.Tensor) else x, x)

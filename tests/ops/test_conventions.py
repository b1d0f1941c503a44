"""What the rules answer where calculus leaves a choice."""

import numpy as np
from tables import row

import tinygrad_mlp as tg
from tinygrad_mlp.rules import function_name

KINKS = {
    "absolute": (lambda x: np.abs(x), 0.0, 0.0),
    "fabs": (lambda x: np.fabs(x), 0.0, 0.0),
    "relu": (lambda x: tg.relu(x), 0.0, 0.0),
    "sqrt": (lambda x: np.sqrt(x), 0.0, np.inf),
    "maximum": (lambda x: np.maximum(x, 1.0), 1.0, 0.5),
    "minimum": (lambda x: np.minimum(1.0, x), 1.0, 0.5),
    "fmax": (lambda x: np.fmax(x, 1.0), 1.0, 0.5),
    "fmin": (lambda x: np.fmin(x, 1.0), 1.0, 0.5),
    "clip low": (lambda x: np.clip(x, 0.0, 1.0), 0.0, 1.0),
    "clip high": (lambda x: np.clip(x, 0.0, 1.0), 1.0, 1.0),
    "x**0": (lambda x: x**0, 0.0, 0.0),
    "x**0.0": (lambda x: np.power(x, 0.0), 0.0, 0.0),
    "0**y": (lambda y: np.power(0.0, y), 2.0, 0.0),
    "x**1": (lambda x: x**1, 0.0, 1.0),
    "norm": (lambda x: np.linalg.norm(np.stack([x, x])), 0.0, 0.0),
    "norm 3": (lambda x: np.linalg.norm(np.stack([x, x]), 3), 0.0, 0.0),
    "std": (lambda x: np.std(np.stack([x, 1.0])), 1.0, 0.0),
    "hypot": (lambda x: np.hypot(x, 0.0), 0.0, 0.0),
    "logaddexp": (lambda x: np.logaddexp(x, -np.inf), -np.inf, 0.0),
    "copysign": (lambda x: np.copysign(x, -1.0), 0.0, 0.0),
}


def test_conventions():
    """Property: where calculus leaves a choice, the gradient is the one that the docs state."""
    for name, (f, x, expected) in KINKS.items():
        with row(name), np.errstate(divide="ignore"):
            assert tg.grad(f)(np.array(x)) == expected


def test_ties_share():
    """Property: k elements that tie for the maximum get 1/k each."""
    x = np.array([[1.0, 1.0, 1.0, 1.0], [1.0, 2.0, 2.0, 1.0]])
    for f in (np.max, np.min, np.amax, np.amin):
        expected = [[0.25] * 4, [0, 0.5, 0.5, 0] if f in (np.max, np.amax) else [0.5, 0, 0, 0.5]]
        with row(function_name(f)):
            np.testing.assert_array_equal(tg.grad(lambda x, f=f: np.sum(f(x, axis=1)))(x), expected)

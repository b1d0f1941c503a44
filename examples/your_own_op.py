"""Register an op, check its rule, break the rule on purpose and read the diagnosis.

python examples/your_own_op.py
"""

import numpy as np

import tinygrad_mlp as tg
from tinygrad_mlp.testing import GradientError, check_grads, check_rule


@tg.rules.primitive
def rms_normalize(x, scale):
    """Each row divided by its root mean square, times a learned scale: s x / √(mean(x²) + ε)."""
    return scale * x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + 1e-6)


def gradient_of_x(g, out, x, scale):
    """With r = 1/√(mean(x²) + ε) and h = g s: r h - r³ x mean(h x)."""
    r = 1 / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + 1e-6)
    h = g * scale
    return r * h - r * r * r * x * np.mean(h * x, axis=-1, keepdims=True)


def gradient_of_scale(g, out, x, scale):
    """g x / √(mean(x²) + ε). The engine sums it over the rows, along which the scale was broadcast."""
    return g * x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + 1e-6)


def without_the_second_term(g, out, x, scale):
    """As if the root mean square were a constant: a mistake that trains, only worse."""
    return g * scale / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + 1e-6)


rng = np.random.default_rng(0)
x, scale = rng.normal(size=(3, 4)), rng.normal(size=4)

tg.rules.derivative(rms_normalize, gradient_of_x, gradient_of_scale)
print(check_rule(rms_normalize, x, scale))
print(check_grads(rms_normalize, x, scale, order=3))

for mistake, rules in {
    "second term dropped": (without_the_second_term, gradient_of_scale),
    "sign": (lambda *args: -gradient_of_x(*args), gradient_of_scale),
    "averaged over the rows": (gradient_of_x, lambda *args: np.mean(gradient_of_scale(*args), axis=0)),
    "incoming gradient ignored": (gradient_of_x, lambda g, *rest: gradient_of_scale(1.0, *rest)),
}.items():
    tg.rules.derivative(rms_normalize, *rules)
    try:
        check_grads(rms_normalize, x, scale)
    except GradientError as error:
        print(f"\n--- {mistake} ---\n{error}")

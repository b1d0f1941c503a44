"""The exercises of ``tinygrad-mlp learn``: what each answer is held against, and the mistakes that are known by name.

A mistake is a function that makes it. An attempt that gives the same numbers has made it, and is told its sentence; an
attempt that gives neither these numbers nor the right ones is told what can be seen from the numbers alone.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tinygrad_mlp.tensor import Tensor

Function = Callable[..., Any]
CLOSE = 1e-5


@dataclass(frozen=True)
class Exercise:
    """One file with a blank.

    Attributes
    ----------
    file, function : str
        The file, and the function in it that the learner completes.
    right : callable
        What it should compute.
    case : tuple
        Its arguments, which tell the mistakes apart.
    mistakes : dict
        Sentence -> a function that makes this mistake.
    also : tuple, optional
        Other arguments, on which it must be right as well.
    """

    file: str
    function: str
    right: Function
    case: tuple[Any, ...]
    mistakes: dict[str, Function]
    also: tuple[Any, ...] | None = None


@np.errstate(all="ignore")  # what is not finite is said in words
def explain(exercise: Exercise, attempt: Function) -> str | None:
    """What is wrong with an attempt, in words; None if it is right.

    >>> explain(EXERCISES[0], lambda g, x: 2 * g * x)
    >>> explain(EXERCISES[0], lambda g, x: 2 * x)
    'The incoming gradient g is ignored.'
    """
    try:
        got = attempt(*copies(exercise.case))
    except NotImplementedError:
        return "The blank is still there."
    except Exception as error:
        return f"It raised {type(error).__name__}: {error}"
    if any(isinstance(part, Tensor) for part in parts(got)):
        return "The result is a Tensor, which keeps the graph of everything it was computed from in memory."
    want = [np.asarray(part) for part in parts(exercise.right(*copies(exercise.case)))]
    found = parts(got)
    if len(found) != len(want):
        return f"Expected {len(want)} results, got {len(found)}."
    if same(found, want):
        return explain(replace(exercise, case=exercise.also, also=None), attempt) if exercise.also else None
    for sentence, mistake in exercise.mistakes.items():
        if same(found, parts(mistake(*copies(exercise.case)))):
            return sentence
    return next(said for a, b in zip(found, want, strict=True) if (said := from_numbers(a, b)))


def from_numbers(got: Any, want: Any) -> str | None:
    """What two arrays tell without knowing where they come from."""
    try:
        got = np.asarray(got, dtype=np.float64)
    except (TypeError, ValueError):
        return f"Expected numbers, got {type(got).__name__}."
    if got.shape != want.shape:
        if got.ndim == 2 and got.T.shape == want.shape and near(got.T, want):
            return "Transposed: its two axes are swapped."
        return f"Expected the shape {want.shape}, got {got.shape}."
    if near(got, want):
        return None
    if not np.isfinite(got).all():
        return f"{np.sum(~np.isfinite(got))} of {got.size} elements are NaN or infinite."
    if got.ndim == 2 and got.shape[0] == got.shape[1] and near(got.T, want):
        return "Transposed: its two axes are swapped."
    square = float(np.sum(want**2))
    factor = float(np.sum(got * want)) / square if square else 0.0
    if factor and np.count_nonzero(want) > 1 and near(got, factor * want):
        names = {-1.0: "The sign is wrong.", 0.5: "It is half of what it should be.", 2.0: "It is twice too large."}
        return next(
            (s for f, s in names.items() if np.isclose(f, factor)), f"It is {factor:.4g} times what it should be."
        )
    if not got.any():
        return "It is zero everywhere."
    off = got - want
    if want.size > 1 and near(off, np.full(off.shape, np.mean(off))):
        return f"It is too {'large' if np.mean(off) > 0 else 'small'} by {abs(np.mean(off)):.4g} everywhere."
    wrong = int(np.sum(np.abs(got - want) > CLOSE * np.max(np.abs(want))))
    return f"{wrong} of {want.size} elements are wrong."


def parts(result: Any) -> list[Any]:
    """The arrays of a result."""
    return list(result) if isinstance(result, (tuple, list)) else [result]


def copies(case: tuple[Any, ...]) -> list[Any]:
    """The arguments anew, so that an attempt may edit them."""
    return [
        a.copy() if isinstance(a, np.ndarray) else [x.copy() for x in a] if isinstance(a, list) else a for a in case
    ]


def near(a: Any, b: Any) -> bool:
    """Whether two arrays of one shape are the same as far as an exercise goes."""
    size = np.max(np.abs(b), where=np.isfinite(b), initial=1e-6)
    return bool(np.allclose(a, b, rtol=CLOSE, atol=CLOSE * size, equal_nan=True))


def same(found: list[Any], want: list[Any]) -> bool:
    """Whether two results have the same shapes and numbers."""
    try:
        return all(np.shape(a) == np.shape(b) and near(a, b) for a, b in zip(found, want, strict=True))
    except (TypeError, ValueError):
        return False


def softmax_rule(g: Any, p: Any) -> Any:
    """∂L/∂zⱼ = pⱼ (gⱼ - Σᵢ gᵢ pᵢ)."""
    return p * (g - np.sum(g * p, axis=1, keepdims=True))


def clipped(grads: list[Any], max_norm: float) -> list[Any]:
    """Arrays scaled together so that their common norm is at most ``max_norm``."""
    norm = np.sqrt(sum(np.sum(g * g) for g in grads))
    return [g * min(1.0, max_norm / norm) for g in grads]


def masked_log_gradient(g: Any, x: Any) -> Any:
    """g / x where x > 0, and 0 elsewhere."""
    return np.where(x > 0, g / np.where(x > 0, x, 1.0), 0.0)


def network(X: Any, Y: Any, W1: Any, b1: Any, W2: Any, b2: Any, *, mistake: str = "") -> tuple[Any, ...]:
    """The gradients of the document, or those that a mistake gives."""
    a1 = X @ W1 + (-b1 if mistake == "b1" else b1)
    h = np.maximum(1 if mistake == "from 1" else 0, a1)
    e = np.exp((z := h @ W2 + (-b2 if mistake == "b2" else b2)) - z.max(axis=1, keepdims=True))
    total = e.sum(axis=1, keepdims=True)
    dz = (e * total if mistake == "softmax" else e / total) - (-Y if mistake == "targets" else Y)
    dz = dz if mistake == "mean" else dz / len(X)
    dh = dz @ W2.T
    da1 = {"relu": dh, "tanh": dh * (1 - h * h), "mask": dh * (a1 > 1)}.get(mistake, dh * (a1 > 0))
    return X.T @ da1, da1.sum(axis=0), h.T @ dz, dz.sum(axis=0)


def wrong_network(mistake: str) -> Function:
    """The gradients with a mistake."""
    return lambda *args: network(*args, mistake=mistake)


_rng = np.random.default_rng(0)
G, X4 = _rng.normal(size=(4, 3)), _rng.normal(size=(4, 3))
MASKED = (np.array([1.5, -0.7, 0.3, 2.0]), np.array([2.0, 0.0, -1.0, 0.5]))
P = np.exp(X4) / np.exp(X4).sum(axis=1, keepdims=True)
W = _rng.normal(size=(3, 5))
Y4 = np.eye(3)[[0, 2, 1, 1]]
NET = (
    X4,
    np.eye(2)[[0, 1, 1, 0]],
    _rng.normal(size=(3, 6)),
    np.full(6, 0.1),
    _rng.normal(size=(6, 2)),
    np.array([0.3, -0.5]),
)

EXERCISES = (
    Exercise("01_square.py", "square_rule", lambda g, x: 2 * g * x, (G, X4), {
        "The incoming gradient g is ignored.": lambda _, x: 2 * x,
        "This is the value of the function times g, not its derivative.": lambda g, x: g * x * x,
        "The factor x is missing.": lambda g, _: 2 * g,
        "Divided by x, where it must be multiplied.": lambda g, x: 2 * g / x,
    }),
    Exercise("02_sigmoid.py", "sigmoid_rule", lambda g, out: g * out * (1 - out), (G, P), {
        "The incoming gradient g is ignored.": lambda _, out: out * (1 - out),
        "This is the derivative of tanh, not of the sigmoid.": lambda g, out: g * (1 - out * out),
        "The sigmoid is applied to its own output once more: out has it already.":
            lambda g, out: g * (s := 1 / (1 + np.exp(-out))) * (1 - s),
        "The factor 1 - out is missing.": lambda g, out: g * out,
        "The factor out is missing.": lambda g, out: g * (1 - out),
        "Divided by 1 - out, where it must be multiplied.": lambda g, out: g * out / (1 - out),
        "Divided by out, where it must be multiplied.": lambda g, out: g / out * (1 - out),
        "The sign in 1 - out is wrong.": lambda g, out: g * out * (1 + out),
    }),
    Exercise("03_linear.py", "linear_rule", lambda g, x, w: (g @ w.T, x.T @ g), (_rng.normal(size=(4, 5)), X4, W), {
        "The two gradients are swapped.": lambda g, x, w: (x.T @ g, g @ w.T),
        "The gradient of w is averaged over the batch, where it must be summed.":
            lambda g, x, w: (g @ w.T, x.T @ g / len(x)),
    }),
    Exercise("04_bias.py", "bias_rule", lambda g: g.sum(axis=0), (G,), {
        "Not summed over axis 0, along which the bias was broadcast.": lambda g: g,
        "Averaged over axis 0, where it must be summed.": lambda g: g.mean(axis=0),
        "Summed over axis 1 instead of axis 0, along which the bias was broadcast.": lambda g: g.sum(axis=1),
        "Summed over both axes; the bias was broadcast along axis 0 alone.": lambda g: g.sum(),
        "Only the first row counts; all rows must be summed.": lambda g: g[0],
    }),
    Exercise("05_softmax.py", "softmax_rule", softmax_rule, (G, P), {
        "Only the diagonal of the Jacobian is there: each p depends on all z of its row.": lambda g, p: g * p * (1 - p),
        "The incoming gradient is passed as if softmax were exp.": lambda g, p: g * p,
        "The sum runs over the whole batch; it belongs to each row alone.": lambda g, p: p * (g - np.sum(g * p)),
        "The sum runs over axis 0; it belongs to axis 1, the classes.":
            lambda g, p: p * (g - np.sum(g * p, axis=0, keepdims=True)),
        "The sum over the classes is added; it must be subtracted.":
            lambda g, p: p * (g + np.sum(g * p, axis=1, keepdims=True)),
        "The sum over the classes is divided by the weights p.":
            lambda g, p: p * (g - np.sum(g / p, axis=1, keepdims=True)),
        "The incoming gradient is divided by p, where it must be multiplied.":
            lambda g, p: g / p - p * np.sum(g * p, axis=1, keepdims=True),
        "Divided by the sum over the classes, where p must be multiplied by it.":
            lambda g, p: g * p - p / np.sum(g * p, axis=1, keepdims=True),
        "The sum over the classes lacks the weights p.": lambda g, p: p * (g - np.sum(g, axis=1, keepdims=True)),
    }),
    Exercise("06_cross_entropy.py", "cross_entropy_gradient", lambda p, y: (p - y) / len(p), (P, Y4), {
        "Summed over the batch, where the mean is asked.": lambda p, y: p - y,
        "The sign is wrong: it points to where the loss falls.": lambda p, y: (y - p) / len(p),
        "Divided by the number of elements instead of the number of rows.": lambda p, y: (p - y) / p.size,
        "Divided by the number of classes instead of the number of rows.": lambda p, y: (p - y) / p.shape[1],
        "This is the gradient with respect to p, not to z.": lambda p, y: -y / p / len(p),
        "The targets y are missing.": lambda p, _: p / len(p),
        "The targets y are added; they must be subtracted.": lambda p, y: (p + y) / len(p),
    }),
    Exercise("07_mask.py", "masked_log_rule", masked_log_gradient, MASKED, {
        "The element where x is 0 gives NaN or infinity: 0 · ∞ is NaN, so the mask comes too late. Mask x itself.":
            lambda g, x: (x > 0) * g / x,
        "Multiplied by x, where it must be divided.": lambda g, x: masked_log_gradient(g * x * x, x),
        "The mask begins too late: elements where x lies between 0 and 1 are dropped.":
            lambda g, x: np.where(x > 1, masked_log_gradient(g, x), 0.0),
        "The elements between 0 and 1 are not divided by x.": lambda g, x: masked_log_gradient(g * np.minimum(x, 1), x),
        "Where x is not positive the gradient is 1; it must be 0.":
            lambda g, x: np.where(x > 0, masked_log_gradient(g, x), 1.0),
        "There is no mask: where x is not positive the gradient is not 0.": lambda g, x: g / x,
        "The incoming gradient g is ignored.": lambda _, x: masked_log_gradient(1.0, x),
    }),
    Exercise("08_numerical.py", "numerical_derivative", lambda f, x, h: (f(x + h) - f(x - h)) / (2 * h),
             (np.tanh, X4[0], 0.1), {
        "This is the one-sided difference, whose error is of order h instead of h².":
            lambda f, x, h: (f(x + h) - f(x)) / h,
        "This is the backward difference, whose error is of order h instead of h².":
            lambda f, x, h: (f(x) - f(x - h)) / h,
        "Divided by h, where the two points are 2 h apart.": lambda f, x, h: (f(x + h) - f(x - h)) / h,
        "The two values are added; their difference is asked.": lambda f, x, h: (f(x + h) + f(x - h)) / (2 * h),
        "Not divided by the distance of the two points.": lambda f, x, h: f(x + h) - f(x - h),
    }),
    Exercise("09_momentum.py", "momentum_step", lambda w, g, v, lr, m: (w - lr * (m * v + g), m * v + g),
             (X4, G, P, 0.1, 0.9), {
        "The sign is wrong: the step goes uphill.": lambda w, g, v, lr, m: (w + lr * (m * v + g), m * v + g),
        "The gradient is subtracted from the velocity and the velocity from the weights: the step goes uphill.":
            lambda w, g, v, lr, m: (w - lr * (m * v - g), m * v - g),
        "Divided by the velocity, where it must be multiplied.":
            lambda w, g, v, lr, m: (w - lr / (m * v + g), m * v + g),
        "The momentum is divided by the velocity, where it must be multiplied.":
            lambda w, g, v, lr, m: (w - lr * (m / v + g), m / v + g),
        "The old velocity is forgotten.": lambda w, g, v, lr, m: (w - lr * g, g),
        "The gradient is damped by 1 - momentum: that is an average, not a velocity.":
            lambda w, g, v, lr, m: (w - lr * (u := m * v + (1 - m) * g), u),
        "The step uses the old velocity; it must use the new one.": lambda w, g, v, lr, m: (w - lr * v, m * v + g),
        "The learning rate is missing in the step.": lambda w, g, v, lr, m: (w - (m * v + g), m * v + g),
        "The new velocity is not returned.": lambda w, g, v, lr, m: (w - lr * (m * v + g), v),
    }),
    Exercise("10_schedule.py", "cosine", lambda step, total, lr: lr * 0.5 * (1 + np.cos(np.pi * step / total)),
             (np.array([0.0, 3.0, 10.0]), 10, 0.2), {
        "The half is missing: it begins at twice the learning rate.":
            lambda step, total, lr: lr * (1 + np.cos(np.pi * step / total)),
        "This falls along a line, not along a cosine.": lambda step, total, lr: lr * (1 - step / total),
        "It rises: the sign of the cosine is wrong.":
            lambda step, total, lr: lr * 0.5 * (1 - np.cos(np.pi * step / total)),
        "The cosine runs through a whole turn; half a turn is asked.":
            lambda step, total, lr: lr * 0.5 * (1 + np.cos(2 * np.pi * step / total)),
        "The step is multiplied by total, where it must be divided.":
            lambda step, total, lr: lr * 0.5 * (1 + np.cos(np.pi * step * total)),
        "It is scaled by the learning rate nowhere.": lambda step, total, _: 0.5 * (1 + np.cos(np.pi * step / total)),
    }),
    Exercise("11_clipping.py", "clip", clipped, ([G, 0.1 * W], 0.5), {
        "Each array is clipped by its own norm; one common norm keeps the direction.":
            lambda grads, n: [g * min(1.0, n / np.linalg.norm(g)) for g in grads],
        "Each element is clipped; that changes the direction.": lambda grads, n: [np.clip(g, -n, n) for g in grads],
        "Nothing is clipped.": lambda grads, _: grads,
        "Scaled by the square of the norm: the root is missing.":
            lambda grads, n: [g * (n / sum(np.sum(x * x) for x in grads)) for g in grads],
    }, also=([0.01 * G, 0.01 * W], 0.5)),
    Exercise("12_leak.py", "mean_loss", lambda w, xs: float(np.mean([np.sum(w * x) ** 2 for x in xs])),
             (W[0, :3], [X4[0], X4[1]]), {
        "This is the sum of the losses; the mean is asked.":
            lambda w, xs: float(sum(np.sum(w * x) ** 2 for x in xs)),
        "Multiplied by the number of losses, where it must be divided.":
            lambda w, xs: float(sum(np.sum(w * x) ** 2 for x in xs)) * len(xs),
        "The weights are divided by x, where they must be multiplied.":
            lambda w, xs: float(np.mean([np.sum(w / x) ** 2 for x in xs])),
        "This is the last loss alone.": lambda w, xs: float(np.sum(w * xs[-1]) ** 2),
    }),
    Exercise("13_mnist.py", "gradients", network, NET, {
        "Summed over the batch, where the mean is asked.": wrong_network("mean"),
        "The gradient passes the ReLU everywhere; it must only where a₁ > 0.": wrong_network("relu"),
        "The targets Y are added; they must be subtracted.": wrong_network("targets"),
        "This is the derivative of tanh; the hidden layer is a ReLU.": wrong_network("tanh"),
        "The bias b₁ is subtracted; it must be added.": wrong_network("b1"),
        "The bias b₂ is subtracted; it must be added.": wrong_network("b2"),
        "The exponentials are multiplied by their sum; they must be divided by it.": wrong_network("softmax"),
        "The ReLU gives at least 1; it must give at least 0.": wrong_network("from 1"),
        "The mask of the ReLU begins at 1; it must begin at 0.": wrong_network("mask"),
    }),
)  # fmt: skip

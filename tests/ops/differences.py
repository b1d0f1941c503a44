"""Gradients of a case by the engine and by differences of values: what the suites in this directory compare."""

import numpy as np

import tinygrad_mlp as tg


def outputs(case, arrays):
    """All the results of a call that can carry a gradient, as a list."""
    result = case.call(*arrays)
    results = result if isinstance(result, (list, tuple)) else [result]
    return [r for r in results if np.issubdtype(r.dtype, np.floating)]


def weights(results, seed):
    rng = np.random.default_rng(seed)
    return [rng.uniform(0.5, 1.5, r.shape).astype(r.dtype) for r in results]


def scalar(results, seed):
    """A weighted sum of the results: its gradient is one vector-Jacobian product."""
    return sum((np.sum(r * w) for r, w in zip(results, weights(results, seed), strict=True)), np.zeros(()))


def leaves(arrays):
    return [tg.Tensor(a, requires_grad=True) for a in arrays]


def first_order(case, arrays):
    """The gradients of the weighted sum by each argument, as arrays, through ``backward``."""
    inputs = leaves(arrays)
    total = scalar(outputs(case, inputs), seed=1)
    if isinstance(total, tg.Tensor) and total.requires_grad:
        total.backward()
    return [np.zeros_like(x.data) if x.grad is None else x.grad for x in inputs]


def second_order(case, arrays):
    """The gradients of a weighted sum of the first-order gradients."""
    inputs = leaves(arrays)
    total = scalar(outputs(case, inputs), seed=1)
    if not (isinstance(total, tg.Tensor) and total.requires_grad):
        return [np.zeros_like(a) for a in arrays]
    slopes = tg.gradients(total, inputs, create_graph=True)
    total = scalar(slopes, seed=2)
    if not (isinstance(total, tg.Tensor) and total.requires_grad):
        return [np.zeros_like(a) for a in arrays]
    return [getattr(g, "data", g) for g in tg.gradients(total, inputs)]


def numeric(f, arrays):
    """Gradients of a scalar function by central differences at steps h and h/2, extrapolated to h = 0."""
    gradients = []
    for i, x in enumerate(arrays):
        gradient = np.zeros_like(x)
        for index in np.ndindex(*x.shape):
            if np.isnan(x[index]):
                continue

            def along(step, i=i, index=index):
                moved = [a.copy() for a in arrays]
                moved[i][index] += step
                return f(moved)

            coarse, fine = ((along(h) - along(-h)) / (2 * h) for h in (1e-3, 5e-4))
            gradient[index] = (4 * fine - coarse) / 3
        gradients.append(gradient)
    return gradients


def close(actual, expected, rtol=1e-6, atol=1e-7):
    for a, e in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, e, rtol=rtol, atol=atol)

"""Newton's method without a Hessian: each step solves H s = -∇f by conjugate gradients, of which `hvp` is all of H."""

import numpy as np

import tinygrad_mlp as tg


def conjugate_gradients(product, b, tolerance):
    """The solution of H s = b, where product(v) is H v, to so small a residual; and how many products it took."""
    s, r = np.zeros_like(b), b.copy()
    direction, products = r, 0
    while np.linalg.norm(r) > tolerance and products < b.size:
        image = product(direction)
        products += 1
        curvature = direction @ image
        if curvature <= 0:  # f bends down along it: there is no minimum that way
            return (s if products > 1 else b), products
        step = (r @ r) / curvature
        s = s + step * direction
        r_next = r - step * image
        direction = r_next + (r_next @ r_next) / (r @ r) * direction
        r = r_next
    return s, products


def newton_cg(f, x, steps=100):
    """Minimise f from x on, and print how it goes."""
    total = 0
    for k in range(steps):
        value, slope = tg.value_and_grad(f)(x)
        norm = np.linalg.norm(slope)
        if k % 8 == 0 or norm < 1e-9:
            print(f"step {k:2}  f {value:.1e}  ‖∇f‖ {norm:.1e}  after {total:3} products H v")
        if norm < 1e-9:
            break
        # Far from the minimum a rough solution does; near it, the better it is the faster the steps converge.
        s, products = conjugate_gradients(lambda v, x=x: tg.hvp(f, x, v), -slope, min(0.5, np.sqrt(norm)) * norm)
        size = 1.0
        while f(x + size * s) > value + 1e-4 * size * (slope @ s):  # shorter, until f falls as its slope promises
            size /= 2
        x, total = x + size * s, total + products
    return x


def rosenbrock(x):
    """Σ 100 (xᵢ₊₁ - xᵢ²)² + (1 - xᵢ)²: a bent valley with its minimum 0 at (1, …, 1)."""
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


n = 1000  # the Hessian would have a million elements
x = newton_cg(rosenbrock, np.full(n, 0.5))
print(f"farthest from 1: {np.abs(x - 1).max():.1e}")

"""Eigenvalues and eigenvectors of square matrices of any kind, if they are real. Vocabulary: see `tinygrad_mlp.rules`.

Source of the formulas: Giles, 2008, "An extended collection of matrix derivative results", and the norm of 1 that LAPACK
gives each eigenvector.
"""

import functools

import numpy as np

from tinygrad_mlp.errors import ArgumentError
from tinygrad_mlp.ops.linalg import inv, over_gaps, solve, t
from tinygrad_mlp.rules import composite, derivative, primitive
from tinygrad_mlp.validation import demand


def real(results):
    """The results as real numbers, which alone Tensors hold; an error where they have imaginary parts."""
    complex_spectrum = functools.partial(
        ArgumentError, "np.linalg.eig", expected="matrices whose eigenvalues are real", got="complex eigenvalues",
        fix="np.linalg.eigh takes symmetric matrices, with eigenvalues that are real in spite of rounding; or compute "
        "on x.data, which carries no gradient.",
    )  # fmt: skip
    demand(np.all(np.imag(results) == 0), complex_spectrum)
    return np.real(results)


@primitive
def general_eigenvalues(x):
    """The eigenvalues of a matrix that need not be symmetric, in LAPACK's order."""
    return real(np.linalg.eigvals(x))


@primitive
def paired_eigenvalues(x):
    """The eigenvalues that belong to `general_eigenvectors`, whose order may differ from that of eigenvalues alone."""
    return real(np.linalg.eig(x)[0])


@primitive
def general_eigenvectors(x):
    """The eigenvectors of a matrix that need not be symmetric, one a column, each of norm 1."""
    return real(np.linalg.eig(x)[1])


def eigenvalues_vjp(g, _, x):
    """V⁻ᵀ diag(g) Vᵀ, for dλ = diag(V⁻¹ dX V)."""
    v = general_eigenvectors(x)
    return t(inv(v)) * g[..., None, :] @ t(v)


def eigenvalues_alone_vjp(g, out, x):
    """The same, each eigenvalue being found among the pairs by its rank."""
    by_rank = np.take_along_axis(g, np.argsort(out, axis=-1), axis=-1)
    rank = np.argsort(np.argsort(paired_eigenvalues(x), axis=-1), axis=-1)
    return eigenvalues_vjp(np.take_along_axis(by_rank, rank, axis=-1), out, x)


def eigenvectors_vjp(g, out, x):
    """V⁻ᵀ (F ∘ Vᵀh) Vᵀ with F = 1 / (λ_j - λ_i), and h = g without its part along each vector, whose norm stays 1."""
    across = g - out * np.sum(out * g, axis=-2, keepdims=True)
    return solve(t(out), over_gaps(t(out) @ across, paired_eigenvalues(x))) @ t(out)


# fmt: off
derivative(general_eigenvalues,   eigenvalues_alone_vjp)
derivative(paired_eigenvalues,    eigenvalues_vjp)
derivative(general_eigenvectors,  eigenvectors_vjp)
# fmt: on


@composite(np.linalg.eig)
def _(a):
    result = type(np.linalg.eig(np.eye(1)))
    return result(paired_eigenvalues(a), general_eigenvectors(a))


@composite(np.linalg.eigvals)
def _(a):
    return general_eigenvalues(a)

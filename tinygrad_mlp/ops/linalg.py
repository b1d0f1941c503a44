"""Linear algebra: inverses, determinants, norms, decompositions. Vocabulary of the rules: see `tinygrad_mlp.rules`.

Where NumPy reads only one triangle of a matrix (eigh, cholesky), only that triangle gets a gradient: the rules
differentiate the function that NumPy computes. Sources of the formulas: Giles, 2008, "An extended collection of matrix
derivative results"; Townsend, 2016, "Differentiating the singular value decomposition".
"""

import math

import numpy as np

from tinygrad_mlp.errors import ArgumentError, ShapeError
from tinygrad_mlp.ops.elementwise import nonzero
from tinygrad_mlp.ops.shaping import scatter
from tinygrad_mlp.rules import composite, constant, derivative, primitive

inv, solve = np.linalg.inv, np.linalg.solve


def t(x):
    """Each matrix transposed."""
    return np.swapaxes(x, -1, -2)


def diagonal_of(x):
    """The matrix with all but the diagonal set to 0."""
    return x * np.eye(x.shape[-1], dtype=x.dtype)


def gaps(s):
    """1 / (s_j - s_i) at row i, column j; 0 on the diagonal."""
    eye = np.eye(s.shape[-1], dtype=s.dtype)
    return (1 - eye) / (s[..., None, :] - s[..., :, None] + eye)


@primitive
def over_gaps(m, s):
    """m_ij / (s_j - s_i), and 0 on the diagonal.

    Vectors of values that are the same to rounding may be exchanged for combinations of each other. Functions that do
    not depend on the choice have an m that is 0 there to rounding, and get 0; the others have no derivative: NaN.
    """
    gap = s[..., None, :] - s[..., :, None]
    rounding = s.shape[-1] * np.finfo(s.dtype).eps
    same = np.abs(gap) <= rounding * np.max(np.abs(s), axis=-1, initial=0)[..., None, None]
    zero = np.abs(m) <= 100 * rounding * np.max(np.abs(m), axis=(-2, -1), keepdims=True, initial=0)
    zero = zero | np.eye(s.shape[-1], dtype=bool)
    return np.where(same, np.where(zero, 0, math.nan), m / np.where(same, 1, gap)).astype(m.dtype)


def over_gaps_values(g, out, m, s):
    """The gradient of the values between which the gaps are."""
    h = -g * out * gaps(s)
    return np.sum(h, axis=-2) - np.sum(h, axis=-1)


@primitive
def cofactors(x):
    """det(X) X⁻ᵀ, the gradient of the determinant; of a singular matrix too, by the determinants of its minors."""
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise ShapeError("cofactors", expected="square matrices", got=f"shape {x.shape}")
    try:
        return np.linalg.det(x)[..., None, None] * t(inv(x))
    except np.linalg.LinAlgError:
        return signs(x) * np.linalg.det(minors(x)) if x.shape[-1] > 1 else np.ones_like(x)


def others(n):
    """The numbers from 0 to n - 1 but i, in row i."""
    return np.array([[k for k in range(n) if k != i] for i in range(n)], dtype=int).reshape(n, max(n - 1, 0))


def minors(x):
    """The matrix without row i and column j, for each i and j: shape (…, n, n, n - 1, n - 1)."""
    rest = others(x.shape[-1])
    return x[..., rest[:, None, :, None], rest[None, :, None, :]]


def signs(x):
    """(-1)ⁱ⁺ʲ."""
    i = np.arange(x.shape[-1])
    return ((-1) ** (i[:, None] + i)).astype(x.dtype)


def cofactors_vjp(g, _, x):
    """Each cofactor is the determinant of a minor, to whose elements its gradient goes."""
    n = x.shape[-1]
    if n == 1:
        return np.zeros_like(x)
    inner = (g * signs(x))[..., None, None] * cofactors(minors(x))
    rest = others(n)
    place = rest[:, None, :, None] * n + rest[None, :, None, :]
    at = np.reshape(np.arange(math.prod(x.shape[:-2])), (*x.shape[:-2], 1, 1, 1, 1)) * (n * n) + place
    return np.reshape(scatter(np.ravel(inner), np.ravel(at), (x.size,)), x.shape)


# -- the single results of functions that have several ---------------------------------------------------------------
@primitive
def determinant_sign(x):
    """The sign of the determinant."""
    return np.linalg.slogdet(x)[0]


@primitive
def log_determinant(x):
    """The logarithm of the absolute value of the determinant."""
    return np.linalg.slogdet(x)[1]


@primitive
def eigenvalues(x, uplo):
    """The eigenvalues of a symmetric matrix, of which one triangle is read."""
    return np.linalg.eigvalsh(x, uplo)


@primitive
def eigenvectors(x, uplo):
    """The eigenvectors of a symmetric matrix, of which one triangle is read."""
    return np.linalg.eigh(x, uplo)[1]


@primitive
def left_vectors(x):
    """U of the reduced singular value decomposition."""
    return np.linalg.svd(x, full_matrices=False)[0]


@primitive
def singular_values(x):
    """S of the singular value decomposition."""
    return np.linalg.svd(x, compute_uv=False)


@primitive
def right_vectors(x):
    """Vᵀ of the reduced singular value decomposition."""
    return np.linalg.svd(x, full_matrices=False)[2]


@primitive
def orthogonal(x):
    """Q of the QR decomposition of a matrix with no more columns than rows."""
    return np.linalg.qr(x)[0]


def one_triangle(g, uplo):
    """Let the triangle that was read stand for both: it gets the gradient of both."""
    return diagonal_of(g) + (np.tril(g + t(g), -1) if uplo == "L" else np.triu(g + t(g), 1))


def eigenvectors_vjp(g, out, x, uplo):
    """V (F ∘ Vᵀg) Vᵀ with F = 1 / (λ_j - λ_i)."""
    return one_triangle(out @ over_gaps(t(out) @ g, eigenvalues(x, uplo)) @ t(out), uplo)


def vectors_vjp(g, u, s, vt):
    """U (F ∘ (Uᵀg - gᵀU)) S Vᵀ + (g - U Uᵀg) S⁻¹ Vᵀ with F = 1 / (s_j² - s_i²), which is taken in two factors.

    So small values are not squared. The second term is that of vectors outside the span of U, which a square U lacks.
    """
    share = s[..., None, :] / nonzero(s[..., None, :] + s[..., :, None])
    turned = u @ (over_gaps(t(u) @ g - t(g) @ u, s) * share)
    if u.shape[-1] < u.shape[-2]:
        turned = turned + (g - u @ (t(u) @ g)) / s[..., None, :]
    return turned @ vt


def left_vectors_vjp(g, out, x):
    """As for U."""
    return vectors_vjp(g, out, singular_values(x), right_vectors(x))


def right_vectors_vjp(g, out, x):
    """As for U of the transposed matrix, which is V of this one."""
    return t(vectors_vjp(t(g), t(out), singular_values(x), t(left_vectors(x))))


def orthogonal_vjp(g, out, x):
    """(g + Q sym(M)) R⁻ᵀ with M = -gᵀQ, where sym mirrors the lower triangle."""
    m = -t(g) @ out
    return t(solve(t(out) @ x, t(g + out @ (np.tril(m) + t(np.tril(m, -1))))))


def cholesky_vjp(g, out, x, *, upper=False):
    """The symmetric part of L⁻ᵀ half(Lᵀ g) L⁻¹, where half takes the lower triangle and half the diagonal."""
    factor, g = (t(out), t(g)) if upper else (out, g)
    half = np.tril(t(factor) @ np.tril(g))
    half = half - diagonal_of(half) / 2
    inside = solve(t(factor), t(solve(t(factor), t(half))))
    return one_triangle((inside + t(inside)) / 2, "U" if upper else "L")


def eigenvalues_vjp(g, _, x, uplo):
    """V diag(g) Vᵀ."""
    v = eigenvectors(x, uplo)
    return one_triangle(v * g[..., None, :] @ t(v), uplo)


def pinv_vjp(g, out, x, rcond=None, *, rtol=None):
    """-Pᵀ g Pᵀ + (I - X P) gᵀ P Pᵀ + Pᵀ P gᵀ (I - P X); the last two vanish for an invertible X."""
    p, gt = out, t(g)
    return -t(p) @ g @ t(p) + (gt - x @ (p @ gt)) @ p @ t(p) + t(p) @ p @ (gt - (gt @ p) @ x)


def solve_left(g, out, a, b):
    """-A⁻ᵀ g xᵀ, where a 1-D b stands for a column."""
    if b.ndim == 1:
        return -solve(t(a), g[..., None]) * out[..., None, :]
    return -solve(t(a), g) @ t(out)


def solve_right(g, _, a, b):
    """A⁻ᵀ g."""
    return solve(t(a), g[..., None])[..., 0] if b.ndim == 1 else solve(t(a), g)


# fmt: off
derivative(np.linalg.inv,       lambda g, out, x: -t(out) @ g @ t(out))
derivative(np.linalg.pinv,      pinv_vjp)
derivative(np.linalg.det,       lambda g, _, x: g[..., None, None] * cofactors(x))
derivative(cofactors,           cofactors_vjp)
derivative(over_gaps,           lambda g, _, m, s: g * gaps(s),
                                over_gaps_values)
derivative(log_determinant,     lambda g, _, x: g[..., None, None] * t(inv(x)))
derivative(np.linalg.solve,     solve_left, solve_right)
derivative(np.linalg.cholesky,  cholesky_vjp)
derivative(eigenvalues,         eigenvalues_vjp)
derivative(eigenvectors,        eigenvectors_vjp)
derivative(singular_values,     lambda g, _, x: left_vectors(x) * g[..., None, :] @ right_vectors(x))
derivative(left_vectors,        left_vectors_vjp)
derivative(right_vectors,       right_vectors_vjp)
derivative(orthogonal,          orthogonal_vjp)
# fmt: on

constant(determinant_sign, np.linalg.matrix_rank)


@composite(np.linalg.slogdet)
def _(a):
    result = type(np.linalg.slogdet(np.eye(1)))
    return result(determinant_sign(a), log_determinant(a))


@composite(np.linalg.eigh)
def _(a, UPLO="L"):
    result = type(np.linalg.eigh(np.eye(1)))
    return result(eigenvalues(a, UPLO.upper()), eigenvectors(a, UPLO.upper()))


@composite(np.linalg.eigvalsh)
def _(a, UPLO="L"):
    return eigenvalues(a, UPLO.upper())


@composite(np.linalg.svd)
def _(a, full_matrices=True, compute_uv=True):
    if not compute_uv:
        return singular_values(a)
    if full_matrices and a.ndim > 1 and a.shape[-1] != a.shape[-2]:
        raise ArgumentError(
            "np.linalg.svd", expected="full_matrices=False", got="True for a matrix that is not square",
            fix="The added vectors are arbitrary and have no derivative.",
        )  # fmt: skip
    result = type(np.linalg.svd(np.eye(1)))
    return result(left_vectors(a), singular_values(a), right_vectors(a))


@composite(np.linalg.svdvals)
def _(x, /):
    return singular_values(x)


@composite(np.linalg.qr)
def _(a, mode="reduced"):
    if mode not in ("reduced", "r"):
        raise ArgumentError("np.linalg.qr", expected='mode "reduced" or "r" on a Tensor', got=repr(mode))
    if a.ndim < 2:
        raise np.linalg.LinAlgError(f"np.linalg.qr: expected matrices, got {a.shape}")
    q = orthogonal(a[..., : a.shape[-2]])
    r = np.triu(t(q) @ a)
    return r if mode == "r" else type(np.linalg.qr(np.eye(1)))(q, r)


@composite(np.linalg.tensorinv)
def _(a, ind=2):
    if not 0 < ind < a.ndim:
        raise ArgumentError("np.linalg.tensorinv", expected=f"ind between 0 and {a.ndim}", got=str(ind))
    rest = a.shape[ind:]
    return np.reshape(inv(np.reshape(a, (math.prod(rest), -1))), rest + a.shape[:ind])


@composite(np.linalg.tensorsolve)
def _(a, b, axes=None):
    if axes is not None:
        a = np.moveaxis(a, axes, range(a.ndim - len(axes), a.ndim))
    shape = a.shape[np.ndim(b) - a.ndim :]
    return np.reshape(solve(np.reshape(a, (np.size(b), -1)), np.ravel(b)), shape)

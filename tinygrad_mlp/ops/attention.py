"""Attention: mean values, weighted by how well keys fit a query. Vocabulary of the rules: see `tinygrad_mlp.rules`."""

import functools
import math
from typing import Any

import numpy as np

from tinygrad_mlp.arguments import operand, plain
from tinygrad_mlp.errors import ArgumentError, ShapeError
from tinygrad_mlp.ops.activations import softmax
from tinygrad_mlp.rules import derivative, primitive
from tinygrad_mlp.validation import generator


@primitive
def masked_softmax(x: Any, keep: Any) -> Any:
    """exp(x) / Σ exp(x) over those elements of the last axis that ``keep`` marks; 0 for the others, and where it marks none.

    >>> masked_softmax(np.array([[0.0, 9.0, 0.0], [1.0, 2.0, 3.0]]), np.array([[True, False, True], [False] * 3]))
    array([[0.5, 0. , 0.5],
           [0. , 0. , 0. ]])
    """
    kept = np.where(keep, x, -math.inf)
    top = np.max(kept, axis=-1, keepdims=True, initial=-math.inf)
    e = np.exp(kept - np.where(np.isneginf(top), 0, top))
    total = np.sum(e, axis=-1, keepdims=True)
    return e / np.where(np.equal(total, 0), 1, total)


# fmt: off
derivative(masked_softmax,  lambda g, out, x, keep: out * (g - np.sum(g * out, axis=-1, keepdims=True)),
                            None)
# fmt: on


def scaled_dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    rng: Any = None,
) -> Any:
    """softmax(Q Kᵀ · scale + mask) V: for each query, the mean of the values, weighted by how well their keys fit.

    Source: Vaswani et al., 2017, arXiv:1706.03762.

    Parameters
    ----------
    query : array or Tensor, shape (…, L, E)
    key : array or Tensor, shape (…, S, E)
    value : array or Tensor, shape (…, S, D)
    attn_mask : array, shape (…, L, S), optional
        Either of booleans, True where a query may look at a key; or of numbers that are added to the scores, of which
        -∞ forbids. A query that may look at no key gets 0.
    dropout_p : float, 0 <= dropout_p < 1
        Probability with which a weight is dropped.
    is_causal : bool
        Whether query i looks at keys 0 to i only.
    scale : float, optional
        1/√E by default.
    rng : numpy.random.Generator or int
        Source of randomness, where weights are dropped.

    Returns
    -------
    Tensor, shape (…, L, D)

    Examples
    --------
    >>> q, k, v = np.random.default_rng(0).normal(size=(3, 2, 5, 4))  # a batch of two sequences of length 5
    >>> out = scaled_dot_product_attention(q, k, v, is_causal=True)
    >>> bool(np.allclose(out[:, 0], v[:, 0]))
    True
    """
    masks = [] if attn_mask is None else [attn_mask]
    weights = attention_weights(query, key, masks, is_causal=is_causal, scale=scale)
    if dropout_p:
        if not 0 <= dropout_p < 1:
            raise ArgumentError(
                "scaled_dot_product_attention", expected="a probability dropout_p with 0 <= dropout_p < 1",
                got=repr(dropout_p),
            )  # fmt: skip
        kept = generator(rng, "scaled_dot_product_attention").random(weights.shape, np.float32) >= dropout_p
        weights = weights * (kept / (1 - dropout_p)).astype(weights.dtype)
    return weights @ operand(value)


def attention_weights(query: Any, key: Any, masks: list[Any], *, is_causal: bool, scale: float | None = None) -> Any:
    """softmax(Q Kᵀ · scale + masks), of shape (…, L, S).

    A forbidden score is never written down as -∞, so that `tinygrad_mlp.debug` need not tell it from a mistake.
    """
    query, key = operand(query), operand(key)
    if query.ndim < 2 or key.ndim < 2 or query.shape[-1] != key.shape[-1]:
        raise ShapeError(
            "scaled_dot_product_attention", expected="queries (…, L, E) and keys (…, S, E)",
            got=f"{query.shape} and {key.shape}",
        )  # fmt: skip
    scores = (query * (query.shape[-1] ** -0.5 if scale is None else scale)) @ np.swapaxes(key, -1, -2)
    keep = [np.tri(*scores.shape[-2:], dtype=np.bool)] if is_causal else []
    for mask in map(operand, masks):
        if mask.dtype == bool:
            keep.append(plain(mask))
        else:
            keep.append(~np.isneginf(plain(mask)))
            scores = scores + np.where(keep[-1], mask, 0).astype(scores.dtype)
    return masked_softmax(scores, functools.reduce(np.logical_and, keep)) if keep else softmax(scores)

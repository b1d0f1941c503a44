"""Attention with several heads, as a layer."""

from typing import Any

import numpy as np

from tinygrad_mlp.aligned import aligned
from tinygrad_mlp.arguments import operand
from tinygrad_mlp.errors import ArgumentError, ShapeError
from tinygrad_mlp.nn.init import INITS
from tinygrad_mlp.nn.layers import Dropout, Linear, Rng
from tinygrad_mlp.nn.module import Module
from tinygrad_mlp.ops.attention import attention_weights
from tinygrad_mlp.tensor import Tensor
from tinygrad_mlp.validation import choose, generator, whole_number


class MultiheadAttention(Module):
    """Concatenated heads softmax(Q Kᵀ / √d) V of d = embed_dim / num_heads features each, through a last linear layer.

    Q, K and V are linear in the query, the key and the value. Source: Vaswani et al., 2017, arXiv:1706.03762.

    Parameters
    ----------
    embed_dim : int
        Features E of query, key, value and result.
    num_heads : int
        A divisor of E.
    dropout : float, 0 <= dropout < 1
        Probability with which a weight is dropped in training.
    bias : bool
        Whether the linear maps have biases.
    batch_first : bool
        Whether arrays are (N, L, E) instead of PyTorch's (L, N, E).
    init : {"he", "xavier", "normal"}
        Distribution of the weights at the start, see `tinygrad_mlp.nn.init`; biases start at 0.
    rng : numpy.random.Generator or int, optional
        Source of randomness, or a seed. Pass one where the numbers shall be the same in each run.
    dtype : dtype
        Of the parameters.

    Attributes
    ----------
    in_proj_weight : Tensor, shape (E, 3 E)
        For Q, K and V from left to right; the transpose of PyTorch's, like the weight of `Linear`.
    in_proj_bias : Tensor, shape (3 E,), or None
    out_proj : Linear

    Examples
    --------
    >>> layer, x = MultiheadAttention(8, 2, batch_first=True, rng=0), np.ones((3, 5, 8), np.float32)
    >>> out, weights = layer(x, x, x, is_causal=True)
    >>> out.shape, weights.shape
    ((3, 5, 8), (3, 5, 5))
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        *,
        batch_first: bool = False,
        init: str = "xavier",
        rng: Rng = None,
        dtype: Any = np.float32,
    ) -> None:
        whole_number("MultiheadAttention", "embed_dim", embed_dim, least=1)
        whole_number("MultiheadAttention", "num_heads", num_heads, least=1)
        if embed_dim % num_heads:
            raise ArgumentError(
                "MultiheadAttention", expected=f"num_heads to divide embed_dim={embed_dim}", got=str(num_heads)
            )
        rng = generator(rng, "MultiheadAttention", optional=True)
        weight = choose(INITS, init, "MultiheadAttention", "init")(rng, embed_dim, 3 * embed_dim)
        self.num_heads = num_heads
        self.batch_first = batch_first
        self.in_proj_weight = Tensor(weight.astype(dtype), requires_grad=True, name="in_proj_weight")
        self.in_proj_weight.data = aligned(self.in_proj_weight.data)
        self.in_proj_bias = None
        if bias:
            self.in_proj_bias = Tensor(np.zeros(3 * embed_dim, dtype), requires_grad=True, name="in_proj_bias")
        self.dropout = Dropout(dropout, rng=rng)
        self.out_proj = Linear(embed_dim, embed_dim, bias=bias, init=init, rng=rng, dtype=dtype)

    def forward(
        self,
        query: Any,
        key: Any,
        value: Any,
        key_padding_mask: Any = None,
        need_weights: bool = True,
        attn_mask: Any = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """The result, of the query's shape, and the weights (N, L, S), or (N, heads, L, S) if they are not averaged.

        Parameters
        ----------
        query : array or Tensor, shape (L, N, E), or (N, L, E) if ``batch_first``, or (L, E)
        key, value : array or Tensor
            The same with S in the place of L.
        key_padding_mask : array of bool or float, shape (N, S) or (S,), optional
            True, or -∞, at keys that no query may look at.
        need_weights : bool
            Whether the weights are wanted; None in their place otherwise.
        attn_mask : array of bool or float, shape (L, S) or (N * heads, L, S), optional
            True, or -∞, where a query may not look at a key: PyTorch's layer means the opposite of its function
            `tinygrad_mlp.scaled_dot_product_attention`.
        average_attn_weights : bool
            Whether the weights are the mean of the heads.
        is_causal : bool
            Whether query i looks at keys 0 to i only; PyTorch takes this as a hint, and wants ``attn_mask`` too.
        """
        query, key, value = operand(query), operand(key), operand(value)
        batched = query.ndim == 3
        if query.ndim not in (2, 3) or not query.ndim == key.ndim == value.ndim or key.shape[:-1] != value.shape[:-1]:
            raise ShapeError(
                "MultiheadAttention", expected="query, key and value (N, L, E), (N, S, E) and (N, S, E)",
                got=f"{query.shape}, {key.shape} and {value.shape}",
            )  # fmt: skip
        if batched and not self.batch_first:
            query, key, value = (np.swapaxes(x, 0, 1) for x in (query, key, value))
        maps = np.split(self.in_proj_weight, 3, axis=1)
        projected = [x @ w for x, w in zip((query, key, value), maps, strict=True)]
        if self.in_proj_bias is not None:
            projected = [x + b for x, b in zip(projected, np.split(self.in_proj_bias, 3), strict=True)]
        q, k, v = map(self.heads, projected)
        shape = (*q.shape[:-1], k.shape[-2])
        masks = []
        if attn_mask is not None:
            attn_mask = allowing(attn_mask)
            masks.append(np.reshape(attn_mask, shape) if attn_mask.ndim == 3 else attn_mask)
        if key_padding_mask is not None:
            masks.append(np.reshape(allowing(key_padding_mask), (*shape[:-3], 1, 1, shape[-1])))
        weights = self.dropout(attention_weights(q, k, masks, is_causal=is_causal))
        joined = np.swapaxes(weights @ v, -3, -2)  # (…, L, heads, d)
        out: Any = self.out_proj(np.reshape(joined, (*joined.shape[:-2], -1)))
        if batched and not self.batch_first:
            out = np.swapaxes(out, 0, 1)
        if not need_weights:
            return out, None
        return out, np.mean(weights, axis=-3) if average_attn_weights else weights

    def heads(self, x: Any) -> Any:
        """(…, L, E) as (…, heads, L, d)."""
        return np.swapaxes(np.reshape(x, (*x.shape[:-1], self.num_heads, -1)), -3, -2)

    def summary(self) -> str:
        """``16, 4 heads``."""
        return f"{self.in_proj_weight.shape[0]}, {self.num_heads} heads"


def allowing(mask: Any) -> Any:
    """A mask of this layer as the function has it: True where looking is allowed, or numbers to add."""
    mask = operand(mask)
    return np.logical_not(mask) if mask.dtype == bool else mask

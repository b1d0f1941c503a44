"""Rows of a table, looked up by number."""

import functools
from typing import Any

import numpy as np

from tinygrad_mlp.arguments import operand, plain
from tinygrad_mlp.errors import ArgumentError, DtypeError
from tinygrad_mlp.nn.layers import Rng
from tinygrad_mlp.nn.module import Module
from tinygrad_mlp.tensor import Tensor
from tinygrad_mlp.validation import demand, generator, whole_number


class Embedding(Module):
    """The row of a table for each number: ``weight[x]``, which is also its functional form.

    The gradients of a row that is looked up several times add up.

    Parameters
    ----------
    num_embeddings, embedding_dim : int
        Rows of the table, and the length of each.
    padding_idx : int, optional
        A row that starts at 0 and gets no gradient; counted from the end where it is negative.
    rng : numpy.random.Generator or int, optional
        Source of randomness, or a seed. Pass one where the numbers shall be the same in each run.
    dtype : dtype
        Of the table.

    Attributes
    ----------
    weight : Tensor, shape (num_embeddings, embedding_dim)
        Oriented as PyTorch's, and drawn like it from the normal distribution of variance 1.

    Examples
    --------
    >>> layer = Embedding(27, 4, rng=0)
    >>> layer([[0, 5, 0], [26, 1, 1]]).shape
    (2, 3, 4)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        *,
        rng: Rng = None,
        dtype: Any = np.float32,
    ) -> None:
        whole_number("Embedding", "num_embeddings", num_embeddings, least=1)
        whole_number("Embedding", "embedding_dim", embedding_dim, least=1)
        weight = generator(rng, "Embedding", optional=True).normal(size=(num_embeddings, embedding_dim))
        if padding_idx is not None:
            if not -num_embeddings <= padding_idx < num_embeddings:
                raise ArgumentError(
                    "Embedding", expected=f"padding_idx to be one of {num_embeddings} rows", got=str(padding_idx)
                )
            padding_idx %= num_embeddings
            weight[padding_idx] = 0
        self.padding_idx = padding_idx
        self.weight = Tensor(weight.astype(dtype), requires_grad=True, name="weight")

    def forward(self, x: Any) -> Tensor:
        """Look up integers of any shape (…) from 0 to num_embeddings - 1: an array of shape (…, embedding_dim)."""
        x, n = plain(operand(x)), self.weight.shape[0]
        if np.result_type(x).kind not in "iu":
            raise DtypeError("Embedding", expected="integers, the numbers of rows", got=f"dtype {np.result_type(x)}")
        error = functools.partial(out_of_range, x, n)
        demand(np.all((x >= 0) & (x < n)), error)
        rows: Any = self.weight[x]
        if self.padding_idx is not None:
            rows = np.where(np.expand_dims(x == self.padding_idx, -1), plain(rows), rows)
        return rows

    def summary(self) -> str:
        """``27 → 4``, and the row that is padding."""
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.weight.shape[0]} → {self.weight.shape[1]}{padding}"


def out_of_range(x: Any, n: int) -> ArgumentError:
    """The error for a number that has no row."""
    return ArgumentError(
        "Embedding", expected=f"integers from 0 to {n - 1}", got=f"integers from {np.min(x)} to {np.max(x)}",
        fix="Make num_embeddings the number of kinds, or number them from 0.",
    )  # fmt: skip

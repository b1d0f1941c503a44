"""The parameters that an optimizer or a bound on gradients is given."""

from collections.abc import Iterable, Iterator
from typing import Any

from tinygrad_mlp.errors import ArgumentError
from tinygrad_mlp.tensor import Tensor


def named_tensors(where: str, params: Iterable[Any]) -> Iterator[tuple[str | None, Tensor]]:
    """Pairs of a name, or None, and a Tensor, from an iterable of Tensors or of such pairs."""
    if isinstance(params, Tensor):
        raise ArgumentError(
            where, expected="an iterable of Tensors", got="one Tensor", fix="Put it into a list: [tensor]."
        )
    for item in params:
        name, tensor = item if isinstance(item, tuple) and len(item) == 2 else (None, item)
        if not isinstance(tensor, Tensor):
            raise ArgumentError(
                where, expected="Tensors, or pairs of a name and a Tensor", got=repr(item)[:80],
                fix="Pass model.parameters() or model.named_parameters().",
            )  # fmt: skip
        yield name, tensor

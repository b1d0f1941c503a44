"""The parameters that an optimizer or a bound on gradients is given."""

from collections.abc import Iterable, Iterator
from types import NoneType
from typing import Any

from tinygrad_mlp.errors import ArgumentError
from tinygrad_mlp.graph import identify
from tinygrad_mlp.tensor import Tensor


def named_tensors(where: str, params: Iterable[Any]) -> Iterator[tuple[str | None, Tensor]]:
    """Pairs of a name, or None, and a Tensor, from an iterable of Tensors or of such pairs."""
    if isinstance(params, Tensor):
        raise ArgumentError(
            where, expected="an iterable of Tensors", got="one Tensor", fix="Put it into a list: [tensor]."
        )
    for item in params:
        name, tensor = item if isinstance(item, tuple) and len(item) == 2 else (None, item)
        if not isinstance(tensor, Tensor) or not isinstance(name, (str, NoneType)):
            raise ArgumentError(
                where, expected="Tensors, or pairs of a name and a Tensor", got=repr(item)[:80],
                fix="Pass model.parameters() or model.named_parameters().",
            )  # fmt: skip
        if tensor.node is not None and tensor.node.function is not None:
            raise ArgumentError(
                where, expected="leaves, which get a gradient", got=f"a {identify(tensor)}",
                fix="Compute on the array first, Tensor(0.1 * array, requires_grad=True), and pass that Tensor.",
            )  # fmt: skip
        yield name, tensor

"""The names and closed-form equations that the document's section 4 gives to the parts of its two-layer network."""

from typing import Any

import numpy as np

from tinygrad_mlp.arguments import Traced
from tinygrad_mlp.ops.activations import relu
from tinygrad_mlp.ops.losses import cross_entropy

LAYERS = (cross_entropy, np.add, np.matmul, relu, np.add, np.matmul)


def two_layers(output: Traced) -> list[Any]:
    """Loss, z, h W₂, h, a₁, X W₁ and X, if ``output`` is the loss of that network, else nothing.

    The network is a₁ = X W₁ + b₁, h = relu(a₁), z = h W₂ + b₂, L = cross_entropy(z, Y).
    """
    results: list[Any] = [output]
    for function in LAYERS:
        node = getattr(results[-1], "node", None)
        if node is None or node.function is not function:
            return []
        results.append(node.args[0])
    x = results[-1]
    deeper = getattr(x, "node", None) is not None and x.node.function is not None
    return [] if deeper else results  # not the images, but the hidden layer of a deeper network


def symbols(output: Traced) -> dict[int, str]:
    """The ``id`` of a result to its name in the document."""
    found = two_layers(output)
    return {id(found[i]): name for i, name in ((1, "z"), (3, "h"), (4, "a₁"))} if found else {}


def equations(output: Traced) -> dict[tuple[int, int], str]:
    """``(id of a result, id of an operand)`` to the equation of the gradient that flows from one to the other."""
    found = two_layers(output)
    if not found:
        return {}
    loss, z, hw, h, a1, xw, _ = found
    b2, w2, b1, w1 = (result.node.args[1] for result in (z, hw, a1, xw))
    return {
        (id(loss), id(z)): "δz = (P − Y) / N",
        (id(z), id(hw)): "δz, unchanged by the sum",
        (id(z), id(b2)): "∇b₂ = Σᵢ δzᵢ",
        (id(hw), id(h)): "δh = δz W₂ᵀ",
        (id(hw), id(w2)): "∇W₂ = hᵀ δz",
        (id(h), id(a1)): "δa₁ = δh ⊙ 1[a₁ > 0]",
        (id(a1), id(xw)): "δa₁, unchanged by the sum",
        (id(a1), id(b1)): "∇b₁ = Σᵢ δa₁ᵢ",
        (id(xw), id(w1)): "∇W₁ = Xᵀ δa₁",
    }

"""The drawing's own backward pass, which keeps the gradient on every edge and changes nothing."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_mlp.arguments import Traced
from tinygrad_mlp.graph import backward_observer, pullback


@dataclass
class Flow:
    """Gradients by ``id`` of the Tensors, whose graph outlives this object.

    Attributes
    ----------
    edges : dict
        ``(id of a result, id of an operand)`` to the gradients that flow back from the one to the other, one per use.
    totals : dict
        The whole gradient of each Tensor.
    order : list
        Ids of the results in the order in which the pass went through their ops.
    complete : bool
        Whether there was such a pass, and it reached the end.
    problem : str
        Why it did not.
    """

    edges: dict[tuple[int, int], list[Any]] = field(default_factory=dict)
    totals: dict[int, Any] = field(default_factory=dict)
    order: list[int] = field(default_factory=list)
    complete: bool = False
    problem: str = ""


def backward_pass(outputs: list[Traced], recorded: list[Traced]) -> Flow:
    """The gradient of the sum of the outputs, on every edge."""
    flow = Flow()
    for output in outputs:
        flow.totals[id(output)] = np.ones_like(output.data)

    def visit(tensor: Traced, parent: Traced, contribution: Any) -> None:
        edge = id(tensor), id(parent)
        if not flow.order or flow.order[-1] != edge[0]:
            flow.order.append(edge[0])
        flow.edges.setdefault(edge, []).append(contribution)
        total = flow.totals.get(edge[1])
        flow.totals[edge[1]] = contribution if total is None else total + contribution

    token = backward_observer.set(lambda gradients: visit)
    try:
        with np.errstate(all="ignore"):
            pullback(list(recorded), dict(flow.totals))
        flow.complete = True
    except Exception as error:  # a rule that is wrong is a reason to look at the graph, not to be refused a picture
        flow.problem = f"{type(error).__name__}: {error}"
    finally:
        backward_observer.reset(token)
    return flow

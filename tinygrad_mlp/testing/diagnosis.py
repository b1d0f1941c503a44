"""From numbers to words: which common mistake explains a wrong gradient.

The explanations, those from the gradient alone (`by_gradient`) and those from its Jacobian (`by_jacobian`), are tried
in turn, the most specific first. Each fits exactly or not at all.
"""

import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from tinygrad_mlp.calls import carries
from tinygrad_mlp.graph import contributions, topological_order
from tinygrad_mlp.rules import function_name
from tinygrad_mlp.tensor import Tensor
from tinygrad_mlp.testing import by_gradient, by_jacobian, numeric
from tinygrad_mlp.testing.findings import Findings, close
from tinygrad_mlp.testing.numeric import Array
from tinygrad_mlp.testing.values import broadcasts

EXPLANATIONS: tuple[Callable[[Findings], str | None], ...] = (
    by_gradient.not_a_number, by_gradient.nothing, by_gradient.ignores_g, by_gradient.other_argument,
    by_gradient.wrong_factor, by_gradient.swapped_axes, by_jacobian.transposed, by_jacobian.diagonal_alone,
    by_jacobian.not_summed, by_jacobian.counted_twice, by_gradient.zero_in_some, by_gradient.derivative_lost,
    by_gradient.term_lost, by_gradient.factor_lost, by_jacobian.at_the_result, by_jacobian.another_function,
    by_gradient.rearranged,
)  # fmt: skip


def diagnose(findings: Findings, order: int) -> str | None:
    """The mistake in words: the first explanation that fits, or how many elements it concerns."""
    with np.errstate(all="ignore"):
        near = close(
            findings.analytic, findings.numeric
        )  # then every explanation would seem to fit that changes little
        tried = () if near else EXPLANATIONS
        said = next((text for explain in tried if (text := explain(findings))), None)
        said = said or by_gradient.some_wrong(findings)
    return f"Right up to order {order - 1}, wrong at order {order} only. {said}" if order > 1 else said


def diagnose_exception(
    error: Exception, function: numeric.Function, points: Sequence[Array], labels: Sequence[str]
) -> str:
    """Name the rule that gave a gradient of an impossible shape, or else just say what was raised."""
    inputs = [Tensor(x, requires_grad=True) for x in points]
    names = {id(x): label for x, label in zip(inputs, labels, strict=True)}
    try:
        recorded, _ = topological_order([y for y in function(*inputs) if carries(y)])
        for tensor in reversed(recorded):
            for parent, gradient in contributions(tensor, np.ones_like(tensor.data)):
                if gradient is None:
                    return f"The rule of {function_name(tensor.node.function)} returned None."
                if not broadcasts(parent.data.shape, np.shape(gradient)):
                    return (
                        f"The rule of {function_name(tensor.node.function)} gives a gradient of shape "
                        f"{np.shape(gradient)} for {names.get(id(parent), 'an input')} of shape {parent.data.shape}: "
                        "not summed over an axis along which the function broadcasts by itself, or transposed."
                    )
    except Exception:  # noqa: S110 - the first error tells more
        pass
    return f"The backward pass {raised(error)}."


def raised(error: Exception) -> str:
    """What was raised, and at which line outside of this package and NumPy.

    >>> raised(KeyError("x"))
    "raised KeyError: 'x'"
    """
    said = f"raised {type(error).__name__}: {error}".rstrip(".")
    others = (str(Path(__file__).parents[1]), str(Path(np.__file__).parent), "<frozen")
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith(others)]
    return f"{said}, at line {frames[-1].lineno} of {Path(frames[-1].filename).name}" if frames else said

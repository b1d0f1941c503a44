"""The proof that ``tinygrad-mlp check`` gives: the ops of the network, one by one, then the network as a whole."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tinygrad_mlp.nn import MLP
from tinygrad_mlp.ops.activations import log_softmax, relu, sigmoid, softmax
from tinygrad_mlp.ops.losses import cross_entropy
from tinygrad_mlp.rules import function_name
from tinygrad_mlp.testing.gradcheck import check_grads
from tinygrad_mlp.testing.rulecheck import check_rule


def check_network(rng: np.random.Generator | int = 0) -> Iterator[str]:
    """Check the rules of the network's ops, then the gradients of its loss at orders 1 and 2; one line for each.

    Parameters
    ----------
    rng : numpy.random.Generator or int
        Draws the numbers to check on.

    Raises
    ------
    GradientError
        With the report of the first check that fails.

    Examples
    --------
    >>> print(next(check_network()))
    np.add: right in value, derivatives, single arguments, broadcasting, gradient shapes, dtypes, layouts, linearity,
    adjoint, no mutation, ownership
    """
    rng = np.random.default_rng(rng)
    x, y, w = rng.normal(size=(4, 3)), rng.normal(size=(4, 3)), rng.normal(size=(3, 2))
    labels = rng.integers(0, 3, 4)
    ops: list[tuple[Callable[..., Any], tuple[Any, ...]]] = [
        (np.add, (x, y)), (np.multiply, (x, y)), (np.matmul, (x, w)), (np.sum, (x,)), (np.mean, (x,)),
        (np.tanh, (x,)), (relu, (x,)), (sigmoid, (x,)), (softmax, (x,)), (log_softmax, (x,)),
        (cross_entropy, (x, labels)),
    ]  # fmt: skip
    for function, arguments in ops:
        report = check_rule(function, *arguments)
        yield f"{function_name(function)}: right in {', '.join(report.held)}"
    model: Any = MLP(3, 4, 3, rng=rng, dtype=np.float64)

    def loss(*parameters: Any) -> Any:
        model.fc1.weight, model.fc1.bias, model.fc2.weight, model.fc2.bias = parameters
        return cross_entropy(model(x), labels)

    parameters = [p.data for p in model.parameters()]
    gradients = check_grads(loss, *parameters)
    yield f"loss of {model.summary()} as a function of all its {sum(p.size for p in parameters)} parameters: right"
    yield from str(gradients).splitlines()[1:]

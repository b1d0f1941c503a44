"""Tests for gradients, yours and ours: numerical checks, the contract of a rule, and hypothesis strategies.

`check_grads` compares the gradients of a function with numerical derivatives and says what is wrong with them.
`check_rule` holds one registered rule to all that the engine demands of it. `strategies`, which needs hypothesis, draws
arrays, shapes, modules and random graphs to run them on.

>>> import numpy as np
>>> check_grads(np.sin, np.array([0.0, 1.0])).ok
True
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tinygrad_mlp.errors import GradientError
from tinygrad_mlp.testing.gradcheck import check_grads
from tinygrad_mlp.testing.gradient_report import Comparison, GradientReport
from tinygrad_mlp.testing.rulecheck import RuleReport, check_rule

if TYPE_CHECKING:
    from tinygrad_mlp.testing import strategies

__all__ = [
    "Comparison", "GradientError", "GradientReport", "RuleReport", "check_grads", "check_rule", "strategies",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import the strategies on first use: they alone need hypothesis."""
    if name == "strategies":
        return import_module("tinygrad_mlp.testing.strategies")
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    """The public names, the strategies among them."""
    return __all__

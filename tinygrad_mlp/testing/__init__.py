"""Tests for gradients, yours and ours: numerical checks, the contract of a rule, and hypothesis strategies.

`check_grads` compares the gradients of a function with numerical derivatives and says what is wrong with them.
`check_rule` holds one registered rule to all that the engine demands of it. `strategies`, which needs hypothesis, draws
arrays, shapes, modules and random graphs to run them on.

>>> import numpy as np
>>> check_grads(np.sin, np.array([0.0, 1.0])).ok
True
"""

from importlib import import_module
from typing import Any

from tinygrad_mlp.errors import GradientError as GradientError
from tinygrad_mlp.testing.gradcheck import check_grads as check_grads
from tinygrad_mlp.testing.gradient_report import Comparison as Comparison
from tinygrad_mlp.testing.gradient_report import GradientReport as GradientReport
from tinygrad_mlp.testing.rulecheck import RuleReport as RuleReport
from tinygrad_mlp.testing.rulecheck import check_rule as check_rule


def __getattr__(name: str) -> Any:
    """Import the strategies on first use: they alone need hypothesis."""
    if name == "strategies":
        return import_module("tinygrad_mlp.testing.strategies")
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)

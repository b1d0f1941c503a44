"""Each public function of NumPy is differentiated, constant, or refused with a reason, as `docs/functions.md` says."""

import re

import function_table
import numpy as np
import pytest
from tables import row

import tinygrad_mlp as tg


def test_every_function_has_a_status():
    """Property: none without, in whichever NumPy this is; and none is refused that has a rule."""
    statuses = {name: function_table.status(name, f) for name, f in function_table.functions().items()}
    assert not [name for name, status in statuses.items() if status is None]
    assert not [name for name in function_table.reasons() if not statuses.get(name, "refused").startswith("refused")]


def test_the_page_says_what_is_registered():
    """In the NumPy it was made with, to the letter; in others, of the functions that both have."""
    text = function_table.PAGE.read_text(encoding="utf-8")
    if f"NumPy {function_table.minor()}, " in text:
        assert text == function_table.page()
    found = dict(re.findall(r"^\| `([\w.]+)` \| (.*) \|$", text, re.MULTILINE))
    table = {name: " | ".join(row) for name, row in function_table.rows().items()}
    both = found.keys() & table.keys()
    assert len(both) > 400
    assert {name: found[name] for name in both} == {name: table[name] for name in both}


def test_what_is_refused_raises():
    """Property: nothing that NumPy dispatches computes on a Tensor in silence without a rule."""
    x = tg.Tensor([[1.0, 2.0], [3.0, 5.0]], requires_grad=True)
    tried = 0
    for name, f in function_table.functions().items():
        if (function_table.status(name, f) or "").startswith("refused") and (
            isinstance(f, np.ufunc) or hasattr(f, "_implementation")
        ):
            tried += 1
            with row(name), pytest.raises((TypeError, ValueError)):
                f(*[x] * (f.nin if isinstance(f, np.ufunc) else 1))
    assert tried > 60

"""docs/famous-wrong-gradients.md: what is told there of our check, of others', and the figures made from it."""

import re

import pytest
from famous import OTHERS, PAGE, cases

from tinygrad_mlp.testing import GradientError, check_grads

FIGURES = (PAGE.parent / "testing.md").read_text(encoding="utf-8")
CASES = cases()


def test_each_wrong_gradient_is_found_and_no_right_one_is_doubted():
    """The sentences themselves are the page's, which is run like every page."""
    for heading, case in CASES.items():
        with pytest.raises(GradientError) as caught:
            check_grads(case.f, *case.arrays, vjp=case.wrong)
        assert caught.value.report.diagnosis == case.said, heading
        assert check_grads(case.f, *case.arrays, vjp=case.right).ok, heading


def test_figures_are_those_of_the_docs():
    named = [case.ours for case in CASES.values()].count("the mistake")
    assert len(CASES) >= 20
    assert named >= 0.8 * len(CASES)
    assert f"Of {len(CASES)} wrong gradients" in FIGURES
    assert f"and names the mistake in {named}, {named / len(CASES):.0%}" in FIGURES


def test_the_table_of_others_has_each_case():
    table = PAGE.read_text(encoding="utf-8").split(OTHERS)[1]
    rows = [line.strip("| ").split(" | ") for line in re.findall(r"^\| .*", table, re.MULTILINE)[1:]]
    assert [(heading, ours) for heading, ours, *_ in rows] == [(h, case.ours) for h, case in CASES.items()]
    assert {cell for row in rows for cell in row[2:]} <= {"found", "missed", "missed, false alarm"}

"""The exercises: solvable, and answered with the mistake that was made and no other."""

import ast
import copy
import re

import numpy as np
import pytest

from tinygrad_mlp.commands.cli import main
from tinygrad_mlp.commands.course import EXERCISES, explain
from tinygrad_mlp.commands.learn import sources

SOLUTIONS = {
    "square_rule": "return g * 2 * x",
    "sigmoid_rule": "return g * out * (1 - out)",
    "linear_rule": "return g @ w.T, x.T @ g",
    "bias_rule": "return g.sum(axis=0)",
    "softmax_rule": "return g * p - p * (g * p).sum(axis=1, keepdims=True)",
    "cross_entropy_gradient": "return (p - y) / p.shape[0]",
    "masked_log_rule": "return np.where(x > 0, g / np.where(x > 0, x, 1), 0)",
    "numerical_derivative": "return (f(x + h) - f(x - h)) / (2 * h)",
    "momentum_step": "v = momentum * v + g; return w - lr * v, v",
    "cosine": "return lr * (1 + np.cos(np.pi * step / total)) / 2",
    "clip": "norm = np.sqrt(sum((g**2).sum() for g in grads)); return [g * min(1, max_norm / norm) for g in grads]",
    "mean_loss": "return sum(float((w * x).sum() ** 2) for x in xs) / len(xs)",
    "gradients": """a = X @ W1 + b1; h = np.maximum(0, a); z = h @ W2 + b2
    e = np.exp(z - z.max(1, keepdims=True)); dz = (e / e.sum(1, keepdims=True) - Y) / len(X)
    da = dz @ W2.T * (a > 0); return X.T @ da, da.sum(0), h.T @ dz, dz.sum(0)""",
}
BLANK = "raise NotImplementedError  # the blank"
BY = {e.function: e for e in EXERCISES}

# Gradients as they are got wrong in published courses and their forums, and what the sentence must speak of.
WRONG = [
    ("square_rule", "return 2 * x", "g is ignored"),
    ("square_rule", "return g * x", "half"),
    ("square_rule", "return -2 * g * x", "sign"),
    ("sigmoid_rule", "return g * (1 - out ** 2)", "tanh"),
    ("sigmoid_rule", "return out * (1 - out)", "g is ignored"),
    ("linear_rule", "return g @ w.T, (x.T @ g).T", "ransposed"),
    ("linear_rule", "return x.T @ g, g @ w.T", "swapped"),
    ("linear_rule", "return g @ w.T, x.T @ g / len(x)", "averaged"),
    ("bias_rule", "return g", "Not summed over axis 0"),
    ("bias_rule", "return g.mean(axis=0)", "Averaged"),
    ("bias_rule", "return g.sum(axis=1)", "axis 1"),
    ("bias_rule", "return g.sum(axis=0, keepdims=True)", "shape"),
    ("softmax_rule", "return g * p * (1 - p)", "diagonal"),
    ("softmax_rule", "return p * (g - (g * p).sum())", "whole batch"),
    ("cross_entropy_gradient", "return p - y", "mean is asked"),
    ("cross_entropy_gradient", "return (y - p) / len(p)", "sign"),
    ("cross_entropy_gradient", "return -y / p / len(p)", "not to z"),
    ("masked_log_rule", "return (x > 0) * (g / x)", "NaN"),
    ("numerical_derivative", "return (f(x + h) - f(x)) / h", "one-sided"),
    ("numerical_derivative", "return (f(x + h) - f(x - h)) / h", "2 h apart"),
    ("momentum_step", "v = momentum * v + (1 - momentum) * g; return w - lr * v, v", "damped"),
    ("momentum_step", "v = momentum * v - g; return w - lr * v, v", "uphill"),
    ("clip", "return [g * min(1, max_norm / np.linalg.norm(g)) for g in grads]", "own norm"),
    (
        "mean_loss",
        "from tinygrad_mlp import Tensor; return (Tensor(w, requires_grad=True) * w).sum()",
        "Tensor",
    ),
]


def attempt(function, body):
    """The function of an exercise, with its blank filled in."""
    text = (sources() / BY[function].file).read_text(encoding="utf-8")
    assert BLANK in text
    scope = {}
    exec(text.replace(BLANK, body), scope)  # noqa: S102 - text of this file
    return scope[function]


def test_every_exercise_is_solvable_and_its_blank_is_named():
    assert list(SOLUTIONS) == [e.function for e in EXERCISES]
    assert {f: explain(BY[f], attempt(f, body)) for f, body in SOLUTIONS.items()} == dict.fromkeys(SOLUTIONS)
    assert {explain(BY[f], attempt(f, BLANK)) for f in SOLUTIONS} == {"The blank is still there."}


def test_every_mistake_gets_its_own_sentence():
    """Property: a known mistake is wrong, and no other mistake of the exercise looks like it."""
    for exercise in EXERCISES:
        for sentence, mistake in exercise.mistakes.items():
            assert explain(exercise, mistake) == sentence, exercise.file


def test_wrong_gradients_of_courses_are_named():
    said = [(explain(BY[f], attempt(f, body)), expected) for f, body, expected in WRONG]
    assert len(said) >= 20
    assert not [pair for pair in said if pair[1] not in (pair[0] or "")]


SWAPS = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}


def mutants(body):
    """The solution with one operator exchanged or one number raised by one."""
    tree = ast.parse(f"def f():\n    {body}")

    def places(tree):
        return [
            node
            for node in ast.walk(tree)
            if (isinstance(node, ast.BinOp) and type(node.op) in SWAPS)
            or (isinstance(node, ast.Constant) and type(node.value) is int)
        ]

    for k in range(len(places(tree))):
        mutant = copy.deepcopy(tree)
        place = places(mutant)[k]
        if isinstance(place, ast.BinOp):
            place.op = SWAPS[type(place.op)]()
        else:
            place.value += 1
        yield "\n    ".join(ast.unparse(line) for line in mutant.body[0].body)


def names_the_mistake(sentence):
    """More than how many elements are wrong or not finite, and than a factor that is no simple number."""
    if re.search("elements are (wrong|NaN)", sentence):
        return False
    found = re.match(r"It is ([\d.]+) times", sentence)
    return not found or any(abs(6 * x - round(6 * x)) < 0.01 for x in (float(found[1]), 1 / float(found[1])))


def test_mutants_of_the_solutions_are_found():
    """The figures are those of docs/testing.md."""
    said = [explain(BY[f], attempt(f, mutant)) for f, body in SOLUTIONS.items() for mutant in mutants(body)]
    wrong = [sentence for sentence in said if sentence]
    named = [sentence for sentence in wrong if names_the_mistake(sentence)]
    docs = (sources().parents[1] / "docs" / "testing.md").read_text(encoding="utf-8")
    assert f"Of {len(WRONG)} wrong gradients of the kinds" in docs
    assert f"{len(said)} mutants, {len(wrong)} are wrong, and {len(named)} of those" in docs
    assert f"Together that is {(len(named) + len(WRONG)) / (len(wrong) + len(WRONG)):.0%}" in docs
    assert len(named) >= 0.8 * len(wrong)


@pytest.mark.parametrize("number", [4])
def test_the_command_checks_answers_and_keeps_progress(tmp_path, capsys, number):
    learn = ["learn", "--dir", str(tmp_path)]
    assert main(learn) == 0
    shown = capsys.readouterr().out
    assert "[ ] 01_square.py" in shown
    assert (tmp_path / "01_square.py").read_text(encoding="utf-8") in shown  # line by line
    assert all(len(line) <= 80 or str(tmp_path) in line for line in shown.splitlines())
    path = tmp_path / EXERCISES[number - 1].file
    path.write_text(path.read_text().replace(BLANK, "return g"))
    assert main([*learn, str(number), "--check"]) == 0
    assert "Not summed over axis 0" in capsys.readouterr().out
    path.write_text(path.read_text().replace("return g", "return g.sum(axis=0)"))
    assert main([*learn, str(number), "--check"]) == 0
    assert "right." in capsys.readouterr().out
    assert main(learn) == 0
    assert "[x] 04_bias.py" in capsys.readouterr().out
    assert main([*learn, "99"]) == 2


def test_the_last_exercise_trains_mnist():
    from tinygrad_mlp.commands.learn import PASS, trained

    assert trained(attempt("gradients", SOLUTIONS["gradients"])) > PASS
    assert trained(lambda *args: [np.zeros_like(w) for w in args[2:]]) < 0.3

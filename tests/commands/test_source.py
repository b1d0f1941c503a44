"""``tinygrad-mlp source``: what it prints is what `docs/equations.md` shows, and it runs."""

import re
from pathlib import Path

import numpy as np
import pytest
from closed_form import backward, forward

from tinygrad_mlp.commands.cli import main

EQUATIONS = Path(__file__).parents[2] / "docs" / "equations.md"


def printed(capsys, *options):
    assert main(["source", *options]) == 0
    return capsys.readouterr().out


def test_the_document_shows_what_the_command_prints(capsys):
    shown = re.search(r"```text\n(.*?)```", EQUATIONS.read_text(encoding="utf-8"), re.DOTALL).group(1)
    assert shown == printed(capsys)
    assert len(shown.splitlines()) <= 40


@pytest.mark.parametrize("options", [[], ["--buffers"]])
def test_the_program_computes_the_equations_of_the_document(options, capsys):
    """In float64, as the closed form does: loss and gradients agree to rounding."""
    text = printed(capsys, "--batch-size", "6", *options).replace("np.float32", "np.float64")
    space = {}
    exec(text, space)  # noqa: S102 - text of our own making
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(6, 784)), rng.integers(0, 10, 6)
    parameters = [rng.normal(size=shape) * 0.1 for shape in ((784, 128), (128,), (128, 10), (10,))]
    loss, *gradients = space["step"](x, labels, *parameters)
    y = np.eye(10)[labels]
    expected = backward(x, y, *parameters)
    np.testing.assert_allclose(loss, forward(x, y, *parameters).loss, rtol=1e-12)
    for gradient, name in zip(gradients, ("W1", "b1", "W2", "b2"), strict=True):
        np.testing.assert_allclose(gradient, getattr(expected, name), rtol=1e-10, atol=1e-14)


def test_a_trained_network_with_dropout_shows_its_draws(small_data, tmp_path, capsys):
    run = tmp_path / "run"
    options = ["--data", str(small_data), "--hidden", "5", "--dropout", "0.5", "--epochs", "1", "--out", str(run)]
    assert main(["train", *options]) == 0
    capsys.readouterr()
    text = printed(capsys, "--checkpoint", str(run), "--batch-size", "4")
    assert "rng.random((4, 5), np.float32)" in text
    assert "rng" in re.search(r"def step\((.*)\)", text).group(1)

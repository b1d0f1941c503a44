"""The documents say what is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EQUATIONS = (ROOT / "docs" / "equations.md").read_text(encoding="utf-8")


def test_every_test_named_in_the_equations_is_there():
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")]
    names = set(re.findall(r"\b(test_\w+)`", EQUATIONS))
    assert len(names) > 10
    assert {name: sum(f"def {name}(" in text for text in texts) for name in names} == dict.fromkeys(names, 1)


def test_every_file_named_in_the_equations_is_there():
    names = set(re.findall(r"`((?:tests/)?\w+/[\w/]*(?:\.py)?)", EQUATIONS))
    assert len(names) > 10
    assert not [name for name in names if not ((ROOT / name).exists() or (ROOT / "tinygrad_mlp" / name).exists())]


def commands(title: str) -> list[str]:
    """The lines in the fenced blocks of shell of a section of the README."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").split(f"## {title}\n")[1].split("\n## ")[0]
    return [line for block in re.findall(r"```sh\n(.*?)```", section, re.DOTALL) for line in block.splitlines()]


@pytest.mark.parametrize("title", ["Train on MNIST", "Run the tests"])
def test_the_readme_has_one_command_to_copy(title):
    (command,) = commands(title)
    section = (ROOT / "README.md").read_text(encoding="utf-8").split(f"## {title}\n")[1].split("\n## ")[0]
    assert section.count("```") == 2
    assert command.startswith("python3 -m venv .venv && .venv/bin/pip install ")


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.name)
def test_examples_run_as_they_are(example, tmp_path, monkeypatch, capsys):
    """Each is a script that prints what it found, in a few seconds."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [str(example)])
    exec(compile(example.read_text(encoding="utf-8"), example, "exec"), {"__name__": "__main__"})  # noqa: S102 - ours
    assert capsys.readouterr().out

"""The documents say what is there."""

import os
import re
import subprocess
import sys
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


EXTRAS = {"larger_than_memory.py"}  # which need more than the tools of development


@pytest.mark.parametrize(
    "example",
    [
        pytest.param(path, id=path.name, marks=[pytest.mark.extras] if path.name in EXTRAS else [])
        for path in sorted((ROOT / "examples").glob("*.py"))
    ],
)
def test_examples_run_as_they_are(example, tmp_path):
    """Each is a script that prints what it found, in a few seconds."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MPLBACKEND": "agg"}
    command = [sys.executable, "-W", "error", str(example)]
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout


@pytest.mark.extras
def test_a_sweep_goes_on_with_other_executors(tmp_path):
    """Property: runs are done once, and come out the same on workers of Dask and of MPI."""
    example, python = str(ROOT / "examples" / "sweep.py"), [sys.executable, "-W", "error"]
    mpi = ["mpiexec", "-n", "3", *python, "-m", "mpi4py.futures", example, "--executor", "mpi"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for command in ([*python, example, "--executor", "dask"], mpi):
        before = {path: path.read_text() for path in (tmp_path / "sweep").glob("*-*")}
        for path in sorted(before)[::2]:
            path.unlink()
        ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
        assert ran.returncode == 0, ran.stderr
        assert ran.stdout.count("(done before)") == len(before) // 2
        after = {path: path.read_text() for path in (tmp_path / "sweep").glob("*-*")}
        assert len(after) == 12
        assert after == before or not before
    assert (tmp_path / "sweep" / "sweep.png").exists()


def anchors(text: str) -> set[str]:
    """The anchors of the headings of a page, as GitHub and MkDocs write them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def test_every_relative_link_leads_somewhere():
    """Files and headings; other sites are not asked."""
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    links, broken = 0, []
    for page in pages:
        text = re.sub(r"```.*?```|`[^`\n]+`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        for target in re.findall(r'\]\(([^)\s]+)\)|src="([^"]+)"', text):
            path, _, anchor = "".join(target).partition("#")
            if ":" in path:
                continue
            links += 1
            found = page.parent / path if path else page
            if not found.exists() or (anchor and anchor not in anchors(found.read_text(encoding="utf-8"))):
                broken.append(f"{page.relative_to(ROOT)}: {''.join(target)}")
    assert links > 20
    assert not broken

"""The documents say what is there."""

import os
import re
import shlex
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from PIL import Image
from svg_words import words

from tinygrad_mlp.commands.cli import main

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


PICTURES = {".svg", ".png", ".gif"}


def makers() -> dict[str, list[Path]]:
    """The commands in the pages that name a path in docs/, and the pictures that are at that path or below it."""
    text = "\n".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs").rglob("*.md"))
    commands = re.findall(r"(?:^|`)((?:tinygrad-mlp|python) [^`\n]*docs/[^`\n]+)", text, re.MULTILINE)
    pictures = [path for path in (ROOT / "docs").rglob("*") if path.suffix in PICTURES]
    made = defaultdict(list)
    for command in sorted(set(commands)):
        paths = {ROOT / word for word in shlex.split(command) if word.startswith("docs/")}
        made[command] = [p for p in pictures if paths & {p, *p.parents}]
    return made


def test_every_picture_has_a_command_that_makes_it():
    """Or is drawn by the page beside it, which `docs/conftest.py` compares when it runs."""
    made = {picture for found in makers().values() for picture in found}
    for page in (ROOT / "docs").rglob("*.md"):
        drawn = re.findall(r'>>> .*tg\.draw\(.*path="([\w-]+\.svg)"', page.read_text(encoding="utf-8"))
        made |= {page.parent / name for name in drawn}
    assert made == {path for path in (ROOT / "docs").rglob("*") if path.suffix in PICTURES}


@pytest.mark.parametrize("command", makers())
def test_every_picture_is_what_the_command_beside_it_makes(command, tmp_path):
    """The same words, or the same size and number of frames: layout and digits depend on the machine."""
    program, *arguments = shlex.split(command)
    run = [sys.executable, *(["-m", "tinygrad_mlp"] if program == "tinygrad-mlp" else [])]
    options = {"cwd": tmp_path, "env": os.environ | {"PYTHONPATH": str(ROOT), "MPLBACKEND": "agg"}, "check": True}
    for name in ("examples", "tests"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "docs").mkdir()
    if "steps.json" in arguments:  # what is plotted takes minutes to measure with care
        brief = "--rounds 1 --milliseconds 1 --batches 32 --threads 1 --json steps.json"
        subprocess.run([*run, "tests/benchmarks/bench.py", "steps", *brief.split()], timeout=100, **options)
    subprocess.run([*run, *arguments], timeout=100, **options)
    for picture in makers()[command]:
        anew = tmp_path / picture.relative_to(ROOT)
        if picture.suffix == ".svg":
            assert words(anew.read_text("utf-8")) == words(picture.read_text("utf-8"))
        else:
            with Image.open(anew) as new, Image.open(picture) as old:
                assert (new.size, getattr(new, "n_frames", 1)) == (old.size, getattr(old, "n_frames", 1))


def test_the_readme_shows_what_train_prints(small_data, tmp_path, capsys):
    """The same lines, but for numbers and for the names of files that the README leaves out."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("## Train on MNIST\n")[1].split("\n## ")[0]
    shown = [line.strip() for line in section.splitlines() if line.startswith("    ") and line.strip() != "…"]
    assert (
        main(["train", "--data", str(small_data), "--hidden", "8", "--epochs", "10", "--out", str(tmp_path / "r")]) == 0
    )
    printed = " ".join(capsys.readouterr().out.split())
    for line in shown:
        form = re.sub(r"runs/[\d-]+", "runs/R", line)
        form = re.escape(re.sub(r"\s+", " ", form)).replace("…", ".*").replace("runs/R", r"\S+")
        assert re.search(re.sub(r"\d[\d,.]*", r"[\\d,.]+", form), printed), line


def rows(page: Path, heading: str) -> dict[str, list[str]]:
    """The rows of the table in a page whose heading row begins with this text, by their first cells."""
    table = page.read_text(encoding="utf-8").split(f"\n| {heading}")[1].split("\n\n")[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    return {first: rest for first, *rest in cells}


def test_the_readme_has_the_figures_that_were_measured():
    measured = rows(ROOT / "docs" / "performance.md", "AdamW, µs per step")
    shown = rows(ROOT / "README.md", "batch |")
    assert len(shown) == 4
    assert shown == {name: [cell.split("(")[1].rstrip(")") for cell in measured[name]] for name in shown}

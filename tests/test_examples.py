"""Each example runs as it is, and prints what `docs/examples.md` shows."""

import ast
import contextlib
import doctest
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from svg_words import words

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
EXTRAS = {"larger_than_memory.py"}  # which need more than the tools of development
PAGE = (ROOT / "docs" / "examples.md").read_text(encoding="utf-8")


def section(name):
    """What the page says of an example."""
    return PAGE.split(f"\n## {name}\n")[1].split("\n## ")[0]


def test_the_page_has_each_example_and_its_first_line():
    assert sorted(re.findall(r"^## (\w+\.py)$", PAGE, re.MULTILINE)) == [path.name for path in EXAMPLES]
    for path in EXAMPLES:
        first = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))).splitlines()[0]
        assert first.replace("`", "") in section(path.name).replace("`", "").replace("\n", " ")


@pytest.mark.parametrize(
    "example",
    [pytest.param(p, id=p.name, marks=[pytest.mark.extras] if p.name in EXTRAS else []) for p in EXAMPLES],
)
def test_examples_print_what_the_page_shows(example, tmp_path):
    """Each is a script that needs no argument, and a few seconds."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MPLBACKEND": "agg", "PYTHONIOENCODING": "utf-8"}
    environment["OPENBLAS_NUM_THREADS"] = "1"  # where other tests take the other cores, threads wait for each other
    command = [sys.executable, "-W", "error", str(example)]
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8", timeout=120)
    assert ran.returncode == 0, ran.stderr
    (shown,) = re.findall(r"```text\n(.*?)```", section(example.name), re.DOTALL)
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    assert doctest.OutputChecker().check_output(shown, ran.stdout, flags), ran.stdout


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


def run_cell(code, names):
    """What a notebook shows below a cell: what was printed, and the value of its last line."""
    body = ast.parse(code).body
    last = ast.Expression(body.pop().value) if isinstance(body[-1], ast.Expr) else None
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(ast.Module(body, []), "tour.ipynb", "exec"), names)  # noqa: S102
        value = eval(compile(last, "tour.ipynb", "eval"), names) if last else None  # noqa: S307
    if hasattr(value, "_repr_mimebundle_"):
        return words(value._repr_mimebundle_()["image/svg+xml"])
    return printed.getvalue() + ("" if value is None else repr(value))


def stored(output):
    """The same, as it is stored in the notebook."""
    data = output.get("data", {"text/plain": output.get("text")})
    return words("".join(data["image/svg+xml"])) if "image/svg+xml" in data else "".join(data["text/plain"])


def test_the_tour_gives_what_is_stored_in_it():
    """`jupyter execute --inplace examples/tour.ipynb` stores it anew; digits after the third depend on the machine."""
    cells = json.loads((ROOT / "examples" / "tour.ipynb").read_text(encoding="utf-8"))["cells"]
    names, pictures = {"__name__": "__main__"}, 0
    for cell in (cell for cell in cells if cell["cell_type"] == "code"):
        shown = run_cell("".join(cell["source"]), names)
        kept = [stored(output) for output in cell["outputs"]]
        pictures += isinstance(shown, list)
        assert [rounded(shown)] == [rounded(k) for k in kept] if shown else not kept
    assert pictures == 2


def rounded(shown):
    """Numbers in a text to three digits."""
    return re.sub(r"\d+\.\d+", lambda number: f"{float(number[0]):.3g}", shown) if isinstance(shown, str) else shown

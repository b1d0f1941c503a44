"""Every block of Python in README and docs runs: sessions as doctests, the others here."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
NAMES = """
import numpy as np
import tinygrad_mlp as tg
from tinygrad_mlp.train import Progress

rng = np.random.default_rng(0)
model = tg.nn.MLP(784, 8, 10, rng=rng)
optimizer = tg.optim.Adam(model.parameters(), lr=0.01)
X = x = example = rng.random((64, 784), np.float32)
y = labels = np.arange(64) % 10
train = validation = (x, labels)
"""
IMAGES = """
import dask.array as da
da.to_npy_stack("images", da.from_array(x, chunks=(16, 784)))
"""
NOT_HERE = (
    r'\b(?<!")(?<!\')(cupy|torch)\b'  # a graphics card, and a library of a gigabyte: these blocks are only parsed
)


def blocks(page):
    """The blocks of Python that are no session."""
    found = re.findall(r"^```(?:python|py)\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [block for block in found if not block.startswith(">>>")]


BLOCKS = {f"{page.stem}-{i}": block for page in PAGES for i, block in enumerate(blocks(page))}


def test_every_block_is_python():
    assert BLOCKS
    for block in BLOCKS.values():
        ast.parse(block)


@pytest.mark.extras
@pytest.mark.parametrize(
    "name", [n for n, block in BLOCKS.items() if not re.search(NOT_HERE, ast.unparse(ast.parse(block)))]
)
def test_blocks_that_need_an_extra_run(name, tmp_path):
    code = NAMES + (IMAGES if "dask" in BLOCKS[name] else "") + BLOCKS[name]
    command = [sys.executable, "-m", "mpi4py", "-c", code] if "Ranks" in code else [sys.executable, "-c", code]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr

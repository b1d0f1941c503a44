"""A turn of the campaign in `campaign.py`: damaged pictures and files of arrays, with a bound on memory."""

import os
import subprocess
import sys
from pathlib import Path

from data.campaign import arrays, attempt, pictures

TIMES = 10


def test_a_turn_of_the_campaign():
    """Each damage to each kind of file holds."""
    command = [sys.executable, str(Path(__file__).with_name("campaign.py")), "--times", str(TIMES)]
    alone = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # Python 3.12 warns where a process with threads is forked
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=alone)
    assert (done.returncode, done.stderr) == (0, "")
    *files, _ = (line.split() for line in done.stdout.splitlines())
    assert len(files) >= 20
    assert {number for _, number, _ in files} == {str(TIMES)}


FOUND = {  # file: a seed whose damage was once not read and not refused in a sentence
    "grey.png": 171,  # a chunk that says it has gigabytes, for which memory was asked
    "floats.npy": 114,  # a header that NumPy repeats as a whole in its message
}


def test_damages_that_were_found_hold(tmp_path):
    files = pictures() | arrays(tmp_path)
    assert [attempt(files[name], tmp_path / name, range(seed, seed + 1)) for name, seed in FOUND.items()] == ["", ""]

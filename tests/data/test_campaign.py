"""A turn of the campaign in `campaign.py`: damaged pictures and files of arrays, with a bound on memory."""

import subprocess
import sys
from pathlib import Path

TIMES = 10


def test_a_turn_of_the_campaign():
    """Each damage to each kind of file holds."""
    command = [sys.executable, str(Path(__file__).with_name("campaign.py")), "--times", str(TIMES)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    *files, _ = (line.split() for line in done.stdout.splitlines())
    assert len(files) >= 20
    assert {number for _, number, _ in files} == {str(TIMES)}

"""One turn of the campaign in `campaign.py`: kills, full disks, damaged files, two runs at once."""

import subprocess
import sys
from pathlib import Path

import pytest

PARTS = {"kills": 60, "errors": 12, "mutations": 60, "pairs": 5}


@pytest.mark.parametrize("part", PARTS)
def test_a_turn_of_the_campaign(part):
    """Every case holds, and there are as many as there should be."""
    command = [sys.executable, str(Path(__file__).with_name("campaign.py")), part]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    held = dict(line.split()[:2] for line in done.stdout.splitlines())
    assert int(held[part]) >= PARTS[part]

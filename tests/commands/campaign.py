"""The command in hard times: killed at every write, on full disks, with damaged files, two at once, without streams.

``python tests/commands/campaign.py`` runs all parts for about a minute, ``--seconds 600`` for longer, with other random
numbers each second; the names of parts run these alone. It ends with a table, and with status 1 if anything failed.
Each run is a forked process of its own, so that a kill is a kill, and its memory can be measured.
"""

import argparse
import errno
import faulthandler
import io
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

if __name__ == "__main__":
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # a process with threads cannot be forked safely
    os.environ["TINYGRAD_MLP_DOT"] = "no renderer"  # which takes longer than all the rest

import numpy as np

from tinygrad_mlp.commands.cli import main
from tinygrad_mlp.commands.config import Config
from tinygrad_mlp.data import write_idx
from tinygrad_mlp.optim import Optimizer
from tinygrad_mlp.train import checkpoint
from tinygrad_mlp.train.archive import archive_of

TIMEOUT = 60
MEMORY = 150  # MB that a run may need beyond what the forking process has
SETTINGS = ["--hidden", "8", "--dropout", "0.2", "--epochs", "2", "--batch-size", "32", "--clip-norm", "1"]
FILE_POINTS = ("create", "write", "fsync", "rename", "renamed")
ERRORS = {"ENOSPC": errno.ENOSPC, "EIO": errno.EIO}


@dataclass
class Fault:
    """What befalls a run at one of its dealings with files, or at one of its steps."""

    kind: str = ""
    number: int = 0
    action: str = ""
    counts: Counter = field(default_factory=Counter)

    def install(self) -> None:
        """Put it into this process. There is no real fsync: nobody pulls the plug."""
        rename, step, opened = os.replace, Optimizer.step, Path.open

        def replace(source, target):
            self.at("rename")
            rename(source, target)
            self.at("renamed")

        def stepped(optimizer):
            self.at("step")
            step(optimizer)

        def open_file(path, mode="r", *arguments, **settings):
            if mode != "xb":
                return opened(path, mode, *arguments, **settings)
            self.at("create")
            return TornFile(path, self)

        os.replace, Optimizer.step, Path.open = replace, stepped, open_file
        os.fsync = lambda descriptor: self.at("fsync")

    def at(self, kind: str) -> None:
        """Strike, if it is time."""
        self.counts[kind] += 1
        if (kind, self.counts[kind]) != (self.kind, self.number):
            return
        if self.action == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        raise OSError(ERRORS[self.action], os.strerror(ERRORS[self.action]))


class TornFile(io.FileIO):
    """A new file whose write may be struck when it is half done."""

    def __init__(self, path: Path, fault: Fault) -> None:
        super().__init__(path, "xb")
        self.fault = fault

    def write(self, content: bytes) -> int:
        """Write in two parts."""
        half = len(content) // 2
        super().write(content[:half])
        self.fault.at("write")
        return half + super().write(content[half:])


@dataclass(frozen=True)
class Result:
    """What a run left behind."""

    status: int
    out: str
    err: str
    megabytes: float
    counts: dict[str, int]

    def check(self, *statuses: int) -> None:
        """Raise unless it ended with one of these, in words, and in time."""
        assert self.status in statuses, (self.status, self.err)
        assert "Traceback" not in self.err, self.err
        assert len(self.err.splitlines()) == (self.status in (1, 2, 3, 4)), self.err
        assert self.megabytes < MEMORY, f"{self.megabytes:.0f} MB"


def start(arguments: list[object], fault: Fault, directory: Path) -> tuple[int, Path]:
    """Fork a process that runs the command; its number, and where its output goes."""
    place = Path(tempfile.mkdtemp(dir=directory))
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid, place
    try:
        signal.alarm(TIMEOUT)
        for descriptor, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(place / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND), descriptor)
        fault.install()
        status = main(list(map(str, arguments)))
        (place / "counts").write_text(json.dumps(fault.counts))
    except BaseException:
        traceback.print_exc()
        status = 99
    sys.stderr.flush()
    os._exit(status)


def finish(pid: int, place: Path) -> Result:
    """Wait for a process."""
    _, status, usage = os.wait4(pid, 0)
    out, err = ((place / name).read_text(errors="replace") for name in ("out", "err"))
    counts = json.loads((place / "counts").read_text()) if (place / "counts").exists() else {}
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    shutil.rmtree(place)
    return Result(os.waitstatus_to_exitcode(status), out, err, (usage.ru_maxrss - own) / 1024, counts)


def run(directory: Path, *arguments: object, fault: Fault | None = None) -> Result:
    """Run the command in a process of its own."""
    return finish(*start(list(arguments), fault or Fault(), directory))


def outcome(directory: Path) -> dict[str, object]:
    """All that must be equal, bit for bit, however often a run was killed: everything but the seconds."""
    found: dict[str, object] = {}
    for name in ("last.npz", "best.npz"):
        arrays, progress = checkpoint.read(directory / name)
        found |= {f"{name} {entry}": array.tobytes() for entry, array in arrays.items()}
        found[name] = timeless(progress)
    found["history"] = timeless(json.loads((directory / "history.json").read_text()))
    return found


def timeless(value: object) -> object:
    """JSON without what the clock said."""
    if isinstance(value, dict):
        return {key: timeless(item) for key, item in value.items() if key != "seconds"}
    return [timeless(item) for item in value] if isinstance(value, list) else value


def check_whole(directory: Path) -> None:
    """Every file that is there is there in full."""
    for path in directory.glob("*"):
        if path.suffix == ".npz":
            checkpoint.read(path)
        elif path.suffix == ".json":
            json.loads(path.read_text())
        elif path.name == "config.toml":
            Config.read(path)
        elif path.suffix == ".html":
            assert path.read_text().endswith("</html>\n")


class Campaign:
    """The data, the undisturbed run, and the random numbers."""

    def __init__(self, root: Path, seed: int) -> None:
        self.root = root
        self.rng = np.random.default_rng(seed)
        self.data = root / "data"
        self.data.mkdir()
        prototypes = np.random.default_rng(0).integers(0, 128, (3, 8, 8))
        for name, count in (("train", 240), ("t10k", 60)):
            labels = np.resize(np.arange(3, dtype=np.uint8), count)
            images = (prototypes[labels] + np.random.default_rng(1).integers(0, 128, (count, 8, 8))).astype(np.uint8)
            write_idx(self.data / f"{name}-images-idx3-ubyte", images)
            write_idx(self.data / f"{name}-labels-idx1-ubyte", labels)
        self.arguments = ["train", "--data", self.data, *SETTINGS]
        self.whole = root / "whole"
        result = run(root, *self.arguments, "--out", self.whole)
        result.check(0)
        self.counts = result.counts
        self.expected = outcome(self.whole)
        self.tries = 0

    def directory(self) -> Path:
        """A place for a run."""
        self.tries += 1
        return self.root / f"run{self.tries}"

    def resume(self, directory: Path) -> None:
        """Go on with a run that was disturbed: it must end as the undisturbed one."""
        check_whole(directory)
        run(self.root, *self.arguments, "--out", directory, "--resume").check(0)
        assert outcome(directory) == self.expected, "other bits"
        assert not list(directory.glob(".*")), "leftovers"
        shutil.rmtree(directory)

    # The parts: each yields once for every case that held.

    def kills(self) -> Iterator[None]:
        """Killed at every creation, write, fsync and rename, and at some steps."""
        points = [(kind, i) for kind in FILE_POINTS for i in range(1, self.counts[kind] + 1)]
        points += [("step", int(i)) for i in self.rng.integers(1, self.counts["step"] + 1, 3)]
        for kind, number in points:
            directory = self.directory()
            result = run(self.root, *self.arguments, "--out", directory, fault=Fault(kind, number, "kill"))
            assert result.status == -signal.SIGKILL, result
            self.resume(directory)
            yield

    def errors(self) -> Iterator[None]:
        """A full disk or a broken one when a file is created, written, flushed or renamed: each file once."""
        for number in range(1, self.counts["rename"] + 1):
            kind, action = str(self.rng.choice(FILE_POINTS[:-1])), str(self.rng.choice(sorted(ERRORS)))
            directory = self.directory()
            result = run(self.root, *self.arguments, "--out", directory, fault=Fault(kind, number, action))
            result.check(1)
            assert os.strerror(ERRORS[action]) in result.err, result.err
            assert f": '{directory}/" in result.err, f"no file is named: {result.err}"
            assert not list(directory.glob(".*")), "leftovers"
            self.resume(directory)
            yield

    def mutations(self) -> Iterator[None]:
        """Checkpoints and settings with bytes, values and arrays exchanged, read by eval and by train --resume."""
        arrays, progress = checkpoint.read(self.whole / "best.npz")
        directory = self.directory()
        shutil.copytree(self.whole, directory)
        for _ in range(40):
            how = self.rng.choice(["bytes", "progress", "progress", "progress", "array", "settings"])
            content = (self.whole / "best.npz").read_bytes()
            text = (self.whole / "config.toml").read_bytes()
            if how == "bytes":
                content = self.torn(content)
            elif how == "progress":
                mutated = np.array(json.dumps(self.replaced(progress)))
                content = archive_of({"progress": mutated} | arrays)
            elif how == "array":
                name = str(self.rng.choice(sorted(arrays)))
                content = archive_of(
                    {"progress": np.array(json.dumps(progress))} | arrays | {name: self.other(arrays[name])}
                )
            else:
                text = self.torn(text)
            (directory / "best.npz").write_bytes(content)
            (directory / "last.npz").write_bytes(content)
            (directory / "config.toml").write_bytes(text)
            for arguments in (["eval", directory], ["train", "--resume", directory, "--epochs", "3"]):
                run(self.root, *arguments).check(0, 1, 2, 3, 4)
                yield

    def torn(self, content: bytes) -> bytes:
        """The same bytes, but for one that is changed, some that are missing, or some that come twice."""
        at, until = sorted(int(i) for i in self.rng.integers(0, len(content), 2))
        changed = bytes([content[at] ^ int(self.rng.integers(1, 256))])
        versions = [content[:at] + changed + content[at + 1 :], content[:at], content[:at] + content[until:],
                    content[:until] + content[at:]]  # fmt: skip
        return versions[self.rng.integers(len(versions))]

    def replaced(self, value: object) -> object:
        """JSON with another value in one place."""
        junk = [None, True, -1, 0, 2, 1e300, 2**70, "", "x" * 1000, [], {}, [[[]]], float("nan")]
        if isinstance(value, dict) and value and self.rng.random() < 0.9:
            key = str(self.rng.choice(sorted(value)))
            return value | {key: self.replaced(value[key])}
        if isinstance(value, list) and value and self.rng.random() < 0.7:
            i = int(self.rng.integers(len(value)))
            return [*value[:i], self.replaced(value[i]), *value[i + 1 :]]
        return junk[self.rng.integers(len(junk))]

    def other(self, array: np.ndarray) -> np.ndarray:
        """An array of another type, shape or content."""
        with np.errstate(all="ignore"):
            versions = [array * np.nan, array * 1e38, -array, array.astype("c16"), array.astype("U"), array[..., None],
                        array.ravel()[:1], np.zeros(0), array.astype("?")]  # fmt: skip
        return versions[self.rng.integers(len(versions))]

    def pairs(self) -> Iterator[None]:
        """Two runs with different seeds started at once into one directory, of which one is refused."""
        for _ in range(5):
            directory = self.directory()
            runs = [start([*self.arguments, "--seed", seed, "--out", directory], Fault(), self.root) for seed in (0, 1)]
            results = [finish(*run) for run in runs]
            assert sorted(result.status for result in results) == [0, 2], results
            for result in results:
                result.check(0, 2)
            config = Config.read(directory / "config.toml")
            assert checkpoint.read_progress(directory / "last.npz")["config"]["seed"] == config["seed"]
            assert config["seed"] == [result.status for result in results].index(0)
            assert config["seed"] == 1 or outcome(directory) == self.expected
            assert not list(directory.glob(".*")), "leftovers"
            yield


PARTS = ("kills", "errors", "mutations", "pairs")


def campaign(parts: list[str], seconds: float, seed: int) -> int:
    """Run the parts, again and again until the time is over; the number of failures."""
    until, failures = time.monotonic() + seconds, 0
    held: Counter = Counter()
    for turn in range(10**9):
        with tempfile.TemporaryDirectory() as root:
            own = Campaign(Path(root), seed + turn)
            for part in parts:
                try:
                    for _ in getattr(own, part)():
                        held[part] += 1
                except AssertionError:
                    failures += 1
                    print(f"{part}, seed {seed + turn}, case {own.tries}:", file=sys.stderr)
                    traceback.print_exc()
        if time.monotonic() > until:
            break
    for part in parts:
        print(f"{part:10} {held[part]:7,} held")
    print(f"{'failed':10} {failures:7,}")
    return failures


if __name__ == "__main__":
    faulthandler.enable()
    sys.modules["matplotlib.figure"] = None  # type: ignore[assignment]  # pictures take longer than all the rest
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("parts", nargs="*", metavar="PART", help=f"Any of {', '.join(PARTS)}. Default: all.")
    options.add_argument("--seconds", type=float, default=0, help="Time after which no further turn begins.")
    options.add_argument("--seed", type=int, default=0, help="Seed of the first turn.")
    given = options.parse_args()
    sys.exit(bool(campaign(given.parts or list(PARTS), given.seconds, given.seed)))

"""What ``tinygrad-mlp train`` begins or goes on with: which settings, and which directory."""

import argparse
import os
import shlex
import shutil
import sys
from dataclasses import asdict, fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

from tinygrad_mlp.commands.config import Config, shown
from tinygrad_mlp.errors import ArgumentError, MissingExtraError
from tinygrad_mlp.train.ranks import started_by_mpi


def run_train(options: argparse.Namespace) -> None:
    """``tinygrad-mlp train``."""
    from tinygrad_mlp.commands import run

    if hasattr(options, "ranks") and not started_by_mpi():
        start_ranks(options.ranks)
    given = {f.name: getattr(options, f.name) for f in fields(Config) if hasattr(options, f.name)}
    settings = Config.read(options.config) | given if hasattr(options, "config") else given
    config = Config(**settings)
    directory = getattr(options, "out", None)
    if hasattr(options, "resume"):
        directory = to_resume(options.resume, directory)
        config = resumed(config, settings, directory)
    run.train(config, directory, resume=hasattr(options, "resume"), compile=getattr(options, "compile", True))


def start_ranks(count: int) -> NoReturn:
    """Become ``mpiexec``, which runs this very command line on so many ranks."""
    beside = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    mpiexec = shutil.which("mpiexec", path=beside)
    if find_spec("mpi4py") is None or mpiexec is None:
        raise MissingExtraError(
            "--ranks", expected="mpi4py and mpiexec", got="none",
            fix="Install them: pip install 'tinygrad-mlp[mpi]'.",
        )  # fmt: skip
    threads = max(1, (os.cpu_count() or 1) // count)  # said before NumPy is imported, which makes its threads then
    environment = {"OPENBLAS_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)} | os.environ
    sys.stdout.flush()
    program = [sys.executable, "-m", "mpi4py", "-m", "tinygrad_mlp", *sys.argv[1:]]
    os.execve(mpiexec, [mpiexec, "-n", str(count), *program], environment)  # noqa: S606 - a program that we found


def to_resume(named: Path | None, out: Path | None) -> Path:
    """The directory of the run to go on with: that of --resume, that of --out, or the newest in ``runs/``.

    With --out alone there need be no run yet. With --resume there must be one, be it only just begun: a directory
    without anything in it, as a run leaves it that was killed at once.
    """
    if named is None:
        return newest_run() if out is None else out
    if out not in (None, named):
        raise ArgumentError("--resume", expected="the directory of --out, or none", got=str(named))
    if not (named / "config.toml").exists():
        nothing = named.is_dir() and all(path.name.startswith(".") for path in named.iterdir())
        if not nothing:
            raise ArgumentError(
                "--resume", expected="the directory of a run", got=f"{named}, where there is none",
                fix=f"To begin one there: tinygrad-mlp train --out {shlex.quote(str(named))}",
            )  # fmt: skip
    return named


def newest_run() -> Path:
    """The run directory in ``runs/`` that began last."""
    found = sorted(Path("runs").glob("*/config.toml"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise ArgumentError("--resume", expected="a run in runs/", got="none", fix="Name its directory.")
    return found[-1].parent


def resumed(config: Config, settings: dict[str, Any], directory: Path) -> Config:
    """The configuration of the run in a directory, with those settings that may change; others must be the same."""
    from tinygrad_mlp.commands.run import MAY_CHANGE

    if not (directory / "config.toml").exists():  # killed before it had begun, or not there: it begins
        return config
    own = Config.read(directory / "config.toml")
    is_now, was = asdict(config), asdict(Config(**own))
    changed = [name for name in settings if name not in MAY_CHANGE and is_now[name] != was[name]]
    if changed:
        kept = (f"{name} = {'by default' if was[name] is None else was[name]}" for name in changed)
        raise ArgumentError(
            "--resume", expected=f"the settings of the run, {', '.join(kept)}",
            got=", ".join(f"{name} = {shown(is_now[name])}" for name in changed),
            fix="Leave them out, or begin a new run.",
        )  # fmt: skip
    return Config(**own | {name: settings[name] for name in MAY_CHANGE if name in settings})

"""Many runs at once: a sweep over learning rates, optimizers and initialisations, on any executor.

    python examples/sweep.py                                        # on the cores of this machine
    python examples/sweep.py --executor dask                        # on Dask's workers (pip install distributed)
    mpiexec -n 4 python -m mpi4py.futures examples/sweep.py --executor mpi     # on three workers of MPI

Finished runs are kept in ``sweep/``, a file each, and are not run again: after Ctrl-C the same command goes on. The
table grows as runs finish; at the end it is sorted, and drawn as ``sweep/sweep.png``.
"""

import argparse
import itertools
import json
import os
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from contextlib import ExitStack
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # the runs are side by side, not the rows of a matrix

import tinygrad_mlp as tg

OPTIMIZERS = {"sgd": tg.optim.SGD, "adamw": tg.optim.AdamW}
SETTINGS = [
    {"optimizer": optimizer, "init": init, "lr": lr}
    for optimizer, init, lr in itertools.product(OPTIMIZERS, ("he", "xavier"), (0.001, 0.01, 0.1))
]


def run(setting: dict) -> dict:
    """Train once, in whichever process or machine this is called; the setting and what came of it."""
    train, test = tg.data.load_mnist()
    model = tg.nn.MLP(784, 32, 10, init=setting["init"], rng=0)
    optimizer = OPTIMIZERS[setting["optimizer"]](model.parameters(), setting["lr"])
    trainer = tg.train.Trainer(model, optimizer)
    trainer.fit((train.images[:3000], train.labels[:3000]), None, epochs=1, batch_size=32, rng=0)
    loss, accuracy = trainer.evaluate(test.images[:2000], test.labels[:2000])
    return setting | {"loss": loss, "accuracy": accuracy}


def line(row: dict) -> str:
    return f"{row['optimizer']:<6} {row['init']:<7} {row['lr']:>6}  loss {row['loss']:.4f}  {row['accuracy']:>6.1%}"


def sweep(executor: Executor, directory: Path) -> list[dict]:
    """Run what has not been run; the results of all settings."""
    directory.mkdir(exist_ok=True)
    paths = {directory / "-".join(map(str, setting.values())): setting for setting in SETTINGS}
    results = [json.loads(path.read_text()) for path in paths if path.exists()]
    for row in results:
        print(line(row), " (done before)")
    started = {executor.submit(run, setting): path for path, setting in paths.items() if not path.exists()}
    for future in as_completed(started):
        results.append(future.result())
        partial = directory / ".partial"
        partial.write_text(json.dumps(results[-1]))
        partial.replace(started[future])  # so that a file that is there is whole
        print(line(results[-1]), flush=True)
    return results


def draw(results: list[dict], path: Path) -> None:
    """Accuracy over the learning rate, a curve for each optimizer and initialisation."""
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained")
    axes = figure.subplots()
    for (optimizer, init), rows in itertools.groupby(results, key=lambda row: (row["optimizer"], row["init"])):
        curve = [(row["lr"], row["accuracy"]) for row in rows]
        axes.plot(*zip(*curve, strict=True), marker="o", label=f"{optimizer}, {init}")
    axes.set(xscale="log", xlabel="learning rate", ylabel="test accuracy")
    axes.legend()
    figure.savefig(path)


def make_executor(kind: str, ends: ExitStack) -> Executor:
    """An executor of two or more workers; what must be closed afterwards goes to ``ends``."""
    if kind == "dask":
        from dask.distributed import Client

        client = ends.enter_context(Client(n_workers=2, threads_per_worker=1, dashboard_address=None))
        return client.get_executor()  # Client("scheduler:8786") reaches workers on other machines
    if kind == "mpi":
        from mpi4py.futures import MPIPoolExecutor

        return ends.enter_context(MPIPoolExecutor())
    return ends.enter_context(ProcessPoolExecutor(2))


def main() -> None:
    options = argparse.ArgumentParser(description="Sweep over learning rates, optimizers and initialisations.")
    options.add_argument("--executor", choices=("processes", "dask", "mpi"), default="processes")
    options.add_argument("--out", type=Path, default=Path("sweep"))
    given = options.parse_args()
    with ExitStack() as ends:
        results = sweep(make_executor(given.executor, ends), given.out)
    results.sort(key=lambda row: (row["optimizer"], row["init"], row["lr"]))
    draw(results, given.out / "sweep.png")
    print("\nbest first")
    for row in sorted(results, key=lambda row: -row["accuracy"]):
        print(line(row))


if __name__ == "__main__":
    main()

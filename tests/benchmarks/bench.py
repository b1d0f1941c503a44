"""Speed, side by side: ``python tests/benchmarks/bench.py steps|ops|scaling|command|memory [--peers PYTHON]``.

Contenders run in processes of their own, with their threads pinned by environment variables, and take turns: rounds
of a few steps each, so that a machine whose speed drifts slows them all alike. Figures are medians over the rounds,
ratios medians of the ratios within a round. ``--peers`` names the Python of another environment, which has torch, jax,
autograd, mygrad or scikit-learn; whichever it has takes part.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import chains
import contenders
import whole

HERE = Path(__file__).parent
REST = 0.3  # seconds: idle threads of BLAS and OpenMP go on spinning for a while, on the core the next one needs


class Worker:
    """A contender in its process."""

    def __init__(self, python, script, arguments, threads):
        self.name = arguments[0]
        count = str(threads)
        pinned = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NPROC"), count)
        flags = (
            f"--xla_cpu_multi_thread_eigen={'true' if threads > 1 else 'false'} intra_op_parallelism_threads={count}"
        )
        self.process = subprocess.Popen(
            [python, HERE / script, *map(str, arguments)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, **pinned, "XLA_FLAGS": flags},
        )  # fmt: skip

    def run(self, steps):
        """Seconds per step over so many steps; None where the library is not there."""
        try:
            self.process.stdin.write(f"{steps}\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return None
        line = self.process.stdout.readline()
        return float(line) if line else None

    def close(self):
        """End the process."""
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


def race(workers, rounds, steps):
    """Seconds per step of each worker in each round, by name."""
    present = [worker for worker in workers if worker.run(max(2, steps // 4)) is not None]
    times = {worker.name: [] for worker in present}
    for _ in range(rounds):
        for worker in present:
            worker.run(max(2, steps // 5))  # wake its threads
            times[worker.name].append(worker.run(steps))
            time.sleep(REST)
    for worker in workers:
        worker.close()
    return times


def summary(times, reference):
    """For each contender its median in microseconds, and its median ratio to the reference."""
    return {
        name: {
            "us": statistics.median(seconds) * 1e6,
            "ratio": statistics.median(a / b for a, b in zip(seconds, times[reference], strict=True)),
            "least ratio": min(a / b for a, b in zip(seconds, times[reference], strict=True)),
            "largest ratio": max(a / b for a, b in zip(seconds, times[reference], strict=True)),
        }
        for name, seconds in times.items()
    }


def show(title, rows):
    """Print a table in Markdown."""
    print(f"\n{title}\n\n| contender | µs | ratio | least to largest |\n|---|---|---|---|")
    for name, row in sorted(rows.items(), key=lambda item: item[1]["us"]):
        print(
            f"| {name} | {row['us']:,.1f} | {row['ratio']:.2f} | {row['least ratio']:.2f}–{row['largest ratio']:.2f} |"
        )


def steps(options):
    """A training step against the limit and against the others."""
    results = {}
    for threads in options.threads:
        for optimizer in options.optimizers:
            for batch in options.batches:
                arguments = (batch, optimizer)
                workers = [
                    Worker(sys.executable, "contenders.py", (f.__name__, *arguments), threads) for f in contenders.OURS
                ]
                if options.peers:
                    names = options.only or [f.__name__ for f in contenders.PEERS]
                    workers += [Worker(options.peers, "contenders.py", (name, *arguments), threads) for name in names]
                per_round = max(5, round(options.milliseconds / (0.3 + batch * 0.003)))
                times = race(workers, options.rounds, per_round)
                key = f"batch {batch}, {optimizer}, {threads} thread{'s' * (threads > 1)}"
                results[key] = summary(times, "limit")
                show(f"### {key}: ratio to the five products", results[key])
                ours = times["ours"]
                others = {n: statistics.median(o / t for o, t in zip(ours, times[n], strict=True)) for n in times}
                print("\nours ÷", ", ".join(f"{n} {r:.2f}" for n, r in others.items() if n != "ours"))
                results[key]["ours ÷"] = others
    return results


def ops(options):
    """Cost per op of a chain of 4,000 multiplications and additions on 16 elements, forward and backward."""
    workers = [Worker(sys.executable, "chains.py", (name,), 1) for name in chains.OURS]
    workers += [Worker(options.peers, "chains.py", (name,), 1) for name in chains.PEERS] if options.peers else []
    times = race(workers, options.rounds, 20)
    per_op = {name: [t / chains.LENGTH for t in values] for name, values in times.items()}
    result = summary(per_op, "torch" if "torch" in per_op else "ours")
    show(f"### one op, forward and backward: ratio to {'torch' if 'torch' in per_op else 'ours'}", result)
    return {"ops": result}


def main():
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    what = {"steps": steps, "ops": ops, "scaling": whole.scaling, "command": whole.command, "memory": whole.memory}
    parser.add_argument("what", choices=what)
    parser.add_argument("--peers", help="the Python of an environment with other libraries")
    parser.add_argument("--only", nargs="+", help="of the peers, only these")
    parser.add_argument("--batches", type=int, nargs="+", default=[32, 128, 512, 2048])
    parser.add_argument("--optimizers", nargs="+", default=["adamw", "sgd"])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--milliseconds", type=float, default=60, help="about so long a turn")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    options = parser.parse_args()
    results = what[options.what](options)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()

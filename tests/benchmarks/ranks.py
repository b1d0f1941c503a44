"""How long a step takes on several ranks: measured here, and predicted for what cannot be run here.

    for n in 1 2; do mpiexec -n $n python -m mpi4py tests/benchmarks/ranks.py; done      # one thread in each rank
    python tests/benchmarks/ranks.py --model                                             # the tables of the prediction

The model. A step of n ranks on a batch of B examples, P parameters of 4 bytes:

    T(n) = F + c ⌈B/n⌉ + 2 ⌈log₂ n⌉ α + 2 (n - 1)/n · 4P/β

F, what does not depend on the batch (the optimizer, Python); c, compute per example; α, latency of a message;
β, bandwidth of a rank. The last two terms are a reduce-scatter and an allgather (Thakur et al., 2005).
"""

import itertools
import math
import sys
import time

import numpy as np
from threadpoolctl import threadpool_limits

import tinygrad_mlp as tg

NETWORKS = {"784-128-10": (784, 128, 10), "784-4096-4096-10": (784, 4096, 4096, 10)}
# Seconds: (F, c) as measured on one rank; α, β of a data centre's network and of plain Ethernet.
COSTS = {"784-128-10": (490e-6, 7.2e-6), "784-4096-4096-10": (226e-3, 1.69e-3)}
LINKS = {"2 µs, 12 GB/s": (2e-6, 12e9), "50 µs, 1.2 GB/s": (50e-6, 1.2e9)}
RANKS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 10_000)


def parameters(sizes):
    return sum((a + 1) * b for a, b in itertools.pairwise(sizes))


def step_seconds(name, batch, n, link):
    fixed, per_example = COSTS[name]
    latency, bandwidth = LINKS[link]
    travel = 2 * (n - 1) / n * 4 * parameters(NETWORKS[name]) / bandwidth
    return fixed + per_example * -(-batch // n) + 2 * math.ceil(math.log2(n)) * latency + travel


def predict():
    for name in NETWORKS:
        for link in LINKS:
            for batch in (128, 2048, 65_536, 1_048_576):
                one = step_seconds(name, batch, 1, link)
                gains = {n: one / step_seconds(name, batch, n, link) for n in RANKS}
                best = max(gains, key=gains.get)
                half = max(n for n in RANKS if gains[n] >= n / 2)
                row = (f"{batch:,}", f"{half:,}", f"{best:,}", f"{gains[best]:,.1f}", f"{gains[10_000]:,.1f}")
                print(f"| {name} | {link} | " + " | ".join(row) + " |")


def measure():
    ranks = tg.train.Ranks()
    for name, sizes in NETWORKS.items():
        rng = np.random.default_rng(0)
        model = tg.nn.MLP(*sizes, rng=0)
        optimizer = tg.optim.AdamW(model.parameters(), 1e-5)
        trainer = tg.train.Trainer(model, optimizer, ranks=ranks if ranks.size > 1 else None)
        tg.train.keep_freed_memory()
        for batch in (128, 512, 2048) if len(sizes) == 3 else (64, 128):
            share = batch // ranks.size
            x = rng.random((share, 784)).astype(np.float32)
            times, travels = [], []
            for i in range(300 if len(sizes) == 3 else 6):
                y = rng.integers(0, 10, share)
                ranks.any(i == 0)  # begin together
                start = time.perf_counter()
                trainer.step(x, y)
                times.append(time.perf_counter() - start)
                flat = np.zeros(parameters(sizes), np.float32)
                ranks.any(i == 0)
                start = time.perf_counter()
                ranks.comm.Allreduce(flat, np.empty_like(flat))
                travels.append(time.perf_counter() - start)
            if ranks.rank == 0:
                what = f"{name}, batch {batch}, {ranks.size} rank{'s' if ranks.size > 1 else ''}"
                print(f"{what}: {1e6 * min(times):,.0f} µs a step, Allreduce {1e6 * min(travels):,.0f} µs", flush=True)


if __name__ == "__main__":
    with threadpool_limits(1, user_api="blas"):
        predict() if "--model" in sys.argv else measure()

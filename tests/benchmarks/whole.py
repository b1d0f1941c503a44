"""The whole command against a PyTorch script, how cost grows, and the memory of a step."""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

import numpy as np

import tinygrad_mlp as tg

HERE = Path(__file__).parent


def timed(command, threads):
    """Wall seconds and peak resident megabytes of a command."""
    pinned = {name: str(threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**os.environ, **pinned})
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"{command} ended with {status}")
    return time.perf_counter() - started, usage.ru_maxrss / 1024


def command(options):
    """Ten epochs, start to end, pictures and all, in turns with the PyTorch script; and the import alone."""
    runs = {"ours": [], "torch": []}
    for _ in range(max(3, options.rounds // 3)):
        with tempfile.TemporaryDirectory() as out:
            runs["ours"].append(timed([sys.executable, "-m", "tinygrad_mlp", "train", "--out", f"{out}/run"], 2))
            if options.peers:
                data = Path(tg.__file__).parent / "data/mnist"
                runs["torch"].append(timed([options.peers, HERE / "torch_mnist.py", data, f"{out}/torch"], 2))
    results = {}
    for name, pairs in runs.items():
        if pairs:
            seconds, megabytes = (statistics.median(values) for values in zip(*pairs, strict=True))
            print(f"{name}: {seconds:.2f} s, {megabytes:.0f} MB")
            results[name] = {"seconds": seconds, "megabytes": megabytes}
    if runs["torch"]:
        for i, what in enumerate(("wall time", "peak memory")):
            ratio = statistics.median(a[i] / b[i] for a, b in zip(runs["ours"], runs["torch"], strict=True))
            print(f"ours ÷ torch, {what}: {ratio:.2f}")
            results[f"ratio of {what}"] = ratio
    imports = {"numpy": [], "numpy, tinygrad_mlp": []}
    for _ in range(30):
        for modules, seconds in imports.items():
            seconds.append(timed([sys.executable, "-c", f"import {modules}"], 1)[0])
    bare, full = (statistics.median(seconds) for seconds in imports.values())
    print(f"import tinygrad_mlp beyond import numpy: {1000 * (full - bare):.1f} ms")
    return results | {"import ms": 1000 * (full - bare)}


def step_of(width, depth, batch):
    """A training step of a network of this size, as a function."""
    tg.train.keep_freed_memory()
    rng = np.random.default_rng(0)
    model = tg.nn.MLP(64, *[width] * depth, 10, rng=rng)
    optimizer = tg.optim.AdamW(model.parameters(), 1e-4)
    x, y = rng.random((batch, 64), dtype=np.float32), rng.integers(0, 10, (16, batch))

    def step(i):
        optimizer.zero_grad()
        tg.cross_entropy(model(x), y[i % 16]).backward()
        optimizer.step()

    return step


def chain_of(length):
    """Forward and backward through so many small ops, as a function."""
    x = tg.Tensor(np.ones(16, np.float32), requires_grad=True)

    def run(i):
        y = x
        for _ in range(length // 2):
            y = y * 1.0001 + 0.001
        x.grad = None
        y.sum().backward()

    return run


def scaling(options):
    """How the seconds of a step grow with each size; the exponent is the slope in the logarithms."""
    grown = {
        "batch": ([32, 128, 512, 2048, 8192], lambda n: step_of(128, 1, n)),
        "width": ([64, 256, 1024, 4096], lambda n: step_of(n, 2, 128)),
        "depth": ([1, 10, 100, 1000], lambda n: step_of(32, n, 32)),
        "graph length": ([10**3, 10**4, 10**5, 10**6], chain_of),
    }
    results = {}
    for name, (sizes, make) in grown.items():
        seconds = []
        for size in sizes:
            step, times = make(size), []
            step(0)
            while len(times) < 3 or (sum(times) < 0.5 and len(times) < 50):
                started = time.perf_counter()
                step(len(times))
                times.append(time.perf_counter() - started)
            seconds.append(statistics.median(times))
        exponents = np.diff(np.log(seconds)) / np.diff(np.log(sizes))
        text = ", ".join(f"{size:,}: {1000 * s:,.3f} ms" for size, s in zip(sizes, seconds, strict=True))
        print(f"{name}: {text}; exponents from size to size {', '.join(f'{e:.2f}' for e in exponents)}")
        results[name] = {"sizes": sizes, "seconds": seconds, "exponents": list(exponents)}
    return results


def memory(options):
    """Peak memory of a training step at batch 2048 against what must be kept: parameters, optimizer, activations."""
    batch, sizes = 2048, (784, 128, 10)
    rng = np.random.default_rng(0)
    x, y = rng.random((batch, 784), dtype=np.float32), rng.integers(0, 10, batch)
    tracemalloc.start()
    model = tg.nn.MLP(*sizes, rng=rng)
    optimizer = tg.optim.AdamW(model.parameters(), 1e-3)
    parameters = sum(p.data.nbytes for p in model.parameters())
    activations = 4 * batch * (128 + 128 + 128 + 10 + 10)  # x W1, a1, h, h W2, z; the images are the caller's
    for _ in range(3):
        tracemalloc.reset_peak()
        optimizer.zero_grad()
        tg.cross_entropy(model(x), y).backward()
        optimizer.step()
    peak = tracemalloc.get_traced_memory()[1]
    needed = 3 * parameters + activations
    tracemalloc.stop()
    print(f"peak {peak / 1e6:.2f} MB, needed {needed / 1e6:.2f} MB: {peak / needed:.2f}; "
          f"resident {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")  # fmt: skip
    return {"peak": peak, "needed": needed, "ratio": peak / needed}

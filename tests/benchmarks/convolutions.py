"""A convolution forward and backward, side by side: ``python tests/benchmarks/convolutions.py [--peers PYTHON]``.

Batches of 128 images in float32, kernels of 5 × 5, padding 2: 1×28×28 → 8 channels, without a gradient for the images,
as in a first layer, and 8×14×14 → 16 with one. A bias, but for MyGrad. "limit" is the convolution's own matrix
products alone, on columns that are there already. In processes of their own, in turns: see `bench.py`.
"""

import argparse
import statistics
import sys
import time

import bench
import numpy as np

BATCH, KERNEL = 128, 5
LAYERS = {"first": (1, 28, 8), "second": (8, 14, 16)}  # channels, height and width, channels of the result


def arrays(layer):
    """Images, weights, bias and the gradient of the result."""
    (channels, size, out), rng = LAYERS[layer], np.random.default_rng(0)
    shapes = (BATCH, channels, size, size), (out, channels, KERNEL, KERNEL), (out,), (BATCH, out, size, size)
    return [rng.standard_normal(shape, np.float32) for shape in shapes]


def limit(layer):
    """The products of weights and columns, of gradients and columns, and of weights and gradients."""
    (channels, size, out), rng = LAYERS[layer], np.random.default_rng(0)
    inner, places = channels * KERNEL * KERNEL, size * size * BATCH
    shapes = (out, inner), (inner, places), (out, places)
    weight, columns, gradient = (rng.standard_normal(shape, np.float32) for shape in shapes)
    results = [np.empty(shape, np.float32) for shape in ((out, places), (out, inner), (inner, places))]

    def step():
        np.matmul(weight, columns, out=results[0])
        np.matmul(gradient, columns.T, out=results[1])
        if layer != "first":
            np.matmul(weight.T, gradient, out=results[2])

    return step


def ours(layer):
    """As it runs by itself; images of a second layer come from a first one, with the batch last in memory."""
    import tinygrad_mlp as tg

    x, weight, bias, g = arrays(layer)
    if layer != "first":
        x, g = (np.transpose(np.transpose(a, (2, 1, 3, 0)).copy(), (3, 1, 0, 2)) for a in (x, g))
    x, weight, bias = (
        tg.Tensor(x, requires_grad=layer != "first"),
        *(tg.Tensor(a, requires_grad=True) for a in (weight, bias)),
    )

    def step():
        tg.conv2d(x, weight, bias, padding=2).backward(g)
        x.grad = weight.grad = bias.grad = None

    return step


def torch(layer):
    """PyTorch, eager."""
    import os

    import torch

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    x, weight, bias, g = (torch.tensor(a) for a in arrays(layer))
    for leaf in (weight, bias, *([] if layer == "first" else [x])):
        leaf.requires_grad = True

    def step():
        torch.nn.functional.conv2d(x, weight, bias, padding=2).backward(g)
        x.grad = weight.grad = bias.grad = None

    return step


def mygrad(layer):
    """MyGrad's ``conv_nd``."""
    import mygrad
    from mygrad.nnet.layers import conv_nd

    x, weight, _, g = arrays(layer)
    x, weight = mygrad.tensor(x, constant=layer == "first"), mygrad.tensor(weight)

    def step():
        conv_nd(x, weight, stride=1, padding=2).backward(g)
        x.null_grad()
        weight.null_grad()

    return step


def serve(step):
    """Answer each number of steps on standard input with the seconds per step."""
    for line in sys.stdin:
        start = time.perf_counter()
        for _ in range(int(line)):
            step()
        print((time.perf_counter() - start) / int(line), flush=True)


def main():
    """Measure all contenders, and print a table for each layer."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--peers", help="the Python of an environment with PyTorch and MyGrad")
    parser.add_argument("--threads", type=int, nargs="+", default=[2, 1])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--steps", type=int, default=10)
    options = parser.parse_args()
    for threads in options.threads:
        for layer in LAYERS:
            pythons = {"limit": sys.executable, "ours": sys.executable}
            pythons |= {"torch": options.peers, "mygrad": options.peers} if options.peers else {}
            workers = [bench.Worker(p, "convolutions.py", (name, layer), threads) for name, p in pythons.items()]
            times = bench.race(workers, options.rounds, options.steps)
            bench.show(f"### {layer}, {threads} threads: ratio to its own products", bench.summary(times, "limit"))
            ratios = {
                name: statistics.median(a / b for a, b in zip(times["ours"], times[name], strict=True))
                for name in times
            }
            quickest = {name: min(times["ours"]) / min(times[name]) for name in times}
            print("\nours ÷", ", ".join(f"{n} {r:.2f} (quickest {quickest[n]:.2f})" for n, r in ratios.items()))


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in ("limit", "ours", "torch", "mygrad"):
        serve(globals()[sys.argv[1]](sys.argv[2]))
    else:
        main()

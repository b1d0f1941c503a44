"""A chain of 4,000 multiplications and additions on 16 elements: what one small op costs, forward and backward.

``python chains.py NAME`` reads numbers of runs from standard input and answers with the seconds per run.
"""

import sys
import time

import numpy as np

LENGTH = 4000
VALUES = np.linspace(0.5, 1.5, 16).astype(np.float32)


def ours():
    """tinygrad_mlp."""
    import tinygrad_mlp as tg

    x = tg.Tensor(VALUES, requires_grad=True)

    def run():
        y = x
        for _ in range(LENGTH // 2):
            y = y * 1.0001
            y = y + 0.001
        x.grad = None
        y.sum().backward()

    return run


def torch():
    """PyTorch, eager."""
    import torch as pt

    pt.set_num_threads(1)
    x = pt.tensor(VALUES, requires_grad=True)

    def run():
        y = x
        for _ in range(LENGTH // 2):
            y = y * 1.0001
            y = y + 0.001
        x.grad = None
        y.sum().backward()

    return run


def autograd():
    """HIPS autograd."""
    import autograd as ag
    from autograd import numpy as anp

    def chain(x):
        y = x
        for _ in range(LENGTH // 2):
            y = y * 1.0001
            y = y + 0.001
        return anp.sum(y)

    gradient = ag.grad(chain)
    return lambda: gradient(VALUES)


def mygrad():
    """MyGrad."""
    import mygrad as mg

    sys.setrecursionlimit(10**6)  # its walk over the graph recurses

    def run():
        y = mg.tensor(VALUES)
        for _ in range(LENGTH // 2):
            y = y * 1.0001
            y = y + 0.001
        y.sum().backward()

    return run


OURS = ("ours",)
PEERS = ("torch", "autograd", "mygrad")


def main(name):
    """Run on demand."""
    run = globals()[name]()
    for line in sys.stdin:
        started = time.perf_counter()
        for _ in range(int(line)):
            run()
        print((time.perf_counter() - started) / int(line), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

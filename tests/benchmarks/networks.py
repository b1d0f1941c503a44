"""The networks that `drawings.py` draws, written once for this library and for PyTorch."""

import operator
import random


class Ours:
    """tinygrad_mlp."""

    def __init__(self):
        import numpy as np

        import tinygrad_mlp as tg

        self.np, self.nn, self.tg, self.rng = np, tg.nn, tg, np.random.default_rng(0)
        self.tanh, self.sin, self.exp, self.relu, self.where = np.tanh, np.sin, np.exp, tg.relu, np.where
        self.cross_entropy = tg.cross_entropy

    def linear(self, inputs, outputs):
        return self.nn.Linear(inputs, outputs, rng=self.rng)

    def convolution(self, inputs, outputs, size, padding):
        """A product with windows of the image."""
        np, weight = self.np, self.weight("weight", outputs, inputs, size, size)

        class Conv2d(self.nn.Module):
            def __init__(self):
                self.weight = weight

            def forward(self, x):
                padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
                windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(2, 3))
                return np.einsum("ncijkl,ockl->noij", windows, self.weight)

        return Conv2d()

    def pool(self, x):
        n, c, h, w = x.shape
        return self.np.max(x.reshape(n, c, h // 2, 2, w // 2, 2), axis=(3, 5))

    def array(self, *shape):
        return self.rng.standard_normal(shape).astype(self.np.float32)

    def weight(self, name, *shape):
        return self.tg.Tensor(self.array(*shape) * 0.3, requires_grad=True, name=name)

    def labels(self, n):
        return self.np.arange(n) % 4

    def softmax(self, x):
        return self.tg.softmax(x, axis=-1)

    def transpose(self, x, axes):
        return self.np.transpose(x, axes)

    def mask(self, n):
        return self.np.tril(self.np.ones((n, n), bool))


class Torch:
    """PyTorch, for torchview."""

    def __init__(self):
        import torch

        self.torch, self.nn = torch, torch.nn
        self.tanh, self.sin, self.exp, self.relu, self.where = torch.tanh, torch.sin, torch.exp, torch.relu, torch.where
        self.cross_entropy = torch.nn.functional.cross_entropy

    def linear(self, inputs, outputs):
        return self.nn.Linear(inputs, outputs)

    def convolution(self, inputs, outputs, size, padding):
        return self.nn.Conv2d(inputs, outputs, size, padding=padding, bias=False)

    def pool(self, x):
        return self.torch.nn.functional.max_pool2d(x, 2)

    def array(self, *shape):
        return self.torch.randn(shape)

    def weight(self, name, *shape):
        return self.nn.Parameter(self.array(*shape) * 0.3)

    def labels(self, n):
        return self.torch.arange(n) % 4

    def softmax(self, x):
        return self.torch.softmax(x, -1)

    def transpose(self, x, axes):
        return x.permute(axes)

    def mask(self, n):
        return self.torch.tril(self.torch.ones(n, n)).bool()


def network(lib, name):
    """A module and its inputs; calling it gives the loss."""
    chance = random.Random(0)  # noqa: S311 - the same graph in both libraries

    class Block(lib.nn.Module):
        def __init__(self, n):
            super().__init__()
            self.fc1, self.fc2 = lib.linear(n, n), lib.linear(n, n)

        def forward(self, x):
            return x + self.fc2(lib.relu(self.fc1(x)))

    class Residual(lib.nn.Module):
        def __init__(self):
            super().__init__()
            self.block1, self.block2, self.block3, self.head = Block(16), Block(16), Block(16), lib.linear(16, 4)

        def forward(self, x):
            return lib.cross_entropy(self.head(self.block3(self.block2(self.block1(x)))), lib.labels(8))

    class MLP(lib.nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1, self.fc2 = lib.linear(784, 128), lib.linear(128, 10)

        def forward(self, x):
            return lib.cross_entropy(self.fc2(lib.relu(self.fc1(x))), lib.labels(8))

    class RNN(lib.nn.Module):
        def __init__(self, steps):
            super().__init__()
            self.W, self.U, self.steps = lib.weight("W", 4, 4), lib.weight("U", 3, 4), steps

        def forward(self, x):
            h = lib.tanh(x[0] @ self.U)
            for t in range(1, self.steps):
                h = lib.tanh(x[t] @ self.U + h @ self.W)
            return (h * h).mean()

    class Attention(lib.nn.Module):
        def __init__(self, d=8, heads=2):
            super().__init__()
            self.q, self.k, self.v, self.o = (lib.linear(d, d) for _ in range(4))
            self.norm, self.heads = lib.nn.LayerNorm(d), heads

        def forward(self, x):
            n, t, d = x.shape
            q, k, v = (
                lib.transpose(part(x).reshape(n, t, self.heads, d // self.heads), (0, 2, 1, 3))
                for part in (self.q, self.k, self.v)
            )
            scores = q @ lib.transpose(k, (0, 1, 3, 2)) / 2.0
            mixed = lib.softmax(lib.where(lib.mask(t), scores, -float("inf"))) @ v
            y = self.norm(x + self.o(lib.transpose(mixed, (0, 2, 1, 3)).reshape(n, t, d)))
            return (y * y).mean()

    class LeNet(lib.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.conv2 = lib.convolution(1, 6, 5, 2), lib.convolution(6, 16, 5, 0)
            self.fc1, self.fc2, self.fc3 = lib.linear(400, 120), lib.linear(120, 84), lib.linear(84, 10)

        def forward(self, x):
            x = lib.pool(lib.relu(self.conv1(x)))
            x = lib.pool(lib.relu(self.conv2(x))).reshape(4, 400)
            return lib.cross_entropy(self.fc3(lib.relu(self.fc2(lib.relu(self.fc1(x))))), lib.labels(4))

    class Micrograd(lib.nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = lib.weight("a"), lib.weight("b")

        def forward(self, x):
            a, b = self.a * x, self.b
            c, d = a + b, a * b + b**3
            c = c + (c + 1)
            c = c + (1 + c + (-a))
            d = d + (d * 2 + lib.relu(b + a))
            d = d + (3 * d + lib.relu(b - a))
            f = (c - d) ** 2
            return f / 2.0 + 10.0 / f

    class Chain(lib.nn.Module):
        def __init__(self, ops):
            super().__init__()
            self.w, self.ops = lib.weight("w", 8), ops

        def forward(self, x):
            y = self.w * x
            functions = (lib.tanh, lib.sin, lambda v: v * 0.5, lambda v: v + self.w)
            for _ in range(self.ops - 2):
                y = chance.choice(functions)(y)
            return y.sum()

    class Random(lib.nn.Module):
        def __init__(self):
            super().__init__()
            self.w = lib.weight("w", 4)

        def forward(self, x):
            values = [self.w * x, self.w + x]
            functions = (lambda v, _: lib.tanh(v), lambda v, _: lib.sin(v), operator.mul, operator.sub)
            for _ in range(47):
                v, u = (values[-1 - chance.randrange(min(6, len(values)))] for _ in range(2))
                values.append(chance.choice(functions)(v, u))
            return sum(values[-3:]).sum()

    made = {
        "mlp": lambda: (MLP(), lib.array(8, 784)), "residual": lambda: (Residual(), lib.array(8, 16)),
        "rnn5": lambda: (RNN(5), lib.array(5, 2, 3)), "rnn100": lambda: (RNN(100), lib.array(100, 2, 3)),
        "attention": lambda: (Attention(), lib.array(2, 5, 8)), "lenet": lambda: (LeNet(), lib.array(4, 1, 28, 28)),
        "micrograd": lambda: (Micrograd(), lib.array()), "chain300": lambda: (Chain(300), lib.array(8)),
        "chain3000": lambda: (Chain(3000), lib.array(8)), "random": lambda: (Random(), lib.array(4)),
    }  # fmt: skip
    return made[name]()

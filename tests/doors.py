"""Try what each extra is for, in an environment that has some of them: ``python doors.py [EXTRA ...]``.

What the extras named are for must work, and everything else must say which extra is missing. `.ci/run` makes the
environments, in which nothing but the package and one extra is installed.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import tinygrad_mlp as tg

X = np.random.default_rng(0).normal(size=(60, 16)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int)
MODEL = tg.nn.MLP(16, 4, 2, rng=0)


def expect(holds, what):
    if not holds:
        raise SystemExit(f"expected {what}")


def command(*words):
    done = subprocess.run([sys.executable, "-m", "tinygrad_mlp", *words], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)


def plots(directory):
    from tinygrad_mlp.commands.plots import figure

    figure(2.0, 2.0).savefig(directory / "figure.png")
    from tinygrad_mlp.data.images import read_images

    expect(read_images(directory / "figure.png", drawn=False).shape == (1, 28, 28), "a picture that is read")


def testing(directory):
    from tinygrad_mlp.testing import strategies

    expect(strategies.arrays is not None, "strategies")


def safetensors(directory):
    tg.nn.save(MODEL, directory / "w.safetensors")
    tg.nn.load(MODEL, directory / "w.safetensors")


def onnx(directory):
    tg.export_onnx(MODEL, directory / "m.onnx", X)
    expect((directory / "m.onnx").stat().st_size > 100, "a file")


def sklearn(directory):
    from tinygrad_mlp.sklearn import MLPClassifier

    model = MLPClassifier((8,), learning_rate_init=0.05, random_state=0)
    for _ in range(30):
        model.partial_fit(X, Y, classes=[0, 1])
    expect(model.score(X, Y) > 0.9, "a classifier that has learned")


def tensorboard(directory):
    board = tg.train.TensorBoard(directory, example=(X, Y))
    optimizer = tg.optim.SGD(MODEL.parameters(), 0.1)
    tg.train.Trainer(MODEL, optimizer, callbacks=[board]).fit((X, Y), None, epochs=1, batch_size=8, rng=0)
    expect(list(directory.glob("events.*")), "a file")


def mpi(directory):
    for name in ("train", "t10k"):
        tg.data.write_idx(directory / f"{name}-images-idx3-ubyte", (X.reshape(60, 4, 4) > 0).astype(np.uint8))
        tg.data.write_idx(directory / f"{name}-labels-idx1-ubyte", Y.astype(np.uint8))
    command("train", "--ranks", "2", "--data", str(directory), "--epochs", "1", "--out", str(directory / "run"))


DOORS = {door.__name__: door for door in (plots, testing, safetensors, onnx, sklearn, tensorboard, mpi)}


def main(*installed):
    for name, door in DOORS.items():
        with tempfile.TemporaryDirectory() as directory:
            try:
                door(Path(directory))
            except Exception as error:
                if name in installed or f"tinygrad-mlp[{name}]" not in str(error):
                    raise
            else:
                expect(name in installed, f"an error that names the extra {name}")
    print(f"with {', '.join(installed) or 'no extra'}: what is there works, and the rest is named")


if __name__ == "__main__":
    main(*sys.argv[1:])

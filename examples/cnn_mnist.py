"""A convolutional network of LeNet's size on MNIST, by the Python API: one epoch on a few images, or five on all.

    python examples/cnn_mnist.py            # 6,400 images once: some seconds
    python examples/cnn_mnist.py --full     # 60,000 images five times; --seed N for other random numbers

On a machine whose cores are busy, set OPENBLAS_NUM_THREADS=1: threads that wait for each other took ten times as long.

Measured with --full, on the 10,000 test images (about 20 s of one core per epoch):

| seed | test loss | test accuracy |
|---|---|---|
| 0 | 0.0268 | 99.16 % |
| 1 | 0.0240 | 99.25 % |
| 2 | 0.0238 | 99.19 % |
| mean | 0.0249 | 99.20 % |
"""

import argparse

import numpy as np

import tinygrad_mlp as tg
from tinygrad_mlp import nn

parser = argparse.ArgumentParser()
parser.add_argument("--full", action="store_true")
parser.add_argument("--seed", type=int, default=0)
options = parser.parse_args()
epochs, count, tested = (5, 60_000, 10_000) if options.full else (1, 6_400, 1_000)

train, test = tg.data.load_mnist()
train, test = (train.images[:count], train.labels[:count]), (test.images[:tested], test.labels[:tested])
rng = np.random.default_rng(options.seed)


def as_images(x):
    """Rows of 784 numbers as images (N, 1, 28, 28)."""
    return np.reshape(x, (len(x), 1, 28, 28))


model = nn.Sequential(
    as_images,
    nn.Conv2d(1, 6, 5, padding=2, rng=rng), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(6, 16, 5, rng=rng), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.MLP(400, 120, 84, 10, rng=rng),
)  # fmt: skip
print(f"{sum(p.size for p in model.parameters()):,} parameters")
steps = epochs * -(-count // 128)
schedule = tg.optim.schedules.warmup(tg.optim.schedules.cosine(0.004, steps), min(100, steps // 5))
optimizer = tg.optim.AdamW(model.named_parameters(), schedule, weight_decay=0.05)

trainer = tg.train.Trainer(model, optimizer, callbacks=[tg.train.Progress()])
trainer.fit(train, None, epochs=epochs, batch_size=128, rng=rng)

loss, accuracy = trainer.evaluate(*test)
print(f"test loss {loss:.4f}, test accuracy {100 * accuracy:.2f} %")

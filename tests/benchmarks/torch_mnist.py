"""The recipe of ``tinygrad-mlp train`` in PyTorch, for comparison: ``python torch_mnist.py DIRECTORY_OF_IDX_FILES``."""

import gzip
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

torch.manual_seed(0)
folder = Path(sys.argv[1])


def read(name, offset):
    return np.frombuffer(gzip.decompress((folder / name).read_bytes()), np.uint8, offset=offset).copy()


images = torch.from_numpy(read("train-images-idx3-ubyte.gz", 16).reshape(-1, 784)).float() / 255
labels = torch.from_numpy(read("train-labels-idx1-ubyte.gz", 8)).long()
test_images = torch.from_numpy(read("t10k-images-idx3-ubyte.gz", 16).reshape(-1, 784)).float() / 255
test_labels = torch.from_numpy(read("t10k-labels-idx1-ubyte.gz", 8)).long()

model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
for layer in (model[0], model[2]):
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)
epochs, batch, kept = 10, 128, 55_000
total = epochs * -(-kept // batch)
warm = total // 20
optimizer = torch.optim.AdamW(model.parameters(), lr=0.005, weight_decay=0.1, fused=True)
schedule = torch.optim.lr_scheduler.LambdaLR(
    optimizer,
    lambda s: (s + 1) / warm if s < warm else 0.5 * (1 + np.cos(np.pi * (s - warm) / (total - warm))),
)
loss_function = nn.CrossEntropyLoss(label_smoothing=0.1)
for epoch in range(1, epochs + 1):
    order = torch.randperm(kept)
    for start in range(0, kept, batch):
        chosen = order[start : start + batch]
        loss = loss_function(model(images[chosen]), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        accuracy = (model(images[kept:]).argmax(1) == labels[kept:]).float().mean()
    print(f"epoch {epoch} validation accuracy {100 * accuracy:.2f} %")
with torch.no_grad():
    print(f"test accuracy {100 * (model(test_images).argmax(1) == test_labels).float().mean():.2f} %")

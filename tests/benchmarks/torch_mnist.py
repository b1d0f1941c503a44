"""What ``tinygrad-mlp train`` does, in PyTorch: ``python torch_mnist.py DIRECTORY_OF_IDX_FILES OUT``.

The same recipe, validation, checkpoints, a history, and the same four pictures, drawn by the same code.
"""

import csv
import gzip
import math
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[2]))
from tinygrad_mlp.commands import plots
from tinygrad_mlp.train.history import History

torch.manual_seed(0)
folder, out = Path(sys.argv[1]), Path(sys.argv[2])
out.mkdir(parents=True, exist_ok=True)


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
    lambda s: (s + 1) / warm if s < warm else 0.5 * (1 + math.cos(math.pi * (s - warm) / (total - warm))),
)
loss_function = nn.CrossEntropyLoss(label_smoothing=0.1)
history = History()
best = None
for epoch in range(1, epochs + 1):
    started, total_loss = time.perf_counter(), 0.0
    order = torch.randperm(kept)
    for start in range(0, kept, batch):
        chosen = order[start : start + batch]
        loss = loss_function(model(images[chosen]), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        total_loss += loss.item() * len(chosen)
    with torch.no_grad():
        logits = model(images[kept:])
        row = {"epoch": epoch, "train_loss": total_loss / kept, "val_loss": loss_function(logits, labels[kept:]).item(),
               "val_accuracy": (logits.argmax(1) == labels[kept:]).float().mean().item(),
               "lr": schedule.get_last_lr()[0], "seconds": time.perf_counter() - started}  # fmt: skip
    history.append(row)
    print(f"epoch {epoch} validation accuracy {100 * row['val_accuracy']:.2f} %")
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "schedule": schedule.state_dict()}
    if best is None or row["val_loss"] < best:
        best = row["val_loss"]
        torch.save(state, out / "best.pt")
    torch.save(state, out / "last.pt")
    with (out / "history.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, row)
        writer.writeheader()
        writer.writerows(history)
model.load_state_dict(torch.load(out / "best.pt")["model"])
with torch.no_grad():
    logits = model(test_images)
    print(f"test accuracy {100 * (logits.argmax(1) == test_labels).float().mean():.2f} %")
right = test_labels.numpy()
plots.save_curves(out / "curves.png", history)
plots.save_confusion(out / "confusion.png", right, logits.argmax(1).numpy(), 10)
plots.save_weights(out / "weights.png", model[0].weight.detach().numpy().T, 28, 28)
plots.save_errors(out / "errors.png", test_images.numpy().reshape(-1, 28, 28), right, logits.softmax(1).numpy())

"""A transformer of 4,240 parameters invents first names, letter by letter; one head's attention: microgpt.png.

Of the size of Karpathy's microgpt: one layer, four heads, width 16, context 16. ``--steps 1000`` trains it to the end.
``data/names.txt``: 5,163 first names of the 1990 census of the United States, in the public domain.
"""

import argparse
import sys
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import tinygrad_mlp as tg

CONTEXT, WIDTH, HEADS, END = 16, 16, 4, 26  # END stands before and after each name
LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Block(tg.nn.Module):
    """Attention to the letters before, then two linear layers, each added to what came in."""

    def __init__(self, rng):
        self.norm1, self.norm2 = tg.nn.RMSNorm(WIDTH, eps=1e-5), tg.nn.RMSNorm(WIDTH, eps=1e-5)
        self.attention = tg.nn.MultiheadAttention(WIDTH, HEADS, bias=False, batch_first=True, rng=rng)
        self.fc1 = tg.nn.Linear(WIDTH, 4 * WIDTH, bias=False, rng=rng)
        self.fc2 = tg.nn.Linear(4 * WIDTH, WIDTH, bias=False, rng=rng)

    def attend(self, x):
        h = self.norm1(x)
        return self.attention(h, h, h, is_causal=True, average_attn_weights=False)

    def forward(self, x):
        x = x + self.attend(x)[0]
        return x + self.fc2(tg.relu(self.fc1(self.norm2(x))))


class MicroGPT(tg.nn.Module):
    """Logits (N, L, 27) of the letter that follows each of the letters (N, L)."""

    def __init__(self, rng):
        self.letter, self.place = tg.nn.Embedding(27, WIDTH, rng=rng), tg.nn.Embedding(CONTEXT, WIDTH, rng=rng)
        self.block, self.norm = Block(rng), tg.nn.RMSNorm(WIDTH, eps=1e-5)
        self.head = tg.nn.Linear(WIDTH, 27, bias=False, init="xavier", rng=rng)

    def embed(self, x):
        return self.letter(x) + self.place(np.arange(x.shape[1]))

    def forward(self, x):
        return self.head(self.norm(self.block(self.embed(x))))


def encode(names):
    """Each name as a row of numbers, with an END before it and filled up with ENDs."""
    return np.array([[END, *map(LETTERS.index, name), *[END] * (CONTEXT - len(name))] for name in names])


def loss_of(model, rows):
    """The mean cross-entropy of the letters of some names and of the END of each."""
    counted = np.ravel(np.cumsum(rows[:, 1:] == END, axis=1) <= 1)
    logits, targets = np.reshape(model(rows[:, :-1]), (-1, 27)), np.ravel(rows[:, 1:])
    return np.sum(tg.cross_entropy(logits, targets, reduction="none") * counted) / np.sum(counted)


def invent(model, rng):
    """One name, each letter drawn with the probability that the model gives it."""
    row = [END]
    while len(row) < CONTEXT and row[1:].count(END) == 0:
        row.append(int(rng.choice(27, p=tg.softmax(model(np.array([row])).data[0, -1].astype(float)))))
    return "".join(LETTERS[i] for i in row if i != END)


parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
parser.add_argument("--steps", type=int, default=100, help="steps of training, each on 16 names")
parser.add_argument("--seed", type=int, default=0, help="seed of the weights, the batches and the inventions")
parser.add_argument("--out", default="microgpt.png", help="file for the picture")
args = parser.parse_args()
rng = np.random.default_rng(args.seed)
names = (Path(__file__).parent / "data" / "names.txt").read_text(encoding="utf-8").split()
held_out, training = np.split(encode(rng.permutation(names)), [500])
model = MicroGPT(rng)
parameters = list(model.parameters())
optimizer = tg.optim.Adam(parameters, tg.optim.schedules.cosine(0.02, args.steps))
gradients = tg.compile(lambda batch: tg.gradients(loss_of(model, batch), parameters))
start = time.perf_counter()
for _ in range(args.steps):
    found = gradients(training[rng.integers(len(training), size=16)])
    for parameter, gradient in zip(parameters, found, strict=True):
        parameter.grad = gradient
    optimizer.step()
print(f"{args.steps} steps in {time.perf_counter() - start:.1f} s", file=sys.stderr)
with tg.no_grad():
    print(f"{sum(p.size for p in parameters):,} parameters, held-out loss {loss_of(model, held_out).item():.2f}")
    print("not in the list:", *[name for name in (invent(model, rng) for _ in range(20)) if name not in {*names, ""}])
    weights = model.block.attend(model.embed(encode(["katherine"])[:, :10]))[1].data[0, 0]
plt.matshow(weights, cmap="Blues", vmin=0, vmax=1)
plt.xticks(range(10), ".katherine"), plt.yticks(range(10), ".katherine")
plt.xlabel("looked at"), plt.ylabel("by the letter"), plt.title("Attention of one head")
plt.savefig(args.out)

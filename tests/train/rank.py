"""What each rank runs in tests: ``python -m mpi4py tests/train/rank.py OUT``."""

import itertools
import sys

import numpy as np

import tinygrad_mlp as tg

OPTIMIZERS = {
    "sgd": (tg.optim.SGD, {"weight_decay": 0.01}),
    "nesterov": (tg.optim.SGD, {"momentum": 0.9, "nesterov": True}),
    "adam": (tg.optim.Adam, {"weight_decay": 0.01}),
    "adamw": (tg.optim.AdamW, {"weight_decay": 0.1}),
}
SETTINGS = list(itertools.product(OPTIMIZERS, (np.float32, np.float64), (None, 0.1)))


def train(optimizer, dtype, clip_norm, ranks=None):
    """50 steps on batches of 7, the last of an epoch of 2: shares are uneven, and some empty. Model and history."""
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(65, 6)).astype(dtype), rng.integers(0, 3, 65)
    own = 0 if ranks is None else ranks.rank  # other weights, until those of rank 0 are broadcast
    model = tg.nn.MLP(6, 5, 3, rng=own, dtype=dtype)
    make, settings = OPTIMIZERS[optimizer]
    trainer = tg.train.Trainer(model, make(model.parameters(), 0.02, **settings), clip_norm=clip_norm, ranks=ranks)
    trainer.fit((x, y), (x[:2], y[:2]), epochs=5, batch_size=7, rng=1)
    assert trainer.optimizer.step_count == 50
    return model, trainer.history


if __name__ == "__main__":
    from tinygrad_mlp.train.ranks import Ranks

    ranks = Ranks()
    found = {}
    for i, setting in enumerate(SETTINGS):
        model, history = train(*setting, ranks)
        found[f"{i} loss"] = np.array([[row["train_loss"], row["val_loss"], row["val_accuracy"]] for row in history])
        found |= {f"{i} {name}": value for name, value in model.state_dict().items()}
    if ranks.rank == 0:
        np.savez(sys.argv[1], **found)
    next(model.parameters()).data[0, 0] += ranks.rank  # what must not go unseen
    try:
        ranks.check_same(model)
    except tg.errors.StateError as error:
        if ranks.rank == 0:
            print(error)

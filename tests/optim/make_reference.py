"""Trajectories of PyTorch's optimizers, to compare ours with.

Where PyTorch is installed, ``python tests/optim/make_reference.py`` writes ``reference.npz`` beside this file.
`test_reference.py` runs this file too, for the table of configurations and the gradients.
"""

import itertools
from pathlib import Path

import numpy as np

OPTIMIZERS = {  # the class has the same name here and in PyTorch
    "sgd": ("SGD", {"lr": 0.05}),
    "momentum": ("SGD", {"lr": 0.02, "momentum": 0.9}),
    "nesterov": ("SGD", {"lr": 0.02, "momentum": 0.9, "nesterov": True}),
    "adam": ("Adam", {"lr": 0.03}),
    "adamw": ("AdamW", {"lr": 0.03}),
}
STEPS = 200
WARMUP = 20
STAIR, GAMMA = 30, 0.5
FINAL = 0.003
MAX_NORM, LIMIT = 1.5, 0.5
CONFIGURATIONS = list(
    itertools.product(OPTIMIZERS, (0.0, 0.1), ("none", "step", "cosine"), (False, True), ("off", "norm", "value"))
)
KEPT = (1, 20, 75, 200)  # numbers of steps after which the parameters are recorded
START = [np.linspace(-2, 2, 6).reshape(2, 3), np.array([3.0, -1.0, 0.5]), np.array(0.7)]


def gradients(parameters, step, cos):
    """Gradients that depend on the step, as those of mini-batches do; every third step, the second has none.

    They are of Σ (w - k/4)²/2 + sin(3 w + k + step)/6 over the elements w of parameter k = 0, 1, 2. ``cos`` is that of
    NumPy or of PyTorch.
    """
    result = [w - k / 4 + cos(3 * w + k + step) / 2 for k, w in enumerate(parameters)]
    if step % 3 == 1:
        result[1] = None
    return result


def flat(arrays):
    """All elements in one row."""
    return np.concatenate([np.ravel(array) for array in arrays])


def torch_trajectory(name, weight_decay, schedule, warm, clipping):
    """Parameters after each number of steps in KEPT, one row each."""
    import torch
    from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, LinearLR, SequentialLR, StepLR

    class_name, options = OPTIMIZERS[name]
    parameters = [torch.nn.Parameter(torch.tensor(array)) for array in START]
    optimizer = getattr(torch.optim, class_name)(parameters, weight_decay=weight_decay, **options)
    scheduler = {
        "none": lambda: LambdaLR(optimizer, lambda step: 1.0),
        "step": lambda: StepLR(optimizer, STAIR, GAMMA),
        "cosine": lambda: CosineAnnealingLR(optimizer, STEPS, FINAL),
    }[schedule]()
    if warm:
        rise = LinearLR(optimizer, start_factor=1 / WARMUP, total_iters=WARMUP - 1)
        scheduler = SequentialLR(optimizer, [rise, scheduler], [WARMUP])
    rows = []
    for step in range(STEPS):
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients(parameters, step, torch.cos), strict=True):
                parameter.grad = gradient
        if clipping == "norm":
            torch.nn.utils.clip_grad_norm_(parameters, MAX_NORM)
        if clipping == "value":
            torch.nn.utils.clip_grad_value_(parameters, LIMIT)
        optimizer.step()
        scheduler.step()
        if step + 1 in KEPT:
            rows.append(flat([parameter.detach().numpy() for parameter in parameters]))
    return np.array(rows)


if __name__ == "__main__":
    trajectories = np.array([torch_trajectory(*configuration) for configuration in CONFIGURATIONS])
    np.savez_compressed(Path(__file__).with_name("reference.npz"), trajectories=trajectories)

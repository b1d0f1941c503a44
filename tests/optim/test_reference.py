"""200 steps of every optimizer, schedule and clipping equal PyTorch's."""

import importlib.util
import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp import optim
from tinygrad_mlp.optim import clip_grad_norm, clip_grad_value, schedules

reference = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("make_reference.py"))))


def our_trajectory(name, weight_decay, schedule, warm, clipping):
    """The counterpart of ``torch_trajectory``."""
    class_name, options = reference.OPTIMIZERS[name]
    lr = {
        "none": schedules.constant(options["lr"]),
        "step": schedules.step(options["lr"], reference.STAIR, reference.GAMMA),
        "cosine": schedules.cosine(options["lr"], reference.STEPS, reference.FINAL),
    }[schedule]
    if warm:
        lr = schedules.warmup(lr, reference.WARMUP)
    parameters = [tg.Tensor(array.copy(), requires_grad=True) for array in reference.START]
    optimizer = getattr(optim, class_name)(parameters, **{**options, "lr": lr, "weight_decay": weight_decay})
    rows = []
    for step in range(reference.STEPS):
        arrays = [parameter.data for parameter in parameters]
        for parameter, gradient in zip(parameters, reference.gradients(arrays, step, np.cos), strict=True):
            parameter.grad = None if gradient is None else np.asarray(gradient)
        if clipping == "norm":
            clip_grad_norm(parameters, reference.MAX_NORM)
        if clipping == "value":
            clip_grad_value(parameters, reference.LIMIT)
        optimizer.step()
        if step + 1 in reference.KEPT:
            rows.append(reference.flat(arrays))
    return np.array(rows)


@pytest.fixture(scope="module")
def stored():
    """The trajectories that ``make_reference.py`` recorded."""
    with np.load(Path(__file__).with_name("reference.npz"), allow_pickle=False) as file:
        return file["trajectories"]


SOURCES = ["stored", "live"] if importlib.util.find_spec("torch") else ["stored"]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", reference.OPTIMIZERS)
def test_trajectory_equals_pytorch(name, source, stored):
    """Relative difference at most 1e-10; 1e-13 absolute counts where a parameter passes through zero."""
    assert len(stored) == len(reference.CONFIGURATIONS)
    for configuration, recorded in zip(reference.CONFIGURATIONS, stored, strict=True):
        if configuration[0] == name:
            expected = recorded if source == "stored" else reference.torch_trajectory(*configuration)
            np.testing.assert_allclose(
                our_trajectory(*configuration), expected, rtol=1e-10, atol=1e-13, err_msg=str(configuration)
            )


def test_reference_exercises_clipping(stored):
    """Clipping changes every trajectory: otherwise the comparison would prove nothing about it."""
    rows = dict(zip(reference.CONFIGURATIONS, stored, strict=True))
    for (*rest, clipping), row in rows.items():
        if clipping != "off":
            assert np.abs(row - rows[(*rest, "off")]).max() > 1e-3, (rest, clipping)

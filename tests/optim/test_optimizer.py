"""Parameters, groups, learning rates, state errors: what the base class does."""

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables import row

import tinygrad_mlp as tg
from tinygrad_mlp.errors import ArgumentError, DtypeError, ShapeError, StateError, TinygradError
from tinygrad_mlp.optim import SGD, Adam, AdamW, schedules


def leaf(values=(1.0, 2.0), grad=None):
    tensor = tg.Tensor(np.array(values), requires_grad=True)
    if grad is not None:
        tensor.grad = np.array(grad)
    return tensor


w = leaf()

BAD = {
    "no parameters": (lambda: SGD([], 0.1), "SGD: expected at least one parameter, got none. A generator gives"),
    "used generator": (lambda: SGD((p for p in []), 0.1), "expected at least one parameter"),
    "empty group": (lambda: SGD([{"params": []}], 0.1), "expected at least one parameter"),
    "twice": (lambda: SGD([w, w], 0.1), "SGD: expected each parameter and name once, got '1' again."),
    "twice in groups": (lambda: Adam([{"params": [w]}, {"params": [w]}], 0.1), "Adam: expected each parameter"),
    "one name twice": (lambda: SGD([("a", w), ("a", leaf())], 0.1), "each parameter and name once, got 'a' again"),
    "one Tensor": (lambda: SGD(w, 0.1), "SGD: expected an iterable of Tensors, got one Tensor. Put it into a list"),
    "an array": (
        lambda: AdamW([np.ones(2)], 0.1),
        "AdamW: expected Tensors, or pairs of a name and a Tensor, got array",
    ),
    "a dict": (lambda: SGD({"params": [w]}, 0.1), "or pairs of a name and a Tensor, got 'params'"),
    "mixed": (lambda: SGD([{"params": [w]}, leaf()], 0.1), 'only dicts with "params" among groups, got Tensor'),
    "no params": (lambda: SGD([{"lr": 0.1}], 0.1), 'only dicts with "params" among groups, got {'),
    "unknown setting": (
        lambda: SGD([{"params": [w], "momentun": 0.9}], 0.1),
        "SGD: expected groups with the settings lr, momentum, nesterov, weight_decay, got 'momentun'.",
    ),
    "negative lr": (lambda: SGD([w], -0.1), "SGD: expected lr to be a finite number, at least 0, got -0.1."),
    "NaN lr": (lambda: SGD([w], math.nan), "expected lr to be a finite number, at least 0, got nan"),
    "lr of a group": (lambda: SGD([{"params": [w], "lr": -1}], 0.1), "expected lr to be a finite number"),
    "text": (lambda: SGD([w], "0.1"), "expected lr to be a finite number, at least 0, got '0.1'"),
    "momentum": (lambda: SGD([w], 0.1, momentum=-1), "expected momentum to be a finite number, at least 0, got -1."),
    "nesterov": (lambda: SGD([w], 0.1, nesterov=True), "SGD: expected momentum above 0 with nesterov=True"),
    "weight decay": (lambda: SGD([w], 0.1, weight_decay=-1), "expected weight_decay to be a finite number"),
    "weight decay of AdamW": (lambda: AdamW([w], 0.1, weight_decay=-1), "AdamW: expected weight_decay to be"),
    "eps": (lambda: Adam([w], 0.1, eps=-1), "Adam: expected eps to be a finite number, at least 0, got -1."),
    "beta of 1": (lambda: Adam([w], 0.1, betas=(0.9, 1.0)), "expected betas to be two numbers, from 0 to below 1"),
    "three betas": (lambda: Adam([w], 0.1, betas=(0.9, 0.9, 0.9)), "expected betas to be two numbers"),
    "betas of a group": (lambda: Adam([{"params": [w], "betas": (-1, 0)}], 0.1), "expected betas to be two numbers"),
}


def test_bad_arguments():
    for name, (make, message) in BAD.items():
        with row(name), pytest.raises(ArgumentError, match=re.escape(message)):
            make()


@pytest.mark.parametrize(
    ("cls", "explicit"),
    [
        (SGD, {"momentum": 0.0, "nesterov": False, "weight_decay": 0.0}),
        (Adam, {"betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0}),
        (AdamW, {"betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.01}),
    ],
)
def test_defaults_are_those_of_pytorch(cls, explicit):
    a, b = leaf(), leaf()
    one, other = cls([a], 0.1), cls([b], 0.1, **explicit)
    for scale in (1.0, 3.0):
        a.grad, b.grad = np.array([scale, -1.0]), np.array([scale, -1.0])
        one.step()
        other.step()
    assert a.data.tolist() == b.data.tolist()


def test_groups_have_their_own_settings():
    """What a group says holds for it; the rest comes from the arguments."""
    a, b, c = leaf(grad=[1.0, 1.0]), leaf(grad=[1.0, 1.0]), leaf(grad=[1.0, 1.0])
    optimizer = SGD(
        [
            {"params": [a]},
            {"params": iter([b]), "lr": 0.5},
            {"params": [c], "lr": lambda s: 1.0 - s, "weight_decay": 0},
        ],
        lr=0.1,
        weight_decay=0.2,
    )
    optimizer.step()
    np.testing.assert_allclose(a.data, [1 - 0.1 * 1.2, 2 - 0.1 * 1.4])
    np.testing.assert_allclose(b.data, [1 - 0.5 * 1.2, 2 - 0.5 * 1.4])
    np.testing.assert_allclose(c.data, [0.0, 1.0])
    optimizer.step()
    np.testing.assert_allclose(c.data, [0.0, 1.0])


def test_setting_lr_leaves_groups_with_their_own():
    """``lr`` is the rate of the groups that have none of their own."""
    a, b = leaf(grad=[1.0, 1.0]), leaf(grad=[1.0, 1.0])
    optimizer = SGD([{"params": [a]}, {"params": [b], "lr": 0.5}], lr=0.1)
    optimizer.lr = 0.25
    optimizer.step()
    assert optimizer.lr == 0.25
    assert a.data.tolist() == [0.75, 1.75]
    assert b.data.tolist() == [0.5, 1.5]


def test_lr_is_that_of_the_next_step():
    """A schedule is asked for the number of steps done, from 0, and can be replaced."""
    p = leaf([0.0], grad=[1.0])
    optimizer = SGD([p], lambda step: 2.0**-step)
    seen = []
    for step in range(3):
        assert optimizer.step_count == step
        seen.append(optimizer.lr)
        optimizer.step()
    assert seen == [1.0, 0.5, 0.25]
    assert p.data.tolist() == [-1.75]
    optimizer.lr = schedules.constant(0.75)
    assert optimizer.lr == 0.75
    with pytest.raises(ArgumentError, match="expected lr to be a finite number"):
        optimizer.lr = -1
    assert optimizer.lr == 0.75


def test_a_schedule_that_leaves_its_range_is_reported():
    """A negative rate raises before any parameter has moved, and the step does not count."""
    a, b = leaf(grad=[1.0, 1.0]), leaf(grad=[1.0, 1.0])
    optimizer = SGD([{"params": [a]}, {"params": [b], "lr": lambda step: -1.0}], 0.1)
    with pytest.raises(
        ArgumentError, match=r"expected the schedule at step 0 to be a finite number, at least 0, got -1\.0"
    ):
        optimizer.step()
    assert optimizer.step_count == 0
    assert a.data.tolist() == b.data.tolist() == [1.0, 2.0]


def steps(optimizer):
    state = optimizer.state_dict()
    return [state[f"{i}.steps"] for i in range(3)]


def test_parameters_without_gradient_or_frozen_are_skipped():
    """They keep data and state; the optimizer's own count goes on."""
    a, b = leaf(grad=[1.0, 1.0]), leaf(grad=[1.0, 1.0])
    counts = tg.Tensor([1, 2])
    optimizer = Adam([a, b, counts], 0.1)
    b.requires_grad = False
    optimizer.step()
    assert b.data.tolist() == [1.0, 2.0]
    assert steps(optimizer) == [1, 0, 0]
    b.requires_grad = True
    a.grad = None
    optimizer.step()
    np.testing.assert_allclose(b.data, [0.9, 1.9])  # as in a first step, whatever the optimizer's count
    assert steps(optimizer) == [1, 1, 0]
    assert optimizer.step_count == 2


def test_zero_grad_forgets_all_gradients():
    a, b = leaf(grad=[1.0, 1.0]), leaf()
    SGD([{"params": [a]}, {"params": [b]}], 0.1).zero_grad()
    assert a.grad is None
    assert b.grad is None


@pytest.mark.parametrize(("data", "grad"), [((3,), (3,)), ((2,), (1,)), ((2,), ())])
def test_a_changed_shape_is_reported_before_anything_moves(data, grad):
    first, second = leaf(grad=[1.0, 1.0]), leaf()
    optimizer = SGD([("first", first), ("second", second)], 0.1)
    second.data, second.grad = np.ones(data), np.ones(grad)
    if data == (2,):
        message = f"SGD: expected a gradient of shape (2,) in grad of parameter 'second', got {grad}."
    else:
        message = f"SGD: expected data of shape (2,) in parameter 'second', got {data}. Make the optimizer after"
    with pytest.raises(ShapeError, match=re.escape(message)):
        optimizer.step()
    assert first.data.tolist() == [1.0, 2.0]
    assert optimizer.step_count == 0


def test_a_changed_dtype_is_reported():
    p = leaf()
    optimizer = SGD([p], 0.1)
    p.data = p.data.astype(np.float32)
    p.grad = p.data.copy()
    with pytest.raises(DtypeError, match="expected dtype float64 in parameter '0', got float32"):
        optimizer.step()


def test_state_goes_by_name_or_position():
    """Names where given, else the position among all parameters; arrays and Python numbers only."""
    state = Adam([{"params": [("weight", leaf())]}, {"params": [leaf()]}], 0.1).state_dict()
    assert list(state) == [
        "step_count", "weight.steps", "weight.m", "weight.v", "1.steps", "1.m", "1.v",
    ]  # fmt: skip
    assert all(type(value) in (int, np.ndarray) for value in state.values())
    assert list(SGD([leaf()], 0.1).state_dict()) == ["step_count", "0.steps"]


def test_a_state_that_does_not_fit():
    """Everything wrong is named at once, and nothing is loaded."""
    optimizer = SGD([("a", leaf()), ("b", leaf([[1.0]])), ("c", leaf())], 0.1, momentum=0.9)
    state = optimizer.state_dict()
    state["step_count"] = 5
    state["c.velocity"] = state.pop("c.momentum")
    state["a.momentum"] = np.ones(3)
    state["b.momentum"] = np.ones((1, 1), dtype=complex)
    with pytest.raises(StateError) as caught:
        optimizer.load_state_dict(state)
    assert str(caught.value) == (
        "SGD.load_state_dict: expected the state of an optimizer of the same kind, for parameters of the same names "
        "and shapes, got 'c.momentum' missing; 'c.velocity' unexpected; 'a.momentum' has shape (3,) instead of (2,); "
        "'b.momentum' has dtype complex128 instead of float64."
    )
    assert optimizer.step_count == 0
    assert not optimizer.blocks[0].buffers["momentum"].any()


def test_repr():
    assert repr(SGD([w], schedules.constant(0.1))) == "SGD(1 parameters, lr=0.1, step_count=0)"


def test_a_model_in_the_place_of_its_parameters():
    with pytest.raises(ArgumentError, match=r"Adam: expected parameters, got MLP\. .*model\.parameters\(\)"):
        Adam(tg.nn.MLP(2, 2, rng=0), 0.1)


def test_what_is_no_parameter_is_refused():
    """A pair of Tensors is no name and a parameter, and the result of an op is no leaf."""
    w, b = leaf(), leaf()
    for params, message in [
        ([(w, b)], "expected Tensors, or pairs of a name and a Tensor, got (Tensor("),
        ([w * 0.1], "expected leaves, which get a gradient, got a Tensor (the result of np.multiply"),
        ([("w", np.exp(w))], "Compute on the array first, Tensor(0.1 * array, requires_grad=True)"),
    ]:
        with pytest.raises(ArgumentError, match=re.escape(message)):
            SGD(params, 0.1)


@given(st.integers(0, 2), st.sampled_from(["read-only", "dtype", "shape", "gradient"]), st.sampled_from([SGD, AdamW]))
def test_a_step_is_done_whole_or_not_at_all(which, fault, kind):
    """Property: whichever parameter cannot be updated, no parameter, count or moment changes, and its name is said."""
    params = [leaf(grad=[1.0, 1.0]) for _ in range(3)]
    optimizer = kind([(f"p{i}", p) for i, p in enumerate(params)], 0.1)
    optimizer.step()
    wrong = params[which]
    if fault == "read-only":
        wrong.data.flags.writeable = False
    elif fault == "dtype":
        wrong.grad = np.ones(2, complex)
    elif fault == "shape":
        wrong.grad = np.ones((2, 2))
    else:
        wrong.grad = 1.0
    before, state = [p.data.copy() for p in params], optimizer.state_dict()
    with pytest.raises(TinygradError, match=f"'p{which}'"):
        optimizer.step()
    for p, data in zip(params, before, strict=True):
        np.testing.assert_array_equal(p.data, data)
    for name, value in optimizer.state_dict().items():
        np.testing.assert_array_equal(value, state[name])

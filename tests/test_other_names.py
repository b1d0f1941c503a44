"""The first lines of users from elsewhere: each answers with the line to write, and that line is right."""

import copy

import numpy as np
import pytest
from tables import row

import tinygrad_mlp as tg
from tinygrad_mlp import other_names
from tinygrad_mlp.errors import MissingNameError
from tinygrad_mlp.tensor import OTHER_NAMES


def test_methods_of_other_frameworks_say_what_to_write():
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    for name, line in {
        "exp": r"np\.exp\(x\): NumPy's functions take Tensors",
        "relu": r"tg\.relu\(x\)",
        "numpy": r"x\.data",
        "view": r"x\.reshape\(shape\)",
        "permute": r"x\.transpose\(axes\)",
    }.items():
        with row(name), pytest.raises(MissingNameError, match=rf"^x\.{name}: expected an attribute .* Write {line}\.$"):
            getattr(x, name)


def test_names_of_other_frameworks_say_what_to_write():
    for name, line in {
        "exp": r"np\.exp: NumPy's functions take Tensors",
        "zeros": r"np\.zeros",
        "tensor": r"tg\.Tensor\(data, requires_grad=True\)",
        "save": r"np\.savez\(path, \*\*model\.state_dict\(\)\)",
        "Linear": r"tg\.nn\.Linear",
        "Adam": r"tg\.optim\.Adam",
    }.items():
        with row(name), pytest.raises(AttributeError, match=rf"^tg\.{name}: expected a name .* Write {line}"):
            getattr(tg, name)


def test_no_name_of_the_tables_is_there_already():
    x = tg.Tensor(1.0)
    assert not [name for name in OTHER_NAMES if name in dir(x) or hasattr(x, name)]
    assert {"exp", "view"} <= set(OTHER_NAMES)
    assert all(callable(getattr(tg, name)) for name in other_names.ACTIVATIONS)
    assert not [name for name in other_names.FUNCTIONS if name in dir(tg)]


def test_other_names_are_unknown():
    x = tg.Tensor([1.0])
    for owner in (x, tg):
        for name in ("nosuch", "_private", "__array_interface__"):
            assert not hasattr(owner, name)
            with pytest.raises(AttributeError, match=f"no attribute '{name}'") as caught:
                getattr(owner, name)
            assert caught.value.name == name


def test_what_the_table_says_of_saving_is_right(tmp_path):
    model, twin = tg.nn.Linear(3, 2), tg.nn.Linear(3, 2)
    np.savez(tmp_path / "model.npz", **model.state_dict())
    twin.load_state_dict(dict(np.load(tmp_path / "model.npz")))
    np.testing.assert_array_equal(twin.weight.data, model.weight.data)


def test_copies_keep_the_gradient():
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    np.sum(x * x).backward()
    for twin in (copy.copy(x), copy.deepcopy(x)):
        np.testing.assert_array_equal(twin.grad, [2.0, 4.0])
    assert not np.shares_memory(copy.deepcopy(x).grad, x.grad)
    tied = copy.deepcopy([x, tg.Tensor(x.data)])
    assert tied[0].data is tied[1].data

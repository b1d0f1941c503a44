"""What belongs to a module: found wherever it stands, named, copied, saved and loaded, at any depth."""

import collections
import copy
import dataclasses
import sys
import types

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_mlp as tg
from tinygrad_mlp.errors import GraphError, ShapeError, StateError


def test_layers_need_no_rng():
    """Without one the weights differ from layer to layer, with one they are the same in each run."""
    first, second = tg.nn.Linear(3, 2), tg.nn.Linear(3, 2)
    assert not np.array_equal(first.weight.data, second.weight.data)
    assert tg.nn.MLP(3, 4, 2, dropout=0.5)(np.ones((5, 3), np.float32)).shape == (5, 2)
    dropped = [tg.nn.Dropout(0.5)(np.ones(100)) for _ in range(2)]
    assert not np.array_equal(*dropped)


class Deep(tg.nn.Module):
    def __init__(self, inner):
        self.inner = inner

    def forward(self, x):
        return self.inner(x)


@pytest.mark.parametrize("wrap", [Deep, tg.nn.Sequential])
def test_modules_nested_deeply(wrap):
    """Every walk is without recursion; a forward pass too deep for Python says so, and an error keeps its kind."""
    model = tg.nn.Linear(2, 2, rng=0)
    for _ in range(200 if sys.version_info[:2] == (3, 12) else 300):  # Python 3.12 counts calls through C as well
        model = wrap(model)
    twin = copy.deepcopy(model)
    assert len(list(twin.parameters())) == 2
    np.testing.assert_array_equal(next(twin.parameters()).data, next(model.parameters()).data)
    assert next(twin.parameters()) is not next(model.parameters())
    with pytest.raises(ShapeError, match=r"np\.matmul in .*\(1, 3\) and \(2, 2\)"):
        model(np.ones((1, 3)))
    for _ in range(700):
        model = wrap(model)
    assert len(list(model.named_modules())) > 900
    assert copy.deepcopy(model).train().state_dict().keys() == model.state_dict().keys()
    with pytest.raises(GraphError, match=r"recursion limit.*nested deeper.*sys\.setrecursionlimit"):
        model(np.ones((1, 2), np.float32))


def test_a_deep_copy_keeps_what_is_shared_and_what_points_back():
    net = tg.nn.Module()
    net.scale = tg.Tensor([1.0], requires_grad=True)
    net.blocks = [tg.nn.Linear(2, 2, rng=0)]
    net.shared = net.blocks[0]
    net.blocks[0].parent = net
    net.scale.grad = np.array([3.0])
    twin = copy.deepcopy(net)
    assert twin.shared is twin.blocks[0]
    assert twin.blocks[0].parent is twin
    assert twin.scale.grad == 3.0
    assert not np.shares_memory(twin.scale.grad, net.scale.grad)


@dataclasses.dataclass(frozen=True)
class Box:
    part: object


CONTAINERS = {
    "list": lambda part: [part],
    "tuple": lambda part: (1, part),
    "dict": lambda part: {"a": part},
    "deque": lambda part: collections.deque([part]),
    "UserList": lambda part: collections.UserList([part]),
    "UserDict": lambda part: collections.UserDict(a=part),
    "dataclass": Box,
    "namespace": lambda part: types.SimpleNamespace(a=part),
    "array of objects": lambda part: np.frompyfunc(lambda _: part, 1, 1)(np.zeros((1, 1))),
    "nested": lambda part: collections.deque([{"a": Box((part,))}]),
}


@given(st.sampled_from(list(CONTAINERS)), st.sampled_from(list(CONTAINERS)), st.booleans())
def test_whatever_holds_modules_and_tensors_is_looked_into(outer, inner, as_module):
    """Property: through any two containers, what is held is trained, saved and loaded."""
    model = tg.nn.Module()
    part = tg.nn.Linear(2, 1, rng=0) if as_module else tg.Tensor(np.ones((2, 1)), requires_grad=True)
    model.held = CONTAINERS[outer](CONTAINERS[inner](part))
    parameters = list(part.parameters()) if as_module else [part]
    assert list(map(id, model.parameters())) == list(map(id, parameters))
    model.load_state_dict({name: array + 1 for name, array in model.state_dict().items()})
    assert parameters[0].data.mean() > 0.5
    names = list(model.state_dict())
    assert len(names) == len(parameters)
    assert all(name.startswith("held.") for name in names)


def test_what_a_set_holds_has_no_name():
    model = tg.nn.Module()
    for held in ({tg.nn.ReLU()}, frozenset([tg.Tensor([1.0])])):
        model.held = [held]
        with pytest.raises(StateError, match=rf"some in a {type(held).__name__}, held\.0\. Keep them in a list"):
            list(model.parameters())
    model.held = {1, 2}
    assert model.state_dict() == {}


def test_results_of_ops_are_no_parameters():
    """An activation that is kept is none; in the place of a parameter, a result is refused."""

    class Keeps(tg.nn.Module):
        def __init__(self):
            self.layer = tg.nn.Linear(2, 2, rng=0)
            self.seen = []

        def forward(self, x):
            self.h = self.layer(x)
            self.seen.append(np.tanh(self.h))
            return self.seen[-1]

    model = Keeps()
    names = list(model.state_dict())
    model(np.ones((1, 2), np.float32))
    with tg.no_grad():
        model(np.ones((1, 2), np.float32))
    model.loss = np.sum(model(np.ones((1, 2), np.float32)) ** 2)
    assert list(model.state_dict()) == names == [name for name, _ in model.named_parameters()]
    model.factor = [tg.Tensor(np.ones(2), requires_grad=True) * 0.1]
    for use in (model.state_dict, lambda: list(model.parameters())):
        with pytest.raises(StateError, match=r"a leaf as factor\.0.*np\.multiply.*Tensor\(0\.1 \* array"):
            use()


def test_a_buffer_without_axes_stays_one():
    class Counts(tg.nn.Module):
        def __init__(self):
            self.count = np.array(0.0)

        def forward(self, x):
            self.count = self.count + 1.0
            return x

    model = Counts()
    model(1.0)
    model(1.0)
    assert model.state_dict() == {"count": 2.0}
    model.load_state_dict({"count": np.array(7.0)})
    assert model.count == 7.0


def test_loading_is_everything_or_nothing():
    """Also where the state holds the very arrays that are loaded into, and where an array cannot be written to."""
    model = tg.nn.Module()
    model.a, model.b = tg.Tensor([1.0, 2.0], requires_grad=True), tg.Tensor([3.0, 4.0], requires_grad=True)
    model.load_state_dict({"a": model.b.data, "b": model.a.data})
    assert (model.a.tolist(), model.b.tolist()) == ([3.0, 4.0], [1.0, 2.0])
    model.b.data.flags.writeable = False
    with pytest.raises(StateError, match="b is read-only here"):
        model.load_state_dict({"a": np.zeros(2), "b": np.zeros(2)})
    assert (model.a.tolist(), model.b.tolist()) == ([3.0, 4.0], [1.0, 2.0])

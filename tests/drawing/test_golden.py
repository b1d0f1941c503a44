"""The DOT text of a picture of each kind, compared with a file. UPDATE_GOLDEN=1 writes the files anew: look at them."""

import os
from pathlib import Path

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp.errors import ShapeError

GOLDEN = Path(__file__).parent / "golden"


def small_mlp(**frozen):
    """A network of exact numbers, so that the text is the same on every machine."""
    model = tg.nn.MLP(3, 2, 2, rng=0, dtype=np.float64)
    for i, parameter in enumerate(model.parameters()):
        parameter.data[...] = np.resize([0.5, -1.0, 0.25, 2.0][i:], parameter.shape)
    for name, parameter in model.named_parameters():
        parameter.requires_grad = name not in frozen
    return model


def loss_of(model):
    x = tg.Tensor(np.array([[1.0, 2.0, -1.0], [0.5, 0.0, 1.0]]), name="x")
    return tg.mse_loss(model(x), np.array([[1.0, 0.0], [0.0, 1.0]]))


def nan():
    model = small_mlp()
    model.fc2.weight.data[0, 0] = np.nan
    return [loss_of(model)], {}


def dead_and_frozen():
    model = small_mlp(**{"fc2.bias": True})
    model.fc1.bias.data[...] = -100.0
    return [loss_of(model)], {"model": model}


def failed():
    model = small_mlp()
    hidden = model.fc1(np.ones((4, 3)))
    with pytest.raises(ShapeError) as caught:
        hidden @ tg.Tensor(np.ones((3, 2)), requires_grad=True, name="wrong")
    return [caught.value], {"model": model}


def second_order():
    w = tg.Tensor(np.array([1.0, 2.0]), requires_grad=True, name="w")
    y = (w * w * w).sum()
    return [tg.gradients([y], [w], create_graph=True)[0], y], {}


def broadcasts():
    x = tg.Tensor(np.ones((4, 3)), requires_grad=True, name="x")
    row = tg.Tensor(np.array([1.0, 2.0, 4.0]), requires_grad=True, name="row")
    column = tg.Tensor(np.ones((4, 1)), requires_grad=True, name="column")
    return [np.sum(np.where(np.eye(4, 3) > 0, x * x - 2 * row, column), axis=(0, 1))], {}


def names():
    x = tg.Tensor(np.array([1.0]), requires_grad=True, name='a "b" \\ <c> & d\n∇ é {e|f} \\N')
    return [np.sum(x * tg.Tensor(np.array([2.0]), name='<"x">\\n'))], {}


def of(**options):
    return lambda: ([loss_of(small_mlp())], options)


def loop():
    w = tg.Tensor(np.array([[0.5, 0.0], [0.25, 1.0]]), requires_grad=True, name="W")
    h = np.array([1.0, -1.0])
    for _ in range(40):
        h = tg.relu(w @ h)
    return [np.sum(h)], {}


PICTURES = {
    "light": of(),
    "dark": of(theme="dark"),
    "print": of(theme="print"),
    "folded": of(depth=1, direction="LR"),
    "collapsed": of(collapse=["fc2"], values=False),
    "bare": of(shapes=False, values=False, grads=False),
    "too_many": of(max_nodes=8),
    "nan": nan,
    "dead_and_frozen": dead_and_frozen,
    "failed": failed,
    "second_order": second_order,
    "broadcasts": broadcasts,
    "names": names,
    "loop": loop,
}


@pytest.mark.parametrize("name", PICTURES)
def test_golden(name):
    outputs, options = PICTURES[name]()
    source = tg.to_dot(*outputs, **options).source
    path = GOLDEN / f"{name}.dot"
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(source, encoding="utf-8")
    assert source == path.read_text(encoding="utf-8")


def test_every_golden_file_has_a_picture():
    assert sorted(PICTURES) == sorted(path.stem for path in GOLDEN.glob("*.dot"))


@pytest.mark.parametrize("theme", ["light", "dark", "print"])
def test_every_theme_has_a_golden_file(theme):
    assert (GOLDEN / f"{theme}.dot").exists()

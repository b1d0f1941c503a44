"""The names that users may rely on: what completion shows is what `__all__` says, and no more."""

import doctest
import inspect
import pkgutil
import runpy
from pathlib import Path

import pytest

import tinygrad_mlp as tg

PUBLIC = {
    "tinygrad_mlp": """
        Tensor avg_pool2d compile conv2d cross_entropy data debug draw draw_steps export_onnx gelu grad gradients
        hessian hvp jacobian jvp log_softmax logsumexp max_pool2d mse_loss nn no_grad optim relu rules
        scaled_dot_product_attention sigmoid softmax softplus source testing to_dot train value_and_grad vjp
    """,
    "tinygrad_mlp.Tensor": """
        T argmax argmin astype backward clip cumsum data detach dot dtype flatten grad item mT mark_changed max mean min
        name ndim node prod ravel repeat requires_grad reshape shape size squeeze std sum swapaxes take tolist transpose
        var
    """,
    "tinygrad_mlp.nn": """
        AvgPool2d BatchNorm1d BatchNorm2d Conv2d Dropout Embedding Flatten GELU GRU GlobalAvgPool2d LSTM LayerNorm
        LeakyReLU Linear MLP MaxPool2d Module MultiheadAttention RMSNorm ReLU Sequential SiLU Sigmoid Softmax Tanh
        init load save
    """,
    "tinygrad_mlp.optim": "Adam AdamW Optimizer SGD clip_grad_norm clip_grad_value schedules",
    "tinygrad_mlp.data": "DataSet MNIST Split batches load_data load_mnist read_idx to_float verify write_idx",
    "tinygrad_mlp.train": """
        Callback Checkpoint EarlyStopping History Log Progress Ranks TensorBoard Trainer checkpoint
        keep_freed_memory
    """,
    "tinygrad_mlp.rules": "COMPOSITES CONSTANTS RULES composite constant derivative function_name primitive",
}


@pytest.mark.parametrize("name", PUBLIC)
def test_completion_shows_the_public_names_and_no_others(name):
    room, names = pkgutil.resolve_name(name), sorted(PUBLIC[name].split())
    room = room([[1.0]]) if isinstance(room, type) else room  # completion looks at an object
    assert sorted(n for n in dir(room) if not n.startswith("_")) == names
    assert all(hasattr(room, n) for n in names)
    assert sorted(getattr(room, "__all__", names)) == names


def test_the_typed_script_runs(capsys):
    """What `.ci/run` gives to a type checker is also true when it runs."""
    runpy.run_path(str(Path(__file__).parent / "types" / "user.py"))
    assert capsys.readouterr().out.endswith(" [] (1, 4)\n")


ROOMS = {
    "tinygrad_mlp": tg,
    **{name: getattr(tg, name) for name in ["data", "nn", "optim", "rules", "testing", "train"]},
}
REFERENCE = Path(__file__).parent.parent / "docs" / "reference"


def documented(room):
    """The names of a room that have a place of their own in the reference."""
    return {name for name in room.__all__ if not (room is tg and inspect.ismodule(getattr(room, name)))}


def test_the_reference_has_a_page_for_every_room():
    """The site writes the entries of a page from `__all__` of the module in its title."""
    titles = {path.stem: path.read_text(encoding="utf-8").split("\n")[0] for path in REFERENCE.glob("*.md")}
    assert titles == {name: f"# {room.__name__}" for name, room in ROOMS.items()}


def test_every_public_name_has_an_example_that_runs():
    """Examples are found as doctest finds them; the suite runs those of all modules."""
    finder = doctest.DocTestFinder()

    def examples(item):
        if inspect.ismodule(item):
            return any(examples(getattr(item, n)) for n in vars(item) if inspect.isroutine(getattr(item, n)))
        return any(test.examples for test in finder.find(item, getattr(item, "__name__", ""), globs={}))

    tables = {"COMPOSITES", "CONSTANTS", "RULES"}  # which the docstring of the module uses
    assert not [
        f"{name}.{n}"
        for name, room in ROOMS.items()
        for n in documented(room) - tables
        if not examples(getattr(room, n))
    ]


def test_every_public_method_says_what_it_does():
    """The site leaves out what has no docstring; inherited ones count."""
    classes = [getattr(room, n) for room in ROOMS.values() for n in documented(room)]
    silent = [
        f"{kind.__qualname__}.{name}"
        for kind in classes
        if inspect.isclass(kind)
        for name, member in vars(kind).items()
        if not name.startswith("_") and (isinstance(member, property) or inspect.isroutine(member))
        if not inspect.getdoc(member)
    ]
    assert not silent

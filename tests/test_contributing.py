"""The table "to add … you write … the suite demands" of `docs/contributing.md`, where no other test holds it true.

The rows of ops, layers and optimizers have their completeness tests beside their tables of cases.
"""

import ast
import inspect
from pathlib import Path

from tinygrad_mlp import train
from tinygrad_mlp.drawing.styles import THEMES
from tinygrad_mlp.optim import schedules

TESTS = Path(__file__).parent
ENGINE = ("arguments", "rules", "graph", "operators", "tensor")
HOOKS = {
    train.Callback: set(),
    train.Progress: {"on_step_end", "on_epoch_end", "on_fit_end"},
    train.EarlyStopping: {"on_fit_begin", "on_epoch_end", "on_fit_end"},
    train.Checkpoint: {"on_fit_begin", "on_step_end", "on_epoch_end"},
    train.Log: {"on_fit_begin", "on_epoch_end"},
    train.TensorBoard: {"on_fit_begin", "on_step_end", "on_epoch_end", "on_fit_end"},
}


def functions(path):
    """The names of the functions that a file defines."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_schedule_has_a_property_and_an_example():
    public = {name: getattr(schedules, name) for name in schedules.__all__ if name != "Schedule"}
    assert {f"test_{name}" for name in public} <= functions(TESTS / "optim" / "test_schedules.py")
    assert all(">>>" in f.__doc__ for f in public.values())


def test_every_callback_says_when_it_is_called():
    """And the hooks are called in the order that `test_trainer` holds."""
    callbacks = {c for c in vars(train).values() if inspect.isclass(c) and issubclass(c, train.Callback)}
    hooks = {name for name in vars(train.Callback) if name.startswith("on_")}
    assert callbacks == set(HOOKS)
    for callback in callbacks - {train.Callback}:
        assert {name for name in hooks if name in vars(callback)} == HOOKS[callback]


def test_every_theme_has_a_golden_file():
    assert set(THEMES) <= {path.stem for path in (TESTS / "drawing" / "golden").glob("*.dot")}


def test_the_engine_is_as_short_as_the_readme_says():
    room = TESTS.parent / "tinygrad_mlp"
    lines = sum(len((room / f"{name}.py").read_text(encoding="utf-8").splitlines()) for name in ENGINE)
    readme = (TESTS.parent / "README.md").read_text(encoding="utf-8")
    assert f"The engine is {round(lines, -2):,} lines" in readme

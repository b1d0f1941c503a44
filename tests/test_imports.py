"""``import tinygrad_mlp`` loads NumPy alone; the rest comes when it is used."""

import subprocess
import sys

import pytest

OPTIONAL = ["graphviz", "hypothesis", "matplotlib", "PIL", "tqdm"]


def python(script):
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


@pytest.mark.parametrize(
    "module", ["tinygrad_mlp", "tinygrad_mlp.train", "tinygrad_mlp.data.images", "tinygrad_mlp.commands.cli"]
)
def test_the_import_loads_numpy_alone(module):
    """Of what is installed here besides the standard library, nothing but NumPy and this package is loaded."""
    loaded = python(f"import sys; before = set(sys.modules); import {module}; print(*set(sys.modules) - before)")
    packages = {name.split(".")[0] for name in loaded}
    assert packages.isdisjoint(OPTIONAL)
    known = sys.stdlib_module_names | {"numpy", "tinygrad_mlp", "cython_runtime"}  # the last is a part of NumPy
    assert {name for name in packages if not name.startswith("_")} <= known


def test_without_optional_packages_a_network_trains():
    """With each of them blocked: import, train, and evaluate."""
    blocked = f"import sys; sys.modules.update(dict.fromkeys({OPTIONAL}))\n"
    script = """
import numpy as np, tinygrad_mlp as tg
x, y = np.eye(3, dtype=np.float32), np.arange(3)
model = tg.nn.MLP(3, 8, 3, rng=0)
trainer = tg.train.Trainer(model, tg.optim.Adam(model.parameters(), 0.1), callbacks=[tg.train.Progress()])
print(trainer.fit((x, y), (x, y), epochs=30, batch_size=3, rng=0)[-1]["val_accuracy"])
"""
    assert python(blocked + script)[-1] == "1.0"


@pytest.mark.parametrize("name", ["data", "train", "testing"])
def test_subpackages_are_imported_on_first_use(name):
    out = python(
        f"import sys, tinygrad_mlp as tg; name = 'tinygrad_mlp.{name}'\n"
        f"print(name in sys.modules); print(tg.{name}.__name__, name in sys.modules)"
    )
    assert out == ["False", f"tinygrad_mlp.{name}", "True"]


def test_other_names_are_attribute_errors():
    assert python("import tinygrad_mlp as tg; print(hasattr(tg, 'no_such_name'), hasattr(tg, '__path__'))") == [
        "False", "True"
    ]  # fmt: skip

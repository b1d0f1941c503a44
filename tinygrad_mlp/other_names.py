"""What users of PyTorch and JAX write first, and what to write here."""

from typing import Any, NoReturn

import numpy as np

from tinygrad_mlp.errors import MissingNameError

ACTIVATIONS = ("gelu", "log_softmax", "logsumexp", "relu", "sigmoid", "softmax", "softplus")
METHODS = {
    name: f"np.{name}(x): NumPy's functions take Tensors"
    for name, value in vars(np).items()
    if isinstance(value, np.ufunc) or hasattr(value, "_implementation")
}
METHODS |= {name: f"tg.{name}(x)" for name in ACTIVATIONS}
METHODS |= {
    "add_": "x = x + y: no Tensor changes in place",
    "backwards": "x.backward()",
    "bmm": "x @ y",
    "clone": "np.positive(x), a recorded copy, or x.detach() for the same values without history",
    "contiguous": "x: every op takes any memory layout",
    "copy": "np.positive(x), a recorded copy, or x.data.copy() for a plain one",
    "cpu": "x: all arrays are in main memory",
    "cuda": "x: all arrays are in main memory",
    "double": "x.astype(np.float64)",
    "fill_": "x.data[...] = value, on a leaf before it is used",
    "flat": "x.ravel()",
    "float": "x.astype(np.float32)",
    "grad_fn": "tg.draw(x), which shows how x was made",
    "half": "x.astype(np.float16)",
    "is_leaf": "x.requires_grad, and tg.draw(x) to see how x was made",
    "long": "x.data.astype(int)",
    "mm": "x @ y",
    "mul_": "x = x * y: no Tensor changes in place",
    "norm": "np.linalg.norm(x)",
    "numpy": "x.data",
    "permute": "x.transpose(axes)",
    "requires_grad_": "x.requires_grad = True",
    "sub_": "x = x - y: no Tensor changes in place",
    "t": "x.T",
    "to": "x.astype(dtype); all arrays are in main memory",
    "type": "x.astype(dtype)",
    "unsqueeze": "np.expand_dims(x, axis)",
    "view": "x.reshape(shape)",
    "zero_": "x.grad = None to forget a gradient, or x.data[...] = 0 on a leaf before it is used",
}
FUNCTIONS = {
    "as_tensor": "tg.Tensor(array)",
    "cat": "np.concatenate([x, y])",
    "device": "nothing: all arrays are in main memory",
    "float": "np.float32",
    "from_numpy": "tg.Tensor(array)",
    "functional": "tg.relu, tg.softmax, tg.cross_entropy",
    "inference_mode": "tg.no_grad()",
    "jit": "tg.compile(f)",
    "load": "model.load_state_dict(dict(np.load(path)))",
    "manual_seed": "rng=0 where layers and batches are made: there is no global generator",
    "mm": "x @ y",
    "parameter": "tg.Tensor(array, requires_grad=True)",
    "Parameter": "tg.Tensor(array, requires_grad=True)",
    "rand": "rng.random(shape) with rng = np.random.default_rng(0)",
    "randn": "rng.normal(size=shape) with rng = np.random.default_rng(0)",
    "save": "np.savez(path, **model.state_dict())",
    "seed": "rng=0 where layers and batches are made: there is no global generator",
    "tensor": "tg.Tensor(data, requires_grad=True)",
    "Variable": "tg.Tensor(data, requires_grad=True)",
    "vmap": "arrays with a batch axis: NumPy's functions broadcast",
}


class OtherName:
    """Stands in a class for an attribute that it lacks: like any missing one, but the error says what to write."""

    def __init__(self, name: str, line: str) -> None:
        self.name = name
        self.line = line

    def __get__(self, instance: Any, owner: Any) -> NoReturn:
        raise MissingNameError(
            f"x.{self.name}", expected="an attribute of a Tensor", got=repr(self.name), fix=f"Write {self.line}."
        )


def function(name: str, rooms: dict[str, list[str]]) -> str | None:
    """What to write for ``tg.name``, or None; ``rooms`` are the public names of packages inside ``tg``."""
    if name in FUNCTIONS:
        return FUNCTIONS[name]
    for room, names in rooms.items():
        if name in names:
            return f"tg.{room}.{name}"
    is_numpy = not name.startswith("_") and callable(getattr(np, name, None))
    return f"np.{name}: NumPy's functions take Tensors" if is_numpy else None

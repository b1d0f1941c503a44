"""`Module`: the base of everything that holds parameters."""

from collections.abc import Iterator
from typing import Any, ParamSpec, Protocol, TypeVar

import numpy as np

from tinygrad_mlp import tensor
from tinygrad_mlp.errors import StateError
from tinygrad_mlp.tensor import Tensor

Arrays = dict[str, np.ndarray[Any, Any]]
P = ParamSpec("P")
R = TypeVar("R", covariant=True)


class Forward(Protocol[P, R]):
    """What has a `forward`: it tells a type checker what calling the module takes and returns."""

    def forward(self, *args: P.args, **params: P.kwargs) -> R: ...


class Module:
    """A part of a network: parameters, other modules, and a `forward` that uses them.

    Whatever is assigned to an attribute is part of the module, in the order of assignment, also inside lists, tuples
    and dicts: a `Tensor` is a parameter, an ndarray a buffer (saved, not trained), a `Module` a child.

    Examples
    --------
    >>> import tinygrad_mlp as tg
    >>> class Scale(tg.nn.Module):
    ...     def __init__(self, features):
    ...         self.factor = tg.Tensor(np.ones(features), requires_grad=True)
    ...     def forward(self, x):
    ...         return x * self.factor
    >>> model = Scale(3)
    >>> [name for name, parameter in model.named_parameters()]
    ['factor']
    >>> model(np.array([1.0, 2.0, 3.0]))
    Tensor([1., 2., 3.], op=np.multiply)
    """

    training: bool = True

    def forward(self, *args: Any, **params: Any) -> Any:
        """What the module computes. Subclasses define it; users call the module itself."""
        raise NotImplementedError

    def __call__(self: Forward[P, R], *args: P.args, **params: P.kwargs) -> R:
        token = tensor.scope.set(Scope(tensor.scope.get(), self))  # type: ignore[arg-type]  # self is a Module
        try:
            return self.forward(*args, **params)
        finally:
            tensor.scope.reset(token)

    def named_members(self, prefix: str = "") -> Iterator[tuple[str, Any]]:
        """``(path, value)`` of all Tensors, arrays, random generators and modules in here, each object once."""
        seen = {id(self)}
        stack = [(prefix + name, value) for name, value in reversed(vars(self).items())]
        while stack:
            path, value = stack.pop()
            inside: dict[Any, Any] = {}
            if isinstance(value, Module):
                inside = vars(value)
            elif isinstance(value, dict):
                inside = value
            elif isinstance(value, (list, tuple)):
                inside = dict(enumerate(value))
            elif not isinstance(value, (Tensor, np.ndarray, np.random.Generator)):
                continue
            if id(value) in seen:
                continue
            seen.add(id(value))
            yield path, value
            stack.extend((f"{path}.{name}", item) for name, item in reversed(inside.items()))

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """``(name, parameter)`` in the order of assignment; the name is the path to it, ``fc1.weight``."""
        return ((path, value) for path, value in self.named_members() if isinstance(value, Tensor))

    def parameters(self) -> Iterator[Tensor]:
        """The parameters without their names."""
        return (parameter for _, parameter in self.named_parameters())

    def named_modules(self) -> Iterator[tuple[str, "Module"]]:
        """``(path, module)`` of this module, whose path is empty, and of all modules inside."""
        yield "", self
        for path, value in self.named_members():
            if isinstance(value, Module):
                yield path, value

    def state_dict(self) -> Arrays:
        """Copies of all parameters and buffers, by name."""
        return {name: array.copy() for name, array in self._arrays().items()}

    def load_state_dict(self, state: Arrays) -> None:
        """Copy parameters and buffers from a `state_dict` of the same structure.

        Raises
        ------
        StateError
            Naming every entry that is missing, unexpected, of another shape, or of numbers that the module's dtype does
            not have: complex or too large ones. Nothing is changed then.
        """
        arrays = self._arrays()
        problems = [f"{name} is missing" for name in arrays if name not in state]
        problems += [f"{name} is unexpected" for name in state if name not in arrays]
        problems += [
            f"{name} has shape {np.shape(state[name])} instead of {array.shape}"
            for name, array in arrays.items()
            if name in state and np.shape(state[name]) != array.shape
        ]
        own: Arrays = {}
        for name in [name for name in arrays if name in state]:
            value, dtype = np.asarray(state[name]), arrays[name].dtype
            if not np.can_cast(value.dtype, dtype, "same_kind"):
                problems.append(f"{name} has dtype {value.dtype} instead of {dtype}")
                continue
            with np.errstate(over="ignore"):
                own[name] = value.astype(dtype)  # a copy, which survives what is written to the arrays of others
            same = np.isfinite if dtype.kind in "fc" else np.asarray  # floats may be rounded, integers may not
            if value.dtype != dtype and not np.array_equal(same(own[name]), same(value)):
                problems.append(f"{name} has values too large for {dtype}")
        if problems:
            raise StateError(
                f"{type(self).__name__}.load_state_dict",
                expected="an entry of the same shape and kind of number for each parameter and buffer",
                got=f"a state in which {'; '.join(problems)}",
                fix="Build the module with the sizes it was saved with.",
            )
        for name, array in arrays.items():
            array[...] = own[name]
        for parameter in self.parameters():
            parameter.mark_changed()

    def _arrays(self) -> Arrays:
        named = [(name, value.data if isinstance(value, Tensor) else value) for name, value in self.named_members()]
        arrays = [(name, value) for name, value in named if isinstance(value, np.ndarray)]
        found = dict(arrays)
        if len(found) < len(arrays):
            names = [name for name, _ in arrays]
            raise StateError(
                f"{type(self).__name__}.state_dict", expected="a name of its own for each parameter and buffer",
                got=f"twice {next(name for name in names if names.count(name) > 1)}", fix="Rename a key of a dict.",
            )  # fmt: skip
        return found

    def train(self, mode: bool = True) -> "Module":
        """Switch dropout and batch statistics on (or off) in this module and all inside; returns the module."""
        for _, module in self.named_modules():
            module.training = mode
        return self

    def eval(self) -> "Module":
        """``train(False)``: the same input gives the same output."""
        return self.train(mode=False)

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.grad = None

    def summary(self) -> str:
        """What the first line of the repr shows between its parentheses; subclasses say their sizes here."""
        return ""

    def __repr__(self) -> str:
        lines = []
        for path, module in self.named_modules():
            own = {name: value for name, value in vars(module).items() if isinstance(value, Tensor)}
            counted = module.parameters() if module is self else own.values()
            notes = [f"{name} {value.shape}" for name, value in own.items()]
            if count := sum(parameter.size for parameter in counted):
                notes.append(f"{count:,} parameters")
            head = f"{'  ' * (path.count('.') + 1)}({path.rpartition('.')[2]}): " if path else ""
            lines.append(
                f"{head}{type(module).__name__}({module.summary()}){'  # ' + ', '.join(notes) if notes else ''}"
            )
        return "\n".join(lines)


class Scope:
    """The modules that are running: the innermost one, and the scope it was called in. Its text is their path."""

    __slots__ = ("module", "outer")

    def __init__(self, outer: "Scope | None", module: Module) -> None:
        self.outer = outer
        self.module = module

    def __str__(self) -> str:
        if self.outer is None:
            return type(self.module).__name__
        inside = self.outer.module.named_modules()
        return f"{self.outer}.{next((path for path, m in inside if m is self.module), type(self.module).__name__)}"

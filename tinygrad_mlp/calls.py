"""One run of a function on fresh Tensors, and the gradients of its results: what `autodiff` is made of."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from tinygrad_mlp.errors import ArgumentError, DtypeError, ShapeError
from tinygrad_mlp.graph import differentiating, pullback, topological_order
from tinygrad_mlp.tensor import Tensor, grad_enabled, record


class Call:
    """One run of a function on fresh Tensors in the place of the arguments to differentiate with respect to.

    Attributes
    ----------
    inputs, outputs : list of Tensor
        The fresh Tensors, and the results.
    several : bool
        Whether the function returned a tuple.
    since : int
        The time of the first fresh Tensor.
    tensors : bool
        Whether an argument is a Tensor, so that results have to be.
    outer : bool
        Whether the results depend on Tensors from outside this call in a way that someone may want differentiated.
    """

    def __init__(
        self, f: Callable[..., Any], args: tuple[Any, ...], argnum: int | tuple[int, ...], params: dict[str, Any]
    ) -> None:
        self.tensors = any_tensor([*args, *params.values()])
        keep = grad_enabled.get() and (self.tensors or differentiating.get())
        places = [position(i, len(args)) for i in (argnum if isinstance(argnum, tuple) else (argnum,))]
        arguments = list(args)
        for i in places:
            arguments[i] = fresh(args[i])
        self.inputs: list[Tensor] = [arguments[i] for i in places]
        self.since: int = min((x.node.time for x in self.inputs if x.node is not None), default=0)
        with recording():
            result = f(*arguments, **params)
        self.several = isinstance(result, (tuple, list))
        self.outputs = [as_output(item) for item in (result if self.several else (result,))]
        own = {id(x) for x in self.inputs}
        self.outer = keep and any(id(leaf) not in own for leaf in topological_order(self.outputs, self.since)[1])

    def value(self) -> Any:
        """The results, as arrays or Tensors, whichever the caller passed in."""
        return pack([present(output, self.tensors, self.outer) for output in self.outputs], self.several)

    def pull(self, seeds: Sequence[Any]) -> list[Any]:
        """The gradients of ⟨outputs, seeds⟩ with respect to the inputs, as arrays or Tensors."""
        outer = self.outer or any(carries(seed) for seed in seeds)
        found = differentiate(self.outputs, seeds, self.inputs, since=self.since, create_graph=outer)
        return [present(g, self.tensors or any_tensor(seeds), outer) for g in found]


def differentiate(
    outputs: Sequence[Tensor], seeds: Sequence[Any], inputs: Sequence[Tensor], *, since: int = 0, create_graph: bool
) -> list[Any]:
    """The gradients of ⟨outputs, seeds⟩ with respect to the inputs: new arrays, or with ``create_graph`` Tensors."""
    recorded, _ = topological_order(outputs, since)
    found: dict[int, Any] = {}
    for output, seed in zip(outputs, seeds, strict=True):
        start = as_tensor(seed) if create_graph else plain_array(seed)
        found[id(output)] = found[id(output)] + start if id(output) in found else start
    pullback(recorded, found, inputs={id(x) for x in inputs}, create_graph=create_graph)
    results = []
    for x in inputs:
        gradient = found.get(id(x))
        if gradient is None:
            gradient = np.zeros_like(x.data)
        elif isinstance(gradient, (np.ndarray, np.generic)):
            gradient = np.array(gradient)  # what the pass hands over may be shared
        elif not isinstance(gradient, Tensor):
            gradient = gradient.copy()
        results.append(as_tensor(gradient) if create_graph else gradient)
    return results


@contextmanager
def recording() -> Iterator[None]:
    """Record what runs inside, whatever the surroundings say, because it is to be differentiated."""
    tokens = differentiating.set(True), grad_enabled.set(True)
    try:
        yield
    finally:
        differentiating.reset(tokens[0])
        grad_enabled.reset(tokens[1])


def fresh(value: Any) -> Tensor:
    """A Tensor for one call alone: a new leaf, or for a Tensor that requires a gradient, a recorded copy of it."""
    if carries(value) and grad_enabled.get():
        copy: Tensor = record(np.positive, (value,))
        return copy
    value = plain_array(value)
    return Tensor(np.float64(value) if type(value) in (int, float) else value, requires_grad=True)


def present(result: Any, tensors: bool, outer: bool) -> Any:
    """A result, recorded if ``outer``, else without history, and an array unless ``tensors``."""
    if outer:
        return as_tensor(result)
    return Tensor(plain_array(result)) if tensors else plain_array(result)


def fitting(where: str, vectors: Any, likes: Sequence[Tensor]) -> list[Any]:
    """The vectors in the dtypes of ``likes``; raises where they differ in number or shape."""
    arrays = [v if isinstance(v, Tensor) or hasattr(v, "__array_function__") else np.asarray(v) for v in vectors]
    got, expected = [v.shape for v in arrays], [like.shape for like in likes]
    if got != expected:
        raise ShapeError(
            where, expected=f"vectors of the shapes {listed(expected)}", got=listed(got),
            fix="Give one vector per array, of the same shape; for several arrays, a tuple.",
        )  # fmt: skip
    return [v if v.dtype == like.dtype else v.astype(like.dtype) for v, like in zip(arrays, likes, strict=True)]


def position(argnum: int, count: int) -> int:
    """An argument number counted from 0."""
    if not -count <= argnum < count:
        raise ArgumentError(
            "argnum", expected=f"the number of one of the {count} positional arguments, counted from 0", got=str(argnum)
        )
    return argnum % count


def as_output(value: Any) -> Tensor:
    """What a function returned, as a Tensor; a constant becomes one without history."""
    if isinstance(value, Tensor):
        return value
    output = Tensor(np.float64(value) if type(value) in (int, float) else value)
    if output.dtype.kind != "f":
        raise DtypeError(
            "autodiff",
            expected="a function that returns a floating-point array or a tuple of them",
            got=f"one that returns {type(value).__name__} of dtype {output.dtype}",
        )
    return output


def carries(value: Any) -> bool:
    """Whether a gradient flows to a value."""
    return isinstance(value, Tensor) and value.node is not None


def any_tensor(values: Iterable[Any]) -> bool:
    """Whether one of the values is a Tensor."""
    return any(isinstance(value, Tensor) for value in values)


def plain_array(value: Any) -> Any:
    """The array of a Tensor; a NumPy scalar as an array."""
    value = value.data if isinstance(value, Tensor) else value
    return value[...] if getattr(value, "ndim", None) == 0 else value


def as_tensor(value: Any) -> Tensor:
    """A Tensor as it is; an array as a Tensor without history."""
    return value if isinstance(value, Tensor) else Tensor(value)


def pack(values: Sequence[Any], several: bool) -> Any:
    """A tuple of several values; the one value otherwise."""
    return tuple(values) if several else values[0]


def listed(shapes: Sequence[tuple[int, ...]]) -> str:
    """Shapes for an error message."""
    return ", ".join(map(str, shapes)) or "none"

"""The file that `tinygrad_mlp.export_onnx` writes, and the proof that it computes what the model does."""

import inspect
from typing import Any

import numpy as np

from tinygrad_mlp import __version__
from tinygrad_mlp.errors import ArgumentError, CompileError, MissingExtraError
from tinygrad_mlp.nn import Module
from tinygrad_mlp.onnx.trace import SIZES, Both, Call, Value, run
from tinygrad_mlp.program.instructions import Attribute, Method, mapped
from tinygrad_mlp.rules import function_name
from tinygrad_mlp.tensor import Tensor
from tinygrad_mlp.train.evaluation import evaluating

TRIED = 1, 5  # other sizes of the batch
TOLERANCE = {2: 1e-2, 4: 1e-5, 8: 1e-5}  # by the bytes of a number, relative to the largest result


def exported(model: Module, examples: tuple[Any, ...]) -> bytes:
    """The file for a model and examples of its inputs."""
    try:
        import onnx  # noqa: F401 - before anything runs
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError(
            "export_onnx", expected="the libraries onnx and onnxruntime", got=f"none ({error})",
            fix="Install them with: pip install 'tinygrad-mlp[onnx]'.",
        ) from error  # fmt: skip
    examples = tuple(np.asarray(x.data if isinstance(x, Tensor) else x) for x in examples)
    if not examples or any(x.ndim == 0 or x.size == 0 for x in examples):
        raise ArgumentError(
            "export_onnx", expected="an example with elements, whose first axis is the batch",
            got=f"shapes {', '.join(str(x.shape) for x in examples)}",
        )  # fmt: skip
    content = written(model, examples)
    try:
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has a type of its own for each reason
        raise CompileError(
            "export_onnx", expected="a graph that onnxruntime can run", got=f"one that it refuses: {error}",
            fix="Export the model in float32, in which it has all operators.",
        ) from error  # fmt: skip
    for size in TRIED:
        check_same(model, session, tuple(batch(x, size) for x in examples), size)
    return content


def batch(example: Any, size: int) -> Any:
    """A batch of another size and of other numbers than the example; integers are those of the example."""
    x = np.roll(np.resize(example, (size, *example.shape[1:])).ravel(), 1).reshape(size, *example.shape[1:])
    if x.dtype.kind != "f":
        return x
    return (x + np.random.default_rng(size).normal(size=x.shape)).astype(x.dtype)


def written(model: Module, examples: tuple[Any, ...]) -> bytes:
    """The file, untried."""
    from tinygrad_mlp.onnx.graph import Graph
    from tinygrad_mlp.onnx.operators import OPERATORS

    runs = [run(model, tuple(np.resize(x, (n, *x.shape[1:])) for x in examples), OPERATORS) for n in SIZES]
    both = Both(model, *runs)
    members = set(both.names.values())  # which keep their names
    names = [f"{name}_input" if name in members else name for name in input_names(model, len(examples))]
    graph = Graph(dict(zip(names, both.inputs, strict=True)))
    for value in both.values.values():
        if value.array is not None and value.name:
            value.name = graph.array(value.array, value.name)
    outputs = {f"{n}_output" if n in members else n: value for n, value in output_names(both.result).items()}
    for call in needed(both.calls, list(outputs.values())):
        both.where = str(call.scope or type(model).__name__)
        graph.where = both.where.partition(".")[2]
        translate(graph, call, both)
    graph.where = ""
    return graph.proto(type(model).__name__, outputs, __version__).SerializeToString()  # type: ignore[no-any-return]


def translate(graph: Any, call: Call, both: Both) -> None:
    """Append the operators for one call, and name its results."""
    from tinygrad_mlp.onnx.operators import OPERATORS, Unsupported

    function = call.function
    name = function.name if isinstance(function, (Method, Attribute)) else function_name(function)
    operator = OPERATORS.get(function)
    if operator is None and isinstance(function, (Method, Attribute)):
        operator = OPERATORS.get(function.name) or OPERATORS.get(getattr(np, function.name, None))
    if operator is None:
        raise both.error("functions that have a counterpart in ONNX", name, "Leave it to the code that runs the model.")
    try:
        try:
            inspect.signature(operator).bind(graph, call.results, *call.args, **call.params)
        except TypeError as error:
            raise Unsupported(str(error)) from error
        found = operator(graph, call.results, *call.args, **call.params)
    except Unsupported as error:
        raise both.error(f"arguments of {name} that have a counterpart in ONNX", f"others ({error})") from error
    for value, made in zip(call.results, [found] if isinstance(found, str) else found, strict=True):
        value.name = made


def needed(calls: list[Call], outputs: list[Value]) -> list[Call]:
    """The calls whose results reach the outputs."""
    wanted, kept = set(outputs), []
    for call in reversed(calls):
        if wanted.intersection(call.results):
            kept.append(call)
            wanted.update(values_in((call.args, call.params)))
    return kept[::-1]


def values_in(nested: Any) -> list[Value]:
    """The arrays inside nested arguments."""
    found: list[Value] = []
    mapped(nested, lambda x: found.append(x) if isinstance(x, Value) else None)
    return found


def input_names(model: Module, count: int) -> list[str]:
    """The names of the arguments of ``forward``, or input, input1, …"""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [p.name for p in inspect.signature(model.forward).parameters.values() if p.kind in kinds]
    return names[:count] if len(names) >= count else [f"input{i or ''}" for i in range(count)]


def output_names(result: Any) -> dict[str, Value]:
    """The keys of a dict, or output; with a number behind it where several arrays stand there."""
    named = result if isinstance(result, dict) else {"output": result}
    return {f"{key}{i or ''}": value for key, item in named.items() for i, value in enumerate(values_in(item))}


def check_same(model: Module, session: Any, inputs: tuple[Any, ...], size: int) -> None:
    """Raise where onnxruntime and the model differ."""
    expected: list[Any] = []
    with evaluating(model):
        mapped(model(*inputs), lambda x: expected.append(x.data if isinstance(x, Tensor) else x))
    expected = [x for x in expected if isinstance(x, (np.ndarray, np.generic))]
    found = session.run(None, {i.name: x for i, x in zip(session.get_inputs(), inputs, strict=True)})
    for ours, theirs in zip(expected, found, strict=True):
        scale = np.max(np.abs(ours), initial=1.0, where=np.isfinite(ours))
        tolerance = TOLERANCE.get(ours.dtype.itemsize, 0) * scale if ours.dtype.kind == "f" else 0
        if ours.shape != theirs.shape:
            got = f"shape {theirs.shape} for {ours.shape}"
        elif not np.allclose(theirs, ours, rtol=0, atol=tolerance, equal_nan=True):
            got = f"a difference of {np.max(np.abs(np.subtract(theirs, ours, dtype=np.float64))):.3g}"
        else:
            continue
        raise CompileError(
            "export_onnx", expected=f"the same results from onnxruntime, for a batch of {size}", got=got,
            fix="What the model computes may depend on the size of the batch by more than its shapes.",
        )  # fmt: skip

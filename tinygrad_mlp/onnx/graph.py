"""An ONNX graph under construction."""

from collections import Counter
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tinygrad_mlp.onnx.trace import Dim, Value

OPSET = 19
IR_VERSION = 9  # the first that has this opset


class Graph:
    """Nodes and initializers, with names that are given once.

    Attributes
    ----------
    where : str
        Path of the module that is being written, in front of the names of its nodes.
    """

    def __init__(self, inputs: dict[str, Value]) -> None:
        self.inputs = inputs
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self.taken = set(inputs)
        self.counts: Counter[str] = Counter()
        self.constants: dict[Any, str] = {}
        self.where = ""
        for name, value in inputs.items():
            value.name = name

    def unique(self, name: str) -> str:
        """The name, with a number behind it if it is taken."""
        candidate = name
        while candidate in self.taken:
            self.counts[name] += 1
            candidate = f"{name}_{self.counts[name]}"
        self.taken.add(candidate)
        return candidate

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Append a node: the name of its result."""
        return self.ops(kind, 1, *inputs, **attributes)[0]

    def ops(self, kind: str, results: int, *inputs: str, **attributes: Any) -> list[str]:
        """Append a node: the names of its results."""
        name = self.unique(f"{self.where}/{kind}" if self.where else kind)
        outputs = [name] if results == 1 else [self.unique(f"{name}.{i}") for i in range(results)]
        self.nodes.append(helper.make_node(kind, inputs, outputs, name=name, **attributes))
        return outputs

    def array(self, array: Any, name: str = "") -> str:
        """An initializer; equal ones without a name are one."""
        array = np.asarray(array, order="C")
        key = name or (array.dtype.str, array.shape, array.tobytes())
        if key not in self.constants:
            self.constants[key] = self.unique(name or "constant")
            self.initializers.append(numpy_helper.from_array(array, self.constants[key]))
        return self.constants[key]

    def integers(self, *numbers: int) -> str:
        """A vector of int64: axes, ends, sizes."""
        return self.array(np.array(numbers, np.int64))

    def value(self, value: Any, dtype: Any = None) -> str:
        """The name of an argument of an op, converted to a dtype if one is given."""
        if isinstance(value, Value):
            if not value.name:
                value.name = self.made(value)
            name, own = value.name, value.dtype
        elif isinstance(value, Dim):
            name, own = self.op("Squeeze", self.shape((value,)), self.integers(0)), np.dtype(np.int64)
        else:
            array = np.asarray(value, dtype)
            name, own = self.array(array), array.dtype
        return name if dtype is None or own == dtype else self.cast(name, dtype)

    def made(self, value: Value) -> str:
        """A constant, spread over the axes that follow the size of the batch."""
        assert value.array is not None  # noqa: S101 - results of calls have names
        name = self.array(value.array)
        return name if value.array.shape == value.shape else self.op("Expand", name, self.shape(value.shape))

    def cast(self, name: str, dtype: Any) -> str:
        """Another dtype."""
        return self.op("Cast", name, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def shape(self, dims: tuple[Any, ...]) -> str:
        """A shape as a vector; what follows the size of the batch is computed from that of the first input."""
        if not any(isinstance(dim, Dim) for dim in dims):
            return self.integers(*dims)
        parts = []
        for dim in dims:
            part = self.integers(dim) if not isinstance(dim, Dim) else self.op("Shape", next(iter(self.inputs)), end=1)
            if isinstance(dim, Dim) and dim.times != 1:
                part = self.op("Mul", part, self.integers(dim.times))
            if isinstance(dim, Dim) and dim.plus:
                part = self.op("Add", part, self.integers(dim.plus))
            parts.append(part)
        return self.op("Concat", *parts, axis=0) if len(parts) > 1 else parts[0]

    def reshape(self, name: str, before: tuple[Any, ...], after: tuple[Any, ...]) -> str:
        """The same elements in another shape: 0 stands for a size that stays, -1 for the one that is left."""
        if before == after:
            return name
        kept = [0 if before[i : i + 1] == (dim,) and isinstance(dim, Dim) else dim for i, dim in enumerate(after)]
        if sum(isinstance(dim, Dim) for dim in kept) > 1 or (0 in after):
            return self.op("Reshape", name, self.shape(after), **({"allowzero": 1} if 0 in after else {}))
        return self.op("Reshape", name, self.integers(*(-1 if isinstance(dim, Dim) else dim for dim in kept)))

    def proto(self, name: str, outputs: dict[str, Value], version: str) -> Any:
        """The model, checked by ``onnx.checker``."""
        for output, value in outputs.items():
            self.nodes.append(helper.make_node("Identity", [self.value(value)], [output], name=output))
        graph = helper.make_graph(
            self.nodes, name, [info(n, v) for n, v in self.inputs.items()], [info(n, v) for n, v in outputs.items()],
            self.initializers,
        )  # fmt: skip
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION,
            producer_name="tinygrad_mlp", producer_version=version,
        )  # fmt: skip
        onnx.checker.check_model(model, full_check=True)
        return model


def info(name: str, value: Value) -> Any:
    """Name, dtype and shape of an input or output."""
    shape = [str(dim) if isinstance(dim, Dim) else dim for dim in value.shape]
    kind = helper.np_dtype_to_tensor_dtype(value.dtype) if value.dtype is not None else TensorProto.UNDEFINED
    return helper.make_tensor_value_info(name, kind, shape)

"""Models for other runtimes: `export_onnx`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tinygrad_mlp.nn import Module

__all__ = ["export_onnx"]


def export_onnx(model: "Module", path: str | os.PathLike[str], example: Any) -> None:
    """Write the forward pass of a model, in evaluation mode, to an ONNX file.

    The model runs on the example; the functions of NumPy that it calls become operators of ONNX (opset 19), and its
    parameters and buffers keep their names. The first axis of inputs and results is the batch, of any size. Before it
    is written, the file is run by onnxruntime on batches of other sizes and with other numbers, and must agree with the
    model to 1e-5.

    Parameters
    ----------
    model : Module
        Each module's mode, training or evaluation, is the same afterwards.
    path : str or path
        File to write; it is there in full afterwards, or as it was before.
    example : array, or tuple of arrays
        What the model is called with: its shape, except for the first axis, and its dtype are those of the inputs in
        the file. Inputs of integers, such as indices, are tried with numbers from the example.

    Raises
    ------
    MissingExtraError
        If onnx and onnxruntime are not installed: ``pip install 'tinygrad-mlp[onnx]'``.
    CompileError
        If an op has no counterpart in ONNX, naming it and the module; if the model branches on values, or what it
        computes depends on the batch size in another way than by shapes; or if onnxruntime's results differ.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import onnxruntime
    >>> import tinygrad_mlp as tg
    >>> model = tg.nn.MLP(784, 128, 10, rng=0)
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     export_onnx(model, f"{directory}/model.onnx", np.zeros((1, 784), np.float32))
    ...     session = onnxruntime.InferenceSession(f"{directory}/model.onnx")
    >>> session.run(["output"], {"x": np.ones((32, 784), np.float32)})[0].shape
    (32, 10)
    """
    from tinygrad_mlp.files import write_atomically
    from tinygrad_mlp.onnx.export import exported

    write_atomically(Path(path), exported(model, example if isinstance(example, tuple) else (example,)))

"""Parameters side by side in flat arrays, so that one pass of a NumPy function updates them all."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from tinygrad_mlp.aligned import aligned_zeros
from tinygrad_mlp.errors import ArgumentError, DtypeError, ShapeError
from tinygrad_mlp.tensor import Tensor, check_gradient

Array = np.ndarray[Any, Any]


class Slot:
    """One parameter: its key in the state, its shape, how often it was updated, and where in the flat arrays it is.

    ``steps`` falls behind the optimizer's count where a step brought no gradient.
    """

    __slots__ = ("dtype", "name", "param", "place", "shape", "steps")

    def __init__(self, name: str, param: Tensor) -> None:
        self.name = name
        self.param = param
        self.shape = param.shape
        self.dtype = param.dtype
        self.place = slice(0, 0)
        self.steps = 0

    def ready(self, where: str) -> bool:
        """Whether there is a gradient to step along; raises where it does not fit."""
        param = self.param
        grad, data = param.grad, param.data
        if grad is None or param.node is None:
            return False
        if data.shape != self.shape:
            raise ShapeError(
                where, expected=f"data of shape {self.shape} in parameter {self.name!r}", got=str(data.shape),
                fix="Make the optimizer after the parameters have their final shapes.",
            )  # fmt: skip
        if data.dtype != self.dtype:
            raise DtypeError(
                where, expected=f"dtype {self.dtype} in parameter {self.name!r}", got=str(data.dtype),
                fix="Make the optimizer after the parameters have their final dtype.",
            )  # fmt: skip
        if not data.flags.writeable:
            raise ArgumentError(
                where, expected=f"values that can be changed in parameter {self.name!r}", got="a read-only array",
                fix="Make the Tensor of a copy: Tensor(array.copy(), requires_grad=True).",
            )  # fmt: skip
        if type(grad) is not np.ndarray or grad.dtype is not data.dtype or grad.shape != data.shape:
            check_gradient(where, param, f"parameter {self.name!r}")
        return True


class Block:
    """Parameters with the same settings and the same dtype.

    Attributes
    ----------
    settings : dict
        Those of their group.
    slots : list of Slot
    change : ndarray, 1-D
        Buffer: first the gradients; after `update`, the change to subtract.
    buffers : dict of str to ndarray, 1-D
        What is remembered from step to step.
    """

    def __init__(self, settings: dict[str, Any], slots: list[Slot], buffers: Iterable[str]) -> None:
        self.settings = settings
        self.slots = slots
        size = 0
        for slot in slots:
            slot.place = slice(size, size + slot.param.size)
            size += slot.param.size
        dtype = np.promote_types(slots[0].dtype, np.float32)  # the squares of float16 have hardly any range
        self.change = aligned_zeros(size, dtype)
        self.buffers: dict[str, Array] = {name: aligned_zeros(size, dtype) for name in buffers}

    # Views are made when they are needed: stored ones would no longer be views in a deep copy of the optimizer.

    def shaped(self, flat: Array, slot: Slot) -> Array:
        """The part of a flat array that belongs to a parameter, in its shape."""
        return flat[slot.place].reshape(slot.shape)

    def gather(self, slot: Slot, weight_decay: float) -> Array:
        """Copy the gradient of loss + weight_decay/2 · ‖w‖² into ``change``; the view of it."""
        view = self.shaped(self.change, slot)
        if weight_decay:
            np.multiply(slot.param.data, weight_decay, out=view, dtype=view.dtype)
            np.add(view, slot.param.grad, out=view)
        else:
            view[...] = slot.param.grad
        return view

    def pieces(self, ready: list[Slot]) -> list[tuple[Array, dict[str, Array], int]]:
        """What is updated together: change, buffers and number of the update.

        All parameters at once where they are in step; else one by one, to the same bits.
        """
        if len(ready) == len(self.slots) and all(slot.steps == ready[0].steps for slot in ready):
            return [(self.change, self.buffers, ready[0].steps)]
        return [
            (self.change[slot.place], {name: flat[slot.place] for name, flat in self.buffers.items()}, slot.steps)
            for slot in ready
        ]

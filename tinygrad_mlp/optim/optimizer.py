"""What all optimizers share: parameters with their settings, the learning rate, the step, the state."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from tinygrad_mlp.errors import ArgumentError, StateError
from tinygrad_mlp.optim.block import Array, Block, Slot
from tinygrad_mlp.optim.parameters import named_tensors
from tinygrad_mlp.optim.schedules import Schedule
from tinygrad_mlp.tensor import Tensor
from tinygrad_mlp.validation import at_least_zero, converted


class Optimizer(ABC):
    """Base class of optimizers. A new one says which settings and buffers it has, and what a step subtracts.

    Parameters
    ----------
    params : iterable
        Tensors; or pairs of a name and a Tensor (``model.named_parameters()``), and then the state goes by these
        names instead of by "0", "1", …; or groups: dicts with such an iterable under ``"params"`` and settings of
        their own, ``lr`` among them. Nothing given is changed but the data of the Tensors.
    lr : float or schedule
        Learning rate of the groups that have none of their own. A schedule is a function of the step number, from 0.
    weight_decay : float
        λ, at least 0. Added to the gradient as λ w (L2 regularization); or, where the class says
        ``decoupled_weight_decay = True``, the parameters shrink by the factor 1 - lr λ before each update.
    **settings
        The other settings, where the groups do not say otherwise.

    Attributes
    ----------
    step_count : int
        Number of steps done.
    blocks : list of Block
        The parameters, put together by group and dtype.

    Raises
    ------
    ArgumentError
        If there is no parameter, or one twice, or something that is no Tensor; if a setting is unknown or out of range.

    Examples
    --------
    An optimizer of one's own: steps along the sign of the gradient.

    >>> class SignSGD(Optimizer):
    ...     def update(self, g, buffers, settings, lr, t):
    ...         np.sign(g, out=g)
    ...         g *= lr
    >>> w = Tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = SignSGD([w], lr=0.5)
    >>> w.grad = np.array([2.0, -4.0])
    >>> optimizer.step()
    >>> w.data
    array([ 0.5, -1.5])
    """

    decoupled_weight_decay = False

    def __init__(
        self, params: Iterable[Any], lr: float | Schedule, *, weight_decay: float = 0.0, **settings: Any
    ) -> None:
        self.where = type(self).__name__
        self.step_count = 0
        self.lr = lr
        self.blocks: list[Block] = []
        settings["weight_decay"] = weight_decay
        count = 0
        for group in groups(self.where, params):
            own = self.group_settings(group, settings)
            named = list(named_tensors(self.where, group["params"]))
            slots = [Slot(str(i) if name is None else name, param) for i, (name, param) in enumerate(named, count)]
            count += len(slots)
            for dtype in dict.fromkeys(slot.dtype for slot in slots):
                alike = [slot for slot in slots if slot.dtype == dtype]
                self.blocks.append(Block(own, alike, self.buffer_names(own)))
        check_slots(self.where, [slot for block in self.blocks for slot in block.slots])

    def group_settings(self, group: Mapping[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
        """All settings of a group, checked; ``lr`` is None where it has none of its own."""
        unknown = [repr(name) for name in group if name not in ("params", "lr", *settings)]
        if unknown:
            raise ArgumentError(
                self.where, expected=f"groups with the settings {', '.join(['lr', *settings])}", got=", ".join(unknown)
            )
        own = {name: group.get(name, value) for name, value in settings.items()}
        own["weight_decay"] = at_least_zero(self.where, "weight_decay", own["weight_decay"])
        own["lr"] = checked_rate(self.where, group["lr"]) if "lr" in group else None
        self.check_settings(own)
        return own

    # What an optimizer defines.

    def check_settings(self, settings: dict[str, Any]) -> None:  # noqa: B027 - an optimizer may have none to check
        """Raise ArgumentError where a setting is out of range; make numbers Python floats, in place."""

    def buffer_names(self, settings: dict[str, Any]) -> tuple[str, ...]:
        """Names of the arrays to remember from step to step. They start as zeros."""
        return ()

    @abstractmethod
    def update(self, g: Array, buffers: dict[str, Array], settings: dict[str, Any], lr: float, t: int) -> None:
        """Turn the gradient ``g``, in place, into what is to be subtracted from the parameters.

        All arrays are 1-D and of the same length; ``buffers`` are edited in place too. ``t`` is the number of the
        update, from 1.
        """

    # What it offers.

    @property
    def lr(self) -> float:
        """The learning rate of the next step, of the groups that have none of their own.

        Set it to a number or to a schedule.
        """
        return rate(self.where, self._lr, self.step_count)

    @lr.setter
    def lr(self, value: float | Schedule) -> None:
        self._lr = checked_rate(self.where, value)

    def step(self) -> None:
        """Update every parameter that has a gradient; skip the others, and those that require none.

        Raises
        ------
        ShapeError, DtypeError
            If data or gradient of a parameter no longer have the shape and dtype they had when the optimizer was
            made. No parameter is changed then.
        """
        ready = [[slot for slot in block.slots if slot.ready(self.where)] for block in self.blocks]
        own = [block.settings["lr"] for block in self.blocks]
        rates = [rate(self.where, self._lr if lr is None else lr, self.step_count) for lr in own]
        for block, slots, lr in zip(self.blocks, ready, rates, strict=True):
            self.step_block(block, slots, lr)
        self.step_count += 1

    def step_block(self, block: Block, ready: list[Slot], lr: float) -> None:
        """Update those parameters of a block that are ready."""
        weight_decay = block.settings["weight_decay"]
        changes = []
        for slot in ready:
            slot.steps += 1
            changes.append(block.gather(slot, 0.0 if self.decoupled_weight_decay else weight_decay))
        for g, buffers, t in block.pieces(ready) if ready else ():
            self.update(g, buffers, block.settings, lr, t)
        for slot, change in zip(ready, changes, strict=True):
            data = slot.param.data
            if self.decoupled_weight_decay and weight_decay:
                np.multiply(data, 1 - lr * weight_decay, out=data)
            np.subtract(data, change, out=data)
            slot.param.mark_changed()

    @property
    def params(self) -> list[Tensor]:
        """All parameters, of all groups."""
        return [slot.param for block in self.blocks for slot in block.slots]

    def zero_grad(self) -> None:
        """Forget the gradients: ``grad`` of every parameter becomes None."""
        for param in self.params:
            param.grad = None

    def state_dict(self) -> dict[str, Any]:
        """All that steps have left behind: copies of arrays, and Python ints, by name.

        Learning rate and settings are not in it: they are arguments. A schedule goes on from ``step_count``.
        """
        state: dict[str, Any] = {"step_count": self.step_count}
        for block in self.blocks:
            for slot in block.slots:
                state[f"{slot.name}.steps"] = slot.steps
                for name, flat in block.buffers.items():
                    state[f"{slot.name}.{name}"] = block.shaped(flat, slot).copy()
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue, bit for bit, where the optimizer was that gave ``state``. What is given is copied.

        Raises
        ------
        StateError
            If a name is missing or unexpected, or an array has another shape or kind of number. Nothing is loaded then.
        """
        loaded = checked_state(f"{self.where}.load_state_dict", self.state_dict(), state)
        self.step_count = int(loaded["step_count"])
        for block in self.blocks:
            for slot in block.slots:
                slot.steps = int(loaded[f"{slot.name}.steps"])
                for name, flat in block.buffers.items():
                    block.shaped(flat, slot)[...] = loaded[f"{slot.name}.{name}"]

    def __repr__(self) -> str:
        count = sum(len(block.slots) for block in self.blocks)
        return f"{self.where}({count} parameters, lr={self.lr:.6g}, step_count={self.step_count})"


def groups(where: str, params: Iterable[Any]) -> list[Mapping[str, Any]]:
    """Parameters as groups: as given, or one group of all."""
    if not isinstance(params, Iterable):
        raise ArgumentError(
            where, expected="parameters", got=type(params).__name__, fix="Pass those of a model, model.parameters()."
        )
    params = params if isinstance(params, Tensor) else list(params)
    if isinstance(params, Tensor) or not any(isinstance(item, Mapping) for item in params):
        return [{"params": params}]
    for item in params:
        if not isinstance(item, Mapping) or "params" not in item:
            raise ArgumentError(where, expected='only dicts with "params" among groups', got=repr(item)[:80])
    return params


def check_slots(where: str, slots: list[Slot]) -> None:
    """Raise where there is no parameter, or the same parameter or name twice."""
    if not slots:
        raise ArgumentError(
            where, expected="at least one parameter", got="none",
            fix="A generator gives its parameters once; make a new one.",
        )  # fmt: skip
    seen: set[Any] = set()
    for slot in slots:
        if id(slot.param) in seen or slot.name in seen:
            raise ArgumentError(where, expected="each parameter and name once", got=f"{slot.name!r} again")
        seen.update((id(slot.param), slot.name))


def checked_rate(where: str, lr: float | Schedule) -> float | Schedule:
    """A learning rate as given by the user: a schedule as it is, a number as a float."""
    return lr if callable(lr) else at_least_zero(where, "lr", lr)


def rate(where: str, lr: float | Schedule, step: int) -> float:
    """The learning rate at a step."""
    return at_least_zero(where, f"the schedule at step {step}", lr(step)) if callable(lr) else lr


def checked_state(where: str, own: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, Array]:
    """Copies of the entries of ``state``, or an error where names, shapes or dtypes are not those of ``own``."""
    problems = [f"{name!r} missing" for name in own if name not in state]
    problems += [f"{name!r} unexpected" for name in state if name not in own]
    loaded = {}
    for name in own:
        if name in state:
            try:
                loaded[name] = converted(state[name], np.asarray(own[name]))
            except ValueError as error:
                problems.append(f"{name!r} {error}")
    if problems:
        raise StateError(
            where, expected="the state of an optimizer of the same kind, for parameters of the same names and shapes",
            got="; ".join(problems),
        )  # fmt: skip
    return loaded

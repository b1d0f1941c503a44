"""The settings of a training run: the one place that names them, for the command line and for ``config.toml``."""

import json
import tomllib
from collections.abc import Callable
from copy import copy
from dataclasses import Field, asdict, dataclass, field, fields
from pathlib import Path
from types import UnionType
from typing import Any, get_args

from tinygrad_mlp import optim
from tinygrad_mlp.errors import ArgumentError
from tinygrad_mlp.nn.init import INITS
from tinygrad_mlp.nn.mlp import ACTIVATIONS

# name -> (class, fixed arguments, learning rate, weight decay): what --lr and --weight-decay are when not given
OPTIMIZERS: dict[str, tuple[Callable[..., optim.Optimizer], dict[str, Any], float, float]] = {
    "sgd": (optim.SGD, {}, 0.5, 0.0),
    "momentum": (optim.SGD, {"momentum": 0.9}, 0.1, 0.0),
    "nesterov": (optim.SGD, {"momentum": 0.9, "nesterov": True}, 0.1, 0.0),
    "adam": (optim.Adam, {}, 0.005, 0.0),
    "adamw": (optim.AdamW, {}, 0.005, 0.1),
}
SCHEDULES = ("none", "step", "cosine")
LARGEST = {int: 2**31 - 1, float: 1e300, str: None}  # where a setting does not say otherwise


def setting(default: Any, text: str, **more: Any) -> Any:
    """A field with its help text and limits."""
    return field(default_factory=lambda: copy(default), metadata={"help": text, **more})


@dataclass
class Config:
    """Everything a training run depends on. The defaults train the network of the document, ``docs/2-layer-mlp.md``.

    Raises
    ------
    ArgumentError
        If a value is out of range.

    Examples
    --------
    >>> Config(hidden=[64, 32]).hidden, Config().epochs
    ([64, 32], 10)
    """

    data: str | None = setting(None, "directory of IDX files, or an .npz like Keras's (default: the MNIST inside)")
    hidden: list[int] = setting([128], "units of each hidden layer", least=1)
    activation: str = setting("relu", "after each hidden layer", choices=tuple(ACTIVATIONS))
    init: str = setting("he", "initial weights", choices=tuple(INITS))
    dropout: float = setting(0.0, "probability with which a hidden unit is dropped", least=0.0)
    optimizer: str = setting("adamw", "update rule", choices=tuple(OPTIMIZERS))
    lr: float | None = setting(None, "learning rate (default: by optimizer; adamw 0.005)", least=0.0)
    weight_decay: float | None = setting(None, "(default: by optimizer; adamw 0.1, others 0)", least=0.0)
    schedule: str = setting("cosine", "course of the learning rate", choices=SCHEDULES)
    warmup: float = setting(0.05, "steps of linear warm-up; below 1, the fraction of all steps", least=0.0)
    step_epochs: int = setting(3, "schedule step: epochs between two drops", least=1)
    step_gamma: float = setting(0.3, "schedule step: factor of each drop", least=0.0)
    label_smoothing: float = setting(0.1, "share of the target spread over all classes", least=0.0)
    clip_norm: float | None = setting(None, "largest global norm of the gradients (default: no clipping)", least=0.0)
    epochs: int = setting(10, "passes through the training images", least=0)
    batch_size: int = setting(128, "images in a step", least=1)
    patience: int | None = setting(None, "stop after so many epochs without a new best (default: never)", least=1)
    seed: int = setting(0, "of weights, order and dropout", least=0, most=2**63 - 1)

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            if value is not None or not optional(f):
                check(f, value)
        for name in ("dropout", "label_smoothing"):
            if getattr(self, name) >= 1:
                raise ArgumentError(name, expected="a number below 1", got=repr(getattr(self, name)))

    @classmethod
    def read(cls, path: Path) -> dict[str, Any]:
        """The settings that a TOML file names, checked.

        Raises
        ------
        ArgumentError
            If the file cannot be read, is no TOML, or names a setting there is not.
        """
        try:
            found = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ArgumentError(str(path), expected="a TOML file of settings", got=f"{error}") from error
        known = [f.name for f in fields(cls)]
        if unknown := [name for name in found if name not in known]:
            raise ArgumentError(str(path), expected=f"only the settings {', '.join(known)}", got=", ".join(unknown))
        cls(**found)
        return found

    def toml(self) -> str:
        """The settings as TOML; those that are None are left out, or are comments that say what the optimizer chose."""
        given = {name: value for name, value in asdict(self).items() if value is not None}
        # JSON writes these types as TOML does, but for characters beyond 16 bits and for DEL.
        text = "".join(f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in given.items())
        _, _, lr, weight_decay = OPTIMIZERS[self.optimizer]
        chosen = {"lr": lr, "weight_decay": weight_decay}
        notes = [
            f"# {name} = {chosen[name]}, the default of {self.optimizer}\n" for name in chosen if name not in given
        ]
        return text.replace("\x7f", r"\u007f") + "".join(notes)

    def make_optimizer(self, params: Any, steps_per_epoch: int) -> optim.Optimizer:
        """The optimizer, with the schedule inside it."""
        make, fixed, lr, weight_decay = OPTIMIZERS[self.optimizer]
        lr = lr if self.lr is None else self.lr
        weight_decay = weight_decay if self.weight_decay is None else self.weight_decay
        total = self.epochs * steps_per_epoch
        warm = min(total, round(self.warmup * total if self.warmup < 1 else self.warmup))
        if self.schedule == "cosine":
            schedule = optim.schedules.cosine(lr, max(1, total - warm))
        elif self.schedule == "step":
            schedule = optim.schedules.step(lr, self.step_epochs * steps_per_epoch, self.step_gamma)
        else:
            schedule = optim.schedules.constant(lr)
        if warm:
            schedule = optim.schedules.warmup(schedule, warm)
        return make(params, schedule, weight_decay=weight_decay, **fixed)


def optional(f: Field[Any]) -> bool:
    """Whether a setting may be None."""
    return isinstance(f.type, UnionType)


def kind(f: Field[Any]) -> Any:
    """The type of a setting, or of its entries if it is a list."""
    inner = get_args(f.type)
    return inner[0] if inner else f.type


def check(f: Field[Any], value: Any) -> None:
    """Raise where a value does not have the type and the limits of its setting."""
    of, choices = kind(f), f.metadata.get("choices")
    least, most = f.metadata.get("least"), f.metadata.get("most", LARGEST[of])
    several = f.type == list[int]
    expected = of.__name__ if least is None else f"{of.__name__} of at least {least} and at most {most}"
    if several and not isinstance(value, list):
        raise ArgumentError(f.name, expected=f"a list of {expected}", got=repr(value))
    for entry in value if several else [value]:
        fits = type(entry) is of or (of is float and type(entry) is int)
        if not fits or (least is not None and not least <= entry <= most):
            raise ArgumentError(f.name, expected=expected, got=repr(entry))
    if choices and value not in choices:
        raise ArgumentError(f.name, expected=f"one of {', '.join(choices)}", got=repr(value))

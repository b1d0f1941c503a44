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
LARGEST_FILE = 2**16  # bytes of settings
MOST_LAYERS = 1000
WORDS = {int: "a whole number", float: "a number", str: "a text"}


@dataclass(frozen=True)
class Limits:
    """An interval; the ends belong to it unless it is open there."""

    least: float
    most: float
    open_least: bool = False
    open_most: bool = False

    def __contains__(self, value: float) -> bool:
        above = self.least < value if self.open_least else self.least <= value
        return above and (value < self.most if self.open_most else value <= self.most)

    def __str__(self) -> str:
        least, most = (f"{end:g}" if isinstance(end, float) else str(end) for end in (self.least, self.most))
        above, below = "above" if self.open_least else "of at least", "below" if self.open_most else "at most"
        return f"{above} {least} and {below} {most}"


COUNT = Limits(0, 2**31 - 1)
POSITIVE_COUNT = Limits(1, 2**31 - 1)
POSITIVE = Limits(0.0, 1e30, open_least=True)
NOT_NEGATIVE = Limits(0.0, 1e30)
BELOW_ONE = Limits(0.0, 1.0, open_most=True)
UP_TO_ONE = Limits(0.0, 1.0)


def setting(default: Any, text: str, limits: Limits | None = None, choices: tuple[str, ...] | None = None) -> Any:
    """A field with its help text and limits."""
    return field(default_factory=lambda: copy(default), metadata={"help": text, "limits": limits, "choices": choices})


@dataclass
class Config:
    """Everything a training run depends on. The defaults train the network of the document.

    Raises
    ------
    ArgumentError
        If a value is out of range.

    Examples
    --------
    >>> Config(hidden=[64, 32]).hidden, Config().epochs
    ([64, 32], 10)
    """

    data: str | None = setting(
        None,
        "Data set: a directory of IDX files or of one folder of pictures for each class, an .npz or a .csv file. "
        "Default: the MNIST inside.",
    )
    hidden: list[int] = setting([128], "Number of units in each hidden layer.", POSITIVE_COUNT)
    activation: str = setting("relu", "Activation after each hidden layer.", choices=tuple(ACTIVATIONS))
    init: str = setting("he", "Distribution of the initial weights.", choices=tuple(INITS))
    dropout: float = setting(0.0, "Probability with which a hidden unit is dropped.", BELOW_ONE)
    optimizer: str = setting("adamw", "Update rule.", choices=tuple(OPTIMIZERS))
    lr: float | None = setting(None, "Learning rate. Default: that of the optimizer; adamw has 0.005.", NOT_NEGATIVE)
    weight_decay: float | None = setting(
        None, "Weight decay. Default: that of the optimizer; adamw has 0.1, the others 0.", NOT_NEGATIVE
    )
    schedule: str = setting("cosine", "Course of the learning rate over the steps.", choices=SCHEDULES)
    warmup: float = setting(
        0.05, "Length of the linear warm-up: a fraction of all steps below 1, else a number of steps.", NOT_NEGATIVE
    )
    step_epochs: int = setting(3, "Number of epochs between two drops of the step schedule.", POSITIVE_COUNT)
    step_gamma: float = setting(0.3, "Factor of each drop of the step schedule.", UP_TO_ONE)
    label_smoothing: float = setting(0.1, "Share of each target that is spread over all classes.", BELOW_ONE)
    clip_norm: float | None = setting(None, "Largest global norm of the gradients. Default: no clipping.", POSITIVE)
    epochs: int = setting(10, "Number of passes through the training images.", COUNT)
    batch_size: int = setting(128, "Number of images in a step.", POSITIVE_COUNT)
    patience: int | None = setting(
        None, "Number of epochs without a new best after which training ends. Default: it never does.", POSITIVE_COUNT
    )
    threads: int = setting(
        1, "Number of threads of the matrix products. More than 1 helps where layers have thousands of units, and only "
        "while no other program is busy.", Limits(1, 1024),
    )  # fmt: skip
    seed: int = setting(
        0, "Seed of the random numbers: initial weights, validation part, order, dropout.", Limits(0, 2**63 - 1)
    )

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            if value is not None or not optional(f):
                check(f, value)

    @classmethod
    def read(cls, path: Path) -> dict[str, Any]:
        """The settings that a TOML file names, checked.

        Raises
        ------
        ArgumentError
            If the file cannot be read, is no TOML, or names a setting there is not.
        """
        try:
            with path.open("rb") as file:
                content = file.read(LARGEST_FILE + 1)
            # Names of files need not be UTF-8; toml() writes their bytes as they are.
            found = tomllib.loads(content.decode("utf-8", "surrogateescape")) if len(content) <= LARGEST_FILE else None
        except (OSError, ValueError, RecursionError) as error:
            raise ArgumentError(str(path), expected="a TOML file of settings", got=cut(str(error))) from error
        if found is None:
            got = f"one of more than {LARGEST_FILE:,} bytes"
            raise ArgumentError(str(path), expected="a TOML file of settings", got=got)
        known = [f.name for f in fields(cls)]
        if unknown := ", ".join(name for name in found if name not in known):
            raise ArgumentError(str(path), expected=f"only the settings {', '.join(known)}", got=cut(unknown))
        cls(**found)
        return found

    def toml(self) -> bytes:
        """The settings as TOML; those that are None are left out, or are comments that say what the optimizer chose."""
        given = {name: value for name, value in asdict(self).items() if value is not None}
        # JSON writes these types as TOML does, but for characters beyond 16 bits and for DEL.
        text = "".join(f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in given.items())
        _, _, lr, weight_decay = OPTIMIZERS[self.optimizer]
        chosen = {"lr": lr, "weight_decay": weight_decay}
        notes = [
            f"# {name} = {chosen[name]}, the default of {self.optimizer}\n" for name in chosen if name not in given
        ]
        return (text.replace("\x7f", r"\u007f") + "".join(notes)).encode("utf-8", "surrogateescape")

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
    of, limits, choices = kind(f), f.metadata["limits"], f.metadata["choices"]
    several = f.type == list[int]
    expected = f"one of {', '.join(choices)}" if choices else f"{WORDS[of]} {limits or ''}".rstrip()
    if several and not (isinstance(value, list) and len(value) <= MOST_LAYERS):
        raise ArgumentError(f.name, expected=f"a list of at most {MOST_LAYERS}, each {expected}", got=shown(value))
    for entry in value if several else [value]:
        fits = type(entry) is of or (of is float and type(entry) is int)
        if not fits or (limits and entry not in limits) or (choices and entry not in choices):
            raise ArgumentError(f.name, expected=expected, got=shown(entry))
    if of is str and value is not None and not is_file_name(value):
        raise ArgumentError(f.name, expected="a name that a file can have", got=shown(value))


def is_file_name(text: str) -> bool:
    """Whether a file may be called so: without NUL, and with no surrogates but those that stand for single bytes."""
    try:
        return b"\0" not in text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False


def shown(value: Any) -> str:
    """The repr of a value, or its type where that is endless."""
    try:
        return cut(repr(value))
    except (ValueError, RecursionError):  # an integer of too many digits, a list of too many levels
        return f"{type(value).__name__} of excessive size"


def cut(text: str) -> str:
    """A text of at most 200 characters."""
    return text if len(text) <= 200 else text[:200] + "…"

"""Training: the loop, its callbacks, its history and its checkpoints."""

from tinygrad_mlp.train import checkpoint
from tinygrad_mlp.train.callbacks import Checkpoint, EarlyStopping, Log, Progress
from tinygrad_mlp.train.history import History
from tinygrad_mlp.train.malloc import keep_freed_memory
from tinygrad_mlp.train.ranks import Ranks
from tinygrad_mlp.train.tensorboard import TensorBoard
from tinygrad_mlp.train.trainer import Callback, Trainer

__all__ = [
    "Callback",
    "Checkpoint",
    "EarlyStopping",
    "History",
    "Log",
    "Progress",
    "Ranks",
    "TensorBoard",
    "Trainer",
    "checkpoint",
    "keep_freed_memory",
]


def __dir__() -> list[str]:
    """The public names."""
    return __all__

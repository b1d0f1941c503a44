"""Training: the loop, its callbacks, its history and its checkpoints."""

from tinygrad_mlp.train import checkpoint as checkpoint
from tinygrad_mlp.train.callbacks import Callback as Callback
from tinygrad_mlp.train.callbacks import Checkpoint as Checkpoint
from tinygrad_mlp.train.callbacks import EarlyStopping as EarlyStopping
from tinygrad_mlp.train.callbacks import Log as Log
from tinygrad_mlp.train.callbacks import Progress as Progress
from tinygrad_mlp.train.history import History as History
from tinygrad_mlp.train.malloc import keep_freed_memory as keep_freed_memory
from tinygrad_mlp.train.trainer import Trainer as Trainer

"""Optimizers with PyTorch's update equations, schedules of the learning rate, and bounds on gradients."""

from tinygrad_mlp.optim import schedules as schedules
from tinygrad_mlp.optim.adam import Adam as Adam
from tinygrad_mlp.optim.adam import AdamW as AdamW
from tinygrad_mlp.optim.clipping import clip_grad_norm as clip_grad_norm
from tinygrad_mlp.optim.clipping import clip_grad_value as clip_grad_value
from tinygrad_mlp.optim.optimizer import Optimizer as Optimizer
from tinygrad_mlp.optim.sgd import SGD as SGD

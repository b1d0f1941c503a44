"""Tables of rules, one file per family. Importing this package registers them all."""

from tinygrad_mlp.ops import activations, elementwise, linear, losses, reductions, shaping

__all__ = ["activations", "elementwise", "linear", "losses", "reductions", "shaping"]

"""``python -m tinygrad_mlp`` is ``tinygrad-mlp``."""

import sys

from tinygrad_mlp.commands.cli import main

sys.exit(main())

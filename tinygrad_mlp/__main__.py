"""``python -m tinygrad_mlp`` is ``tinygrad-mlp``."""

import sys

from tinygrad_mlp.cli import main

sys.exit(main())

"""What only the command ``tinygrad-mlp`` needs: its parser, a run in a directory, the report of a run."""

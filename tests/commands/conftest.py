"""The fixture that runs commands."""

import pytest

from tinygrad_mlp.commands.cli import main


@pytest.fixture
def call(capsys):
    """Run a command in this process: exit status, and the lines on standard output and standard error."""

    def call(*arguments):
        capsys.readouterr()
        try:
            status = main(list(map(str, arguments)))
        except SystemExit as end:
            status = end.code
        captured = capsys.readouterr()
        return status, captured.out.splitlines(), captured.err.splitlines()

    return call

"""Tables inside a test: where one row fails, the failure says which."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def row(name: object) -> Iterator[None]:
    """Run the check of one row; what it raises carries the row's name."""
    try:
        yield
    except pytest.fail.Exception as error:  # pytest prints its message, and no notes
        error.msg = f"{error.msg}, in the row {name}"
        raise
    except Exception as error:
        error.add_note(f"in the row {name}")
        raise

"""Pages are run in a directory of their own, and what they draw there must be what is shown beside them."""

import shutil

import pytest
from svg_words import words


@pytest.fixture(autouse=True)
def drawn(request, tmp_path, monkeypatch):
    """To draw a picture anew, delete it and run its page: the new one is put in its place, for you to look at."""
    monkeypatch.chdir(tmp_path)
    yield
    for anew in tmp_path.glob("*.svg"):
        shown = request.path.parent / anew.name
        if not shown.exists():
            shutil.copy(anew, shown)
            pytest.fail(f"{shown} was missing, and is drawn anew")
        assert words(anew.read_text("utf-8")) == words(shown.read_text("utf-8")), f"{shown} is out of date"

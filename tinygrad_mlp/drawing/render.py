"""From DOT text to pictures, with whichever graphviz there is. The only part that touches the graphviz package."""

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import graphviz

from tinygrad_mlp.drawing.dot import dot_body
from tinygrad_mlp.drawing.html import page
from tinygrad_mlp.drawing.picture import Picture
from tinygrad_mlp.drawing.styles import THEMES
from tinygrad_mlp.errors import RendererNotFound
from tinygrad_mlp.files import write_atomically

VARIABLE = "TINYGRAD_MLP_DOT"
SECONDS = 120
INSTALL = "pip install graphviz-pure; for PDF as well, Graphviz itself: apt install graphviz, brew install graphviz."


class Digraph(graphviz.Digraph):  # type: ignore[misc]  # graphviz has no types
    """A `graphviz.Digraph` that shows itself in notebooks with whichever renderer there is, else as text."""

    def __init__(self, picture: Picture, *, theme: str, shapes: bool, direction: str) -> None:
        super().__init__("graph", body=dot_body(picture, THEMES[theme], shapes=shapes, direction=direction))
        self.picture = picture
        self.theme = theme
        self.shapes = shapes
        self.direction = direction

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None, **_: Any) -> dict[str, str]:
        try:
            return {"image/svg+xml": render(self.source, "svg").decode()}
        except Exception:  # a notebook that raises while it shows a result hides the result
            return {"text/plain": self.source}

    def page(self) -> str:
        """The drawing as an HTML page, which switches themes by itself and therefore starts from the light one."""
        light = Digraph(self.picture, theme="light", shapes=self.shapes, direction=self.direction)
        return page(self.picture, render(light.source, "svg").decode(), self.theme)

    def save_as(self, path: Path) -> None:
        """Write the drawing in the format that the file's name ends in.

        Raises
        ------
        RendererNotFound
            If it cannot be rendered. The DOT text is in a file of that name ending in ``.dot`` then.
        """
        kind = path.suffix[1:].lower()
        if kind in ("dot", "gv"):
            write_atomically(path, self.source.encode())
            return
        try:
            content = self.page().encode() if kind == "html" else render(self.source, kind)
        except RendererNotFound as error:
            text = path.with_suffix(".dot")
            write_atomically(text, self.source.encode())
            error.add_note(f"The drawing is in {text}, as text.")
            raise
        write_atomically(path, content)


def renderers() -> list[str]:
    """The programs that can be tried, best first."""
    if chosen := os.environ.get(VARIABLE):
        return [chosen]
    scripts = [sysconfig.get_path("scripts"), sysconfig.get_path("scripts", f"{os.name}_user")]
    beside = os.pathsep.join([os.environ.get("PATH", os.defpath), *scripts])
    found = shutil.which("dot"), shutil.which("graphviz-pure", path=beside)
    return [program for program in found if program is not None]


def render(source: str, kind: str) -> bytes:
    """Run the first renderer that can make this ``kind`` ("svg", "png", "pdf", …) of picture.

    Raises
    ------
    RendererNotFound
        If there is none, or each of them failed; the message holds what they said.
    """
    complaints = []
    for program in renderers():
        try:
            run = subprocess.run(  # noqa: S603 - the user's own dot
                [program, f"-T{kind}"], input=source.encode(), capture_output=True, check=True, timeout=SECONDS
            )
        except subprocess.CalledProcessError as error:
            complaints.append(f"{program}: {error.stderr.decode(errors='replace').strip()[-200:]}")
        except (OSError, subprocess.TimeoutExpired) as error:
            complaints.append(f"{program}: {error}")
        else:
            return run.stdout
    raise RendererNotFound(
        "draw", expected=f"a program that renders {kind or 'the format after the dot'}",
        got="; ".join(complaints) or f"neither {VARIABLE}, nor dot, nor graphviz-pure", fix=INSTALL,
    )  # fmt: skip

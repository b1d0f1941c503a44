"""From DOT text to pictures, with whichever graphviz there is. The only part that touches the graphviz package."""

import html
import os
import shutil
import subprocess
import sysconfig
import time
from pathlib import Path
from typing import Any

import graphviz

from tinygrad_mlp.drawing.dot import dot_body
from tinygrad_mlp.drawing.html import page
from tinygrad_mlp.drawing.picture import Picture, View
from tinygrad_mlp.drawing.styles import THEMES
from tinygrad_mlp.errors import RendererNotFound
from tinygrad_mlp.files import write_atomically

try:
    from resource import RLIMIT_CPU, prlimit
except ImportError:  # not Linux
    prlimit = None  # type: ignore[assignment]

VARIABLE = "TINYGRAD_MLP_DOT"
TIME_LIMIT = 10.0
FRAME = '<iframe srcdoc="{}" style="width: 100%; height: 720px; border: 0"></iframe>'  # in a notebook
FIRST_TRY = 0.6  # share of the time that is left for a drawing which a simpler one can replace
INSTALL = "pip install graphviz-pure; for PDF as well, Graphviz itself: apt install graphviz, brew install graphviz."


class LayoutTimeoutError(RendererNotFound):
    """The renderer did not finish in time."""


class Digraph(graphviz.Digraph):  # type: ignore[misc]  # graphviz has no types
    """A `graphviz.Digraph` that shows itself in notebooks with whichever renderer there is, else as text.

    Parameters
    ----------
    pictures : list of Picture
        The drawing, and simpler ones, of which the first whose layout takes no longer than ``time_limit`` is shown.
    theme, shapes, direction, time_limit
        See `tinygrad_mlp.to_dot`.

    Attributes
    ----------
    views : list of View
        What the HTML page shows, if the drawing was made for it; those of whole levels of modules come first.
    levels : int
        How many these are.
    """

    def __init__(
        self, pictures: list[Picture], *, theme: str, shapes: bool, direction: str, time_limit: float = TIME_LIMIT
    ) -> None:
        super().__init__("graph", body=dot_body(pictures[0], THEMES[theme], shapes=shapes, direction=direction))
        self.pictures = pictures
        self.views: list[View] = []
        self.levels = 1
        self.theme = theme
        self.shapes = shapes
        self.direction = direction
        self.time_limit = time_limit

    @property
    def picture(self) -> Picture:
        """The boxes and edges, as plain data."""
        return self.pictures[0]

    def of(self, pictures: list[Picture], theme: str) -> "Digraph":
        """Other pictures, drawn with the same options."""
        options: dict[str, Any] = {
            "shapes": self.shapes, "direction": self.direction, "time_limit": self.time_limit
        }  # fmt: skip
        return Digraph(pictures, theme=theme, **options)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None, **_: Any) -> dict[str, str]:
        try:
            still = {"image/svg+xml": self.rendered("svg").decode()}  # for what shows no frames, such as a PDF
            return still | ({"text/html": FRAME.format(html.escape(self.page()))} if self.views else {})
        except Exception:  # a notebook that raises while it shows a result hides the result
            return {"text/plain": self.source}

    def rendered(self, kind: str) -> bytes:
        """The drawing in a format ("svg", "png", "pdf", …)."""
        return self.laid_out(kind)[1]

    def laid_out(self, kind: str) -> tuple[Picture, bytes]:
        """The drawing in a format, and what it shows, which is less if the layout of all took too long.

        Raises
        ------
        RendererNotFound
            If no program here makes that format, or even the simplest drawing took too long.
        """
        end = time.monotonic() + self.time_limit
        *tries, last = self.pictures
        for picture in tries:
            try:
                seconds = FIRST_TRY * (end - time.monotonic())
                return picture, render(self.of([picture], self.theme).source, kind, seconds)
            except LayoutTimeoutError:
                continue
        return last, render(self.of([last], self.theme).source, kind, end - time.monotonic())

    def page(self) -> str:
        """The drawing as an HTML page, which switches themes by itself and therefore starts from the light one.

        Views whose layout takes too long are left out.
        """
        end = time.monotonic() + self.time_limit
        views = self.views or [View(self.picture, {}, {})]
        svgs: list[str | None] = []
        for view in views:
            try:
                seconds = FIRST_TRY * (end - time.monotonic())
                svgs.append(render(self.of([view.picture], "light").source, "svg", seconds).decode())
            except LayoutTimeoutError:
                svgs.append(None)
        if not any(svgs):
            picture, svg = self.of(self.pictures, "light").laid_out("svg")
            return page([View(picture, {}, {})], [svg.decode()], 1, self.theme)
        return page(views, svgs, self.levels, self.theme)

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
            content = self.page().encode() if kind == "html" else self.rendered(kind)
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


def render(source: str, kind: str, seconds: float = TIME_LIMIT) -> bytes:
    """Run the first renderer that can make this ``kind`` ("svg", "png", "pdf", …) of picture.

    Raises
    ------
    LayoutTimeoutError
        If it takes longer than so many seconds.
    RendererNotFound
        If there is none, or each of them failed; the message holds what they said.
    """
    complaints = []
    for program in renderers():
        try:
            return run(program, source, kind, seconds)
        except subprocess.CalledProcessError as error:
            complaints.append(f"{program}: {error.stderr.decode(errors='replace').strip()[-200:]}")
        except OSError as error:
            complaints.append(f"{program}: {error}")
        except subprocess.TimeoutExpired as error:
            raise LayoutTimeoutError(
                "draw", expected="a layout within the time limit", got=f"none from {program} in {seconds:.2g} s",
                fix="Raise time_limit, or fold more: with depth=, or with a smaller max_nodes.",
            ) from error  # fmt: skip
    raise RendererNotFound(
        "draw", expected=f"a program that renders {kind or 'the format after the dot'}",
        got="; ".join(complaints) or f"neither {VARIABLE}, nor dot, nor graphviz-pure", fix=INSTALL,
    )  # fmt: skip


def run(program: str, source: str, kind: str, seconds: float) -> bytes:
    """Run one renderer, which does not outlive the time it is given, even if Python is killed meanwhile."""
    command = [program, f"-T{kind}"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as process:  # noqa: S603 - the user's own dot
        try:
            if prlimit is not None:
                prlimit(process.pid, RLIMIT_CPU, (int(seconds) + 2, int(seconds) + 2))
            out, err = process.communicate(source.encode(), timeout=seconds)
        finally:
            process.kill()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, out, err)
    return out

"""The legend: one entry for whatever in a drawing needs an explanation, and none for what the drawing does not have."""

from collections.abc import Callable

from tinygrad_mlp.drawing.labels import plain_html
from tinygrad_mlp.drawing.picture import Kind, Picture, State
from tinygrad_mlp.drawing.styles import Theme

Present = Callable[[Picture], bool]


def has(kind: Kind) -> Present:
    """Whether there is a box of some kind."""
    return lambda picture: any(box.kind is kind for box in picture.boxes)


def state(*states: State) -> Present:
    """Whether an edge or a box is in one of some states."""
    return lambda picture: (
        any(e.gradient.state in states for e in picture.edges)
        or any(box.gradient.state in states for box in picture.boxes if box.parameters)
    )


# What it is about, in the order of the legend; the words; the role of the colours; the style of the border.
SWATCHES: tuple[tuple[Present, str, str, str], ...] = (
    (has(Kind.DATA), "data", "data", "solid"),
    (has(Kind.PARAMETER), "parameter", "parameter", "rounded"),
    (lambda p: any(box.frozen for box in p.boxes), "frozen", "frozen", "rounded,dashed"),
    (has(Kind.OP), "op", "op", "rounded"),
    (lambda p: any(box.kept is not None and box.kind is Kind.OP for box in p.boxes), "bold: result kept", "op", "bold"),
    (has(Kind.MODULE), "folded", "module", "solid"),
    (lambda p: any(box.output for box in p.boxes), "output", "output", "solid"),
    (lambda p: any(is_trouble(box.health, box.masked, box.kind) for box in p.boxes), "NaN or Inf", "trouble", "bold"),
    (state(State.ZERO, State.NONE), "gradient 0, or none", "warning", "solid"),
)  # fmt: skip
EDGES: tuple[tuple[Callable[[Picture, bool], bool], str], ...] = (
    (lambda p, shapes: shapes and any(e.shape for e in p.edges), "shape"),
    (lambda p, _: any(is_norm(e.gradient.found) for e in p.edges), "norm of gradient"),
    (lambda p, _: state(State.NOT_NEEDED)(Picture([], p.edges, [], [], [], [])), "dotted: needs no gradient"),
    (lambda p, _: any(e.stretched is not None for e in p.edges), "dashed: broadcast"),
    (lambda p, _: any(e.loops for e in p.edges), "dashed and upwards: to the next repeat"),
)


def is_trouble(health: str, masked: bool, kind: Kind) -> bool:
    """Whether a box says that something is not finite."""
    return not masked and kind is not Kind.FAILED and ("NaN" in health or "Inf" in health)


def is_norm(found: object) -> bool:
    """Whether a gradient is shown by its norm; that of a scalar is shown itself."""
    return getattr(found, "size", 1) > 1


def legend(picture: Picture, theme: Theme, *, shapes: bool) -> str:
    """The entries that this drawing needs, as a table."""
    cells = [
        swatch(
            text,
            getattr(theme, role),
            theme.parameter_line if role == "frozen" else getattr(theme, f"{role}_line"),
            style,
        )
        for present, text, role, style in SWATCHES
        if present(picture)
    ]
    said = ", ".join(text for present, text in EDGES if present(picture, shapes))
    if said:
        cells.append(swatch(f"arrows: {said}", theme.background, theme.background, "solid"))
    if not cells:
        return ""
    return f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="4" CELLPADDING="2"><TR>{"".join(cells)}</TR></TABLE>'


def swatch(text: str, fill: str, line: str, style: str) -> str:
    """One entry."""
    width, style = (2, "rounded") if style == "bold" else (1, style)
    return f'<TD BORDER="{width}" COLOR="{line}" BGCOLOR="{fill}" STYLE="{style}">{plain_html(text)}</TD>'

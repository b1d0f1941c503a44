"""The text in boxes: HTML-like tables, the footer, and escaping, so that user text is shown literally.

Labels stay within Latin-1 and a few symbols, which every renderer has glyphs for; other characters are written as
Python writes them in ASCII (``\\u2207``).
"""

import html
import math
import textwrap
from collections.abc import Mapping

from tinygrad_mlp.drawing.picture import Box, Gradient, Picture, State
from tinygrad_mlp.drawing.statistics import number, shape_text, signed
from tinygrad_mlp.drawing.styles import SMALL, Theme

ASCII = str.maketrans({"→": "->", "←": "<-", "−": "-", "–": "-", "…": "...", "∇": "grad ", "≤": "<=", "≥": ">="})
LINE = 110
MOST_TERMS = 6
SYMBOLS = "δ₀₁₂₃₄₅₆₇₈₉"  # for the names of the document


def parameter(box: Box, theme: Theme, *, shapes: bool) -> str:
    """The table of a parameter, with a cell for its gradient."""
    outline = theme.warning_line if box.gradient.state is State.ZERO else theme.parameter_line
    fill = theme.frozen if box.frozen else theme.parameter
    if box.health:
        outline, fill = theme.trouble_line, theme.trouble
    if box.output is not None:
        outline, fill = theme.output_line, theme.output
    rows = [f"<B>{plain_html(box.title)}</B>"]
    if shapes:
        count = f" · {box.parameters:,}" if len(box.shape or ()) > 1 else ""
        rows.append(plain_html(shape_text(box.shape or ()) + count))
    if box.health:
        rows.append(plain_html(box.health))
    elif box.found is not None:
        single = box.parameters == 1
        rows.append(signed(box.found.mean) if single else f"{number(box.found.mean)} ± {number(box.found.std)}")
    if box.frozen:
        rows.append("<I>frozen</I>")
    style = "rounded,dashed" if box.frozen else "rounded"
    border = 2 if box.health else 1
    return (
        f'<<TABLE BORDER="{border}" CELLBORDER="0" CELLSPACING="4" CELLPADDING="3" STYLE="{style}" '
        f'COLOR="{outline}" BGCOLOR="{fill}"><TR><TD>{"<BR/>".join(rows)}</TD></TR>'
        f"<TR>{gradient_cell(box.gradient, theme)}</TR></TABLE>>"
    )


def gradient_cell(gradient: Gradient, theme: Theme) -> str:
    """What is known of a gradient, shaded by the logarithm of its norm from 1e-6 to 10."""
    text = plain_html(f"gradient: {words(gradient)}")
    found = gradient.found
    if gradient.state is State.NUMBER and found is not None and found.finite:
        level = (math.log10(found.norm) + 6) / 7 if found.norm > 0 else 0
        shade = theme.shades[max(0, min(int(level * len(theme.shades)), len(theme.shades) - 1))]
        return f'<TD BGCOLOR="{shade}">{text}</TD>'
    if gradient.state is State.NUMBER:
        return f'<TD BORDER="2" COLOR="{theme.trouble_line}" BGCOLOR="{theme.trouble}">{text}</TD>'
    if gradient.state in (State.ZERO, State.NONE):
        return f'<TD BORDER="1" COLOR="{theme.warning_line}" BGCOLOR="{theme.warning}">{text}</TD>'
    if gradient.state is State.NOT_RUN:
        return f'<TD BORDER="1" STYLE="dashed" COLOR="{theme.muted}" BGCOLOR="{theme.background}">{text}</TD>'
    return f'<TD><FONT COLOR="{theme.muted}">{text}</FONT></TD>'


def words(gradient: Gradient) -> str:
    """A gradient in words."""
    if gradient.state is State.NUMBER and gradient.found is not None:
        return gradient.found.trouble or ("norm " if gradient.found.size > 1 else "") + size_text(gradient)
    return "0" if gradient.found is not None and gradient.found.size == 1 else gradient.state.value


def size_text(gradient: Gradient) -> str:
    """The norm of a gradient; where it stands for several, from the smallest to the largest; a scalar with its sign."""
    assert gradient.found is not None  # noqa: S101 - the callers have looked
    if gradient.found.size == 1:
        terms = [f"({signed(term)})" if term < 0 else signed(term) for term in gradient.terms]
        said = " + ".join(terms) if len(terms) <= MOST_TERMS else f"a sum of {len(terms)} terms"
        return signed(gradient.found.mean) + (f" = {said}" if said else "")
    if gradient.norms is None or number(gradient.norms[0]) == number(gradient.norms[1]):
        return number(gradient.found.norm if gradient.norms is None else gradient.norms[0])
    return f"{number(gradient.norms[0])} to {number(gradient.norms[1])}"


def footer(picture: Picture, notes: list[str], legend: str) -> str:
    """What the network is, what the reader must know, and the legend."""
    rows = [f"<B>{plain_html(line)}</B>" for line in filled(picture.facts)]
    rows += [plain_html(line) for note in notes for line in textwrap.wrap(note, LINE)]
    body = "".join(f"<TR><TD>{row}</TD></TR>" for row in [*rows, *([legend] if legend else [])])
    return f'<<FONT POINT-SIZE="{SMALL}"><TABLE BORDER="0" CELLSPACING="0" CELLPADDING="2">{body}</TABLE></FONT>>'


def filled(facts: list[str]) -> list[str]:
    """Facts in lines, none of them broken in two."""
    lines = facts[:1]
    for fact in facts[1:]:
        joined = f"{lines[-1]} · {fact}"
        lines[-1:] = [joined] if len(joined) <= LINE else [lines[-1], fact]
    return lines


def attributes(values: Mapping[str, object]) -> str:
    """``name="value"`` pairs; a list is a label of several lines."""
    return " ".join(f"{name}={quoted(value)}" for name, value in values.items())


def quoted(value: object) -> str:
    """A DOT string in which nothing of the user's means anything to graphviz."""
    lines = value if isinstance(value, list) else [value]
    escaped = (latin1(str(line)).replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"') for line in lines)
    return '"' + "\\n".join(escaped) + '"'


def plain_html(text: str) -> str:
    """Text inside an HTML-like label, in which ``\\N`` would be the name of the box."""
    return html.escape(latin1(text)).replace("\\", "\\\\")


def latin1(text: str) -> str:
    """Printable Latin-1, and the symbols.

    >>> latin1("784 → 128"), latin1("π\\n")
    ('784 -> 128', '\\\\u03c0\\\\n')
    """
    return "".join(
        c if (c.isprintable() and ord(c) < 256) or c in SYMBOLS else c.encode("unicode_escape").decode()
        for c in text.translate(ASCII)
    )

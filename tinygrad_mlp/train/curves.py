"""The curves of a history as SVG in HTML, for notebooks."""

import html
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 360, 220, 64, 12, 28, 24
COLOURS = "#3b82c4", "#d9822b", "#3a9e5c", "#b05cc0", "#c94f4f"  # told apart on white and on black
UNPLOTTED = {"epoch", "seconds"}


def curves(rows: Sequence[Mapping[str, Any]]) -> str:
    """A plot for each kind of measure, which is the last word of its name: train_loss and val_loss share one.

    >>> print(curves([]))
    <p>no epochs yet</p>
    """
    if not rows:
        return "<p>no epochs yet</p>"
    kinds: dict[str, dict[str, list[float | None]]] = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        column = [row.get(name) for row in rows]
        if name not in UNPLOTTED and any(plotted(value) for value in column):
            kinds.setdefault(name.rpartition("_")[2], {})[name] = column
    epochs = [row.get("epoch", i) for i, row in enumerate(rows, start=1)]
    return f"<div>{''.join(plot(epochs, measures) for measures in kinds.values())}</div>"


def plotted(value: Any) -> bool:
    """Whether a value is a number that has a place on an axis."""
    return isinstance(value, (int, float)) and math.isfinite(value)


def plot(epochs: list[Any], measures: dict[str, list[Any]]) -> str:
    """Some measures over the epochs, on one axis."""
    values = [value for column in measures.values() for value in column if plotted(value)]
    scale = float(max(map(abs, values))) or 1.0  # so that neither the smallest nor the largest numbers are out of range
    low, high = float(min(values)) / scale, float(max(values)) / scale
    if low == high:
        low, high = low - 0.5, high + 0.5

    def across(i: int) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (i / (len(epochs) - 1) if len(epochs) > 1 else 0.5)

    def up(value: Any) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (float(value) / scale - low) / (high - low)

    parts = [
        f'<svg width="{WIDTH}" height="{HEIGHT}" font-size="11" fill="currentColor" role="img" '
        f'aria-label="{html.escape(", ".join(measures))} over {len(epochs)} epochs">',
        f'<path d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}" fill="none" stroke="currentColor" opacity="0.5"/>',
    ]
    parts += [text(LEFT - 4, up(value) + 4, f"{value:.4g}", "end") for value in (low * scale, high * scale)]
    ends = sorted({0, len(epochs) - 1})
    parts += [text(across(i), HEIGHT - 8, str(epochs[i]), "middle") for i in ends]
    for i, (name, column) in enumerate(measures.items()):
        colour = COLOURS[i % len(COLOURS)]
        for stretch in stretches(column):
            points = [f"{across(k):.1f} {up(column[k]):.1f}" for k in stretch]
            drawn = f"M{'L'.join(points)}" if len(points) > 1 else f"M{points[0]}h0"  # of one value, a dot
            parts.append(f'<path d="{drawn}" fill="none" stroke="{colour}" stroke-width="2" stroke-linecap="round"/>')
        last = next(value for value in reversed(column) if plotted(value))
        place = LEFT + i * (WIDTH - LEFT - RIGHT) / len(measures)
        parts.append(text(place, 14, f"{name} {last:.4g}", "start", colour))
    return "".join([*parts, "</svg>"])


def stretches(column: list[Any]) -> Iterator[list[int]]:
    """Where a measure has values: the positions, a new list after each gap, NaN or infinity."""
    stretch: list[int] = []
    for i, value in enumerate([*column, None]):
        if plotted(value):
            stretch.append(i)
        elif stretch:
            yield stretch
            stretch = []


def text(x: float, y: float, words: str, anchor: str, colour: str = "currentColor") -> str:
    """Words at a place."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{html.escape(words)}</text>'

"""The drawing as one self-contained HTML page: the SVG, its data as JSON, and a script and style sheet of ours."""

import html
import json
import linecache
from collections.abc import Callable
from dataclasses import fields
from importlib.resources import files
from pathlib import Path
from typing import Any

from tinygrad_mlp.drawing.labels import words
from tinygrad_mlp.drawing.op_labels import short
from tinygrad_mlp.drawing.picture import Box, Edge, Kind, View
from tinygrad_mlp.drawing.statistics import Statistics, number, percent, seconds, shape_text, size_of
from tinygrad_mlp.drawing.styles import THEMES, Theme
from tinygrad_mlp.rules import RULES

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"


def page(views: list[View], svgs: list[str | None], levels: int, theme: str = "light") -> str:
    """A page that shows the views of a graph, and lets one explore them.

    Parameters
    ----------
    views : list of View
        What the SVGs show.
    svgs : list of str or None
        As graphviz wrote them, in the light theme; None for a view that is left out.
    levels : int
        How many of the views, the first ones, are those of whole levels of modules. The page starts with the last of
        them that fits the reader's screen.
    theme : {"light", "dark", "print"}
        Colours that the page starts with. With "light" it follows the reader's system.
    """
    picture = views[0].picture
    fixed = {"dark": ' data-theme="dark"', "print": ' data-theme="light"'}.get(theme, "")
    title = html.escape(picture.facts[0] if picture.facts else "graph")
    kept = {i: n for n, i in enumerate(i for i, svg in enumerate(svgs) if svg is not None)}
    told = {
        "levels": [n for i, n in kept.items() if i < levels],
        "views": [contents(view, kept) for view, svg in zip(views, svgs, strict=True) if svg is not None],
    }
    data = json.dumps(told, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    drawings = "".join(
        f"<template>{variables(svg[svg.index('<svg') :])}</template>\n" for svg in svgs if svg is not None
    )
    return f"""<!doctype html>
<html lang="en"{fixed}>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<title>{title}: computation graph</title>
<style>
{colours()}
{asset("tinygrad_mlp.drawing", "page.css")}</style>
<header>
<h1>{title}</h1>
<label>Search <input id="search" type="search" placeholder="op, parameter, module" autocomplete="off"></label>
<output id="found"></output>
<label>Levels <input id="level" type="range" min="0" max="0" value="0"></label>
<button id="fit" title="Show all (0)">Fit</button>
<button id="theme" title="Light or dark">Theme</button>
</header>
<main>
<div id="view" tabindex="0" aria-label="The graph. Arrow keys move it, plus and minus zoom, Tab goes from box to box.">
</div>
<aside id="panel" aria-live="polite" hidden></aside>
</main>
<footer id="footer">
<label for="step">Step through backward</label>
<button id="back" aria-label="One op back">&#9664;</button>
<input id="step" type="range" min="0" max="0" value="0">
<button id="next" aria-label="One op on">&#9654;</button>
<output id="told" for="step" aria-live="polite"></output>
</footer>
{drawings}<script type="application/json" id="data">{data}</script>
<script>
{asset("tinygrad_mlp.drawing", "page.js")}</script>
</html>
"""


def asset(package: str, name: str) -> str:
    """A text file that travels with a package."""
    return (files(package) / name).read_text(encoding="utf-8")


def roles(theme: Theme) -> dict[str, str]:
    """Name of the CSS variable of each colour."""
    named = {f.name.replace("_", "-"): getattr(theme, f.name) for f in fields(theme) if f.name != "shades"}
    return named | {f"shade-{i}": colour for i, colour in enumerate(theme.shades)}


def colours() -> str:
    """The themes as CSS variables."""
    light, dark = (
        "".join(f"--{role}:{colour};" for role, colour in roles(THEMES[name]).items()) for name in ("light", "dark")
    )
    return (
        f":root{{color-scheme:light;{light}}}\n"
        f"@media (prefers-color-scheme:dark){{:root:not([data-theme=light]){{color-scheme:dark;{dark}}}}}\n"
        f":root[data-theme=dark]{{color-scheme:dark;{dark}}}"
    )


def variables(svg: str) -> str:
    """The SVG with variables in the place of the colours of the light theme."""
    for role, colour in roles(THEMES["light"]).items():
        svg = svg.replace(f'"{colour}"', f'"var(--{role})"')
    return svg


def contents(view: View, kept: dict[int, int]) -> dict[str, Any]:
    """What the script needs of a view, as text ready to be shown; ``kept`` are the new numbers of the views."""
    picture = view.picture
    boxes = {box.id: box for box in picture.boxes}
    edges = {e.id: e for e in picture.edges}
    return {
        "boxes": {box.id: shown(box) for box in picture.boxes},
        "opens": {box: kept[i] for box, i in view.opens.items() if i in kept},
        "folds": {cluster: kept[i] for cluster, i in view.folds.items() if i in kept},
        "edges": {
            e.id: {
                "source": e.source,
                "target": e.target,
                "about": about(e, boxes),
                "gradient": f"; gradient: {words(e.gradient)}",
            }
            for e in picture.edges
        },
        "steps": [
            {
                "box": step.box,
                "edges": step.edges,
                "op": boxes[step.box].title,
                "told": [
                    {"to": named(boxes[edges[e].source]), "equation": equation, "gradient": words(edges[e].gradient)}
                    for e, equation in zip(step.edges, step.equations, strict=True)
                ],
            }
            for step in picture.steps
        ],
    }


def named(box: Box) -> str:
    """What a box is called in a sentence."""
    return box.symbol or box.title


def shown(box: Box) -> dict[str, Any]:
    """The side panel of a box: lines of name and text, rules, and the two sets of statistics."""
    lines = [("kind", box.kind.value + (", output" if box.output else "") + (", frozen" if box.frozen else ""))]
    if box.where:
        lines.append(("error" if box.kind is Kind.FAILED else "module", box.where))
    if box.shape is not None:
        lines.append(("shape", f"{shape_text(box.shape)} {box.dtype}"))
    if box.parameters:
        lines.append(("parameters", f"{box.parameters:,}"))
    if box.kind in (Kind.OP, Kind.MODULE):
        kept = "no" if box.kept is None else size_of(box.kept) if box.kept else "yes, in memory counted elsewhere"
        lines.append(("kept for backward", kept))
    if box.cost is not None:
        lines.append(("time forward", seconds(box.cost.forward)))
        lines.append(("time backward", seconds(box.cost.backward)))
        lines.append(("bytes of the result", size_of(box.cost.result)))
    if box.value is not None:
        lines.append((box.output or "value", f"{box.value:.6g}"))
    if box.health:
        lines.append(("health", box.health))
    return {
        "title": box.title,
        "lines": lines,
        "rules": [rule for function in dict.fromkeys(box.functions) for rule in rule_lines(function)],
        "value": statistics_lines(box.found),
        "gradient": {"state": words(box.gradient)} | statistics_lines(box.gradient.found),
    }


def statistics_lines(found: Statistics | None) -> dict[str, Any]:
    """Statistics as text, and the histogram."""
    if found is None:
        return {}
    lines = [
        ("mean ± std", f"{number(found.mean)} ± {number(found.std)}"),
        ("range", f"{number(found.low)} to {number(found.high)}"),
        ("norm", number(found.norm)),
        ("zeros", percent(found.zeros, found.size)),
    ]
    if found.trouble:
        lines.append(("not finite", found.trouble))
    return {"lines": lines, "histogram": found.histogram, "low": number(found.low), "high": number(found.high)}


def rule_lines(function: Callable[..., Any]) -> list[dict[str, str]]:
    """The source line of each backward rule of an op, as registered."""
    found = []
    for rule in RULES.get(function, ()):
        code = getattr(rule, "__code__", None)
        if code is not None:
            line = linecache.getline(code.co_filename, code.co_firstlineno).strip()
            where = f"{Path(code.co_filename).name}, line {code.co_firstlineno}"
            found.append({"op": short(function), "where": where, "line": line})
    return found


def about(e: Edge, boxes: dict[str, Box]) -> str:
    """An edge in words."""
    stretched = f", broadcast to {shape_text(e.stretched)}" if e.stretched is not None else ""
    times = f", used {e.times} times" if e.times > 1 else ""
    return f"{boxes[e.source].title} to {boxes[e.target].title}: {shape_text(e.shape)}{stretched}{times}"

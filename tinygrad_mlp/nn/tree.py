"""A tree of modules as HTML whose branches open and close, for notebooks."""

import html
from collections.abc import Iterable


def tree(lines: Iterable[tuple[int, str]]) -> str:
    """Lines with their depths, a deeper one inside the one before it, as nested ``<details>``; the first is open.

    >>> print(tree([(0, "a"), (1, "b <c>")]))
    <div style="font-family: monospace">
    <details open><summary>a</summary>
    <div style="margin-left: 2.2em">b &lt;c&gt;</div>
    </details>
    </div>
    """
    given = list(lines)
    parts = ['<div style="font-family: monospace">']
    branches: list[int] = []  # the depths of those that are open
    for (depth, text), (after, _) in zip(given, [*given[1:], (0, "")], strict=True):
        while branches and branches[-1] >= depth:
            branches.pop()
            parts.append("</details>")
        if after > depth:
            branches.append(depth)
            shown = ' style="margin-left: 1.2em"' if depth else " open"
            parts.append(f"<details{shown}><summary>{html.escape(text)}</summary>")
        else:
            parts.append(f'<div style="margin-left: {2.2 if depth else 0}em">{html.escape(text)}</div>')
    return "\n".join([*parts, *["</details>" for _ in branches], "</div>"])

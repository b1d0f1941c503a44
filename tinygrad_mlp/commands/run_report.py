"""One HTML file about a training run: its graph, curves, confusion matrix, weights, settings and epochs."""

import base64
import html
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tinygrad_mlp.commands.streams import printable
from tinygrad_mlp.drawing import to_dot
from tinygrad_mlp.drawing.html import POLICY, asset, colours, variables
from tinygrad_mlp.errors import DataError, RendererNotFound
from tinygrad_mlp.files import write_atomically

PICTURES = {
    "curves.png": "Loss and accuracy",
    "confusion.png": "Confusion matrix",
    "weights.png": "Weights of the first layer",
    "errors.png": "The most confident mistakes",
}


def write_report(
    directory: str | Path, *outputs: Any, model: Any = None, notes: Mapping[str, str] | None = None
) -> Path:
    """Write ``report.html`` into the directory of a training run.

    Parameters
    ----------
    directory : str or Path
        Directory of a run, with ``history.json`` and ``config.toml``. Pictures that are missing are left out, and
        the report says so.
    *outputs : Tensor
        Results whose graph is shown, such as the loss on a batch (`tinygrad_mlp.commands.network.network_loss`).
    model : Module, optional
        See `tinygrad_mlp.to_dot`.
    notes : mapping, optional
        Sentences to stand in sections, by the titles of these.

    Returns
    -------
    Path
        Path of the report.

    Raises
    ------
    DataError
        If the directory holds no run.
    """
    directory = Path(directory)
    try:
        history = json.loads((directory / "history.json").read_text(encoding="utf-8"))
        config = (directory / "config.toml").read_text(encoding="utf-8", errors="backslashreplace")
    except (OSError, ValueError) as error:
        raise DataError(
            str(directory), expected="a training run with history.json and config.toml", got=str(error)
        ) from error
    parts = {"Computation graph": graph(outputs, model)} if outputs else {}
    parts |= {title: picture(directory / name) for name, title in PICTURES.items()}
    parts |= {"Epochs": table(history), "Settings": f"<pre>{html.escape(config)}</pre>"}
    sections = [section(title, content, (notes or {}).get(title, "")) for title, content in parts.items()]
    path = directory / "report.html"
    title = html.escape(f"Training run {printable(directory.resolve().name)}")
    body = "\n".join(sections)
    content = f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<title>{title}</title>
<style>
{colours()}
{asset("tinygrad_mlp.commands", "run_report.css")}</style>
<h1>{title}</h1>
{summary(history)}
{body}
</html>
"""
    write_atomically(path, content.encode("utf-8", "backslashreplace"))
    return path


def section(title: str, content: str, note: str = "") -> str:
    """A part of the report under its heading, with a sentence about it."""
    said = f"<p>{html.escape(note)}</p>\n" if note else ""
    return f"<section>\n<h2>{title}</h2>\n{said}{content}\n</section>"


def summary(history: list[dict[str, Any]]) -> str:
    """The last epoch in one line."""
    if not history:
        return "<p>No epoch is complete.</p>"
    last = history[-1]
    said = [f"{len(history)} epoch{'s' if len(history) > 1 else ''}"]
    for name, words in (("val_accuracy", "of the validation images"), ("test_accuracy", "of the test images")):
        if name in last:
            said.append(f"{100 * last[name]:.2f} % {words} right")
    return f"<p>{', '.join(said)}.</p>"


def table(history: list[dict[str, Any]]) -> str:
    """One row per epoch."""
    names = list(dict.fromkeys(name for epoch in history for name in epoch))
    head = "".join(f"<th>{html.escape(name.replace('_', ' '))}</th>" for name in names)
    rows = "".join(f"<tr>{''.join(f'<td>{cell(epoch.get(name))}</td>' for name in names)}</tr>\n" for epoch in history)
    return f'<div class="wide"><table>\n<tr>{head}</tr>\n{rows}</table></div>'


def cell(value: Any) -> str:
    """A number, or nothing."""
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else html.escape(str(value))


def graph(outputs: tuple[Any, ...], model: Any) -> str:
    """The drawing; as text, where nothing renders it."""
    drawing = to_dot(*outputs, model=model)
    try:
        svg = drawing.rendered("svg").decode()
    except RendererNotFound as error:
        return f"<p>{html.escape(str(error))}</p>\n<pre>{html.escape(drawing.source)}</pre>"
    return f'<div class="wide">{variables(svg[svg.index("<svg") :])}</div>'


def picture(path: Path) -> str:
    """A picture, inside the file."""
    if not path.is_file():
        return f"<p>{path.name} was not made.</p>"
    data = base64.b64encode(path.read_bytes()).decode()
    return f'<div class="wide"><img alt="{path.stem}" src="data:image/png;base64,{data}"></div>'

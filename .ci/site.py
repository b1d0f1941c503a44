"""The order of the pages of the site: each page in docs/ is taken in, as an explanation where nothing else is said."""

import importlib
import inspect
import re
from pathlib import Path

from latex2mathml.converter import convert
from markdown import Extension
from markdown.preprocessors import Preprocessor

DOCS = Path(__file__).parent.parent / "docs"
HOW_TO = (
    "coming-from how-to/own-op how-to/extend how-to/save-and-resume how-to/draw how-to/find-a-nan how-to/notebooks "
    "pictures own-data how-to/more-data many-ranks arrays functions testing famous-wrong-gradients examples teaching "
    "contributing"
)


def on_config(config):
    """Write the navigation from the files of docs/."""
    pages = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")} - {"index.md"}
    tutorial, reference = (
        sorted(page for page in pages if page.startswith(room)) for room in ("tutorial/", "reference/")
    )
    how_to = [f"{name}.md" for name in HOW_TO.split() if f"{name}.md" in pages]
    others = sorted(pages - {*tutorial, *reference, *how_to})
    sections = {"Tutorial": tutorial, "How-to": how_to, "Reference": reference, "Explanation": others}
    config.markdown_extensions.append(Sessions())
    config.nav = ["index.md", *({title: found} for title, found in sections.items() if found)]
    return config


def on_page_markdown(markdown, page, **_):
    """Write formulas as MathML, and the entries of a page of the reference: one for each public name of its module."""
    if not page.file.src_uri.startswith("reference/"):
        markdown = re.sub(r"\\\[ (.+?) \\\]", lambda found: "\n" + formula(found[1], "block") + "\n", markdown)
        return re.sub(r"\\\( ?(.+?) ?\\\)", lambda found: formula(found[1], "inline"), markdown)
    name = markdown.split("\n")[0].removeprefix("# ")
    room = importlib.import_module(name)
    entries = [n for n in room.__all__ if not (name == "tinygrad_mlp" and inspect.ismodule(getattr(room, n)))]
    return "\n\n".join([markdown, *(f"::: {name}.{n}" for n in entries)])


def formula(latex, display):
    """A formula as browsers show it, without a script."""
    return convert(latex, display=display).replace("*", "&#42;").replace("_", "&#95;")  # no marks of Markdown


class Fences(Preprocessor):
    """Sessions of Python, in pages and docstrings, are code: Markdown would take >>> for a quotation in a quotation."""

    def run(self, lines):
        """Put each session that stands in no fence into one."""
        written, fenced, session = [], False, False
        for line in [*lines, ""]:
            fenced ^= line.startswith("```")
            if line.startswith(">>>") and not (fenced or session):
                session = True
                written.append("```pycon")
            elif session and not line.strip():
                session = False
                written.append("```")
            written.append(line)
        return written


class Sessions(Extension):
    """`Fences`, before fences are read."""

    def extendMarkdown(self, md):
        """Register it."""
        md.preprocessors.register(Fences(md), "sessions", 100)

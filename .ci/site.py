"""The order of the pages of the site: each page in docs/ is taken in, as an explanation where nothing else is said."""

from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"
HOW_TO = "how-to pictures own-data many-ranks arrays functions famous-wrong-gradients testing examples contributing"


def on_config(config):
    """Write the navigation from the files of docs/."""
    pages = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")} - {"index.md"}
    tutorial, reference = (
        sorted(page for page in pages if page.startswith(room)) for room in ("tutorial/", "reference/")
    )
    how_to = [f"{name}.md" for name in HOW_TO.split() if f"{name}.md" in pages]
    others = sorted(pages - {*tutorial, *reference, *how_to})
    sections = {"Tutorial": tutorial, "How-to": how_to, "Reference": reference, "Explanation": others}
    config.nav = ["index.md", *({title: found} for title, found in sections.items() if found)]
    return config

"""What is written in a drawing, to compare it with another."""

import re


def words(svg: str) -> list[str]:
    """What is written in an SVG, without numbers, which depend on the machine."""
    return sorted(re.sub(r"[-−]?\d[\d.,e+-]*", "0", w) for w in re.findall(r">([^<>\n]+)<", svg))

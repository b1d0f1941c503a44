"""Which elements are wrong: what they have in common, and the right ones have not."""

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from tinygrad_mlp.testing.findings import Findings
from tinygrad_mlp.testing.numeric import Array


def those(f: Findings, wrong: Array) -> str:
    """``", those where argument 0 is negative"``, if that says exactly which are wrong; else nothing."""
    x = f.points[f.at]
    if wrong.size != x.size:
        return ""
    wrong = wrong.reshape(x.shape)
    found = next((said for mask, said in marks(f, x.shape) if np.array_equal(mask, wrong)), None)
    return "" if found is None or (wrong.all() and not found.endswith(" is 0")) else f", those {found}"


def marks(f: Findings, shape: tuple[int, ...]) -> Iterator[tuple[Array, str]]:
    """Masks over the elements, and what the marked ones have in common; the most telling first."""
    arrays = [
        (name, x) for name, x in [(f.label, f.points[f.at]), *zip(f.labels, f.points, strict=True)] if x.shape == shape
    ]
    pairs = list(combinations(dict(arrays).items(), 2))
    yield from ((x == number, f"where {name} is {number}") for number in (0, 1, -1) for name, x in arrays)
    yield from ((x == y, f"where {name} and {other} are equal") for (name, x), (other, y) in pairs)
    yield from ((repeated(x), f"whose value in {name} occurs more than once") for name, x in arrays)
    yield from ((x < 0, f"where {name} is negative") for name, x in arrays)
    yield from ((x > 0, f"where {name} is positive") for name, x in arrays)
    yield from ((x * y < 0, f"where {name} and {other} have opposite signs") for (name, x), (other, y) in pairs)
    for axis, length in enumerate(shape if len(shape) > 1 else ()):
        places = np.expand_dims(np.arange(length), tuple(range(1, len(shape) - axis)))
        for place in (0, length - 1) if length > 2 else ():
            yield np.broadcast_to(places == place, shape), f"at index {place} of axis {axis}"


def repeated(x: Array) -> Array:
    """Where the value occurs elsewhere in the array too."""
    _, inverse, counts = np.unique(x, return_inverse=True, return_counts=True)
    return np.reshape(counts[inverse] > 1, x.shape)

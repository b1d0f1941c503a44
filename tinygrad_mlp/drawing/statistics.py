"""Numbers about arrays, and how the pictures write numbers down."""

from dataclasses import dataclass
from typing import Any

import numpy as np

BINS = 24


@dataclass(frozen=True)
class Statistics:
    """What a picture says about an array. The mean and the like are those of its finite elements."""

    size: int
    nan: int
    inf: int
    zeros: int
    large: int  # elements beyond ±0.99 times the largest magnitude a tanh can have
    mean: float
    std: float
    low: float
    high: float
    norm: float
    histogram: tuple[int, ...]

    @property
    def finite(self) -> bool:
        """Whether no element is NaN or infinite."""
        return not self.nan and not self.inf

    @property
    def trouble(self) -> str:
        """``NaN 3/1280``, ``Inf 1/10``, both, or nothing."""
        counts = (("NaN", self.nan), ("Inf", self.inf))
        return ", ".join(f"{name} {count}/{self.size}" for name, count in counts if count)


def measure(array: Any, histogram: bool = False) -> Statistics | None:
    """Statistics of an array of numbers, in float64; None for anything else, or where there is nothing to measure."""
    try:
        values = np.asarray(array)
    except (TypeError, ValueError):  # an array of another library that refuses to become NumPy's
        return None
    if values.dtype.kind not in "fiub" or values.size == 0:
        return None
    x = values.astype(np.float64).ravel()
    finite = np.isfinite(x)
    every = bool(finite.all())
    kept = x if every else x[finite]
    nan = 0 if every else int(np.count_nonzero(np.isnan(x)))
    inf = x.size - kept.size - nan
    magnitude = np.abs(kept)
    top = float(magnitude.max(initial=0.0))
    scaled = kept / top if top > 0 else kept  # squares of 1e200 would overflow
    wide = histogram and kept.size > 0 and np.ptp(scaled) > 1e-12  # narrower bins would have no width
    bins = tuple(int(n) for n in np.histogram(scaled, BINS)[0]) if wide else ()
    return Statistics(
        size=x.size,
        nan=nan,
        inf=inf,
        zeros=x.size - int(np.count_nonzero(x)),
        large=int(np.count_nonzero(magnitude > 0.99)),
        mean=top * float(scaled.mean()) if top > 0 else 0.0,
        std=top * float(scaled.std()) if top > 0 else 0.0,
        low=float(kept.min(initial=np.inf)),
        high=float(kept.max(initial=-np.inf)),
        norm=top * float(np.sqrt(np.sum(scaled * scaled))) if every else float("nan"),
        histogram=bins,
    )


def norm_of(array: Any) -> float:
    """The Euclidean norm, in float64; NaN where an element is not finite. Squares of 1e200 do not overflow."""
    x = np.abs(np.asarray(array, np.float64))
    top = float(x.max(initial=0.0))
    return top * float(np.linalg.norm(x / top)) if 0 < top < np.inf else top * 0.0


def number(value: float) -> str:
    """Three significant digits: ``0.0123``, ``1.2e-07``.

    >>> number(0.012345), number(1.0), number(123456.0)
    ('0.0123', '1', '1.23e+05')
    """
    return f"{value:.3g}"


def signed(value: float) -> str:
    """A scalar, with four significant digits, so that sums can be followed.

    >>> signed(-8.0), signed(0.70411)
    ('-8', '0.7041')
    """
    return f"{value:.4g}"


def percent(part: int, whole: int) -> str:
    """A percentage; 0 % and 100 % appear only when exact.

    >>> percent(51, 100), percent(1, 1000), percent(999, 1000), percent(5, 5)
    ('51 %', '<1 %', '>99 %', '100 %')
    """
    rounded = round(100 * part / whole)
    if rounded == 0 and part:
        return "<1 %"
    if rounded == 100 and part < whole:
        return ">99 %"
    return f"{rounded} %"


def shape_text(shape: tuple[int, ...]) -> str:
    """A shape as the pictures write it.

    >>> shape_text((128, 784)), shape_text((10,)), shape_text(())
    ('128×784', '10', 'scalar')
    """
    return "×".join(map(str, shape)) or "scalar"


def size_of(count: int) -> str:
    """A number of bytes, in units of 1000.

    >>> size_of(12), size_of(131_072), size_of(5_000_000)
    ('12 B', '131 kB', '5 MB')
    """
    value, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 999.5:
            break
        value, unit = value / 1000, larger
    return f"{value:.3g} {unit}"


def seconds(value: float) -> str:
    """A duration.

    >>> seconds(1.234e-6), seconds(0.0123), seconds(2.0)
    ('1.23 µs', '12.3 ms', '2 s')
    """
    for unit, size in (("µs", 1e-6), ("ms", 1e-3)):
        if value < 999.5 * size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.3g} s"


def health(name: str, found: Statistics | None) -> str:
    """One word on the state of an op's result: dead units after relu, saturated ones after tanh or sigmoid."""
    if found is None:
        return ""
    if found.trouble:
        return found.trouble
    if name in {"relu", "maximum"} and found.zeros:
        return f"{percent(found.zeros, found.size)} zero"
    if name == "tanh" and found.large:
        return f"{percent(found.large, found.size)} saturated"
    return ""

"""Write docs/arrays.md: which functions run on arrays that are not NumPy's.

``python tests/arrays.py`` writes it anew; it needs the extra ``dask``. Every call of the table of cases runs forward
and backward, by itself and under `tg.compile`. A call counts where value and gradients are arrays of the kind that was
given, and equal those on NumPy's arrays.
"""

import warnings
from pathlib import Path

import numpy as np
from duck import Duck
from ops.cases import CASES
from ops.differences import outputs, weights

import tinygrad_mlp as tg
from tinygrad_mlp.rules import function_name

PAGE = Path(__file__).parent.parent / "docs" / "arrays.md"
BEGIN, END = "<!-- begin of what tests/arrays.py writes -->\n", "<!-- end -->\n"


def dask_array(values):
    """The values as a Dask array, in chunks of at most two along each axis."""
    import dask.array

    return dask.array.from_array(np.asarray(values), chunks=2)


KINDS = {"Dask": dask_array, "duck": Duck}


def numbers(arrays):
    """What is in arrays of either kind."""
    import dask

    if any(isinstance(array, (np.ndarray, np.generic)) for array in arrays):
        raise TypeError("a result is an array of NumPy's")
    return dask.compute(*[a.values if isinstance(a, Duck) else a for a in arrays], scheduler="synchronous")


def gradients(case, kind):
    """The value of a weighted sum of a case's results, and its gradients, as a function of arrays of a kind."""
    shapes = outputs(case, case.arrays)
    own = [kind(w) for w in weights(shapes, seed=1)]

    def value(*arrays):
        results = outputs(case, arrays)
        return sum((np.sum(r * w) for r, w in zip(results, own, strict=True)), kind(np.zeros(())))

    return tg.value_and_grad(value, tuple(range(len(case.arrays))))


def attempt(case, kind, compiled):
    """What is wrong with a case on arrays of a kind; None where nothing is."""
    value, slopes = gradients(case, np.asarray)(*case.arrays)
    try:
        f = gradients(case, kind)
        result, found = (tg.compile(f) if compiled else f)(*map(kind, case.arrays))
        for own, expected in zip(numbers([result, *found]), [value, *slopes], strict=True):
            np.testing.assert_allclose(own, expected, rtol=1e-9, atol=1e-9)
    except Exception as error:  # whatever the library raises is what the table tells
        return f"{type(error).__name__}: {' '.join(str(error).split())}"
    return None


def measured():
    """For each function, kind and way of running: what is wrong with each of its cases."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("error", FutureWarning)  # Dask warns where it computes the whole array instead
        return {
            function_name(function): {
                (kind, compiled): [attempt(case, make, compiled) for case in cases]
                for kind, make in KINDS.items()
                for compiled in (False, True)
            }
            for function, cases in CASES.items()
        }


def page(found):
    """The table, as text in Markdown, and below it what does not run, with the error one gets."""
    columns = [(kind, compiled) for kind in KINDS for compiled in (False, True)]
    shares = [f"{sum(not any(row[c]) for row in found.values())} of {len(found)}" for c in columns]
    lines = ["| function | " + " | ".join(f"{kind}, {'compiled' if c else 'eager'}" for kind, c in columns) + " |"]
    lines += ["|---" * (1 + len(columns)) + "|", "| **all its calls run** | " + " | ".join(shares) + " |"]
    for name, row in found.items():
        calls = [f"{row[c].count(None)} of {len(row[c])}" if any(row[c]) else "yes" for c in columns]
        lines.append(f"| `{name}` | " + " | ".join(calls) + " |")
    lines += ["", "## What does not run, and the first error one gets", ""]
    for name, row in found.items():
        for kind in KINDS:
            if errors := [error for error in row[kind, False] if error]:
                lines.append(f"- `{name}` on {kind}: `{errors[0][:160]}`")
    return "\n".join(lines) + "\n"


def written(text):
    """The page with the table in its place."""
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    return before + BEGIN + text + END + rest.split(END)[1]


if __name__ == "__main__":
    PAGE.write_text(written(page(measured())), encoding="utf-8")
    print("wrote", PAGE.name)

"""Which functions of NumPy have a derivative here: makes `docs/functions.md`.

python tests/function_table.py            # writes the page, which the suite holds to what is registered
python tests/function_table.py others     # writes the facts of autograd and MyGrad, where both are installed
"""

import json
import sys
import warnings
from pathlib import Path

import numpy as np

import tinygrad_mlp as tg  # noqa: F401 - registers the rules
from tinygrad_mlp.rules import COMPOSITES, CONSTANTS, RULES

FACTS = Path(__file__).with_name("function_table_others.json")
PAGE = Path(__file__).parent.parent / "docs" / "functions.md"
ROOMS = {"np": np, "np.linalg": np.linalg, "np.fft": np.fft}

# why a function is refused -> names, in whichever NumPy they are there
REASONS = {
    "makes an array of no other": "arange array asanyarray asarray asarray_chkfinite ascontiguousarray asfortranarray "
    "asmatrix bartlett blackman bmat diag_indices empty eye from_dlpack frombuffer fromfile fromfunction fromiter "
    "fromregex fromstring full genfromtxt hamming hanning identity indices kaiser load loadtxt mask_indices ones "
    "require tri tril_indices triu_indices zeros fft.fftfreq fft.rfftfreq",
    "works on integers": "bitwise_and bitwise_count bitwise_invert bitwise_left_shift bitwise_not bitwise_or "
    "bitwise_right_shift bitwise_xor gcd invert ix_ lcm left_shift packbits ravel_multi_index right_shift unpackbits "
    "unravel_index",
    "asks of types, settings or dates, or writes text or files": "base_repr binary_repr broadcast_shapes busday_count "
    "busday_offset datetime_as_string datetime_data format_float_positional format_float_scientific frompyfunc "
    "get_include get_printoptions getbufsize geterr geterrcall info is_busday isdtype isfortran isnat isscalar "
    "issubdtype iterable mintypecode nested_iters printoptions promote_types save savetxt savez savez_compressed "
    "set_printoptions setbufsize seterr seterrcall show_config show_runtime test typename",
    "changes an array in place, which no Tensor does; np.where and x.data[...] do without": "copyto fill_diagonal "
    "place put put_along_axis putmask",
    "its results are complex numbers, which Tensors do not hold": "roots sort_complex fft.fft fft.fft2 fft.fftn "
    "fft.hfft fft.ifft fft.ifft2 fft.ifftn fft.ihfft fft.irfft fft.irfft2 fft.irfftn fft.rfft fft.rfft2 fft.rfftn",
    "has a derivative that nobody has written: np.sort, np.polyval, np.linalg.lstsq and np.logspace have one": ""
    "geomspace i0 intersect1d poly polyadd polyder polydiv polyfit polyint polymul polysub setdiff1d setxor1d "
    "trim_zeros union1d unique unique_all unique_counts unique_inverse unique_values",
    "counts, and has a derivative in the weights alone: np.bincount has it": "histogram histogram2d "
    "histogram_bin_edges histogramdd",
    "splits the bits of a number": "frexp nextafter",
    "calls a function of the user's, which can be called by itself": "apply_over_axes",
    "is an old name: np.isin, np.trapezoid": "in1d trapz",
}
THROUGH = {"row_stack": "np.vstack"}  # plain functions of NumPy that call another


def functions():
    """The public functions of the three rooms in this NumPy, by name; aliases too."""
    found = {}
    for room, module in ROOMS.items():
        for name in sorted(getattr(module, "__all__", dir(module))):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                value = getattr(module, name, None)
            if callable(value) and not isinstance(value, type) and not name.startswith("_"):
                found[f"{room}.{name}"] = value
    return found


def reasons():
    """The reason for each name that is refused."""
    return {f"np.{name}": reason for reason, names in REASONS.items() for name in names.split()}


def status(name, function):
    """What a function is on Tensors; None if nobody has said."""
    if function in RULES or function in COMPOSITES or name.removeprefix("np.") in THROUGH:
        return "differentiated"
    if function in CONSTANTS:
        return "constant"
    reason = reasons().get(name)
    return reason and f"refused: {reason}"


def others():
    """What the registries of autograd and MyGrad say of each function."""
    from importlib.metadata import version

    import autograd.numpy as anp
    from autograd.core import primitive_vjps
    from autograd.tracer import notrace_primitives
    from mygrad import tensor_base

    not_traced = set().union(*notrace_primitives.values())
    differentiated = {*tensor_base._REGISTERED_UFUNC, *tensor_base._REGISTERED_DIFFERENTIABLE_NUMPY_FUNCS}
    constants = {
        *tensor_base._REGISTERED_BOOL_ONLY_UFUNC, *tensor_base._REGISTERED_CONST_ONLY_UFUNC,
        *tensor_base._REGISTERED_NO_DIFF_NUMPY_FUNCS,
    }  # fmt: skip
    facts = {"autograd": {}, "MyGrad": {}}
    for name, function in functions().items():
        value = anp
        for part in name.split(".")[1:]:
            value = getattr(value, part, None)
        if value in primitive_vjps or getattr(value, "__module__", "") == "autograd.numpy.numpy_wrapper":
            facts["autograd"][name] = "differentiated"
        elif value in not_traced:
            facts["autograd"][name] = "constant"
        if function in differentiated:
            facts["MyGrad"][name] = "differentiated"
        elif function in constants:
            facts["MyGrad"][name] = "constant"
    facts["versions"] = {name: version(name.lower()) for name in facts}
    return facts


def rows():
    """Name -> what a function is here, in autograd and in MyGrad."""
    facts = json.loads(FACTS.read_text(encoding="utf-8"))
    return {
        name: (status(name, function), *(facts[other].get(name, "") for other in ("autograd", "MyGrad")))
        for name, function in functions().items()
    }


def page():
    """The text of the page."""
    table, versions = rows(), json.loads(FACTS.read_text(encoding="utf-8"))["versions"]
    counts = [sum(row[i] == "differentiated" for row in table.values()) for i in range(3)]
    lines = [
        "# Functions",
        "",
        f"The {len(table)} public functions of `np`, `np.linalg` and `np.fft` in NumPy {minor()}, aliases among them:",
        f"{counts[0]} are differentiated here, to any order; {counts[1]} in autograd {versions['autograd']} and "
        f"{counts[2]} in MyGrad {versions['MyGrad']},",
        "as their registries say. A *constant* has the gradient 0 everywhere and gives plain arrays. What is *refused*",
        "raises where a Tensor comes in, and stands here with the reason. `python tests/function_table.py` makes this",
        "page, and the suite holds it to the registry.",
        "",
        "| function | here | autograd | MyGrad |",
        "|---|---|---|---|",
        *(f"| `{name}` | {' | '.join(row)} |" for name, row in table.items()),
    ]
    return "\n".join(lines) + "\n"


def minor():
    """The version of NumPy without its last part."""
    return np.__version__.rpartition(".")[0]


if __name__ == "__main__":
    if sys.argv[1:] == ["others"]:
        FACTS.write_text(json.dumps(others(), indent=0, sort_keys=True) + "\n", encoding="utf-8")
    else:
        PAGE.write_text(page(), encoding="utf-8")

"""`check_grads`: the gradients of a function, to any order, against evaluation alone."""

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np

from tinygrad_mlp.arguments import plain
from tinygrad_mlp.errors import ArgumentError, DtypeError, GradientError, NonFiniteError
from tinygrad_mlp.tensor import Tensor, no_grad
from tinygrad_mlp.testing import numeric
from tinygrad_mlp.testing.diagnosis import diagnose_exception
from tinygrad_mlp.testing.gradient_report import GradientReport
from tinygrad_mlp.testing.numeric import Array
from tinygrad_mlp.testing.orders import Level, arrays_of, gradient_of

TOLERANCES = {"float64": (1e-6, 1e-9), "float32": (2e-3, 2e-4)}  # relative to the slope, and to the largest slope


def check_grads(
    f: Callable[..., Any],
    *arrays: Any,
    order: int = 2,
    rng: np.random.Generator | int = 0,
    elements: int = 64,
    rtol: float | None = None,
) -> GradientReport:
    """Compare the gradients of ``f`` with numerical derivatives, at every order up to ``order``.

    At order 1, the gradient of Σ w · f(x) with fixed random weights w is compared with its numerical derivative with
    respect to each element of each argument. The gradient is itself a function, of x and of w, and so at order 2 the
    same is done with it; and so on.

    The numerical derivative is a complex step where ``f`` is analytic and takes complex numbers (at order 1: gradients
    do not take them), else central differences with Richardson extrapolation (see `tinygrad_mlp.testing.numeric`). It
    brings an estimate of its own error, and ten times that is tolerated. At a kink (relu at 0) any gradient between the
    one-sided slopes is right; at a jump there is nothing to compare, and the report says so.

    Parameters
    ----------
    f : callable
        Takes the arrays, returns an array or a tuple of arrays of any shape. Called with arrays and with Tensors.
    *arrays : array_like
        Where to check. All arrays of floats are differentiated with respect to; others are passed on as they are.
        float32 is checked in float32, against derivatives evaluated in float64.
    order : int
        The highest derivative to check, at least 1.
    rng : numpy.random.Generator or int
        Source of the weights and directions.
    elements : int
        An argument with more elements than this is checked along random directions; where one of them disagrees, the
        worst element is searched for by halving.
    rtol : float, optional
        Tolerated relative error. Default 1e-6 for float64, 2e-3 for float32.

    Returns
    -------
    GradientReport
        What was compared, and the worst element.

    Raises
    ------
    GradientError
        If a gradient is wrong. Its ``report`` has the details, and a diagnosis in words where one fits.
    DtypeError
        If no argument is an array of floats, or a list of them.
    ArgumentError
        If ``order`` is below 1.
    NonFiniteError
        If ``f`` is NaN or infinite at this point.

    Examples
    --------
    >>> report = check_grads(np.tanh, np.array([0.0, 0.5, 1.0]))
    >>> print(report)
    Gradients of np.tanh: right.
      worst       argument 0, at index [...]
      analytic    ...
      numeric     ... ± ... (...)
      compared    3 at order 1, 6 at order 2
    """
    if order < 1:
        raise ArgumentError("check_grads", expected="order of at least 1", got=repr(order))
    given = (numeric.as_floats(a) for a in arrays)
    arguments = tuple(np.array(a) if isinstance(a, (float, np.ndarray, np.generic)) else plain(a) for a in given)
    places = [i for i, a in enumerate(arguments) if isinstance(a, np.ndarray) and a.dtype.kind == "f"]
    if not places:
        raise DtypeError("check_grads", expected="at least one array of floats", got="none", fix="Write 1.0 for 1.")
    options = {"order": order, "rng": rng, "elements": elements, "rtol": rtol}
    defaults = {"order": 2, "rng": 0, "elements": 64, "rtol": None}
    shown = {key: value for key, value in options.items() if isinstance(value, (int, float)) and value != defaults[key]}
    report = GradientReport(f, arguments, shown)
    rng = np.random.default_rng(rng)

    points: list[Array] = [arguments[i] for i in places]
    with np.errstate(all="ignore"):  # what is not finite is reported, at its element
        function = accepting_arrays(restricted(f, arguments, places), points)
        labels = [f"argument {i}" for i in places]
        precision = "float32" if any(x.dtype.itemsize < 8 for x in points) else "float64"
        relative, absolute = TOLERANCES[precision]
        tolerances = (relative if rtol is None else rtol, absolute)
        if problem := behaviour(function, points):
            failed(report, problem)
        if not all(np.isfinite(y).all() for y in arrays_of(function(*points))):
            raise NonFiniteError(
                "check_grads", expected="finite values", got="NaN or infinity", fix="Use other inputs."
            )
        for current in range(1, order + 1):
            level = Level(function, points, labels, current, tolerances, elements, rng)
            try:
                level.differentiate()
            except Exception as error:  # raised again, with the report: a backward pass that fails is a finding
                failed(report, diagnose_exception(error, function, points, labels), current, error)
            level.compare()
            level.tell(report)
            if not report.ok:
                raise GradientError(report)
            function = gradient_of(function, len(points))
            points = [*points, *level.weights]
            labels = [*labels, *(f"incoming gradient of order {current}" for _ in level.weights)]
    return report


def failed(
    report: GradientReport, diagnosis: str, order: int | None = None, cause: Exception | None = None
) -> NoReturn:
    """Raise the report of a check that could not be carried through."""
    report.ok, report.failed_at, report.diagnosis = False, order, diagnosis
    raise GradientError(report) from cause


def restricted(f: Callable[..., Any], arguments: Sequence[Any], places: Sequence[int]) -> numeric.Function:
    """``f`` as a function of the arguments at ``places`` alone, with a list of results."""

    def function(*points: Any) -> list[Any]:
        filled = list(arguments)
        for place, point in zip(places, points, strict=True):
            filled[place] = point
        result = f(*filled)
        return list(result) if isinstance(result, (tuple, list)) else [result]

    return function


def accepting_arrays(function: numeric.Function, points: list[Array]) -> numeric.Function:
    """The function itself; or, where it uses methods that only Tensors have, one that makes Tensors of arrays."""
    try:
        with no_grad():
            function(*points)
    except (AttributeError, TypeError):
        return lambda *arrays: function(*(a if isinstance(a, Tensor) else Tensor(a) for a in arrays))
    return function


def behaviour(function: numeric.Function, points: list[Array]) -> str | None:
    """What a function does that no gradient can be right for: edit its arguments, be random, treat Tensors apart."""
    before = [x.copy() for x in points]
    with no_grad():
        first = [y.copy() for y in arrays_of(function(*points))]
        if any(not np.array_equal(x, y, equal_nan=True) for x, y in zip(points, before, strict=True)):
            return "f changes its arguments in place."
        second = arrays_of(function(*points))
        recorded = arrays_of(function(*map(Tensor, points)))
    if any(not np.array_equal(a, b, equal_nan=True) for a, b in zip(first, second, strict=True)):
        return "f gives different values for the same arguments; fix what it draws at random."
    for a, b in zip(first, recorded, strict=True):
        rtol = 1e-4 if np.float32 in (a.dtype, b.dtype) else 1e-9
        if a.shape != b.shape or not np.allclose(a, b, rtol, rtol * np.max(np.abs(a), initial=0.0), equal_nan=True):
            return "f gives other values on Tensors than on arrays."
    return None

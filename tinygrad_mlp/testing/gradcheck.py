"""`check_grads`: the gradients of a function, to any order, against evaluation alone."""

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from tinygrad_mlp.arguments import plain
from tinygrad_mlp.errors import ArgumentError, DtypeError, GradientError, NonFiniteError
from tinygrad_mlp.tensor import Tensor, no_grad
from tinygrad_mlp.testing import numeric
from tinygrad_mlp.testing.diagnosis import diagnose_exception, raised
from tinygrad_mlp.testing.gradient_report import GradientReport
from tinygrad_mlp.testing.numeric import Array
from tinygrad_mlp.testing.orders import Level, arrays_of, gradient_of, later_weights
from tinygrad_mlp.testing.outside import WrongShape, from_jac, from_vjp
from tinygrad_mlp.testing.values import as_floats, float_results

DEFAULTS = {"order": None, "rng": 0, "elements": 64, "rtol": None, "vjp": None, "jac": None}


def check_grads(
    f: Callable[..., Any],
    *arrays: Any,
    order: int | None = None,
    rng: np.random.Generator | int = 0,
    elements: int = 64,
    rtol: float | None = None,
    vjp: Callable[..., Any] | None = None,
    jac: Callable[..., Any] | None = None,
) -> GradientReport:
    """Compare the gradients of ``f`` with numerical derivatives, at every order up to ``order``.

    At order 1, the gradient of Σ w · f(x) with fixed random weights w is compared with its numerical derivative with
    respect to each element of each argument. The gradient is itself a function, of x and of w, and so at order 2 the
    same is done with it; and so on.

    The numerical derivative is a complex step where ``f`` is analytic and takes complex numbers (at order 1: gradients
    do not take them), else central differences with Richardson extrapolation (see `tinygrad_mlp.testing.numeric`). It
    brings an estimate of its own error, and ten times that is tolerated. At a kink (relu at 0) any gradient between the
    one-sided slopes is right; at a jump there is nothing to compare, and the report says so.

    The gradient is that of the rules, or one that somebody else computes: another library, a backward pass written by
    hand, a Jacobian for SciPy. Then ``f`` sees arrays alone.

    Parameters
    ----------
    f : callable
        Takes the arrays; returns an array of any shape, or several in tuples, lists and dicts. Results that have no
        gradient (None, integers, booleans, texts) are passed over. Called with arrays and with Tensors.
    *arrays : array_like
        Where to check. All arrays of floats are differentiated with respect to; others are passed on as they are.
        float32 is checked in float32, against derivatives evaluated in float64.
    order : int, optional
        The highest derivative to check, at least 1. Default 2; with ``vjp`` or ``jac``, whose gradients are arrays, 1.
    rng : numpy.random.Generator or int
        Source of the weights and directions.
    elements : int
        An argument with more elements than this is checked along random directions; where one of them disagrees, the
        worst element is searched for by halving.
    rtol : float, optional
        Tolerated relative error. Default 1e-6 for float64, 2e-3 for float32, 2e-2 for float16.
    vjp : callable, optional
        ``vjp(v, *arrays)`` returns the gradient of Σ v · f(*arrays) to check: one array for one argument, a tuple for
        several. v has the shape of the result, and is a tuple where there are several.
    jac : callable, optional
        ``jac(*arrays)`` returns the Jacobian to check, of shape ``result.shape + argument.shape``: for a scalar ``f``
        the gradient. As `scipy.optimize` takes it. A tuple for several arguments.

    Returns
    -------
    GradientReport
        What was compared, and the worst element.

    Raises
    ------
    GradientError
        If a gradient is wrong. Its ``report`` has the details, and a diagnosis in words where one fits.
    DtypeError
        If no argument is an array of floats, or a list of them; if no result is, or one is of another kind of object.
    ArgumentError
        If ``order`` is below 1, or above 1 with ``vjp`` or ``jac``; if both of these are given.
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

    A gradient written by hand:

    >>> check_grads(np.sin, np.array([0.0, 1.0]), vjp=lambda v, x: v * np.cos(x)).ok
    True
    """
    order = order_of(order, vjp, jac)
    given = (as_floats(a) for a in arrays)
    arguments = tuple(np.array(a) if isinstance(a, (float, np.ndarray, np.generic)) else plain(a) for a in given)
    places = [i for i, a in enumerate(arguments) if isinstance(a, np.ndarray) and a.dtype.kind == "f"]
    if not places:
        raise DtypeError("check_grads", expected="at least one array of floats", got="none", fix="Write 1.0 for 1.")
    options = {"order": order, "rng": rng, "elements": elements, "rtol": rtol, "vjp": vjp, "jac": jac}
    defaults = {**DEFAULTS, "order": order_of(None, vjp, jac)}
    shown = {k: v for k, v in options.items() if v != defaults[k] and not isinstance(v, np.random.Generator)}
    report = GradientReport(f, arguments, shown)
    rng = np.random.default_rng(rng)

    outside = "vjp" if vjp is not None else "jac"
    ours = vjp is None and jac is None
    points: list[Array] = [arguments[i] for i in places]
    labels = [f"argument {i}" for i in places]

    def filled(*points: Any) -> list[Any]:
        found: list[Any] = list(arguments)
        for place, point in zip(places, points, strict=True):
            found[place] = point
        return found

    def function(*points: Any) -> list[Any]:
        return float_results(f(*filled(*points)))

    with np.errstate(all="ignore"):  # what is not finite is reported, at its element
        if vjp is not None:
            gradient = from_vjp(vjp, filled, places)
        elif jac is not None:
            gradient = from_jac(jac, filled, places)
        else:
            function = accepting_arrays(function, points)
            gradient = gradient_of(function, len(points))
        check_results(function, points)
        if problem := behaviour(function, points, recorded=ours):
            failed(report, problem)
        for current in range(1, order + 1):
            level = Level(function, gradient, points, labels, current, rtol, elements, rng)
            try:
                level.differentiate()
            except WrongShape as error:
                failed(report, str(error), current)
            except Exception as error:  # raised again, with the report: a backward pass that fails is a finding
                said = diagnose_exception(error, function, points, labels) if ours else f"{outside} {raised(error)}."
                failed(report, said, current, error)
            level.compare()
            level.tell(report)
            if not report.ok:
                raise GradientError(report)
            function = gradient
            points = [*points, *later_weights(level.weights)]
            labels = [*labels, *(f"incoming gradient of order {current}" for _ in level.weights)]
            gradient = gradient_of(function, len(points))
    return report


def order_of(order: int | None, vjp: Any, jac: Any) -> int:
    """The order asked for, or the default."""
    if vjp is not None and jac is not None:
        raise ArgumentError("check_grads", expected="vjp or jac", got="both", fix="Check one after the other.")
    outside = vjp is not None or jac is not None
    if order is None:
        return 1 if outside else 2
    if order < 1 or (outside and order > 1):
        expected = "order 1, because vjp and jac return arrays" if outside else "order of at least 1"
        raise ArgumentError("check_grads", expected=expected, got=repr(order))
    return order


def check_results(function: numeric.Function, points: list[Array]) -> None:
    """Raise where the results of a function are nothing whose gradient could be checked."""
    results = arrays_of(function(*points))
    if not results or any(y.dtype.kind == "c" for y in results):
        got = "complex numbers" if results else "none"
        raise DtypeError(
            "check_grads", expected="a function that returns at least one array of floats", got=got,
            fix="Return what is to be differentiated.",
        )  # fmt: skip
    if not all(np.isfinite(y).all() for y in results):
        raise NonFiniteError("check_grads", expected="finite values", got="NaN or infinity", fix="Use other inputs.")


def failed(
    report: GradientReport, diagnosis: str, order: int | None = None, cause: Exception | None = None
) -> NoReturn:
    """Raise the report of a check that could not be carried through."""
    report.ok, report.failed_at, report.diagnosis = False, order, diagnosis
    raise GradientError(report) from cause


def accepting_arrays(function: numeric.Function, points: list[Array]) -> numeric.Function:
    """The function itself; or, where it uses methods that only Tensors have, one that makes Tensors of arrays."""
    try:
        with no_grad():
            function(*points)
    except (AttributeError, TypeError):
        return lambda *arrays: function(*(a if isinstance(a, Tensor) else Tensor(a) for a in arrays))
    return function


def behaviour(function: numeric.Function, points: list[Array], *, recorded: bool) -> str | None:
    """What a function does that no gradient can be right for: edit its arguments, be random, treat Tensors apart."""
    before = [x.copy() for x in points]
    with no_grad():
        first = [y.copy() for y in arrays_of(function(*points))]
        if any(not np.array_equal(x, y, equal_nan=True) for x, y in zip(points, before, strict=True)):
            return "f changes its arguments in place."
        second = arrays_of(function(*points))
        third = arrays_of(function(*map(Tensor, points))) if recorded else second
    if not same_values(first, second, exactly=True):
        return "f gives different values for the same arguments; fix what it draws at random."
    if not same_values(first, third, exactly=False):
        return "f gives other values on Tensors than on arrays."
    return None


def same_values(some: list[Array], others: list[Array], *, exactly: bool) -> bool:
    """Whether two lists of arrays are the same: in every bit, or up to rounding."""
    if [a.shape for a in some] != [b.shape for b in others]:
        return False
    for a, b in zip(some, others, strict=True):
        rtol = 0.0 if exactly else max(float(np.finfo(x.dtype).eps) for x in (a, b)) ** 0.5 / 10
        if not np.allclose(a, b, rtol, rtol * np.max(np.abs(a), initial=0.0), equal_nan=True):
            return False
    return True

"""The registry: which function has which backward rule.

The NumPy function itself is the name of an op. ``RULES[np.multiply]`` is a tuple with one *vector-Jacobian product*
per argument::

    (g, out, *inputs, **params) -> gradient with respect to that input

    g       gradient of the final scalar with respect to the op's output
    out     the op's output; written ``_`` where the rule does without, which tells drawings that it need not be kept
    inputs  the positional arguments, named as you like
    params  axis, keepdims, …: the keyword arguments, named as NumPy names them

A rule is plain NumPy and does not know what it is fed: first-order backward calls it with arrays, higher orders call
the same rule with Tensors. It need not undo broadcasting nor cast back to the input's dtype: the engine does both.

>>> import numpy as np
>>> x = np.array([1.0, 2.0])
>>> with_respect_to_first, with_respect_to_second = RULES[np.multiply]
>>> with_respect_to_first(np.ones(2), x * 3.0, x, 3.0)
array([3., 3.])
"""

import functools
import inspect
import math
import types
from collections.abc import Callable
from typing import Any, TypeVar

from tinygrad_mlp.arguments import NUMBERS, first_traced, held
from tinygrad_mlp.errors import ArgumentError, MissingRuleError, UnsupportedArgumentError

__all__ = ["COMPOSITES", "CONSTANTS", "RULES", "composite", "constant", "derivative", "function_name", "primitive"]

Function = Callable[..., Any]
Rule = Callable[..., Any] | None
F = TypeVar("F", bound=Function)

RULES: dict[Function, tuple[Rule, ...]] = {}
SEQUENCES: set[Function] = set()  # those of RULES that take a sequence of arrays
CONSTANTS: set[Function] = set()
COMPOSITES: dict[Function, Function] = {}


def function_name(function: Callable[..., Any]) -> str:
    """Name a function as users write it: ``np.linalg.inv``, ``relu``.

    >>> import numpy as np
    >>> function_name(np.fft.fft), function_name(np.multiply)
    ('np.fft.fft', 'np.multiply')
    """
    name = getattr(function, "__name__", repr(function))
    module = getattr(function, "__module__", None) or "numpy"
    if module == "numpy" or module.startswith("numpy."):
        room = module.removeprefix("numpy").removeprefix(".")
        return f"np.{room}.{name}" if room in ("fft", "linalg", "random", "strings") else f"np.{name}"
    return name


def derivative(function: Function, *vjps: Rule, sequence: bool = False) -> None:
    """Register one vector-Jacobian product per leading positional argument of ``function``.

    Parameters
    ----------
    function : callable
        A NumPy function, or one declared with `primitive`.
    *vjps : callable or None
        ``(g, out, *inputs, **params) -> gradient``, in the order of the arguments. ``None`` says that the gradient
        with respect to that argument is zero everywhere (the condition of ``np.where``).
    sequence : bool
        Whether a list or tuple among the arguments is a sequence of arrays, as in ``np.concatenate``: then its rule
        gets the sequence, and returns a sequence of gradients. Otherwise the op and its rules get the one array that
        the list stands for, as everywhere in NumPy.

    Raises
    ------
    ArgumentError
        If there is no rule, or ``function`` is a Python function that is no `primitive`.

    Examples
    --------
    >>> import numpy as np
    >>> @primitive
    ... def cube(x):
    ...     return x * x * x
    >>> derivative(cube, lambda g, out, x: 3 * g * x * x)
    >>> del RULES[cube]
    """
    name = function_name(function)
    if not vjps:
        raise ArgumentError("derivative", expected=f"a rule for each argument of {name}", got="none")
    if isinstance(function, types.FunctionType) and not hasattr(function, "records"):
        raise ArgumentError(
            "derivative", expected="a NumPy function or a primitive", got=f"{name}, which Tensors run through unseen",
            fix=f"Write @tg.rules.primitive above def {name}.",
        )  # fmt: skip
    RULES[function] = vjps
    (SEQUENCES.add if sequence else SEQUENCES.discard)(function)
    accepted_arguments.cache_clear()


def constant(*functions: Function) -> None:
    """Declare functions whose gradient is zero everywhere: on Tensors they return plain arrays (``np.argmax``).

    >>> import numpy as np
    >>> constant(np.spacing)
    >>> CONSTANTS.remove(np.spacing)
    """
    CONSTANTS.update(functions)


def composite(function: Function) -> Callable[[F], F]:
    """Define ``function`` on Tensors through other functions that have rules; its derivative follows from theirs.

    >>> import numpy as np
    >>> @composite(np.vander)
    ... def vander(x, N):
    ...     return np.stack([x ** k for k in reversed(range(N))], axis=1)
    >>> del COMPOSITES[np.vander]
    """

    def register(definition: F) -> F:
        COMPOSITES[function] = definition
        accepted_arguments.cache_clear()
        return definition

    return register


def primitive(function: F) -> F:
    """Make a plain NumPy function an op: it computes on arrays, and records on Tensors.

    Its backward rule is registered apart, with `derivative`.

    >>> import numpy as np
    >>> import tinygrad_mlp as tg
    >>> @primitive
    ... def double(x):
    ...     return 2 * x
    >>> derivative(double, lambda g, out, x: 2 * g)
    >>> tg.grad(double)(1.0)
    array(2.)
    >>> del RULES[double]
    """

    @functools.wraps(function)
    def op(*args: Any, **params: Any) -> Any:
        tensor = first_traced((*args, *params.values()))
        return function(*args, **params) if tensor is None else tensor.__record__(op, args, params)

    op.records = True  # type: ignore[attr-defined]  # a mark for derivative()
    return op  # type: ignore[return-value]  # called as F is


def signature(function: Function) -> inspect.Signature:
    """The signature of a function; where NumPy does not tell it (ufuncs and builtins before 2.4), that of its rule."""
    try:
        return inspect.signature(function)
    except ValueError:
        return signature(COMPOSITES[function]) if function in COMPOSITES else signature_of_rule(function)


def signature_of_rule(function: Function) -> inspect.Signature:
    """The arguments of a function that its rule knows."""
    rule = next(rule for rule in RULES[function] if rule is not None)
    return inspect.Signature(list(inspect.signature(rule).parameters.values())[2:])


@functools.cache
def accepted_arguments(function: Function) -> tuple[float, tuple[str, ...] | None]:
    """How many positional arguments ``function`` takes on Tensors, and the names of all its arguments (None: any)."""
    if function in COMPOSITES:
        parameters = list(signature(COMPOSITES[function]).parameters.values())
    else:
        parameters = list(signature_of_rule(function).parameters.values())
    kinds = [p.kind for p in parameters]
    positional = sum(kind not in (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD) for kind in kinds)
    names = None if inspect.Parameter.VAR_KEYWORD in kinds else tuple(p.name for p in parameters)
    return math.inf if inspect.Parameter.VAR_POSITIONAL in kinds else positional, names


def check_arguments(
    function: Function, args: tuple[Any, ...], params: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Bring a call to the form that the rules or the composite know, or raise where it has an argument they do not.

    Inputs given by keyword (``np.sum(a=x)``) become positional; arguments that say what holds anyway
    (``out=None``) are dropped.
    """
    for value in params.values():
        if type(value) not in NUMBERS and function in RULES:
            if first_traced(params.values()) is not None:
                args, params = positional_inputs(function, args, params)
            params = {name: held(value) for name, value in params.items()}
            break
    positional, names = accepted_arguments(function)
    if names is None:
        return args, params
    unknown = [name for name in params if name not in names]
    for name in unknown:
        if params[name] is not None:
            raise UnsupportedArgumentError(
                function_name(function),
                expected=f"only the arguments {', '.join(names)} on a Tensor",
                got=f"{name}=",
                fix=ALTERNATIVES.get(name, f"Leave {name}= out, or compute on x.data, which carries no gradient."),
            )
    if unknown:
        params = {name: value for name, value in params.items() if name in names}
    if len(args) > positional:
        raise UnsupportedArgumentError(
            function_name(function),
            expected=f"at most {positional} positional arguments on a Tensor ({', '.join(names)})",
            got=str(len(args)),
            fix="Pass the others by keyword.",
        )
    return args, params


def positional_inputs(
    function: Function, args: tuple[Any, ...], params: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Move inputs given by keyword to their position."""
    parameters = signature(function).parameters
    bound = signature(function).bind(*args, **params).arguments
    for parameter in parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            bound.update(bound.pop(parameter.name, {}))
    names = list(parameters)[: max(len(RULES[function]), len(args))]
    moved = tuple(bound.get(name, parameters[name].default) for name in names)
    params = {name: value for name, value in bound.items() if name not in names}
    if first_traced(params.values()) is not None:
        raise UnsupportedArgumentError(
            function_name(function),
            expected=f"Tensors only as the arguments {', '.join(names)}",
            got=f"one as {next(name for name, value in params.items() if first_traced([value]) is not None)}=",
            fix="Pass its plain array (x.data) if its gradient is not wanted.",
        )
    return moved, params


ALTERNATIVES = {
    "out": "Tensors never change in place: write y = f(x) instead of f(x, out=y).",
    "where": "Choose elements with np.where(mask, x, 0).",
    "dtype": "Convert with x.astype(dtype).",
}


def missing_rule(function: Function, argument: int | None = None) -> MissingRuleError:
    """The error for a call that cannot be differentiated, with the line that would change that."""
    name = function_name(function)
    if argument is not None:
        return MissingRuleError(
            name,
            expected=f"a backward rule for argument {argument}, which requires a gradient",
            got="none",
            fix="Pass its plain array (x.data) if its gradient is not wanted.",
        )
    return MissingRuleError(
        name,
        expected="a function with a registered backward rule",
        got="one without",
        fix=f"Register one: tg.rules.derivative({name}, lambda g, out, x: ...); or, if its gradient is zero "
        f"everywhere, tg.rules.constant({name}); or compute on x.data, which carries no gradient.",
    )


def __dir__() -> list[str]:
    """The public names."""
    return __all__

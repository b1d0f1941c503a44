"""What `check_rule` demands of a rule, one function each: it yields what it finds wrong."""

import contextlib
import warnings
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tinygrad_mlp.arguments import Traced
from tinygrad_mlp.autodiff import jvp, vjp
from tinygrad_mlp.errors import GradientError, TinygradError
from tinygrad_mlp.rules import RULES, function_name, missing_rule
from tinygrad_mlp.tensor import Tensor
from tinygrad_mlp.testing.diagnosis import raised
from tinygrad_mlp.testing.gradcheck import check_grads
from tinygrad_mlp.testing.layouts import LAYOUTS
from tinygrad_mlp.testing.numeric import Array
from tinygrad_mlp.testing.orders import random_weights
from tinygrad_mlp.testing.values import broadcasts

Function = Callable[..., Any]
Problems = Iterator[str]


class Case:
    """A function with example arguments, seen as a function of its differentiable arrays alone."""

    def __init__(self, function: Function, args: tuple[Any, ...], params: dict[str, Any], rng: Any) -> None:
        self.function, self.args, self.params, self.rng = function, args, params, rng
        rules = RULES.get(function, (missing_rule,) * len(args))
        self.places = [
            (i, j)
            for i, arg in enumerate(args[: len(rules)])
            if rules[i] is not None
            for j, item in (enumerate(arg) if isinstance(arg, (list, tuple)) else [(None, arg)])
            if isinstance(item, (float, np.ndarray, np.generic)) and np.asarray(item).dtype.kind == "f"
        ]
        self.arrays: list[Array] = [np.array(args[i] if j is None else args[i][j]) for i, j in self.places]

    def filled(self, arrays: Sequence[Any]) -> tuple[Any, ...]:
        """The arguments with others in the place of the arrays."""
        args = [list(arg) if isinstance(arg, (list, tuple)) else arg for arg in self.args]
        for (i, j), array in zip(self.places, arrays, strict=True):
            if j is None:
                args[i] = array
            else:
                args[i][j] = array
        originals = self.args
        return tuple(tuple(a) if isinstance(o, tuple) else a for a, o in zip(args, originals, strict=True))

    def __call__(self, *arrays: Any) -> Any:
        result = self.function(*self.filled(arrays), **self.params)
        if not isinstance(result, (list, tuple)):
            return result
        floats = [part for part in result if np.dtype(part.dtype).kind in "fc"]
        return np.concatenate([np.reshape(part, -1) for part in floats])  # all at once, as one array

    def value(self, arrays: Sequence[Array]) -> Array:
        """The result on plain arrays."""
        return np.asarray(self(*arrays))

    def accepts(self, arrays: Sequence[Array]) -> bool:
        """Whether the function itself takes these arrays, without complaint and with a finite result."""
        try:
            with np.errstate(all="raise"), warnings.catch_warnings(action="error"):
                return bool(np.isfinite(self.value(arrays)).all())
        except Exception:  # whatever it raises, it does not take them
            return False

    def gradients(self, arrays: Sequence[Array], g: Array) -> list[Array]:
        """Gradients through the engine."""
        found = vjp(self, *arrays)[1](g)
        return list(found) if isinstance(found, tuple) else [found]

    def rule_calls(self, arrays: Sequence[Array], g: Array) -> Iterator[tuple[str, Array, Any]]:
        """Each rule called with plain arrays: what to call the argument, its array, and what the rule returns."""
        out, args = self.value(arrays), self.filled(arrays)
        for i in dict.fromkeys(i for i, _ in self.places) if self.function in RULES else ():
            result = RULES[self.function][i](g, out, *args, **self.params)  # type: ignore[misc]  # asked only where there is a rule
            for (place, j), array in zip(self.places, arrays, strict=True):
                if place == i:
                    yield f"argument {i}" + ("" if j is None else f"[{j}]"), array, result if j is None else result[j]

    def variants(self) -> Iterator[tuple[str, list[Array]]]:
        """Other shapes of the arrays, one of them or all changed: size 1, empty, an axis less, 0-d."""
        changes: list[tuple[str, Any]] = [("0-d", None)]
        for axis in range(max((x.ndim for x in self.arrays), default=0)):
            before = (slice(None),) * axis
            changes += [
                (f"size 1 along axis {axis}", (*before, slice(0, 1))),
                (f"empty along axis {axis}", (*before, slice(0, 0))),
                (f"without axis {axis}", (*before, 0)),
            ]
        for name, index in changes:
            for chosen in [range(len(self.arrays)), *([i] for i in range(len(self.arrays)) if len(self.arrays) > 1)]:
                try:
                    arrays = [
                        np.array(x[(0,) * x.ndim] if index is None else x[index]) if i in chosen else x
                        for i, x in enumerate(self.arrays)
                    ]
                except IndexError:
                    continue
                which = "all arguments" if len(chosen) > 1 else f"argument {self.places[chosen[0]][0]}"
                if self.accepts(arrays):
                    yield f"{which} {name}", arrays


def faults(case: Case) -> Problems:
    """What keeps rules from being tried at all: none for an argument, one that raises, one that returns None."""
    if case.function not in RULES:
        return
    name, rules = function_name(case.function), RULES[case.function]
    for i, arg in enumerate(case.args[len(rules) :], len(rules)):
        if isinstance(arg, (float, np.ndarray, np.generic)) and np.asarray(arg).dtype.kind == "f":
            yield (
                f"There is no rule for argument {i}: derivative({name}, ...) was given {len(rules)}. Write one more, "
                "or None if the result has no gradient with respect to it."
            )
    g, out = random_weights(case.rng, case.value(case.arrays)), case.value(case.arrays)
    for i in dict.fromkeys(i for i, _ in case.places):
        try:
            result = rules[i](g, out, *case.args, **case.params)  # type: ignore[misc]  # places have rules
        except Exception as error:  # whatever it raises is the finding
            yield f"The rule of {name} for argument {i} {raised(error)}."
        else:
            if result is None or (isinstance(result, (list, tuple)) and any(part is None for part in result)):
                yield f"The rule of {name} for argument {i} returned None, where a gradient is expected."


def value(case: Case) -> Problems:
    """The result on Tensors is that on arrays."""
    plain = case.value(case.arrays)
    recorded = case(*(Tensor(x, requires_grad=True) for x in case.arrays))
    if not isinstance(recorded, Tensor) or not recorded.requires_grad:
        yield "the result on Tensors carries no gradient"
    elif recorded.dtype != plain.dtype or not same(recorded.data, plain, plain):
        yield f"on Tensors {recorded.data!r}, on arrays {plain!r}"


def derivatives(case: Case) -> Problems:
    """First and second order, with respect to each argument."""
    yield from disagreement(case, case.arrays, order=2)


def single_arguments(case: Case) -> Problems:
    """The gradient with respect to one argument, the others being plain arrays."""
    for i in range(len(case.arrays) if len(case.arrays) > 1 else 0):
        before, after = case.arrays[:i], case.arrays[i + 1 :]
        try:
            check_grads(lambda x, before=before, after=after: case(*before, x, *after), case.arrays[i], rng=case.rng)
        except GradientError as error:
            yield f"with respect to argument {case.places[i][0]} alone: {error.report.diagnosis or 'wrong'}"


def broadcasting(case: Case) -> Problems:
    """Size 1, empty and missing axes, wherever the function itself accepts them."""
    for name, arrays in case.variants():
        with contextlib.suppress(TinygradError):  # refused, and said so
            yield from (f"{name}: {problem}" for problem in disagreement(case, arrays, order=1))


def disagreement(case: Case, arrays: Sequence[Array], order: int) -> Problems:
    """What `check_grads` says of these arrays."""
    try:
        check_grads(case, *arrays, order=order, rng=case.rng)
    except GradientError as error:
        worst = error.report.worst
        yield f"order {error.report.failed_at}: {error.report.diagnosis or 'wrong'}" + (
            f" ({worst.argument}: {worst.analytic:.6g} where {worst.slope.value:.6g} is right)" if worst else ""
        )


def gradient_shapes(case: Case) -> Problems:
    """A rule returns a shape that its input broadcasts to; the engine sums it back."""
    for _, arrays in [("", case.arrays), *case.variants()]:
        for name, x, gradient in case.rule_calls(arrays, random_weights(case.rng, case.value(arrays))):
            if not broadcasts(x.shape, np.shape(gradient)):
                yield f"{name} of shape {x.shape}: a gradient of shape {np.shape(gradient)}"


def dtypes(case: Case) -> Problems:
    """float32 in, float32 out, with first derivatives that are right in float32."""
    narrow = [x.astype(np.float32) for x in case.arrays]
    out = case(*(Tensor(x, requires_grad=True) for x in narrow))
    own = np.float32 if function_name(case.function)[:3] != "np." else case.value(narrow).dtype  # np.vander widens
    if out.dtype not in (np.float32, own):
        yield f"float32 arguments give a result of {out.dtype}"
    for gradient in case.gradients(narrow, random_weights(case.rng, out.data)):
        if gradient.dtype != np.float32:
            yield f"float32 arguments have a gradient of {gradient.dtype}"
    yield from disagreement(case, narrow, order=1)


def layouts(case: Case) -> Problems:
    """Fortran order, strides and reversed axes change nothing, in the arguments or in the incoming gradient."""
    g = random_weights(case.rng, case.value(case.arrays))
    expected = case.gradients(case.arrays, g)
    for name, layout in LAYOUTS.items():
        found = case.gradients([layout(x) for x in case.arrays], layout(g))
        if not all(
            np.allclose(a, b, rtol=1e-9, atol=1e-12, equal_nan=True) for a, b in zip(found, expected, strict=True)
        ):
            yield f"arrays that are {name} have another gradient"


def linearity(case: Case) -> Problems:
    """rule(2 g - 3 h) = 2 rule(g) - 3 rule(h)."""
    out = case.value(case.arrays)
    g, h = random_weights(case.rng, out), random_weights(case.rng, out)
    of_g, of_h = case.gradients(case.arrays, g), case.gradients(case.arrays, h)
    both = case.gradients(case.arrays, 2 * g - 3 * h)
    for (i, _), a, b, c in zip(case.places, of_g, of_h, both, strict=True):
        if not same(2 * a - 3 * b, c, a, b):
            yield f"the gradient of argument {i} is not linear in g"


def adjoint(case: Case) -> Problems:
    """⟨J v, w⟩ = ⟨v, Jᵀ w⟩."""
    w = random_weights(case.rng, case.value(case.arrays))
    tangents = [random_weights(case.rng, x) for x in case.arrays]
    forward = np.sum(w * jvp(case, tuple(case.arrays), tuple(tangents))[1])
    products = [v * g for v, g in zip(tangents, case.gradients(case.arrays, w), strict=True)]
    backward = sum(np.sum(p) for p in products)
    if not same(forward, backward, *products):
        yield f"⟨J v, w⟩ = {forward:.10g}, but ⟨v, Jᵀ w⟩ = {backward:.10g}"


def no_mutation(case: Case) -> Problems:
    """No rule edits what it is given: all of it is read-only here."""
    arrays = [x.copy() for x in case.arrays]
    g = random_weights(case.rng, case.value(arrays))
    kept = [x.copy() for x in (*arrays, g)]
    for x in (*arrays, g):
        x.flags.writeable = False
    try:
        for _ in case.rule_calls(arrays, g):
            pass
    except ValueError as error:
        yield f"a rule edits one of its arguments: {error}"
    if not all(np.array_equal(a, b, equal_nan=True) for a, b in zip((*arrays, g), kept, strict=True)):
        yield "an argument has changed"


def ownership(case: Case) -> Problems:
    """A rule returns no view of its inputs, keeps no reference to g, and returns arrays when given arrays."""
    g = random_weights(case.rng, case.value(case.arrays))
    for name, x, gradient in case.rule_calls(case.arrays, g):
        if isinstance(gradient, Traced):
            yield f"{name}: a Tensor, although all arguments are arrays"
        elif x.size and any(np.may_share_memory(gradient, array) for array in case.arrays):
            yield f"{name}: the gradient is an argument itself, or a view of it"
        del gradient
    alive = weakref.ref(g)
    del g
    if alive() is not None:
        yield "a rule keeps the incoming gradient"


def same(a: Any, b: Any, *terms: Any) -> bool:
    """Equal up to the rounding of the terms they are made of."""
    size = sum(float(np.sum(np.abs(t))) for t in terms)
    return np.shape(a) == np.shape(b) and bool(np.all(np.abs(np.subtract(a, b)) <= 1e-9 * size + 1e-12))


DEMANDS: tuple[Callable[[Case], Problems], ...] = (
    value, derivatives, single_arguments, broadcasting, gradient_shapes, dtypes, layouts, linearity, adjoint,
    no_mutation, ownership,
)  # fmt: skip

"""Hypothesis strategies for what gradients are tested on.

Built on `hypothesis.extra.numpy`. Needs hypothesis (``pip install tinygrad-mlp[testing]``).

>>> from hypothesis import given
>>> from tinygrad_mlp.testing import check_grads, strategies
>>> @given(strategies.programs(inputs=2), strategies.broadcastable_arrays(2))
... def test_chain_rule(program, arrays):
...     check_grads(program, *arrays, order=1)
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_mlp import nn
from tinygrad_mlp.errors import MissingExtraError
from tinygrad_mlp.testing.layouts import LAYOUTS
from tinygrad_mlp.testing.random_programs import KINKED, SMOOTH, Program

try:
    from hypothesis import strategies as st
    from hypothesis.extra import numpy as hnp
except ImportError as error:
    raise MissingExtraError(
        "tinygrad_mlp.testing.strategies", expected="hypothesis", got="no such package",
        fix="pip install tinygrad-mlp[testing]",
    ) from error  # fmt: skip

__all__ = ["arrays", "axes", "broadcastable_arrays", "elements", "labels", "layouts", "modules", "programs", "shapes"]

Array = np.ndarray[Any, Any]
Shape = tuple[int, ...]
Draw = Callable[[st.SearchStrategy[Any]], Any]


def elements(min_value: float = -3, max_value: float = 3) -> st.SearchStrategy[float]:
    """Multiples of 1/64: exact in float32 too, short to print, and often equal to each other or 0, where kinks are."""
    return st.integers(int(np.ceil(min_value * 64)), int(np.floor(max_value * 64))).map(lambda n: n / 64)


def shapes(min_dims: int = 0, max_dims: int = 3, min_side: int = 1, max_side: int = 4) -> st.SearchStrategy[Shape]:
    """Shapes: () for 0-d, with sides of 1; with ``min_side=0`` empty ones."""
    return hnp.array_shapes(min_dims=min_dims, max_dims=max_dims, min_side=min_side, max_side=max_side)


@st.composite
def arrays(
    draw: Draw,
    /,
    shape: Shape | st.SearchStrategy[Shape] | None = None,
    dtype: Any = np.float64,
    min_value: float = -3,
    max_value: float = 3,
    unique: bool = False,
) -> Array:
    """Arrays of floats in any memory layout.

    Parameters
    ----------
    shape : tuple of int or strategy, optional
        Default: `shapes` ().
    dtype : dtype
        float32 or float64.
    min_value, max_value : float
        Bounds of the elements, which are multiples of 1/64 between them.
    unique : bool
        Whether all elements differ, so that maxima have no ties.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(arrays(shape=(2,)), lambda x: x.sum() > 1)
    array([0.      , 1.015625])
    """
    fill = st.nothing() if unique else None
    array = draw(
        hnp.arrays(
            dtype,
            shapes() if shape is None else shape,
            elements=elements(min_value, max_value),
            fill=fill,
            unique=unique,
        )
    )
    laid_out: Array = draw(layouts(array))
    return laid_out


def layouts(array: Array) -> st.SearchStrategy[Array]:
    """The same values in C or Fortran order, at every other place of a larger array, or with negative strides."""
    return st.sampled_from([layout(array) for layout in LAYOUTS.values()])


@st.composite
def broadcastable_arrays(
    draw: Draw, /, count: int, min_side: int = 1, max_dims: int = 3, **options: Any
) -> tuple[Array, ...]:
    """``count`` arrays whose shapes broadcast against each other; options as of `arrays`.

    >>> from hypothesis import find
    >>> x, y = find(broadcastable_arrays(2), lambda pair: pair[0].ndim != pair[1].ndim)
    >>> np.broadcast_shapes(x.shape, y.shape)
    (1,)
    """
    found = draw(
        hnp.mutually_broadcastable_shapes(
            num_shapes=count, min_side=min_side, max_side=4, min_dims=0, max_dims=max_dims
        )
    )
    return tuple(draw(arrays(shape, **options)) for shape in found.input_shapes)


def axes(ndim: int, *, none: bool = True, tuples: bool = True) -> st.SearchStrategy[Any]:
    """Values of ``axis=`` for an array of ``ndim`` axes: an int, negative or not, a tuple of them, or None."""
    choices: list[st.SearchStrategy[Any]] = [st.none()] if none else []
    if ndim:
        choices.append(st.integers(-ndim, ndim - 1))
    if tuples:
        choices.append(hnp.valid_tuple_axes(ndim))
    return st.one_of(choices)


def labels(count: int, classes: int) -> st.SearchStrategy[Array]:
    """Class numbers, shape (count,), from 0 to classes - 1."""
    return hnp.arrays(np.int64, (count,), elements=st.integers(0, classes - 1))


@st.composite
def modules(
    draw: Draw, /, in_features: int, out_features: int, dtype: Any = np.float64, smooth: bool = False
) -> "nn.Module":
    """Small modules that map (N, in_features) to (N, out_features): Linear layers with layers of other kinds between.

    ``smooth`` leaves out ReLU, whose kinks second derivatives cannot cross.
    """
    activations: list[Callable[[], nn.Module]] = [nn.Tanh, nn.Sigmoid, nn.GELU, *([] if smooth else [nn.ReLU])]
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    sizes = [in_features, *draw(st.lists(st.integers(1, 4), max_size=2)), out_features]
    steps: list[nn.Module] = []
    for i in range(len(sizes) - 1):
        steps.append(nn.Linear(sizes[i], sizes[i + 1], bias=draw(st.booleans()), init="xavier", rng=rng, dtype=dtype))
        if i < len(sizes) - 2:
            steps.append(draw(st.sampled_from(activations))())
    return nn.Sequential(*steps)


@st.composite
def programs(draw: Draw, /, inputs: int = 2, max_steps: int = 6, smooth: bool = True) -> Program:
    """Random graphs: functions of ``inputs`` mutually broadcastable arrays, whose repr is Python.

    Each step uses earlier results at random, so that one result often goes several ways that meet again (a diamond);
    the last step adds up what no other step has used. Values stay moderate. ``smooth`` leaves out steps with kinks.

    >>> from hypothesis import find
    >>> find(programs(inputs=2), lambda program: "tanh" in repr(program))
    lambda x0, x1: [a := np.tanh(x0), x1 + a][-1]
    """
    names = [f"x{i}" for i in range(inputs)]
    steps: list[str] = []
    used: set[str] = set()
    choices = SMOOTH if smooth else SMOOTH + KINKED
    for i in range(draw(st.integers(1, max_steps))):
        op = draw(st.sampled_from(choices))
        a, b = draw(st.sampled_from(names)), draw(st.sampled_from(names))
        used |= {a, b} if "{b}" in op else {a}
        name = "abcdefghijklmnopqrstuvwyz"[i]
        steps.append(f"{name} := {op.format(a=a, b=b)}")
        names.append(name)
    rest = " + ".join(name for name in names if name not in used)
    return Program(f"lambda {', '.join(names[:inputs])}: [{', '.join([*steps, rest])}][-1]")

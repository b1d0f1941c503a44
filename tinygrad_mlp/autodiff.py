"""Derivatives of functions of arrays, to any order.

Arrays in, arrays out; Tensors in, Tensors out, which carry gradients in turn. Inside a function that is being
differentiated, results that depend on its arguments carry gradients too, and so everything here nests:

>>> third = grad(grad(grad(lambda x: x**4)))
>>> third(2.0)
array(48.)

Each call gives ``f`` fresh Tensors, which nothing else has seen, and the walk back from the result does not go behind
them. So a gradient counts only the paths through the arguments of its own call, however deep the calls nest and
whatever ``f`` closes over:

>>> grad(lambda x: x * grad(lambda y: x * y)(3.0))(2.0)
array(4.)
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_mlp.calls import Call, any_tensor, carries, differentiate, fitting, pack, present, recording
from tinygrad_mlp.errors import GraphError
from tinygrad_mlp.graph import identify
from tinygrad_mlp.tensor import Tensor

Function = Callable[..., Any]


def grad(f: Function, argnum: int | tuple[int, ...] = 0) -> Function:
    """The gradient ∂f/∂x of a scalar function, as a function of the same arguments.

    Parameters
    ----------
    f : callable
        Takes arrays or numbers, of float32 or float64; returns a scalar.
    argnum : int or tuple of int
        Which positional arguments to differentiate with respect to; a tuple gives a tuple of gradients.

    Returns
    -------
    callable
        ``(*args, **params) -> gradient``, of the shape and dtype of the argument; zero if ``f`` does not depend on it.
        An array, or a Tensor if an argument is one. Tensors that ``f`` merely closes over keep their link to the result
        only when an argument is a Tensor.

    Raises
    ------
    GraphError
        If the result of ``f`` is not a scalar.
    DtypeError
        If an argument to differentiate with respect to is an array of integers or booleans.
    ArgumentError
        If there is no argument of number ``argnum``.

    Examples
    --------
    >>> grad(lambda x, y: np.sum(x * y), argnum=(0, 1))(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    (array([3., 4.]), array([1., 2.]))
    """
    both = value_and_grad(f, argnum)

    def gradient(*args: Any, **params: Any) -> Any:
        return both(*args, **params)[1]

    return gradient


def value_and_grad(f: Function, argnum: int | tuple[int, ...] = 0) -> Function:
    """Like `grad`, but the function returns ``(value, gradient)`` and runs ``f`` only once.

    >>> value_and_grad(lambda x: np.sum(x * x))(np.array([1.0, 2.0]))
    (array(5.), array([2., 4.]))
    """

    def both(*args: Any, **params: Any) -> Any:
        call = Call(f, args, argnum, params)
        output = call.outputs[0]
        if call.several or output.size != 1:
            got = f"{len(call.outputs)} results" if call.several else f"one of shape {output.shape}"
            raise GraphError(
                "grad", expected="a function with a scalar result", got=got,
                fix="Reduce the result (np.sum, np.mean); or take all its derivatives with tg.jacobian, or the "
                "gradient of one weighting of it with tg.vjp.",
            )  # fmt: skip
        return call.value(), pack(call.pull([np.ones_like(output.data)]), isinstance(argnum, tuple))

    return both


def vjp(f: Function, *args: Any) -> tuple[Any, Function]:
    """The value of ``f`` and its vector-Jacobian product, the function v ↦ vᵀ J.

    Parameters
    ----------
    f : callable
        Returns an array of any shape, or a tuple of arrays.
    *args : array
        The arguments, all of which are differentiated with respect to.

    Returns
    -------
    value : array
        ``f(*args)``.
    product : callable
        ``v -> gradient``: v has the shape of the value (a tuple for a tuple), the gradient that of the argument (a
        tuple for several arguments). May be called any number of times.

    Raises
    ------
    ShapeError
        If v does not have the shape of the value.

    Examples
    --------
    >>> value, product = vjp(np.square, np.array([1.0, 2.0]))
    >>> product(np.array([1.0, 10.0]))
    array([ 2., 40.])
    """
    call = Call(f, args, tuple(range(len(args))), {})

    def product(v: Any) -> Any:
        vectors = fitting("vjp", v if call.several else (v,), call.outputs)
        return pack(call.pull(vectors), len(args) != 1)

    return call.value(), product


def jvp(f: Function, args: Any, tangents: Any) -> tuple[Any, Any]:
    """The value of ``f`` and its Jacobian-vector product J v, the derivative of ``f`` in the direction v.

    Made of two vector-Jacobian products: v ↦ uᵀ J is linear in u, and its own vector-Jacobian product is J v.

    Parameters
    ----------
    f : callable
        Returns an array of any shape, or a tuple of arrays.
    args, tangents : array, or tuple of arrays
        The argument and the direction, of the same shape; for several arguments, a tuple of each.

    Returns
    -------
    value, tangent : array
        ``f(*args)`` and J v, of the same shape.

    Examples
    --------
    >>> jvp(lambda x: x * x, np.array([1.0, 2.0]), np.array([1.0, 10.0]))
    (array([1., 4.]), array([ 2., 40.]))
    """
    args, tangents = as_tuple(args), as_tuple(tangents)
    call = Call(f, args, tuple(range(len(args))), {})
    vectors = fitting("jvp", tangents, call.inputs)
    seeds = [Tensor(np.ones_like(output.data), requires_grad=True) for output in call.outputs]
    with recording():
        forms = differentiate(call.outputs, seeds, call.inputs, since=call.since, create_graph=True)
    outer = call.outer or any(carries(v) for v in vectors)
    found = differentiate(forms, vectors, seeds, since=call.since, create_graph=outer)
    return call.value(), pack([present(t, call.tensors or any_tensor(vectors), outer) for t in found], call.several)


def hvp(f: Function, args: Any, vectors: Any) -> Any:
    """The Hessian-vector product H v of a scalar function, as the gradient of ⟨∇f, v⟩: no Hessian is built.

    Parameters
    ----------
    f : callable
        Returns a scalar.
    args, vectors : array, or tuple of arrays
        The argument and v, of the same shape; for several arguments, a tuple of each.

    Returns
    -------
    array, or tuple of arrays
        H v, of the shape of the argument; the Hessian is that with respect to all the arguments together.

    Examples
    --------
    >>> hvp(lambda x: np.sum(x**3), np.array([1.0, 2.0]), np.array([1.0, 10.0]))
    array([  6., 120.])
    """
    several, args, vectors = isinstance(args, tuple), as_tuple(args), as_tuple(vectors)
    every = tuple(range(len(args)))

    def slope(*args: Any) -> Any:
        gradients = grad(f, every)(*args)
        return sum(np.sum(g * v) for g, v in zip(gradients, fitting("hvp", vectors, args), strict=True))

    return pack(grad(slope, every)(*args), several)


def jacobian(f: Function, argnum: int | tuple[int, ...] = 0) -> Function:
    """The Jacobian ∂fᵢ/∂xⱼ, of shape ``value.shape + argument.shape``, as a function of the same arguments.

    One backward pass per element of the value.

    Parameters
    ----------
    f : callable
        Returns an array of any shape; or a tuple of arrays, which gives a tuple of Jacobians.
    argnum : int or tuple of int
        As in `grad`; a tuple gives a tuple of Jacobians (for each array of the value).

    Examples
    --------
    >>> jacobian(lambda x: x[0] * x)(np.array([2.0, 3.0]))
    array([[4., 0.],
           [3., 2.]])
    """

    def matrices(*args: Any, **params: Any) -> Any:
        call = Call(f, args, argnum, params)
        found = []
        for k, output in enumerate(call.outputs):
            rows = []
            for i in range(output.size):
                seeds = [np.zeros_like(other.data) for other in call.outputs]
                seeds[k].flat[i] = 1  # whatever the memory layout
                rows.append(call.pull(seeds))
            columns = list(zip(*rows, strict=True)) or [() for _ in call.inputs]
            joined = [joint(c, output.shape, x) for c, x in zip(columns, call.inputs, strict=True)]
            found.append(pack(joined, isinstance(argnum, tuple)))
        return pack(found, call.several)

    return matrices


def hessian(f: Function, argnum: int | tuple[int, ...] = 0) -> Function:
    """The Hessian ∂²f/∂xᵢ∂xⱼ of a scalar function, the Jacobian of its gradient, as a function of the same arguments.

    Its shape is ``argument.shape + argument.shape``. A tuple of argument numbers gives a tuple of tuples: entry [a][b]
    is ∂²f/∂xₐ∂x_b, of shape ``xₐ.shape + x_b.shape``.

    >>> hessian(lambda x: x[0] ** 2 * x[1])(np.array([2.0, 3.0]))
    array([[6., 4.],
           [4., 0.]])
    """
    return jacobian(grad(f, argnum), argnum)


def gradients(outputs: Any, inputs: Any, create_graph: bool = False, *, grad_outputs: Any = None) -> Any:
    """The gradients of recorded Tensors with respect to others. ``.grad`` stays as it is, and the graph is kept.

    Parameters
    ----------
    outputs : Tensor or sequence of Tensors
        Scalars; the gradient is that of their sum.
    inputs : Tensor or sequence of Tensors
        Leaves or results of ops.
    create_graph : bool
        Return Tensors that can be differentiated further, instead of arrays.
    grad_outputs : array or sequence of arrays, optional
        Weights of the elements of the outputs, of the same shapes; then the outputs need not be scalars.

    Returns
    -------
    array, or tuple of arrays
        One per input, of its shape and dtype; zeros for an input on which no output depends.

    Raises
    ------
    GraphError
        If an output or input does not require a gradient, an output is not a scalar and has no weights, or an earlier
        backward has freed the graph.
    ShapeError
        If ``grad_outputs`` do not have the shapes of the outputs.

    Examples
    --------
    >>> x = Tensor([1.0, 2.0], requires_grad=True)
    >>> y = x * x
    >>> gradients(np.sum(y**3), [x, y])
    (array([  6., 192.]), array([ 3., 48.]))
    """
    tops, bottoms = as_list(outputs), as_list(inputs)
    for tensor in [*tops, *bottoms]:
        if not carries(tensor):
            raise GraphError(
                "gradients", expected="Tensors that require a gradient", got=type(tensor).__name__ + " without",
                fix="Set requires_grad=True on the leaf, and compute the outputs from it outside no_grad().",
            )  # fmt: skip
    if grad_outputs is not None:
        seeds = fitting("gradients", as_list(grad_outputs), tops)
    elif all(output.size == 1 for output in tops):
        seeds = [np.ones_like(output.data) for output in tops]
    else:
        output = next(output for output in tops if output.size != 1)
        raise GraphError(
            "gradients", expected="scalar outputs", got=f"a {identify(output)}",
            fix="Reduce it (np.sum, np.mean), or weight its elements with grad_outputs=.",
        )  # fmt: skip
    found = differentiate(tops, seeds, bottoms, create_graph=create_graph)
    return pack([present(g, create_graph, create_graph) for g in found], not isinstance(inputs, Tensor))


def joint(rows: Sequence[Any], shape: tuple[int, ...], like: Tensor) -> Any:
    """Rows of a Jacobian, one per element of a value of ``shape``, as one array."""
    if not rows:
        return np.zeros((*shape, *like.shape), dtype=like.dtype)
    return np.reshape(np.stack(rows), (*shape, *like.shape))


def as_tuple(value: Any) -> tuple[Any, ...]:
    """Several values as they are; one value as a tuple."""
    return value if isinstance(value, tuple) else (value,)


def as_list(value: Any) -> list[Any]:
    """A sequence as a list; one Tensor or array as a list of it."""
    return list(value) if isinstance(value, (list, tuple)) else [value]

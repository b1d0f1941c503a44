"""The cases of docs/famous-wrong-gradients.md, and what other checks of gradients say of them.

Where PyTorch and JAX are installed, ``python tests/famous.py`` prints the table of that page.
"""

import doctest
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

PAGE = Path(__file__).parents[1] / "docs" / "famous-wrong-gradients.md"
OTHERS = "\n## What others say"


@dataclass(frozen=True)
class Case:
    """A function, a wrong and a right backward pass, and arrays, as the page gives them to its ``verdict``."""

    f: Callable
    wrong: Callable
    right: Callable
    arrays: tuple
    said: str

    @property
    def ours(self) -> str:
        """What our sentence names. One that begins with "Wrong in" says at best which elements."""
        return "the mistake" if not self.said.startswith("Wrong in") else "where" if ", those" in self.said else "found"


def cases() -> dict[str, Case]:
    """Heading -> case."""
    found, shared = {}, {}
    for part in PAGE.read_text(encoding="utf-8").split(OTHERS)[0].split("\n### "):
        scope = dict(shared, verdict=lambda f, wrong, right, *arrays: (f, wrong, right, arrays)) if shared else shared
        for example in doctest.DocTestParser().get_examples(part):
            if example.source.startswith("verdict("):
                case = eval(example.source, scope)  # noqa: S307 - text of this project
                found[part.split("\n")[0]] = Case(*case, " ".join(example.want.split()))
            elif not example.source.startswith("from tinygrad_mlp"):  # the others need not have it installed
                exec(example.source, scope)  # noqa: S102
    return found


def tuples(gradient):
    return gradient if isinstance(gradient, tuple) else (gradient,)


def torch_says(f, vjp, arrays) -> str:
    """The verdict of ``torch.autograd.gradcheck``."""
    import torch

    class Op(torch.autograd.Function):
        @staticmethod
        def forward(ctx, *xs):
            ctx.xs = [x.numpy() for x in xs]
            return torch.from_numpy(np.array(f(*ctx.xs), np.float64))

        @staticmethod
        def backward(ctx, v):
            gradients = tuples(vjp(v.numpy(), *ctx.xs))
            return tuple(None if g is None else torch.from_numpy(np.array(g, np.float64)) for g in gradients)

    try:
        torch.autograd.gradcheck(Op.apply, [torch.tensor(x, requires_grad=True) for x in arrays])
    except Exception as error:
        return type(error).__name__
    return ""


def jax_says(f, vjp, arrays) -> str:
    """The verdict of ``jax.test_util.check_grads``, which draws its directions at random, the same each time."""
    import jax
    import jax.test_util

    jax.config.update("jax_enable_x64", val=True)
    shape = jax.ShapeDtypeStruct(np.shape(f(*arrays)), np.float64)

    @jax.custom_vjp
    def op(*xs):
        return jax.pure_callback(lambda *xs: np.array(f(*map(np.asarray, xs)), np.float64), shape, *xs)

    def backward(xs, v):
        def gradients(v, *xs):
            found = tuples(vjp(np.asarray(v), *map(np.asarray, xs)))
            return tuple(
                np.zeros_like(x) if g is None else np.array(g, np.float64) for g, x in zip(found, xs, strict=True)
            )

        shapes = tuple(jax.ShapeDtypeStruct(x.shape, np.float64) for x in xs)
        return jax.pure_callback(gradients, shapes, v, *xs)

    op.defvjp(lambda *xs: (op(*xs), xs), backward)
    try:
        jax.test_util.check_grads(op, arrays, order=1, modes=["rev"])
    except Exception as error:
        return type(error).__name__
    return ""


def main() -> None:
    """Print the table."""
    np.seterr(all="ignore")
    print("| | our sentence names | PyTorch | JAX |\n|---|---|---|---|")
    for heading, case in cases().items():
        cells = []
        for says in (torch_says, jax_says):
            error, alarm = says(case.f, case.wrong, case.arrays), says(case.f, case.right, case.arrays)
            cells.append(("found" if error else "missed") + (", false alarm" if alarm else ""))
        print(f"| {heading} | {case.ours} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()

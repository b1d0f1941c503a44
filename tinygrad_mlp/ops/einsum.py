"""Einstein's summation. Vocabulary of the rules: see `tinygrad_mlp.rules`."""

import string

import numpy as np

from tinygrad_mlp.ops.shaping import scatter
from tinygrad_mlp.rules import composite, derivative, primitive


@primitive
def contract(operands, subscripts, optimize=False):
    """np.einsum in its explicit form, "ij,jk->ik", without an ellipsis."""
    return np.einsum(subscripts, *operands, optimize=optimize)


def contract_vjp(g, _, operands, subscripts, optimize=False):
    """Each operand's gradient is the product of g and all the other operands, summed to that operand's letters.

    Letters that stand in no other place, or only with the length 1, leave the gradient the same along them. A letter
    that stands twice in one operand picks its diagonal, to which the gradient returns.
    """
    terms, result = subscripts.split("->")
    terms = terms.split(",")
    gradients = []
    for i, (x, term) in enumerate(zip(operands, terms, strict=True)):
        if x.size == 0:
            gradients.append(np.zeros_like(x))
            continue
        others = [(g, result)] + [(y, t) for j, (y, t) in enumerate(zip(operands, terms, strict=True)) if j != i]
        elsewhere = {letter for _, t in others for letter in t}
        letters = "".join(dict.fromkeys(term))
        shared = "".join(letter for letter in letters if letter in elsewhere)
        gradient = contract([y for y, _ in others], f"{','.join(t for _, t in others)}->{shared}", optimize)
        alone = tuple(k for k, letter in enumerate(letters) if letter not in elsewhere)
        gradient = np.expand_dims(gradient, alone)
        sizes = [x.shape[term.index(a)] if n == 1 else n for a, n in zip(letters, gradient.shape, strict=True)]
        gradient = np.broadcast_to(gradient, sizes)
        if len(letters) < len(term):
            grid = np.ix_(*[np.arange(x.shape[term.index(letter)]) for letter in letters])
            gradient = scatter(gradient, tuple(grid[letters.index(letter)] for letter in term), x.shape)
        gradients.append(gradient)
    return gradients


derivative(contract, contract_vjp, sequence=True)


@composite(np.einsum)
def _(*operands, optimize=False):
    if isinstance(operands[0], str):
        subscripts, operands = operands[0].replace(" ", ""), operands[1:]
    else:
        subscripts, operands = from_lists(operands)
    return contract(list(operands), explicit(subscripts, operands), optimize)


def from_lists(operands):
    """The subscripts of ``einsum(x, [0, 1], y, [1, 2], [0, 2])`` as a string, and the operands."""

    def term(numbers):
        return "".join("..." if n is Ellipsis else string.ascii_letters[n] for n in numbers)

    pairs = len(operands) // 2
    subscripts = ",".join(term(operands[2 * i + 1]) for i in range(pairs))
    if len(operands) % 2:
        subscripts += "->" + term(operands[-1])
    return subscripts, operands[: 2 * pairs : 2]


def explicit(subscripts, operands):
    """Write the result's letters out, and letters in the place of an ellipsis."""
    terms, arrow, result = subscripts.partition("->")
    terms = terms.split(",")
    free = [letter for letter in string.ascii_letters if letter not in subscripts]
    lengths = [
        np.ndim(x) - len(t.replace("...", "")) if "..." in t else 0 for x, t in zip(operands, terms, strict=True)
    ]
    if not arrow:
        joined = "".join(terms).replace("...", "")
        result = "..." + "".join(sorted(letter for letter in joined if joined.count(letter) == 1))
    stand_ins = "".join(free[: max(lengths)])
    # An ellipsis aligns from the right, as broadcasting does.
    terms = [t.replace("...", stand_ins[len(stand_ins) - n :]) for t, n in zip(terms, lengths, strict=True)]
    return ",".join(terms) + "->" + result.replace("...", stand_ins)

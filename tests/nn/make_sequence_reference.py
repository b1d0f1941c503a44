"""What PyTorch's layers for sequences give, to compare ours with.

Where PyTorch is installed, ``python tests/nn/make_sequence_reference.py`` writes ``sequence_reference.npz`` beside this
file. `test_sequences.py` runs this file too, for the table of layers: class and arguments are the same in both.
"""

from pathlib import Path

import numpy as np

NUMBERS = np.array([[0, 3, 0], [1, 1, 4]])
FLOATING = np.array([[0.0, -np.inf, 0.5, 0.0], [1.0, 0.2, -np.inf, 0.0], [0.3, 0.0, 0.0, -1.0]])
FORBIDDEN = np.array([[False, True, False, True], [False, False, False, True], [True, False, False, False]])
PADDING = np.array([[False, False, False, True], [False, True, False, False]])
SOFT_PADDING = np.where(PADDING, -np.inf, 0.0)
EACH_HEAD = np.random.default_rng(0).random((4, 3, 4)) < 0.3
ONE_WITHOUT = np.array([[False], [True], [True]])  # a query that may look at no key
CAUSAL = ~np.tri(4, dtype=bool)
Q, KV = (2, 3, 6), (2, 4, 6)  # batch first
TURNED = (3, 2, 6), (4, 2, 6), (4, 2, 6)
HEADS = {"batch_first": True}

# name -> class, arguments, keyword arguments, inputs (shapes of floats, or integers), further inputs by keyword
CONFIGURATIONS = {
    "embedding": ("Embedding", (5, 3), {}, [NUMBERS], {}),
    "embedding, padded": ("Embedding", (5, 3, -2), {}, [np.array([3, 3, 1])], {}),
    "attention": ("MultiheadAttention", (6, 2), {}, TURNED, {}),
    "attention, unbatched": ("MultiheadAttention", (6, 3), {"bias": False}, [(3, 6), (4, 6), (4, 6)], {}),
    "attention, floating mask": ("MultiheadAttention", (6, 2), HEADS, [Q, KV, KV], {"attn_mask": FLOATING}),
    "attention, mask": (
        "MultiheadAttention", (6, 2), HEADS, [Q, KV, KV], {"attn_mask": FORBIDDEN, "average_attn_weights": False}
    ),
    "attention, padding": (
        "MultiheadAttention", (6, 3), HEADS, [Q, KV, KV], {"key_padding_mask": PADDING, "need_weights": False}
    ),
    "attention, soft padding": (
        "MultiheadAttention", (6, 2), HEADS, [Q, KV, KV], {"key_padding_mask": SOFT_PADDING, "attn_mask": FLOATING}
    ),
    "attention, a mask for each head": (
        "MultiheadAttention", (6, 2), HEADS, [Q, KV, KV], {"attn_mask": EACH_HEAD, "key_padding_mask": PADDING}
    ),
    "attention, causal": ("MultiheadAttention", (6, 2), HEADS, [KV, KV, KV], {"attn_mask": CAUSAL, "is_causal": True}),
    "function": ("scaled_dot_product_attention", (), {}, [(2, 3, 4), (2, 5, 4), (2, 5, 3)], {}),
    "function, causal": (
        "scaled_dot_product_attention", (), {}, [(2, 3, 4), (2, 5, 4), (2, 5, 3)], {"is_causal": True, "scale": 0.7}
    ),
    "function, mask": ("scaled_dot_product_attention", (), {}, [(3, 4), (4, 4), (4, 2)], {"attn_mask": ~FORBIDDEN}),
    "function, nothing allowed": (
        "scaled_dot_product_attention", (), {}, [(3, 4), (4, 4), (4, 2)], {"attn_mask": ONE_WITHOUT}
    ),
    "function, floating mask": (
        "scaled_dot_product_attention", (), {}, [(2, 3, 4), (1, 4, 4), (1, 4, 2)], {"attn_mask": FLOATING}
    ),
    "lstm": ("LSTM", (3, 2), {}, [(4, 2, 3)], {}),
    "lstm, deep and both ways": (
        "LSTM", (3, 2, 2), {"batch_first": True, "bidirectional": True}, [(2, 4, 3), ((4, 2, 2), (4, 2, 2))], {}
    ),
    "lstm, unbatched": ("LSTM", (3, 2), {"bias": False}, [(4, 3), ((1, 2), (1, 2))], {}),
    "gru": ("GRU", (3, 2), {}, [(4, 2, 3)], {}),
    "gru, deep and both ways": (
        "GRU", (3, 2, 2), {"batch_first": True, "bidirectional": True}, [(2, 4, 3), (4, 2, 2)], {}
    ),
    "gru, unbatched": ("GRU", (3, 2), {"bias": False}, [(4, 3), (1, 2)], {}),
}  # fmt: skip


def numbers(name, shape, seed):
    """Numbers that are the same whoever draws them."""
    return np.random.default_rng([seed, *name.encode()]).normal(size=shape)


def inputs(name, convert):
    """The inputs of a configuration; floats are passed through ``convert``. The state of an LSTM is a pair."""

    def made(what, seed):
        if isinstance(what, np.ndarray):
            return what
        if isinstance(what[0], tuple):
            return tuple(made(shape, seed + 1 + i) for i, shape in enumerate(what))
        return convert(numbers(name, what, seed))

    return [made(what, 10 + 10 * i) for i, what in enumerate(CONFIGURATIONS[name][3])]


def flat(values):
    """All arrays in nested tuples, without None."""
    if isinstance(values, (tuple, list)):
        return [item for value in values for item in flat(value)]
    return [] if values is None else [values]


def torch_results(name):
    """The values, and the gradients of Σ g · value with respect to inputs and parameters, turned as ours are."""
    import torch

    kind, args, params, _, more = CONFIGURATIONS[name]
    if hasattr(torch.nn, kind):
        layer = getattr(torch.nn, kind)(*args, **params).double()
        parameters = dict(layer.named_parameters())
        with torch.no_grad():
            for i, parameter in enumerate(parameters.values()):
                drawn = numbers(name, turned(kind, tuple(parameter.shape)), i)
                parameter.copy_(torch.tensor(drawn.T if kind != "Embedding" else drawn))
    else:
        layer, parameters = getattr(torch.nn.functional, kind), {}
    given = inputs(name, lambda a: torch.tensor(a, requires_grad=True))
    given = [torch.tensor(x) if isinstance(x, np.ndarray) else x for x in given]
    more = {key: torch.tensor(value) if isinstance(value, np.ndarray) else value for key, value in more.items()}
    values = flat(layer(*given, **more))
    sum((v * torch.tensor(numbers(name, tuple(v.shape), 50 + i))).sum() for i, v in enumerate(values)).backward()
    results = {f"value {i}": v for i, v in enumerate(values)}
    results |= {f"input {i}": x.grad for i, x in enumerate(flat(given)) if x.is_floating_point()}
    results |= {n: p.grad.t() if kind != "Embedding" else p.grad for n, p in parameters.items()}
    return {entry: tensor.detach().numpy() for entry, tensor in results.items()}


def turned(kind, shape):
    """The shape of a parameter of PyTorch's as it is here."""
    return shape if kind == "Embedding" else shape[::-1]


def main():
    """Write the file."""
    found = {f"{name}: {entry}": array for name in CONFIGURATIONS for entry, array in torch_results(name).items()}
    np.savez_compressed(Path(__file__).with_name("sequence_reference.npz"), **found)


if __name__ == "__main__":
    main()

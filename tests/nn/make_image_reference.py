"""What PyTorch's layers for images give, to compare ours with.

Where PyTorch is installed, ``python tests/nn/make_image_reference.py`` writes ``image_reference.npz`` beside this file.
`test_images.py` runs this file too, for the table of layers: class and arguments are the same here and in PyTorch.
"""

from pathlib import Path

import numpy as np

IMAGES = (2, 4, 5, 6)
CONFIGURATIONS = {  # name -> class, positional arguments, keyword arguments, shape of the input
    "conv": ("Conv2d", (4, 3, 3), {}, IMAGES),
    "conv, strides": ("Conv2d", (4, 6, (3, 2), (2, 3), (1, 2)), {"bias": False}, IMAGES),
    "conv, dilation and groups": ("Conv2d", (4, 6, (2, 3), 1, 2, (3, 2), 2), {}, IMAGES),
    "conv, each channel alone": ("Conv2d", (4, 4, 3), {"groups": 4, "padding": "same"}, IMAGES),
    "conv, same and even": ("Conv2d", (4, 2, (2, 4)), {"padding": "same", "dilation": (1, 2)}, IMAGES),
    "conv, a rim too wide": ("Conv2d", (4, 2, 1, 2, 3), {}, IMAGES),
    "conv, circular": ("Conv2d", (4, 2, 3), {"padding": (1, 2), "padding_mode": "circular"}, IMAGES),
    "conv, reflected": ("Conv2d", (4, 2, 3), {"padding": 2, "padding_mode": "reflect"}, IMAGES),
    "conv, replicated": ("Conv2d", (4, 2, 3, 2), {"padding": 1, "padding_mode": "replicate"}, IMAGES),
    "conv, one image": ("Conv2d", (4, 2, 3), {"padding": "valid"}, IMAGES[1:]),
    "max": ("MaxPool2d", (2,), {}, IMAGES),
    "max, overlapping": ("MaxPool2d", ((3, 2), (2, 1), (1, 1), (1, 2)), {}, IMAGES),
    "max, beyond the rim": ("MaxPool2d", (3, (3, 4), 1), {"ceil_mode": True}, (2, 3, 6, 7)),
    "max, of one image": ("MaxPool2d", (2, 3), {"ceil_mode": True}, IMAGES[1:]),
    "mean": ("AvgPool2d", (2,), {}, IMAGES),
    "mean, overlapping": ("AvgPool2d", ((3, 2), (1, 2), 1), {}, IMAGES),
    "mean, of the image alone": ("AvgPool2d", (3, 2, 1, True, False), {}, IMAGES),
    "mean, beyond the rim": ("AvgPool2d", (2, 3, 1, True), {}, IMAGES),
    "batch norm": ("BatchNorm2d", (4,), {}, IMAGES),
    "batch norm, bare": ("BatchNorm2d", (4, 1e-3, 0.3, False), {}, IMAGES),
    "gelu": ("GELU", (), {}, (50,)),
    "gelu, tanh": ("GELU", ("tanh",), {}, (50,)),
    "flatten": ("Flatten", (), {}, IMAGES),
    "flatten, some": ("Flatten", (-3, 2), {}, IMAGES),
    "mean, of one image": ("AvgPool2d", (2,), {"divisor_override": 3}, IMAGES[1:]),
}


def numbers(name, shape, seed):
    """Numbers that are the same whoever draws them; none of two are equal."""
    rng = np.random.default_rng([seed, *name.encode()])
    return rng.normal(size=shape)


def torch_results(name):
    """The layer's value, and the gradients of Σ g · value with respect to its input and its parameters."""
    import torch

    kind, args, params, shape = CONFIGURATIONS[name]
    layer = getattr(torch.nn, kind)(*args, **params).double()
    with torch.no_grad():
        for i, parameter in enumerate(layer.parameters()):
            parameter.copy_(torch.tensor(numbers(name, tuple(parameter.shape), i)))
    x = torch.tensor(numbers(name, shape, 10), requires_grad=True)
    value = layer(x)
    value.backward(torch.tensor(numbers(name, tuple(value.shape), 11)))
    results = {"value": value, "x": x.grad}
    results |= {n: p.grad for n, p in layer.named_parameters()} | dict(layer.named_buffers())
    return {entry: tensor.detach().numpy() for entry, tensor in results.items()}


def main():
    """Write the file."""
    found = {f"{name}: {entry}": array for name in CONFIGURATIONS for entry, array in torch_results(name).items()}
    np.savez_compressed(Path(__file__).with_name("image_reference.npz"), **found)


if __name__ == "__main__":
    main()

"""Layers for images: values and gradients are PyTorch's, hold to second order, and are the same compiled."""

import importlib.util
import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from tables import row

import tinygrad_mlp as tg

reference = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("make_image_reference.py"))))
SOURCES = ["stored", "live"] if importlib.util.find_spec("torch") else ["stored"]


def make(name):
    """The layer of a configuration, with the numbers that PyTorch's had, and its input."""
    kind, args, params, shape = reference.CONFIGURATIONS[name]
    own = {"dtype": np.float64} if kind in ("Conv2d", "BatchNorm2d") else {}
    layer = getattr(tg.nn, kind)(*args, **params, **own)
    for i, parameter in enumerate(layer.parameters()):
        parameter.data = reference.numbers(name, parameter.shape, i)
    return layer, tg.Tensor(reference.numbers(name, shape, 10), requires_grad=True)


@pytest.mark.parametrize("source", SOURCES)
def test_values_and_gradients_are_those_of_pytorch(source):
    """Of the input and of every parameter; a relative difference of 1e-10."""
    with np.load(Path(__file__).with_name("image_reference.npz"), allow_pickle=False) as file:
        stored = dict(file)
    assert {entry.split(": ")[0] for entry in stored} == set(reference.CONFIGURATIONS)
    for name in reference.CONFIGURATIONS:
        layer, x = make(name)
        value = layer(x)
        value.backward(reference.numbers(name, value.shape, 11))
        found = {"value": value.data, "x": x.grad} | layer.state_dict()  # buffers, as the forward pass left them
        found |= {n: p.grad for n, p in layer.named_parameters()}
        if source == "live":
            expected = reference.torch_results(name)
        else:
            expected = {entry.split(": ")[1]: array for entry, array in stored.items() if entry.startswith(f"{name}: ")}
        with row(name):
            assert set(found) == set(expected) - {"num_batches_tracked"}
            for entry, array in found.items():
                np.testing.assert_allclose(array, expected[entry], rtol=1e-10, atol=1e-12, err_msg=entry)


def functional(layer):
    """The layer as a function of its input and its parameters."""
    names = [name for name, _ in layer.named_parameters()]

    def f(x, *values):
        for name, value in zip(names, values, strict=True):
            setattr(layer, name, value)
        return layer(x)

    return f


def test_gradients_hold_to_second_order():
    """Property: along a line through input and parameters, the second derivative is the limit of differences."""
    for name in reference.CONFIGURATIONS:
        layer, x = make(name)
        start = [x.data, *(p.data for p in layer.parameters())]
        along = [reference.numbers(name, a.shape, 20 + i) for i, a in enumerate(start)]
        f = functional(layer)
        weights = reference.numbers(name, layer(x).shape, 30)

        def on_the_line(t, f=f, start=start, along=along, weights=weights):
            return np.sum(np.sin(f(*[a + t * d for a, d in zip(start, along, strict=True)])) * weights)

        slope, h = tg.grad(on_the_line), 1e-5
        with row(name):
            expected = (slope(np.array(h)) - slope(np.array(-h))) / (2 * h)
            np.testing.assert_allclose(tg.grad(slope)(np.array(0.0)), expected, rtol=1e-5, atol=1e-6)


def test_layouts_and_dtypes():
    """Property: images that lie otherwise in memory give the same, and float32 stays float32."""
    for name in reference.CONFIGURATIONS:
        layer, x = make(name)
        g = reference.numbers(name, layer(x).shape, 11)
        parameters = list(layer.parameters())
        expected = None
        for turned in (lambda a: a, lambda a: np.moveaxis(np.moveaxis(a, 0, -1).copy(), -1, 0), np.asfortranarray):
            leaf = tg.Tensor(turned(x.data), requires_grad=True)
            gradients = tg.gradients(np.sum(layer(leaf) * turned(g)), [leaf, *parameters])
            expected = gradients if expected is None else expected
            with row(name):
                for ours, first in zip(gradients, expected, strict=True):
                    np.testing.assert_allclose(ours, first, rtol=1e-12, atol=1e-13)
        for parameter in parameters:
            parameter.data = parameter.data.astype(np.float32)
        leaf = tg.Tensor(x.data.astype(np.float32), requires_grad=True)
        value = layer(leaf)
        with row(name):
            assert value.dtype == np.float32
            gradients = tg.gradients(np.sum(value * g.astype(np.float32)), [leaf, *parameters])
            for ours, first in zip(gradients, expected, strict=True):
                assert ours.dtype == np.float32
                np.testing.assert_allclose(ours, first, rtol=1e-3, atol=1e-3)


def test_a_compiled_layer_gives_the_same_bits():
    """Value and gradients, in the first run and in later ones."""
    for name in reference.CONFIGURATIONS:
        layer, x = make(name)

        def loss(x, layer=layer):
            return np.sum(np.tanh(layer(x)))

        def for_parameters(x, layer=layer, loss=loss):
            return tg.gradients(loss(x), list(layer.parameters()))

        for f in [tg.value_and_grad(loss)] + [for_parameters] * bool(list(layer.parameters())):
            compiled = tg.compile(f)
            for factor in (1.0, 1.0, -2.0):
                with row(name):
                    for ours, expected in zip(compiled(factor * x.data), f(factor * x.data), strict=True):
                        np.testing.assert_array_equal(ours, expected)

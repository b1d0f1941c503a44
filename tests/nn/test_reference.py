"""Values and gradients of layers equal PyTorch's, and hold to second order."""

import numpy as np
import pytest

import tinygrad_mlp as tg

X, WEIGHTS = np.array([-2.0, -0.5, 0.0, 1.5]), np.arange(1.0, 5.0)
# layer -> what PyTorch 2.13 gives for X, and its gradient of the sum of WEIGHTS · layer(X), in float64
TORCH = {
    tg.nn.SiLU: (
        [-0.2384058440442351, -0.1887703343990727, 0.0, 1.2263617142904655],
        [-0.09078424878489547, 0.5200776253946964, 1.5, 4.165176617196572],
    ),
    tg.nn.LeakyReLU: ([-0.02, -0.005, 0.0, 1.5], [0.01, 0.02, 0.03, 4.0]),
    tg.nn.Softmax: (
        [0.021745655489133042, 0.0974572665329845, 0.16067986831722328, 0.7201172096606591],
        [-0.05608571252309954, -0.1539014582839134, -0.09306073954723322, 0.30304791035424666],
    ),
    tg.nn.RMSNorm: (
        [-1.5689290811054721, -0.39223227027636803, 0.0, 1.176696810829104],
        [1.508585654909108, 1.749959359694565, 2.353393621658208, 2.5947673264436655],
    ),
}
every_layer = pytest.mark.parametrize("layer", TORCH)


def make(layer):
    return layer(4, dtype=np.float64) if layer is tg.nn.RMSNorm else layer()


@every_layer
def test_values_and_gradients_are_those_of_pytorch(layer):
    x = tg.Tensor(X, requires_grad=True)
    out = make(layer)(x)
    (out * WEIGHTS).sum().backward()
    np.testing.assert_allclose(out.data, TORCH[layer][0], rtol=1e-12)
    np.testing.assert_allclose(x.grad, TORCH[layer][1], rtol=1e-12)


@every_layer
def test_gradients_hold_to_second_order(layer):
    assert tg.testing.check_grads(make(layer), np.random.default_rng(0).normal(size=(3, 4)), order=2)


@every_layer
def test_a_compiled_layer_gives_the_same_gradient(layer):
    module = make(layer)

    def loss(x):
        return (module(x) * WEIGHTS).sum()

    compiled = tg.compile(tg.grad(loss))
    for x in (X, X[::-1].copy()):  # the signs change from one call to the next
        np.testing.assert_allclose(compiled(x), tg.grad(loss)(x), rtol=1e-12)

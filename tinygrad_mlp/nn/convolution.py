"""The convolution of images as a layer."""

from typing import Any

import numpy as np

from tinygrad_mlp.aligned import aligned
from tinygrad_mlp.arguments import operand
from tinygrad_mlp.errors import ArgumentError
from tinygrad_mlp.nn.init import INITS
from tinygrad_mlp.nn.layers import Rng
from tinygrad_mlp.nn.module import Module
from tinygrad_mlp.ops.convolution import Pair, conv2d, pair, rim
from tinygrad_mlp.tensor import Tensor
from tinygrad_mlp.validation import choose, generator, whole_number

MODES: dict[str, Any] = {
    "zeros": "constant",
    "reflect": "reflect",
    "replicate": "edge",
    "circular": "wrap",
}  # as np.pad has them


class Conv2d(Module):
    """Convolution of images (N, C, H, W) with a kernel, plus a bias for each channel: `tinygrad_mlp.conv2d`.

    Parameters
    ----------
    in_channels, out_channels : int
        C of the input and of the output.
    kernel_size, stride, padding, dilation : int or pair
        Of rows and columns. ``padding`` is also "valid" or "same".
    groups : int
        Into how many groups the channels are parted, each with weights of its own.
    bias : bool
        Whether there is one.
    padding_mode : {"zeros", "reflect", "replicate", "circular"}
        What the rim is filled with.
    init : {"he", "xavier", "normal"}
        Distribution of the weights at the start, see `tinygrad_mlp.nn.init`; the bias starts at 0.
    rng : numpy.random.Generator or int, optional
        Source of randomness, or a seed. Pass one where the numbers shall be the same in each run.
    dtype : dtype
        Of the parameters.

    Attributes
    ----------
    weight : Tensor, shape (out_channels, in_channels / groups, k, l)
        Oriented as PyTorch's, unlike that of `Linear`.
    bias : Tensor, shape (out_channels,), or None

    Examples
    --------
    >>> layer = Conv2d(1, 6, 5, padding=2, rng=0)
    >>> layer(np.zeros((3, 1, 28, 28), np.float32)).shape
    (3, 6, 28, 28)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Pair,
        stride: Pair = 1,
        padding: Pair | str = 0,
        dilation: Pair = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        *,
        init: str = "he",
        rng: Rng = None,
        dtype: Any = np.float32,
    ) -> None:
        for name, value in (("in_channels", in_channels), ("out_channels", out_channels), ("groups", groups)):
            whole_number("Conv2d", name, value, least=1)
        if in_channels % groups or out_channels % groups:
            raise ArgumentError(
                "Conv2d", expected=f"channels that are multiples of groups={groups}",
                got=f"{in_channels} in and {out_channels} out",
            )  # fmt: skip
        self.kernel_size = pair("Conv2d", "kernel_size", kernel_size, least=1)
        self.stride = pair("Conv2d", "stride", stride, least=1)
        self.dilation = pair("Conv2d", "dilation", dilation, least=1)
        self.padding = padding
        self.groups = groups
        self.padding_mode = padding_mode
        choose(MODES, padding_mode, "Conv2d", "padding_mode")
        self._rim = rim("Conv2d", padding, self.kernel_size, self.stride, self.dilation)
        area = self.kernel_size[0] * self.kernel_size[1]
        shape = (out_channels, in_channels // groups, *self.kernel_size)
        draw = choose(INITS, init, "Conv2d", "init")
        weight = draw(generator(rng, "Conv2d", optional=True), shape[1] * area, out_channels // groups * area, shape)
        self.weight = Tensor(weight.astype(dtype), requires_grad=True, name="weight")
        self.weight.data = aligned(self.weight.data)
        self.bias = Tensor(np.zeros(out_channels, dtype), requires_grad=True, name="bias") if bias else None

    def forward(self, x: Any) -> Tensor:
        """Map images (N, in_channels, H, W), or one of them, to (N, out_channels, H', W')."""
        x, padding = operand(x), self.padding
        if self.padding_mode != "zeros":
            x = np.pad(x, ((0, 0),) * (x.ndim - 2) + self._rim, MODES[self.padding_mode])
            padding = 0
        return conv2d(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)

    def summary(self) -> str:
        """``8 → 16, 5 × 5``, and what is not the default."""
        out, channels, *size = self.weight.shape
        said = [f"{channels * self.groups} → {out}", f"{size[0]} × {size[1]}"]
        said += [
            f"{name} {value}" for name, value, usual in (
                ("stride", self.stride, (1, 1)), ("padding", self.padding, 0), ("dilation", self.dilation, (1, 1)),
                ("groups", self.groups, 1), ("padded with", self.padding_mode, "zeros"),
            ) if value != usual
        ]  # fmt: skip
        return ", ".join(said)

"""The largest element or the mean of windows of images, as layers."""

from typing import Any

import numpy as np

from tinygrad_mlp.arguments import operand
from tinygrad_mlp.errors import ShapeError
from tinygrad_mlp.nn.module import Module
from tinygrad_mlp.ops.convolution import Pair
from tinygrad_mlp.ops.pooling import avg_pool2d, max_pool2d


class MaxPool2d(Module):
    """The largest element of each window: `tinygrad_mlp.max_pool2d`, which explains the arguments.

    >>> MaxPool2d(2)(np.zeros((3, 6, 28, 28))).shape
    (3, 6, 14, 14)
    """

    def __init__(
        self, kernel_size: Pair, stride: Pair | None = None, padding: Pair = 0, dilation: Pair = 1, *,
        ceil_mode: bool = False,
    ) -> None:  # fmt: skip
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.ceil_mode = ceil_mode

    def forward(self, x: Any) -> Any:
        """Map images (N, C, H, W), or one of them, to (N, C, H', W')."""
        return max_pool2d(x, self.kernel_size, self.stride, self.padding, self.dilation, ceil_mode=self.ceil_mode)

    def summary(self) -> str:
        """The size of the window, and what is not the default."""
        return windows(self) + (f", dilation {self.dilation}" if self.dilation != 1 else "")


class AvgPool2d(Module):
    """The mean of each window: `tinygrad_mlp.avg_pool2d`, which explains the arguments.

    >>> AvgPool2d(2)(np.zeros((3, 6, 28, 28))).shape
    (3, 6, 14, 14)
    """

    def __init__(
        self, kernel_size: Pair, stride: Pair | None = None, padding: Pair = 0, ceil_mode: bool = False,
        count_include_pad: bool = True, divisor_override: int | None = None,
    ) -> None:  # fmt: skip
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, x: Any) -> Any:
        """Map images (N, C, H, W), or one of them, to (N, C, H', W')."""
        how = self.ceil_mode, self.count_include_pad, self.divisor_override
        return avg_pool2d(x, self.kernel_size, self.stride, self.padding, *how)

    def summary(self) -> str:
        """The size of the window, and what is not the default."""
        return windows(self)


class GlobalAvgPool2d(Module):
    """The mean of each channel of each image: (N, C, H, W) to (N, C).

    PyTorch has it as ``AdaptiveAvgPool2d(1)``, which keeps axes of length 1.

    >>> GlobalAvgPool2d()(np.ones((3, 6, 7, 7))).shape
    (3, 6)
    """

    def forward(self, x: Any) -> Any:
        """Fold the last two axes."""
        x = operand(x)
        if np.ndim(x) not in (3, 4):
            raise ShapeError("GlobalAvgPool2d", expected="images (N, C, H, W), or one of them", got=str(np.shape(x)))
        return np.mean(x, axis=(-2, -1))


def windows(pool: MaxPool2d | AvgPool2d) -> str:
    """The size of the windows, and how they move where they do not stand side by side."""
    said = [f"{pool.kernel_size}"]
    said += [f"stride {pool.stride}"] * (pool.stride != pool.kernel_size)
    said += [f"padding {pool.padding}"] * (pool.padding != 0)
    return ", ".join([*said, *["ceil_mode"] * pool.ceil_mode])

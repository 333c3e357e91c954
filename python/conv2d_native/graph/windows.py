"""Operations on images: convolutions, pooling, resizing. Words are Keras's; padding reaches the core as numbers."""

from __future__ import annotations

import math
from typing import Any

from .. import arguments, resampling, shapes
from .elements import ElementOperations
from .tensor import Tensor


class WindowOperations(ElementOperations):
    """The half of GraphBuilder that knows images."""

    # Convolutions. y[n,oh,ow,o] = act(sum x[n, oh*sh - top + i*dh, ow*sw - left + j*dw, c] * kernel[i,j,c,o] + b[o])

    def conv2d(
        self,
        x: Any,
        kernel: Any,
        bias: Any = None,
        strides: Any = 1,
        padding: Any = "valid",
        data_format: Any = "channels_last",
        dilation_rate: Any = 1,
        groups: Any = 1,
        activation: Any = None,
    ) -> Any:
        kernel = arguments.array("kernel", kernel, 4)
        groups = arguments.integer("groups", groups)
        x = self._images(x, data_format)
        c, (_, _, group_c, filters) = x.shape[3], kernel.shape
        if c % groups or filters % groups:
            raise ValueError(
                "`groups` must divide the number of input channels and of filters. "
                f"Received: groups={groups}, {c} channels, {filters} filters."
            )
        if group_c * groups != c:
            raise ValueError(
                f"`kernel` must have shape (kh, kw, {c // groups}, filters) for {c} channels in {groups} groups. "
                f"Received: kernel of shape {kernel.shape}, x of shape {x.shape}."
            )
        return self._conv(x, kernel, bias, strides, padding, data_format, dilation_rate, groups, activation)

    def depthwise_conv2d(
        self,
        x: Any,
        kernel: Any,
        bias: Any = None,
        strides: Any = 1,
        padding: Any = "valid",
        data_format: Any = "channels_last",
        dilation_rate: Any = 1,
        activation: Any = None,
    ) -> Any:
        kernel = arguments.array("kernel", kernel, 4)
        x = self._images(x, data_format)
        kh, kw, c, multiplier = kernel.shape
        if c != x.shape[3]:
            raise ValueError(
                f"`kernel` must have shape (kh, kw, {x.shape[3]}, multiplier). "
                f"Received: kernel of shape {kernel.shape}, x of shape {x.shape}."
            )
        arguments.no_empty_kernel(kernel.shape)
        kernel = kernel.reshape(kh, kw, 1, c * multiplier)
        return self._conv(x, kernel, bias, strides, padding, data_format, dilation_rate, c, activation)

    def separable_conv2d(
        self,
        x: Any,
        depthwise_kernel: Any,
        pointwise_kernel: Any,
        bias: Any = None,
        strides: Any = 1,
        padding: Any = "valid",
        data_format: Any = "channels_last",
        dilation_rate: Any = 1,
        activation: Any = None,
    ) -> Any:
        depthwise_kernel = arguments.array("depthwise_kernel", depthwise_kernel, 4)
        pointwise_kernel = arguments.array("pointwise_kernel", pointwise_kernel, 4)
        c, multiplier = self._images(x, data_format).shape[3], depthwise_kernel.shape[3]
        for name, kernel, *sizes in (
            ("depthwise_kernel", depthwise_kernel, c, "multiplier"),
            ("pointwise_kernel", pointwise_kernel, c * multiplier, "filters"),
        ):
            if 0 in kernel.shape or kernel.shape[2] != sizes[0]:
                raise ValueError(
                    f"`{name}` must have shape (kh, kw, {sizes[0]}, {sizes[1]}). "
                    f"Received: {name} of shape {kernel.shape}, x of shape {x.shape}."
                )
        y = self.depthwise_conv2d(x, depthwise_kernel, None, strides, padding, data_format, dilation_rate)
        return self.conv2d(y, pointwise_kernel, bias, data_format=data_format, activation=activation)

    def conv2d_transpose(
        self,
        x: Any,
        kernel: Any,
        bias: Any = None,
        strides: Any = 1,
        padding: Any = "valid",
        output_padding: Any = None,
        data_format: Any = "channels_last",
        dilation_rate: Any = 1,
        activation: Any = None,
    ) -> Any:
        kernel = arguments.array("kernel", kernel, 4)
        x = self._images(x, data_format)
        strides, dilation = self._steps(strides, dilation_rate)
        padding = arguments.padding_word(padding)
        extra: tuple[int | None, ...] = (None, None)
        if output_padding is not None:
            extra = arguments.integers("output_padding", output_padding, 2, 0)
        arguments.no_empty_kernel(kernel.shape)
        if kernel.shape[3] != x.shape[3]:
            raise ValueError(
                f"`kernel` must have shape (kh, kw, filters, {x.shape[3]}). "
                f"Received: kernel of shape {kernel.shape}, x of shape {x.shape}."
            )
        axes = zip(x.shape[1:3], kernel.shape[:2], strides, dilation, (padding, padding), extra, strict=True)
        cuts, size = zip(*(shapes.transposed_axis(*axis) for axis in axes), strict=True)
        if not all(0 < n <= arguments.LARGEST_SIZE for n in size):
            raise ValueError(
                "Computed output size would be zero or negative, or too large. "
                f"Received: inputs shape={x.shape}, kernel shape={kernel.shape}, strides={strides}."
            )
        bias = self._vector("bias", bias, kernel.shape[2])

        def add(text: str) -> int:
            return self.core.conv2d_transpose(x.id, kernel, bias, strides, cuts, dilation, size, text)

        return self._activated(add, activation, lambda y: self._as_given(y, data_format))

    # Pooling.

    def max_pool2d(
        self,
        x: Any,
        pool_size: Any = 2,
        strides: Any = None,
        padding: Any = "valid",
        data_format: Any = "channels_last",
    ) -> Any:
        return self._pool("max", x, pool_size, strides, padding, data_format)

    def average_pool2d(
        self,
        x: Any,
        pool_size: Any = 2,
        strides: Any = None,
        padding: Any = "valid",
        data_format: Any = "channels_last",
    ) -> Any:
        return self._pool("average", x, pool_size, strides, padding, data_format)

    def global_max_pool2d(self, x: Any, keepdims: bool = False, data_format: Any = "channels_last") -> Any:
        return self._global("max", x, keepdims, data_format)

    def global_average_pool2d(
        self, x: Any, keepdims: bool = False, data_format: Any = "channels_last"
    ) -> Any:
        return self._global("mean", x, keepdims, data_format)

    def resize(
        self,
        x: Any,
        size: Any,
        interpolation: str = "bilinear",
        antialias: bool = False,
        data_format: Any = "channels_last",
    ) -> Any:
        size = arguments.integers("size", size, 2)
        interpolation = arguments.choice("interpolation", interpolation, resampling.INTERPOLATIONS)
        x = self._images(x, data_format)
        antialias = arguments.flag("antialias", antialias) and interpolation != "nearest"
        if interpolation in ("nearest", "bilinear") and not antialias:
            y = Tensor(self, self.core.resize(x.id, interpolation, size))
        else:
            y = self.apply(
                lambda a: resampling.resize(a, size, interpolation, antialias), [x], (None, *size, x.shape[3])
            )
        return self._as_given(y, data_format)

    # Steps shared by the operations.

    def _images(self, x: Any, data_format: Any) -> Any:
        """`x` with the channels last."""
        data_format = arguments.data_format(data_format)
        if x.rank != 4:
            order = "height, width, channels" if data_format == "channels_last" else "channels, height, width"
            raise ValueError(
                f"`x` must have 4 dimensions (batch, {order}), expected ndim=4, found ndim={x.rank}. "
                f"Received: x of shape {x.shape}."
            )
        return x if data_format == "channels_last" else self.transpose(x, shapes.TO_LAST)

    def _as_given(self, y: Any, data_format: Any) -> Any:
        last = arguments.data_format(data_format) == "channels_last"
        return y if last else self.transpose(y, shapes.TO_FIRST)

    def _steps(self, strides: Any, dilation_rate: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
        return arguments.steps("strides", strides), arguments.steps("dilation_rate", dilation_rate)

    def _geometry(self, x: Any, kernel: Any, strides: Any, dilation: Any, padding: Any, shown: Any) -> Any:
        """(strides, padding, dilation) as numbers; those too large to matter are cut to the size of the image."""
        padding = arguments.padding(padding)
        shapes.window_outputs(x.shape, kernel, strides, dilation, padding, shown)
        dilation = tuple(1 if k == 1 else d for k, d in zip(kernel, dilation, strict=True))
        axes = zip(x.shape[1:3], kernel, strides, dilation, shapes.per_axis(padding, 2), strict=True)
        pads = tuple(shapes.axis_padding(*axis) for axis in axes)
        if max(map(max, pads)) > arguments.LARGEST_SIZE:
            raise ValueError(
                "The effective kernel is larger than any padded input can be. "
                f"Received: inputs shape={x.shape}, kernel shape={shown}, dilation_rate={dilation}."
            )
        longest = [size + sum(pad) for size, pad in zip(x.shape[1:3], pads, strict=True)]
        if math.prod(longest) * x.shape[3] > arguments.LARGEST_STEP:
            raise ValueError(
                "The padded input must have fewer than 2^63 entries. "
                f"Received: inputs shape={x.shape}, padding={padding}, strides={strides}, dilation_rate={dilation}."
            )
        return tuple(min(s, n) for s, n in zip(strides, longest, strict=True)), pads, dilation

    def _conv(
        self,
        x: Any,
        kernel: Any,
        bias: Any,
        strides: Any,
        padding: Any,
        data_format: Any,
        dilation: Any,
        groups: int,
        activation: Any,
    ) -> Any:
        """A convolution of a channels-last `x`, its result in the caller's order of axes."""
        arguments.no_empty_kernel(kernel.shape)
        strides, dilation = self._steps(strides, dilation)
        geometry = self._geometry(x, kernel.shape[:2], strides, dilation, padding, kernel.shape)
        bias = self._vector("bias", bias, kernel.shape[3])

        def add(text: str) -> int:
            return self.core.conv2d(x.id, kernel, bias, *geometry, groups, text)

        return self._activated(add, activation, lambda y: self._as_given(y, data_format))

    def _pool(self, kind: str, x: Any, pool_size: Any, strides: Any, padding: Any, data_format: Any) -> Any:
        size = arguments.integers("pool_size", pool_size, 2)
        strides = size if strides is None else arguments.steps("strides", strides)
        x = self._images(x, data_format)
        strides, pads, _ = self._geometry(x, size, strides, (1, 1), padding, size)
        return self._as_given(Tensor(self, self.core.pool(x.id, kind, size, strides, pads)), data_format)

    def _global(self, kind: str, x: Any, keepdims: bool, data_format: Any) -> Any:
        keepdims = arguments.flag("keepdims", keepdims)
        first = arguments.data_format(data_format) == "channels_first"
        if first and x.source is None:
            self._images(x, data_format)
            return self.reduce(x, kind, (2, 3), keepdims)
        y = self.reduce(self._images(x, data_format), kind, (1, 2), keepdims)
        return self._as_given(y, data_format) if keepdims else y

"""Shape arithmetic: windows with 'valid', 'same', 'causal' and explicit padding, and sizes that are not known.

A size is a positive int, or None where it is not known yet (the batch; height and width of a dynamic model).
Shapes are tuples with the batch first. Names as in the core: n h w c, kh kw, oh ow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

Size = int | None
Shape = tuple[Size, ...]
Padding = str | tuple[tuple[int, int], ...]  # "valid", "same", "causal" or (before, after) per axis
TO_LAST, TO_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)  # orders of axes that bring the channels of images there
PROBES = ((96, 80), (160, 144))  # sizes that are tried for those not known: of axes with even and odd numbers


def extent(kernel: int, dilation: int) -> int:
    """Cells that a dilated window spans: (kernel - 1) * dilation + 1."""
    return (kernel - 1) * dilation + 1


def axis_padding(size: int, kernel: int, stride: int, dilation: int, padding: Any) -> tuple[int, int]:
    """(before, after) of one axis; 'same' pads for ceil(size / stride) outputs, the smaller half first."""
    if padding == "valid":
        return 0, 0
    if padding == "causal":
        return extent(kernel, dilation) - 1, 0
    if padding == "same":
        outputs = -(-size // stride)
        total = max((outputs - 1) * stride + extent(kernel, dilation) - size, 0)
        return total // 2, total - total // 2
    before, after = padding
    return before, after


def axis_outputs(size: Size, kernel: int, stride: int, dilation: int, padding: Any) -> Size:
    """Outputs of one axis; zero or less where the window does not fit. None stays None."""
    if size is None:
        return None
    before, after = axis_padding(size, kernel, stride, dilation, padding)
    return (size + before + after - extent(kernel, dilation)) // stride + 1


def per_axis(padding: Padding, rank: int) -> tuple[Any, ...]:
    """One entry per axis: the word again and again, or the explicit pairs."""
    return (padding,) * rank if isinstance(padding, str) else tuple(padding)


def window_outputs(
    shape: Sequence[Size],
    kernel: Sequence[int],
    strides: Sequence[int],
    dilation: Sequence[int],
    padding: Padding,
    kernel_shape: Sequence[int] | None = None,
) -> tuple[Size, ...]:
    """Outputs of the spatial axes of an input `shape` (batch, *spatial, channels) under a sliding window.

    Raises ValueError in Keras's words where an axis would have no output.
    """
    spatial = tuple(shape[1:-1])
    axes = zip(spatial, kernel, strides, dilation, per_axis(padding, len(spatial)), strict=True)
    outputs = tuple(axis_outputs(*axis) for axis in axes)
    if any(size is not None and size <= 0 for size in outputs):
        window = tuple(kernel) if kernel_shape is None else tuple(kernel_shape)
        raise ValueError(
            "Computed output size would be zero or negative. "
            f"Received: inputs shape={tuple(shape)}, kernel shape={window}, strides={tuple(strides)}, "
            f"padding={padding!r}, dilation_rate={tuple(dilation)}."
        )
    return outputs


def transposed_axis(
    size: Size, kernel: int, stride: int, dilation: int, padding: str, output_padding: int | None
) -> tuple[int, Size]:
    """(cells cut off in front, outputs) of one axis of a transposed convolution, by Keras's rules.

    Uncut, the scattered input spans (size - 1) * stride + (kernel - 1) * dilation + 1 cells.
    """
    cells = extent(kernel, dilation)
    if padding == "valid":
        extra = max(stride - cells, 0) if output_padding is None else output_padding
        return 0, None if size is None else (size - 1) * stride + cells + extra
    # outputs = (size - 1) * stride + beyond, in both cases of 'same'
    beyond = stride if output_padding is None else cells % 2 + output_padding
    return max(cells - beyond, 0) // 2, None if size is None else (size - 1) * stride + beyond


def channels_last(shape: Sequence[Size], data_format: str) -> Shape:
    """The shape of the same array with its channels moved last."""
    if data_format == "channels_last":
        return tuple(shape)
    return (shape[0], *shape[2:], shape[1])


def from_channels_last(shape: Sequence[Size], data_format: str) -> Shape:
    """The inverse of channels_last."""
    if data_format == "channels_last":
        return tuple(shape)
    return (shape[0], shape[-1], *shape[1:-1])


def to_the_end(axes: Sequence[int], rank: int) -> tuple[list[int], list[int]]:
    """The order of `rank` axes that has `axes`, which count from 0, last; and the order that brings them back."""
    order = [axis for axis in range(rank) if axis not in axes] + list(axes)
    return order, [order.index(axis) for axis in range(rank)]


def count(shape: Sequence[Size]) -> Size:
    """Number of entries, None where a size is not known."""
    known = [size for size in shape if size is not None]
    return math.prod(known) if len(known) == len(shape) else None


def reshape_target(shape: Sequence[Size], target: Sequence[int]) -> Shape:
    """The full output shape of reshaping (batch, ...) to (batch, *target); one entry of `target` may be -1.

    Raises ValueError when the numbers of entries differ, more than one entry is -1, or one is 0 or below -1.
    """
    if sum(size == -1 for size in target) > 1 or any(size < -1 or size == 0 for size in target):
        raise ValueError(
            "`target_shape` must hold positive integers, of which one may be -1. "
            f"Received: target_shape={tuple(target)}."
        )
    entries, known = count(shape[1:]), math.prod(size for size in target if size > 0)
    if entries is None:
        return (shape[0], *(None if size == -1 else size for size in target))
    if entries % known if -1 in target else entries != known:
        raise ValueError(
            "The total size of the tensor must be unchanged. "
            f"Received: input_shape={tuple(shape[1:])}, target_shape={tuple(target)}."
        )
    return (shape[0], *(entries // known if size == -1 else size for size in target))


def advice(shape: Sequence[Size], expected: Sequence[Size]) -> str:
    """What to do about an input of `shape` where `expected` fits; empty where the mistake is not a common one."""

    def fits(sizes: Sequence[Size], wanted: Sequence[Size]) -> bool:
        pairs = zip(sizes, wanted, strict=False)
        return len(sizes) == len(wanted) and all(None in pair or pair[0] == pair[1] for pair in pairs)

    if fits(shape, expected[1:]):
        return " The batch axis is missing: give x[None]."
    if len(shape) == 4 and fits(channels_last(shape, "channels_first"), expected):
        return " The channels stand last here: give x.transpose(0, 2, 3, 1)."
    if tuple(shape[:2]) == (None, None) and fits(shape[1:], expected):
        return " The batch is left out of `input_shape` and of Input's `shape`."
    return ""


def broadcast(shapes: Sequence[Sequence[Size]]) -> Shape:
    """The shape of NumPy broadcasting with sizes that may be None. Raises ValueError where it cannot be done."""
    rank = max(len(shape) for shape in shapes)
    result: list[Size] = []
    for axis in range(-rank, 0):
        sizes = {shape[axis] for shape in shapes if len(shape) >= -axis} - {1}
        known = sizes - {None}
        if len(known) > 1:
            raise ValueError(
                "Inputs have incompatible shapes. "
                f"Received: shapes {', '.join(str(tuple(shape)) for shape in shapes)}."
            )
        result.append(known.pop() if known else None if sizes else 1)
    return tuple(result)


def probed_sizes(shape: Sequence[Size], probe: tuple[int, int]) -> list[int]:
    """The sizes of `shape` without the batch, those of `probe` where one is not known."""
    return [probe[axis % 2] if n is None else n for axis, n in enumerate(shape) if axis]


def follows_probes(shapes: Sequence[Shape], others: Sequence[Shape]) -> list[Shape]:
    """Shapes of results for the first and the second of PROBES as one: sizes that differ are not known."""
    return [
        tuple(n if n == m else None for n, m in zip(shape, other, strict=True))
        for shape, other in zip(shapes, others, strict=True)
    ]

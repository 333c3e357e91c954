"""Shape arithmetic against what it means: windows counted one by one, NumPy's own reshape and broadcast."""

from __future__ import annotations

import re

import numpy as np
import pytest

from conv2d_native import shapes

AXES = [
    (size, kernel, stride, dilation)
    for size in (1, 2, 5, 8)
    for kernel in (1, 2, 3, 5)
    for stride in (1, 2, 3, 9)
    for dilation in (1, 2, 3)
]


def starts(size, kernel, stride, dilation, before, after):
    """Where windows begin in the padded axis."""
    reach = max(tap * dilation for tap in range(kernel))
    return [at for at in range(0, size + before + after, stride) if at + reach < size + before + after]


@pytest.mark.parametrize("padding", ["valid", (0, 0), (1, 2), (4, 0)])
def test_an_axis(padding):
    for axis in AXES:
        _, kernel, _, dilation = axis
        assert shapes.extent(kernel, dilation) == 1 + max(tap * dilation for tap in range(kernel))
        before, after = shapes.axis_padding(*axis, padding)
        assert (before, after) == ((0, 0) if padding == "valid" else padding)
        windows = len(starts(*axis, before, after))
        outputs = shapes.axis_outputs(*axis, padding)
        assert outputs == windows if windows else outputs <= 0


def test_same_covers_every_stride_with_the_smaller_half_first():
    for axis in AXES:
        size, kernel, stride, dilation = axis
        before, after = shapes.axis_padding(*axis, "same")
        outputs = shapes.axis_outputs(*axis, "same")
        assert outputs == len(range(0, size, stride)) == len(starts(*axis, before, after))
        assert 0 <= after - before <= 1
        if before + after > 0:  # no cell too many
            assert (outputs - 1) * stride + shapes.extent(kernel, dilation) == size + before + after


def test_causal_looks_back_alone():
    for axis in AXES:
        size, kernel, stride, dilation = axis
        before, after = shapes.axis_padding(*axis, "causal")
        assert (before, after) == ((kernel - 1) * dilation, 0)
        assert shapes.axis_outputs(*axis, "causal") == len(range(0, size, stride))


def test_an_unknown_size_stays_unknown():
    for padding in ("same", "valid", "causal", (1, 1)):
        assert shapes.axis_outputs(None, 3, 2, 1, padding) is None


def test_per_axis():
    assert shapes.per_axis("same", 3) == ("same",) * 3
    assert shapes.per_axis([(1, 2), (3, 4)], 2) == ((1, 2), (3, 4))


def test_window_outputs():
    shape = (None, 9, None, 4)
    assert shapes.window_outputs(shape, (3, 3), (2, 2), (1, 1), "valid") == (4, None)
    assert shapes.window_outputs((1, 9, 8, 4), (3, 2), (2, 3), (2, 1), ((1, 0), (0, 2))) == (3, 3)
    assert shapes.window_outputs((1, 5, 5, 4), (5, 5), (1, 1), (1, 1), "valid") == (1, 1)
    assert shapes.window_outputs((2, 7, 3), (3,), (1,), (1,), "same") == (7,)
    with pytest.raises(ValueError, match="zip"):
        shapes.window_outputs((1, 9, 9, 4), (3, 3), (2,), (1, 1), "valid")


@pytest.mark.parametrize("shape", [(1, 4, 9, 2), (1, 9, 4, 2), (1, 4, None, 2)])
def test_a_window_that_does_not_fit(shape):
    text = (
        f"Computed output size would be zero or negative. Received: inputs shape={shape}, kernel shape=(5, 5), "
        "strides=(1, 1), padding='valid', dilation_rate=(1, 1)."
    )
    with pytest.raises(ValueError, match="^" + re.escape(text)):
        shapes.window_outputs(list(shape), [5, 5], [1, 1], [1, 1], "valid")
    with pytest.raises(ValueError, match=re.escape("kernel shape=(5, 5, 2, 3), strides")):
        shapes.window_outputs(shape, (5, 5), (1, 1), (1, 1), "valid", [5, 5, 2, 3])


def test_a_transposed_axis_is_the_convolution_backwards():
    """The convolution of the outputs gives the inputs again, for any padding and where Keras adds cells."""
    for size, kernel, stride, dilation in AXES:
        if stride > 1 and dilation > 1:
            continue
        cells = shapes.extent(kernel, dilation)
        cut, outputs = shapes.transposed_axis(size, kernel, stride, dilation, "valid", None)
        assert cut == 0
        assert outputs == (size - 1) * stride + max(cells, stride)
        assert shapes.axis_outputs(outputs, kernel, stride, dilation, "valid") == size
        cut, outputs = shapes.transposed_axis(size, kernel, stride, dilation, "same", None)
        assert outputs == size * stride
        assert cut == max(cells - stride, 0) // 2
        if cells >= stride:
            assert cut == shapes.axis_padding(outputs, kernel, stride, dilation, "same")[0]


def test_output_padding_adds_cells():
    assert shapes.transposed_axis(4, 3, 2, 1, "valid", 0) == (0, 9)
    assert shapes.transposed_axis(4, 3, 2, 1, "valid", 1) == (0, 10)
    assert shapes.transposed_axis(4, 3, 2, 1, "same", 0) == (1, 7)
    assert shapes.transposed_axis(4, 3, 2, 1, "same", 1) == (0, 8)
    assert shapes.transposed_axis(4, 4, 3, 1, "same", 0) == (2, 9)
    assert shapes.transposed_axis(4, 4, 3, 1, "same", 2) == (1, 11)
    assert shapes.transposed_axis(4, 1, 3, 1, "same", 1) == (0, 11)
    for padding in ("valid", "same"):
        for output_padding in (None, 1):
            assert shapes.transposed_axis(None, 3, 2, 1, padding, output_padding)[1] is None


def test_data_formats():
    for shape in ((1, 2, 3, 4), (1, 2, 3), (None, 5, None, 3, 2)):
        x = np.empty([size or 7 for size in shape])
        moved = tuple(None if size == 7 else size for size in np.moveaxis(x, 1, -1).shape)
        assert shapes.channels_last(list(shape), "channels_first") == moved
        assert shapes.from_channels_last(list(moved), "channels_first") == shape
        assert shapes.channels_last(list(shape), "channels_last") == shape
        assert shapes.from_channels_last(list(shape), "channels_last") == shape


def test_count():
    assert shapes.count(()) == 1
    assert shapes.count((2, 3, 4)) == 24
    assert shapes.count((2, 0)) == 0
    assert shapes.count((2, None, 4)) is None


@pytest.mark.parametrize("target", [(12,), (3, 4), (-1,), (2, -1), (-1, 6), (3, -1, 2), (1, 12, 1), (-1, 12)])
def test_a_reshape(target):
    x = np.empty((7, 3, 4))
    assert shapes.reshape_target((7, 3, 4), list(target)) == x.reshape((7, *target)).shape
    assert shapes.reshape_target((None, 3, 4), target)[0] is None


def test_a_reshape_of_unknown_size():
    assert shapes.reshape_target((2, None, 4), (3, -1)) == (2, 3, None)
    assert shapes.reshape_target((2, None, 4), (3, 5)) == (2, 3, 5)


@pytest.mark.parametrize("target", [(-1, -1), (0, 12), (12, 0), (-2, 6), (-1, -2), (-1, 0)])
def test_a_target_that_is_none(target):
    text = f"`target_shape` must hold positive integers, of which one may be -1. Received: target_shape={target}."
    with pytest.raises(ValueError, match="^" + re.escape(text)):
        shapes.reshape_target((1, 12), list(target))


@pytest.mark.parametrize("target", [(11,), (5, -1), (12, 2), (24, -1), (1,)])
def test_another_number_of_entries(target):
    text = f"The total size of the tensor must be unchanged. Received: input_shape=(3, 4), target_shape={target}."
    with pytest.raises(ValueError, match="^" + re.escape(text)):
        shapes.reshape_target([None, 3, 4], list(target))


@pytest.mark.parametrize(
    "all_shapes", [((2, 3), (2, 3)), ((4, 1, 3), (2, 1)), ((1,), (5, 1)), ((3,),), ((), (2,))]
)
def test_broadcast(all_shapes):
    assert shapes.broadcast(all_shapes) == np.broadcast_shapes(*all_shapes)


def test_broadcast_of_unknown_sizes():
    assert shapes.broadcast([(None, 3), (None, 1)]) == (None, 3)
    assert shapes.broadcast([(None, 3), (2, 3)]) == (2, 3)
    assert shapes.broadcast([(None,), (1,)]) == (None,)
    assert shapes.broadcast([(1, 1), (1,)]) == (1, 1)


def test_shapes_that_do_not_go_together():
    with pytest.raises(
        ValueError, match="^" + re.escape("Inputs have incompatible shapes. Received: shapes (2, 3), (4,).")
    ):
        shapes.broadcast([[2, 3], [4]])


def test_advice_for_common_mistakes():
    expected = (None, 32, 40, 3)
    assert "give x[None]" in shapes.advice((32, 40, 3), expected)
    assert "x.transpose(0, 2, 3, 1)" in shapes.advice((5, 3, 32, 40), expected)
    assert "left out of `input_shape`" in shapes.advice((None, None, 32, 40), (None, 32, 40))
    assert shapes.advice((5, 31, 40, 3), expected) == ""

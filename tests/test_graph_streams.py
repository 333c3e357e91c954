"""Convolutions that are streamed by bands of rows, and dense layers on images fused likewise, against float64 NumPy."""

import numpy as np
import pytest

import oracle
from conv2d_native import _core
from conv2d_native.graph import GraphBuilder
from error_measure import relative_l2
from graph_values import array, close, ops


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("expands", [True, False])
@pytest.mark.parametrize("projects", [True, False])
@pytest.mark.parametrize("n", [1, 3])
def test_a_depthwise_convolution_and_its_neighbours_are_streamed(stride, expands, projects, n):
    c, wide, size = (16, 96, 97) if expands else (96, 96, 97)
    k1, b1, k2, b2, k3 = (
        array(1, 1, c, wide) / 4,
        array(wide),
        array(3, 3, 1, wide) / 3,
        array(wide),
        array(1, 1, wide, 24),
    )
    scale, shift = array(c), array(c)
    g = _core.Graph()
    x = g.input((1, size, size, c))
    y = g.activation(g.scale_shift(x, scale, shift), "relu") if expands else x
    if expands:
        y = g.conv2d(y, k1, b1, activation="relu6")
    y = g.conv2d(y, k2, b2, (stride, stride), ((1, 1), (0, 2)), groups=wide, activation="relu")
    if projects:
        y = g.conv2d(y, k3 / 10)
    if projects:
        y = g.binary("add", y, g.pool(y, "max", (1, 1), (1, 1)))
    executable = g.compile([y], n)
    if (expands and stride == 2) or (projects and stride == 1):
        assert "stream" in ops(executable)
    v = array(n, size, size, c)
    got = executable.run([v])[0]
    plain = g.compile([y], n, optimize=False).run([v])[0]
    assert relative_l2(got, plain.astype(np.float64)) < 2e-6
    one = g.compile([y], 1)
    for i in range(n):
        np.testing.assert_array_equal(one.run([v[i : i + 1]])[0], got[i : i + 1])


@pytest.mark.parametrize(
    "padding", [((16, 16), (0, 0)), ((0, 16), (1, 1)), ((20, 0), (0, 0)), ((2, 2), (1, 1))]
)
def test_windows_of_padding_alone_are_not_streamed_apart(padding):
    k1, k2 = array(3, 3, 1, 64) / 3, array(1, 1, 64, 32) / 8
    g = _core.Graph()
    y = g.conv2d(g.conv2d(g.input((1, 112, 112, 64)), k1, padding=padding, groups=64), k2)
    v = array(1, 112, 112, 64)
    padded = np.pad(v, ((0, 0), *padding, (0, 0)))
    close(g.compile([y], 1).run([v])[0], oracle.conv2d(oracle.conv2d(padded, k1, groups=64), k2))


def test_a_stream_adds_the_residual():
    k1, k2, k3 = array(1, 1, 16, 160) / 4, array(3, 3, 1, 160) / 3, array(1, 1, 160, 16) / 12
    g = _core.Graph()
    x = g.input((1, 60, 61, 16))
    y = g.conv2d(g.conv2d(x, k1, activation="relu6"), k2, padding=((1, 1), (1, 1)), groups=160)
    executable = g.compile([g.activation(g.binary("add", x, g.conv2d(y, k3)), "relu")], 2)
    assert ops(executable)[-1] == "stream"
    v = array(2, 60, 61, 16)
    wide = np.clip(oracle.conv2d(v, k1), 0, 6)
    deep = oracle.conv2d(wide, k2, padding="same", groups=160)
    close(executable.run([v])[0], np.maximum(v + oracle.conv2d(deep, k3), 0))


@pytest.mark.parametrize("before", ["pad", "gate", "depthwise"])
def test_a_dense_layer_on_images_sees_rows_columns_and_images(before):
    """What feeds it is fused with it: a border of zeros, a factor of each channel, a stream of rows."""
    v, kernel = array(2, 56, 57, 192), array(192, 32) / 14
    f = GraphBuilder()
    x = f.input(v.shape)
    border = [(0, 0), (2, 1), (0, 3), (0, 0)]
    if before == "pad":
        y, fed = f.pad(x, border), np.pad(v, border)
    elif before == "gate":
        y, fed = f.multiply(x, f.reduce(x, "max", (1, 2), True)), v * v.max((1, 2), keepdims=True)
    else:
        taps = array(3, 3, 192, 1) / 3
        y, fed = f.depthwise_conv2d(x, taps), oracle.conv2d(v, taps.reshape(3, 3, 1, 192), groups=192)
    executable = f.compile([f.dense(y, kernel, activation="relu")], len(v))
    assert ops(executable)[-1] == {"depthwise": "stream"}.get(before, "conv") and "pad" not in ops(executable)
    close(executable.run([v])[0], np.maximum(fed.astype(np.float64) @ kernel, 0))


@pytest.mark.parametrize("kind", ["conv2d", "dense"])
def test_a_border_around_nothing(kind):
    g = _core.Graph()
    v = g.pad(g.input((1, 0, 4, 2)), [(0, 0), (1, 1), (1, 1), (0, 0)])
    kernel, bias = array(2, 5), array(5)
    y = g.dense(v, kernel, bias) if kind == "dense" else g.conv2d(v, kernel[None, None], bias)
    np.testing.assert_array_equal(
        g.compile([y], 3).run([np.zeros((3, 0, 4, 2), np.float32)])[0], np.broadcast_to(bias, (3, 2, 6, 5))
    )


@pytest.mark.parametrize("transposed", [False, True])
def test_what_follows_a_convolution_that_is_seen_in_another_shape_is_fused(transposed):
    """As after `Conv1D`, an image of one row; a convolution that is an output too stays what it is."""
    scale, shift = array(8), array(8)
    g = _core.Graph()
    x = g.input((1, 1, 10, 6))
    if transposed:
        y = g.conv2d_transpose(x, array(1, 3, 8, 6), array(8), (1, 1), (0, 0), (1, 1), (1, 12))
    else:
        y = g.conv2d(x, array(1, 3, 6, 8), array(8), padding=((0, 0), (2, 2)))
    relu = g.activation(g.scale_shift(g.reshape(y, (1, 12, 8)), scale, shift), "relu")
    v = array(2, 1, 10, 6)
    fused, apart = g.compile([relu], 2), g.compile([relu, y], 2)
    assert ops(fused) == ["conv_transpose" if transposed else "conv"]
    assert ops(apart) == [*ops(fused), "affine"]
    got, seen = apart.run([v])
    close(got, np.maximum(seen.reshape(2, 12, 8).astype(np.float64) * scale + shift, 0))
    close(fused.run([v])[0], got)

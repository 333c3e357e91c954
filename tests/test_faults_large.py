"""Row B25: arrays of more than 2**31 entries. They take 10 GiB: CONV2D_LARGE=1 pytest tests/test_faults_large.py"""

import os

import numpy as np
import pytest

import conv2d_native as cn
from error_measure import error_ratio

pytestmark = [
    pytest.mark.skipif("CONV2D_LARGE" not in os.environ, reason="takes 10 GiB: set CONV2D_LARGE=1"),
    pytest.mark.timeout(1800),
]
HEIGHT, WIDTH, CHANNELS = 1025, 8192, 257
RNG = np.random.default_rng(25)
PIXELS = [(0, 0), (511, 4095), (1020, 8190), (1023, 17), (1024, 8188), (1024, 8191)]


@pytest.fixture(scope="module")
def x():
    pattern = RNG.standard_normal(1_000_003).astype(np.float32)
    made = np.empty((1, HEIGHT, WIDTH, CHANNELS), np.float32)
    assert made.size > 2**31
    flat = made.reshape(-1)
    for start in range(0, flat.size, pattern.size):
        part = flat[start : start + pattern.size]
        part[:] = pattern[: part.size]
    return made


def window(x, row, column, reach):
    """The cells of a window around or from a pixel, zeros outside, in float64."""
    before, after = reach
    made = np.zeros((before + after + 1, before + after + 1, x.shape[3]))
    for i in range(-before, after + 1):
        for j in range(-before, after + 1):
            if 0 <= row + i < x.shape[1] and 0 <= column + j < x.shape[2]:
                made[i + before, j + before] = x[0, row + i, column + j]
    return made


def check_sums(got, cells, kernel):
    """got[oc] = sum of cells * kernel[..., oc]"""
    axes = list(range(cells.ndim))
    exact = np.tensordot(cells, kernel.astype(np.float64), (axes, axes))
    scale = np.tensordot(np.abs(cells), np.abs(kernel).astype(np.float64), (axes, axes))
    assert error_ratio(got, exact, scale) <= 100


@pytest.mark.parametrize("size", [1, 3])
def test_b25_a_convolution_with_a_large_output(size):
    """First of all, while no other large array lives."""
    x = RNG.standard_normal((1, HEIGHT, WIDTH, 3)).astype(np.float32)
    kernel = RNG.standard_normal((size, size, 3, CHANNELS)).astype(np.float32)
    y = cn.conv2d(x, kernel, padding="same")
    assert y.size > 2**31
    for row, column in PIXELS:
        check_sums(y[0, row, column], window(x, row, column, (size // 2, size // 2)), kernel)


@pytest.mark.parametrize("size", [1, 3])
def test_b25_a_convolution_of_a_large_input(x, size):
    kernel = RNG.standard_normal((size, size, CHANNELS, 2)).astype(np.float32)
    y = cn.conv2d(x, kernel, padding="same")
    assert y.shape == (1, HEIGHT, WIDTH, 2)
    for row, column in PIXELS:
        check_sums(y[0, row, column], window(x, row, column, (size // 2, size // 2)), kernel)


def test_b25_a_depthwise_convolution_of_a_large_input(x):
    kernel = RNG.standard_normal((3, 3, CHANNELS, 1)).astype(np.float32)
    y = cn.depthwise_conv2d(x, kernel, strides=4)
    for row, column in [(0, 0), (128, 1000), (255, 2046), (255, 2047)]:
        cells = window(x, 4 * row, 4 * column, (0, 2))
        for channel in (0, 100, CHANNELS - 1):
            got = y[0, row, column, channel : channel + 1]
            check_sums(got, cells[..., channel], kernel[:, :, channel])


def test_b25_pools_of_a_large_input(x):
    y = cn.max_pool2d(x, 4)
    for row, column in [(0, 0), (128, 1000), (255, 2047)]:
        np.testing.assert_array_equal(y[0, row, column], window(x, 4 * row, 4 * column, (0, 3)).max((0, 1)))
    np.testing.assert_array_equal(cn.global_max_pool2d(x)[0], x.max((0, 1, 2)))

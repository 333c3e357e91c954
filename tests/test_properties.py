"""Hypothesis looks for shapes, words and memory layouts on which a function leaves its reference."""

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import conv2d_native as cn
import oracle
from error_measure import relative_l2

few = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
small = st.integers(1, 5)
DTYPES = ["f4", "f8", "f2", "i1", "u1", "i4", "u8", ">f4"]


@st.composite
def images(draw, channels):
    """(n, h, w, c) of any real dtype and any memory layout, values whole and small."""
    shape = (draw(st.integers(1, 3)), draw(st.integers(1, 13)), draw(st.integers(1, 13)), channels)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    low, dtype = 0, draw(st.sampled_from(DTYPES))
    if np.dtype(dtype).kind != "u":
        low = -4
    wide = rng.integers(low, 5, tuple(2 * size for size in shape)).astype(dtype)
    axes = tuple(draw(st.sampled_from([slice(None, None, 2), slice(None, None, -2)])) for _ in shape)
    x = wide[axes]
    return np.asfortranarray(x) if draw(st.booleans()) else x


@st.composite
def geometry(draw):
    """Words of conv2d for which every input has an output."""
    padding = draw(st.sampled_from(["same", "explicit"]))
    kernel = draw(small), draw(small)
    dilation = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    reach = [(k - 1) * d for k, d in zip(kernel, dilation, strict=True)]
    if padding == "explicit":
        padding = tuple((r, draw(st.integers(0, 3))) for r in reach)
    return kernel, {"strides": (draw(small), draw(small)), "dilation_rate": dilation, "padding": padding}


@few
@given(st.data())
def test_convolutions_of_whole_numbers_are_exact(data):
    groups = data.draw(st.integers(1, 4))
    group_c, group_oc = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 9))
    x = data.draw(images(groups * group_c))
    kernel_size, words = data.draw(geometry())
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    kernel = rng.integers(-4, 5, (*kernel_size, group_c, groups * group_oc)).astype(np.float32)
    bias = rng.integers(-4, 5, groups * group_oc).astype(np.float32)
    words |= {"groups": groups, "activation": data.draw(st.sampled_from([None, "relu", "relu6"]))}
    expected = oracle.conv2d(x, kernel, bias, **words)
    np.testing.assert_array_equal(cn.conv2d(x, kernel, bias, exact=True, **words), expected)
    assert relative_l2(cn.conv2d(x, kernel, bias, **words), expected) < 1e-5


@few
@given(st.data())
def test_depthwise(data):
    c, multiplier = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 3))
    x = data.draw(images(c))
    kernel_size, words = data.draw(geometry())
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    kernel = rng.integers(-4, 5, (*kernel_size, c, multiplier)).astype(np.float32)
    expected = oracle.depthwise_conv2d(x, kernel, **words)
    np.testing.assert_array_equal(cn.depthwise_conv2d(x, kernel, exact=True, **words), expected)


@few
@given(st.data())
def test_pooling(data):
    x = data.draw(images(data.draw(st.integers(1, 40))))
    words = {"pool_size": (data.draw(small), data.draw(small)), "padding": "same"}
    words["strides"] = data.draw(st.one_of(st.none(), st.tuples(small, small)))
    np.testing.assert_array_equal(cn.max_pool2d(x, **words), oracle.max_pool2d(x, **words))
    np.testing.assert_allclose(
        cn.average_pool2d(x, **words), oracle.average_pool2d(x, **words), rtol=1e-6, atol=1e-6
    )
    np.testing.assert_array_equal(cn.global_max_pool2d(x), oracle.global_max_pool2d(x))


@few
@given(st.data())
def test_transposed(data):
    c, filters = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 9))
    x = data.draw(images(c))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    kernel = rng.integers(-4, 5, (data.draw(small), data.draw(small), filters, c)).astype(np.float32)
    words = {
        "strides": (data.draw(small), data.draw(small)),
        "padding": data.draw(st.sampled_from(["same", "valid"])),
    }
    np.testing.assert_array_equal(
        cn.conv2d_transpose(x, kernel, **words), oracle.conv2d_transpose(x, kernel, **words)
    )


@few
@given(st.data())
def test_dense(data):
    rows, inputs, units = (
        data.draw(st.integers(1, 40)),
        data.draw(st.integers(1, 300)),
        data.draw(st.integers(1, 90)),
    )
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    x, kernel = rng.integers(-4, 5, (rows, inputs)), rng.integers(-4, 5, (inputs, units))
    np.testing.assert_array_equal(cn.dense(x, kernel), x @ kernel)

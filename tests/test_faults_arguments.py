"""Rows A of the fault list: arguments of functions and layers. Row A35 belongs to the native tests."""

import re

import numpy as np
import pytest

import conv2d_native as cn
import oracle
from conv2d_native import layers
from error_measure import relative_l2
from subprocess_case import run_case

RNG = np.random.default_rng(3)
X = RNG.standard_normal((2, 9, 8, 4)).astype(np.float32)
KERNEL = RNG.standard_normal((3, 3, 4, 6)).astype(np.float32)


def function(**words):
    return cn.conv2d(X, KERNEL, **words)


def layer(**words):
    return layers.Conv2D(**({"filters": 6, "kernel_size": 3} | words))(X)


def pool(**words):
    return layers.MaxPooling2D(**words)(X)


def refused(call, error, *words):
    """The call raises `error` with all words, and the next right call still gives the right result."""
    with pytest.raises(error) as caught:
        call()
    assert type(caught.value) in (ValueError, TypeError, error)
    text = str(caught.value)
    assert all(re.search(word, text) for word in words), text
    assert len(text) < 1000
    assert relative_l2(function(), oracle.conv2d(X, KERNEL)) < 1e-6


BOTH = pytest.mark.parametrize("call", [function, layer, pool])


@BOTH
@pytest.mark.parametrize("strides", [0, (0, 1), (1, 0), -1, (-1, 3010182406857593769)])
def test_a1_a2_strides_below_one(call, strides):
    refused(lambda: call(strides=strides), ValueError, "strides", "positive integers", "Received: strides=")


@BOTH
@pytest.mark.parametrize(
    "strides", [(2.5, 2), 2.0, "2", float("nan"), True, (1, True), {1, 2}, {1: 2}, (n for n in (1, 2))]
)
def test_a3_a4_a6_strides_of_another_kind(call, strides):
    refused(lambda: call(strides=strides), TypeError, "strides", "integers")


def test_a3_strides_none():
    for call in (function, layer):
        refused(lambda call=call: call(strides=None), TypeError, "strides")


@BOTH
@pytest.mark.parametrize("strides", [np.int64(2), np.array(2), [2, 2], np.array([2, 2]), (np.uint8(2), 2)])
def test_a5_integers_of_any_type(call, strides):
    assert call(strides=strides).shape[1:3] == ((4, 3) if call is not pool else (4, 4))


@BOTH
@pytest.mark.parametrize("strides", [(1,), (1, 1, 1), [], ()])
def test_a6_strides_of_another_length(call, strides):
    refused(lambda: call(strides=strides), ValueError, "1 or 2 positive integers")


def test_a7_huge_strides():
    run_case(
        """
import conv2d_native as cn
x, kernel = np.ones((1, 5, 5, 2), np.float32), np.ones((3, 3, 2, 1), np.float32)
for stride in (2**31, 2**63 - 1):
    for padding in ("valid", "same"):
        assert cn.conv2d(x, kernel, strides=stride, padding=padding).shape == (1, 1, 1, 1)
    assert cn.max_pool2d(x, 2, strides=stride).shape == (1, 1, 1, 2)
    assert cn.layers.Conv2D(1, 3, strides=stride)(x).shape == (1, 1, 1, 1)
    for padding in ("valid", "same", ((1, 2), (0, 1))):
        for call, weights in ((cn.conv2d, kernel), (cn.depthwise_conv2d, kernel)):
            got = call(x, weights, strides=stride, padding=padding)
            assert np.array_equal(got, call(x, weights, strides=8, padding=padding)), (call, padding)
for stride in (2**63, 10**400):
    for call in (cn.conv2d, lambda x, k, strides: cn.max_pool2d(x, 2, strides)):
        try:
            call(x, kernel, strides=stride)
        except ValueError as error:
            assert "strides" in str(error) and len(str(error)) < 500
        else:
            raise AssertionError(stride)
"""
    )


@pytest.mark.parametrize("dilation", [0, -1, (1, 0)])
def test_a8_dilation_below_one(dilation):
    for call in (function, layer):
        refused(lambda call=call: call(dilation_rate=dilation), ValueError, "dilation_rate", "positive")


def test_a9_huge_dilation():
    run_case(
        """
import conv2d_native as cn
x, kernel = np.ones((1, 5, 5, 2), np.float32), np.ones((3, 3, 2, 1), np.float32)
for dilation in (2**31, 2**62):
    for padding, words in (("valid", "zero or negative"), ("same", "effective kernel")):
        for call in (cn.conv2d, lambda x, k, **w: cn.layers.Conv2D(1, 3, **w)(x)):
            try:
                call(x, kernel, dilation_rate=dilation, padding=padding)
            except ValueError as error:
                assert words in str(error), error
            else:
                raise AssertionError(dilation)
for dilation in (2**31, 2**63 - 1):
    for call in (cn.conv2d, cn.depthwise_conv2d):
        for taps, rate in (((1, 1), (dilation, dilation)), ((1, 3), (dilation, 1)), ((3, 1), (1, dilation))):
            weights = np.ones((*taps, 2, 1), np.float32)
            for padding in ("valid", "same"):
                got = call(x, weights, dilation_rate=rate, padding=padding)
                assert np.array_equal(got, call(x, weights, padding=padding)), (call, taps, padding)
"""
    )


def test_a10_strides_and_dilation():
    refused(lambda: layer(strides=2, dilation_rate=2), ValueError, "strides > 1", "dilation_rate > 1")
    refused(lambda: layer(strides=(2, 1), dilation_rate=(1, 2)), ValueError, "strides > 1")
    got, expected = function(strides=2, dilation_rate=2), oracle.conv2d(X, KERNEL, strides=2, dilation_rate=2)
    assert relative_l2(got, expected) < 1e-6


@pytest.mark.parametrize("size", [0, (0, 3), -1, (3,), (3, 3, 3), 2**33])
def test_a11_kernel_size(size):
    refused(lambda: layer(kernel_size=size), ValueError, "kernel_size")


def test_a12_kernel_larger_than_input():
    words = ("Computed output size would be zero or negative", r"inputs shape=\(", "kernel shape=")
    refused(lambda: layer(kernel_size=10), ValueError, *words)
    refused(lambda: cn.conv2d(X, np.ones((10, 1, 4, 2))), ValueError, *words)
    refused(lambda: pool(pool_size=10), ValueError, *words)
    refused(lambda: cn.average_pool2d(X, (1, 9)), ValueError, *words)
    refused(lambda: layers.Conv2D(2, 10).compute_output_shape((None, 9, 9, 3)), ValueError, *words)


@pytest.mark.parametrize("kernel", [(11, 11), (9, 20), (30, 1)])
def test_a13_kernel_larger_than_input_same(kernel):
    w = RNG.standard_normal((*kernel, 4, 3)).astype(np.float32)
    assert relative_l2(cn.conv2d(X, w, padding="same"), oracle.conv2d(X, w, padding="same")) < 1e-6


@pytest.mark.parametrize("kernel", [(2, 2), (4, 6), (1, 1), (1, 5), (5, 1)])
@pytest.mark.parametrize("strides", [1, 2, 3])
def test_a14_even_and_flat_kernels(kernel, strides):
    w = RNG.standard_normal((*kernel, 4, 3)).astype(np.float32)
    words = {"strides": strides, "padding": "same"}
    assert relative_l2(cn.conv2d(X, w, **words), oracle.conv2d(X, w, **words)) < 1e-6


@BOTH
def test_a15_padding_in_capitals(call):
    assert call(padding="Same").shape == call(padding="same").shape
    assert call(padding="VALID").shape == call(padding="valid").shape


@BOTH
@pytest.mark.parametrize("padding", ["full", 3, None, b"same", ""])
def test_a16_unknown_padding(call, padding):
    refused(lambda: call(padding=padding), ValueError, "padding", "'valid'", "'same'")


@pytest.mark.parametrize(
    "padding", [((-1, 0), (0, 0)), ((0, 2**31), (0, 0)), ((1, 1),), ((1, 1, 1), (0, 0)), (1, (1, 1))]
)
def test_a17_explicit_padding(padding):
    refused(lambda: function(padding=padding), ValueError, "padding")
    refused(lambda: layers.ZeroPadding2D(padding), ValueError, "padding")


def test_a18_padded_input_larger_than_memory():
    run_case(
        """
import conv2d_native as cn
x, kernel = np.ones((1, 5, 5, 2), np.float32), np.ones((3, 3, 2, 1), np.float32)
try:
    cn.conv2d(x, kernel, strides=(2**31, 2**31), padding=((2**31 - 1, 0), (2**31 - 1, 0)))
except ValueError as error:
    words = "padded input must have fewer than 2^63 entries", "(None, 5, 5, 2)", "padding=((2147483647, 0)", "strides="
    assert all(word in str(error) for word in words), error
else:
    raise AssertionError
try:
    cn.conv2d(x, kernel, strides=(2**31, 1), padding=((2**31 - 1, 0), (0, 0)))
except MemoryError as error:
    assert "GiB are needed" in str(error), error
else:
    raise AssertionError
padding = ((10**6 - 1, 0), (0, 0))  # the second row of outputs begins at the second row of pixels
y = cn.conv2d(x, kernel, strides=(10**6, 1), padding=padding)
np.testing.assert_array_equal(y[0, :, :, 0], [[0, 0, 0], [18, 18, 18]])
"""
    )


@pytest.mark.parametrize(
    "filters, error", [(0, ValueError), (-1, ValueError), (2.5, TypeError), (2**40, ValueError)]
)
def test_a19_filters(filters, error):
    for cls in (layers.Conv2D, layers.SeparableConv2D, layers.Conv2DTranspose):
        refused(lambda cls=cls: cls(filters, 3)(X), error, "filters")


def test_a20_groups():
    for groups in (0, -1):
        refused(lambda groups=groups: layer(groups=groups), ValueError, "groups", "positive integer")
        refused(lambda groups=groups: function(groups=groups), ValueError, "groups", "positive integer")
    refused(lambda: layer(filters=6, groups=4), ValueError, "number of filters must be evenly divisible")
    refused(
        lambda: layer(filters=6, groups=3), ValueError, "number of input channels must be evenly divisible"
    )
    refused(lambda: function(groups=4), ValueError, "groups", "4 channels, 6 filters")
    refused(lambda: function(groups=2), ValueError, "kernel", "2 groups")


@pytest.mark.parametrize("size", [0, -1, 2**63 - 1, (2, 0)])
def test_a21_pool_size(size):
    refused(lambda: pool(pool_size=size), ValueError, "pool_size")
    refused(lambda: cn.max_pool2d(X, size), ValueError, "pool_size")
    assert pool(strides=None).shape == (2, 4, 4, 4)


def test_a22_activation():
    for call in (function, layer):
        refused(lambda call=call: call(activation="rellu"), ValueError, "activation", "'rellu'")
        refused(lambda call=call: call(activation=np.float32), TypeError, "activation")
        refused(lambda call=call: call(activation=3), TypeError, "activation")
        for none in (None, "linear"):
            assert call(activation=none).min() < 0
    with pytest.raises(ValueError, match=r"gelu.*relu.*sparsemax"):
        function(activation="rellu")


def test_arguments_that_a_mask_or_its_own_repr_could_break():
    class Unshown:
        def __repr__(self):
            raise RuntimeError

    refused(lambda: function(strides=np.ma.masked), TypeError, "strides")
    for dtype in (0, Unshown(), {"config": 3}, float("nan")):
        refused(
            lambda dtype=dtype: layers.ReLU(dtype=dtype), TypeError, "`dtype` must be", "Received: dtype="
        )


@pytest.mark.parametrize("word", ["kernel_initializer", "bias_regularizer", "kernel_constraint"])
def test_objects_by_name_are_refused_by_the_argument(word):
    for value in (0, "x", {"class_name": "x"}, {"config": {}}, {"class_name": "Zeros", "config": 3}):
        refused(lambda value=value: layer(**{word: value}), ValueError, word)
    refused(lambda: layer(activity_regularizer=0), ValueError, "`activity_regularizer`")


def test_a23_data_format():
    first = np.ascontiguousarray(X.transpose(0, 3, 1, 2))
    got = cn.conv2d(first, KERNEL, data_format="channels_first")
    np.testing.assert_allclose(got, function().transpose(0, 3, 1, 2), rtol=1e-5, atol=1e-5)
    for call in (function, layer, pool):
        refused(lambda call=call: call(data_format="nhwc"), ValueError, "'channels_last'", "'channels_first'")


def test_a24_unknown_arguments():
    for cls, words in ((layers.Conv2D, {"filters": 2, "kernel_size": 3}), (layers.Dropout, {"rate": 0.5})):
        with pytest.raises(TypeError, match="unexpected keyword argument 'kernelsize'"):
            cls(**words, kernelsize=3)
    with pytest.raises(TypeError, match="stride"):
        function(stride=2)


def test_a25_set_weights():
    made = layers.Conv2D(6, 3, name="first")
    made.build(X.shape)
    before = made(X)
    good = [KERNEL, np.zeros(6)]
    for bad in ([KERNEL], [*good, np.zeros(3)], [KERNEL[:, :, :3], np.zeros(6)], []):
        with pytest.raises(ValueError, match=r"'first'.*\(3, 3, 4, 6\), \(6,\).*Received"):
            made.set_weights(bad)
    with pytest.raises(TypeError, match="weights"):
        made.set_weights([KERNEL.astype(object), np.zeros(6)])
    np.testing.assert_array_equal(made(X), before)
    made.set_weights([np.full_like(KERNEL, np.nan), np.zeros(6)])
    assert np.isnan(made(X)).all()
    made.set_weights(good)
    np.testing.assert_array_equal(made(X), function())


def test_a26_before_build():
    made = layers.Conv2D(6, 3, name="first")
    assert made.get_weights() == []
    with pytest.raises(ValueError, match="Layer 'first' has no weights yet"):
        made.set_weights([KERNEL, np.zeros(6)])
    with pytest.raises(ValueError, match="has no layers"):
        cn.Sequential().predict(X)


def test_a27_another_channel_count():
    made = layers.Conv2D(6, 3, name="first")
    before = made(X)
    message = r'layer "first".*expected axis -1 of input shape to have value 4.*\(2, 9, 8, 3\)'
    with pytest.raises(ValueError, match=message):
        made(X[..., :3])
    np.testing.assert_array_equal(made(X), before)
    dense = layers.Dense(2)
    dense(np.zeros((1, 4)))
    with pytest.raises(ValueError, match="axis -1"):
        dense(np.zeros((1, 5)))


@pytest.fixture(scope="module")
def model():
    return cn.Sequential([layers.Conv2D(6, 3, input_shape=(9, 8, 4))])


@pytest.mark.parametrize(
    "size, error", [(0, ValueError), (-1, ValueError), (2.5, TypeError), (True, TypeError)]
)
def test_a28_batch_size(model, size, error):
    refused(lambda: model.predict(X, batch_size=size, verbose=0), error, "batch_size")


def test_a28_batch_size_of_any_integer(model):
    one = model.predict(X, batch_size=1, verbose=0)
    for n in (2, 2**31 - 1, 10**18):
        np.testing.assert_array_equal(model.predict(X, batch_size=n, verbose=0), one)


@pytest.mark.parametrize("x", [None, "x", {}, 3])
def test_a29_predict_on_what_is_no_array(model, x):
    refused(lambda: model.predict(x), (TypeError, ValueError), "x")
    refused(lambda: layers.Conv2D(2, 3)(x), (TypeError, ValueError), "x")


def test_a29_predict_without_x(model):
    with pytest.raises(TypeError):
        model.predict()


@pytest.mark.parametrize(
    "name, error",
    [("a\0b", ValueError), ("a\nb", ValueError), ("n" * 10**7, ValueError), (3, TypeError), ("", ValueError)],
)
def test_a30_names(name, error):
    refused(lambda: layers.Conv2D(2, 3, name=name), error, "name")


def test_a31_dense():
    for units, error in ((0, ValueError), (-1, ValueError), (2.5, TypeError)):
        refused(lambda units=units: layers.Dense(units), error, "units")
    refused(lambda: layers.Dense(3)(np.ones(4)), ValueError, "ndim=1")
    refused(lambda: cn.dense(np.ones(4), np.ones((4, 2))), ValueError, "x")


def test_a32_reshape():
    for target in ((-1, -1), (0, 4), (-2, 3)):
        refused(lambda target=target: layers.Reshape(target), ValueError, "target_shape")
    refused(lambda: layers.Reshape((5, 7))(X), ValueError, "unchanged", r"\(9, 8, 4\)")
    refused(lambda: layers.Reshape((-1, 7))(X), ValueError, "unchanged")
    refused(lambda: layers.Reshape((1.5,)), TypeError, "target_shape")
    assert layers.Reshape((-1, 6))(X).shape == (2, 48, 6)


def test_a33_batch_normalization():
    for epsilon in (0, -1e-3, float("nan"), float("inf")):
        refused(lambda epsilon=epsilon: layers.BatchNormalization(epsilon=epsilon), ValueError, "epsilon")
    norm = layers.BatchNormalization()
    norm.build(X.shape)
    norm.set_weights([np.ones(4), np.zeros(4), np.zeros(4), [1, 1, -1, 1]])
    y = norm(X)
    assert np.isnan(y[..., 2]).all() and np.isfinite(y[..., [0, 1, 3]]).all()


def test_a34_threads():
    for n, error in (
        (0, ValueError),
        (-1, ValueError),
        (2.5, TypeError),
        (True, TypeError),
        ("2", TypeError),
    ):
        refused(lambda n=n: cn.set_num_threads(n), error, "`n`")
    assert 1 <= cn.set_num_threads(10**9) <= 256
    assert cn.get_num_threads() == cn.set_num_threads(10**9)

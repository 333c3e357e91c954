"""Operations of keras.ops on lines (batch, length, channels), computed tables and Fourier transforms, by NumPy."""

import numpy as np
import pytest

import conv2d_native as cn
from conv2d_native import ops
from written import bytes_of

RNG = np.random.default_rng(12)
X = RNG.standard_normal((3, 9, 4)).astype(np.float32)
KERNEL = RNG.standard_normal((3, 4, 2)).astype(np.float32)
POINTS = RNG.standard_normal((1, 8, 5)).astype(np.float32)
WINDOWS = np.stack([X[:, n : n + 3] for n in range(7)], 1)  # batch, place, cell, channel
FIRST = X.swapaxes(1, 2)

CASES = {
    "conv": (lambda x: ops.conv(x, KERNEL), np.einsum("bnkc,kcd->bnd", WINDOWS, KERNEL)),
    "conv, two groups": (
        lambda x: ops.conv(x, KERNEL[:, :2]),
        np.concatenate([np.einsum("bnkc,kc->bn", WINDOWS[..., 2 * g : 2 * g + 2], KERNEL[:, :2, g])[..., None]
                        for g in range(2)], -1),
    ),
    "depthwise": (
        lambda x: ops.depthwise_conv(x, KERNEL, strides=[2]),
        np.einsum("bnkc,kcm->bncm", WINDOWS[:, ::2], KERNEL).reshape(3, 4, 8),
    ),
    "separable": (
        lambda x: ops.separable_conv(x, KERNEL, POINTS),
        np.einsum("bnkc,kcm->bncm", WINDOWS, KERNEL).reshape(3, 7, 8) @ POINTS[0],
    ),
    "transposed": (
        lambda x: ops.conv_transpose(x, KERNEL.swapaxes(1, 2), strides=3),
        np.einsum("bnc,kcd->bnkd", X, KERNEL).reshape(3, 27, 2),
    ),
    "largest": (lambda x: ops.max_pool(x, 3, strides=1), WINDOWS.max(2)),
    "mean": (lambda x: ops.average_pool(x, [3], padding="same"), X.reshape(3, 3, 3, 4).mean(2)),
    "mean of two": (lambda x: ops.average_pool(x, 2), X[:, :8].reshape(3, 4, 2, 4).mean(2)),
    "a table": (lambda x: ops.take(POINTS[0], ops.argmax(x, axis=-1), axis=0), POINTS[0][X.argmax(-1)]),
    "real part": (lambda x: ops.fft((x, x * 2.0))[0], np.fft.fft(X + 2j * X).real),
    "imaginary part": (lambda x: ops.fft2((x, x * 2.0))[1], np.fft.fft2(X + 2j * X).imag),
    "back again": (lambda x: ops.ifft2(ops.fft2((x, x * 2.0)))[1], 2 * X),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_operations(name):
    use, wanted = CASES[name]
    x = cn.Input((9, 4))
    model = cn.Model(x, use(x))
    assert model.output_shape == (None, *wanted.shape[1:])
    np.testing.assert_allclose(model(X), wanted, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(cn.load_model(bytes_of(model.save))(X), model(X))
    if name != "a table":
        np.testing.assert_allclose(use(X), wanted, rtol=1e-4, atol=1e-5)


def test_lines_of_any_length_and_with_the_channels_first():
    x = cn.Input((None, 4))
    model = cn.Model(x, ops.max_pool(ops.conv(x, KERNEL, padding="same"), 2))
    assert model.output_shape == (None, None, 2)
    assert model(X).shape == (3, 4, 2) and model(X[:, :5]).shape == (3, 2, 2)
    x = cn.Input((4, 9))
    model = cn.Model(x, ops.conv(x, KERNEL, data_format="channels_first"))
    np.testing.assert_allclose(model(FIRST).swapaxes(1, 2), CASES["conv"][1], rtol=1e-4, atol=1e-5)


def test_wrong_arguments_are_named():
    x = cn.Input((9, 4))
    for use, error, text in (
        (lambda: ops.max_pool(x, (2, 2)), ValueError, "`pool_size` must"),
        (lambda: ops.conv(x, KERNEL, strides=(1, 2)), ValueError, "`strides` must"),
        (lambda: ops.fft(x), TypeError, "`x` must be the real and the imaginary part"),
        (lambda: ops.fft((x, x[:, :3])), ValueError, "`x` must be two parts of one shape"),
        (lambda: ops.take(POINTS[0], x, axis=1), cn.UnsupportedLayerError, "constant `x` and axis=0"),
    ):
        with pytest.raises(error, match=text):
            use()
    table = cn.Model(x, ops.take(POINTS[0], x, axis=0))
    with pytest.raises(IndexError):
        table(X * 0 + 8)

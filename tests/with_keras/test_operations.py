"""Every operation node that Keras writes, opened and computed here; models written here, opened by Keras."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pytest
from keras import ops

import conv2d_native as cn

GATE = 1e-5
KERNEL = np.random.default_rng(3).normal(0, 0.3, (3, 3, 4, 6)).astype(np.float32)
POINTS = np.random.default_rng(4).normal(0, 1, (4, 3)).astype(np.float32)
TABLE = np.random.default_rng(4).normal(0, 1, (4, 5, 2)).astype(np.float32)
PLACES = np.array([[[[3, 0]]]])
MASK = np.tri(6, 6, 2).astype(bool)
CASES = {
    "add": lambda x, y: x + y,
    "add_number": lambda x, y: 1.5 + x,
    "add_array": lambda x, y: x + np.array([1.0, 2.0, 3.0, 4.0], "float32"),
    "subtract": lambda x, y: x - y,
    "subtract_from": lambda x, y: 2.0 - x,
    "multiply": lambda x, y: x * y,
    "divide": lambda x, y: x / (ops.absolute(y) + 1.0),
    "divide_number": lambda x, y: 2.0 / (ops.absolute(x) + 3.0),
    "power": lambda x, y: ops.absolute(x) ** 2.5,
    "negative": lambda x, y: -x,
    "maximum": lambda x, y: ops.maximum(x, y),
    "minimum": lambda x, y: ops.minimum(x, 0.25),
    "where": lambda x, y: ops.where(x > y, x, y),
    "exp": lambda x, y: ops.exp(x),
    "log": lambda x, y: ops.log(ops.absolute(x) + 1.0),
    "sqrt": lambda x, y: ops.sqrt(ops.absolute(x)),
    "rsqrt": lambda x, y: ops.rsqrt(ops.absolute(x) + 1.0),
    "square": lambda x, y: ops.square(x),
    "abs": lambda x, y: ops.abs(x),
    "relu": lambda x, y: ops.relu(x),
    "relu6": lambda x, y: ops.relu6(x * 10.0),
    "sigmoid": lambda x, y: ops.sigmoid(x),
    "silu": lambda x, y: ops.silu(x),
    "tanh": lambda x, y: ops.tanh(x),
    "elu": lambda x, y: ops.elu(x, alpha=0.7),
    "gelu": lambda x, y: ops.gelu(x),
    "gelu_exact": lambda x, y: ops.gelu(x, approximate=False),
    "leaky_relu": lambda x, y: ops.leaky_relu(x, negative_slope=0.1),
    "hard_sigmoid": lambda x, y: ops.hard_sigmoid(x),
    "hard_silu": lambda x, y: ops.hard_silu(x),
    "softplus": lambda x, y: ops.softplus(x),
    "softmax": lambda x, y: ops.softmax(x),
    "softmax_axis": lambda x, y: ops.softmax(x, axis=1),
    "log_softmax": lambda x, y: ops.log_softmax(x),
    "mean": lambda x, y: ops.mean(x, axis=(1, 2), keepdims=True) + y,
    "mean_last": lambda x, y: ops.mean(x, axis=-1, keepdims=True),
    "max": lambda x, y: ops.max(x, axis=2),
    "min": lambda x, y: ops.min(x, axis=[1, 2]),
    "sum": lambda x, y: ops.sum(x, axis=3),
    "std": lambda x, y: ops.std(x, axis=(1, 2)),
    "var": lambda x, y: ops.var(x, axis=1, keepdims=True),
    "clip": lambda x, y: ops.clip(x, -0.3, 0.4),
    "reshape": lambda x, y: ops.reshape(x, (-1, 12, 10)),
    "transpose": lambda x, y: ops.transpose(x, (0, 3, 1, 2)),
    "diagonal": lambda x, y: ops.diagonal(x, offset=1, axis1=1, axis2=2),
    "trace": lambda x, y: ops.trace(x, offset=-1, axis1=2, axis2=-1),
    "det": lambda x, y: ops.det(ops.matmul(ops.swapaxes(x, 2, 3), x) + np.eye(4, dtype="float32")),
    "inv": lambda x, y: ops.inv(ops.matmul(ops.swapaxes(x, 2, 3), x) + np.eye(4, dtype="float32")),
    "cholesky": lambda x, y: ops.cholesky(ops.matmul(ops.swapaxes(x, 2, 3), x) + np.eye(4, dtype="float32")),
    "solve": lambda x, y: ops.solve(
        ops.matmul(ops.swapaxes(x, 2, 3), x) + np.eye(4, dtype="float32"), ops.swapaxes(x, 2, 3)
    ),
    "swapaxes": lambda x, y: ops.swapaxes(x, 1, 2),
    "moveaxis": lambda x, y: ops.moveaxis(x, -1, 1),
    "squeeze": lambda x, y: ops.squeeze(x[:, :1], axis=1),
    "expand_dims": lambda x, y: ops.expand_dims(x, 1),
    "concatenate": lambda x, y: ops.concatenate([x, y], axis=-1),
    "stack": lambda x, y: ops.stack([x, y], axis=1),
    "split": lambda x, y: ops.concatenate(ops.split(x, 2, axis=-1)[::-1], axis=1),
    "split_at": lambda x, y: ops.split(x, [1, 3], axis=-1)[1],
    "pad": lambda x, y: ops.pad(x, [[0, 0], [1, 2], [0, 1], [0, 0]], constant_values=2.0),
    "pad_reflect": lambda x, y: ops.pad(x, [[0, 0], [1, 2], [1, 1], [0, 0]], mode="reflect"),
    "slice": lambda x, y: x[:, 1:-1, ::2, 1],
    "ellipsis": lambda x, y: x[..., ::-1],
    "tile": lambda x, y: ops.tile(x, (1, 2, 1, 1)),
    "repeat": lambda x, y: ops.repeat(x, 2, axis=1),
    "flip": lambda x, y: ops.flip(x, axis=2),
    "resize": lambda x, y: ops.image.resize(x, (10, 12), interpolation="bilinear"),
    "resize_nearest": lambda x, y: ops.image.resize(x, (12, 10), interpolation="nearest"),
    "max_pool": lambda x, y: ops.max_pool(x, 2, strides=1, padding="same"),
    "average_pool": lambda x, y: ops.average_pool(x, 3, strides=2, padding="same"),
    "normalize": lambda x, y: ops.normalize(x, axis=-1),
    "cast": lambda x, y: ops.cast(x, "float32"),
    "matmul": lambda x, y: ops.matmul(x, ops.transpose(y, (0, 1, 3, 2))),
    "einsum": lambda x, y: ops.einsum("nhwc,nhwc->nhw", x, y),
    "argmax": lambda x, y: ops.argmax(x, axis=-1),
    "argmin": lambda x, y: ops.argmin(x, axis=1, keepdims=True),
    "any": lambda x, y: ops.cast(ops.any(x > 1, axis=-1), "float32"),
    "all": lambda x, y: ops.cast(ops.all(x > -1, axis=-1), "float32"),
    "logical_not": lambda x, y: ops.cast(ops.logical_not(x > y), "float32"),
    "logsumexp": lambda x, y: ops.logsumexp(30 * x, axis=-1),
    "isnan": lambda x, y: ops.cast(ops.isnan(ops.log(x)), "float32"),
    "sinh": lambda x, y: ops.sinh(x),
    "arctan": lambda x, y: ops.arctan(x),
    "round": lambda x, y: ops.round(x, decimals=1),
    "zeros_like": lambda x, y: ops.zeros_like(x) + y,
    "ones_like": lambda x, y: ops.ones_like(x) * y,
    "roll": lambda x, y: ops.roll(x, (2, -1), axis=(1, 2)),
    "take": lambda x, y: ops.take(x, [2, 0, 3], axis=-1),
    "unstack": lambda x, y: ops.unstack(x, axis=2)[3],
    "slice_at": lambda x, y: ops.slice(x, (0, 1, 1, 0), (3, 3, 4, 2)),
    "activation_relu": lambda x, y: keras.activations.relu(x, negative_slope=0.1, max_value=0.5),
    "activation_silu": lambda x, y: keras.activations.silu(x),
    "resize_antialias": lambda x, y: ops.image.resize(x, (3, 4), antialias=True),
    "resize_bicubic": lambda x, y: ops.image.resize(x, (9, 8), interpolation="bicubic"),
    "resize_crop": lambda x, y: ops.image.resize(x, (4, 9), crop_to_aspect_ratio=True),
    "resize_pad": lambda x, y: ops.image.resize(x, (4, 9), pad_to_aspect_ratio=True, fill_value=0.5),
    "crop_images": lambda x, y: ops.image.crop_images(x, 1, 1, target_height=3, target_width=2),
    "pad_images": lambda x, y: ops.image.pad_images(x, 1, 2, target_height=10, target_width=9),
    "rgb_to_grayscale": lambda x, y: ops.image.rgb_to_grayscale(x[..., :3]),
    "adaptive_average_pool": lambda x, y: ops.adaptive_average_pool(x, (3, 2)),
    "adaptive_max_pool": lambda x, y: ops.adaptive_max_pool(x, (3, 2)),
    "conv": lambda x, y: ops.conv(x, KERNEL, padding="same"),
    "conv_strided": lambda x, y: ops.conv(x, KERNEL, strides=2),
    "depthwise_conv": lambda x, y: ops.depthwise_conv(x, KERNEL[..., :1]),
    "depth_to_space": lambda x, y: ops.depth_to_space(x, 2) if hasattr(ops, "depth_to_space") else x,
    "broadcast_to": lambda x, y: ops.broadcast_to(ops.mean(x, axis=1, keepdims=True), (3, 6, 5, 4)),
    "dot": lambda x, y: ops.dot(x, POINTS),
    "dot_vector": lambda x, y: ops.dot(x, POINTS[:, 0]),
    "dot_number": lambda x, y: ops.dot(x, 2.0),
    "inner": lambda x, y: ops.inner(x, POINTS.T),
    "tensordot": lambda x, y: ops.tensordot(x, POINTS, axes=1),
    "tensordot_axes": lambda x, y: ops.tensordot(x, TABLE, axes=[[2, 3], [1, 0]]),
    "tensordot_first": lambda x, y: ops.tensordot(POINTS[:, 0], x, axes=[[0], [3]]),
    "tensordot_outer": lambda x, y: ops.tensordot(x, POINTS, axes=0),
    "matmul_constant": lambda x, y: ops.matmul(x, POINTS),
    "einsum_constant": lambda x, y: ops.einsum("bhwc,cd->bhdw", x, POINTS),
    "conv_lines": lambda x, y: ops.conv(x[:, :, 0], KERNEL[0], strides=2, padding="same"),
    "conv_lines_dilated": lambda x, y: ops.conv(x[:, 0], KERNEL[0, :2], dilation_rate=2),
    "depthwise_conv_lines": lambda x, y: ops.depthwise_conv(x[:, :, 0], KERNEL[0, ..., :1], padding="same"),
    "separable_conv_lines": lambda x, y: ops.separable_conv(x[:, 1], KERNEL[0, ..., :1], POINTS[None]),
    "max_pool_lines": lambda x, y: ops.max_pool(x[:, :, 1], 3, strides=2, padding="same"),
    "average_pool_lines": lambda x, y: ops.average_pool(x[:, 1], 2),
    "rows_of_a_table": lambda x, y: ops.take(POINTS, ops.argmax(x, axis=-1), axis=0),
    "fft": lambda x, y: ops.stack(ops.fft((x, y)), axis=1),
    "fft2": lambda x, y: ops.fft2((x[..., 0], y[..., 1]))[0],
    "ifft2": lambda x, y: ops.ifft2((x[..., 0], y[..., 1]))[1],
    "norm": lambda x, y: ops.norm(x, axis=-1),
    "norm_one": lambda x, y: ops.norm(x, ord=1, axis=2, keepdims=True),
    "norm_three": lambda x, y: ops.norm(x, ord=3, axis=2),
    "norm_matrix": lambda x, y: ops.norm(x, ord=1, axis=(2, 1)),
    "norm_nuclear": lambda x, y: ops.norm(x, ord="nuc", axis=(1, 2), keepdims=True),
    "norm_frobenius": lambda x, y: ops.norm(x, ord="fro", axis=(1, 2)),
    "normalize_one": lambda x, y: ops.normalize(x, axis=-1, order=1),
    "normalize_small": lambda x, y: ops.normalize(x * 1e-6, axis=(1, 2), epsilon=1e-3),
    "moments": lambda x, y: ops.concatenate(ops.moments(x, axes=[1, 2], keepdims=True), axis=1),
    "top_k": lambda x, y: ops.top_k(x, 2)[0],
    "top_k_places": lambda x, y: ops.cast(ops.top_k(ops.round(x), 3)[1], "float32"),
    "one_hot": lambda x, y: ops.one_hot(ops.argmax(x, axis=-1), 4, axis=1),
    "one_hot_out_of_range": lambda x, y: ops.one_hot(ops.cast(x * 3, "int32"), 3),
    "extract_patches": lambda x, y: ops.image.extract_patches(x, (2, 3), strides=1, padding="same"),
    "extract_patches_apart": lambda x, y: ops.image.extract_patches(x, 2),
    "extract_patches_dilated": lambda x, y: ops.image.extract_patches(x, 2, strides=1, dilation_rate=2),
    "unfold": lambda x, y: ops.unfold(ops.transpose(x, (0, 3, 1, 2)), (2, 3), padding=1, stride=2),
    "sobel_edges": lambda x, y: ops.image.sobel_edges(x),
    "gaussian_blur": lambda x, y: ops.image.gaussian_blur(x, (3, 5), (0.8, 1.5)),
    "gaussian_blur_even": lambda x, y: ops.image.gaussian_blur(x, (4, 4), (0.8, 1.5)),
    "rgb_to_hsv": lambda x, y: ops.image.rgb_to_hsv(ops.clip(x[..., :3], 0, 1)),
    "hsv_to_rgb": lambda x, y: ops.image.hsv_to_rgb(ops.sigmoid(x[..., :3])),
    "layer_normalization": lambda x, y: ops.layer_normalization(x, POINTS[:, 0], POINTS[:, 1]),
    "layer_normalization_axes": lambda x, y: ops.layer_normalization(
        x, TABLE[..., 0].T, axis=[2, 3], epsilon=0.1
    ),
    "rms_normalization": lambda x, y: ops.rms_normalization(x, POINTS[:, 0]),
    "rms_normalization_axis": lambda x, y: ops.rms_normalization(x, axis=(1, 2), epsilon=0.1),
    "batch_normalization": lambda x, y: ops.batch_normalization(
        x, POINTS[:, 0], POINTS[:, 1] ** 2, -1, POINTS[:, 2], POINTS[:, 0]
    ),
    "batch_normalization_axis": lambda x, y: ops.batch_normalization(
        x, TABLE[0, :, 0], TABLE[0, :, 1] ** 2, 2
    ),
    "attention": lambda x, y: ops.dot_product_attention(x, y, y),
    "attention_causal": lambda x, y: ops.dot_product_attention(x, y, x, scale=0.5, is_causal=True),
    "cumsum": lambda x, y: ops.cumsum(x, axis=1),
    "cumprod": lambda x, y: ops.cumprod(x, axis=-1),
    "sort": lambda x, y: ops.sort(x, axis=1),
    "argsort": lambda x, y: ops.cast(ops.argsort(ops.round(x)), "float32"),
    "take_along_axis": lambda x, y: ops.take_along_axis(x, ops.argsort(y, axis=2), axis=2),
    "take_along_constant": lambda x, y: ops.take_along_axis(x, PLACES, axis=-1),
    "diff": lambda x, y: ops.diff(x, n=2, axis=1),
    "digitize": lambda x, y: ops.cast(ops.digitize(x, np.array([-0.5, 0.0, 0.7], "float32")), "float32"),
    "nan_to_num": lambda x, y: ops.nan_to_num(ops.log(x), nan=2.0, neginf=-3.0),
    "tile_short": lambda x, y: ops.tile(x, 2),
    "tile_two": lambda x, y: ops.tile(x, (2, 3)),
    "unstack_all": lambda x, y: ops.stack(ops.unstack(x, 4, axis=-1)[::-1], axis=1),
    "array_split": lambda x, y: ops.concatenate(ops.array_split(x, 3, axis=-1)[::-1], axis=-1),
    "hsplit": lambda x, y: ops.hsplit(x, 2)[1],
    "dsplit": lambda x, y: ops.dsplit(x, [1, 3])[1],
    "hstack": lambda x, y: ops.hstack([x, y]),
    "dstack": lambda x, y: ops.dstack([x, y]),
    "append": lambda x, y: ops.append(x, y, axis=2),
    "quantile": lambda x, y: ops.quantile(x, 0.3, axis=-1),
    "percentile": lambda x, y: ops.percentile(x, 30.0, axis=-1),
    "median": lambda x, y: ops.median(x, axis=(1, 2)),
    "average": lambda x, y: ops.average(x, axis=-1, weights=np.arange(1, 5).astype("float32")),
    "average_tensor": lambda x, y: ops.average(x, axis=1, weights=ops.exp(y)),
    "ptp": lambda x, y: ops.ptp(x, axis=(1, 2)),
    "count_nonzero": lambda x, y: ops.cast(ops.count_nonzero(ops.relu(x), axis=-1), "float32"),
    "nanmean": lambda x, y: ops.nanmean(ops.log(x), axis=(1, 2)),
    "nanmax": lambda x, y: ops.nanmax(ops.log(x), axis=1),
    "nanmin": lambda x, y: ops.nanmin(ops.log(x), axis=1),
    "nansum": lambda x, y: ops.nansum(ops.log(x), axis=1),
    "nanprod": lambda x, y: ops.nanprod(ops.sqrt(x), axis=1),
    "nanvar": lambda x, y: ops.nanvar(ops.log(x), axis=(1, 2)),
    "nanstd": lambda x, y: ops.nanstd(ops.log(x), axis=(1, 2)),
    "nancumsum": lambda x, y: ops.nancumsum(ops.log(x), axis=1),
    "max_initial": lambda x, y: ops.max(x, axis=1, initial=1.5),
    "full_like": lambda x, y: ops.full_like(x, 2.5) + y,
    "isclose": lambda x, y: ops.cast(ops.isclose(x, y, atol=0.3), "float32"),
    "isin": lambda x, y: ops.cast(ops.isin(ops.round(x), np.array([1.0, 0.0], "float32")), "float32"),
    "select": lambda x, y: ops.select([x > 1, x < 0], [x, y], 0.5),
    "saturate_cast": lambda x, y: ops.cast(ops.saturate_cast(x * 300, "uint8"), "float32"),
    "logical_xor": lambda x, y: ops.cast(ops.logical_xor(x > 0, y > 0), "float32"),
    "heaviside": lambda x, y: ops.heaviside(ops.relu(x), y),
    "hypot": lambda x, y: ops.hypot(x, y),
    "logaddexp": lambda x, y: ops.logaddexp(x, y) + ops.logaddexp2(x, y),
    "fmax": lambda x, y: ops.fmax(ops.log(x), y) + ops.fmin(ops.log(x), y),
    "fmod": lambda x, y: ops.fmod(x, 0.3),
    "divide_no_nan": lambda x, y: ops.divide_no_nan(y, ops.relu(x)),
    "erf": lambda x, y: ops.erf(x * 2),
    "erfc": lambda x, y: ops.erfc(x),
    "angles": lambda x, y: ops.deg2rad(x) + ops.rad2deg(y),
    "signs": lambda x, y: ops.cast(ops.signbit(x), "float32"),
    "infinities": lambda x, y: ops.cast(ops.isneginf(ops.log(ops.relu(x))), "float32"),
    "rot90": lambda x, y: ops.rot90(x, k=3, axes=(1, 2)),
    "fliplr": lambda x, y: ops.fliplr(x),
    "tril": lambda x, y: ops.tril(x, k=-1) + ops.triu(x, k=1),
    "attention_bias": lambda x, y: ops.dot_product_attention(x, y, y, bias=x[:, :5, :1, :1], mask=MASK),
}


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("name", CASES)
def test_operation(name, suffix, tmp_path):
    a, b = keras.Input((6, 5, 4)), keras.Input((6, 5, 4))
    model = keras.Model([a, b], CASES[name](a, b))
    path = tmp_path / f"model{suffix}"
    model.save(path)
    rng = np.random.default_rng(5)
    x, y = rng.standard_normal((2, 3, 6, 5, 4)).astype(np.float32)
    expected = np.asarray(model([x, y]))
    opened = cn.load_model(path)
    got = opened.predict([x, y], verbose=0)
    assert got.shape == expected.shape and tuple(opened.output_shape[1:]) == expected.shape[1:]
    np.testing.assert_array_equal(np.isnan(got), np.isnan(expected))
    assert np.nanmax(np.abs(got - expected)) <= GATE * max(np.nanmax(np.abs(expected)), 1)
    if name.startswith("adaptive"):
        return  # Keras does not open its own file of these
    opened.save(tmp_path / "again.keras")
    again = np.asarray(keras.models.load_model(tmp_path / "again.keras")([x, y]))
    np.testing.assert_allclose(again, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", [name for name in CASES if not name.startswith("activation")])
def test_operation_of_a_program(name, tmp_path, monkeypatch):
    rng = np.random.default_rng(5)
    x, y = rng.standard_normal((2, 3, 6, 5, 4)).astype(np.float32)
    a, b = keras.Input((6, 5, 4)), keras.Input((6, 5, 4))
    expected = np.asarray(keras.Model([a, b], CASES[name](a, b))([x, y]))
    monkeypatch.setitem(globals(), "ops", cn.ops)
    a, b = cn.Input((6, 5, 4)), cn.Input((6, 5, 4))
    model = cn.Model([a, b], CASES[name](a, b))
    np.testing.assert_allclose(model.predict([x, y], verbose=0), expected, rtol=1e-4, atol=1e-5)
    if name.startswith("adaptive"):
        return  # Keras does not open its own file of these
    model.save(tmp_path / "model.keras")
    opened = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(np.asarray(opened([x, y])), expected, rtol=1e-6, atol=1e-6)


def sequential(k):
    return k.Sequential(
        [
            k.layers.Conv2D(4, 3, activation="relu", input_shape=(12, 12, 3)),
            k.layers.BatchNormalization(),
            k.layers.MaxPooling2D(),
            k.layers.Flatten(),
            k.layers.Dense(5, activation="softmax"),
        ]
    )


def functional(k):
    x = k.Input((12, 12, 3))
    block = k.Sequential([k.layers.Conv2D(3, 3, padding="same"), k.layers.BatchNormalization()], name="block")
    conv = k.layers.Conv2D(3, 1)
    y = k.layers.Add()([block(x), conv(x)]) * 0.5 + conv(conv(x))[:, :, ::-1]
    y = k.layers.Concatenate()([y, k.layers.DepthwiseConv2D(3, padding="same")(x)])
    inner_x = k.Input((12, 12, 6))
    inner = k.Model(inner_x, [k.layers.GlobalAveragePooling2D()(inner_x), k.layers.MaxPooling2D(3)(inner_x)])
    outputs = inner(y)
    return k.Model(x, {"mean": outputs[0], "map": k.layers.Conv2D(2, 1)(outputs[1])})


@pytest.mark.parametrize("make", [sequential, functional])
def test_keras_opens_what_is_written_here(make, tmp_path):
    model = make(cn)
    rng = np.random.default_rng(2)
    model.set_weights([rng.uniform(0.1, 0.5, w.shape) for w in model.get_weights()])
    x = rng.random((3, 12, 12, 3), np.float32)
    path = tmp_path / "model.keras"
    model.save(path)
    got, opened = model.predict(x, verbose=0), keras.models.load_model(path)
    expected = opened(x)
    for key in got if isinstance(got, dict) else [None]:
        a, b = (got, expected) if key is None else (got[key], expected[key])
        np.testing.assert_allclose(a, np.asarray(b), rtol=1e-4, atol=1e-5)
    for mine, theirs in zip(model.get_weights(), opened.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("make", [sequential, functional])
def test_a_live_model_is_taken_over(make):
    model = make(keras)
    x = np.random.default_rng(2).random((3, 12, 12, 3), np.float32)
    got, expected = cn.from_keras(model).predict(x, verbose=0), model(x)
    for key in got if isinstance(got, dict) else [None]:
        a, b = (got, expected) if key is None else (got[key], expected[key])
        np.testing.assert_allclose(a, np.asarray(b), rtol=1e-4, atol=1e-5)


class Backbone(keras.Model):
    """In functional style with a configuration of its own arguments alone, as a package has it."""

    def __init__(self, filters=4, **kwargs):
        x = keras.Input((12, 12, 3))
        first = keras.layers.Conv2D(filters, 3, activation="relu")(x)
        second = keras.layers.Conv2D(filters, 3)(first)
        super().__init__(x, {"first": first, "second": second}, **kwargs)
        self.filters = filters

    def get_config(self):
        return {"filters": self.filters, "name": self.name}


class Doubled(Backbone):
    def call(self, inputs, training=None, mask=None):
        return {key: value * 2 for key, value in super().call(inputs).items()}


def test_a_live_model_of_a_package_s_class_is_taken_as_a_plain_one():
    inner, source = Backbone(5), keras.Input((12, 12, 3))
    whole = keras.Model(source, keras.layers.GlobalMaxPooling2D()(inner(source * 2.0)["second"]))
    x = np.random.default_rng(2).random((3, 12, 12, 3), np.float32)
    np.testing.assert_allclose(cn.from_keras(whole)(x), np.asarray(whole(x)), rtol=1e-4, atol=1e-5)
    taken, expected = cn.from_keras(inner)(x), inner(x)
    for key in ("first", "second"):
        np.testing.assert_allclose(taken[key], np.asarray(expected[key]), rtol=1e-4, atol=1e-5)
    for model in (Doubled(5), keras.Model(source, Doubled(5)(source)["first"])):
        with pytest.raises(cn.UnsupportedLayerError, match="'Doubled' is not computed here"):
            cn.from_keras(model)


def test_weights_go_over_in_keras_order(tmp_path):
    theirs, mine = functional(keras), functional(cn)
    mine.set_weights(theirs.get_weights())
    x = np.random.default_rng(2).random((3, 12, 12, 3), np.float32)
    np.testing.assert_allclose(mine(x)["mean"], np.asarray(theirs(x)["mean"]), rtol=1e-4, atol=1e-5)
    theirs.save_weights(tmp_path / "model.weights.h5")
    again = functional(cn)
    again.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(again(x)["map"], mine(x)["map"])
    again.save_weights(tmp_path / "again.weights.h5")
    theirs.set_weights([0 * w for w in theirs.get_weights()])
    theirs.load_weights(tmp_path / "again.weights.h5")
    for ours, kept in zip(again.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, kept)

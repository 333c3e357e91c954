"""Rows A and F of the fault list for keras.ops on symbolic tensors: what eager forms refuse, bounds of shapes."""

import re

import numpy as np
import pytest

import conv2d_native as cn
from conv2d_native import layers, ops

S = cn.Input((3, 4, 5))
X = np.random.default_rng(4).standard_normal((2, 3, 4, 5)).astype(np.float32)
TABLE = np.ones((4, 5, 2), np.float32)
BY_AXIS = ("max", "mean", "min", "std", "argmax", "expand_dims", "squeeze", "flip", "median")


def refused(call, *words, error=(ValueError, TypeError)):
    with pytest.raises(error) as caught:
        call()
    text = str(caught.value)
    assert all(re.search(word, text) for word in words), text
    assert len(text) < 1000


@pytest.mark.parametrize("axis", [7, -9, True, 1.0, "1", (1, 1), (1, -3), (1, 9)])
@pytest.mark.parametrize("name", BY_AXIS)
def test_axes_that_are_none(name, axis):
    made = ops.expand_dims(ops.squeeze(S[:, :1], 1), 1) if name == "squeeze" else S
    if (name, axis) != ("expand_dims", (1, -3)):  # -3 is another axis among five
        refused(lambda: getattr(ops, name)(made, axis=axis), "`axis` must")


@pytest.mark.parametrize("axis", [7, -9, True, "1", (1, 2)])
def test_one_axis_that_is_none(axis):
    for call in (
        lambda: ops.concatenate([S, S], axis=axis),
        lambda: ops.stack([S, S], axis=axis),
        lambda: ops.split(S, 1, axis=axis),
        lambda: ops.repeat(S, 2, axis=axis),
        lambda: ops.take(S, [0], axis=axis),
    ):
        refused(call, "`axis` must be", "Received: axis=")


@pytest.mark.parametrize(
    "call, word",
    [
        (lambda: ops.squeeze(S, 1), "axis"),
        (lambda: ops.transpose(S, (0, 5, 6, 7)), "axes"),
        (lambda: ops.transpose(S, (0, 1, 2, 2)), "axes"),
        (lambda: ops.transpose(S, (False, True, 2, 3)), "axes"),
        (lambda: ops.swapaxes(S, 1, 4), "axis2"),
        (lambda: ops.reshape(S, (-1, -1)), "newshape"),
        (lambda: ops.reshape(S, (-1, 2.0, 30)), "newshape"),
        (lambda: ops.reshape(S, (0, 60)), "newshape"),
        (lambda: ops.split(S, 0, axis=3), "indices_or_sections"),
        (lambda: ops.split(S, -5, axis=3), "indices_or_sections"),
        (lambda: ops.split(S, "1", axis=3), "indices_or_sections"),
        (lambda: ops.take(S, [99], axis=1), "indices"),
        (lambda: ops.take(S, [0.5], axis=1), "indices"),
        (lambda: ops.repeat(S, 2.5, axis=1), "repeats"),
        (lambda: ops.repeat(S, [1, 2], axis=1), "repeats"),
        (lambda: ops.tile(S, (1, 0, 1, 1)), "repeats"),
        (lambda: ops.roll(S, 1.5, axis=1), "shift"),
        (lambda: ops.roll(S, (1, 2, 3), axis=(1, 2)), "shift"),
        (lambda: ops.pad(S, 0.5), "pad_width"),
        (lambda: ops.pad(S, ((0, 0), (1, 1))), "pad_width"),
        (lambda: ops.pad(S, ((0, 0), (1, 1), (0, 0), (0, 0)), mode="mirror"), "mode"),
        (lambda: ops.pad(S, ((0, 0), (1, 1), (0, 0), (0, 0)), constant_values=[]), "constant_values"),
        (
            lambda: ops.pad(S, ((0, 0), (1, 1), (0, 0), (0, 0)), mode="edge", constant_values=0),
            "constant_values",
        ),
        (lambda: ops.slice(S, (0, 0), (1, 1)), "start_indices"),
        (lambda: ops.depth_to_space(S, 0), "block_size"),
        (lambda: ops.cast(S, "text"), "dtype"),
        (lambda: ops.max(S, axis=1, keepdims=np.ones(2)), "keepdims"),
        (lambda: ops.einsum("bij->b", S), "subscripts"),
        (lambda: ops.matmul(S, S), "x1"),
        (lambda: S + None, "x2"),
        (lambda: None * S, "x1"),
        (lambda: S + "1", "x2"),
        (lambda: S * object(), "x2"),
        (lambda: S * 10**400, "x2"),
        (lambda: S**None, "x2"),
        (lambda: ops.add(S, [None] * 5), "x2"),
        (lambda: ops.clip(S, "0", 1), "x_min"),
        (lambda: ops.where(S, None, S), "x1"),
        (lambda: ops.broadcast_to(S, (None, 3, 4, 6)), "shape"),
        (lambda: ops.broadcast_to(S, (None, 3, 4, 5.0)), "shape"),
        (lambda: ops.broadcast_to(S[:, :1], (None, -1, 4, 5)), "shape"),
        (lambda: ops.broadcast_to(S[:, :1], (None, 0, 4, 5)), "shape"),
        (lambda: ops.tensordot(S, TABLE, axes=-1), "axes"),
        (lambda: ops.tensordot(S, TABLE, axes=9), "axes"),
        (lambda: ops.tensordot(S, TABLE, axes=[[1], [0, 1]]), "axes"),
        (lambda: ops.tensordot(S, TABLE, axes=[[1, 1], [0, 1]]), "axes"),
        (lambda: ops.tensordot(S, TABLE, axes=[[1], [1]]), "axes"),
        (lambda: ops.dot(S, "1"), "x2"),
        (lambda: ops.norm(S, ord="fro", axis=1), "ord"),
        (lambda: ops.norm(S, ord=3, axis=(1, 2)), "ord"),
        (lambda: ops.norm(S, ord=[1], axis=1), "ord"),
        (lambda: ops.norm(S, ord=10**400, axis=1), "ord"),
        (lambda: ops.norm(S, axis=1, keepdims=np.ones(2)), "keepdims"),
        (lambda: ops.normalize(S, order=0), "order"),
        (lambda: ops.normalize(S, order=1.5), "order"),
        (lambda: ops.normalize(S, epsilon="1"), "epsilon"),
        (lambda: ops.moments(S, axes=[1, 1]), "axis"),
        (lambda: ops.top_k(S, 0), "k"),
        (lambda: ops.top_k(S, 6), "k"),
        (lambda: ops.top_k(S, 2.0), "k"),
        (lambda: ops.one_hot(S, -1), "num_classes"),
        (lambda: ops.one_hot(S, 3, axis=9), "axis"),
        (lambda: ops.extract_patches(S, 0), "size"),
        (lambda: ops.extract_patches(S, (2, 2, 2)), "size"),
        (lambda: ops.extract_patches(S, 2, strides=-1), "strides"),
        (lambda: ops.extract_patches(S, 2, padding="full"), "padding"),
        (lambda: ops.extract_patches(S, 2, data_format="NHWC"), "data_format"),
        (lambda: ops.unfold(S, 2, padding=-1), "padding"),
        (lambda: ops.gaussian_blur(S, 256), "kernel_size"),
        (lambda: ops.gaussian_blur(S, 3, (0.0, 1.0)), "sigma"),
        (lambda: ops.gaussian_blur(S, 3, 1.0), "sigma"),
        (lambda: ops.rgb_to_hsv(S), "images"),
        (lambda: ops.sobel_edges(S[:, :1]), "images"),
        (lambda: ops.layer_normalization(S, np.ones(4), axis=(1, 2)), "gamma"),
        (lambda: ops.layer_normalization(S, epsilon="1"), "epsilon"),
        (lambda: ops.batch_normalization(S, np.ones(4), np.ones(5), -1), "mean"),
        (lambda: ops.batch_normalization(S, np.ones(5), np.ones(5), 4), "axis"),
        (lambda: ops.dot_product_attention(S, S[:, :, :3], S), "query`, `key` and `value"),
        (lambda: ops.dot_product_attention(S, S, S, bias=np.ones(2)), "bias` and `mask"),
        (lambda: ops.dot_product_attention(S, S, S, scale="1"), "scale"),
        (lambda: ops.take_along_axis(S, np.ones((1, 3, 4, 2)), axis=-1), "indices"),
        (lambda: ops.moveaxis(S, 2**31, 1), "source"),
        (lambda: ops.moveaxis(S, 1, "2"), "destination"),
        (lambda: ops.moveaxis(S, (1, 2), 1), "source` and `destination"),
        (lambda: ops.moveaxis(S, (1, -3), (1, 2)), "source` and `destination"),
        (lambda: ops.depth_to_space(S, 2), "block_size"),
        (lambda: ops.space_to_depth(S, 2), "block_size"),
        (lambda: ops.space_to_depth(S, 1, data_format="NHWC"), "data_format"),
        (lambda: ops.rgb_to_hsv(S, data_format="NHWC"), "data_format"),
        (lambda: ops.sobel_edges(S, data_format=np.ones(2)), "data_format"),
        (lambda: ops.max_pool(S, 2, data_format=np.ones(2)), "data_format"),
        (lambda: ops.pad_images(S, 1.5), "top_padding"),
        (lambda: ops.pad_images(S, 1, 1, 1, target_width=float("inf")), "target_width"),
        (lambda: ops.crop_images(S, 0, 0, 0, right_cropping="1"), "right_cropping"),
        (lambda: ops.crop_images(S, 0, -1, 0), "left_cropping"),
        (lambda: ops.pad_images(S, 1), "top_padding`, `bottom_padding`, `target_height"),
        (lambda: ops.pad_images(S, 1, 1, 1, 1, 9), "top_padding`, `bottom_padding`, `target_height"),
        (lambda: ops.crop_images(S, 0, 0, 0), "left_cropping`, `right_cropping`, `target_width"),
        (lambda: ops.resize(S, (float("nan"), 1)), "size"),
        (lambda: ops.conv(S, "kernel"), "kernel"),
        (lambda: ops.conv(S, [[1], [1, 2]]), "kernel"),
        (lambda: ops.batch_normalization(S, None, np.ones(5), -1), "mean"),
        (lambda: ops.batch_normalization(S, np.ones(5), None, -1), "variance"),
        (lambda: ops.dot_product_attention(S, 1, S), "query`, `key` and `value"),
        (lambda: ops.dot_product_attention(S, None, S), "key"),
        (lambda: ops.diff(S, 129), "n"),
        (lambda: ops.softmax(S, axis=[1, 1]), "axis"),
        (lambda: ops.softmax(S, axis=[]), "axis"),
        (lambda: ops.top_k(np.ones(4), 5), "k"),
        (lambda: ops.top_k(np.ones(4), -1), "k"),
        (lambda: ops.split(S, [4, 2], axis=3), "indices_or_sections"),
        (lambda: ops.take_along_axis(S, [[[[0]]], [[[1]]]], axis=-1), "indices"),
        (lambda: ops.take_along_axis(S, [[[[5]]]], axis=-1), "indices"),
        (lambda: ops.nan_to_num(S, nan=None), "nan"),
        (lambda: ops.diff(S, n=-1), "n"),
        (lambda: ops.digitize(S, [1.0, 0.0]), "bins"),
        (lambda: ops.digitize(S, [[1.0]]), "bins"),
        (lambda: ops.nan_to_num(S, nan="0"), "nan"),
        (lambda: ops.quantile(S, 1.5, axis=1), "q"),
        (lambda: ops.percentile(S, -1, axis=1), "q"),
        (lambda: ops.quantile(S, 0.5, axis=1, method="weibull"), "method"),
        (lambda: ops.average(S, axis=1, weights=np.ones(4)), "weights"),
        (lambda: ops.max(S, axis=1, initial="0"), "initial"),
        (lambda: ops.full_like(S, "0"), "fill_value"),
        (lambda: ops.isclose(S, S, rtol=None), "rtol"),
        (lambda: ops.isin(S, ["a"]), "x2"),
        (lambda: ops.select(S, [S]), "condlist"),
        (lambda: ops.select([S > 0], [S, S]), "choicelist"),
        (lambda: ops.saturate_cast(S, "int9"), "dtype"),
        (lambda: ops.rot90(S, axes=(1, 1)), "axes"),
        (lambda: ops.rot90(S, k=0.5, axes=(1, 2)), "k"),
        (lambda: ops.tril(S, k=2**40), "k"),
        (lambda: ops.concatenate([S, None], axis=1), "xs"),
    ],
)
def test_arguments_that_the_eager_forms_refuse(call, word):
    refused(call, f"`{word}` must", "Received: ")


@pytest.mark.parametrize("axis", [(), []])
def test_no_axis_of_argmax(axis):
    refused(lambda: ops.argmax(S, axis=axis), "one axis")


def test_indices_that_are_none():
    for key in ((slice(None), 3), (slice(None), 0, 0, 0, 0), (Ellipsis, Ellipsis)):
        refused(lambda key=key: S[key], "index|axes", error=IndexError)
    refused(lambda: S[:, True], "Indexing with True")


@pytest.mark.parametrize(
    "call",
    [
        lambda t: ops.max(t, axis=np.int64(-1)),
        lambda t: ops.sum(t, axis=(1, -1)),
        lambda t: ops.squeeze(t[:, :1], -3),
        lambda t: ops.reshape(t, (-1, np.int64(12), 5)),
        lambda t: ops.split(t, np.array([1, 3]), axis=-1)[1],
        lambda t: ops.repeat(t, [1, 2, 3], axis=1),
        lambda t: ops.tile(t, np.array([1, 2, 1, 3])),
        lambda t: ops.take(t, [[0, -1], [1, 1]], axis=-1),
        lambda t: ops.roll(t, (1, -2), axis=(1, 2)),
        lambda t: ops.pad(t, ((0, 0), (1, 1), (0, 2), (0, 0)), mode="reflect"),
        lambda t: ops.matmul(t, ops.transpose(t, (0, 1, 3, 2))[:, :1]),
        lambda t: ops.einsum("...jk,...lk->...jl", t, t),
        lambda t: ops.einsum("bijk,kl->blij", t, np.ones((5, 2), np.float32)),
        lambda t: ops.where(ops.greater(t, 0), t, [1, 2, 3, 4, 5]),
        lambda t: ops.power(t * t, np.ones((3, 1, 1)) / 2),
        lambda t: ops.clip(t, None, np.float64(0.5)),
        lambda t: t[:, ::-2, None, np.int64(1)],
        lambda t: t * np.array([True, False, True, True, False]),
        lambda t: t * 2**70,
        lambda t: ops.cast(t, np.float32),
        lambda t: ops.cast(t, "bool"),
        lambda t: ops.normalize(t, axis=-1),
        lambda t: ops.norm(t, ord=np.inf, axis=np.int64(-1)),
        lambda t: ops.tensordot(t, TABLE, axes=((-2, -1), (0, 1))),
        lambda t: ops.dot(t, TABLE[0]),
        lambda t: ops.sort(t, axis=1),
        lambda t: ops.argsort(ops.round(t)),
        lambda t: ops.cumsum(t, axis=-1),
        lambda t: ops.top_k(t, np.int64(2))[0],
        lambda t: ops.one_hot(ops.argmax(t, axis=-1), 5),
        lambda t: ops.quantile(t, np.float32(0.25), axis=[1, 3]),
        lambda t: ops.average(t, axis=2, weights=[1, 2, 3, 4]),
        lambda t: ops.select([t > 1, t < 0], [t, 2.0], -1),
        lambda t: ops.isclose(t, 0, atol=0.5),
        lambda t: ops.take_along_axis(t, ops.argsort(t, axis=1), axis=1),
        lambda t: ops.moments(t, axes=[1, 2], keepdims=True)[1],
        lambda t: ops.rms_normalization(t, np.arange(5), axis=-1),
        lambda t: ops.layer_normalization(t, beta=np.arange(5)),
        lambda t: ops.batch_normalization(t, np.ones(4), np.ones(4), axis=2),
        lambda t: ops.divide_no_nan(t, ops.relu(t)),
        lambda t: ops.array_split(t, 2, axis=1)[0],
        lambda t: ops.dstack([t, t]),
        lambda t: ops.append(t, t, axis=3),
        lambda t: ops.conv(t, np.ones((2, 2, 5, 3), np.float32), 1, "same"),
        lambda t: ops.extract_patches(t, (1, 2), strides=np.int64(2)),
    ],
)  # fmt: skip
def test_what_is_right_stays_right(call):
    made = call(S)
    got, wanted = cn.Model(S, made)(X), np.asarray(call(X))
    assert made.shape[1:] == wanted.shape[1:] == got.shape[1:]
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "call",
    [
        lambda: ops.einsum("bijk,bljk->", S, S),
        lambda: ops.einsum("bijb->bij", S),
        lambda: ops.power(S, cn.Input((4, 5))),
        lambda: ops.power(S, np.ones((2, 3, 4, 5))),
        lambda: ops.matmul(cn.Input((2,)), cn.Input((3,))),
        lambda: ops.dot(S, S),
        lambda: ops.tensordot(S, TABLE, axes=[[0], [0]]),
        lambda: ops.tensordot(TABLE, S, axes=[[1], [3]]),
        lambda: ops.isin(S, S),
        lambda: ops.rms_normalization(S, cn.Input((5,))),
    ],
)
def test_images_are_not_mixed(call):
    refused(call, "mixes the images", error=cn.UnsupportedLayerError)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: ops.mean(S), "Mean"),
        (lambda: ops.unstack(S), "Unstack"),
        (lambda: ops.append(S, S), "Append"),
        (lambda: ops.append(S, S, axis=0), "Append"),
    ],
)
def test_what_is_refused_along_the_batch_is_named(call, name):
    refused(call, f"Operation '{name}'", "over the batch axis", error=cn.UnsupportedLayerError)


def test_sizes_that_stand_for_others_are_explained_where_they_are_told():
    with pytest.raises(cn.UnsupportedLayerError) as error:
        ops.dot(ops.transpose(S), S)
    assert "2520" not in str(error.value)


def test_ranks_and_sizes_are_bounded():
    refused(lambda: cn.Input((1,) * 64), "at most 64 axes", "Received: ")
    refused(lambda: layers.Reshape((1,) * 64)(cn.Input((1,))), "at most 64 axes", "reshape")
    refused(lambda: ops.reshape(S, (-1, *(1,) * 63, 60)), "at most 64 axes")
    assert layers.ReLU()(cn.Input((1,) * 63)).ndim == 64
    large = cn.Input((2**16, 2**16))
    refused(lambda: layers.Flatten()(large), "2147483647 entries", "flatten", re.escape("(None, 4294967296)"))
    refused(lambda: ops.repeat(large, 2**16, axis=1), "2147483647 entries")
    refused(lambda: ops.unstack(large, axis=1), "at most 1024 tensors")
    refused(lambda: ops.array_split(large, 2000, axis=1), "at most 1024 tensors")
    images = cn.Input((2**16, 2**16, 4))
    refused(lambda: ops.extract_patches(images, 2**15), "2147483647 entries")
    refused(lambda: ops.extract_patches(images, 2, 1, 2**40, "same"), "2147483647 entries")
    refused(lambda: ops.unfold(cn.Input((4, 2**16, 2**16)), 1), "2147483647|large")
    refused(lambda: ops.broadcast_to(images[:, :1], (None, 2**40, 2**16, 4)), "`shape` must be at most")
    refused(lambda: ops.one_hot(images, 2**31), "`num_classes` must be at most")
    refused(lambda: ops.diff(S, n=5), "would be zero")


@pytest.mark.parametrize(
    "call",
    [
        lambda: ops.broadcast_to(S, (6, 3, 4, 5, 5)),
        lambda: ops.cumsum(S),
        lambda: ops.argsort(S, axis=None),
        lambda: ops.norm(S),
        lambda: ops.quantile(S, [0.1, 0.2], axis=1),
        lambda: ops.cumsum(S, axis=1, dtype="int32"),
        lambda: ops.batch_normalization(S, cn.Input((5,)), np.ones(5), -1),
        lambda: ops.cumsum(S, axis=1, dtype=np.ones(2)),
        lambda: ops.sum(S, axis=1, dtype="x" * 9999),
        lambda: ops.depth_to_space(cn.Input((4,)), 2),
        lambda: ops.softmax(S, axis=None),
        lambda: ops.einsum("bi,bj,bk,bl->b", *[cn.Input((4096,))] * 4),
        lambda: ops.dot_product_attention(S, X, S),
    ],
)
def test_what_is_not_computed_is_said(call):
    refused(
        call, "batch axis|here|float32 only|mixes|takes axis and keepdims", error=cn.UnsupportedLayerError
    )


def test_as_many_tensors_as_an_unknown_axis_has():
    refused(lambda: ops.unstack(cn.Input((None, 8)), axis=1), "not known", error=cn.UnsupportedLayerError)


def test_the_largest_of_numbers_that_have_no_negative():
    for dtype in (np.uint8, bool):
        values, places = ops.top_k(np.array([0, 1, 1, 0], dtype), 3)
        assert values.tolist() == [1, 1, 0] and places.tolist() == [1, 2, 0]


@pytest.mark.filterwarnings("error")
def test_numbers_beyond_float32_are_infinite():
    assert np.isinf(cn.Model(S, ops.full_like(S, 1e300))(X)).all()
    assert not cn.Model(S, ops.rms_normalization(S, epsilon=1e300))(X).any()


def test_numbers_and_flags_name_their_argument():
    refused(lambda: layers.LeakyReLU(10**400), "`negative_slope` must be within a float's range")
    refused(lambda: layers.Softmax(axis=[]), "`axis` must be", error=ValueError)
    refused(lambda: layers.Conv2D(1, 1, use_bias=np.array([1, 0])), "`use_bias` must be True or False")
    for f in (cn.functional.reshape, lambda x, shape: layers_reshape(shape)):
        for shape in (np.int64(2), np.dtype("f4"), 6, None):
            refused(lambda f=f, shape=shape: f(X, shape), "`shape` must", error=TypeError)


def layers_reshape(shape):
    class Reshaped(layers.Layer):
        def call(self, f, x):
            return f.reshape(x, shape)

    return Reshaped()(X)


@pytest.mark.parametrize(
    "name", ["abs", "exp", "relu", "sqrt", "argmax", "transpose", "flip", "cast", "softmax"]
)
@pytest.mark.parametrize("several", [[S], (S, S), {"a": S}])
def test_operations_of_one_tensor_refuse_several_by_name(name, several):
    extra = {"flip": (1,), "cast": ("int32",), "argmax": (1,)}.get(name, ())
    refused(lambda: getattr(ops, name)(several, *extra), "`x` must be one tensor", error=TypeError)


def test_more_places_where_one_tensor_is_taken():
    refused(lambda: ops.mean({"a": S}, axis=1), "`x` must be a list of tensors", error=TypeError)
    refused(lambda: ops.tile([S], 2), "`x` must be one tensor", error=TypeError)
    refused(lambda: ops.conv([S], np.ones((1, 1, 5, 2))), "`inputs` must be one tensor", error=TypeError)
    refused(lambda: ops.add(1.0, x2=[S]), "`x2` must be one tensor", error=TypeError)
    refused(lambda: ops.concatenate({"a": S}, axis=1), "`xs` must be a list of tensors", error=TypeError)

"""Rows A and F of the fault list for keras.ops on symbolic tensors: what eager forms refuse, bounds of shapes."""

import re

import numpy as np
import pytest

import conv2d_native as cn
from conv2d_native import layers, ops

S = cn.Input((3, 4, 5))
X = np.random.default_rng(4).standard_normal((2, 3, 4, 5)).astype(np.float32)
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
        lambda: ops.einsum("bijk,bljk->il", S, S),
        lambda: ops.einsum("bijk,cijk->bc", S, S),
        lambda: ops.power(S, cn.Input((4, 5))),
        lambda: ops.power(S, np.ones((2, 3, 4, 5))),
        lambda: ops.matmul(cn.Input((2,)), cn.Input((3,))),
    ],
)
def test_images_are_not_mixed(call):
    refused(call, "mixes the images", error=cn.UnsupportedLayerError)


def test_ranks_and_sizes_are_bounded():
    refused(lambda: cn.Input((1,) * 64), "at most 64 axes", "Received: ")
    refused(lambda: layers.Reshape((1,) * 64)(cn.Input((1,))), "at most 64 axes", "reshape")
    refused(lambda: ops.reshape(S, (-1, *(1,) * 63, 60)), "at most 64 axes")
    assert layers.ReLU()(cn.Input((1,) * 63)).ndim == 64
    large = cn.Input((2**16, 2**16))
    refused(lambda: layers.Flatten()(large), "2147483647 entries", "flatten", re.escape("(None, 4294967296)"))
    refused(lambda: ops.repeat(large, 2**16, axis=1), "2147483647 entries")
    refused(lambda: ops.unstack(large, axis=1), "at most 1024 tensors")


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

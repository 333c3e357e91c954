"""Operations of `keras.ops` that networks use between convolutions are steps of the core, not of NumPy."""

import numpy as np
import pytest

import conv2d_native as cn

RNG = np.random.default_rng(5)
X = RNG.standard_normal((3, 6, 5, 4)).astype(np.float32)
AROUND = [(0, 0), (2, 1), (3, 0), (0, 0)]
ops = cn.ops

CASES = {
    **{
        f"pad_{mode}": (
            lambda x, mode=mode: ops.pad(x, AROUND, mode=mode),
            lambda x, mode=mode: np.pad(x, AROUND, mode),
        )
        for mode in ("reflect", "symmetric", "edge", "wrap")
    },
    "pad_many_times_over": (
        lambda x: ops.pad(x, [(0, 0), (17, 20), (0, 0), (0, 9)], mode="reflect"),
        lambda x: np.pad(x, [(0, 0), (17, 20), (0, 0), (0, 9)], "reflect"),
    ),
    "every_second": (lambda x: x[:, 1::2, ::3], lambda x: x[:, 1::2, ::3]),
    "every_second_of_some": (lambda x: x[:, -4:5:3, 0, ..., None, ::2], lambda x: x[:, -4:5:3, 0, ..., None, ::2]),
    "a_step_beyond_the_end": (lambda x: x[:, 1::10**9, ::-9, :2**40], lambda x: x[:, 1::10**9, ::-9, :2**40]),
    "tile": (lambda x: ops.tile(x, (1, 2, 1, 3)), lambda x: np.tile(x, (1, 2, 1, 3))),
    "tile_one": (lambda x: ops.tile(x[:, :1, :1], (1, 7, 300, 2)), lambda x: np.tile(x[:, :1, :1], (1, 7, 300, 2))),
    "repeat": (lambda x: ops.repeat(x, 3, axis=2), lambda x: np.repeat(x, 3, 2)),
    "repeat_each": (lambda x: ops.repeat(x, [2, 0, 1, 1], axis=-1), lambda x: np.repeat(x, [2, 0, 1, 1], -1)),
    "broadcast_to": (
        lambda x: ops.broadcast_to(x[:, :1, :, :1], (3, 2, 5, 300)),
        lambda x: np.broadcast_to(x[:, :1, :, :1], (3, 2, 5, 300)),
    ),
    "var": (lambda x: ops.var(x, axis=(1, 3), keepdims=True), lambda x: x.var((1, 3), keepdims=True)),
    "moments": (lambda x: ops.moments(x, axes=[1, 2])[1], lambda x: x.var((1, 2))),
    "min": (lambda x: ops.min(x, axis=(1, 2)), lambda x: x.min((1, 2))),
    "amin": (lambda x: ops.amin(x, axis=-1), lambda x: x.min(-1)),
    "abs": (lambda x: ops.abs(x - 1.0), lambda x: abs(x - 1)),
    "exp": (ops.exp, np.exp),
    "square": (lambda x: x**2.0, np.square),
    "cube": (lambda x: ops.power(x, 3), lambda x: x**3),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("with_nan", [False, True])
def test_no_step_is_numpy_s(name, with_nan):
    computed, expected = CASES[name]
    x = X.copy()
    if with_nan:
        x[1, 2, 3, 0], x[2, 0, 0, 1] = np.nan, -np.inf
    source = cn.Input(X.shape[1:])
    model = cn.Model(source, computed(source))
    with np.errstate(all="ignore"):
        wanted = expected(x)
    exact = name not in ("var", "moments", "exp", "cube")
    np.testing.assert_allclose(model(x), wanted, rtol=0 if exact else 1e-6, atol=0)
    assert " host " not in str(cn.explain(model))


def test_zero_has_no_sign_when_it_is_absolute():
    source = cn.Input((2,))
    made = cn.Model(source, ops.abs(source))(np.array([[-0.0, 0.0]], np.float32))
    assert not np.signbit(made).any()


def test_what_would_be_too_many_steps_is_numpy_s():
    source = cn.Input((300, 2))
    for computed, expected in (
        (lambda x: ops.repeat(x, 2, axis=1), lambda x: np.repeat(x, 2, 1)),
        (lambda x: ops.pad(x, [(0, 0), (200, 0), (0, 0)], mode="reflect"),
         lambda x: np.pad(x, [(0, 0), (200, 0), (0, 0)], "reflect")),
        (lambda x: x[:, ::-2], lambda x: x[:, ::-2]),
    ):  # fmt: skip
        model = cn.Model(source, computed(source))
        x = RNG.random((2, 300, 2), np.float32)
        np.testing.assert_array_equal(model(x), expected(x))
        assert " host " in str(cn.explain(model))


@pytest.mark.parametrize(
    "computed",
    [
        lambda x: x[..., ::2],
        lambda x: x[:, None, ..., 1::2],
        lambda x: x[..., None][..., :1, :2, :],
        lambda x: ops.repeat(x[..., None], 2, axis=3),
        lambda x: ops.pad(x[..., None], [(0, 0), (0, 0), (2, 1), *[(0, 0)] * 6], mode="reflect"),
    ],
)
def test_what_has_too_many_axes_for_the_core_is_numpy_s(computed):
    x = RNG.random((2, 1, 2, 1, 2, 1, 2, 3), np.float32)
    source = cn.Input(x.shape[1:])
    np.testing.assert_array_equal(cn.Model(source, computed(source))(x), computed(x))


@pytest.mark.parametrize("edge", ["-Infinity", "Infinity"])
def test_infinite_edges_of_a_padding_come_out_of_files(edge):
    """As of ResNetV2 in keras_hub: pad(x, ..., constant_values=-inf), which Keras writes so, before a maximum."""
    x, width = cn.Input((6, 5, 4)), [(0, 0), (1, 1), (1, 1), (0, 0)]
    text = cn.Model(x, cn.layers.MaxPooling2D(3, 2)(ops.pad(x, width, constant_values=float(edge)))).to_json()
    assert f" {edge}" in text
    wide = np.pad(X, width, constant_values=float(edge))
    windows = np.lib.stride_tricks.sliding_window_view(wide, (3, 3), (1, 2))[:, ::2, ::2]
    np.testing.assert_array_equal(cn.model_from_json(text)(X), windows.max((-2, -1)))

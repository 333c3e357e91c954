"""The references themselves: known values of Keras's semantics, and the grammar of problem names."""

import math

import numpy as np
import pytest

import oracle
from problems import LAYERS, ODD, ConvProblem


def row(values):
    return np.asarray(values, np.float64).reshape(1, 1, -1, 1)


ONES = np.ones((1, 3, 1, 1))


@pytest.mark.parametrize("size, stride, expected", [(6, 2, [6, 12, 11]), (5, 2, [3, 9, 9])])
def test_same_puts_the_smaller_half_first(size, stride, expected):
    y = oracle.conv2d(row(range(1, size + 1)), ONES, strides=(1, stride), padding="same")
    assert y.ravel().tolist() == expected


def test_average_pool_same_counts_real_cells_only():
    y = oracle.average_pool2d(row(range(1, 7)), (1, 3), (1, 2), "same")
    assert y.ravel().tolist() == [2, 4, 5.5]


def test_max_pool_same_ignores_the_padding_and_keeps_nan():
    y = oracle.max_pool2d(row([-5, -6, -7, np.nan, -2, -3]), (1, 3), (1, 2), "same")
    np.testing.assert_array_equal(y.ravel(), [-5, np.nan, -2])


@pytest.mark.parametrize(
    "output_padding, expected",
    [
        (None, [1, 1, 3, 2, 5, 3, 7, 4]),
        ((0, 0), [1, 3, 2, 5, 3, 7, 4]),
        ((0, 1), [1, 1, 3, 2, 5, 3, 7, 4]),
    ],
)
def test_transposed_convolution_same(output_padding, expected):
    y = oracle.conv2d_transpose(
        row([1, 2, 3, 4]), ONES, strides=(1, 2), padding="same", output_padding=output_padding
    )
    assert y.ravel().tolist() == expected


def test_transposed_convolution_valid_fills_up_to_the_stride():
    y = oracle.conv2d_transpose(row([1, 2, 3, 4]), np.ones((1, 2, 1, 1)), strides=(1, 3))
    assert y.ravel().tolist() == [1, 1, 0, 2, 2, 0, 3, 3, 0, 4, 4, 0]


def test_bilinear_has_half_pixel_centres_and_clamps():
    y = oracle.resize2d(row([0, 1, 2]), scale=(1, 2), interpolation="bilinear")
    np.testing.assert_allclose(y.ravel(), [0, 0.25, 0.75, 1.25, 1.75, 2])


def test_bicubic():
    y = oracle.resize2d(row([0, 1, 2]), scale=(1, 2), interpolation="bicubic")
    np.testing.assert_allclose(y.ravel(), [-0.0882, 0.1679, 0.7099, 1.2901, 1.8321, 2.0882], atol=1e-4)


def test_activations_at_one():
    expected = {
        "gelu": 0.841345,
        "hard_sigmoid": 2 / 3,
        "leaky_relu": 1,
        "softplus": math.log1p(math.e),
        "selu": 1.050701,
        "mish": 0.865098,
        "gelu_tanh": 0.841192,
        "squareplus": (1 + 5**0.5) / 2,
    }
    for name, value in expected.items():
        assert oracle.activate(np.array([1.0]), name)[0] == pytest.approx(value, abs=1e-6), name
    assert oracle.activate(np.array([-1.0]), "leaky_relu")[0] == pytest.approx(-0.2)


def test_channels_first_is_the_transposed_result():
    x, kernel = np.random.default_rng(0).standard_normal((2, 5, 6, 4)), np.ones((3, 3, 4, 2))
    y = oracle.conv2d(x, kernel, padding="same")
    first = oracle.conv2d(x.transpose(0, 3, 1, 2), kernel, padding="same", data_format="channels_first")
    np.testing.assert_array_equal(first, y.transpose(0, 3, 1, 2))


def test_an_infinite_weight_does_not_meet_the_padding():
    kernel = np.array([np.inf, 1, 1]).reshape(1, 3, 1, 1)
    y = oracle.conv2d(row([1, 1, 1]), kernel, padding="same")
    assert y.ravel().tolist() == [2, math.inf, math.inf]


@pytest.mark.parametrize("name", [*ODD, *LAYERS.values()])
def test_problem_names_round_trip(name):
    problem = ConvProblem.parse(name)
    assert str(problem) == name
    assert min(problem.output_shape) > 0 and problem.c % problem.groups == 0 == problem.oc % problem.groups


def test_odd_problems_are_distinct():
    assert len(set(ODD)) == len(ODD)


@pytest.mark.parametrize("name", ["", "n1h5w5c1", "n1h5w5c1_k3x3s1d1p1.1_oc2g1", "n1h5w5c1_k3x3s1d1p1_oc2_"])
def test_malformed_names_are_refused(name):
    with pytest.raises(ValueError, match="not a convolution problem"):
        ConvProblem.parse(name)


@pytest.mark.parametrize(
    "name",
    [
        "n2h12w19c17_k5x3s1d1p2.2.1.1_oc29g1_leaky_relu",
        "n1h9w9c5_k3x3s1d4p4_oc10g5",
        "n1h13w14c16_k3x3s2d2p1.2.1.2_oc16g16",
        "n1h3w2c5_k5x5s1d1p2_oc6g1",
    ],
)
def test_convolution_equals_the_definition(name):
    """Against a plain loop over outputs and taps, to first principles."""
    p = ConvProblem.parse(name)
    x, kernel, bias = (a.astype(np.float64) for a in p.data())
    got, _ = p.reference(x, kernel, bias)
    cg, og = p.c // p.groups, p.oc // p.groups
    rng = np.random.default_rng(1)
    for _ in range(60):
        n, oh, ow, o = (int(rng.integers(s)) for s in p.output_shape)
        total, group = bias[o], o // og
        for i, j in np.ndindex(p.kh, p.kw):
            ih, iw = oh * p.sh + i * p.dh - p.padding[0][0], ow * p.sw + j * p.dw - p.padding[1][0]
            if 0 <= ih < p.h and 0 <= iw < p.w:
                total += x[n, ih, iw, group * cg : (group + 1) * cg] @ kernel[i, j, :, o]
        assert got[n, oh, ow, o] == pytest.approx(oracle.activate(total, p.activation), rel=1e-12, abs=1e-12)


def test_error_ratio():
    ref, scale = np.array([1.0, 2.0, np.nan, np.inf]), 1.0
    assert oracle.error_ratio(ref, ref, scale) == 0
    assert oracle.error_ratio(ref + np.array([2**-23, 0, 0, 0]), ref, scale) == 2
    assert oracle.error_ratio([1, 2, np.nan, 3], ref, scale) == math.inf
    assert oracle.error_ratio([1, np.nan, np.nan, np.inf], ref, scale) == math.inf
    with pytest.raises(AssertionError, match="shape"):
        oracle.error_ratio(ref[:2], ref, scale)


def test_float32_numpy_passes_its_own_measure():
    p = ConvProblem.parse("n1h10w11c24_k3x3s1d1p1_oc36g1")
    x, kernel, bias = p.data()
    ref, scale = p.reference(x, kernel, bias)
    padded = np.pad(x, ((0, 0), *p.padding, (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    rows = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, p.products)
    got = (rows @ kernel.reshape(p.products, p.oc) + bias).reshape(p.output_shape)
    assert oracle.error_ratio(got, ref, scale) <= 8 and oracle.relative_l2(got, ref) <= 1e-6
    assert oracle.trusted(ref)

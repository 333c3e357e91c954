"""Numbers of categories as zeros and ones: CategoryEncoding, Discretization, and networks with them beside images."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import conv2d_native as cn
from conv2d_native import layers as L
from written import bytes_of

NUMBERS = np.array([[0, 1], [3, 3], [1, 9]])
X = np.float32([[-1, 0, 2.5], [0.5, np.nan, 2]])


def test_each_mode_of_categories():
    ones = np.eye(4)
    hot = L.CategoryEncoding(4)(NUMBERS)
    np.testing.assert_array_equal(hot, [[1, 1, 0, 0], [0, 0, 0, 1], [0, 1, 0, 0]])
    np.testing.assert_array_equal(L.CategoryEncoding(4, "binary")(NUMBERS), hot)
    counts = L.CategoryEncoding(4, output_mode="count")
    np.testing.assert_array_equal(counts(NUMBERS), [[1, 1, 0, 0], [0, 0, 0, 2], [0, 1, 0, 0]])
    weights = np.float32([[0.5, 1], [2, 3], [7, 8]])
    expected = [[0.5, 1, 0, 0], [0, 0, 0, 5], [0, 7, 0, 0]]
    np.testing.assert_array_equal(counts(NUMBERS, count_weights=weights), expected)
    one = L.CategoryEncoding(4, "one_hot")
    np.testing.assert_array_equal(one(NUMBERS), np.vstack([ones, np.zeros(4)])[NUMBERS.clip(max=4)])
    np.testing.assert_array_equal(one([[2], [1.7], [-1]]), [ones[2], ones[1], 0 * ones[0]])
    assert one(cn.Input((3, 2))).shape == (None, 3, 2, 4) and one(cn.Input((3, 1))).shape == (None, 3, 4)


def test_fractions_are_cut_off_and_numbers_from_the_last_on_left_out():
    """As Keras's conversion to whole numbers does."""
    given = [[-0.5, 2.9], [3, 0], [np.nan, 1]]
    expected = [[1, 0, 1], [1, 0, 0], [0, 1, 0]]
    np.testing.assert_array_equal(L.CategoryEncoding(3)(given), expected)
    np.testing.assert_array_equal(L.CategoryEncoding(3, "count")(given), expected)
    table = L.Embedding(3, 2)
    np.testing.assert_array_equal(table([[1.7, -0.5]]), table([[1, 0]]))


def test_configurations_have_keras_s_words_alone():
    encoding, ranges = L.CategoryEncoding(3).get_config(), L.Discretization([0.0]).get_config()
    assert "sparse" not in encoding and ranges["dtype"] == "float32"
    assert L.Discretization.from_config({**ranges, "trainable": True}).get_config() == ranges


def test_a_weight_counts_in_its_own_place_alone():
    """One that is no number, too, as in Keras; memory is that of the output."""
    layer = L.CategoryEncoding(4, output_mode="count")
    weights = np.float32([[1, np.nan, 2], [0.5, 1, 1]])
    expected = [[0, 3, np.nan, 0], [0.5, 0, 0, 1]]
    np.testing.assert_array_equal(layer(np.array([[1, 2, 1], [0, 3, 9]]), count_weights=weights), expected)
    many = L.CategoryEncoding(1 << 20)(np.arange(400)[None])
    assert many[0, :400].all() and many.sum() == 400


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("int", [[0, 1, 3], [1, 3, 3]]),
        ("one_hot", np.eye(4)[[[0, 1, 3], [1, 3, 3]]]),
        ("multi_hot", [[1, 1, 0, 1], [0, 1, 0, 1]]),
        ("count", [[1, 1, 0, 1], [0, 1, 0, 2]]),
    ],
)
def test_ranges_of_numbers(mode, expected):
    layer = L.Discretization([0.0, 1.0, 2.0], output_mode=mode)
    np.testing.assert_array_equal(layer(X), expected)
    assert layer(X).dtype == np.float32 and layer.compute_output_shape(X.shape) == np.shape(expected)
    again = L.deserialize(L.serialize(layer))
    np.testing.assert_array_equal(again(X), expected)
    assert again.get_config() == layer.get_config() and "trainable" not in layer.get_config()


def test_an_adapted_one_has_boundaries_and_their_number():
    config = {"bin_boundaries": [0.0, 1.0], "num_bins": 3, "epsilon": 0.01, "output_mode": "int", "name": "d"}
    layer = L.Discretization.from_config({**config, "sparse": False, "dtype": "float32"})
    assert layer(X).tolist()[0] == [0, 1, 2] and layer.get_config()["num_bins"] == 3


def test_a_network_of_images_and_tables():
    image, row, kind = cn.Input((6, 6, 3)), cn.Input((2,)), cn.Input((1,))
    parts = [
        L.GlobalAveragePooling2D()(L.Conv2D(3, 3)(image)),
        L.Flatten()(L.Discretization([0.0, 1.0], output_mode="one_hot")(row)),
        L.CategoryEncoding(5)(kind),
    ]
    model = cn.Model([image, row, kind], L.Dense(2)(L.Concatenate()(parts)))
    rng = np.random.default_rng(1)
    given = [rng.random((4, 6, 6, 3)), rng.normal(0, 2, (4, 2)), rng.integers(0, 5, (4, 1))]
    expected = model(given)
    assert expected.shape == (4, 2) and np.ptp(expected) > 0
    for made in (cn.load_model(bytes_of(model.save)), copy.deepcopy(model)):
        np.testing.assert_array_equal(made(given), expected)
    np.testing.assert_allclose(model.predict(given, batch_size=1), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: L.CategoryEncoding(), "`num_tokens` must be"),
        (lambda: L.CategoryEncoding(0), "`num_tokens` must be"),
        (lambda: L.CategoryEncoding(3, "int"), "`output_mode` must be"),
        (
            lambda: L.CategoryEncoding(3)(np.zeros((2, 3, 4))),
            "takes inputs of 2 axes with output_mode='multi_hot'",
        ),
        (lambda: L.CategoryEncoding(3)([[0, -1]]), "takes no negative numbers. Received: -1"),
        (
            lambda: L.CategoryEncoding(3)([[0, 1]], count_weights=[[1, 1]]),
            "`count_weights` needs output_mode='count'",
        ),
        (
            lambda: L.CategoryEncoding(3, "count")([[0, 1]], count_weights=[[1, 1]]),
            "`count_weights` must be an array of the input's shape",
        ),
        (lambda: L.Discretization([1.0, 0.0]), "`bin_boundaries` must rise"),
        (lambda: L.Discretization([np.nan]), "`bin_boundaries` must rise"),
        (lambda: L.Discretization([0.0, np.nan, 1.0]), "`bin_boundaries` must rise"),
        (lambda: L.Discretization(num_bins=4), "needs its `bin_boundaries`: adapt it with Keras"),
        (lambda: L.Discretization([0.0], output_mode="all"), "`output_mode` must be"),
    ],
)
def test_refused(make, text):
    with pytest.raises((TypeError, ValueError), match=text):
        make()

"""Models whose inputs are lists of dicts, dicts of lists and so on: called on the same structures, or on flat lists."""

import numpy as np
import pytest

import conv2d_native as cn

X, Y, Z = (np.random.default_rng(i).random((4, 3), np.float32) for i in range(3))


def inputs():
    return [cn.Input((3,), name=name) for name in "abc"]


@pytest.fixture
def model():
    a, b, c = inputs()
    return cn.Model([{"b": b, "a": a}, c], a - 2.0 * b + 3.0 * c)


@pytest.mark.parametrize(
    "given",
    [[{"a": X, "b": Y}, Z], ({"b": Y, "a": X}, Z), [X, Y, Z], [{"a": X.tolist(), "b": Y}, Z]],
)
def test_the_structure_of_the_inputs_or_a_flat_list(model, given, tmp_path):
    expected = X - 2 * Y + 3 * Z
    np.testing.assert_allclose(model(given), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model.predict(given, batch_size=3), expected, rtol=1e-5, atol=1e-6)
    model.save(tmp_path / "m.keras")
    again = cn.load_model(tmp_path / "m.keras")
    assert [sorted(again.input[0]), again.input_shape[2]] == [["a", "b"], (None, 3)]
    np.testing.assert_array_equal(again(given), model(given))


def test_lists_in_dicts_and_one_input_in_both():
    a, b, c = inputs()
    model = cn.Model({"pair": [a, b], "last": (c,)}, a - 2.0 * b + 3.0 * c)
    expected = X - 2 * Y + 3 * Z
    np.testing.assert_allclose(model({"last": [Z], "pair": (X, Y)}), expected, rtol=1e-5, atol=1e-6)
    one = cn.Model([{"a": a}], a * 2.0)
    for given in ([{"a": X}], X, [X]):
        np.testing.assert_array_equal(one(given), 2 * X)


@pytest.mark.parametrize(
    "given", [[{"a": X, "z": Y}, Z], [{"a": X, "b": Y}], [Z, {"a": X, "b": Y}], [{"a": X}, Y, Z]]
)
def test_another_structure_is_refused_by_the_form_of_the_inputs(model, given):
    for call in (model, model.predict):
        with pytest.raises(ValueError, match=r"`x` must have the form of the inputs, .*'a'.*'c'"):
            call(given)


def test_lists_of_one_inside_others_stay_lists_in_files(tmp_path):
    """Alone they are what is in them, as Keras has it."""
    a, b, c = inputs()
    y = a - 2.0 * b + 3.0 * c
    for form, given in (
        ({"one": [a], "rest": [[b], c]}, {"one": [X], "rest": [[Y], Z]}),
        ([[a, b, c]], [[X, Y, Z]]),
    ):
        cn.Model(form, {"made": [y], "twice": [[y, y]]}).save(tmp_path / "m.keras")
        model = cn.load_model(tmp_path / "m.keras")
        for made in (model(given), model.predict(given)):
            (first,), ((second, _),) = made["made"], made["twice"]
            np.testing.assert_allclose(first, X - 2 * Y + 3 * Z, rtol=1e-5, atol=1e-6)
            np.testing.assert_array_equal(first, second)
    cn.Model([a], [2.0 * a]).save(tmp_path / "m.keras")
    np.testing.assert_array_equal(cn.load_model(tmp_path / "m.keras")(X), 2 * X)

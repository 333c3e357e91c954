"""Dense and Embedding layers of 8 bits, as Keras's quantize("int8") writes them."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import conv2d_native as cn
from conv2d_native import layers as L
from conv2d_native.formats.hdf5_write import write_hdf5
from written import bytes_of

RNG = np.random.default_rng(2)
POLICY = {
    "module": "keras.dtype_policies",
    "class_name": "QuantizedDTypePolicy",
    "config": {"mode": "int8", "source_name": "float32"},
    "registered_name": None,
}


def quantizing(activation_quantizer):
    return {
        "class_name": "Int8QuantizationConfig",
        "config": {"weight_quantizer": None, "activation_quantizer": activation_quantizer},
    }


def of_8_bits(layer, quantization_config=None):
    entry = L.serialize(layer)
    entry["config"] |= {"dtype": POLICY, "quantization_config": quantization_config}
    return L.deserialize(entry)


def whole(*shape):
    return RNG.integers(-127, 128, shape).astype(np.float32)


def test_inputs_are_rounded_row_by_row_and_sums_are_exact():
    x = RNG.standard_normal((2, 3, 3000)).astype(np.float32)
    layer = of_8_bits(L.Dense(4, activation="relu"))
    layer.build(x.shape)
    kernel, bias, scale = whole(3000, 4), np.float32([1, -1, 0, 2]), np.float32([0.5, 1, 2, 100])
    assert layer.weight_names == ["kernel", "bias", "kernel_scale"]
    layer.set_weights([kernel, bias, scale])
    by_row = np.float32(127) / (np.abs(x).max(-1, keepdims=True) + np.float32(1e-7))
    sums = np.rint(x * by_row).astype(np.int64) @ kernel.astype(np.int64)
    expected = np.maximum(sums.astype(np.float32) / (scale * by_row) + bias, 0)
    np.testing.assert_array_equal(layer(x), expected)
    inputs = cn.Input(x.shape[1:])
    model = cn.Model(inputs, layer(inputs))
    for made in (model, cn.load_model(bytes_of(model.save)), copy.deepcopy(model)):
        np.testing.assert_array_equal(made(x), expected)
    assert layer.get_config()["dtype"] == POLICY


def test_other_limits_and_inputs_that_are_not_rounded():
    x, kernel, scale = RNG.standard_normal((5, 7)).astype(np.float32), whole(7, 3), np.float32([2, 3, 5])
    facts = {"value_range": [-7, 7], "epsilon": 0.5, "output_dtype": "int8"}
    rounded = of_8_bits(
        L.Dense(3, use_bias=False), quantizing({"class_name": "AbsMaxQuantizer", "config": facts})
    )
    plain = of_8_bits(L.Dense(3, use_bias=False), quantizing(None))
    for layer in (rounded, plain):
        layer.build(x.shape)
        layer.set_weights([kernel, scale])
    by_row = np.float32(7) / (np.abs(x).max(-1, keepdims=True) + np.float32(0.5))
    np.testing.assert_allclose(rounded(x), np.rint(x * by_row) @ kernel / (scale * by_row), rtol=1e-6)
    np.testing.assert_allclose(plain(x), x @ (kernel / scale), rtol=1e-5, atol=1e-5)


def test_rows_of_a_table_have_scales():
    layer = of_8_bits(L.Embedding(6, 2))
    layer.build((None, 3))
    table, scale = whole(6, 2), np.float32([1, 2, 4, 8, 16, 32])
    layer.set_weights([table, scale])
    np.testing.assert_array_equal(layer([[0, 5, 2]]), [(table / scale[:, None])[[0, 5, 2]]])


def test_weights_of_8_bits_are_stored_as_whole_numbers():
    """Others of the layer are not: those are damaged."""
    x, kernel, bias, scale = whole(5, 7), whole(7, 3), np.ones(3, np.float32), np.float32([2, 3, 5])
    model = cn.Sequential([cn.Input((7,)), of_8_bits(L.Dense(3, name="dense"), quantizing(None))])
    for wrong, error in ((None, None), ("1", "found integers"), ("2", "found integers")):
        stored = {"0": kernel, "1": bias, "2": scale, **({wrong: np.ones(3, np.int32)} if wrong else {})}
        stored["0"] = kernel.astype(np.int32)
        data = bytes_of(write_hdf5, {"layers": {"dense": {"vars": stored}}})
        if error is None:
            model.load_weights(data)
        else:
            with pytest.raises(cn.ModelFormatError, match=error):
                model.load_weights(data)
        np.testing.assert_allclose(model(x), x @ (kernel / scale) + 1, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf, 1e-45, -1.0])
def test_scales_that_are_no_numbers_give_what_division_gives(value):
    """Rows and columns with other scales are right; nothing is warned of."""
    x, kernel, scale = whole(5, 7), whole(7, 3), np.float32([2, value, 5])
    dense, embedding = of_8_bits(L.Dense(3, use_bias=False), quantizing(None)), of_8_bits(L.Embedding(3, 7))
    rounded = of_8_bits(L.Dense(3, use_bias=False))
    for layer in (dense, rounded, embedding):
        layer.build(x.shape)
        layer.set_weights([kernel.T if layer is embedding else kernel, scale])
    with np.errstate(all="ignore"):
        table = kernel / scale
    np.testing.assert_array_equal(embedding([[0, 1, 2]])[0], table.T)
    np.testing.assert_allclose(dense(x)[:, ::2], x @ table[:, ::2], rtol=1e-5)
    np.testing.assert_allclose(rounded(x)[:, ::2], dense(x)[:, ::2], rtol=0.05, atol=50)


@pytest.mark.parametrize(
    "given",
    [
        quantizing({"class_name": "Mine", "config": {}}),
        quantizing(3),
        quantizing({"class_name": "AbsMaxQuantizer", "config": [1]}),
        {"class_name": "Int8QuantizationConfig", "config": None},
        [],
    ],
)
def test_other_quantizers_are_refused(given):
    with pytest.raises(cn.ModelFormatError, match="`quantization_config` must round inputs with an AbsMax"):
        of_8_bits(L.Dense(3, name="d"), given)


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        (
            {"value_range": 3},
            "`value_range` must be two rising numbers from -128 to 127. Received: value_range=3",
        ),
        ({"value_range": [1, 2, 3]}, "`value_range` must be two rising numbers"),
        ({"value_range": [127, -127]}, "`value_range` must be two rising numbers"),
        ({"value_range": [-127, 1e9]}, "`value_range` must be two rising numbers"),
        ({"value_range": ["a", "b"]}, "`value_range` must be a number"),
        ({"epsilon": -1}, "`epsilon` must be a finite number >= 0"),
    ],
)
def test_rounding_to_no_numbers_of_8_bits_is_refused(facts, text):
    with pytest.raises(cn.ModelFormatError, match=text):
        of_8_bits(L.Dense(3), quantizing({"class_name": "AbsMaxQuantizer", "config": facts}))


@pytest.mark.parametrize("policy", [{}, {"mode": "int8"}, {"mode": "int4", "source_name": "float32"}])
def test_other_policies_are_refused_by_name(policy):
    """Also where parts of them are missing."""
    entry = L.serialize(L.Dense(3, name="d"))
    entry["config"]["dtype"] = POLICY | {"config": policy}
    with pytest.raises(cn.ModelFormatError, match=r"Layer 'd' .*`dtype` must be"):
        L.deserialize(entry)

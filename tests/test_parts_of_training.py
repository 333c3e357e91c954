"""What files hold of training: it is kept where the layer has it, computed where the answer depends on it."""

import copy
import json

import numpy as np
import pytest

import conv2d_native as cn
from conv2d_native import layers as L
from conv2d_native.formats.hdf5_write import ATTRIBUTES, write_hdf5
from written import bytes_of

RANDOM = np.random.default_rng(17)
X = RANDOM.standard_normal((2, 5, 5, 4), np.float32)
RENORM = ["moving_mean", "moving_variance", "moving_stddev", "renorm_mean", "renorm_stddev"]


def test_weights_of_batch_renormalization_are_kept_and_change_no_answer():
    """The layer has Keras's weights in Keras's order; inference takes moving_mean and moving_variance."""
    layer = L.BatchNormalization(renorm=True, renorm_clipping={"rmax": 3.0})
    model = cn.Sequential([cn.Input((5, 5, 4)), layer])
    assert [weight.name for weight in layer.weights] == ["gamma", "beta", *RENORM]
    assert [weight.name for weight in layer.non_trainable_weights] == RENORM
    model.set_weights([RANDOM.uniform(0.5, 1.5, 4) for _ in layer.weights])
    plain = cn.Sequential([cn.Input((5, 5, 4)), L.BatchNormalization()])
    plain.set_weights(model.get_weights()[:4])
    for made in (model, cn.load_model(bytes_of(model.save)), copy.deepcopy(model)):
        np.testing.assert_array_equal(made(X), plain(X))
        for kept, weight in zip(made.get_weights(), model.get_weights(), strict=True):
            np.testing.assert_array_equal(kept, weight)


def legacy_file(model, weights, alpha):
    """An `.h5` file of `model`, whose only layer 'd' has `weights`, named as Keras names them, and `lora_alpha`."""
    entry = json.loads(model.to_json())
    entry["config"]["layers"][-1]["config"]["lora_alpha"] = alpha
    names = {ATTRIBUTES: {f"weight_names{i}": f"d/{name}" for i, name in enumerate(weights)}}
    held = {ATTRIBUTES: {"layer_names0": "d"}, "d": names | {"d": weights}}
    return bytes_of(write_hdf5, {ATTRIBUTES: {"model_config": json.dumps(entry)}, "model_weights": held})


@pytest.mark.parametrize("alpha", [None, 3.0, 2])
@pytest.mark.parametrize(
    ("make", "shape", "name"),
    [
        (lambda: L.Dense(3, name="d"), (4, 3), "kernel"),
        (lambda: L.Conv2D(3, 2, use_bias=False, name="d"), (2, 2, 4, 3), "kernel"),
    ],
)
def test_thin_matrices_of_lora_are_part_of_the_weight(make, shape, name, alpha):
    """Legacy files have them beside it; the weight is that plus alpha / rank times their product."""
    model = cn.Sequential([cn.Input((5, 5, 4)), make()])
    weight, a, b = (RANDOM.standard_normal(size, np.float32) for size in (shape, (*shape[:-1], 2), (2, 3)))
    stored = {"bias": np.zeros(3, np.float32)} if model.layers[0].use_bias else {}
    stored |= {f"lora_{name}_a": a, f"lora_{name}_b": b, name: weight}
    made = cn.load_model(legacy_file(model, stored, alpha))
    expected = weight + (2 if alpha is None else alpha) / 2 * (a @ b)
    np.testing.assert_allclose(made.get_weights()[0], expected, rtol=1e-5, atol=1e-6)
    model.layers[0].set_weights([expected, *model.get_weights()[1:]])
    np.testing.assert_allclose(made(X), model(X), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("stored", "alpha", "text"),
    [
        ({"lora_kernel_a": np.ones((3, 2))}, 2, "lora_kernel_a.*expected shape"),
        ({"lora_kernel_b": np.ones((3, 3))}, 2, "lora_kernel_b.*expected shape"),
        ({"lora_kernel_a": np.float32(1)}, 2, "lora_kernel_a"),
        ({}, "2", "layer 'd': `lora_alpha` must be a number. Found: '2'"),
        ({}, 1e39, "layer 'd': `lora_alpha` must be a number"),
    ],
)
def test_thin_matrices_that_do_not_fit_are_refused(stored, alpha, text):
    model = cn.Sequential([cn.Input((5, 5, 4)), L.Dense(3, use_bias=False, name="d")])
    parts = {"kernel": np.ones((4, 3)), "lora_kernel_a": np.ones((4, 2)), "lora_kernel_b": np.ones((2, 3))}
    parts = {name: np.float32(value) for name, value in (parts | stored).items()}
    with pytest.raises(cn.ModelFormatError, match=text):
        cn.load_model(legacy_file(model, parts, alpha))


@pytest.mark.parametrize(
    ("class_name", "mode", "layer"),
    [
        ("QuantizedFloat8DTypePolicy", "float8", L.Dense(3, name="d")),
        ("Int4DTypePolicy", "int4/128", L.Dense(3, name="d")),
        ("QuantizedDTypePolicy", "int8", L.MultiHeadAttention(2, 4, name="d")),
    ],
)
def test_layers_that_quantize_changed_are_refused_with_the_reason(class_name, mode, layer):
    entry = L.serialize(layer)
    entry["config"]["dtype"] = {
        "class_name": class_name,
        "config": {"mode": mode, "source_name": "float32"},
    }
    with pytest.raises(
        cn.ModelFormatError, match=r"Layer 'd' .*`dtype` must be a policy of floats: .*quantize"
    ):
        L.deserialize(entry)

"""What Keras 2's graphs and configurations have beside layers: losses, metrics, attention's shapes and groups."""

import io
import json
import zipfile

import numpy as np
import pytest

import conv2d_native as cn
from conv2d_native import layers
from written import bytes_of

X = np.random.default_rng(4).standard_normal((3, 5, 4)).astype(np.float32)


def entry(class_name, name, calls, **config):
    return {
        "class_name": class_name,
        "name": name,
        "config": {"name": name, **config},
        "inbound_nodes": calls,
    }


def functional(*entries, outputs):
    ends = {"input_layers": [["x", 0, 0]], "output_layers": [[name, 0, 0] for name in outputs]}
    source = entry("InputLayer", "x", [], batch_input_shape=[None, 5, 4])
    config = {"name": "m", "layers": [source, *entries], **ends}
    return json.dumps({"class_name": "Functional", "config": config, "keras_version": "2.21.0"})


def test_losses_and_metrics_are_left_out():
    """As a variational autoencoder has them: the mean over a batch, which is refused, is asked for by nothing else."""
    text = functional(
        entry("TFOpLambda", "double", [["x", 0, 0, {"y": 2.0}]], function="math.multiply"),
        entry("TFOpLambda", "square", [["double", 0, 0, {}]], function="math.square"),
        entry("TFOpLambda", "mean", [["square", 0, 0, {}]], function="math.reduce_mean"),
        entry("AddLoss", "add_loss", [[["mean", 0, 0, {}]]], unconditional=False),
        entry("AddMetric", "add_metric", [[["mean", 0, 0, {}]]], aggregation="mean", metric_name="mae"),
        entry("Flatten", "flat", [[["double", 0, 0, {}]]]),
        outputs=["flat"],
    )
    model = cn.model_from_json(text)
    np.testing.assert_array_equal(model(X), 2 * X.reshape(3, -1))
    assert [layer.name for layer in model.layers if layer.name in ("square", "mean", "add_loss")] == []


def test_a_loss_that_is_an_output_is_refused():
    text = functional(
        entry("TFOpLambda", "sum", [["x", 0, 0, {"axis": -1}]], function="math.reduce_sum"),
        entry("AddLoss", "add_loss", [[["sum", 0, 0, {}]]]),
        outputs=["add_loss"],
    )
    with pytest.raises(cn.UnsupportedLayerError, match="'AddLoss'"):
        cn.model_from_json(text)


def test_attention_as_keras_2_writes_it():
    """Its configuration has shapes, and its groups of weights begin with an underscore."""
    x = cn.Input((5, 4), name="x")
    model = cn.Model(x, layers.MultiHeadAttention(2, 3, name="attention")(x, x))
    rng = np.random.default_rng(1)
    model.set_weights([rng.standard_normal(w.shape) for w in model.get_weights()])
    words = {"query_shape": [None, 5, 4], "key_shape": [None, 5, 4], "value_shape": [None, 5, 4]}
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(bytes_of(model.save))) as source, zipfile.ZipFile(made, "w") as target:
        config = json.loads(source.read("config.json"))
        attention = next(e for e in config["config"]["layers"] if e["class_name"] == "MultiHeadAttention")
        attention["config"] |= {**words, "softmax_robust_masking": False, "attention_axes": [1]}
        weights = source.read("model.weights.h5")
        for part in (b"query_dense", b"key_dense", b"value_dense", b"output_dense"):
            assert part in weights
            weights = weights.replace(part + b"\0", b"_" + part)
        target.writestr("config.json", json.dumps(config))
        target.writestr("metadata.json", json.dumps({"keras_version": "2.21.0"}))
        target.writestr("model.weights.h5", weights)
    again = cn.load_model(made.getvalue())
    np.testing.assert_array_equal(again(X), model(X))


def test_operations_of_masks_are_not_named_as_layers_of_the_file():
    """Keras 2 records none, and so may call a layer as one of them."""
    cn.backend.clear_session()
    words = {"batch_input_shape": [None, 4], "dtype": "int32", "name": "words"}
    numbers = {"batch_input_shape": [None, 4, 2], "dtype": "float32", "name": "numbers"}
    embedding = {"name": "embedding", "input_dim": 3, "output_dim": 2, "mask_zero": True}
    described = [
        ("InputLayer", words, []),
        ("InputLayer", numbers, []),
        ("Embedding", embedding, [[["words", 0, 0, {}]]]),
        (
            "Concatenate",
            {"name": "concatenate", "axis": -1},
            [[["numbers", 0, 0, {}], ["embedding", 0, 0, {}]]],
        ),
        ("GRU", {"name": "gru", "units": 2}, [[["concatenate", 0, 0, {}]]]),
    ]
    layers = [
        {"class_name": kind, "name": config["name"], "config": config, "inbound_nodes": nodes}
        for kind, config, nodes in described
    ]
    config = {"name": "m", "layers": layers, "input_layers": [["words", 0, 0], ["numbers", 0, 0]]}
    config["output_layers"] = [["gru", 0, 0]]
    described = {"class_name": "Functional", "config": config, "keras_version": "2.13.1"}
    model = cn.model_from_json(json.dumps(described))
    names = [layer.name for layer in model.layers]
    assert len(set(names)) == len(names) and "concatenate" in names
    assert model([np.zeros((1, 4)), np.ones((1, 4, 2))]).shape == (1, 2)


def sequential(name, calls):
    inner = [entry("Dense", "inner", [], units=4)]
    return {**entry("Sequential", name, calls, layers=inner), "config": {"name": name, "layers": inner}}


@pytest.mark.parametrize("ends", [[1], [1, 2], [2, 1]])
def test_outputs_count_the_calls_of_a_sequential_from_1(ends):
    """As Keras 2 does, whose Sequential has made one call of its own when it is called; Keras 3 counts from 0."""
    calls = [[["x", 0, 0, {}]], [["half", 0, 0, {}]]]
    half = entry("TFOpLambda", "half", [["x", 0, 0, {"y": 0.5}]], function="math.multiply")
    text = json.loads(functional(half, sequential("head", calls[: len(ends)]), outputs=["head"]))
    text["config"]["output_layers"] = [["head", end, 0] for end in ends]
    model = cn.model_from_json(json.dumps(text))
    kernel, bias = model.get_layer("head").get_weights()
    expected = [{1: X, 2: X / 2}[end] @ kernel + bias for end in ends]
    outputs = model(X)
    for got, wanted in zip(outputs if len(ends) > 1 else [outputs], expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-6)

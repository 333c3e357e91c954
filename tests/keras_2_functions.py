"""Models of TensorFlow's functions, in the form in which Keras 2 wrote them."""

import json

import conv2d_native as cn


def model_of_functions(
    functions, shape, outputs=None, custom_objects=None, others=None, dtype="float32", **facts
):
    """The model of an input `x` of `shape` and of `functions`: (name, TensorFlow's function, call).

    outputs: names of those that it returns, default the last. others: shapes of more inputs, by name. facts: of the
    file, beside its configuration.
    """
    inputs = {"x": shape, **(others or {})}
    layers = []
    for name, sizes in inputs.items():
        config = {"batch_input_shape": sizes, "dtype": dtype}
        layers.append({"class_name": "InputLayer", "name": name, "config": config, "inbound_nodes": []})
    for name, function, call in functions:
        kind = "SlicingOpLambda" if "getitem" in function else "TFOpLambda"
        config = {"name": name, "function": function}
        layers.append({"class_name": kind, "name": name, "config": config, "inbound_nodes": [call]})
    ends = [[name, 0, 0] for name in outputs or [functions[-1][0]]]
    config = {"name": "m", "layers": layers, "output_layers": ends}
    config["input_layers"] = [[name, 0, 0] for name in inputs]
    text = json.dumps({"class_name": "Functional", "config": config} | facts)
    return cn.model_from_json(text, custom_objects=custom_objects)

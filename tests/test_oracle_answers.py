"""The float64 references against Keras's stored answers: what we test against is Keras's arithmetic."""

import numpy as np
import pytest

import oracle
from answers import LAYER_ANSWERS, pattern_weights, relative_error
from layer_cases import CASES, case_id, inputs_of

CONVOLUTIONS = {
    "Conv2D": oracle.conv2d,
    "DepthwiseConv2D": oracle.depthwise_conv2d,
    "SeparableConv2D": oracle.separable_conv2d,
    "Conv2DTranspose": oracle.conv2d_transpose,
    "Dense": oracle.dense,
}
POOLS = {
    "MaxPooling2D": oracle.max_pool2d,
    "AveragePooling2D": oracle.average_pool2d,
    "GlobalMaxPooling2D": oracle.global_max_pool2d,
    "GlobalAveragePooling2D": oracle.global_average_pool2d,
}
SIZES = ("filters", "kernel_size", "units", "use_bias", "depth_multiplier")


def refer(class_name, arguments, x, weights):
    """The reference of one case."""
    if class_name in CONVOLUTIONS:
        rest = {k: v for k, v in arguments.items() if k not in SIZES}
        return CONVOLUTIONS[class_name](x, *weights, **rest)
    if class_name in POOLS:
        return POOLS[class_name](x, **arguments)
    if class_name == "Activation":
        return oracle.activate(x, arguments["activation"])
    if class_name == "BatchNormalization":
        named = iter(weights)
        gamma = next(named) if arguments.get("scale", True) else None
        beta = next(named) if arguments.get("center", True) else None
        rest = {k: v for k, v in arguments.items() if k in ("axis", "epsilon")}
        return oracle.batch_normalization(x, *named, beta, gamma, **rest)
    if class_name in ("ReLU", "Softmax"):
        return {"ReLU": oracle.relu, "Softmax": oracle.softmax}[class_name](x, **arguments)
    if class_name == "PReLU":
        return oracle.prelu(x, *weights)
    if class_name == "UpSampling2D":
        rest = {k: v for k, v in arguments.items() if k != "size"}
        return oracle.resize2d(x, scale=arguments["size"], **rest)
    if class_name == "Resizing" and not any("aspect" in name or name == "antialias" for name in arguments):
        rest = {"interpolation": "bilinear"} | {
            k: v for k, v in arguments.items() if k not in ("height", "width")
        }
        return oracle.resize2d(x, size=(arguments["height"], arguments["width"]), **rest)
    return None


OTHERS = {"Activation", "BatchNormalization", "ReLU", "Softmax", "PReLU", "UpSampling2D", "Resizing"}


def has_reference(case):
    class_name, arguments, _ = case
    plain = not any("aspect" in name or name == "antialias" for name in arguments)
    return plain and class_name in {*CONVOLUTIONS, *POOLS, *OTHERS}


@pytest.mark.parametrize("case", list(filter(has_reference, CASES)), ids=lambda case: case_id(*case))
def test_reference(case):
    class_name, arguments, shapes = case
    key = case_id(*case)
    entry, expected = LAYER_ANSWERS[key]
    got = refer(class_name, arguments, inputs_of(key, shapes)[0], pattern_weights(entry["weights"], key))
    assert got.dtype == np.float64 and relative_error(got, expected) <= 1e-5

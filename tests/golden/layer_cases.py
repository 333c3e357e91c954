"""The layer cases whose answers by Keras are in layers.npz: (class name, constructor arguments, input shapes)."""

from __future__ import annotations

import re

from pattern import pattern

ACTIVATIONS = [
    "celu", "elu", "exponential", "gelu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh",
    "leaky_relu", "linear", "log_sigmoid", "log_softmax", "mish", "relu", "relu6", "selu", "sigmoid", "silu",
    "soft_shrink", "softmax", "softplus", "softsign", "sparse_plus", "sparse_sigmoid", "sparsemax", "squareplus",
    "swish", "tanh", "tanh_shrink",
]  # fmt: skip

IMAGE = (2, 7, 9, 6)
FIRST = (2, 6, 7, 9)  # the same image with the channels first
LINE = (2, 11, 6)


def _convolutions():
    for arguments in (
        {"filters": 4, "kernel_size": 3},
        {"filters": 4, "kernel_size": 3, "padding": "same", "activation": "relu"},
        {"filters": 5, "kernel_size": (5, 3), "padding": "same", "use_bias": False},
        {"filters": 4, "kernel_size": 3, "strides": 2, "padding": "same"},
        {"filters": 4, "kernel_size": 2, "padding": "same"},
        {"filters": 4, "kernel_size": 4, "strides": (2, 3), "padding": "same", "activation": "tanh"},
        {"filters": 4, "kernel_size": 3, "dilation_rate": 2},
        {"filters": 4, "kernel_size": 3, "dilation_rate": (1, 3), "padding": "same"},
        {"filters": 6, "kernel_size": 3, "groups": 2, "padding": "same"},
        {"filters": 12, "kernel_size": 3, "groups": 6, "padding": "same", "strides": 2},
        {"filters": 9, "kernel_size": 1, "groups": 3, "activation": "softmax"},
        {"filters": 7, "kernel_size": 1, "strides": 2, "padding": "same"},
        {"filters": 2, "kernel_size": 11, "padding": "same"},
    ):
        yield "Conv2D", arguments, [IMAGE]
    for arguments in (
        {"filters": 4, "kernel_size": 3, "padding": "same", "strides": 2},
        {"filters": 6, "kernel_size": 3, "groups": 3},
    ):
        yield "Conv2D", arguments | {"data_format": "channels_first"}, [FIRST]
    for arguments in (
        {"kernel_size": 3},
        {"kernel_size": 3, "padding": "same", "strides": 2, "activation": "relu6"},
        {"kernel_size": (5, 2), "depth_multiplier": 3, "padding": "same"},
        {"kernel_size": 3, "dilation_rate": 2, "padding": "same", "use_bias": False},
    ):
        yield "DepthwiseConv2D", arguments, [IMAGE]
    first = {"kernel_size": 3, "data_format": "channels_first", "depth_multiplier": 2}
    yield "DepthwiseConv2D", first, [FIRST]
    for arguments in (
        {"filters": 5, "kernel_size": 3},
        {"filters": 5, "kernel_size": 3, "padding": "same", "strides": 2, "depth_multiplier": 2},
        {"filters": 3, "kernel_size": 3, "dilation_rate": 2, "padding": "same", "use_bias": False},
    ):
        yield "SeparableConv2D", arguments, [IMAGE]
    yield "SeparableConv2D", {"filters": 3, "kernel_size": 3, "data_format": "channels_first"}, [FIRST]
    for arguments in (
        {"filters": 4, "kernel_size": 3},
        {"filters": 4, "kernel_size": 3, "strides": 2},
        {"filters": 4, "kernel_size": 3, "strides": 2, "padding": "same", "activation": "relu"},
        {"filters": 4, "kernel_size": 2, "strides": 2, "padding": "same"},
        {"filters": 4, "kernel_size": 4, "strides": 2, "padding": "same", "use_bias": False},
        {"filters": 4, "kernel_size": 2, "strides": 3},
        {"filters": 4, "kernel_size": 5, "strides": (3, 2), "padding": "same"},
        {"filters": 4, "kernel_size": 3, "strides": 2, "padding": "same", "output_padding": 0},
        {"filters": 4, "kernel_size": 3, "strides": 2, "padding": "same", "output_padding": 1},
        {"filters": 4, "kernel_size": 4, "strides": 3, "padding": "same", "output_padding": (1, 2)},
        {"filters": 4, "kernel_size": 3, "strides": 2, "output_padding": 1},
        {"filters": 4, "kernel_size": 3, "dilation_rate": 2},
        {"filters": 4, "kernel_size": 3, "dilation_rate": 2, "padding": "same"},
    ):
        yield "Conv2DTranspose", arguments, [(2, 4, 5, 6)]
    first = {"filters": 3, "kernel_size": 3, "strides": 2, "padding": "same", "data_format": "channels_first"}
    yield "Conv2DTranspose", first, [FIRST]
    for name in ("Conv1D", "SeparableConv1D", "Conv1DTranspose"):
        yield name, {"filters": 4, "kernel_size": 3}, [LINE]
        strided = {"filters": 4, "kernel_size": 4, "strides": 2, "padding": "same", "activation": "relu"}
        yield name, strided, [LINE]
    yield "Conv1D", {"filters": 4, "kernel_size": 3, "dilation_rate": 2, "padding": "causal"}, [LINE]
    yield "Conv1D", {"filters": 6, "kernel_size": 3, "groups": 2, "padding": "same"}, [LINE]
    yield "DepthwiseConv1D", {"kernel_size": 3, "padding": "same", "depth_multiplier": 2}, [LINE]
    yield "DepthwiseConv1D", {"kernel_size": 3, "strides": 2}, [LINE]
    yield "Dense", {"units": 5}, [(3, 6)]
    yield "Dense", {"units": 5, "activation": "softmax", "use_bias": False}, [(3, 6)]
    yield "Dense", {"units": 5, "activation": "gelu"}, [IMAGE]
    heads = {"output_shape": [None, 2, 5], "bias_axes": "de", "activation": "tanh"}
    yield "EinsumDense", {"equation": "abc,cde->abde", **heads}, [(2, 4, 6)]
    for equation, sizes, axes in (
        ("...bc,bcd->...d", [3], "d"),  # from heads
        ("ab...,bc->ac...", [5], "c"),
        ("abcd,bde->abce", [4, 5, 3], "be"),  # a kernel for each row
        ("abc,ce->aeb", [3, 4], "b"),
    ):
        arguments = {"equation": equation, "output_shape": sizes, "bias_axes": axes}
        yield "EinsumDense", arguments, [(2, 4, 6) if equation.startswith("abc,") else (2, 4, 5, 6)]
    yield "AdditiveAttention", {}, [(2, 4, 6), (2, 5, 6)]
    yield "AdditiveAttention", {"use_scale": False}, [(2, 4, 6), (2, 5, 3), (2, 5, 6)]


def _pools():
    for name in ("MaxPooling2D", "AveragePooling2D"):
        for arguments in (
            {"pool_size": 2},
            {"pool_size": 3, "strides": 2},
            {"pool_size": 3, "strides": 2, "padding": "same"},
            {"pool_size": (2, 3), "strides": 1, "padding": "same"},
            {"pool_size": 1, "strides": 2},
            {"pool_size": (2, 4), "strides": (3, 1), "padding": "same"},
        ):
            yield name, arguments, [IMAGE]
        yield name, {"pool_size": 2, "padding": "same", "data_format": "channels_first"}, [FIRST]
    for name in ("MaxPooling1D", "AveragePooling1D"):
        yield name, {"pool_size": 2}, [LINE]
        yield name, {"pool_size": 3, "strides": 2, "padding": "same"}, [LINE]
    for name in ("GlobalMaxPooling2D", "GlobalAveragePooling2D"):
        yield name, {}, [IMAGE]
        yield name, {"keepdims": True}, [IMAGE]
        yield name, {"data_format": "channels_first"}, [FIRST]
    for name in ("GlobalMaxPooling1D", "GlobalAveragePooling1D"):
        yield name, {}, [LINE]
    for name in ("AdaptiveMaxPooling2D", "AdaptiveAveragePooling2D"):
        yield name, {"output_size": (3, 4)}, [IMAGE]


def _normalizations():
    for arguments in (
        {},
        {"scale": False},
        {"center": False, "epsilon": 1e-5},
        {"scale": False, "center": False},
    ):
        yield "BatchNormalization", arguments, [IMAGE]
    yield "BatchNormalization", {"axis": 1}, [FIRST]
    yield "BatchNormalization", {}, [(3, 6)]
    yield "LayerNormalization", {}, [IMAGE]
    yield "LayerNormalization", {"epsilon": 1e-6, "scale": False}, [IMAGE]
    yield "LayerNormalization", {"axis": [1, 2], "center": False}, [IMAGE]
    yield "GroupNormalization", {"groups": 3}, [IMAGE]
    yield "GroupNormalization", {"groups": -1, "epsilon": 1e-5}, [IMAGE]
    yield "GroupNormalization", {"groups": 2, "axis": 1}, [FIRST]
    yield "UnitNormalization", {}, [IMAGE]
    yield "RMSNormalization", {}, [IMAGE]
    mean, variance = [0.1, -0.2, 0.3, 0.4, -0.5, 0.6], [1.0, 2.0, 0.5, 0.25, 4.0, 1.5]
    yield "Normalization", {"mean": mean, "variance": variance}, [IMAGE]
    yield "Normalization", {"mean": mean, "variance": variance, "invert": True}, [IMAGE]
    yield "Normalization", {"axis": None, "mean": 0.5, "variance": 0.25}, [IMAGE]
    yield "Normalization", {}, [IMAGE]
    yield "Rescaling", {"scale": 1 / 127.5, "offset": -1.0}, [IMAGE]
    yield "Rescaling", {"scale": [0.5, 1, 2, 3, 4, 5], "offset": [0, 1, 2, 3, 4, 5]}, [IMAGE]


def _activations():
    for name in ACTIVATIONS:
        yield "Activation", {"activation": name}, [(3, 5, 6)]
    for arguments in ({}, {"max_value": 0.5}, {"negative_slope": 0.1, "threshold": 0.2, "max_value": 0.7}):
        yield "ReLU", arguments, [(3, 5, 6)]
    yield "LeakyReLU", {}, [(3, 5, 6)]
    yield "LeakyReLU", {"negative_slope": 0.05}, [(3, 5, 6)]
    yield "PReLU", {}, [IMAGE]
    yield "PReLU", {"shared_axes": [1, 2]}, [IMAGE]
    yield "ELU", {"alpha": 0.7}, [(3, 5, 6)]
    yield "Softmax", {}, [(3, 5, 6)]
    yield "Softmax", {"axis": 1}, [(3, 5, 6)]


def _merges():
    two = [(2, 3, 4, 5), (2, 3, 4, 5)]
    for name in ("Add", "Multiply", "Average", "Maximum", "Minimum"):
        yield name, {}, [*two, (2, 3, 4, 5)]
        yield name, {}, [(2, 3, 4, 5), (2, 1, 1, 5)]
    yield "Subtract", {}, two
    yield "Concatenate", {}, [(2, 3, 4, 5), (2, 3, 4, 2), (2, 3, 4, 1)]
    yield "Concatenate", {"axis": 1}, [(2, 3, 4, 5), (2, 1, 4, 5)]
    yield "Dot", {"axes": 1}, [(3, 6), (3, 6)]
    yield "Dot", {"axes": (2, 1), "normalize": True}, [(2, 3, 4), (2, 4, 5)]


def _shapes():
    yield "Flatten", {}, [IMAGE]
    yield "Flatten", {"data_format": "channels_first"}, [FIRST]
    yield "Reshape", {"target_shape": (9, 42)}, [IMAGE]
    yield "Reshape", {"target_shape": (-1, 6)}, [IMAGE]
    yield "Permute", {"dims": (3, 1, 2)}, [IMAGE]
    yield "RepeatVector", {"n": 3}, [(2, 5)]
    for padding in (1, (1, 2), ((0, 1), (2, 3))):
        yield "ZeroPadding2D", {"padding": padding}, [IMAGE]
        yield "Cropping2D", {"cropping": padding}, [IMAGE]
    yield "ZeroPadding2D", {"padding": (1, 2), "data_format": "channels_first"}, [FIRST]
    yield "Cropping2D", {"cropping": (1, 2), "data_format": "channels_first"}, [FIRST]
    yield "ZeroPadding1D", {"padding": (1, 2)}, [LINE]
    yield "Cropping1D", {"cropping": (1, 2)}, [LINE]
    yield "UpSampling1D", {"size": 3}, [LINE]
    yield "UpSampling2D", {"size": (2, 3)}, [IMAGE]
    for interpolation in ("bilinear", "bicubic", "lanczos3", "lanczos5"):
        yield "UpSampling2D", {"size": (2, 3), "interpolation": interpolation}, [IMAGE]
    yield "UpSampling2D", {"size": 2, "interpolation": "bilinear", "data_format": "channels_first"}, [FIRST]
    for interpolation in ("nearest", "bilinear", "bicubic", "lanczos3"):
        yield "Resizing", {"height": 10, "width": 6, "interpolation": interpolation}, [IMAGE]
    yield "Resizing", {"height": 4, "width": 4, "crop_to_aspect_ratio": True}, [IMAGE]
    yield "Resizing", {"height": 6, "width": 6, "pad_to_aspect_ratio": True, "fill_value": 0.5}, [IMAGE]
    yield "Resizing", {"height": 3, "width": 4, "antialias": True}, [IMAGE]
    yield "Resizing", {"height": 5, "width": 12, "data_format": "channels_first"}, [FIRST]
    yield "CenterCrop", {"height": 4, "width": 5}, [IMAGE]
    yield "AutoContrast", {}, [IMAGE]
    yield "AutoContrast", {"value_range": (-1, 2)}, [IMAGE]


def _identities():
    for name, arguments in {
        "Dropout": {"rate": 0.5},
        "SpatialDropout2D": {"rate": 0.5},
        "GaussianNoise": {"stddev": 1.0},
        "GaussianDropout": {"rate": 0.5},
        "AlphaDropout": {"rate": 0.5},
        "ActivityRegularization": {"l2": 0.1},
        "Identity": {},
        "RandomFlip": {},
        "RandomRotation": {"factor": 0.2},
        "RandomZoom": {"height_factor": 0.2},
        "RandomTranslation": {"height_factor": 0.2, "width_factor": 0.2},
        "RandomContrast": {"factor": 0.2},
        "RandomBrightness": {"factor": 0.2},
        "RandomCrop": {"height": 4, "width": 5, "seed": 3},
    }.items():
        yield name, arguments, [(2, 4, 5, 3)]
    yield "SpatialDropout3D", {"rate": 0.5}, [(2, 3, 4, 5, 2)]


def _wrappers():
    yield "TimeDistributed", {"layer": ("Dense", {"units": 3})}, [(2, 4, 5)]
    yield "TimeDistributed", {"layer": ("Conv2D", {"filters": 3, "kernel_size": 3})}, [(2, 3, 5, 6, 2)]
    inside = [("Rescaling", {"scale": 2.0}), ("RandomFlip", {}), ("CenterCrop", {"height": 3, "width": 4})]
    yield "Pipeline", {"layers": inside}, [(2, 5, 6, 2)]
    yield "SpectralNormalization", {"layer": ("Conv2D", {"filters": 3, "kernel_size": 3})}, [(2, 5, 6, 2)]


def _recurrences():
    for arguments in (
        {"units": 4},
        {"units": 4, "return_sequences": True, "activation": "relu"},
        {"units": 3, "go_backwards": True, "use_bias": False},
    ):
        yield "SimpleRNN", arguments, [LINE]
    for name in ("LSTM", "GRU"):
        for arguments in (
            {"units": 4},
            {"units": 5, "return_sequences": True, "use_bias": False},
            {"units": 3, "go_backwards": True, "return_sequences": True},
            {"units": 3, "activation": "relu", "recurrent_activation": "hard_sigmoid", "unroll": True},
        ):
            yield name, arguments, [LINE]
    yield "LSTM", {"units": 3, "unit_forget_bias": False, "dropout": 0.5, "recurrent_dropout": 0.2}, [LINE]
    yield "GRU", {"units": 3, "reset_after": False}, [LINE]
    yield "GRU", {"units": 3, "reset_after": False, "use_bias": False, "return_sequences": True}, [LINE]
    for mode in ("concat", "sum", "ave", "mul"):
        layer = ("LSTM", {"units": 3, "return_sequences": mode != "ave"})
        yield "Bidirectional", {"layer": layer, "merge_mode": mode}, [LINE]
    back = ("GRU", {"units": 3, "go_backwards": True})
    yield "Bidirectional", {"layer": ("LSTM", {"units": 3}), "backward_layer": back}, [LINE]
    yield "RNN", {"cell": ("LSTMCell", {"units": 3}), "return_sequences": True}, [LINE]
    stack = ("StackedRNNCells", {"cells": [("SimpleRNNCell", {"units": 4}), ("GRUCell", {"units": 3})]})
    yield "RNN", {"cell": stack}, [LINE]
    yield "TimeDistributed", {"layer": ("LSTM", {"units": 3})}, [(2, 4, 5, 6)]
    for arguments in (
        {"filters": 3, "kernel_size": 3},
        {"filters": 3, "kernel_size": 2, "padding": "same", "strides": 2, "return_sequences": True},
        {"filters": 2, "kernel_size": 3, "dilation_rate": 2, "use_bias": False, "go_backwards": True},
        {"filters": 2, "kernel_size": 3, "padding": "same", "recurrent_activation": "hard_sigmoid"},
    ):
        yield "ConvLSTM1D", arguments, [(2, 4, 9, 3)]
        yield "ConvLSTM2D", arguments, [(2, 3, 7, 8, 3)]
    yield "ConvLSTM2D", {"filters": 2, "kernel_size": 3, "data_format": "channels_first"}, [(2, 3, 3, 7, 8)]


CASES = [
    *_convolutions(),
    *_pools(),
    *_normalizations(),
    *_activations(),
    *_merges(),
    *_shapes(),
    *_identities(),
    *_wrappers(),
    *_recurrences(),
]


def case_id(class_name: str, arguments: dict, shapes: list) -> str:
    """A readable name that is also the key of the case's numbers."""
    words = [f"{k}={re.sub('[^A-Za-z0-9_.,()-]', '', str(v))[:40]}" for k, v in arguments.items()]
    sizes = "+".join("x".join(map(str, shape)) for shape in shapes)
    return "-".join([class_name, *words, sizes])


def make_layer(layers, class_name: str, arguments: dict):
    """Make the layer of a case out of a namespace of layer classes; layers inside are (class name, arguments)."""
    one, several = ("layer", "backward_layer", "cell"), ("layers", "cells")
    inner = {k: make_layer(layers, *v) for k, v in arguments.items() if k in one}
    inner |= {k: [make_layer(layers, *v) for v in vs] for k, vs in arguments.items() if k in several}
    return getattr(layers, class_name)(**(arguments | inner))


def inputs_of(key: str, shapes: list) -> list:
    return [pattern(shape, f"{key}/x{i}", -2.0, 2.0) for i, shape in enumerate(shapes)]

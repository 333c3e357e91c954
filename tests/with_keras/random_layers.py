"""Layers drawn at random: for the shape of an input, arguments that Keras accepts.

A row of ANY, IMAGE, LINE or VECTOR is `name: arguments(draw, shape)`; `shape` is that of one sample: (height, width,
channels), (length, channels) or (features,). It returns None where the layer does not fit the shape.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from layer_cases import ACTIVATIONS

CHANNELS = (1, 2, 3, 4, 5, 7, 8, 12, 16, 17, 24, 32, 33, 48, 64)
STEEP = ("exponential", "hard_shrink")  # they turn the last bits of their input into large differences
SMOOTH = [name for name in ACTIVATIONS if name not in STEEP]


class Draw:
    """Random choices, each a pure function of the seed and of what was drawn before."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def whole(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def one(self, values: Any) -> Any:
        values = list(values)
        return values[self.whole(0, len(values) - 1)]

    def maybe(self, chance: float = 0.5) -> bool:
        return bool(self.rng.random() < chance)

    def pair(self, low: int, high: int, axes: int = 2, same: float = 0.5) -> Any:
        """One number for all axes, or a tuple with one for each."""
        one = self.whole(low, high)
        return one if self.maybe(same) else tuple(self.whole(low, high) for _ in range(axes))

    def activation(self) -> str | None:
        return self.one(SMOOTH) if self.maybe(0.4) else self.one([None, "relu"])

    def image(self) -> tuple[int, int, int]:
        return self.whole(1, 24), self.whole(1, 24), self.one(CHANNELS)

    def line(self) -> tuple[int, int]:
        return self.whole(1, 40), self.one(CHANNELS)

    def vector(self) -> tuple[int]:
        return (self.whole(1, 70),)


def each(value: Any, axes: int) -> tuple[int, ...]:
    return (value,) * axes if isinstance(value, int) else tuple(value)


def window(draw: Draw, shape: Any, both: bool = False, square: bool = False) -> dict[str, Any] | None:
    """kernel_size, strides or dilation_rate (or `both`), padding: an image of `shape` has an output."""
    axes = len(shape) - 1
    words: dict[str, Any] = {"kernel_size": draw.one([1, 3, 3, draw.pair(1, 7, axes)])}
    if draw.maybe(0.4):
        words["strides"] = draw.pair(1, 3, axes, same=1.0 if square else 0.7)
    if draw.maybe(0.3) and (both or max(each(words.get("strides", 1), axes)) == 1):
        words["dilation_rate"] = draw.pair(1, 3, axes)
    words["padding"] = draw.one(["valid", "same"])
    reach = [
        (k - 1) * d + 1
        for k, d in zip(
            each(words["kernel_size"], axes), each(words.get("dilation_rate", 1), axes), strict=True
        )
    ]
    fits = all(n >= r for n, r in zip(shape[:-1], reach, strict=True))
    return words if fits or words["padding"] == "same" else None


def convolution(draw: Draw, shape: Any) -> dict[str, Any] | None:
    words = window(draw, shape)
    if words is None:
        return None
    channels = shape[-1]
    groups = draw.one([n for n in range(1, channels + 1) if channels % n == 0]) if draw.maybe(0.3) else 1
    filters = groups * draw.whole(1, max(1, 64 // groups))
    if len(shape) == 2 and draw.maybe(0.2):
        words["padding"] = "causal"
    return words | {
        "filters": filters, "groups": groups, "activation": draw.activation(), "use_bias": draw.maybe(0.8)
    }  # fmt: skip


def depthwise(draw: Draw, shape: Any) -> dict[str, Any] | None:
    words = window(draw, shape, square=True)
    more = {
        "depth_multiplier": draw.whole(1, 3),
        "activation": draw.activation(),
        "use_bias": draw.maybe(0.8),
    }
    return None if words is None else words | more


def separable(draw: Draw, shape: Any) -> dict[str, Any] | None:
    words = depthwise(draw, shape)
    return None if words is None else words | {"filters": draw.whole(1, 40)}


def transposed(draw: Draw, shape: Any) -> dict[str, Any]:
    axes = len(shape) - 1
    kernel, strides = draw.pair(1, 5, axes), draw.pair(1, 3, axes)
    words = {"filters": draw.whole(1, 40), "kernel_size": kernel, "strides": strides}
    words |= {"padding": draw.one(["valid", "same"]), "activation": draw.activation()}
    if max(each(strides, axes)) == 1 and draw.maybe(0.3):
        words["dilation_rate"] = draw.pair(1, 3, axes)
    if min(each(strides, axes)) > 1 and draw.maybe(0.3):
        # TensorFlow refuses an output that a convolution would not lead back from: (n - 1) * strides with "same".
        low = 1 if words["padding"] == "same" and any(k % 2 == 0 for k in each(kernel, axes)) else 0
        words["output_padding"] = draw.whole(low, min(each(strides, axes)) - 1)
    return words


def pooling(draw: Draw, shape: Any) -> dict[str, Any] | None:
    axes = len(shape) - 1
    words = {"pool_size": draw.pair(1, 4, axes), "padding": draw.one(["valid", "same"])}
    if draw.maybe():
        words["strides"] = draw.pair(1, 3, axes)
    fits = all(n >= k for n, k in zip(shape[:-1], each(words["pool_size"], axes), strict=True))
    return words if fits or words["padding"] == "same" else None


def _adaptive(draw: Draw, shape: Any) -> dict[str, Any] | None:
    """TensorFlow also pools with a window that is larger by one, and ends the process where that does not fit."""
    fitting = [[m for m in range(1, n + 1) if -(-n // m) < n] for n in shape[:-1]]
    if not all(fitting):
        return None
    sizes = tuple(draw.one(numbers) for numbers in fitting)
    return {"output_size": sizes if len(sizes) > 1 else sizes[0]}


def _batch_norm(draw: Draw, shape: Any) -> dict[str, Any]:
    axis = draw.one([-1, len(shape), draw.whole(1, len(shape))])
    return {
        "axis": axis,
        "epsilon": draw.one([1e-3, 1e-5]),
        "center": draw.maybe(0.8),
        "scale": draw.maybe(0.8),
    }


def _some_axes(draw: Draw, shape: Any) -> Any:
    axes = [i for i in range(1, len(shape) + 1) if draw.maybe()]
    return axes if axes and draw.maybe() else -1


def _layer_norm(draw: Draw, shape: Any) -> dict[str, Any]:
    return {"axis": _some_axes(draw, shape), "center": draw.maybe(0.8), "scale": draw.maybe(0.8)}


def _group_norm(draw: Draw, shape: Any) -> dict[str, Any]:
    axis = draw.one([-1, draw.whole(1, len(shape))])
    size = shape[axis] if axis == -1 else shape[axis - 1]
    return {"groups": draw.one([-1, *(n for n in range(1, size + 1) if size % n == 0)]), "axis": axis}


def _normalization(draw: Draw, shape: Any) -> dict[str, Any]:
    values = {
        "mean": draw.rng.normal(0, 1, shape[-1]).tolist(),
        "variance": draw.rng.uniform(0.3, 2, shape[-1]).tolist(),
    }
    return values | {"invert": draw.maybe(0.3)}


def _rescaling(draw: Draw, shape: Any) -> dict[str, Any]:
    if draw.maybe():
        return {"scale": 1 / 127.5, "offset": -1.0}
    return {
        "scale": draw.rng.normal(0, 1, shape[-1]).tolist(),
        "offset": draw.rng.normal(0, 1, shape[-1]).tolist(),
    }


def _relu(draw: Draw, shape: Any) -> dict[str, Any]:
    words = {"max_value": draw.one([None, 0.5, 6.0]), "negative_slope": draw.one([0.0, 0.1])}
    return words | {"threshold": draw.one([0.0, 0.3])}


def _prelu(draw: Draw, shape: Any) -> dict[str, Any]:
    return {
        "shared_axes": draw.one([None, list(range(1, len(shape))) or None, [1] if len(shape) > 1 else None])
    }


def _softmax(draw: Draw, shape: Any) -> dict[str, Any]:
    return {"axis": draw.one([-1, draw.whole(1, len(shape))])}


def _reshape(draw: Draw, shape: Any) -> dict[str, Any]:
    size = int(np.prod(shape))
    first = draw.one([n for n in range(1, size + 1) if size % n == 0])
    return {"target_shape": draw.one([(first, size // first), (-1, first), (size,), (1, first, -1)])}


def _edges(draw: Draw, limits: Any) -> Any:
    """Numbers for the sides of each axis, in one of Keras's forms, their sum below each limit."""
    most = max(0, (min(limits) - 1) // 2)
    if len(limits) == 1:
        return draw.one([draw.whole(0, most), (draw.whole(0, most), draw.whole(0, most))])
    sides = tuple((draw.whole(0, max(0, (n - 1) // 2)), draw.whole(0, max(0, (n - 1) // 2))) for n in limits)
    return draw.one([draw.whole(0, most), (draw.whole(0, most), draw.whole(0, most)), sides])


def _cropping(draw: Draw, shape: Any) -> dict[str, Any]:
    return {"cropping": _edges(draw, shape[:-1])}


def _padding(draw: Draw, shape: Any) -> dict[str, Any]:
    return {"padding": _edges(draw, [8] * (len(shape) - 1))}


def _upsampling(draw: Draw, shape: Any) -> dict[str, Any]:
    words = {"nearest": 3, "bilinear": 3, "bicubic": 1, "lanczos3": 1, "lanczos5": 1, "area": 1}
    weighted = [name for name, weight in words.items() for _ in range(weight)]
    return {"size": draw.pair(1, 3), "interpolation": draw.one(weighted)}


def _resizing(draw: Draw, shape: Any) -> dict[str, Any]:
    words = {"height": draw.whole(1, 30), "width": draw.whole(1, 30)}
    words["interpolation"] = draw.one(["nearest", "bilinear", "bilinear", "bicubic", "lanczos3", "area"])
    if draw.maybe(0.3):
        words[draw.one(["crop_to_aspect_ratio", "pad_to_aspect_ratio"])] = True
    if draw.maybe(0.3) and words["interpolation"] != "nearest":
        words["antialias"] = True
    return words


def _permute(draw: Draw, shape: Any) -> dict[str, Any]:
    return {"dims": tuple(int(i) + 1 for i in draw.rng.permutation(len(shape)))}


def _dense(draw: Draw, shape: Any) -> dict[str, Any]:
    return {"units": draw.whole(1, 70), "activation": draw.activation(), "use_bias": draw.maybe(0.8)}


def _einsum_dense(draw: Draw, shape: Any) -> dict[str, Any]:
    """Some axes summed, some kept with a kernel for each entry, new ones, in any order."""
    inside = "abcd"[: len(shape)]
    summed = [label for label in inside if draw.maybe()] or ["a"]
    shared = [label for label in inside if label not in summed and draw.maybe(0.2)]
    new = list("xy"[: draw.whole(1, 2)])
    result = [label for label in inside if label not in summed] + new
    result = [result[i] for i in draw.rng.permutation(len(result))]
    sizes = dict(zip(inside, shape, strict=True)) | {label: draw.whole(1, 5) for label in new}
    kernel = "".join([*summed, *shared, *new])
    axes = draw.one(
        [None, result[-1]]
    )  # TensorFlow's backend adds others along a wrong axis of the same size
    equation = f"n{inside},{kernel}->n{''.join(result)}"
    return {"equation": equation, "output_shape": [sizes[n] for n in result], "bias_axes": axes}


def _recurrent(draw: Draw, shape: Any) -> dict[str, Any]:
    return {word: draw.maybe() for word in ("return_sequences", "go_backwards", "use_bias")} | {
        "units": draw.whole(1, 40)
    }


def _gated(draw: Draw, shape: Any) -> dict[str, Any]:
    return _recurrent(draw, shape) | {"recurrent_activation": draw.one(["sigmoid", "hard_sigmoid"])}


def nothing(draw: Draw, shape: Any) -> dict[str, Any]:
    return {}


def _auto_contrast(draw: Draw, shape: Any) -> dict[str, Any] | None:
    """Few pixels may differ by so little that the stretching blows rounding up."""
    return {"value_range": draw.one([(0, 1), (0, 255), (-1, 1)])} if shape[0] * shape[1] >= 30 else None


ANY = {
    "Activation": lambda draw, shape: {"activation": draw.one(ACTIVATIONS)},
    "ReLU": _relu,
    "LeakyReLU": lambda draw, shape: {"negative_slope": draw.one([0.3, 0.01])},
    "ELU": lambda draw, shape: {"alpha": draw.one([1.0, 0.4])},
    "PReLU": _prelu,
    "Softmax": _softmax,
    "Dense": _dense,
    "EinsumDense": _einsum_dense,
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
    "GroupNormalization": _group_norm,
    "UnitNormalization": lambda draw, shape: {"axis": _some_axes(draw, shape)},
    "RMSNormalization": lambda draw, shape: {"axis": -1, "epsilon": draw.one([1e-6, 1e-3])},
    "Normalization": _normalization,
    "Rescaling": _rescaling,
    "Flatten": nothing,
    "Reshape": _reshape,
    "Permute": _permute,
    "Dropout": lambda draw, shape: {"rate": 0.3},
    "GaussianNoise": lambda draw, shape: {"stddev": 0.3},
}
OF_BOTH = {  # in one and in two dimensions
    "Conv{}": convolution,
    "DepthwiseConv{}": depthwise,
    "SeparableConv{}": separable,
    "Conv{}Transpose": transposed,
    "MaxPooling{}": pooling,
    "AveragePooling{}": pooling,
    "GlobalMaxPooling{}": lambda draw, shape: {"keepdims": draw.maybe()},
    "GlobalAveragePooling{}": lambda draw, shape: {"keepdims": draw.maybe()},
    "AdaptiveMaxPooling{}": _adaptive,
    "AdaptiveAveragePooling{}": _adaptive,
    "ZeroPadding{}": _padding,
    "Cropping{}": _cropping,
}
IMAGE = {name.format("2D"): arguments for name, arguments in OF_BOTH.items()} | {
    "UpSampling2D": _upsampling,
    "Resizing": _resizing,
    "CenterCrop": lambda draw, shape: {"height": draw.whole(1, 24), "width": draw.whole(1, 24)},
    "SpatialDropout2D": lambda draw, shape: {"rate": 0.3},
    "RandomFlip": nothing,
    "RandomCrop": lambda draw, shape: {"height": shape[0], "width": shape[1], "seed": 1},
    "AutoContrast": _auto_contrast,
}
LINE = {name.format("1D"): arguments for name, arguments in OF_BOTH.items()} | {
    "UpSampling1D": lambda draw, shape: {"size": draw.whole(1, 4)},
    "SimpleRNN": _recurrent,
    "LSTM": _gated,
    "GRU": lambda draw, shape: _gated(draw, shape) | {"reset_after": draw.maybe()},
}
VECTOR = {"RepeatVector": lambda draw, shape: {"n": draw.whole(1, 5)}}
MERGES = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate", "Dot")
ORDERED = ("Conv", "Pool", "Padding2D", "Cropping2D", "UpSampling2D", "Flatten")  # they have data_format


def rows(rank: int) -> dict[str, Any]:
    """The layers for samples of that rank."""
    return ANY | {3: IMAGE, 2: LINE, 1: VECTOR}.get(rank, {})


def random_layer(draw: Draw, name: str) -> tuple[dict[str, Any], tuple[int, ...]]:
    """Arguments of the layer and the shape of a sample."""
    while True:
        if name in ANY:
            shape = draw.one([draw.image, draw.line, draw.vector])()
        else:
            shape = (
                {True: draw.image, False: draw.line}[name in IMAGE]() if name not in VECTOR else draw.vector()
            )
        words = rows(len(shape))[name](draw, shape)
        if words is not None:
            break
    ordered = any(part in name for part in ORDERED) and len(shape) > 1 and words.get("padding") != "causal"
    if ordered and draw.maybe(0.2):
        return words | {"data_format": "channels_first"}, (shape[-1], *shape[:-1])
    return words, shape


def random_merge(draw: Draw, name: str) -> tuple[dict[str, Any], list[tuple[int, ...]]]:
    """Arguments of a merging layer and the shapes of its samples."""
    shape = draw.one([draw.image, draw.line, draw.vector])()
    if name == "Dot":
        a, b = draw.line(), draw.line()
        axes = draw.one([(1, 1), (1, 2), (2, 1), (2, 2)])
        other = list(b)
        other[axes[1] - 1] = a[axes[0] - 1]
        return {"axes": axes, "normalize": draw.maybe(0.3)}, [a, tuple(other)]
    count = 2 if name == "Subtract" else draw.whole(2, 4)
    if name == "Concatenate":
        axis = draw.whole(1, len(shape))
        shapes = [
            tuple(draw.whole(1, 9) if i == axis - 1 else n for i, n in enumerate(shape)) for _ in range(count)
        ]
        return {"axis": draw.one([axis, axis - len(shape) - 1])}, shapes
    shapes = [tuple(1 if draw.maybe(0.15) else n for n in shape) for _ in range(count)]
    return {}, shapes if draw.maybe(0.3) else [shape] * count


def random_weights(draw: Draw, layer) -> list:
    """Weights that keep the scale of the data."""
    made = []
    for variable in layer.weights:
        name, shape = variable.path.split("/")[-1], tuple(variable.shape)
        if name in ("gamma", "moving_variance", "scale"):
            made.append(draw.rng.uniform(0.5, 1.5, shape).astype(np.float32))
        elif "kernel" in name:
            fan = np.prod(shape[:-1])
            made.append((draw.rng.normal(0, 1, shape) / max(fan, 1) ** 0.5).astype(np.float32))
        else:
            made.append(draw.rng.normal(0, 0.3, shape).astype(np.float32))
    return made


def relative_error(got: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference over the largest expected value; what is far below 1 counts as 1e-3."""
    difference = np.abs(got.astype(np.float64) - expected).max(initial=0.0)
    return float(difference / max(np.abs(expected).max(initial=0.0), 1e-3))

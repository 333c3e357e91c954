"""TensorFlow's functions in Keras 2 files that are several of Keras's operations: a model has those in their place.

Each takes `step`, which records one operation, and then TensorFlow's arguments by its names and defaults.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial, reduce
from typing import Any

import numpy as np

from ... import arguments
from ...errors import UnsupportedLayerError
from .sizes import known_sizes

Step = Callable[..., Any]
_METHODS = {0: "bilinear", 1: "nearest", "bilinear": "bilinear", "nearest": "nearest"}


def _known(x: Any, *axes: int) -> list[int]:
    return known_sizes("A function of TensorFlow", x, axes)


def _resize_images(
    step: Step,
    images: Any,
    size: Any,
    method: Any = "bilinear",
    align_corners: bool = False,
    preserve_aspect_ratio: bool = False,
    half_pixel_centers: bool = False,
) -> Any:
    """TensorFlow 1's rule: output i is at i * (n - 1) / (out - 1) with align_corners, else at i * n / out."""
    known = _METHODS.get(method) if isinstance(method, (str, int)) else None
    if known is None or preserve_aspect_ratio or (half_pixel_centers and align_corners):
        raise UnsupportedLayerError(
            f"TensorFlow 1's resize is not computed with method={method}, align_corners={align_corners}, "
            f"preserve_aspect_ratio={preserve_aspect_ratio}, half_pixel_centers={half_pixel_centers}."
        )
    size = arguments.integers("size", size, 2)
    if half_pixel_centers:
        return step("Resize", images, size=size, interpolation=known)
    for axis, count in ((2, size[1]), (1, size[0])):
        (n,) = _known(images, axis)
        corners = align_corners and count > 1
        ratio = np.float32(n - 1) / np.float32(count - 1) if corners else np.float32(n) / np.float32(count)
        places = np.arange(count, dtype=np.float32) * ratio
        if known == "nearest":
            nearest = np.floor(places + np.float32(0.5)) if align_corners else np.floor(places)
            images = step("Take", images, np.minimum(nearest, n - 1).astype(np.int64), axis=axis)
            continue
        low = np.minimum(np.floor(places), n - 1).astype(np.int64)
        share = (places - low).reshape((-1, 1, 1) if axis == 1 else (-1, 1))
        before = step("Take", images, low, axis=axis)
        rise = step("Subtract", step("Take", images, np.minimum(low + 1, n - 1), axis=axis), before)
        images = step("Add", before, step("Multiply", rise, share))
    return images


def _standardized(step: Step, image: Any) -> Any:
    """(x - mean) / max(deviation, 1 / sqrt(values of an image))."""
    axes = [-3, -2, -1]
    least = 1 / math.sqrt(math.prod(_known(image, *axes)))
    deviation = step("Maximum", step("Std", image, axis=axes, keepdims=True), least)
    return step(
        "TrueDivide", step("Subtract", image, step("Mean", image, axis=axes, keepdims=True)), deviation
    )


def _cropped(step: Step, image: Any, offset_height: int, offset_width: int, target_height: int,
             target_width: int) -> Any:  # fmt: skip
    return _sliced(step, image, [0, offset_height, offset_width, 0], [-1, target_height, target_width, -1])


def _sliced(step: Step, input_: Any, begin: Any, size: Any) -> Any:
    """`size` entries from `begin` on along each axis; -1: all that follow."""
    begin = arguments.integers("begin", begin, len(input_.shape), 0)
    size = arguments.integers("size", size, len(input_.shape), -1)
    if begin[0] != 0 or size[0] != -1:
        raise UnsupportedLayerError(f"tf.slice takes all images here. Received: begin={begin}, size={size}.")
    rest = zip(begin[1:], size[1:], strict=True)
    return step("GetItem", input_, (slice(None), *(slice(b, None if s == -1 else b + s) for b, s in rest)))


def _matmul(step: Step, a: Any, b: Any, transpose_a: bool = False, transpose_b: bool = False,
            adjoint_a: bool = False, adjoint_b: bool = False, a_is_sparse: bool = False,
            b_is_sparse: bool = False, **unused: Any) -> Any:  # fmt: skip
    if a_is_sparse or b_is_sparse:
        raise UnsupportedLayerError("tf.matmul is not computed with a_is_sparse or b_is_sparse here.")
    a, b = (x if hasattr(x, "shape") else np.asarray(x, np.float32) for x in (a, b))

    def turned(x: Any, turn: bool) -> Any:
        if not turn:
            return x
        return x.swapaxes(-1, -2) if isinstance(x, np.ndarray) else step("Swapaxes", x, axis1=-1, axis2=-2)

    return step("Matmul", turned(a, transpose_a or adjoint_a), turned(b, transpose_b or adjoint_b))


def _response_normalized(step: Step, input: Any, depth_radius: int = 5, bias: float = 1.0,
                         alpha: float = 1.0, beta: float = 0.5) -> Any:  # fmt: skip
    """x / (bias + alpha * sum of squares of the channels within depth_radius) ** beta: one matrix adds the channels."""
    places = np.arange(*_known(input, -1))
    near = np.abs(places - places[:, None]) <= depth_radius
    squares = step("Matmul", step("Square", input), near.astype(np.float32) * np.float32(alpha))
    return step("TrueDivide", input, step("Power", step("Add", squares, bias), beta))


def _window(word: str, given: Any, data_format: Any) -> tuple[int, ...]:
    """The two sizes of the image's axes out of TensorFlow's one, two or four."""
    sizes = [given] if isinstance(given, int) else list(given or [1])
    if len(sizes) == 4 and sizes[0] == sizes[3] == 1:
        sizes = sizes[1:3]
    if len(sizes) not in (1, 2) or data_format not in (None, "NHWC"):
        raise UnsupportedLayerError(f"{word}={given} with data_format={data_format} is not computed here.")
    return arguments.integers(word, sizes * (3 - len(sizes)), 2)


def _convolved(class_name: str) -> Callable[..., Any]:
    def convolved(step: Step, input: Any, filters: Any = None, strides: Any = 1, padding: Any = "VALID",
                  data_format: Any = None, dilations: Any = None, filter: Any = None,
                  rate: Any = None, dilation_rate: Any = None, use_cudnn_on_gpu: bool = True) -> Any:  # fmt: skip
        kernel = filter if filters is None else filters
        if not isinstance(padding, str) or not isinstance(kernel, (list, np.ndarray)):
            raise UnsupportedLayerError(
                f"A convolution takes a constant kernel and a name as padding here. Received: padding={padding}."
            )
        settings = {
            "strides": _window("strides", strides, data_format),
            "padding": padding.lower(),
            "dilation_rate": _window("dilations", dilations or rate or dilation_rate, data_format),
        }
        return step(class_name, input, np.asarray(kernel, np.float32), **settings)

    return convolved


def _patches(step: Step, images: Any, sizes: Any, strides: Any, rates: Any, padding: str) -> Any:
    size, stride = _window("sizes", sizes, None), _window("strides", strides, None)
    rate = _window("rates", rates, None)
    settings = {"size": size, "strides": stride, "dilation_rate": rate[0], "padding": padding.lower()}
    if rate[0] != rate[1] or (rate[0] > 1 and stride != (1, 1)):
        raise UnsupportedLayerError(f"Patches are not computed with rates={rates}, strides={strides} here.")
    return step("ExtractPatches", images, **settings)


def _flattened(step: Step, x: Any) -> Any:
    return step("Reshape", x, newshape=[-1, math.prod(_known(x, *range(1, len(x.shape))))])


def _sum_of_list(step: Step, inputs: Any, **unused: Any) -> Any:
    return reduce(lambda a, b: step("Add", a, b), inputs)


def _euclidean(step: Step, input_tensor: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return step("Sqrt", step("Sum", step("Square", input_tensor), axis=axis, keepdims=keepdims))


def _signs_apart(step: Step, features: Any, axis: int = -1) -> Any:
    return step("Concatenate", [step("Relu", features), step("Relu", step("Negative", features))], axis=axis)


COMPOSITIONS: dict[str, Callable[..., Any]] = {
    "compat.v1.image.resize_images": _resize_images,
    "compat.v1.image.resize_bilinear": partial(_resize_images, method="bilinear"),
    "compat.v1.image.resize_nearest_neighbor": partial(_resize_images, method="nearest"),
    "compat.v1.nn.conv2d": _convolved("Conv"),
    "compat.v1.nn.convolution": _convolved("Conv"),
    "compat.v1.nn.crelu": _signs_apart,
    "compat.v1.nn.depthwise_conv2d": _convolved("DepthwiseConv"),
    "ensure_shape": lambda step, x, shape: step("Copy", x),
    "image.crop_to_bounding_box": _cropped,
    "image.extract_patches": _patches,
    "image.flip_left_right": lambda step, image: step("Flip", image, axis=2),
    "image.flip_up_down": lambda step, image: step("Flip", image, axis=1),
    "image.grayscale_to_rgb": lambda step, images: step("Concatenate", [images] * 3, axis=-1),
    "image.per_image_standardization": _standardized,
    "keras.backend.batch_flatten": _flattened,
    "linalg.matmul": _matmul,
    "math.accumulate_n": _sum_of_list,
    "math.add_n": _sum_of_list,
    "math.reduce_euclidean_norm": _euclidean,
    "math.squared_difference": lambda step, x, y: step("Square", step("Subtract", x, y)),
    "nn.conv2d": _convolved("Conv"),
    "nn.depthwise_conv2d": _convolved("DepthwiseConv"),
    "nn.local_response_normalization": _response_normalized,
    "slice": _sliced,
}  # fmt: skip

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
from .image_compositions import IMAGE_COMPOSITIONS, Step
from .sizes import known_sizes
from .window_compositions import WINDOW_COMPOSITIONS

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


def _flattened(step: Step, x: Any) -> Any:
    return step("Reshape", x, newshape=[-1, math.prod(_known(x, *range(1, len(x.shape))))])


def _sum_of_list(step: Step, inputs: Any, **unused: Any) -> Any:
    return reduce(lambda a, b: step("Add", a, b), inputs)


def _euclidean(step: Step, input_tensor: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return step("Sqrt", step("Sum", step("Square", input_tensor), axis=axis, keepdims=keepdims))


def _signs_apart(step: Step, features: Any, axis: int = -1) -> Any:
    return step("Concatenate", [step("Relu", features), step("Relu", step("Negative", features))], axis=axis)


def _one_hot(step: Step, indices: Any, depth: int, on_value: Any = None, off_value: Any = None,
             axis: Any = None, dtype: Any = None) -> Any:  # fmt: skip
    on, off = (
        default if value is None else arguments.number(word, value)
        for word, value, default in (("on_value", on_value, 1), ("off_value", off_value, 0))
    )
    made = step("OneHot", indices, num_classes=depth, axis=-1 if axis is None else axis)
    return made if (on, off) == (1, 0) else step("Add", step("Multiply", made, on - off), off)


def _ordered(class_name: str) -> Callable[..., Any]:
    """Sort or Argsort; downwards as upwards of what is negated."""

    def ordered(step: Step, values: Any, axis: int = -1, direction: str = "ASCENDING",
                stable: bool = False) -> Any:  # fmt: skip
        if arguments.choice("direction", direction, ("ASCENDING", "DESCENDING")) == "ASCENDING":
            return step(class_name, values, axis=axis)
        made = step(class_name, step("Negative", values), axis=axis)
        return step("Negative", made) if class_name == "Sort" else made

    return ordered


def _gathered(step: Step, params: Any, indices: Any, validate_indices: Any = None, axis: Any = None,
              batch_dims: int = 0) -> Any:  # fmt: skip
    """Entries of `axis`; with batch_dims=1 each image has places of its own on axis 1."""
    batch_dims = arguments.integer("batch_dims", batch_dims or 0, 0)
    axis = batch_dims if axis is None else axis
    if batch_dims == 0:
        return step("Take", params, indices, axis=axis)
    if batch_dims != 1 or axis not in (1, 1 - len(params.shape)):
        raise UnsupportedLayerError(
            f"tf.gather is not computed with batch_dims={batch_dims} and axis={axis} here."
        )
    of_image, rest = indices.shape[1:], params.shape[2:]
    places = step("Reshape", indices, newshape=[-1, math.prod(of_image), *[1] * len(rest)])
    made = step("TakeAlongAxis", params, places, axis=1)
    return made if len(of_image) == 1 else step("Reshape", made, newshape=[-1, *of_image, *rest])


def _looked_up(step: Step, params: Any, ids: Any, partition_strategy: Any = None, max_norm: Any = None,
               validate_indices: Any = None) -> Any:  # fmt: skip
    if max_norm is not None:
        raise UnsupportedLayerError(f"tf.nn.embedding_lookup is not computed with max_norm={max_norm} here.")
    return step("Take", params, ids, axis=0)


def _chosen(step: Step, tensor: Any, mask: Any, axis: int = 0) -> Any:
    places = np.asarray(mask)
    if places.dtype != bool or places.ndim != 1:
        raise UnsupportedLayerError("tf.boolean_mask takes a constant mask of one axis here.")
    return step("Take", tensor, np.flatnonzero(places), axis=axis)


def _gated(step: Step, features: Any, beta: Any = 1.0) -> Any:
    """x * sigmoid(beta * x)."""
    if not hasattr(beta, "shape") and beta == 1:
        return step("Silu", features)
    return step("Multiply", features, step("Sigmoid", step("Multiply", features, beta)))


def _clipped_by_norm(step: Step, t: Any, clip_norm: float, axes: Any = None) -> Any:
    length = step("Sqrt", step("Sum", step("Square", t), axis=axes, keepdims=True))
    return step("TrueDivide", step("Multiply", t, clip_norm), step("Maximum", length, clip_norm))


def _normalized(step: Step, tensor: Any, ord: Any = "euclidean", axis: Any = None) -> list[Any]:
    """The tensor by its length, and the length."""
    words = {} if ord == "euclidean" else {"ord": ord}
    length = step("Norm", tensor, axis=axis, keepdims=True, **words)
    return [step("TrueDivide", tensor, length), length]


def _normalized_by_constants(step: Step, x: Any, scale: Any, offset: Any, mean: Any = None,
                             variance: Any = None, epsilon: float = 0.001, data_format: str = "NHWC",
                             is_training: bool = True, exponential_avg_factor: float = 1.0) -> list[Any]:  # fmt: skip
    if is_training or data_format != "NHWC":
        raise UnsupportedLayerError(
            f"fused_batch_norm is not computed with is_training={is_training}, data_format={data_format} here."
        )
    vectors = (np.asarray(v, np.float32) for v in (mean, variance, offset, scale))
    return [step("BatchNorm", x, *vectors, axis=-1, epsilon=epsilon)]


def _multiplied(step: Step, x: Any, y: Any) -> Any:
    """x * y, and 0 where y is, whatever x is there."""
    zero = step("Equal", y, 0.0) if hasattr(y, "shape") else np.asarray(y, np.float32) == 0
    return step("Where", zero, 0.0, step("Multiply", x, y))


def _counted(step: Step, input: Any, axis: Any = None, keepdims: Any = None, dtype: Any = None) -> Any:
    return step("Sum", step("NotEqual", input, 0.0), axis=axis, keepdims=bool(keepdims))


def _strided(step: Step, input_: Any, begin: Any, end: Any, strides: Any = None, begin_mask: int = 0,
             end_mask: int = 0, ellipsis_mask: int = 0, new_axis_mask: int = 0, shrink_axis_mask: int = 0,
             var: Any = None) -> Any:  # fmt: skip
    """tf.strided_slice: bit i of a mask says what place i of `begin`, `end` and `strides` stands for."""
    keys: list[Any] = []
    for i, (first, last, by) in enumerate(zip(begin, end, strides or [1] * len(begin), strict=True)):
        bit = 1 << i
        if ellipsis_mask & bit:
            keys.append(Ellipsis)
        elif new_axis_mask & bit:
            keys.append(None)
        elif shrink_axis_mask & bit:
            keys.append(first)
        else:
            keys.append(slice(None if begin_mask & bit else first, None if end_mask & bit else last, by))
    return step("GetItem", input_, tuple(keys))


COMPOSITIONS: dict[str, Callable[..., Any]] = {
    **IMAGE_COMPOSITIONS,
    **WINDOW_COMPOSITIONS,
    "argsort": _ordered("Argsort"),
    "boolean_mask": _chosen,
    "clip_by_norm": _clipped_by_norm,
    "compat.v1.boolean_mask": _chosen,
    "compat.v1.gather": _gathered,
    "compat.v1.image.resize_bilinear": partial(_resize_images, method="bilinear"),
    "compat.v1.image.resize_images": _resize_images,
    "compat.v1.image.resize_nearest_neighbor": partial(_resize_images, method="nearest"),
    "compat.v1.math.scalar_mul": lambda step, scalar, x: step("Multiply", x, scalar),
    "compat.v1.nn.crelu": _signs_apart,
    "compat.v1.nn.embedding_lookup": _looked_up,
    "compat.v1.nn.fused_batch_norm": _normalized_by_constants,
    "debugging.check_numerics": lambda step, x, message: step("Copy", x),
    "ensure_shape": lambda step, x, shape: step("Copy", x),
    "gather": _gathered,
    "keras.backend.batch_flatten": _flattened,
    "linalg.matmul": _matmul,
    "linalg.matrix_transpose": lambda step, a, conjugate=False: step("Swapaxes", a, axis1=-1, axis2=-2),
    "linalg.normalize": _normalized,
    "math.accumulate_n": _sum_of_list,
    "math.add_n": _sum_of_list,
    "math.count_nonzero": _counted,
    "math.multiply_no_nan": _multiplied,
    "math.real": lambda step, input: step("Copy", input),
    "math.reciprocal_no_nan": lambda step, x: step("DivideNoNan", 1.0, x),
    "math.reduce_euclidean_norm": _euclidean,
    "math.squared_difference": lambda step, x, y: step("Square", step("Subtract", x, y)),
    "nn.embedding_lookup": _looked_up,
    "nn.crelu": _signs_apart,
    "nn.local_response_normalization": _response_normalized,
    "nn.silu": _gated,
    "nn.swish": _gated,
    "one_hot": _one_hot,
    "slice": _sliced,
    "sort": _ordered("Sort"),
    "strided_slice": _strided,
}  # fmt: skip

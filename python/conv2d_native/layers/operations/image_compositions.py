"""TensorFlow's functions of images (tf.image) in Keras 2 files that are several of Keras's operations.

Each takes `step`, which records one operation, and then TensorFlow's arguments by its names and defaults.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ... import arguments
from ...errors import UnsupportedLayerError
from .sizes import known_sizes

Step = Callable[..., Any]
_COLOURS = {
    "image.rgb_to_yiq": [[0.299, 0.59590059, 0.2115], [0.587, -0.27455667, -0.52273617],
                         [0.114, -0.32134392, 0.31119955]],
    "image.rgb_to_yuv": [[0.299, -0.14714119, 0.61497538], [0.587, -0.28886916, -0.51496512],
                         [0.114, 0.43601035, -0.10001026]],
    "image.yiq_to_rgb": [[1, 1, 1], [0.95598634, -0.27201283, -1.10674021],
                         [0.6208248, -0.64720424, 1.70423049]],
    "image.yuv_to_rgb": [[1, 1, 1], [0, -0.394642334, 2.03206185], [1.13988303, -0.58062185, 0]],
}  # fmt: skip


def _height_and_width(images: Any) -> list[int]:
    if len(images.shape) != 4:
        raise UnsupportedLayerError(f"tf.image takes a batch of images here. Received: shape {images.shape}.")
    return known_sizes("A function of tf.image", images, (1, 2))


def _cropped(step: Step, image: Any, offset_height: int, offset_width: int, target_height: int,
             target_width: int) -> Any:  # fmt: skip
    """The window of target_height x target_width whose first pixel is at the offsets."""
    sizes = {"height": (offset_height, target_height), "width": (offset_width, target_width)}
    windows = []
    for (word, (offset, target)), n in zip(sizes.items(), _height_and_width(image), strict=True):
        target = arguments.integer(f"target_{word}", target, 1, n)
        offset = arguments.integer(f"offset_{word}", offset, 0, n - target)
        windows.append(slice(offset, offset + target))
    return step("GetItem", image, (slice(None), *windows))


def _padded(step: Step, image: Any, offset_height: int, offset_width: int, target_height: int,
            target_width: int) -> Any:  # fmt: skip
    """Zeros around the image, which stands at the offsets."""
    widths = [[0, 0]]
    sizes = {"height": (offset_height, target_height), "width": (offset_width, target_width)}
    for (word, (offset, target)), n in zip(sizes.items(), _height_and_width(image), strict=True):
        offset = arguments.integer(f"offset_{word}", offset, 0)
        widths.append([offset, arguments.integer(f"target_{word}", target, offset + n) - offset - n])
    return step("Pad", image, pad_width=[*widths, [0, 0]])


def _central(step: Step, image: Any, central_fraction: float) -> Any:
    share = arguments.number("central_fraction", central_fraction)
    if not 0 < share <= 1:
        raise ValueError(arguments.must("central_fraction", "be above 0 and at most 1", central_fraction))
    sizes = _height_and_width(image)
    starts = [int((n - n * share) / 2) for n in sizes]
    return _cropped(step, image, *starts, *(n - 2 * at for n, at in zip(sizes, starts, strict=True)))


def _cropped_or_padded(step: Step, image: Any, target_height: int, target_width: int) -> Any:
    """The middle of the image, or zeros around it."""
    target = arguments.integers("target", (target_height, target_width), 2)
    sizes = _height_and_width(image)
    kept = [min(n, m) for n, m in zip(sizes, target, strict=True)]
    cut = [max((n - m) // 2, 0) for n, m in zip(sizes, target, strict=True)]
    around = [max((m - n) // 2, 0) for n, m in zip(sizes, target, strict=True)]
    return _padded(step, _cropped(step, image, *cut, *kept), *around, *target)


def _resized_with_pad(step: Step, image: Any, target_height: int, target_width: int,
                      method: Any = "bilinear", antialias: bool = False) -> Any:  # fmt: skip
    """As large as fits without another aspect ratio, and zeros around it; numbers are TensorFlow's, in float32."""
    target = arguments.integers("target", (target_height, target_width), 2)
    height, width = (np.float32(n) for n in _height_and_width(image))
    ratio = max(width / np.float32(target[1]), height / np.float32(target[0]))
    exact = height / ratio, width / ratio
    size = [int(np.floor(n)) for n in exact]
    before = [max(0, int(np.floor((np.float32(m) - n) / 2))) for m, n in zip(target, exact, strict=True)]
    resized = step("Resize", image, size=size, interpolation=method, antialias=antialias)
    return _padded(step, resized, *before, *target)


def _contrasted(step: Step, images: Any, contrast_factor: float) -> Any:
    """(x - mean) * contrast_factor + mean, each channel with its own mean."""
    factor = arguments.number("contrast_factor", contrast_factor)
    mean = step("Mean", images, axis=[-3, -2], keepdims=True)
    return step("Add", step("Multiply", step("Subtract", images, mean), factor), mean)


def _gamma(step: Step, image: Any, gamma: float = 1, gain: float = 1) -> Any:
    power = step("Power", image, arguments.number("gamma", gamma))
    return step("Multiply", power, arguments.number("gain", gain))


def _turned(step: Step, image: Any, k: int = 1) -> Any:
    _height_and_width(image)
    return step("Rot90", image, k=k, axes=(1, 2))


def _in_float(step: Step, image: Any, dtype: Any, saturate: bool = False) -> Any:
    """Images of floats as they are; integers of the model's input, of which 1 becomes the largest."""
    layer = getattr(image.node, "layer", None)
    given = getattr(layer, "config", {}).get("dtype") or image.dtype
    if str(dtype) != "float32" or not str(given).startswith(("float", "uint", "int")):
        raise UnsupportedLayerError(f"Images of {given} are not converted to {arguments.shown(dtype)} here.")
    if str(given).startswith("float"):
        return step("Copy", image)
    return step("Multiply", image, 1 / np.iinfo(str(given)).max)


def _coloured(matrix: Any) -> Callable[..., Any]:
    kernel = np.array(matrix, np.float32)
    return lambda step, images: step("Matmul", images, kernel)


def _standardized(step: Step, image: Any) -> Any:
    """(x - mean) / max(deviation, 1 / sqrt(values of an image))."""
    axes = [-3, -2, -1]
    count = np.prod(known_sizes("tf.image.per_image_standardization", image, axes))
    deviation = step("Maximum", step("Std", image, axis=axes, keepdims=True), float(count**-0.5))
    return step(
        "TrueDivide", step("Subtract", image, step("Mean", image, axis=axes, keepdims=True)), deviation
    )


IMAGE_COMPOSITIONS: dict[str, Callable[..., Any]] = {
    "image.adjust_brightness": lambda step, image, delta: step("Add", image, arguments.number("delta", delta)),
    "image.adjust_contrast": _contrasted,
    "image.adjust_gamma": _gamma,
    "image.central_crop": _central,
    "image.convert_image_dtype": _in_float,
    "image.crop_to_bounding_box": _cropped,
    "image.flip_left_right": lambda step, image: step("Flip", image, axis=2),
    "image.flip_up_down": lambda step, image: step("Flip", image, axis=1),
    "image.grayscale_to_rgb": lambda step, images: step("Concatenate", [images] * 3, axis=-1),
    "image.pad_to_bounding_box": _padded,
    "image.per_image_standardization": _standardized,
    "image.resize_with_crop_or_pad": _cropped_or_padded,
    "image.resize_with_pad": _resized_with_pad,
    "image.rot90": _turned,
    "image.transpose": lambda step, image: step("Transpose", image, axes=[0, 2, 1, 3]),
    **{name: _coloured(matrix) for name, matrix in _COLOURS.items()},
}  # fmt: skip

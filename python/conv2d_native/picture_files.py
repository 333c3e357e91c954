"""Image files and saved arrays as input of a model, for the command line. Image files need Pillow.

Modes are those of keras.applications' preprocess_input: "tf" scales to [-1, 1], "torch" to [0, 1] and by ImageNet's
mean and deviation, "caffe" turns RGB to BGR and takes ImageNet's mean off; "unit" scales to [0, 1]; "none" leaves
0 to 255.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import arguments

MODES = ("none", "unit", "tf", "torch", "caffe")
_IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_IMAGENET_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)
_IMAGENET_BGR = np.array([103.939, 116.779, 123.68], np.float32)
_ENDINGS = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm"}


def is_image(path: Path) -> bool:
    """Whether the name of `path` is that of an image file."""
    return path.suffix.lower() in _ENDINGS


def find_images(paths: Sequence[str]) -> list[Path]:
    """The image files among `paths`, and those in the folders among them, by name. Raises ValueError for none."""
    found: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            found += sorted(inner for inner in path.iterdir() if is_image(inner))
        elif not path.exists():
            raise FileNotFoundError(f"There is no file {str(path)!r}.")
        else:
            found.append(path)
    if not found:
        raise ValueError(f"No image files in {', '.join(paths)}.")
    return found


def read_images(paths: Sequence[Path], shape: Sequence[int | None], mode: str = "none") -> np.ndarray:
    """Images as a float32 array (n, h, w, c), resized to `shape` (h, w, c) where that gives sizes.

    Without sizes, all images must be of one size. Raises ImportError without Pillow.
    """
    try:
        from PIL import Image
    except ImportError:
        raise ImportError("Reading image files needs Pillow: pip install pillow.") from None
    if len(shape) != 3 or shape[2] not in (1, 3, 4, None):
        raise ValueError(f"The model takes inputs of shape {tuple(shape)}, not images. Give .npy files.")
    height, width, channels = shape
    colours = {1: "L", 3: "RGB", 4: "RGBA", None: "RGB"}[channels]
    arrays = []
    for path in paths:
        with Image.open(path) as image:
            made = image.convert(colours)
            if height and width and made.size != (width, height):
                made = made.resize((width, height), Image.Resampling.BILINEAR)
            arrays.append(np.asarray(made, np.float32).reshape(made.height, made.width, -1))
    if len({array.shape for array in arrays}) > 1:
        raise ValueError("The model takes images of any size, but those of one call must have one size.")
    return preprocess(np.stack(arrays), mode)


def preprocess(x: np.ndarray, mode: str) -> np.ndarray:
    """Values from 0 to 255 as the network was trained with them; see the head of this file."""
    mode = arguments.choice("mode", mode, MODES)
    if mode == "unit":
        return x / np.float32(255)
    if mode == "tf":
        return x / np.float32(127.5) - np.float32(1)
    if mode == "torch":
        return (x / np.float32(255) - _IMAGENET_MEAN) / _IMAGENET_DEVIATION
    if mode == "caffe":
        return np.ascontiguousarray(x[..., ::-1] - _IMAGENET_BGR)
    return x


def read_arrays(path: Path, names: Sequence[str]) -> Any:
    """The array of a .npy file, or those of a .npz by the names of the model's inputs. Objects are never unpickled."""
    loaded = np.load(path, allow_pickle=False)
    if isinstance(loaded, np.ndarray):
        return loaded
    with loaded:
        if len(names) == 1 and names[0] not in loaded.files:
            if len(loaded.files) != 1 and "x" not in loaded.files:
                raise ValueError(
                    f"{path} holds {', '.join(loaded.files)}: none is called 'x' or {names[0]!r}."
                )
            return loaded["x"] if "x" in loaded.files else loaded[loaded.files[0]]
        missing = [name for name in names if name not in loaded.files]
        if missing:
            raise ValueError(
                f"{path} has no array called {', '.join(missing)}. It holds {', '.join(loaded.files)}."
            )
        return {name: loaded[name] for name in names}

"""Image files as arrays, in Keras's words and for the command line. They need Pillow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from . import arguments

_MODES = {"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}
_INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos", "box", "hamming")
_ENDINGS = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm"}


def find_images(paths: Sequence[str]) -> list[Path]:
    """The image files among `paths`, and those in the folders among them, by name. Raises ValueError for none."""
    found: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            found += sorted(inner for inner in path.iterdir() if inner.suffix.lower() in _ENDINGS)
        elif not path.exists():
            raise FileNotFoundError(f"There is no file {str(path)!r}.")
        else:
            found.append(path)
    if not found:
        raise ValueError(f"No image files in {', '.join(paths)}.")
    return found


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError:
        raise ImportError("Image files need Pillow: pip install pillow.") from None
    return Image


def load_img(
    path: Any,
    color_mode: str = "rgb",
    target_size: Any = None,
    interpolation: str = "nearest",
    keep_aspect_ratio: bool = False,
) -> Any:
    """Return the image of a file (a path or a binary file object) as a Pillow image.

    color_mode: "rgb", "rgba" or "grayscale". target_size: (height, width) to resize to, by Pillow's "nearest",
    "bilinear", "bicubic", "lanczos", "box" or "hamming". keep_aspect_ratio: cut the middle out first.
    Raises OSError for what is no image file, ImportError without Pillow.

        >>> save_img("grey.png", np.zeros((4, 6, 1)))
        >>> load_img("grey.png", target_size=(8, 12)).size
        (12, 8)
    """
    library = _pillow()
    mode = _MODES[arguments.choice("color_mode", color_mode, _MODES)]
    with library.open(path) as image:
        keeps = mode == "L" and image.mode in ("I", "I;16")
        made = image.copy() if keeps or image.mode == mode else image.convert(mode)
    if target_size is None:
        return made
    height, width = arguments.integers("target_size", target_size, 2)
    resample = library.Resampling[arguments.choice("interpolation", interpolation, _INTERPOLATIONS).upper()]
    if made.size == (width, height):
        return made
    box = None
    if arguments.flag("keep_aspect_ratio", keep_aspect_ratio):
        w, h = min(made.width, made.height * width // height), min(made.height, made.width * height // width)
        left, top = (made.width - w) // 2, (made.height - h) // 2
        box = (left, top, left + w, top + h)
    return made.resize((width, height), resample, box=box)


def img_to_array(img: Any, data_format: Any = None, dtype: Any = None) -> np.ndarray:
    """Return a Pillow image, or an array of 2 or 3 axes, as an array (height, width, channels).

    data_format: "channels_first" puts the channels first. dtype: default float32. Raises ValueError for other shapes.

        >>> img_to_array(np.zeros((4, 6))).shape
        (4, 6, 1)
    """
    made = np.asarray(img, np.float32 if dtype is None else dtype)
    if made.ndim not in (2, 3):
        raise ValueError(f"`img` must have 2 or 3 axes. Received: img of shape {made.shape}.")
    made = made[..., np.newaxis] if made.ndim == 2 else made
    return np.moveaxis(made, -1, 0) if arguments.data_format(data_format) == "channels_first" else made


def array_to_img(x: Any, data_format: Any = None, scale: bool = True, dtype: Any = None) -> Any:
    """Return an array (height, width, channels) of 1, 3 or 4 channels as a Pillow image.

    data_format: "channels_first" where the channels come first. scale: spread its values over 0 to 255; False takes
    them as they are. dtype: Keras's word, of no effect. Raises ValueError for other shapes, ImportError without Pillow.

        >>> array_to_img(np.zeros((4, 6, 3))).size
        (6, 4)
    """
    library = _pillow()
    made = np.array(x, np.float32)
    if arguments.data_format(data_format) == "channels_first" and made.ndim == 3:
        made = np.moveaxis(made, 0, -1)
    if made.ndim != 3 or made.shape[2] not in (1, 3, 4):
        raise ValueError(f"`x` must be an image of 1, 3 or 4 channels. Received: x of shape {np.shape(x)}.")
    if arguments.flag("scale", scale):
        made -= made.min()
        made *= 255 / (made.max() or 1)
    if made.shape[2] > 1:
        return library.fromarray(made.astype(np.uint8))
    return library.fromarray(made[..., 0].astype(np.int32 if made.max() > 255 else np.uint8))


def save_img(
    path: Any,
    x: Any,
    data_format: Any = None,
    file_format: str | None = None,
    scale: bool = True,
    **kwargs: Any,
) -> None:
    """Write an array as an image file, of the kind that the path's ending or `file_format` says.

    The others are array_to_img's words; kwargs go to Pillow's save. A fourth channel is dropped for JPEG. Raises
    ValueError for kinds that Pillow does not write.

        >>> save_img("one.png", np.zeros((4, 6, 3)))
    """
    image = array_to_img(x, data_format, scale)
    kind = file_format or (Path(path).suffix[1:] if isinstance(path, (str, PathLike)) else "")
    kind = "jpeg" if kind.lower() == "jpg" else kind.lower()
    if kind == "jpeg" and image.mode == "RGBA":
        image = image.convert("RGB")
    library = _pillow()
    library.init()
    if kind and kind.upper() not in library.SAVE:
        raise ValueError(
            f"`path` and `file_format` must name a kind of image that Pillow writes. Received: {kind!r}."
        )
    image.save(path, kind or None, **kwargs)


class ImageBatches:
    """Image files in batches of at most `size`, in order, read when their turn comes.

    Iteration gives what `prepare` makes of a float32 batch (n, h, w, c).
    shape: (h, w, c) of the network; images are resized where h and w are given. Otherwise a batch ends where the next
    image has another size, and `sizes` counts the different ones; it is 1 for resized images.
    Raises ValueError for a shape that is not an image's and for damaged files, ImportError without Pillow.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        shape: Sequence[int | None],
        size: int,
        prepare: Callable[[np.ndarray], Any],
    ) -> None:
        if len(shape) != 3 or shape[2] not in (1, 3, 4, None):
            raise ValueError(f"The model takes inputs of shape {tuple(shape)}, not images. Give .npy files.")
        height, width, channels = shape
        self._colours = {1: "grayscale", 3: "rgb", 4: "rgba", None: "rgb"}[channels]
        self._target = (height, width) if height and width else None
        kinds = [(0, 0) if self._target else _size_of(path) for path in paths]
        self.sizes = len(set(kinds))
        self._prepare = prepare
        self._batches: list[list[Path]] = []
        for i, path in enumerate(paths):
            if not i or kinds[i] != kinds[i - 1] or len(self._batches[-1]) == size:
                self._batches.append([])
            self._batches[-1].append(path)

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[Any]:
        for paths in self._batches:
            yield self._prepare(np.stack([self._read(path) for path in paths]))

    def _read(self, path: Path) -> np.ndarray:
        with damage_named(path):
            return img_to_array(load_img(path, self._colours, self._target, "bilinear"))


def _size_of(path: Path) -> tuple[int, int]:
    library = _pillow()
    with damage_named(path), library.open(path) as image:
        return image.size


@contextmanager
def damage_named(path: Path) -> Iterator[None]:
    """Turn what NumPy and Pillow raise for damage (a dozen classes) into a ValueError of one line with the name."""
    try:
        yield
    except (MemoryError, ImportError, PermissionError):
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ValueError(f"{path} is damaged, or of another kind than its name says: {reason}") from error

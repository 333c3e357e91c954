"""Coins found by a U-Net (Ronneberger et al., MICCAI 2015) that is built in code and trained on half a photograph.

    pip install scikit-image
    python examples/unet.py [-o coins.png]

`make_network` takes the library as its argument: train_unet.py calls it with Keras, this program with conv2d_native,
which runs it on images of any size. The weights were trained on the left half of scikit-image's coins.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

WEIGHTS = Path(__file__).resolve().parent / "unet_coins.keras"


def make_network(keras, filters: int = 8):
    """A U-Net of three levels: (n, h, w, 1) with h and w divisible by 4, to a mask (n, h, w, 1) from 0 to 1."""
    layers = keras.layers

    def block(x, filters):
        for _ in range(2):
            x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
            x = layers.ReLU()(layers.BatchNormalization()(x))
        return x

    image = keras.Input((None, None, 1))
    full = block(image, filters)
    half = block(layers.MaxPooling2D()(full), 2 * filters)
    quarter = block(layers.MaxPooling2D()(half), 4 * filters)
    x = layers.Conv2DTranspose(2 * filters, 2, strides=2)(quarter)
    x = block(layers.Concatenate()([x, half]), 2 * filters)
    x = layers.Conv2DTranspose(filters, 2, strides=2)(x)
    x = block(layers.Concatenate()([x, full]), filters)
    return keras.Model(image, layers.Conv2D(1, 1, activation="sigmoid")(x), name="unet")


def read_coins() -> np.ndarray:
    """scikit-image's coins as float32 from 0 to 1, cut to sizes that divide by 8: (296, 384)."""
    from skimage import data

    return data.coins()[:296, :384].astype(np.float32) / 255


def main() -> None:
    import conv2d_native as cn

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "-o", "--output", default="coins.png", help="the picture to write (default coins.png)"
    )
    arguments = parser.parse_args()
    model = make_network(cn)
    model.load_weights(WEIGHTS)
    image = read_coins()
    x = image[np.newaxis, :, :, np.newaxis]
    model(x)
    start = time.perf_counter()
    mask = model(x)[0, :, :, 0]
    print(f"{image.shape[1]} x {image.shape[0]} pixels in {(time.perf_counter() - start) * 1e3:.1f} ms")
    seen, unseen = mask[:, :192] > 0.5, mask[:, 192:] > 0.5
    print(
        f"coins cover {seen.mean():.1%} of the half that it was trained on, {unseen.mean():.1%} of the other half"
    )
    from PIL import Image

    grey = np.repeat((255 * image).astype(np.uint8)[..., np.newaxis], 3, axis=2)
    tinted = (grey * (0.35 + 0.65 * mask[..., np.newaxis]) + mask[..., np.newaxis] * [60, 40, 0]).clip(0, 255)
    Image.fromarray(np.concatenate([grey, tinted.astype(np.uint8)], axis=1)).save(arguments.output)
    print(f"wrote {arguments.output}")


if __name__ == "__main__":
    try:
        main()
    except (ImportError, OSError, ValueError) as error:
        raise SystemExit(f"{Path(__file__).name}: {error}") from None

"""Train the network of unet.py with Keras on the left half of scikit-image's coins. Users do not run this.

    pip install tensorflow keras scikit-image
    python examples/train_unet.py

The labels come from a classical method: a watershed from markers on an edge map, as in scikit-image's tutorial.
"""

from __future__ import annotations

import keras
import numpy as np
from scipy import ndimage
from skimage import filters, segmentation
from unet import WEIGHTS, make_network, read_coins

SIZE, BATCH, STEPS = 96, 8, 400


def label_coins(image: np.ndarray) -> np.ndarray:
    """The mask of the coins, 0 or 1."""
    markers = np.zeros(image.shape, int)
    markers[image < 30 / 255] = 1
    markers[image > 150 / 255] = 2
    regions = segmentation.watershed(filters.sobel(image), markers)
    filled = ndimage.binary_fill_holes(regions - 1)
    return ndimage.binary_opening(filled, iterations=3).astype(np.float32)


def crops(image: np.ndarray, mask: np.ndarray, rng: np.random.Generator):
    """Endless batches of crops: turned, mirrored, brightened."""
    while True:
        xs, ys = [], []
        for _ in range(BATCH):
            top, left = (rng.integers(0, n - SIZE + 1) for n in image.shape)
            window = np.stack([image, mask])[:, top : top + SIZE, left : left + SIZE]
            window = np.rot90(window, rng.integers(4), (1, 2))[:, :: rng.choice([-1, 1])]
            xs.append(window[0] * rng.uniform(0.7, 1.3) + rng.uniform(-0.1, 0.1))
            ys.append(window[1])
        yield np.stack(xs)[..., np.newaxis], np.stack(ys)[..., np.newaxis]


def main() -> None:
    keras.utils.set_random_seed(1)
    image = read_coins()
    mask = label_coins(image)
    model = make_network(keras)
    model.compile(keras.optimizers.Adam(3e-3), keras.losses.BinaryCrossentropy())
    model.fit(
        crops(image[:, :192], mask[:, :192], np.random.default_rng(1)),
        steps_per_epoch=STEPS,
        epochs=1,
        verbose=2,
    )
    made = np.asarray(model(image[np.newaxis, :, :, np.newaxis]))[0, :, :, 0] > 0.5
    for name, part in (("seen", slice(0, 192)), ("unseen", slice(192, None))):
        a, b = made[:, part], mask[:, part] > 0.5
        print(f"{name} half: intersection over union {(a & b).sum() / (a | b).sum():.3f}")
    model.save(WEIGHTS, include_optimizer=False)


if __name__ == "__main__":
    main()

"""Train the digit network that `python -m conv2d_native demo` runs, in Keras, and save it where the demo looks.

    python examples/train_digits.py [FOLDER]

Needs keras, tensorflow and scikit-learn; conv2d_native is not used. Writes FOLDER/digits.keras, the network, and
FOLDER/digits.npz with the images it never saw: `images` (n, 8, 8, 1) uint8 from 0 to 16, `labels` (n,), Keras's own
`predictions` (n, 10) and its `accuracy` on them. FOLDER defaults to the package's data folder.
"""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

FOLDER = Path(__file__).resolve().parent.parent / "python" / "conv2d_native" / "data"


def make_model() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Rescaling(1 / 16),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.BatchNormalization(),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(2),
            layers.Dropout(0.3),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dropout(0.3),
            layers.Dense(10, activation="softmax"),
        ],
        name="digits",
    )


def main(folder: Path) -> None:
    keras.utils.set_random_seed(7)
    tf.config.experimental.enable_op_determinism()
    data = load_digits()
    images = data.images[..., np.newaxis].astype(np.uint8)
    train_x, test_x, train_y, test_y = train_test_split(
        images, data.target, test_size=360, random_state=7, stratify=data.target
    )
    model = make_model()
    model.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(train_x.astype(np.float32), train_y, batch_size=32, epochs=30, verbose=2)

    bare = make_model()  # without the optimizer's state
    bare.set_weights(model.get_weights())
    predictions = bare.predict(test_x.astype(np.float32), verbose=0)
    accuracy = float((predictions.argmax(axis=1) == test_y).mean())
    folder.mkdir(parents=True, exist_ok=True)
    bare.save(folder / "digits.keras")
    np.savez_compressed(
        folder / "digits.npz",
        images=test_x,
        labels=test_y.astype(np.uint8),
        predictions=predictions.astype(np.float32),
        accuracy=accuracy,
    )
    print(f"accuracy on {len(test_y)} held-back images: {accuracy:.2%}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else FOLDER)

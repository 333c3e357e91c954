"""Write keras_2_13.zip: two models saved by Keras 2.13 in every form, with an input and its answer.

python make_keras_2.py, with tensorflow-cpu==2.13.1 and numpy<2 installed. In the second model a layer is frozen, an
inner model has a layer of the same name, and TensorFlow's functions and operators stand between the layers.
"""

from __future__ import annotations

import io
import os
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow import keras

L = keras.layers
RNG = np.random.default_rng(0)


def sequential():
    first = L.Conv2D(4, 3, activation="hard_sigmoid", input_shape=(9, 8, 2))
    rest = [L.DepthwiseConv2D(3, padding="same"), L.Conv2D(3, 1), L.BatchNormalization(), L.LeakyReLU(0.2)]
    return keras.Sequential(
        [first, *rest, L.ReLU(6.0), L.Flatten(), L.Dense(5, activation="softmax")], name="seq"
    )


def functional():
    source = keras.Input((8, 8, 3))
    x = L.BatchNormalization(axis=3)(L.Conv2D(4, 3, padding="same", name="c1")(source))
    x = tf.nn.relu(x) * 2.0 + 0.5
    x = L.Add()([x, L.SeparableConv2D(4, 3, padding="same")(x)])[:, 1:, :, :]
    x = L.UpSampling2D(2, interpolation="bilinear")(L.Conv2DTranspose(4, 2, strides=2)(x))
    layers = [L.InputLayer((8, 8, 3)), L.Conv2D(2, 3, name="c1"), L.BatchNormalization(), L.Conv2D(3, 3)]
    inner = keras.Sequential(layers, name="inner")
    shared = L.Dense(6, name="shared")
    y = L.Dense(4)(L.GlobalAveragePooling2D()(inner(source)))
    y = L.Concatenate()([shared(L.GlobalAveragePooling2D()(x)), shared(y)])
    y = tf.concat([y, tf.sigmoid(y)], axis=-1)
    model = keras.Model(source, tf.math.reduce_mean(tf.reshape(y, (-1, 4, 6)), axis=1), name="func")
    model.get_layer("c1").trainable = False
    return model


def main() -> None:
    target = Path(__file__).resolve().parent / "keras_2_13.zip"
    with (
        tempfile.TemporaryDirectory() as folder,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for make in (sequential, functional):
            model, name = make(), make.__name__
            for weight in model.weights:
                values = RNG.normal(size=weight.shape) * 0.3
                values = np.abs(values) + 0.5 if "variance" in weight.name else values
                weight.assign(np.round(values * 128) / 128)
            x = RNG.normal(size=(2, *model.input_shape[1:])).astype(np.float32)
            arrays = io.BytesIO()
            np.savez(arrays, x=x, y=model(x, training=False).numpy())
            archive.writestr(f"{name}.npz", arrays.getvalue())
            archive.writestr(f"{name}.json", model.to_json())
            for ending in (".keras", ".h5", ".weights.h5"):
                path = os.path.join(folder, name + ending)
                (model.save_weights if "weights" in ending else model.save)(path)
                archive.write(path, name + ending)


if __name__ == "__main__":
    main()

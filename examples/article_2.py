"""A Keras program that runs here: Conv2D with padding="same" keeps the image size. Only the import line is another."""

import numpy as np

import conv2d_native as keras  # in the Keras program: from tensorflow import keras

images = np.random.random((50, 64, 64, 3)).astype("float32")
layer = keras.layers.Conv2D(2, 3, activation="relu", padding="same", input_shape=(64, 64, 3))
y = layer(images)
print(y.shape)

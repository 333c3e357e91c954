"""A Keras program that runs here: a small network for 32 x 32 colour images. Only the import line is another."""

import numpy as np

from conv2d_native import Sequential, layers  # in the Keras program: from keras import Sequential, layers

model = Sequential(
    [
        layers.Conv2D(32, (3, 3), activation="relu", input_shape=(32, 32, 3)),
        layers.MaxPooling2D((2, 2), strides=2),
        layers.Conv2D(64, (3, 3), activation="relu"),
        layers.MaxPooling2D((2, 2), strides=2),
        layers.Flatten(),
        layers.Dense(1024, activation="relu"),
        layers.Dense(10, activation="softmax"),
    ]
)
model.summary()
images = np.random.random((50, 32, 32, 3)).astype("float32")
probabilities = model.predict(images)
print(probabilities.shape)

"""The article's three programs as functions of a Keras-like module, and the inputs of their golden answers."""

from __future__ import annotations

import numpy as np

from pattern import pattern


def _conv(keras, **arguments):
    return keras.Sequential(
        [keras.layers.Conv2D(2, 3, activation="relu", input_shape=(64, 64, 3), **arguments)]
    )


def _network(keras):
    layers = keras.layers
    return keras.Sequential(
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


ARTICLES = {
    "article_valid": lambda keras: _conv(keras),
    "article_same": lambda keras: _conv(keras, padding="same"),
    "article_network": _network,
}


def article_input(name: str) -> np.ndarray:
    """A batch of two of the article's fifty images (four for the network): the golden answers stay small."""
    shape = (4, 32, 32, 3) if name == "article_network" else (2, 64, 64, 3)
    return pattern(shape, name, 0.0, 1.0)

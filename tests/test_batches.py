"""What predict takes that gives batches one after the other: generators, data loaders, batches by number."""

import numpy as np
import pytest

import conv2d_native as cn
from conv2d_native import layers as L

RNG = np.random.default_rng(5)


def small():
    return cn.Sequential([L.Conv2D(4, 3, input_shape=(6, 5, 2)), L.GlobalMaxPooling2D()])


def images(count):
    return RNG.random((count, 6, 5, 2), np.float32)


def test_batches_from_a_generator():
    model, x = small(), images(7)
    whole = model(x)
    np.testing.assert_array_equal(model.predict((x[i : i + 3] for i in (0, 3, 6)), verbose=0), whole)
    labelled = ((x[i : i + 1], i) for i in range(7))
    np.testing.assert_array_equal(model.predict(labelled, steps=4, verbose=0), whole[:4])
    with pytest.raises(ValueError, match="at least one batch"):
        model.predict(iter([]))


class Numbered:
    """Batches by number and nothing else, as Keras's PyDataset has them; it never raises IndexError."""

    def __init__(self, x):
        self.x = x

    def __len__(self):
        return -(-len(self.x) // 3)

    def __getitem__(self, i):
        return self.x[3 * i : 3 * i + 3], None


def test_batches_by_number():
    model, x = small(), images(7)
    np.testing.assert_array_equal(model.predict(Numbered(x), verbose=0), model(x))
    np.testing.assert_array_equal(model.predict(Numbered(x), steps=1, verbose=0), model(x[:3]))


class Unsized:
    """As data loaders of an unknown number of batches: PyTorch's and tf.data raise TypeError."""

    def __init__(self, x):
        self.x = x

    def __len__(self):
        raise TypeError("dataset length is unknown")

    def __iter__(self):
        return iter([(self.x[:3], None), (self.x[3:], None)])


def test_batches_of_an_unknown_number():
    model, x = small(), images(7)
    np.testing.assert_array_equal(model.predict(Unsized(x), verbose=0), model(x))
    np.testing.assert_array_equal(model.predict(Unsized(x), steps=1, verbose=0), model(x[:3]))

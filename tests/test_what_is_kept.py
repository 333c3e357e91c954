"""What stays in memory after classes were dropped and many sizes were computed."""

import gc
import weakref

import numpy as np
import pytest

import conv2d_native as cn
from conv2d_native import layers, resampling
from conv2d_native.newest import Newest

X = np.ones((2, 3), np.float32)


def native_layer():
    class Own(cn.Layer):
        def build(self, input_shape):
            self.gain = self.add_weight((3,), "ones")

        def call(self, f, x):
            return f.multiply(x, self.gain)

    x = cn.Input((3,))
    cn.Model(x, Own()(x)).predict(X)
    return Own


def keras_layer():
    class Own(cn.Layer):
        def __init__(self, factor=2.0, **kwargs):
            super().__init__(**kwargs)
            self.factor = factor

        def call(self, x):
            return x * self.factor

    layer = Own()
    layer(X)
    made = layers.deserialize(layers.serialize(layer), {"Own": Own})
    assert made(X)[0, 0] == 2
    return Own


def model():
    class Own(cn.Model):
        def __init__(self, units=2):
            super().__init__()
            self.top = layers.Dense(units)

        def call(self, x):
            return self.top(x)

    Own().predict(X)
    return Own


@pytest.mark.parametrize("make", [native_layer, keras_layer, model])
def test_a_class_goes_with_its_last_layer(make):
    found = [weakref.ref(make()) for _ in range(5)]
    gc.collect()
    assert [cls() for cls in found] == [None] * 5


def test_weights_of_interpolation_are_kept_up_to_16_mib():
    """A column of n rows to 900 takes n * 900 weights, 3.1 MiB for n = 900."""
    for size in range(900, 908):
        cn.resize(np.ones((1, size, 1, 1)), (900, 1), interpolation="bicubic")
    assert 8 << 20 < sum(weights.nbytes for weights in resampling._kept.values()) <= 16 << 20
    assert (907, 900, "bicubic", False) in resampling._kept


def test_the_newest_entries_that_fit_are_kept():
    kept = Newest(3, 10, len)
    for key, value in (("a", "1"), ("b", "22"), ("c", "333"), ("d", "4444")):
        kept[key] = value
    assert list(kept) == ["b", "c", "d"]
    kept["e"] = "55555"
    assert list(kept) == ["d", "e"]
    kept["d"] = "4"
    assert list(kept) == ["e", "d"]
    kept["f"] = "1" * 11
    assert list(kept) == []

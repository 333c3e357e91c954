"""Stored weights of layers that have none are told, in every format; states that inference does not use are not."""

import numpy as np
import pytest

import conv2d_native as cn
from conv2d_native import layers as L
from conv2d_native.formats.hdf5_write import ATTRIBUTES, write_hdf5
from written import bytes_of

RNG = np.random.default_rng(31)
KERNEL, BIAS, GAMMA = (RNG.random(shape, np.float32) for shape in ((4, 3), (3,), (3,)))


def network():
    """Functions, layers in models and wrappers, and a normalization that has neither gamma nor beta."""
    inside = cn.Sequential([L.Dropout(0.5, name="drop"), L.Activation("relu")], name="inside")
    source = cn.Input((4,))
    y = inside(L.Dense(3, name="dense")(source)) * 2.0
    return cn.Model(source, L.LayerNormalization(center=False, scale=False, name="norm")(y))


def grouped(**groups):
    dense = {"vars": {"0": KERNEL, "1": BIAS}}
    return bytes_of(write_hdf5, {"layers": {"dense": dense} | groups})


def listed(**more):
    """A legacy file with the weights of the layer "norm"."""
    weights = {"dense": {"kernel:0": KERNEL, "bias:0": BIAS}, "norm": more}
    tree = {
        name: {name: held, ATTRIBUTES: {f"weight_names{i}": f"{name}/{word}" for i, word in enumerate(held)}}
        for name, held in weights.items()
    }
    names = {f"layer_names{i}": name for i, name in enumerate(tree)}
    return bytes_of(write_hdf5, tree | {ATTRIBUTES: names})


SUPERFLUOUS = {
    "group": (grouped(layer_normalization={"vars": {"0": GAMMA}}), "'norm'"),
    "inside": (grouped(sequential={"layers": {"dropout": {"vars": {"0": GAMMA}}}}), "'inside/drop'"),
    "model": (grouped(sequential={"vars": {"0": GAMMA}}), "'inside'"),
    "listed": (listed(**{"gamma:0": GAMMA}), "'norm'"),
}


@pytest.mark.parametrize("name", SUPERFLUOUS)
def test_weights_of_a_layer_without_any(name):
    data, owner = SUPERFLUOUS[name]
    with pytest.raises(cn.ModelFormatError, match=rf"weights of layer {owner}: expected \[\], but"):
        network().load_weights(data)


@pytest.mark.parametrize(
    "data",
    [
        grouped(
            sequential={"layers": {"dropout": {"seed_generator": {"vars": {"0": np.zeros(2, np.int32)}}}}},
            layer_normalization={"vars": {"0": np.zeros(3, np.int64), "1": np.float32(2)}},
            metrics={"auc": {"vars": {"0": GAMMA}}},
        ),
        listed(**{"StateVar:0": np.zeros(3, np.int64)}),
    ],
)
def test_states_of_generators_and_metrics(data):
    model = network()
    model.load_weights(data)
    np.testing.assert_array_equal(model.get_weights()[0], KERNEL)


def test_the_gamma_of_rms_scaling_is_taken_whatever_scale_says():
    source = cn.Input((3,))
    model = cn.Model(source, L.LayerNormalization(scale=False, rms_scaling=True)(source))
    model.load_weights(bytes_of(write_hdf5, {"layers": {"layer_normalization": {"vars": {"0": GAMMA}}}}))
    x = RNG.standard_normal((5, 3)).astype(np.float32)
    expected = x / np.sqrt(x.var(1, keepdims=True) + 1e-3) * GAMMA
    np.testing.assert_allclose(model(x), expected, rtol=1e-5)


def test_scales_of_several_axes_are_stored_in_the_order_of_the_axes():
    for axis in ([1, 2], [2, 1], [-1, -2]):
        layer = L.RMSNormalization(axis=axis)
        layer(np.ones((2, 3, 5)))
        assert layer.scale.shape == (3, 5)

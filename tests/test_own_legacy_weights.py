"""Legacy .h5 weights that Keras wrote, for models of the user's classes that a program makes itself."""

import numpy as np
import pytest

import conv2d_native as cn
import own_models
from answers import HERE, relative_error
from conv2d_native.formats.hdf5_write import ATTRIBUTES, write_hdf5
from conv2d_native.structure import flatten
from layer_cases import inputs_of
from written import bytes_of

MADE = own_models.make_classes(cn)
NETWORKS = own_models.make_networks(cn, MADE)
ANSWERS = np.load(HERE / "own_models.npz")
WHOLE = [
    name for name in NETWORKS if name not in ("headed", "topped")
]  # Keras leaves out layers beside the others


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("renamed", [False, True])
def test_legacy_weights_of_keras(name, renamed):
    """Keras takes layers of a legacy file in their order: names that are made up begin anew in every process."""
    xs = inputs_of(name, [(2, 6, 5, 3)] * (2 if name == "pair" else 1))
    x = xs if len(xs) > 1 else xs[0]
    cn.backend.clear_session()
    for _ in range(1 + renamed):
        model = NETWORKS[name]()
        model(x)
    data = ANSWERS[f"{name}.h5"].tobytes()
    if renamed:
        with pytest.raises(cn.ModelFormatError, match="missing"):
            model.load_weights(data, by_name=True)
    model.load_weights(data)
    for i, y in enumerate(flatten(model(x))):
        assert relative_error(y, ANSWERS[f"{name}/y{i}"]) <= 1e-5


@pytest.mark.parametrize("name", ["made", "trained"])
def test_legacy_files_of_classes_that_make_their_layers(name):
    """Their names are made up anew, as in the program that saved them."""
    x = inputs_of(name, [(2, 6, 5, 3)])[0]
    MADE["Net"](3)  # takes names that the file has
    model = cn.load_model(ANSWERS[f"{name}.h5"].tobytes(), custom_objects=MADE)
    assert relative_error(model(x), ANSWERS[f"{name}/y0"]) <= 1e-5


def test_legacy_weights_of_other_models():
    net, x = MADE["Net"](3), inputs_of("net", [(2, 6, 5, 3)])[0]
    net(x)
    before = net.get_weights()
    for name, text in (
        ("net", r"expected shape \(3, 3\), got \(3, 2\)"),
        ("made", r"holds weights of 2 layers, .*; the model has 4 with weights"),
        ("stacked", r"holds weights of 3 layers"),
    ):
        with pytest.raises(cn.ModelFormatError, match=text):
            net.load_weights(ANSWERS[f"{name}.h5"].tobytes())
    assert all(map(np.array_equal, net.get_weights(), before))


@pytest.mark.parametrize("number", ["", "_4"])
def test_weights_without_a_name_are_counted_through_a_program(number):
    """A legacy file has them with the number that they had in the program that wrote it."""

    class Shifted(cn.layers.Layer):
        def build(self, input_shape):
            self.gain, self.shift = self.add_weight((3,), name="gain"), cn.Variable(np.zeros(3))

        def call(self, x):
            return x * self.gain + self.shift

    model = cn.Sequential([cn.Input((3,)), Shifted(name="shifted")])
    names = ["shifted/gain", f"shifted/variable{number}"]
    arrays = {"gain": np.float32([1, 2, 3]), f"variable{number}": np.float32([4, 5, 6])}
    held = {"shifted": arrays, ATTRIBUTES: {f"weight_names{i}": name for i, name in enumerate(names)}}
    model.load_weights(bytes_of(write_hdf5, {"shifted": held, ATTRIBUTES: {"layer_names0": "shifted"}}))
    np.testing.assert_array_equal(model(np.ones((1, 3))), [[5, 7, 9]])

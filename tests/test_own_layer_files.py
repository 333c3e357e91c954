"""Files of the user's layers that hold others in lists, dicts and models: the groups that Keras 3 writes."""

import json
import zipfile

import numpy as np
import pytest

import conv2d_native as cn
from conv2d_native import layers as L
from conv2d_native.formats import read_model, write_keras
from conv2d_native.formats.extent import Budget, from_buffer
from conv2d_native.formats.hdf5 import Hdf5
from written import bytes_of

RNG = np.random.default_rng(12)
X = RNG.random((2, 6, 5, 3), np.float32)


class Holder(L.Layer):
    """Layers in every place that an attribute has for them."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.z_last = self.first = L.Dense(3)
        self.named = {"x": L.Conv2D(3, 1), "b": L.BatchNormalization(), "a": L.Conv2D(3, 1)}
        self.blocks = [[L.Conv2D(3, 1), L.BatchNormalization()] for _ in range(2)]
        self.mixed = [L.Conv2D(3, 1), {"k": L.Conv2D(3, 1)}, [L.Dense(3), [L.Dense(3)]], (L.Dense(3),)]
        self.net = cn.Sequential([L.Conv2D(3, 1), L.BatchNormalization()])
        x = cn.Input((6, 5, 3))
        self.graph = cn.Model(x, L.Conv2D(3, 1)(x))
        self.steps = L.TimeDistributed(L.Dense(3))
        self.nets = [cn.Sequential([L.Dense(3)]), self.graph, cn.Sequential([L.Dense(3)])]
        self.step_nets = L.TimeDistributed(cn.Sequential([L.Dense(3)]))
        self._own = L.Dense(3)

    def call(self, x):
        first, second, (third, (fourth,)), (fifth,) = self.mixed
        inner = [first, second["k"], third, fourth, fifth, self.net, self.graph, self.steps, self.step_nets]
        blocks = [*self.blocks[0], *self.blocks[1]]
        for layer in [self.first, *self.named.values(), *blocks, *inner, *self.nets, self._own]:
            x = layer(x)
        return x


GROUPS = [
    "first",
    *(f"named/{name}" for name in ("conv2d", "batch_normalization", "conv2d_1")),
    *(f"blocks/container{n}/{name}" for n in ("", "_1") for name in ("conv2d", "batch_normalization")),
    *(f"mixed/{name}" for name in ("conv2d", "container/conv2d", "container_1/dense")),
    *(f"mixed/{name}" for name in ("container_1/container/dense", "container_2/dense")),
    *("net/layers/conv2d", "net/layers/batch_normalization", "graph/layers/conv2d", "steps/layer"),
    *("nets/sequential/layers/dense", "nets/sequential_1/layers/dense", "step_nets/layer/layers/dense"),
    "_own",
]


def saved(layer):
    """A network of `layer` with random weights, and its file."""
    x = cn.Input((6, 5, 3))
    model = cn.Model(x, layer(x))
    model.set_weights([RNG.random(v.shape, np.float32) for v in model.weights])
    return model, bytes_of(model.save)


def groups_with_weights(model):
    """The number of variables in each group of a file of `model`."""
    stored = bytes_of(model.save_weights)
    file = Hdf5(from_buffer("made", stored), Budget(len(stored)))
    found, pending = {}, [()]
    while pending:
        group = pending.pop()
        for name in file.names(group):
            if name != "vars":
                pending.append((*group, name))
            elif file.names((*group, name)):
                found["/".join(group)] = len(file.names((*group, name)))
    return found


def test_layers_in_every_place_of_an_attribute():
    model, data = saved(Holder(name="held"))
    assert set(groups_with_weights(model)) == {f"layers/holder/{group}" for group in GROUPS}
    assert model.count_params() == sum(np.prod(w.shape) for w in model.get_weights()) == 17 * 12 + 4 * 12
    opened = cn.load_model(data, custom_objects={"Holder": Holder})
    np.testing.assert_array_equal(opened(X), model(X))


class Pair(L.Layer):
    """A layer of the caller's and one more."""

    def __init__(self, given, **kwargs):
        super().__init__(**kwargs)
        self.given, self.own = given, L.Dense(3)

    def call(self, x):
        return self.own(self.given(x))


class Sharing(L.Layer):
    """One layer in two attributes and in two layers inside."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.middle = L.Dense(3)
        self.last = self.alpha = L.Dense(3)
        self.early, self.pairs = Pair(self.middle), [Pair(self.middle)]

    def call(self, x):
        return self.pairs[0](self.early(self.middle(self.last(x))))


def test_a_layer_in_several_places_is_stored_once_under_the_first_name():
    model, data = saved(Sharing())
    places = ("alpha", "early/given", "early/own", "pairs/pair/own")
    assert set(groups_with_weights(model)) == {f"layers/sharing/{place}" for place in places}
    assert [v.path.split("/")[1] for v in model.weights[:4:2]] == [
        model.layers[1].middle.name,
        model.layers[1].last.name,
    ]
    opened = cn.load_model(data, custom_objects={"Sharing": Sharing})
    np.testing.assert_array_equal(opened(X), model(X))


class Alone(L.Layer):
    """As Pair was written, but for one layer."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.given = L.Dense(3)

    def call(self, x):
        return self.given(x)


def test_stored_weights_that_a_layer_has_no_place_for_are_an_error():
    class Whole(Alone):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.more = {"own": [L.Dense(3)]}

        def call(self, x):
            return self.more["own"][0](self.given(x))

    _, data = saved(Whole(name="held"))
    cn.load_model(data, custom_objects={"Whole": Whole})
    with pytest.raises(
        cn.ModelFormatError, match="'held': those in 'layers/whole/more/container/dense/vars' bel"
    ):
        cn.load_model(data, custom_objects={"Whole": Alone})


def test_groups_below_a_layer_without_end_are_an_error():
    _, data = saved(Alone(name="held"))
    spec = read_model(data)
    weights = {("held", "given"): [np.ones((3, 3)), np.ones(3)], ("held", "/".join("a" * 70)): [np.ones(3)]}
    held = bytes_of(write_keras, spec.config, weights)
    with pytest.raises(cn.ModelFormatError, match="'held': stored in too many groups, or too deeply"):
        cn.load_model(held, custom_objects={"Alone": Alone})


def test_spectral_normalization_keeps_its_kernel_twice_as_keras_does():
    model, data = saved(L.SpectralNormalization(L.Conv2D(4, 3)))
    assert groups_with_weights(model) == {
        "layers/spectral_normalization": 2,
        "layers/spectral_normalization/layer": 2,
    }
    assert [w.shape for w in model.get_weights()] == [(3, 3, 3, 4), (1, 4), (4,)]
    assert [v.name for v in model.trainable_weights] == ["kernel", "bias"]
    np.testing.assert_array_equal(cn.load_model(data)(X), model(X))


def test_models_and_layers_of_the_users_in_wrappers_are_described_as_elsewhere():
    x = cn.Input((6, 5, 3))
    graph = cn.Model(x, L.Conv2D(2, 3)(x))
    for inner in (cn.Sequential([x, L.Conv2D(2, 3)]), graph, Alone()):
        stack = cn.Input((4, 6, 5, 3))
        model = cn.Model(stack, L.TimeDistributed(inner)(stack))
        found = L.TimeDistributed(inner).get_config()["layer"]
        alone = cn.Sequential([inner]).get_config()["layers"][-1]
        assert found == alone
        assert found["module"] != "keras.layers"
        again = cn.model_from_json(model.to_json(), {"Alone": Alone})
        again.set_weights(model.get_weights())
        steps = np.stack([X, X + 1, X + 2, X + 3], axis=1)
        np.testing.assert_array_equal(again(steps), model(steps))


def test_a_layer_whose_configuration_lacks_its_name_has_it_from_the_entry():
    """Keras writes such files for layers without a get_config; other layers of the class may exist already."""

    class Nameless(Alone):
        def get_config(self):
            return {}

    model, data = saved(Nameless())
    opened = cn.load_model(data, custom_objects={"Nameless": Nameless})
    assert opened.layers[1].name == model.layers[1].name
    np.testing.assert_array_equal(opened(X), model(X))


def test_layers_of_a_sequential_whose_configurations_have_no_names(tmp_path):
    """So Keras writes layers without a get_config; the groups of their weights stand after the class alone."""

    class Bare(Alone):
        pass

    held = [Bare(name="bare_1"), Bare(), L.TimeDistributed(Bare()), cn.Sequential([Bare()]), Bare()]
    model = cn.Sequential([cn.Input((4, 6, 5, 3)), *held])
    for v in model.weights:
        v.assign(np.random.default_rng(v.shape).uniform(size=v.shape))

    def without_names(value):
        if isinstance(value, list):
            return [without_names(item) for item in value]
        if not isinstance(value, dict):
            return value
        made = {key: without_names(item) for key, item in value.items()}
        if made.get("class_name") == "Bare" and made["config"]["name"] != "bare_1":
            made["config"].pop("name")
            made.pop("name", None)
        return made

    model.save(tmp_path / "a.keras")
    with zipfile.ZipFile(tmp_path / "a.keras") as old, zipfile.ZipFile(tmp_path / "b.keras", "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json":
                content = json.dumps(without_names(json.loads(content))).encode()
            new.writestr(name, content)
    opened = cn.load_model(tmp_path / "b.keras", custom_objects={"Bare": Bare})
    for mine, theirs in zip(opened.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_class_of_the_users_that_is_called_as_one_of_keras_s(tmp_path):
    """Its entry in a file has no module, so that Keras looks for it among the custom objects."""

    class Attention(L.Layer):
        def __init__(self, gain=2.0, **kwargs):
            super().__init__(**kwargs)
            self.gain = gain

        def call(self, x):
            return x * self.gain

    model = cn.Sequential([cn.Input((3,)), Attention(3.0)])
    model.save(tmp_path / "a.keras")
    entry = json.loads(zipfile.ZipFile(tmp_path / "a.keras").read("config.json"))["config"]["layers"][1]
    assert (entry["module"], entry["class_name"]) == (None, "Attention")
    assert entry["registered_name"] == "Attention"
    opened = cn.load_model(tmp_path / "a.keras", custom_objects={"Attention": Attention})
    np.testing.assert_array_equal(opened(np.ones((1, 3))), np.full((1, 3), 3.0))


def test_functions_that_a_layer_makes_again_are_no_part_of_a_file(tmp_path):
    class Sliced(L.Layer):
        def build(self, input_shape):
            self.last = L.Lambda(lambda x: x[:, -1])

        def call(self, x):
            return self.last(x)

    x = cn.Input((4, 3))
    made = cn.Model(x, Sliced()(x))
    made.save(tmp_path / "a.keras")
    opened = cn.load_model(tmp_path / "a.keras", custom_objects={"Sliced": Sliced})
    np.testing.assert_array_equal(opened(X[:, 0, :4]), X[:, 0, 3])
    with pytest.raises(ValueError, match="Functions cannot be written to a file: layers last"):
        cn.Model(x, L.Lambda(lambda x: x[:, -1], name="last")(x)).save(tmp_path / "b.keras")

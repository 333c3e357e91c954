"""Variables in attributes of layers of the user's, shapes that layers are built for, and dtype policies."""

import json
import pickle

import numpy as np
import pytest

import conv2d_native as cn
from conv2d_native import layers as L

RNG = np.random.default_rng(3)
X = RNG.standard_normal((4, 3)).astype(np.float32)


class Keeping(L.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.gain = cn.Variable(np.full(3, 1.5), name="gain")
        self.pair = [cn.Variable(2.0, trainable=False), {"by": cn.Variable(5.0)}]
        self.dense, self.later = L.Dense(3), []

    def build(self, input_shape):
        self.dense.build(input_shape)
        self.scale = cn.Variable("ones", shape=(input_shape[-1],))
        self.shift = self.add_weight((input_shape[-1],), "zeros", name="shift")
        self.later.append(cn.Variable(np.arange(3.0)))
        self.kernel = self.dense.kernel
        self.later.append(cn.Variable(np.ones(3)))

    def call(self, x):
        return self.dense(x * self.gain * self.scale * self.pair[0] + self.shift) + self.later[0]


def wanted(layer, x):
    gain, _, scale, shift, first, _, _, by, _ = layer.get_weights()
    return (x * gain * scale * by + shift) @ layer.dense.kernel.numpy() + layer.dense.bias.numpy() + first


def test_weights_are_in_keras_s_order():
    cn.backend.clear_session()
    layer = Keeping(name="keeping")
    assert [v.path for v in layer.weights] == ["gain", "variable_1", "variable"]
    np.testing.assert_allclose(layer(X), wanted(layer, X), rtol=1e-5, atol=1e-5)
    paths = ["gain", "variable_1", *(f"keeping/{word}" for word in ("variable_2", "shift", "variable_3"))]
    paths += ["keeping/dense/kernel", "keeping/variable_4", "variable", "keeping/dense/bias"]
    assert sorted(v.path for v in layer.weights) == sorted(paths)
    assert [v.path for v in layer.weights][:6] == paths[:6]
    assert layer.non_trainable_weights == [layer.pair[0]] and layer.count_params() == 3 * 5 + 9 + 2 + 3


def test_new_values_and_copies(tmp_path):
    model = cn.Sequential([cn.Input((3,)), Keeping(name="keeping")])
    layer = model.layers[-1]
    model.set_weights([np.random.default_rng(i).random(w.shape) for i, w in enumerate(model.get_weights())])
    y = model(X)
    layer.gain.assign(layer.gain * 2)
    assert np.abs(model(X) - y).max() > 0.01
    y = model(X)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model))(X), y)
    for path in ("m.keras", "m.weights.h5"):
        if path == "m.keras":
            model.save(tmp_path / path)
            again = cn.load_model(tmp_path / path, custom_objects={"Keeping": Keeping})
        else:
            model.save_weights(tmp_path / path)
            again = cn.Sequential([cn.Input((3,)), Keeping(name="keeping")])
            again.load_weights(tmp_path / path)
        np.testing.assert_array_equal(again(X), y)
    layer.gain = cn.Variable(np.zeros(3))
    assert np.abs(model(X) - y).max() > 0.01 and layer.gain in layer.weights


def test_words_and_mistakes():
    made = cn.Variable([[1, 2]], dtype="int32", name="numbers", trainable=False)
    assert (made.shape, made.dtype, made.path, made.trainable) == ((1, 2), "float32", "numbers", False)
    assert cn.Variable(lambda shape, dtype: np.full(shape, 7.0), (2,)).numpy().tolist() == [7, 7]
    values = np.ones(2, np.float32)
    kept = cn.Variable(values)
    values[:] = 3
    assert kept.numpy().tolist() == [1, 1]
    with pytest.raises(ValueError, match="`shape` must be given with an initializer"):
        cn.Variable("zeros")
    with pytest.raises(ValueError, match=r"`initializer|must have shape \(3,\)"):
        cn.Variable(np.ones(2), shape=(3,))
    with pytest.raises(TypeError, match="`initializer`"):
        cn.Variable(1j)
    with pytest.raises(TypeError, match="`shape` must be a tuple"):
        cn.Variable("zeros", shape=3)


class Two(L.Layer):
    def build(self, a_shape, b_shape):
        self.gain = self.add_weight((a_shape[-1], b_shape[-1]), name="gain")

    def call(self, a, b):
        return a + cn.ops.matmul(b, cn.ops.transpose(self.gain))


def test_shapes_that_a_layer_is_built_for():
    dense = L.Dense(3)
    assert dense.get_build_config() is None
    dense.build_from_config(None)
    assert not dense.built
    dense.build_from_config({"input_shape": [None, 4]})
    assert dense.kernel.shape == (4, 3) and dense.get_build_config() == {"input_shape": (None, 4)}
    two = Two()
    two(X, X[:, :2])
    shapes = {"shapes_dict": {"a_shape": (4, 3), "b_shape": (4, 2)}}
    assert two.get_build_config() == shapes
    again = Two()
    again.build_from_config(json.loads(json.dumps(shapes)))
    assert again.gain.shape == (3, 2)
    with pytest.raises(TypeError, match="`config` must be a dict with 'input_shape' or 'shapes_dict'"):
        L.Dense(3).build_from_config({"shape": 3})


class BuiltByConfig(L.Layer):
    def build(self, input_shape):
        self.sizes = self.sizes if hasattr(self, "sizes") else [input_shape[-1]]
        self.gains = [self.add_weight((size,), "ones", name=f"gain_{size}") for size in self.sizes]

    def call(self, x):
        return x * self.gains[0]

    def get_build_config(self):
        return {"sizes": [self.gains[0].shape[0], 7]}

    def build_from_config(self, config):
        self.sizes = config["sizes"]
        self.build((None, self.sizes[0]))


def test_a_layer_s_own_build_config_is_stored_and_used(tmp_path):
    model = cn.Sequential([cn.Input((3,)), BuiltByConfig(name="own")])
    entry = json.loads(model.to_json())["config"]["layers"][-1]
    assert entry["build_config"] == {"sizes": [3, 7]}
    made = cn.model_from_json(model.to_json(), custom_objects={"BuiltByConfig": BuiltByConfig})
    assert [v.shape for v in made.weights] == [(3,), (7,)]


@pytest.mark.parametrize("name", ["float32", "mixed_float16", "mixed_bfloat16", "float16"])
def test_dtype_policies_are_kept_and_computation_is_float32(name):
    policy = cn.DTypePolicy(name)
    assert policy == cn.mixed_precision.Policy.from_config(policy.get_config()) != name
    assert repr(policy) == f'<DTypePolicy "{name}">' and policy.compute_dtype == name.removeprefix("mixed_")
    for dtype in (policy, name, cn.saving.serialize_keras_object(L.Dense(2, dtype=name))["config"]["dtype"]):
        layer = L.Dense(2, dtype=dtype)
        assert layer.dtype_policy == policy and layer.dtype_policy.name == name
        assert layer.dtype == policy.variable_dtype and layer.compute_dtype == "float32"
        assert layer.get_config()["dtype"]["config"] == {"name": name}
        assert layer(X).dtype == np.float32
        assert L.Dense(2, dtype=layer.dtype_policy).dtype_policy == policy
    layer.dtype_policy = "float64"
    assert layer.dtype_policy.name == layer.dtype == "float64"


def test_the_policy_of_the_process_is_float32():
    for module in (cn.config, cn.mixed_precision):
        assert module.dtype_policy() == cn.mixed_precision.global_policy() == cn.dtype_policies.DTypePolicy()
        module.set_dtype_policy("float32")
        module.set_dtype_policy(cn.DTypePolicy())
        for policy in ("mixed_float16", cn.DTypePolicy("mixed_bfloat16"), 3):
            with pytest.raises(ValueError, match="`policy` must be 'float32'"):
                module.set_dtype_policy(policy)
    with pytest.raises(ValueError, match="`policy` must be 'float32'"):
        cn.mixed_precision.set_global_policy("mixed_float16")
    with pytest.raises(ValueError, match="`dtype` must be one of"):
        cn.DTypePolicy("float31")
    with pytest.raises(TypeError, match="`name` must be a string"):
        cn.DTypePolicy(3)


class Scoped(L.Layer):
    def build(self, input_shape):
        with cn.name_scope("inner"):
            self.first = cn.Variable(1.0, name="first")
            self.second = self.add_weight((), name="second")
            self.dense = L.Dense(2, name="top")
            self.dense.build(input_shape)

    def call(self, x):
        return self.dense(x) * self.first


def test_scopes_of_names_are_in_paths_as_in_keras():
    layer = Scoped(name="m")
    layer.build((None, 2))
    paths = ["m/inner/first", "m/second", "m/inner/top/kernel", "m/inner/top/bias"]
    assert [v.path for v in layer.weights] == paths
    for wrong in (3, "a/b"):
        with pytest.raises(ValueError, match="`name` must be a string without '/'"):
            cn.name_scope(wrong)


def test_devices_and_settings_that_programs_name(tmp_path):
    for name in ("cpu", "CPU:0", "/cpu:0", "/device:CPU:0", "/job:localhost/replica:0/task:0/device:CPU:1"):
        with cn.device(name):
            model = cn.Sequential([cn.Input((3,)), L.Dense(2)])
    for name in ("gpu:0", "cpufoo", "cpu:", "cpu:x", 0):
        with pytest.raises(ValueError, match="`device_name` must be 'cpu' or 'cpu:0'"):
            cn.device(name)
    cn.config.disable_traceback_filtering()
    assert not cn.config.is_traceback_filtering_enabled()
    with pytest.raises(ValueError, match="Code in files is never run"):
        cn.config.enable_unsafe_deserialization()
    cn.saving.save_weights(model, tmp_path / "m.weights.h5")
    other = cn.Sequential([cn.Input((3,)), L.Dense(2)])
    cn.saving.load_weights(other, tmp_path / "m.weights.h5")
    np.testing.assert_array_equal(other(X), model(X))
    assert cn.ops.dtype(model.weights[0]) == cn.ops.dtype(cn.Input((2,))) == "float32"
    assert cn.ops.dtype([1.5]) == "float64" and isinstance(
        cn.initializers.IdentityInitializer(), cn.Initializer
    )
    assert isinstance(cn.regularizers.L2(), cn.Regularizer)


def test_a_weight_given_to_a_layer_inside_has_its_own_first_axis():
    """The masks of windows in a Swin network: their first axis is that of the weight, not a batch."""

    class Masked(L.Layer):
        def call(self, x, mask=None, others=None):
            count = mask.shape[0]
            x = cn.ops.reshape(x, (-1, count, 3)) + cn.ops.expand_dims(mask, axis=0)
            return cn.ops.reshape(x, (-1, 3)) * others

    class Windows(L.Layer):
        def build(self, input_shape):
            self.masked, self.table = Masked(), np.array([1.0, 2.0, 4.0])
            self.mask = cn.Variable(np.arange(6.0).reshape(2, 3), trainable=False)

        def call(self, x):
            y = self.masked(cn.ops.reshape(x, (-1, 3)), mask=self.mask, others=self.table)
            return cn.ops.reshape(y, (-1, 2, 3))

    x = RNG.standard_normal((5, 2, 3)).astype(np.float32)
    made = cn.Input((2, 3))
    for layer in (Windows(), cn.Model(made, Windows()(made))):
        np.testing.assert_allclose(layer(x), (x + np.arange(6.0).reshape(2, 3)) * [1, 2, 4], rtol=1e-6)

"""What programs written for Keras name at their top or hold in their layers: caches, sources, seeds, statistics."""

import hashlib
import io

import numpy as np
import pytest

import conv2d_native as cn
from conv2d_native import backend, utils
from conv2d_native import layers as L

RNG = np.random.default_rng(12)
X = RNG.random((6, 5, 4, 3), np.float32)


def test_files_of_the_cache(tmp_path, monkeypatch):
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "w.h5").write_bytes(b"weights")
    origin = "https://example.com/of/w.h5?download=1"
    place = {"cache_dir": tmp_path, "cache_subdir": "models"}
    for hashes in (
        {},
        {"md5_hash": hashlib.md5(b"weights").hexdigest()},
        {"file_hash": hashlib.md5(b"weights").hexdigest()},
        {"file_hash": hashlib.sha256(b"weights").hexdigest()},
    ):
        assert utils.get_file("w.h5", origin, **place, **hashes) == str(folder / "w.h5")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert utils.get_file(origin=origin, cache_subdir="models") == str(folder / "w.h5")
    with pytest.raises(ValueError, match="has the hash"):
        utils.get_file("w.h5", origin, **place, file_hash="0" * 64)
    with pytest.raises(FileNotFoundError, match=r"put https://example.com/of/w.h5\?download=1 at .*datasets"):
        utils.get_file(origin=origin)
    for wrong in (
        {"fname": "a/b"},
        {},
        {"origin": "https://example.com"},
        {"fname": "w.h5", "extract": True},
    ):
        with pytest.raises(ValueError, match="must be"):
            utils.get_file(**wrong)


def test_symbolic_tensors_and_their_sources():
    a, b = cn.Input((3,)), cn.Input((3,))
    made = L.add([L.Dense(3)(b), a]) + b
    assert [x is y for x, y in zip(utils.get_source_inputs(made), [b, a], strict=True)] == [True, True]
    assert utils.get_source_inputs(a)[0] is a
    assert backend.is_keras_tensor(made) and not backend.is_keras_tensor(X)
    with pytest.raises(TypeError, match="must be a symbolic tensor"):
        utils.get_source_inputs(X)


def test_seeds_of_layers_are_kept_and_never_used():
    class Drop(L.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.seed_generator = cn.random.SeedGenerator(1337)
            self.dense = L.Dense(2)

        def call(self, x, training=None):
            if training:
                x = x * cn.random.uniform(x.shape, seed=self.seed_generator)
            return self.dense(cn.ops.cast(x, self.compute_dtype))

    x = cn.Input((3,))
    model = cn.Model(x, Drop()(x))
    kept = io.BytesIO()
    model.save(kept)
    opened = cn.load_model(kept.getvalue(), custom_objects={"Drop": Drop})
    np.testing.assert_array_equal(opened(X[:, 0, 0]), model(X[:, 0, 0]))
    assert model.count_params() == 8 and model.layers[1].variable_dtype == "float32"
    cn.backend.clear_session()
    made = [cn.random.SeedGenerator(5), cn.random.SeedGenerator()]
    assert [one.get_config() for one in made] == [
        {"seed": 5, "name": "seed_generator"},
        {"seed": None, "name": "seed_generator_1"},
    ]
    with pytest.raises(TypeError, match="`seed` must be an integer"):
        cn.random.SeedGenerator("a")
    with pytest.raises(AttributeError, match="inference draws no random numbers"):
        _ = cn.random.normal


def test_weights_of_a_model_with_a_lambda_as_activation(tmp_path):
    source = cn.Input((3,))
    made = [cn.Model(source, L.Activation(lambda x: x * 2)(L.Dense(2)(source))) for _ in range(2)]
    made[0].save_weights(tmp_path / "m.weights.h5")
    made[1].load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_array_equal(made[0](X[:, 0, 0]), made[1](X[:, 0, 0]))
    with pytest.raises(ValueError, match="lambda has no name"):
        made[0].save(tmp_path / "m.keras")


def test_weights_are_not_spread_over_a_batch_of_any_size():
    class Position(L.Layer):
        def build(self, input_shape):
            self.table = self.add_weight(input_shape[1:], "ones", name="embeddings")

        def call(self, x):
            return cn.ops.broadcast_to(self.table, cn.ops.shape(x))

    with pytest.raises(ValueError, match="operators broadcast it"):
        Position()(cn.Input((4, 3)))
    assert cn.ops.broadcast_to(np.ones(3), (2, 3)).shape == (2, 3)


@pytest.mark.parametrize("axis", [-1, None, (1, 3), 2])
def test_normalization_takes_its_statistics_from_data(axis):
    layer = L.Normalization(axis=axis)
    layer.adapt(RNG.random((3, 5, 4, 3)))
    source = cn.Input((5, 4, 3))
    model = cn.Model(source, layer(source))
    before = model(X)
    layer.adapt(X)
    kept = [] if axis is None else np.atleast_1d(axis) % 4
    others = tuple(set(range(4)) - set(kept))
    expected = (X - X.mean(others, keepdims=True)) / X.std(others, keepdims=True)
    np.testing.assert_allclose(model(X), expected, rtol=1e-4, atol=1e-5)
    assert np.abs(model(X) - before).max() > 1e-3


def test_normalization_refuses_data():
    layer = L.Normalization()
    layer.adapt(X)
    kept = layer.get_weights()
    for wrong in (X[..., :2], X[:0]):
        with pytest.raises(ValueError, match=r"incompatible|at least one sample"):
            layer.adapt(wrong)
    for one, other in zip(kept, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(ValueError, match="was given `mean`"):
        L.Normalization(mean=1.0, variance=2.0).adapt(X)

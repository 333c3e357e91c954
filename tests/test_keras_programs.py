"""What programs written for Keras name at their top or hold in their layers: caches, sources, seeds, statistics."""

import hashlib
import pickle

import numpy as np
import pytest

import conv2d_native as cn
from conv2d_native import _core, backend, utils
from conv2d_native import layers as L
from written import bytes_of

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


def test_seeds_that_layers_hold_for_training():
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
    opened = cn.load_model(bytes_of(model.save), custom_objects={"Drop": Drop})
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
    with pytest.raises(AttributeError, match="draw with normal, randint, truncated_normal, uniform"):
        _ = cn.random.gamma


def test_weights_of_a_model_with_a_lambda_as_activation(tmp_path):
    source = cn.Input((3,))
    made = [cn.Model(source, L.Activation(lambda x: x * 2)(L.Dense(2)(source))) for _ in range(2)]
    made[0].save_weights(tmp_path / "m.weights.h5")
    made[1].load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_array_equal(made[0](X[:, 0, 0]), made[1](X[:, 0, 0]))
    with pytest.raises(ValueError, match="lambda has no name"):
        made[0].save(tmp_path / "m.keras")


class ForEveryImage(L.Layer):
    """Weights and constants that have no batch of their own, above `x`, whose values they do not depend on."""

    def build(self, input_shape):
        self.token = self.add_weight((1, 1, input_shape[-1]), "ones", name="token")
        self.table = self.add_weight((200, input_shape[-1]), "ones", name="table")

    def call(self, x):
        batch, length, channels = cn.ops.shape(x)
        table = cn.ops.slice(cn.ops.convert_to_tensor(self.table), (1, 0), (length, channels))
        return cn.ops.concatenate(
            [
                cn.ops.broadcast_to(table, cn.ops.shape(x)),
                cn.ops.broadcast_to(self.token, (batch, 1, channels)),
                cn.ops.tile(self.token, [batch, 2, 1]),
                cn.ops.repeat(self.token, batch, axis=0),
                cn.ops.zeros((batch, 1, channels)),
                cn.ops.ones((batch, 1, channels), dtype="int32"),
                cn.ops.full(shape=(batch, 1, channels), fill_value=2.5),
                x,
            ],
            axis=1,
        )


@pytest.mark.parametrize("place", [{"shape": (4, 3)}, {"batch_shape": (5, 4, 3)}, {"shape": (None, 3)}])
def test_weights_for_every_image_of_a_batch_of_any_size(place):
    x = np.full((5, 4, 3), np.nan, np.float32)
    source = cn.Input(**place)
    layer = ForEveryImage()
    model = cn.Model(source, layer(source))
    for _ in range(2):
        token, table = RNG.random((1, 1, 3), np.float32), RNG.random((200, 3), np.float32)
        layer.set_weights([token, table])
        rows = [*table[1:5], *[token[0, 0]] * 4, np.zeros(3), np.ones(3), np.full(3, 2.5)]
        expected = np.concatenate([[rows] * 5, x], axis=1)
        for made in (model.predict(x, batch_size=2), model(x), layer(x)):
            np.testing.assert_array_equal(made, expected)
    assert model.output.shape == (None, None if source.shape[1] is None else 15, 3)


def test_a_layer_that_returns_a_weight_alone():
    class Position(L.Layer):
        def build(self, input_shape):
            self.table = self.add_weight((1, *input_shape[1:]), "uniform", name="table")

        def call(self, x):
            return self.table

    source = cn.Input((4, 3))
    layer = Position()
    model = cn.Model(source, source + layer(source))
    x = X[:, 0]
    np.testing.assert_array_equal(model(x), x + layer.table.value)
    np.testing.assert_array_equal(layer(x), np.broadcast_to(layer.table.value, x.shape))


def test_values_of_any_batch_belong_into_a_call():
    class Wrong(L.Layer):
        def call(self, x):
            return self.made(x)

    assert cn.ops.broadcast_to(np.ones(3), (2, 3)).shape == (2, 3)
    assert cn.ops.zeros((2, 3)).dtype == cn.ops.full((2, 3), 1.5).dtype == np.float32
    with pytest.raises(ValueError, match="known outside of a layer's call"):
        cn.ops.broadcast_to(np.ones(3), (None, 3))
    with pytest.raises(ValueError, match="known outside of a layer's call"):
        cn.random.normal((None, 3))
    layer = Wrong()
    for made, error, message in (
        (lambda x: np.ones((4, 3)), TypeError, "weights with a batch of 1"),
        (lambda x: cn.ops.tile(np.ones((2, 3)), (None, 1)), ValueError, "must have a batch of 1"),
        (lambda x: cn.ops.repeat(np.ones((1, 3)), None, axis=1), TypeError, "NoneType"),
        (lambda x: cn.random.normal((4, 3)), ValueError, "or with 1 in a layer's call"),
    ):
        layer.made = made
        with pytest.raises(error, match=message):
            layer(cn.Input((4, 3)))


class Sampling(L.Layer):
    def __init__(self, seed, **kwargs):
        super().__init__(**kwargs)
        self.seed = seed
        self.seed_generator = seed if seed == 5 else cn.random.SeedGenerator(seed)

    def call(self, inputs):
        mean, log_variance = inputs
        batch, size = cn.ops.shape(mean)
        epsilon = cn.random.normal(shape=(batch, size), seed=self.seed_generator)
        return mean + cn.ops.exp(0.5 * log_variance) * epsilon


def sampled(seed):
    mean, log_variance = cn.Input((500,)), cn.Input((500,))
    model = cn.Model([mean, log_variance], Sampling(seed)([mean, log_variance]))
    given = [np.full((6, 500), 3.0), np.full((6, 500), np.log(4.0))]
    return [model.predict(given, batch_size=3) for _ in range(2)]


def test_a_sequence_of_random_numbers_goes_on_with_every_call():
    first, second = sampled(1337)
    np.testing.assert_array_equal(sampled(1337), [first, second])
    values = np.concatenate([first[:3], first[3:], second])
    assert len(np.unique(values)) > 5900
    assert abs(values.mean() - 3) < 0.15 and abs(values.std() - 2) < 0.15
    one, other = sampled(None)
    assert (one != other).all() and (one != first).all()


def test_an_integer_as_seed_gives_the_same_numbers_in_every_draw():
    first, second = sampled(5)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first[:3], first[3:])
    expected = 3 + 2 * cn.random.normal((3, 500), seed=5)
    np.testing.assert_allclose(first[:3], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shared", [False, True])
def test_a_batch_that_takes_long_is_drawn_at_once(shared):
    """Without random numbers this network would run it in parts, and each would draw anew."""

    class Noise(L.Layer):
        def call(self, x):
            size = 1 if shared else cn.ops.shape(x)[0]
            return x * 0 + cn.random.normal((size, *cn.ops.shape(x)[1:]), seed=7)

    source = cn.Input((96, 96, 32))
    model = cn.Model(source, Noise()(L.GlobalAveragePooling2D()(L.Conv2D(96, 3)(source))))
    _core.set_num_threads(1)
    made = model(np.zeros((48, 96, 96, 32), np.float32))
    np.testing.assert_array_equal(made[0], cn.random.normal((1, 96), seed=7)[0])
    assert len(np.unique(made, axis=0)) == (1 if shared else 48)


def test_arithmetic_of_one_number_for_each_image():
    class Sums(L.Layer):
        def call(self, x):
            total = 0
            total += -0.5 * cn.ops.sum(x, axis=1)
            return 3 - total / 2, -total

    x = RNG.standard_normal((4, 3)).astype(np.float32)
    source = cn.Input((3,))
    model = cn.Model(source, Sums()(source))
    for made, expected in zip(model(x), (3 + x.sum(1) / 4, x.sum(1) / 2), strict=True):
        np.testing.assert_allclose(made, expected, rtol=1e-5, atol=1e-6)


def test_random_numbers_of_every_kind():
    class Draws(L.Layer):
        def build(self, input_shape):
            self.scale = self.add_weight((1,), lambda shape, dtype: cn.random.uniform(shape, 2, 3))

        def call(self, x):
            shared = cn.random.truncated_normal((1, *cn.ops.shape(x)[1:]))
            return x * 0 + shared, cn.random.randint(cn.ops.shape(x), 2, 4), x + cn.random.uniform((None, 2))

    shared, whole, numbers = Draws()(np.zeros((300, 2), np.float32))
    assert np.ptp(shared, axis=0).max() == 0 and np.abs(shared).max() <= 2
    assert set(np.unique(whole)) == {2, 3}
    assert 0 <= numbers.min() < 0.1 and 0.9 < numbers.max() < 1 and len(np.unique(numbers)) > 590
    assert cn.random.randint((2,), 0, 9).dtype == np.int32
    assert cn.random.normal((2,), dtype="float16").dtype == np.float16
    for wrong in ({"seed": "a"}, {"mean": "a"}, {"shape": 3}, {"shape": (-1, 2)}):
        with pytest.raises((TypeError, ValueError), match=f"`{next(iter(wrong))}` must be"):
            cn.random.normal(**{"shape": (2,), **wrong})
    with pytest.raises(ValueError, match="`maxval` must be"):
        cn.random.randint((2,), 3, 3)


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
    np.testing.assert_allclose(layer.mean, X.mean(others, keepdims=True), rtol=1e-5)
    np.testing.assert_allclose(layer.variance, X.var(others, keepdims=True), rtol=1e-4)
    assert layer.input_mean is None and layer.get_config()["mean"] is layer.get_config()["variance"] is None


def test_normalization_has_its_mean_and_variance_when_it_is_built():
    layer = L.Normalization(mean=[1.0, 2.0], variance=4.0 * np.ones(2))
    assert layer.mean is layer.variance is None and layer.input_mean == [1.0, 2.0]
    layer.build((None, 5, 2))
    assert layer.mean.tolist() == [[[1, 2]]] and layer.variance.tolist() == [[[4, 4]]]
    assert layer.get_config()["mean"] == [1.0, 2.0] and layer.get_config()["variance"] == [4.0, 4.0]


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


class Written(L.Layer):
    """Weights with all words that Keras's add_weight takes."""

    def build(self, input_shape):
        self.first = self.add_weight(shape=input_shape[-1:])
        self.second = self.add_weight((3,), "zeros", "float32")
        self.third = self.add_weight(
            name="gain", initializer="ones", autocast=False, aggregation="mean", overwrite_with_gradient=True
        )

    def call(self, x):
        return x * self.first * self.third


def test_words_of_add_weight():
    cn.backend.clear_session()
    layer = Written()
    assert layer.supports_masking is False
    layer(np.ones((1, 2)))
    assert [(v.name, v.path, v.shape) for v in layer.weights] == [
        ("variable", "written/variable", (2,)),
        ("variable_1", "written/variable_1", (3,)),
        ("gain", "written/gain", ()),
    ]
    for shape in ("gain", 2):
        with pytest.raises(
            TypeError, match=r"`shape` must be a tuple of positive integers.*Received: shape="
        ):
            layer.add_weight(shape)
    layer.third.assign_add(2)
    layer.third.assign_sub(np.float32(0.5))
    assert float(layer.third) == 2.5
    with pytest.raises(ValueError, match="must have shape"):
        layer.third.assign_add([1.0, 2.0])


def test_words_of_save(tmp_path):
    model = cn.Sequential([L.Dense(2, input_shape=(3,))])
    assert model.compiled is False
    model.save(tmp_path / "a.keras", zipped=True, include_optimizer=False, save_format="keras")
    cn.models.save_model(model, tmp_path / "b.keras", zipped=None, include_optimizer=True)
    model.save_weights(tmp_path / "c.weights.h5", max_shard_size=None)
    for name in ("a.keras", "b.keras", "c.weights.h5"):
        model.load_weights(tmp_path / name)
    for words in ({"zipped": False}, {"save_format": "tf"}):
        with pytest.raises(ValueError, match=f"`{next(iter(words))}` must be"):
            model.save(tmp_path / "d.keras", **words)
    with pytest.raises(ValueError, match="`max_shard_size` must be None"):
        model.save_weights(tmp_path / "d.weights.h5", max_shard_size=1)
    assert len(list(tmp_path.iterdir())) == 3


def test_a_progress_bar_where_it_is_wanted(monkeypatch):
    from conv2d_native.models import progress

    monkeypatch.setattr(progress, "_BAR_AFTER_SECONDS", -1)
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True, raising=False)

    def shows(verbose):
        shown = progress.Progress(2, verbose)
        shown.advance(1)
        shown.close()
        return shown._bar is not None

    assert shows("auto") and shows(1) and not shows(0)
    try:
        cn.utils.disable_interactive_logging()
        assert not cn.config.is_interactive_logging_enabled() and not shows("auto") and shows(1)
    finally:
        cn.config.enable_interactive_logging()
    assert shows("auto")


def test_dtypes_and_the_backend_have_names():
    names = [
        cn.backend.standardize_dtype(dtype) for dtype in (None, np.int8, np.dtype("uint8"), float, "bool")
    ]
    assert names == ["float32", "int8", "uint8", "float32", "bool"] and cn.config.backend() == "numpy"
    assert cn.ops.cast(np.float32([1.5]), np.int32).tolist() == [1]
    with pytest.raises(ValueError, match="`dtype` must be one of"):
        cn.utils.standardize_dtype("flot32")
    for words, error in (({"dtype": "flot32"}, ValueError), ({"dtype": 3}, ValueError)):
        with pytest.raises(error, match="`dtype` must be one of"):
            cn.Input((3,), **words)


def test_functions_of_numpy_are_those_that_keras_has():
    assert cn.ops.arange.__name__ == "arange" and cn.ops.arange is cn.ops.arange
    assert pickle.loads(pickle.dumps(cn.ops.zeros)) is cn.ops.zeros
    assert [name for name in ("save", "fromfile", "setbufsize", "nope") if hasattr(cn.ops, name)] == []

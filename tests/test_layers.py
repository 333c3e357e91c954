"""The layer battery: every class in every case of golden/layer_cases.py, and what layers have in common."""

import copy
import gc
import inspect
import pickle
import weakref

import numpy as np
import pytest

import conv2d_native as cn
from answers import LAYER_ANSWERS, pattern_weights, relative_error
from conv2d_native import functional, layers
from conv2d_native.layers import registry
from layer_cases import CASES, case_id, inputs_of, make_layer
from threads import in_threads

FIRST_CASES = list({case[0]: case for case in reversed(CASES)}.values())
LAYERS_INSIDE = ("layer", "layers", "backward_layer", "cell")
MODEL_CLASSES = {"Model", "Sequential", "Functional", "InputLayer"}


def prepared(case):
    """The case's layer with its weights, and its input."""
    class_name, arguments, shapes = case
    key = case_id(*case)
    entry, expected = LAYER_ANSWERS[key]
    layer, xs = make_layer(layers, class_name, arguments), inputs_of(key, shapes)
    layer.build(shapes[0] if len(shapes) == 1 else shapes)
    layer.set_weights(pattern_weights(entry["weights"], key))
    return layer, xs[0] if len(xs) == 1 else xs, expected


def shape_of(x):
    return x.shape if isinstance(x, np.ndarray) else [item.shape for item in x]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case_id(*case))
def test_eager_and_compiled_agree(case):
    layer, x, expected = prepared(case)
    eager = layer.call(functional, x)
    assert eager.dtype == np.float32 and relative_error(eager, expected) <= 1e-5
    np.testing.assert_allclose(layer(x), eager, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case_id(*case))
def test_batches_do_not_change_a_bit(case):
    layer, x, expected = prepared(case)
    whole = layer(x)
    one = layer(x[1:2] if isinstance(x, np.ndarray) else [item[1:2] for item in x])
    none = layer(x[:0] if isinstance(x, np.ndarray) else [item[:0] for item in x])
    np.testing.assert_array_equal(whole[1:2], one)
    assert none.shape == (0, *expected.shape[1:]) and none.dtype == np.float32


@pytest.mark.parametrize("case", CASES, ids=lambda case: case_id(*case))
def test_shapes_with_unknown_sizes(case):
    layer, x, expected = prepared(case)

    def hidden(shape, axes):
        return tuple(None if axis in axes else size for axis, size in enumerate(shape))

    shapes = shape_of(x)
    one = isinstance(x, np.ndarray)
    unknown_batch = hidden(shapes, [0]) if one else [hidden(shape, [0]) for shape in shapes]
    assert tuple(layer.compute_output_shape(unknown_batch)) == (None, *expected.shape[1:])
    if one and getattr(layer, "spatial", 0) == 2:
        spatial = [1, 2] if layer.data_format == "channels_last" else [2, 3]
        made = layer.compute_output_shape(hidden(shapes, [0, *spatial]))
        assert all(a in (None, b) for a, b in zip(made, expected.shape, strict=True))


@pytest.mark.parametrize("case", FIRST_CASES, ids=lambda case: case[0])
def test_copies(case):
    layer, x, _ = prepared(case)
    y = layer(x)
    for again in (pickle.loads(pickle.dumps(layer)), copy.deepcopy(layer)):
        assert type(again) is type(layer) and again.name == layer.name and again.built
        np.testing.assert_array_equal(again(x), y)
    fresh = type(layer).from_config(layer.get_config())
    assert fresh.get_config() == layer.get_config() and not fresh.built


@pytest.mark.parametrize("case", FIRST_CASES, ids=lambda case: case[0])
def test_configurations_hold_keras_s_words(case):
    entry, _ = LAYER_ANSWERS[case_id(*case)]
    ours = make_layer(layers, *case[:2]).get_config()
    missing = set(entry["config"]) - set(ours) - {"quantization_config", "build_config"}
    assert not missing
    for word in ours.keys() & entry["config"].keys() - {"name", "dtype", "factor", *LAYERS_INSIDE}:
        assert ours[word] == entry["config"][word], word


def test_every_class_is_in_the_battery():
    own = {n for n in registry.layer_names() if layers.layer_class(n).__name__ == n and n[:6] != "Random"}
    without_case = {"Masking", "ThresholdedReLU", "CustomScaleLayer", "LayerScale", "StochasticDepth"}
    without_case |= {"FixedDropout", "CategoryEncoding", "Discretization"}  # test_custom_objects, _categories
    without_case |= {"Attention", "Embedding", "MultiHeadAttention"}  # test_attention.py
    without_case |= {"SimpleRNNCell", "LSTMCell", "GRUCell", "StackedRNNCells"}  # test_recurrent.py
    without_case |= {"AdaptiveAveragePooling1D", "AdaptiveMaxPooling1D", "SpatialDropout1D"}
    augmentations = {"MixUp", "CutMix", "RandAugment", "AugMix", "Solarization", "Equalization"}
    assert own - MODEL_CLASSES - {case[0] for case in CASES} <= without_case | augmentations


@pytest.mark.parametrize("name", sorted(set(registry.layer_names()) - MODEL_CLASSES))
def test_public_classes_say_what_they_do(name):
    cls = getattr(layers, name)
    assert inspect.getdoc(cls) and len(inspect.getdoc(cls)) > 30


@pytest.mark.parametrize(
    "alias, name",
    [
        ("MaxPool2D", "MaxPooling2D"),
        ("AvgPool2D", "AveragePooling2D"),
        ("Convolution2D", "Conv2D"),
        ("GlobalAvgPool2D", "GlobalAveragePooling2D"),
        ("GlobalMaxPool2D", "GlobalMaxPooling2D"),
        ("SeparableConvolution2D", "SeparableConv2D"),
        ("Convolution2DTranspose", "Conv2DTranspose"),
    ],
)
def test_aliases(alias, name):
    assert getattr(layers, alias) is getattr(layers, name) is registry.layer_class(alias)


def test_the_article_s_signature():
    layer = layers.Conv2D(
        4, (3, 3), (1, 1), "same", "channels_last", (1, 1), 2, "relu", True, "he_normal", "ones", "l2", "l1", None,
        "max_norm", "non_neg", input_shape=(8, 8, 6), name="article", dtype="float32", trainable=False,
    )  # fmt: skip
    assert layer(np.zeros((1, 8, 8, 6))).tolist() == np.ones((1, 8, 8, 4)).tolist()
    assert layer.input_shape_argument == (8, 8, 6) and layer.name == "article" and not layer.trainable
    again = layers.Conv2D.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert (
        type(again.kernel_constraint).__name__ == "MaxNorm" and type(again.bias_regularizer).__name__ == "L1"
    )


def test_names_count_as_in_keras():
    class Fresh(layers.Layer):
        pass

    assert [Fresh().name for _ in range(3)] == ["fresh", "fresh_1", "fresh_2"]
    assert layers.MaxPooling2D().name.startswith("max_pooling2d")


def test_losses_and_trainable_weights():
    layer = layers.Dense(2, kernel_regularizer=cn.regularizers.L2(0.5), kernel_initializer="ones")
    layer.build((None, 3))
    assert [float(loss) for loss in layer.losses] == [3.0]
    norm = layers.BatchNormalization()
    norm.build((None, 4))
    assert [v.name for v in norm.weights] == ["gamma", "beta", "moving_mean", "moving_variance"]
    assert [v.name for v in norm.trainable_weights] == ["gamma", "beta"]
    norm.trainable = False
    assert norm.trainable_weights == [] and len(norm.non_trainable_weights) == 4
    assert norm.variables == norm.weights and norm.trainable_variables == [] and norm.dtype == "float32"
    with pytest.raises(ValueError, match="axis -1"):
        norm.compute_output_shape((None, 5))
    model = cn.Sequential([layers.Dense(2, input_shape=(3,))])
    assert [v.name for v in model.variables] == ["kernel", "bias"]
    assert norm.count_params() == 16 and layer.count_params() == 8


def test_new_weights_are_taken_up():
    layer = layers.Dense(2, use_bias=False)
    x = np.ones((1, 3), np.float32)
    layer(x)
    layer.set_weights([np.ones((3, 2))])
    assert layer(x).tolist() == [[3.0, 3.0]]
    layer.kernel.assign(np.full((3, 2), 2.0))
    assert layer(x).tolist() == [[6.0, 6.0]]
    with pytest.raises(ValueError):
        layer.kernel.value[0, 0] = 7.0
    weights = layer.get_weights()
    weights[0][:] = 0
    assert layer(x).tolist() == [[6.0, 6.0]]


@pytest.mark.parametrize(
    "layer, word", [(layers.Conv2D(2, 3), "kernel"), (layers.PReLU(), "alpha"), (layers.Dense(2), "bias")]
)
def test_an_array_in_place_of_a_weight_is_its_new_value(layer, word):
    layer(np.ones((1, 4, 4, 2), np.float32))
    weight = getattr(layer, word)
    new = np.full(weight.shape, 2.0)
    setattr(layer, word, new)
    assert getattr(layer, word) is weight
    np.testing.assert_array_equal(weight.numpy(), new)
    np.testing.assert_array_equal(layer.get_weights()[layer.weights.index(weight)], new)
    with pytest.raises(ValueError, match=f"`{word}` must have shape"):
        setattr(layer, word, new[:1])
    np.testing.assert_array_equal(weight.numpy(), new)


def test_weights_inside_a_wrapper_are_taken_up():
    layer = layers.TimeDistributed(layers.Dense(2, use_bias=False))
    x = np.ones((1, 4, 3), np.float32)
    layer(x)
    layer.layer.set_weights([np.ones((3, 2))])
    assert (layer(x) == 3).all()


SETTINGS = [
    (layers.Conv2D(2, 3), "strides", (2, 2)),
    (layers.DepthwiseConv2D(3), "padding", "same"),
    (layers.Dense(4, activation="softmax"), "activation", None),
    (layers.Conv2DTranspose(2, 3), "dilation_rate", (2, 2)),
    (layers.MaxPooling2D(2), "pool_size", (3, 3)),
    (layers.UpSampling2D(2), "interpolation", "bilinear"),
    (layers.BatchNormalization(), "epsilon", 1.0),
    (layers.GroupNormalization(2), "epsilon", 1.0),
    (layers.Rescaling(2.0), "scale", 3.0),
    (layers.Activation("relu"), "activation", cn.activations.tanh),
    (layers.ReLU(), "max_value", 0.5),
    (layers.LeakyReLU(), "negative_slope", 0.7),
    (layers.ELU(), "alpha", 2.0),
    (layers.Softmax(), "axis", 1),
    (layers.Concatenate(), "axis", 1),
]


@pytest.mark.parametrize("layer, word, value", SETTINGS, ids=lambda given: getattr(given, "name", None))
def test_new_settings_are_taken_up(layer, word, value):
    x = np.random.default_rng(4).standard_normal((2, 9, 9, 4)).astype(np.float32)
    x = [x, x] if isinstance(layer, layers.Concatenate) else x
    model = cn.Sequential([layer]) if not isinstance(x, list) else None
    before = [layer(x)] + ([model(x), model.predict(x)] if model else [])
    setattr(layer, word, value)
    after = [layer(x)] + ([model(x), model.predict(x)] if model else [])
    fresh = type(layer).from_config(layer.get_config())
    fresh(x)
    fresh.set_weights(layer.get_weights())
    for old, new in zip(before, after, strict=True):
        assert old.shape != new.shape or not np.array_equal(old, new)
        np.testing.assert_array_equal(new, fresh(x))


def test_seeded_initializers_repeat():
    def made(seed):
        layer = layers.Conv2D(2, 3, kernel_initializer=cn.initializers.GlorotUniform(seed))
        layer.build((None, 8, 8, 3))
        return layer.get_weights()[0].tolist()

    assert made(1) == made(1) != made(2)
    first = cn.initializers.GlorotUniform(3)
    np.testing.assert_array_equal(first.clone()((4, 4)), first((4, 4)))


def test_a_layer_of_one_s_own():
    class Gate(layers.Layer):
        def __init__(self, units, **kwargs):
            super().__init__(**kwargs)
            self.units = units

        def build(self, input_shape):
            self.w = self.add_weight(name="w", shape=(input_shape[-1], self.units), initializer="ones")

        def call(self, f, x):
            return f.multiply(f.sigmoid(f.dense(x, self.w)), 2.0)

        def compute_output_shape(self, input_shape):
            return (*input_shape[:-1], self.units)

    layer = Gate(3)
    assert layer(np.zeros((2, 5))).tolist() == np.ones((2, 3)).tolist()
    assert layer.get_config()["units"] == 3 and Gate.from_config(layer.get_config()).units == 3


@pytest.mark.parametrize("name", ["Masking", "RMSNormalization", "own"])
def test_layers_with_host_steps_are_collected(name):
    class Own(layers.Layer):
        def call(self, f, x):
            return f.apply(lambda a: a if self.built else -a, [x], x.shape)

    layer = Own() if name == "own" else getattr(layers, name)()
    x = np.ones((2, 3, 4), np.float32)
    first, second = layer(x), layer(x)
    np.testing.assert_array_equal(first, second)
    found = weakref.ref(layer)
    del layer
    gc.collect()
    assert found() is None


def test_many_image_sizes_in_a_bounded_cache():
    layer = layers.Conv2D(2, 3, padding="same")
    rng = np.random.default_rng(0)
    images = [rng.standard_normal((1 + n % 3, 4 + n, 5, 3)).astype(np.float32) for n in range(12)]
    first = [layer(x) for x in images]
    for x, y in zip(images, first, strict=True):
        np.testing.assert_array_equal(layer(x), y)
    assert len(layer._calls) <= 8 and len(layer._traces) <= 4


def test_threads_share_a_layer():
    layer = layers.Conv2D(8, 3, activation="relu")
    images = [np.full((1, 8 + n, 8, 4), n, np.float32) for n in range(4)]
    layer.build(images[0].shape)
    expected = [functional.conv2d(x, layer.kernel, layer.bias, activation="relu") for x in images]

    def work(n):
        for _ in range(50):
            np.testing.assert_array_equal(layer(images[n % 4]), expected[n % 4])

    in_threads(8, work)


def test_other_layers_weights_do_not_compile_this_one_again():
    one, other = layers.Dense(2), layers.Dense(2)
    x = np.ones((1, 3), np.float32)
    one(x)
    compiled = next(iter(one._calls.values()))
    other.build((None, 3))
    other.set_weights([np.ones((3, 2)), np.zeros(2)])
    one(x)
    assert next(iter(one._calls.values())) is compiled
    other(x)
    other.set_weights([np.zeros((3, 2)), np.zeros(2)])
    assert (other(x) == 0).all()


def test_merging_layers_take_tuples_of_arrays_and_no_single_one():
    a, b = np.random.default_rng(5).standard_normal((2, 3, 4)).astype(np.float32)
    for name in ("Add", "Subtract", "Multiply", "Maximum", "Average", "Concatenate"):
        layer = getattr(layers, name)(name="merge")
        np.testing.assert_array_equal(layer((a, b)), layer([a, b]))
        with pytest.raises(ValueError, match=r"Layer 'merge' must be called on .* inputs"):
            layer(a)
    for layer in (layers.Subtract(), layers.Dot(1), layers.CustomScaleLayer(0.5)):
        with pytest.raises(ValueError, match="exactly 2 inputs"):
            layer([a, a, a])


def test_functions_that_merge():
    a, b = np.full((1, 2), 3.0), np.ones((1, 2))
    assert layers.add([a, b]).tolist() == [[4.0, 4.0]] and layers.average([a, b]).tolist() == [[2.0, 2.0]]
    assert layers.concatenate([a, b], axis=1).shape == (1, 4) and layers.dot([a, b], axes=1).tolist() == [
        [6.0]
    ]


def test_rms_scaling_of_older_files():
    """Keras before 3.9: over the deviation from the mean, which is not taken off; no beta, gamma in any case."""
    x = np.random.default_rng(6).standard_normal((3, 4, 5)).astype(np.float32)
    layer = layers.LayerNormalization([1, 2], epsilon=0.1, rms_scaling=True)
    layer.build(x.shape)
    gamma = np.random.default_rng(7).random((4, 5), np.float32)
    layer.set_weights([gamma])
    expected = x / np.sqrt(x.var((1, 2), keepdims=True) + 0.1) * gamma
    np.testing.assert_allclose(layer(x), expected, rtol=1e-5)
    plain = layers.LayerNormalization(epsilon=0.1, rms_scaling=True, scale=False)
    plain.build(x.shape)
    plain.set_weights([gamma[0]])
    np.testing.assert_allclose(plain(x), x / np.sqrt(x.var(-1, keepdims=True) + 0.1) * gamma[0], rtol=1e-5)


def test_activations_of_transposed_images_move_before_the_transposition():
    words = {"data_format": "channels_first", "use_bias": False}
    stack = [layers.Conv2D(4, 1, **words), layers.ReLU(), layers.Conv2D(2, 1, **words)]
    model = cn.Sequential([cn.Input((3, 5, 6)), *stack])
    assert [row["op"] for row in model.explain(optimize=False)].count("transpose") == 2


def test_explain():
    layer = layers.Conv2D(8, 3, activation="relu")
    with pytest.raises(ValueError, match="not called yet"):
        cn.explain(layer)
    layer(np.zeros((1, 8, 8, 16)))
    text = str(cn.explain(layer))
    assert "k3x3" in text and "conv" in text
    rows = list(cn.explain("n1h56w56c64_k3x3s1d1p1_oc64g1_relu"))
    assert sum(row["chosen"] for row in rows) == 1
    table = str(cn.explain("n1h56w56c64_k3x3s1d1p1_oc64g1_relu"))
    assert all(row["name"] in table and (row["reason"] or "") in table for row in rows)
    with cn.exact():
        assert "winograd" not in next(
            r["name"] for r in cn.explain("n1h56w56c64_k3x3s1d1p1_oc64g1_relu") if r["chosen"]
        )
    for bad in (3, None):
        with pytest.raises(TypeError, match="target"):
            cn.explain(bad)
    with pytest.raises(ValueError):
        cn.explain("nonsense")


def test_exact_turns_winograd_off():
    layer = layers.Conv2D(64, 3, padding="same")
    x = np.random.default_rng(0).integers(-3, 4, (1, 28, 28, 64)).astype(np.float32)
    layer.build(x.shape)
    layer.set_weights([np.random.default_rng(1).integers(-3, 4, (3, 3, 64, 64)), np.zeros(64)])
    layer(x)
    with cn.exact():
        y = layer(x)
        assert "winograd" not in str(cn.explain(layer))
        np.testing.assert_array_equal(cn.conv2d(x, layer.kernel, padding="same"), y)
    np.testing.assert_array_equal(y, np.rint(y))

"""Where programs written for Keras look for things: applications, backend, ops, preprocessing, saving, utils."""

import io
import json

import numpy as np
import pytest

import conv2d_native as cn
from conv2d_native import applications, backend, ops, saving, utils
from conv2d_native import layers as L
from written import bytes_of

RNG = np.random.default_rng(9)
X = RNG.random((2, 6, 5, 3), np.float32)
PIXELS = (X * 255).round()


def test_modules_of_older_programs():
    from conv2d_native.applications.vgg16 import decode_predictions, preprocess_input

    from conv2d_native.models import clone_model, load_model, save_model
    from conv2d_native.preprocessing import image
    from conv2d_native.preprocessing.image import img_to_array, load_img
    from conv2d_native.utils import to_categorical

    assert to_categorical is utils.to_categorical and "to_categorical" in dir(utils)
    assert preprocess_input is applications.vgg16.preprocess_input and load_model is saving.load_model
    assert decode_predictions is applications.decode_predictions and save_model is saving.save_model
    assert (img_to_array, load_img) == (utils.img_to_array, utils.load_img) and image.load_img is load_img
    model = cn.Sequential([L.Dense(3, name="top", input_shape=(4,))])
    clone = clone_model(model)
    assert clone.layers[0].name == "top" and clone.layers[0] is not model.layers[0]
    with pytest.raises(TypeError, match="must be a Model"):
        clone_model(3)


@pytest.mark.parametrize(
    ("family", "expected"),
    [
        ("convnext", PIXELS),
        ("mobilenet_v2", PIXELS / 127.5 - 1),
        ("densenet", (PIXELS / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]),
        ("resnet50", PIXELS[..., ::-1] - [103.939, 116.779, 123.68]),
    ],
)
def test_preprocessing(family, expected):
    """On arrays of either order, on one image, and as a part of a model."""
    prepare = getattr(applications, family).preprocess_input
    kept = PIXELS.copy()
    np.testing.assert_allclose(prepare(PIXELS), expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(prepare(PIXELS[0].astype(np.uint8)), expected[0], rtol=1e-5, atol=1e-5)
    turned = prepare(np.moveaxis(PIXELS, -1, 1), data_format="channels_first")
    np.testing.assert_allclose(np.moveaxis(turned, 1, -1), expected, rtol=1e-5, atol=1e-5)
    x = cn.Input((6, 5, 3))
    model = cn.Model(x, L.Identity()(prepare(x)))
    np.testing.assert_allclose(model(PIXELS), expected, rtol=1e-5, atol=1e-4)
    np.testing.assert_array_equal(PIXELS, kept)


def test_preprocessing_by_mode():
    from conv2d_native.applications.imagenet_utils import decode_predictions, preprocess_input

    assert decode_predictions is applications.decode_predictions
    for mode, family in (("tf", "xception"), ("torch", "densenet"), ("caffe", "vgg16")):
        same = getattr(applications, family).preprocess_input(PIXELS)
        np.testing.assert_array_equal(preprocess_input(PIXELS, mode=mode), same)
    np.testing.assert_array_equal(preprocess_input(PIXELS), applications.vgg16.preprocess_input(PIXELS))
    with pytest.raises(ValueError, match="`mode` must be one of 'tf', 'torch', 'caffe'"):
        preprocess_input(PIXELS, mode="unit")


def test_preprocessing_refuses():
    with pytest.raises(ValueError, match="must have 3 channels on axis 3"):
        applications.resnet50.preprocess_input(PIXELS[..., :2])
    with pytest.raises(
        AttributeError, match=r"'ResNet50': save keras.applications.ResNet50\(\) with Keras once"
    ):
        applications.ResNet50  # noqa: B018
    with pytest.raises(AttributeError, match="computes inference only"):
        cn.optimizers  # noqa: B018


def test_names_of_classes(tmp_path, monkeypatch):
    scores = np.zeros((2, 1000), np.float32)
    scores[0, [7, 3]], scores[1, 999] = [0.75, 0.25], 1
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"imagenet_class_index\.json: names .* are not downloaded"):
        applications.decode_predictions(scores)
    (tmp_path / "models").mkdir()
    index = {str(i): [f"n{i:04}", f"class {i}"] for i in range(1000)}
    (tmp_path / "models" / "imagenet_class_index.json").write_text(json.dumps(index))
    made = applications.decode_predictions(scores, top=2)
    assert made[0] == [("n0007", "class 7", 0.75), ("n0003", "class 3", 0.25)]
    assert made[1][0] == ("n0999", "class 999", 1.0) and len(made[1]) == 2
    with pytest.raises(ValueError, match=r"shape \(n, 1000\)"):
        applications.decode_predictions(scores[:, :10])


def test_image_files(tmp_path):
    pytest.importorskip("PIL")
    pixels = PIXELS[0].astype(np.uint8)
    utils.save_img(tmp_path / "a.png", pixels, scale=False)
    np.testing.assert_array_equal(utils.img_to_array(utils.load_img(tmp_path / "a.png")), pixels)
    grey = utils.img_to_array(utils.load_img(str(tmp_path / "a.png"), color_mode="grayscale"))
    assert grey.shape == (6, 5, 1) and grey.dtype == np.float32
    held = bytes_of(utils.save_img, pixels, file_format="jpg")
    assert utils.load_img(io.BytesIO(held), "rgba", (3, 4), "bilinear").size == (4, 3)
    wide = utils.load_img(tmp_path / "a.png", target_size=(2, 5), keep_aspect_ratio=True)
    np.testing.assert_array_equal(np.asarray(wide), pixels[2:4])
    first = utils.img_to_array(pixels, data_format="channels_first", dtype="uint8")
    assert first.shape == (3, 6, 5) and first.dtype == np.uint8
    np.testing.assert_array_equal(
        np.asarray(utils.array_to_img(first, "channels_first", scale=False)), pixels
    )
    assert np.asarray(utils.array_to_img(X[0] + 7)).max() == 255
    assert utils.array_to_img(np.full((2, 2, 1), 1000), scale=False).mode == "I"
    with pytest.raises(ValueError, match="`color_mode` must be one of"):
        utils.load_img(tmp_path / "a.png", "bgr")
    with pytest.raises(ValueError, match="1, 3 or 4 channels"):
        utils.array_to_img(np.zeros((2, 2, 2)))
    with pytest.raises(ValueError, match="Received: 'foo'"):
        utils.save_img(tmp_path / "a.foo", pixels)


def test_plot_model(tmp_path):
    model = cn.Sequential([L.Dense(3, name="top", input_shape=(4,))])
    for show_shapes in (False, True):
        utils.plot_model(model, tmp_path / "model.dot", show_shapes=show_shapes)
        text = (tmp_path / "model.dot").read_text()
        assert "top" in text and ("(None, 3)" in text) is show_shapes
    with pytest.raises(TypeError, match="`model` must be a Model"):
        utils.plot_model(model.layers, tmp_path / "model.dot")


def test_labels_and_seeds():
    np.testing.assert_array_equal(utils.to_categorical([[2], [0]]), [[0, 0, 1], [1, 0, 0]])
    assert utils.to_categorical(np.zeros((4, 3), int), 5).shape == (4, 3, 5)
    for wrong, kind in ((([0, 3], 3), ValueError), (([-1], 3), ValueError), (([0.5],), TypeError)):
        with pytest.raises(kind):
            utils.to_categorical(*wrong)
    drawn = []
    for _ in range(2):
        utils.set_random_seed(7)
        drawn.append((np.random.rand(), L.Dense(2, input_shape=(3,))(np.ones((1, 3))).tolist()))
    assert drawn[0] == drawn[1]
    backend.clear_session()
    assert [L.Conv2D(1, 1).name for _ in range(2)] == ["conv2d", "conv2d_1"]
    assert (backend.image_data_format(), backend.floatx(), backend.epsilon()) == (
        "channels_last",
        "float32",
        1e-7,
    )


def test_frozen_layers_are_counted_as_keras_counts_them():
    inside = cn.Sequential([L.Conv2D(2, 3, input_shape=(6, 5, 3)), L.BatchNormalization()], name="inside")
    model = cn.Sequential([inside, L.Flatten(), L.Dense(4)])
    assert [v.path for v in model.weights[:2]] == [
        f"inside/{inside.layers[0].name}/{word}" for word in ("kernel", "bias")
    ]
    assert len(model.trainable_weights) == 6 and len(model.non_trainable_weights) == 2
    inside.layers[0].trainable = False
    again = cn.model_from_json(model.to_json())
    for made in (model, again):
        assert [v.name for v in made.trainable_weights] == ["gamma", "beta", "kernel", "bias"]
    said = []
    inside.trainable = False
    model.summary(print_fn=said.append)
    assert (
        f"Trainable params: {4 * (4 * 3 * 2 + 1)} " in said[0]
        and f"Non-trainable params: {56 + 8} " in said[0]
    )


def test_summary_is_as_wide_as_it_must_be():
    x = cn.Input((32, 32, 3), name="image")
    y = L.BatchNormalization(name="a_name_of_many_words_for_a_layer")(x)
    model = cn.Model(x, L.Add(name="sum")([x, y]))
    said = []
    for words in ({"line_length": 160}, {"line_length": 76}, {"line_length": 40, "show_trainable": True}):
        model.summary(print_fn=said.append, **words)
    wide, narrow, least = ([line for line in text.splitlines() if line[0] in "┏┃│├└"] for text in said)
    assert "a_name_of_many_words_for_a_layer (BatchNormalization) │ (None, 32, 32, 3) │      12 │ " in said[0]
    assert len({*map(len, wide)}) == 1 and len(wide[0]) <= 160 and len(wide) == 8
    assert {*map(len, narrow)} == {76} and "(None, 32, 32, 3)" in said[1]
    assert len({*map(len, least)}) == 1 and len(least[0]) <= 40
    with pytest.raises(ValueError, match="at least 40"):
        model.summary(line_length=39)


def test_objects_entered_for_all_files():
    entry = json.loads(cn.Sequential([L.Dense(2, activation="relu", input_shape=(3,))]).to_json())
    entry["config"]["layers"][1]["config"]["activation"] = "halved"
    with saving.custom_object_scope({"halved": lambda x: x / 2}):
        model = cn.model_from_json(entry)
    with pytest.raises(cn.UnsupportedLayerError, match="'halved'"):
        cn.model_from_json(entry)
    x = RNG.random((2, 3), np.float32)
    np.testing.assert_allclose(model(x), x @ model.get_weights()[0] / 2, rtol=1e-5)

    @saving.register_keras_serializable("mine")
    def halved(x):
        return x / 4

    try:
        again = cn.model_from_json(entry)
        again.set_weights(model.get_weights())
        np.testing.assert_allclose(again(x), model(x) / 2, rtol=1e-5)
        np.testing.assert_allclose(cn.model_from_json(entry, {"halved": np.abs})(x).shape, (2, 2))
    finally:
        saving.get_custom_objects().clear()


ON_BOTH = {
    "relu": lambda ops, x: ops.relu(x - 0.5),
    "softmax by position": lambda ops, x: ops.softmax(x, -1),
    "gelu": lambda ops, x: ops.gelu(x),
    "concatenate": lambda ops, x: ops.concatenate([x, ops.square(x)], axis=-1),
    "mean": lambda ops, x: ops.mean(x, axis=(1, 2), keepdims=True),
    "clip": lambda ops, x: ops.clip(x, 0.2, 0.8),
    "pad": lambda ops, x: ops.pad(x, [[0, 0], [1, 2], [0, 0], [0, 0]], constant_values=0.5),
    "transpose": lambda ops, x: ops.transpose(x, (0, 3, 1, 2)),
    "reshape": lambda ops, x: ops.reshape(x, (-1, 30, 3)),
    "where": lambda ops, x: ops.where(ops.greater(x, 0.5), x, 0.25),
    "multiply by name": lambda ops, x: ops.multiply(x1=x, x2=2.0),
    "einsum": lambda ops, x: ops.einsum("nhwc,nhwc->nhw", x, x),
    "max_pool": lambda ops, x: ops.max_pool(x, 2, strides=1, padding="same"),
    "resize": lambda ops, x: ops.image.resize(x, (4, 3)),
    "conv": lambda ops, x: ops.nn.conv(x, np.ones((3, 3, 3, 2), np.float32), padding="same"),
    "cast": lambda ops, x: ops.cast(x, "float32"),
    "argmax": lambda ops, x: ops.argmax(x, axis=-1),
    "expand_dims": lambda ops, x: ops.expand_dims(x, -1),
}


@pytest.mark.parametrize("name", ON_BOTH)
def test_operations_compute_the_same_on_arrays_and_in_models(name, tmp_path):
    x = cn.Input((6, 5, 3))
    model = cn.Model(x, ON_BOTH[name](ops, x))
    expected = ON_BOTH[name](ops, X)
    np.testing.assert_allclose(model(X), expected, rtol=1e-5, atol=1e-6)
    model.save(tmp_path / "m.keras")
    np.testing.assert_array_equal(cn.load_model(tmp_path / "m.keras")(X), model(X))


def test_operations_on_arrays_take_the_batch_as_any_axis():
    assert ops.expand_dims(X, 0).shape == (1, 2, 6, 5, 3) and ops.concatenate([X, X]).shape == (4, 6, 5, 3)
    assert ops.mean(X, axis=0).shape == (6, 5, 3) and ops.reshape(X, (-1,)).shape == (180,)
    np.testing.assert_array_equal(ops.sort(ops.convert_to_numpy([3, 1])), [1, 3])
    values, places = ops.top_k(np.array([[0.1, 0.7, 0.2]]), 2)
    assert values.tolist() == [[0.7, 0.2]] and places.tolist() == [[1, 2]]
    assert ops.shape(cn.Input((None, 3))) == (None, None, 3) and ops.is_tensor(X)
    assert ops.one_hot([2], 3, dtype="int32").tolist() == [[0, 0, 1]]


def test_operations_on_arrays_take_axes_in_lists():
    for name in ("mean", "max", "sum", "any", "flip", "var", "squeeze"):
        x = X[:, :1, :1] if name == "squeeze" else X
        function = getattr(ops, name)
        np.testing.assert_array_equal(function(x, axis=[1, 2]), function(x, axis=(1, 2)))
    dense = L.Dense(2)
    dense(X[:, 0, 0])
    np.testing.assert_array_equal(ops.mean(dense.kernel, axis=[0, 1]), dense.kernel.numpy().mean())


def test_operations_make_float32_of_numbers():
    made = [
        ops.zeros((2,)), ops.ones((2,)), ops.linspace(0, 1, 3), ops.eye(3), ops.array([1.0]), ops.arange(0, 1, 0.5),
        ops.convert_to_tensor([1.0]), ops.convert_to_tensor(1.0), ops.add([1.0], [2.0]), ops.sqrt([4]),
        ops.mean(np.array([1, 2])), *ops.meshgrid([0.5, 1.0], [1.5]), ops.full((2,), 1.5), ops.sort([2.0, 1.0]),
    ]  # fmt: skip
    assert {x.dtype.name for x in made} == {"float32"}
    double = np.ones(2)
    kept = [
        ops.array(double), ops.convert_to_tensor(double), ops.abs(double), ops.add(double, 1.0), ops.zeros_like(double),
        ops.zeros((2,), "float64"), ops.ones(2, dtype=np.float64), ops.array([1.0], dtype=double.dtype),
    ]  # fmt: skip
    assert {x.dtype.name for x in kept} == {"float64"}
    assert ops.zeros(2, dtype="int32").dtype == np.int32 and ops.convert_to_tensor([True]).dtype == np.bool_


def test_operations_on_numbers_and_lists():
    np.testing.assert_allclose(ops.erf(0.5), 0.5204999, rtol=1e-6)
    assert ops.erf(0.5).shape == () and ops.rsqrt([1, 4]).tolist() == [1, 0.5]
    np.testing.assert_allclose(ops.layer_normalization([[1, 3.0]]), [[-1, 1]], atol=1e-6)
    np.testing.assert_allclose(ops.logsumexp(np.zeros((2, 3)), axis=0), np.log([2, 2, 2]), rtol=1e-6)
    mean, variance = ops.moments(np.float32([[1, 2], [3, 6]]), axes=[0])
    assert (mean.tolist(), variance.tolist(), ops.norm([3, 4])) == ([2, 4], [1, 4], 5)
    assert ops.argsort([1, 0, 1, 0]).tolist() == [1, 3, 0, 2] and ops.divide_no_nan(
        [1, 2], [0, 4]
    ).tolist() == [0, 0.5]


def test_operations_refuse():
    with pytest.raises(NotImplementedError, match=r"ops\.kron is computed on arrays only"):
        ops.kron(cn.Input((3,)), cn.Input((3,)))
    with pytest.raises(TypeError, match=r"ops\.relu\(\) missing a required argument: 'x'"):
        ops.relu()
    with pytest.raises(AttributeError, match="has no attribute 'no_such'"):
        ops.no_such  # noqa: B018
    assert "relu" in dir(ops) and "no_such" not in dir(ops)


@pytest.mark.parametrize("listed", [list, tuple])
def test_one_output_in_a_list_comes_bare_out_of_arrays(listed, tmp_path):
    source = cn.Input((3,))
    model = cn.Model(source, listed([L.Dense(2, name="top")(source)]))
    assert model.output_shape == (None, 2) and model(cn.Input((3,)))[0].shape == (None, 2)
    model.save(tmp_path / "m.keras")
    x = np.ones((20, 3), np.float32)
    expected = model.get_layer("top")(x)
    for each in (model, cn.load_model(tmp_path / "m.keras")):
        for _ in range(2):
            for made in (each(x), each.predict(x), each.predict(x, batch_size=7), each.predict_on_batch(x)):
                np.testing.assert_array_equal(made, expected)
    assert cn.Model([source], {"a": model.output[0]})(x)["a"].shape == (20, 2)
    assert cn.Model([source], model.output[0]).input_shape == (None, 3)


def test_one_image_without_a_batch():
    image = X[0]
    layers = [
        L.Resizing(4, 3),
        L.Resizing(4, 3, pad_to_aspect_ratio=True),
        L.Resizing(4, 3, data_format="channels_first"),
        L.CenterCrop(3, 4),
        L.CenterCrop(9, 4),
        L.RandomCrop(3, 4),
        L.Pipeline(
            [L.Rescaling(2.0), L.Resizing(4, 3), L.Normalization(mean=[0.1, 0.2, 0.3], variance=[1, 2, 3])]
        ),
        L.Pipeline([L.Pipeline([L.CenterCrop(3, 4)]), L.RandomFlip()]),
    ]
    for layer in layers:
        for _ in range(2):
            np.testing.assert_array_equal(layer(image), layer(X[:1])[0])
        assert (
            layer(X).shape == (2, *layer(image).shape)
            and layer(image.astype("uint8"), training=False).ndim == 3
        )
    lines = L.Pipeline([L.Reshape((6, 5, 1)), L.Resizing(3, 4)])
    assert lines(X[..., 0]).shape == (2, 3, 4, 1)
    assert L.Pipeline([L.Rescaling(2.0)])(image).shape == image.shape
    with pytest.raises(ValueError, match="ndim"):
        L.Resizing(4, 3)(X[0, 0])


def test_settings_of_the_process():
    from conv2d_native.config import set_epsilon, set_floatx, set_image_data_format

    assert (cn.config.floatx(), cn.config.epsilon()) == ("float32", 1e-7) and cn.version() == cn.__version__
    assert cn.config.image_data_format() == "channels_last" and isinstance(cn.Input((3,)), cn.KerasTensor)
    for setting, kept, other in (
        (set_floatx, "float32", "float16"),
        (set_epsilon, 1e-7, 1e-3),
        (set_image_data_format, "channels_last", "channels_first"),
    ):
        setting(kept)
        with pytest.raises(ValueError, match=f"must be {kept!r}. Received: .*={other!r}"):
            setting(other)


def test_summaries_of_some_layers():
    model = cn.Sequential([L.Dense(2, name=f"dense_{n}") for n in range(6)])
    model.build((None, 2))
    for ends, listed in (
        (("dense_1", "dense_3"), "123"),
        (["dense_4", "dense_2"], "234"),
        (("dense_5", ".*"), "5"),
    ):
        said = []
        model.summary(print_fn=said.append, layer_range=ends)
        assert "".join(n for n in "012345" if f"dense_{n} " in said[0]) == listed
    for ends in (("dense_1",), ("dense_1", 2), "ab", ("no", "dense_1")):
        with pytest.raises(ValueError, match="`layer_range` must"):
            model.summary(print_fn=said.append, layer_range=ends)
    assert model.to_json(indent=2).count("\n") > 10 and json.loads(model.to_json(indent=2)) == json.loads(
        model.to_json()
    )


def test_descriptions_of_layers():
    config = saving.serialize_keras_object(L.Dense(3, name="top"))
    assert config["class_name"] == "Dense" and saving.deserialize_keras_object(config).name == "top"
    with pytest.raises(TypeError, match="`obj` must be a layer or a model"):
        saving.serialize_keras_object(3)
    with pytest.raises(TypeError, match="a layer or a model"):
        saving.serialize_keras_object(L.Dense)

    class Own(L.Layer):
        pass

    assert saving.get_registered_object("mine>Own") is None
    with saving.custom_object_scope({"other>Own": Own}):
        assert saving.get_registered_name(Own) == "Own"  # names of a scope are not registered, as in Keras
        assert saving.get_registered_object("other>Own") is Own and saving.get_custom_objects() == {}
    assert saving.get_registered_object("Own", {"Own": Own}) is Own

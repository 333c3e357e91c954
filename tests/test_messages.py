"""Mistakes that people make: the message names the argument, what was expected and what came, in plain words."""

import re

import numpy as np
import pytest
from PIL import Image

import conv2d_native as cn
from conv2d_native import layers as L

RNG = np.random.default_rng(0)
X = RNG.random((2, 8, 8, 3), np.float32)
KERNEL = np.zeros((3, 3, 3, 4), np.float32)
PICTURE = Image.new("RGB", (8, 8))


@pytest.fixture(scope="module")
def model():
    stack = [L.Conv2D(4, 3, activation="relu"), L.Flatten(), L.Dense(5, activation="softmax")]
    return cn.Sequential([cn.Input((8, 8, 3)), *stack], name="net")


class NoSuper(L.Layer):
    def __init__(self):
        self.units = 3


class Nothing(L.Layer):
    def call(self, f, x):
        return None


INPUTS = {
    "channels first": (
        RNG.random((2, 3, 8, 8)),
        ValueError,
        "(None, 8, 8, 3)",
        "(2, 3, 8, 8)",
        "transpose(0, 2, 3, 1)",
    ),
    "one image": (
        RNG.integers(0, 256, (8, 8, 3), np.uint8),
        ValueError,
        "(None, 8, 8, 3)",
        "(8, 8, 3)",
        "x[None]",
    ),
    "a picture": (PICTURE, ValueError, "(8, 8, 3)", "x[None]"),
    "channels": (RNG.random((2, 8, 8, 1)), ValueError, "(None, 8, 8, 3)", "(2, 8, 8, 1)"),
    "two sizes": ([X[0], X[1, 1:]], ValueError, "`x`", "one shape", "(8, 8, 3), (7, 8, 3)"),
    "a path": ("cat.jpg", TypeError, "`x`", "real numbers", "'cat.jpg'"),
    "nothing": (None, TypeError, "`x`", "None"),
    "an empty list": ([], ValueError, "`x`", "(0,)"),
    "bool": (X > 0.5, TypeError, "`x`", "bool"),
    "images in an array of objects": (np.array([X[0], X[1, 1:]], object), TypeError, "`x`", "dtype object"),
    "complex": (X.astype(complex), TypeError, "`x`", "complex128"),
    "a dict": ({"image": X}, ValueError, "`x`", "'image'"),
}


@pytest.mark.parametrize("name", INPUTS)
def test_inputs(name, model):
    x, error, *words = INPUTS[name]
    with pytest.raises(error) as caught:
        model.predict(x, verbose=0)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_inputs_that_are_no_mistakes(model):
    expected = model.predict(X)
    for x in (X.astype(float), X.tolist(), [*X], [X], np.asfortranarray(X)):
        np.testing.assert_array_equal(model.predict(x), expected)
    assert model.predict([PICTURE, PICTURE]).shape == (2, 5)


CALLS = {
    "layer, one image": (lambda m: m.layers[0](X[0]), ValueError, "ndim=4", "(8, 8, 3)", "x[None]"),
    "layer, channels first": (
        lambda m: m.layers[0](X.transpose(0, 3, 1, 2)), ValueError, "axis -1", "(2, 3, 8, 8)", "transpose(0, 2, 3, 1)",
    ),
    "function, one image": (lambda m: cn.conv2d(X[0], KERNEL), ValueError, "`x`", "4 dimensions", "(8, 8, 3)"),
    "function, channels": (lambda m: cn.conv2d(X[..., :2], KERNEL), ValueError, "`kernel`", "(kh, kw, 2, filters)"),
    "bias": (lambda m: cn.conv2d(X, KERNEL, np.zeros(3)), ValueError, "`bias`", "(4,)", "(3,)"),
    "activation": (lambda m: L.Conv2D(4, 3, activation="rellu"), ValueError, "`activation`", "'rellu'", "mean 'relu'"),
    "softmax": (lambda m: cn.dense(X, X, 0, L.Softmax([1, 2])), TypeError, "`activation`", "along one axis", "<Softm"),
    "softmax over the batch": (lambda m: L.Softmax([0, 1])(X), ValueError, "`axis`", "the batch", "axis=[0, 1]"),
    "padding": (lambda m: L.Conv2D(4, 3, padding="smae"), ValueError, "`padding`", "'valid', 'same'", "'smae'"),
    "data_format": (lambda m: L.Conv2D(4, 3, data_format="NCHW"), ValueError, "`data_format`", "'NCHW'"),
    "kernel_size": (lambda m: L.Conv2D(4, [3, 3, 3]), ValueError, "`kernel_size`", "1 or 2", "[3, 3, 3]"),
    "filters": (lambda m: L.Conv2D(4.0, 3), TypeError, "`filters`", "integer", "4.0"),
    "activation to save": (
        lambda m: cn.activations.serialize(cn.activations.make("celu", alpha=2.0)), ValueError, "cannot store", "celu",
    ),
    "rate": (lambda m: L.Dropout(1.5), ValueError, "`rate`", "from 0 to 1", "rate=1.5"),
    "no batch": (lambda m: cn.dense(3.0, KERNEL[0, 0]), ValueError, "`x`", "batch axis", "()"),
    "two names": (lambda m: m.get_layer("conv", 1), ValueError, "`name` or `index`"),
    "index": (lambda m: m.get_layer(index=9), ValueError, "`index`", "index=9"),
    "no layer's tensor": (lambda m: cn.Model(cn.Input((3,)), cn.KerasTensor((None, 3))), ValueError, "no layer"),
    "text of a model": (lambda m: cn.model_from_json(3), TypeError, "`text`", "text=3"),
    "live model": (lambda m: cn.from_keras(m.layers), TypeError, "`keras_model`"),
    "both proportions": (lambda m: L.Resizing(2, 2, "nearest", True, True), ValueError, "Only one of"),
    "initializer": (lambda m: L.Dense(1, kernel_initializer="he_nromal"), ValueError, "mean 'he_normal'"),
    "unknown word": (lambda m: L.Conv2D(4, 3, stride=2), TypeError, "Conv2D", "'stride'", "mean 'strides'"),
    "unknown word of all": (lambda m: L.Dense(4, names="a"), TypeError, "Dense", "'names'", "mean 'name'"),
    "unknown word of a row": (lambda m: L.Dropout(0.5, sed=1), TypeError, "Dropout", "'sed'", "mean 'seed'"),
    "unknown word of a function": (lambda m: cn.celu(X, alfa=1), TypeError, "celu()", "'alfa'", "mean 'alpha'"),
    "capitals": (lambda m: L.Dense(4, activation="ReLU"), ValueError, "`activation`", "'ReLU'", "mean 'relu'"),
    "groups of the batch": (lambda m: L.GroupNormalization(1)(X[0, 0, 0]), ValueError, "`axis`", "batch", "axis=-1"),
    "scale of the batch": (lambda m: L.RMSNormalization(axis=0)(X), ValueError, "`axis`", "batch", "axis=0"),
    "axis": (lambda m: L.Concatenate(axis=-4)([X, X]), ValueError, "`axis`", "batch", "-4"),
    "shapes": (lambda m: L.Add()([X, X[:, 1:]]), ValueError, "(2, 8, 8, 3)", "(2, 7, 8, 3)"),
    "alone": (lambda m: L.Add()(X), ValueError, "list", "(2, 8, 8, 3)"),
    "interpolation": (lambda m: cn.resize(X, 4, "cubic"), ValueError, "`interpolation`", "mean 'bicubic'"),
    "out": (lambda m: cn.conv2d(X, KERNEL, out=np.zeros((2, 6, 6, 4))), ValueError, "`out`", "float32", "float64"),
    "before build": (lambda m: L.Conv2D(4, 3).kernel, AttributeError, "'kernel'", "build(input_shape)"),
    "weights before build": (lambda m: L.Conv2D(4, 3).set_weights([KERNEL]), ValueError, "build(input_shape)"),
    "weights, number": (lambda m: m.layers[0].set_weights([KERNEL]), ValueError, "`weights`", "2 arrays", "1 of"),
    "weights, shape": (
        lambda m: m.layers[0].set_weights([KERNEL[1:], np.zeros(4)]), ValueError, "(3, 3, 3, 4)", "(2, 3, 3, 4)",
    ),
    "batch in input_shape": (
        lambda m: cn.Sequential([L.Conv2D(4, 3, input_shape=(None, 8, 8, 3))]), ValueError, "left out of `input_shape`",
    ),
    "input_shape": (lambda m: L.Dense(1, input_shape=(3.0,)), TypeError, "`input_shape`", "tuple", "(3.0,)"),
    "a class": (lambda m: cn.Sequential([L.Flatten]), TypeError, "Flatten(...)"),
    "no list": (lambda m: cn.Sequential(L.Flatten()), TypeError, "`layers`", "list"),
    "fit": (lambda m: m.fit(X, X), AttributeError, "'net'", "fit()", "Train with Keras"),
    "compile": (lambda m: m.compile(loss="mse"), AttributeError, "'net'", "compile()", "inference only"),
    "training": (lambda m: m(X, training=True), ValueError, "'net'", "inference only"),
    "beside x": (lambda m: m.layers[0](X, X), TypeError, "`x` alone", "shape (2, 8, 8, 3)"),
    "callbacks": (lambda m: m.predict(X, callbacks=[print]), ValueError, "`callbacks`", "built-in function print"),
    "verbose": (lambda m: m.predict(X, verbose=3), ValueError, "`verbose`", "'auto', 0, 1 or 2"),
    "verbose, known shape": (lambda m: [m.predict(X), m.predict(X, verbose=3)], ValueError, "`verbose`"),
    "batch_size": (lambda m: m.predict(X, batch_size=0), ValueError, "`batch_size`", "positive"),
    "get_layer": (lambda m: m.get_layer("conv"), ValueError, "'conv'", "flatten"),
    "explain": (lambda m: cn.explain("conv2d"), ValueError, "`target`", "n1h56w56c64_k3x3s1d1p1_oc64g1_relu"),
    "get_layer, nearly": (lambda m: m.get_layer("Flaten"), ValueError, "'Flaten'", "mean 'flatten"),
    "shape of a layer": (lambda m: m.layers[0].input_shape, AttributeError, "'input_shape'", "layer.input.shape"),
    "no such function": (lambda m: cn.utils.load_jpg, AttributeError, "'conv2d_native.utils'", "'load_jpg'"),
    "network": (lambda m: cn.applications.resnet50.ResNet50(), AttributeError, "ResNet50() with Keras", "load_model"),
    "no such layer": (lambda m: L.Conv3D, AttributeError, "'Conv3D'", "docs/layers.md"),
    "layer at the top": (lambda m: cn.Conv2D, AttributeError, "conv2d_native.layers.Conv2D"),
    "count of no weights": (lambda m: L.Conv2D(4, 3, name="conv").count_params(), ValueError, "'conv'", "build(input"),
    "count of none": (lambda m: cn.Sequential([L.Dense(2)], name="n").count_params(), ValueError, "'n'", "build(input"),
    "never called": (lambda m: L.Flatten().output, AttributeError, "never called"),
    "one grey image": (
        lambda m: cn.Sequential([L.Flatten(input_shape=(8, 8, 1))]).predict(X[0, :, :, :1]),
        ValueError,
        "of shape (8, 8, 1)",
        "x[None]",
    ),
    "output before build": (lambda m: cn.Sequential([L.Flatten()]).output, AttributeError, "build(input_shape)"),
    "custom_objects": (lambda m: cn.model_from_json(m.to_json(), [print]), TypeError, "`custom_objects`", "dict"),
    "json": (lambda m: cn.model_from_json("model.json"), ValueError, "`text`", "JSON", "'model.json'"),
    "not a file": (lambda m: cn.load_model(None), TypeError, "`filepath`", "path", "None"),
    "save as": (lambda m: m.save("model.h5"), ValueError, "`filepath`", ".keras", "'model.h5'"),
    "save as nothing": (lambda m: m.save(None), TypeError, "`filepath`", "path or a binary file", "filepath=None"),
    "save weights as": (lambda m: m.save_weights(5), TypeError, "`filepath`", "path or a binary file", "filepath=5"),
    "save as, NUL": (lambda m: m.save("a\0.keras"), ValueError, "`filepath`", "NUL", "'a\\x00.keras'"),
    "save as, bytes": (lambda m: m.save(b"a\0.keras", False), ValueError, "`filepath`", "NUL", "'a\\x00.keras'"),
    "save as, surrogate": (lambda m: m.save("\ud800.keras"), ValueError, "`filepath`", "surrogates", "'\\ud800.keras'"),
    "open, NUL": (lambda m: cn.load_model("a\0b"), ValueError, "`filepath`", "NUL", "'a\\x00b'"),
    "picture": (lambda m: m.save_picture(None), TypeError, "`path`", "path", "path=None"),
    "picture, NUL": (lambda m: m.save_picture("a\0.dot"), ValueError, "`path`", "NUL", "'a\\x00.dot'"),
    "trace": (lambda m: m.profile(X).save_trace(None), TypeError, "`path`", "path", "path=None"),
    "no inputs": (lambda m: cn.Model(), ValueError, "`inputs`", "Input(...)"),
    "a call of its own": (lambda m: type("Net", (cn.Model,), {})().predict(X), ValueError, "Model(inputs, outputs)"),
    "epsilon": (lambda m: cn.batch_normalization(X, 0, 1, epsilon="a"), TypeError, "`epsilon`", "'a'"),
    "beta": (lambda m: cn.layer_normalization(X, beta=[1, 2]), ValueError, "`beta`", "(3,)", "(2,)"),
    "shift": (lambda m: cn.functional.scale_shift(X, 1.0, [1, 2]), ValueError, "`shift`", "(3,)", "(2,)"),
    "alpha": (lambda m: cn.prelu(X, [1, 2]), ValueError, "`alpha`", "(8, 8, 3)", "(2,)"),
    "slope": (lambda m: cn.celu(X, alpha="b"), TypeError, "`alpha`", "'b'"),
    "even": (lambda m: cn.glu(X), ValueError, "`axis`", "even size", "size 3"),
    "too many": (lambda m: cn.leaky_relu(X, 0.2, 0.3), TypeError, "leaky_relu()"),
    "max_bytes": (lambda m: cn.load_model(b"", max_bytes="1"), TypeError, "`max_bytes`", "'1'"),
    "mask": (lambda m: m(X, mask=X), TypeError, "'mask', <array of dtype float32"),
    "get_layer, index": (lambda m: m.get_layer(index=2.5), TypeError, "`index`", "an integer", "2.5"),
    "line_length": (lambda m: m.summary(line_length="x"), TypeError, "`line_length`", "integer", "'x'"),
    "weights, a path": (lambda m: m.set_weights("w.npy"), TypeError, "list of arrays", "weights='w.npy'"),
    "weights, no list": (lambda m: m.set_weights(5), TypeError, "`weights`", "list of arrays", "weights=5"),
    "config, Sequential": (lambda m: cn.Sequential.from_config(5), TypeError, "`config`", "dict", "config=5"),
    "config, Model": (lambda m: cn.Model.from_config([1]), TypeError, "`config`", "dict", "config=[1]"),
    "config, layer": (lambda m: L.Dense.from_config("x"), TypeError, "`config`", "dict", "config='x'"),
    "itself": (lambda m: m.add(m), ValueError, "hold itself", "Sequential"),
    "itself, inside": (lambda m: m.add(cn.Sequential([m])), ValueError, "hold itself", "Sequential"),
    "no super": (lambda m: NoSuper()(X), AttributeError, "'NoSuper'", "super().__init__()"),
    "no super, in a model": (lambda m: cn.Sequential([NoSuper()]), AttributeError, "'NoSuper'", "super().__init__()"),
    "nothing returned": (lambda m: Nothing(name="n")(X), TypeError, "call() of layer 'n'", "operations of `f`", "None"),
    "nothing returned, in a model": (
        lambda m: cn.Sequential([L.Flatten(), Nothing(name="n")]).predict(X), TypeError, "call() of layer 'n'", "None",
    ),
    "nothing returned, inside": (
        lambda m: L.Pipeline([Nothing(name="n")])(X), TypeError, "call() of layer 'n'", "None",
    ),
    "batches of several sizes": (
        lambda m: cn.Sequential([L.ReLU(input_shape=(None, 3))]).predict(X[:, i, : 8 - i] for i in range(2)),
        ValueError, "outputs have one shape", "each batch", "(7, 3), (8, 3)",
    ),
    "save nowhere": (lambda m: m.save("nowhere/m.keras"), FileNotFoundError, "nowhere/m.keras'"),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_calls(name, model):
    call, error, *words = CALLS[name]
    with pytest.raises(error) as caught:
        call(model)
    text = str(caught.value)
    assert all(word in text for word in words), text
    assert not re.search(r"std::|_core|Base[A-Z]|NoneType|\.partial|pybind", text), text


def test_saving_does_not_replace_what_it_must_keep(model, tmp_path):
    path = tmp_path / "m.keras"
    model.save(path)
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match=r"m\.keras"):
        model.save(path, overwrite=False)
    assert path.read_bytes() == before and [*tmp_path.iterdir()] == [path]
    with pytest.raises(IsADirectoryError, match=r"folder\.keras"):
        (tmp_path / "folder.keras").mkdir()
        model.save(tmp_path / "folder.keras")


@pytest.mark.parametrize(
    ("file", "word"),
    [("saved_model.pb", "SavedModel"), ("config.json", "zipped=True"), ("a.txt", "not a model file.")],
)
def test_folders_are_no_model_files(file, word, tmp_path):
    (tmp_path / file).write_bytes(b"")
    with pytest.raises(IsADirectoryError, match=word):
        cn.load_model(tmp_path)


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        *(
            (name, "Train with Keras.* load_model")
            for name in ("compile", "fit", "train_on_batch", "fit_generator")
        ),
        *(
            (name, r"predict\(x\)")
            for name in ("evaluate", "test_on_batch", "predict_generator", "predict_classes")
        ),
        ("export", r"save\(filepath\) writes a .keras file"),
        ("make_predict_function", "leave it out"),
        ("to_yaml", r"take to_json\(\) and model_from_json"),
    ],
)
def test_methods_that_are_not_there_say_what_to_do(model, name, instead):
    for one in (model, cn.Model(model.input, model.output, name="net")):
        assert not hasattr(one, name)
        with pytest.raises(AttributeError, match=rf"^Model 'net' has no {name}\(\): .*{instead}"):
            getattr(one, name)(X)


@pytest.mark.parametrize(
    "name", ["optimizer", "loss", "metrics", "metrics_names", "history", "stop_training"]
)
def test_what_training_leaves_in_a_model_says_what_to_do(model, name):
    """A class of the user's may have an attribute of that name."""
    with pytest.raises(AttributeError, match=f"^Model 'net' has no {name}: .* Train with Keras"):
        getattr(model, name)
    assert not hasattr(model, name)
    own = type("Own", (cn.Model,), {"call": lambda self, x: x})()
    setattr(own, name, 3)
    assert getattr(own, name) == 3


@pytest.mark.parametrize("symbolic", [False, True])
def test_layers_of_one_tensor_refuse_lists_and_dicts(symbolic):
    x = np.ones((2, 6, 7, 4), np.float32)
    one = cn.Input(x.shape[1:]) if symbolic else x
    for make in (
        lambda: L.ReLU(name="one"),
        lambda: L.Conv2D(3, 3, name="one"),
        lambda: L.BatchNormalization(name="one"),
        lambda: L.Dense(3, name="one"),
        lambda: L.MaxPooling2D(name="one"),
        lambda: L.Flatten(name="one"),
        lambda: L.Pipeline([L.Rescaling(2.0, name="one")]),
    ):
        for several in ([one], (one,), {"a": one}, [one, one]):
            layer = make()
            with pytest.raises(ValueError, match="Layer 'one' must be called on one tensor, not on a list"):
                layer(several)
            assert layer(x).shape[0] == 2
            with pytest.raises(ValueError, match="Layer 'one' must be called on one tensor, not on a list"):
                layer(several)
    assert len(L.Identity()([one])) == len(L.Dropout(0.5)({"a": one})) == 1


def test_symbolic_tensors_and_arrays_are_not_merged():
    x, array = cn.Input((3,)), np.ones((2, 3), np.float32)
    for layer in (L.Add(name="both"), L.Concatenate(name="both"), L.Attention(name="both")):
        with pytest.raises(
            TypeError, match="Layer 'both' must be called on symbolic tensors alone or on arrays"
        ):
            layer([x, array])


@pytest.mark.parametrize(
    "make, error, words",
    [
        (lambda: L.Permute(2), ValueError, "`dims`"),
        (lambda: L.Permute(None), TypeError, "`dims`"),
        (lambda: L.UnitNormalization((2, -2))(X), ValueError, "`axis` must name each axis once"),
        (lambda: L.UnitNormalization(-(2**63))(X), ValueError, "`axis` must be from -4 to 3"),
        (lambda: L.UnitNormalization(4)(cn.Input((2, 3, 4))), ValueError, "`axis` must be from -4 to 3"),
        (lambda: L.Lambda(abs, arguments=np.ones(3)), TypeError, "`arguments` must be a dict"),
        (lambda: L.MultiHeadAttention(2, 3, output_shape=np.ones(3)), TypeError, "`output_shape`"),
        (
            lambda: L.Conv2DTranspose(4, 2**31 - 1)(X),
            ValueError,
            r"'conv2d_transpose\w*/kernel' of shape .2147483647",
        ),
    ],
)
def test_words_that_numpy_would_refuse_without_a_name(make, error, words):
    with pytest.raises(error, match=words):
        make()

"""Sequential and functional models: building, predicting, batches, weights, configurations, pickling."""

import copy
import io
import pickle
import sys

import numpy as np
import pytest

import conv2d_native as cn
from conv2d_native import layers as L
from conv2d_native.models import progress
from threads import in_threads

RNG = np.random.default_rng(3)


def images(n=5, size=12, channels=3):
    return RNG.standard_normal((n, size, size, channels)).astype(np.float32)


def small():
    return cn.Sequential(
        [
            L.Conv2D(8, 3, activation="relu", input_shape=(12, 12, 3)),
            L.MaxPooling2D(),
            L.BatchNormalization(),
            L.Flatten(),
            L.Dense(4, activation="softmax"),
        ]
    )


def branched():
    x = cn.Input((12, 12, 3), name="image")
    a = L.Conv2D(6, 3, padding="same", name="a")(x)
    b = L.Conv2D(6, 1, name="b")(x)
    total = a * b + 0.5
    return cn.Model(x, [L.GlobalAveragePooling2D(name="mean")(total), total], name="branched")


def layer_by_layer(model, x):
    for layer in model.layers:
        x = layer(x)
    return x


def test_sequential_equals_its_layers():
    model, x = small(), images()
    np.testing.assert_allclose(model.predict(x, verbose=0), layer_by_layer(model, x), rtol=2e-5, atol=1e-6)
    assert model.input_shape == (None, 12, 12, 3) and model.output_shape == (None, 4)
    assert [type(layer).__name__ for layer in model.layers][:2] == ["Conv2D", "MaxPooling2D"]


@pytest.mark.parametrize("batch_size", [1, 2, 3, 7, 100])
def test_batches_do_not_change_a_bit(batch_size):
    model, x = small(), images(7)
    whole = model(x)
    np.testing.assert_array_equal(model.predict(x, batch_size=batch_size, verbose=0), whole)
    np.testing.assert_array_equal(model(x[3:4])[0], whole[3])


def test_an_empty_batch_gives_an_empty_answer():
    for model in (small(), branched()):
        for y in (model.predict(images(0)), model(images(0))):
            for array in y if isinstance(y, list) else [y]:
                assert len(array) == 0 and array.dtype == np.float32


@pytest.mark.parametrize("dtype", ["float64", "uint8", "int64", "float16", ">f4"])
def test_other_dtypes_are_converted(dtype):
    model = small()
    x = np.abs(images(5) * 40).astype(np.uint8).astype(dtype)
    np.testing.assert_array_equal(model.predict(x, batch_size=2, verbose=0), model(x.astype(np.float32)))


def test_sequential_builds_on_the_first_array():
    model = cn.Sequential([L.Conv2D(3, 3), L.GlobalMaxPooling2D()])
    assert not model.built and "unbuilt" in text_of(model)
    assert model.predict(images()).shape == (5, 3)
    assert model.built and model.input_shape == (None, 12, 12, 3)


def test_add_and_pop():
    model = cn.Sequential(name="stack")
    model.add(cn.Input((12, 12, 3)))
    model.add(L.Conv2D(2, 3))
    model.add(L.Flatten())
    assert model.output_shape == (None, 200) and model(images()).shape == (5, 200)
    assert type(model.pop()).__name__ == "Flatten"
    assert model(images()).shape == (5, 10, 10, 2)
    with pytest.raises(TypeError, match="Only layers"):
        model.add(np.zeros(3))
    with pytest.raises(ValueError, match="different names"):
        model.add(L.Conv2D(2, 3, name=model.layers[0].name))
    with pytest.raises(ValueError, match="zero or negative"):
        model.add(L.Conv2D(2, 99))
    assert len(model.layers) == 1 and model(images()).shape == (5, 10, 10, 2)


def test_functional_model():
    model, x = branched(), images()
    mean, total = model.predict(x, batch_size=2, verbose=0)
    expected = model.get_layer("a")(x) * model.get_layer("b")(x) + np.float32(0.5)
    np.testing.assert_allclose(total, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(mean, expected.mean(axis=(1, 2)), rtol=1e-5, atol=1e-5)
    assert model.output_shape == [(None, 6), (None, 12, 12, 6)]
    np.testing.assert_array_equal(model.predict({"image": x}, verbose=0)[1], total)
    assert [layer.name for layer in model.layers] == ["image", "a", "b", "mean"]


def test_inputs_and_outputs_by_name():
    left, right = cn.Input((4,), name="left"), cn.Input((4,), name="right")
    model = cn.Model({"l": left, "r": right}, {"sum": left + right, "difference": left - right})
    assert [*model.input_names, *(n[:3] for n in model.output_names)] == ["l", "r", "sub", "add"]
    a, b = RNG.standard_normal((2, 3, 4)).astype(np.float32)
    y = model.predict({"r": b, "l": a}, verbose=0)
    np.testing.assert_array_equal(y["sum"], a + b)
    np.testing.assert_array_equal(y["difference"], a - b)
    with pytest.raises(ValueError, match="entry for every input: l, r"):
        model.predict({"l": a})
    for pair in ([a, b], (a, b)):
        np.testing.assert_array_equal(model.predict(pair)["sum"], y["sum"])
        np.testing.assert_array_equal(model(pair)["difference"], y["difference"])
    unordered = cn.Model({"r": right, "l": left}, left - right)
    for made, given in ((unordered, [a, b]), (model, [a]), (model, [a, b, a])):
        with pytest.raises(TypeError, match="must be a dict with the keys l, r"):
            made.predict(given)
    with pytest.raises(ValueError, match="same batch"):
        model.predict({"l": a, "r": b[:2]})


def test_shared_layers_and_nested_models():
    embed = cn.Sequential([L.Conv2D(4, 3, activation="relu"), L.GlobalAveragePooling2D()], name="embed")
    a, b = cn.Input((12, 12, 3)), cn.Input((12, 12, 3))
    model = cn.Model([a, b], L.Subtract()([embed(a), embed(b)]))
    x, y = images(), images()
    np.testing.assert_allclose(model([x, y]), embed(x) - embed(y), atol=1e-6)
    assert len(model.weights) == 2
    inner = cn.Model(model.inputs, model.get_layer("embed")(a))
    np.testing.assert_array_equal(inner.predict([x, y], verbose=0), embed(x))


def test_lists_that_grow_after_they_were_given():
    """A dense block appends to the list that Concatenate got; a list of outputs serves a second model."""
    x = cn.Input((6, 6, 2))
    parts = [x]
    for filters in (2, 3):
        joined = cn.layers.Concatenate()(parts) if len(parts) > 1 else x
        parts.append(cn.layers.Conv2D(filters, 3, padding="same")(joined))
    outputs = [parts[1]]
    first = cn.Model(x, outputs)
    outputs.append(cn.layers.concatenate(parts))
    both = cn.Model(x, outputs)
    inner = both(x)
    inner[0] = inner[0] * 0.0
    images = np.random.default_rng(3).standard_normal((2, 6, 6, 2)).astype(np.float32)
    conv, last = (layer for layer in both.layers if isinstance(layer, cn.layers.Conv2D))
    one = conv(images)
    two = last(np.concatenate([images, one], axis=-1))
    np.testing.assert_array_equal(first.predict(images), one)
    assert [y.shape for y in both.predict(images)] == [(2, 6, 6, 2), (2, 6, 6, 7)]
    np.testing.assert_allclose(
        both(images)[1], np.concatenate([images, one, two], axis=-1), rtol=1e-5, atol=1e-6
    )
    assert len(cn.models.clone_model(both).predict(images)) == 2


def test_feature_extraction_from_a_built_model():
    model, x = small(), images()
    features = cn.Model(model.input, model.layers[1].output)
    np.testing.assert_allclose(features(x), model.layers[1](model.layers[0](x)), atol=1e-6)
    np.testing.assert_array_equal(cn.Model(model.inputs, model.output)(x), model(x))


def test_images_of_any_size():
    x = cn.Input((None, None, 2))
    h = L.Conv2D(4, 3, strides=2, padding="same")(x)
    model = cn.Model(x, L.UpSampling2D()(h * 2.0)[:, 1:, ::2])
    for height, width in ((8, 10), (9, 7), (8, 10), (30, 4)):
        z = RNG.standard_normal((2, height, width, 2)).astype(np.float32)
        expected = 2 * model.layers[1](z).repeat(2, axis=1).repeat(2, axis=2)[:, 1:, ::2]
        np.testing.assert_allclose(model(z), expected, atol=1e-5)
    with pytest.raises(ValueError, match="must have shape"):
        model(np.zeros((1, 8, 8, 3)))


def test_new_weights_are_used():
    model, x = small(), images()
    before = model(x)
    weights = [w + 0.1 for w in model.get_weights()]
    model.set_weights(weights)
    after = model(x)
    assert np.abs(after - before).max() > 1e-4
    model.layers[-1].set_weights([0 * w for w in model.layers[-1].get_weights()])
    np.testing.assert_allclose(model(x), 0.25)
    other = small()
    other.set_weights(weights)
    np.testing.assert_array_equal(other.predict(x, verbose=0), after)


def test_the_second_call_of_a_shape_is_one_native_call(monkeypatch):
    model, x = small(), images()
    expected = model.predict(x, verbose=0)
    with cn.exact():
        model(x)
    monkeypatch.setattr(cn.Model, "_run", None)
    for again in (model(x), model.predict(x, batch_size=len(x), verbose=0), model.predict_on_batch(x)):
        np.testing.assert_array_equal(again, expected)
    with cn.exact():
        model(x)
    for other in (x[:1], x.astype(np.float64), x[:, ::-1]):
        with pytest.raises(TypeError, match="NoneType"):
            model(other)
    model.set_weights(model.get_weights())
    with pytest.raises(TypeError, match="NoneType"):
        model(x)


@pytest.mark.parametrize("make", [small, branched])
def test_configuration_round_trip(make):
    model, x = make(), images()
    again = type(model).from_config(model.get_config())
    again.set_weights(model.get_weights())
    for got, expected in zip(as_list(again(x)), as_list(model(x)), strict=True):
        np.testing.assert_array_equal(got, expected)
    assert again.get_config() == model.get_config()


@pytest.mark.parametrize("copied", [lambda m: pickle.loads(pickle.dumps(m)), copy.deepcopy])
@pytest.mark.parametrize("make", [small, branched])
def test_pickle_and_copy(make, copied):
    model, x = make(), images()
    expected = as_list(model(x))
    for got, want in zip(as_list(copied(model)(x)), expected, strict=True):
        np.testing.assert_array_equal(got, want)


def test_deep_models_do_not_exhaust_the_stack():
    x = cn.Input((4,))
    y = x
    for _ in range(1500):
        y = y + 1.0
    model = pickle.loads(pickle.dumps(cn.Model(x, y)))
    np.testing.assert_array_equal(model(np.zeros((2, 4))), 1500.0)


def test_a_model_may_be_called_from_many_threads():
    model, x = small(), images(9)
    expected = model(x)

    def work(i):
        for _ in range(20):
            got = model.predict(x[: 1 + i % 9], batch_size=1 + i % 4, verbose=0)
            np.testing.assert_array_equal(got, expected[: 1 + i % 9])

    in_threads(12, work)


class Half(cn.layers.Layer):
    def call(self, f, x):
        return f.multiply(x, 0.5)


def test_layers_of_ones_own():
    model = cn.Sequential([L.Conv2D(2, 3, input_shape=(12, 12, 3)), Half()])
    x = images()
    np.testing.assert_allclose(model(x), 0.5 * model.layers[0](x), rtol=1e-6)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model))(x), model(x))


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda m: m.predict(np.zeros((2, 9, 12, 3))), ValueError, r"shape \(None, 12, 12, 3\)"),
        (lambda m: m.predict(np.zeros((12, 12))), ValueError, "must have shape"),
        (lambda m: m.predict(np.zeros((2, 12, 12, 3), bool)), TypeError, "real numbers"),
        (lambda m: m.predict(np.zeros((2, 12, 12, 3), complex)), TypeError, "real numbers"),
        (lambda m: m.predict(np.zeros((2, 12, 12, 3)), batch_size=0), ValueError, "`batch_size`"),
        (lambda m: m.predict(np.zeros((2, 12, 12, 3)), batch_size=2.5), TypeError, "`batch_size`"),
        (lambda m: m.predict("images"), (TypeError, ValueError), "`x`"),
        (lambda m: m.predict(None), (TypeError, ValueError), "`x`"),
        (lambda m: m.set_weights([]), ValueError, "`weights`"),
        (lambda m: m(np.zeros((2, 12, 12, 3)), 3), TypeError, "`x` alone"),
        (lambda m: m.get_layer("none"), ValueError, "No layer"),
        (lambda m: cn.Model(np.zeros(3), 4), ValueError, "symbolic"),
        (lambda m: cn.Model(cn.Input((3,)), cn.Input((4,))), ValueError, "not among its inputs"),
    ],
)
def test_mistakes_are_named(call, error, text):
    with pytest.raises(error, match=text):
        call(small())


def test_ctrl_c_stops_between_batches(monkeypatch):
    model, x, done = small(), images(8), []

    def interrupted(self, count):
        done.append(count)
        if len(done) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(progress.Progress, "advance", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.predict(x, batch_size=2)
    assert len(done) == 2
    monkeypatch.undo()
    assert model.predict(x, batch_size=2).shape == (8, 4)


def test_progress_is_shown_on_terminals_only(monkeypatch, capsys):
    model, x = small(), images(8)
    monkeypatch.setattr(progress, "_BAR_AFTER_SECONDS", -1.0)
    model.predict(x, batch_size=2)
    assert capsys.readouterr().err == ""
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    model.predict(x, batch_size=2, verbose=0)
    assert terminal.getvalue() == ""
    model.predict(x, batch_size=2)
    assert "8/8" in terminal.getvalue()


def as_list(y):
    return y if isinstance(y, list) else [y]


def text_of(model, **arguments):
    lines = []
    model.summary(print_fn=lines.append, **arguments)
    return "\n".join(lines)


def test_summary():
    text = text_of(small())
    assert "Conv2D" in text and "(None, 10, 10, 8)" in text and "224" in text
    assert (
        "Total params: 1,060" in text and "Trainable params: 1,044" in text and "Memory for one image" in text
    )
    text = text_of(branched(), line_length=110)
    assert "Connected to" in text and "a[0][0], b[0][0]" in text


def test_explain_profile_and_pictures(tmp_path):
    model, x = small(), images()
    fused, plain = model.explain(x), model.explain(x, optimize=False)
    assert len(fused) <= len(plain) and "conv" in str(cn.explain(model))
    profile = model.profile(x, repeats=2)
    assert abs(sum(row["share"] for row in profile) - 1) < 1e-6 and "GFLOP/s" in str(profile)
    profile.save_trace(tmp_path / "trace.json")
    assert '"traceEvents"' in (tmp_path / "trace.json").read_text()
    model.save_picture(tmp_path / "model.dot")
    assert "MaxPooling2D" in (tmp_path / "model.dot").read_text()
    with pytest.raises(ValueError, match=r"\.svg"):
        model.save_picture(tmp_path / "model.txt")


@pytest.mark.parametrize("channels", [72, 24, 100, 7])
def test_gated_projections(channels):
    """Squeeze and excitation before a 1x1 convolution: the gate is applied while pixels are copied."""
    x = cn.Input((28, 28, channels))
    gate = L.Conv2D(channels, 1, activation="sigmoid")(L.GlobalAveragePooling2D(keepdims=True)(x))
    model = cn.Model(x, L.Conv2D(40, 1)(L.Multiply()([x, gate])))
    z = images(3, 28, channels)
    conv, project = (layer for layer in model.layers if isinstance(layer, L.Conv2D))
    expected = project(z * conv(z.mean(axis=(1, 2), keepdims=True)))
    np.testing.assert_allclose(model(z), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [3, 4, 5, 6])
def test_a_window_that_leaves_cells_over(size):
    """One output, and cells that no window reaches: the stride must not be lost."""
    x = images(2, size, 4)
    conv = L.Conv2D(5, 3, strides=2)
    conv.build(x.shape)
    expected = np.einsum("nijc,ijco->no", x[:, :3, :3], conv.get_weights()[0])
    assert conv(x).shape == conv.compute_output_shape(x.shape)
    np.testing.assert_allclose(conv(x)[:, 0, 0], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(L.MaxPooling2D(3, strides=2)(x)[:, 0, 0], x[:, :3, :3].max(axis=(1, 2)))
    assert L.MaxPooling2D(3, strides=4)(x).shape == (2, 1, 1, 4)


def test_every_step_is_named_after_its_layers():
    layers = [
        L.SeparableConv2D(4, 3, input_shape=(8, 8, 3), name="sep"),
        L.ReLU(name="relu"),
        L.Flatten(name="flat"),
        L.Dense(2, activation="softmax", name="last"),
    ]
    names = [row["name"] for row in cn.Sequential(layers).explain()]
    assert names == ["sep", "sep+relu", "last", "last"]

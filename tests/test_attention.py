"""MultiHeadAttention and Embedding against NumPy in float64, in models, files and classes of users."""

import numpy as np
import pytest

import conv2d_native as cn
from conv2d_native import layers as L
from conv2d_native.errors import UnsupportedLayerError
from written import bytes_of

RNG = np.random.default_rng(31)


def attention(layer, query, value, key=None, seen=True, zero=False):
    """In float64: the result and the weights. `zero`: a place that sees none has no weights rather than equal ones."""
    groups = {}
    for v in layer.weights:
        groups.setdefault(v.path.split("/")[-2], []).append(v.value.astype(np.float64))

    def project(x, name, axes=1):
        kernel, *bias = groups[name]
        return np.tensordot(x, kernel, axes) + (bias[0] if bias else 0)

    key = value if key is None else key
    q, k, v = project(query, "query"), project(key, "key"), project(value, "value")
    logits = np.where(seen, np.einsum("btnh,bsnh->bnts", q, k) / np.sqrt(layer.key_dim), -1e300)
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    weights = weights * seen if zero else weights
    heads = np.einsum("bnts,bsnh->btnh", weights, v)
    if layer.use_gate:
        heads = heads / (1 + np.exp(-project(query, "gate")))
    return project(heads, "attention_output", 2), weights


def randomized(layer):
    layer.set_weights([RNG.standard_normal(w.shape) for w in layer.get_weights()])


CASES = {
    "plain": {},
    "sizes": {"value_dim": 5, "output_shape": 8, "dropout": 0.1},
    "several": {"output_shape": (2, 3), "use_bias": False},
    "gate": {"use_gate": True, "value_dim": 2},
    "window": {"sliding_window": 2},
}


@pytest.mark.parametrize("name", CASES)
def test_attention_between_three_inputs(name):
    layer = L.MultiHeadAttention(num_heads=2, key_dim=3, **CASES[name])
    shapes = {"query": (5, 6), "value": (4, 7), "key": (4, 3)}
    x = {word: RNG.random((3, *shape), np.float32) for word, shape in shapes.items()}
    tensors = {word: cn.Input(shape) for word, shape in shapes.items()}
    made = layer(**tensors, return_attention_scores=True)
    randomized(layer)
    model = cn.Model(list(tensors.values()), made)
    apart = np.abs(np.arange(5)[:, None] - np.arange(4))
    expected = attention(layer, **x, seen=apart < 2 if name == "window" else True)
    assert [y.shape[1:] for y in made] == [y.shape[1:] for y in expected]
    kept = bytes_of(model.save)
    for one in (model, cn.load_model(kept)):
        for y, other in zip(one.predict(list(x.values())), expected, strict=True):
            np.testing.assert_allclose(y, other, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(layer(**x), expected[0], rtol=1e-4, atol=1e-4)
    assert layer.count_params() == sum(w.size for w in layer.get_weights())


@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize("form", ["all heads", "each head", "causal", "causal and mask"])
def test_what_masks_hide(form, dropout):
    layer = L.MultiHeadAttention(num_heads=2, key_dim=3, dropout=dropout)
    x = RNG.random((3, 5, 6), np.float32)
    mask = RNG.random((3, 2, 5, 5) if form == "each head" else (3, 5, 5)) > 0.5
    mask[..., 2, :] = False
    seen = mask if mask.ndim != 3 else mask[:, None]
    if form == "causal":
        seen, words = np.tri(5, dtype=bool), {"use_causal_mask": True}
    else:
        words = {"attention_mask": mask.astype(np.float32)}
    if form == "causal and mask":
        seen, words = seen & np.tri(5, dtype=bool), {**words, "use_causal_mask": True}
    layer(x, x, **words)
    randomized(layer)
    expected, weights = attention(layer, x, x, seen=seen, zero=bool(dropout))
    np.testing.assert_allclose(layer(x, x, **words), expected, rtol=1e-4, atol=1e-4)
    _, scores = layer(x, x, **words, return_attention_scores=True)
    np.testing.assert_allclose(scores, np.where(seen, weights, 0), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("shape", [(5, 5), (1, 5, 5), (1, 2, 5, 5)])
def test_constant_masks(shape):
    x, mask = RNG.random((3, 5, 6), np.float32), RNG.random(shape) > 0.4
    layer, source = L.MultiHeadAttention(num_heads=2, key_dim=3), cn.Input((5, 6))
    model = cn.Model(source, layer(source, source, attention_mask=mask))
    np.testing.assert_allclose(model(x), attention(layer, x, x, seen=mask)[0], rtol=1e-4, atol=1e-4)


def test_places_on_two_axes():
    layer = L.MultiHeadAttention(num_heads=2, key_dim=3)
    x = RNG.random((2, 3, 4, 6), np.float32)
    y, scores = layer(x, x, return_attention_scores=True)
    line = x.reshape(2, 12, 6)
    expected, weights = attention(layer, line, line)
    np.testing.assert_allclose(y, expected.reshape(x.shape), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(scores, weights.reshape(2, 2, 3, 4, 3, 4), rtol=1e-4, atol=1e-5)
    assert layer.get_config()["attention_axes"] in ([1, 2], (1, 2))


def test_names_of_weights_and_of_later_layers():
    cn.backend.clear_session()
    x = cn.Input((5, 6))
    attended = L.MultiHeadAttention(2, 3, use_gate=True)(x, x)
    model = cn.Model(x, L.Dropout(0.1)(attended))
    assert [layer.name for layer in model.layers][1:] == ["multi_head_attention", "dropout_1"]
    assert [v.path for v in model.weights][::2] == [
        f"multi_head_attention/{name}/kernel"
        for name in ("query", "key", "gate", "value", "attention_output")
    ]


def test_attention_refuses():
    x, source = np.ones((2, 5, 6), np.float32), cn.Input((5, 6))
    layer = L.MultiHeadAttention(2, 3)
    mask = np.ones((2, 5, 5))
    for error, message, call in (
        (ValueError, "`value` and `key` of the same places", lambda: layer(x, x, x[:, 1:])),
        (ValueError, r"takes \(batch, ..., depth\)", lambda: L.MultiHeadAttention(2, 3)(x[0], x[0])),
        (ValueError, "`attention_mask`", lambda: layer(x, x, attention_mask=np.ones((2, 3, 5)))),
        (
            UnsupportedLayerError,
            "mixes",
            lambda: cn.Model(source, layer(source, source, attention_mask=mask))(x),
        ),
        (UnsupportedLayerError, "attention_axes", lambda: L.MultiHeadAttention(2, 3, attention_axes=2)(x, x)),
        (UnsupportedLayerError, "2 axes", lambda: layer(x[:, None], x[:, None], use_causal_mask=True)),
        (ValueError, "`num_heads` must be", lambda: L.MultiHeadAttention(0, 3)),
    ):
        with pytest.raises(error, match=message):
            call()


@pytest.mark.parametrize("score_mode", ["dot", "concat"])
@pytest.mark.parametrize("use_scale", [False, True])
def test_attention_of_one_head(score_mode, use_scale):
    layer = L.Attention(use_scale=use_scale, score_mode=score_mode, dropout=0.2)
    shapes = [(5, 6), (4, 3), (4, 6)]
    x = [RNG.random((3, *shape), np.float32) for shape in shapes]
    sources = [cn.Input(shape) for shape in shapes]
    model = cn.Model(sources, layer(sources, return_attention_scores=True))
    randomized(layer)
    scale = float(layer.scale) if use_scale else 1.0
    q, v, k = (array.astype(np.float64) for array in x)
    logits = np.einsum("btd,bsd->bts", q, k) * scale
    if score_mode == "concat":
        logits = np.tanh(scale * (q[:, :, None] + k[:, None])).sum(-1) * float(layer.concat_score_weight)
    for seen, words in ((True, {}), (np.tri(5, 4) > 0, {"use_causal_mask": True})):
        weights = np.exp(logits) * seen
        weights /= weights.sum(-1, keepdims=True)
        made = layer(x, return_attention_scores=True, **words)
        for y, other in zip(made, (weights @ v, weights), strict=True):
            np.testing.assert_allclose(y, other, rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(layer(x, **words), made[0])
    kept = bytes_of(model.save)
    for y, other in zip(cn.load_model(kept)(x), layer(x, return_attention_scores=True), strict=True):
        np.testing.assert_array_equal(y, other)
    for wrong in (x[0], x[:1], [x[0], x[1]], [x[0], x[1], x[2][:, 1:]]):
        with pytest.raises((ValueError, TypeError), match="takes a list of query"):
            layer(wrong)


def test_layers_take_weights_for_every_image():
    class Latents(L.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.attention, self.normed, self.add = (
                L.MultiHeadAttention(2, 3),
                L.LayerNormalization(),
                L.Add(),
            )

        def build(self, input_shape):
            self.latents = self.add_weight((1, 4, input_shape[-1]), "uniform")
            self.places = self.add_weight((1, *input_shape[1:]), "uniform")

        def call(self, x):
            x = self.add([x, self.places])
            return self.attention(self.normed(self.latents), x)

    x, layer = RNG.random((3, 5, 6), np.float32), Latents()
    source = cn.Input((5, 6))
    model = cn.Model(source, layer(source))
    given = x + layer.places.value
    latents = np.repeat(layer.normed(layer.latents.value), 3, axis=0)
    np.testing.assert_allclose(model(x), attention(layer.attention, latents, given)[0], rtol=1e-4, atol=1e-5)


def test_embedding():
    layer = L.Embedding(10, 4)
    x = cn.Input((3,), dtype="int32")
    model = cn.Model(x, layer(x))
    randomized(layer)
    places = RNG.integers(0, 10, (6, 3))
    kept = bytes_of(model.save)
    for one in (model, cn.load_model(kept)):
        np.testing.assert_array_equal(one.predict(places, batch_size=4), layer.embeddings.value[places])
    np.testing.assert_array_equal(layer(np.array([2.9])), layer.embeddings.value[[2]])
    for wrong, range_given in ((10, "0 to 10"), (-1, "-1 to 1"), (np.nan, "nan to nan")):
        with pytest.raises(ValueError, match=rf"numbers from 0 to 9\. Received: {range_given}\."):
            model(np.array([[0, 1, wrong]]))
    table = RNG.random((3, 2), np.float32)
    np.testing.assert_array_equal(L.Embedding(3, 2, weights=[table])(np.array([[1]])), table[[[1]]])
    assert L.Embedding(3, 2, mask_zero=True).get_config()["mask_zero"] is True  # its masks: test_masks.py


def test_places_of_patches_in_a_class_of_one_s_own():
    class PatchEncoder(L.Layer):
        def __init__(self, patches, size, **kwargs):
            super().__init__(**kwargs)
            self.patches = patches
            self.projection = L.Dense(size)
            self.places = L.Embedding(patches, size)

        def call(self, x):
            places = cn.ops.expand_dims(cn.ops.arange(0, self.patches, 1), axis=0)
            return self.projection(x) + self.places(places)

    x = RNG.random((2, 5, 3), np.float32)
    layer = PatchEncoder(5, 4)
    first = layer(x)
    assert first.shape == (2, 5, 4)
    randomized(layer.places)
    expected = layer.projection(x) + layer.places.embeddings.value
    np.testing.assert_allclose(layer(x), expected, rtol=1e-5, atol=1e-6)


def test_functions_of_ops_are_activations():
    x = RNG.standard_normal((2, 3)).astype(np.float32)
    for name in ("relu", "swish", "softmax", "leaky_relu", "gelu"):
        function = getattr(cn.ops, name)
        layer = L.Activation(function)
        assert layer.activation.function is None
        np.testing.assert_allclose(layer(x), function(x), rtol=1e-6, atol=1e-6)
    assert L.Dense(2, activation=cn.ops.gelu).get_config()["activation"] == "gelu"
    assert L.Dense(2, activation=cn.ops.swish).get_config()["activation"] == "silu"


def test_steps_of_keras_s_layers_that_a_class_replaces_are_refused():
    """They are never called here: the answer would be that of the layer without them."""

    class Local(L.MultiHeadAttention):
        def _compute_attention(self, query, key, value, attention_mask=None, training=None):
            return value, None

    class Scored(L.AdditiveAttention):
        def _calculate_scores(self, query, key):
            return query

    with pytest.raises(cn.UnsupportedLayerError, match=r"\(Local\) has a _compute_attention\(\) of its own"):
        Local(2, 3)
    with pytest.raises(cn.UnsupportedLayerError, match=r"_calculate_scores\(\) of its own"):
        Scored()


def test_additive_attention_with_masks():
    q, v = RNG.standard_normal((2, 4, 6)), RNG.standard_normal((2, 5, 6))
    seen = np.array([[1, 1, 0, 1, 0], [0, 1, 1, 1, 1]], bool)
    layer = L.AdditiveAttention()
    y, weights = layer([q, v], mask=[None, seen], return_attention_scores=True)
    logits = (layer.scale.numpy() * np.tanh(q[:, :, None] + v[:, None])).sum(-1)
    powers = np.exp(logits) * seen[:, None]
    wanted = powers / powers.sum(-1, keepdims=True)
    np.testing.assert_allclose(weights, wanted, atol=1e-6)
    np.testing.assert_allclose(y, wanted @ v, atol=1e-5)

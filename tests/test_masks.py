"""Masks, given to calls or from layers before: what they hide does not count, and none that matters is dropped."""

import copy

import numpy as np
import pytest

import conv2d_native as cn
from conv2d_native import layers as L
from written import bytes_of

X = np.random.default_rng(16).standard_normal((5, 6, 4), np.float32)
SEEN = X[..., 0] > 0


def weights(x, seen, axes):
    powers = np.exp(x) * seen
    return powers / np.maximum(powers.sum(axis=axes, keepdims=True), 1e-9)


def means(x, seen):
    return (x * seen[..., np.newaxis]).sum(axis=1) / seen.sum(axis=1, keepdims=True)


CASES = {
    "softmax": (lambda x: L.Softmax()(x, mask=x > -0.5), weights(X, X > -0.5, -1)),
    "softmax of numbers": (lambda x: L.Softmax(axis=1)(x, mask=x), weights(X, X > 0.5, 1)),
    "softmax, constant": (lambda x: L.Softmax()(x, mask=np.array([1, 1, 0, 1], bool)), weights(X, [1, 1, 0, 1], -1)),
    "softmax of two axes": (
        lambda x: L.Softmax(axis=[1, 2])(x, mask=x[:, :, :1] > 0),
        weights(X, SEEN[..., np.newaxis], (1, 2)),
    ),
    "mean": (lambda x: L.GlobalAveragePooling1D()(x, mask=x[..., 0] > 0), means(X, SEEN)),
    "mean of channels first": (
        lambda x: L.GlobalAveragePooling1D("channels_first", keepdims=True)(x, mask=x[:, 0] > 0),
        means(X.swapaxes(1, 2), X[:, 0] > 0)[..., np.newaxis],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_a_mask_hides_does_not_count(name):
    """In programs, in files and in copies of the model."""
    call, expected = CASES[name]
    x = cn.Input(X.shape[1:])
    model = cn.Model(x, call(x))
    for made in (
        model,
        cn.load_model(bytes_of(model.save)),
        cn.models.clone_model(model),
        copy.deepcopy(model),
    ):
        np.testing.assert_allclose(made.predict(X, batch_size=3), expected, rtol=2e-5, atol=1e-6)


def test_a_softmax_over_several_axes_is_copied_and_no_activation_of_the_table():
    layer = L.Softmax(axis=[1, 2], name="two")
    assert not hasattr(layer, "activation")
    x = cn.Input(X.shape[1:])
    model = cn.Model(x, layer(x))
    for made in (copy.deepcopy(model), cn.models.clone_model(model), cn.load_model(bytes_of(model.save))):
        np.testing.assert_allclose(made(X), weights(X, np.True_, (1, 2)), rtol=2e-5)
        assert made.layers[1].axis == [1, 2]
    with pytest.raises(
        TypeError, match=r"`activation` must be .* \(of Softmax along one axis\). Received: .*two"
    ):
        cn.activations.get(layer)


def test_layers_take_arrays_of_bools_as_masks():
    np.testing.assert_allclose(L.Softmax()(X, mask=X > -0.5), weights(X, X > -0.5, -1), rtol=2e-5)
    np.testing.assert_allclose(L.Softmax()(X, X > -0.5), weights(X, X > -0.5, -1), rtol=2e-5)
    np.testing.assert_allclose(L.GlobalAveragePooling1D()(X, mask=SEEN), means(X, SEEN), rtol=2e-5, atol=1e-6)


def test_where_a_mask_hides_all_weights_are_zero_and_a_mean_is_none():
    hidden = np.zeros_like(X)
    np.testing.assert_array_equal(L.Softmax()(X, mask=hidden), hidden)
    assert np.isnan(L.GlobalAveragePooling1D()(X, mask=hidden[..., 0])).all()


def test_entries_that_are_hidden_may_be_no_numbers():
    x = np.where(SEEN[..., np.newaxis], X, np.float32(np.nan))
    np.testing.assert_allclose(L.GlobalAveragePooling1D()(x, mask=SEEN), means(X, SEEN), rtol=2e-5, atol=1e-6)


def nested(layer):
    x = cn.Input((6, 4))
    return cn.Model(x, layer(x))


@pytest.mark.parametrize(
    "layer",
    [L.TimeDistributed(L.Softmax(name="around")), L.Lambda(lambda x, mask=None: x, name="around")],
)
def test_a_mask_that_matters_to_a_layer_without_masks_is_refused(layer):
    x = cn.Input((6, 4))
    with pytest.raises(cn.UnsupportedLayerError, match=r"Layer 'around' .*mask"):
        cn.Model(x, layer(x, mask=x[..., 0] > 0)).predict(X)


@pytest.mark.parametrize(
    "around", [nested, lambda layer: L.Pipeline([layer]), lambda layer: cn.Sequential([layer])]
)
def test_a_mask_reaches_the_layers_inside(around):
    x = cn.Input((6, 4))
    layer = around(L.GlobalAveragePooling1D())
    model = cn.Model(x, layer(x, mask=x[..., 0] > 0))
    for each in (model, cn.load_model(bytes_of(model.save))):
        np.testing.assert_allclose(each.predict(X), means(X, SEEN), rtol=2e-5, atol=1e-6)
    with pytest.raises(TypeError, match="no mask of arrays"):
        nested(L.GlobalAveragePooling1D())(X, mask=SEEN)


@pytest.mark.parametrize(
    "layer",
    [L.BatchNormalization(), L.TimeDistributed(L.ReLU()), nested(L.ReLU()), L.Lambda(lambda x: x / 2)],
)
def test_a_mask_that_changes_nothing_is_left_out(layer):
    x = cn.Input((6, 4))
    np.testing.assert_array_equal(cn.Model(x, layer(x, mask=x[..., 0] > 0))(X), layer(X))


def test_masks_of_several_inputs_may_all_be_none():
    """So Keras's files have the call of a model with a list or dict of inputs."""
    x = cn.Input((6, 4))
    inner = cn.Model({"a": (a := cn.Input((6, 4))), "b": (b := cn.Input((6, 4)))}, a - b)
    model = cn.Model(x, inner({"a": x, "b": x * 3.0}))
    config = model.get_config()
    for masks in ({"a": None, "b": None}, [None, None], None):
        config["layers"][-1]["inbound_nodes"][0]["kwargs"] = {"mask": masks}
        np.testing.assert_allclose(cn.Model.from_config(config)(X), -2 * X, rtol=1e-6)
    attention = L.Attention()
    np.testing.assert_array_equal(attention([X, X], mask=[None, None]), attention([X, X]))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: L.Softmax()(X, mask=X[..., :3]), "`mask` must be broadcast to"),
        (lambda: L.GlobalAveragePooling1D()(X, mask=SEEN[:, :3]), "`mask` must be broadcast to"),
        (lambda: L.GlobalAveragePooling1D()(X, mask=X), r"`mask` must be of shape \(batch, length\)"),
        (lambda: L.Softmax(axis=0)(X, mask=X), "over the batch axis"),
    ],
)
def test_masks_of_other_shapes_are_refused(call, text):
    with pytest.raises(ValueError, match=text):
        call()


# Masks that layers make.

HIDDEN = np.where(SEEN[..., np.newaxis], X, np.float32(0))  # what Masking finds: steps of zeros
NUMBERS = np.array([[3, 1, 0, 0], [0, 2, 0, 4], [1, 2, 3, 4]])


KEPT = {
    "itself": lambda x: L.Masking()(x),
    "activation": lambda x: L.ReLU(max_value=9, negative_slope=1.0)(L.Masking()(x)),
    "training only": lambda x: L.SpatialDropout1D(0.5)(L.Dropout(0.5)(L.Masking()(x))),
    "merged": lambda x: L.Average()([L.Masking()(x), L.Masking()(x)]),
    "joined": lambda x: L.Concatenate()([L.Masking()(x), L.Masking()(x)])[..., :4] * 1.0,
    "reshaped": lambda x: cn.ops.reshape(L.Masking()(x), (-1, 6, 4)),
    "of a nested model": lambda x: nested(L.Masking())(x),
    "of a nested stack": lambda x: cn.Sequential([L.Masking(), L.Identity()])(x),
    "of a pipeline": lambda x: L.Pipeline([L.Masking()])(x),
    "steps": lambda x: L.TimeDistributed(L.Identity())(L.Masking()(x)),
}


@pytest.mark.parametrize("name", KEPT)
def test_masks_follow_tensors(name):
    """To the next layer that takes one, but for operations, whose results have none."""
    x = cn.Input((6, 4))
    model = cn.Model(x, L.GlobalAveragePooling1D()(KEPT[name](x)))
    expected = HIDDEN.mean(axis=1) if name in ("joined", "reshaped") else means(X, SEEN)
    for each in (model, cn.load_model(bytes_of(model.save)), copy.deepcopy(model)):
        np.testing.assert_allclose(each.predict(HIDDEN, batch_size=2), expected, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize(
    "layer",
    [
        L.Conv1D(4, 1, kernel_initializer=np.eye(4)[np.newaxis]),
        L.Reshape((6, 4)),
        L.ZeroPadding1D(0),
        L.Cropping1D(0),
    ],
)
def test_other_layers_drop_them(layer):
    """Whatever their result, though it be the very input."""
    model = cn.Sequential([cn.Input((6, 4)), L.Masking(), layer, L.GlobalAveragePooling1D()])
    np.testing.assert_allclose(model(HIDDEN), HIDDEN.mean(axis=1), rtol=2e-5, atol=1e-6)


MERGED = {
    "any": (lambda a, b: L.Maximum()([a, b]), lambda first, second: first | second),
    "concatenated steps": (lambda a, b: L.Concatenate(axis=1)([a, b]), lambda *both: np.concatenate(both, 1)),
    "concatenated entries": (lambda a, b: L.Concatenate()([a, b]), lambda first, second: first | second),
    "one of them": (lambda a, b: L.Concatenate()([a, b * 1.0]), lambda first, second: first | True),
}


@pytest.mark.parametrize("name", MERGED)
def test_masks_of_merged_tensors(name):
    merge, rule = MERGED[name]
    x = cn.Input((6, 4))
    a, b = L.Masking()(x), L.Masking(mask_value=2.0)(x)
    merged = merge(a, b)
    model = cn.Model(x, [L.GlobalAveragePooling1D()(merged), merged])
    values = HIDDEN.copy()
    values[:, 1] = 2.0
    seen = rule((values != 0).any(-1), (values != 2).any(-1))
    mean, y = model(values)
    np.testing.assert_allclose(mean, means(y, seen), rtol=2e-5, atol=1e-6)


def test_a_mask_that_a_call_is_given_counts_rather_than_that_of_its_tensor():
    """Here and in the layers after it."""
    x, m = cn.Input((6, 4)), cn.Input((6,))
    outputs = L.GRU(3, return_sequences=True)(x, mask=m)
    means_of = [L.GlobalAveragePooling1D()(outputs), L.GlobalAveragePooling1D()(L.Masking()(x), mask=m)]
    seen = np.roll(SEEN, 1, axis=0)
    mean, other, y = cn.Model([x, m], [*means_of, outputs])([HIDDEN, np.float32(seen)])
    np.testing.assert_allclose(mean, means(y, seen), rtol=2e-5, atol=1e-6)
    np.testing.assert_allclose(other, means(HIDDEN, seen), rtol=2e-5, atol=1e-6)


def test_both_outputs_of_a_bidirectional_layer_have_the_mask():
    x = cn.Input((6, 4))
    layer = L.Bidirectional(L.GRU(3, return_sequences=True), merge_mode=None)
    forward, back = layer(L.Masking()(x))
    model = cn.Model(x, [forward, back, *map(L.GlobalAveragePooling1D(), (forward, back))])
    y, z, *found = model(HIDDEN)
    for mean, outputs in zip(found, (y, z), strict=True):
        np.testing.assert_allclose(mean, means(outputs, SEEN), rtol=2e-5, atol=1e-6)


def test_a_merge_with_a_tensor_without_a_mask_has_none():
    x = cn.Input((6, 4))
    model = cn.Model(x, L.GlobalAveragePooling1D()(L.Add()([L.Masking()(x), x])))
    np.testing.assert_allclose(model(HIDDEN), 2 * HIDDEN.mean(axis=1), rtol=2e-5, atol=1e-6)


def stack(*layers):
    return cn.Sequential([cn.Input((4,)), L.Embedding(5, 3, mask_zero=True), *layers])


def test_numbers_that_stand_for_nothing():
    """In stacks, whatever dtype the input is meant to have; masked steps leave the states of recurrent layers alone."""
    model = stack(L.GlobalAveragePooling1D())
    vectors, seen = model.layers[0](NUMBERS), NUMBERS != 0
    np.testing.assert_allclose(model.predict(NUMBERS), means(vectors, seen), rtol=2e-5, atol=1e-6)
    for layer in (L.LSTM(4, return_sequences=True), L.Bidirectional(L.GRU(2, return_sequences=True))):
        model = stack(layer, L.GlobalAveragePooling1D())
        model.layers[0].embeddings.assign(vectors_of := np.random.default_rng(1).standard_normal((5, 3)))
        y = layer(vectors_of[NUMBERS], mask=seen)
        np.testing.assert_allclose(model(NUMBERS), means(y, seen), rtol=2e-5, atol=1e-6)
        assert np.abs(y - layer(vectors_of[NUMBERS])).max() > 1e-3


class Inside(L.Layer):
    """Layers of the user's around others: what is inside sees the mask of the tensor, taken as an argument or not."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.mean = L.GlobalAveragePooling1D()

    def call(self, x):
        return self.mean(x)


class Given(Inside):
    def call(self, x, mask=None):
        return self.mean(x, mask=mask)


class Making(Inside):
    def call(self, x):
        return x * 1.0

    def compute_mask(self, inputs, mask=None):
        return cn.ops.any(cn.ops.not_equal(inputs, 0), axis=-1)


@pytest.mark.parametrize("layers", [[L.Masking(), Inside()], [L.Masking(), Given()], [Making(), Inside()]])
def test_layers_of_the_user_s(layers):
    x = y = cn.Input((6, 4))
    for layer in layers:
        y = layer(y)
    for model in (cn.Model(x, y), cn.Sequential([cn.Input((6, 4)), *layers])):
        np.testing.assert_allclose(model(HIDDEN), means(X, SEEN), rtol=2e-5, atol=1e-6)
    assert Making().supports_masking and not Inside().supports_masking

    class Silent(Making):
        supports_masking = False

        def compute_mask(self, inputs, mask=None):
            return mask

    assert not Silent().supports_masking


def test_attention_sees_what_is_not_masked():
    """Places of value and key that are hidden, and places of the query, which give zeros."""
    x = cn.Input((6, 4))
    hidden = L.Masking()(x)
    model = cn.Model(x, [L.Attention()([hidden, hidden]), L.Attention()([x, hidden])])
    scores = np.einsum("npd,nqd->npq", HIDDEN, HIDDEN)
    expected = weights(scores, SEEN[:, np.newaxis], -1) @ HIDDEN
    both, offered = model(HIDDEN)
    np.testing.assert_allclose(offered, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(both, expected * SEEN[..., np.newaxis], rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(L.Attention()([HIDDEN, HIDDEN], mask=[None, SEEN]), offered)
    layer = L.MultiHeadAttention(2, 3)
    model = cn.Model(x, layer(x, hidden))
    np.testing.assert_array_equal(model(HIDDEN), layer(HIDDEN, HIDDEN, value_mask=SEEN))
    expected = layer(HIDDEN, HIDDEN, attention_mask=np.broadcast_to(SEEN[:, np.newaxis], (5, 6, 6)))
    np.testing.assert_allclose(model(HIDDEN), expected, rtol=1e-5, atol=1e-6)
    given, other = cn.Input((6,)), np.roll(SEEN, 1, axis=0)
    model = cn.Model([x, given], layer(x, hidden, value_mask=given))
    expected = layer(HIDDEN, HIDDEN, value_mask=other)
    np.testing.assert_array_equal(model([HIDDEN, np.float32(other)]), expected)
    both = cn.Model(x, layer(hidden, hidden))(HIDDEN)
    seen = SEEN[:, :, np.newaxis] & SEEN[:, np.newaxis]
    np.testing.assert_allclose(both, layer(HIDDEN, HIDDEN, attention_mask=seen), rtol=1e-5, atol=1e-6)


def test_steps_of_steps_get_their_part_of_a_mask():
    films = np.random.default_rng(2).standard_normal((2, 3, 4, 5)).astype(np.float32)
    films[0, 1, 2:] = 0
    inner = L.GRU(3)
    model = cn.Sequential([cn.Input((3, 4, 5)), L.Masking(), L.TimeDistributed(inner)])
    expected = [inner(films[:, t], mask=films[:, t].any(axis=-1)) for t in range(3)]
    np.testing.assert_allclose(model(films), np.stack(expected, 1), rtol=1e-5, atol=1e-6)


def test_batches_change_no_bit_of_masked_results():
    model = stack(L.LSTM(4, return_sequences=True), L.GlobalAveragePooling1D())
    whole = model.predict(np.tile(NUMBERS, (40, 1)), batch_size=120)
    np.testing.assert_array_equal(model.predict(np.tile(NUMBERS, (40, 1)), batch_size=7), whole)
    np.testing.assert_array_equal(model(NUMBERS[:1]), whole[:1])


def test_masks_are_recorded_as_in_keras():
    """Their operations stand in the graph where Keras has them: depths, and so the names of weights in files, agree."""
    a, b = cn.Input((6, 4), name="a"), cn.Input((6, 4), name="b")
    first = L.LSTM(3)(L.Masking()(L.Conv1D(4, 1, name="first")(a)))
    second = L.LSTM(3)(L.ReLU()(L.ReLU()(L.Conv1D(4, 1, name="second")(b))))
    model = cn.Model([a, b], L.Concatenate()([first, second]))
    names = [type(x).__name__ if isinstance(x, L.Layer) else x.class_name for x in model.operations]
    expected = "InputLayer InputLayer Conv1D Conv1D NotEqual ReLU Masking Any ReLU LSTM LSTM Concatenate"
    assert " ".join(names) == expected
    assert [x.name for x in model.layers[2:4]] == ["first", "second"]
    values = [HIDDEN, X]
    np.testing.assert_array_equal(cn.load_model(bytes_of(model.save))(values), model(values))


def test_compute_mask_of_symbolic_tensors():
    """Keras's method; a layer that says nothing of its own passes on what it is given."""
    x = cn.Input((6, 4))
    mask = L.Masking().compute_mask(x, None)
    np.testing.assert_array_equal(cn.Model(x, mask)(HIDDEN), SEEN)
    assert L.Dense(3).compute_mask(x, mask) is mask and L.Embedding(3, 2).compute_mask(x) is None
    assert (
        L.LSTM(3).compute_mask(x, mask) is None
        and L.LSTM(3, return_sequences=True).compute_mask(x, mask) is mask
    )
    assert L.GRU(3, return_state=True).compute_mask(x, mask) == [None, None]

"""Operations along the axis of the batch: Keras's answer for the batch, and images apart that stay apart."""

from __future__ import annotations

import copy
import pickle
import threading

import numpy as np
import pytest

import conv2d_native as cn
from batch_operations import BY_IMAGE, KERNEL, MIXED, OTHER_BATCHES, X, make_networks
from conv2d_native import layers, ops
from test_tensorflow_compositions import opened

ALL = BY_IMAGE | MIXED | OTHER_BATCHES
NETWORKS, CLASSES = make_networks(cn)


def images(model, n=5):
    return np.random.default_rng(n).standard_normal((n, *model.input_shape[1:])).astype(np.float32)


def model_of(use, shape=(6, 2)):
    x = cn.Input(shape)
    return cn.Model(x, use(ops, x))


@pytest.mark.parametrize("name", ALL)
def test_the_answer_is_that_of_arrays(name, tmp_path):
    """NumPy's functions take a batch as an axis like any other, and so does the model, from a file too."""
    model, wanted = model_of(ALL[name]), np.asarray(ALL[name](ops, X))
    np.testing.assert_allclose(model(X), wanted, rtol=1e-5, atol=1e-5)
    assert all(n in (None, size) for n, size in zip(model.output_shape, wanted.shape, strict=True))
    for n in (1, 3):
        np.testing.assert_allclose(model(X[:n]), ALL[name](ops, X[:n]), rtol=1e-5, atol=1e-5)
    model.save(tmp_path / "m.keras")
    np.testing.assert_array_equal(cn.load_model(tmp_path / "m.keras")(X), model(X))


@pytest.mark.parametrize("name", [name for name in ALL if name != "moved"])
def test_layers_of_the_users(name):
    class Using(layers.Layer):
        def call(self, x):
            return ALL[name](ops, x)

    wanted = np.asarray(ALL[name](ops, X))
    x = cn.Input((6, 2))
    for made in (Using(), cn.Model(x, Using()(x))):
        np.testing.assert_allclose(made(X), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", BY_IMAGE)
def test_images_that_stay_apart_have_their_own_answers(name):
    model = model_of(BY_IMAGE[name])
    alone = np.concatenate([model(X[i : i + 1]) for i in range(len(X))])
    for size in (1, 3, 4):
        np.testing.assert_array_equal(model.predict(X, batch_size=size), alone)


@pytest.mark.parametrize("name", MIXED)
def test_predict_mixes_the_images_of_a_batch(name):
    """As in Keras, those that are computed together: batch_size of them."""
    model = model_of(MIXED[name])
    if model.output_shape[0] is None:
        wanted = np.concatenate([model(X[:3]), model(X[3:])])
        np.testing.assert_array_equal(model.predict(X, batch_size=3), wanted)


def test_predict_puts_results_of_any_number_together():
    for name in ("padded", "folded", "none"):
        model = model_of(OTHER_BATCHES[name])
        wanted = np.concatenate([model(X[:3]), model(X[3:])])
        np.testing.assert_array_equal(model.predict(X, batch_size=3), wanted)
    with pytest.raises(ValueError, match="call the model on each batch instead"):
        model_of(lambda ops, x: ops.stack([x, x])).predict(X, batch_size=3)


def test_windows_attend_to_themselves():
    """The network's answer is that of plain NumPy on each window."""
    model = NETWORKS["windows"]
    x, (kernel, bias) = images(model), model.get_weights()
    answer = x.copy()
    for i, top, left in np.ndindex(len(x), 2, 2):
        window = np.s_[i, top * 4 : top * 4 + 4, left * 4 : left * 4 + 4]
        made = (x[window].reshape(16, 6) @ kernel + bias).reshape(16, 3, 2, 3)
        q, k, v = made.transpose(1, 2, 0, 3)
        weights = np.exp(q @ k.transpose(0, 2, 1))
        made = weights / weights.sum(-1, keepdims=True) @ v
        answer[window] += made.transpose(1, 0, 2).reshape(4, 4, 6)
    np.testing.assert_allclose(model(x), answer, rtol=1e-5, atol=1e-5)


def test_networks_are_their_parts_on_images():
    frames = NETWORKS["frames"]
    x, cnn = images(frames), frames.get_layer("cnn")
    np.testing.assert_array_equal(frames(x), cnn(x.reshape(-1, 8, 8, 3)).reshape(-1, 5, 4))

    sides = NETWORKS["both_sides"]
    x, conv = images(sides), next(layer for layer in sides.layers if isinstance(layer, layers.Conv2D))
    wanted = (conv(x).max((1, 2)) + conv(x[:, :, ::-1]).max((1, 2))) / 2
    np.testing.assert_allclose(sides(x), wanted, rtol=1e-6)

    ensemble = NETWORKS["ensemble"]
    x = images(ensemble)
    members = [ensemble.get_layer(f"member_{i}")(x) for i in range(3)]
    np.testing.assert_allclose(ensemble(x), np.mean(members, axis=0), rtol=1e-6)

    quantizer = NETWORKS["quantizer"]
    x, (_, conv, layer) = images(quantizer), quantizer.layers
    pixels, table = conv(x)[..., None], layer.get_weights()[0]
    places = ((pixels - table) ** 2).sum(-2).argmin(-1)
    np.testing.assert_allclose(quantizer(x), table.T[places], rtol=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_do_what_others_do(name, tmp_path):
    """Files, pickles, copies, new weights, explanations, profiles, threads; and no batch size changes a bit."""
    model = cn.models.clone_model(NETWORKS[name])
    x = images(model)
    wanted = model(x)
    for size in (1, 2, 5):
        np.testing.assert_array_equal(model.predict(x, batch_size=size), wanted)
    model.save(tmp_path / "m.keras")
    again = cn.load_model(tmp_path / "m.keras", custom_objects=CLASSES)
    plain = pickle.loads(pickle.dumps(model)) if name in ("frames", "both_sides", "ensemble") else model
    for other in (again, plain, copy.deepcopy(model)):
        np.testing.assert_array_equal(other(x), wanted)
    model.summary(print_fn=str)
    assert len(model.explain()) and len(model.profile(x, repeats=1).rows)
    cn.autotune(model, x, repeats=1)
    np.testing.assert_allclose(model(x), wanted, rtol=1e-4, atol=1e-5)
    model.set_weights([w + 1 for w in model.get_weights()])
    assert not np.array_equal(model(x), wanted)


def test_many_threads_and_batch_sizes():
    model, rows = cn.models.clone_model(NETWORKS["windows"]), []
    x = images(model, 12)
    wanted = NETWORKS["windows"]
    model.set_weights(wanted.get_weights())
    wanted = wanted(x)

    def run(n):
        rows.extend(np.array_equal(model(x[:n]), wanted[:n]) for _ in range(20))

    threads = [threading.Thread(target=run, args=(1 + i % 6,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert rows == [True] * 160
    for n in range(1, 13):
        model(x[:n])
    (program,) = model._programs.values()
    assert len(program._sizes) == 8  # of all that were met


class Tokens(layers.Layer):
    """Puts what is the same for every image before its entries, in all ways that a call has for that."""

    def build(self, input_shape):
        self.token = self.add_weight(shape=(1, 1, 2), initializer="ones", name="token")

    def call(self, x):
        n, _, c = ops.shape(x)
        spread = [ops.broadcast_to(self.token, (n, 1, c)), ops.repeat(self.token, n, axis=0)]
        return ops.concatenate([*spread, ops.tile(self.token, (n, 1, 1)), ops.zeros((n, 1, c)), x], axis=1)


class Noise(layers.Layer):
    def call(self, x):
        y = ops.stack([x, x])[0]
        return y + cn.random.normal(ops.shape(y))


def test_what_every_image_has_in_a_whole_batch():
    x = cn.Input((6, 2))
    model = cn.Model(x, ops.flip(Tokens()(ops.stack([-x, x])[1]), axis=0))
    wanted = np.concatenate([np.ones((4, 3, 2)), np.zeros((4, 1, 2)), X], axis=1)[::-1]
    np.testing.assert_array_equal(model(X), wanted)
    assert model.output_shape == (None, 10, 2)
    noise = cn.Model(x, Noise()(x))
    first, second = noise(X) - X, noise(X) - X
    assert len(np.unique(first)) == X.size and not np.isclose(first, second).any()


class Deviations(layers.Layer):
    """Mean deviations among the images for every image, as the discriminators of ProGAN and StyleGAN have them."""

    def __init__(self, spread, **kwargs):
        super().__init__(**kwargs)
        self.spread = spread

    def call(self, x):
        made = ops.mean(ops.std(x, axis=0, keepdims=True), axis=(1, 2), keepdims=True)
        return ops.concatenate([x, self.spread(made, ops.shape(x)[0])], axis=-1)


@pytest.mark.parametrize(
    "spread",
    [
        lambda made, batch: ops.tile(made, (batch, 6, 1)),
        lambda made, batch: ops.broadcast_to(made, (batch, 6, 1)),
        lambda made, batch: ops.repeat(ops.repeat(made, 6, axis=1), batch, axis=0),
    ],
    ids=["tile", "broadcast_to", "repeat"],
)
def test_a_value_of_all_images_is_spread_over_them(spread):
    x = cn.Input((6, 2))
    model = cn.Model(x, Deviations(spread)(x))
    assert model.output_shape == (None, 6, 3)
    for n in (1, 4):
        wanted = np.full((n, 6, 1), X[:n].std(axis=0).mean())
        np.testing.assert_allclose(model(X[:n]), np.concatenate([X[:n], wanted], -1), rtol=1e-5)


def test_sizes_that_are_not_known():
    x = cn.Input((None, None, 3))
    turned = ops.transpose(x, (3, 0, 1, 2))
    assert turned.shape == (3, None, None, None)
    assert ops.stack([turned[0], turned[1]]).shape == (2, None, None, None)
    assert ops.reshape(x, (-1, 7, 11)).shape == (None, 7, 11)
    model = cn.Model(x, layers.Conv2D(2, 1)(ops.mean(ops.stack([x, x * 3.0]), axis=0)))
    for shape in ((2, 5, 7, 3), (3, 6, 4, 3)):
        assert model(np.ones(shape)).shape == (*shape[:3], 2)


def test_a_model_whose_result_is_a_stack_is_a_part_of_models():
    image = cn.Input((6, 2))
    stacked = cn.Model(image, ops.stack([image, image * 2.0]))
    x = cn.Input((6, 2))
    model = cn.Model(x, layers.Dense(3, kernel_initializer="ones")(ops.max(stacked(x), axis=0)))
    assert stacked(x).shape == (2, None, 6, 2) and model.output_shape == (None, 6, 3)
    wanted = np.maximum(X, 2 * X).sum(-1, keepdims=True).repeat(3, -1)
    np.testing.assert_allclose(model(X), wanted, rtol=1e-5, atol=1e-6)


def test_tensorflow_functions_fold_too():
    x = np.random.default_rng(2).random((3, 6, 5, 4), np.float32)
    np.testing.assert_array_equal(opened("reshape", {"shape": [-1, 5, 4]})(x), x.reshape(-1, 5, 4))
    turned = opened("transpose", {"perm": [1, 0, 2, 3]})(x)
    np.testing.assert_array_equal(turned, x.transpose(1, 0, 2, 3))


def test_what_cannot_be_is_said():
    frames = model_of(lambda ops, x: ops.reshape(x, (-1, 5, 12)))
    with pytest.raises(ValueError, match=r"`newshape` must hold the 48 entries .*Received: newshape="):
        frames(X)
    assert frames.predict(X[[0, 1, 2, 3, 0]]).shape == (1, 5, 12)
    with pytest.raises(ValueError, match="`x` must hold at least one image"):
        frames(X[:0])
    with pytest.raises(IndexError, match="index 5 is out of bounds"):
        model_of(lambda ops, x: x[5])(X)


@pytest.mark.parametrize(
    "use",
    [
        lambda x: ops.mean(x),
        lambda x: ops.unstack(x),
        lambda x: ops.dot(x, x),
        lambda x: ops.tensordot(x, KERNEL, axes=[[0], [0]]),
        lambda x: ops.matmul(cn.Input((2,)), cn.Input((3,))),
    ],
)
def test_what_stays_refused(use):
    with pytest.raises(cn.UnsupportedLayerError, match=r"batch.* not computed here"):
        use(cn.Input((6, 2)))


def test_functions_of_arrays_are_host_steps_of_a_batch():
    """A function that is recorded with the axis of the batch runs on arrays, as one that takes arrays alone."""
    layer = layers.Lambda(lambda x: x - ops.mean(x, axis=0))
    np.testing.assert_allclose(layer(X), X - X.mean(0), rtol=1e-5, atol=1e-6)
    assert " host " in str(layer.explain())

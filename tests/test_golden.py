"""Keras's answers, stored by golden/make_golden.py, against this package: layers, models, the article's programs."""

import numpy as np
import pytest

import conv2d_native as cn
from answers import LAYER_ANSWERS, MODEL_ANSWERS, MODELS, pattern_weights, relative_error
from article import ARTICLES, article_input
from layer_cases import CASES, case_id, inputs_of, make_layer

LAYER_GATE, MODEL_GATE = 1e-5, 1e-4


def answer(layer, xs, weights):
    shapes = [x.shape for x in xs]
    layer.build(shapes[0] if len(xs) == 1 else shapes)
    assert [np.shape(w) for w in layer.get_weights()] == [w.shape for w in weights]
    layer.set_weights(weights)
    return layer(xs[0] if len(xs) == 1 else xs)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case_id(*case))
def test_layer(case):
    class_name, arguments, shapes = case
    key = case_id(*case)
    entry, expected = LAYER_ANSWERS[key]
    xs, weights = inputs_of(key, shapes), pattern_weights(entry["weights"], key)
    layer = make_layer(cn.layers, class_name, arguments)
    got = answer(layer, xs, weights)
    assert got.dtype == np.float32 and relative_error(got, expected) <= LAYER_GATE
    computed = layer.compute_output_shape(xs[0].shape if len(xs) == 1 else [x.shape for x in xs])
    assert tuple(computed) == expected.shape
    for config in (entry["config"], layer.get_config()):
        again = getattr(cn.layers, class_name).from_config(config)
        np.testing.assert_array_equal(answer(again, xs, weights), got)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("name", MODELS)
def test_model(name, suffix, tmp_path):
    """Row G20."""
    entry = MODELS[name]
    path = tmp_path / f"model{suffix}"
    path.write_bytes(MODEL_ANSWERS[name + suffix].tobytes())
    model = cn.load_model(path)
    xs = inputs_of(name, entry["input_shapes"])
    x = (
        dict(zip(entry["input_names"], xs, strict=True))
        if entry["input_names"]
        else xs
        if len(xs) > 1
        else xs[0]
    )
    for ys in (model.predict(x, verbose=0), model(x)):
        if entry["output_names"]:
            assert set(ys) == set(entry["output_names"])
            ys = [ys[n] for n in entry["output_names"]]
        ys = ys if isinstance(ys, (list, tuple)) else [ys]
        for i, got in enumerate(ys):
            assert relative_error(got, MODEL_ANSWERS[f"{name}/y{i}"]) <= MODEL_GATE


@pytest.mark.parametrize("name", ARTICLES)
def test_article(name):
    model = ARTICLES[name](cn)
    key = [["kernel", w.shape] if w.ndim > 1 else ["bias", w.shape] for w in model.get_weights()]
    model.set_weights(pattern_weights(key, name))
    x, expected = article_input(name), MODEL_ANSWERS[f"{name}/y"]
    assert relative_error(model.predict(x, verbose=0), expected) <= LAYER_GATE
    many = np.tile(x, (25, 1, 1, 1))[:50]
    got = model.predict(many, verbose=0)
    assert got.shape == (50, *expected.shape[1:])
    np.testing.assert_array_equal(got[: len(x)], model(x))


def test_every_answer_is_asked_for():
    assert set(LAYER_ANSWERS) == {case_id(*case) for case in CASES}
    assert all(np.isfinite(expected).all() for _, expected in LAYER_ANSWERS.values())

"""autotune keeps right answers, keeps its choice through pickle, and can be told what is fastest."""

import copy
import pickle

import numpy as np
import pytest

import conv2d_native as cn
from conv2d_native import layers
from error_measure import relative_l2

X = np.random.default_rng(0).standard_normal((3, 20, 20, 16)).astype(np.float32)


@pytest.fixture
def model():
    return cn.Sequential(
        [
            layers.Conv2D(32, 3, padding="same", activation="relu", input_shape=(20, 20, 16)),
            layers.BatchNormalization(),
            layers.DepthwiseConv2D(3, strides=2),
            layers.Conv2D(24, 1),
            layers.GlobalAveragePooling2D(),
            layers.Dense(5),
        ]
    )


def test_the_answer_stays(model):
    before = model.predict(X, verbose=0)
    table = cn.autotune(model, X, repeats=1)
    after = model.predict(X, verbose=0)
    assert relative_l2(after, before) < 1e-5
    for n in (1, 2):
        np.testing.assert_array_equal(model.predict(X[:n], verbose=0), after[:n])
    assert {row["problem"] for row in table} >= set(model._choices)
    assert all(row["chosen_ms"] <= row["planned_ms"] for row in table) and "planned" in str(table)
    assert all(row["problem"].startswith("n1") for row in table)


def test_a_choice_is_followed_and_kept(model):
    problem = next(node["problem"] for node in model.explain() if "k3x3s1" in str(node["problem"]))
    other = next(r["name"] for r in cn.explain(problem) if r["reason"] is None and not r["chosen"])
    planned = model(X)
    model._choices = {problem: other}
    model._forget()
    tuned = model(X)
    assert relative_l2(tuned, planned) < 1e-5
    for again in (model, pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        np.testing.assert_array_equal(again(X), tuned)
        assert other in [node["algorithm"] for node in again.explain() if node["problem"] == problem]
    model._choices = {problem: "nonsense"}
    model._forget()
    np.testing.assert_array_equal(model(X), planned)


def test_exact_is_stronger_than_a_choice(model):
    model._choices = dict.fromkeys(
        [node["problem"] for node in model.explain() if node["op"] == "conv"], "winograd4"
    )
    model._forget()
    with cn.exact():
        assert not [node for node in model.explain() if "winograd" in str(node["algorithm"])]


@pytest.mark.parametrize(
    "arguments, error",
    [
        ((None, X), TypeError),
        ((layers.ReLU(), X), TypeError),
        (("model", X[:0]), ValueError),
        (("model", X, 0), ValueError),
    ],
)
def test_refusals(arguments, error, model):
    first, *rest = arguments
    with pytest.raises(error):
        cn.autotune(model if first == "model" else first, *rest)

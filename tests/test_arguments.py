"""Keras's argument words and the rule for arrays, word by word: what passes, what it becomes, what is refused how."""

from __future__ import annotations

import re

import numpy as np
import pytest

import conv2d_native as cn
from conv2d_native import arguments
from conv2d_native import layers as L

LARGEST = 2**31 - 1


def refused(error, text, call, *values, **words):
    """The call raises exactly `error` with exactly this text."""
    with pytest.raises(error, match=re.escape(text)) as caught:
        call(*values, **words)
    assert type(caught.value) is error
    assert str(caught.value) == text


def test_shown_shortens():
    assert arguments.shown((0, 1)) == "(0, 1)"
    assert arguments.shown("x" * 200) == repr("x" * 200)[:200] + "..."
    assert arguments.shown("x" * 198) == repr("x" * 198)
    assert arguments.shown(b"y" * 300) == repr(b"y" * 200)[:200] + "..."
    assert arguments.shown(list(range(100))) == repr(list(range(100)))[:200] + "..."
    assert arguments.shown(np.zeros((2, 3), np.int8)) == "<array of dtype int8 and shape (2, 3)>"
    assert (
        arguments.shown(np.zeros((1,) * 60))
        == f"<array of dtype float64 and shape {(1,) * 60}>"[:200] + "..."
    )


def test_shown_looks_into_lists_and_dicts():
    x = np.zeros((2, 3), np.int8)
    inner = "<array of dtype int8 and shape (2, 3)>"
    assert arguments.shown([x]) == f"[{inner}]" and arguments.shown((x,)) == f"({inner},)"
    assert arguments.shown({"a": x, 3: (1, 2)}) == f"{{'a': {inner}, 3: (1, 2)}}"


def test_shown_survives_a_broken_repr():
    class Broken:
        def __repr__(self):
            raise OSError

    assert arguments.shown(Broken()) == "<Broken>"


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3), np.array(3)])
def test_an_integer(value):
    made = arguments.integer("filters", value)
    assert made == 3 and type(made) is int


@pytest.mark.parametrize(
    "value", [True, np.True_, 3.0, "3", b"3", None, np.float32(3), np.array([3, 4]), [3]]
)
@pytest.mark.parametrize(
    ("low", "words"),
    [
        (0, "a non-negative integer"),
        (1, "a positive integer"),
        (2, "an integer of at least 2"),
        (None, "an integer"),
    ],
)
def test_an_integer_of_another_kind(value, low, words):
    text = f"`filters` must be {words}. Received: filters={arguments.shown(value)}."
    refused(TypeError, text, arguments.integer, "filters", value, low)


def test_an_integer_out_of_range():
    assert arguments.integer("n", 1) == 1
    assert arguments.integer("n", 0, 0) == 0
    assert arguments.integer("n", -5, None) == -5
    assert arguments.integer("n", LARGEST) == LARGEST
    assert arguments.integer("n", 7, high=7) == 7
    refused(ValueError, "`n` must be a positive integer. Received: n=0.", arguments.integer, "n", 0)
    refused(ValueError, "`n` must be a non-negative integer. Received: n=-1.", arguments.integer, "n", -1, 0)
    refused(ValueError, "`n` must be an integer of at least 2. Received: n=1.", arguments.integer, "n", 1, 2)
    refused(ValueError, f"`n` must be at most {LARGEST}. Received: n={2**31}.", arguments.integer, "n", 2**31)
    refused(ValueError, "`n` must be at most 7. Received: n=8.", arguments.integer, "n", 8, None, 7)


@pytest.mark.parametrize(
    ("value", "made"),
    [
        (2, (2, 2)),
        ((2, 3), (2, 3)),
        ([2, 3], (2, 3)),
        (np.array([2, 3]), (2, 3)),
        (np.array([2, 3], np.uint8), (2, 3)),
        (np.array(2), (2, 2)),
        ((np.int16(2), LARGEST), (2, LARGEST)),
    ],
)
def test_integers(value, made):
    got = arguments.integers("strides", value, 2)
    assert got == made and all(type(number) is int for number in got)


def test_integers_of_one_axis():
    assert arguments.integers("strides", 2, 1) == (2,)
    assert arguments.integers("strides", (2,), 1) == (2,)
    text = "`strides` must be a positive integer or a tuple of one. Received: strides=(1, 2)."
    refused(ValueError, text, arguments.integers, "strides", (1, 2), 1)


@pytest.mark.parametrize(
    "value",
    [
        (1, True),
        (np.True_, 1),
        True,
        (1.0, 2),
        2.5,
        "22",
        b"ab",
        ("1", "2"),
        {1, 2},
        frozenset({1}),
        {1: 2},
        None,
        (None, 1),
        np.array([1.0, 2.0]),
        np.array([True, False]),
        np.array([[1, 2]]),
        object(),
    ],
)
def test_integers_of_another_kind(value):
    text = f"`strides` must be 1 or 2 positive integers. Received: strides={arguments.shown(value)}."
    refused(TypeError, text, arguments.integers, "strides", value, 2)


def test_text_that_could_be_numbers_is_no_integer():
    class Numeric(str):
        def __index__(self):
            return 1

    class Table(dict):
        def __index__(self):
            return 1

    for value in (Numeric("1"), Table()):
        with pytest.raises(TypeError, match="`strides` must be 1 or 2 positive integers"):
            arguments.integers("strides", value, 2)


@pytest.mark.parametrize("value", [(1,), (1, 1, 1), [], 0, (1, 0), (-1, 1)])
def test_integers_of_another_length_or_too_small(value):
    text = f"`strides` must be 1 or 2 positive integers. Received: strides={value}."
    refused(ValueError, text, arguments.integers, "strides", value, 2)


def test_integers_from_zero():
    assert arguments.integers("crop", (0, 1), 2, 0) == (0, 1)
    text = "`crop` must be 1 or 2 non-negative integers. Received: crop=(0, -1)."
    refused(ValueError, text, arguments.integers, "crop", (0, -1), 2, 0)


def test_integers_too_large():
    text = f"`pool_size` must be at most {LARGEST}. Received: pool_size=(1, {2**31})."
    refused(ValueError, text, arguments.integers, "pool_size", (1, 2**31), 2)
    assert arguments.integers("n", (4, 5), 2, high=5) == (4, 5)
    assert arguments.steps("strides", 2**63 - 1) == (2**63 - 1,) * 2
    assert arguments.steps("strides", (1, 2, 3), 3) == (1, 2, 3)
    text = f"`strides` must be at most {2**63 - 1}. Received: strides={2**63}."
    refused(ValueError, text, arguments.steps, "strides", 2**63)
    assert LARGEST == arguments.LARGEST_SIZE


@pytest.mark.parametrize(
    ("value", "made"),
    [
        (1, ((1, 1), (1, 1))),
        ((1, 2), ((1, 1), (2, 2))),
        (((1, 2), (3, 0)), ((1, 2), (3, 0))),
        ([[1, 2], [3, 4]], ((1, 2), (3, 4))),
        (((1, 2), [3, 4]), ((1, 2), (3, 4))),
        (0, ((0, 0), (0, 0))),
    ],
)
def test_pairs(value, made):
    assert arguments.pairs("padding", value) == made


@pytest.mark.parametrize(
    ("error", "value"),
    [
        (ValueError, -1),
        (ValueError, (1, -1)),
        (ValueError, ((1, 2),)),
        (ValueError, ((1, 2), (3, 4), (5, 6))),
        (ValueError, ((1, 2), (3, -4))),
        (ValueError, ((1, 2), (3, 2**31))),
        (ValueError, ((1, 2, 3), (3, 4))),
        (ValueError, ((1, 2), 3)),
        (ValueError, (3, (1, 2))),
        (ValueError, 2**31),
        (ValueError, (1, 2, 3)),
        (TypeError, "1"),
        (TypeError, None),
        (TypeError, ((1, 2.0), (3, 4))),
        (TypeError, (1, 2.0)),
    ],
)
def test_pairs_of_another_form(error, value):
    text = (
        "`padding` must be a non-negative integer, a tuple of 2 of them, or a tuple of 2 pairs (before, after), "
        f"each at most {LARGEST}. Received: padding={value!r}."
    )
    refused(error, text, arguments.pairs, "padding", value)


def test_padding():
    assert arguments.padding("SAME") == "same"
    assert arguments.padding("valid") == "valid"
    assert arguments.padding_word("Causal", ("valid", "causal")) == "causal"
    assert arguments.padding(((1, 2), (3, 4))) == ((1, 2), (3, 4))
    assert arguments.padding([1, 2]) == ((1, 1), (2, 2))
    with pytest.raises(ValueError, match="`padding` must be a non-negative integer, a tuple of 2"):
        arguments.padding((1, -1))


@pytest.mark.parametrize("value", ["full", "", b"same", None, 3, (1,), (1, 2, 3), {"same"}])
def test_padding_of_another_kind(value):
    text = (
        f"`padding` must be one of 'valid', 'same' or 2 pairs (before, after). Received: padding={value!r}."
    )
    refused(ValueError, text, arguments.padding, value)


def test_padding_word():
    assert arguments.padding_word("Same") == "same"
    assert arguments.padding_word("causal", ("valid", "causal")) == "causal"
    for value in ("full", None, 1, (1, 1), b"same"):
        text = f"`padding` must be one of 'valid', 'same'. Received: padding={value!r}."
        refused(ValueError, text, arguments.padding_word, value)
    text = "`padding` must be one of 'valid', 'causal'. Received: padding='same'."
    refused(ValueError, text, arguments.padding_word, "same", ("valid", "causal"))


def test_data_format():
    assert arguments.data_format(None) == "channels_last"
    assert arguments.data_format("Channels_Last") == "channels_last"
    assert arguments.data_format("CHANNELS_FIRST") == "channels_first"
    for value in ("nhwc", "", 1, b"channels_last", False):
        text = f"`data_format` must be one of 'channels_last', 'channels_first'. Received: data_format={value!r}."
        refused(ValueError, text, arguments.data_format, value)


def test_a_number():
    for value in (2, 2.0, np.int8(2), np.float16(2)):
        made = arguments.number("alpha", value)
        assert made == 2.0 and type(made) is float
    assert arguments.number("alpha", float("inf")) == float("inf")
    assert np.isnan(arguments.number("alpha", float("nan")))
    assert arguments.number("alpha", 0, low=0) == 0.0
    assert arguments.number("alpha", -1.5) == -1.5
    for value in (-0.5, float("inf"), float("nan")):
        text = f"`alpha` must be a finite number >= 0. Received: alpha={value!r}."
        refused(ValueError, text, arguments.number, "alpha", value, 0)
    for value in (True, np.True_, "1", None, 1j, [1]):
        text = f"`alpha` must be a number. Received: alpha={value!r}."
        refused(TypeError, text, arguments.number, "alpha", value)


def test_a_positive_number():
    assert arguments.positive_number("epsilon", 1e-300) == 1e-300
    assert arguments.positive_number("epsilon", 1) == 1.0
    for value in (0, -1.0, float("inf"), float("nan"), -float("inf")):
        text = f"`epsilon` must be a finite number > 0. Received: epsilon={value!r}."
        refused(ValueError, text, arguments.positive_number, "epsilon", value)
    refused(
        TypeError,
        "`epsilon` must be a number. Received: epsilon='x'.",
        arguments.positive_number,
        "epsilon",
        "x",
    )


def test_an_axis():
    assert [arguments.axis("axis", value, 4) for value in (-4, -1, 0, 3, np.int64(2))] == [0, 3, 0, 3, 2]
    for value in (-5, 4):
        text = f"`axis` must be from -4 to 3. Received: axis={value}."
        refused(ValueError, text, arguments.axis, "axis", value, 4)
    refused(TypeError, "`axis` must be an integer. Received: axis=1.0.", arguments.axis, "axis", 1.0, 4)


def test_sizes_of_a_shape():
    assert arguments.sizes("shape", [np.int64(3), None, 1]) == (3, None, 1)
    assert arguments.sizes("shape", (0, 2), 0) == (0, 2)
    with pytest.raises(ValueError, match="positive"):
        arguments.sizes("shape", (0, 2))


@pytest.mark.parametrize("value, low, error, words", [
    (3, 1, TypeError, "a tuple of sizes"),
    ("32", 1, TypeError, "a tuple of sizes"),
    ((0, 2), 1, ValueError, "a tuple of positive integers, and None for sizes that vary"),
    ((-1, 2), 0, ValueError, "a tuple of non-negative integers, and None for sizes that vary"),
    ((2.5,), 1, TypeError, "a tuple of positive integers, and None for sizes that vary"),
])  # fmt: skip
def test_sizes_that_are_none(value, low, error, words):
    with pytest.raises(error) as caught:
        arguments.sizes("shape", value, low)
    assert str(caught.value) == f"`shape` must be {words}. Received: shape={value!r}."


X4, K4 = np.ones((1, 4, 4, 2), np.float32), np.ones((3, 3, 2, 1), np.float32)
FLAGS = {
    "use_bias": lambda value: L.Conv2D(2, 3, use_bias=value),
    "center": lambda value: L.BatchNormalization(center=value),
    "keepdims": lambda value: cn.global_max_pool2d(X4, keepdims=value),
    "antialias": lambda value: cn.resize(X4, (2, 2), antialias=value),
    "exact": lambda value: cn.conv2d(X4, K4, exact=value),
    "enabled": lambda value: cn.exact(value).__enter__(),
    "approximate": lambda value: cn.gelu(X4, approximate=value),
    "trainable": lambda value: setattr(L.Dense(2), "trainable", value),
    "copy": lambda value: small().set_weights([np.ones((2, 1)), np.ones(1)], copy=value),
    "overwrite": lambda value: small().save("never.keras", overwrite=value),
    "skip_mismatch": lambda value: small().load_weights("never.keras", skip_mismatch=value),
    "by_name": lambda value: small().load_weights("never.keras", by_name=value),
    "recursive": lambda value: cn.models.clone_model(small(), recursive=value),
    "expand_nested": lambda value: small().summary(print_fn=len, expand_nested=value),
    "show_trainable": lambda value: small().summary(print_fn=len, show_trainable=value),
    "optimize": lambda value: small().explain(optimize=value),
    "show_shapes": lambda value: cn.utils.plot_model(small(), "made.dot", show_shapes=value),
}


def small():
    return cn.Sequential([L.Dense(1, input_shape=(2,))])


@pytest.mark.parametrize("name", FLAGS)
def test_flags(name, tmp_path, monkeypatch):
    """True and False, also as 1 and 0 and as NumPy has them: "no" was taken for True."""
    monkeypatch.chdir(tmp_path)
    for value in ("yes", "no", "", None, 2, -1, 0.0, [], np.ones(2, bool)):
        with pytest.raises(TypeError, match=f"`{name}` must be True or False. Received: {name}="):
            FLAGS[name](value)
    assert not list(tmp_path.iterdir())
    if name not in ("enabled", "overwrite", "skip_mismatch", "by_name"):
        for value in (True, False, np.True_, np.False_, 1, 0, np.int64(1)):
            FLAGS[name](value)

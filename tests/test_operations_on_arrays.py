"""Operations of keras.ops give for arrays what they give in models."""

import numpy as np
import pytest

import conv2d_native as cn
from conv2d_native import ops

RNG = np.random.default_rng(36)
X = RNG.standard_normal((2, 3, 4)).astype(np.float32)


def both(operation, x):
    """What it makes of an array, which a model agrees with."""
    source = cn.Input(x.shape[1:])
    made = operation(x)
    np.testing.assert_allclose(cn.Model(source, operation(source))(x), made, rtol=1e-6, atol=1e-7)
    return made


@pytest.mark.parametrize("axis", [-1, 1, (1, 2), [1, 2]])
@pytest.mark.parametrize("order", [1, 2])
def test_normalize(axis, order):
    made = both(lambda x: ops.normalize(x, axis, order), X)
    if order == 2:
        places = tuple(axis) if isinstance(axis, list) else axis
        np.testing.assert_allclose(made, X / np.sqrt((X**2).sum(places, keepdims=True)), rtol=1e-6)


def test_normalize_over_everything_and_of_other_numbers():
    """Of order 2 the length is that of all values, not the spectral norm of matrices; as in Keras."""
    for axis in (None, (0, 1, 2)):
        np.testing.assert_allclose(ops.normalize(X, axis=axis), X / np.sqrt((X**2).sum()), rtol=1e-6)
    np.testing.assert_allclose(ops.normalize(np.eye(2)[None], axis=(1, 2))[0], np.eye(2) / np.sqrt(2))
    np.testing.assert_allclose(ops.normalize(np.array([[30, 40]], np.int8)), [[0.6, 0.8]], rtol=1e-6)
    assert ops.normalize(X.astype(np.float16)).dtype == np.float16
    with pytest.raises(TypeError, match="`order` must be a positive integer"):
        ops.normalize(X, order=np.inf)


def test_one_hot_cuts_to_whole_numbers():
    x = np.float32([[1.5, -0.5, 2.99], [3, -1, np.nan]])
    expected = np.zeros((2, 3, 3))
    expected[0, [0, 1, 2], [1, 0, 2]] = 1
    np.testing.assert_array_equal(both(lambda x: ops.one_hot(x, 3), x), expected)
    np.testing.assert_array_equal(ops.one_hot(np.array([True, False]), 2, dtype="int32"), [[0, 1], [1, 0]])
    with pytest.raises(ValueError, match="`num_classes` must be"):
        ops.one_hot([1], -1)

"""EinsumDense: what does not fit is named. The battery of test_layers.py has Keras's answers."""

import numpy as np
import pytest

import conv2d_native as cn
from conv2d_native import layers

RNG = np.random.default_rng(8)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ({"equation": "abc,cd"}, r"`equation` must label the axes .* Received: equation='abc,cd'"),
        ({"equation": "...c,cd->d..."}, "`equation` must label the axes"),
        ({"equation": None}, "`equation` must label the axes"),
        ({"bias_axes": "x"}, r"`bias_axes` must be labels of the result, 'abd'"),
        ({"output_shape": 4}, r"`output_shape` of layer 'e' must have a size for each label"),
        ({"output_shape": (9, 4)}, r"`output_shape` of layer 'e' must have a size for each label"),
        ({"equation": "abc,cd->dab"}, "keeps the images of a batch apart"),
        ({"equation": "abce,cd->abed"}, "takes inputs with the axes of equation='abce,cd->abed'"),
        ({"bias_axes": "bd", "shape": (None, 3)}, "The sizes of `bias` of layer 'e' must be defined"),
    ],
)
def test_equations_of_einsum_dense_that_do_not_fit(words, text):
    words = {"equation": "abc,cd->abd", "output_shape": (None, 4), "name": "e", **words}
    shape = words.pop("shape", (5, 3))
    with pytest.raises((ValueError, cn.UnsupportedLayerError), match=text):
        layers.EinsumDense(**words)(cn.Input(shape))


def test_a_bias_of_one_axis_is_added_along_it():
    """TensorFlow's backend of Keras 3.15 adds this one along the last axis, which is as long."""
    layer, x = layers.EinsumDense("nab,abxy->nyx", (3, 3), bias_axes="y"), RNG.standard_normal((2, 4, 5))
    layer.build(x.shape)
    layer.bias.assign(RNG.standard_normal((3, 1)))
    wanted = np.einsum("nab,abxy->nyx", x, layer.kernel.numpy()) + layer.bias.numpy()
    np.testing.assert_allclose(layer(x), wanted, rtol=1e-4, atol=1e-5)

"""Small Keras models in the manner of well-known networks: functions that return (model, input shapes)."""

from __future__ import annotations

import keras
from keras import layers as L
from keras import ops
from keras.src.applications.convnext import LayerScale, StochasticDepth
from keras.src.applications.inception_resnet_v2 import CustomScaleLayer


def conv_norm(x, filters, size=3, activation="relu", **arguments):
    x = L.Conv2D(filters, size, padding="same", use_bias=False, **arguments)(x)
    x = L.BatchNormalization(epsilon=1.001e-5)(x)
    return L.Activation(activation)(x) if activation else x


def sequential():
    model = keras.Sequential(
        [
            L.Conv2D(4, 3, activation="relu", input_shape=(12, 12, 3)),
            L.MaxPooling2D(),
            L.Dropout(0.2),
            L.Flatten(),
            L.Dense(5, activation="softmax"),
        ],
        name="sequential",
    )
    return model, [(3, 12, 12, 3)]


def sequential_without_input():
    layers = [L.Conv2D(4, 3, padding="same"), L.PReLU(shared_axes=[1, 2]), L.GlobalMaxPooling2D(), L.Dense(3)]
    model = keras.Sequential(layers, name="sequential_without_input")
    model.build((None, 9, 8, 2))
    return model, [(2, 9, 8, 2)]


def residual():
    x = source = keras.Input((14, 14, 3))
    x = L.ZeroPadding2D(1)(x)
    x = L.Conv2D(8, 5, strides=2, activation="relu")(x)
    shortcut = x
    y = conv_norm(x, 8)
    x = L.ReLU()(L.Add()([shortcut, conv_norm(y, 8, activation=None)]))
    y = L.Activation("relu")(L.BatchNormalization()(x))
    shortcut = L.Conv2D(12, 1, strides=2)(y)
    y = conv_norm(y, 12, strides=2)
    x = L.Add()([shortcut, L.Conv2D(12, 3, padding="same")(y)])
    x = CustomScaleLayer(0.3)([x, L.Conv2D(12, 1)(x)])
    x = L.GlobalAveragePooling2D()(x)
    return keras.Model(source, L.Dense(6, activation="softmax")(x), name="residual"), [(2, 14, 14, 3)]


def inception():
    x = source = keras.Input((15, 15, 3))
    x = conv_norm(x, 8, strides=2)
    branches = [
        conv_norm(x, 4, 1),
        conv_norm(conv_norm(x, 4, (1, 7)), 5, (7, 1)),
        conv_norm(L.AveragePooling2D(3, strides=1, padding="same")(x), 3, 1),
    ]
    x = L.Concatenate(axis=3)(branches)
    x = L.Concatenate()([L.Conv2D(4, 3, strides=2, activation="relu")(x), L.MaxPooling2D(3, strides=2)(x)])
    x = L.BatchNormalization(scale=False)(x)
    return keras.Model(source, L.GlobalAveragePooling2D()(x), name="inception"), [(2, 15, 15, 3)]


def gates():
    """Squeeze and excitation, with arithmetic on symbolic tensors."""
    x = source = keras.Input((10, 9, 3))
    x = L.Rescaling(1 / 127.5, offset=-1)(x)
    x = L.Conv2D(8, 3, strides=2, padding="same", activation="swish")(x)
    s = L.Reshape((1, 1, 8))(L.GlobalAveragePooling2D()(x))
    s = L.Conv2D(8, 1, activation="sigmoid")(L.Conv2D(3, 1, activation="relu")(s))
    x = x * s
    x = L.Multiply()([x, 1.5 - s]) / 2.0 + 0.25
    x = ops.maximum(-x, ops.square(x)) - ops.sigmoid(x)
    return keras.Model(source, L.Flatten()(x), name="gates"), [(2, 10, 9, 3)]


def unet():
    x = source = keras.Input((None, None, 2))
    a = L.Conv2D(6, 3, padding="same", activation="relu")(x)
    b = L.Conv2D(8, 3, padding="same", activation="relu")(L.MaxPooling2D()(a))
    c = L.Conv2D(8, 3, padding="same", dilation_rate=2, activation="elu")(L.MaxPooling2D()(b))
    x = L.Concatenate()([L.Conv2DTranspose(8, 2, strides=2)(c), b])
    x = L.Conv2D(6, 3, padding="same", activation="relu")(x)
    x = L.Concatenate()([L.UpSampling2D(2, interpolation="bilinear")(x), a])
    return keras.Model(source, L.Conv2D(1, 1, activation="sigmoid")(x), name="unet"), [(2, 12, 16, 2)]


def nested():
    block = keras.Sequential([L.Conv2D(4, 3, padding="same"), L.BatchNormalization(), L.ReLU()], name="block")
    inner_source = keras.Input((8, 8, 4))
    inner_outputs = [inner_source + L.Conv2D(4, 1)(inner_source), L.MaxPooling2D()(inner_source)]
    inner = keras.Model(inner_source, inner_outputs)
    source = keras.Input((8, 8, 2))
    full, half = inner(block(source))
    outputs = [L.GlobalAveragePooling2D()(full), L.GlobalMaxPooling2D()(half)]
    return keras.Model(source, L.Concatenate()(outputs), name="nested"), [(2, 8, 8, 2)]


def shared():
    embed = keras.Sequential([L.Conv2D(5, 3, activation="relu"), L.GlobalMaxPooling2D()], name="embed")
    dense = L.Dense(4, activation="tanh")
    a, b = keras.Input((8, 7, 2)), keras.Input((8, 7, 2))
    outputs = [L.Dot(axes=1, normalize=True)([dense(embed(a)), dense(embed(b))])]
    outputs.append(L.Subtract()([dense(embed(b)), embed(a)[:, :4]]))
    return keras.Model([a, b], outputs, name="shared"), [(3, 8, 7, 2)] * 2


def named():
    """Two inputs and two outputs by name."""
    inputs = {"image": keras.Input((8, 8, 3), name="image"), "facts": keras.Input((4,), name="facts")}
    x = L.Conv2D(6, 3, padding="same", activation="relu")(inputs["image"])
    y = L.Concatenate()([L.GlobalAveragePooling2D()(x), L.Dense(5, activation="relu")(inputs["facts"])])
    outputs = {"probs": L.Dense(3, activation="softmax")(y), "mask": L.Conv2D(1, 1, activation="sigmoid")(x)}
    return keras.Model(inputs, outputs, name="named"), {"image": (2, 8, 8, 3), "facts": (2, 4)}


def mobilenet_v2():
    x = source = keras.Input((13, 12, 3))
    x = L.ZeroPadding2D(((0, 1), (0, 1)))(x)
    x = L.ReLU(6.0)(L.BatchNormalization()(L.Conv2D(8, 3, strides=2, use_bias=False)(x)))
    y = L.ReLU(6.0)(L.BatchNormalization()(L.Conv2D(16, 1, use_bias=False)(x)))
    y = L.ReLU(6.0)(L.BatchNormalization()(L.DepthwiseConv2D(3, padding="same", use_bias=False)(y)))
    x = L.Add()([x, L.BatchNormalization()(L.Conv2D(8, 1, use_bias=False)(y))])
    x = L.DepthwiseConv2D(5, strides=2, padding="same", depth_multiplier=2)(x)
    return keras.Model(source, L.GlobalAveragePooling2D(keepdims=True)(x), name="mobilenet_v2"), [
        (2, 13, 12, 3)
    ]


def mobilenet_v3():
    def hard_sigmoid(x):
        return L.ReLU(6.0)(x + 3.0) * (1.0 / 6.0)

    x = source = keras.Input((None, None, 3))
    x = L.Rescaling(2.0, offset=-1.0)(x)
    x = conv_norm(x, 8, activation="hard_silu", strides=2)
    x = L.DepthwiseConv2D(5, padding="same", use_bias=False)(x)
    s = L.Conv2D(4, 1, activation="relu")(L.GlobalAveragePooling2D(keepdims=True)(x))
    x = L.Multiply()([x, hard_sigmoid(L.Conv2D(8, 1)(s))])
    x = x * hard_sigmoid(x)
    x = L.GlobalAveragePooling2D(keepdims=True)(x)
    return keras.Model(source, L.Flatten()(L.Dropout(0.2)(x)), name="mobilenet_v3"), [(2, 11, 12, 3)]


def nasnet():
    x = source = keras.Input((13, 13, 4))
    p = L.Activation("relu")(x)
    a = L.AveragePooling2D(1, strides=2, padding="valid")(p)
    b = L.Cropping2D(((1, 0), (1, 0)))(L.ZeroPadding2D(((0, 1), (0, 1)))(p))
    b = L.AveragePooling2D(1, strides=2)(b)
    a, b = L.Conv2D(4, 1, use_bias=False)(a), L.Conv2D(4, 1, use_bias=False)(b)
    p = L.BatchNormalization(momentum=0.9997, epsilon=1e-3)(L.Concatenate()([a, b]))
    s = L.SeparableConv2D(8, 5, padding="same", use_bias=False)(p)
    t = L.SeparableConv2D(8, 3, strides=2, padding="same")(L.ZeroPadding2D(((1, 1), (1, 1)))(x))
    t = L.Cropping2D(((0, 1), (0, 1)))(t)
    m = L.MaxPooling2D(3, strides=1, padding="same")(p)
    x = L.Concatenate()([L.Add()([s, m]), t, L.AveragePooling2D(3, strides=1, padding="same")(s)])
    return keras.Model(source, x, name="nasnet"), [(2, 13, 13, 4)]


def convnext():
    x = source = keras.Input((16, 16, 3))
    x = L.Normalization(mean=[0.1, 0.2, 0.3], variance=[1.0, 0.5, 2.0])(x)
    stem = keras.Sequential([L.Conv2D(8, 4, strides=4), L.LayerNormalization(epsilon=1e-6)], name="stem")
    x = stem(x)
    for i in range(2):
        y = L.Conv2D(8, 7, padding="same", groups=8, name=f"block_{i}_depthwise")(x)
        y = L.LayerNormalization(epsilon=1e-6)(y)
        y = L.Dense(8)(L.Activation("gelu")(L.Dense(16)(y)))
        y = LayerScale(1e-6, 8, name=f"block_{i}_scale")(y)
        x = x + StochasticDepth(0.1)(y)
    x = L.LayerNormalization(epsilon=1e-6)(L.GlobalAveragePooling2D()(x))
    return keras.Model(source, L.Dense(4)(x), name="convnext"), [(2, 16, 16, 3)]


def densenet():
    x = source = keras.Input((12, 12, 4))
    for _ in range(3):
        y = L.Conv2D(8, 1, use_bias=False)(L.ReLU()(L.BatchNormalization()(x)))
        y = L.Conv2D(3, 3, padding="same", use_bias=False)(L.ReLU()(L.BatchNormalization()(y)))
        x = L.Concatenate()([x, y])
    x = L.AveragePooling2D(2, strides=2)(L.Conv2D(6, 1)(L.ReLU()(L.BatchNormalization()(x))))
    return keras.Model(source, x, name="densenet"), [(2, 12, 12, 4)]


def operations():
    """Shape operations as nodes: slices, padding, concatenation, transposition, resizing, means."""
    x = source = keras.Input((8, 6, 4))
    x = ops.concatenate([x[:, 1:-1, ::2], ops.relu(x[:, :-2, 1::2, :])], axis=-1)
    x = ops.pad(x, [[0, 0], [1, 1], [0, 1], [0, 0]])
    x = ops.image.resize(x, (6, 8), interpolation="bilinear")
    x = L.Conv2D(3, 3)(x)
    mean = ops.mean(x, axis=(1, 2), keepdims=False)[:, None]
    x = ops.reshape(ops.transpose(x, (0, 2, 1, 3)), (-1, 24, 3)) - mean
    return keras.Model(source, ops.softmax(ops.max(x, axis=1)), name="operations"), [(2, 8, 6, 4)]


def channels_first():
    x = source = keras.Input((3, 9, 8))
    first = {"data_format": "channels_first"}
    x = L.Conv2D(6, 3, padding="same", activation="relu", **first)(x)
    x = L.MaxPooling2D(2, **first)(L.BatchNormalization(axis=1)(x))
    x = L.Flatten(**first)(L.ZeroPadding2D(1, **first)(x))
    return keras.Model(source, L.Dense(3)(x), name="channels_first"), [(2, 3, 9, 8)]


def crnn():
    """Text in images: a convolution, columns as steps, two recurrent layers that walk both ways."""
    x = source = keras.Input((8, 16, 1))
    x = L.MaxPooling2D(2)(L.Conv2D(4, 3, padding="same", activation="relu")(x))
    x = L.Dense(6, activation="relu")(L.Reshape((8, 16))(L.Permute((2, 1, 3))(x)))
    x = L.Bidirectional(L.LSTM(5, return_sequences=True, dropout=0.25))(x)
    x = L.Bidirectional(L.GRU(4, return_sequences=True), merge_mode="sum")(x)
    return keras.Model(source, L.Dense(7, activation="softmax")(x), name="crnn"), [(2, 8, 16, 1)]


def translation():
    """A recurrent layer that reads one sequence, and stacked cells that write another beginning with its states."""
    source, target = keras.Input((6, 3), name="source"), keras.Input((None, 2), name="target")
    _, *states = L.LSTM(4, return_state=True)(source)
    y = L.LSTM(4, return_sequences=True)(target, initial_state=states)
    y = L.RNN([L.LSTMCell(3, name="low"), L.GRUCell(2, name="high")], return_sequences=True)(y)
    return keras.Model([source, target], y, name="translation"), [(2, 6, 3), (2, 5, 2)]


MODELS = {
    make.__name__: make
    for make in (
        sequential, sequential_without_input, residual, inception, gates, unet, nested, shared, named, mobilenet_v2,
        mobilenet_v3, nasnet, convnext, densenet, operations, channels_first,
        crnn, translation,
    )
}  # fmt: skip

"""Small Keras models made at random: layers, merges, branches, gates, operations, nested and shared layers."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from random_layers import Draw, rows

L = keras.layers
STEEP = {
    "Activation",
    "UnitNormalization",
    "RMSNormalization",
}  # they may turn last bits into large differences
MOVED = {"Permute", "Reshape", "Flatten", "Softmax"}  # after them few layers fit
FREE = ["Conv2D", "DepthwiseConv2D", "SeparableConv2D", "Conv2DTranspose", "MaxPooling2D", "AveragePooling2D"]
FREE += [
    "GlobalMaxPooling2D",
    "GlobalAveragePooling2D",
    "ZeroPadding2D",
    "UpSampling2D",
    "ReLU",
    "LeakyReLU",
    "ELU",
]
FREE += ["Dropout"]  # FREE: layers for images of any size


class Value:
    """A symbolic tensor and the shape of a sample that it has for the images of the test."""

    def __init__(self, tensor: Any, shape: Any) -> None:
        self.tensor, self.shape = tensor, tuple(int(n) for n in shape)


class Graph:
    """A model that grows by random steps from an image of `shape`; `free` leaves the image's size open."""

    def __init__(self, draw: Draw, free: bool) -> None:
        self.draw, self.free = draw, free
        shape = draw.whole(4, 20), draw.whole(4, 20), draw.one([1, 2, 3, 4, 8, 16])
        given = (None, None, shape[-1]) if free else shape
        self.inputs = [keras.Input(given)]
        self.values = [Value(self.inputs[0], shape)]
        if draw.maybe(0.2):
            self.inputs.append(keras.Input(given))
            self.values.append(Value(self.inputs[1], shape))
        self.shared: list[tuple[Any, Any]] = []

    def recent(self, rank: int | None = None) -> Value | None:
        """One of the last values, of that rank."""
        values = [value for value in self.values if rank is None or len(value.shape) == rank]
        return self.draw.one(values[-3:]) if values else None

    def apply(self, layer: Any, value: Value) -> Value:
        """Call a layer and keep what it returns."""
        tensor = layer(value.tensor)
        shape = layer.compute_output_shape((1, *value.shape))[1:]
        made = Value(tensor, shape)
        if np.prod(made.shape) <= 60_000 and all(made.shape):
            self.values.append(made)
        return made

    def layer(self) -> None:
        """A layer of any class that fits; some are kept to be called again."""
        value = self.recent()
        names = [name for name in rows(len(value.shape)) if name not in STEEP | MOVED]
        if self.free and len(value.shape) == 3:
            names = FREE
        name = self.draw.one(names)
        words = rows(len(value.shape))[name](self.draw, value.shape)
        if words is None or "causal" in words.values() or np.prod(value.shape) > 30_000:
            return
        layer = getattr(L, name)(**words)
        self.apply(layer, value)
        if value.tensor.shape == self.inputs[0].shape or self.draw.maybe(0.2):
            self.shared.append((layer, value.shape))

    def again(self) -> None:
        """A shared layer on another tensor of the same shape."""
        if self.shared:
            layer, shape = self.draw.one(self.shared)
            same = [value for value in self.values if value.shape == shape]
            self.apply(layer, self.draw.one(same))

    def block(self) -> None:
        """A convolution or dense layer, batch normalization and activation, in any order; a residual around them."""
        value = self.recent(3)
        if value is None:
            return
        filters = value.shape[-1] if self.draw.maybe() else self.draw.whole(1, 24)
        bias = self.draw.maybe()
        parts = [
            L.Dense(filters, use_bias=bias)
            if self.draw.maybe(0.25)
            else L.Conv2D(filters, self.draw.one([1, 3, 5]), padding="same", use_bias=bias),
            L.BatchNormalization(),
            L.Activation(
                self.draw.one(["elu", "gelu", "relu", "relu6", "silu", "hard_silu", "leaky_relu", "sigmoid"])
            ),
        ]
        parts = [parts[i] for i in self.draw.rng.permutation(3)[: self.draw.whole(2, 3)]]
        x = value
        if self.draw.maybe(0.2):
            x = self.apply(keras.Sequential(parts), x)
        else:
            for part in parts:
                x = self.apply(part, x)
        if x.shape == value.shape and self.draw.maybe(0.7):
            merged = L.Add()([x.tensor, value.tensor]) if self.draw.maybe() else x.tensor + value.tensor
            self.values.append(Value(merged, x.shape))
            if self.draw.maybe():
                self.apply(L.ReLU(), self.values[-1])

    def merge(self) -> None:
        """A merge of two tensors that fit; channels are brought to one number by a convolution."""
        a = self.recent(3)
        if a is None:
            return
        same = [b for b in self.values if len(b.shape) == 3 and b.shape[:2] == a.shape[:2] and b is not a]
        same = [b for b in same if b.tensor.shape[1:3] == a.tensor.shape[1:3]]
        if not same:
            return
        b = self.draw.one(same)
        if self.draw.maybe():
            shape = (*a.shape[:2], a.shape[-1] + b.shape[-1])
            self.values.append(Value(L.Concatenate()([a.tensor, b.tensor]), shape))
            return
        if b.shape[-1] != a.shape[-1]:
            b = self.apply(L.Conv2D(a.shape[-1], 1), b)
        merge = getattr(L, self.draw.one(["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"]))
        self.values.append(Value(merge()([a.tensor, b.tensor]), a.shape))

    def gate(self) -> None:
        """Squeeze and excitation."""
        value = self.recent(3)
        if value is None:
            return
        s = L.GlobalAveragePooling2D(keepdims=True)(value.tensor)
        s = L.Conv2D(max(1, value.shape[-1] // 4), 1, activation="relu")(s)
        s = L.Conv2D(value.shape[-1], 1, activation=self.draw.one(["sigmoid", "hard_sigmoid"]))(s)
        both = [value.tensor, s] if self.draw.maybe() else [s, value.tensor]
        self.values.append(Value(L.Multiply()(both) if self.draw.maybe() else both[0] * both[1], value.shape))

    def operation(self) -> None:
        """Arithmetic on a tensor."""
        value = self.recent()
        x, number = value.tensor, round(float(self.draw.rng.uniform(0.5, 2)), 2)
        made = self.draw.one(
            [
                lambda: x * number + 1.0,
                lambda: number - x,
                lambda: -x / number,
                lambda: ops.relu6(x + 3.0) * (1.0 / 6.0),
                lambda: ops.maximum(x, 0.1 * x),
                lambda: ops.sigmoid(x) * x,
                lambda: ops.clip(x, -1.5, 2.0),
                lambda: ops.abs(x) - ops.tanh(x),
                lambda: ops.square(x) * 0.5,
            ]
        )()
        self.values.append(Value(made, value.shape))

    def model(self) -> keras.Model:
        """The model, with one to three outputs in one of Keras's structures."""
        leaves = [self.values[-1], *([self.recent()] if self.draw.maybe(0.4) else [])]
        outputs = []
        for leaf in leaves:
            x = leaf.tensor
            if len(leaf.shape) == 3 and self.draw.maybe():
                x = L.Dense(self.draw.whole(2, 12), activation="softmax")(L.GlobalAveragePooling2D()(x))
            outputs.append(L.Identity()(x))
        inputs = self.inputs if len(self.inputs) > 1 else self.inputs[0]
        if len(outputs) == 1:
            return keras.Model(inputs, outputs[0])
        named = dict(zip(("b", "a"), outputs, strict=True))
        return keras.Model(inputs, named if self.draw.maybe() else outputs)


def random_graph(draw: Draw) -> tuple[keras.Model, list[tuple[int, ...]]]:
    """A model and the shapes of the samples of its inputs."""
    graph = Graph(draw, free=draw.maybe(0.3))
    steps = (
        [graph.layer] * 3 + [graph.block] * 3 + [graph.merge] * 2 + [graph.gate, graph.operation, graph.again]
    )
    for _ in range(draw.whole(4, 16)):
        draw.one(steps)()
    shapes = [graph.values[i].shape for i in range(len(graph.inputs))]
    return graph.model(), shapes

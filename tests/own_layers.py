"""Layers as users write them for Keras. `make_layers(keras)` makes them for Keras or for this package."""


def make_layers(keras):
    """Scale: a weight of its own; Block: layers in attributes and in a list; Join: two inputs, two outputs."""
    ops, layers = keras.ops, keras.layers

    class Scale(layers.Layer):
        def __init__(self, start=2.0, **kwargs):
            super().__init__(**kwargs)
            self.start = start

        def build(self, input_shape):
            start = keras.initializers.Constant(self.start)
            self.gamma = self.add_weight(shape=(input_shape[-1],), initializer=start, name="gamma")
            super().build(input_shape)

        def call(self, x, training=None):
            if training:
                return x
            return self.gamma * x + 1.0

        def get_config(self):
            return {**super().get_config(), "start": self.start}

    class Block(layers.Layer):
        def __init__(self, filters, **kwargs):
            super().__init__(**kwargs)
            self._filters = filters
            self.conv = layers.Conv2D(filters, 3, padding="same")
            self.norm = layers.BatchNormalization()
            self.tops = [layers.Dense(filters), layers.Dense(2)]

        def call(self, inputs):
            x = ops.relu(self.norm(self.conv(inputs)))
            for top in self.tops:
                x = top(x)
            return ops.mean(x, axis=(1, 2))

        def get_config(self):
            return {**super().get_config(), "filters": self._filters}

    class Join(layers.Layer):
        def call(self, inputs):
            a, b = inputs
            return a * 2.0 + b, ops.concatenate([a, b], axis=-1)

    return {"Scale": Scale, "Block": Block, "Join": Join}


def make_network(keras, made):
    """A functional network of these layers for images of 6 by 5 pixels."""
    x = keras.Input((6, 5, 3))
    scaled = made["Scale"](3.0, name="scaled")(x)
    total, both = made["Join"](name="join")([scaled, x])
    top = made["Block"](4, name="block")(both)
    return keras.Model(x, {"top": top, "total": keras.layers.GlobalMaxPooling2D()(total)})

"""Models and layers as users write them for Keras. `make_classes(keras)` makes them for Keras or for this package."""


def make_classes(keras):
    """Networks with calls of their own, in functional style and of Sequential; layers of two inputs, with super()."""
    ops, layers = keras.ops, keras.layers

    class Swish(layers.Conv2D):
        def call(self, x):
            return keras.activations.silu(super().call(x))

    class Shifted(layers.BatchNormalization):
        def call(self, inputs, training=None):
            return super().call(inputs, training=training) + 1.0

    class Gate(layers.Layer):
        """Two inputs by position or by name, whose shapes build gets by Keras's rule; a setting."""

        def __init__(self, units, **kwargs):
            super().__init__(**kwargs)
            self.units = units
            self.dense = layers.Dense(units)

        def build(self, x_shape, y_shape):
            self.scale = self.add_weight(shape=(y_shape[-1],), initializer="ones", name="scale")
            self.dense.build(x_shape)

        def call(self, x, y, by=1.0, training=None):
            return self.dense(x) + y * self.scale * by

        def get_config(self):
            return {**super().get_config(), "units": self.units}

    class Net(keras.Model):
        """Without get_config. `top` comes behind `layers` in the alphabet: files have it in that group."""

        def __init__(self, classes=2, **kwargs):
            super().__init__(**kwargs)
            self.conv = layers.Conv2D(3, 3, activation="relu")
            self.blocks = [layers.Dense(3), layers.BatchNormalization()]
            self.top = layers.Dense(classes)

        def call(self, inputs, training=None):
            x = self.conv(inputs)
            for block in self.blocks:
                x = block(x)
            if training:
                x = layers.Dropout(0.5)(x)
            return self.top(ops.mean(x, axis=(1, 2)))

    class Deep(keras.Model):
        """`layers` is a setting; a weight of the model itself, layers that build makes, models inside."""

        def __init__(self, layers, **kwargs):
            super().__init__(**kwargs)
            self.widths = layers
            self.towers = {"b": Net(3), "a": Net(3)}
            self.zeta = keras.Sequential([Swish(3, 1), Shifted()])
            self.gate = Gate(3)

        def build(self, input_shape):
            self.gain = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="gain")
            self.dense = [layers.Dense(width) for width in self.widths]
            super().build(input_shape)

        def call(self, x):
            x = self.zeta(x * self.gain)
            x = self.gate(x, y=x)
            for dense in self.dense:
                x = dense(x)
            return {"a": self.towers["a"](x), "b": [self.towers["b"](x), x[:, :2]]}

        def get_config(self):
            return {**super().get_config(), "layers": list(self.widths)}

    class Pair(keras.Model):
        """Two images in a list, two results."""

        def __init__(self):
            super().__init__()
            self.first, self.second = layers.Dense(2), layers.Dense(3)

        def call(self, images):
            a, b = images
            return self.first(a), self.second(b)

        @classmethod
        def from_config(cls, config):
            return cls()

    class Trained(keras.Model):
        """In functional style, for a train_step of its own: configured as any network."""

        def train_step(self, batch):
            raise NotImplementedError

    class Made(keras.Model):
        """In functional style with a constructor of its own."""

        def __init__(self, filters=4, **kwargs):
            source = keras.Input((6, 5, 3))
            x = layers.Conv2D(filters, 3)(source)
            super().__init__(inputs=source, outputs=layers.Dense(2)(x), **kwargs)

    class Twice(keras.Sequential):
        def call(self, x, training=None):
            return super().call(x) * 2.0

    class Stack(keras.Sequential):
        def __init__(self, filters=4, **kwargs):
            super().__init__(**kwargs)
            self.filters = filters
            self.add(layers.Conv2D(filters, 3))
            self.add(layers.Dense(2))

        def get_config(self):
            return {"name": self.name, "filters": self.filters}

        @classmethod
        def from_config(cls, config, custom_objects=None):
            return cls(**config)

    class Headed(keras.Sequential):
        """A stack, and layers in attributes before and behind it."""

        def __init__(self, layers=None, name=None, trainable=True, **kwargs):
            super().__init__(layers, name=name, trainable=trainable, **kwargs)
            self.early = keras.layers.Dense(3)
            self.more = [keras.layers.Dense(3), keras.layers.Dense(2)]

        def call(self, x, training=None):
            x = super().call(self.early(x), training=training)
            return self.more[1](self.more[0](x))

    class Topped(keras.Model):
        """The same in functional style."""

        def __init__(self, filters=4, **kwargs):
            source = keras.Input((6, 5, 3))
            super().__init__(inputs=source, outputs=layers.Conv2D(filters, 3)(source), **kwargs)
            self.top = layers.Dense(2)

        def call(self, x, training=None):
            return self.top(super().call(x, training=training))

    made = (Swish, Shifted, Gate, Net, Deep, Pair, Trained, Made, Twice, Stack, Headed, Topped)
    return {cls.__name__: cls for cls in made}


def make_networks(keras, made):
    """By name, functions that make a network of these classes for images of 6 by 5 pixels."""
    layers = keras.layers

    def connected(*stack, model=keras.Model):
        x = source = keras.Input((6, 5, 3))
        for layer in stack:
            x = layer(x)
        return model(source, x)

    def gates():
        gate, source = made["Gate"](3), keras.Input((6, 5, 3))
        other = layers.ReLU()(source)
        x = gate(source, y=other)
        x = gate(x, source, by=3.0)
        return keras.Model(source, gate(y=x, x=source))

    return {
        "net": made["Net"],
        "deep": lambda: made["Deep"]([4, 3]),
        "pair": made["Pair"],
        "trained": lambda: connected(layers.Conv2D(3, 3), layers.Dense(2), model=made["Trained"]),
        "made": made["Made"],
        "twice": lambda: made["Twice"]([layers.Conv2D(2, 3), layers.Dense(2)]),
        "stack": made["Stack"],
        "headed": lambda: made["Headed"]([layers.Conv2D(4, 3), layers.Dense(3)]),
        "topped": made["Topped"],
        "gates": gates,
        "inside": lambda: connected(
            made["Swish"](3, 3, padding="same"),
            made["Shifted"](),
            made["Made"](),
            layers.Dense(3),
            made["Net"](),
        ),
        "stacked": lambda: keras.Sequential(
            [made["Twice"]([layers.Dense(3)]), made["Net"](), layers.Dense(2)]
        ),
    }

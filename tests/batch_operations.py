"""Operations along the axis of the batch, and networks with them: `use(ops, x)` and `make_networks(keras)`.

They are for Keras and for this package. The operations take arrays too.
"""

import numpy as np

X = np.random.default_rng(5).standard_normal((4, 6, 2)).astype(np.float32)
KERNEL = np.arange(6, dtype=np.float32).reshape(2, 3) / 4
TOKEN = np.full((1, 6, 2), 0.25, np.float32)

BY_IMAGE = {  # images stay apart: the batch is moved, folded or joined, and is first again in the end
    "mean of a stack": lambda ops, x: ops.mean(ops.stack([x, x * 3.0], axis=0), axis=0),
    "largest of a stack": lambda ops, x: ops.max(ops.stack([x, -x, x * 2.0]), axis=0),
    "part of a stack": lambda ops, x: ops.stack([x, -x])[1],
    "parts of a transpose": lambda ops, x: ops.unstack(ops.transpose(x, (1, 0, 2)), 6, axis=0)[3],
    "product of transposes": lambda ops, x: ops.matmul(ops.stack([x, -x]), ops.transpose(x, (0, 2, 1)))[0],
    "folded": lambda ops, x: ops.reshape(ops.softmax(ops.reshape(x, (-1, 3, 2)), axis=1), (-1, 12)),
    "swapped": lambda ops, x: ops.swapaxes(ops.exp(ops.swapaxes(x, 0, 2)), 0, 2),
    "moved": lambda ops, x: ops.sum(ops.moveaxis(x, 0, -1), axis=0).T if isinstance(x, np.ndarray)
    else ops.transpose(ops.sum(ops.moveaxis(x, 0, -1), axis=0)),
    "joined and split": lambda ops, x: ops.add(*ops.split(ops.concatenate([x, x * x], axis=0), 2, axis=0)),
    "new axis": lambda ops, x: ops.squeeze(ops.expand_dims(x, 0) * 2.0, axis=0),
    "einsum": lambda ops, x: ops.einsum("hbid->bid", ops.stack([x, x * 2.0])),
}  # fmt: skip
MIXED = {
    "centred": lambda ops, x: x - ops.mean(x, axis=0),
    "normalized": lambda ops, x: (x - ops.mean(x, axis=(0, 1), keepdims=True))
    / ops.sqrt(ops.var(x, axis=(0, 1), keepdims=True) + 1e-3),
    "moments": lambda ops, x: ops.moments(x, axes=(0, 1))[1] + x,
    "places": lambda ops, x: ops.argmax(x, axis=0) + x,
    "sums": lambda ops, x: ops.cumsum(x, axis=0),
    "sorted": lambda ops, x: ops.sort(x, axis=0),
    "rolled": lambda ops, x: ops.roll(x, 1, axis=0),
    "backwards": lambda ops, x: ops.flip(x, axis=0),
    "first image": lambda ops, x: x[0] + x,
    "first images": lambda ops, x: ops.slice(x, (0, 1, 0), (1, 3, 2)),
    "last entries": lambda ops, x: x + x[-1, :, :1],
    "chosen": lambda ops, x: ops.take(x, np.array([0, 0, 0]), axis=0),
    "distances": lambda ops, x: ops.sum((ops.expand_dims(x, 1) - x) ** 2, axis=1),
    "products": lambda ops, x: ops.einsum("bij,cij->bi", x, x),
    "gram": lambda ops, x: ops.matmul(ops.reshape(x, (-1, 12)), ops.transpose(ops.reshape(x, (-1, 12))))[:, :1],
    "attention over images": lambda ops, x: ops.transpose(
        ops.matmul(
            ops.softmax(ops.matmul(ops.transpose(x, (1, 0, 2)), ops.transpose(x, (1, 2, 0))), axis=-1),
            ops.transpose(x, (1, 0, 2)),
        ),
        (1, 0, 2),
    ),
    "where": lambda ops, x: ops.where(x > ops.mean(x, axis=0), x, 0.0),
    "lengths": lambda ops, x: ops.norm(x, axis=0) + x,
    "quantile": lambda ops, x: ops.quantile(x, 0.5, axis=0) + x,
    "spread": lambda ops, x: ops.broadcast_to(ops.max(x, axis=0), (6, 2)) + x,
    "matrix": lambda ops, x: ops.matmul(ops.sum(x, axis=0), KERNEL),
}  # fmt: skip
OTHER_BATCHES = {  # as many results as there are is another number than that of the images
    "padded": lambda ops, x: ops.pad(x, ((1, 0), (0, 0), (2, 1))),
    "repeated": lambda ops, x: ops.repeat(x, 2, axis=0),
    "tiled": lambda ops, x: ops.tile(x, (2, 1, 1)),
    "folded": lambda ops, x: ops.reshape(x, (-1, 2)),
    "in groups": lambda ops, x: ops.reshape(x, (2, -1)),
    "in groups of entries": lambda ops, x: ops.reshape(x, (3, -1, 2, 2)),
    "none": lambda ops, x: ops.sum(x, axis=0),
    "with a constant": lambda ops, x: ops.concatenate([TOKEN, x], axis=0),
}


def make_networks(keras):
    """Names, and (shape of an image, model): what published networks do with the axis of the batch."""
    ops, layers = keras.ops, keras.layers

    class WindowAttention(layers.Layer):
        """Heads as in ViT: queries, keys and values by the first axis."""

        def __init__(self, heads, **kwargs):
            super().__init__(**kwargs)
            self.heads = heads

        def build(self, input_shape):
            self.qkv = layers.Dense(3 * input_shape[-1], name="qkv")
            self.qkv.build(input_shape)

        def call(self, x):
            batch, n, c = ops.shape(x)
            made = ops.reshape(self.qkv(x), (batch, n, 3, self.heads, c // self.heads))
            made = ops.transpose(made, (2, 0, 3, 1, 4))
            q, k, v = made[0], made[1], made[2]
            weights = ops.softmax(ops.matmul(q, ops.transpose(k, (0, 1, 3, 2))))
            return ops.reshape(ops.transpose(ops.matmul(weights, v), (0, 2, 1, 3)), (batch, n, c))

        def compute_output_shape(self, input_shape):
            return input_shape

        def get_config(self):
            return {**super().get_config(), "heads": self.heads}

    class Quantizer(layers.Layer):
        """The nearest of the columns of a table for each pixel, as in VQ-VAE."""

        def build(self, input_shape):
            self.table = self.add_weight(shape=(input_shape[-1], 5), name="table")

        def call(self, x):
            flat = ops.reshape(x, (-1, ops.shape(x)[-1]))
            products = ops.matmul(flat, self.table)
            squares = ops.sum(flat**2, axis=1, keepdims=True) + ops.sum(self.table**2, axis=0)
            places = ops.one_hot(ops.argmin(squares - 2 * products, axis=1), 5)
            return ops.reshape(ops.matmul(places, ops.transpose(self.table)), ops.shape(x))

        def compute_output_shape(self, input_shape):
            return input_shape

    def windows(x):
        made = ops.transpose(ops.reshape(x, (-1, 2, 4, 2, 4, 6)), (0, 1, 3, 2, 4, 5))
        made = WindowAttention(2)(ops.reshape(made, (-1, 16, 6)))
        made = ops.transpose(ops.reshape(made, (-1, 2, 2, 4, 4, 6)), (0, 1, 3, 2, 4, 5))
        return ops.reshape(made, (-1, 8, 8, 6)) + x

    def frames(x):
        image = keras.Input((8, 8, 3))
        cnn = keras.Model(image, layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(image)), name="cnn")
        return ops.reshape(cnn(ops.reshape(x, (-1, 8, 8, 3))), (-1, 5, 4))

    def both_sides(x):
        y = ops.concatenate([x, ops.flip(x, axis=2)], axis=0)
        a, b = ops.split(layers.GlobalMaxPooling2D()(layers.Conv2D(4, 3, strides=2)(y)), 2, axis=0)
        return (a + b) / 2

    def ensemble(x):
        made = [layers.Conv2D(3, 3, name=f"member_{i}", activation="softmax")(x) for i in range(3)]
        return ops.mean(ops.stack(made, axis=0), axis=0)

    shapes = {windows: (8, 8, 6), frames: (5, 8, 8, 3), both_sides: (9, 8, 3), ensemble: (8, 8, 3)}
    made = {}
    for build, shape in (*shapes.items(), (lambda x: Quantizer()(layers.Conv2D(4, 3)(x)), (8, 8, 3))):
        x = keras.Input(shape)
        name = "quantizer" if build not in shapes else build.__name__
        made[name] = keras.Model(x, build(x), name=name)
    return made, {"WindowAttention": WindowAttention, "Quantizer": Quantizer}

"""Write keras_2_masks.zip: a model saved by Keras 2, whose layers do with masks what Keras 3's do not, and its answers.

python make_keras_2_masks.py, with tf_keras 2.21 and TensorFlow installed.
"""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import tf_keras as keras
from tf_keras import layers as L


def masks() -> keras.Model:
    """Of two sentences: merges, an encoder and a decoder, layers that drop masks, steps with words of their own."""
    a, b, c = (keras.Input(shape, name=name) for shape, name in (((6,), "a"), ((6,), "b"), ((4, 3), "c")))
    first = L.Embedding(5, 3, mask_zero=True)(a)
    second = L.Embedding(5, 3, mask_zero=True)(b)
    plain = L.Embedding(5, 3)(b)
    pairs = [[first, second], [first, plain], [plain, second]]
    merges = [L.Concatenate(), L.Add(), L.Subtract(), L.Multiply(), L.Average(), L.Maximum(), L.Minimum()]
    joined = [
        merge(pair) for merge in merges for pair in pairs if merge.name != "subtract" or pair is pairs[0]
    ]
    joined += [L.Concatenate(axis=1)([first, second]), L.Dot(axes=2)([first, second])]
    dropped = [L.Identity()(first), L.Rescaling(2.0)(first), L.Normalization(mean=0.5, variance=2.0)(first)]
    _, *states = L.LSTM(4, return_state=True)(first)
    decoded = L.LSTM(4, return_sequences=True)(second, initial_state=states)
    both = L.Bidirectional(L.GRU(2, return_sequences=True))(second, initial_state=[x[:, :2] for x in states])
    words = L.TimeDistributed(L.Embedding(5, 3, mask_zero=True))(c)
    steps = L.TimeDistributed(L.LSTM(3))(words)
    outputs = [L.GlobalAveragePooling1D()(x) for x in (*joined, *dropped, decoded, both, steps)]
    outputs += [L.LSTM(3)(joined[0]), decoded, both, steps]
    return keras.Model([a, b, c], outputs)


def main() -> None:
    """Write the archive beside this file."""
    keras.utils.set_random_seed(7)
    model = masks()
    rng = np.random.default_rng(7)
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    xs = [rng.integers(0, 3, (8, *x.shape[1:])).astype(np.float32) for x in model.inputs]
    for x in xs:
        x[..., 0] = 1  # no sentence is empty
    xs[1][:, 0] = xs[0][:, 0]
    answers = {f"y{i:02}": y for i, y in enumerate(model.predict(xs, verbose=0))}
    arrays = io.BytesIO()
    np.savez_compressed(arrays, **{f"x{i}": x for i, x in enumerate(xs)}, **answers)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "masks.h5"
        model.save(path)
        stored = path.read_bytes()
    target = Path(__file__).resolve().parent / "keras_2_masks.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("masks.h5", stored)
        archive.writestr("masks.npz", arrays.getvalue())


if __name__ == "__main__":
    main()

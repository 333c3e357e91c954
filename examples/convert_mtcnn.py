"""Turn the three networks of the package mtcnn into .keras files, once.

    pip install --no-deps mtcnn && pip install joblib lz4
    python examples/convert_mtcnn.py FOLDER

The package (MIT licence) keeps its weights as pickles, which are code. This script opens them, and it alone: the
.keras files that it writes are data. Neither TensorFlow nor the package itself is imported.
"""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path

import conv2d_native as cn
from conv2d_native import layers


def conv_block(x, filters, size, number, pool=None, padding="same"):
    x = layers.Conv2D(filters, size, name=f"conv{number}")(x)
    x = layers.PReLU(shared_axes=[1, 2], name=f"prelu{number}")(x)
    return layers.MaxPooling2D(pool, 2, padding, name=f"maxpooling{number}")(x) if pool else x


def proposal_network() -> cn.Model:
    """PNet: images of any size to (boxes, scores) for every window of 12 x 12 pixels."""
    x = source = cn.Input((None, None, 3))
    x = conv_block(x, 10, 3, 1, pool=2)
    x = conv_block(conv_block(x, 16, 3, 2), 32, 3, 3)
    boxes = layers.Conv2D(4, 1, name="conv4-1")(x)
    return cn.Model(
        source, [boxes, layers.Conv2D(2, 1, activation="softmax", name="conv4-2")(x)], name="pnet"
    )


def refinement_network() -> cn.Model:
    """RNet: 24 x 24 pixels to (box, scores)."""
    x = source = cn.Input((24, 24, 3))
    x = conv_block(conv_block(x, 28, 3, 1, pool=3), 48, 3, 2, pool=3, padding="valid")
    x = layers.Flatten()(layers.Permute((2, 1, 3))(conv_block(x, 64, 2, 3)))
    x = layers.PReLU(name="prelu4")(layers.Dense(128, name="fc4")(x))
    boxes = layers.Dense(4, name="fc5-1")(x)
    return cn.Model(source, [boxes, layers.Dense(2, activation="softmax", name="fc5-2")(x)], name="rnet")


def output_network() -> cn.Model:
    """ONet: 48 x 48 pixels to (box, landmarks, scores)."""
    x = source = cn.Input((48, 48, 3))
    x = conv_block(conv_block(x, 32, 3, 1, pool=3), 64, 3, 2, pool=3, padding="valid")
    x = conv_block(conv_block(x, 64, 3, 3, pool=2), 128, 2, 4)
    x = layers.Flatten()(layers.Permute((2, 1, 3))(x))
    x = layers.PReLU(name="prelu5")(layers.Dense(256, name="fc5")(x))
    outputs = [layers.Dense(4, name="fc6-1")(x), layers.Dense(10, name="fc6-2")(x)]
    outputs.append(layers.Dense(2, activation="softmax", name="fc6-3")(x))
    return cn.Model(source, outputs, name="onet")


def convert(folder: Path) -> None:
    """Write pnet.keras, rnet.keras and onet.keras into `folder`."""
    import joblib

    spec = find_spec("mtcnn")
    if spec is None or spec.origin is None:
        raise SystemExit("The weights are in a package: pip install --no-deps mtcnn")
    source = Path(spec.origin).parent / "assets" / "weights"
    folder.mkdir(parents=True, exist_ok=True)
    for model in (proposal_network(), refinement_network(), output_network()):
        model.set_weights(joblib.load(source / f"{model.name}.lz4"))
        model.save(folder / f"{model.name}.keras")
        print(f"wrote {folder / model.name}.keras, {model.count_params():,} parameters")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the .keras files go")
    folder = parser.parse_args().folder
    try:
        convert(folder)
    except (ImportError, OSError) as error:
        raise SystemExit(f"{Path(__file__).name}: {error}") from None

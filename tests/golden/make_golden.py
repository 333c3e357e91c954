"""Write Keras's answers to the golden cases. Needs keras >= 3 and tensorflow; conv2d_native is not used.

    python tests/golden/make_golden.py [layers | models | own_models]

layers.npz   "values": the outputs of every layer case, one after the other
layers.json  per case: Keras's configuration, names and shapes of the weights, shape of the output
models.npz   NAME.keras and NAME.h5 as bytes, NAME/y0.. as Keras answers; ARTICLE/y for the article's programs
own_models.npz  NAME.keras as bytes and NAME/y0.. for the networks of ../own_models.py, classes as users write them
models.json  per model: input and output names and input shapes
Inputs and layer weights are not stored: pattern.py makes them from the case's name.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # TensorFlow convolves channels-first images with it only
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import keras  # noqa: E402
import numpy as np  # noqa: E402

import own_models  # noqa: E402
from article import ARTICLES, article_input  # noqa: E402
from keras_models import MODELS  # noqa: E402
from layer_cases import CASES, case_id, inputs_of, make_layer  # noqa: E402
from pattern import weight  # noqa: E402


def set_pattern(variables, key: str) -> None:
    for i, variable in enumerate(variables):
        name = variable.path.split("/")[-1]
        values = weight(name, tuple(variable.shape), f"{key}/{i}")
        variable.assign(values if "float" in str(variable.dtype) else np.zeros_like(values))


def answer_layer(class_name: str, arguments: dict, shapes: list) -> tuple[dict, np.ndarray]:
    key = case_id(class_name, arguments, shapes)
    keras.backend.clear_session()
    layer = make_layer(keras.layers, class_name, arguments)
    xs = inputs_of(key, shapes)
    layer.build(xs[0].shape if len(xs) == 1 else [x.shape for x in xs])
    set_pattern(layer.weights, key)
    if hasattr(layer, "finalize_state"):
        layer.finalize_state()
    y = np.asarray(layer(xs[0] if len(xs) == 1 else xs, training=False), np.float32)
    weights = [[w.path.split("/")[-1], list(w.shape)] for w in layer.weights]
    config = keras.saving.serialize_keras_object(layer)["config"]
    return {"id": key, "config": config, "weights": weights, "output": list(y.shape)}, y


def round_weights(model) -> None:
    """The model's weights as pattern() gives them, with few bits so that the file packs well."""
    set_pattern(model.weights, model.name)
    for variable in model.weights:
        variable.assign(np.round(np.asarray(variable) * 128) / 128)


def saved_bytes(model, suffix: str) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, f"model{suffix}")
        model.save(path)
        return np.fromfile(path, np.uint8)


def answer_model(name: str) -> tuple[dict, dict]:
    keras.backend.clear_session()
    model, shapes = MODELS[name]()
    round_weights(model)
    names = list(shapes) if isinstance(shapes, dict) else None
    shapes = list(shapes.values()) if names else shapes
    xs = inputs_of(name, shapes)
    ys = model(dict(zip(names, xs, strict=True)) if names else xs if len(xs) > 1 else xs[0], training=False)
    outputs = list(ys) if isinstance(ys, dict) else None
    ys = list(ys.values()) if isinstance(ys, dict) else list(ys) if isinstance(ys, (list, tuple)) else [ys]
    arrays = {f"{name}/y{i}": np.asarray(y, np.float32) for i, y in enumerate(ys)}
    arrays |= {name + suffix: saved_bytes(model, suffix) for suffix in (".keras", ".h5")}
    return {"input_names": names, "input_shapes": [list(s) for s in shapes], "output_names": outputs}, arrays


def answer_article(name: str) -> dict:
    keras.backend.clear_session()
    model = ARTICLES[name](keras)
    set_pattern(model.weights, name)
    return {f"{name}/y": np.asarray(model(article_input(name), training=False), np.float32)}


def write_json(path: Path, value) -> None:
    lines = [json.dumps(item) for item in value]
    path.write_text("[\n" + ",\n".join(lines) + "\n]\n")


def make_layers() -> str:
    answers = [answer_layer(*case) for case in CASES]
    write_json(HERE / "layers.json", [entry for entry, _ in answers])
    np.savez_compressed(HERE / "layers.npz", values=np.concatenate([y.ravel() for _, y in answers]))
    return f"{len(CASES)} layer cases"


def make_models() -> str:
    entries, arrays = [], {}
    for name in MODELS:
        entry, made = answer_model(name)
        entries.append({"name": name} | entry)
        arrays |= made
    for name in ARTICLES:
        arrays |= answer_article(name)
    write_json(HERE / "models.json", entries)
    np.savez_compressed(HERE / "models.npz", **arrays)
    return f"{len(MODELS)} models, {len(ARTICLES)} programs"


def make_own_models() -> str:
    classes, arrays = own_models.make_classes(keras), {}
    networks = own_models.make_networks(keras, classes)
    for name, make in networks.items():
        keras.backend.clear_session()
        xs = inputs_of(name, [(2, 6, 5, 3)] * (2 if name == "pair" else 1))
        model, x = make(), xs if len(xs) > 1 else xs[0]
        model(x)
        set_pattern(model.weights, name)
        for variable in model.weights:
            variable.assign(np.round(np.asarray(variable) * 16) / 16)
        ys = keras.tree.flatten(model(x, training=False))
        arrays |= {f"{name}/y{i}": np.asarray(y, np.float32) for i, y in enumerate(ys)}
        arrays |= {name + suffix: saved_bytes(model, suffix) for suffix in (".keras", ".h5")}
    np.savez_compressed(HERE / "own_models.npz", **arrays)
    return f"{len(networks)} models of classes as users write them"


def main() -> None:
    made = {"layers": make_layers, "models": make_models, "own_models": make_own_models}
    for name in sys.argv[1:] or made:
        print(f"Keras {keras.__version__}: {made[name]()}")
    for path in sorted(HERE.glob("*.[jn][sp][oz]*")):
        print(f"{path.name}: {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()

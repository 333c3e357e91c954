"""Write the signatures of Keras's layers and functions to signatures.json. Needs keras >= 3; conv2d_native is not used.

    python tests/golden/make_signatures.py

One line per name: [name, [[argument, default], ...]]; a required argument has no default. Classes are given by name.
"""

from __future__ import annotations

import inspect
import json
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras

FUNCTIONS = {
    "Input": keras.Input,
    "load_model": keras.models.load_model,
    "Model.get_layer": keras.Model.get_layer,
    "Model.load_weights": keras.Model.load_weights,
    "Model.predict": keras.Model.predict,
    "Model.predict_on_batch": keras.Model.predict_on_batch,
    "Model.save": keras.Model.save,
    "Model.save_weights": keras.Model.save_weights,
    "Model.summary": keras.Model.summary,
    "Sequential": keras.Sequential.__init__,
}
UTILS = "array_to_img img_to_array load_img normalize plot_model save_img set_random_seed to_categorical"
FUNCTIONS |= {f"utils.{name}": getattr(keras.utils, name) for name in UTILS.split()}
FUNCTIONS["saving.register_keras_serializable"] = keras.saving.register_keras_serializable
REST = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)


def plain(default):
    if inspect.isclass(default):
        return default.__name__
    return list(default) if isinstance(default, tuple) else default


def arguments_of(function) -> list:
    parameters = [p for p in inspect.signature(function).parameters.values() if p.kind not in REST]
    return [
        [p.name] if p.default is p.empty else [p.name, plain(p.default)]
        for p in parameters
        if p.name != "self"
    ]


def main() -> None:
    found = {
        name: value.__init__
        for name, value in vars(keras.layers).items()
        if inspect.isclass(value) and issubclass(value, keras.Layer) and value is not keras.Layer
    }
    lines = [json.dumps([name, arguments_of(f)]) for name, f in sorted((found | FUNCTIONS).items())]
    Path(__file__).with_name("signatures.json").write_text("[\n" + ",\n".join(lines) + "\n]\n")
    print(f"Keras {keras.__version__}: {len(lines)} signatures")


if __name__ == "__main__":
    main()

"""One form of configuration for all writers: Keras 2 and 3, `.keras` and `.h5`, become the tree that Keras 3 writes.

After it: models are "Sequential" or "Functional"; every entry has a `module`, that of an operation node begins with
keras.src.ops; inbound nodes are {"args": [...], "kwargs": {...}} with tensors as {"class_name": "__keras_tensor__"};
dtypes are names; shapes are `batch_shape` of an InputLayer; activations are names. What is not known here is passed
on as it is. Training's share is dropped. Refuses Keras 1, and layers that are code (Lambda with a stored function,
TorchModuleWrapper, TFSMLayer).
"""

from __future__ import annotations

from functools import partial
from typing import Any

from .. import initializers
from ..errors import ModelFormatError, UnsafeModelError
from ..named_objects import to_snake_case
from .inbound_nodes import is_tensor_place, plain, settled_nodes, with_states_named
from .layer_paths import MASKS_OF_KERAS_2, NAMED_HERE, WRAPPED, Tree, is_layer, layer_name, lists_layers
from .losses import without_losses

_MAX_NESTING = 64
_MAX_LAYERS = 6_000
CODE = "<code>"  # in place of a Lambda's function that was stored as code

_TRAINING = ("compile_config", "training_config", "optimizer_config")
_CODE_LAYERS = {"TorchModuleWrapper", "TFSMLayer", "JaxLayer", "FlaxLayer"}
_KERAS_1 = {"border_mode", "dim_ordering", "nb_filter", "nb_row", "output_dim", "subsample"}
_POLICIES = ("DTypePolicy", "Policy", "PolicyV1", "FloatDTypePolicy")
ACTIVATION_WORDS = ("activation", "recurrent_activation")
_OF_ATTENTION = ("query_shape", "key_shape", "value_shape", "softmax_robust_masking")  # Keras 2's words alone
_RECURRENT = ("SimpleRNN", "LSTM", "GRU", "RNN", "Bidirectional", "ConvLSTM1D", "ConvLSTM2D")
_OTHER_MASKS = {  # classes that make other masks in Keras 3 than in Keras 2
    *("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate"),
    *("Identity", "Rescaling", "Normalization"),
}
_OTHER_NAMES = {  # of classes, as Keras 2 and TensorFlow 1 had them
    **{f"BatchNormalization{version}": "BatchNormalization" for version in ("V1", "V2")},
    **{f"{kind}{name}": name for kind in ("CuDNN", "Unified") for name in ("LSTM", "GRU")},
}
_KERNEL_WORDS = ("kernel_initializer", "kernel_regularizer", "kernel_constraint")
_UNGROUPED = {
    *("DepthwiseConv1D", "DepthwiseConv2D", "Conv1DTranspose", "Conv2DTranspose"),
    *("SeparableConv1D", "SeparableConv2D", "SeparableConvolution2D", "Convolution2DTranspose"),
}


def normalise(tree: Tree, keras_version: str, where: str) -> Tree:
    """The configuration `tree` of a whole model in Keras 3's form. Errors name file and layer."""
    generation = keras_version.split(".")[0]
    if generation == "1":
        raise ModelFormatError(
            f"{where}: written by Keras {keras_version}. Keras 1 is not read; save the model again with Keras 2 or 3."
        )
    try:
        return _Normaliser(where, old=generation == "2").entry(tree, 0)
    except RecursionError:
        raise ModelFormatError(f"{where}: the configuration is nested too deeply.") from None


class _Normaliser:
    """Normalises one file; `old`: Keras 2 has written it."""

    def __init__(self, where: str, old: bool) -> None:
        self.where, self.old = where, old
        self.layers = 0

    def fault(self, name: Any, text: str) -> ModelFormatError:
        return ModelFormatError(f"{self.where}: layer {str(name)[:200]!r}: {text}")

    def entry(self, entry: Any, depth: int) -> Tree:
        """A model, a layer or an operation node."""
        self.count(entry, depth)
        made = {key: value for key, value in entry.items() if key not in _TRAINING}
        config, name = self.config_and_name(made)
        if lists_layers(made["class_name"], config):
            self.settle_model(made, config, depth)
        else:
            self.settle_layer(made, name, config, depth)
        if "inbound_nodes" in made:
            made.setdefault("name", name)
            made["inbound_nodes"] = settled_nodes(made["inbound_nodes"], partial(self.fault, name))
            if self.old and made["class_name"] in _RECURRENT:
                made["inbound_nodes"] = [*map(with_states_named, made["inbound_nodes"])]
        if self.old and _masks_differ(made):
            made[MASKS_OF_KERAS_2] = True
        return made

    def count(self, entry: Any, depth: int) -> None:
        """One entry more, `depth` models deep."""
        if not isinstance(entry, dict) or not isinstance(entry.get("class_name"), str):
            raise ModelFormatError(
                f"{self.where}: expected a layer with a class_name, found {str(entry)[:200]}."
            )
        self.layers += 1
        if self.layers > _MAX_LAYERS:
            raise ModelFormatError(f"{self.where}: more than {_MAX_LAYERS} layers.")
        if depth > _MAX_NESTING:
            raise ModelFormatError(f"{self.where}: models are nested more than {_MAX_NESTING} deep.")

    def config_and_name(self, entry: Tree) -> tuple[Tree, str]:
        config = entry.get("config", {})
        if entry["class_name"] == "Sequential" and isinstance(config, list):
            config = {"name": "sequential", "layers": config}
        if not isinstance(config, dict):
            raise self.fault(
                entry.get("name") or entry["class_name"],
                f"expected a config object, found {str(config)[:200]}.",
            )
        name = config.get("name", entry.get("name", entry["class_name"]))
        if not isinstance(name, str) or not isinstance(entry.get("name", ""), (str, type(None))):
            raise self.fault(name, "a layer's name must be a string.")
        return config, name

    # Models.

    def settle_model(self, made: Tree, config: Tree, depth: int) -> None:
        """Give a model's entry its module, class and configuration."""
        made.setdefault("module", "keras")
        if made["class_name"] == "Model":
            made["class_name"] = "Functional"
        if made["class_name"] == "Functional" or "input_layers" in config:
            made["config"] = self.functional(config, depth)
        else:
            built = made.get("build_config") if made["class_name"] != "Pipeline" else None
            made["config"] = self.sequential(config, built, depth)

    def sequential(self, config: Tree, build_config: Any, depth: int) -> Tree:
        entries = [self.entry(raw, depth + 1) for raw in config["layers"]]
        _name_all(entries, self.distinct(entries))
        first = _first_layer(config["layers"])
        if first.get("batch_input_shape") is not None:
            name = f"{entries[0]['config'].get('name', 'first')}_input"
            dtype = _dtype_name(first.get("dtype", "float32"))
            facts = {"batch_shape": plain(first["batch_input_shape"]), "dtype": dtype, "name": name}
            entries.insert(0, {"module": "keras.layers", "class_name": "InputLayer", "config": facts})
        made = _settings(config, "layers") | {"layers": entries}
        if isinstance(build_config, dict) and made.get("build_input_shape") is None:
            made["build_input_shape"] = plain(build_config.get("input_shape"))
        return made

    def functional(self, config: Tree, depth: int) -> Tree:
        made = _settings(config, "layers")
        layers = without_losses(config["layers"], config.get("output_layers"))
        made["layers"] = [self.entry(raw, depth + 1) for raw in layers]
        seen = self.distinct(made["layers"], named=True)
        for key in ("input_layers", "output_layers"):
            made[key] = self.ends(made.get(key), seen, key)
        return made

    def distinct(self, entries: list[Tree], named: bool = False) -> set[str]:
        """Names of the layers of a model; no two are the same. With `named`, each entry gets its own."""
        seen: set[str] = set()
        for entry in entries:
            name = entry.get("name") or entry["config"].get("name")
            if name in seen:
                raise self.fault(name, "two layers have this name.")
            if name:
                seen.add(name)
            elif named:
                raise self.fault(name, "it has no name.")
            if named:
                entry["name"] = name
        return seen

    def ends(self, value: Any, names: set[str], key: str, inside: bool = False) -> Any:
        """input_layers or output_layers: [name, node, tensor], lists and dicts of it; a list of one is that one.

        `inside` of others it is a list, of which the model has the structure.
        """
        if is_tensor_place(value):
            if value[0] not in names:
                raise ModelFormatError(
                    f"{self.where}: {key} names the layer {value[0][:200]!r}, which is not there."
                )
            return value[:3]
        if isinstance(value, dict):
            return {name: self.ends(inner, names, key, inside=True) for name, inner in value.items()}
        if not isinstance(value, list):
            raise ModelFormatError(f"{self.where}: {key} must list tensors, found {str(value)[:200]}.")
        made = [self.ends(inner, names, key, inside=True) for inner in value]
        return made[0] if len(made) == 1 and not inside and is_tensor_place(made[0]) else made

    # Layers.

    def settle_layer(self, made: Tree, name: str, config: Tree, depth: int) -> None:
        """The same for a layer or an operation."""
        is_operation = (
            not {"trainable", "dtype", "batch_shape", "batch_input_shape"} & config.keys()
            and "inbound_nodes" in made
            and made["class_name"] != "ReLU"  # keras.activations.relu on a symbolic tensor: as the layer
        )
        if made["class_name"] in _OTHER_NAMES:
            config = {"reset_after": True, **config} if made["class_name"] == "CuDNNGRU" else config
            made["class_name"] = _OTHER_NAMES[made["class_name"]]
        made.setdefault("module", "keras.src.ops" if is_operation and not self.old else "keras.layers")
        if made["class_name"] == "RandomCrop" and self.old:  # not the identity of Keras 3
            made["class_name"] = "Resizing"
            config = {"crop_to_aspect_ratio": True, **_without(config, "seed", "rng_type")}
        made["config"] = self.layer(made["class_name"], name, config, depth)

    def layer(self, class_name: str, name: str, config: Tree, depth: int) -> Tree:
        config = self.without_code(class_name, name, config)
        old = sorted(_KERAS_1 & config.keys())
        if old and class_name not in ("Embedding", "Resizing"):
            raise self.fault(
                name,
                f"{class_name} with {old} was written by Keras 1; save the model again with Keras 2 or 3.",
            )
        made = _settings(config)
        for key in (*WRAPPED, "activation"):
            if is_layer(config.get(key)):
                made[key] = self.inside(config[key], depth)
        if class_name == "StackedRNNCells" and isinstance(config.get("cells"), list):
            made["cells"] = [self.entry(inner, depth + 1) for inner in config["cells"]]
        if lists_layers(class_name, made):  # a stand-in for a list: what it holds was not looked at
            raise self.fault(name, "`layers` must be a plain list of layers.")
        shape = made.pop("batch_input_shape", None)
        if class_name == "InputLayer":
            if shape is not None:
                made.setdefault("batch_shape", shape)
            for key in ("sparse", "ragged", "optional"):
                if not made.get(key, True):
                    del made[key]
        self.to_keras_3_words(class_name, made)
        for key in ACTIVATION_WORDS:
            if key in made:
                made[key] = self.activation(made[key])
        return made

    def inside(self, entry: Tree, depth: int) -> Tree:
        """A layer in the configuration of another, with a name."""
        made = self.entry(entry, depth + 1)
        _name_all([made], set())
        return made

    def to_keras_3_words(self, class_name: str, made: Tree) -> None:
        """Rename and drop what Keras 2 says otherwise, in the configuration of one layer."""
        axis = made.get("axis")
        if class_name.endswith("Normalization") and isinstance(axis, list) and len(axis) == 1:
            made["axis"] = axis[0]
        if class_name in _UNGROUPED and made.get("groups") == 1:
            del made["groups"]
        if class_name.startswith("SpatialDropout") and self.old:
            made.pop("noise_shape", None)
        if class_name.startswith("Random") and self.old:
            made.pop("rng_type", None)  # which random generator training draws from
        left_out = _KERNEL_WORDS if class_name.startswith("Separable") else ()
        for key in _OF_ATTENTION if class_name == "MultiHeadAttention" else left_out:
            made.pop(key, None)
        if class_name == "GRU" and self.old:  # the word is missing before Keras 2.1.3
            made.setdefault("reset_after", False)
        if made.get("time_major") is False:  # a word of recurrent layers
            del made["time_major"]
        for word, value in made.items():
            if word.endswith("_initializer"):
                _words_of_initializer(value).pop("dtype", None)  # that of TensorFlow 1's variables
        if class_name == "LeakyReLU" and "alpha" in made:
            made.setdefault("negative_slope", made.pop("alpha"))

    def activation(self, value: Any) -> Any:
        """A name, or a serialized layer such as {"class_name": "ReLU", "config": {...}}."""
        is_function = isinstance(value, dict) and value.get("class_name") == "function"
        if is_function and isinstance(value.get("config"), str):
            value = value["config"]
        if value == "hard_sigmoid" and self.old:
            return "hard_sigmoid_keras2"  # clip(0.2 x + 0.5): Keras 3's is clip(x / 6 + 0.5)
        return value

    def without_code(self, class_name: str, name: str, config: Tree) -> Tree:
        """`config` with the code of a Lambda left out; code anywhere else is an error."""
        if class_name == "Lambda":
            function = config.get("function")
            serialized = isinstance(function, dict) and function.get("class_name") == "function"
            named = isinstance(function, str) and config.get("function_type") != "lambda"
            kept: Tree = {key: config[key] for key in ("name", "trainable", "dtype") if key in config}
            if isinstance(given := config.get("arguments"), dict):
                words = {key: given[key] for key in given if not _holds_code({key: given[key]})}
                kept |= {"arguments": words} if words else {}
            return kept | {"function": function if serialized or named else CODE}
        wrapped = [config[key] for key in WRAPPED if isinstance(config.get(key), dict)]
        wraps_code = any(inner.get("class_name") == "Lambda" for inner in wrapped)
        if class_name in _CODE_LAYERS or wraps_code or _holds_code(config):
            raise UnsafeModelError(
                f"{self.where}: layer {name[:200]!r} ({class_name}) holds code or a path to code. It was not run. "
                "Replace it by layers before saving the model."
            )
        return config


def _name_all(entries: list[Tree], taken: set[str]) -> None:
    """Name the layers without a name, as classes without a get_config have them: weights are found by names."""
    number = 0
    for entry in entries:
        if not layer_name(entry):
            word = name = to_snake_case(entry["class_name"])
            while not name or name in taken:
                number += 1
                name = f"{word}_{number}"
            taken.add(name)
            entry.update({"name": name, NAMED_HERE: True})


def _first_layer(layers: list[Any]) -> Tree:
    """Where Keras 2 keeps the input shape of a stack: the configuration of its first layer, or of the first in that."""
    first = layers[0] if layers else {}
    config = first.get("config") if first.get("class_name") != "InputLayer" else None
    if isinstance(config, list) and config and isinstance(config[0], dict):
        config = config[0].get("config")
    return config if isinstance(config, dict) else {}


def _masks_differ(entry: Tree) -> bool:
    """Whether a layer gets or makes other masks in Keras 3 than in Keras 2."""
    class_name, inner = entry["class_name"], entry["config"].get("layer")
    if class_name == "TimeDistributed" and isinstance(inner, dict):
        return inner.get("class_name") in ("Masking", "Embedding", *_RECURRENT)
    given_states = any("initial_state" in node["kwargs"] for node in entry.get("inbound_nodes", ()))
    return class_name in _OTHER_MASKS or (class_name in _RECURRENT and given_states)


def _words_of_initializer(value: Any) -> Tree:
    """The configuration of one of Keras's initializers, which is changed in place."""
    known = is_layer(value) and value["class_name"] in initializers.TABLE.by_name
    config = value.get("config") if known else None
    return config if isinstance(config, dict) else {}


def _without(config: Tree, *words: str) -> Tree:
    return {key: value for key, value in config.items() if key not in words}


def _settings(config: Tree, *without: str) -> Tree:
    """`config` without some words, its values plain, its dtype a name."""
    made = {key: plain(value) for key, value in _without(config, *without).items()}
    if "dtype" in made:
        made["dtype"] = _dtype_name(made["dtype"])
    return made


def _dtype_name(value: Any) -> Any:
    """The name of a dtype policy; a policy with more to it (quantization) stays what it is."""
    if isinstance(value, dict) and value.get("class_name") in _POLICIES:
        config = value.get("config")
        return config.get("name", value) if isinstance(config, dict) else value
    return value


def _holds_code(value: Any) -> bool:
    if isinstance(value, dict):  # wrapped layers are looked at on their own
        inner = [value[key] for key in value if key not in WRAPPED]
        return value.get("class_name") == "__lambda__" or any(map(_holds_code, inner))
    return isinstance(value, list) and any(map(_holds_code, value))

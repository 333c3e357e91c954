"""A model as data: its configuration, `.keras` files, weights from files, pickles."""

from __future__ import annotations

import copyreg
import errno
import inspect
import json
import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .. import arguments
from ..formats import DEFAULT_MAX_BYTES, is_file_object, read_weights, write_keras, write_weights
from ..layers.base import Layer
from ..layers.configuration import (
    argument_as_json,
    checked_config,
    constructed,
    constructor_words,
    in_outline,
    is_unnamed,
    is_users,
)
from ..layers.deserialization import built_from, custom_objects_of
from ..layers.function_layer import FunctionLayer
from ..layers.masks import named_for_masks_of_keras_2
from ..layers.registry import layer_class, serialize
from ..layers.variable import held_together
from ..layers.weights import attribute_layers, group_order, held_layers, sorted_groups
from .weights import assign_weights, layers_with_weights
from .wiring import connect, graph_config

_GRAPH_WORDS = {"layers", "input_layers", "output_layers"}
_STRUCTURES = ("inputs", "outputs")


def _check_target(filepath: Any, ending: str, overwrite: bool) -> None:
    overwrite = arguments.flag("overwrite", overwrite)
    if is_file_object(filepath):
        return
    name = arguments.path("filepath", filepath, " or a binary file object")
    if not name.endswith(ending):
        raise ValueError(arguments.must("filepath", f"end in {ending}", name))
    if not overwrite and os.path.exists(name):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name)


class Storage(Layer):
    """The part of Model that turns it into data and back."""

    layers: Any
    _choices: dict[str, str]
    _further_layers: Callable[[], list[tuple[str, Any]]]
    _build_further_layers: Callable[[], None]

    @property
    def _sublayers_in_config(self) -> bool:
        """Whether the configuration tells the layers inside: not where a class has a constructor of its own."""
        if self._graph_class is None or is_users(type(self).get_config):
            return False
        listed = takes_stack(type(self)) if self._graph_class == "Sequential" else _takes_graph(type(self))
        return listed and not self._further_layers()

    def get_config(self) -> dict[str, Any]:
        """Return Keras's configuration: layers, the calls between them, inputs and outputs.

        Of a class with a constructor or a call of its own, the constructor's arguments.

            >>> x = Input((2,))
            >>> [layer["class_name"] for layer in Model(x, Dense(3)(x)).get_config()["layers"]]
            ['InputLayer', 'Dense']
        """
        if self._graph_class == "Functional" and _takes_graph(type(self)):
            return graph_config(self) | self._further_arguments()
        made: dict[str, Any] = super().get_config()
        unused = _STRUCTURES if self._graph_class is None else ()
        return {word: value for word, value in made.items() if word not in unused}

    def _further_arguments(self) -> dict[str, Any]:
        """What the constructor of the user's class was given beside layers, or inputs and outputs."""
        own = {} if is_users(type(self).get_config) else self._constructor_arguments or {}
        handed_on = _takes_all(type(self))
        return {
            word: argument_as_json(self, word, value)
            for word, value in own.items()
            if word not in (*_STRUCTURES, "layers") and not (handed_on and is_unnamed(value))
        }

    def to_json(self, **kwargs: Any) -> str:
        """Return the configuration as text; `model_from_json` reads it, and so does Keras. kwargs: of json.dumps.

        >>> '"Dense"' in Sequential([Dense(3, input_shape=(2,))]).to_json()
        True
        """
        return json.dumps(serialize(self), **kwargs)

    def save(
        self,
        filepath: Any,
        overwrite: bool = True,
        zipped: bool | None = None,
        include_optimizer: bool = True,
        save_format: str | None = None,
    ) -> None:
        """Write the model as a `.keras` file, which Keras 3 opens and load_model reads.

        filepath: a name that ends in .keras, or a binary file object. overwrite: False keeps a file that is there.
        zipped, save_format: Keras's words for what this writes, a zip archive (True) of the format "keras"; others are
        refused. include_optimizer: without effect, as there is none.
        Raises ValueError where the model is not built or holds functions and for other endings, OSError where the
        file cannot be written (FileExistsError with overwrite=False).

            >>> model = Sequential([Dense(2, input_shape=(3,))])
            >>> model.save("small.keras")
            >>> load_model("small.keras").input_shape
            (None, 3)
        """
        for word, value, other in (("zipped", zipped, True), ("save_format", save_format, "keras")):
            if value is not None and value != other:
                raise ValueError(arguments.must(word, f"be {other!r} or None", value))
        _check_target(filepath, ".keras", overwrite)
        weights = self._stored_weights()
        if layers := named_for_masks_of_keras_2(self):
            raise ValueError(
                f"Keras 3 does with masks otherwise than Keras 2, of which the layers {', '.join(layers)} are: they "
                "cannot be saved."
            )
        if functions := _names_of_functions(self):
            raise ValueError(
                f"Functions cannot be written to a file: layers {', '.join(functions)}. Of a Lambda it "
                "has the name, where the function is defined with `def`."
            )
        write_keras(filepath, serialize(self), weights, overwrite)

    def save_weights(self, filepath: Any, overwrite: bool = True, max_shard_size: None = None) -> None:
        """Write the weights alone, for load_weights of a model with these layers, here or in Keras 3.

        filepath: a name that ends in .weights.h5, or a binary file object. overwrite: False keeps a file that is
        there. max_shard_size: must be None, as all weights are in one file. Raises ValueError where the model is not
        built and for other endings, OSError where the file cannot be written (FileExistsError with overwrite=False).

            >>> model = Sequential([Dense(2, input_shape=(3,))])
            >>> model.save_weights("small.weights.h5")
            >>> model.load_weights("small.weights.h5")
        """
        if max_shard_size is not None:
            raise ValueError(arguments.must("max_shard_size", "be None", max_shard_size))
        _check_target(filepath, ".weights.h5", overwrite)
        weights = self._stored_weights()
        write_weights(filepath, self._outline(), weights, overwrite)

    def _outline(self) -> dict[str, Any]:
        with in_outline():
            return serialize(self)

    def _stored_sublayers(self) -> list[tuple[str, Any]]:
        """The layers after their groups in files: where nothing connects them, attributes and `layers` in turn."""
        named = held_layers("layers", list(self.layers))
        if self._graph_class is not None:
            return named + sorted_groups(self._further_layers())
        attributes = {id(layer): place for place, layer in attribute_layers(self)}
        return sorted_groups([(min(attributes[id(x)], place, key=group_order), x) for place, x in named])

    def _stored_weights(self) -> dict[tuple[str, ...], list[np.ndarray]]:
        if not self.built:
            raise ValueError(f"Model '{self.name}' is not built: call build(input_shape) first.")
        self._build_further_layers()
        with held_together(self.weights):
            return {path: [v.value for v in layer._variables] for path, layer in layers_with_weights(self)}

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        for word in ("_nodes", "_programs", "_compiled_for"):
            state.pop(word, None)
        return state

    def load_weights(
        self,
        filepath: Any,
        skip_mismatch: bool = False,
        by_name: bool = False,
        max_bytes: int = DEFAULT_MAX_BYTES,
    ) -> None:
        """Take the weights of `.weights.h5`, a legacy weights file or a whole model file, given as path or bytes.

        Legacy files are read by the names of layers, or in their order, as Keras reads them, where names differ.
        by_name: Keras 2's word, True refuses other names. skip_mismatch: must be False, as every layer gets its
        weights. max_bytes: what the weights may have at most (2 GiB).
        Raises OSError, ValueError and ModelFormatError, which names what is missing.

            >>> model = Sequential([Dense(2, input_shape=(3,))], name="small")
            >>> model.save("small.keras")
            >>> other = model_from_json(model.to_json())
            >>> other.load_weights("small.keras")
            >>> np.array_equal(other.get_weights()[0], model.get_weights()[0])
            True
        """
        if not self.built:
            raise ValueError(f"Model '{self.name}' has no weights yet: call build(input_shape) first.")
        by_name = arguments.flag("by_name", by_name)
        if arguments.flag("skip_mismatch", skip_mismatch):
            raise ValueError("`skip_mismatch` must be False: layers without weights would answer at random.")
        assign_weights(self, read_weights(filepath, self._outline(), max_bytes), not by_name)

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
        """Make a model from what get_config returned, with new weights; nothing of `config` is run."""
        words = {**checked_config(config)}
        if layer_class(cls.__name__) is cls or (_takes_graph(cls) and words.keys() >= _GRAPH_WORDS):
            inputs, outputs = connect(config, custom_objects)
            kept = words.keys() - _GRAPH_WORDS if is_users(cls.__init__) else ("name", "trainable")
            words = {word: words[word] for word in kept if word in words}
            words |= {"inputs": inputs, "outputs": outputs}
        return constructed(cls, words)

    def __reduce__(self) -> Any:
        if self._graph_class is None or not self.built:
            return copyreg.__newobj__, (type(self),), self.__getstate__()  # type: ignore[attr-defined]
        parts = (serialize(self), self.get_weights(), custom_objects_of(self))
        return rebuilt, parts, {"_choices": self._choices}


def _names_of_functions(owner: Any) -> list[str]:
    """Names of the layers whose functions have no place in files, in nested models and wrappers too.

    Configurations of the user's own classes do not tell what is in them: they make it again.
    """
    names: list[str] = []
    if (isinstance(owner, Storage) or is_users(type(owner).call)) and not owner._sublayers_in_config:
        return names
    for layer in owner.sublayers:
        names += _names_of_functions(layer)
        if isinstance(layer, FunctionLayer) and not layer.is_storable:
            names.append(layer.name)
    return names


def _takes_graph(cls: Any) -> bool:
    """Whether the constructor of a model's class takes `inputs` and `outputs` first, as Model's does."""
    return constructor_words(cls)[:2] == _STRUCTURES or _takes_all(cls)


def takes_stack(cls: Any) -> bool:
    """Whether the constructor of a model's class takes `layers` first, as Sequential's does."""
    return constructor_words(cls)[:1] == ("layers",) or _takes_all(cls)


def _takes_all(cls: Any) -> bool:
    """Whether a constructor is (self, *args, **kwargs): it hands its arguments on."""
    kinds = [word.kind for word in inspect.signature(cls.__init__).parameters.values()]
    return kinds[1:] == [inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD]


def rebuilt(entry: Mapping[str, Any], weights: list[np.ndarray], custom: Mapping[str, Any]) -> Any:
    """What pickle calls to make a model again."""
    model = built_from(entry, custom)
    model.set_weights(weights)
    return model


def save_model(
    model: Any, filepath: Any, overwrite: bool = True, zipped: bool | None = None, **kwargs: Any
) -> None:
    """Write `model` as a `.keras` file: model.save(filepath, overwrite, zipped, **kwargs).

    >>> save_model(Sequential([Dense(2, input_shape=(3,))]), "small.keras")
    """
    model.save(filepath, overwrite, zipped, **kwargs)

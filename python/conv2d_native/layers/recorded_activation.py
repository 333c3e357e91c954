"""What layers have as their `activation`: that of a table, a function of the user's, or another layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from .. import activations
from ..formats.dialect import ACTIVATION_WORDS
from .base import Layer
from .recorded_call import mixes_images, record_function
from .registry import is_layer, layer_class
from .symbolic import KerasTensor, call_layer


@dataclass(frozen=True)
class RecordedActivation(activations.Activation):
    """A function of the user's, run once on a symbolic tensor for every image size that a graph is made for.

    What it makes is computed in steps of the core where that can be recorded, else in a host step.

    Of arrays it gets a large batch in parts, but a whole one where it was seen to mix images.
    """

    def steps(self, f: Any, x: Any) -> Any:
        """What it makes of `x`; None where parts of a batch will do, and it cannot be recorded or changes the shape."""
        function = self.function
        recorded = None if function is None else record_function(function, x)
        made = recorded and recorded.made
        if not isinstance(made, KerasTensor) or made.shape[1:] != x.shape[1:] or made.dtype == "bool":
            if function is None or not mixes_images(lambda a: [function(a)], [x.shape[1:]]):
                return None
            return f.apply(partial(activations.computed_by_numpy, self), [x], x.shape, whole_batch=True)
        return recorded.computed(f, x)  # type: ignore[union-attr]


def layer_activation(identifier: Any, word: str = "activation") -> Any:
    """activations.get(identifier, word) as a layer keeps it. Raises as that does.

    A layer for which no activation stands, such as one with weights, stays that layer, or is made of its configuration.
    """
    if isinstance(identifier, Mapping) and _describes_layer(identifier):
        from .deserialization import deserialize  # which imports this module

        identifier = deserialize(identifier)
    fused = isinstance(getattr(identifier, "as_activation", None), activations.Activation)
    if is_layer(identifier) and not fused:
        return identifier
    made = activations.get(identifier, word)
    return made if made.function is None else RecordedActivation(made.name, (), made.function)


def _describes_layer(entry: Mapping[str, Any]) -> bool:
    """Whether Keras's serialized activation is a layer that activations.get does not know."""
    class_name, config = entry.get("class_name"), entry.get("config")
    if layer_class(class_name) is None or not isinstance(config, Mapping):
        return False
    return class_name not in activations.LAYERS or isinstance(config.get("axis"), (list, tuple))


def through(f: Any, activation: Any, y: Any) -> Any:
    """What an activation, or the layer in the place of one, makes of `y`."""
    return call_layer(activation, f, y) if is_layer(activation) else f.activate(y, activation)


class Activated(Layer):
    """A layer whose activations may be layers: they are called on what this one makes, and keep its shape."""

    activation: Any = None

    @property
    def fused(self) -> Any:
        """The activation that operations of `f` take: None where it is a layer."""
        return None if is_layer(self.activation) else self.activation

    def activated(self, f: Any, y: Any) -> Any:
        """What the layer that is the activation, if any, makes of `y`."""
        return call_layer(self.activation, f, y) if is_layer(self.activation) else y

    def _activation_layers(self) -> list[tuple[str, Any]]:
        """The layers that are activations, after their words."""
        held = [(word, vars(self).get(word)) for word in ACTIVATION_WORDS]
        return [(word, layer) for word, layer in held if is_layer(layer)]

    def named_sublayers(self) -> list[tuple[str, Any]]:
        """The layers that are activations."""
        return [(layer.name, layer) for _, layer in self._activation_layers()]

    def _stored_sublayers(self) -> list[tuple[str, Any]]:
        """The same after their groups."""
        return self._activation_layers()

    def get_config(self) -> dict[str, Any]:
        """Return Keras's configuration; Keras builds layers that are activations by the shapes in there."""
        return self.with_activations_built(super().get_config())

    def with_activations_built(self, config: dict[str, Any]) -> dict[str, Any]:
        """`config`, of this layer or one around it, with the shapes that layers that are activations are built for."""
        for word, layer in self._activation_layers():
            config[word]["build_config"] = layer.get_build_config()
        return config

    def _build_inside(self, input_shape: Any) -> None:
        for word, layer in self._activation_layers() if self._own_call is None else ():
            shape = self.compute_output_shape(input_shape)
            layer.build(shape)
            made = layer.compute_output_shape(shape)
            if made[1:] != shape[1:]:
                raise ValueError(
                    f"Layer '{self.name}': `{word}`, where it is a layer, must keep the shape {shape}. "
                    f"Received: '{layer.name}', which makes {made} of it."
                )

"""Sequential: a stack of layers, each taking what the one before it makes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .. import arguments
from ..errors import ModelFormatError
from ..layers.base import Layer
from ..layers.building import takes_shape, undone_where_it_fails
from ..layers.configuration import checked_config, constructed, is_users
from ..layers.deserialization import deserialize
from ..layers.input_layer import InputLayer
from ..layers.masks import masked
from ..layers.names import path_of, settled_path, unique_name
from ..layers.registry import register_layer, serialize
from ..layers.symbolic import KerasTensor, call_layer, inbound_nodes, is_shape, label_steps, named_in_errors
from ..layers.weights import with_inner_layers
from .network import Model
from .storage import takes_stack


@register_layer
class Sequential(Model):
    """A stack of layers, each of which takes what the one before it makes.

    It is built when its input shape is known: from `input_shape=` of the first layer, from an `Input(...)` in front,
    from `build(shape)`, or from the first array that it is called on.

        >>> model = Sequential([layers.Conv2D(8, 3, input_shape=(32, 32, 3)), layers.Flatten(), layers.Dense(10)])
        >>> model.predict(np.zeros((5, 32, 32, 3))).shape
        (5, 10)

    Raises TypeError for what is no layer, ValueError for two layers of one name or shapes that do not fit.
    """

    _graph_class = "Sequential"

    def __init__(
        self,
        layers: Iterable[Any] | None = None,
        trainable: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, trainable=trainable, **kwargs)
        self._stack: list[Any] = []
        self._names: set[str] = set()  # of all layers that ever stood in the stack
        if layers is not None and (isinstance(layers, Layer) or not hasattr(layers, "__iter__")):
            raise TypeError(arguments.must("layers", "be a list of layers", layers))
        for layer in layers or ():
            self._push(layer)
        self._build_if_known()

    def add(self, layer: Any) -> None:
        """Put `layer`, or the `Input(...)` of the network, on top of the stack. Raises as the constructor does.

        >>> model = Sequential()
        >>> model.add(Dense(3, input_shape=(2,)))
        >>> model.output_shape
        (None, 3)
        """
        with undone_where_it_fails(self), path_of(self):
            self._push(layer)
            if self.built:
                self._connect(self._input_structure, self._stack[-1](self._output_structure))
                unique_name("functional")  # of the model in which Keras connects the stack, anew every time
                self._forget()
            else:
                self._build_if_known()

    def pop(self) -> Any:
        """Take the last layer off the stack and return it. Raises ValueError where there is none.

        >>> model = Sequential([Dense(3, input_shape=(2,)), Dense(1)])
        >>> model.pop().units, model.output_shape
        (1, (None, 3))
        """
        if not self._stack:
            raise ValueError("The stack holds no layers.")
        layer = self._stack.pop()
        self._build_if_known()
        return layer

    def _push(self, layer: Any) -> None:
        if isinstance(layer, KerasTensor) and layer.node is not None:
            layer = layer.node.layer
        if not isinstance(layer, Layer):
            hint = f" That is a class: give {layer.__name__}(...)." if isinstance(layer, type) else ""
            raise TypeError(
                f"Only layers can be added to a Sequential. Received: {arguments.shown(layer)}.{hint}"
            )
        if id(self) in with_inner_layers([layer]):
            raise ValueError(f"A Sequential cannot hold itself. Received: {arguments.shown(layer)}.")
        if layer.name in self._names and any(o is not layer and o.name == layer.name for o in self._stack):
            raise ValueError(f"Layers of a model need different names. Used twice: {layer.name}.")
        if isinstance(layer, InputLayer) and self._stack:
            raise ValueError(
                f"An input layer stands first in a Sequential. Received: {layer.name} after others."
            )
        self._names.add(layer.name)
        shape = layer.input_shape_argument
        if not self._stack and shape is not None:
            self._stack.append(InputLayer(shape=shape))
        self._stack.append(layer)

    def _build_if_known(self) -> None:
        self.built = False
        self.inputs, self.outputs, self._nodes, self.operations = [], [], [], []
        self._forget()
        first = self._stack[0] if self._stack else None
        if isinstance(first, InputLayer) and len(self._stack) > 1:
            self.build(first.batch_shape)
        elif isinstance(first, Model) and first.built and first._graph_class and is_shape(first.input_shape):
            self.build(first.input_shape)

    def build(self, input_shape: Any = None) -> None:
        """Create the weights for inputs of `input_shape`, the batch (None) included.

        >>> model = Sequential([Dense(3)])
        >>> model.build((None, 2))
        >>> model.count_params()
        9
        """
        if self.built:
            return
        if not self._stack:
            raise ValueError(f"Sequential '{self.name}' has no layers. Call add(layer).")
        if input_shape is None or not is_shape(input_shape):
            raise ValueError(arguments.must("input_shape", "be a tuple with None for the batch", input_shape))
        waits = len(self._stack) == 1 and isinstance(self._stack[0], Model)
        if not isinstance(self._stack[0], InputLayer):
            self._stack.insert(0, InputLayer(batch_shape=tuple(input_shape)))
        elif tuple(self._stack[0].batch_shape) != tuple(input_shape):
            raise ValueError(
                f"Sequential '{self.name}' takes inputs of shape {self._stack[0].batch_shape}. "
                f"Received: input_shape={tuple(input_shape)}."
            )
        x = inputs = self._stack[0].output
        for layer in self._stack[1:]:
            with named_in_errors(layer):
                x = layer(x)
        self._connect(inputs, x)
        if not waits:  # Keras connects a model that stands alone when it is called
            unique_name("functional")

    @property
    def layers(self) -> list[Any]:
        """The layers that were added, without the input layer."""
        return [layer for layer in self._stack if not isinstance(layer, InputLayer)]

    @property
    def input(self) -> Any:
        """What the first symbolic call was given, as in Keras 3; before any, the model's own: `inputs` in any case."""
        return self._node().args[0] if inbound_nodes(self) else super().input

    @property
    def output(self) -> Any:
        """What the first symbolic call returned, as in Keras 3; before any, the model's own: `outputs` in any case."""
        return self._node().output_structure if inbound_nodes(self) else super().output

    def call(self, f: Any, inputs: Any, *, mask: Any = None) -> Any:
        """Compute with the operations of `f`, layer by layer; a `mask` is that of `inputs`."""
        inputs = inputs if mask is None else masked(inputs, mask)
        for layer in self.layers:
            with named_in_errors(layer):
                inputs = call_layer(layer, f, inputs)
            label_steps(f, inputs, layer.name)
        return inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Shape of the output for `input_shape`."""
        for layer in self.layers:
            input_shape = layer.compute_output_shape(input_shape)
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return Keras's configuration: the layers, and the input shape where it is known.

        >>> Sequential([Dense(3, input_shape=(2,))]).get_config()["build_input_shape"]
        [None, 2]
        """
        if not takes_stack(type(self)):
            return super().get_config()
        config: dict[str, Any] = {"name": self.name, "trainable": bool(self.trainable)}
        config |= self._further_arguments()
        config["layers"] = [serialize(layer) for layer in self._stack]
        if self.built:
            config["build_input_shape"] = list(self._stack[0].batch_shape)
        return config

    @classmethod
    def from_config(
        cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None
    ) -> Sequential:
        """Make a model from what get_config returned, with new weights; nothing of `config` is run."""
        entries = checked_config(config).get("layers")
        kept = (
            config.keys() - {"layers", "build_input_shape"}
            if is_users(cls.__init__)
            else ("name", "trainable")
        )
        words: dict[str, Any] = {word: config[word] for word in kept if word in config}
        if takes_stack(cls):
            if not isinstance(entries, list):
                raise ModelFormatError(
                    f"A Sequential model has a list of 'layers'. Found: {arguments.shown(entries)}."
                )
            layers = words["layers"] = [deserialize(entry, custom_objects) for entry in entries]
            for layer in layers:  # Keras builds them for the shapes in the file, each outside the model
                if type(layer).build is not Layer.build:
                    settled_path(layer)
        model: Sequential = constructed(cls, words)
        if model.built:
            for _ in model._stack[2:]:
                unique_name("functional")  # Keras adds the layers one by one
        shape = config.get("build_input_shape")
        if model.layers and not model.built and isinstance(shape, (tuple, list)) and is_shape(shape):
            model.build(tuple(shape))
        return model

    def __getstate__(self) -> dict[str, Any]:
        """Of one that is not built: its copies get layers that the others do not have."""
        return {**super().__getstate__(), "_stack": [*self._stack], "_names": {*self._names}}

    def _takes(self, shape: Any) -> bool:
        """As in Keras, a stack computes images of all sizes that its layers take."""
        return takes_shape(self, (None, *shape[1:]))

    def _arrays(self, x: Any, *others: Any) -> Any:
        if not self.built:
            array = arguments.array("x", x)
            if array.ndim < 2:
                raise ValueError(
                    f"`x` must have the batch as its first axis. Received: x of shape {array.shape}."
                )
            self.build((None, *array.shape[1:]))
        return super()._arrays(x, *others)

"""Models made anew of the layers of others: `clone_model`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..arguments import flag, must, shown
from ..layers.base import Layer
from ..layers.deserialization import built_from, custom_objects_of
from ..layers.input_layer import Input
from ..layers.operations import Operation
from ..layers.registry import serialize
from ..layers.symbolic import Values, all_symbolic
from ..structure import flatten, map_structure
from .network import Model
from .sequential import Sequential


def clone_model(
    model: Any,
    input_tensors: Any = None,
    clone_function: Callable[[Any], Any] | None = None,
    call_function: Callable[..., Any] | None = None,
    recursive: bool = False,
) -> Any:
    """Return a model of the same layers, with new weights.

    input_tensors: symbolic tensors to begin with instead of new inputs, in the structure of `model.input`.
    clone_function: gets each layer but the inputs, once, and returns the one that takes its place, itself perhaps.
    call_function: fn(layer, *args, **kwargs) makes the outputs of each call of a layer or operation that takes its
    place, and may call further layers; not for a Sequential. recursive: models inside are cloned with these functions
    too, layer by layer; otherwise clone_function gets them whole.
    All are for models without a call() of their own. Raises TypeError where `model` is no model and functions do not
    return layers and tensors, ValueError for other inputs.

        >>> model = Sequential([Dense(2, input_shape=(3,))])
        >>> clone_model(model).count_params()
        8
    """
    if not isinstance(model, Model):
        raise TypeError(must("model", "be a Model or Sequential", model))
    recursive = flag("recursive", recursive)
    plain = input_tensors is None and clone_function is None and call_function is None and not recursive
    if plain and type(model) is not Sequential:
        return built_from(serialize(model), custom_objects_of(model))
    if model._own_call is not None:
        raise ValueError(
            "`input_tensors`, `clone_function`, `call_function` and `recursive` are for models that are connected "
            f"layer by layer. Received: {shown(model)}, which has a call() of its own."
        )
    for word, function in (("clone_function", clone_function), ("call_function", call_function)):
        if function is not None and not callable(function):
            raise TypeError(must(word, "be a function of a layer", function))
    if call_function is not None and isinstance(model, Sequential):
        raise ValueError(
            "`call_function` is for models of Model(inputs, outputs): the layers of a Sequential are not called one "
            f"by one. Received: {shown(model)}."
        )
    return _Cloning(custom_objects_of(model), clone_function, call_function, recursive).model(
        model, input_tensors
    )


class _Cloning:
    """The layers that were cloned, each once, and how that is done."""

    def __init__(self, objects: Any, clone_function: Any, call_function: Any, recursive: bool) -> None:
        self.objects, self.recursive = objects, recursive
        self.clone_function, self.call_function = clone_function, call_function
        self.clones: dict[int, Any] = {}

    def model(self, model: Any, input_tensors: Any) -> Any:
        """A model of clones on `input_tensors`, or on new inputs."""
        if isinstance(model, Sequential):
            begin = flatten(_inputs(model, input_tensors)) if model.built or input_tensors is not None else []
            return Sequential([*begin, *map(self.layer, model.layers)], name=model.name)
        inputs = _inputs(model, input_tensors)
        values = Values(zip(model.inputs, flatten(inputs), strict=True))
        for node in model._nodes:
            if not values.has(node):
                made = self.called(self.layer(node.layer), *values.arguments(node), len(node.outputs))
                values.enter(zip(node.outputs, made, strict=True))
        return Model(inputs, values.in_place(model.output), name=model.name)

    def layer(self, layer: Any) -> Any:
        """What takes the place of `layer`."""
        if id(layer) not in self.clones:
            self.clones[id(layer)] = self.new_layer(layer)
        return self.clones[id(layer)]

    def new_layer(self, layer: Any) -> Any:
        if isinstance(layer, Operation):
            return Operation(layer.class_name, layer.config, layer.name)
        if self.recursive and isinstance(layer, Model) and layer._graph_class and layer._own_call is None:
            return self.model(layer, None)
        made = (
            self.clone_function(layer) if self.clone_function else built_from(serialize(layer), self.objects)
        )
        if not isinstance(made, Layer):
            raise TypeError(f"`clone_function` must return a layer. Received: {shown(made)}.")
        return made

    def called(self, layer: Any, args: Any, kwargs: Any, count: int) -> list[Any]:
        """The `count` tensors that a call of a clone makes."""
        if self.call_function is None:
            return flatten(layer(*args, **kwargs))
        made = flatten(self.call_function(layer, *args, **kwargs))
        if len(made) != count or not all_symbolic(made):
            raise TypeError(
                f"`call_function` must return the {count} symbolic tensors that take the place of what layer "
                f"'{layer.name}' makes. Received: {shown(made)}."
            )
        return made


def _inputs(model: Any, given: Any) -> Any:
    """The inputs of a clone: `given`, or new ones like those of `model`."""
    if given is None:
        return map_structure(
            lambda t: Input(batch_shape=t.shape, dtype=t.dtype, name=t.name), model._structure("input")
        )
    tensors = flatten(given)
    if not all_symbolic(tensors):
        raise ValueError(must("input_tensors", "be symbolic tensors", given))
    if len(tensors) != (len(model.inputs) if model.built else 1):
        raise ValueError(
            must("input_tensors", f"have the structure of `model.input`, {shown(model.input)}", given)
        )
    return given

"""Models made anew of the layers of others: `clone_model`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..arguments import shown
from ..layers.base import Layer
from ..layers.input_layer import Input
from ..layers.operations import Operation
from ..layers.symbolic import KerasTensor
from ..structure import flatten, map_structure
from .configuration import built_from, custom_objects_of, serialize
from .network import Model
from .sequential import Sequential


def clone_model(
    model: Any, input_tensors: Any = None, clone_function: Callable[[Any], Any] | None = None
) -> Any:
    """Return a model of the same layers, with new weights.

    input_tensors: symbolic tensors to begin with instead of new inputs, in the structure of `model.input`.
    clone_function: gets each layer but the inputs, once, and returns the one that takes its place, itself perhaps.
    Both are for models without a call() of their own. Raises TypeError where `model` is no model and `clone_function`
    makes no layers, ValueError for other inputs.

        >>> model = Sequential([Dense(2, input_shape=(3,))])
        >>> clone_model(model).count_params()
        8
    """
    if not isinstance(model, Model):
        raise TypeError(f"`model` must be a Model or Sequential. Received: model={shown(model)}.")
    objects = custom_objects_of(model)
    if input_tensors is None and clone_function is None:
        return built_from(serialize(model), objects)
    if model._own_call is not None:
        raise ValueError(
            "`input_tensors` and `clone_function` are for models that are connected layer by layer. "
            f"Received: {shown(model)}, which has a call() of its own."
        )
    if clone_function is not None and not callable(clone_function):
        raise TypeError(
            f"`clone_function` must be a function of a layer. Received: clone_function={shown(clone_function)}."
        )
    clones: dict[int, Any] = {}

    def clone(layer: Any) -> Any:
        if id(layer) not in clones:
            if isinstance(layer, Operation):
                made: Any = Operation(layer.class_name, layer.config, layer.name)
            else:
                made = clone_function(layer) if clone_function else built_from(serialize(layer), objects)
                if not isinstance(made, Layer):
                    raise TypeError(f"`clone_function` must return a layer. Received: {shown(made)}.")
            clones[id(layer)] = made
        return clones[id(layer)]

    if isinstance(model, Sequential):
        begin = flatten(_inputs(model, input_tensors)) if model.built or input_tensors is not None else []
        return Sequential([*begin, *map(clone, model.layers)], name=model.name)
    inputs = _inputs(model, input_tensors)
    values = dict(zip(map(id, model.inputs), flatten(inputs), strict=True))
    for node in model._nodes:
        if not all(id(tensor) in values for tensor in node.outputs):
            args, kwargs = map_structure(lambda leaf: values.get(id(leaf), leaf), (node.args, node.kwargs))
            values.update(
                zip(map(id, node.outputs), flatten(clone(node.layer)(*args, **kwargs)), strict=True)
            )
    outputs = map_structure(lambda tensor: values[id(tensor)], model.output)
    return Model(inputs, outputs, name=model.name)


def _inputs(model: Any, given: Any) -> Any:
    """The inputs of a clone: `given`, or new ones like those of `model`."""
    if given is None:
        return map_structure(lambda t: Input(batch_shape=t.shape, dtype=t.dtype, name=t.name), model.input)
    tensors = flatten(given)
    if not tensors or not all(isinstance(tensor, KerasTensor) for tensor in tensors):
        raise ValueError(f"`input_tensors` must be symbolic tensors. Received: input_tensors={shown(given)}.")
    if len(tensors) != (len(model.inputs) if model.built else 1):
        raise ValueError(
            f"`input_tensors` must have the structure of `model.input`, {shown(model.input)}. "
            f"Received: input_tensors={shown(given)}."
        )
    return given

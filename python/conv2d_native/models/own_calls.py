"""Models of classes with a `call(self, inputs)` of their own: layers whose call is recorded, with Model's methods.

The form of the first call, which arguments it has and which of them are lists or dicts, is the model's; sizes of images
may change with every call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .. import arguments
from ..errors import ModelFormatError
from ..layers.base import Layer
from ..layers.building import undone_where_it_fails
from ..layers.call_arguments import NOT_GIVEN, Slot, arranged, call_words, filled, shape_of, taken_apart
from ..layers.configuration import is_users
from ..layers.input_layer import InputLayer
from ..layers.input_spec import check_specs
from ..layers.recorded_call import of_any_batch, record_call
from ..layers.symbolic import KerasTensor, is_shape, map_shapes
from ..layers.weights import attribute_layers, with_inner_layers
from ..structure import flatten, map_structure
from .batches import as_array, batch_count


class OwnCalls(Layer):
    """The part of Model for classes with a `call` of their own."""

    layers: Any
    _input_structure: Any
    _programs: Any
    _form: Any = None  # of a call, from taken_apart
    _answer: Any = None  # the structure of what a call returns
    _called_with: Any = None  # shapes of the arguments of the call that was recorded first
    _places: Any = ()  # the symbolic tensors that its arrays stand for
    _nodes: Any = ()
    operations: Any = ()

    def _record(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Record a call with these tensors or arrays, and keep what it takes and returns."""
        bound = call_words(type(self)).bind(*args, **kwargs)
        given = map_structure(of_any_batch, (bound.args, bound.kwargs))
        recorded = record_call(self, self._own_call, *given)
        self._form, places = taken_apart(*recorded.places)
        named = zip(places, _names(places), strict=True)
        self._places = [KerasTensor((None,) * place.ndim, name=name) for place, name in named]
        self._answer = map_structure(lambda tensor: KerasTensor(tensor.shape), recorded.made)
        self._nodes, self._called_with = recorded.nodes, shape_of(recorded.places)

    def _build_and_record(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """What a first call does: the layers inside make their weights as they are called."""
        with undone_where_it_fails(self):
            if self._form is None:
                self._record(args, kwargs)
                self.built = True

    def _further_layers(self) -> list[tuple[str, Any]]:
        """Layers in attributes of the user's class beside those that are connected, after their groups in files."""
        if self._graph_class is None or not is_users(type(self)):
            return []
        connected, held = with_inner_layers([*self.layers, *self.operations]), attribute_layers(self)
        return [(place, x) for place, x in held if id(x) not in connected and not isinstance(x, InputLayer)]

    def _build_further_layers(self) -> None:
        """Make their weights, as a first call does, where the shapes of the connected ones are known."""
        if self._needs_record():
            inputs = map_structure(lambda tensor: KerasTensor(tensor.shape), self._input_structure)
            self._build_and_record((inputs,), {})

    def _needs_record(self) -> bool:
        """Whether connected layers are built, but the call of the class was not recorded yet."""
        return self.built and self._own_call is not None and self._form is None

    def _arrays_in_form(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[np.ndarray]:
        """The arrays of a call, of any real dtype. Raises ValueError for another form than that of the first call."""
        args, kwargs = arranged(self, type(self), args[0], args[1:], kwargs)
        bound = call_words(type(self)).bind(*args, **kwargs)
        form, given = taken_apart(bound.args, bound.kwargs)
        names = _names(given)
        settings = [leaf for leaf in flatten(form) if not isinstance(leaf, (Slot, type(None)))]
        if settings:
            raise TypeError(
                f"Model '{self.name}' is called on arrays alone: give settings to its constructor. "
                f"Received: {arguments.shown(settings[0])}."
            )
        arrays = [arguments.batch(*pair) for pair in zip(names, map(as_array, names, given), strict=True)]
        batch_count(names, arrays)
        if self.input_spec is not None:
            check_specs(self, filled(form, arrays)[0][0])
        self._build_for(*filled(form, arrays))
        if repr(form) != repr(self._form):
            if self._programs:
                raise ValueError(
                    f"Model '{self.name}' takes arguments in the form of its first call. "
                    f"Received: {_shown_form(form)} after {_shown_form(self._form)}."
                )
            self._record(*filled(form, arrays))
        return arrays

    def get_build_config(self) -> dict[str, Any] | None:
        """Return the shapes that build_from_config needs, as Keras's files have them; None where they are not known.

        >>> Sequential([Dense(3)]).get_build_config() is None
        True
        """
        if self._own_call is None and (self._graph_class != "Sequential" or self._sublayers_in_config):
            return None
        if self._called_with is None:
            return {"input_shape": self._build_shape} if self._build_shape is not None else None
        args, kwargs = self._called_with
        given = call_words(type(self)).bind(*args, **kwargs).arguments
        shapes = {name: value for name, value in given.items() if _holds_shape(value)}
        if len(shapes) == 1:
            return {"input_shape": next(iter(shapes.values()))}
        return {"shapes_dict": {f"{name}_shape": value for name, value in shapes.items()}}

    def build_from_config(self, config: Mapping[str, Any] | None) -> None:
        """Make the weights for the shapes of a file, {"input_shape": ...} or {"shapes_dict": {"x_shape": ...}}.

        Nothing for None. Raises TypeError for what is no dict.

        >>> model = Sequential([Dense(3)])
        >>> model.build_from_config({"input_shape": [None, 2]})
        >>> model.count_params()
        9
        """
        if config is None:
            return
        if not isinstance(config, Mapping):
            raise TypeError(arguments.must("config", "be a dict with 'input_shape' or 'shapes_dict'", config))
        shape, shapes = config.get("input_shape"), config.get("shapes_dict")
        if self.built:
            self._build_further_layers()
            return
        if isinstance(shapes, Mapping):
            tensors = {name.removesuffix("_shape"): map_shapes(KerasTensor, shapes[name]) for name in shapes}
            self._build_for(*arranged(self, type(self), NOT_GIVEN, (), tensors))
        elif shape is None:
            raise ModelFormatError(
                f"Model '{self.name}' was saved before it was built: its weights have no shapes."
            )
        elif self._own_call is None:
            self.build(shape)
        else:
            self._build_for(*arranged(self, type(self), map_shapes(KerasTensor, shape), (), {}))


def _names(arrays: Sequence[Any]) -> list[str]:
    """What messages call the arrays of a call."""
    return ["x"] if len(arrays) == 1 else [f"x[{i}]" for i in range(len(arrays))]


def _holds_shape(value: Any) -> bool:
    """Whether a structure of shapes holds one: None stands for arguments that were left out."""
    if isinstance(value, Mapping):
        return any(map(_holds_shape, value.values()))
    if not isinstance(value, (list, tuple)):
        return False
    return bool(value) and (is_shape(value) or any(map(_holds_shape, value)))


def _shown_form(form: Any) -> str:
    args, kwargs = map_structure(lambda leaf: None if leaf is None else "array", form)
    words = [*map(arguments.shown, args), *(f"{name}={value}" for name, value in kwargs.items())]
    return f"({', '.join(words)})".replace("'array'", "array")

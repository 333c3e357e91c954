"""WeightOwner: the part of a layer that has variables, its own and those of the layers inside; where these are held."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from .. import arguments, constraints, initializers, regularizers
from ..named_objects import numbered, to_snake_case
from .dtype_policy import DTypePolicy, dtype_name
from .names import path_of
from .registry import class_name_of
from .variable import Variable, assign_all, held_together


def group_order(group: str) -> tuple[bool, str]:
    """The order in which Keras 3's files take the attributes of a layer: by name, private ones last."""
    return group.startswith("_"), group.split("/")[0]


def sorted_groups(named: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """(group, layer) in that order."""
    return sorted(named, key=lambda pair: group_order(pair[0]))


def count_parameters(variables: Sequence[Any]) -> int:
    """The number of values in `variables`."""
    return sum(math.prod(variable.shape) for variable in variables)


def with_inner_layers(layers: Iterable[Any]) -> dict[int, Any]:
    """`layers` and all that are inside them, each once, by id."""
    found: dict[int, Any] = {}
    pending = list(layers)
    while pending:
        layer = pending.pop()
        if id(layer) not in found:
            found[id(layer)] = layer
            pending += layer.sublayers
    return found


class WeightOwner:
    """Adds, lists, reads and replaces variables."""

    _sublayers_in_config: Any = False  # whether the configuration tells the layers inside
    _is_users: bool = False  # whether the class is one of the user's: its attributes may hold weights
    name: str
    built: bool
    _path_around: str | None = None  # the path of the layer around this one
    _trainable: bool = True
    _policy: str
    _settings: Any
    _variables: list[Variable]

    def __setattr__(self, name: str, value: Any) -> None:
        held = None if self._is_users else vars(self).get(name)
        if isinstance(held, Variable) and isinstance(value, np.ndarray):
            held.assign(value)  # Keras computes with it too, where it does not refuse it
        else:
            super().__setattr__(name, value)

    def add_weight(
        self,
        shape: Sequence[int] | None = (),
        initializer: Any = "glorot_uniform",
        dtype: Any = None,
        trainable: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        name: str | None = None,
        autocast: bool = True,
        aggregation: str | None = "none",
        overwrite_with_gradient: bool = False,
    ) -> Variable:
        """Add and return a Variable: trainable ones stand before the others, as in Keras.

        The initializer (None: glorot_uniform) runs when the values are first asked for. name: default "variable" with
        a number. dtype, autocast, aggregation, overwrite_with_gradient: Keras's words, without effect on float32
        inference.
        Raises TypeError or ValueError for what is no shape, and for unknown initializers, regularizers and constraints.
        """
        with path_of(self):
            made = Variable(
                initializers.get("glorot_uniform" if initializer is None else initializer),
                () if shape is None else shape,
                trainable=trainable,
                name=name,
                regularizer=regularizers.get(regularizer),
                constraint=constraints.get(constraint),
            )
        if self._is_users:
            self._hold(vars(self))
        self._hold([made])
        return made

    def _hold(self, values: Any, around: tuple[int, ...] = ()) -> None:
        """Take the variables in nested lists, tuples and dicts for weights of this layer, where they are not yet."""
        for value in list(values.values() if isinstance(values, dict) else values):
            if isinstance(value, Variable):
                if value not in self._variables:
                    trainable_ones = sum(v._trainable for v in self._variables)
                    self._variables.insert(
                        trainable_ones if value._trainable else len(self._variables), value
                    )
                    value._frozen = not self._trainable
            elif isinstance(value, (list, tuple, dict)) and id(value) not in around:
                self._hold(value, (*around, id(value)))

    def named_sublayers(self) -> list[tuple[str, Any]]:
        """Layers inside this one, after the names under which files have their weights."""
        return []

    def _stored_sublayers(self) -> list[tuple[str, Any]]:
        """The same after the groups of Keras 3's files, in the order of those: by attribute, private ones last."""
        return sorted_groups(self.named_sublayers())

    @property
    def sublayers(self) -> list[Any]:
        """Layers inside this one."""
        return [layer for _, layer in self.named_sublayers()]

    def _all_settings(self) -> list[Any]:
        """`_settings` of this layer and of all inside it."""
        return [self._settings, *(s for layer in self.sublayers for s in layer._all_settings())]

    @property
    def dtype_policy(self) -> DTypePolicy:
        """What `dtype` said: it is kept in the configuration. Assigned, it may be a name too."""
        return DTypePolicy(self._policy)

    @dtype_policy.setter
    def dtype_policy(self, value: Any) -> None:
        self._policy = dtype_name(value)

    @property
    def dtype(self) -> str:
        """The dtype of the weights in Keras; they are float32 in any case."""
        return self.dtype_policy.variable_dtype

    @property
    def compute_dtype(self) -> str:
        """What the layer computes in: "float32"."""
        return "float32"

    @property
    def variable_dtype(self) -> str:
        """What its weights are kept in: "float32"."""
        return "float32"

    @property
    def trainable(self) -> bool:
        """Whether training would change the weights. Assigned, it is assigned to all layers inside, as in Keras.

        >>> model = Sequential([Dense(3, input_shape=(2,))])
        >>> model.trainable = False
        >>> model.layers[0].trainable
        False
        """
        return self._trainable

    @trainable.setter
    def trainable(self, value: Any) -> None:
        self._trainable = arguments.flag("trainable", value)
        for variable in self._variables:
            variable._frozen = not self._trainable
        for layer in self.sublayers:
            layer.trainable = value

    @property
    def weights(self) -> list[Variable]:
        """All variables in Keras's order, each once: those of this layer, then those of the layers inside."""
        found = [*self._variables, *(v for layer in self.sublayers for v in layer.weights)]
        return list(dict.fromkeys(found))

    @property
    def trainable_weights(self) -> list[Variable]:
        """The variables that training would change: those of layers with trainable=False are not among them."""
        kept = {id(v) for v in self._trained()}
        return [v for v in self.weights if id(v) in kept]

    def _trained(self) -> Iterator[Variable]:
        if self.trainable:
            yield from (v for v in self._variables if v.trainable)
            for layer in self.sublayers:
                yield from layer._trained()

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """The other variables."""
        kept = {id(v) for v in self.trainable_weights}
        return [v for v in self.weights if id(v) not in kept]

    variables = property(lambda self: self.weights, doc="Another name of `weights`.")
    trainable_variables = property(
        lambda self: self.trainable_weights, doc="Another name of trainable_weights."
    )
    non_trainable_variables = property(
        lambda self: self.non_trainable_weights, doc="Another name of non_trainable_weights."
    )

    @property
    def weight_names(self) -> list[str]:
        """Names of `weights`."""
        return [v.name for v in self.weights]

    def get_weights(self) -> list[np.ndarray]:
        """Return copies of the weights as float32 arrays, in Keras's order; [] before the layer is built.

        >>> [w.shape for w in Dense(3, input_shape=(2,)).get_weights()]
        []
        """
        variables = self.weights
        with held_together(variables):
            return [v.numpy() for v in variables]

    def set_weights(self, weights: Sequence[Any], copy: bool = True) -> None:
        """Replace all weights. Without `copy` plain arrays are kept themselves (read-only mapped files, say).

        All change together: whoever computes meanwhile has old or new weights, not some of both. Raises ValueError
        where the layer is not built, or for another number of weights or other shapes: nothing is changed then.
        TypeError for arrays that are not real.

            >>> layer = Dense(1)
            >>> layer.build((None, 2))
            >>> layer.set_weights([np.ones((2, 1)), np.zeros(1)])
            >>> layer(np.array([[3.0, 4.0]])).tolist()
            [[7.0]]
        """
        variables, copy = self.weights, arguments.flag("copy", copy)
        self._check_built()
        if not hasattr(weights, "__iter__") or isinstance(weights, (str, bytes, Mapping)):
            raise TypeError(arguments.must("weights", "be a list of arrays", weights))
        made = [arguments.array("weights", weight) for weight in weights]
        expected, got = [v.shape for v in variables], [w.shape for w in made]
        if expected != got:
            names = ", ".join(v.name for v in variables)
            raise ValueError(
                f"`weights` of layer '{self.name}' must be {len(expected)} arrays of the shapes "
                f"{arguments.shown(expected)} ({names[:200]}). "
                f"Received: {len(got)} of shapes {arguments.shown(got)}."
            )
        assign_all(variables, made, copy)

    def count_params(self) -> int:
        """Return the number of entries of all weights. Raises ValueError where the layer is not built.

        >>> Sequential([Dense(3, input_shape=(2,))]).count_params()
        9
        """
        self._check_built()
        return count_parameters(self.weights)

    def _check_built(self) -> None:
        if not self.built:
            raise ValueError(f"Layer '{self.name}' has no weights yet: call it or build(input_shape) first.")

    def add_loss(self, loss: Any) -> None:
        """Take what a call adds to the loss of training and keep none of it: nothing is trained here.

        >>> Dense(3).add_loss(0.5)
        """

    @property
    def losses(self) -> list[np.float32]:
        """The penalties of the regularizers on the trainable weights, in the order of the weights."""
        return [v.regularizer(v.value) for v in self.trainable_weights if v.regularizer is not None]


def attribute_layers(layer: Any) -> list[tuple[str, Any]]:
    """The layers in attributes, in the order of these. One in several has the name that Keras's files take."""
    held = {name: held_layers(name, value) for name, value in list(vars(layer).items())}
    names: dict[int, str] = {}
    for attribute in sorted(held, key=group_order):
        for name, inner in held[attribute]:
            names.setdefault(id(inner), name)
    found = {id(inner): inner for pairs in held.values() for _, inner in pairs}
    return [(names[key], inner) for key, inner in found.items()]


def held_layers(place: str, value: Any, around: tuple[int, ...] = ()) -> list[tuple[str, Any]]:
    """The layers in `value`, a layer or nested lists, tuples and dicts, after their groups in Keras 3's files."""
    if isinstance(value, WeightOwner):
        return [(place, value)]
    if not isinstance(value, (list, tuple, dict)) or id(value) in around:
        return []
    found: list[tuple[str, Any]] = []
    counts: dict[str, int] = {}
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, WeightOwner):
            word = to_snake_case(class_name_of(item))
        elif isinstance(item, (list, tuple, dict)):
            word = "container"
        else:
            continue
        found += held_layers(f"{place}/{numbered(counts, word)}", item, (*around, id(value)))
    return found

"""Bidirectional: a recurrent layer and one that walks the other way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import arguments
from ..structure import flatten
from .base import Layer
from .call_arguments import call_words
from .deserialization import custom_objects_of, deserialize, with_layers_made
from .operations.layouts import flip
from .registry import is_layer, register_layer, serialize
from .symbolic import call_layer

_SHARED = ("return_sequences", "return_state", "stateful")  # settings in which both directions agree
_MOST_DEPTH = 3
_MODES = ("concat", "sum", "ave", "mul")


def _checked(word: str, layer: Any) -> Any:
    """A recurrent layer as it is, or that of Keras's configuration. Raises TypeError for all else."""
    made = deserialize(layer) if isinstance(layer, Mapping) else layer
    if not is_layer(made) or not all(hasattr(made, name) for name in (*_SHARED, "go_backwards")):
        raise TypeError(arguments.must(word, "be a recurrent layer", layer))
    return made


def _depth(layer: Any) -> int:
    """How many layers of both directions are inside one another in `layer`, itself among them."""
    return isinstance(layer, Bidirectional) + max(map(_depth, layer.sublayers), default=0)


def _copied(layer: Any, direction: str, **settings: Any) -> Any:
    """A new layer of the configuration of `layer`, with weights of its own, called after its direction."""
    entry = serialize(layer)
    name = f"{direction}_{layer.name.removeprefix(f'{direction}_')}"
    config = {**entry["config"], "name": name, **settings}
    return deserialize({**entry, "config": config}, custom_objects_of(layer))


@register_layer
class Bidirectional(Layer):
    """Calls a recurrent layer and one that walks backwards, and merges their outputs, step by step.

    layer: SimpleRNN, LSTM, GRU, RNN, or a layer of your own with their arguments; new ones are made of its
    configuration, so that its weights are not those of this layer. merge_mode: "concat" (the last axis twice as long),
    "sum", "ave", "mul", or None, for which both outputs are returned. backward_layer: default, `layer` with
    go_backwards; another has to agree with it in return_sequences and return_state. weights: must be None.
    `initial_state` of a call has the states of `layer` and then those for the way back; so have its results with
    return_state. `mask` is for both. Raises ValueError where the two do not fit, and for more than 3 Bidirectional
    layers inside one another, as activations.

        >>> Bidirectional(LSTM(3, return_sequences=True))(np.ones((2, 5, 6))).shape
        (2, 5, 6)
    """

    def __init__(
        self,
        layer: Any,
        merge_mode: str | None = "concat",
        weights: None = None,
        backward_layer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        layer = _checked("layer", layer)
        if _depth(layer) >= _MOST_DEPTH:
            raise ValueError(
                f"`layer` of '{self.name}' must not hold {_MOST_DEPTH} Bidirectional layers inside one another: each "
                "is made once for each direction of those around it."
            )
        if weights is not None:
            raise ValueError(arguments.must("weights", "be None: call set_weights(weights)", weights))
        self.merge_mode = (
            None
            if merge_mode is None
            else arguments.choice("merge_mode", merge_mode, _MODES, also=" or None")
        )
        self.forward_layer = _copied(layer, "forward")
        self.backward_layer = (
            _copied(layer, "backward", go_backwards=True)
            if backward_layer is None
            else _checked("backward_layer", backward_layer)
        )
        both = self.forward_layer, self.backward_layer
        if both[0].go_backwards == both[1].go_backwards:
            raise ValueError(
                f"`layer` and `backward_layer` of '{self.name}' must walk in different directions. "
                f"Received: go_backwards={both[0].go_backwards} for both."
            )
        for word in _SHARED:
            values = [getattr(each, word) for each in both]
            if values[0] != values[1]:
                raise ValueError(
                    f"`layer` and `backward_layer` of '{self.name}' must have the same {word}. Received: {values}."
                )
        for each in both:
            if hasattr(each, "zero_output_for_mask"):
                each.zero_output_for_mask = each.return_sequences

    return_sequences = property(lambda self: self.forward_layer.return_sequences, doc="That of the layers.")
    return_state = property(lambda self: self.forward_layer.return_state, doc="That of the layers.")
    stateful = property(lambda self: self.forward_layer.stateful, doc="That of the layers.")
    layer = property(lambda self: self.forward_layer, doc="The layer that walks forward.")

    def reset_state(self) -> None:
        """Let both layers begin with zeros, where `stateful` keeps their states.

        >>> Bidirectional(GRU(3)).reset_state()
        """
        self.forward_layer.reset_state()
        self.backward_layer.reset_state()

    def reset_states(self) -> None:
        """Another name of reset_state.

        >>> Bidirectional(GRU(3)).reset_states()
        """
        self.reset_state()

    def named_sublayers(self) -> list[tuple[str, Any]]:
        """The layers of both directions."""
        return [(layer.name, layer) for layer in (self.forward_layer, self.backward_layer)]

    def _stored_sublayers(self) -> list[tuple[str, Any]]:
        """The layers of both directions, after their groups."""
        return [(word, getattr(self, word)) for word in ("forward_layer", "backward_layer")]

    def check_shape(self, shape: Any) -> None:
        """What the layers take."""
        self.forward_layer.check_shape(shape)

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        """Build the layers."""
        self.forward_layer.build(sequences_shape)
        self.backward_layer.build(sequences_shape)

    def _build_for(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Build the layers, and check the states of a call where the size of the batch is known."""
        super()._build_for(args, kwargs)
        given = call_words(type(self)).bind(*args, **kwargs).arguments.get("initial_state")
        both = self.forward_layer, self.backward_layer
        for layer, words in zip(both, self._initial_states(given), strict=True):
            layer._build_for(args[:1], words)

    def call(self, f: Any, sequences: Any, initial_state: Any = None, mask: Any = None) -> Any:
        """Both layers and one operation."""
        made = []
        for layer, words in zip(
            (self.forward_layer, self.backward_layer), self._initial_states(initial_state), strict=True
        ):
            if mask is not None and "mask" in call_words(type(layer)).parameters:
                words["mask"] = mask
            y = call_layer(layer, f, sequences, **words)
            made.append(tuple(y) if self.return_state else (y,))
        (y, *states), (back, *back_states) = made
        back = flip(f, back, 1) if self.return_sequences else back
        merged = self._merged(f, y, back)
        outputs = merged if self.merge_mode is None else (merged,)
        return (*outputs, *states, *back_states) if self.return_state else merged

    def _initial_states(self, given: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """The words of both calls for the states to begin with, of which each layer takes half."""
        if given is None:
            return {}, {}
        if not isinstance(given, (list, tuple)) or len(given) % 2:
            received = len(given) if isinstance(given, (list, tuple)) else "one tensor"
            raise ValueError(
                f"`initial_state` of layer '{self.name}' must be a list of the states of both directions, as many of "
                f"each. Received: {received}."
            )
        half = len(given) // 2
        return {"initial_state": given[:half]}, {"initial_state": given[half:]}

    def _merged(self, f: Any, y: Any, back: Any) -> Any:
        if self.merge_mode is None:
            return y, back
        if self.merge_mode == "concat":
            return f.concatenate([y, back], -1)
        if self.merge_mode == "mul":
            return f.multiply(y, back)
        total = f.add(y, back)
        return total if self.merge_mode == "sum" else f.multiply(total, 0.5)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """That of the sequences where all steps are returned, for both outputs if there are two."""
        mask = flatten(previous_mask)[0] if self.return_sequences else None
        return (mask, mask) if self.merge_mode is None else mask

    def compute_output_shape(self, sequences_shape: Any, initial_state_shape: Any = None) -> Any:
        """That of one direction, its last axis twice as long where outputs are joined; states follow twice."""
        made = self.forward_layer.compute_output_shape(sequences_shape)
        output, *states = made if self.return_state else (made,)
        if self.merge_mode == "concat":
            output = (*output[:-1], 2 * output[-1])
        outputs = (output, output) if self.merge_mode is None else (output,)
        return (*outputs, *states, *states) if len(outputs) > 1 or self.return_state else output

    def get_config(self) -> dict[str, Any]:
        """Return Keras's configuration, with those of both layers."""
        config = {word: value for word, value in super().get_config().items() if word != "weights"}
        return config | {
            "layer": serialize(self.forward_layer),
            "backward_layer": serialize(self.backward_layer),
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
        """Make the layer, and those inside, from what get_config returned."""
        return super().from_config(with_layers_made(config, ("layer", "backward_layer"), custom_objects))

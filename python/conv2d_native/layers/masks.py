"""Masks of tensors: which entries of (batch, steps) count. They follow the tensors of a graph from layer to layer.

As in Keras, a layer that takes `mask`, or one for an argument, `query_mask`, gets what its tensors have where its call
does not say otherwise; `supports_masking` and `compute_mask` of a layer say which masks its outputs have. Arrays have
none: a call on arrays is given its masks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import zip_longest
from typing import Any

from ..graph import Tensor
from ..structure import flatten, map_structure, pack
from .any_batch import is_recording
from .call_arguments import call_words
from .configuration import is_users
from .recorded_call import record_mask
from .symbolic import KerasTensor, inbound_nodes


def mask_of(value: Any) -> Any:
    """The mask of a tensor of a graph, or None."""
    return getattr(value, "mask", None)


def masks_of(structure: Any) -> Any:
    """The masks of the tensors in `structure`, in its form; None where none has one."""
    return map_structure(mask_of, structure) if _any(map(mask_of, flatten(structure))) else None


def _any(masks: Iterable[Any]) -> bool:
    return any(mask is not None for mask in masks)


def masked(values: Any, masks: Any) -> Any:
    """The tensors in `values`, each with the mask that stands in its place; arrays as they are."""
    pairs = zip(flatten(values), flatten(masks), strict=True)
    return pack(values, [v.masked(m) if isinstance(m, Tensor) else v for v, m in pairs])


class TakesMasks:
    """The part of a layer that says what becomes of masks."""

    supports_masking: bool = False  # whether outputs have what compute_mask makes; else they have none
    _makes_masks: bool = False  # whether that may be a mask where the inputs have none
    _masks_of_keras_2: bool = False  # whether it gets and makes those of Keras 2, where Keras 3 has others

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "compute_mask" in vars(cls):
            cls.supports_masking = vars(cls).get("supports_masking", True)
            cls._makes_masks = vars(cls).get("_makes_masks", is_users(cls.compute_mask))

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """Return the mask of the output for symbolic `inputs` and their mask, or a list of masks of several outputs.

        Default: `previous_mask`.

            >>> Masking().compute_mask(Input((5, 2)), None).shape
            (None, 5)
        """
        return previous_mask

    def _make_masks_of_keras_2(self) -> None:
        """Do as Keras 2: layers whose compute_mask knows no other rule pass masks on in Keras 3 alone."""
        self._masks_of_keras_2 = True
        if type(self).compute_mask is TakesMasks.compute_mask:
            self.supports_masking = False


def named_for_masks_of_keras_2(owner: Any, seen: bool = False) -> list[str]:
    """Names of the layers in `owner` that masks reach, or may reach, and that do with them as Keras 2 alone.

    seen: whether `owner` itself is called on tensors with masks.
    """
    names: list[str] = []
    for layer in owner.sublayers:
        tensors = (tensor for node in inbound_nodes(layer) for tensor in node.inputs)
        reached = seen or layer._makes_masks or _any(map(mask_of, tensors))
        names += [layer.name] if reached and layer._masks_of_keras_2 else []
        names += named_for_masks_of_keras_2(layer, reached)
    return names


def matter_to(layer: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Whether a call of `layer` has to do with masks: those of its tensors, one that it is given, one that it makes."""
    return layer._makes_masks or "mask" in kwargs or masks_of((args, kwargs)) is not None


def with_masks(layer: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """`kwargs` of a call of `layer`, and the masks of its tensors for those that it was not given.

    Keras's rule: `mask` is that of the only argument that holds tensors; of several, `x_mask` is that of `x`. Keras 2's
    for recurrent layers: that of the sequences, states beside them or not.
    """
    kwargs = dict(kwargs)
    words = call_words(type(layer))
    if any(word.endswith("mask") for word in words.parameters):
        given = words.bind_partial(*args, **kwargs).arguments
        tensors = {word: x for word, x in given.items() if any(hasattr(leaf, "shape") for leaf in flatten(x))}
        for place, (word, x) in enumerate(tensors.items()):
            alone = len(tensors) == 1 or (layer._masks_of_keras_2 and place == 0)
            name, mask = "mask" if alone else f"{word}_mask", masks_of(x)
            if name in words.parameters and given.get(name) is None and mask is not None:
                kwargs[name] = mask
    return kwargs


def with_recorded_mask(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """`kwargs` of a symbolic call with the mask that Keras records, so that layers stand in the same order as there.

    It does so where the call has one argument, of float32; of all others masks are found again when they are computed.
    """
    x = args[0]
    alone = len(args) == 1 and not kwargs and isinstance(x, KerasTensor) and x.dtype == "float32"
    return with_masks(layer, args, kwargs) if alone and x.mask is not None and not is_recording() else kwargs


def note_masks(layer: Any, x: Any, mask: Any, outputs: Any) -> None:
    """Give the tensors of a symbolic call of `layer` on `x` their masks."""
    if layer.supports_masking and not is_recording():
        masks = _output_masks(layer, x, mask, layer.compute_mask)
        for y, found in zip(flatten(outputs), masks, strict=False):
            if y.mask is None and isinstance(found, KerasTensor):
                y.mask = found


def _output_masks(layer: Any, x: Any, mask: Any, compute: Callable[[Any, Any], Any]) -> list[Any]:
    """What compute(x, mask), the layer's compute_mask, says; nothing where it has nothing to say."""
    previous = masks_of(x) if mask is None else mask
    if previous is None and not layer._makes_masks:
        return []
    passes_on = type(layer).compute_mask is TakesMasks.compute_mask
    return flatten(previous if passes_on else compute(x, previous))


def with_output_masks(layer: Any, x: Any, mask: Any, made: Any) -> Any:
    """What a call of `layer` on `x`, given `mask` or none, has `made`, with the masks that it has."""
    if not layer.supports_masking:
        if layer.sublayers or layer._own_call is not None:
            return made  # it has what the layers inside have made
        inputs = {id(leaf) for leaf in flatten(x)}
        return map_structure(lambda y: y.masked(None) if id(y) in inputs and mask_of(y) else y, made)
    outputs = flatten(made)
    masks = _output_masks(layer, x, mask, partial(record_mask, layer))
    if not _any(masks):
        return made
    found = [
        mask if isinstance(mask, Tensor) and mask_of(y) is None else mask_of(y)
        for y, mask in zip_longest(outputs, masks[: len(outputs)])
    ]
    return masked(made, found)

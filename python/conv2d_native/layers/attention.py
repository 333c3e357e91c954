"""Attention and AdditiveAttention, host steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from .. import arguments
from ..errors import UnsupportedLayerError
from .base import Layer
from .call_arguments import call_words, shape_of
from .operations.operands import check_broadcast, constant, host
from .operations.products import attention_weights
from .registry import register_layer
from .symbolic import KerasTensor, is_shape


@register_layer
class Attention(Layer):
    """Each place of `query` takes a weighted mean of the places of `value`: softmax(query key^T) value.

    use_scale: multiply by a weight. score_mode: "dot", or "concat", c sum(tanh(scale (query + key))). dropout and seed
    are of no effect on inference. Weights: scale (), concat_score_weight (), where they are used. Called on a list of
    query (batch, places, depth), value (batch, others, ...) and key (default: value); use_causal_mask hides later ones.
    mask: a list of two, (batch, places) and (batch, others): places of the value that are not seen, and places of the
    query that give zeros. Returns (batch, places, ...), with return_attention_scores also the weights
    (batch, places, others).

        >>> Attention()([np.ones((1, 5, 6)), np.ones((1, 4, 6))]).shape
        (1, 5, 6)
    """

    _takes_structures = True

    def __init__(
        self,
        use_scale: bool = False,
        score_mode: str = "dot",
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        refuse_steps(self, "_calculate_scores", "_apply_scores")
        self.use_scale = arguments.flag("use_scale", use_scale)
        self.score_mode = arguments.choice("score_mode", score_mode, ("dot", "concat"))
        self.dropout, self.seed = arguments.number("dropout", dropout, 0), seed

    def build(self, input_shape: Any) -> None:
        """Create the weights that are used."""
        self.compute_output_shape(input_shape)
        add = partial(self.add_weight, (), "ones")
        self.scale = add(name="scale") if self.use_scale else None
        self.concat_score_weight = add(name="concat_score_weight") if self.score_mode == "concat" else None

    def call(
        self,
        f: Any,
        x: Any,
        mask: Any = None,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        """Host steps."""
        self.compute_output_shape(shape_of(x))
        query, value, key = x if len(x) == 3 else (*x, x[1])
        sizes = (*query.shape[:-1], key.shape[-2])
        causal = arguments.flag("use_causal_mask", use_causal_mask)
        before = np.tri(sizes[-2], sizes[-1], dtype=bool) if causal else None
        asking, offered = self._masks(mask, sizes)
        scores = self._scores()

        def weigh(q: np.ndarray, k: np.ndarray, *offered: np.ndarray) -> np.ndarray:
            seen = before
            for places in offered:
                visible = places[..., np.newaxis, :] != 0
                seen = visible if seen is None else seen & visible
            return attention_weights(scores(q, k), seen)

        def attend(v: np.ndarray, q: np.ndarray, k: np.ndarray, *masks: np.ndarray) -> np.ndarray:
            y = np.matmul(weigh(q, k, *masks[: len(offered)]), v)
            return np.where(masks[-1][..., np.newaxis] != 0, y, np.float32(0)) if asking else y

        y = host(f, attend, [value, query, key, *offered, *asking], (*query.shape[:-1], value.shape[-1]))
        wanted = arguments.flag("return_attention_scores", return_attention_scores)
        return (y, host(f, weigh, [query, key, *offered], sizes)) if wanted else y

    def _scores(self) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
        """What makes (batch, places, others) of query and key."""
        scale = np.float32(1) if self.scale is None else self.scale.value
        if self.concat_score_weight is None:
            return lambda q, k: np.matmul(q, k.swapaxes(-2, -1)) * scale
        factor = self.concat_score_weight.value
        return lambda q, k: factor * np.tanh(scale * _sums(q, k)).sum(axis=-1)

    def _masks(self, mask: Any, sizes: Sequence[Any]) -> list[list[Any]]:
        """The mask of the query and that of the value, each alone in a list, which is empty where there is none."""
        given = [None, None] if mask is None else mask
        if not isinstance(given, (list, tuple)) or len(given) not in (2, 3):
            raise ValueError(arguments.must("mask", "be a list of the masks of query and value", mask))
        made = [[] if each is None else [constant("mask", each)] for each in given[:2]]
        for masks, shape in zip(made, (sizes[:-1], (*sizes[:-2], sizes[-1])), strict=True):
            for each in masks:
                check_broadcast(each, (None, *shape[1:]), "Attention", "`mask`")
        return made

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """That of the query."""
        return None if previous_mask is None else previous_mask[0]

    def compute_output_shape(self, input_shape: Any) -> Any:
        """That of the query with the depth of the value."""
        shapes = [] if is_shape(input_shape) else [tuple(shape) for shape in input_shape]
        fits = len(shapes) in (2, 3) and all(len(shape) == len(shapes[0]) > 2 for shape in shapes)
        if not fits or shapes[0][-1] != shapes[-1][-1] or shapes[1][1:-1] != shapes[-1][1:-1]:
            raise ValueError(
                f"Layer '{self.name}' takes a list of query (batch, places, depth), value (batch, others, ...) and key "
                f"(batch, others, depth). Received: {arguments.shown(input_shape)}."
            )
        return (*shapes[0][:-1], shapes[1][-1])

    def compute_output_spec(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """The symbolic tensors that a call with these makes; nothing is recorded."""
        shape = self.compute_output_shape([value.shape for value in x])
        return with_weights(self, (x, *args), kwargs, shape, (*shape[:-1], x[-1].shape[-2]))


@register_layer
class AdditiveAttention(Attention):
    """Attention whose scores are sum(scale tanh(query + key)) over the depth, Bahdanau's.

    use_scale: multiply by a weight, scale (depth,). All else as in Attention, without score_mode.

        >>> AdditiveAttention()([np.ones((1, 5, 6)), np.ones((1, 4, 6))]).shape
        (1, 5, 6)
    """

    def __init__(self, use_scale: bool = True, dropout: float = 0.0, **kwargs: Any) -> None:
        super().__init__(use_scale=use_scale, dropout=dropout, **kwargs)

    def build(self, input_shape: Any) -> None:
        """Create the scale, where it is used."""
        self.compute_output_shape(input_shape)
        self.scale = self.add_weight((input_shape[0][-1],), name="scale") if self.use_scale else None

    def get_config(self) -> dict[str, Any]:
        """Return Keras's configuration."""
        return {**super().get_config(), "seed": self.seed}

    def _scores(self) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
        scale = np.float32(1) if self.scale is None else self.scale.value
        return lambda q, k: (scale * np.tanh(_sums(q, k))).sum(axis=-1)


def _sums(query: np.ndarray, key: np.ndarray) -> np.ndarray:
    """(batch, places, others, depth) of query and key."""
    return query[..., :, np.newaxis, :] + key[..., np.newaxis, :, :]


def refuse_steps(layer: Any, *steps: str) -> None:
    """Raise UnsupportedLayerError where the class of `layer` has one of Keras's `steps`, which nothing calls here."""
    found = [step for step in steps if hasattr(type(layer), step)]
    if found:
        raise UnsupportedLayerError(
            f"Layer '{layer.name}' ({type(layer).__name__[:100]}) has a {found[0]}() of its own, which is not called "
            "here: let its call() compute the attention."
        )


def with_weights(layer: Any, args: Any, kwargs: Any, shape: Any, between: Any) -> Any:
    """The symbolic tensor of `shape` that a call with these makes, and that of its weights where it asks for them."""
    y = KerasTensor(shape, name=layer.name)
    words = call_words(type(layer)).bind(*args, **kwargs).arguments
    return (y, KerasTensor(between, name=layer.name)) if words.get("return_attention_scores") else y

"""MultiHeadAttention and Attention.

Projections are dense layers of the core; scores, softmax and the weighted sums are NumPy steps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial, reduce
from typing import Any

import numpy as np

from .. import arguments
from ..errors import UnsupportedLayerError
from ..initializers import Initializer
from .base import Layer
from .call_arguments import call_words, shape_of
from .masks import mask_of
from .names import unique_name
from .operations.layouts import expand_dims
from .operations.operands import check_broadcast, constant, host, is_tensor
from .operations.products import attention_logits, attention_weights, weighted_values
from .registry import register_layer
from .symbolic import KerasTensor, is_shape
from .weighted import Weighted
from .weights import sorted_groups

_GROUPS = {  # of the projections in Keras 3's files
    "query": "query_dense",
    "key": "key_dense",
    "gate": "_gate_dense",
    "value": "value_dense",
    "attention_output": "output_dense",
}


def _fresh(initializer: Any) -> Any:
    """An equal initializer, which draws numbers of its own; the user's and those that only a file names are shared."""
    return initializer.clone() if isinstance(initializer, Initializer) else initializer


class _Projection(Weighted):
    """A dense layer over the last `axes` axes, which become `sizes`; made as the attention layer `like` says.

    Weights: kernel (*inputs, *sizes), bias (*sizes,).
    """

    def __init__(self, name: str, like: Any, axes: int, sizes: Sequence[int], activation: Any = None) -> None:
        super().__init__(name=name)
        self.axes, self.sizes = axes, tuple(sizes)
        kernel = _fresh(like.kernel_initializer), like.kernel_regularizer, like.kernel_constraint
        self.declare_weight("kernel", *kernel)
        bias = _fresh(like.bias_initializer), like.bias_regularizer, like.bias_constraint
        self.declare_bias(activation, like.use_bias, *bias)

    def build(self, input_shape: Any) -> None:
        """Create `kernel` and `bias`."""
        self.kernel = self.make_weight("kernel", (*input_shape[-self.axes :], *self.sizes))
        self.bias = self.make_weight("bias", self.sizes) if self.use_bias else None

    def call(self, f: Any, x: Any) -> Any:
        """One matrix product with bias and activation."""
        free, summed = x.shape[1 : -self.axes], x.shape[-self.axes :]
        matrix = self.kernel.value.reshape(math.prod(summed), -1)
        bias = None if self.bias is None else self.bias.value.reshape(-1)
        y = f.dense(f.reshape(x, (-1, *free, len(matrix))), matrix, bias, self.fused)
        return f.reshape(y, (-1, *free, *self.sizes))


@register_layer
class MultiHeadAttention(Weighted):
    """Attention of `num_heads` heads: each place of `query` takes a weighted mean of the places of `value`.

    key_dim, value_dim (default: key_dim): sizes of a head. output_shape: sizes of the result's last axes, default that
    of `query`. sliding_window: places further apart than that are not seen. use_gate: the heads are multiplied with a
    sigmoid of `query`. attention_axes: None or all between the batch and the last, others are refused. dropout, seed
    and flash_attention are of no effect on inference. kernel_* and bias_*: as in Dense, for every projection.

    Called on query (batch, ..., depth) and value (batch, ..., depth), key (default: value) of the same places;
    attention_mask, that is not 0 where a place of `query` sees one of `value`, broadcasts to (batch, heads, places of
    query, places of value) or is one for all heads, (batch, places, places); value_mask and key_mask (batch, places of
    value) are for all places of query; use_causal_mask hides later places. They need inputs with one axis of places.
    query_mask is of no effect, as in Keras: a mask that `query` has from layers before hides its places. Returns
    (batch, ..., output), with return_attention_scores also the weights (batch, heads, ..., ...).

        >>> x = np.ones((1, 5, 6))
        >>> MultiHeadAttention(num_heads=2, key_dim=3)(x, x).shape
        (1, 5, 6)
    """

    supports_masking = True

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: Any = None,
        attention_axes: Any = None,
        sliding_window: int | None = None,
        flash_attention: Any = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        use_gate: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.num_heads = arguments.integer("num_heads", num_heads)
        self.key_dim = arguments.integer("key_dim", key_dim)
        self.value_dim = self.key_dim if value_dim is None else arguments.integer("value_dim", value_dim)
        self.dropout = arguments.number("dropout", dropout, 0)
        given = () if output_shape is None else output_shape
        self.output_shape = tuple(arguments.integer_list("output_shape", given, 1)) or None
        if attention_axes is not None:
            attention_axes = tuple(arguments.integer_list("attention_axes", attention_axes))
        self.attention_axes = attention_axes
        if sliding_window is not None:
            sliding_window = arguments.integer("sliding_window", sliding_window)
        self.sliding_window = sliding_window
        self.use_gate, self.seed = arguments.flag("use_gate", use_gate), seed
        self.declare_weight("kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        self.use_bias = arguments.flag("use_bias", use_bias)
        self.declare_weight("bias", bias_initializer, bias_regularizer, bias_constraint)
        self._projections: dict[str, _Projection] = {}

    def build(self, query_shape: Any, value_shape: Any, key_shape: Any = None) -> None:
        """Create the projections."""
        rank = len(query_shape)
        axes = tuple(range(1, rank - 1))
        given = axes if self.attention_axes is None else self.attention_axes
        if tuple(axis % rank for axis in given) != axes:
            raise UnsupportedLayerError(
                f"Layer '{self.name}' attends to all axes between the batch and the last here. "
                f"Received: attention_axes={self.attention_axes} for query of shape {query_shape}."
            )
        self.attention_axes = axes
        key_shape = value_shape if key_shape is None else key_shape
        head, value_head = (self.num_heads, self.key_dim), (self.num_heads, self.value_dim)
        made = [
            (query_shape, _Projection("query", self, 1, head)),
            (key_shape, _Projection("key", self, 1, head)),
            (query_shape, _Projection("gate", self, 1, value_head, "sigmoid")),
            (value_shape, _Projection("value", self, 1, value_head)),
            (
                (None, *value_head),
                _Projection("attention_output", self, 2, self.output_shape or query_shape[-1:]),
            ),
        ]
        for class_name in ("softmax", "dropout"):
            unique_name(class_name)  # Keras names layers in this one so, and counts them
        for shape, layer in made:
            if layer.name != "gate" or self.use_gate:
                layer.build(shape)
                self._projections[layer.name] = layer

    def named_sublayers(self) -> list[tuple[str, Any]]:
        """The projections."""
        return list(self._projections.items())

    def _stored_sublayers(self) -> list[tuple[str, Any]]:
        """The projections, after their groups."""
        return sorted_groups([(_GROUPS[name], layer) for name, layer in self._projections.items()])

    def call(  # type: ignore[override]
        self,
        f: Any,
        query: Any,
        value: Any,
        key: Any = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        """Matrix products for the projections, host steps between them."""
        key = value if key is None else key
        self.compute_output_shape(query.shape, value.shape, key.shape)
        places, others = query.shape[1:-1], value.shape[1:-1]
        project = {name: partial(layer.call, f) for name, layer in self._projections.items()}
        one_axis = [f.reshape(x, (-1, math.prod(x.shape[1:-1]), x.shape[-1])) for x in (query, key, value)]
        q, k, v = (project[name](x) for name, x in zip(("query", "key", "value"), one_axis, strict=True))
        given = [
            ("query_mask", mask_of(query), (1, 3)),
            ("value_mask", value_mask, (1, 2)),
            ("key_mask", key_mask, (1, 2)),
            ("attention_mask", attention_mask, (1,)),
        ]
        causal = arguments.flag("use_causal_mask", use_causal_mask)
        masks = self._masks(f, [each for each in given if each[1] is not None], causal, places, others)
        sizes = (None, self.num_heads, q.shape[1], k.shape[1])
        wanted = arguments.flag("return_attention_scores", return_attention_scores)
        # Keras computes it in one of two ways, which differ where a place sees none at all.
        in_one_step = not (wanted or self.dropout or len(places) > 1)

        def weigh(q: np.ndarray, k: np.ndarray, *seen: np.ndarray) -> np.ndarray:
            visible = reduce(np.logical_and, (mask != 0 for mask in seen)) if seen else None
            weights = attention_weights(attention_logits(q, k, self.key_dim**-0.5), visible)
            return weights if in_one_step or visible is None else weights * visible

        def attend(v: np.ndarray, *others: np.ndarray) -> np.ndarray:
            return weighted_values(weigh(*others), v)

        scores = host(f, weigh, [q, k, *masks], sizes) if wanted else None
        heads = host(f, attend, [v, q, k, *masks], (*q.shape[:-1], self.value_dim))
        if self.use_gate:
            heads = f.multiply(heads, project["gate"](one_axis[0]))
        y = project["attention_output"](heads)
        y = f.reshape(y, (-1, *places, *y.shape[2:]))
        return y if scores is None else (y, f.reshape(scores, (-1, self.num_heads, *places, *others)))

    def _masks(
        self,
        f: Any,
        given: Sequence[tuple[str, Any, Sequence[int]]],
        causal: bool,
        places: Sequence[int],
        others: Sequence[int],
    ) -> list[Any]:
        """What hides places of `value`, each to be broadcast to (batch, heads, places, others).

        given: names of arguments, masks, and the axes that these get where they have not four.
        """
        if not given and not causal and self.sliding_window is None:
            return []
        if len(places) > 1:
            raise UnsupportedLayerError(
                f"Layer '{self.name}' masks inputs of shape (batch, places, depth) alone. "
                f"Received: {len(places)} axes of places."
            )
        apart = np.arange(others[0]) - np.arange(places[0])[:, np.newaxis]
        masks = [apart <= 0] if causal else []
        if self.sliding_window is not None:
            masks.append(np.abs(apart) < self.sliding_window)
        for word, value, axes in given:
            mask = constant(word, value)
            if len(mask.shape) == 4 - len(axes):
                mask = expand_dims(f, mask, axes) if is_tensor(mask) else np.expand_dims(mask, tuple(axes))
            check_broadcast(
                mask, (None, self.num_heads, places[0], others[0]), "MultiHeadAttention", f"`{word}`"
            )
            masks.append(mask)
        return masks

    def compute_output_shape(  # type: ignore[override]
        self, query_shape: Any, value_shape: Any, key_shape: Any = None
    ) -> Any:
        """That of `query` with `output_shape` in place of its depth."""
        shapes = [tuple(x) for x in (query_shape, value_shape, key_shape or value_shape)]
        if any(len(shape) < 3 for shape in shapes) or shapes[1][1:-1] != shapes[2][1:-1]:
            raise ValueError(
                f"Layer '{self.name}' takes (batch, ..., depth), `value` and `key` of the same places. "
                f"Received: query of shape {shapes[0]}, value {shapes[1]}, key {shapes[2]}."
            )
        return (*shapes[0][:-1], *(self.output_shape or shapes[0][-1:]))

    def compute_output_spec(self, query: Any, value: Any, key: Any = None, *args: Any, **kwargs: Any) -> Any:
        """The symbolic tensors that a call with these makes; nothing is recorded."""
        shape = self.compute_output_shape(query.shape, value.shape, getattr(key, "shape", None))
        between = (None, self.num_heads, *query.shape[1:-1], *value.shape[1:-1])
        return _with_weights(self, (query, value, key, *args), kwargs, shape, between)


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
        scale = np.float32(1) if self.scale is None else self.scale.value
        factor = None if self.concat_score_weight is None else self.concat_score_weight.value

        def weigh(q: np.ndarray, k: np.ndarray, *offered: np.ndarray) -> np.ndarray:
            seen = before
            for places in offered:
                visible = places[..., np.newaxis, :] != 0
                seen = visible if seen is None else seen & visible
            if factor is None:
                return attention_weights(np.matmul(q, k.swapaxes(-2, -1)) * scale, seen)
            sums = np.tanh(scale * (q[..., :, np.newaxis, :] + k[..., np.newaxis, :, :])).sum(axis=-1)
            return attention_weights(factor * sums, seen)

        def attend(v: np.ndarray, q: np.ndarray, k: np.ndarray, *masks: np.ndarray) -> np.ndarray:
            y = np.matmul(weigh(q, k, *masks[: len(offered)]), v)
            return np.where(masks[-1][..., np.newaxis] != 0, y, np.float32(0)) if asking else y

        y = host(f, attend, [value, query, key, *offered, *asking], (*query.shape[:-1], value.shape[-1]))
        wanted = arguments.flag("return_attention_scores", return_attention_scores)
        return (y, host(f, weigh, [query, key, *offered], sizes)) if wanted else y

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
        return _with_weights(self, (x, *args), kwargs, shape, (*shape[:-1], x[-1].shape[-2]))


def _with_weights(layer: Any, args: Any, kwargs: Any, shape: Any, between: Any) -> Any:
    """The symbolic tensor of `shape` that a call with these makes, and that of its weights where it asks for them."""
    y = KerasTensor(shape, name=layer.name)
    words = call_words(type(layer)).bind(*args, **kwargs).arguments
    return (y, KerasTensor(between, name=layer.name)) if words.get("return_attention_scores") else y

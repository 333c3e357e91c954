"""MultiHeadAttention.

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
from .attention import refuse_steps, with_weights
from .masks import mask_of
from .names import unique_name
from .operations.layouts import expand_dims
from .operations.operands import check_broadcast, constant, host, is_tensor
from .operations.products import attention_logits, attention_weights, weighted_values
from .registry import register_layer
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
        refuse_steps(self, "_compute_attention", "_masked_softmax", "_compute_attention_mask")
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
        return with_weights(self, (query, value, key, *args), kwargs, shape, between)

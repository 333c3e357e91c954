"""Dense, Embedding, and layers that pass their input on: Identity, Masking."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import arguments
from .base import Layer
from .quantization import taken_int8, unscaled
from .recorded_activation import through
from .registry import register_layer
from .symbolic import operate
from .weighted import Weighted

_MOST_NUMBERS = 1 << 24  # whole numbers that float32 tells apart


@register_layer
class Dense(Weighted):
    """y = act(x @ kernel + bias) along the last axis of an input of any rank from 2.

    units: size of the output's last axis. activation, use_bias, *_initializer, *_regularizer, *_constraint: as in
    Conv2D. Weights: kernel (inputs, units), bias (units,). Output float32 (batch, ..., units). Raises ValueError or
    TypeError for arguments out of range and inputs of rank 1 or another last axis.

        >>> Dense(10, activation="softmax")(np.zeros((5, 32))).shape
        (5, 10)
    """

    supports_masking = True

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        self._int8 = taken_int8(kwargs)
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.units = arguments.integer("units", units)
        self.declare_weight("kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        self.declare_bias(activation, use_bias, bias_initializer, bias_regularizer, bias_constraint)

    def check_shape(self, shape: Any) -> None:
        """At least 2 axes."""
        super().check_shape(shape)
        if len(shape) < 2:
            raise ValueError(
                f'Input 0 of layer "{self.name}" is incompatible with the layer: expected min_ndim=2, '
                f"found ndim={len(shape)}. Full shape received: {shape}"
            )

    def build(self, input_shape: Any) -> None:
        """Create `kernel` (inputs, units) and `bias` (units,)."""
        inputs = input_shape[-1]
        if inputs is None:
            raise ValueError(
                f"The last dimension of the inputs of layer '{self.name}' must be defined. "
                f"Received: input_shape={input_shape}."
            )
        self.kernel = self.make_weight("kernel", (inputs, self.units))
        self.bias = self.make_bias(self.units)
        if self._int8:
            self.kernel_scale = self.add_weight((self.units,), "ones", trainable=False, name="kernel_scale")
        self._sizes_by_axis = {-1: inputs}

    def get_config(self) -> dict[str, Any]:
        """Return Keras's configuration."""
        return {**super().get_config(), **(self._int8.stored if self._int8 else {})}

    def call(self, f: Any, x: Any) -> Any:
        """One matrix product with bias and activation."""
        if self._int8:
            y = self._int8.product(f, x, self.kernel.value, self.kernel_scale.value)
            y = y if self.bias is None else f.add(y, self.bias.value)
            return through(f, self.activation, y)
        return self.activated(f, f.dense(x, self.kernel.value, self.bias, self.fused))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """(batch, ..., units)."""
        self.check_shape(tuple(input_shape))
        return (*input_shape[:-1], self.units)


@register_layer
class Embedding(Weighted):
    """A vector of `output_dim` numbers for each whole number from 0 below `input_dim`.

    embeddings_*: as kernel_* in Dense. mask_zero: the number 0 stands for nothing: layers after this one get a mask of
    the others. Weights: embeddings (input_dim, output_dim). Output float32 (batch, ..., output_dim). Raises ValueError
    for numbers out of range when it meets them.

        >>> Embedding(10, 4)(np.array([[1, 2, 3]])).shape
        (1, 3, 4)
    """

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        weights: Any = None,
        **kwargs: Any,
    ) -> None:
        kwargs.pop("input_length", None)  # of Keras 2
        self._int8 = taken_int8(kwargs)
        super().__init__(**kwargs)
        self.input_dim = arguments.integer("input_dim", input_dim, high=_MOST_NUMBERS)
        self.output_dim = arguments.integer("output_dim", output_dim)
        self.mask_zero = self.supports_masking = self._makes_masks = arguments.flag("mask_zero", mask_zero)
        self.declare_weight(
            "embeddings", embeddings_initializer, embeddings_regularizer, embeddings_constraint
        )
        if weights is not None:
            self.build(())
            self.set_weights(weights if isinstance(weights, list) else [weights])

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor but for `weights`."""
        made = {word: value for word, value in super().get_config().items() if word != "weights"}
        return {**made, **(self._int8.stored if self._int8 else {})}

    def build(self, input_shape: Any = None) -> None:
        """Create `embeddings`."""
        self.embeddings = self.make_weight("embeddings", (self.input_dim, self.output_dim))
        if self._int8:
            self.embeddings_scale = self.add_weight((self.input_dim,), "ones", name="embeddings_scale")

    def call(self, f: Any, x: Any) -> Any:
        """A host step."""
        table = self.embeddings.value
        if self._int8:
            table = unscaled(table, self.embeddings_scale.value[:, None])

        def rows(a: np.ndarray) -> np.ndarray:
            places = np.trunc(a)
            if not ((places >= 0) & (places < len(table))).all():
                raise ValueError(
                    f"Layer '{self.name}' takes numbers from 0 to {len(table) - 1}. "
                    f"Received: {a.min():g} to {a.max():g}."
                )
            return table[places.astype(np.int64)]

        return f.apply(rows, [x], (*x.shape, self.output_dim), "Embedding")

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Where `inputs` are not 0; None without mask_zero."""
        return inputs != 0 if self.mask_zero else None

    def compute_output_shape(self, input_shape: Any) -> Any:
        """(batch, ..., output_dim)."""
        return (*input_shape, self.output_dim)


@register_layer
class Identity(Layer):
    """Returns its input.

    >>> Identity()(np.ones((1, 2))).tolist()
    [[1.0, 1.0]]
    """

    supports_masking = True


@register_layer
class Masking(Layer):
    """Sets the steps of (batch, steps, ...) whose entries all equal `mask_value` (0) to 0.

    Layers after this one get a mask of the others.

        >>> Masking(mask_value=1.0)(np.ones((1, 2, 2))).tolist()
        [[[0.0, 0.0], [0.0, 0.0]]]
    """

    _makes_masks = True

    def __init__(self, mask_value: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mask_value = arguments.number("mask_value", mask_value)

    def call(self, f: Any, x: Any) -> Any:
        """A host step."""
        return f.apply(
            lambda a: a * (a != self.mask_value).any(axis=-1, keepdims=True), [x], x.shape, "Masking"
        )

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Where any entry of a step is another than `mask_value`."""
        return operate("Any", inputs != self.mask_value, axis=-1)

"""Layers around other layers, and a gain per channel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import arguments, initializers
from .base import Layer
from .building import takes_shape
from .call_arguments import call_words, refuse_mask
from .configuration import is_users, serialized
from .deserialization import deserialize, with_layers_made
from .masks import masked
from .preprocessing import is_one_image
from .registry import is_layer, register_layer
from .symbolic import call_layer, operate
from .variable import Variable
from .weights import held_layers


def _made(layer: Any) -> Any:
    """A layer as it is, or that of Keras's configuration. Raises TypeError for all else."""
    if isinstance(layer, Mapping):
        return deserialize(layer)
    if not is_layer(layer):
        raise TypeError(arguments.must("layer", "be a layer", layer))
    return layer


class Wrapper(Layer):
    """A layer around `layer`, which may be given as Keras's configuration: the base of wrappers of your own.

    >>> class Twice(Wrapper):
    ...     def call(self, x):
    ...         return self.layer(self.layer(x))
    >>> Twice(Rescaling(2.0))(np.ones((1, 2))).tolist()
    [[4.0, 4.0]]
    """

    _sublayers_in_config = _takes_structures = True

    def __init__(self, layer: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.layer: Layer = _made(layer)

    def named_sublayers(self) -> list[tuple[str, Any]]:
        """The layer inside."""
        return [(self.layer.name, self.layer)]

    def _stored_sublayers(self) -> list[tuple[str, Any]]:
        """The layer inside, after its group."""
        return [("layer", self.layer)]

    def check_shape(self, shape: Any) -> None:
        """What the layer inside takes, where it is that which is called."""
        if not is_users(type(self).call):
            self.layer.check_shape(shape)

    def build(self, input_shape: Any) -> None:
        """Build the layer inside."""
        self.layer.build(input_shape)

    def call(self, f: Any, x: Any) -> Any:
        """Call the layer inside."""
        return call_layer(self.layer, f, x)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """That of the layer inside."""
        return self.layer.compute_output_shape(input_shape)

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
        """Make a wrapper, and the layer inside, from what get_config returned."""
        return super().from_config(with_layers_made(config, ("layer",), custom_objects))


@register_layer
class Pipeline(Layer):
    """Calls `layers`, or Keras's configurations of layers, one after the other: preprocessing for the most part.

    Of arrays it takes one image (height, width, channels) as well where the layers need a batch.

    >>> from conv2d_native.layers import RandomFlip, Rescaling
    >>> Pipeline([RandomFlip(), Rescaling(2.0)])(np.ones((1, 2))).tolist()
    [[2.0, 2.0]]
    """

    _sublayers_in_config = _takes_structures = True

    def __init__(self, layers: Any, name: str | None = None) -> None:
        super().__init__(name=name)
        if not isinstance(layers, (list, tuple)):
            raise TypeError(arguments.must("layers", "be a list of layers", layers))
        self.layers: list[Layer] = [*map(_made, layers)]

    def named_sublayers(self) -> list[tuple[str, Any]]:
        """The layers inside."""
        return [(layer.name, layer) for layer in self.layers]

    def _stored_sublayers(self) -> list[tuple[str, Any]]:
        """The layers inside, after their groups."""
        return held_layers("layers", self.layers)

    def check_shape(self, shape: Any) -> None:
        """What the first layer takes."""
        for layer in self.layers[:1]:
            layer.check_shape(shape)

    def build(self, input_shape: Any) -> None:
        """Build each layer for what the one before it returns."""
        for layer in self.layers:
            layer.build(input_shape)
            input_shape = layer.compute_output_shape(input_shape)

    def _first_call(self, x: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if is_one_image(x) and not takes_shape(self, tuple(x.shape)):
            return self(np.asarray(x)[np.newaxis], *args, **kwargs)[0]
        return super()._first_call(x, args, kwargs)

    def call(self, f: Any, x: Any, *, mask: Any = None) -> Any:
        """Call the layers; a `mask` is that of `x`."""
        x = x if mask is None else masked(x, mask)
        for layer in self.layers:
            x = call_layer(layer, f, x)
        return x

    def compute_output_shape(self, input_shape: Any) -> Any:
        """That of the last layer."""
        for layer in self.layers:
            input_shape = layer.compute_output_shape(input_shape)
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return Keras's configuration."""
        return {"layers": serialized(self.layers), "name": self.name}

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
        """Make a pipeline, and the layers inside, from what get_config returned."""
        return super().from_config(with_layers_made(config, ("layers",), custom_objects))


@register_layer
class TimeDistributed(Wrapper):
    """Applies `layer` to every step of (batch, steps, ...) by itself.

    A call takes a `mask` (batch, steps, ...), of which every step gets its part where `layer` takes one. Raises
    UnsupportedLayerError where nothing is left of it for a layer that needs one.

    >>> from conv2d_native.layers import Dense
    >>> TimeDistributed(Dense(3))(np.zeros((2, 4, 5))).shape
    (2, 4, 3)
    """

    supports_masking = True

    def check_shape(self, shape: Any) -> None:
        """At least 3 axes."""
        if not isinstance(shape, tuple) or len(shape) < 3:
            raise ValueError(
                f"Layer '{self.name}' takes inputs of at least 3 axes. Received: input_shape={shape}."
            )

    def build(self, input_shape: Any) -> None:
        """Build the layer inside for one step."""
        self.layer.build((input_shape[0], *input_shape[2:]))

    def call(self, f: Any, x: Any, mask: Any = None) -> Any:
        """Steps become entries of the batch."""
        steps = x.shape[1]
        words = {} if mask is None else self._mask_of_steps(f, mask)
        y = call_layer(self.layer, f, f.reshape(x, (-1, *x.shape[2:])), **words)
        return f.reshape(y, (-1, steps, *y.shape[1:]))

    def _mask_of_steps(self, f: Any, mask: Any) -> dict[str, Any]:
        """The mask for the layer inside, where it takes one."""
        if len(mask.shape) > 2 and "mask" in call_words(type(self.layer)).parameters:
            return {"mask": f.reshape(mask, (-1, *mask.shape[2:]))}
        refuse_mask(self.layer, mask)
        return {}

    @property
    def _makes_masks(self) -> bool:  # type: ignore[override]
        return self._masks_of_keras_2 and bool(self.layer._makes_masks)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """`previous_mask`. In Keras 2: what `layer` makes of it, else where any entry of a step counts."""
        if not self._masks_of_keras_2:
            return previous_mask
        made = self.layer.compute_mask(inputs, previous_mask)
        if made is not None or previous_mask is None or previous_mask.ndim < 3:
            return previous_mask if made is None else made
        return operate("Any", previous_mask, axis=[*range(2, previous_mask.ndim)])

    def compute_output_shape(self, input_shape: Any) -> Any:
        """(batch, steps, ...)."""
        shape = tuple(input_shape)
        self.check_shape(shape)
        inner = self.layer.compute_output_shape((shape[0], *shape[2:]))
        return (shape[0], shape[1], *inner[1:])


@register_layer
class SpectralNormalization(Wrapper):
    """Calls `layer`: its kernel was brought to spectral norm 1 in training. Weights: kernel, vector_u, bias.

    >>> from conv2d_native.layers import Dense
    >>> SpectralNormalization(Dense(3))(np.zeros((2, 5))).shape
    (2, 3)
    """

    def __init__(self, layer: Any, power_iterations: int = 1, **kwargs: Any) -> None:
        super().__init__(layer, **kwargs)
        self.power_iterations = arguments.integer("power_iterations", power_iterations)

    def build(self, input_shape: Any) -> None:
        """Build the layer inside and create vector_u."""
        self.layer.build(input_shape)
        kernel = getattr(self.layer, "kernel", None)
        if not isinstance(kernel, Variable):
            raise ValueError(f"Layer '{self.layer.name}' inside '{self.name}' has no kernel.")
        self._variables.append(kernel)  # Keras has it among this layer's own too, and so have its files
        start = initializers.TruncatedNormal(stddev=0.02)
        self.vector_u = self.add_weight((1, kernel.shape[-1]), start, trainable=False, name="vector_u")


@register_layer
class LayerScale(Layer):
    """x * gamma along the last axis: a layer of keras.applications' ConvNeXt. Weight: gamma (projection_dim,).

    >>> LayerScale(0.5, 2)(np.ones((1, 2))).tolist()
    [[0.5, 0.5]]
    """

    def __init__(self, init_values: float, projection_dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.init_values = arguments.number("init_values", init_values)
        self.projection_dim = arguments.integer("projection_dim", projection_dim)
        self._sizes_by_axis = {-1: self.projection_dim}

    def build(self, input_shape: Any = None) -> None:
        """Create `gamma`."""
        start = initializers.Constant(self.init_values)
        self.gamma = self.add_weight((self.projection_dim,), start, name="gamma")

    def call(self, f: Any, x: Any) -> Any:
        """One scaling."""
        return f.scale_shift(x, self.gamma, None)

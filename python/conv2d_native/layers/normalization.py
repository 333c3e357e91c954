"""Normalizations as they are at inference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import arguments, shapes
from .base import Layer
from .registry import register_layer
from .weighted import Weighted


class GainAndOffset(Weighted):
    """A layer with weights gamma (where scale=True) and beta (where center=True)."""

    def set_words(self, epsilon: Any, center: Any, scale: Any) -> None:
        """Keep the arguments in attributes of Keras's names."""
        self.epsilon = arguments.positive_number("epsilon", epsilon)
        self.center, self.scale = arguments.flag("center", center), arguments.flag("scale", scale)

    def add_pair(self, shape: Any, rms_scaling: bool = False) -> None:
        """Create gamma and beta, or None. `rms_scaling`: gamma in any case, and no beta."""
        self.gamma = self.make_weight("gamma", shape) if self.scale or rms_scaling else None
        self.beta = self.make_weight("beta", shape) if self.center and not rms_scaling else None


def _known_size(layer: Any, shape: Any, axis: int) -> int:
    """The size along `axis` of inputs of `layer`. Raises ValueError where it is not known, and for the batch."""
    number = arguments.axis("axis", axis, len(shape))
    if number == 0:
        raise ValueError(arguments.must("axis", "not be the batch", axis))
    if shape[number] is None:
        raise ValueError(
            f"Axis {axis} of the inputs of layer '{layer.name}' must be defined. Received: input_shape={shape}."
        )
    return int(shape[number])


def over_deviation(a: np.ndarray, axes: tuple[int, ...], epsilon: float) -> Any:
    """`a` over its standard deviation along `axes`, of the shape of `a`."""
    return a / np.sqrt(a.var(axis=axes, keepdims=True) + np.float32(epsilon))


def over_root_mean_square(a: np.ndarray, axes: tuple[int, ...], epsilon: float) -> Any:
    """`a` over the root of its mean square along `axes`, of the shape of `a`."""
    return a / np.sqrt(np.square(a).mean(axis=axes, keepdims=True) + np.float32(epsilon))


def _step(over: Callable[..., Any], layer: Any, gain: Any, shape: Any) -> Callable[[np.ndarray], Any]:
    """`over` of arrays of `shape` along the axes of `layer`, times the weight `gain`, if there is one."""
    axes = tuple(arguments.axis("axis", number, len(shape)) for number in layer.axis)
    factor = 1.0 if gain is None else gain.value.reshape([n if i in axes else 1 for i, n in enumerate(shape)])
    epsilon = layer.epsilon
    return lambda a: over(a, axes, epsilon) * factor


@register_layer("SyncBatchNormalization")
class BatchNormalization(GainAndOffset):
    """gamma * (x - moving_mean) / sqrt(moving_variance + epsilon) + beta along `axis`, as at inference.

    axis: the axis of the channels (-1). epsilon: 0.001. center, scale: have beta, gamma. momentum, renorm* and
    synchronized belong to training and are kept. Weights: gamma, beta, moving_mean, moving_variance (channels,); with
    renorm=True also moving_stddev, renorm_mean, renorm_stddev, of no effect.
    A moving_variance below -epsilon gives NaN, as in Keras. Raises ValueError for an epsilon that is not above 0.

        >>> BatchNormalization()(np.zeros((1, 8, 8, 3))).shape
        (1, 8, 8, 3)
    """

    supports_masking = True

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        renorm: bool = False,
        renorm_clipping: Any = None,
        renorm_momentum: float = 0.99,
        synchronized: bool = False,
        **kwargs: Any,
    ) -> None:
        for word in ("fused", "virtual_batch_size", "adjustment"):  # Keras 2, training only
            kwargs.pop(word, None)
        super().__init__(**kwargs)
        if isinstance(axis, (list, tuple)) and len(axis) == 1:  # Keras 2's form
            axis = axis[0]
        self.axis = arguments.integer("axis", axis, low=None)
        self.momentum = arguments.number("momentum", momentum)
        self.set_words(epsilon, center, scale)
        self.declare_weight("beta", beta_initializer, beta_regularizer, beta_constraint)
        self.declare_weight("gamma", gamma_initializer, gamma_regularizer, gamma_constraint)
        self.declare_weight("moving_mean", moving_mean_initializer)
        self.declare_weight("moving_variance", moving_variance_initializer)
        self.renorm, self.renorm_momentum = arguments.flag("renorm", renorm), renorm_momentum
        self.renorm_clipping = renorm_clipping
        self.synchronized = arguments.flag("synchronized", synchronized)

    def build(self, input_shape: Any) -> None:
        """Create gamma, beta, moving_mean, moving_variance and those of training with renorm."""
        size = _known_size(self, input_shape, self.axis)
        self.add_pair((size,))
        self.moving_mean = self.make_weight("moving_mean", (size,), trainable=False)
        self.moving_variance = self.make_weight("moving_variance", (size,), trainable=False)
        if self.renorm:
            self.moving_stddev = self.make_weight("moving_stddev", (size,), "moving_variance", False)
            self.renorm_mean = self.make_weight("renorm_mean", (size,), "moving_mean", False)
            self.renorm_stddev = self.make_weight("renorm_stddev", (size,), "moving_variance", False)
        self._sizes_by_axis = {self.axis: size}

    def call(self, f: Any, x: Any) -> Any:
        """One scale and shift."""
        mean, variance = self.moving_mean.value, self.moving_variance.value
        return f.batch_normalization(x, mean, variance, self.beta, self.gamma, self.axis, self.epsilon)


@register_layer
class LayerNormalization(GainAndOffset):
    """gamma * (x - mean) / sqrt(variance + epsilon) + beta with the moments of each sample over `axis` (-1).

    axis: an int or several. epsilon: 0.001. rms_scaling (Keras 3.8 and older): no mean, no beta, gamma whatever
    `scale` says. Weights: gamma, beta of the shape of the axes.

        >>> LayerNormalization(epsilon=1e-6)(np.zeros((1, 8, 8, 3))).shape
        (1, 8, 8, 3)
    """

    supports_masking = True

    def __init__(
        self,
        axis: Any = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        rms_scaling: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.axis = arguments.integer_list("axis", axis)
        self.rms_scaling = arguments.flag("rms_scaling", rms_scaling)
        self.set_words(epsilon, center, scale)
        self.declare_weight("beta", beta_initializer, beta_regularizer, beta_constraint)
        self.declare_weight("gamma", gamma_initializer, gamma_regularizer, gamma_constraint)

    def build(self, input_shape: Any) -> None:
        """Create gamma and beta."""
        # Keras sorts axes as they are given: negative ones come first.
        numbers = [arguments.axis("axis", axis, len(input_shape)) for axis in sorted(self.axis)]
        shape = tuple(_known_size(self, input_shape, number) for number in numbers)
        self.add_pair(shape, self.rms_scaling)
        self._sizes_by_axis = dict(zip(numbers, shape, strict=True))

    def call(self, f: Any, x: Any) -> Any:
        """One normalization."""
        if self.rms_scaling:
            step = _step(over_deviation, self, self.gamma, x.shape)
            return f.apply(step, [x], x.shape, "LayerNormalization")
        return f.layer_normalization(x, self.gamma, self.beta, sorted(self.axis), self.epsilon)


@register_layer
class GroupNormalization(GainAndOffset):
    """LayerNormalization over all axes of each of `groups` (32) groups of channels; -1: every channel by itself.

    axis: the axis of the channels (-1). epsilon: 0.001. Weights: gamma, beta (channels,). Raises ValueError where
    `groups` does not divide the channels.

        >>> GroupNormalization(groups=3)(np.zeros((1, 8, 8, 6))).shape
        (1, 8, 8, 6)
    """

    supports_masking = True

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.groups = -1 if groups == -1 else arguments.integer("groups", groups)
        self.axis = arguments.integer("axis", axis, low=None)
        self.set_words(epsilon, center, scale)
        self.declare_weight("beta", beta_initializer, beta_regularizer, beta_constraint)
        self.declare_weight("gamma", gamma_initializer, gamma_regularizer, gamma_constraint)

    def build(self, input_shape: Any) -> None:
        """Create gamma and beta."""
        size = _known_size(self, input_shape, self.axis)
        groups = size if self.groups == -1 else self.groups
        if size % groups:
            raise ValueError(
                f"`groups` must divide the number of channels. Received: groups={self.groups}, {size} channels."
            )
        self.add_pair((size,))
        self._sizes_by_axis = {self.axis: size}

    def call(self, f: Any, x: Any) -> Any:
        """Channels to the end, groups to the front, one normalization, and back."""
        rank = len(x.shape)
        order, back = shapes.to_the_end([arguments.axis("axis", self.axis, rank)], rank)
        y = f.transpose(x, order)
        sizes, c = y.shape[1:-1], y.shape[-1]
        cells = int(np.prod(sizes, dtype=np.int64))
        groups = c if self.groups == -1 else self.groups
        y = f.transpose(f.reshape(y, (-1, cells, groups, c // groups)), (0, 2, 1, 3))
        y = f.layer_normalization(f.reshape(y, (-1, groups, cells * (c // groups))), epsilon=self.epsilon)
        y = f.transpose(f.reshape(y, (-1, groups, cells, c // groups)), (0, 2, 1, 3))
        y = f.reshape(y, (-1, *sizes, c))
        if self.gamma is not None or self.beta is not None:
            y = f.scale_shift(y, self.gamma, self.beta)
        return f.transpose(y, back)


@register_layer
class UnitNormalization(Layer):
    """x / its Euclidean length along `axis` (-1; an int or several), that of the batch too.

    >>> UnitNormalization()(np.array([[3.0, 4.0]])).tolist()
    [[0.6000000238418579, 0.800000011920929]]
    """

    supports_masking = True

    def __init__(self, axis: Any = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        axes = arguments.integer_list("axis", axis)
        self.axis = axes if isinstance(axis, (list, tuple)) else axes[0]

    def check_shape(self, shape: Any) -> None:
        """One that has each axis, named once."""
        super().check_shape(shape)
        axes = [
            arguments.axis("axis", axis, len(shape)) for axis in arguments.integer_list("axis", self.axis)
        ]
        if len(set(axes)) < len(axes):
            raise ValueError(arguments.must("axis", "name each axis once", self.axis))

    def call(self, f: Any, x: Any) -> Any:
        """A host step."""
        axes = tuple(arguments.integer_list("axis", self.axis))

        def scale(a: np.ndarray) -> np.ndarray:
            squares = np.square(a).sum(axis=axes, keepdims=True)
            return a / np.sqrt(np.maximum(squares, np.float32(1e-12)))

        along_batch = not {0, -len(x.shape)}.isdisjoint(axes)
        return f.apply(scale, [x], x.shape, "UnitNormalization", whole_batch=along_batch)


@register_layer
class RMSNormalization(Layer):
    """scale * x / sqrt(mean of x^2 + epsilon) along `axis` (-1). Weight: scale of the shape of the axes.

    >>> RMSNormalization()(np.ones((1, 4))).shape
    (1, 4)
    """

    def __init__(self, axis: Any = -1, epsilon: float = 1e-6, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = arguments.integer_list("axis", axis)
        self.epsilon = arguments.positive_number("epsilon", epsilon)

    def build(self, input_shape: Any) -> None:
        """Create `scale`."""
        self.axis = sorted(self.axis)
        shape = tuple(_known_size(self, input_shape, axis) for axis in self.axis)
        self.scale = self.add_weight(shape, "ones", name="scale")
        self._sizes_by_axis = dict(zip(self.axis, shape, strict=True))

    def call(self, f: Any, x: Any) -> Any:
        """A host step."""
        step = _step(over_root_mean_square, self, self.scale, x.shape)
        return f.apply(step, [x], x.shape, "RMSNormalization")

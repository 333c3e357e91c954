"""Activations as layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import activations, arguments
from ..graph import over_axes
from .operations.operands import axis_numbers, check_broadcast, constant, host
from .recorded_activation import Activated, layer_activation, through
from .registry import register_layer
from .weighted import Weighted

_UNSEEN = np.float32(-1e9)  # Keras's value for what a mask hides


class ActivationLayer(Activated):
    """Applies `activation`: that which `computes` names, with the constructor's arguments, as they are now."""

    computes: str
    supports_masking = True

    @property
    def as_activation(self) -> Any:
        """What another layer fuses that is given this one; a class of the user's may compute anything."""
        return None if self._own_call else self.activation

    @property
    def activation(self) -> Any:  # type: ignore[override]
        """The activation of the arguments."""
        words = activations.TABLE[self.computes].defaults
        return activations.make(self.computes, **{word: getattr(self, word) for word in words})

    def call(self, f: Any, x: Any) -> Any:
        """One activation."""
        return through(f, self.activation, x)


@register_layer
class Activation(ActivationLayer):
    """Applies an activation by name ("relu", "softmax", ...), function or layer to an input of any shape.

    Raises ValueError with the list of names for an unknown one, TypeError for what is none of these.

        >>> Activation("relu")(np.array([[-1.0, 2.0]])).tolist()
        [[0.0, 2.0]]
    """

    activation: Any = None

    def __init__(self, activation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.activation = layer_activation(activation)


@register_layer
class ReLU(ActivationLayer):
    """min(x, max_value) where x >= threshold (0), negative_slope (0) * (x - threshold) below it.

    Raises ValueError for negative numbers.

        >>> ReLU(max_value=6)(np.array([[-1.0, 9.0]])).tolist()
        [[0.0, 6.0]]
    """

    computes = "relu"

    def __init__(
        self,
        max_value: float | None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.max_value = None if max_value is None else _plain_number("max_value", max_value)
        self.negative_slope = _plain_number("negative_slope", negative_slope)
        self.threshold = _plain_number("threshold", threshold)


@register_layer
class LeakyReLU(ActivationLayer):
    """x where x >= 0, negative_slope (0.3) * x below. Keras 2's name `alpha` is taken too.

    >>> LeakyReLU(0.5)(np.array([[-1.0, 2.0]])).tolist()
    [[-0.5, 2.0]]
    """

    computes = "leaky_relu"

    def __init__(self, negative_slope: float = 0.3, **kwargs: Any) -> None:
        negative_slope = kwargs.pop("alpha", negative_slope)
        super().__init__(**kwargs)
        self.negative_slope = _plain_number("negative_slope", negative_slope)


@register_layer
class ELU(ActivationLayer):
    """x where x > 0, alpha (1) * (exp(x) - 1) below.

    >>> ELU()(np.array([[0.0, 2.0]])).tolist()
    [[0.0, 2.0]]
    """

    computes = "elu"

    def __init__(self, alpha: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alpha = arguments.number("alpha", alpha)


@register_layer
class ThresholdedReLU(ActivationLayer):
    """x where x > theta (1), else 0: a layer of Keras 2.

    >>> ThresholdedReLU()(np.array([[1.0, 2.0]])).tolist()
    [[0.0, 2.0]]
    """

    def __init__(self, theta: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.theta = _plain_number("theta", theta)

    @property
    def activation(self) -> Any:
        return activations.make("threshold", threshold=self.theta)


@register_layer
class Softmax(ActivationLayer):
    """exp(x) / sum of exp(x) along `axis` (-1; several axes are taken together).

    A call takes a `mask` that broadcasts to x: where it is False, or not above 0.5, x does not count and gives 0.

    >>> Softmax()(np.zeros((1, 4))).tolist()
    [[0.25, 0.25, 0.25, 0.25]]
    """

    computes = "softmax"

    def __init__(self, axis: Any = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        axes = arguments.integer_list("axis", axis)
        if not axes:
            raise ValueError(arguments.must("axis", "be an integer or a list of integers", axis))
        self.axis: Any = axes if len(axes) > 1 else axes[0]

    @property
    def activation(self) -> Any:
        if not isinstance(self.axis, int):
            raise AttributeError(f"Softmax(axis={self.axis}) is no `activation`: it is along several axes.")
        return super().activation

    def call(self, f: Any, x: Any, mask: Any = None) -> Any:
        """One softmax; over several axes, that of a reshaped input; with a mask a host step."""
        if mask is not None:
            return self._masked(f, x, constant("mask", mask))
        if isinstance(self.axis, int):
            return f.activate(x, self.activation)
        axes = sorted({arguments.axis("axis", axis, len(x.shape)) for axis in self.axis})
        if not axes[0]:
            raise ValueError(arguments.must("axis", "not be the batch", self.axis))
        return over_axes(f, x, axes, f.softmax)

    def _masked(self, f: Any, x: Any, mask: Any) -> Any:
        check_broadcast(mask, (None, *x.shape[1:]), "Softmax", "`mask`")
        axes = axis_numbers(self.axis, len(x.shape))

        def weigh(a: np.ndarray, mask: np.ndarray) -> np.ndarray:
            seen = mask > 0.5
            a = np.where(seen, a, _UNSEEN)
            powers = np.exp(a - a.max(axis=axes, keepdims=True))
            return np.where(seen, powers / powers.sum(axis=axes, keepdims=True), np.float32(0))

        return host(f, weigh, [x, mask], x.shape)


@register_layer
class PReLU(Weighted):
    """x where x >= 0, alpha * x below, with alpha a weight of the input's shape, 1 along `shared_axes`.

    alpha_initializer ("zeros"), alpha_regularizer, alpha_constraint: as in Conv2D.

        >>> PReLU(shared_axes=[1, 2])(np.zeros((1, 8, 8, 3))).shape
        (1, 8, 8, 3)
    """

    supports_masking = True

    def __init__(
        self,
        alpha_initializer: Any = "zeros",
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.declare_weight("alpha", alpha_initializer, alpha_regularizer, alpha_constraint)
        if shared_axes is not None and not isinstance(shared_axes, (list, tuple)):
            shared_axes = [shared_axes]
        self.shared_axes = shared_axes and [arguments.integer("shared_axes", axis) for axis in shared_axes]

    def build(self, input_shape: Any) -> None:
        """Create `alpha`."""
        shared = self.shared_axes or []
        shape = [1 if axis in shared else size for axis, size in enumerate(input_shape)][1:]
        if None in shape or max(shared, default=0) >= len(input_shape):
            raise ValueError(
                f"Layer '{self.name}' needs known sizes along all axes but `shared_axes`. "
                f"Received: shared_axes={self.shared_axes}, input_shape={input_shape}."
            )
        self.alpha = self.make_weight("alpha", shape)
        self._sizes_by_axis = {
            axis: size for axis, size in enumerate(input_shape) if axis and axis not in shared and size
        }

    def call(self, f: Any, x: Any) -> Any:
        """One operation."""
        return f.prelu(x, self.alpha.value)


def _plain_number(name: str, value: Any) -> float:
    """A number from 0, also as the wrapped NumPy scalar that Keras 2 wrote."""
    if isinstance(value, Mapping) and "value" in (value.get("config") or value):
        value = (value.get("config") or value)["value"]
    return arguments.number(name, value, 0.0)

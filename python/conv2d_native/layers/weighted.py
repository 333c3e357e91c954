"""What layers with weights share: each weight NAME is made as NAME_initializer, _regularizer and _constraint say."""

from __future__ import annotations

from typing import Any

from .. import arguments, constraints, initializers, regularizers
from .recorded_activation import Activated, layer_activation


class Weighted(Activated):
    """A layer that keeps these words of its constructor with declare_weight, and in build makes weights by them."""

    def declare_weight(
        self, name: str, initializer: Any, regularizer: Any = None, constraint: Any = None
    ) -> None:
        """Keep how weight `name` is made, in attributes of Keras's names."""
        given = {
            f"{name}_initializer": (initializers, initializer),
            f"{name}_regularizer": (regularizers, regularizer),
            f"{name}_constraint": (constraints, constraint),
        }
        made = {word: module.get(value, word) for word, (module, value) in given.items()}
        vars(self).update(made)  # faster than setattr: layers are constructed by the hundred

    def declare_bias(
        self, activation: Any, use_bias: Any, initializer: Any, regularizer: Any, constraint: Any
    ) -> None:
        """Keep activation and bias."""
        self.activation = layer_activation(activation)
        self.use_bias = arguments.flag("use_bias", use_bias)
        self.declare_weight("bias", initializer, regularizer, constraint)

    def make_weight(self, name: str, shape: Any, kind: str = "", trainable: bool = True) -> Any:
        """Add weight `name`, made as `kind` (default: its own name) says."""
        kind = kind or name
        return self.add_weight(
            shape=shape,
            trainable=trainable,
            initializer=getattr(self, f"{kind}_initializer"),
            regularizer=getattr(self, f"{kind}_regularizer"),
            constraint=getattr(self, f"{kind}_constraint"),
            name=name,
        )

    def make_bias(self, size: int) -> Any:
        """Add the bias, or None."""
        return self.make_weight("bias", (size,)) if self.use_bias else None

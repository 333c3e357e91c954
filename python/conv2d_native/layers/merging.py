"""Layers that make one tensor out of several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import arguments, shapes
from .base import Layer
from .registry import register_layer


class Merge(Layer):
    """A layer whose input is a list of tensors. Smaller ranks get axes of size 1 after the batch, as in Keras."""

    minimum_inputs = 1

    def check_shape(self, shape: Any) -> None:
        """A list of shapes."""
        if not isinstance(shape, list) or len(shape) < self.minimum_inputs:
            raise ValueError(
                f"Layer '{self.name}' must be called on a list of {self.minimum_inputs} or more inputs. "
                f"Received: input_shape={shape}."
            )

    def shapes_of(self, input_shape: Any) -> list[tuple[Any, ...]]:
        """The shapes as tuples, checked."""
        made = [tuple(shape) if isinstance(shape, (tuple, list)) else shape for shape in input_shape]
        self.check_shape(made)
        if not all(isinstance(shape, tuple) for shape in made):
            raise ValueError(
                f"Layer '{self.name}' must be called on a list of inputs. Received: input_shape={input_shape}."
            )
        return made


class ElementwiseMerge(Merge):
    """Merge with `operation`, a method of f, from left to right."""

    operation = "add"

    def build(self, input_shape: Any) -> None:
        """Check that the shapes broadcast."""
        self.compute_output_shape(input_shape)

    def call(self, f: Any, x: Any) -> Any:
        """One operation per further input."""
        self.check_shape([tuple(item.shape) for item in x] if isinstance(x, (list, tuple)) else None)
        rank = max(len(item.shape) for item in x)
        made = [_with_rank(f, item, rank) for item in x]
        total = made[0]
        for item in made[1:]:
            total = getattr(f, self.operation)(total, item)
        return total

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The broadcast shape."""
        given = self.shapes_of(input_shape)
        rank = max(len(shape) for shape in given)
        return shapes.broadcast([(shape[0], *(1,) * (rank - len(shape)), *shape[1:]) for shape in given])


def _with_rank(f: Any, x: Any, rank: int) -> Any:
    missing = rank - len(x.shape)
    return f.reshape(x, (-1, *(1,) * missing, *x.shape[1:])) if missing else x


@register_layer
class Add(ElementwiseMerge):
    """Sum of the inputs, a list of tensors that broadcast.

    >>> Add()([np.ones((1, 2)), np.ones((1, 2))]).tolist()
    [[2.0, 2.0]]
    """


@register_layer
class Subtract(ElementwiseMerge):
    """First input minus second.

    >>> Subtract()([np.ones((1, 2)), np.ones((1, 2))]).tolist()
    [[0.0, 0.0]]
    """

    operation = "subtract"
    minimum_inputs = 2

    def check_shape(self, shape: Any) -> None:
        """A list of two shapes."""
        super().check_shape(shape)
        if len(shape) != 2:
            raise ValueError(
                f"A `Subtract` layer should be called on exactly 2 inputs. Received: input_shape={shape}"
            )


@register_layer
class Multiply(ElementwiseMerge):
    """Product of the inputs.

    >>> Multiply()([np.full((1, 2), 3.0), np.ones((1, 2))]).tolist()
    [[3.0, 3.0]]
    """

    operation = "multiply"


@register_layer
class Maximum(ElementwiseMerge):
    """Largest of the inputs, entry by entry.

    >>> Maximum()([np.zeros((1, 2)), np.ones((1, 2))]).tolist()
    [[1.0, 1.0]]
    """

    operation = "maximum"


@register_layer
class Minimum(ElementwiseMerge):
    """Smallest of the inputs, entry by entry.

    >>> Minimum()([np.zeros((1, 2)), np.ones((1, 2))]).tolist()
    [[0.0, 0.0]]
    """

    operation = "minimum"


@register_layer
class Average(ElementwiseMerge):
    """Mean of the inputs, entry by entry.

    >>> Average()([np.zeros((1, 2)), np.ones((1, 2))]).tolist()
    [[0.5, 0.5]]
    """

    def call(self, f: Any, x: Any) -> Any:
        """The sum, scaled."""
        return f.multiply(super().call(f, x), 1.0 / len(x))


@register_layer
class CustomScaleLayer(Merge):
    """x0 + scale * x1: a layer of keras.applications' InceptionResNetV2.

    >>> CustomScaleLayer(0.5)([np.ones((1, 2)), np.ones((1, 2))]).tolist()
    [[1.5, 1.5]]
    """

    minimum_inputs = 2

    def __init__(self, scale: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale = arguments.number("scale", scale)

    def call(self, f: Any, x: Any) -> Any:
        """A scaling and an addition."""
        return f.add(x[0], f.multiply(x[1], self.scale))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The broadcast shape."""
        return shapes.broadcast(self.shapes_of(input_shape))


@register_layer
class Concatenate(Merge):
    """The inputs side by side along `axis` (-1); all other sizes must agree.

    >>> Concatenate()([np.zeros((1, 8, 8, 3)), np.zeros((1, 8, 8, 2))]).shape
    (1, 8, 8, 5)
    """

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = arguments.integer("axis", axis, low=None)

    def build(self, input_shape: Any) -> None:
        """Check that the shapes agree."""
        self.compute_output_shape(input_shape)

    def call(self, f: Any, x: Any) -> Any:
        """One concatenation."""
        self.check_shape([tuple(item.shape) for item in x] if isinstance(x, (list, tuple)) else None)
        return f.concatenate(list(x), self.axis)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The sum of the sizes along `axis`."""
        given = self.shapes_of(input_shape)
        rank = len(given[0])
        axis = arguments.axis("axis", self.axis, rank)
        if axis == 0:
            raise ValueError(
                f"`axis` must not be the batch. Received: axis={self.axis}, input_shape={given}."
            )
        total: int | None = 0
        for shape in given:
            same = len(shape) == rank and all(
                a == b or None in (a, b)
                for i, (a, b) in enumerate(zip(shape, given[0], strict=True))
                if i != axis
            )
            if not same:
                raise ValueError(
                    "A `Concatenate` layer requires inputs with matching shapes except for the concatenation axis. "
                    f"Received: input_shape={given}"
                )
            total = None if total is None or shape[axis] is None else total + shape[axis]
        return tuple(total if i == axis else size for i, size in enumerate(given[0]))


@register_layer
class Dot(Merge):
    """Sum of products of two inputs along `axes` (one axis of both, or one of each); the batch is kept.

    normalize: scale both to length 1 along the axis first (cosine).

        >>> Dot(axes=1)([np.ones((1, 3)), np.ones((1, 3))]).tolist()
        [[3.0]]
    """

    minimum_inputs = 2

    def __init__(self, axes: int | Sequence[int], normalize: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if isinstance(axes, (list, tuple)):
            if len(axes) != 2:
                raise ValueError(f"`axes` must be 1 or 2 integers. Received: axes={arguments.shown(axes)}.")
            self.axes: Any = [arguments.integer("axes", axis, low=None) for axis in axes]
        else:
            self.axes = arguments.integer("axes", axes, low=None)
        self.normalize = arguments.flag("normalize", normalize)

    def _numbers(self, ranks: Sequence[int]) -> list[int]:
        axes = [self.axes] * 2 if isinstance(self.axes, int) else self.axes
        numbers = [arguments.axis("axes", axis, rank) for axis, rank in zip(axes, ranks, strict=True)]
        if 0 in numbers:
            raise ValueError(f"`axes` must not hold the batch. Received: axes={self.axes}.")
        return numbers

    def build(self, input_shape: Any) -> None:
        """Check that the sizes along the axes agree."""
        self.compute_output_shape(input_shape)

    def call(self, f: Any, x: Any) -> Any:
        """A host step."""
        given = [tuple(item.shape) for item in x]
        first, second = self._numbers([len(shape) for shape in given])

        def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
            a, b = np.moveaxis(a, first, -1), np.moveaxis(b, second, -1)
            if self.normalize:
                a, b = (v / np.sqrt(np.maximum(np.square(v).sum(-1, keepdims=True), 1e-12)) for v in (a, b))
            lead, trail = a.shape[1:-1], b.shape[1:-1]
            n, k = len(a), a.shape[-1]
            y = a.reshape(n, -1, k) @ b.reshape(n, -1, k).swapaxes(1, 2)
            return y.reshape(n, *lead, *trail) if lead or trail else y.reshape(n, 1)

        return f.apply(product, list(x), self.compute_output_shape(given), "Dot")

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The sizes of both without the axes."""
        given = self.shapes_of(input_shape)
        if len(given) != 2:
            raise ValueError(
                f"A `Dot` layer should be called on a list of 2 inputs. Received: input_shape={given}"
            )
        numbers = self._numbers([len(shape) for shape in given])
        sizes = [shape[axis] for shape, axis in zip(given, numbers, strict=True)]
        if None not in sizes and sizes[0] != sizes[1]:
            raise ValueError(
                f"Incompatible input shapes: axis values {sizes[0]} (at axis {numbers[0]}) != {sizes[1]} "
                f"(at axis {numbers[1]}). Full input shapes: {given[0]}, {given[1]}"
            )
        rest = [s for i, s in enumerate(given[0]) if i not in (0, numbers[0])]
        rest += [s for i, s in enumerate(given[1]) if i not in (0, numbers[1])]
        return (given[0][0], *(rest or [1]))


def _function(cls: Any, words: str = "", shape: str = "(1, 2)") -> Any:
    """Keras's function beside a merging class: `add([x, y])` is `Add()([x, y])`."""

    def merge(inputs: Any, *args: Any, **kwargs: Any) -> Any:
        return cls(*args, **kwargs)(inputs)

    name = merge.__name__ = merge.__qualname__ = cls.__name__.lower()
    merge.__doc__ = f"""{cls.__name__}(*args, **kwargs)(inputs): see {cls.__name__}.

    >>> {name}([np.ones((1, 2)), np.ones((1, 2))]{words}).shape
    {shape}
    """
    return merge


add, subtract, multiply, average = (
    _function(Add),
    _function(Subtract),
    _function(Multiply),
    _function(Average),
)
maximum, minimum = _function(Maximum), _function(Minimum)
concatenate, dot = _function(Concatenate, shape="(1, 4)"), _function(Dot, ", axes=1", "(1, 1)")

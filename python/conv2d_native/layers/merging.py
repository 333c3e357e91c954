"""Layers that make one tensor out of several."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import arguments, shapes
from .base import Layer
from .registry import register_layer
from .symbolic import operate


class Merge(Layer):
    """A layer whose input is a list of tensors, of which it takes `inputs`; None: one or more."""

    inputs: int | None = None

    def check_shape(self, shape: Any) -> None:
        """A list of shapes."""
        several = isinstance(shape, (list, tuple)) and all(isinstance(item, (list, tuple)) for item in shape)
        if not several or not shape or self.inputs not in (None, len(shape)):
            words = f"exactly {self.inputs} inputs" if self.inputs else "a list of inputs"
            raise ValueError(f"Layer '{self.name}' must be called on {words}. Received: input_shape={shape}.")

    def shapes_of(self, input_shape: Any) -> list[tuple[Any, ...]]:
        """The shapes as tuples, checked."""
        self.check_shape(input_shape)
        return [tuple(shape) for shape in input_shape]

    def build(self, input_shape: Any) -> None:
        """Check that the shapes fit each other."""
        self.compute_output_shape(input_shape)


class ElementwiseMerge(Merge):
    """Merge with `operation`, a method of f, from left to right.

    Smaller ranks get axes of size 1 after the batch, as in Keras.
    """

    operation = "add"
    supports_masking = True

    def call(self, f: Any, x: Any) -> Any:
        """One operation per further input."""
        sizes = _of_one_rank([item.shape for item in x])
        same_rank = [f.reshape(item, (-1, *shape[1:])) for item, shape in zip(x, sizes, strict=True)]
        return functools.reduce(getattr(f, self.operation), same_rank)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Where any of the inputs counts; None where one of them has no mask. In Keras 2: where all with a mask do."""
        masks = previous_mask or [None]
        if self._masks_of_keras_2:
            masks = [mask for mask in masks if mask is not None]
            return functools.reduce(operator.and_, masks) if masks else None
        return None if any(mask is None for mask in masks) else functools.reduce(operator.or_, masks)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The broadcast shape."""
        return shapes.broadcast(_of_one_rank(self.shapes_of(input_shape)))


def _of_one_rank(given: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """The shapes with axes of size 1 after the batch where others have more axes."""
    rank = max(map(len, given))
    return [(shape[0], *(1,) * (rank - len(shape)), *shape[1:]) for shape in given]


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
    inputs = 2


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

    inputs = 2

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

    def call(self, f: Any, x: Any) -> Any:
        """One concatenation."""
        return f.concatenate(list(x), self.axis)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Where any entry along the last axis comes from one that counts, as all do of an input without a mask.

        In Keras 2: where all entries do.
        """
        if previous_mask is None:
            return None
        pairs = zip(inputs, previous_mask, strict=True)
        joined = operate("Concatenate", [*map(_entries_seen, pairs)], axis=self.axis)
        return operate("All" if self._masks_of_keras_2 else "Any", joined, axis=-1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The sum of the sizes along `axis`."""
        given = self.shapes_of(input_shape)
        rank = len(given[0])
        axis = arguments.axis("axis", self.axis, rank)
        if axis == 0:
            raise ValueError(
                f"`axis` must not be the batch. Received: axis={self.axis}, input_shape={given}."
            )
        by_axis = list(zip(*given, strict=False))
        alike = all(len(set(sizes) - {None}) < 2 for i, sizes in enumerate(by_axis) if i != axis)
        if not alike or any(len(shape) != rank for shape in given):
            raise ValueError(
                "A `Concatenate` layer requires inputs with matching shapes except for the concatenation axis. "
                f"Received: input_shape={given}"
            )
        total = None if None in by_axis[axis] else sum(by_axis[axis])
        return tuple(total if i == axis else size for i, size in enumerate(given[0]))


def _entries_seen(pair: tuple[Any, Any]) -> Any:
    """A mask of the shape of a tensor, out of the tensor and its mask."""
    x, mask = pair
    if mask is None:
        return operate("OnesLike", x)
    return mask if mask.ndim == x.ndim else operate("ExpandDims", mask, axis=-1) | operate("ZerosLike", x)


@register_layer
class Dot(Merge):
    """Sum of products of two inputs along `axes` (one axis of both, or one of each); the batch is kept.

    normalize: scale both to length 1 along the axis first (cosine).

        >>> Dot(axes=1)([np.ones((1, 3)), np.ones((1, 3))]).tolist()
        [[3.0]]
    """

    inputs = 2

    def __init__(self, axes: int | Sequence[int], normalize: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if isinstance(axes, (list, tuple)):
            if len(axes) != 2:
                raise ValueError(arguments.must("axes", "be 1 or 2 integers", axes))
            self.axes: Any = [arguments.integer("axes", axis, low=None) for axis in axes]
        else:
            self.axes = arguments.integer("axes", axes, low=None)
        self.normalize = arguments.flag("normalize", normalize)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        """None."""

    def _numbers(self, ranks: Sequence[int]) -> list[int]:
        axes = [self.axes] * 2 if isinstance(self.axes, int) else self.axes
        numbers = [arguments.axis("axes", axis, rank) for axis, rank in zip(axes, ranks, strict=True)]
        if 0 in numbers:
            raise ValueError(arguments.must("axes", "not hold the batch", self.axes))
        return numbers

    def call(self, f: Any, x: Any) -> Any:
        """A host step."""
        shape = self.compute_output_shape([item.shape for item in x])
        first, second = self._numbers([len(item.shape) for item in x])

        def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
            a, b = np.moveaxis(a, first, -1), np.moveaxis(b, second, -1)
            if self.normalize:
                a, b = (v / np.sqrt(np.maximum(np.square(v).sum(-1, keepdims=True), 1e-12)) for v in (a, b))
            n, k = len(a), a.shape[-1]
            y = a.reshape(n, -1, k) @ b.reshape(n, -1, k).swapaxes(1, 2)
            return y.reshape(n, *shape[1:])

        return f.apply(product, list(x), shape, "Dot")

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The sizes of both without the axes."""
        given = self.shapes_of(input_shape)
        numbers = self._numbers([len(shape) for shape in given])
        sizes = [shape[axis] for shape, axis in zip(given, numbers, strict=True)]
        if None not in sizes and sizes[0] != sizes[1]:
            raise ValueError(
                f"Incompatible input shapes: axis values {sizes[0]} (at axis {numbers[0]}) != {sizes[1]} "
                f"(at axis {numbers[1]}). Full input shapes: {given[0]}, {given[1]}"
            )
        pairs = zip(given, numbers, strict=True)
        rest = [size for shape, axis in pairs for i, size in enumerate(shape) if i not in (0, axis)]
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


add, subtract, multiply = _function(Add), _function(Subtract), _function(Multiply)
average, maximum, minimum = _function(Average), _function(Maximum), _function(Minimum)
concatenate, dot = _function(Concatenate, shape="(1, 4)"), _function(Dot, ", axes=1", "(1, 1)")

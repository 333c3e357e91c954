"""Operations on any rank: activations, normalization, two operands, shapes, and host steps in NumPy."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import activations, arguments, shapes
from ..errors import BatchAxisError
from .tensor import Tensor


def _two(kind: str) -> Callable[[Any, Any, Any], Any]:
    """The operation `kind` of two operands, of which one may be an array or a number."""

    def operation(self: Any, x: Any, y: Any) -> Any:
        tensors = [value for value in (x, y) if isinstance(value, Tensor)]
        if not tensors:
            raise TypeError(
                f"`x` or `y` must be a tensor. Received: {arguments.shown(x)}, {arguments.shown(y)}."
            )
        rank = max(tensor.rank for tensor in tensors)
        if any(tensor.rank < rank for tensor in tensors):
            raise BatchAxisError(
                "Broadcasting tensors of other ranks moves the batch axis: this is not computed here. "
                f"Received: shapes {', '.join(str(tensor.shape) for tensor in tensors)}."
            )
        shapes.broadcast([tuple(v.shape) if isinstance(v, Tensor) else np.shape(v) for v in (x, y)])
        return Tensor(self, self.core.binary(kind, self._operand("x", x, rank), self._operand("y", y, rank)))

    operation.__name__ = operation.__qualname__ = kind
    return operation


def over_axes(f: Any, x: Any, axes: Sequence[int], operation: Callable[[Any], Any]) -> Any:
    """What `operation` along the last axis makes of `x` with `axes`, which do not hold the batch, as that one axis.

    f: the builder, or the eager module.
    """
    order, back = shapes.to_the_end(axes, len(x.shape))
    sizes = [x.shape[i] for i in order]
    kept = len(order) - len(axes)
    y = operation(f.reshape(f.transpose(x, order), (-1, *sizes[1:kept], shapes.count(sizes[kept:]))))
    return f.transpose(f.reshape(y, (-1, *sizes[1:])), back)


class ElementOperations:
    """The half of GraphBuilder that does not know images."""

    core: Any
    host_functions: list[Any]

    def dense(self, x: Any, kernel: Any, bias: Any = None, activation: Any = None) -> Any:
        kernel = arguments.array("kernel", kernel, 2)
        arguments.no_empty_kernel(kernel.shape)
        if x.rank < 2 or x.shape[-1] != kernel.shape[0]:
            raise ValueError(
                f"`kernel` must have shape ({x.shape[-1]}, units) and `x` at least 2 dimensions. "
                f"Received: kernel of shape {kernel.shape}, x of shape {x.shape}."
            )
        bias = self._vector("bias", bias, kernel.shape[1])
        return self._activated(lambda text: self.core.dense(x.id, kernel, bias, text), activation)

    def reduce(self, x: Any, kind: str, axes: Sequence[int], keepdims: bool = False) -> Any:
        """ "mean", "max" or "sum" over `axes`, which do not hold the batch."""
        keepdims = arguments.flag("keepdims", keepdims)
        numbers = sorted({arguments.axis("axes", axis, x.rank) for axis in axes})
        if not numbers or 0 in numbers:
            raise ValueError(arguments.must("axes", "name axes, not the batch", tuple(axes)))
        if numbers == list(range(numbers[0], numbers[-1] + 1)):
            return Tensor(self, self.core.reduce(x.id, kind, tuple(numbers), keepdims))
        order, _ = shapes.to_the_end(numbers, x.rank)
        y = self.reduce(self.transpose(x, order), kind, range(-len(numbers), 0))
        sizes = [1 if i in numbers else x.shape[i] for i in range(1, x.rank)]
        return self.reshape(y, (-1, *sizes)) if keepdims else y

    # Normalization.

    def batch_normalization(
        self,
        x: Any,
        mean: Any,
        variance: Any,
        offset: Any = None,
        scale: Any = None,
        axis: int = -1,
        epsilon: float = 1e-3,
    ) -> Any:
        axis = arguments.axis("axis", axis, x.rank)
        if axis == 0:
            raise ValueError("`axis` must not be the batch. Received: axis=0.")
        c, epsilon = x.shape[axis], arguments.number("epsilon", epsilon)
        mean, variance = self._vector("mean", mean, c), self._vector("variance", variance, c)
        with np.errstate(all="ignore"):
            gain = 1.0 / np.sqrt(variance.astype(np.float64) + epsilon)
            if scale is not None:
                gain = gain * self._vector("scale", scale, c)
            shift = -mean * gain
            if offset is not None:
                shift = shift + self._vector("offset", offset, c)
            return self._along(x, axis, gain.astype(np.float32), shift.astype(np.float32))

    def layer_normalization(
        self, x: Any, gamma: Any = None, beta: Any = None, axis: Any = -1, epsilon: float = 1e-3
    ) -> Any:
        epsilon = arguments.number("epsilon", epsilon)
        given = [arguments.axis("axis", n, x.rank) for n in arguments.integer_list("axis", axis)]
        axes = sorted(set(given))
        if 0 in axes:
            raise ValueError(arguments.must("axis", "not hold the batch", axis))
        if axes == [x.rank - 1]:
            c = x.shape[-1]
            vectors = [self._vector("gamma", gamma, c), self._vector("beta", beta, c)]
            return Tensor(self, self.core.normalize(x.id, epsilon, *vectors))
        y = over_axes(self, x, axes, lambda y: Tensor(self, self.core.normalize(y.id, epsilon, None, None)))
        shape = tuple(x.shape[i] if i in axes else 1 for i in range(x.rank))
        ordered = tuple(x.shape[i] for i in axes)

        def along_axes(name: str, value: Any) -> Any:
            made = arguments.array(name, value)
            if made.size == 1:
                return made.reshape(())
            if made.shape not in (ordered, tuple(x.shape[i] for i in given), shape):
                raise ValueError(
                    f"`{name}` must have shape {ordered}. Received: {name} of shape {made.shape}."
                )
            return made.reshape(shape)

        if gamma is not None:
            y = self.multiply(y, along_axes("gamma", gamma))
        return y if beta is None else self.add(y, along_axes("beta", beta))

    def scale_shift(self, x: Any, scale: Any = None, shift: Any = None) -> Any:
        """x * scale + shift along the last axis; each is (c,), one number or None."""
        if x.rank == 1:
            return self.reshape(self.scale_shift(self.reshape(x, (-1, 1)), scale, shift), (-1,))
        c = x.shape[-1]
        return self._along(x, x.rank - 1, self._vector("scale", scale, c), self._vector("shift", shift, c))

    def prelu(self, x: Any, alpha: Any) -> Any:
        """x if x >= 0 else alpha * x; alpha broadcasts to one sample."""
        alpha = arguments.array("alpha", alpha)
        alpha = alpha.reshape(1, *alpha.shape)
        fits = alpha.ndim <= x.rank and all(
            a in (1, n) for a, n in zip(alpha.shape[:0:-1], x.shape[:0:-1], strict=False)
        )
        if not fits:
            raise ValueError(
                f"`alpha` must broadcast to one sample of shape {x.shape[1:]}. "
                f"Received: alpha of shape {alpha.shape[1:]}."
            )
        return Tensor(self, self.core.binary("prelu", x.id, self._operand("alpha", alpha, x.rank)))

    def activate(self, x: Any, activation: Any) -> Any:
        """Apply None, a name or another form that activations.get understands."""
        made = activations.get(activation)
        if x.source is not None and made.text is not None:
            inner, order = x.source
            return self.transpose(self.activate(inner, made), order)
        steps = made.steps(self, x)
        if steps is not None:
            return steps
        id = activations.lower(self.core, x.id, made)
        return x if id == x.id else Tensor(self, id)

    add, subtract, multiply = _two("add"), _two("subtract"), _two("multiply")
    divide, maximum, minimum = _two("divide"), _two("maximum"), _two("minimum")

    # Shapes.

    def concatenate(self, xs: Sequence[Any], axis: int = -1) -> Any:
        if not xs or len({x.rank for x in xs}) != 1:
            raise ValueError(f"`xs` must be tensors of one rank. Received: shapes {[x.shape for x in xs]}.")
        number = arguments.axis("axis", axis, xs[0].rank)
        if number == 0 or len({(*x.shape[:number], *x.shape[number + 1 :]) for x in xs}) != 1:
            raise ValueError(
                "`xs` must agree in all sizes but that of `axis`, which is not the batch. "
                f"Received: axis={axis}, shapes {[x.shape for x in xs]}."
            )
        return xs[0] if len(xs) == 1 else Tensor(self, self.core.concat([x.id for x in xs], number))

    def pad(self, x: Any, widths: Sequence[Sequence[int]], value: float = 0.0) -> Any:
        """Add (before, after) cells of `value` per axis, batch included as (0, 0); negative numbers crop."""
        made = tuple((int(before), int(after)) for before, after in widths)
        if len(made) != x.rank or made[0] != (0, 0):
            raise ValueError(arguments.must("widths", f"be {x.rank} pairs, (0, 0) for the batch", made))
        sizes = [size + sum(pair) for size, pair in zip(x.shape[1:], made[1:], strict=True)]
        if min(sizes, default=1) < 1 or max(sizes, default=1) > arguments.LARGEST_SIZE:
            raise ValueError(
                "Computed output size would be zero or negative, or too large. "
                f"Received: inputs shape={x.shape}, widths={made}."
            )
        return x if not np.any(made) else Tensor(self, self.core.pad(x.id, made, float(value)))

    def crop(self, x: Any, widths: Sequence[Sequence[int]]) -> Any:
        """Cut (before, after) cells off each axis, batch included as (0, 0)."""
        return self.pad(x, [(-int(before), -int(after)) for before, after in widths])

    def reshape(self, x: Any, shape: Sequence[int | None]) -> Any:
        """`shape` starts with -1 or None, which takes what the other sizes leave over."""
        rest = arguments.sample_sizes(shape)
        sample = self.core.shape(x.id)
        total, known = shapes.count(sample), shapes.count([s for s in rest if s != -1])
        assert total is not None and known
        made = shapes.reshape_target(sample, rest) if -1 in rest else (total // known, *rest)
        if shapes.count(made) != total:
            raise ValueError(
                f"`shape` must hold as many entries as `x`. Received: shape={tuple(shape)}, x of shape {x.shape}."
            )
        return x if made == tuple(sample) else Tensor(self, self.core.reshape(x.id, made))

    def transpose(self, x: Any, axes: Sequence[int]) -> Any:
        order = tuple(arguments.axis("axes", axis, x.rank) for axis in axes)
        if sorted(order) != list(range(x.rank)) or order[0] != 0:
            words = f"be a permutation of the {x.rank} axes that starts with 0"
            raise ValueError(arguments.must("axes", words, order))
        if order == tuple(range(x.rank)):
            return x
        if x.source is not None and tuple(x.source[1][i] for i in order) == tuple(range(x.rank)):
            return x.source[0]
        return Tensor(self, self.core.transpose(x.id, order), (x, order))

    def apply(
        self,
        function: Callable[..., Any],
        xs: Sequence[Any],
        shape: Sequence[int | None],
        name: str = "apply",
        whole_batch: bool = False,
    ) -> Any:
        """function(*arrays) -> array, in NumPy: a host step between native ones, for rare operations.

        `shape` is that of the result, its first entry (the batch) None. The arrays have the real batch first; they are
        copies, which the function may keep. A large batch is run in parts, each a call of the function, unless
        `whole_batch`: then memory for the intermediate results of all of it is taken.
        """

        def compute(*arrays: np.ndarray) -> np.ndarray:
            with np.errstate(all="ignore"):
                return np.ascontiguousarray(function(*arrays), np.float32)

        # Garbage collection does not see what the core holds: functions, which may lead to the layer that keeps
        # this graph, are held here and by executables.
        self.host_functions.append(compute)
        lead = self.core.shape(xs[0].id)[0]
        made = self.core.host([x.id for x in xs], weakref.proxy(compute), (lead, *shape[1:]), whole_batch)
        self.core.label(made, name)
        return Tensor(self, made)

    # Steps shared by the operations.

    def _vector(self, name: str, value: Any, size: int) -> Any:
        """A weight of shape (size,), or one number for all; None stays None."""
        if value is None:
            return None
        made = arguments.array(name, value)
        if made.ndim == 0 or (made.size == 1 and size != 1):
            made = np.full(size, made.item(), np.float32)
        if made.shape != (size,):
            raise ValueError(f"`{name}` must have shape ({size},). Received: {name} of shape {made.shape}.")
        return made

    def _along(self, x: Any, axis: int, scale: Any, shift: Any) -> Any:
        """x * scale + shift with vectors along `axis`."""
        last = x.rank - 1
        if axis == last:
            return Tensor(self, self.core.scale_shift(x.id, scale, shift))
        order, back = shapes.to_the_end([axis], x.rank)
        return self.transpose(self._along(self.transpose(x, order), last, scale, shift), back)

    def _activated(
        self, add: Callable[[str], int], activation: Any, placed: Callable[[Any], Any] = lambda y: y
    ) -> Any:
        """placed(value of `add(text)`) with the activation fused where the core can, else applied to that.

        `placed` brings axes into the caller's order: softmax runs along the last one.
        """
        made = activations.get(activation)
        if made.text is not None:
            return placed(Tensor(self, add(made.text)))
        return self.activate(placed(Tensor(self, add("linear"))), made)

    def _operand(self, name: str, value: Any, rank: int) -> int:
        if isinstance(value, Tensor):
            return value.id
        made = arguments.array(name, value)
        if made.ndim >= rank and made.shape[0] != 1:
            raise ValueError(
                f"A constant must not have a batch of its own. Received: a constant of shape {made.shape}."
            )
        return self.core.constant(made.reshape(made.shape or (1,)))

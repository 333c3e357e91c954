"""EinsumDense: a dense layer whose summed and new axes an equation names."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import arguments
from ..errors import UnsupportedLayerError
from .operations.operands import host
from .operations.products import summed_product
from .recorded_activation import through
from .registry import register_layer
from .weighted import Weighted

_TERM = r"(?:(?:\.\.\.)?[A-Za-z]+|[A-Za-z]+(?:\.\.\.)?)"
_WRITTEN = re.compile(rf"({_TERM}),([A-Za-z]+)->({_TERM})")


class _Parts(NamedTuple):
    """Labels of an equation's three terms, one for each axis, and the shapes of kernel, bias and result."""

    x: str
    kernel: str
    result: str
    kernel_shape: list[Any]
    bias_shape: list[Any] | None
    result_shape: tuple[Any, ...]


@register_layer
class EinsumDense(Weighted):
    """y = act(einsum(equation, x, kernel) + bias).

    equation: labels of the axes of input, kernel and result, as in "abc,cd->abd"; "..." before or behind those of input
    and result stands for any axes. output_shape: sizes of the result's labelled axes but the batch, an integer for one;
    None where they are the input's. bias_axes: labels of the result that the bias has axes for, None for no bias.
    activation, *_initializer, *_regularizer, *_constraint: as in Conv2D. Weights: kernel, bias. Output float32.
    Raises ValueError for an equation of another form and sizes that do not fit it, UnsupportedLayerError where it does
    not leave the batch first.

        >>> EinsumDense("abc,cde->abde", output_shape=(None, 2, 4), bias_axes="de")(np.zeros((5, 3, 8))).shape
        (5, 3, 2, 4)
    """

    def __init__(
        self,
        equation: str,
        output_shape: Any,
        activation: Any = None,
        bias_axes: str | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        written = _WRITTEN.fullmatch(equation.replace(" ", "")) if isinstance(equation, str) else None
        if written is None or _places_of_dots(written[1]) != _places_of_dots(written[3]):
            words = "label the axes of input, kernel and result, as in 'abc,cd->abd' or '...c,cd->...d'"
            raise ValueError(arguments.must("equation", words, equation))
        self.equation, self._terms = equation, written.groups()
        given = output_shape if arguments.is_listed(output_shape) else [output_shape]
        self.output_shape = tuple(n if n is None else arguments.integer("output_shape", n) for n in given)
        if bias_axes is not None and not (
            isinstance(bias_axes, str) and set(bias_axes) <= {*written[3]} - {"."}
        ):
            raise ValueError(
                arguments.must("bias_axes", f"be labels of the result, {written[3]!r}", bias_axes)
            )
        self.bias_axes = bias_axes
        self.declare_weight("kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        self.declare_bias(activation, bool(bias_axes), bias_initializer, bias_regularizer, bias_constraint)

    def build(self, input_shape: Any) -> None:
        """Create `kernel` and, with bias_axes, `bias`."""
        parts = self._parts(input_shape)
        unknown = [
            name
            for name, shape in (("kernel", parts.kernel_shape), ("bias", parts.bias_shape))
            if None in (shape or ())
        ]
        if unknown:
            raise ValueError(
                f"The sizes of `{unknown[0]}` of layer '{self.name}' must be defined. "
                f"Received: input_shape={input_shape}, output_shape={self.output_shape}."
            )
        self.kernel = self.make_weight("kernel", parts.kernel_shape)
        self.bias = None if parts.bias_shape is None else self.make_weight("bias", parts.bias_shape)

    def get_config(self) -> dict[str, Any]:
        """Return Keras's configuration."""
        return {"activity_regularizer": None, **super().get_config()}

    def call(self, f: Any, x: Any) -> Any:
        """A dense layer over the summed axes where the kernel shares no others; NumPy's einsum else."""
        parts = self._parts((None, *x.shape[1:]))
        kernel = self.kernel.value
        summed = [label for label in parts.x if label not in parts.result]
        new = [label for label in parts.kernel if label not in summed]
        if set(summed) <= set(parts.kernel) and not set(new) & set(parts.x):
            y = summed_product(f, x, kernel, *(list(map(term.index, summed)) for term in parts[:2]))
            made = [label for label in parts.x if label not in summed] + new
            y = f.transpose(y, [made.index(label) for label in parts.result])
        else:
            written = f"{parts.x},{parts.kernel}->{parts.result}"
            y = host(f, lambda a: np.einsum(written, a, kernel, optimize=True), [x], parts.result_shape)
        if self.bias is not None:
            y = f.add(y, self.bias.value)
        return through(f, self.activation, y)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """That of the equation's result."""
        return self._parts(input_shape).result_shape

    def _parts(self, input_shape: Sequence[Any]) -> _Parts:
        """The equation for an input of this shape."""
        before, kernel, after = self._terms
        labels = before.replace("...", "")
        count = len(input_shape) - len(labels)
        free = [letter for letter in string.ascii_letters if letter not in self.equation]
        if count < 0 or (count and "..." not in before) or count > len(free):
            raise ValueError(
                f"Layer '{self.name}' takes inputs with the axes of equation={self.equation!r}. "
                f"Received: shape {tuple(input_shape)}."
            )
        hidden = "".join(free[:count])
        x, result = (term.replace("...", hidden) for term in (before, after))
        if x[0] != result[0] or x[0] in kernel:
            raise UnsupportedLayerError(
                f"Layer '{self.name}' keeps the images of a batch apart here. Received: equation={self.equation!r}."
            )
        sizes = dict(zip(x, input_shape, strict=True))
        named = [label for label in result[1:] if label not in hidden]
        fits = (
            len(named) == len(self.output_shape)
            and len({*result}) == len(result)
            and set(result) <= {*x, *kernel}
        )
        for label, size in zip(named, self.output_shape, strict=True) if fits else ():
            known = sizes.setdefault(label, size)
            fits = fits and (size is None or known in (None, size))
            sizes[label] = size if known is None else known
        if not fits or len({*x}) != len(x) or not set(kernel) <= sizes.keys():
            raise ValueError(
                f"`output_shape` of layer '{self.name}' must have a size for each label of the result of "
                f"equation={self.equation!r} behind the first. "
                f"Received: output_shape={self.output_shape} for an input of shape {tuple(input_shape)}."
            )
        shape = None
        if self.bias_axes:
            first = min(map(result.index, self.bias_axes))
            shape = [sizes[label] if label in self.bias_axes else 1 for label in result[first:]]
        return _Parts(
            x, kernel, result, [sizes[label] for label in kernel], shape, tuple(sizes[n] for n in result)
        )


def _places_of_dots(term: str) -> tuple[bool, bool]:
    """Whether an ellipsis stands before and behind the labels."""
    return term.startswith("..."), term.endswith("...")

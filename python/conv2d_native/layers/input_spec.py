"""InputSpec: what a layer of the user's says about the shapes that it takes, checked when it is called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import arguments
from ..named_objects import Configurable
from ..structure import flatten


class InputSpec(Configurable):
    """What one input of a layer must be, the batch included: for `layer.input_spec`, alone or in lists and dicts.

    dtype: a name or NumPy dtype, checked of arrays and of Input(...), where all floats are "float32". shape: a tuple
    with None for what varies. ndim, min_ndim, max_ndim: number of axes. axes: {axis: size}. allow_last_axis_squeeze:
    `shape` may have a last axis of 1 more or less. name: the key of this input in a dict. optional: None is taken for
    this input.
    Raises TypeError or ValueError for anything else.

        >>> class Pixels(Layer):
        ...     def __init__(self, **kwargs):
        ...         super().__init__(**kwargs)
        ...         self.input_spec = InputSpec(ndim=4, axes={-1: 3})
        >>> Pixels()(np.zeros((1, 8, 8, 3))).shape
        (1, 8, 8, 3)
        >>> Pixels(name="pixels")(np.zeros((1, 8, 8, 4)))
        Traceback (most recent call last):
        ValueError: Input 0 of layer "pixels" ... expected axis -1 of the input to have size 3. Received: ...
    """

    def __init__(
        self,
        dtype: Any = None,
        shape: Any = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: Mapping[int, int | None] | None = None,
        allow_last_axis_squeeze: bool = False,
        name: str | None = None,
        optional: bool = False,
    ) -> None:
        self.dtype = None if dtype is None else arguments.element_type(dtype)
        self.shape = None if shape is None else arguments.sizes("shape", shape, 0)
        self.ndim = _rank("ndim", ndim if self.shape is None else len(self.shape))
        self.max_ndim, self.min_ndim = _rank("max_ndim", max_ndim), _rank("min_ndim", min_ndim)
        self.allow_last_axis_squeeze = arguments.flag("allow_last_axis_squeeze", allow_last_axis_squeeze)
        self.name, self.optional = name, arguments.flag("optional", optional)
        if not isinstance(axes, (Mapping, type(None))):
            raise TypeError(arguments.must("axes", "be a dict of axes and sizes", axes))
        self.axes = {
            arguments.integer("axes", axis, None): None if size is None else arguments.integer("axes", size)
            for axis, size in (axes or {}).items()
        }
        most = self.max_ndim if self.ndim is None else self.ndim
        if most is not None and any(not -most <= axis < most for axis in self.axes):
            raise ValueError(arguments.must("axes", f"be from {-most} to {most - 1}", self.axes))

    def get_config(self) -> dict[str, Any]:
        """Return Keras's configuration: the arguments, but for `allow_last_axis_squeeze` and `name`."""
        words = ("dtype", "shape", "ndim", "max_ndim", "min_ndim", "axes", "optional")
        return {word: getattr(self, word) for word in words}

    def fault(self, shape: tuple[int | None, ...], dtype: str | None) -> str:
        """What of `shape` and `dtype`, None where it is not known, is not as it should be; "" where all is."""
        rank, squeezed = len(shape), self.allow_last_axis_squeeze
        if self.ndim is not None and rank != self.ndim and not squeezed:
            return f"ndim={self.ndim}, found ndim={rank}"
        if self.max_ndim is not None and rank > self.max_ndim:
            return f"max_ndim={self.max_ndim}, found ndim={rank}"
        if self.min_ndim is not None and rank < self.min_ndim:
            return f"min_ndim={self.min_ndim}, found ndim={rank}"
        if None not in (self.dtype, dtype) and dtype != self.dtype:
            return f"dtype={self.dtype}, found dtype={dtype}"
        for axis, size in self.axes.items():
            found = shape[axis] if -rank <= axis < rank else -1
            if size is not None and found is not None and found != size:
                return f"axis {axis} of the input to have size {size}"
        if self.shape is not None:
            wanted, given = (_squeezed(self.shape), _squeezed(shape)) if squeezed else (self.shape, shape)
            pairs = zip(wanted, given, strict=False)
            if len(wanted) != len(given) or any(a != b for a, b in pairs if a is not None and b is not None):
                return f"shape={self.shape}"
        return ""


def _rank(word: str, value: Any) -> int | None:
    return None if value is None else arguments.integer(word, value, 0)


def _squeezed(shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
    return shape[:-1] if shape and shape[-1] == 1 else shape


def _dtype_of(value: Any) -> str | None:
    """The dtype as Keras's layers get it, floats as float32; None where it is not known: of what layers compute."""
    dtype = getattr(value, "dtype", None)
    if dtype is None or (hasattr(value, "node") and (value.node is None or value.node.inputs)):
        return None
    name = str(getattr(dtype, "name", dtype))
    return "float32" if "float" in name else name


def checked_specs(specs: Any) -> Any:
    """`specs` where it is an InputSpec, None, or a structure of them."""
    if not all(isinstance(spec, (InputSpec, type(None))) for spec in flatten(specs)):
        raise TypeError(
            f"`input_spec` must be an InputSpec, or a list or dict of them. Received: {arguments.shown(specs)}."
        )
    return specs


def check_specs(layer: Any, x: Any, any_batch: bool = False) -> None:
    """Raise ValueError where the shapes of `x`, a tensor or a structure of them, are not as layer.input_spec says.

    `any_batch`: the size of the first axis does not count, and neither does the dtype.
    """
    specs = flatten(checked_specs(layer.input_spec))
    names = [getattr(spec, "name", None) for spec in specs]
    if isinstance(x, Mapping) and all(names):
        missing = [name for name in names if name not in x]
        if missing:
            raise ValueError(
                f'Missing data for input "{missing[0]}" of layer "{layer.name}". Expected the keys {names}. '
                f"Received: {list(x)}."
            )
        x = [x[name] for name in names]
    leaves = flatten(x)
    given = leaves if any(hasattr(leaf, "shape") for leaf in leaves) else [x]
    if len(given) != len(specs):
        raise ValueError(f'Layer "{layer.name}" takes {len(specs)} inputs. Received: {len(given)}.')
    for i, (value, spec) in enumerate(zip(given, specs, strict=True)):
        if spec is None or (value is None and spec.optional):
            continue
        shape = tuple(getattr(value, "shape", None) or arguments.array("x", value).shape)
        seen = (None, *shape[1:]) if any_batch and shape else shape
        fault = spec.fault(seen, None if any_batch else _dtype_of(value))
        if fault:
            raise ValueError(
                f'Input {i} of layer "{layer.name}" is incompatible with the layer: expected {fault}. '
                f"Received: shape {shape}."
            )

"""Symbolic tensors: what `Input(...)` returns and what layers return when they are called on it.

A call on symbolic tensors computes nothing. It records a Node on the layer: the arguments as given, the
tensors among them, and the tensors that it makes. A Model is cut out of these nodes. Shapes are tuples
with None for what is known later: the batch, and height and width of fully convolutional networks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..activations import Activation
from ..arguments import result_shape, shown
from ..graph import GraphBuilder, Tensor
from ..shapes import Shape
from ..structure import copied, flatten, map_structure
from .assigned_in_call import call_in_progress
from .input_spec import check_specs
from .registry import class_name_of


def operate(class_name: str, *args: Any, **settings: Any) -> KerasTensor:
    """What Keras's operation of that class makes of symbolic tensors, with these settings."""
    from .operations import Operation

    made: KerasTensor = Operation(class_name, settings)(*args)
    return made


def _operators(
    class_name: str,
) -> tuple[Callable[[Any, Any], KerasTensor], Callable[[Any, Any], KerasTensor]]:
    """The methods for a symbol between two values: that of the left one, that of the right one."""

    def operator(self: Any, other: Any) -> KerasTensor:
        return operate(class_name, self, other)

    def reflected(self: Any, other: Any) -> KerasTensor:
        return operate(class_name, other, self)

    return operator, reflected


class Batch(int):
    """The first size of a tensor that was made along the axis of the batch: known, and yet that of images."""


class KerasTensor:
    """A value that a model will compute: `shape` with None where it varies, `node` that makes it, `index` there.

    Input and calls of layers make them; dtype: "float32" unless Input says otherwise, a note of what is meant.
    along_batch: whether it was made along the axis of the batch, which may be another than the first, or none, since.
    mask: the tensor that tells which of its entries count, where a layer has made one.

        >>> isinstance(Input((8, 8, 3)), cn.KerasTensor)
        True
    """

    __slots__ = ("along_batch", "dtype", "index", "mask", "name", "node", "shape")
    __array_ufunc__ = None  # NumPy leaves arithmetic with its arrays to the methods below

    def __init__(
        self, shape: Any, name: str = "tensor", dtype: str = "float32", along_batch: bool = False
    ) -> None:
        sizes = tuple(shape)
        if along_batch and sizes and sizes[0] is not None:
            sizes = (Batch(sizes[0]), *sizes[1:])
        self.shape: Shape = result_shape(sizes, name)
        self.name, self.dtype, self.along_batch = name, dtype, along_batch
        self.node: Node | None = None
        self.index = 0
        self.mask: KerasTensor | None = None

    @property
    def ndim(self) -> int:
        """Number of dimensions, the batch included."""
        return len(self.shape)

    def __repr__(self) -> str:
        return f"<KerasTensor shape={self.shape}, dtype={self.dtype}, name={self.name}>"

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError(f"{self!r} has no values yet: make a Model of it and call that on arrays.")

    def __bool__(self) -> bool:
        raise TypeError(
            f"{self!r} has no values yet and cannot be used as a condition: choose with ops.where(condition, a, b)."
        )

    def __iter__(self) -> Any:
        raise TypeError(f"{self!r} cannot be iterated over: take its parts with x[:, i] or ops.split.")

    __add__, __radd__ = _operators("Add")
    __sub__, __rsub__ = _operators("Subtract")
    __mul__, __rmul__ = _operators("Multiply")
    __truediv__, __rtruediv__ = _operators("TrueDivide")
    __floordiv__, __rfloordiv__ = _operators("FloorDivide")
    __mod__, __rmod__ = _operators("Mod")
    __pow__, __rpow__ = _operators("Power")
    __matmul__, __rmatmul__ = _operators("Matmul")
    __and__, __rand__ = _operators("LogicalAnd")
    __or__, __ror__ = _operators("LogicalOr")
    __xor__, __rxor__ = _operators("LogicalXor")
    __gt__, __ge__ = _operators("Greater")[0], _operators("GreaterEqual")[0]
    __lt__, __le__ = _operators("Less")[0], _operators("LessEqual")[0]
    __ne__ = _operators("NotEqual")[0]  # type: ignore[assignment]
    __hash__ = object.__hash__

    def __eq__(self, other: Any) -> Any:
        """Whether the two are the same tensor; in a call that is recorded, ops.equal, as for Keras's values."""
        from .any_batch import is_recording

        if is_recording() and hasattr(other, "shape" if not isinstance(other, (int, float)) else "real"):
            return operate("Equal", self, other)
        return self is other

    def __invert__(self) -> KerasTensor:
        return operate("LogicalNot", self)

    def __round__(self, ndigits: int | None = None) -> KerasTensor:
        return operate("Round", self, decimals=ndigits or 0)

    def __neg__(self) -> KerasTensor:
        return operate("Negative", self)

    def __abs__(self) -> KerasTensor:
        return operate("Absolute", self)

    def __getitem__(self, key: Any) -> KerasTensor:
        return operate("GetItem", self, key)

    def reshape(self, newshape: Any) -> KerasTensor:
        """Return ops.reshape(self, newshape): sizes with the batch first, one of them -1.

        >>> Input((6,)).reshape((-1, 2, 3)).shape
        (None, 2, 3)
        """
        return operate("Reshape", self, newshape=newshape)

    def squeeze(self, axis: Any = None) -> KerasTensor:
        """Return ops.squeeze(self, axis): without the axes of size 1, or without `axis`.

        >>> Input((1, 6)).squeeze(axis=1).shape
        (None, 6)
        """
        return operate("Squeeze", self, axis=axis)

    def activated(self, activation: Activation) -> KerasTensor:
        """What Keras's operation for `activation` makes of this, or a layer where no operation computes it.

        >>> Input((6,)).activated(activations.get("relu")).shape
        (None, 6)
        """
        from .activation import Activation as ActivationLayer
        from .operations import CLASS_NAMES

        if activation.name == "linear":
            return self
        class_name = CLASS_NAMES.get("exp" if activation.name == "exponential" else activation.name)
        if class_name is None or activation.function or (class_name == "Relu" and activation.parameters):
            made: KerasTensor = ActivationLayer(activation)(self)
            return made
        return operate(class_name, self, **(activation.values if class_name != "Relu" else {}))


class UncomputedTensor(KerasTensor):
    """In a recorded call, what an operation would make that is not computed here: asked for its shape, it says why."""

    __slots__ = ("error",)

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.node = self.mask = None
        self.along_batch = False

    @property
    def shape(self) -> Any:  # type: ignore[override]
        raise self.error

    def __iter__(self) -> Any:
        raise self.error

    def __repr__(self) -> str:
        return f"<UncomputedTensor {self.error}>"


class NodeLayer:
    """What a node has in place of a layer: it computes, and has no weights and nothing inside."""

    name: str
    built = True
    trainable = True
    weights: Sequence[Any] = ()
    sublayers: Sequence[Any] = ()
    input_spec: Any = None
    _variables: Sequence[Any] = ()
    _own_call: Any = None
    _graph_class: str | None = None
    _along_batch = False
    _stores_shapes = False
    supports_masking = _makes_masks = _masks_of_keras_2 = False


class Node:
    """One call of a layer: arguments with symbolic tensors among them, and the tensors that come out."""

    def __init__(self, layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any], outputs: Any) -> None:
        self.layer = layer
        self.args, self.kwargs = copied((args, kwargs))
        self.inputs: list[KerasTensor] = symbolic_leaves((args, kwargs))
        self.output_structure = copied(outputs)
        self.outputs: list[KerasTensor] = flatten(outputs)
        for index, tensor in enumerate(self.outputs):
            tensor.node, tensor.index = self, index
        mark_along_batch(layer, self.inputs, self.outputs)
        inbound_nodes(layer).append(self)
        call = call_in_progress()
        if call is not None:
            call.note_node(self)


def mark_along_batch(layer: Any, inputs: Sequence[KerasTensor], outputs: Sequence[KerasTensor]) -> None:
    """Say so of what `layer` makes of `inputs` where it, or what made them, computes along the axis of the batch."""
    if layer._along_batch or any(tensor.along_batch for tensor in inputs):
        for tensor in outputs:
            tensor.along_batch = True


def inbound_nodes(layer: Any) -> list[Node]:
    """The nodes that calls of `layer` have recorded, oldest first."""
    nodes: list[Node] = layer.__dict__.setdefault("_inbound_nodes", [])
    return nodes


class Values(dict[int, Any]):
    """What stands for symbolic tensors, by their ids: arrays, tensors of a graph, other symbolic tensors."""

    def __init__(self, pairs: Iterable[tuple[KerasTensor, Any]]) -> None:
        super().__init__()
        self.enter(pairs)

    def enter(self, pairs: Iterable[tuple[KerasTensor, Any]]) -> None:
        """Let the first of each of `pairs` have the second as its value."""
        self.update((id(tensor), value) for tensor, value in pairs)

    def has(self, node: Node) -> bool:
        """Whether it is known what a recorded call makes."""
        return all(id(tensor) in self for tensor in node.outputs)

    def in_place(self, structure: Any) -> Any:
        """`structure` with their values in place of its symbolic tensors."""
        return map_structure(
            lambda leaf: self[id(leaf)] if isinstance(leaf, KerasTensor) else leaf, structure
        )

    def arguments(self, node: Node) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """(args, kwargs) of a recorded call for these values."""
        return self.in_place(node.args), self.in_place(node.kwargs)


def compute_node(f: Any, node: Node, values: Values) -> Any:
    """Compute a recorded call with the operations of `f`. `values` gets the results."""
    args, kwargs = values.arguments(node)
    with named_in_errors(node.layer):
        made = call_layer(node.layer, f, *args, **kwargs)
    values.enter(zip(node.outputs, flatten(made), strict=True))
    return made


def call_layer(layer: Any, f: Any, *args: Any, **kwargs: Any) -> Any:
    """What `layer` computes with the operations of `f`. Raises TypeError where its call returns anything else.

    Tensors of a graph have masks, which the layer gets and passes on as Keras's does.
    """
    from .masks import matter_to, with_masks, with_output_masks

    if layer.input_spec is not None:
        check_specs(layer, args[0], any_batch=True)
    call = call_in_progress()
    if call is not None:
        call.note_computed(layer)
    in_graph = isinstance(f, GraphBuilder)
    has_masks = in_graph and matter_to(layer, args, kwargs)
    if has_masks:
        kwargs = with_masks(layer, args, kwargs)
    made = layer.call(f, *args, **kwargs)
    kind = Tensor if in_graph else np.ndarray
    leaves = flatten(made)
    if not leaves or not all(isinstance(leaf, kind) for leaf in leaves):
        raise TypeError(
            f"call() of layer '{layer.name}' must return what operations of `f` make of `x`. "
            f"Received: {shown(made)}."
        )
    return with_output_masks(layer, args[0], kwargs.get("mask"), made) if has_masks else made


@contextmanager
def named_in_errors(layer: Any) -> Iterator[None]:
    """Within it, the text of a ValueError names `layer`, one of a model: shapes that do not fit tell of none."""
    try:
        yield
    except ValueError as error:
        name = layer.name[:100]
        if len(error.args) == 1 and f"'{name}'" not in str(error) and f'"{name}"' not in str(error):
            error.args = (f"Layer '{name}' ({class_name_of(layer)[:100]}): {error}",)
        raise


def label_steps(f: Any, made: Any, name: str) -> None:
    """Name the steps of a graph that lead to `made` after their layer. A value passed on keeps its maker's name."""
    if isinstance(f, GraphBuilder):
        end = 1 + max(tensor.id for tensor in flatten(made))
        for step in range(f.labelled, end):
            f.core.label(step, name)
        f.labelled = max(f.labelled, end)


def symbolic_leaves(structure: Any) -> list[KerasTensor]:
    """The symbolic tensors among the leaves of `structure`."""
    return [leaf for leaf in flatten(structure) if isinstance(leaf, KerasTensor)]


def all_symbolic(structure: Any) -> bool:
    """Whether `structure` holds symbolic tensors, one at least, and nothing else."""
    leaves = flatten(structure)
    return bool(leaves) and all(isinstance(leaf, KerasTensor) for leaf in leaves)


def is_symbolic(*args: Any, **kwargs: Any) -> bool:
    """Whether any argument is or holds a symbolic tensor."""
    return any(isinstance(leaf, KerasTensor) for leaf in flatten((args, kwargs)))


def is_shape(value: Any) -> bool:
    """Whether `value` is one shape rather than a list or dict of shapes."""
    return isinstance(value, (tuple, list)) and all(n is None or isinstance(n, int) for n in value)


def map_shapes(function: Any, shapes: Any) -> Any:
    """Apply `function` to every shape in a structure of shapes, which is kept."""
    if is_shape(shapes):
        return function(tuple(shapes))
    if isinstance(shapes, dict):
        return {key: map_shapes(function, value) for key, value in shapes.items()}
    if not isinstance(shapes, (list, tuple)):
        raise TypeError(f"A shape must be a tuple of integers and None. Received: {shown(shapes)}.")
    made = [map_shapes(function, value) for value in shapes]
    return tuple(made) if isinstance(shapes, tuple) else made

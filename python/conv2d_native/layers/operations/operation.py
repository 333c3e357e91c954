"""Operations as nodes of a model: `x * 2`, `keras.ops.concatenate`, TensorFlow's functions in Keras 2 files.

An Operation stands among a model's layers but has no weights. Its `call` is a row of OPERATIONS (table.py),
found by Keras's class name. The shape of its result is read off a traced call, so that no operation describes
its shape a second time.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

from ...arguments import must
from ...errors import BatchAxisError, UnsupportedLayerError
from ...graph import GraphBuilder
from ...named_objects import OPERATION_MODULES, numbered, to_snake_case
from ...shapes import PROBES, Shape, follows_probes, probed_sizes
from ...structure import flatten, map_structure, pack
from ..any_batch import is_recording
from ..names import operation_name
from ..symbolic import (
    KerasTensor,
    Node,
    NodeLayer,
    UncomputedTensor,
    inbound_nodes,
    is_symbolic,
    symbolic_leaves,
)
from ..variable import Variable
from .batch_axis import of_batch
from .compositions import COMPOSITIONS
from .file_constants import CONSTANT_FUNCTIONS, ConstantFunction, computed_array, is_of_arrays
from .sizes import OF_SIZES, SHAPE_FUNCTIONS, ShapeFunction, computed_sizes
from .table import OPERATIONS, TRUTHS, is_operand, takes_list
from .tensorflow import keras_operation, keras_words


class Operation(NodeLayer):
    """One operation of `keras.ops` by its class name ("Add", "Concatenate", "GetItem"), `config` its settings.

    Called on symbolic tensors, it records a node and returns what it makes. Raises UnsupportedLayerError for a
    name that is not in the table.
    """

    def __init__(
        self, class_name: str, config: dict[str, Any] | None = None, name: str | None = None
    ) -> None:
        if class_name not in OPERATIONS:
            raise UnsupportedLayerError(
                f"Operation {class_name[:100]!r} of layer {str(name)[:100]!r} is not computed here. Give a NumPy "
                f"function for it: load_model(..., custom_objects={{{class_name[:100]!r}: function}})."
            )
        self.class_name = class_name
        self.config = {key: value for key, value in (config or {}).items() if key != "name"}
        self.name = name or operation_name(to_snake_case(class_name))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Record this operation on symbolic tensors and return the tensors that it makes.

        In a layer's call what is not computed here is an error where it is used: add_loss drops what it is given.
        """
        kwargs = {key: value for key, value in kwargs.items() if key != "name"}
        if not is_symbolic(*args, **kwargs):
            raise TypeError(
                f"Operation '{self.name}' takes symbolic tensors. Call the model on arrays instead."
            )
        self._check_operands(args, kwargs)
        return self._recorded(*map_structure(_constant, (args, kwargs)))

    def _recorded(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        try:
            outputs = self.compute_output_spec(*args, **kwargs)
        except UnsupportedLayerError as error:
            if not is_recording():
                raise
            return UncomputedTensor(error)
        Node(self, args, kwargs, outputs)
        return outputs

    def _check_operands(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Refuse several tensors in the place of one."""
        lower = OPERATIONS[self.class_name].lower
        names = list(inspect.signature(lower).parameters)[1:]  # without `f`
        for word, value in (*zip(names, args, strict=False), *kwargs.items()):
            takes, listed = takes_list(self.class_name, word), isinstance(value, (list, tuple))
            if (isinstance(value, dict) or (listed and not takes)) and is_symbolic(value):
                raise TypeError(must(word, "be a list of tensors" if takes else "be one tensor", value))

    @property
    def module(self) -> str:
        """Where Keras keeps the operation: keras.src.ops.<module>."""
        return OPERATIONS[self.class_name].module

    def call(self, f: Any, *args: Any, **kwargs: Any) -> Any:
        """Compute with the operations of `f`."""
        lower, settings = OPERATIONS[self.class_name].lower, {**self.config, **kwargs}
        if getattr(f, "batch", None) is None:
            return lower(f, *args, **settings)
        return of_batch(f, self.class_name, lower, args, settings)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """The symbolic tensors that a call with these makes; sizes that change with unknown ones are unknown too."""
        if any(tensor.along_batch for tensor in symbolic_leaves((args, kwargs))):
            return self._spec(args, kwargs, along_batch=True)
        try:
            return self._spec(args, kwargs, along_batch=False)
        except BatchAxisError as error:
            refused = error
        try:
            return self._spec(args, kwargs, along_batch=True)
        except (ValueError, IndexError):
            pass
        named = f"'{self.class_name}'" in str(refused) or f"'{self.name}'" in str(refused)
        raise refused if named else BatchAxisError(f"Operation '{self.class_name}': {refused}") from None

    def _spec(self, args: tuple[Any, ...], kwargs: dict[str, Any], along_batch: bool) -> Any:
        shapes_given = [tensor.shape[not along_batch :] for tensor in symbolic_leaves((args, kwargs))]
        probes = PROBES
        if along_batch:  # sizes that every small number divides, and those of a new shape
            parts = flatten({**self.config, **kwargs}.get("newshape", ()))
            size = math.lcm(2520, math.prod(int(n) for n in parts if hasattr(n, "__index__") and n > 0))
            probes = ((size, size), (2 * size, 2 * size))
        try:
            made, shapes = self._traced(args, kwargs, probes[0], along_batch)
        except (ValueError, IndexError) as error:
            if not along_batch:
                raise
            text = f"{error} There, {size} stands for sizes that are not known."
            raise (type(error)(text) if str(size) in str(error) else error) from None
        # Along the batch, None among settings is its size.
        names_batch = along_batch and any(v is None for v in flatten((args, {**self.config, **kwargs})))
        if names_batch or any(None in shape for shape in shapes_given):
            _, others = self._traced(args, kwargs, probes[1], along_batch)
            if len(others) != len(shapes):
                raise UnsupportedLayerError(
                    f"Operation '{self.name}' makes as many tensors as an axis has entries, whose number is not known."
                )
            shapes = follows_probes(shapes, others)
        dtype = "bool" if self.class_name in TRUTHS else "float32"
        if not along_batch:
            batches = {tensor.shape[0] for tensor in symbolic_leaves((args, kwargs))}
            batch = batches.pop() if len(batches) == 1 else None
            shapes = [(batch, *shape[1:]) for shape in shapes]
        return pack(made, [KerasTensor(shape, self.name, dtype, along_batch) for shape in shapes])

    def _traced(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], probe: tuple[int, int], along_batch: bool
    ) -> tuple[Any, list[Shape]]:
        """What `call` makes and its shapes, where unknown sizes stand for those of `probe` in turn."""
        builder = GraphBuilder(batch=probe[0] if along_batch else None)

        def stand_in(value: Any) -> Any:
            if not isinstance(value, KerasTensor):
                return value
            return builder.input(
                [probe[0] if n is None else n for n in value.shape]
                if along_batch
                else (1, *probed_sizes(value.shape, probe))
            )

        made = self.call(builder, *map_structure(stand_in, args), **map_structure(stand_in, kwargs))
        return made, [tensor.batch_shape for tensor in flatten(made)]

    def get_config(self) -> dict[str, Any]:
        """Return Keras's configuration: the name and the operation's settings."""
        return {"name": self.name, **self.config}

    def __repr__(self) -> str:
        return f"<Operation {self.class_name} name={self.name}>"


class TensorFlowOperation(Operation):
    """A function of TensorFlow's that is one of Keras's operations. `words`: Keras's argument words by TensorFlow's."""

    def __init__(self, class_name: str, words: dict[str, str], name: str) -> None:
        super().__init__(class_name, name=name)
        self.words = words

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Record the operation on symbolic tensors, or compute what it makes of sizes and constants."""
        kwargs = {self.words.get(key, key): value for key, value in kwargs.items() if key != "name"}
        if is_symbolic(*args, **kwargs):
            return super().__call__(*args, **kwargs)
        if is_of_arrays(self.class_name, (*args, *kwargs.values())):
            return computed_array(self.class_name, args, kwargs)
        if self.class_name in OF_SIZES:
            return computed_sizes(self.class_name, args, kwargs)
        raise UnsupportedLayerError(
            f"Layer {self.name[:100]!r}: operation '{self.class_name}' is not computed of sizes and constants alone "
            "here."
        )

    def _recorded(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        words = keras_words(self.class_name, args[0] if args else None, kwargs)
        return super()._recorded(args, self._settled(words))

    def _settled(self, words: dict[str, Any]) -> dict[str, Any]:
        """TensorFlow's functions get their settings with each call, Keras's operations have those of the first."""
        settings = {
            key: value
            for key, value in words.items()
            if not is_operand(self.class_name, key) and not is_symbolic(value)
        }
        if not inbound_nodes(self):
            self.config = settings
        rest = {key: value for key, value in words.items() if key not in settings}
        return rest if settings == self.config else words


class Composition(NodeLayer):
    """A function of TensorFlow, as a layer of a file, in whose place a model has several operations."""

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self.name, self.function = name, function

    def __call__(self, *args: Any, name: Any = None, **words: Any) -> Any:
        """What the operations make of symbolic tensors. They are called after this layer."""
        counts: dict[str, int] = {}

        def step(class_name: str, *operands: Any, **settings: Any) -> Any:
            called = numbered(counts, f"{self.name}_{to_snake_case(class_name)}")
            return Operation(class_name, settings, called)(*operands)

        if not is_symbolic(*args, **words):
            raise TypeError(f"Layer '{self.name}' takes symbolic tensors.")
        return self.function(step, *args, **words)


def from_tensorflow(
    function: str, name: str
) -> TensorFlowOperation | Composition | ConstantFunction | ShapeFunction:
    """What computes TensorFlow's `function`, as Keras 2 files name it ("math.multiply"), in the place of a layer."""
    if function in SHAPE_FUNCTIONS:
        return ShapeFunction(name)
    if function in CONSTANT_FUNCTIONS:
        return ConstantFunction(name, function)
    if function in COMPOSITIONS:
        return Composition(name, COMPOSITIONS[function])
    found = keras_operation(function)
    if found is None:
        raise UnsupportedLayerError(
            f"TensorFlow's function {function[:100]!r} in layer {name[:100]!r} is not computed here. Give a "
            f"NumPy function for it: load_model(..., custom_objects={{{function[:100]!r}: function}})."
        )
    return TensorFlowOperation(*found, name)


def _constant(value: Any) -> Any:
    """The values of a variable as they are now; all else as it is."""
    return value.value if isinstance(value, Variable) else value


def is_operation(module: Any, class_name: str, config: Any) -> bool:
    """Whether a configuration describes an operation rather than the layer of that name ("Add", "Multiply").

    Keras's `.h5` files leave the module out: there, layers have `trainable` or `dtype` and operations do not.
    """
    if isinstance(module, str):
        return module.startswith(OPERATION_MODULES)
    return class_name in OPERATIONS and "trainable" not in config and "dtype" not in config

"""Layer: Keras's layer interface around one method, `call(self, f, x)`.

`f` is the eager module functional or a GraphBuilder. Calling a layer on arrays traces `call` once for each sample
shape, compiles it for each batch size, and from then on is one native call. Calling it on symbolic tensors
records a node of a model (symbolic.py).

A subclass keeps its constructor's arguments in attributes of the same names; get_config reads them from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from .. import arguments, constraints, initializers, regularizers
from ..functional import Explanation
from ..graph import Traced, is_exact
from ..newest import Newest
from ..structure import flatten, pack
from . import variable
from .building import built_once, check_input
from .configuration import (
    constructor_words,
    dtype_name,
    input_shape,
    layer_name,
    serialized,
    unique_name,
)
from .symbolic import KerasTensor, call_symbolic
from .variable import Variable, weights_epoch

__all__ = ["Layer", "unique_name", "weights_epoch"]

FLOAT32, _NDARRAY = arguments.FLOAT32, np.ndarray
_TRACES, _CALLS = 4, 8  # sample shapes and compiled calls that a layer keeps
_IGNORED = {
    "autocast",
    "batch_size",
    "quantization_config",
    "lora_rank",
    "lora_alpha",
    "build_config",
    "sparse",
}


def _input_array(x: Any) -> np.ndarray:
    made = arguments.array("x", x)
    if made.ndim == 0:
        raise ValueError(f"`x` must have a batch axis. Received: x of shape {made.shape}.")
    arguments.no_empty_axes("x", made.shape)
    return made


class Layer:
    """Base class of all layers, and of your own.

    name: default the class's name in snake case with a number. dtype: kept in the configuration; computation is
    float32. trainable: kept, and decides which weights `trainable_weights` lists. input_shape: the shape of the
    input without the batch, for the first layer of a Sequential. activity_regularizer: kept, never computed.
    Raises TypeError for arguments that no layer has.

    A layer of your own defines build(self, input_shape), which calls add_weight, call(self, f, x), which returns
    what operations of `f` made of x (f.conv2d, f.relu, f.add, f.apply ...), and compute_output_shape:

        >>> class Double(Layer):
        ...     def call(self, f, x):
        ...         return f.multiply(x, 2.0)
        >>> Double()(np.ones((1, 2))).tolist()
        [[2.0, 2.0]]
    """

    rank: int | None = None  # number of axes of the input, where it is fixed
    built: bool = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "build" in cls.__dict__:
            cls.build = built_once(cls.__dict__["build"])  # type: ignore[method-assign]

    def __init__(
        self,
        *,
        name: str | None = None,
        dtype: Any = None,
        trainable: bool = True,
        activity_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:
        self.input_shape_argument = input_shape(kwargs)
        unknown = set(kwargs) - _IGNORED
        if unknown:
            raise TypeError(
                f"{type(self).__name__}() got an unexpected keyword argument {sorted(unknown)[0]!r}"
            )
        self.name = layer_name(name, type(self).__name__)
        self.dtype_policy, self.trainable = dtype_name(dtype), bool(trainable)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self._variables: list[Variable] = []
        self._channels: dict[int, int] = {}  # axis of the input: the size that the weights are made for
        self._in_build = False
        self._build_shape: Any = None
        self._forget()

    def _forget(self) -> None:
        """Drop everything that was compiled."""
        self._traces: Newest[Any, Traced] = Newest(_TRACES)
        self._calls: Newest[Any, Callable[..., Any]] = Newest(_CALLS)
        self._epoch = weights_epoch()

    # Weights.

    def add_weight(
        self,
        shape: Sequence[int] = (),
        initializer: Any = "glorot_uniform",
        dtype: Any = None,
        trainable: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        name: str = "variable",
    ) -> Variable:
        """Add and return a Variable. The initializer runs when the values are first asked for."""
        made = Variable(
            name,
            tuple(arguments.integer("shape", size) for size in shape),
            initializers.get(initializer) or initializers.Zeros(),
            regularizers.get(regularizer),
            constraints.get(constraint),
            trainable,
        )
        made.path = f"{self.name}/{name}"
        self._variables.append(made)
        return made

    @property
    def sublayers(self) -> list[Layer]:
        """Layers inside this one."""
        return []

    @property
    def weights(self) -> list[Variable]:
        """All variables in Keras's order: those of this layer, then those of the layers inside."""
        return [*self._variables, *(v for layer in self.sublayers for v in layer.weights)]

    @property
    def trainable_weights(self) -> list[Variable]:
        """The variables that training would change: those of layers with trainable=False are not among them."""
        kept = {id(v) for v in self._trained()}
        return [v for v in self.weights if id(v) in kept]

    def _trained(self) -> Iterator[Variable]:
        if self.trainable:
            yield from (v for v in self._variables if v.trainable)
            for layer in self.sublayers:
                yield from layer._trained()

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """The other variables."""
        kept = {id(v) for v in self.trainable_weights}
        return [v for v in self.weights if id(v) not in kept]

    variables = property(lambda self: self.weights, doc="Another name of `weights`.")
    trainable_variables = property(
        lambda self: self.trainable_weights, doc="Another name of trainable_weights."
    )
    non_trainable_variables = property(
        lambda self: self.non_trainable_weights, doc="Another name of non_trainable_weights."
    )

    @property
    def dtype(self) -> str:
        """The name of the dtype policy; computation is float32 in any case."""
        return self.dtype_policy

    @property
    def weight_names(self) -> list[str]:
        """Names of `weights`."""
        return [v.name for v in self.weights]

    def get_weights(self) -> list[np.ndarray]:
        """Return copies of the weights as float32 arrays, in Keras's order; [] before the layer is built.

        >>> [w.shape for w in Dense(3, input_shape=(2,)).get_weights()]
        []
        """
        return [v.numpy() for v in self.weights]

    def set_weights(self, weights: Sequence[Any], copy: bool = True) -> None:
        """Replace all weights. Without `copy` plain arrays are kept themselves (read-only mapped files, say).

        Raises ValueError where the layer is not built, or for another number of weights or other shapes: nothing is
        changed then. TypeError for arrays that are not real.

            >>> layer = Dense(1)
            >>> layer.build((None, 2))
            >>> layer.set_weights([np.ones((2, 1)), np.zeros(1)])
            >>> layer(np.array([[3.0, 4.0]])).tolist()
            [[7.0]]
        """
        variables = self.weights
        if not self.built:
            raise ValueError(f"Layer '{self.name}' has no weights yet: call it or build(input_shape) first.")
        made = [arguments.array("weights", weight) for weight in weights]
        expected, got = [v.shape for v in variables], [w.shape for w in made]
        if expected != got:
            names = ", ".join(v.name for v in variables)
            raise ValueError(
                f"`weights` of layer '{self.name}' must be {len(expected)} arrays of the shapes "
                f"{arguments.shown(expected)} ({names[:200]}). "
                f"Received: {len(got)} of shapes {arguments.shown(got)}."
            )
        for v, w in zip(variables, made, strict=True):
            v.assign(w, copy)

    def count_params(self) -> int:
        """Return the number of entries of all weights.

        >>> Sequential([Dense(3, input_shape=(2,))]).count_params()
        9
        """
        return sum(int(np.prod(v.shape, dtype=np.int64)) for v in self.weights)

    @property
    def losses(self) -> list[np.float32]:
        """The penalties of the regularizers on the trainable weights, in the order of the weights."""
        return [v.regularizer(v.value) for v in self.trainable_weights if v.regularizer is not None]

    # What a subclass defines.

    @built_once
    def build(self, input_shape: Any) -> None:
        """Create the weights for inputs of `input_shape`, the batch included."""

    def call(self, f: Any, x: Any) -> Any:
        """Compute with the operations of `f`. The default returns `x`."""
        return x

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the output for `input_shape`; None stays None where it is not known. Default: the same."""
        if isinstance(input_shape, tuple):
            self.check_shape(input_shape)
        return input_shape

    def check_shape(self, shape: Any) -> None:
        """Raise ValueError for an input shape that the layer cannot take."""
        if isinstance(shape, tuple):
            check_input(self.name, shape, self.rank, self._channels)

    # Calling.

    def __call__(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Compute on an array (or a list of arrays, where the layer takes several), or record a symbolic call.

        Arrays: float32 C-contiguous ones are used in place, other real ones are converted. Returns float32. Raises
        ValueError for shapes that do not fit, TypeError for arrays that are not real.
        """
        run = self._compiled_call(x)
        return self._first_call(x, args, kwargs) if run is None or args or kwargs else run(x)

    def _compiled_call(self, x: Any) -> Callable[..., Any] | None:
        """The native call for `x`: None where its shape is new, weights have changed, or `x` must be converted."""
        if type(x) is _NDARRAY and x.dtype is FLOAT32 and self._epoch == variable._epoch:
            flags = x.flags
            if flags.c_contiguous and flags.aligned:
                return self._calls.get((x.shape, is_exact()))
        return None

    def _first_call(self, x: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        leaves = flatten((x, args, list(kwargs.values())))
        if any(isinstance(leaf, KerasTensor) for leaf in leaves):
            return call_symbolic(self, (x, *args), kwargs)
        self._check_words(args, kwargs)
        single = not (
            isinstance(x, (list, tuple, Mapping)) and any(hasattr(leaf, "shape") for leaf in flatten(x))
        )
        structure = 0 if single else x
        arrays = [_input_array(leaf) for leaf in ([x] if single else flatten(x))]
        traced = self._traced(structure, [array.shape for array in arrays])
        outputs = traced.run(arrays)
        if single and len(arrays[0]) and traced.structure is traced.outputs[0]:
            calls, run = self._calls, traced.executable(len(arrays[0]), is_exact())
            if traced in self._traces.values():  # else the weights have changed meanwhile
                calls[arrays[0].shape, is_exact()] = run
        return pack(traced.structure, outputs)

    def _check_words(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if kwargs.get("training"):
            raise ValueError(f"Layer '{self.name}' computes inference only. Received: training=True.")
        if args or not kwargs.keys() <= {"training", "mask"} or kwargs.get("mask") is not None:
            given = arguments.shown((*args, *kwargs.items()))
            raise TypeError(f"Layer '{self.name}' takes `x` alone. Received beside it: {given}.")

    def _traced(self, structure: Any, sizes: list[tuple[int, ...]]) -> Traced:
        shape: Any = pack(structure, sizes)
        self.check_shape(shape)
        if not self.built:
            self.build(shape)
            self.built = True
        if self._epoch != weights_epoch():
            self._forget()
        key = (
            repr(structure) if isinstance(structure, Mapping) else type(structure),
            tuple(s[1:] for s in sizes),
        )
        traces = self._traces  # the weights may change, and _forget be called, while `call` is traced
        found = traces.get(key)
        if found is None:
            share = next(iter(list(traces.values())), None)
            found = traces[key] = Traced(self.call, structure, sizes, share)
        return found

    def explain(self) -> Explanation:
        """Return what the last compiled call runs: operations, problems, algorithms. Raises ValueError before any call.

        >>> layer = Conv2D(8, 3)
        >>> layer(np.zeros((1, 8, 8, 3))).shape, layer.explain().rows[0]["op"]
        ((1, 6, 6, 8), 'conv')
        """
        for traced in reversed(list(self._traces.values())):
            for executable in reversed(list(traced.executables.values())):
                return Explanation(repr(self), executable.nodes)
        raise ValueError(f"Layer '{self.name}' was not called yet: there is nothing to explain.")

    # Models that the layer is part of.

    @property
    def output(self) -> Any:
        """What the first symbolic call returned."""
        return self._node().output_structure

    @property
    def input(self) -> Any:
        """What the first symbolic call was given."""
        return self._node().args[0]

    def _node(self) -> Any:
        nodes = self.__dict__.get("_inbound_nodes")
        if not nodes:
            raise AttributeError(f"Layer '{self.name}' was never called on symbolic tensors.")
        return nodes[0]

    # As data.

    def get_config(self) -> dict[str, Any]:
        """Return Keras's configuration: the constructor's arguments as JSON data.

        >>> Dense(3, activation="relu").get_config()["activation"]
        'relu'
        """
        policy = {"name": self.dtype_policy}
        config: dict[str, Any] = {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": {
                "module": "keras",
                "class_name": "DTypePolicy",
                "config": policy,
                "registered_name": None,
            },
        }
        cls: Any = type(self)
        for word in constructor_words(cls):
            if word not in config:
                config[word] = serialized(getattr(self, word))
        if self.activity_regularizer is not None:
            config["activity_regularizer"] = serialized(self.activity_regularizer)
        return config

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Any:
        """Make a layer, with new weights, from what get_config (or Keras's) returned.

        >>> Dense.from_config(Dense(3).get_config()).units
        3
        """
        return cls(**config)

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        for word in ("_traces", "_calls", "_inbound_nodes", "_epoch"):
            state.pop(word, None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()

    def __getattr__(self, name: str) -> Any:
        found = getattr(type(self), name, None)
        if isinstance(found, property):  # it raised an AttributeError of its own: raise that again
            return found.__get__(self)
        hint = (
            "" if self.built or name.startswith("_") else ": weights are made by a call or build(input_shape)"
        )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}{hint}")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"

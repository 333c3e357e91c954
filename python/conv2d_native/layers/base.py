"""Layer: Keras's layer interface around one method, `call(self, f, x)`.

`f` is the eager module functional or a GraphBuilder. Calling a layer on arrays traces `call` once for each sample
shape, compiles it for each batch size, and from then on is one native call. Calling it on symbolic tensors
records a node of a model (symbolic.py).

A subclass keeps its constructor's arguments in attributes of the same names; get_config reads them from there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from .. import arguments, regularizers
from ..functional import Explanation
from ..graph import Traced, TracedBatches, is_exact, traced_by_image
from ..named_objects import keras_form
from ..newest import Newest
from ..structure import map_structure, pack
from . import variable
from .any_batch import for_every_image, is_recording
from .building import build_by_config, build_config, built_once, check_input, check_one_tensor
from .call_arguments import (
    NOT_GIVEN,
    arranged,
    array_words,
    check_symbolic,
    filled,
    shape_of,
    shapes_for,
    taken_apart,
)
from .configuration import (
    arguments_as_json,
    check_unused,
    checked_config,
    constructed,
    constructor_arguments,
    constructor_words,
    input_shape,
    is_users,
    missing_attribute,
    serialized,
)
from .dtype_policy import dtype_name
from .input_spec import check_specs, checked_specs
from .masks import TakesMasks, note_masks, with_recorded_mask
from .names import joined_path, layer_name
from .recorded_call import adapt_call
from .symbolic import KerasTensor, Node, call_layer, is_symbolic, map_shapes
from .variable import computed_with, count_change, is_reading_held, weights_epoch
from .weights import WeightOwner

_FLOAT32, _NDARRAY = arguments.FLOAT32, np.ndarray
_ONE_ARRAY: Any = ((0,), {})  # the form of a call with one array alone
_TRACES, _CALLS = 4, 8  # sample shapes and compiled calls that a layer keeps


class Layer(WeightOwner, TakesMasks):
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

    One that was written for Keras, with call(self, x), computes with operators and conv2d_native.ops on symbolic
    tensors instead; its output shape is then found by calling it.
    """

    input_rank: int | None = None  # number of axes of the input, where it is fixed
    built: bool = False
    input_shape_argument: tuple[int | None, ...] | None
    activity_regularizer: Any
    _in_build = False
    _build_shape: Any = None
    _build_shapes: Any = None  # of a build that takes several, by its arguments
    _sizes_by_axis: dict[int, int]  # axis of the input: the size that the weights are made for
    _traces: Newest[Any, Traced | TracedBatches]
    _calls: Newest[Any, Callable[..., Any]]
    _epoch: int
    _own_call: Any = None  # call(self, x, ...) as a class of the user's defines it
    _takes_structures = False  # whether a `call` of this package takes lists and dicts of tensors
    _stores_shapes = False  # whether files have its get_build_config
    _names_steps = False  # whether the steps of a graph are called after the layers inside
    _graph_class: str | None = None  # Keras's class of a model that connects layers without a call of its own
    _along_batch = False  # whether outputs of a model were made along the axis of the batch
    _constructor_arguments: Any = None  # where the constructor is the user's
    _input_spec: Any = None
    _settings: Any = None  # another object whenever a constructor argument, or a layer, is assigned anew
    registered_name: str | None = None  # of a class of the user's, in the file that the layer comes from

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "build" in cls.__dict__:
            cls.build = built_once(cls.__dict__["build"])  # type: ignore[method-assign]
        cls._is_users = is_users(cls)
        if {"get_build_config", "build_from_config"} & cls.__dict__.keys():
            cls._stores_shapes = True
        adapt_call(cls)

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        made = super().__new__(cls)
        if is_users(cls.__init__):
            made._constructor_arguments = constructor_arguments(cls, args, kwargs)
        return made

    def __init__(
        self,
        *,
        name: str | None = None,
        dtype: Any = None,
        trainable: bool = True,
        activity_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:
        shape = input_shape(kwargs)
        check_unused(type(self), kwargs)
        self.name = layer_name(name, type(self).__name__)
        vars(self).update(  # faster than __setattr__, as in _forget
            input_shape_argument=shape,
            _policy=dtype_name(dtype),
            activity_regularizer=regularizers.get(activity_regularizer, "activity_regularizer"),
            _trainable=arguments.flag("trainable", trainable),
            _variables=[],
            _sizes_by_axis={},
        )
        self._forget()

    def _forget(self) -> None:
        """Drop everything that was compiled."""
        epoch = weights_epoch()  # read first: weights that change meanwhile make what follows out of date
        vars(self).update(_traces=Newest(_TRACES), _calls=Newest(_CALLS), _epoch=epoch)

    @property
    def path(self) -> str | None:
        """Keras's path: the name after those of the layers around this one when it was built; None before.

        >>> Sequential([Dense(3, input_shape=(2,), name="top")], name="net").layers[0].path
        'net/top'
        """
        return joined_path(self._path_around, self.name) if self.built else None

    @property
    def input_spec(self) -> Any:
        """An InputSpec, or a structure of them, that the first argument of every call must fit. Default: None."""
        return self._input_spec

    @input_spec.setter
    def input_spec(self, value: Any) -> None:
        self._input_spec = checked_specs(value)

    # What a subclass defines.

    @built_once
    def build(self, input_shape: Any = None) -> None:
        """Create the weights for inputs of `input_shape`, the batch included."""

    def _build_inside(self, input_shape: Any) -> None:
        """Build the layers that come after the weights of this one."""

    def call(self, f: Any, x: Any) -> Any:
        """Compute with the operations of `f`. The default returns `x`."""
        return x

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the output for `input_shape`; None stays None where it is not known. Default: the same."""
        self.check_shape(input_shape)
        return input_shape

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """Return the symbolic tensors that a call with these arguments makes; nothing is recorded.

        >>> Dense(3).compute_output_spec(Input((2,))).shape
        (None, 3)
        """
        shapes = shapes_for(self.compute_output_shape, self, args, kwargs)
        return map_shapes(
            lambda shape: KerasTensor(shape, name=self.name), self.compute_output_shape(*shapes)
        )

    def check_shape(self, shape: Any) -> None:
        """Raise ValueError for an input shape that the layer cannot take."""
        cls = type(self)
        if not (self._takes_structures or cls.call is Layer.call or is_users(cls.call)):
            check_one_tensor(self.name, shape)
        if isinstance(shape, tuple):
            check_input(self.name, shape, self.input_rank, self._sizes_by_axis)

    # Calling.

    def __call__(self, x: Any = NOT_GIVEN, /, *args: Any, **kwargs: Any) -> Any:
        """Compute on an array (or a list of arrays, where the layer takes several), or record a symbolic call.

        Arguments are those of `call`, by position or by name; `inputs` is a name of the first. Arrays: float32
        C-contiguous ones are used in place, other real ones are converted. Returns float32. Raises ValueError for
        shapes that do not fit, TypeError for arrays that are not real and for arguments that `call` does not take.
        """
        run = self._compiled_call(x)
        if run is None or args or kwargs:
            args, kwargs = arranged(self, type(self), x, args, kwargs)
            if run is None or kwargs or len(args) > 1:
                return self._first_call(args[0], args[1:], kwargs)
        return run(x)

    def _compiled_call(self, x: Any) -> Callable[..., Any] | None:
        """The native call for `x`: None where its shape is new, weights have changed, or `x` must be converted."""
        if type(x) is _NDARRAY and x.dtype is _FLOAT32 and self._epoch == variable._epoch:
            flags = x.flags
            if flags.c_contiguous and flags.aligned:
                return self._calls.get((x.shape, is_exact()))
        return None

    def _first_call(self, x: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        args = (x, *args)
        if self.input_spec is not None:
            check_specs(self, x)
        if is_symbolic(args, kwargs):
            if is_recording() and self._own_call is None:
                args = map_structure(for_every_image, args)
            if not is_users(type(self).call):
                check_symbolic(self.name, args[0])
            self.check_shape(shape_of(args[0]))
            self._build_for(args, kwargs)
            kwargs = with_recorded_mask(self, args, kwargs)
            outputs = self.compute_output_spec(*args, **kwargs)
            Node(self, args, kwargs, outputs)
            note_masks(self, args[0], kwargs.get("mask"), outputs)
            return outputs
        form, given = taken_apart(args, kwargs)
        words = array_words(self, form) if len(args) > 1 or kwargs else ["x"] * len(given)
        arrays = [arguments.batch(w, arguments.array(w, a)) for w, a in zip(words, given, strict=True)]
        found = self._traced(form, arrays)
        traced = found.of(len(arrays[0]))
        outputs = traced.run(arrays)
        if form == _ONE_ARRAY and arrays[0] is x and len(x) and traced.structure is traced.outputs[0]:
            calls, run = self._calls, traced.executable(len(arrays[0]), is_exact())
            if found in self._traces.values():  # else the weights have changed meanwhile
                calls[arrays[0].shape, is_exact()] = run
        return pack(traced.structure, outputs)

    def _build_for(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Create the weights for a call with these tensors or arrays, where they are not there yet."""
        if not self.built:
            self.build(*shapes_for(self.build, self, args, kwargs))
            self.built = True

    def _traced(self, form: Any, arrays: list[np.ndarray]) -> Traced | TracedBatches:
        args, kwargs = filled(form, arrays)
        self.check_shape(shape_of(args[0]))
        self._build_for(args, kwargs)
        if self._epoch != weights_epoch():
            self._forget()
        sizes = [array.shape for array in arrays]
        key = (repr(form), tuple(size[1:] for size in sizes))
        traces = self._traces  # the weights may change, and _forget be called, while `call` is traced
        found = traces.get(key)
        if found is None:
            share = next(iter(list(traces.values())), None)
            call, places = partial(self._call_in_form, form), [0] * len(sizes)

            def trace(batch: int | None, share: Any) -> Traced:
                return computed_with(self.weights, lambda: Traced(call, places, sizes, share, batch=batch))

            found = traces[key] = traced_by_image(trace, share)
        return found

    def _call_in_form(self, form: Any, f: Any, values: list[Any]) -> Any:
        args, kwargs = filled(form, values)
        return call_layer(self, f, *args, **kwargs)

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

    def get_build_config(self) -> dict[str, Any] | None:
        """Return the shapes that build_from_config needs, as Keras's files have them; None before the layer is built.

        >>> layer = Dense(3)
        >>> layer.build((None, 2))
        >>> layer.get_build_config()
        {'input_shape': (None, 2)}
        """
        return build_config(self)

    def build_from_config(self, config: Mapping[str, Any]) -> None:
        """Make the weights for what get_build_config returned; nothing where it was None.

        >>> layer = Dense(3)
        >>> layer.build_from_config({"input_shape": [None, 2]})
        >>> layer.count_params()
        9
        """
        build_by_config(self, config)

    def get_config(self) -> dict[str, Any]:
        """Return Keras's configuration: the constructor's arguments as JSON data.

        >>> Dense(3, activation="relu").get_config()["activation"]
        'relu'
        """
        policy = keras_form("keras", "DTypePolicy", self.dtype_policy.get_config())
        config = {"name": self.name, "trainable": self.trainable, "dtype": policy}
        config.update(arguments_as_json(self, known=tuple(config)))
        if self.activity_regularizer is not None:
            config["activity_regularizer"] = serialized(self.activity_regularizer)
        return config

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Any:
        """Make a layer, with new weights, from what get_config (or Keras's) returned.

        >>> Dense.from_config(Dense(3).get_config()).units
        3
        """
        return constructed(cls, checked_config(config))

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        for word in ("_traces", "_calls", "_inbound_nodes", "_epoch"):
            state.pop(word, None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if self._is_users and isinstance(value, (variable.Variable, list, tuple, dict)):
            self._hold(vars(self))  # all: lists of them may have grown meanwhile
        if self.built:
            cls: Any = type(self)
            parts = (WeightOwner, variable.Variable)
            counts = name in (*constructor_words(cls), "_input_spec") or isinstance(value, parts)
            # What a call assigns is part of its computation: counted, it would be compiled anew for ever.
            if counts and not is_reading_held():
                super().__setattr__("_settings", object())
                count_change()

    def __getattr__(self, name: str) -> Any:
        found = getattr(type(self), name, None)
        if isinstance(found, property):  # it raised an AttributeError of its own: raise that again
            return found.__get__(self)
        raise missing_attribute(self, name)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


adapt_call(Layer)

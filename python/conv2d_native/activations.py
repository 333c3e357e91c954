"""Keras's activation functions: one table of names, default parameters and how each one is computed.

A row either names an activation of the core (fused into the operation before it) or gives a NumPy formula for
what networks seldom use. softmax and log_softmax are the core's own operations along an axis. Activations of the
core that have no parameters are taken from its table; those that have some are written here.

    >>> from conv2d_native import activations
    >>> activations.relu(np.array([-1.0, 2.0, 9.0], np.float32), max_value=6).tolist()
    [0.0, 2.0, 6.0]

Each function takes an array of any rank and returns float32 of the same shape (glu halves `axis`), or fills
`out=`; of a symbolic tensor it makes a node of a model. As in Keras, the name "leaky_relu" has slope 0.2, "gelu" is
exact, "hard_sigmoid" is clip(x / 6 + 0.5).
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import _core, arguments, shapes
from .named_objects import keras_form

Parameters = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """One name: a formula for the docs, parameters with defaults, and the core's text or a NumPy function."""

    formula: str
    defaults: Parameters = field(default_factory=dict)
    text: Callable[..., str] | None = None
    numpy: Callable[..., np.ndarray] | None = None


def _relu_text(negative_slope: float, max_value: float | None, threshold: float) -> str:
    if (negative_slope, max_value, threshold) == (0, None, 0):
        return "relu"
    limit = float("inf") if max_value is None else max_value
    return f"relu({negative_slope:.9g},{limit:.9g},{threshold:.9g})"


def _sparsemax(x: np.ndarray, axis: int) -> np.ndarray:
    ordered = -np.sort(-x, axis=axis)
    sums = np.cumsum(ordered, axis=axis)
    shape = [1] * x.ndim
    shape[axis] = -1
    ranks = np.arange(1, x.shape[axis] + 1, dtype=np.float32).reshape(shape)
    support = ordered - (sums - 1) / ranks > 0
    total = np.where(support, sums, 0).sum(axis=axis, keepdims=True)
    return np.maximum(x - (total - 1) / support.sum(axis=axis, keepdims=True), 0)


def _glu(x: np.ndarray, axis: int) -> np.ndarray:
    a, b = np.split(x, 2, axis=axis)
    return a * (0.5 * (1 + np.tanh(0.5 * b)))


TABLE: dict[str, Row] = {
    "relu": Row(
        "min(x, max_value) if x >= threshold else negative_slope * (x - threshold)",
        {"negative_slope": 0.0, "max_value": None, "threshold": 0.0},
        _relu_text,
    ),
    "leaky_relu": Row(
        "x if x >= 0 else negative_slope * x",
        {"negative_slope": 0.2},
        lambda negative_slope: f"leaky_relu({negative_slope:.9g},inf,0)",
    ),
    "elu": Row(
        "x if x > 0 else alpha * (exp(x) - 1)", {"alpha": 1.0}, lambda alpha: f"elu({alpha:.9g},inf,0)"
    ),
    "gelu": Row(
        "x * P(X <= x), X normal; with approximate=True the tanh formula",
        {"approximate": False},
        lambda approximate: "gelu_tanh" if approximate else "gelu",
    ),
    "softmax": Row("exp(x) / sum of exp(x) along axis", {"axis": -1}),
    "log_softmax": Row("x - log(sum of exp(x) along axis)", {"axis": -1}),
    "celu": Row(
        "max(x, 0) + alpha * (exp(min(x, 0) / alpha) - 1)",
        {"alpha": 1.0},
        numpy=lambda x, alpha: np.maximum(x, 0) + alpha * np.expm1(np.minimum(x, 0) / np.float32(alpha)),
    ),
    "glu": Row("a * sigmoid(b), a and b the halves of x along axis", {"axis": -1}, numpy=_glu),
    "hard_shrink": Row(
        "x if |x| > threshold else 0",
        {"threshold": 0.5},
        numpy=lambda x, threshold: np.where(np.abs(x) > threshold, x, 0),
    ),
    "hard_tanh": Row("min(max(x, -1), 1)", numpy=lambda x: np.clip(x, -1, 1)),
    "hard_sigmoid_keras2": Row("min(max(0.2 * x + 0.5, 0), 1)", numpy=lambda x: np.clip(0.2 * x + 0.5, 0, 1)),
    "log_sigmoid": Row("-softplus(-x)", numpy=lambda x: -np.logaddexp(0, -x)),
    "soft_shrink": Row(
        "sign(x) * max(|x| - threshold, 0)",
        {"threshold": 0.5},
        numpy=lambda x, threshold: np.sign(x) * np.maximum(np.abs(x) - threshold, 0),
    ),
    "sparse_plus": Row(
        "0 if x <= -1, x if x >= 1, (x + 1)^2 / 4 between",
        numpy=lambda x: np.where(x <= -1, 0, np.where(x >= 1, x, np.square(x + 1) / 4)),
    ),
    "sparse_sigmoid": Row("min(max((x + 1) / 2, 0), 1)", numpy=lambda x: np.clip((x + 1) / 2, 0, 1)),
    "sparsemax": Row("max(x - tau, 0) with tau as in Keras", {"axis": -1}, numpy=_sparsemax),
    "squareplus": Row(
        "(x + sqrt(x^2 + b)) / 2",
        {"b": 4},
        numpy=lambda x, b: (x + np.sqrt(np.square(x) + np.float32(b))) / 2,
    ),
    "tanh_shrink": Row("x - tanh(x)", numpy=lambda x: x - np.tanh(x)),
    "threshold": Row(
        "x if x > threshold else default_value",
        {"threshold": 0.0, "default_value": 0.0},
        numpy=lambda x, threshold, default_value: np.where(x > threshold, x, np.float32(default_value)),
    ),
}
ALIASES = {"swish": "silu", "hard_swish": "hard_silu"}
_VARIANTS = {"gelu_tanh"}  # the core's names of what a parameter chooses here
TABLE |= {
    name: Row(formula, text=lambda name=name: name)
    for name, formula in _core.activations().items()
    if name not in {*TABLE, *ALIASES, *_VARIANTS}
}
PUBLIC = tuple(sorted({*TABLE, *ALIASES} - {"hard_sigmoid_keras2"}))  # Keras's names


@dataclass(frozen=True)
class Activation:
    """What a layer keeps: a name of the table with its parameters, or a function of the user's under its name."""

    name: str
    parameters: tuple[tuple[str, Any], ...] = ()
    function: Callable[[np.ndarray], Any] | None = None

    def __getattr__(self, word: str) -> Any:
        name = vars(self).get("name")  # there is none while it is copied
        if name not in TABLE or self.function or word not in TABLE[name].defaults:
            raise AttributeError(f"Activation {name!r} has no attribute {word!r}")
        return self.values[word]

    @property
    def __name__(self) -> str:  # that of the function which Keras's layers keep here
        return self.name

    @property
    def values(self) -> Parameters:
        """All parameters by name, defaults included."""
        return {} if self.function else TABLE[self.name].defaults | dict(self.parameters)

    @property
    def text(self) -> str | None:
        """The core's name for an elementwise activation, None for what the core does not fuse."""
        text = None if self.function else TABLE[self.name].text
        return None if text is None else text(**self.values)

    def steps(self, f: Any, x: Any) -> Any:
        """What the operations of the graph builder `f` make of `x` for a function of the user's; None: a host step."""

    def __call__(self, x: Any) -> np.ndarray:
        return run(self, x)


def make(name: str, **parameters: Any) -> Activation:
    """Return the activation `name` with `parameters`; those equal to the defaults are left out."""
    defaults = TABLE[name].defaults
    made = {key: _checked(key, value, defaults[key]) for key, value in parameters.items()}
    return Activation(name, tuple((k, v) for k, v in made.items() if v != defaults[k]))


def _checked(key: str, value: Any, default: Any) -> Any:
    if isinstance(default, bool):
        return arguments.flag(key, value)
    if key == "axis":
        return arguments.integer(key, value, low=None)
    return None if value is None and default is None else arguments.number(key, value)


def get(identifier: Any, word: str = "activation") -> Activation:
    """Return the Activation of a name, None (linear), a function, a layer or a serialized dict.

    A function of yours, by NumPy or conv2d_native.ops, gets a float32 array and returns one of its shape. In a layer
    it is tried on a symbolic tensor first, once for each image size: what operators and conv2d_native.ops make of that
    is computed from then on, without a call of the function. Models with it are saved with its name, and opened with
    custom_objects={name: function}.
    word: the argument that holds it, for messages. Raises ValueError that lists the names for an unknown one,
    TypeError for what is none of these.

        >>> get("relu")(np.array([-1.0, 2.0])).tolist()
        [0.0, 2.0]
    """
    if identifier is None:
        return Activation("linear")
    if isinstance(identifier, Activation):
        return identifier
    if isinstance(identifier, str):
        if identifier not in TABLE:
            identifier = arguments.choice(word, identifier, PUBLIC)
        return Activation(ALIASES.get(identifier, identifier))
    if isinstance(identifier, Mapping):
        return _from_dict(identifier, word)
    known = getattr(identifier, "as_activation", None)
    if isinstance(known, Activation):
        return known
    if callable(identifier) and not inspect.isclass(identifier) and not hasattr(identifier, "weights"):
        name = getattr(identifier, "__name__", f"<{type(identifier).__name__}>")
        return Activation(name, (), identifier)
    raise TypeError(
        arguments.must(
            word,
            "be a name, None, a function or an activation layer (of Softmax along one axis)",
            identifier,
        )
    )


LAYERS: dict[str, tuple[str, Parameters]] = {  # the name of what a layer computes, and the layer's defaults
    "ReLU": ("relu", {"max_value": None, "negative_slope": 0.0, "threshold": 0.0}),
    "LeakyReLU": ("leaky_relu", {"negative_slope": 0.3}),
    "ELU": ("elu", {"alpha": 1.0}),
    "Softmax": ("softmax", {"axis": -1}),
}


def _from_dict(config: Mapping[str, Any], word: str) -> Activation:
    """Keras's serialized activations: functions by name, and activation layers."""
    class_name, inner = config.get("class_name"), config.get("config")
    if class_name == "function" and isinstance(inner, str):
        return get(inner, word)
    if class_name == "Activation" and isinstance(inner, Mapping):
        return get(inner.get("activation"), word)
    if isinstance(class_name, str) and class_name in LAYERS and isinstance(inner, Mapping):
        name, defaults = LAYERS[class_name]
        # Keras 2's LeakyReLU has its slope under `alpha`.
        given = {"negative_slope": inner["alpha"], **inner} if "alpha" in inner else inner
        return make(name, **{key: given.get(key, default) for key, default in defaults.items()})
    raise ValueError(arguments.must(word, f"be a known function or one of {', '.join(LAYERS)}", dict(config)))


def serialize(activation: Any) -> Any:
    """Return Keras's serialized form: the name, or an activation layer where parameters differ from the name's.

    Both kinds of gelu are "gelu", as in Keras: files do not tell them apart. Of a user's function it is the name alone:
    whoever opens the model gives the function again. Raises ValueError for one without a name.
    """
    activation = get(activation)
    if activation.function is not None:
        if activation.name.startswith("<"):
            raise ValueError(
                f"An activation that is a {activation.name[1:-1]} has no name to be stored by: give a function "
                "defined with `def`, which the model is opened with, load_model(..., custom_objects={name: function})."
            )
        return keras_form(None, "function", activation.name, activation.name)
    if not activation.parameters or activation.name == "gelu":
        return activation.name
    for class_name, (name, defaults) in LAYERS.items():
        if name == activation.name:
            values = activation.values
            return keras_form("keras.layers", class_name, {key: values[key] for key in defaults})
    raise ValueError(f"An activation with parameters that Keras cannot store. Received: {activation}.")


def deserialize(config: Any) -> Activation:
    """Return the activation that serialize() (or Keras) described."""
    return get(config)


def lower(graph: Any, x: int, activation: Activation) -> int:
    """Add `activation` of the value `x` to a _core.Graph and return the new value."""
    if activation.text is not None:
        return x if activation.text == "linear" else graph.activation(x, activation.text)
    shape, values = tuple(graph.shape(x)), activation.values
    if "axis" in values:
        values["axis"] = axis = arguments.axis("axis", values["axis"], len(shape))
        if activation.name in ("softmax", "log_softmax"):
            return _softmax(graph, x, axis, len(shape), activation.name == "log_softmax")
        if activation.name == "glu":
            if shape[axis] % 2:
                raise ValueError(
                    f"`axis` of glu must be one of even size. Received: an axis of size {shape[axis]}."
                )
            shape = tuple(size // 2 if i == axis else size for i, size in enumerate(shape))
    return graph.host([x], functools.partial(computed_by_numpy, activation), shape)


def computed_by_numpy(activation: Activation, array: np.ndarray) -> np.ndarray:
    """What an activation that the core does not have makes of an array."""
    step = functools.partial(_own_step, activation) if activation.function else TABLE[activation.name].numpy
    with np.errstate(all="ignore"):
        return np.asarray(step(array, **activation.values), np.float32, order="C")  # type: ignore[misc]


def _own_step(activation: Activation, array: np.ndarray) -> np.ndarray:
    """What a function of the user's makes of an array, checked."""
    made = np.asarray(activation.function(array))  # type: ignore[misc]
    if made.dtype.kind not in "fiu":
        raise TypeError(f"Activation '{activation.name}' must return real numbers, not {made.dtype}.")
    if made.shape != array.shape:
        raise ValueError(
            f"Activation '{activation.name}' must keep the shape {array.shape}. It returned {made.shape}."
        )
    return made


def _softmax(graph: Any, x: int, axis: int, rank: int, log: bool) -> int:
    if axis == rank - 1:
        return graph.softmax(x, log)
    if axis == 0:
        raise ValueError("`axis` must not be the batch. Received: axis=0.")
    order, back = shapes.to_the_end([axis], rank)
    return graph.transpose(graph.softmax(graph.transpose(x, order), log), back)


def run(activation: Activation, x: Any, out: Any = None) -> Any:
    """Apply `activation` to an array of any rank; on a symbolic tensor, record it.

    The core gets the whole array as one sample, a function of the user's a copy as it is.
    """
    if hasattr(x, "activated"):
        return x.activated(activation)
    given = arguments.array("x", x)
    if activation.function is not None and given.size:
        target = np.empty(given.shape, np.float32) if out is None else arguments.out_array(out, given.shape)
        target[...] = computed_by_numpy(activation, given.copy())
        return target
    sample = given.reshape(1, -1)
    if "axis" in activation.values:
        axis = arguments.axis("axis", activation.values["axis"], given.ndim) + 1
        activation, sample = make(activation.name, axis=axis), given[np.newaxis]
    graph = _core.Graph()
    y = lower(graph, graph.input(sample.shape), activation)
    made = tuple(graph.shape(y))
    shape = made[1:] if "axis" in activation.values else given.shape
    target = np.empty(shape, np.float32) if out is None else arguments.out_array(out, shape)
    if given.size == 0:
        return target
    store = np.empty_like(target) if np.may_share_memory(given, target) else target
    graph.compile([y], 1).run([sample], [store.reshape(made)])
    if store is not target:
        target[...] = store
    return target


def signature(name: str, *first: str) -> inspect.Signature:
    """The arguments of an activation: `first`, then its parameters with their defaults."""
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    given = [inspect.Parameter(key, kind, default=value) for key, value in TABLE[name].defaults.items()]
    return inspect.Signature([*(inspect.Parameter(word, kind) for word in first), *given])


def _function(name: str) -> Callable[..., np.ndarray]:
    """The public function of a row: its signature, its docstring, and `as_activation`, by which get() knows it."""
    row, words = TABLE[name], signature(name, "x")

    def function(x: Any, *args: Any, out: Any = None, **kwargs: Any) -> np.ndarray:
        given = arguments.bound(name, words, (x, *args), kwargs).arguments
        return run(make(name, **{key: given[key] for key in given if key != "x"}), x, out)

    function.__name__ = function.__qualname__ = name
    last = inspect.Parameter("out", inspect.Parameter.KEYWORD_ONLY, default=None)
    function.__signature__ = words.replace(  # type: ignore[attr-defined]
        parameters=[*words.parameters.values(), last]
    )
    shown = "".join(f", {key}={value!r}" for key, value in row.defaults.items())
    function.__doc__ = f"""y = {row.formula}

    `x` is an array of any shape; the result is float32 of the same shape{" but for `axis`" if name == "glu" else ""}.
    `out` is a float32 array of the result's shape to fill. Raises TypeError for arrays that are not real.

        >>> {name}(np.array([[-1.0, 2.0]], np.float32){shown}).shape
        (1, {1 if name == "glu" else 2})
    """
    function.as_activation = Activation(name)  # type: ignore[attr-defined]
    return function


globals().update({name: _function(name) for name in TABLE})
globals().update({alias: globals()[name] for alias, name in ALIASES.items()})


def __getattr__(name: str) -> Any:  # also tells type checkers that the functions exist
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

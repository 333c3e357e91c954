"""NumPy functions of the user's as layers: FunctionLayer for what a file only names, Lambda in programs.

Neither is in the table of classes: a file's Lambda is refused where the user gives no function, whatever it holds.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..arguments import must
from ..errors import UnsupportedLayerError
from ..graph import GraphBuilder
from ..named_objects import keras_form
from ..shapes import PROBES, follows_probes, probed_sizes
from ..structure import flatten, map_structure, pack
from .base import Layer
from .configuration import as_json
from .names import unique_name
from .recorded_call import mixes_images, record_function
from .registry import registered_name
from .symbolic import map_shapes, symbolic_leaves

TENSORFLOW_CLASSES = ("TFOpLambda", "SlicingOpLambda")  # as which Keras 2 files have TensorFlow's functions
PIECE = 1 << 20  # entries that are moved at a time: Ctrl-C is answered in between
FUNCTION_CLASSES = ("Lambda", *TENSORFLOW_CLASSES)  # for which the user may give a function


class FunctionLayer(Layer):
    """Computes `function(x)` on float32 arrays with the batch first; `function` may return a list or dict of arrays.

    Of several inputs, a function with an argument for each gets them one by one, `function(a, b)`; any other gets the
    list, as in Keras. The shape is found by running it on images of zeros. Where it takes symbolic tensors too, what
    operators and conv2d_native.ops make of them is computed instead, and it runs no more. Else it gets large batches in
    parts, but whole ones where it was seen to mix images, on two images of random numbers.
    """

    _takes_structures = True

    def __init__(
        self,
        function: Callable[..., Any],
        class_name: str = "Lambda",
        name: str | None = None,
        arguments: Mapping[str, Any] | None = None,
        stored_name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.class_name, self.arguments = class_name, dict(arguments or {})
        self.stored_name = stored_name or _name_of(function)
        self.function = functools.partial(function, **self.arguments) if arguments else function

    @classmethod
    def of_file(
        cls, function: Callable[..., Any], class_name: str, given: Any, name: str, stored_name: str | None
    ) -> FunctionLayer:
        """`function` for a layer of a file, with those of the plain values `given` there that it takes by name."""
        if class_name not in FUNCTION_CLASSES or not isinstance(given, Mapping):
            return cls(function, class_name, name, None, stored_name)
        taken = {word: value for word, value in given.items() if _takes_word(function, word)}
        made = cls(function, class_name, name, taken, stored_name)
        made.arguments = dict(given)  # all: whoever opens the file again may have a function that takes them
        return made

    @property
    def is_storable(self) -> bool:
        """Whether files can have it: Keras's Lambda, by the name of its function."""
        return self.class_name == "Lambda" and self.stored_name is not None

    def arranged(self, args: Any, kwargs: Any) -> tuple[Any, Any]:
        """The arguments of a call that a file has: all tensors of TensorFlow's function as one list, in its order."""
        if self.class_name not in TENSORFLOW_CLASSES:
            return args, kwargs
        tensors = symbolic_leaves((args, kwargs))
        return [tensors[0] if len(tensors) == 1 else tensors], {}

    def call(self, f: Any, x: Any, mask: Any = None, **unused: Any) -> Any:
        """The steps that the function makes of symbolic tensors, or a host step: once, whatever it returns."""
        if mask is not None and _takes_word(self.function, "mask"):
            raise UnsupportedLayerError(f"Layer '{self.name}' gives its function no `mask` here.")
        trial = self._trial(map_structure(lambda tensor: _zeros(tensor.shape[1:]), x))
        shapes = [made.shape[1:] for made in flatten(trial)]
        recorded = record_function(self._made, x) if isinstance(f, GraphBuilder) else None
        if recorded and [tensor.shape[1:] for tensor in flatten(recorded.made)] == shapes:
            return pack(trial, flatten(recorded.computed(f, x)))

        def results(*arrays: np.ndarray) -> list[np.ndarray]:
            return flatten(self._results(pack(x, arrays)))

        xs = flatten(x)
        apply = functools.partial(f.apply, whole_batch=mixes_images(results, [x.shape[1:] for x in xs]))
        if len(shapes) == 1:
            return pack(trial, [apply(lambda *arrays: results(*arrays)[0], xs, (None, *shapes[0]))])
        return pack(trial, computed_together(f, apply, results, xs, shapes))

    def _results(self, x: Any) -> Any:
        """What the function makes of arrays, in its own structure."""
        return map_structure(lambda a: np.ascontiguousarray(a, np.float32), self._made(x))

    def _made(self, x: Any) -> Any:
        apart = isinstance(x, (list, tuple)) and _takes_apart(self.function, len(x))
        return self.function(*x) if apart else self.function(x)

    def _trial(self, zeros: Any) -> Any:
        made = self._results(zeros)
        wrong = [array.shape for array in flatten(made) if array.shape[0] != 2]
        if wrong or not flatten(made):
            raise ValueError(
                f"Layer '{self.name}': the function for {self.class_name} must return an array with the batch as its "
                f"first axis, or several. Received: shape {wrong[0] if wrong else None} for a batch of 2."
            )
        return made

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Shape of the result, or the structure of shapes, with None where a size follows an unknown one."""

        def trial(probe: tuple[int, int]) -> Any:
            return self._trial(map_shapes(lambda shape: _zeros(probed_sizes(shape, probe)), input_shape))

        made, other = map(trial, PROBES)
        shapes, others = ([(None, *a.shape[1:]) for a in flatten(each)] for each in (made, other))
        return pack(made, follows_probes(shapes, others))

    def get_config(self) -> dict[str, Any]:
        """Return the name, and those of a Lambda's function and arguments; the function is given when it is opened."""
        if not self.is_storable:
            return {"name": self.name}
        try:
            given = as_json(self.arguments)
        except TypeError:
            expected = "be numbers, text, None and lists and dicts of them to be stored"
            raise ValueError(f"Layer '{self.name}': {must('arguments', expected, self.arguments)}") from None
        function = keras_form(None, "function", self.stored_name, self.stored_name)
        return {"name": self.name, "function": function, "arguments": given}


def _name_of(function: Any) -> str | None:
    """The name that files have for a function of Python's, "package>name" where it is registered; a lambda has none."""
    name = registered_name(function) if inspect.isfunction(function) else "<object>"
    return None if name.startswith("<") else name


def _zeros(sizes: Sequence[int]) -> np.ndarray:
    """Two images."""
    return np.zeros((2, *sizes), np.float32)


def computed_together(
    f: Any,
    apply: Callable[..., Any],
    results: Callable[..., list[np.ndarray]],
    xs: Sequence[Any],
    shapes: Sequence[Any],
) -> list[Any]:
    """Tensors of several `shapes`, the arrays that `results` makes of those of `xs` in one host step."""

    ends = [0, *itertools.accumulate(map(math.prod, shapes))]
    y = apply(lambda *arrays: _side_by_side(results(*arrays)), xs, (None, ends[-1]))
    parts = (f.crop(y, [(0, 0), (start, ends[-1] - end)]) for start, end in itertools.pairwise(ends))
    return [f.reshape(part, (-1, *shape)) for part, shape in zip(parts, shapes, strict=True)]


def _side_by_side(parts: Sequence[np.ndarray]) -> np.ndarray:
    """The entries of each image of several arrays in one row, moved in pieces."""
    images, widths = len(parts[0]), [math.prod(part.shape[1:]) for part in parts]
    if len(parts) == 1 and parts[0].flags.c_contiguous:
        return parts[0].reshape(images, -1)
    made = np.empty((images, sum(widths)), np.float32)
    for part, end, width in zip(parts, itertools.accumulate(widths), widths, strict=True):
        shape = part.shape[1:] or (1,)
        target, source = made[:, end - width : end].reshape(images, *shape), part.reshape(len(part), *shape)
        length = max(1, PIECE * shape[0] // part.size)
        for piece in (slice(start, start + length) for start in range(0, shape[0], length)):
            target[:, piece] = source[:, piece]
    return made


def _takes_apart(function: Callable[..., Any], count: int) -> bool:
    """Whether `function` needs an argument for each of `count` inputs, rather than the list of them."""
    if isinstance(function, np.ufunc):
        return function.nin == count
    words = _words_of(function)
    if any(word.kind is word.VAR_POSITIONAL for word in words):
        return True
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return count > 1 and sum(w.kind in positional and w.default is w.empty for w in words) == count


def _takes_word(function: Callable[..., Any], name: Any) -> bool:
    """Whether `function` has an argument of that name beside its first, which is the batch."""
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return any(
        (word.kind in by_name and word.name == name) or word.kind is word.VAR_KEYWORD
        for word in _words_of(function)[1:]
    )


def _words_of(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """The arguments of `function`; none where it does not tell, as some in C."""
    try:
        return [*inspect.signature(function).parameters.values()]
    except (TypeError, ValueError):
        return []


class Lambda(FunctionLayer):
    """Computes `function(x, **arguments)` by NumPy or conv2d_native.ops, on float32 arrays with the batch first.

    Of several inputs, `function` gets the list, or each as an argument of its own where it needs as many. One that
    mixes images gets whole batches, in `predict` of `batch_size`; any other gets large ones in parts. Trials find that,
    and the shape. output_shape, mask: Keras's words, of no effect. Models with it can be pickled where the function
    can, and saved where it has a name and `arguments` are JSON data; they are opened with custom_objects={name:
    function}, if it is not registered. Raises TypeError where `function` is none.

        >>> Lambda(lambda x: x / 4)(np.ones((1, 2))).tolist()
        [[0.25, 0.25]]
    """

    def __init__(
        self,
        function: Callable[..., Any],
        output_shape: Any = None,
        mask: Any = None,
        arguments: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        if not callable(function):
            raise TypeError(must("function", "be a function", function))
        if not isinstance(arguments, (Mapping, type(None))):
            raise TypeError(must("arguments", "be a dict", arguments))
        super().__init__(
            function, "Lambda", kwargs.pop("name", None) or unique_name("lambda"), arguments, **kwargs
        )

"""Model: a network of layers between symbolic inputs and outputs; `predict` computes it as one compiled graph."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from itertools import islice
from typing import Any

import numpy as np

from .. import arguments
from ..graph import Traced, TracedBatches, is_exact, traced_by_image
from ..layers.base import Layer
from ..layers.call_arguments import filled, shape_of, taken_apart
from ..layers.masks import masked
from ..layers.names import unique_name
from ..layers.registry import register_layer
from ..layers.symbolic import (
    KerasTensor,
    Values,
    all_symbolic,
    compute_node,
    is_symbolic,
    label_steps,
    map_shapes,
)
from ..layers.variable import computed_with, held_together, other_reads, weights_epoch
from ..layers.weights import attribute_layers
from ..locks import fork_safe_lock
from ..newest import Newest
from ..structure import copied, flatten, pack
from .absent_methods import ABSENT_ATTRIBUTES, ABSENT_METHODS
from .batches import (
    arrange,
    as_array,
    batch_count,
    check_predict_words,
    concatenated,
    count_of,
    each_batch,
    features,
    fit_shape,
    is_batches,
    pieces,
)
from .inspection import Inspection
from .own_calls import OwnCalls
from .progress import Progress
from .storage import Storage
from .topology import alone, checked_count, infer_shapes, map_graph, shapes_of, with_own_inputs

_IMAGE_SHAPES_KEPT = 8
_LOCK = fork_safe_lock()


@register_layer("Functional")
class Model(Inspection, Storage, OwnCalls):
    """A network from `inputs` to `outputs`, which layers called on `Input(...)` have made.

    `inputs` and `outputs` are symbolic tensors, or lists or dicts of them; predict takes and returns arrays in the
    same structure. A model is a layer: it can be called on symbolic tensors and be part of other models.

        >>> x = Input((32, 32, 3))
        >>> y = layers.GlobalAveragePooling2D()(layers.Conv2D(8, 3, activation="relu")(x))
        >>> Model(x, y).predict(np.zeros((5, 32, 32, 3))).shape
        (5, 8)

    A class of your own derives from it as in Keras: layers in attributes, and a `call(self, inputs)` that computes with
    them, operators and conv2d_native.ops; or super().__init__(inputs, outputs). Raises ValueError where an output
    cannot be computed from the inputs.
    """

    _names_steps = _takes_structures = True

    def __init__(
        self,
        inputs: Any = None,
        outputs: Any = None,
        name: str | None = None,
        trainable: bool = True,
        **kwargs: Any,
    ) -> None:
        if name is None and type(self) is Model:
            name = unique_name("functional")
        super().__init__(name=name, trainable=trainable, **kwargs)
        self._choices: dict[str, str] = {}  # algorithms, from autotune
        if inputs is not None or outputs is not None or type(self) is Model:
            self._connect(inputs, outputs)
            self._graph_class = "Functional"

    def _connect(self, inputs: Any, outputs: Any) -> None:
        for word, structure in (("inputs", inputs), ("outputs", outputs)):
            if not all_symbolic(structure):
                words = "be symbolic tensors, from Input(...) and calls of layers"
                raise ValueError(arguments.must(word, words, structure))
        inputs, outputs = copied(with_own_inputs(inputs, outputs))
        nodes, operations = map_graph(flatten(inputs), flatten(outputs))
        self._call_count = checked_count(self.name, nodes)
        self._input_structure, self._output_structure = inputs, outputs
        self.inputs: list[KerasTensor] = flatten(inputs)
        self.outputs: list[KerasTensor] = flatten(outputs)
        self._along_batch = any(tensor.along_batch for tensor in self.outputs)
        if self._own_call is None:
            self._form, self._places = taken_apart((inputs,), {})
            self._answer = alone(outputs)
        self._nodes = self._graph_nodes = nodes
        self.operations = operations
        self._shapes: Newest[str, Any] = Newest(_IMAGE_SHAPES_KEPT)  # of the output, by those of the input
        self.built = True

    def _forget(self) -> None:
        """Drop everything that was compiled."""
        self._compiled_for: list[np.ndarray] | None = None  # the weights that programs hold
        self._reads_others = False  # programs hold weights of layers that are not the model's
        self._programs: Newest[Any, Traced | TracedBatches] = Newest(_IMAGE_SHAPES_KEPT)
        super()._forget()

    # What it is made of.

    @property
    def layers(self) -> list[Any]:
        """The layers in Keras's order, without operations such as `x * 2`."""
        if self._graph_class is None:
            return [layer for _, layer in attribute_layers(self)]
        return [layer for layer in self.operations if isinstance(layer, Layer)]

    @property
    def input(self) -> Any:
        """The model's own symbolic input, or the structure of them: `Model(model.input, model.layers[1].output)`."""
        return self._structure("input")

    @property
    def output(self) -> Any:
        """The model's own symbolic output, or the structure of them."""
        return self._structure("output")

    def _structure(self, word: str) -> Any:
        if self._graph_class is None:
            raise AttributeError(
                f"Model '{self.name}' has no {word}: the call() of its class takes any shapes."
            )
        if not self.built:
            raise AttributeError(f"Model '{self.name}' has no {word} yet: call build(input_shape) first.")
        return self._input_structure if word.startswith("input") else self._output_structure

    @property
    def input_shape(self) -> Any:
        """Shape of the input with None where it varies; a list of them where there are several, as in `inputs`."""
        return shapes_of(self._structure("input_shape"))

    @property
    def output_shape(self) -> Any:
        """Shape of the output, or a list of them where there are several, as in `outputs`."""
        return shapes_of(self._structure("output_shape"))

    def named_sublayers(self) -> list[tuple[str, Any]]:
        """The layers after their names, and those that a class of the user's has beside connected ones."""
        further = [layer for _, layer in self._further_layers()]
        return [(layer.name, layer) for layer in (*self.layers, *further)]

    def get_layer(self, name: str | None = None, index: int | None = None) -> Any:
        """Return the layer called `name`, or the one at `index` in `layers`. Raises ValueError where there is none.

        >>> Sequential([Flatten(input_shape=(2, 2)), Dense(3, name="top")]).get_layer("top").units
        3
        """
        if (name is None) == (index is None):
            raise ValueError("Give `name` or `index` of the layer, one of the two.")
        if index is not None:
            return self.layers[arguments.axis("index", index, len(self.layers))]
        for layer in self.layers:
            if layer.name == name:
                return layer
        names = [layer.name for layer in self.layers]
        raise ValueError(
            f"No layer is called {name!r}.{arguments.alike(name, names)} There are: {', '.join(names)[:500]}."
        )

    # As a layer.

    def call(self, f: Any, inputs: Any, *, mask: Any = None) -> Any:
        """Compute with the operations of `f`, layer by layer; a `mask` is that of `inputs`."""
        inputs = inputs if mask is None else masked(inputs, mask)
        values = Values(zip(self.inputs, flatten(inputs), strict=True))
        for node in self._graph_nodes:
            if not values.has(node):
                label_steps(f, compute_node(f, node, values), node.layer.name)
        return values.in_place(self._output_structure)

    def build(self, input_shape: Any = None) -> None:
        """Create the weights of a class with its own `call`. A model made of symbolic tensors is built already."""
        if self._own_call is not None:
            if input_shape is None:
                raise ValueError(
                    f"`input_shape` of model '{self.name}' must be a tuple, or a list or dict of them. Received: None."
                )
            self._record((map_shapes(KerasTensor, input_shape),), {})

    def _build_for(self, args: tuple[Any, ...], kwargs: Any) -> None:
        if self._own_call is None or type(self).build is not Model.build:
            super()._build_for(args, kwargs)
        if self._own_call is not None:
            self._build_and_record(args, kwargs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Shape of the output for `input_shape`, or the structure of shapes where there are several outputs."""
        given = flatten(map_shapes(KerasTensor, input_shape))
        if len(given) != len(self.inputs):
            words = f"be the shapes of {len(self.inputs)} inputs" if len(self.inputs) > 1 else "be one shape"
            raise ValueError(arguments.must("input_shape", words, input_shape))
        shapes = [tensor.shape for tensor in given]
        if shapes == [tensor.shape for tensor in self.inputs]:
            return shape_of(self._output_structure)
        made = self._shapes.get(repr(shapes))
        if made is None:
            values = Values(zip(self.inputs, given, strict=True))
            infer_shapes(self._graph_nodes, values)
            made = self._shapes[repr(shapes)] = shape_of(values.in_place(self._output_structure))
        return made

    # Computing.

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: None = None,
    ) -> Any:
        """Return the network's output for all images of `x`, computed in batches.

        x: array (n, h, w, c), any real dtype; a list or dict of arrays for several inputs; or an iterable of batches.
        batch_size: images per batch, default 32. It bounds memory; it does not change a bit of the result.
        verbose: "auto" shows a progress bar on a terminal when the work lasts; 1 also elsewhere, 0 never.
        steps: the number of batches to take, of an iterable that does not end for instance.
        callbacks: Keras's word; none is called here, and giving any is a ValueError.
        Returns float32 arrays in the structure of the model's outputs. Ctrl-C stops within 0.2 s. Raises ValueError
        for shapes that do not fit, TypeError for arrays that are not real.

            >>> model = Sequential([Conv2D(8, 3, input_shape=(32, 32, 3)), GlobalAveragePooling2D()])
            >>> model.predict(np.zeros((50, 32, 32, 3)), batch_size=16).shape
            (50, 8)
        """
        check_predict_words(verbose, callbacks)
        most = arguments.LARGEST_STEP
        size = 32 if batch_size is None else arguments.integer("batch_size", batch_size, high=most)
        run = self._compiled_call(x) if steps is None else None
        if run is not None and len(x) <= size:
            return run(x)
        if steps is not None:
            arguments.integer("steps", steps)
        if is_batches(x):
            return self._predict_batches(x, verbose, steps)
        arrays = self._arrays(x)
        count = len(arrays[0]) if steps is None else min(len(arrays[0]), size * steps)
        if count <= size:
            return self._packed(self._run([a[:count] for a in arrays]))
        program = self._program(arrays)
        if isinstance(program, TracedBatches):
            batches = ([a[piece] for a in arrays] for piece in pieces(count, size))
            return self._packed(concatenated([self._run(batch) for batch in batches]))
        made = [np.empty((count, *y.shape[1:]), np.float32) for y in program.outputs]
        with closing(Progress(count, verbose)) as progress:
            for piece in pieces(count, size):
                batch = [arguments.array("x", a[piece]) for a in arrays]
                program.run(batch, [out[piece] for out in made])
                progress.advance(piece.stop - piece.start)
        return self._packed(made)

    def predict_on_batch(self, x: Any) -> Any:
        """Return the network's output for one batch, as a call of the model does.

        >>> Sequential([Dense(3, input_shape=(2,))]).predict_on_batch(np.zeros((4, 2))).shape
        (4, 3)
        """
        run = self._compiled_call(x)
        return self._packed(self._run(self._arrays(x))) if run is None else run(x)

    def _first_call(self, x: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if is_symbolic(x, *args, **kwargs):
            return super()._first_call(x, args, kwargs)
        if kwargs.get("mask") is not None and self._own_call is None:
            raise TypeError(
                f"Model '{self.name}' takes no mask of arrays: put Masking or Embedding(mask_zero=True) into it. "
                f"Received: {arguments.shown(tuple(kwargs.items()))}."
            )
        return self._packed(self._run(self._arrays(x, args, kwargs)))

    def __getattr__(self, name: str) -> Any:
        if name in ABSENT_METHODS:
            raise AttributeError(f"Model '{self.name}' has no {name}(): {ABSENT_METHODS[name]}.")
        if name in ABSENT_ATTRIBUTES:
            raise AttributeError(f"Model '{self.name}' has no {name}: {ABSENT_ATTRIBUTES[name]}.")
        return super().__getattr__(name)

    def _predict_batches(self, x: Iterable[Any], verbose: Any, steps: int | None) -> Any:
        total = count_of(x) if steps is None else steps
        parts: list[list[np.ndarray]] = []
        with closing(Progress(total, verbose, "batch")) as progress:
            for batch in islice(each_batch(x), steps):
                parts.append(self._run(self._arrays(features(batch))))
                progress.advance(1)
        if not parts:
            raise ValueError("`x` must hold at least one batch. Received: an iterable without any.")
        return self._packed(concatenated(parts))

    def _arrays(self, x: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> list[np.ndarray]:
        """The inputs as arrays of any real dtype, their shapes checked."""
        if self._own_call is not None:
            return self._arrays_in_form((x, *args), kwargs or {})
        if not self.built:
            raise ValueError(
                f"Model '{self.name}' has no inputs and outputs: make it with Model(inputs, outputs), or define "
                f"call(self, inputs) in {type(self).__name__}."
            )
        names = self.input_names
        words = names if len(names) > 1 else ["x"]
        given = arrange(x, names, self._input_structure, [t.ndim for t in self.inputs])
        arrays = [
            fit_shape(name, as_array(name, value), tensor.shape, self._takes)
            for name, value, tensor in zip(words, given, self.inputs, strict=True)
        ]
        batch_count(names, arrays)
        return arrays

    def _takes(self, shape: Any) -> bool:
        """Whether images of another `shape` than the input's are computed too."""
        return False

    def _run(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The outputs for one batch. The next batch of its shape is one native call, where a plain array is taken."""
        found = self._program(arrays)
        program = found.of(len(arrays[0]))
        made = program.run([arguments.array("x", array) for array in arrays])
        # What a float32 array may skip, the check of its dtype too, was done for one.
        plain = len(arrays) == 1 and arrays[0].dtype == arguments.FLOAT32
        if plain and len(arrays[0]) and not isinstance(self._form[0][0], dict):
            executable = program.executable(len(arrays[0]), is_exact())
            plain_answer = isinstance(self._answer, KerasTensor)
            run = executable if plain_answer else lambda x: self._packed(executable.run([x]))
            with _LOCK:
                if found in self._programs.values():  # else the weights have changed meanwhile
                    self._calls[arrays[0].shape, is_exact()] = run
        return made

    def _packed(self, outputs: list[np.ndarray]) -> Any:
        return pack(self._answer, outputs)

    def _program(self, arrays: Sequence[np.ndarray]) -> Traced | TracedBatches:
        """The program for the image shapes of `arrays`, traced when they are met for the first time."""
        return self._program_for(tuple(array.shape[1:] for array in arrays))

    def _program_for(self, shapes: tuple[tuple[int, ...], ...]) -> Traced | TracedBatches:
        if weights_epoch() != self._epoch or self._compiled_for is None:
            self._drop_outdated()
        program = self._programs.get(shapes)
        if program is None:
            with _LOCK:
                programs = self._programs  # while layers are traced, _forget may begin another
                program = programs.get(shapes)
                if program is None:
                    share = next(reversed(programs.values()), None)
                    program = self._new_program(shapes, self._choices, share)
                    if len(programs) == _IMAGE_SHAPES_KEPT:  # the oldest goes, and the calls that may hold it
                        self._calls.clear()
                    programs[shapes] = program
        return program

    def _new_program(
        self, shapes: tuple[tuple[int, ...], ...], choices: dict[str, str], share: Any = None
    ) -> Traced | TracedBatches:
        places = [KerasTensor((1, *shape)) for shape in shapes]
        sizes = [place.shape for place in places]

        def traced(batch: int | None, share: Any) -> Traced:
            with other_reads() as others:
                made = Traced(self._trace, places, sizes, share, choices, batch)
            self._reads_others = self._reads_others or bool(others)
            return made

        return traced_by_image(lambda *how: computed_with(self.weights, lambda: traced(*how)), share)

    def _drop_outdated(self) -> None:
        """Somewhere weights or settings changed: drop what was compiled if they are this model's."""
        with _LOCK, held_together(self.weights) as (epoch, values):
            made_of, known = [*values, *self._all_settings()], self._compiled_for
            if known is None or self._reads_others or [*map(id, known)] != [*map(id, made_of)]:
                self._forget()
            self._compiled_for, self._epoch = made_of, epoch

    def _trace(self, f: Any, inputs: list[Any]) -> list[Any]:
        for value, tensor in zip(inputs, self._places, strict=True):
            label_steps(f, value, tensor.name)
        args, kwargs = filled(self._form, inputs)
        return flatten(self.call(f, *args, **kwargs))

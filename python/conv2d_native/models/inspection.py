"""What a model tells about itself: summary, explanation, profile, picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import arguments
from ..functional import Explanation
from ..graph import TracedBatches, is_exact
from ..layers.base import Layer
from .picture import save_picture, to_dot
from .profiling import Profile, timed_nodes
from .summary import readable_bytes, summarize


class Inspection(Layer):
    """The part of Model that looks inside it."""

    _places: Any
    _arrays: Callable[[Any], list[Any]]
    _program: Callable[[Any], Any]
    _program_for: Callable[[Any], Any]
    _programs: Any
    _structure: Callable[[str], Any]
    inputs: list[Any]
    outputs: list[Any]
    compiled: bool = False  # Keras's word: nothing is trained here

    @property
    def input_names(self) -> list[str]:
        """Names of the inputs in the order of `inputs`: the keys of a dict of tensors, else the names of the layers."""
        structure = self._structure("input_names")
        by_key = isinstance(structure, dict) and all(hasattr(value, "shape") for value in structure.values())
        return sorted(structure) if by_key else [tensor.name for tensor in self.inputs]

    @property
    def output_names(self) -> list[str]:
        """Names of the layers that make the outputs, in the order of `outputs`."""
        self._structure("output_names")
        return [tensor.name for tensor in self.outputs]

    def summary(
        self,
        line_length: int | None = None,
        positions: None = None,
        print_fn: Callable[[str], Any] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Sequence[str] | None = None,
    ) -> None:
        """Print layers, output shapes, parameters, and the memory that one image takes where images are computed apart.

        line_length: columns of the table. positions: Keras's word; the columns here are as wide as they must be.
        print_fn: gets the table as one text instead. expand_nested: list the layers of nested models too.
        show_trainable: add a column. layer_range: names, or regular expressions that they start with, of the first and
        the last layer to list. Raises ValueError for a line_length below 40 and a layer_range that no layer matches.

            >>> Sequential([Dense(2, input_shape=(3,))], name="small").summary()  # doctest: +ELLIPSIS
            Model: "small"
            ...
             Total params: 8 (32.00 B)
            ...
        """
        shapes, memory = self._own_shapes(), None
        if shapes is not None and not isinstance(self._program_for(shapes), TracedBatches):
            executable = self._executable(shapes, 1)
            memory = f"Memory for one image: {readable_bytes(executable.arena_bytes)}"
        summarize(self, line_length, print_fn, expand_nested, show_trainable, memory, layer_range)

    def explain(self, x: Any = None, optimize: bool = True) -> Explanation:
        """What every step of the compiled graph runs: operation, problem, algorithm; after fusion.

        x: a batch, whose shapes count; default one image of the model's own shape, or the shapes met last.
        optimize: False shows the graph as the layers describe it, nothing fused.
        Raises ValueError where the image shape is not known yet.

            >>> model = Sequential([Conv2D(8, 3, input_shape=(8, 8, 3)), ReLU()])
            >>> len(model.explain()), len(model.explain(optimize=False))
            (1, 2)
        """
        optimize = arguments.flag("optimize", optimize)
        arrays = None if x is None else self._arrays(x)
        shapes = self._known_shapes() if arrays is None else tuple(a.shape[1:] for a in arrays)
        executable = self._executable(shapes, len(arrays[0]) if arrays else 1, optimize)
        return Explanation(f"{self.name} for images of {', '.join(map(str, shapes))}", executable.nodes)

    def profile(self, x: Any, repeats: int = 5) -> Profile:
        """Run a batch `repeats` times and return the median time of every step: `print` it, or save_trace(path).

        Steps are separated by barriers here, so that the sum is a little above the time of a plain call. Raises
        ValueError and TypeError for `x` as predict does.

            >>> model = Sequential([Conv2D(8, 3, input_shape=(8, 8, 3), name="conv"), Flatten()])
            >>> model.profile(np.zeros((1, 8, 8, 3)), repeats=1).rows[0]["name"]
            'conv'
        """
        arrays = [arguments.array("x", array) for array in self._arrays(x)]
        n = len(arrays[0])
        executable = self._program(arrays).of(n).executable(n, is_exact())
        nodes = timed_nodes(executable, arrays, arguments.integer("repeats", repeats))
        return Profile(f"{self.name}, batch of {n}, medians of {repeats} calls", nodes)

    def to_dot(self) -> str:
        """Return the graph as text in DOT, Graphviz's language.

        >>> Sequential([Dense(3, input_shape=(2,))]).to_dot().split()[0]
        'digraph'
        """
        return to_dot(self)

    def save_picture(self, path: Any) -> None:
        """Write the graph as a picture: .dot, or .svg, .png and .pdf where Graphviz's `dot` is installed.

        Raises TypeError for what is no path, ValueError for other endings, OSError where `dot` is not installed or
        fails.

            >>> Sequential([Dense(3, input_shape=(2,))]).save_picture("model.dot")
        """
        save_picture(self, path)

    def _own_shapes(self) -> tuple[Any, ...] | None:
        """The shapes of one image of each input; None where sizes, or what a call of the class takes, are not known."""
        shapes = tuple(tensor.shape[1:] for tensor in self._places)
        known = self.built and self._form is not None and not any(None in shape for shape in shapes)
        return shapes if known else None

    def _known_shapes(self) -> tuple[Any, ...]:
        """The model's own shapes, or those met last."""
        shapes = self._own_shapes()
        if shapes is None and self.built and self._programs:
            shapes = next(reversed(self._programs))
        if shapes is None:
            raise ValueError(
                f"Model '{self.name}' takes images of any size: call its explain(x), or predict first."
            )
        return shapes

    def _executable(self, shapes: tuple[tuple[int, ...], ...], n: int, optimize: bool = True) -> Any:
        program = self._program_for(shapes).of(n)
        if optimize:
            return program.executable(n, is_exact())
        return program.builder.compile(program.outputs, n, is_exact(), optimize=False)

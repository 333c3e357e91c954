"""Layers of the user's that were written for Keras: `call(self, x)` instead of `call(self, f, x)`.

Such a call is run on symbolic tensors. It records nodes, of operations and of layers in it, which are then computed
with the operations of `f`. The nodes are taken off the layers again: they belong to no model.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..graph import GraphBuilder, Tensor
from ..shapes import PROBES, follows_probes, probed_sizes
from ..structure import flatten, map_structure, pack
from .any_batch import call_given, for_every_image
from .assigned_in_call import recorded_assignments
from .building import undone_where_it_fails
from .call_arguments import NOT_GIVEN, arranged, shape_of
from .names import operations_counted_apart, path_of
from .symbolic import (
    KerasTensor,
    Node,
    NodeLayer,
    Values,
    all_symbolic,
    compute_node,
    inbound_nodes,
    is_symbolic,
    label_steps,
    map_shapes,
    symbolic_leaves,
)
from .variable import held_together
from .weights import WeightOwner, attribute_layers


def adapt_call(cls: Any) -> None:
    """Let the `call` that `cls` defines, if any, be computed and be recorded.

    One that was written for Keras, call(self, x, ...), is run on symbolic tensors: call(self, f, x, ...) is put in its
    place, and output shapes and layers inside are found. One with `f`, called on symbolic tensors as super().call(x) in
    a subclass, records a node of it.
    """
    own = vars(cls).get("call")
    if not inspect.isfunction(own):
        return
    if own.__code__.co_varnames[1:2] == ("f",) or [*inspect.signature(own).parameters][1:2] == ["f"]:
        cls.call, cls._own_call = _open_to_recording(cls, own), None
        return
    cls.call, cls._own_call = _computed_by_nodes(own), staticmethod(own)
    if "compute_output_shape" not in vars(cls):
        cls.compute_output_shape, cls.compute_output_spec = _found_by_recording(own)
    if "named_sublayers" not in vars(cls) and not cls._names_steps:
        cls.named_sublayers = attribute_layers
        cls._stored_sublayers, cls._sublayers_in_config = WeightOwner._stored_sublayers, False


def _computed_by_nodes(own: Callable[..., Any]) -> Callable[..., Any]:
    """call(self, f, x, ...) that computes the nodes which `own`, call(self, x, ...), records."""

    @functools.wraps(own)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        if is_symbolic(args, kwargs):  # super().call(x) of a subclass, which is recorded
            return _run(self, own, args, kwargs)
        f, given = args[0], (args[1:], kwargs)
        # Weights and, in a graph, arrays are constants.
        kind = Tensor if isinstance(f, GraphBuilder) else np.ndarray
        places = map_structure(lambda value: of_any_batch(value) if isinstance(value, kind) else value, given)
        recorded = record_call(self, own, *places)
        return recorded.computed(f, given, self._names_steps)

    return call


def _found_by_recording(own: Callable[..., Any]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """compute_output_shape and compute_output_spec of a class with this call(self, x, ...)."""

    def compute_output_shape(self: Any, *input_shape: Any) -> Any:
        """The shape of what call returns."""
        places = [map_shapes(KerasTensor, shape) for shape in input_shape]
        return shape_of(_outputs(self, own, places, {}))

    def compute_output_spec(self: Any, *args: Any, **kwargs: Any) -> Any:
        """The symbolic tensors that a call with these makes; nothing is recorded."""
        made = _outputs(self, own, args, kwargs)
        return map_structure(
            lambda tensor: KerasTensor(tensor.shape, self.name, along_batch=tensor.along_batch), made
        )

    return compute_output_shape, compute_output_spec


def _outputs(layer: Any, own: Callable[..., Any], args: Any, kwargs: Mapping[str, Any]) -> Any:
    """What `own` returns for symbolic tensors. Where it computes with sizes that are not known, PROBES stand for them.

    Weights that would be made for those sizes fit one probe alone: the error of the sizes not known is raised then.
    """
    try:
        return record_call(layer, own, args, kwargs).made
    except (TypeError, ValueError) as error:
        if all(None not in tensor.shape[1:] for tensor in symbolic_leaves((args, kwargs))):
            raise
        tried = [map_structure(functools.partial(_sized, probe), (args, kwargs)) for probe in PROBES]
        try:
            with undone_where_it_fails(layer):
                made, other = (record_call(layer, own, *given).made for given in tried)
                first, second = ([tensor.shape for tensor in flatten(x)] for x in (made, other))
                return pack(made, [KerasTensor(shape) for shape in follows_probes(first, second)])
        except (TypeError, ValueError):
            raise error from None


@dataclass(frozen=True)
class Recorded:
    """What a function of the user's did: the tensors it was given, what it returned, the nodes between, in order."""

    places: Any
    made: Any
    nodes: list[Node]

    def computed(self, f: Any, given: Any, labelled: bool = False) -> Any:
        """The same made of `given` with the operations of `f`; `labelled`: steps have the names of their layers."""
        known = zip(flatten(self.places), flatten(given), strict=True)
        values = Values((place, value) for place, value in known if isinstance(place, KerasTensor))
        for node in self.nodes:
            made = compute_node(f, node, values)
            if labelled:
                label_steps(f, made, node.layer.name)
        return values.in_place(self.made)


@contextmanager
def _recording(places: Any) -> Iterator[None]:
    """Within it, code of the user's runs on the symbolic tensors in `places`."""
    # Settings that it assigns are not new ones; Keras names no operation in a layer's call.
    with held_together(()), recorded_assignments(), operations_counted_apart(), call_given(places):
        yield


def record_function(function: Callable[[Any], Any], given: Any) -> Recorded | None:
    """What `function` does with symbolic tensors in place of `given`. No layer lists the nodes afterwards.

    None where it does not take them: it computes with NumPy, asks for values, or mixes the images of a batch.
    """
    places = map_structure(of_any_batch, given)
    try:
        with _recording(places):
            made = function(places)
        if not all_symbolic(made):
            return None
        recorded = Recorded(places, made, _taken_off(made, places))
        return None if any(tensor.along_batch for tensor in flatten(made)) else recorded
    except Exception:  # whatever is wrong with it, the function says so itself when it is run on arrays
        return None


def mixes_images(results: Callable[..., list[np.ndarray]], shapes: Sequence[Any]) -> bool:
    """Whether `results` makes something else of two images of random numbers than of each alone.

    Where it refuses such numbers it says so itself once it meets them, and is taken as one that does not.
    """
    rng = np.random.default_rng(0)
    pairs = [rng.random((2, *sizes), np.float32) for sizes in shapes]
    try:
        together, *alone = (results(*(a[part] for a in pairs)) for part in (slice(2), slice(1), slice(1, 2)))
        apart = [np.concatenate(parts) for parts in zip(*alone, strict=True)]
        return not all(np.allclose(*both, equal_nan=True) for both in zip(together, apart, strict=True))
    except Exception:
        return False


def record_call(layer: Any, own: Callable[..., Any], args: Any, kwargs: Mapping[str, Any]) -> Recorded:
    """Run `own` on new symbolic tensors of the shapes of those that are given. No layer lists the nodes afterwards."""
    places = map_structure(_place, (args, kwargs))
    try:
        with path_of(layer), _recording(places):
            made = map_structure(for_every_image, _run(layer, own, *places))
    except (TypeError, AttributeError) as error:
        if "KerasTensor" not in str(error):
            raise
        raise TypeError(
            f"call() of layer '{layer.name}' gets symbolic tensors: compute with conv2d_native.ops. {error}"
        ) from error
    if not all_symbolic(made):
        raise TypeError(
            f"call() of layer '{layer.name}' must return what operators, conv2d_native.ops and layers make of `x`, or "
            f"weights with a batch of 1. It returned {type(made).__name__}."
        )
    return Recorded(places, made, _taken_off(made, places))


def record_mask(layer: Any, inputs: Any, mask: Any) -> Any:
    """What layer.compute_mask makes of values of a graph."""
    given = (inputs, mask)
    places = map_structure(of_any_batch, given)
    with path_of(layer), _recording(places):
        made = layer.compute_mask(*places)
    nodes = _taken_off(symbolic_leaves(made), places)
    f = next(leaf for leaf in flatten(given) if isinstance(leaf, Tensor)).builder
    return Recorded(places, made, nodes).computed(f, given)


def _run(layer: Any, own: Callable[..., Any], args: Any, kwargs: Mapping[str, Any]) -> Any:
    """What `own` makes of symbolic tensors; `training` is False unless it is given."""
    words = inspect.signature(own)
    given = words.bind_partial(layer, *args, **kwargs).arguments
    inference = {"training": False} if "training" in words.parameters and "training" not in given else {}
    return own(layer, *args, **kwargs, **inference)


class InheritedCall(NodeLayer):
    """The `call` of a parent class, computed with the layer itself."""

    def __init__(self, layer: Any, parent_call: Callable[..., Any]) -> None:
        self.layer, self.parent_call, self.name = layer, parent_call, layer.name
        self.weights = self._variables = layer.weights

    def call(self, f: Any, *args: Any, **kwargs: Any) -> Any:
        """Compute with the operations of `f`."""
        return self.parent_call(self.layer, f, *args, **kwargs)


def _open_to_recording(cls: Any, own: Callable[..., Any]) -> Callable[..., Any]:
    """call(self, f, x) of `cls`, which records a node where it is called on symbolic tensors, without `f`."""

    @functools.wraps(own)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not is_symbolic(args, kwargs):
            return own(self, *args, **kwargs)
        x = args[0] if args else NOT_GIVEN
        args, kwargs = arranged(self, cls, x, args[1:], kwargs)
        shape = cls.compute_output_shape(self, shape_of(args[0]))
        outputs = map_shapes(lambda size: KerasTensor(size, name=self.name), shape)
        Node(InheritedCall(self, own), args, kwargs, outputs)
        return outputs

    return call


def of_any_batch(value: Any) -> Any:
    """A symbolic tensor in place of a value that is computed; constants as they are.

    Its batch is of any size, but where the value was made along that axis or belongs to a graph of a whole batch.
    """
    if not hasattr(value, "shape"):
        return value
    if isinstance(value, Tensor) and value.builder.batch is not None:
        return KerasTensor(value.batch_shape, along_batch=True)
    if getattr(value, "along_batch", False):
        return KerasTensor(value.shape, along_batch=True)
    return KerasTensor((None, *value.shape[1:]))


def _place(value: Any) -> Any:
    """A new symbolic tensor, of a batch of any size, in place of one that is given; constants as they are."""
    return of_any_batch(value) if isinstance(value, KerasTensor) else value


def _sized(probe: tuple[int, int], value: Any) -> Any:
    """A symbolic tensor with the sizes of `probe` in place of those not known; constants as they are."""
    if not isinstance(value, KerasTensor):
        return value
    return KerasTensor((value.shape[0], *probed_sizes(value.shape, probe)))


def _taken_off(made: Any, places: Any) -> list[Node]:
    """The nodes that lead from `places` to `made`, in an order that can be computed; no layer lists them any more.

    Raises ValueError, with nothing changed, where a tensor from elsewhere is among what they compute with.
    """
    nodes: list[Node] = []
    known = set(map(id, symbolic_leaves(places)))
    pending = [(tensor, False) for tensor in flatten(made)]
    met: set[int] = set()
    while pending:
        tensor, done = pending.pop()
        node = tensor.node
        if done:
            nodes.append(node)
        elif id(tensor) not in known and (node is None or not node.inputs):
            raise ValueError(f"A call computes with {tensor!r}, which it was not given: make it an argument.")
        elif node is not None and id(node) not in met:
            met.add(id(node))
            pending += [(tensor, True), *((tensor, False) for tensor in node.inputs)]
    for node in nodes:
        inbound_nodes(node.layer).remove(node)
    return nodes

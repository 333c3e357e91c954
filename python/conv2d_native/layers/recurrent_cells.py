"""Cells: what recurrent layers compute in one step. SimpleRNNCell, LSTMCell, GRUCell.

A cell of this package is one description: `projected`, what becomes of the inputs of all steps in one matrix product,
and `step`, its gates. Calls of the cell itself and the loop of a recurrent layer are both made of these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from .. import arguments
from ..initializers import Initializer, Ones
from ..structure import map_structure
from .recorded_activation import layer_activation, through
from .registry import register_layer
from .symbolic import KerasTensor
from .weighted import Weighted


def own_words(names: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a constructor, out of its locals()."""
    own = {word: value for word, value in names.items() if word not in ("self", "kwargs", "__class__")}
    return own | names["kwargs"]


class RecurrentCell(Weighted):
    """The base of this package's cells. Weights: kernel (inputs, gates * units), recurrent_kernel, bias.

    The first of the states is the output. A subclass says how many gates and states there are, and defines `step`.
    """

    gates, state_count = 1, 1
    input_rank = 2

    def __init__(
        self,
        units: int,
        activation: Any,
        use_bias: Any,
        kernel_initializer: Any,
        recurrent_initializer: Any,
        bias_initializer: Any,
        kernel_regularizer: Any,
        recurrent_regularizer: Any,
        bias_regularizer: Any,
        kernel_constraint: Any,
        recurrent_constraint: Any,
        bias_constraint: Any,
        dropout: float,
        recurrent_dropout: float,
        seed: Any,
        recurrent_activation: Any = None,
        **kwargs: Any,
    ) -> None:
        kwargs.pop("implementation", None)  # ways to compute the same
        super().__init__(**kwargs)
        self.units = arguments.integer("units", units)
        self.declare_bias(activation, use_bias, bias_initializer, bias_regularizer, bias_constraint)
        self.recurrent_activation = layer_activation(recurrent_activation, "recurrent_activation")
        self.declare_weight("kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        self.declare_weight("recurrent", recurrent_initializer, recurrent_regularizer, recurrent_constraint)
        self.dropout = min(1.0, arguments.number("dropout", dropout, 0))
        self.recurrent_dropout = min(1.0, arguments.number("recurrent_dropout", recurrent_dropout, 0))
        self.seed = seed

    @property
    def state_size(self) -> Any:
        """The number of entries of each state: an int where there is one, else a list."""
        return self.units if self.state_count == 1 else [self.units] * self.state_count

    @property
    def output_size(self) -> int:
        """The number of entries of the output."""
        return self.units

    def state_shape(self, input_shape: Any) -> tuple[Any, ...]:
        """The shape of the output, and of every state, without the batch."""
        return tuple(self.compute_output_shape(input_shape)[1:])

    def get_initial_state(self, batch_size: int | None = None) -> list[np.ndarray]:
        """Return the states that sequences begin with: zeros (batch_size, units), a list of one for each.

        >>> [state.shape for state in LSTMCell(3).get_initial_state(2)]
        [(2, 3), (2, 3)]
        """
        size = arguments.integer("batch_size", batch_size, 0)
        return [np.zeros((size, self.units), np.float32) for _ in range(self.state_count)]

    def build(self, input_shape: Any) -> None:
        """Create `kernel`, `recurrent_kernel` and `bias`."""
        inputs, width = input_shape[-1], self.gates * self.units
        if inputs is None:
            raise ValueError(
                f"The last dimension of the inputs of layer '{self.name}' must be defined. "
                f"Received: input_shape={input_shape}."
            )
        self.kernel = self.make_weight("kernel", (inputs, width))
        self.recurrent_kernel = self.make_weight("recurrent_kernel", (self.units, width), "recurrent")
        self.bias = self.make_weight("bias", self.bias_shape) if self.use_bias else None
        self._sizes_by_axis = {-1: inputs}

    @property
    def bias_shape(self) -> tuple[int, ...]:
        """The shape of `bias`."""
        return (self.gates * self.units,)

    def projected(self, f: Any, x: Any) -> Any:
        """What `x` (batch, ..., inputs) adds to the gates: (batch, ..., gates * units), one matrix product."""
        return f.dense(x, self.kernel.value, None if self.bias is None else self.bias.value)

    def step(self, f: Any, parts: Sequence[Any], states: Sequence[Any]) -> list[Any]:
        """The new states, after what `projected` made for each gate and the states before."""
        raise NotImplementedError

    def product(self, f: Any, state: Any, kernel: np.ndarray) -> Any:
        """What a state adds to one gate, by its part of recurrent_kernel."""
        return f.dense(state, kernel)

    def recurrent_kernels(self) -> list[np.ndarray]:
        """The part of recurrent_kernel for each gate, (units, units)."""
        return [*map(np.ascontiguousarray, np.split(self.recurrent_kernel.value, self.gates, axis=-1))]

    def call(self, f: Any, inputs: Any, states: Any) -> Any:  # type: ignore[override]
        """One step: (output, new states), the states in the form in which they are given, a list or one tensor."""
        z, one = self.projected(f, inputs), not isinstance(states, (list, tuple))
        ends = [(i * self.units, (self.gates - 1 - i) * self.units) for i in range(self.gates)]
        made = self.step(f, [f.crop(z, [(0, 0), widths]) for widths in ends], [states] if one else states)
        return made[0], made[0] if one else made

    def compute_output_shape(self, input_shape: Any) -> Any:
        """(batch, units)."""
        self.check_shape(input_shape)
        return (input_shape[0], self.units)

    def compute_output_spec(self, inputs: Any, states: Any, *args: Any, **kwargs: Any) -> Any:
        """The symbolic tensors that a call with these makes; nothing is recorded."""
        output = KerasTensor(self.compute_output_shape(inputs.shape), name=self.name)
        return output, map_structure(lambda state: KerasTensor(state.shape, name=self.name), states)


@register_layer
class SimpleRNNCell(RecurrentCell):
    """One step of SimpleRNN: the output is activation(x kernel + output recurrent_kernel + bias).

    Arguments and weights are those of SimpleRNN. Called on x (batch, inputs) and the states, [output (batch, units)];
    returns the output and the list of new states.

        >>> output, states = SimpleRNNCell(3)(np.ones((2, 5)), [np.zeros((2, 3))])
        >>> output.shape, len(states)
        ((2, 3), 1)
    """

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**own_words(locals()))

    def step(self, f: Any, parts: Sequence[Any], states: Sequence[Any]) -> list[Any]:
        """One gate."""
        z = f.add(f.dense(states[0], self.recurrent_kernel.value), parts[0])
        return [through(f, self.activation, z)]


class _ForgetBias(Initializer):
    """The values of `rest` with ones for the second of four gates, LSTM's gate that forgets."""

    def __init__(self, rest: Any) -> None:
        self.rest = rest

    def draw(self, shape: tuple[int, ...]) -> np.ndarray:
        units = shape[0] // 4
        parts = [(self.rest, 1), (Ones(), 1), (self.rest, 2)]
        return np.concatenate([np.asarray(make((count * units,))) for make, count in parts])


@register_layer
class LSTMCell(RecurrentCell):
    """One step of LSTM, with gates in the order input, forget, candidate, output.

    Arguments and weights are those of LSTM. Called on x (batch, inputs) and the states, [output, carry], both
    (batch, units); returns the output and the list of new states.

        >>> output, states = LSTMCell(3)(np.ones((2, 5)), [np.zeros((2, 3)), np.zeros((2, 3))])
        >>> output.shape, len(states)
        ((2, 3), 2)
    """

    gates, state_count = 4, 2

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: Any = None,
        **kwargs: Any,
    ) -> None:
        words = own_words(locals())
        forget = words.pop("unit_forget_bias")
        super().__init__(**words)
        self.unit_forget_bias = arguments.flag("unit_forget_bias", forget)

    def make_weight(self, name: str, shape: Any, kind: str = "", trainable: bool = True) -> Any:
        """Add weight `name`; the bias has ones for the gate that forgets where unit_forget_bias says so."""
        made = super().make_weight(name, shape, kind, trainable)
        if name == "bias" and self.unit_forget_bias:
            made.initializer = _ForgetBias(made.initializer)
        return made

    def step(self, f: Any, parts: Sequence[Any], states: Sequence[Any]) -> list[Any]:
        """Four gates."""
        opened = partial(through, f, self.recurrent_activation)
        shown = partial(through, f, self.activation)
        sums = zip(self.recurrent_kernels(), parts, strict=True)
        i, forget, candidate, o = (f.add(self.product(f, states[0], kernel), part) for kernel, part in sums)
        kept = f.multiply(opened(forget), states[1])
        carry = f.add(kept, f.multiply(opened(i), shown(candidate)))
        return [f.multiply(opened(o), shown(carry)), carry]


@register_layer
class GRUCell(RecurrentCell):
    """One step of GRU, with gates in the order update, reset, candidate.

    Arguments and weights are those of GRU. Called on x (batch, inputs) and the states, [output (batch, units)]; returns
    the output and the list of new states.

        >>> output, states = GRUCell(3)(np.ones((2, 5)), [np.zeros((2, 3))])
        >>> output.shape, len(states)
        ((2, 3), 1)
    """

    gates = 3

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        reset_after: bool = True,
        seed: Any = None,
        **kwargs: Any,
    ) -> None:
        words = own_words(locals())
        after = words.pop("reset_after")
        super().__init__(**words)
        self.reset_after = arguments.flag("reset_after", after)

    @property
    def bias_shape(self) -> tuple[int, ...]:
        """One row for the inputs; with reset_after another for the recurrent products."""
        width = self.gates * self.units
        return (2, width) if self.reset_after else (width,)

    def projected(self, f: Any, x: Any) -> Any:
        """What `x` adds to the gates, with the inputs' row of the bias."""
        bias = None if self.bias is None else self.bias.value
        return f.dense(x, self.kernel.value, bias if bias is None or not self.reset_after else bias[0])

    def step(self, f: Any, parts: Sequence[Any], states: Sequence[Any]) -> list[Any]:
        """Three gates; the reset gate acts after the recurrent product of the candidate, or before it."""
        output, kernels = states[0], self.recurrent_kernels()
        bias = self.bias if self.reset_after else None
        biases: list[Any] = [None] * 3 if bias is None else np.split(bias.value[1], 3)
        products = [partial(f.dense, kernel=k, bias=b) for k, b in zip(kernels, biases, strict=True)]
        update, reset = (
            through(f, self.recurrent_activation, f.add(product(output), part))
            for product, part in zip(products[:2], parts[:2], strict=True)
        )
        after = self.reset_after
        inner = f.multiply(reset, products[2](output)) if after else products[2](f.multiply(reset, output))
        candidate = through(f, self.activation, f.add(inner, parts[2]))
        return [f.add(f.multiply(update, output), f.multiply(f.subtract(1.0, update), candidate))]

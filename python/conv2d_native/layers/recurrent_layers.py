"""SimpleRNN, LSTM and GRU: each RNN around a cell that it makes itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import arguments
from ..formats.dialect import ACTIVATION_WORDS
from .configuration import constructor_words, serialized, unexpected_argument
from .recurrent import RNN
from .recurrent_cells import GRUCell, LSTMCell, SimpleRNNCell, own_words
from .registry import register_layer
from .weights import sorted_groups


class OfOneCell(RNN):
    """RNN around a new cell, whose arguments are arguments and attributes of this layer."""

    def __init__(self, cell_class: Any, cell_name: str, words: dict[str, Any]) -> None:
        if "cell" in words:
            raise unexpected_argument(type(self), "cell")
        own = {word: words.pop(word) for word in constructor_words(cell_class)}
        own |= {word: words[word] for word in ("dtype", "trainable") if word in words}
        words.pop("implementation", None)  # ways to compute the same, as is use_cudnn
        self.use_cudnn = words.pop("use_cudnn", "auto")
        known = isinstance(self.use_cudnn, (str, int, np.bool_)) and self.use_cudnn in ("auto", True, False)
        if not known:
            raise ValueError(arguments.must("use_cudnn", "be 'auto', True or False", self.use_cudnn))
        super().__init__(cell_class(**own, name=cell_name), **words)

    def _stored_sublayers(self) -> list[tuple[str, Any]]:
        """The cell and, by the attributes that this layer has of it too, layers that are activations."""
        return sorted_groups([*super()._stored_sublayers(), *self.cell._stored_sublayers()])

    def get_config(self) -> dict[str, Any]:
        """Return Keras's configuration: the arguments of the layer and of its cell."""
        config = {word: value for word, value in super().get_config().items() if word != "use_cudnn"}
        for word in ACTIVATION_WORDS:
            if word not in config and word in constructor_words(type(self.cell)):
                config[word] = serialized(getattr(self.cell, word))
        config = self.cell.with_activations_built(config)
        return config | {"unroll": self.unroll, "zero_output_for_mask": self.zero_output_for_mask}


def with_cell(cell_class: Any) -> Any:
    """Class decorator: a layer around a cell of that class has its arguments as attributes, and an axis of steps."""

    def of_cell(word: str) -> property:
        return property(lambda self: getattr(self.cell, word), doc=f"`{word}` of the cell.")

    def decorate(cls: Any) -> Any:
        for word in constructor_words(cell_class):
            setattr(cls, word, of_cell(word))
        cls.input_rank = cell_class.input_rank + 1
        return cls

    return decorate


@register_layer
@with_cell(SimpleRNNCell)
class SimpleRNN(OfOneCell):
    """The output of a step is activation(x kernel + output recurrent_kernel + bias), `output` that of the step before.

    units: entries of the output. activation: a name, an activation or a function. use_bias, *_initializer,
    *_regularizer, *_constraint: as in Dense, for recurrent_kernel as recurrent_*. dropout, recurrent_dropout, seed: of
    no effect on inference. The other arguments, and `initial_state` and `mask` of a call, are those of RNN. Weights:
    kernel (inputs, units), recurrent_kernel (units, units), bias (units,). State: the output.

        >>> SimpleRNN(3)(np.ones((2, 5, 6))).shape
        (2, 3)
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
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        seed: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(SimpleRNNCell, "simple_rnn_cell", own_words(locals()))


@register_layer
@with_cell(LSTMCell)
class LSTM(OfOneCell):
    """Long short-term memory: a carry beside the output, and gates of what enters it, what stays and what is shown.

    units: entries of the output and of the carry. activation: of the candidate and of the carry; recurrent_activation:
    of the gates. use_bias, *_initializer, *_regularizer, *_constraint: as in Dense, for recurrent_kernel as
    recurrent_*. unit_forget_bias: the bias begins with ones for the gate of what stays. dropout, recurrent_dropout,
    seed, use_cudnn: of no effect on inference. The other arguments, and `initial_state` and `mask` of a call, are those
    of RNN. Weights, each with the gates input, forget, candidate, output side by side: kernel (inputs, 4 units),
    recurrent_kernel (units, 4 units), bias (4 units,). States: the output and the carry.

        >>> output, last, carry = LSTM(3, return_sequences=True, return_state=True)(np.ones((2, 5, 6)))
        >>> output.shape, last.shape, carry.shape
        ((2, 5, 3), (2, 3), (2, 3))
    """

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
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: Any = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        use_cudnn: Any = "auto",
        **kwargs: Any,
    ) -> None:
        super().__init__(LSTMCell, "lstm_cell", own_words(locals()))


@register_layer
@with_cell(GRUCell)
class GRU(OfOneCell):
    """Gated recurrent unit: an update gate between the output before and a candidate, which a reset gate has a part in.

    units: entries of the output. activation: of the candidate; recurrent_activation: of the gates. use_bias,
    *_initializer, *_regularizer, *_constraint: as in Dense, for recurrent_kernel as recurrent_*. reset_after: the reset
    gate multiplies the recurrent product of the candidate rather than the output before it. dropout, recurrent_dropout,
    seed, use_cudnn: of no effect on inference. The other arguments, and `initial_state` and `mask` of a call, are those
    of RNN. Weights, each with the gates update, reset, candidate side by side: kernel (inputs, 3 units),
    recurrent_kernel (units, 3 units), bias (2, 3 units), without reset_after (3 units,). State: the output.

        >>> GRU(3, return_sequences=True)(np.ones((2, 5, 6))).shape
        (2, 5, 3)
    """

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
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: Any = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        reset_after: bool = True,
        use_cudnn: Any = "auto",
        **kwargs: Any,
    ) -> None:
        super().__init__(GRUCell, "gru_cell", own_words(locals()))

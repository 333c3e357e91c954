"""ConvLSTM1D and ConvLSTM2D: LSTM whose products are convolutions, over the steps of films and of lines."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import arguments
from .recurrent_cells import LSTMCell, own_words
from .recurrent_layers import OfOneCell, with_cell
from .registry import register_layer
from .spatial import WeightedWindow


class ConvLSTMCell2D(WeightedWindow, LSTMCell):
    """One step of ConvLSTM2D. Weights: kernel (*kernel_size, channels, 4 filters), recurrent_kernel, bias."""

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
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
        window = [
            words.pop(word) for word in ("kernel_size", "strides", "padding", "data_format", "dilation_rate")
        ]
        super().__init__(arguments.integer("filters", words.pop("filters")), **words)
        self.filters = self.units
        self.set_window(*window)

    def build(self, input_shape: Any) -> None:
        """Create `kernel`, `recurrent_kernel` and `bias`."""
        channels, width = self.channels_of(input_shape), self.gates * self.filters
        self.window_shape(input_shape, self.filters)
        self.kernel = self.make_weight("kernel", (*self.kernel_size, channels, width))
        recurrent = (*self.kernel_size, self.filters, width)
        self.recurrent_kernel = self.make_weight("recurrent_kernel", recurrent, "recurrent")
        self.bias = self.make_weight("bias", self.bias_shape) if self.use_bias else None
        self._sizes_by_axis = {self.channel_axis: channels}

    def get_initial_state(self, batch_size: int | None = None) -> list[np.ndarray]:
        """Return zeros (batch_size, *outputs, filters) for both states, once the shape of the input is known."""
        size = arguments.integer("batch_size", batch_size, 0)
        return [
            np.zeros((size, *self.state_shape(self._build_shape)), np.float32)
            for _ in range(self.state_count)
        ]

    def projected(self, f: Any, x: Any) -> Any:
        """One convolution of all steps."""
        steps = x.shape[1]
        words = {"strides": self.on_image(self.strides), "dilation_rate": self.on_image(self.dilation_rate)}
        bias = None if self.bias is None else self.bias.value
        y = self._convolved(
            f, f.reshape(x, (-1, *x.shape[2:])), self.kernel.value, self.padding, bias, **words
        )
        return f.reshape(y, (-1, steps, *y.shape[1:]))

    def product(self, f: Any, state: Any, kernel: np.ndarray) -> Any:
        """One convolution that keeps the size."""
        return self._convolved(f, state, kernel, "same")

    def _convolved(self, f: Any, x: Any, kernel: Any, padding: str, bias: Any = None, **words: Any) -> Any:
        kernel = kernel if self.spatial == 2 else kernel[None]
        image = self.image(f, x)
        y = f.conv2d(image, kernel, bias, padding=padding, data_format=self.data_format, **words)
        return self.restored(f, y)


class ConvLSTMCell1D(ConvLSTMCell2D):
    """One step of ConvLSTM1D."""

    spatial = 1


@register_layer
@with_cell(ConvLSTMCell2D)
class ConvLSTM2D(OfOneCell):
    """LSTM over films (batch, steps, height, width, channels), whose products are convolutions.

    filters, kernel_size, strides, padding, data_format, dilation_rate: of the convolution of the inputs, as in Conv2D;
    that of the output before keeps its size. The other arguments are those of LSTM, and so are the states, each
    (batch, rows, columns, filters). Weights, each with the gates input, forget, candidate, output side by side: kernel
    (*kernel_size, channels, 4 filters), recurrent_kernel (*kernel_size, filters, 4 filters), bias (4 filters,).

        >>> ConvLSTM2D(2, 3, padding="same", return_sequences=True)(np.ones((1, 4, 8, 8, 3))).shape
        (1, 4, 8, 8, 2)
    """

    cell_class: Any = ConvLSTMCell2D

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
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
        **kwargs: Any,
    ) -> None:
        super().__init__(self.cell_class, "conv_lstm_cell", own_words(locals()))


@register_layer
@with_cell(ConvLSTMCell1D)
class ConvLSTM1D(ConvLSTM2D):
    """ConvLSTM2D for steps of lines, (batch, steps, length, channels).

    >>> ConvLSTM1D(2, 3)(np.ones((1, 4, 8, 3))).shape
    (1, 6, 2)
    """

    cell_class = ConvLSTMCell1D

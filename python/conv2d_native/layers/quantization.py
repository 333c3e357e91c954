"""Weights of 8 bits, as Keras's quantize("int8") leaves them in files of Dense and Embedding layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import arguments


@dataclass(frozen=True)
class Int8:
    """What a file says of a layer with such weights: numbers from -127 to 127 that are divided by scales.

    stored: the words of the configuration. limits, epsilon: how inputs are rounded, to numbers of 8 bits as well, each
    row with a scale of its own; limits is None where they are not.
    """

    stored: dict[str, Any]
    limits: tuple[float, float] | None
    epsilon: float

    def product(self, f: Any, x: Any, kernel: np.ndarray, scale: np.ndarray) -> Any:
        """`x` times the kernel (inputs, units), whose scale is (units,). Sums of rounded inputs are exact."""
        if self.limits is None:
            return f.dense(x, kernel / scale)
        whole = kernel.astype(np.float64)

        def multiplied(a: np.ndarray) -> np.ndarray:
            numbers, by_row = self._rounded(a)
            sums: np.ndarray = (numbers.astype(np.float64) @ whole).astype(np.float32)
            return sums / (scale * by_row)

        return f.apply(multiplied, [x], (*x.shape[:-1], len(scale)), "Int8Dense")

    def _rounded(self, a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Whole numbers within the limits, and what rows were multiplied with."""
        low, high = self.limits  # type: ignore[misc]
        largest = np.abs(a).max(axis=-1, keepdims=True)
        by_row = np.float32(high) / (largest + np.float32(self.epsilon))
        return np.clip(np.rint(a * by_row), low, high), by_row


def taken_int8(words: dict[str, Any]) -> Int8 | None:
    """The Int8 of a layer's arguments, or None; `dtype` among them becomes that of floats.

    Raises ValueError for a quantizer of inputs that is not Keras's AbsMaxQuantizer.
    """
    dtype, given = words.get("dtype"), words.get("quantization_config")
    policy = dtype.get("config") if isinstance(dtype, Mapping) else None
    is_int8 = isinstance(policy, Mapping) and dtype.get("class_name") == "QuantizedDTypePolicy"  # type: ignore[union-attr]
    if not is_int8 or policy["mode"] != "int8" or policy["source_name"] != "float32":  # type: ignore[index]
        return None
    stored = {"dtype": words.pop("dtype"), "quantization_config": words.pop("quantization_config", None)}
    facts: Any = {"class_name": "AbsMaxQuantizer", "config": {}}
    if given is not None:
        facts = given.get("config", {}).get("activation_quantizer") if isinstance(given, Mapping) else given
    if facts is None:
        return Int8(stored, None, 0.0)
    if not isinstance(facts, Mapping) or facts.get("class_name") != "AbsMaxQuantizer":
        expected = "round inputs with an AbsMaxQuantizer, or not at all"
        raise ValueError(arguments.must("quantization_config", expected, given))
    config = facts.get("config") or {}
    low, high = config.get("value_range", (-127, 127))
    limits = arguments.number("value_range", low), arguments.number("value_range", high)
    return Int8(stored, limits, arguments.number("epsilon", config.get("epsilon", 1e-7)))

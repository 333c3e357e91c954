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
            return f.dense(x, unscaled(kernel, scale))
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


def unscaled(values: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """What numbers of 8 bits stand for. Scales that are no numbers, or 0, make none, and no warning."""
    with np.errstate(all="ignore"):
        made: np.ndarray = values / scale
    return made


def taken_int8(words: dict[str, Any]) -> Int8 | None:
    """The Int8 of a layer's arguments, or None; `dtype` among them becomes that of floats.

    Raises ValueError for a quantizer of inputs that is not Keras's AbsMaxQuantizer, or not one of 8 bits.
    """
    dtype, given = words.get("dtype"), words.get("quantization_config")
    policy = dtype.get("config") if isinstance(dtype, Mapping) else None
    if not isinstance(policy, Mapping) or dtype.get("class_name") != "QuantizedDTypePolicy":  # type: ignore[union-attr]
        return None
    if (policy.get("mode"), policy.get("source_name")) != ("int8", "float32"):
        return None
    stored = {"dtype": words.pop("dtype"), "quantization_config": words.pop("quantization_config", None)}
    facts: Any = {"class_name": "AbsMaxQuantizer"}
    if given is not None:
        settings = given.get("config") if isinstance(given, Mapping) else None
        facts = settings.get("activation_quantizer") if isinstance(settings, Mapping) else given
    if facts is None:
        return Int8(stored, None, 0.0)
    config = (facts.get("config") or {}) if isinstance(facts, Mapping) else None
    if not isinstance(config, Mapping) or facts.get("class_name") != "AbsMaxQuantizer":
        expected = "round inputs with an AbsMaxQuantizer, or not at all"
        raise ValueError(arguments.must("quantization_config", expected, given))
    limits = _limits(config.get("value_range", (-127, 127)))
    return Int8(stored, limits, arguments.number("epsilon", config.get("epsilon", 1e-7), 0))


def _limits(given: Any) -> tuple[float, float]:
    pair = given if isinstance(given, (list, tuple)) else ()
    limits = tuple(arguments.number("value_range", each) for each in pair)
    if len(limits) != 2 or not -128 <= limits[0] < limits[1] <= 127:
        raise ValueError(arguments.must("value_range", "be two rising numbers from -128 to 127", given))
    return limits

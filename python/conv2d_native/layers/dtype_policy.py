"""DTypePolicy: the dtypes that Keras would compute with, by a name. Computation is float32 whatever it says.

Also Keras's places for it: `keras.mixed_precision`, `keras.dtype_policies`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import arguments
from ..named_objects import Configurable

__all__ = [
    "DTypePolicy", "FloatDTypePolicy", "Policy", "dtype_policy", "global_policy", "set_dtype_policy",
    "set_global_policy",
]  # fmt: skip
_FLOATS = ("float32", "float64", "float16", "bfloat16")
_MIXED = "mixed_"
_DTYPES = (*_FLOATS, "mixed_float16", "mixed_bfloat16", "uint8", "int32", "bool")


def dtype_name(dtype: Any) -> str:
    """The name of Keras's dtype policy, a dict, a string or a NumPy dtype; computation is float32 in any case."""
    if isinstance(dtype, Mapping):
        config = dtype.get("config") or {}
        quantized = dtype.get("class_name") == "QuantizedDTypePolicy"
        if quantized or (isinstance(config, Mapping) and "source_name" in config):
            words = "be a policy of floats: of layers that quantize() changed, Dense and Embedding are read, in int8"
            raise ValueError(arguments.must("dtype", words, dict(dtype)))
        dtype = config.get("name") if isinstance(config, Mapping) else config
    if dtype is not None and not isinstance(dtype, str):
        try:
            dtype = getattr(dtype, "name", None) or np.dtype(dtype).name
        except Exception:  # of NumPy, or of the object itself
            words = "be a name, a NumPy dtype or a dtype policy"
            raise TypeError(arguments.must("dtype", words, dtype)) from None
    if dtype is None:
        return "float32"
    return arguments.choice("dtype", dtype, _DTYPES)


class DTypePolicy(Configurable):
    """Keras's dtype policy: `name`, default "float32", is a dtype or "mixed_float16" or "mixed_bfloat16".

    Layers take it as `dtype=` and keep its name in their configuration; they compute in float32, which `compute_dtype`
    of a layer says too. Raises ValueError for an unknown name, TypeError for what is no text.

        >>> policy = DTypePolicy("mixed_float16")
        >>> policy.name, policy.compute_dtype, policy.variable_dtype
        ('mixed_float16', 'float16', 'float32')
    """

    quantization_mode = None

    def __init__(self, name: str | None = None) -> None:
        if not isinstance(name, (str, type(None))):
            raise TypeError(arguments.must("name", "be a string", name))
        self._name = dtype_name(name)

    @property
    def name(self) -> str:
        """Keras's name of the policy."""
        return self._name

    @property
    def compute_dtype(self) -> str:
        """What Keras would compute in."""
        return self._name.removeprefix(_MIXED)

    @property
    def variable_dtype(self) -> str:
        """What Keras would keep weights in."""
        return "float32" if self._name.startswith(_MIXED) else self._name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DTypePolicy) and self._name == other._name

    def __hash__(self) -> int:
        return hash(self._name)

    def __repr__(self) -> str:
        return f'<DTypePolicy "{self._name}">'


def dtype_policy() -> DTypePolicy:
    """Return the policy of layers that are given none.

    >>> dtype_policy()
    <DTypePolicy "float32">
    """
    return DTypePolicy()


def set_dtype_policy(policy: Any) -> None:
    """Take "float32" or its DTypePolicy, which it is. Raises ValueError for others: a layer has a `dtype` of its own.

    >>> set_dtype_policy("float32")
    """
    if not isinstance(policy, (str, DTypePolicy)) or dtype_name(policy) != "float32":
        words = "be 'float32', in which all layers compute (a layer keeps the `dtype` that it is given)"
        raise ValueError(arguments.must("policy", words, policy))


FloatDTypePolicy = Policy = DTypePolicy
global_policy, set_global_policy = dtype_policy, set_dtype_policy

"""What type checkers see: the families' modules are made when this one is imported."""

from typing import Any

MODES: tuple[str, ...]

def preprocess(x: Any, mode: str, data_format: Any = None) -> Any: ...
def decode_predictions(preds: Any, top: int = 5) -> list[list[tuple[str, str, float]]]: ...
def __getattr__(name: str) -> Any: ...  # the families, also as modules

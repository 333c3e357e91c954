"""Parses configuration JSON with limits: size, depth, length of numbers, one value for a key. Plain data only."""

from __future__ import annotations

import json
import math
from typing import Any

from ..errors import ModelFormatError

MAX_BYTES = 16 << 20
_MAX_DEPTH = 400
_MAX_OBJECTS = 300_000
_SMALL = 1 << 20


def parse_json(data: bytes | str, where: str, file_bytes: int) -> dict[str, Any]:
    """The object in `data`. A configuration may be as large as its file, 1 MiB at least and 16 MiB at most."""
    limit = min(max(file_bytes, _SMALL), MAX_BYTES)
    if len(data) > limit:
        raise ModelFormatError(f"{where}: {len(data)} bytes of JSON, more than {limit} are not read.")
    try:
        text = data if isinstance(data, str) else data.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
        tree = json.loads(
            text,
            object_pairs_hook=_Objects().unique,
            parse_int=_integer,
            parse_float=_number,
            parse_constant=_constant,
        )
    except RecursionError:
        raise ModelFormatError(f"{where}: the JSON is nested too deeply.") from None
    except ValueError as error:  # also JSONDecodeError and UnicodeDecodeError
        raise ModelFormatError(f"{where}: not valid JSON: {error}.") from error
    if not isinstance(tree, dict):
        raise ModelFormatError(f"{where}: expected a JSON object, found {type(tree).__name__}.")
    _check_depth(tree, where)
    return tree


class _Objects:
    """Makes the objects of one text and counts them."""

    def __init__(self) -> None:
        self._left = _MAX_OBJECTS

    def unique(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        self._left -= 1
        made = dict(pairs)
        if len(made) == len(pairs) and self._left >= 0:
            return made
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ValueError(f"key {key[:200]!r} is given twice")
            seen.add(key)
        raise ValueError(f"more than {_MAX_OBJECTS} objects")


def _integer(text: str) -> int:
    if len(text) > 20:
        raise ValueError(f"the integer {text[:20]}... is too long")
    return int(text)


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text[:20]} is not finite")
    return value


def _constant(text: str) -> float:
    """Keras writes an infinity so, as the edge of a padding that a maximum follows; NaN is no value of an argument."""
    if text == "NaN":
        raise ValueError("NaN is not a number that JSON knows")
    return float(text)


def _check_depth(tree: dict[str, Any], where: str) -> None:
    level: list[Any] = [tree]
    for _ in range(_MAX_DEPTH):
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, (dict, list))
        ]
        if not level:
            return
    raise ModelFormatError(f"{where}: the JSON is nested more than {_MAX_DEPTH} deep.")

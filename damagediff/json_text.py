"""Numbers and values as the text of result files, the same on every machine."""

from __future__ import annotations

import dataclasses
import json
import math
from datetime import datetime
from typing import Any

import numpy as np

SIGNIFICANT_DIGITS = 6
"""Of measured numbers: finer than any of them is known, coarser than rounding differs between machines."""


TRANSFORM_DIGITS = 12
"""Of coordinates and matrices: a micrometre in a UTM northing."""


def fields(value: Any) -> dict[str, Any]:
    """The fields of a dataclass by name, as they are."""
    return {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}


class Exact:
    """Marks coordinates and matrices, which keep more digits than measured numbers."""

    def __init__(self, value: Any) -> None:
        self.value = value


def to_json(value: Any) -> str:
    """`value` as canonical JSON text: sorted keys, rounded numbers, null for what is not finite."""
    plain = _plain(value, SIGNIFICANT_DIGITS)
    return json.dumps(plain, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def once(text: str) -> Any:
    """JSON in which every key stands once: of two, one reader would see the first and another the last.

    Raises
    ------
    ValueError
        It is no JSON, or a key is repeated.
    """
    return json.loads(text, object_pairs_hook=_each_once)


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is repeated")
    return found


def _plain(value: Any, digits: int) -> Any:
    if isinstance(value, Exact):
        return _plain(value.value, TRANSFORM_DIGITS)
    if isinstance(value, dict):
        return {str(key): _plain(item, digits) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist(), digits)
    if isinstance(value, list | tuple):
        return [_plain(item, digits) for item in value]
    if isinstance(value, float):
        return float(f"{value:.{digits}g}") + 0.0 if math.isfinite(value) else None  # + 0.0: no minus zero
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")  # a file name may hold half a character
    return value if value is None or isinstance(value, bool | int) else str(value)

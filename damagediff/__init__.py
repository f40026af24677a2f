"""Compare images of one place before and after an event, and say how far the comparison can be trusted.

>>> import damagediff
>>> comparison = damagediff.compare(case, damagediff.Settings(), folder)  # doctest: +SKIP

The names below are loaded when they are first used, so that ``import damagediff`` stays cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .errors import DamagediffError
    from .pipeline import compare
    from .settings import Settings
    from .types import Comparison

__version__ = "0.1.0"

__all__ = ["Comparison", "DamagediffError", "Settings", "__version__", "compare"]

_ROOM = {"Comparison": "types", "DamagediffError": "errors", "Settings": "settings", "compare": "pipeline"}


def __getattr__(name: str) -> Any:
    if name not in _ROOM:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_ROOM[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(_ROOM))

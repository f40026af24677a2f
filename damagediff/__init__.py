"""Compare images of one place before and after an event, and say how far the comparison can be trusted.

>>> import damagediff
>>> found = damagediff.compare("before.tif", "after.tif")  # doctest: +SKIP
>>> found.verdict, len(found.regions)  # doctest: +SKIP
('comparable', 12)

Images are paths, or arrays with `Raster`; docs/api.md names everything. What cannot be done is told by an
exception of `damagediff.errors`. The names below are loaded when they are first used, so that
``import damagediff`` stays cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import errors as errors
    from . import types as types
    from .api import About, Comparison, compare, open_run
    from .array_file import Raster
    from .errors import (
        AlignmentRefused,
        DamagediffError,
        EvidenceError,
        InputError,
        OutputError,
        SettingsError,
    )
    from .settings import Settings
    from .types import (
        Alignment,
        Building,
        Case,
        ChangeMap,
        Check,
        Grid,
        Image,
        Pair,
        Pictures,
        Region,
        Source,
        Trust,
    )

__version__ = "0.1.0"

__all__ = [
    "About",
    "Alignment",
    "AlignmentRefused",
    "Building",
    "Case",
    "ChangeMap",
    "Check",
    "Comparison",
    "DamagediffError",
    "EvidenceError",
    "Grid",
    "Image",
    "InputError",
    "OutputError",
    "Pair",
    "Pictures",
    "Raster",
    "Region",
    "Settings",
    "SettingsError",
    "Source",
    "Trust",
    "__version__",
    "compare",
    "errors",
    "open_run",
    "types",
]

_ROOMS = {
    "api": ("About", "Comparison", "compare", "open_run"),
    "array_file": ("Raster",),
    "errors": (
        "AlignmentRefused",
        "DamagediffError",
        "EvidenceError",
        "InputError",
        "OutputError",
        "SettingsError",
    ),
    "settings": ("Settings",),
    "types": (
        "Alignment",
        "Building",
        "Case",
        "ChangeMap",
        "Check",
        "Grid",
        "Image",
        "Pair",
        "Pictures",
        "Region",
        "Source",
        "Trust",
    ),
}
_ROOM = {name: room for room, names in _ROOMS.items() for name in names}
_WHOLE = ("errors", "types")
"""Rooms that are handed out as they are."""


def __getattr__(name: str) -> Any:
    if name in _WHOLE:
        return import_module(f".{name}", __name__)
    if name not in _ROOM:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_ROOM[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(_ROOM) | set(_WHOLE))

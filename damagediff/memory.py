"""How much memory a run takes, and tiles and threads that keep it below what the user allows.

Neither changes a result. The figures are measured (docs/performance.md) and rounded up.
"""

from __future__ import annotations

import ctypes
import functools
import itertools
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from . import tiles
from .errors import SettingsError
from .settings import Settings

BASE_MIB = 470
"""Libraries, alignment, pictures and report, and the process that starts decoders."""
CELLS_MIB_PER_MPX = 3.5
"""Score, mask and what is made of them on cells of 4 x 4 px, for each megapixel of the working grid: the
measures themselves lie in a file."""
TILE_MIB = 150
"""What a thread holds of a tile of 1,024 px and 3 bands."""
DECODERS_MIB = 120
"""Two decoders of a thread, each with its blocks: 85 of a tiled picture, more of one in strips."""
HALO_PX = 64
"""Added to a tile on the way, both sides together."""
LEAST_TILE_PX = 256
"""Smaller tiles save little, and their halo costs more than they are."""


def needed_mib(shape: tuple[int, int], bands: int, workers: int, tile_px: int) -> float:
    """About how much a run takes at most, all its processes together.

    Parameters
    ----------
    shape : (rows, cols)
        Of the working grid.
    bands : int
        That are compared.
    """
    side = min(tile_px, max(shape)) + HALO_PX
    tile = TILE_MIB * max(bands, 1) / 3 * (side / (1024 + HALO_PX)) ** 2
    cells = CELLS_MIB_PER_MPX * shape[0] * shape[1] / 1e6
    return BASE_MIB + cells + workers * (tile + DECODERS_MIB)


def fitted(settings: Settings, shape: tuple[int, int], bands: int) -> Settings:
    """The settings with as many threads and as large tiles as `max_memory_mib` allows.

    Raises
    ------
    SettingsError
        One thread with the smallest tiles takes more.
    """
    if settings.max_memory_mib is None:
        return settings
    least = 0.0
    for workers, tile_px in _choices(settings):
        least = needed_mib(shape, bands, workers, tile_px)
        if least <= settings.max_memory_mib:
            return replace(settings, workers=workers, tile_px=tile_px)
    raise SettingsError(
        f"max_memory_mib = {settings.max_memory_mib}: {shape[0]:,} x {shape[1]:,} px take about "
        f"{least:,.0f} MiB on one thread with small tiles. Allow more, or cut out the place"
    )


def largest_megapixels(there_mib: float, workers: int) -> float:
    """How large a working grid of three bands fits, with tiles as shipped; 0 or less: none."""
    left = there_mib - needed_mib((1, 1), 3, workers, Settings().tile_px) - workers * TILE_MIB
    return left / CELLS_MIB_PER_MPX


def machine_mib() -> float | None:
    """Memory of the machine, or of the container around this process; None where it is not told."""
    found = []
    with suppress(OSError, ValueError, AttributeError):
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**20)
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):
            found.append(int(Path(name).read_text(encoding="ascii")) / 2**20)
    return min(found, default=None)


def _choices(settings: Settings) -> Iterator[tuple[int, int]]:
    """Threads and tiles, the fastest first."""
    workers = settings.workers or tiles.available_cores()
    sides = [settings.tile_px, *(s for s in (512, LEAST_TILE_PX) if s < settings.tile_px)]
    return itertools.product(range(workers, 0, -1), sides)


def give_back() -> None:
    """Hand memory that was freed back to the system, between two stages of a run.

    The C library keeps it, in pieces for each thread, and a stage of other shapes takes new memory beside it.
    Where the library has no word for that (it is not glibc's) nothing is done.
    """
    _trim()(0)


@functools.cache
def _trim() -> Callable[[int], object]:
    if sys.platform == "linux":
        trim: Callable[[int], object] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            return trim
    return lambda pad: None

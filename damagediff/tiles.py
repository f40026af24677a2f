"""Tiles, and the one way in which whole-scene work is done: gather, merge, apply.

Whatever needs the whole scene is three functions: *gather* a small summary from a tile, *merge* the
summaries in tile order, *apply* the answer to a tile. A small image is simply one tile.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from .types import Window

T = TypeVar("T")
R = TypeVar("R")


def plan(shape: tuple[int, int], tile_px: int) -> tuple[Window, ...]:
    """Cores that cover `shape` exactly once, row by row; the last of a row or column may be smaller."""
    rows, cols = shape
    return tuple(
        Window(row, col, min(tile_px, rows - row), min(tile_px, cols - col))
        for row in range(0, rows, tile_px)
        for col in range(0, cols, tile_px)
    )


def map_ordered(work: Callable[[T], R], items: Iterable[T], executor: Executor, ahead: int) -> Iterator[R]:
    """``work`` of each item, in the order of the items, with at most `ahead` results waiting in memory.

    When one fails, or the caller stops early, what has not begun is not begun.
    """
    source = iter(items)
    waiting = deque(executor.submit(work, item) for item in islice(source, max(1, ahead)))
    try:
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(executor.submit(work, item) for item in islice(source, 1))
            yield result
    finally:
        for future in waiting:
            future.cancel()


def pool(workers: int) -> ThreadPoolExecutor:
    """Threads for this run; 0 asks for one for each core this process may use."""
    return ThreadPoolExecutor(max_workers=workers or available_cores())


def available_cores() -> int:
    """Cores this process may use, not all that the machine has."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1

"""Tiles, and the one way in which whole-scene work is done: gather, merge, apply.

Whatever needs the whole scene is three functions: *gather* a small summary from a tile, *merge* the
summaries in tile order, *apply* the answer to a tile. A small image is simply one tile.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from .types import Window

T = TypeVar("T")
R = TypeVar("R")
S = TypeVar("S")


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

    An executor with a `width` is asked for as many at a time, if that is more: its workers would idle.
    Results that have to be fetched (`cluster.Asked`) wait where they were made. When one fails, or the
    caller stops early, what has not begun is not begun.
    """
    source = iter(items)
    waiting: deque[Future[R]] = deque()

    def ask() -> None:
        short = max(1, ahead, getattr(executor, "width", 0)) - len(waiting)
        waiting.extend(executor.submit(work, item) for item in islice(source, max(0, short)))

    ask()
    try:
        while waiting:
            for future in islice(waiting, max(1, ahead)):
                if hasattr(future, "bring"):
                    future.bring()
            result = waiting.popleft().result()
            ask()
            yield result
    finally:
        for future in waiting:
            future.cancel()


def map_then(
    work: Callable[[T], R], then: Callable[[R], S], items: Iterable[T], executor: Executor, home: Executor
) -> Iterator[S]:
    """`then` of ``work`` of each item, in the order of the items: `work` by `executor`, `then` by `home`.

    `then` may write files of this process, while `work` may be done on another machine.
    """
    if executor is home:
        return map_ordered(lambda item: then(work(item)), items, home, ahead=4)
    return map_ordered(then, map_ordered(work, items, executor, ahead=4), home, ahead=4)


class Threads(ThreadPoolExecutor):
    """Threads of this process."""

    @property
    def width(self) -> int:
        """Items that should be asked for at a time: one for each thread."""
        return self._max_workers


def pool(workers: int) -> Threads:
    """Threads for this run; 0 asks for one for each core this process may use."""
    return Threads(max_workers=workers or available_cores())


def available_cores() -> int:
    """Cores this process may use, not all that the machine has."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1

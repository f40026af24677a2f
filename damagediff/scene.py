"""A pair opened for reading, with what all stages share."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from .areas import Areas
from .feed import Feed
from .filling import Filling
from .outcome import SamePicture
from .settings import Settings
from .types import Case, Image, Pair

Progress = Callable[[str, float], None]
"""Called with the stage's name and the share done, 0..1."""


def silent(stage: str, share: float) -> None:
    """Progress nobody listens to."""


@dataclass(frozen=True)
class Scene:
    """Two feeds on one grid."""

    case: Case
    settings: Settings
    pair: Pair
    before: Feed
    after: Feed
    executor: Executor
    """Where windows are worked on: threads of this process, or a cluster."""
    progress: Progress
    areas: Areas = Areas()
    """Where the user lets the comparison look."""
    older: tuple[Image, ...] = ()
    """Further images of the place from before, let in but not opened."""
    same: SamePicture | None = None
    """Whether both files are one picture; None before that was asked."""
    filling: Filling | None = None
    """What stands in place of graphics while their neighbours are measured; None: nothing."""
    threads: Executor | None = None
    """Threads of this process, where the executor is something else."""

    def __getstate__(self) -> dict[str, Any]:
        """As it goes to another process: without the workers and the listener of this one."""
        return self.__dict__ | {"executor": None, "threads": None, "progress": silent}

    @property
    def home(self) -> Executor:
        """Threads of this process, for what is small, or writes."""
        return self.threads or self.executor

    @property
    def shown(self) -> tuple[int, ...]:
        """Bands drawn as red, green and blue."""
        return (0, 1, 2) if len(self.pair.roles) >= 3 else (0, 0, 0)

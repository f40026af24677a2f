"""One command measured over all its processes: wall clock, processor time, peak memory. Linux only."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PAUSE_S = 0.05
"""Between two looks at the processes; what a child uses after the last look before its end is not counted."""
TICK_S = 1 / os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 0.01


@dataclass(frozen=True)
class Spent:
    """What one command took."""

    wall_s: float
    cpu_s: float
    """User and system time of all its processes."""
    peak_mib: float
    """Largest sum, at one time, of what each process holds, and its part of what they share (PSS)."""
    children_cpu_s: float
    """Of `cpu_s`, that of other processes than the first: decoders."""
    children_mib: float
    """Of `peak_mib`, that of other processes than the first."""
    seen_cpu_s: float = 0.0
    """User and system time of each process as last seen: the measure where the first waits for workers of its
    own, whose time is in its figures and in theirs."""


def measured(command: Sequence[str], log: Path) -> Spent:
    """Run a command to its end, its output into `log`.

    Raises
    ------
    SystemExit
        It failed; its output is told.
    """
    start = time.perf_counter()
    with log.open("wb") as said:
        child = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        watch = _Watch(child.pid)
        watch.start()
        _, status, used = os.wait4(child.pid, 0)
    wall = time.perf_counter() - start
    watch.stop()
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{' '.join(command)}\nfailed with {child.returncode}:\n{log.read_text(errors='replace')}")
    own = used.ru_utime + used.ru_stime
    # What the first process has waited for is in its own figures; the decoders outlive it.
    others = sum(s for pid, s in watch.cpu_s.items() if pid != child.pid)
    held = watch.peak_kib / 1024
    seen = sum(watch.cpu_s.values())
    return Spent(wall, own + others, held, others, held - watch.first_kib / 1024, seen)


class _Watch(threading.Thread):
    """Looks at a process and all that descend from it, until it is stopped."""

    def __init__(self, first: int) -> None:
        super().__init__(daemon=True)
        self.first = first
        self.peak_kib, self.first_kib = 0, 0
        self.cpu_s: dict[int, float] = {}
        self._known = {first}
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.is_set():
            self._look()
            self._ended.wait(PAUSE_S)

    def stop(self) -> None:
        """A last look at those that outlive the first, and the end."""
        self._look()
        self._ended.set()
        self.join()

    def _look(self) -> None:
        total, first = 0, 0
        for pid in _tree(self._known):
            with suppress(OSError, ValueError, IndexError):
                self.cpu_s[pid] = _cpu_s(pid)
                held = _held_kib(pid)
                total, first = total + held, held if pid == self.first else first
        if total > self.peak_kib:
            self.peak_kib, self.first_kib = total, first


def _tree(known: set[int]) -> set[int]:
    """The processes that are known, and their children, who become known."""
    waiting, seen = list(known), set()
    while waiting:
        pid = waiting.pop()
        if pid in seen:
            continue
        seen.add(pid)
        with suppress(OSError):
            for task in Path(f"/proc/{pid}/task").iterdir():
                waiting += map(int, (task / "children").read_text().split())
    known |= seen
    return {pid for pid in seen if Path(f"/proc/{pid}").exists()}


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


def _held_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))

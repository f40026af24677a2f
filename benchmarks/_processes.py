"""One command measured over all its processes: wall clock, processor time, peak memory. Linux only."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PAUSE_S = 0.05
"""Between two looks at the processes; what a child uses after the last look before its end is not counted."""
TICK_S = 1 / os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 0.01


REAP_S = 5.0
"""How long processes that outlive the first are waited for; each ends when it sees that it is gone."""
PR_SET_CHILD_SUBREAPER = 36


class Failed(SystemExit):
    """A command did not end as it should; says which and how. Not caught, it ends the benchmark."""


@dataclass(frozen=True)
class Spent:
    """What one command took."""

    wall_s: float
    cpu_s: float
    """User and system time of all its processes."""
    peak_mib: float
    """Largest sum, at one time, of what each process holds, and its part of what they share (PSS)."""
    children_cpu_s: float
    """Of `cpu_s`, that of processes which the first did not wait for: decoders."""
    children_mib: float
    """Of `peak_mib`, that of other processes than the first."""


def measured(
    command: Sequence[str],
    log: Path,
    right: Sequence[int] = (0,),
    more_env: Mapping[str, str] | None = None,
    limit_s: float | None = None,
) -> Spent:
    """Run a command to its end, its output into `log`.

    Raises
    ------
    Failed
        It ended with a status that is not among the `right` ones, or took more than `limit_s` of wall clock.
    """
    # Processes that the first leaves behind become ours, so that the system tells what they took in the end.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    start = time.perf_counter()
    with log.open("wb") as said:
        child = subprocess.Popen(
            command,
            stdout=said,
            stderr=subprocess.STDOUT,
            env=os.environ | dict(more_env or {}),
            start_new_session=True,
        )
        watch = _Watch(child.pid)
        watch.start()
        alarm = threading.Timer(limit_s or threading.TIMEOUT_MAX, os.killpg, (child.pid, signal.SIGKILL))
        alarm.start()
        _, status, used = os.wait4(child.pid, 0)
        alarm.cancel()
    wall = time.perf_counter() - start
    watch.stop()
    others = sum(_reaped(watch))
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in right:
        why = (
            f"took more than {limit_s:.0f} s"
            if limit_s and wall >= limit_s
            else f"failed with {child.returncode}"
        )
        raise Failed(f"{' '.join(command)}\n{why}:\n{log.read_text(errors='replace')}")
    held = watch.peak_kib / 1024
    own = used.ru_utime + used.ru_stime  # what it has waited for is in it
    return Spent(wall, own + others, held, others, held - watch.first_kib / 1024)


def _reaped(watch: _Watch) -> list[float]:
    """Processor time of each process that the first left behind, when it has ended too."""
    left, taken = watch.others(), []
    end = time.monotonic() + REAP_S
    while left and time.monotonic() < end:
        for pid in tuple(left):
            try:
                ended, _, used = os.wait4(pid, os.WNOHANG)
            except ChildProcessError:  # another than the first was its parent: it is in that one's time
                if not Path(f"/proc/{pid}").exists():
                    left.discard(pid)
                continue
            if ended:
                left.discard(pid)
                taken.append(used.ru_utime + used.ru_stime)
        time.sleep(PAUSE_S / 10)
    return [*taken, *(watch.cpu_s.get(pid, 0.0) for pid in left)]


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

    def others(self) -> set[int]:
        """Those seen besides the first; after `stop`."""
        return self._known - {self.first}

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


def children_cpu_s() -> float:
    """Processor time so far of all processes that descend from this one and are alive, to the nanosecond."""
    taken = 0
    for pid in _tree({os.getpid()}) - {os.getpid()}:
        with suppress(OSError):
            for task in Path(f"/proc/{pid}/task").iterdir():
                taken += int((task / "schedstat").read_text().split()[0])
    return taken / 1e9


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


def _held_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))

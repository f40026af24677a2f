"""What a process that decodes files of strangers may still do: read what it was given, and nothing else.

Linux only: resource limits, Landlock (files and TCP; https://docs.kernel.org/userspace-api/landlock.html) and
a seccomp filter (no new sockets, no new programs). Each is used where the kernel has it, and told.
"""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import struct
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
"""The same numbers on every architecture."""
_NO_NEW_PRIVILEGES, _SECCOMP, _PARENT_DIED, _DUMPABLE = 38, 22, 1, 4
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""Landlock ABI to how many rights on files it knows; later ones know as many as 5."""
_TCP, _SCOPED = 0b11, 0b11

_SYSCALLS = {
    "x86_64": (0xC000003E, (41, 59, 322, 101)),
    "aarch64": (0xC00000B7, (198, 221, 281, 117)),
}
"""Architecture to its audit number, and its socket, execve, execveat and ptrace."""

MAX_OPEN_FILES = 64


def landlock_abi() -> int:
    """Version of Landlock in this kernel; 0 where there is none."""
    if sys.platform != "linux":
        return 0
    return max(0, int(_libc().syscall(_CREATE_RULESET, None, 0, 1)))


def restrict(readable: Iterable[Path], memory_bytes: int) -> str:
    """Give up, for good, all that decoding does not need; for a child process that serves nothing else.

    Parameters
    ----------
    readable : iterable of Path
        Files and folders that may be read; nothing may be written.
    memory_bytes : int
        Address space that may be used beyond what is used now.

    Returns
    -------
    What is on: ``process, landlock 7, seccomp``, or less.
    """
    if sys.platform != "linux":  # mypy reads no further elsewhere
        return "none"
    _limit(memory_bytes)
    libc, on = _libc(), ["process"]
    libc.prctl(_PARENT_DIED, signal.SIGKILL, 0, 0, 0)
    libc.prctl(_DUMPABLE, 0, 0, 0, 0)
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0:
        abi = landlock_abi()
        if abi and _landlock(libc, abi, readable):
            on.append(f"landlock {abi}")
        if _seccomp(libc):
            on.append("seccomp")
    return ", ".join(on)


def allow_seconds(seconds: float) -> None:
    """Let the kernel end this process once it has used so many more seconds of processor time."""
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _limit(memory_bytes: int) -> None:
    import resource

    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    wanted = {
        resource.RLIMIT_AS: pages * resource.getpagesize() + memory_bytes,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: MAX_OPEN_FILES,
    }
    for which, value in wanted.items():
        hard = resource.getrlimit(which)[1]
        least = value if hard == resource.RLIM_INFINITY else min(value, hard)
        with suppress(ValueError, OSError):
            resource.setrlimit(which, (least, least))


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _landlock(libc: ctypes.CDLL, abi: int, readable: Iterable[Path]) -> bool:
    rights = (1 << _FILE_RIGHTS.get(abi, 16)) - 1
    attributes = struct.pack("QQQ", rights, _TCP if abi >= 4 else 0, _SCOPED if abi >= 6 else 0)
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    ruleset = libc.syscall(_CREATE_RULESET, attributes, size, 0)
    if ruleset < 0:
        return False
    try:
        for path in readable:
            with suppress(OSError):
                _let_read(libc, ruleset, path)
        return bool(libc.syscall(_RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def _let_read(libc: ctypes.CDLL, ruleset: int, path: Path) -> None:
    at = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rights = _READ_FILE | _READ_DIR if path.is_dir() else _READ_FILE
        libc.syscall(_ADD_RULE, ruleset, 1, struct.pack("=Qi", rights, at), 0)
    finally:
        os.close(at)


def _seccomp(libc: ctypes.CDLL) -> bool:
    """Refuse (EPERM) new sockets and programs, and calls by another architecture's numbers."""
    known = _SYSCALLS.get(platform.machine())
    if known is None:
        return False
    audit, calls = known
    load, equal, above, answer = 0x20, 0x15, 0x35, 0x06
    refuse, allow = 0x00050000 | 1, 0x7FFF0000
    last = len(calls) + 1
    program = [(load, 0, 0, 4), (equal, 1, 0, audit), (answer, 0, 0, refuse), (load, 0, 0, 0)]
    program.append((above, last, 0, 0x40000000))  # x32
    program += [(equal, last - 1 - k, 0, number) for k, number in enumerate(calls)]
    program += [(answer, 0, 0, allow), (answer, 0, 0, refuse)]
    code = b"".join(struct.pack("HBBI", *line) for line in program)
    held = ctypes.create_string_buffer(code, len(code))
    head = struct.pack("HxxxxxxP", len(program), ctypes.addressof(held))
    return bool(libc.prctl(_SECCOMP, 2, head, 0, 0) == 0)

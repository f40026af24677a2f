"""Whether this machine can decode, and what really holds a decoder back here: tried, not guessed."""

from __future__ import annotations

import json
import mmap
import os
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import rasterio

from . import cog, decoder_processes, decoding, inspection, sandbox
from .settings import ReadSettings
from .types import Source

NEEDED = ("GTiff", "COG", "PNG", "JPEG")
"""GDAL's drivers without which a run cannot be written, or the commonest pictures not read."""
WISHED = {"WEBP": "WebP", "JP2OpenJPEG": "JPEG 2000", "BMP": "BMP"}
"""Drivers of the other kinds that are read."""
MEMORY_BYTES = 1 << 28
HELD = {
    "read": "other files are not read",
    "write": "nothing is written",
    "socket": "no connection is made",
    "run": "no program is started",
    "memory": "memory is limited",
}
"""What is tried in a child process, and what it means that it fails."""


def drivers() -> tuple[str, ...]:
    """Short names of the drivers that this GDAL has."""
    with rasterio.Env() as env:
        return tuple(sorted(env.drivers()))


def decode(folder: Path) -> str:
    """Write a small picture into a folder, and let it in as a run does.

    Returns
    -------
    What held the decoder back: ``process, landlock 7, seccomp``, less, or ``none``.

    Raises
    ------
    InputError, OutputError
        It could not be written or decoded.
    """
    path = folder / "trial.png"
    cog.write_png(path, np.arange(64 * 64, dtype=np.uint8).reshape(1, 64, 64))
    try:
        inspection.inspect(Source(path), ReadSettings())
    finally:
        path.unlink(missing_ok=True)
    return decoding.described()


def held(folder: Path) -> dict[str, bool] | None:
    """What a process that gave up its rights cannot do any more, by the keys of `HELD`.

    None where there is no such process.

    Parameters
    ----------
    folder : Path
        Where it tries to read and write; left as it was.
    """
    if not decoding.IN_CHILD:
        return None
    other, new = folder / "other", folder / "new"
    other.write_bytes(b"x")
    reading, writing = os.pipe()
    pid = decoder_processes.fork()
    if pid == 0:
        os.close(reading)
        decoder_processes.leave_after(_try_all, writing, other, new)
    os.close(writing)
    with open(reading, "rb") as answer:
        said = answer.read()
    os.waitpid(pid, 0)
    for path in (other, new):
        path.unlink(missing_ok=True)
    return dict(json.loads(said)) if said else None


def _try_all(writing: int, other: Path, new: Path) -> None:
    """In the child: give up what a decoder gives up, try the rest, tell what failed."""
    sandbox.restrict([], MEMORY_BYTES)
    acts: dict[str, Callable[[], object]] = {
        "read": other.read_bytes,
        "write": lambda: new.write_bytes(b"x"),
        "socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close(),
        "memory": lambda: mmap.mmap(-1, 2 * MEMORY_BYTES).close(),
    }
    told = {name: _fails(act) for name, act in acts.items()} | {"run": _cannot_run()}
    os.write(writing, json.dumps(told).encode())


def _cannot_run() -> bool:
    """Whether no program can be started, tried in a child of its own, which would become that program."""
    pid = decoder_processes.fork()
    if pid == 0:
        try:
            os.execv("/bin/true", ["true"])
        except OSError:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 0


def _fails(act: Callable[[], object]) -> bool:
    try:
        act()
    except (OSError, MemoryError):
        return True
    return False

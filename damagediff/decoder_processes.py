"""What runs in the child processes of `decoding`: the server that forks, and the workers that decode.

The server is forked once and stays small; each worker it forks restricts itself for good (`sandbox`) before
it opens its one file, answers in JSON, and ends when nobody listens any more.
"""

from __future__ import annotations

import json
import mmap
import os
import signal
import socket
import struct
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import rasterio

from . import decoder, sandbox
from .decoder import Answer, Decoder
from .errors import InputError
from .file_header import File
from .types import Window

MEMORY_BYTES = 3 << 29
"""Address space of a worker beyond what Python needs: the largest block that is let in, decoded twice."""
HEAD = struct.Struct(">I?")
"""Before a request: its length, and whether new memory comes with it."""
LENGTH = struct.Struct(">I")
"""Before an answer: its length."""


def fork() -> int:
    """As ``os.fork``; Python 3.12 warns of threads, but the child uses nothing that they may hold."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def received(source: socket.socket, length: int) -> bytes:
    """So many bytes, however they come; ConnectionResetError when they do not."""
    pieces = []
    while length > 0:
        piece = source.recv(min(length, 1 << 20))
        if not piece:
            raise ConnectionResetError
        pieces.append(piece)
        length -= len(piece)
    return b"".join(pieces)


def leave_after(work: Callable[..., None], *with_: Any) -> None:
    """Do the work and leave; nothing of this process's own is run at the end."""
    code = 1
    try:
        work(*with_)
        code = 0
    finally:
        os._exit(code)


def serve(control: socket.socket) -> None:
    """Fork workers until nobody asks any more."""
    _forget(control)
    workers: set[int] = set()
    while True:
        _reap(workers)
        text, handed, _, _ = socket.recv_fds(control, 65536, 1)
        if not text:
            return
        request = json.loads(text)
        if "end" in request:
            control.sendall(json.dumps({"signal": _ended(request["end"], workers)}).encode())
            continue
        pid = fork()
        if pid == 0:
            control.close()
            leave_after(_work, socket.socket(fileno=handed[0]), request["file"])
        os.close(handed[0])
        workers.add(pid)
        control.sendall(json.dumps({"pid": pid}).encode())


def _forget(control: socket.socket) -> None:
    """Let go of what the parent has open, so that its pipes, locks and files end with it."""
    for each in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN if each == signal.SIGINT else signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    for name in os.listdir("/proc/self/fd"):
        at = int(name)
        if at > 2 and at != control.fileno():
            with suppress(OSError):
                if not _only_read(at):
                    os.close(at)


def _only_read(at: int) -> bool:
    """A regular file that may only be read, such as the database of PROJ."""
    import fcntl
    import stat

    flags = fcntl.fcntl(at, fcntl.F_GETFL) & os.O_ACCMODE
    return stat.S_ISREG(os.fstat(at).st_mode) and flags == os.O_RDONLY


def _reap(workers: set[int]) -> None:
    for pid in list(workers):
        with suppress(ChildProcessError):
            if os.waitpid(pid, os.WNOHANG)[0] == 0:
                continue
        workers.discard(pid)


def _ended(pid: int, workers: set[int]) -> int:
    """Stop a worker of ours, which may have ended by itself a moment ago; the signal that did it."""
    if pid not in workers:
        return 0
    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            workers.discard(pid)
            return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    workers.discard(pid)
    return int(signal.SIGKILL)


def _work(asked: socket.socket, said: dict[str, Any]) -> None:
    """Answer about one file until nobody asks any more."""
    file = File(**(said | {"path": Path(said["path"])}))
    kept_by = sandbox.restrict([file.path, *_libraries()], MEMORY_BYTES)
    _answer(asked, {"kept_by": kept_by})
    one, memory = Decoder(file, alone=True), None
    while True:
        head, handed, _, _ = socket.recv_fds(asked, HEAD.size, 1)
        if len(head) < HEAD.size:
            return
        length, fresh = HEAD.unpack(head)
        request = json.loads(received(asked, length))
        if fresh:
            memory = memoryview(mmap.mmap(handed[0], os.fstat(handed[0]).st_size))
            os.close(handed[0])
        sandbox.allow_seconds(request["seconds"])
        _answer(asked, _done(one, request, memory))


def _done(one: Decoder, request: dict[str, Any], memory: memoryview | None) -> Answer:
    """What one request gives; a refusal is an answer too."""
    what = request["do"]
    try:
        if what == "read":
            return one.read(request["bands"], Window(*request["window"]), memory)
        answer: Answer = getattr(one, what)()
        return answer
    except InputError as error:
        return {"refused": str(error)}
    except MemoryError:
        return {
            "refused": f"{one.file.name}: it needs more memory than one image may take. Cut out the place"
        }


def _answer(asked: socket.socket, answer: Answer) -> None:
    text = json.dumps(answer).encode()
    asked.sendall(LENGTH.pack(len(text)) + text)


def _libraries() -> list[Path]:
    """What Python and GDAL may still have to read: their own code, and the database of coordinate systems."""
    package = Path(rasterio.__file__).parent
    beside = [package.with_name("rasterio.libs"), Path(np.__file__).parent, Path(os.__file__).parent]
    shared = [Path(sys.prefix, "share", name) for name in ("proj", "gdal")]
    named = [
        Path(os.environ[name]) for name in ("PROJ_DATA", "PROJ_LIB", "GDAL_DATA") if os.environ.get(name)
    ]
    return [package, *beside, *shared, *named, Path(decoder.__file__).parent]

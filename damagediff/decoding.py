"""Decoding in child processes that may read one file and nothing else, and shared memory for the pixels.

On Linux the first file starts a small server, a fork of this process; it forks one worker for each decoder,
which restricts itself (`sandbox`) before it opens the file. The worker answers in JSON and writes pixels into
memory that this process made. When it crashes, hangs or runs out of memory, that is an error of its image.
Elsewhere files are decoded in this process, and the manifest says so.
"""

from __future__ import annotations

import atexit
import json
import mmap
import os
import socket
import sys
import threading
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import numpy as np

from . import decoder_processes, door
from .decoder import Answer, Decoder
from .errors import InputError
from .file_header import File
from .types import BoolArray, Window

IN_CHILD = sys.platform == "linux"
"""Whether files are decoded in child processes; elsewhere forking is not safe, or not there."""
NONE = "none"
"""What the manifest says where nothing is held back."""
BASE_SECONDS, PIXELS_PER_SECOND = 6, 2_000_000
"""Processor time for one answer: the base, and all samples of the picture at a tenth of the slowest pace.

The base is what a broken file can cost: OpenJPEG never comes back from some."""
PATIENCE = 8
"""Wall clock that is waited in units of processor time: the machine may be busy."""
START_SECONDS = 60
"""Wall clock that is waited for a process to start; it takes milliseconds on a machine that is not busy."""
MAX_ANSWER_BYTES = 64 << 20
_MASK_BYTES = 1


def open_file(file: File, samples: int = 0) -> Local | Worker:
    """A decoder of one file, in a child process where there are any; the caller closes it.

    Parameters
    ----------
    file : File
        What to decode.
    samples : int
        Pixels times bands, by which the time that one answer may take is measured.

    Raises
    ------
    InputError
        No child process can be started.
    """
    if not IN_CHILD:
        return Local(file)
    waiting = _idle.take(_key(file))
    if waiting is None:
        return Worker(file, samples)
    waiting.expect(samples)
    return waiting


def described() -> str:
    """What held the decoders back: ``process, landlock 7, seccomp``, less of it, or ``none``."""
    return _kept_by if IN_CHILD else NONE


class Local:
    """Decoding in this process."""

    def __init__(self, file: File) -> None:
        self._decoder = Decoder(file)

    def close(self) -> None:
        """Give back what is held."""
        self._decoder.close()

    def expect(self, samples: int) -> None:
        """Say how much there may be to decode for one answer."""

    def ask(self, what: str) -> Answer:
        """The answer of one method of `Decoder` that takes nothing."""
        answer: Answer = getattr(self._decoder, what)()
        return answer

    def read(
        self, bands: list[int], window: Window, dtype: str
    ) -> tuple[np.ndarray[Any, Any], BoolArray | None]:
        """(bands, rows, cols) as stored, and the file's own mask where it has one."""
        answer = self._decoder.read(bands, window)
        return answer["pixels"], answer["mask"]


class Worker:
    """Decoding in a child process; one thread at a time."""

    def __init__(self, file: File, samples: int) -> None:
        self.file = file
        self._key = _key(file)
        self._seconds = 0.0
        self._memory: mmap.mmap | None = None
        self._capacity = 0
        ours, theirs = socket.socketpair()
        with theirs:
            self.pid, self._server = _worker(file, theirs, ours)
        self._socket = ours
        self.expect(samples)

    def close(self) -> None:
        """Let the child rest, in case the same file is opened again."""
        self._memory, self._capacity = None, 0
        try:
            self.ask("rest")
        except InputError:
            self.end()
        else:
            _idle.put(self._key, self)

    def end(self) -> None:
        """End the child: it stops when nobody listens."""
        self._socket.close()

    def expect(self, samples: int) -> None:
        """Say how much there may be to decode for one answer; by it the time is measured that it may take."""
        self._seconds = BASE_SECONDS + samples / PIXELS_PER_SECOND
        self._socket.settimeout(self._seconds * PATIENCE)

    def ask(self, what: str) -> Answer:
        """The answer of one method of `Decoder` that takes nothing."""
        return self._call({"do": what}, None)

    def read(
        self, bands: list[int], window: Window, dtype: str
    ) -> tuple[np.ndarray[Any, Any], BoolArray | None]:
        """(bands, rows, cols) as stored, and the file's own mask where it has one.

        Both lie in memory shared with the child, and hold until the next call.
        """
        pixels = window.rows * window.cols
        kind = np.dtype(dtype)
        needed = pixels * (len(bands) * kind.itemsize + _MASK_BYTES)
        fresh = self._grown(needed)
        try:
            answer = self._call({"do": "read", "bands": bands, "window": list(window)}, fresh)
        finally:
            if fresh is not None:
                os.close(fresh)
        assert self._memory is not None
        data = np.frombuffer(self._memory, kind, pixels * len(bands)).reshape(
            len(bands), window.rows, window.cols
        )
        if not answer.get("mask"):
            return data, None
        mask = np.frombuffer(self._memory, np.uint8, pixels, data.nbytes) != 0
        return data, mask.reshape(window.rows, window.cols)

    def _grown(self, needed: int) -> int | None:
        """A descriptor of larger memory, when what is shared is too small."""
        if needed <= self._capacity:
            return None
        needed += needed // 4  # tiles inside have more halo than the first; untouched, it takes no memory
        fresh = os.memfd_create("pixels", os.MFD_CLOEXEC)
        os.ftruncate(fresh, needed)
        self._memory, self._capacity = mmap.mmap(fresh, needed), needed
        return fresh

    def _call(self, request: dict[str, Any], memory: int | None) -> Answer:
        text = json.dumps(request | {"seconds": self._seconds}).encode()
        head = decoder_processes.HEAD.pack(len(text), memory is not None)
        try:
            socket.send_fds(self._socket, [head], [] if memory is None else [memory])
            self._socket.sendall(text)
            (length,) = decoder_processes.LENGTH.unpack(
                decoder_processes.received(self._socket, decoder_processes.LENGTH.size)
            )
            if length > MAX_ANSWER_BYTES:
                raise ValueError
            answer = json.loads(decoder_processes.received(self._socket, length))
            refused = answer.pop("refused", None)
        except TimeoutError:
            self._server.end(self.pid)
            raise self._gone(f"its decoder took more than {self._seconds:.0f} s") from None
        except (OSError, ValueError, AttributeError, TypeError):
            raise self._gone(_END.get(self._server.end(self.pid), "its decoder crashed")) from None
        if refused is not None:
            raise InputError(str(refused))
        return dict(answer)

    def _gone(self, why: str) -> InputError:
        return InputError(
            f"{self.file.name}: {why}. Get the file again from where it came, or convert it to GeoTIFF"
        )


_END = {
    24: "its decoder took too much time",  # SIGXCPU, which Windows does not name
    9: "its decoder was stopped for lack of memory or time",
}


Key = tuple[File, int, int, int, int]


def _key(file: File) -> Key:
    """The file as it is now; what was opened before it changed is not used again."""
    with door.input_errors(file.name):
        now = file.path.stat()
    return file, now.st_ino, now.st_size, now.st_mtime_ns, os.getpid()


class Idle:
    """The few workers that were used last: a comparison opens each file several times."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[tuple[Key, Worker]] = []

    def take(self, key: Key) -> Worker | None:
        """One that has this very file, if there is."""
        with self._lock:
            for at, (held, worker) in enumerate(self._waiting):
                if held == key:
                    del self._waiting[at]
                    return worker
        return None

    def put(self, key: Key, worker: Worker) -> None:
        """Keep it, in place of the one that waits longest."""
        with self._lock:
            self._waiting.append((key, worker))
            gone = self._waiting[:-MAX_IDLE]
            del self._waiting[:-MAX_IDLE]
        for _, old in gone:
            old.end()

    def clear(self) -> None:
        """End all."""
        with self._lock:
            gone, self._waiting = self._waiting, []
        for _, old in gone:
            old.end()


MAX_IDLE = 4
_idle = Idle()
atexit.register(_idle.clear)


def end_idle() -> None:
    """End the workers that wait for their file to be opened again."""
    _idle.clear()


# ---- the server, and what this process knows of it ----------------------------------------------


class Server:
    """The process that forks workers, as seen from here."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.owner = os.getpid()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.pid = decoder_processes.fork()
        if self.pid == 0:
            decoder_processes.leave_after(decoder_processes.serve, theirs)
        theirs.close()
        self.socket = ours
        self.socket.settimeout(START_SECONDS)
        atexit.register(self.socket.close)

    def request(self, what: dict[str, Any], handed: socket.socket | None = None) -> Answer:
        """One request and its answer."""
        with self.lock:
            socket.send_fds(self.socket, [json.dumps(what).encode()], [handed.fileno()] if handed else [])
            return dict(json.loads(self.socket.recv(4096)))

    def end(self, pid: int) -> int:
        """Stop a worker; the signal that ended it, or 0."""
        with suppress(OSError, ValueError, KeyError):  # a late answer may be to another question
            return int(self.request({"end": pid})["signal"])
        return 0


_server: Server | None = None
_starting = threading.Lock()
_kept_by = "process"


def _running() -> Server:
    """The server of this process, started when it is first needed."""
    global _server
    with _starting:
        if _server is None or _server.owner != os.getpid():
            _server = Server()
        return _server


def _worker(file: File, handed: socket.socket, ours: socket.socket) -> tuple[int, Server]:
    """A new worker that listens at `handed`."""
    global _server, _kept_by
    what = asdict(file) | {"path": str(file.path)}
    for _ in range(2):
        server = _running()
        try:
            pid = int(server.request({"file": what}, handed)["pid"])
            ours.settimeout(START_SECONDS)
            (length,) = decoder_processes.LENGTH.unpack(
                decoder_processes.received(ours, decoder_processes.LENGTH.size)
            )
            _kept_by = str(json.loads(decoder_processes.received(ours, min(length, 4096)))["kept_by"])
            return pid, server
        except (OSError, ValueError, KeyError):
            with _starting:
                if _server is server:
                    server.socket.close()
                    _server = None
    raise InputError(
        f"{file.name}: no process to decode it in can be started. Close other programs, try again"
    )


def server_pid() -> int:
    """The process that forks workers."""
    return _running().pid


def end_all() -> None:
    """End resting workers and the server; the next file starts it again."""
    global _server
    end_idle()
    with _starting:
        if _server is not None and _server.owner == os.getpid():
            _server.socket.close()
        _server = None

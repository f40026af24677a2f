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
import signal
import socket
import struct
import sys
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import rasterio

from . import decoder, door, sandbox
from .decoder import Answer, Decoder
from .errors import InputError
from .file_header import File
from .types import BoolArray, Window

IN_CHILD = sys.platform == "linux"
"""Whether files are decoded in child processes; elsewhere forking is not safe, or not there."""
NONE = "none"
"""What the manifest says where nothing is held back."""
MEMORY_BYTES = 3 << 29
"""Address space of a worker beyond what Python needs: the largest block that is let in, decoded twice."""
BASE_SECONDS, PIXELS_PER_SECOND = 15, 2_000_000
"""Processor time for one answer: the base, and all samples of the picture at a tenth of the slowest pace."""
PATIENCE = 8
"""Wall clock that is waited in units of processor time: the machine may be busy."""
START_SECONDS = 20
MAX_ANSWER_BYTES = 64 << 20
_HEAD = struct.Struct(">I?")
_LENGTH = struct.Struct(">I")
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
        fresh = os.memfd_create("pixels", os.MFD_CLOEXEC)
        os.ftruncate(fresh, needed)
        self._memory, self._capacity = mmap.mmap(fresh, needed), needed
        return fresh

    def _call(self, request: dict[str, Any], memory: int | None) -> Answer:
        text = json.dumps(request | {"seconds": self._seconds}).encode()
        head = _HEAD.pack(len(text), memory is not None)
        try:
            socket.send_fds(self._socket, [head], [] if memory is None else [memory])
            self._socket.sendall(text)
            (length,) = _LENGTH.unpack(_received(self._socket, _LENGTH.size))
            if length > MAX_ANSWER_BYTES:
                raise ValueError
            answer = json.loads(_received(self._socket, length))
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
        with _no_fork_warning():
            self.pid = os.fork()
        if self.pid == 0:
            _child(_serve, theirs)
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
        with suppress(OSError, ValueError):
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
            (length,) = _LENGTH.unpack(_received(ours, _LENGTH.size))
            _kept_by = str(json.loads(_received(ours, min(length, 4096)))["kept_by"])
            return pid, server
        except (OSError, ValueError, KeyError):
            with _starting:
                if _server is server:
                    server.socket.close()
                    _server = None
    raise InputError(
        f"{file.name}: no process to decode it in can be started. Close other programs, try again"
    )


class _no_fork_warning(warnings.catch_warnings):
    """Python 3.12 warns of threads, those of OpenBLAS too; the child uses nothing that they may hold."""

    def __enter__(self) -> None:
        super().__enter__()
        warnings.simplefilter("ignore", DeprecationWarning)


def _received(source: socket.socket, length: int) -> bytes:
    pieces = []
    while length > 0:
        piece = source.recv(min(length, 1 << 20))
        if not piece:
            raise ConnectionResetError
        pieces.append(piece)
        length -= len(piece)
    return b"".join(pieces)


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


# ---- in the server and its workers --------------------------------------------------------------


def _child(work: Callable[..., None], *with_: Any) -> None:
    """Do the work and leave; nothing of this process's own is run at the end."""
    code = 1
    try:
        work(*with_)
        code = 0
    finally:
        os._exit(code)


def _serve(control: socket.socket) -> None:
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
        with _no_fork_warning():
            pid = os.fork()
        if pid == 0:
            control.close()
            _child(_work, socket.socket(fileno=handed[0]), request["file"])
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
    one, memory = Decoder(file), None
    while True:
        head, handed, _, _ = socket.recv_fds(asked, _HEAD.size, 1)
        if len(head) < _HEAD.size:
            return
        length, fresh = _HEAD.unpack(head)
        request = json.loads(_received(asked, length))
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
    asked.sendall(_LENGTH.pack(len(text)) + text)


def _libraries() -> list[Path]:
    """What Python and GDAL may still have to read: their own code, and the database of coordinate systems."""
    package = Path(rasterio.__file__).parent
    beside = [package.with_name("rasterio.libs"), Path(np.__file__).parent, Path(os.__file__).parent]
    shared = [Path(sys.prefix, "share", name) for name in ("proj", "gdal")]
    named = [
        Path(os.environ[name]) for name in ("PROJ_DATA", "PROJ_LIB", "GDAL_DATA") if os.environ.get(name)
    ]
    return [package, *beside, *shared, *named, Path(decoder.__file__).parent]

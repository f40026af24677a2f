"""A Dask cluster as an executor: windows of a scene are worked on by other processes and machines.

What is sent is pickled: a function of this package with the values it needs, once for each stage, and then
one window a task. Files are not sent. Each worker opens them by the same path, and refuses a file that is not
the one that was let in here (`raster`). Workers of other versions are refused: they would give other numbers.

A scheduler runs whatever code it is sent by anybody who can reach it, and what it answers is unpickled here.
So its address is never read from a case file or from settings.
"""

from __future__ import annotations

import asyncio
import logging
import os
import pickle
import re
import socket
import tempfile
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from . import versions
from .errors import ClusterLost, DamagediffError, SettingsError

if TYPE_CHECKING:
    from distributed import Client

T = TypeVar("T")
R = TypeVar("R")

CONNECT_SECONDS = 5.0
"""Waited for an answer from the address: a network takes milliseconds."""
WORKERS_SECONDS = 60.0
"""Waited for a first worker, and for another one when the last is gone: a queue or a nanny starts them."""
REACH_SECONDS = 1.0
"""Waited for a worker's own address: it may lie behind a gateway, or be of another kind."""
SILENT_SECONDS = 60.0
"""Waited for a scheduler that is there and says nothing: it may have much to do."""
WATCH_SECONDS = 1.0
"""Between two looks at the cluster."""
AHEAD = 2
"""Tasks that are asked for at a time, for each thread of the cluster: one in work, one that waits there."""
BROKEN = (OSError, RuntimeError, ValueError, AttributeError, CancelledError)
"""What a connection raises that breaks, or is closed by another thread."""
EXTRA = "pip install 'damagediff[dask]'"
DRAWN = ("jinja2", "matplotlib", "pillow", "reportlab")
"""Libraries that only draw the report, which is done here."""


class Held:
    """What is to be done, as it lies on a worker: unpacked there once, and passed on to others as it came.

    Parameters
    ----------
    packed : bytes
        The pickled function.
    mine : dict
        Versions of the process that sent it.
    """

    def __init__(self, packed: bytes, mine: dict[str, str]) -> None:
        self._packed, self._mine = packed, mine
        self._work: Callable[[Any], Any] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return Held, (self._packed, self._mine)

    def __call__(self, item: Any) -> Any:
        """The work on one item; an announced failure names the worker."""
        try:
            if (why := _unlike(tuple(sorted(self._mine.items())))) is not None:
                raise SettingsError(why)
            _one_thread_each()
            if self._work is None:
                self._work = pickle.loads(self._packed)
            return self._work(item)
        except DamagediffError as error:
            raise type(error)(f"{error} (worker {_here()})") from None


def _work(held: Held, item: Any) -> Any:
    return held(item)


def _here() -> str:
    """The address of the worker that asks."""
    from distributed import get_worker

    return str(get_worker().address)


@cache
def _one_thread_each() -> None:
    """As at home: the workers are the threads, and nested ones would show in the last bits."""
    import cv2
    import threadpoolctl

    cv2.setNumThreads(1)
    threadpoolctl.threadpool_limits(1)


@cache
def _unlike(mine: tuple[tuple[str, str], ...]) -> str | None:
    """In what this process differs from the one that sends work, in words; None: in nothing that counts."""
    own = _that_count()
    for name, wanted in mine:
        if own.get(name) != wanted:
            return f"it has {name} {own.get(name)}, this machine has {wanted}: give all the same versions"
    return None


def _that_count() -> dict[str, str]:
    """Versions of everything that touches pixels, and the kind of processor."""
    import platform

    found = {name: version for name, version in versions.versions().items() if name not in DRAWN}
    return found | {"processors of kind": platform.machine()}


def _asked(mine: dict[str, str]) -> str | None:
    """The same question to every process of a cluster at once."""
    return _unlike(tuple(sorted(mine.items())))


class Asked(Future[R]):
    """A result that stays with its worker until it is wanted; ``Client.get_executor`` fetches each at once.

    `tiles.map_ordered` asks a thousand workers for two thousand tiles, and has memory for a few. Only
    `bring`, `result` and `cancel` mean anything.
    """

    def __init__(self, client: Client, distant: Any) -> None:
        super().__init__()
        self._client, self._distant = client, distant
        self._near: Future[R] | None = None

    def bring(self) -> None:
        """Have the result fetched as soon as there is one."""
        if self._near is None and not self.cancelled():
            loop = self._client.loop.asyncio_loop
            self._near = asyncio.run_coroutine_threadsafe(self._fetched(), loop)

    async def _fetched(self) -> R:
        try:
            return await self._client.gather(self._distant, asynchronous=True)
        except OSError:
            if self._distant.status == "error":  # the work raised it
                raise
            raise CancelledError from None  # as other ways of losing a scheduler do

    def result(self, timeout: float | None = None) -> R:
        """The result, or what the work raised; CancelledError when the cluster is lost."""
        self.bring()
        return super().result(0) if self._near is None else self._near.result(timeout)

    def cancel(self) -> bool:
        """Have it not done, where it has not begun."""
        super().cancel()
        if self._near is not None:
            self._near.cancel()
        if self._client.status == "running":
            self._distant.release()
        return True


class Cluster(Executor):
    """The workers of one scheduler, for functions that can be pickled.

    ``submit(work, item)`` sends `work` once, as long as it is the same object, and then items. What a worker
    that is lost had in hand is done again by another one.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._sent: list[tuple[Any, Any]] = []
        self._mine = _that_count()
        self._asked_for: weakref.WeakSet[Asked[Any]] = weakref.WeakSet()
        self._done = threading.Event()
        self.why: str | None = None
        """What ended it; None while it lives."""
        self.threads = 0
        """Of all workers, as last seen."""
        self._look()
        self._seen = time.monotonic()
        threading.Thread(target=self._watch, name="cluster", daemon=True).start()

    @property
    def width(self) -> int:
        """Items that should be asked for at a time."""
        return AHEAD * max(1, self.threads)

    def submit(self, work: Callable[..., R], /, *items: Any, **named: Any) -> Future[R]:
        """One item to be worked on.

        Raises
        ------
        ClusterLost
            There is no cluster any more.
        """
        (item,) = items
        if self.why is not None:
            raise ClusterLost(self.why)
        if self._client.status != "running":
            raise CancelledError
        distant = self._client.submit(_work, self._holding(work), item, pure=False)
        future: Asked[R] = Asked(self._client, distant)
        self._asked_for.add(future)
        return future

    def _holding(self, work: Any) -> Any:
        """The future of `work` on the cluster; as a task it is made again when its worker is lost."""
        for known, future in self._sent:
            if known is work:
                return future
        future = self._client.submit(Held, pickle.dumps(work, 5), self._mine, pure=False)
        self._sent = [*self._sent[-1:], (work, future)]  # the one before may hold files open for this one
        return future

    def answers(self, question: Callable[[], str]) -> list[str]:
        """What the workers that are there now answer, each answer once; empty when nobody does."""
        try:
            told = self._client.run(question, on_error="ignore")
        except BROKEN:
            return []
        return sorted(set(told.values()))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Ask for nothing more; whoever opened the client closes it."""
        self._done.set()
        self._sent.clear()

    def _watch(self) -> None:
        try:
            while not self._done.wait(WATCH_SECONDS) and self._client.status == "running":
                self._look()
                if self.threads:
                    self._seen = time.monotonic()
                elif time.monotonic() - self._seen > WORKERS_SECONDS:
                    self._end(f"it has had no worker for {WORKERS_SECONDS:.0f} s")
                    return
        except BROKEN:
            pass
        finally:  # nobody waits for a cluster that nobody watches
            self._end("the connection to its scheduler broke")

    def _look(self) -> None:
        found = self._client.sync(
            self._client.scheduler.ncores, workers=None, callback_timeout=SILENT_SECONDS
        )
        self.threads = sum(found.values())

    def _end(self, why: str) -> None:
        """Let go of everybody who waits."""
        if self._done.is_set() or self.why is not None:
            return
        self.why = f"the Dask cluster was lost: {why}. Nothing was written; run again, or without --dask"
        for future in list(self._asked_for):
            future.cancel()


@contextmanager
def joined(address: str | None) -> Iterator[Cluster | None]:
    """The cluster at ``tcp://HOST:PORT`` or ``tls://HOST:PORT``, or one of this machine: ``local:N``.

    None gives None: threads of this process are used then.

    Raises
    ------
    SettingsError
        It is no such address, nobody answers there, a process there has other versions, or Dask is missing.
    ClusterLost
        From within the block: its scheduler or all its workers are gone.
    """
    if address is None:
        yield None
        return
    with _configured(), _started(address) as (where, security):
        client = _client(where, security)
        try:
            _check(client, where)
            client.direct_to_workers = _reached(next(iter(client.nthreads()), ""))
            with Cluster(client) as cluster:
                yield from _lost_told(cluster)
        finally:
            client.close(timeout=CONNECT_SECONDS)


@contextmanager
def shared(address: str | None) -> Iterator[str | None]:
    """The address by which processes begun within the block join one cluster; ``local:N`` is started.

    Raises
    ------
    SettingsError
        It is no such address, or Dask is missing.
    """
    if address is None or not address.startswith(LOCAL):
        yield address
        return
    with _configured(), _started(address) as (where, security):
        with tempfile.TemporaryDirectory(prefix="damagediff-") as folder:  # which only this user may enter
            before = dict(os.environ)
            os.environ.update(_as_files(security, Path(folder)))
            try:
                yield where
            finally:
                for name in _TLS:
                    os.environ.pop(name, None)
                os.environ.update({name: before[name] for name in _TLS if name in before})


LOCAL = "local:"
_TLS = {
    "DASK_DISTRIBUTED__COMM__TLS__CA_FILE": "tls_ca_file",
    "DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT": "tls_client_cert",
    "DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY": "tls_client_key",
}
"""Where Dask looks for the keys of an encrypted connection."""


def _as_files(security: Any, folder: Path) -> dict[str, str]:
    """Keys that are held in memory, written for other processes; names and values of their environment."""
    for field in _TLS.values():
        (folder / field).write_text(getattr(security, field), encoding="ascii")
    return {name: str(folder / field) for name, field in _TLS.items()}


@contextmanager
def _configured() -> Iterator[None]:
    """Dask as it is used here: short waits, and its log kept off the terminal."""
    dask = _dask()
    wanted = {
        "distributed.comm.timeouts.connect": f"{CONNECT_SECONDS} s",
        "distributed.admin.large-graph-warning-threshold": "4 GB",  # of marks and areas, which are needed
    }
    loud = ("distributed", "tornado", "asyncio")
    names = [name for name in logging.root.manager.loggerDict if name.split(".")[0] in loud]
    levels = {name: logging.getLogger(name).level for name in names}
    with dask.config.set(wanted):
        for name in names:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        try:
            yield
        finally:
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)


def _dask() -> Any:
    try:
        import cryptography  # noqa: F401 - by which a cluster on this machine keeps others out
        import dask
        import distributed  # noqa: F401
    except ModuleNotFoundError as error:
        raise SettingsError(f"--dask needs {error.name}, which is not installed: {EXTRA}") from None
    return dask


@contextmanager
def _started(address: str) -> Iterator[tuple[str, Any]]:
    """An address and its keys; of ``local:N``, of a cluster that lives as long as the block."""
    local = re.fullmatch(rf"{LOCAL}([1-9][0-9]{{0,2}})", address)
    if local is None:
        if not re.fullmatch(r"(tcp|tls)://[\w.:\[\]-]+:[0-9]{1,5}", address, re.ASCII):
            raise SettingsError(
                f"--dask {address}: give tcp://HOST:PORT or tls://HOST:PORT of a scheduler, or local:N for N "
                "processes on this machine"
            )
        yield address, None
        return
    from distributed import LocalCluster, Security

    keys = Security.temporary()
    how: dict[str, Any] = {f"distributed.{who}.http.routes": [] for who in ("scheduler", "worker")}
    # Dask has its workers give memory back at every chance, and large arrays then cost as much again to have.
    how |= {"distributed.nanny.pre-spawn-environ": {"OMP_NUM_THREADS": 1, "OPENBLAS_NUM_THREADS": 1}}
    how |= {"distributed.worker.profile.enabled": False, "distributed.admin.system-monitor.interval": "10 s"}
    with (
        _dask().config.set(how),
        tempfile.TemporaryDirectory(prefix="damagediff-") as folder,
        LocalCluster(
            n_workers=int(local[1]),
            threads_per_worker=1,
            host="127.0.0.1",
            protocol="tls",
            security=keys,  # anybody on this machine could have code run otherwise
            dashboard_address="127.0.0.1:0",  # None would take 8787, and warn when it is taken
            scheduler_kwargs={"dashboard": False},
            local_directory=folder,
            memory_limit=0,
            silence_logs=logging.CRITICAL,
        ) as cluster,
    ):
        yield cluster.scheduler_address, keys


def _client(where: str, security: Any) -> Client:
    from distributed import Client
    from distributed.versions import VersionMismatchWarning

    client = Client.__new__(Client)  # at hand, should it fail to begin
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", VersionMismatchWarning)  # `_check` refuses what counts
            client.__init__(where, timeout=CONNECT_SECONDS, security=security, set_as_default=False)
            return client
    except (OSError, ValueError, TypeError, RuntimeError, MemoryError) as error:
        client.status = "closed"  # or, when it goes, it tries to take leave of what it never met
        words = " ".join(str(error).split())[:200]
        raise SettingsError(
            f"--dask {where}: no scheduler answers there within {CONNECT_SECONDS:.0f} s ({words}). Check the "
            "address, and that it is running"
        ) from None


def _check(client: Client, where: str) -> None:
    """Refuse a cluster without workers, and one of other versions."""
    until = time.monotonic() + WORKERS_SECONDS
    while not client.nthreads():
        if time.monotonic() > until:
            raise SettingsError(
                f"--dask {where}: it has had no worker for {WORKERS_SECONDS:.0f} s. Start some"
            )
        time.sleep(0.1)
    mine = _that_count()
    answers = {f"worker {at}": said for at, said in client.run(_asked, mine, on_error="return").items()}
    try:
        answers["its scheduler"] = client.run_on_scheduler(_asked, mine)
    except (*BROKEN, ImportError, pickle.PickleError, TypeError) as error:  # what unpickling raises there
        answers["its scheduler"] = error
    for who, said in answers.items():
        if isinstance(said, BaseException):
            words = " ".join(str(said).split())[:200]
            raise SettingsError(f"--dask {where}: {who} cannot run damagediff {mine['damagediff']}: {words}")
        if said is not None:
            raise SettingsError(f"--dask {where}: {who}: {said}")


def _reached(worker: str) -> bool:
    """Whether results can be fetched from a worker; else the scheduler hands them on, for more."""
    host, _, port = worker.rpartition("://")[2].rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=REACH_SECONDS):
            return True
    except (OSError, ValueError):
        return False


def _lost_told(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster, with what a lost one raises in our words."""
    from distributed import KilledWorker

    try:
        yield cluster
    except CancelledError:
        time.sleep(2 * WATCH_SECONDS)  # those who wait hear of it before the one who watches
        raise ClusterLost(
            cluster.why or "the Dask cluster let go of what was asked of it. Run again"
        ) from None
    except KilledWorker as error:
        raise ClusterLost(
            f"the Dask cluster lost {error.allowed_failures + 1} workers at the same task, most likely for "
            "want of memory. Give its workers more, or run without --dask"
        ) from None

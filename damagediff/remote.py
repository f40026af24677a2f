"""Large scenes by their https address, read by parts: what is needed goes into a file full of holes.

Part of `raster`. The file lies in a temporary folder, has the size of the scene, and holds what was fetched
at its place, so that every check and the decoder, which has no network, see a file like any other. Whoever
decodes a window asks for it here first: a hole would be read as black. Only the two images of a comparison
may be addresses, and only where the person at the command line allows it.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import struct
import tempfile
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from . import remote_blocks
from .errors import InputError, OutputError
from .remote_blocks import Range
from .remote_http import Ranges, place
from .settings import ReadSettings
from .types import Source, Window

PAGE_BYTES = 1 << 14
"""What is fetched, and told as fetched, is a whole number of these."""
MARGIN_BYTES = 1 << 14
"""Fetched on both sides of what is needed: decoders read ahead, and would keep the hole that they saw."""
FIRST_BYTES = 1 << 16
"""Of the first request: the header of most scenes."""
REQUEST_BYTES = 4 << 20
"""Of one request, at most; neighbouring pages go into one."""
REQUESTS_AT_ONCE = 6
_TIFF = (b"II*\0", b"II+\0", b"MM\0*", b"MM\0+")


@dataclass(frozen=True)
class Fetched:
    """What was read of a remote file, and of which version of it."""

    address: str
    size_bytes: int
    etag: str | None
    last_modified: str | None
    ranges: tuple[Range, ...]
    """First byte, and the one after the last, in the order of the file."""
    sha256: str
    """Of these bytes, one range after the other."""

    @property
    def fetched_bytes(self) -> int:
        """How many were fetched."""
        return sum(stop - start for start, stop in self.ranges)


def address_of(path: Path) -> str | None:
    """The address that a path of the command line is; None when it is none.

    ``Path`` makes one slash of two, which no address needs elsewhere.
    """
    words = path.as_posix()
    return f"https://{words.removeprefix('https:').lstrip('/')}" if words.startswith("https:/") else None


@contextmanager
def opened(sources: Iterable[Source], settings: ReadSettings, allowed: bool) -> Iterator[list[Source]]:
    """The sources, those that are addresses as files to be filled, until the block ends.

    Parameters
    ----------
    allowed : bool
        Without it, addresses stay what they are, and the door refuses them.

    Raises
    ------
    InputError
        An address cannot be read by parts, or holds no tiled TIFF.
    OutputError
        There is no room in the temporary folder.
    """
    with ExitStack() as stack:
        yield [stack.enter_context(_opened(source, settings)) if allowed else source for source in sources]


@contextmanager
def _opened(source: Source, settings: ReadSettings) -> Iterator[Source]:
    address = source.address or address_of(source.path)
    if address is None:
        yield source
        return
    at = place(address)
    name = re.sub(r"[^A-Za-z0-9._-]", "_", at.path.rpartition("/")[2])[-80:].lstrip(".") or "remote.tif"
    with tempfile.TemporaryDirectory(prefix="damagediff-remote-", ignore_cleanup_errors=True) as folder:
        path = Path(os.path.realpath(folder)) / name
        file = _File(address, path, settings)
        _open[path] = file
        try:
            file.begin()
            yield replace(source, path=path, address=file.ranges.address)
        finally:
            del _open[path]
            file.close()


def bring(path: Path, bands: list[int], window: Window) -> None:
    """Fetch what a window needs, unless it is there; only then may it be decoded.

    Parameters
    ----------
    path : Path
        Of the source that `opened` gave.
    bands : list of int
        Counted from 1.
    window : Window
        In pixels as delivered, inside the picture.

    Raises
    ------
    InputError
        It cannot be fetched; or the file was opened by another process, which alone may fetch.
    """
    _found(path).bring(bands, window)


def fetched(path: Path) -> Fetched:
    """What was read until now."""
    return _found(path).fetched()


def bring_again(path: Path, ranges: Iterable[Range]) -> Fetched:
    """Fetch what an earlier run did; its hash says whether it is the same.

    Raises
    ------
    InputError
        As `bring`, and where a range does not lie in the file.
    """
    file, wanted = _found(path), list(ranges)
    if not all(0 <= start < stop <= file.size for start, stop in wanted):
        raise InputError(f"{path.name}: its address holds another file now: it is shorter")
    file.need(wanted, 0)
    return file.fetched(wanted)


@contextmanager
def let_go_when_stopped() -> Iterator[None]:
    """When the block is stopped (Ctrl-C), nothing more is awaited of a host, by whatever thread."""
    try:
        yield
    except KeyboardInterrupt:
        for file in list(_open.values()):
            file.ranges.close()
        raise


def _found(path: Path) -> _File:
    try:
        return _open[path]
    except KeyError:
        raise InputError(
            f"{path.name}: it is fetched by another process, or no more. Download it, then give the file"
        ) from None


class _File:
    """One scene, as far as it was fetched; may be used by many threads at once."""

    def __init__(self, address: str, path: Path, settings: ReadSettings) -> None:
        self.ranges = Ranges(address)
        self.size = 0
        self._path = path
        self._settings = settings
        self._disk: io.FileIO | None = None
        self._blocks: tuple[remote_blocks.Blocks, ...] = ()
        self._here = self._asked = np.zeros(0, np.bool_)
        self._changed = threading.Condition()
        self._pool = ThreadPoolExecutor(REQUESTS_AT_ONCE, "fetch")
        self._writing = threading.Lock()

    def close(self) -> None:
        """Fetch no more."""
        self.ranges.close()  # first: else each answer on its way would be awaited
        self._pool.shutdown(cancel_futures=True)
        if self._disk is not None:
            self._disk.close()

    def begin(self) -> None:
        """Fetch what the file says of itself."""
        first = self.ranges.first(FIRST_BYTES)
        version = self.ranges.version
        assert version is not None
        if first[:4] not in _TIFF:
            raise InputError(f"{self.ranges.address}: not a TIFF. Only tiled GeoTIFF is read from an address")
        self.size = version.size
        with self._kept():
            handle = os.open(
                self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600
            )
            self._disk = io.FileIO(handle, "r+")
            self._disk.truncate(self.size)
        pages = -(-self.size // PAGE_BYTES)
        self._here, self._asked = np.zeros(pages, np.bool_), np.zeros(pages, np.bool_)
        self._put(0, first)
        known = pages if len(first) == self.size else len(first) // PAGE_BYTES
        self._here[:known] = self._asked[:known] = True
        try:
            with _Reading(self) as reading:
                file = cast(BinaryIO, reading)
                self.need(remote_blocks.header(file, self._settings.max_directories), MARGIN_BYTES)
                self._blocks = remote_blocks.blocks(file)
        except InputError as error:
            text = str(error)
            raise InputError(
                text if self.ranges.address in text else f"{self.ranges.address}: {text}"
            ) from None
        except (struct.error, OverflowError, ValueError):
            raise InputError(f"{self.ranges.address}: its directories lie outside the file") from None

    def bring(self, bands: list[int], window: Window) -> None:
        """See `bring`."""
        self.need((each for of in self._blocks for each in of.ranges(bands, window)), MARGIN_BYTES)

    def need(self, ranges: Iterable[Range], margin: int) -> None:
        """Have these bytes here when it returns."""
        wanted = self._pages(ranges, margin)
        with self._changed:
            mine = wanted[~self._asked[wanted]]
            self._asked[mine] = True
        try:
            self._fetch(mine)
        finally:
            with self._changed:
                self._asked[mine] = self._here[mine]
                self._changed.notify_all()
        with self._changed:  # what other threads fetch; what they could not is tried here
            self._changed.wait_for(lambda: bool((self._here[wanted] | ~self._asked[wanted]).all()))
            missing = not self._here[wanted].all()
        if missing:
            self.need([(int(page) * PAGE_BYTES, int(page) * PAGE_BYTES + 1) for page in wanted], 0)

    def _pages(self, ranges: Iterable[Range], margin: int) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
        flags, left = np.zeros(len(self._here), np.bool_), self._settings.max_fetched_bytes
        for start, stop in ranges:
            stop = min(stop, self.size)
            left -= max(0, stop - start)
            if left < 0:  # at once: a million blocks that each claim to be the whole file take hours to mark
                raise self._too_much()
            if start < stop:
                flags[max(0, start - margin) // PAGE_BYTES : -(-(stop + margin) // PAGE_BYTES)] = True
        return np.flatnonzero(flags)

    def _fetch(self, pages: np.ndarray[tuple[int], np.dtype[np.intp]]) -> None:
        """Fetch pages that no other thread does, neighbours together."""
        if not len(pages):
            return
        with self._changed:
            total = int(self._asked.sum()) * PAGE_BYTES
        if total > self._settings.max_fetched_bytes:
            raise self._too_much()
        jobs = [self._pool.submit(self._get, *run) for run in _runs(pages, REQUEST_BYTES // PAGE_BYTES)]
        try:
            for job in jobs:
                job.result()
        finally:
            for job in jobs:
                job.cancel()

    def _too_much(self) -> InputError:
        limit = self._settings.max_fetched_bytes
        return InputError(
            f"{self.ranges.address}: more than {limit:,} bytes of it would have to be fetched. Cut out "
            "the place, or raise read.max_fetched_bytes"
        )

    def _get(self, first: int, last: int) -> None:
        start, stop = first * PAGE_BYTES, min(last * PAGE_BYTES, self.size)
        self._put(start, self.ranges.part(start, stop))
        self._here[first:last] = True

    @contextmanager
    def _kept(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OutputError(
                f"{self._path.name}: what is fetched cannot be kept in the temporary folder "
                f"({error.strerror or error}). Set TMPDIR to one with more room"
            ) from None

    def _put(self, at: int, content: bytes) -> None:
        assert self._disk is not None
        with self._kept(), self._writing:
            self._disk.seek(at)
            left = memoryview(content)
            while left:
                left = left[self._disk.write(left) :]

    def fetched(self, ranges: Iterable[Range] | None = None) -> Fetched:
        """What was fetched; or only these parts of it."""
        version, digest = self.ranges.version, hashlib.sha256()
        assert version is not None
        runs = _runs(np.flatnonzero(self._here), len(self._here))
        told = [(first * PAGE_BYTES, min(last * PAGE_BYTES, self.size)) for first, last in runs]
        told = told if ranges is None else list(ranges)
        with self._path.open("rb") as file:
            for start, stop in told:
                file.seek(start)
                for at in range(start, stop, REQUEST_BYTES):
                    digest.update(file.read(min(REQUEST_BYTES, stop - at)))
        return Fetched(
            self.ranges.address,
            self.size,
            version.etag,
            version.last_modified,
            tuple(told),
            digest.hexdigest(),
        )


_open: dict[Path, _File] = {}
"""Those of this process, by the path of the file that is filled."""


def _runs(pages: np.ndarray[tuple[int], np.dtype[np.intp]], longest: int) -> Iterator[Range]:
    """Neighbouring pages as (first, last + 1), none of more than `longest`."""
    if not len(pages):
        return
    for run in np.split(pages, np.flatnonzero(np.diff(pages) != 1) + 1):
        for first in range(int(run[0]), int(run[-1]) + 1, longest):
            yield first, min(first + longest, int(run[-1]) + 1)


class _Reading(io.RawIOBase):
    """The file, from its beginning, where what is read is fetched first."""

    def __init__(self, file: _File) -> None:
        super().__init__()
        self._file = file
        self._disk = file._path.open("rb")  # noqa: SLF001

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def fileno(self) -> int:
        """Of the file with holes."""
        return self._disk.fileno()

    def seek(self, offset: int, whence: int = 0) -> int:
        """As of any file."""
        return self._disk.seek(offset, whence)

    def tell(self) -> int:
        """As of any file."""
        return self._disk.tell()

    def read(self, size: int = -1) -> bytes:
        """As of any file; at most to its end."""
        at = self._disk.tell()
        self._file.need([(at, at + size if size >= 0 else self._file.size)], 0)
        self._disk.seek(at)
        return self._disk.read(size)

    def readinto(self, buffer: Any) -> int:
        """As of any file."""
        content = self.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)

    def close(self) -> None:
        """As of any file."""
        self._disk.close()
        super().close()

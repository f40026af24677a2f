"""Part of `remote`: parts of one file, asked for over https, from one host that is on the public Internet.

HTTP ranges as in RFC 9110, section 14. Nothing of the user's own is sent: no cookie, no login, no proxy. What
a server says is held against what was asked, before a byte of its answer is read on.
"""

from __future__ import annotations

import http.client
import ipaddress
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.message import Message
from http import HTTPStatus
from urllib.parse import urljoin

from . import tags
from .errors import InputError

MAX_ADDRESS = 2000
MAX_REDIRECTS = 3
MAX_TRIED = 4
"""Addresses of one name."""
MAX_SIZE_BYTES = 1 << 40
TIMEOUT_S = 30.0
"""For one answer of the network, and beyond `SLOWEST_BYTES_S` for one request as a whole."""
SLOWEST_BYTES_S = 10_000
PAUSES_S = (0.5, 1.0, 2.0)
"""Before a request is sent again, each time: servers that are busy, connections that break."""
PIECE_BYTES = 1 << 16
AGAIN = (408, 429, 500, 502, 503, 504)
MOVED = (301, 302, 303, 307, 308)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")
_ADDRESS = re.compile(
    r"https://(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])"
    r"(?::(?P<port>\d{1,5}))?(?P<path>/[!-\"$->@-\[\]-~]*)"
)
"""Printable ASCII without ``#``, ``?`` and ``\\`` in the path."""
_NAME = re.compile(r"(?=.{1,253}$)[^.]{1,63}(?:\.[^.]{1,63})*")
"""Of a host; Python's own look-up has no error of its kind for others."""


@dataclass(frozen=True)
class Place:
    """Where on which host."""

    host: str
    port: int
    path: str

    @property
    def shown(self) -> str:
        """As an address."""
        port = "" if self.port == http.client.HTTPS_PORT else f":{self.port}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"https://{host}{port}{self.path}"


@dataclass(frozen=True)
class Version:
    """Which state of the file is meant; all parts must be of one."""

    size: int
    etag: str | None
    last_modified: str | None


def place(address: str) -> Place:
    """An address that may be asked.

    Raises
    ------
    InputError
        It is not a plain ``https://host/path``, or holds a login or a query, which may be a key.
    """
    shown = tags.printable(re.split(r"[?#]", address)[0].rpartition("@")[2])[:MAX_ADDRESS]
    if "?" in address or "#" in address:
        raise InputError(
            f"{shown}: addresses with ? or # are not read: what follows may be a key, and a report names "
            "where its images come from. Download the file, then give it"
        )
    if "@" in address.removeprefix("https://").partition("/")[0]:
        raise InputError(
            f"{shown}: addresses with a user name are not read. Leave it out, or download the file"
        )
    found = _ADDRESS.fullmatch(address) if len(address) <= MAX_ADDRESS else None
    named = found is not None and (found["host"][0] == "[" or _NAME.fullmatch(found["host"]))
    if found is None or not named or int(found["port"] or 1) not in range(1, 1 << 16):
        raise InputError(f"{shown}: not a plain address, such as https://example.org/scene.tif")
    return Place(
        found["host"].strip("[]").lower(), int(found["port"] or http.client.HTTPS_PORT), found["path"]
    )


def public(address: str) -> bool:
    """Whether an IP address is one of the public Internet: not this machine, its network, or nobody's."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inside = [ip.ipv4_mapped, ip.sixtofour, *(ip.teredo or ())]
        if ip in _NAT64:
            inside.append(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF))
        if any(each is not None and not public(str(each)) for each in inside):
            return False
        if ip.ipv4_mapped is not None:
            return True
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


def _context() -> ssl.SSLContext:
    """Certificates are verified, against those that the system, or ``SSL_CERT_FILE``, trusts."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_default_certs()
    return context


class _Refused(InputError):
    """What no second attempt can mend."""


class _Connection(http.client.HTTPSConnection):
    """Connects to the very address that was found public: a name looked up twice may lead elsewhere."""

    is_cut = False
    """Whether it may not be used any more."""

    def connect(self) -> None:
        """Look the name up, connect to its first public address that answers, begin TLS."""
        found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        allowed = [(family, at) for family, _, _, _, at in found if public(str(at[0]))]
        if not allowed:
            raise _Refused(
                f"{self.host}: it leads to an address that is not on the public Internet, which is not asked"
            )
        del allowed[MAX_TRIED:]
        for number, (family, at) in enumerate(allowed, 1):
            plain = socket.socket(family, socket.SOCK_STREAM)
            try:
                plain.settimeout(TIMEOUT_S)
                plain.connect(at)
                self.sock = plain = self._context.wrap_socket(  # type: ignore[attr-defined]
                    plain, server_hostname=self.host, do_handshake_on_connect=False
                )
                if self.is_cut:
                    raise ConnectionAbortedError("broken off")
                plain.do_handshake()  # only now: `cut` may have to end it
                return
            except OSError:
                plain.close()
                self.sock = None
                if number == len(allowed):
                    raise

    def cut(self) -> None:
        """Break off whatever another thread awaits of it, or will."""
        self.is_cut = True
        held = self.sock
        if held is not None:
            with suppress(OSError):
                socket.socket.shutdown(held, socket.SHUT_RDWR)  # that of TLS is not for two threads

    def end(self) -> None:
        """The same, and close it."""
        self.cut()
        self.close()

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """What is awaited in the block is broken off after so long, however steadily something comes."""
        over = threading.Event()

        def end() -> None:
            over.set()
            self.cut()

        timer = threading.Timer(seconds, end)
        timer.daemon = True
        timer.start()
        try:
            yield
        except (OSError, http.client.HTTPException, _Refused):
            if over.is_set():  # what was cut off may read as an answer that lacks something
                raise TimeoutError from None
            raise
        finally:
            timer.cancel()


class Ranges:
    """Parts of one file; may be used by many threads at once.

    Parameters
    ----------
    address : str
        ``https://host/path``.

    Raises
    ------
    InputError
        From `first` and `part`: whatever a host, the network or a certificate may do wrong, in one line.
    """

    def __init__(self, address: str) -> None:
        self._place = place(address)
        self.address = self._place.shown
        self._at = self._place.path
        self._trust = _context()
        self._lock = threading.Lock()
        self._idle: list[_Connection] = []
        self._busy: list[_Connection] = []
        self._closed = threading.Event()
        self.version: Version | None = None

    def close(self) -> None:
        """End all connections, those too on which an answer is awaited."""
        self._closed.set()
        with self._lock:
            for connection in (*self._idle, *self._busy):
                connection.end()

    def first(self, length: int) -> bytes:
        """The beginning of the file, at most `length` bytes; from now on its version is known."""
        return self._tried(0, length)

    def part(self, start: int, stop: int) -> bytes:
        """Bytes from `start` up to `stop`, of the same version."""
        return self._tried(start, stop)

    def _tried(self, start: int, stop: int) -> bytes:
        for pause in (*PAUSES_S, None):
            try:
                return self._asked(start, stop)
            except _Refused as error:
                raise InputError(str(error)) from None
            except ssl.SSLCertVerificationError as error:
                reason = tags.printable(error.verify_message or "not valid")
                raise InputError(
                    f"{self.address}: its certificate is not trusted ({reason}): nothing was read"
                ) from None
            except (OSError, http.client.HTTPException, _Busy) as error:
                if pause is None or self._closed.is_set():
                    raise InputError(
                        f"{self.address}: cannot be fetched ({_reason(error)}), asked {len(PAUSES_S) + 1} "
                        "times. Try later, or download the file"
                    ) from None
            self._closed.wait(pause)
        raise AssertionError

    def _asked(self, start: int, stop: int) -> bytes:
        """One answer, through as many redirects as are allowed."""
        for _ in range(MAX_REDIRECTS + 1):
            seconds = 2 * TIMEOUT_S + (stop - start) / SLOWEST_BYTES_S  # to connect, and to answer
            with self._connected() as connection, connection.within(seconds):
                connection.request("GET", self._at, headers=self._headers(start, stop))
                with connection.getresponse() as answer:  # which holds the socket until it is closed
                    if answer.status not in MOVED:
                        return self._checked(answer, start, stop)
                    moved = answer.getheader("Location") or ""
                connection.close()  # what else it says is not read; it connects again by itself
            self._at = self._moved(moved)
        raise _Refused(f"{self.address}: more than {MAX_REDIRECTS} redirects. Give the file's own address")

    @contextmanager
    def _connected(self) -> Iterator[_Connection]:
        """A connection that is kept for the next request, if this one went well and left nothing unread."""
        with self._lock:
            connection = (
                self._idle.pop()
                if self._idle
                else _Connection(self._place.host, self._place.port, timeout=TIMEOUT_S, context=self._trust)
            )
            self._busy.append(connection)
        well = False
        try:
            if self._closed.is_set():
                raise ConnectionAbortedError("broken off")
            yield connection
            well = True
        finally:
            with self._lock:
                self._busy.remove(connection)
                well = well and not connection.is_cut
                if well:
                    self._idle.append(connection)
            if not well:
                connection.close()

    def _headers(self, start: int, stop: int) -> dict[str, str]:
        told = {
            "Range": f"bytes={start}-{stop - 1}",
            "Accept-Encoding": "identity",
            "User-Agent": "damagediff",
        }
        version = self.version
        if version is None:
            return told
        if version.etag is not None and not version.etag.startswith("W/"):
            return told | {"If-Match": version.etag}
        return (
            told if version.last_modified is None else told | {"If-Unmodified-Since": version.last_modified}
        )

    def _moved(self, location: str) -> str:
        """The path of a redirect, which must lead to the same host."""
        current = Place(self._place.host, self._place.port, self._at)
        try:
            there = place(urljoin(current.shown, location))
        except (InputError, ValueError):
            there = None
        if there is None or (there.host, there.port) != (current.host, current.port):
            raise _Refused(
                f"{self.address}: it leads to another address, which is not followed. "
                "Give the file's own address, or download it"
            )
        return there.path

    def _checked(self, answer: http.client.HTTPResponse, start: int, stop: int) -> bytes:
        self._check_status(answer.status)
        version, (begin, end) = self._told(answer.headers)
        known = self.version or version
        if version != known:
            raise _Refused(f"{self.address}: it changed while it was being read. Run again")
        expected = (start, min(stop, known.size))
        length = answer.getheader("Content-Length") or ""
        encoded = answer.getheader("Content-Encoding", "identity").lower() != "identity"
        if (begin, end) != expected or length != str(end - begin) or encoded:
            raise _Refused(
                f"{self.address}: its server answers with other bytes than were asked for. Download the file"
            )
        content = _content(answer, end - begin)
        self.version = known
        return content

    def _check_status(self, status: int) -> None:
        if status == HTTPStatus.PARTIAL_CONTENT:
            return
        if status in AGAIN:
            raise _Busy(status)
        if status == HTTPStatus.OK:
            raise _Refused(
                f"{self.address}: its server does not answer for parts of a file. Download it, then give "
                "the file"
            )
        if status == HTTPStatus.PRECONDITION_FAILED:
            raise _Refused(f"{self.address}: it changed while it was being read. Run again")
        raise _Refused(f"{self.address}: {_status(status)}. Check the address")

    def _told(self, headers: Message) -> tuple[Version, tuple[int, int]]:
        """The version of which the answer is, and which part of it."""
        found = _CONTENT_RANGE.fullmatch(headers.get("Content-Range") or "")
        if found is None:
            raise _Refused(f"{self.address}: its server does not say which part of the file it sends")
        begin, last, size = map(int, found.groups())
        etag, modified = (_word(headers.get(name)) for name in ("ETag", "Last-Modified"))
        if etag is None and modified is None:
            raise _Refused(
                f"{self.address}: its server tells no version of the file (ETag, Last-Modified), so that its "
                "parts could be of two. Download it, then give the file"
            )
        if size > MAX_SIZE_BYTES:
            raise _Refused(f"{self.address}: {size:,} bytes are more than any scene has")
        return Version(size, etag, modified), (begin, last + 1)


class _Busy(Exception):
    """An answer after which asking again may help."""

    def __init__(self, status: int) -> None:
        super().__init__(_status(status))


def _status(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"status {status}"


def _word(value: str | None) -> str | None:
    """A short printable header; others are as good as none."""
    if value is None or not value.isascii() or not value.isprintable() or not 0 < len(value) <= 200:
        return None
    return value


def _content(answer: http.client.HTTPResponse, length: int) -> bytes:
    """All of an answer, within the time that so much may take."""
    until = time.monotonic() + TIMEOUT_S + length / SLOWEST_BYTES_S
    pieces, left = [], length
    while left > 0:
        piece = answer.read1(min(left, PIECE_BYTES))
        if not piece:
            raise http.client.IncompleteRead(b"", left)
        pieces.append(piece)
        left -= len(piece)
        if left and time.monotonic() > until:
            raise TimeoutError("it sends too slowly")
    answer.read()  # nothing; marks the answer as done, so that its connection can be used again
    return b"".join(pieces)


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, http.client.IncompleteRead):
        return "its answers end too early"
    if isinstance(error, socket.gaierror):
        return "its host is not known"
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return tags.printable(text or type(error).__name__)[:120].rstrip(".")

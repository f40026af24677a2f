"""A server on the loopback interface that answers for parts of files over https, or misbehaves."""

from __future__ import annotations

import http.server
import re
import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


def certificate(folder: Path) -> tuple[Path, Path]:
    """A new self-signed certificate of localhost, and its key."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl is not installed: no certificate for a server of our own")
    folder.mkdir(exist_ok=True)
    key, own = folder / "key.pem", folder / "certificate.pem"
    command = (
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost "
        "-addext subjectAltName=DNS:localhost"
    )
    subprocess.run(
        [program, *command.split(), "-keyout", str(key), "-out", str(own)], check=True, capture_output=True
    )
    return own, key


class Server:
    """Files by their path, what is wrong with each, and what was asked."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.etag = '"1"'
        self.wrong: dict[str, Callable[[Any, tuple[int, int], bytes], None]] = {}
        """By path: answers in place of the server, given the handler, the part asked for, and the file."""
        self.asked: list[tuple[str, tuple[int, int]]] = []
        self.heads: list[dict[str, str]] = []
        self.port = 0

    @property
    def url(self) -> str:
        """Of its root."""
        return f"https://localhost:{self.port}"

    @property
    def bytes(self) -> int:
        """How many were asked for."""
        return sum(last - first for _, (first, last) in self.asked)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    told: Server

    def do_GET(self) -> None:  # noqa: N802
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        part = (int(found[1]), int(found[2]) + 1) if found else (0, 0)
        self.told.asked.append((self.path, part))
        self.told.heads.append(dict(self.headers))
        content = self.told.files.get(self.path, b"")
        if self.path in self.told.wrong:
            self.told.wrong[self.path](self, part, content)
        elif not content:
            self.say(404, {})
        else:
            self.part(part, content)

    def part(self, part: tuple[int, int], content: bytes, **headers: str) -> None:
        """The answer as it should be, but for `headers`."""
        first, last = part[0], min(part[1], len(content))
        told = {"ETag": self.told.etag, "Content-Range": f"bytes {first}-{last - 1}/{len(content)}"}
        told |= {name.replace("_", "-"): value for name, value in headers.items()}
        self.say(206, told, content[first:last])

    def say(self, status: int, headers: dict[str, str], content: bytes = b"") -> None:
        """Any answer."""
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(content))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        """Nothing."""


class _Quiet(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up, or do not trust the certificate, are what is tested."""


@contextmanager
def running(certificate_and_key: tuple[Path, Path]) -> Iterator[Server]:
    """A server until the block ends."""
    told = Server()
    handler = type("Handler", (_Handler,), {"told": told})
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate_and_key)
    with _Quiet(("127.0.0.1", 0), handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        told.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield told
        finally:
            server.shutdown()
            thread.join()


def slow(handler: Any, part: tuple[int, int], content: bytes) -> None:
    """Nothing for longer than anyone waits."""
    time.sleep(0.6)
    handler.part(part, content)

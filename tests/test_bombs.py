"""Small files that ask for much: each is refused in one line, within 2 GiB of address space, soon."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import zlib

import pytest


def png(cols: int, rows: int, *extra: bytes, bits: int = 8, colour: int = 2) -> bytes:
    head = b"IHDR" + struct.pack(">IIBBBBB", cols, rows, bits, colour, 0, 0, 0)
    chunks = (head, *extra, b"IDAT" + zlib.compress(bytes(99)), b"IEND")
    framed = (struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


def jpeg(cols: int, rows: int, scans: int = 1, progressive: bool = False) -> bytes:
    """One grey component whose scans hold nothing."""
    table = b"\xff\xdb\0\x43\0" + bytes([1] * 64)
    codes = b"\xff\xc4\0\x14\0\1" + bytes(15) + b"\0" + b"\xff\xc4\0\x14\x10\1" + bytes(15) + b"\0"
    frame = struct.pack(">BBHBHHB", 255, 0xC2 if progressive else 0xC0, 11, 8, rows, cols, 1) + b"\1\x11\0"
    last = b"\0\0\0" if progressive else b"\0\x3f\0"
    scan = b"\xff\xda\0\x08\1\1\0" + last + b"\0\0"
    return b"\xff\xd8" + table + codes + frame + scan * scans + b"\xff\xd9"


def tiff(cols: int, rows: int, pages: int = 1, **more: int) -> bytes:
    entries = {256: cols, 257: rows, 258: 8, 259: 1, 262: 1, 273: 0, 277: 1, 278: rows, 279: 0}
    entries |= {int(tag[1:]): value for tag, value in more.items()}
    table = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(entries.items()))
    one = 2 + len(table) + 4
    links = [8 + one * (k + 1) if k + 1 < pages else 0 for k in range(pages)]
    return b"II*\0\x08\0\0\0" + b"".join(
        struct.pack("<H", len(entries)) + table + struct.pack("<I", link) for link in links
    )


def webp(side: int) -> bytes:
    body = b"\x2f" + struct.pack("<I", (side - 1) | (side - 1) << 14) + bytes(4000)
    chunk = b"VP8L" + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def bombs() -> dict[str, tuple[bytes, str]]:
    """File by name, and what is said of it."""
    packed = b"zTXtComment\0\0" + zlib.compress(bytes(200_000_000), 1)
    return {
        "wide.jpg": (jpeg(65_500, 65_500), "more than the 2,500,000,000 px"),
        "empty.jpg": (jpeg(12_000, 12_000), "damaged"),
        "progressive.jpg": (jpeg(20_000, 20_000, 1, True), "damaged"),
        "scans.jpg": (jpeg(4000, 4000, 20_000, True), "damaged"),
        "wide.png": (png(60_000, 60_000), "more than the 2,500,000,000 px"),
        "bits.png": (png(50_000, 50_000, bits=1, colour=0), "read.max_pixels_per_byte"),
        "text.png": (png(400, 400, packed), "damaged or not readable"),
        "sparse.tif": (tiff(60_000, 60_000), "more than the 2,500,000,000 px"),
        "thin.tif": (tiff(45_000, 45_000), "read.max_pixels_per_byte"),
        "tile.tif": (tiff(12_000, 12_000, t322=12_000, t323=12_000, t324=0, t325=0), "read.max_block_px"),
        "huge.tif": (tiff(2_000_000_000, 2_000_000_000), "huge.tif: "),
        "bands.tif": (tiff(16, 16, t277=65_535), "bands.tif: "),
        "pages.tif": (tiff(16, 16, 20_000), "read.max_directories"),
        "wide.webp": (webp(16_383), "read.max_block_px"),
    }


RUN = """
import json, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
from click.testing import CliRunner
from damagediff import cli, decoding
decoding.BASE_SECONDS = 5
found = {}
for name in sys.argv[1:]:
    done = CliRunner().invoke(cli.main, ["info", name])
    found[name] = done.exit_code, done.output, repr(done.exception)
print(json.dumps(found))
"""


@pytest.mark.skipif(os.name == "nt", reason="no such limit")
def test_bombs_are_refused_within_two_gibibytes(tmp_path):
    for name, (content, _) in bombs().items():
        (tmp_path / name).write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-c", RUN, *bombs()],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    wrong = {
        name: said
        for name, said in found.items()
        if said[0] != 3 or bombs()[name][1] not in said[1] or said[1].strip().count("\n")
    }
    assert not wrong
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(bombs())

"""Whether a file is whole: each kind, whole, cut, flipped, with more after its end; damaged ones accepted."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Picture

from damagediff import integrity, raster, tags
from damagediff.errors import InputError
from damagediff.settings import ReadSettings
from damagediff.types import Source, Window

RGB = ("red", "green", "blue")
ROWS, COLS = 300, 400
TILED = {"tiled": True, "blockxsize": 64, "blockysize": 64}
KINDS = {
    "a.png": {},
    "a.jpg": {},
    "a.webp": {},
    "a.jp2": {},
    "a.tif": {},
    "lzw.tif": {"compress": "lzw", **TILED},
    "deflate.tif": {"compress": "deflate", **TILED},
    "zstd.tif": {"compress": "zstd", **TILED},
    "jpeg.tif": {"compress": "jpeg", **TILED},
    "big.tif": {"BIGTIFF": "YES"},
}


@pytest.fixture(scope="module")
def pixels():
    """Noisy, so that every kind of file is long."""
    rows, cols = np.indices((ROWS, COLS))
    waves = np.stack([np.sin(rows / (9 + b)) * np.cos(cols / (13 + b)) * 50 + 110 for b in range(3)])
    noise = np.random.default_rng(1).integers(0, 30, waves.shape)
    return (waves + noise).astype(np.uint8)


def look(path: Path, accept: bool = False):
    return raster.inspect(Source(path), ReadSettings(accept_damaged=accept))


def whole(image):
    with raster.Reader(image, RGB) as reader:
        return reader.read(Window(0, 0, *image.shape))


def state(path: Path, content: bytes):
    path.write_bytes(content)
    return integrity.check(path, tags.driver_from(content[:16]))


@pytest.mark.parametrize("name", [*KINDS, "a.bmp"])
def test_a_whole_file_is_complete(make_raster, pixels, name):
    image = look(make_raster(name, pixels, **KINDS.get(name, {})))
    assert image.integrity.state == "complete" and image.integrity.findings == ()
    assert raster.describe(image)["integrity"] == "complete"


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.99])
def test_a_cut_file_is_damaged(make_raster, pixels, name, kept):
    path = make_raster(name, pixels, **KINDS[name])
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    with pytest.raises(InputError, match=rf"^{name}: damaged: .*--accept-damaged$") as caught:
        look(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.jp2", "a.bmp"])
def test_bytes_after_the_end_are_a_note(make_raster, pixels, name):
    path = make_raster(name, pixels)
    path.write_bytes(path.read_bytes() + b"\1" * 1000)
    image = look(path)
    assert image.integrity.state == "unusual"
    assert any(note.startswith("Unusual file: ") and "after its end" in note for note in image.notes)
    assert whole(image)[1].all()


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("damage", ["flipped", "zeroed"])
def test_damage_inside_is_read_or_told(make_raster, pixels, name, damage):
    """Bits that no checksum guards are not seen by anyone without a hash: then a picture comes back."""
    path = make_raster(name, pixels, **KINDS[name])
    content = bytearray(path.read_bytes())
    if damage == "flipped":
        for at in np.random.default_rng(2).integers(len(content) // 4, len(content) - 9, 4):
            content[at] ^= 255
    else:
        content[len(content) // 2 : len(content) // 2 + 4096] = bytes(4096)
    path.write_bytes(content)
    try:
        data, _ = whole(look(path))
    except InputError as error:
        assert str(error).startswith(f"{name}: ") and "\n" not in str(error)
    else:
        assert name != "a.png", "its chunks have checksums"
        assert data.shape == (3, ROWS, COLS)


@pytest.mark.parametrize("name", ["a.png", "lzw.tif", "deflate.tif", "a.tif"])
def test_what_is_left_of_an_accepted_file_is_true(make_raster, pixels, name):
    path = make_raster(name, pixels, **KINDS[name])
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.6)])
    image = look(path, accept=True)
    data, valid = whole(image)
    assert image.integrity.state == "damaged"
    assert any(note.startswith("DAMAGED file, accepted by the user") for note in image.notes)
    assert 0.2 < valid.mean() < 0.8
    np.testing.assert_array_equal(data[:, valid], pixels[:, valid])
    with raster.Reader(image, RGB) as reader:
        for window in (Window(0, 0, 90, 100), Window(60, 350, 240, 50), Window(150, 30, 100, 300)):
            part, inside = reader.read(window)
            np.testing.assert_array_equal(inside, valid[window.slices])
            np.testing.assert_array_equal(part, data[:, *window.slices])


@pytest.mark.parametrize("name", ["a.jpg", "a.webp", "a.jp2"])
def test_nothing_grey_is_taken_for_picture(make_raster, pixels, name):
    """Decoders fill up what is cut off; an accepted file shows only what was decoded."""
    path = make_raster(name, pixels)
    truth, _ = whole(look(path))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * 0.6)] + (b"\xff\xd9" if name == "a.jpg" else b""))
    with pytest.raises(InputError, match="damaged"):
        look(path)
    data, valid = whole(look(path, accept=True))
    assert valid.mean() < 0.7
    wrong = np.abs(data - truth).max(0)[valid] > 8
    assert not wrong.any()


def test_extraneous_bytes_in_a_jpeg_are_a_note(make_raster, pixels):
    path = make_raster("a.jpg", pixels)
    truth, _ = whole(look(path))
    content = path.read_bytes()
    end = content.rindex(b"\xff\xd9")
    path.write_bytes(content[:end] + b"\x12\x34\x56" + content[end:])
    image = look(path)
    if image.integrity.state == "unusual":
        assert image.integrity.tolerant and "skips" in image.integrity.words
    np.testing.assert_array_equal(whole(image)[0], truth)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(*extra: bytes, last: bytes = b"") -> bytes:
    target = io.BytesIO()
    Picture.fromarray(np.arange(80 * 90, dtype=np.uint8).reshape(80, 90)).save(target, "PNG")
    content = target.getvalue()
    return content[:33] + b"".join(extra) + content[33:] + last


@pytest.mark.parametrize(
    ("content", "found", "words"),
    [
        (png(), "complete", ""),
        (png(last=b"PK\3\4 a zip"), "unusual", "10 bytes after its end"),
        (png(chunk(b"tEXt", b"a\0b")[:-1] + b"\0"), "unusual", "tEXt at byte 33 fails its checksum"),
        (png().replace(b"IDAT", b"IDAU"), "damaged", "fails its checksum"),
        (png()[:-12], "damaged", "it ends within a block"),
        (png()[:8] + png()[33:], "damaged", "does not begin with its header"),
        (png(struct.pack(">I", 2**32 - 1) + b"tEXt"), "damaged", "ends within its chunk tEXt"),
        (png()[:33] + chunk(b"IEND", b""), "damaged", "holds no pixels"),
        (b"\x89PNG\r\n\x1a\n", "damaged", "it ends within a block"),
        (b"\xff\xd8\xff\xd9", "damaged", "holds no pixels"),
        (b"\xff\xd8\xff", "damaged", "it ends within a block"),
        (b"\xff\xd8\xff\xe0\0\1", "damaged", "shorter than its head"),
        (b"\xff\xd8\xff\xe0\xff\xff", "damaged", "ends within a"),
        (b"RIFF\x04\0\0\0WEBP", "damaged", "holds no pixels"),
        (b"RIFF\xff\xff\xff\xffWEBPVP8L\xff\xff\xff\xff", "damaged", "it says 4,294,967,303 bytes"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "damaged", "holds no pixels"),
        (b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\3jp2c", "damaged", "shorter than its head"),
        (b"\xff\x4f\xff\x51\0\0", "damaged", ""),
        (b"II*\0\0\0\0\0", "damaged", "it has no directory"),
        (b"II*\0\xff\xff\xff\xff", "damaged", "first directory lies outside the file"),
        (b"MM\0+\0\x08\0\0" + b"\xff" * 8, "damaged", "first directory lies outside the file"),
        (b"MM\0*", "damaged", ""),
        (b"BM", "damaged", "cut off within its header"),
    ],
)  # fmt: skip
def test_what_is_found(tmp_path, content, found, words):
    told = state(tmp_path / "a", content)
    assert told.state == found and words in told.words


def directory(entries: dict[int, tuple[int, int, int]], following: int = 0) -> bytes:
    table = b"".join(struct.pack("<HHII", tag, *rest) for tag, rest in sorted(entries.items()))
    return struct.pack("<H", len(entries)) + table + struct.pack("<I", following)


GREY = {256: (4, 1, 80), 257: (4, 1, 80), 258: (3, 1, 8), 262: (3, 1, 1), 278: (4, 1, 80)}


@pytest.mark.parametrize(
    ("entries", "following", "found", "words"),
    [
        ({273: (4, 1, 8), 279: (4, 1, 6400)}, 0, "complete", ""),
        ({273: (4, 1, 8), 279: (4, 1, 7000)}, 0, "damaged", "1 of its 1 internal blocks lie beyond its end"),
        ({273: (4, 1, 2**32 - 1), 279: (4, 1, 2**32 - 1)}, 0, "damaged", "beyond its end"),
        ({273: (4, 1, 0), 279: (4, 1, 0)}, 0, "complete", ""),
        ({273: (4, 2**30, 8), 279: (4, 1, 6400)}, 0, "damaged", "values of its tag 273 lie outside"),
        ({}, 0, "damaged", "it names no blocks of pixels"),
        ({273: (4, 1, 8), 279: (4, 1, 6400)}, 6408, "complete", ""),
        ({273: (4, 1, 8), 279: (4, 1, 6400)}, 99_999, "unusual", "directory 2 lies outside the file"),
        ({273: (4, 1, 8), 279: (4, 1, 6400)}, 8, "unusual", "directory 2"),
    ],
)  # fmt: skip
def test_what_is_found_in_a_tiff(tmp_path, entries, following, found, words):
    content = b"II*\0" + struct.pack("<I", 6408) + bytes(6400) + directory(GREY | entries, following)
    told = state(tmp_path / "a", content)
    assert told.state == found and words in told.words


def test_too_many_directories_are_refused(tmp_path):
    pages = [Picture.fromarray(np.full((70, 70), k, np.uint8)) for k in range(12)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    assert look(tmp_path / "a.tif").shape == (70, 70)
    with pytest.raises(InputError, match="more than the 9 directories .* raise read.max_directories"):
        raster.inspect(Source(tmp_path / "a.tif"), ReadSettings(max_directories=9))


STARTS = (
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff",
    b"RIFF\x40\0\0\0WEBP",
    b"BM",
    b"II*\0\x08\0\0\0",
    b"MM\0*\0\0\0\x08",
    b"II+\0\x08\0\0\0\x10\0\0\0\0\0\0\0",
    b"\0\0\0\x0cjP  \r\n\x87\n",
    b"\xff\x4f\xff\x51",
)


@given(st.sampled_from(STARTS), st.binary(max_size=400))
def test_junk_never_breaks_the_walk(tmp_path_factory, start, junk):
    told = state(tmp_path_factory.getbasetemp() / "walk", start + junk)
    assert told.state in ("damaged", "unusual", "complete")
    assert all("\n" not in words for words in told.findings)

"""What files tell: words of strangers cleaned, private ones kept back, broken blocks survived."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, PngImagePlugin
from PIL import Image as PillowImage

from damagediff import (
    exif_fields,
    file_blocks,
    file_facts,
    iptc,
    private_words,
    raster,
    settings,
    summary,
    types,
    xmp,
)

SIDE = 160
XMP = (
    b'<?xpacket begin=""?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
    b'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    b'xmlns:my="http://example.org/my/" xmp:CreatorTool="Some Editor 1.0" my:owner="Jane">'
    b"<dc:rights><rdf:Alt><rdf:li>Example Imagery</rdf:li></rdf:Alt></dc:rights>"
    b"<dc:creator><rdf:Seq><rdf:li>Jane Analyst</rdf:li></rdf:Seq></dc:creator>"
    b"</rdf:Description></rdf:RDF></x:xmpmeta>"
)
SECRETS = ("Jane", "48.858", "/home/jane", "SN-123", "jane@example.org", "C:\\Users")


def picture() -> PillowImage.Image:
    rng = np.random.default_rng(3)
    return PillowImage.fromarray(rng.integers(0, 255, (SIDE, SIDE, 3)).astype(np.uint8))


def exif() -> PillowImage.Exif:
    block = PillowImage.Exif()
    block[ExifTags.Base.Software] = "Screenshot \x1b[31m"
    block[ExifTags.Base.Artist] = "Jane Analyst"
    block[ExifTags.Base.ImageDescription] = "made from /home/jane/case7/a.tif"
    block[ExifTags.Base.Copyright] = "Example Imagery"
    block[ExifTags.Base.BodySerialNumber] = "SN-123"
    block.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2020:10:13 07:49:00"
    gps = block.get_ifd(ExifTags.IFD.GPSInfo)
    gps[ExifTags.GPS.GPSLatitudeRef], gps[ExifTags.GPS.GPSLatitude] = "N", (48.0, 51.0, 30.5)
    return block


def saved(path: Path, **options: Any) -> Path:
    picture().save(path, **options)
    return path


def facts(path: Path, private: bool = False) -> types.FileFacts:
    return file_facts.examine(raster.inspect(types.Source(path), settings.ReadSettings()), private)


def words(found: types.FileFacts) -> str:
    return repr(found)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif"])
def test_private_words_are_kept_back_and_named(tmp_path: Path, name: str) -> None:
    found = facts(saved(tmp_path / name, exif=exif()))
    told = dict(found.fields)
    assert told["EXIF Copyright"] == "Example Imagery"
    assert told["EXIF Software"] == "Screenshot [31m"
    assert not any(secret in words(found) for secret in SECRETS)
    assert {"EXIF Artist", "EXIF ImageDescription"} <= set(found.withheld)
    assert name == "a.tif" or any("GPS" in name for name in found.withheld)  # Pillow writes none into TIFF


def test_private_words_are_told_when_asked_for(tmp_path: Path) -> None:
    found = facts(saved(tmp_path / "a.jpg", exif=exif()), private=True)
    told = dict(found.fields)
    assert told["EXIF Artist"] == "Jane Analyst" and told["GPS latitude"] == "48 51 30.5"
    assert found.withheld == ()


def test_date_of_the_exif_directory_is_told(tmp_path: Path) -> None:
    assert dict(facts(saved(tmp_path / "a.jpg", exif=exif())).fields)["EXIF DateTimeOriginal"].startswith(
        "2020:10:13"
    )


def test_text_of_a_png_is_told_by_known_keys_alone(tmp_path: Path) -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("Software", "Viewer 2")
    text.add_text("Title", "from C:\\Users\\jane\\a.png")
    text.add_text("Author", "Jane")
    text.add_text("Source", "https://example.org/a/b.png, see ftp://example.org")
    text.add_text("Description", "a\nb" + "x" * 5000, zip=True)
    text.add_itxt("Copyright", "© Example", "en", "Copyright", zip=True)
    found = facts(saved(tmp_path / "a.png", pnginfo=text))
    told = dict(found.fields)
    assert told["PNG Source"] == "https://example.org/a/b.png, see ftp://example.org"
    assert told["PNG Software"] == "Viewer 2" and told["PNG Copyright"] == "© Example"
    assert told["PNG Description"].startswith("a bx") and len(told["PNG Description"]) <= 300
    assert found.withheld == ("PNG Title", "PNG Author")


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp"])
def test_xmp_is_told_by_known_properties_alone(tmp_path: Path, name: str) -> None:
    if name == "a.png":
        text = PngImagePlugin.PngInfo()
        text.add_itxt("XML:com.adobe.xmp", XMP.decode())
        path = saved(tmp_path / name, pnginfo=text)
    else:
        path = saved(tmp_path / name, xmp=XMP)
    found = facts(path)
    told = dict(found.fields)
    assert told["XMP xmp:CreatorTool"] == "Some Editor 1.0" and told["XMP dc:rights"] == "Example Imagery"
    assert set(found.withheld) == {"XMP other:owner", "XMP dc:creator"}


@pytest.mark.parametrize(
    ("packet", "says"),
    [
        (b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "document type"),
        (b'<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;">]><a>&y;</a>', "document type"),
        (b"<a>&undefined;</a>", "not well-formed"),
        (b"<a>" * 100 + b"</a>" * 100, "too deep"),
        (b"<a", "not well-formed"),
        (b"", "not well-formed"),
        (b"\xff" * 50, "not well-formed"),
        (b'<?xml version="1.0" encoding="nonsense"?><a/>', "not well-formed"),
        (b"<a>" + b"x" * (1 << 20) + b"</a>", "longer"),
        (b'<a xmlns:b="http://b">' + b"<b:c>x</b:c>" * 400 + b"</a>", "more than"),
    ],
)
def test_hostile_xmp_is_refused_and_told(tmp_path: Path, packet: bytes, says: str) -> None:
    with pytest.raises(xmp.Refused, match=says):
        xmp.read(packet)


def test_a_picture_with_hostile_xmp_is_still_a_picture(tmp_path: Path) -> None:
    found = facts(saved(tmp_path / "a.jpg", xmp=b"<!DOCTYPE a><a/>"))
    assert found.unread == ("XMP of 16 bytes: it has a document type",)


def test_captions_of_agencies_are_read() -> None:
    record = b"".join(
        b"\x1c\x02" + bytes([kind]) + struct.pack(">H", len(text)) + text
        for kind, text in ((110, b"Example/EPA"), (120, "Стара".encode()), (80, b"Jane"))
    )
    block = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(record)) + record
    assert list(iptc.read(block)) == [
        ("IPTC credit", "Example/EPA", True),
        ("IPTC caption", "Стара", True),
        ("IPTC 2:80", "Jane", False),
    ]


def test_a_text_that_unpacks_to_a_gigabyte_is_not_read(tmp_path: Path) -> None:
    packed = zlib.compress(b"\0" * (1 << 24), 9)
    body = b"Comment\0\0" + packed
    chunk = struct.pack(">I", len(body)) + b"zTXt" + body + struct.pack(">I", zlib.crc32(b"zTXt" + body))
    path = saved(tmp_path / "a.png")
    data = path.read_bytes()
    path.write_bytes(data[:33] + chunk + data[33:])
    assert any("unpacks to more" in line for line in facts(path).unread)


def test_content_credentials_are_seen_and_not_read(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.jpg")
    assert facts(path).credentials is False
    box = (
        b"JP\0\1\0\0\0\1" + struct.pack(">I", 60) + b"jumb" + struct.pack(">I", 36) + b"jumdc2pa" + b"\0" * 20
    )
    data = path.read_bytes()
    path.write_bytes(data[:2] + b"\xff\xeb" + struct.pack(">H", len(box) + 2) + box + data[2:])
    assert facts(path).credentials is True
    png = saved(tmp_path / "b.png")
    data = png.read_bytes()
    chunk = struct.pack(">I", 4) + b"caBX" + b"jumb" + struct.pack(">I", zlib.crc32(b"caBXjumb"))
    png.write_bytes(data[:33] + chunk + data[33:])
    assert facts(png).credentials is True


def test_quality_of_a_jpeg_is_told(tmp_path: Path) -> None:
    for quality in (35, 75, 92):
        found = facts(saved(tmp_path / "a.jpg", quality=quality))
        assert (found.jpeg_quality, found.jpeg_standard) == (quality, True)


@given(st.binary(max_size=400))
def test_no_bytes_of_exif_are_a_crash(tail: bytes) -> None:
    list(exif_fields.read(io.BytesIO(b"II*\0\x08\0\0\0" + tail)))
    list(iptc.read(b"8BIM\x04\x04\0\0" + tail))


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp"])
def test_cut_and_flipped_files_end_the_walk(tmp_path: Path, name: str) -> None:
    path = (
        saved(tmp_path / name, exif=exif(), xmp=XMP)
        if name != "a.png"
        else saved(tmp_path / name, exif=exif())
    )
    data = path.read_bytes()
    rng = np.random.default_rng(1)
    driver = {"a.jpg": "JPEG", "a.png": "PNG", "a.webp": "WEBP"}[name]
    for _ in range(60):
        broken = bytearray(data[: rng.integers(16, len(data))])
        for at in rng.integers(2, min(len(broken), 400), 4):
            broken[at] = rng.integers(0, 256)
        path.write_bytes(broken)
        blocks = file_blocks.read(path, driver)
        assert len(blocks.kept) <= file_blocks.MAX_KEPT
        for content in blocks.of("exif"):
            list(exif_fields.read(io.BytesIO(content)))


def test_thousands_of_blocks_are_not_kept(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.jpg")
    data = path.read_bytes()
    path.write_bytes(data[:2] + (b"\xff\xfe\0\x06word" * 3000) + data[2:])
    found = facts(path)
    assert file_blocks.TOO_MANY in found.unread and found.withheld == ("JPEG comment",)


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("CREATOR: gd-jpeg v1.0 (using IJG JPEG v62), quality = 90\n", True),
        ("Lavc58.54.100", True),
        ("Created with GIMP", True),
        ("File written by Adobe Photoshop\u00a8 4.0", True),
        ("saved by jane on JANES-LAPTOP", False),
        ("Created with GIMP by jane", False),
        ("jane\nLavc58", False),
    ],
)
def test_a_comment_is_shown_where_a_program_wrote_it(tmp_path: Path, words: str, shown: bool) -> None:
    """As a PNG's: a typed one may hold any name."""
    found = facts(saved(tmp_path / "a.jpg", comment=words.encode()))
    assert bool(found.fields) is shown and bool(found.withheld) is not shown


@pytest.mark.parametrize(
    "value",
    [
        "/home/jane/a.tif",
        "saved in /Users/jane/Desktop",
        "D:\\cases\\a.tif",
        "file:///tmp/a",
        "\\\\server\\share",
        "jane@example.org",
        "~/a.tif",
        "/Volumes/Photos/a.tif",
        "%USERPROFILE%\\a.tif",
        "user: jane",
        "+994 50 123 45 67",
        "40.6828, 46.3606",
        "-33.8688 151.2093",
        "４０．６８２８，４６．３６０６",
        "40°40'58\"N 46°21'38\"E",
        "N 40.6828 E 46.3606",
        "40.6828N, 046.3606E",
        "40,40.968N",
        "lat=40.1",
        "GPS 40",
        "https://maps.example/@40.68,46.36,15z",
        "https://maps.example/#map=15/40.6828/46.3606",
        "38TPL 12345 67890",
        "8HP6MQ22+2X",
        "612345.1 E 4504321.2 N",
    ],
)
def test_a_description_with_a_place_a_folder_or_an_address_is_kept_back(tmp_path: Path, value: str) -> None:
    text = PngImagePlugin.PngInfo()
    text.add_itxt("Description", f"made by {value}")
    found = facts(saved(tmp_path / "a.png", pnginfo=text))
    assert found.fields == () and found.withheld == ("PNG Description",)


def test_pixels_that_cannot_be_asked_are_said_not_to_be(tmp_path: Path, make_raster: Any) -> None:
    rng = np.random.default_rng(1)
    deep = make_raster("deep.tif", rng.integers(0, 60_000, (1, 200, 200)).astype(np.uint16))
    small = make_raster("small.png", rng.integers(0, 255, (1, 100, 200)).astype(np.uint8))
    for path in (deep, small):
        found = facts(path)
        assert not found.pixels_asked
        assert ("Earlier compression, resampling", "not looked for: pixels not of 8 bits, or too few") in (
            summary.file_lines(found)
        )


def test_jpeg_inside_a_tiff_is_not_an_earlier_one(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    picture().save(path, compression="jpeg", quality=75)
    found = facts(path)
    assert found.earlier_jpeg is None and any("inside the TIFF" in line for line in found.unread)


@pytest.mark.parametrize(
    "value",
    [
        "https://example.org/a/b.png, see ftp://example.org",
        "Adobe Photoshop 25.1 (Windows)",
        "2020-10-13T07:49:00+04:00",
        "S2A_MSIL2A_20201011T074911_N0214_R135_T38TPL_20201011T103045",
        "off nadir 21.4, sun azimuth 160.2, elevation 41.7",
        "before/after, 100% N/A, 12/10/2020",
        "© 2024 Example Imagery",
    ],
)
def test_what_tells_of_the_picture_is_not_taken_for_private(value: str) -> None:
    assert not private_words.private(value)


def test_places_in_words_of_exif_xmp_and_png_reach_no_output(tmp_path: Path) -> None:
    block = PillowImage.Exif()
    block[ExifTags.Base.ImageDescription] = "SYNTHETIC seen from 40.6828, 46.3606"
    text = PngImagePlugin.PngInfo()
    text.add_text("Source", "screen of /Volumes/jane/x at 40.6828N 46.3606E")
    text.add_text("lat 40.6828", "x")
    text.add_itxt("XML:com.adobe.xmp", XMP.decode().replace("Some Editor 1.0", "Editor of C:\\Users\\jane"))
    path = saved(tmp_path / "a.png", pnginfo=text, exif=block)
    image = raster.inspect(types.Source(path), settings.ReadSettings())
    told = repr(facts(path)) + repr(image.notes)
    assert not [secret for secret in ("40.68", "46.36", "jane") if secret in told]
    assert "Synthetic image: SYNTHETIC" in image.notes
    kept_back = (
        "EXIF ImageDescription",
        "PNG field whose name is private",
        "PNG Source",
        "XMP xmp:CreatorTool",
    )
    assert set(kept_back) <= set(facts(path).withheld)
    assert "40.6828, 46.3606" in repr(facts(path, private=True))

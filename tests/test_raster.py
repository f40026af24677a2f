from __future__ import annotations

import hashlib
import json
import os
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from conftest import RasterMaker
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Picture
from rasterio.transform import from_origin

from damagediff import cog, door, raster, tags, tiles
from damagediff.errors import InputError, OutputError, SettingsError
from damagediff.settings import ReadSettings
from damagediff.types import Grid, Image, Source, Window

READ = ReadSettings()
UTM = {"crs": "EPSG:32638", "transform": from_origin(500_000, 4_500_000, 0.5, 0.5)}
RGB = ("red", "green", "blue")
KINDS = ("a.tif", "a.png", "a.jpg", "a.webp", "a.jp2", "a.bmp")


def scene(shape: tuple[int, int] = (150, 210), bands: int = 3, dtype: str = "uint8") -> np.ndarray[Any, Any]:
    """Smooth enough for JPEG, different in every pixel and band, the same every time."""
    rows, cols = np.indices(shape)
    waves = [np.sin(rows / (9 + b)) * np.cos(cols / (13 + 2 * b)) + cols / 400 + b / 9 for b in range(bands)]
    values = np.stack(waves) * 60 + 100
    return (values * (50 if dtype in ("uint16", "int16") else 1)).astype(dtype)


def look(path: Path, **said: Any) -> Image:
    return raster.inspect(Source(path, **said), READ)


def whole(image: Image, roles: tuple[str, ...] = RGB) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    with raster.Reader(image, roles) as reader:
        return reader.read(Window(0, 0, *image.shape))


# ---- formats and types --------------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
def test_each_format_gives_back_its_pixels(make_raster: RasterMaker, name: str) -> None:
    pixels = scene()
    path = make_raster(name, pixels)
    image = look(path)
    data, valid = whole(image)
    assert image.roles == RGB and image.shape == (150, 210) and image.dtype == "uint8"
    assert image.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert not image.georeferenced and image.transform == Affine.identity()
    assert data.dtype == np.float32 and valid.all()
    assert np.abs(data - pixels).max() <= (16 if name == "a.jpg" else 0)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "uint32", "int32", "float32", "float64"])
@pytest.mark.parametrize("bands", [1, 3, 4, 6])
def test_types_and_bands(make_raster: RasterMaker, dtype: str, bands: int) -> None:
    pixels = scene(bands=bands, dtype=dtype)
    names = (*RGB, "near infrared", "swir 1", "swir 2")[:bands] if bands > 1 else ()
    image = look(make_raster("a.tif", pixels, descriptions=names, **UTM))
    assert image.roles == ((*RGB, "nir", "other", "other")[:bands] if bands > 1 else ("grey",))
    roles = raster.common_roles(image, image)
    assert roles == (("grey",), RGB, (*RGB, "nir"), (*RGB, "nir"))[[1, 3, 4, 6].index(bands)]
    data, valid = whole(image, roles)
    assert valid.all()
    np.testing.assert_array_equal(data, pixels[: len(roles)].astype(np.float32))


@pytest.mark.parametrize("dtype", ["complex64", "int64"])
def test_other_types_are_refused(make_raster: RasterMaker, dtype: str) -> None:
    with pytest.raises(InputError, match=f"a.tif: pixels of type {dtype} are not read"):
        look(make_raster("a.tif", scene(bands=1).astype(dtype)))


def test_grey_of_colour_and_colour_of_grey(make_raster: RasterMaker) -> None:
    pixels = scene()
    colour, grey = look(make_raster("c.tif", pixels)), look(make_raster("g.tif", pixels[:1]))
    assert raster.common_roles(colour, grey) == ("grey",)
    expected = np.tensordot([0.299, 0.587, 0.114], pixels.astype(float), 1)
    np.testing.assert_allclose(whole(colour, ("grey",))[0][0], expected, atol=1e-4)
    np.testing.assert_array_equal(whole(grey)[0], np.repeat(pixels[:1], 3, axis=0))
    with pytest.raises(InputError, match="c.tif: no nir band"):
        raster.Reader(colour, ("nir",))


def test_palette_becomes_colour(make_raster: RasterMaker) -> None:
    index = (np.indices((80, 90)).sum(0) % 3).astype(np.uint8)[None]
    colours = {0: (10, 20, 30, 255), 1: (200, 100, 50, 255), 2: (0, 255, 0, 0)}
    image = look(make_raster("p.png", index, colormap=colours))
    assert image.roles == ("palette",)
    assert raster.common_roles(image, image) == RGB
    data, valid = whole(image)
    table = np.array([colours[i] for i in range(3)])
    np.testing.assert_array_equal(valid, table[index[0], 3] > 0)
    np.testing.assert_array_equal(data[:, valid], np.moveaxis(table[index[0], :3], -1, 0)[:, valid])


# ---- which band is what -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("colours", "descriptions", "roles"),
    [
        (("red", "green", "blue", "undefined"), (None,) * 4, (*RGB, "other")),
        (("red", "green", "blue", "undefined"), (None, None, None, "NIR"), (*RGB, "nir")),
        (("red", "green", "blue", "alpha"), (None,) * 4, (*RGB, "alpha")),
        (("red", "green", "blue", "alpha"), ("r", "g", "b", "near-infrared"), (*RGB, "nir")),
        (("gray", "undefined", "undefined"), (None,) * 3, RGB),
        (("gray", "undefined", "undefined", "undefined"), ("Blue", "Green", "Red", "NIR"),
         ("blue", "green", "red", "nir")),
        (("gray", *["undefined"] * 4), ("blue", "green", "red", "red edge", "nir"),
         ("blue", "green", "red", "other", "nir")),
        (("gray", *["undefined"] * 3), (None,) * 4, ("grey", "other", "other", "other")),
        (("red", "red", "green", "blue"), (None,) * 4, ("red", "other", "green", "blue")),
        (("gray", "alpha"), (None, None), ("grey", "alpha")),
        (("palette",), (None,), ("palette",)),
        (("palette", "alpha"), (None, None), ("palette", "alpha")),
        (("undefined",), ("whatever",), ("grey",)),
    ],
)  # fmt: skip
def test_band_roles(colours: Any, descriptions: Any, roles: Any) -> None:
    assert tags.band_roles(colours, descriptions)[0] == roles


def test_unnamed_bands_are_told(make_raster: RasterMaker) -> None:
    image = look(make_raster("a.tif", scene(bands=4, dtype="uint16"), photometric="MINISBLACK"))
    assert raster.common_roles(image, image) == ("grey",)
    assert any("--bands" in note for note in image.notes)
    named = look(image.path, bands=("blue", "green", "red", "nir"))
    assert raster.common_roles(named, named) == (*RGB, "nir")
    np.testing.assert_array_equal(whole(named, ("red",))[0][0], scene(bands=4, dtype="uint16")[2])


def test_bands_must_fit(make_raster: RasterMaker) -> None:
    path = make_raster("a.tif", scene())
    with pytest.raises(InputError, match="a.tif: 2 bands named, but the file has 3"):
        look(path, bands=("red", "green"))
    with pytest.raises(InputError, match="unknown band purple; known are red"):
        look(path, bands=("red", "green", "purple"))


# ---- valid --------------------------------------------------------------------------------------


def test_nodata_of_colour_needs_all_bands(make_raster: RasterMaker) -> None:
    pixels = np.maximum(scene(), 1)
    pixels[:, 10:20, 10:30] = 0
    pixels[0, 40:50] = 0
    data, valid = whole(look(make_raster("a.tif", pixels, nodata=0)))
    expected = np.ones(valid.shape, bool)
    expected[10:20, 10:30] = False
    np.testing.assert_array_equal(valid, expected)
    assert data[0, 45, 5] == 0 and data[1, 45, 5] > 0


def test_nodata_of_float_needs_one_band(make_raster: RasterMaker) -> None:
    lowest = float(np.finfo(np.float32).min)
    pixels = scene(dtype="float32")
    pixels[1, 5, 6], pixels[0, 7, 8], pixels[2, 9, 10] = lowest, np.nan, np.inf
    data, valid = whole(look(make_raster("a.tif", pixels, nodata=lowest)))
    assert [tuple(rc) for rc in np.argwhere(~valid)] == [(5, 6), (7, 8), (9, 10)]
    assert (data[:, ~valid] == 0).all()


def test_nodata_that_no_pixel_can_have(make_raster: RasterMaker) -> None:
    for dtype, nodata in (("float32", float("nan")), ("uint8", None)):
        assert whole(look(make_raster("a.tif", scene(dtype=dtype), nodata=nodata)))[1].all()
    assert raster._has_data(scene(), -9999.0).all()
    assert raster._has_data(scene(dtype="float32"), -1.7e308).all()


def test_float64_beyond_float32_is_not_valid(make_raster: RasterMaker) -> None:
    pixels = scene(bands=1, dtype="float64")
    pixels[0, 3, 4] = 1e300
    _, valid = whole(look(make_raster("a.tif", pixels)), ("grey",))
    assert [tuple(rc) for rc in np.argwhere(~valid)] == [(3, 4)]


@pytest.mark.parametrize("name", ["a.tif", "a.png", "a.webp"])
def test_alpha(make_raster: RasterMaker, name: str) -> None:
    pixels = scene(bands=4)
    pixels[3] = 255
    pixels[3, :30] = 0
    pixels[3, 30:40] = 100
    image = look(make_raster(name, pixels))
    data, valid = whole(image)
    assert image.roles == (*RGB, "alpha")
    assert not valid[:30].any() and valid[30:].all()
    np.testing.assert_array_equal(data[:, 40:], pixels[:3, 40:])


def test_internal_mask_and_transparent_colour(tmp_path: Path, make_raster: RasterMaker) -> None:
    path = make_raster("a.tif", scene(), **UTM)
    with rasterio.open(path, "r+") as out:
        out.write_mask(np.indices((150, 210))[0] >= 20)
    _, valid = whole(look(path))
    assert not valid[:20].any() and valid[20:].all()
    Picture.fromarray(np.full((70, 80, 3), 9, np.uint8)).save(tmp_path / "t.png", transparency=(9, 9, 9))
    assert not whole(look(tmp_path / "t.png"))[1].any()


def test_blocks_never_written_are_not_valid(make_raster: RasterMaker) -> None:
    tiled = {"tiled": True, "blockxsize": 64, "blockysize": 64, "sparse_ok": True, "compress": "deflate"}
    pixels = scene((150, 210))
    pixels[:, 64:128, 64:192] = 0
    image = look(make_raster("a.tif", pixels, **tiled))
    assert any("2 of its 12 internal blocks hold no data" in note for note in image.notes)
    _, valid = whole(image)
    expected = np.ones(valid.shape, bool)
    expected[64:128, 64:192] = False
    np.testing.assert_array_equal(valid, expected)


@given(st.tuples(*[st.integers(-90, 90)] * 2, *[st.integers(1, 120)] * 2))
def test_windows_reach_outside(tmp_path_factory: pytest.TempPathFactory, given: tuple[int, ...]) -> None:
    window = Window(*given)
    path = tmp_path_factory.getbasetemp() / "windows.png"
    pixels = scene((70, 80))
    if not path.exists():
        Picture.fromarray(np.moveaxis(pixels, 0, -1)).save(path)
    with raster.Reader(look(path), RGB) as reader:
        data, valid = reader.read(window)
    padded = np.pad(pixels.astype(np.float32), ((0, 0), (250, 250), (250, 250)), constant_values=-1)
    inside = Window(window.row + 250, window.col + 250, window.rows, window.cols).slices
    expected = padded[:, *inside]
    np.testing.assert_array_equal(valid, expected[0] >= 0)
    np.testing.assert_array_equal(data, np.maximum(expected, 0))


# ---- orientation --------------------------------------------------------------------------------

UNDO = {
    1: None,
    2: Picture.Transpose.FLIP_LEFT_RIGHT,
    3: Picture.Transpose.ROTATE_180,
    4: Picture.Transpose.FLIP_TOP_BOTTOM,
    5: Picture.Transpose.TRANSPOSE,
    6: Picture.Transpose.ROTATE_90,
    7: Picture.Transpose.TRANSVERSE,
    8: Picture.Transpose.ROTATE_270,
}
"""What makes the delivered picture from the one shown: the inverse of what EXIF 2.32 asks for."""


def turned(path: Path, orientation: int) -> np.ndarray[Any, Any]:
    """Write the scene as a camera held askew would; gives the delivered pixels."""
    picture = Picture.fromarray(np.moveaxis(scene(), 0, -1))
    undo = UNDO[orientation]
    delivered = picture if undo is None else picture.transpose(undo)
    exif = Picture.Exif()
    exif[274] = orientation
    options: dict[str, Any] = {".jpg": {"quality": 98}, ".webp": {"lossless": True}}.get(path.suffix, {})
    delivered.save(path, exif=exif, **options)
    return np.asarray(delivered)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif"])
@pytest.mark.parametrize("orientation", UNDO)
def test_all_orientations_show_the_same_picture(tmp_path: Path, name: str, orientation: int) -> None:
    delivered = turned(tmp_path / name, orientation)
    image = look(tmp_path / name)
    data, _ = whole(image)
    assert image.shape == (150, 210) and image.orientation == orientation
    assert np.abs(data - scene()).max() <= (16 if name == "a.jpg" else 0)
    with raster.Reader(image, RGB) as reader:
        part, inside = reader.read(Window(-3, 150, 40, 90))
        small, _, factor = reader.read_reduced(70)
    np.testing.assert_array_equal(part[:, 3:, :60], data[:, :37, 150:])
    assert not inside[:3].any() and not inside[:, 60:].any() and inside[3:, :60].all()
    np.testing.assert_allclose(small, block_means(data, factor)[0], rtol=1e-6)
    shown = np.array([[0, 0], [149, 209], [17, 101], [149, 3]])
    there = raster.delivered_from_shown(image, shown).astype(int)
    if name != "a.jpg":
        expected = scene()[:, shown[:, 0], shown[:, 1]].T
        np.testing.assert_array_equal(delivered[there[:, 0], there[:, 1]], expected)


def test_orientation_of_a_georeferenced_tiff_is_not_applied(make_raster: RasterMaker) -> None:
    path = make_raster("a.tif", scene(), **UTM)
    plain = look(path)
    content = bytearray(path.read_bytes())
    (first,) = struct.unpack("<I", content[4:8])
    (count,) = struct.unpack("<H", content[first : first + 2])
    entries = content[first + 2 : first + 2 + 12 * count] + struct.pack("<HHIHH", 274, 3, 1, 6, 0)
    entries = b"".join(sorted(bytes(entries[i : i + 12]) for i in range(0, len(entries), 12)))
    path.write_bytes(bytes(content[:4]) + struct.pack("<I", len(content)) + bytes(content[8:])
                     + struct.pack("<H", count + 1) + entries + struct.pack("<I", 0))  # fmt: skip
    image = look(path)
    assert tags.read_exif(path, "GTiff")["ORIENTATION"] == "6"
    assert image.orientation == 1 and image.shape == plain.shape
    assert any("orientation 6 is not applied" in note for note in image.notes)


@given(st.binary(max_size=300), st.sampled_from(["JPEG", "PNG", "WEBP", "GTiff"]))
def test_broken_exif_says_nothing(tmp_path_factory: pytest.TempPathFactory, junk: bytes, driver: str) -> None:
    start = {
        "JPEG": b"\xff\xd8\xff\xe1\0\x40Exif\0\0II*\0\x08\0\0\0",
        "PNG": b"\x89PNG\r\n\x1a\n\0\0\0\x40eXIfII*\0\x08\0\0\0",
        "WEBP": b"RIFF\x40\0\0\0WEBPEXIF\x30\0\0\0II*\0\x08\0\0\0",
    }
    path = tmp_path_factory.getbasetemp() / "junk"
    path.write_bytes(start.get(driver, b"II*\0\x08\0\0\0") + junk)
    said = tags.read_exif(path, driver)
    assert said.get("ORIENTATION", "1") in "12345678"
    assert all(isinstance(text, str) for text in said.values())


# ---- where ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "transform",
    [
        Affine(0.5, 0, 500_000, 0, 0.5, 4_500_000),
        Affine(0.4, 0.3, 500_000, 0.3, -0.4, 4_500_000),
        Affine(0.5, 0, 500_000, 0, -0.25, 4_500_000),
    ],
    ids=["south-up", "rotated", "oblong"],
)
def test_odd_grids_are_read_as_they_are(make_raster: RasterMaker, transform: Affine) -> None:
    image = look(make_raster("a.tif", scene(), crs="EPSG:32638", transform=transform))
    assert image.crs == "EPSG:32638"
    assert image.transform.almost_equals(transform)
    np.testing.assert_array_equal(whole(image)[0], scene())


def test_crs_without_code_is_text(make_raster: RasterMaker) -> None:
    own = "+proj=tmerc +lat_0=1 +lon_0=46.3 +k=0.99961 +x_0=7 +y_0=9 +datum=WGS84 +units=m"
    image = look(make_raster("a.tif", scene(), crs=own, transform=UTM["transform"]))
    assert image.crs is not None and image.crs.startswith("PROJCS[")
    assert rasterio.CRS.from_wkt(image.crs) == rasterio.CRS.from_string(own)


def test_crs_without_transform_is_refused(make_raster: RasterMaker) -> None:
    with pytest.raises(InputError, match="a.tif: a CRS but no transform. Give its world file"):
        look(make_raster("a.tif", scene(), crs="EPSG:32638"))


def test_a_stated_crs_needs_a_transform_and_a_code_on_earth(make_raster: RasterMaker) -> None:
    plain = make_raster("a.png", scene())
    with pytest.raises(InputError, match="a.png: a CRS but no transform"):
        look(plain, crs="EPSG:32638")
    for wrong in ("EPSG:999999", "EPSG:5773", "32638", "EPSG:1", "+init=epsg:4326", "EPSG:32638\n/etc"):
        with pytest.raises(SettingsError, match="^CRS ") as caught:
            look(plain, crs=wrong)
        assert "\n" not in str(caught.value)
    other = look(make_raster("b.tif", scene(), **UTM), crs="EPSG:32639")
    assert other.crs == "EPSG:32639" and any("in place of its own CRS" in note for note in other.notes)


@pytest.mark.parametrize("transform", [Affine(1, 2, 5, 2, 4, 5), Affine(float("nan"), 1, 5, 1, -1, 5)])
def test_transform_without_inverse_is_refused(make_raster: RasterMaker, transform: Affine) -> None:
    path = make_raster("a.tif", scene(), crs="EPSG:32638", transform=transform)
    with pytest.raises(InputError, match="a.tif: its transform .* has no inverse"):
        look(path)


def test_transform_without_crs_is_not_a_georeference(make_raster: RasterMaker) -> None:
    image = look(make_raster("a.tif", scene(), transform=UTM["transform"]))
    assert not image.georeferenced and image.transform == Affine.identity()
    assert any("no CRS" in note for note in image.notes)


def test_camera_model_only_is_refused(make_raster: RasterMaker) -> None:
    one = [1.0] + [0.0] * 19
    model = rasterio.rpc.RPC(0.0, 9.0, 40.0, 1.0, one, one, 50.0, 50.0, 46.0, 1.0, one, one, 50.0, 50.0)
    with pytest.raises(InputError, match=r"placed only by a camera model \(RPC\)"):
        look(make_raster("a.tif", scene(), rpcs=model))


def test_several_pages_are_told(tmp_path: Path) -> None:
    page = Picture.fromarray(np.moveaxis(scene(), 0, -1))
    page.save(tmp_path / "a.tif", save_all=True, append_images=[page.rotate(180)])
    image = look(tmp_path / "a.tif")
    assert "The file holds several pictures: the first is used." in image.notes
    np.testing.assert_array_equal(whole(image)[0], scene())


def test_world_file_only_when_named(tmp_path: Path, make_raster: RasterMaker) -> None:
    world = tmp_path / "a.tfw"
    world.write_text("0.5\n0\n0\n-0.5\n500000.25\n4499999.75\n", encoding="ascii")
    path = make_raster("a.tif", scene(), crs="EPSG:32638")
    image = look(path, world_file=world)
    assert image.transform.almost_equals(UTM["transform"]) and image.crs == "EPSG:32638"
    assert image.world_file_sha256 == hashlib.sha256(world.read_bytes()).hexdigest()
    plain = make_raster("a.png", scene())
    (tmp_path / "a.pgw").write_text(world.read_text(encoding="ascii"), encoding="ascii")
    assert look(plain).notes == ()
    told = look(plain, world_file=world)
    assert not told.georeferenced and any("world file names no CRS" in note for note in told.notes)
    placed = look(plain, world_file=world, crs="epsg:32638")
    assert placed.crs == "EPSG:32638" and placed.transform.almost_equals(UTM["transform"])
    assert any("EPSG:32638 is as stated" in note for note in placed.notes)
    for broken in ("1 2 3", "a b c d e f", "http://x", "0 0 0 0 0 0", "nan 0 0 1 0 0"):
        world.write_text(broken, encoding="ascii")
        with pytest.raises(InputError, match="a.tfw: not a world file"):
            look(path, world_file=world)


# ---- when ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "when", "precision"),
    [
        ("2020:10:11 08:15:30", datetime(2020, 10, 11, 8, 15, 30, tzinfo=UTC), "second"),
        ("2020-10-11T08:15:30.123Z", datetime(2020, 10, 11, 8, 15, 30, tzinfo=UTC), "second"),
        ("2020-10-11T12:15+04:00", datetime(2020, 10, 11, 8, 15, tzinfo=UTC), "minute"),
        ("20201011081530", datetime(2020, 10, 11, 8, 15, 30, tzinfo=UTC), "second"),
        ("2020-10-11", datetime(2020, 10, 11, tzinfo=UTC), "day"),
    ],
)
def test_dates(text: str, when: datetime, precision: str) -> None:
    parsed = tags.parse_date(text)
    assert parsed is not None and parsed[:2] == (when, precision)


@pytest.mark.parametrize("text", ["", "0000:00:00 00:00:00", "2020:13:01", "yesterday", "11/10/2020", "7"])
def test_what_is_not_a_date(text: str) -> None:
    assert tags.parse_date(text) is None


def test_who_says_when(make_raster: RasterMaker) -> None:
    said = {"TIFFTAG_DATETIME": "2020:10:12 01:02:03", "acquisition_date": "2020-10-11T08:15:30Z"}
    by_tag = look(make_raster("a.tif", scene(), tags=said)).acquisition
    assert by_tag.source == "ACQUISITION_DATE"
    assert by_tag.acquired == datetime(2020, 10, 11, 8, 15, 30, tzinfo=UTC)
    path = make_raster("b.tif", scene(), tags={"TIFFTAG_DATETIME": said["TIFFTAG_DATETIME"]})
    processed = look(path)
    assert processed.acquisition.source == "TIFFTAG_DATETIME"
    assert any("may be the time of processing" in note for note in processed.notes)
    assert any("2020-10-12 01:02, names no zone" in note for note in processed.notes)
    when = processed.acquisition  # no time of day, so no sun is computed by it
    assert (when.acquired, when.precision) == (datetime(2020, 10, 12, tzinfo=UTC), "day")
    assert not when.zone_stated and by_tag.zone_stated
    assert when.may_be_processing and not by_tag.may_be_processing
    stated = look(path, acquired=datetime(2020, 10, 9, tzinfo=UTC))
    assert stated.acquisition.source == "command line"
    assert any("says 2020-10-12, the command line 2020-10-09" in note for note in stated.notes)
    unknown = look(make_raster("c.tif", scene())).acquisition
    assert (unknown.acquired, unknown.source) == (None, "not known")


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp"])
def test_exif_tells_date_and_synthetic(tmp_path: Path, name: str) -> None:
    exif = Picture.Exif()
    exif[270] = "SYNTHETIC scene made by damagediff"
    exif.get_ifd(34665).update({36867: "2020:10:11 12:15:30", 36881: "+04:00"})
    Picture.fromarray(np.moveaxis(scene(), 0, -1)).save(tmp_path / name, exif=exif)
    image = look(tmp_path / name)
    assert image.acquisition.acquired == datetime(2020, 10, 11, 8, 15, 30, tzinfo=UTC)
    assert image.acquisition.source == "EXIF_DATETIMEORIGINAL"
    assert image.notes[0] == "Synthetic image: SYNTHETIC scene made by damagediff"
    assert image.notes[1].startswith("Its date is from EXIF_DATETIMEORIGINAL, which may be")


def test_synthetic_tag(make_raster: RasterMaker) -> None:
    image = look(make_raster("a.tif", scene(), tags={"DAMAGEDIFF_SYNTHETIC": "not \u202e a real\nplace"}))
    assert image.notes == ("Synthetic image: not \ufffd a real\ufffdplace",)


# ---- the door -----------------------------------------------------------------------------------


def test_only_regular_image_files_pass(tmp_path: Path, make_raster: RasterMaker) -> None:
    make_raster("real.tif", scene())
    (tmp_path / "text.tif").write_text("not an image", encoding="ascii")
    (tmp_path / "empty.png").touch()
    (tmp_path / "vrt.tif").write_text(
        '<VRTDataset rasterXSize="9" rasterYSize="9"><VRTRasterBand dataType="Byte" band="1">'
        '<SimpleSource><SourceFilename relativeToVRT="1">real.tif</SourceFilename></SimpleSource>'
        "</VRTRasterBand></VRTDataset>",
        encoding="ascii",
    )
    os.mkfifo(tmp_path / "pipe.tif")
    (tmp_path / "link.tif").symlink_to("real.tif")
    refused = {
        "text.tif": "not an image type we read",
        "empty.png": "it is empty",
        "vrt.tif": "not an image type we read",
        "pipe.tif": "not a regular file",
        "none.tif": "no such file",
        ".": "a directory",
    }
    for name, message in refused.items():
        with pytest.raises(InputError, match=message):
            look(tmp_path / name)
    assert look(tmp_path / "link.tif").name == "link.tif"


@pytest.mark.parametrize(
    "text",
    ["http://127.0.0.1:9/a.tif", "/vsicurl/http://127.0.0.1:9/a", "vrt:///tmp/a.tif", "/vsizip/a.zip/a.tif"],
)
def test_urls_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="only files on this machine"):
        look(Path(text))


def test_names_cannot_steer_a_terminal(tmp_path: Path, make_raster: RasterMaker) -> None:
    evil = tmp_path / "a\x1b]0;x\x07\u202e.tif"
    make_raster("a.tif", scene()).rename(evil)
    assert look(evil).name == "a\ufffd]0;x\ufffd\ufffd.tif"


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("kept", [0.4, 0.9])
def test_truncated_files_are_told(make_raster: RasterMaker, name: str, kept: float) -> None:
    noise = np.random.default_rng(1).integers(0, 9, (3, 300, 400), np.uint8)
    path = make_raster(name, scene((300, 400)) + noise)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(InputError, match=name) as caught:
        with raster.Reader(look(path), RGB) as reader:
            reader.read_reduced(100)
    assert "\n" not in str(caught.value) and str(path.parent) not in str(caught.value)


def test_jpeg_cut_and_closed_again_is_told(make_raster: RasterMaker) -> None:
    path = make_raster("a.jpg", scene())
    path.write_bytes(path.read_bytes()[:4000] + b"\xff\xd9")
    with pytest.raises(InputError, match="a.jpg: damaged"):
        whole(look(path))


def tiff_header(width: int, height: int, bands: int = 1, **more: int) -> bytes:
    """A TIFF that claims much and holds nothing."""
    entries = {256: width, 257: height, 258: 8, 259: 1, 262: 1, 273: 0, 277: bands, 278: height, 279: 0}
    entries |= {int(tag[1:]): value for tag, value in more.items()}
    table = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(entries.items()))
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + table + bytes(4)


def png_header(width: int, height: int) -> bytes:
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = b"IDAT" + zlib.compress(bytes(99))
    chunks = (head, body, b"IEND")
    framed = (struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("wide.tif", tiff_header(60_000, 60_000), "60,000 x 60,000 px is more than the 2,500,000,000"),
        ("thin.tif", tiff_header(40_000, 40_000), "cannot be a picture"),
        ("wide.png", png_header(60_000, 60_000), "60,000 x 60,000 px is more"),
        ("tile.tif", tiff_header(9_000, 9_000, t322=9_008, t323=9_008, t324=0, t325=0),
         "one internal block has 9,008 x 9,008 px of 1 bytes"),
        ("rows.tif", tiff_header(1, 9_000_000, t278=1), "9,000,000 internal blocks of 1 x 1 px"),
        ("many.tif", tiff_header(100, 100, 200), "200 bands, at most 32 are read"),
    ],
)  # fmt: skip
def test_bombs_are_refused_at_the_header(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        look(tmp_path / name)


def bitmap_header(cols: int, rows: int, **said: int) -> bytes:
    """The first 54 bytes of a Windows bitmap, and as many of nothing after them as `data` says."""
    h = {"offset": 54, "size": 40, "planes": 1, "bits": 24, "compression": 0, "colours": 0, "data": 0} | said
    head = struct.pack("<2sIII", b"BM", 54 + h["data"], 0, h["offset"])
    size = struct.pack("<IiiHHI", h["size"], cols, rows, h["planes"], h["bits"], h["compression"])
    return head + size + struct.pack("<IIIII", 0, 0, 0, h["colours"], 0) + bytes(h["data"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (bitmap_header(30_000, 30_000, bits=8, compression=1, data=200), "run-length coded is not read"),
        (bitmap_header(100, 100, bits=4, compression=2, data=20_000), "run-length coded is not read"),
        (bitmap_header(100, 100, compression=3, data=30_000), "with bit masks is not read"),
        (bitmap_header(100, 100, compression=4, data=30_000), "a JPEG is not read"),
        (bitmap_header(100, 100, compression=77, data=30_000), r"in a way \(77\) not known"),
        (bitmap_header(2**31 - 1, 2**31 - 1), "cut off: 2,147,483,647 x 2,147,483,647 px"),
        (bitmap_header(100, -(2**31), data=30_000), "-2,147,483,648 x 100 px cannot be"),
        (bitmap_header(0, 100, data=30_000), "100 x 0 px cannot be"),
        (bitmap_header(-100, 100, data=30_000), "100 x -100 px cannot be"),
        (bitmap_header(100, 100, data=29_999), "need 30,054 bytes, it has 30,053"),
        (bitmap_header(100, -100, data=29_999), "need 30,054 bytes, it has 30,053"),
        (bitmap_header(100, 100, bits=8, data=30_000), "begin at byte 54, within its header"),
        (bitmap_header(100, 100, bits=8, offset=1078, colours=2**32 - 1, data=30_000), "within its header"),
        (bitmap_header(100, 100, offset=2**32 - 1, data=30_000), "cut off"),
        (bitmap_header(100, 100, size=12, data=30_000), "header of 12 bytes"),
        (bitmap_header(100, 100, size=2**32 - 1, data=30_000), "header of 4,294,967,295 bytes"),
        (bitmap_header(100, 100, bits=1, data=30_000), "1 x 1 bits a pixel"),
        (bitmap_header(100, 100, planes=9, data=30_000), "9 x 24 bits a pixel"),
        (bitmap_header(100, 100)[:40], "cut off within its header"),
        (b"BM", "cut off within its header"),
    ],
)  # fmt: skip
def test_hostile_bitmaps_are_refused_before_they_are_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, message: str
) -> None:
    monkeypatch.setattr(rasterio, "open", lambda *args, **options: pytest.fail("GDAL saw it"))
    (tmp_path / "a.bmp").write_bytes(content)
    with pytest.raises(InputError, match=f"^a.bmp: .*{message}") as caught:
        look(tmp_path / "a.bmp")
    assert "\n" not in str(caught.value)


@given(st.dictionaries(st.integers(2, 53), st.integers(0, 255), max_size=8), st.integers(0, 400))
def test_a_damaged_bitmap_is_read_or_told(
    tmp_path_factory: pytest.TempPathFactory, damage: dict[int, int], cut: int
) -> None:
    content = bytearray(bitmap_header(12, 9, data=9 * 36))
    for at, value in damage.items():
        content[at] = value
    path = tmp_path_factory.getbasetemp() / "damaged.bmp"
    path.write_bytes(content[: max(2, len(content) - cut)])
    try:
        data, _ = whole(look(path))
    except InputError as error:
        assert str(error).startswith("damaged.bmp: ") and "\n" not in str(error)
    else:
        assert data.shape[1] * data.shape[2] <= len(content)


def test_a_bitmap_is_held_against_the_limits_too(tmp_path: Path) -> None:
    (tmp_path / "a.bmp").write_bytes(bitmap_header(100, 100, data=30_000))
    assert look(tmp_path / "a.bmp").shape == (100, 100)
    with pytest.raises(InputError, match="more than the 9,999 px that are read"):
        raster.inspect(Source(tmp_path / "a.bmp"), ReadSettings(max_pixels=9_999))


@pytest.mark.parametrize("mode", ["L", "RGB", "upside down"])
def test_bitmaps_of_either_order_and_grey_are_read(tmp_path: Path, mode: str) -> None:
    pixels = np.moveaxis(scene(), 0, -1)
    picture = Picture.fromarray(pixels if mode != "L" else pixels[..., 0])
    path = tmp_path / "a.bmp"
    picture.save(path)
    if mode == "upside down":  # the same rows, the first one first: a negative height
        content = bytearray(path.read_bytes())
        stride = (210 * 3 + 3) // 4 * 4
        rows = [content[54 + k * stride : 54 + (k + 1) * stride] for k in range(150)]
        struct.pack_into("<i", content, 22, -150)
        content[54:] = b"".join(reversed(rows))
        path.write_bytes(content)
    data, valid = whole(look(path))
    assert valid.all()
    expected = pixels if mode != "L" else np.repeat(pixels[..., :1], 3, 2)
    np.testing.assert_array_equal(np.moveaxis(data, 0, -1), expected)


def test_what_lies_beside_a_bitmap_is_not_read(tmp_path: Path) -> None:
    Picture.fromarray(np.moveaxis(scene(), 0, -1)).save(tmp_path / "a.bmp")
    for name in ("a.bpw", "a.bmpw", "a.wld"):
        (tmp_path / name).write_text("0.5\n0\n0\n-0.5\n500000\n4500000\n", encoding="ascii")
    assert look(tmp_path / "a.bmp").transform == Affine.identity()


def test_limits_are_settings(make_raster: RasterMaker) -> None:
    path = make_raster("a.tif", scene())
    with pytest.raises(InputError, match="more than the 1,000 px that are read. .* raise read.max_pixels"):
        raster.inspect(Source(path), ReadSettings(max_pixels=1000))


def test_sidecars_are_neither_read_nor_written(tmp_path: Path, make_raster: RasterMaker) -> None:
    path = make_raster("a.png", scene())
    sidecar = tmp_path / "a.png.aux.xml"
    sidecar.write_text("<PAMDataset><SRS>EPSG:32638</SRS><GeoTransform>5,1,0,5,0,-1</GeoTransform></PAMDataset>",
                       encoding="ascii")  # fmt: skip
    assert not look(path).georeferenced
    sidecar.unlink()
    whole(look(path))
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_a_tag_cannot_lend_other_pixels(make_raster: RasterMaker) -> None:
    make_raster("other.tif", np.full((3, 256, 256), 77, np.uint8))
    path = make_raster("a.tif", np.full((3, 1024, 1024), 11, np.uint8) + scene((1024, 1024)) // 50, **UTM)
    with rasterio.open(path, "r+") as out:
        out.update_tags(ns="OVERVIEWS", OVERVIEW_FILE="other.tif")
    image = look(path)
    assert any("OVERVIEWS" in note for note in image.notes)
    with raster.Reader(image, RGB) as reader:
        full, _ = reader.read(Window(0, 0, 1024, 1024))
        small, _, factor = reader.read_reduced(256)
    assert factor == 4
    np.testing.assert_allclose(small, block_means(full, 4)[0], rtol=1e-6)
    assert full.max() < 20


def test_forged_overviews_are_never_shown(make_raster: RasterMaker) -> None:
    path = make_raster("a.tif", scene((512, 512)), **UTM)
    with rasterio.open(path, "r+") as out:
        out.build_overviews([2, 4])
    with rasterio.open(path, "r+", overview_level=1) as out:
        out.write(np.full((3, *out.shape), 255, np.uint8))
    image = look(path)
    with raster.Reader(image, RGB) as reader:
        small, _, _ = reader.read_reduced(128)
    np.testing.assert_allclose(small, block_means(scene((512, 512)), 4)[0], rtol=1e-6)


def test_hardened_whatever_the_shell_says() -> None:
    assert all(os.environ[name] == value for name, value in door.HARDENED.items())


def test_gdal_does_not_talk(make_raster: RasterMaker, capfd: pytest.CaptureFixture[str]) -> None:
    path = make_raster("a.tif", scene(bands=4), photometric="MINISBLACK")
    content = path.read_bytes()
    extra = struct.pack("<HHI", 338, 3, 3)
    assert content.count(extra) == 1
    path.write_bytes(content.replace(extra, struct.pack("<HHI", 335, 3, 3)))  # libtiff warns of it
    whole(look(path), ("grey",))
    assert capfd.readouterr() == ("", "")


def test_a_file_that_changes_is_told(make_raster: RasterMaker) -> None:
    image = look(make_raster("a.png", scene()))
    make_raster("a.png", scene((90, 90)))
    with pytest.raises(InputError, match="a.png: changed while it was being used"):
        whole(image)


# ---- whole-image reads ----------------------------------------------------------------------


def block_means(data: np.ndarray[Any, Any], k: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The slow and plain way: one block after the other."""
    rows, cols = (-(-side // k) for side in data.shape[1:])
    means, valid = np.zeros((len(data), rows, cols)), np.zeros((rows, cols), bool)
    for r, c in np.ndindex(rows, cols):
        block = data[:, r * k : r * k + k, c * k : c * k + k].reshape(len(data), -1).astype(float)
        valid[r, c] = 2 * block.shape[1] >= k * k
        means[:, r, c] = block.mean(axis=1) if valid[r, c] else 0
    return means, valid


@pytest.mark.parametrize(
    ("shape", "max_px"), [((150, 210), 70), ((151, 211), 50), ((97, 64), 97), ((301, 77), 100)]
)
def test_reduced_is_the_mean_of_blocks(
    make_raster: RasterMaker, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int], max_px: int
) -> None:
    monkeypatch.setattr(raster, "STRIP_PX", 3000)
    pixels = scene(shape, dtype="uint16")
    with raster.Reader(look(make_raster("a.tif", pixels)), RGB) as reader:
        data, valid, factor = reader.read_reduced(max_px)
    means, enough = block_means(pixels, factor)
    assert factor == -(-max(shape) // max_px) and max(data.shape) <= max_px
    np.testing.assert_array_equal(valid, enough)
    np.testing.assert_allclose(data, means, rtol=1e-6)


def test_reduced_ignores_what_is_not_valid(make_raster: RasterMaker) -> None:
    pixels = np.full((1, 80, 80), 50, np.float32)
    pixels[0, :2, :4] = np.nan
    pixels[0, :3, 4:8] = np.nan
    pixels[0, 3, 4:8] = 99
    with raster.Reader(look(make_raster("a.tif", pixels)), ("grey",)) as reader:
        data, valid, _ = reader.read_reduced(20)
    assert valid[0, 0] and not valid[0, 1] and valid.sum() == 399
    assert data[0, 0, 0] == 50 and data[0, 0, 1] == 0


@pytest.mark.parametrize("name", ["a.tif", "a.jpg", "a.png"])
def test_threads_read_what_one_reads(make_raster: RasterMaker, name: str) -> None:
    image = look(make_raster(name, scene((400, 500))))
    windows = [Window(r, c, 130, 170) for r in range(-30, 400, 100) for c in range(-30, 500, 120)]
    with raster.Reader(image, RGB) as reader:
        alone = [reader.read(window) for window in windows]
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(reader.read, windows))
    for (data, valid), (same, same_valid) in zip(alone, together, strict=True):
        np.testing.assert_array_equal(data, same)
        np.testing.assert_array_equal(valid, same_valid)


def test_what_cannot_be_compared(make_raster: RasterMaker) -> None:
    def check(pixels: np.ndarray[Any, Any], **options: Any) -> None:
        image = look(make_raster("a.tif", pixels, **options))
        with raster.Reader(image, ("grey",)) as reader:
            data, valid, _ = reader.read_reduced(100)
        raster.check_usable(image, data, valid)

    check(scene(bands=1))
    with pytest.raises(InputError, match="a.tif: 10 x 210 px is too small, at least 64 px"):
        check(scene((10, 210), bands=1))
    with pytest.raises(InputError, match="a.tif: all its valid pixels have the value 0,"):
        check(np.zeros((1, 90, 90), np.uint8))
    with pytest.raises(InputError, match="a.tif: no valid pixel"):
        check(np.zeros((1, 90, 90), np.uint8), nodata=0)


def test_describe(make_raster: RasterMaker) -> None:
    image = look(make_raster("a.tif", scene(dtype="float32"), nodata=float("nan"), **UTM), credit="Somebody")
    facts = json.loads(json.dumps(raster.describe(image), allow_nan=False))
    assert facts["name"] == "a.tif" and facts["gsd_m"] == pytest.approx(0.5) and facts["nodata"] == "nan"
    west, south, east, north = facts["bounds_lonlat"]
    assert west == pytest.approx(45, abs=1e-6) and 40 < south < north < 41 and east > west
    assert str(image.path.parent) not in json.dumps(facts)


# ---- writing ------------------------------------------------------------------------------------

GRID = Grid((700, 900), UTM["transform"], "EPSG:32638", 0.5)


Pixels = np.ndarray[Any, Any]


def write(path: Path, pixels: Pixels, valid: Pixels | None = None, **options: Any) -> None:
    grid = options.pop("grid", GRID)
    with raster.Writer(path, grid, len(pixels), pixels.dtype.name, **options) as out:
        for row in range(0, pixels.shape[1], 256):
            for col in range(0, pixels.shape[2], 256):
                part = np.s_[row : row + 256, col : col + 256]
                data = pixels[:, *part]
                out.write(Window(row, col, *data.shape[1:]), data, None if valid is None else valid[part])


@pytest.mark.parametrize("compression", ["deflate", "zstd", "none"])
def test_threads_that_compress_change_no_byte_and_no_pixel(tmp_path: Path, compression: str) -> None:
    pixels = np.random.default_rng(1).integers(0, 9, (3, *GRID.shape)).astype(np.uint8)
    for threads in (1, 3):
        write(tmp_path / f"{threads}.tif", pixels, compression=compression, threads=threads)
    assert (tmp_path / "1.tif").read_bytes() == (tmp_path / "3.tif").read_bytes()
    with rasterio.open(tmp_path / "1.tif") as out:
        np.testing.assert_array_equal(out.read(), pixels)
        told = out.tags(ns="IMAGE_STRUCTURE").get("COMPRESSION", "none")
    assert told.lower() == compression


def test_writes_a_cog(tmp_path: Path) -> None:
    pixels = scene(GRID.shape)
    valid = np.indices(GRID.shape)[1] > 100
    write(tmp_path / "a.tif", pixels, valid, descriptions=RGB, tags={"DAMAGEDIFF_SYNTHETIC": "yes"})
    with rasterio.open(tmp_path / "a.tif") as out:
        assert out.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert out.overviews(1) == [2] and out.block_shapes[0] == (512, 512)
        assert out.crs.to_epsg() == 32638 and out.transform.almost_equals(GRID.transform)
        assert out.descriptions == RGB and out.tags()["DAMAGEDIFF_SYNTHETIC"] == "yes"
        np.testing.assert_array_equal(out.dataset_mask() > 0, valid)
    data, seen = whole(look(tmp_path / "a.tif"))
    np.testing.assert_array_equal(seen, valid)
    np.testing.assert_array_equal(data[:, valid], pixels[:, valid])
    assert [p.name for p in tmp_path.iterdir()] == ["a.tif"]


@pytest.mark.parametrize(
    ("dtype", "nodata", "resampling"),
    [("float32", None, "average"), ("uint8", 255, "nearest"), ("uint16", None, "average")],
)
def test_same_pixels_same_bytes(tmp_path: Path, dtype: str, nodata: float | None, resampling: str) -> None:
    pixels = np.minimum(scene(GRID.shape, bands=1, dtype=dtype), 254)
    valid = np.indices(GRID.shape)[0] > 50
    for name in ("a.tif", "b.tif"):
        write(tmp_path / name, pixels, valid, nodata=nodata, resampling=resampling)
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()
    data, seen = whole(look(tmp_path / "a.tif"), ("grey",))
    np.testing.assert_array_equal(seen, valid)
    np.testing.assert_array_equal(data[:, valid], pixels[:, valid].astype(np.float32))


def test_nir_stays_a_band(tmp_path: Path) -> None:
    pixels = scene(GRID.shape, bands=4)
    write(tmp_path / "a.tif", pixels, descriptions=(*RGB, "nir"))
    image = look(tmp_path / "a.tif")
    assert image.roles == (*RGB, "nir")
    np.testing.assert_array_equal(whole(image, image.roles)[0], pixels)


def test_writes_without_georeference(tmp_path: Path) -> None:
    pixels = scene((100, 120), bands=2, dtype="float32")
    pixels[:, :9] = np.nan
    write(tmp_path / "a.tif", pixels, grid=Grid((100, 120)))
    image = look(tmp_path / "a.tif", bands=("grey", "other"))
    data, valid = whole(image, ("grey", "other"))
    assert not image.georeferenced and not valid[:9].any() and valid[9:].all()
    np.testing.assert_array_equal(data[:, 9:], pixels[:, 9:])


def test_nothing_is_left_when_the_block_raises(tmp_path: Path) -> None:
    with pytest.raises(KeyError), raster.Writer(tmp_path / "a.tif", GRID, 1, "uint8") as out:
        out.write(Window(0, 0, 16, 16), np.ones((1, 16, 16), np.uint8))
        raise KeyError
    assert not list(tmp_path.iterdir())


def test_an_older_file_survives_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.tif").write_text("older", encoding="ascii")

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cog.rasterio.shutil, "copy", full)
    with pytest.raises(OutputError, match="a.tif: cannot be written .No space left on device"):
        write(tmp_path / "a.tif", scene(GRID.shape))
    assert [p.name for p in tmp_path.iterdir()] == ["a.tif"]
    assert (tmp_path / "a.tif").read_text(encoding="ascii") == "older"
    nothing = type("usage", (), {"free": 0})
    monkeypatch.setattr(cog.shutil, "disk_usage", lambda folder: nothing)
    with pytest.raises(OutputError, match="^a.tif: .*the disk is full") as caught:
        write(tmp_path / "a.tif", scene(GRID.shape))
    assert str(tmp_path) not in str(caught.value)


def test_what_was_written_is_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = cog.rasterio.shutil.copy

    def lose_the_end(source: Path, target: Path, **options: Any) -> None:
        copy(source, target, **options)
        if options["driver"] == "COG":
            os.truncate(target, target.stat().st_size - 500)

    monkeypatch.setattr(cog.rasterio.shutil, "copy", lose_the_end)
    with pytest.raises(OutputError, match="a.tif: cannot be written"):
        write(tmp_path / "a.tif", scene(GRID.shape))
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written .No such file or directory"):
        write(tmp_path / "none" / "a.tif", scene(GRID.shape))


def test_threads_write_one_file(tmp_path: Path) -> None:
    pixels = scene(GRID.shape)
    windows = tiles.plan(GRID.shape, 64)
    write(tmp_path / "a.tif", pixels)
    with raster.Writer(tmp_path / "b.tif", GRID, 3, "uint8") as out, ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda w: out.write(w, pixels[:, *w.slices]), reversed(windows)))
    np.testing.assert_array_equal(whole(look(tmp_path / "b.tif"))[0], pixels)
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()

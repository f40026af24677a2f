"""Odd ways of storing pixels and places: read as Pillow and tifffile read them, or refused with advice."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
import tifffile
from affine import Affine
from PIL import Image as Picture
from rasterio.transform import from_origin

from damagediff import grid, raster
from damagediff.errors import InputError
from damagediff.settings import ReadSettings
from damagediff.types import Source, Window

ROWS, COLS = np.indices((80, 90))
GREY = ((ROWS * 2 + COLS) % 256).astype(np.uint8)
RGB = np.stack([GREY, COLS.astype(np.uint8) * 2, 255 - GREY], -1)


def look(path):
    return raster.inspect(Source(path), ReadSettings())


def whole(image):
    with raster.Reader(image, raster.common_roles(image, image)) as reader:
        return reader.read(Window(0, 0, *image.shape))


def by_pillow(path) -> np.ndarray:
    with Picture.open(path) as picture:
        plain = picture.convert("L" if picture.mode in ("1", "L", "LA") else "RGB")
        pixels = np.asarray(plain, np.float32)
    return pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)


PILLOW = {
    "bit.png": (Picture.fromarray(GREY).convert("1"), {}),
    "bit.tif": (Picture.fromarray(GREY).convert("1"), {}),
    "palette2.png": (Picture.fromarray(GREY).quantize(4), {"bits": 2}),
    "palette4.png": (Picture.fromarray(RGB).quantize(16), {"bits": 4}),
    "palette.png": (Picture.fromarray(RGB).quantize(64), {}),
    "palette.tif": (Picture.fromarray(RGB).quantize(64), {}),
    "cmyk.tif": (Picture.fromarray(RGB).convert("CMYK"), {}),
    "cmyk.jpg": (Picture.fromarray(RGB).convert("CMYK"), {"quality": 98}),
    "ycbcr.tif": (Picture.fromarray(RGB).convert("YCbCr"), {}),
    "grey alpha.png": (Picture.merge("LA", (Picture.fromarray(GREY), Picture.fromarray(GREY | 1))), {}),
    "alpha.png": (Picture.fromarray(np.dstack([RGB, GREY | 1])), {}),
}


@pytest.mark.parametrize("name", PILLOW)
def test_read_as_pillow_reads_it(tmp_path, name):
    picture, options = PILLOW[name]
    picture.save(tmp_path / name, **options)
    image = look(tmp_path / name)
    data, valid = whole(image)
    assert valid.all()
    expected = by_pillow(tmp_path / name)
    assert np.abs(data - expected).max() <= (1 if name == "ycbcr.tif" else 0)
    told = " ".join(image.notes)
    assert ("CMYK" in told) == name.startswith("cmyk.") and ("0 to 1:" in told) == (name == "bit.png")


TIFFFILE = {
    "big-endian": {"dtype": "uint16", "byteorder": ">"},
    "float16": {"dtype": "float16"},
    "float32": {"dtype": "float32"},
    "float64": {"dtype": "float64"},
    "int16": {"dtype": "int16"},
    "int32": {"dtype": "int32"},
    "uint32": {"dtype": "uint32"},
}


@pytest.mark.parametrize("name", TIFFFILE)
def test_read_as_tifffile_reads_it(tmp_path, name):
    options = dict(TIFFFILE[name])
    pixels = (GREY.astype(np.float64) * 3 - (0 if "uint" in options["dtype"] else 100)).astype(
        options.pop("dtype")
    )
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="minisblack", **options)
    data, valid = whole(look(tmp_path / "a.tif"))
    assert valid.all()
    np.testing.assert_array_equal(data[0], tifffile.imread(tmp_path / "a.tif").astype(np.float32))


def test_bands_one_after_the_other(tmp_path):
    planes = np.moveaxis(RGB, -1, 0)
    tifffile.imwrite(tmp_path / "a.tif", planes, photometric="rgb", planarconfig="separate")
    np.testing.assert_array_equal(whole(look(tmp_path / "a.tif"))[0], tifffile.imread(tmp_path / "a.tif"))


@pytest.mark.parametrize("dtype", ["bool", "uint8", "uint16"])
def test_where_white_is_zero(tmp_path, dtype):
    stored = GREY > 100 if dtype == "bool" else GREY.astype(dtype) * (257 if dtype == "uint16" else 1)
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="miniswhite")
    image = look(tmp_path / "a.tif")
    expected = np.where(stored, 0, 255) if dtype == "bool" else 255 - GREY.astype(int)
    assert np.abs(whole(image)[0] - expected).max() <= (dtype == "uint16")
    assert any("colours of 8 bits" in note for note in image.notes) == (dtype == "uint16")


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_grey_of_few_bits_reaches_white(make_raster, bits):
    stored = (GREY % 2**bits)[None]
    image = look(make_raster("a.png", stored, nbits=bits))
    data, _ = whole(image)
    np.testing.assert_array_equal(data[0], by_pillow(image.path)[0])
    assert data.max() == 255 and image.roles == ("grey",)


def test_lab_is_told_to_be_approximate(tmp_path):
    Picture.fromarray(RGB).convert("LAB").save(tmp_path / "a.tif")
    image = look(tmp_path / "a.tif")
    assert any("CIELAB" in note and "without a colour profile" in note for note in image.notes)
    assert np.corrcoef(whole(image)[0].ravel(), np.moveaxis(RGB, -1, 0).ravel())[0, 1] > 0.9


@pytest.mark.parametrize(
    ("dtype", "advice"),
    [
        ("int8", "-ot Float32"),
        ("int64", "-ot Float32"),
        ("uint64", "-ot Float32"),
        ("complex64", "amplitude"),
    ],
)
def test_other_numbers_are_refused_with_advice(tmp_path, dtype, advice):
    tifffile.imwrite(tmp_path / "a.tif", (GREY // 2).astype(dtype), photometric="minisblack")
    with pytest.raises(InputError, match=f"pixels of type {dtype} are not read.*{advice}"):
        look(tmp_path / "a.tif")


def placed(make_raster, transform, crs="EPSG:4326"):
    return look(make_raster("a.tif", np.moveaxis(RGB, -1, 0), crs=crs, transform=transform))


@pytest.mark.parametrize(
    ("crs", "transform", "bounds"),
    [
        ("EPSG:4326", from_origin(179.996, 10, 1e-4, 1e-4), (179.996, 9.992, -179.995, 10)),
        ("EPSG:4326", from_origin(-180.004, 10, 1e-4, 1e-4), (179.996, 9.992, -179.995, 10)),
        ("EPSG:4326", from_origin(270, 10, 1e-4, 1e-4), (-90, 9.992, -89.991, 10)),
        ("EPSG:4326", from_origin(10, 89.99, 1e-3, 1e-3), (10, 89.91, 10.09, 89.99)),
        ("EPSG:4326", Affine(0, 1e-4, 10, -1e-4, 0, 40), (10, 39.991, 10.008, 40)),
    ],
    ids=["antimeridian", "beyond -180", "0 to 360", "polar", "turned by 90"],
)  # fmt: skip
def test_places_at_the_edges_of_maps(make_raster, crs, transform, bounds):
    image = placed(make_raster, transform, crs)
    np.testing.assert_allclose(raster.describe(image)["bounds_lonlat"], bounds, atol=1e-6)
    on = grid.common_grid(image, image)
    assert on.gsd_m is not None and 0.5 < on.gsd_m / raster.describe(image)["gsd_m"] < 2


@pytest.mark.parametrize(
    ("crs", "transform", "says"),
    [
        ("EPSG:4326", from_origin(400, 10, 1e-4, 1e-4), "longitude 400"),
        ("EPSG:4326", from_origin(40, 95, 1e-4, 1e-4), "not on Earth"),
        ("EPSG:4326", from_origin(10, 90.3, 1e-2, 1e-2), "outside the world"),
        ("EPSG:32638", from_origin(5e8, 4.5e6, 0.5, 0.5), "outside the world"),
        ("EPSG:32638", from_origin(5e5, 4.5e6, 1e9, 1e9), "outside the world|not on Earth"),
        ("EPSG:32638", from_origin(5e5, 4.5e6, 1e-9, 1e-9), "no size on the ground"),
        ("EPSG:32638", from_origin(1e17, 4.5e6, 0.5, 0.5), "outside the world|no size|not on Earth"),
    ],
)
def test_places_that_cannot_be(make_raster, crs, transform, says):
    image = placed(make_raster, transform, crs)
    with pytest.raises(InputError, match=f"^a.tif: .*({says})"):
        raster.describe(image)
        grid.common_grid(image, image)


def pinned(make_raster, points, crs="EPSG:4326"):
    """A picture with points (col, row, x, y), corners of pixels counted, and no other place."""
    pins = [rasterio.control.GroundControlPoint(r, c, x, y) for c, r, x, y in points]
    return look(make_raster("a.tif", np.moveaxis(RGB, -1, 0), gcps=pins, crs=crs))


CORNERS = ((0, 0), (90, 0), (0, 80), (90, 80), (45, 40), (20, 70))


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:32701"])
def test_ground_control_points_give_an_affine_with_its_error(make_raster, crs):
    true = Affine(
        0.5, 0.1, 200_030.0, 0.05, -0.6, 8_190_000.0
    )  # zone 1: some corners lie west of 180 degrees
    utm = np.array([true @ (c, r) for c, r in CORNERS])
    places = grid.reproject_xy("EPSG:32701", crs, utm)
    image = pinned(
        make_raster, [(*corner, *place) for corner, place in zip(CORNERS, places, strict=True)], crs
    )
    assert image.crs in ("EPSG:32701", "EPSG:32760") and image.georeferenced
    found = grid.reproject_xy(
        image.crs, "EPSG:32701", np.array([image.transform @ (c, r) for c, r in CORNERS])
    )
    np.testing.assert_allclose(found, utm, atol=0.01)
    assert any("6 ground control points: RMS 0.00 m, 0.00 m (0.0 px)" in note for note in image.notes)


def test_points_that_disagree_are_told_in_metres(make_raster):
    off = [(c, r, 5e5 + c * 2 + (r == 40), 4.5e6 - r * 2) for c, r in CORNERS]
    image = pinned(make_raster, off, "EPSG:32638")
    (note,) = [note for note in image.notes if "ground control points" in note]
    rms = np.sqrt((_residuals(off) ** 2).sum(1).mean())
    assert f"RMS {rms:.2f} m" in note and 0.3 < rms < 0.5


def _residuals(points):
    """(6, 2) of an affine by least squares, here by the normal equations."""
    table = np.array(points)
    design = np.column_stack([np.ones(len(table)), table[:, :2]])
    hat = design @ np.linalg.inv(design.T @ design) @ design.T
    return table[:, 2:] - hat @ table[:, 2:]


@pytest.mark.parametrize(
    ("points", "crs", "says"),
    [
        ([(c, r, c / 2, -r / 2) for c, r in CORNERS[:3]], "EPSG:32638", "too few to tell"),
        ([(c, c, 5e5 + c, 4e6 - c) for c in (0, 9, 30, 70)], "EPSG:32638", "on one line"),
        ([(c, r, 45 + c / 1e5, 95 - r / 1e5) for c, r in CORNERS], "EPSG:4326", "do not lie on Earth"),
        (
            [(c, r, 5e5 + c + c * r / 20, 4e6 - r) for c, r in CORNERS],
            "EPSG:32638",
            "does not meet .*gdalwarp -tps$",
        ),
    ],
)
def test_points_that_place_nothing_are_refused_with_advice(make_raster, points, crs, says):
    with pytest.raises(InputError, match=rf"^a.tif: placed only by .*{says}"):
        pinned(make_raster, points, crs)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"photometric": "cfa", "extratags": [(33421, "H", 2, (2, 2))]}, "mosaic"),
        ({"photometric": 10}, "ITU"),
        ({"photometric": "rgb", "subfiletype": 1}, "reduced copy"),
        ({"photometric": "rgb", "extrasamples": [1]}, "multiplied by their opacity"),
        ({"photometric": "rgb"}, None),
    ],
)  # fmt: skip
def test_what_is_no_plain_picture_is_told(tmp_path, options, says):
    pixels = (
        GREY
        if options["photometric"] == "cfa"
        else np.dstack([RGB, GREY | 1])
        if "extrasamples" in options
        else RGB
    )
    tifffile.imwrite(tmp_path / "a.tif", pixels, **options)
    image = look(tmp_path / "a.tif")
    assert any(says in note for note in image.notes) if says else image.integrity.state == "complete"


def test_an_animated_webp_is_refused_with_advice(tmp_path):
    picture = Picture.fromarray(RGB)
    picture.save(tmp_path / "a.webp", save_all=True, append_images=[picture.rotate(90)])
    with pytest.raises(InputError, match="an animated WebP is not read. Save the picture"):
        look(tmp_path / "a.webp")


def test_a_negative_without_a_table_of_colours_is_told(make_raster):
    image = look(make_raster("a.tif", GREY[None], photometric="miniswhite"))
    assert any("looks like a negative" in note for note in image.notes)

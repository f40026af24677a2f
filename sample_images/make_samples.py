"""Make the shipped sample pair: ``python sample_images/make_samples.py`` writes the same bytes again.

Everything here is SYNTHETIC: an invented town, drawn by ``damagediff.synthetic``, under the coordinates
and dates of a headline. It is not imagery of Ganja or of any real place, and every file says so: in the
pixels (a strip along the lower edge, on the same ground in all pictures), in its tags, and in README.md.

The truth is exact at ground level: each picture is one interpolation of a finer, band-limited rendering
of the same scene, at positions that the maps in ``ganja_truth.json`` give. What stands up leans.
"""

from __future__ import annotations

import json
import math
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
import rasterio.transform
import rasterio.warp
from affine import Affine
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from damagediff import synthetic  # noqa: E402

Array = npt.NDArray[Any]

SEED = 20201011
CRS, LON, LAT = "EPSG:32638", 46.36, 40.68
GSD_M, SIDE_PX, MARGIN_PX, CELLS = 0.5, 1440, 150, 2
"""Before image: pixel and side; the scene goes on by the margin; cells of the rendering a pixel side."""
AFTER_GSD_M, AFTER_SHAPE, AFTER_OFFSET_M = 0.55, (1306, 1305), (4.70, -7.35)
"""After image: pixel, shape, and how far its corner lies south and east of the before image's."""
GEOREFERENCE_ERROR = {"rows_px": 2.3, "cols_px": -1.6, "rotation_deg": 0.15, "scale": 1.0008}
"""How wrong the after image's georeference is, about the centre of the before image, in its px."""
TIMES = (datetime(2020, 10, 4, 7, 52, tzinfo=UTC), datetime(2020, 10, 13, 7, 49, tzinfo=UTC))
STRIP_PX = 24
STRIP_TEXT = "SYNTHETIC SCENE - not imagery of a real place"
TAG = "synthetic scene made by damagediff; not imagery of any real place"
DESCRIPTION = f"SYNTHETIC: {TAG}"
CLASSES = {
    "0": "unchanged", "1": "structural damage (collapsed)", "2": "crater", "3": "burn", "4": "debris",
    "5": "harmless (cars, new roof colour, bare trees)",
}  # fmt: skip


def sun(when: datetime) -> tuple[float, float]:
    """Azimuth from grid north and elevation in degrees at the place, to about 0.1 degree."""
    days = (when - datetime(2000, 1, 1, 12, tzinfo=UTC)).total_seconds() / 86400
    anomaly = math.radians(357.529 + 0.98560028 * days)
    mean = 280.459 + 0.98564736 * days
    longitude = math.radians(mean + 1.915 * math.sin(anomaly) + 0.020 * math.sin(2 * anomaly))
    tilt = math.radians(23.439)
    declination = math.asin(math.sin(tilt) * math.sin(longitude))
    ascension = math.atan2(math.cos(tilt) * math.sin(longitude), math.cos(longitude))
    sidereal = math.radians(280.46062 + 360.98564737 * days + LON)
    hour, lat = sidereal - ascension, math.radians(LAT)
    up = math.sin(lat) * math.sin(declination) + math.cos(lat) * math.cos(declination) * math.cos(hour)
    east = -math.cos(declination) * math.sin(hour)
    north = math.cos(lat) * math.sin(declination) - math.sin(lat) * math.cos(declination) * math.cos(hour)
    convergence = (LON - 45.0) * math.sin(lat)
    return math.degrees(math.atan2(east, north)) % 360 - convergence, math.degrees(math.asin(up))


def views() -> tuple[synthetic.View, synthetic.View]:
    """The two acquisitions: the sun of their times, other lean, haze, season, gain and noise.

    Between both, a roof 4 m high moves 0.3 px against the ground and one of 15 m 1.1 px: with more, an
    alignment that follows the roofs, as any must in a town, could not agree with the truth on the ground.
    """
    (azimuth, elevation), (azimuth_2, elevation_2) = (sun(t) for t in TIMES)
    before = synthetic.View(
        azimuth, elevation, off_nadir_deg=10, lean_azimuth_deg=285, dryness=0.25, haze=0.05, noise=0.009
    )
    after = synthetic.View(
        azimuth_2, elevation_2, off_nadir_deg=12, lean_azimuth_deg=287, dryness=0.6, haze=0.11, blur_px=0.7,
        gain=(0.97, 0.98, 1.03), exposure=0.50, noise=0.013,
    )  # fmt: skip
    return before, after


# ------------------------------------------------------------------------------------------- geometry


def shift(rows: float, cols: float) -> Array:
    """3 x 3 that adds to (row, col, 1)."""
    return np.array([[1, 0, rows], [0, 1, cols], [0, 0, 1.0]])


def similarity(scale: float, rotation_deg: float, centre: float) -> Array:
    """Scale and turn about the pixel (centre, centre); positive turns +col towards +row."""
    t = math.radians(rotation_deg)
    turn = np.array([[math.cos(t), math.sin(t), 0], [-math.sin(t), math.cos(t), 0], [0, 0, 1]])
    return shift(centre, centre) @ turn @ np.diag([scale, scale, 1]) @ shift(-centre, -centre)


def scene_from_before() -> Array:
    """Cells of the rendering from pixels of ``ganja_before.tif``."""
    return shift(-0.5, -0.5) @ np.diag([CELLS, CELLS, 1.0]) @ shift(MARGIN_PX + 0.5, MARGIN_PX + 0.5)


def after_from_before() -> Array:
    """Pixels of ``ganja_after.tif`` from those of ``ganja_before.tif``: other lattice, wrong georeference."""
    e = GEOREFERENCE_ERROR
    wrong = shift(e["rows_px"], e["cols_px"]) @ similarity(e["scale"], e["rotation_deg"], (SIDE_PX - 1) / 2)
    ratio = GSD_M / AFTER_GSD_M
    south, east = AFTER_OFFSET_M
    lattice = (
        shift(-0.5 - south / AFTER_GSD_M, -0.5 - east / AFTER_GSD_M)
        @ np.diag([ratio, ratio, 1])
        @ shift(0.5, 0.5)
    )
    return lattice @ wrong


def shot(centre: tuple[float, float], shape: tuple[int, int], scale: float, rotation_deg: float) -> Array:
    """Before pixels from the pixels of a screenshot of `shape`, centred on a before pixel."""
    t = math.radians(rotation_deg)
    turn = np.array([[math.cos(t), math.sin(t), 0], [-math.sin(t), math.cos(t), 0], [0, 0, 1]])
    return (
        shift(*centre)
        @ turn
        @ np.diag([1 / scale, 1 / scale, 1])
        @ shift(-(shape[0] - 1) / 2, -(shape[1] - 1) / 2)
    )


def transforms() -> tuple[Affine, Affine]:
    """Georeference of both files, as they state it."""
    xs, ys = rasterio.warp.transform("EPSG:4326", CRS, [LON], [LAT])
    half = SIDE_PX * GSD_M / 2
    left, top = round(xs[0] - half), round(ys[0] + half)
    south, east = AFTER_OFFSET_M
    before = Affine(GSD_M, 0, left, 0, -GSD_M, top)
    return before, Affine(AFTER_GSD_M, 0, left + east, 0, -AFTER_GSD_M, top - south)


# --------------------------------------------------------------------------------------------- pixels


def strip_layer() -> Array:
    """(2, rows, cols) text 0..1 and cover 0..1 of the strip on the cells of the whole scene."""
    side = CELLS * (SIDE_PX + 2 * MARGIN_PX)
    text = Image.new("L", (side, CELLS * STRIP_PX), 0)
    pen, font = ImageDraw.Draw(text), ImageFont.load_default(size=15.5 * CELLS)
    for left in range(CELLS * 20, side, CELLS * 400):
        pen.text((left, CELLS * STRIP_PX / 2), STRIP_TEXT, fill=255, font=font, anchor="lm")
    layer = np.zeros((2, side, side), np.float32)
    top = CELLS * (MARGIN_PX + SIDE_PX - STRIP_PX)
    layer[0, top : top + CELLS * STRIP_PX] = np.asarray(text) / 255
    layer[1, top : top + CELLS * STRIP_PX] = 1
    return layer


def mark(picture: Array, scene_from_picture: Array, strip: Array) -> Array:
    """The picture with the strip painted on the ground."""
    cells = math.sqrt(np.linalg.det(scene_from_picture[:2, :2]))
    rows, cols = np.indices(picture.shape[1:], np.float64)
    rc = (
        np.tensordot(scene_from_picture[:2, :2], np.stack([rows, cols]), 1)
        + scene_from_picture[:2, 2, None, None]
    )
    text, cover = (
        ndimage.map_coordinates(ndimage.gaussian_filter(s, 0.3 * cells), rc, order=1) for s in strip
    )
    ink = 24 + 226 * text
    return np.round(picture * (1 - cover) + ink * cover).astype(np.uint8)


def picture(
    radiance: Array, scene_from_picture: Array, shape: tuple[int, int], view: synthetic.View, number: int
) -> Array:
    """(3, rows, cols) uint8 of a rendering, before the strip."""
    return synthetic.expose(radiance, scene_from_picture, shape, view, np.random.default_rng([SEED, number]))


def truth_on_before(surfaces: list[synthetic.Surface]) -> Array:
    """(rows, cols) class on the before grid, at ground level: that of at least half of a pixel's cells."""
    inner = slice(CELLS * MARGIN_PX, CELLS * (MARGIN_PX + SIDE_PX))
    cells = np.where(surfaces[1].truth > 0, surfaces[1].truth, surfaces[0].truth)[inner, inner]
    blocks = cells.reshape(SIDE_PX, CELLS, SIDE_PX, CELLS)
    truth = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    for kind in (5, 4, 3, 2, 1):
        truth[(blocks == kind).mean((1, 3)) >= 0.5] = kind
    truth[SIDE_PX - STRIP_PX :] = 0
    return truth


# ---------------------------------------------------------------------------------------------- files


def write_tif(name: str, pixels: Array, transform: Affine, when: datetime | None) -> None:
    """A tiled, deflated GeoTIFF that says what it is."""
    tags = {
        "DAMAGEDIFF_SYNTHETIC": TAG,
        "TIFFTAG_IMAGEDESCRIPTION": DESCRIPTION,
        "TIFFTAG_SOFTWARE": "damagediff",
    }
    if when is not None:
        tags["TIFFTAG_DATETIME"] = when.strftime("%Y:%m:%d %H:%M:%S")
    extra = {"photometric": "RGB", "interleave": "pixel"} if len(pixels) == 3 else {}
    path = HERE / name
    path.unlink(missing_ok=True)
    with rasterio.open(
        path, "w", driver="GTiff", count=len(pixels), height=pixels.shape[1], width=pixels.shape[2],
        dtype="uint8", crs=CRS, transform=transform, tiled=True, blockxsize=256, blockysize=256,
        compress="deflate", predictor=2, zlevel=9, **extra,
    ) as out:  # fmt: skip
        out.update_tags(**tags)
        out.write(pixels)


def write_jpeg(name: str, pixels: Array, quality: int) -> None:
    """A JPEG with its description in EXIF."""
    exif = Image.Exif()
    exif[0x010E] = DESCRIPTION
    exif[0x0131] = "damagediff"
    Image.fromarray(np.ascontiguousarray(np.moveaxis(pixels, 0, -1))).save(
        HERE / name, quality=quality, exif=exif
    )


def composite(left: Array, right: Array) -> tuple[Array, list[list[int]]]:
    """One press-like picture of both, with a title bar, a gutter and captions; and the panes' boxes."""
    rows, cols = left.shape[1:]
    bar, gutter, caption = 58, 14, 34
    sheet = Image.new("RGB", (2 * cols + 3 * gutter, bar + rows + caption), (246, 245, 242))
    pen = ImageDraw.Draw(sheet)
    pen.rectangle((0, 0, sheet.width, bar - gutter), fill=(28, 34, 42))
    title = "Ganja before and after 11 October (SYNTHETIC)"
    pen.text(
        (gutter, (bar - gutter) / 2),
        title,
        fill=(250, 250, 250),
        font=ImageFont.load_default(size=25),
        anchor="lm",
    )
    panes = []
    for pixels, col, when in ((left, gutter, TIMES[0]), (right, cols + 2 * gutter, TIMES[1])):
        sheet.paste(Image.fromarray(np.ascontiguousarray(np.moveaxis(pixels, 0, -1))), (col, bar))
        text = f"{when.day} {when:%B %Y} - synthetic image, no real place"
        pen.text(
            (col, bar + rows + caption / 2),
            text,
            fill=(40, 40, 40),
            font=ImageFont.load_default(size=16),
            anchor="lm",
        )
        panes.append([bar, col, bar + rows, col + cols])
    return np.moveaxis(np.asarray(sheet), -1, 0), panes


def in_frame(outline_px: Array) -> bool:
    """Whether an outline lies in the before image, clear of the strip."""
    return bool((outline_px > 0).all() and (outline_px < [SIDE_PX - STRIP_PX - 1, SIDE_PX - 1]).all())


def before_px(rc_m: Array) -> Array:
    """Metres of the scene to pixels of the before image."""
    return np.asarray(rc_m) / GSD_M - 0.5 - MARGIN_PX


def footprints(town: synthetic.Town, transform: Affine) -> dict[str, Any]:
    """GeoJSON of what the buildings cover on the ground."""
    features = []
    for b in town.buildings:
        rc = before_px(b.outline_rc_m)
        if not in_frame(rc) or b.size_m[0] * b.size_m[1] < 25:
            continue
        xs, ys = rasterio.transform.xy(transform, rc[:, 0], rc[:, 1])
        lon, lat = rasterio.warp.transform(CRS, "EPSG:4326", list(xs), list(ys))
        ring = [[round(x, 8), round(y, 8)] for x, y in zip(lon, lat, strict=True)]
        signed = sum(a[0] * c[1] - c[0] * a[1] for a, c in zip(ring, ring[1:] + ring[:1], strict=True))
        ring = ring if signed > 0 else ring[::-1]
        features.append({
            "type": "Feature", "properties": {"id": b.id, "state": b.state},
            "geometry": {"type": "Polygon", "coordinates": [[*ring, ring[0]]]},
        })  # fmt: skip
    return {"type": "FeatureCollection", "name": f"SYNTHETIC: {TAG}", "features": features}


def planted(town: synthetic.Town) -> list[dict[str, Any]]:
    """What was changed on purpose, with boxes [row, col, row, col] in before pixels."""
    found = []
    for b in town.buildings:
        rc = before_px(b.outline_rc_m)
        if b.state != "intact" and in_frame(rc):
            box = np.concatenate([rc.min(0), rc.max(0)]).round(1).tolist()
            found.append({"kind": b.state, "building": b.id, "bbox_rc": box})
    for scar in town.scars:
        centre, radius = before_px(np.array(scar.centre_rc_m)), scar.radius_m / GSD_M
        box = np.concatenate([centre - radius, centre + radius]).round(1).tolist()
        found.append({"kind": scar.kind, "building": None, "bbox_rc": box})
    return found


def main() -> None:
    """Write every sample file."""
    side = SIDE_PX + 2 * MARGIN_PX
    before_town = synthetic.town(np.random.default_rng(SEED), (side, side), GSD_M)
    event = synthetic.Event(margin_m=MARGIN_PX * GSD_M + 22)
    after_town = synthetic.happen(before_town, event, np.random.default_rng(SEED + 1))
    surfaces = [synthetic.surface(t, GSD_M / CELLS) for t in (before_town, after_town)]
    looks = views()
    seen = [synthetic.render(s, v) for s, v in zip(surfaces, looks, strict=True)]
    strip, base = strip_layer(), scene_from_before()
    places = transforms()

    def take(which: int, before_from_picture: Array, shape: tuple[int, int], number: int) -> Array:
        scene = base @ before_from_picture
        return mark(picture(seen[which], scene, shape, looks[which], number), scene, strip)

    file_map = after_from_before()
    write_tif("ganja_before.tif", take(0, np.eye(3), (SIDE_PX, SIDE_PX), 0), places[0], TIMES[0])
    write_tif("ganja_after.tif", take(1, np.linalg.inv(file_map), AFTER_SHAPE, 1), places[1], TIMES[1])
    write_tif("ganja_truth.tif", truth_on_before(surfaces)[None], places[0], None)
    shots = (shot((999.5, 729.5), (880, 1160), 1.0, 0.0), shot((980.0, 741.0), (720, 920), 0.8, 17.0))
    write_jpeg("ganja_before_screenshot.jpg", take(0, shots[0], (880, 1160), 2), 88)
    write_jpeg("ganja_after_screenshot.jpg", take(1, shots[1], (720, 920), 3), 85)
    panes = (shot((1059.5, 700.0), (760, 760), 1.0, 0.0), shot((1057.3, 703.8), (760, 760), 1.006, 0.4))
    sheet, boxes = composite(take(0, panes[0], (760, 760), 4), take(1, panes[1], (760, 760), 5))
    write_jpeg("ganja_composite.jpg", sheet, 88)
    truth = {
        "format": 1, "synthetic": TAG, "classes": CLASSES, "georeference_error": GEOREFERENCE_ERROR,
        "convention": "3x3 maps act on (row, col, 1), pixel centres at whole numbers, exact at ground level",
        "after_from_before": file_map.tolist(),
        "screenshots": {
            "after_from_before": (np.linalg.inv(shots[1]) @ shots[0]).tolist(),
            "before_tif_from_before_screenshot": shots[0].tolist(),
        },
        "composite": {
            "panes_bbox_rc": boxes,
            "after_pane_from_before_pane": (np.linalg.inv(panes[1]) @ panes[0]).tolist(),
            "before_tif_from_before_pane": panes[0].tolist(),
        },
        "strip_rows_of_before": [SIDE_PX - STRIP_PX, SIDE_PX],
        "sun_grid_azimuth_elevation_deg": [
            [round(v.sun_azimuth_deg, 2), round(v.sun_elevation_deg, 2)] for v in looks
        ],
        "off_nadir_lean_azimuth_deg": [[v.off_nadir_deg, v.lean_azimuth_deg] for v in looks],
        "planted": planted(after_town),
    }  # fmt: skip
    (HERE / "ganja_truth.json").write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")
    vectors = json.dumps(footprints(after_town, places[0]), separators=(",", ":"))
    (HERE / "ganja_footprints.geojson").write_text(
        vectors.replace('{"type":"Feature",', '\n{"type":"Feature",') + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()

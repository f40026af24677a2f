"""Plausible comparisons made from arrays alone: no file is read, no stage is run."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from scipy import ndimage

from damagediff import settings, types

GSD_M = 0.5
UTM_38 = Affine(GSD_M, 0, 680_000, 0, -GSD_M, 4_505_000)  # Ganja, EPSG:32638
VERSIONS = {"damagediff": "0.1.0", "numpy": "2.0.0"}


def picture(shape: tuple[int, int], seed: int = 7) -> types.ByteArray:
    """(rows, cols, 3) blocks of roofs and streets, with some noise."""
    rng = np.random.default_rng(seed)
    rows, cols = np.indices(shape)
    roofs = rng.integers(60, 220, (shape[0] // 40 + 1, shape[1] // 60 + 1, 3))[rows // 40, cols // 60]
    street = ((rows % 40 < 6) | (cols % 60 < 8))[..., None]
    return np.clip(np.where(street, 110, roofs) + rng.normal(0, 6, (*shape, 3)), 0, 255).astype(np.uint8)


def ripples(shape: tuple[int, int], rng: np.random.Generator, levels: float = 4.0) -> types.FloatArray:
    """(rows, cols) what a second acquisition adds of its own: other shadows of grass and gravel."""
    made = ndimage.gaussian_filter(rng.normal(0, 1, shape), 2.0)
    return made * (levels / made.std())


def image(name: str, shape: tuple[int, int], georeferenced: bool, when: datetime | None) -> types.Image:
    return types.Image(
        path=Path("/nowhere") / name,
        name=name,
        driver="GTiff" if georeferenced else "PNG",
        sha256=("b" if "before" in name else "a") * 64,
        size_bytes=123_456,
        shape=shape,
        dtype="uint8",
        roles=("red", "green", "blue"),
        nodata=None,
        orientation=1,
        transform=UTM_38 if georeferenced else Affine.identity(),
        crs="EPSG:32638" if georeferenced else None,
        acquisition=types.Acquisition(when, "minute", "command line" if when else "not known"),
        credit="Example Imagery" if "before" in name else None,
    )


def pair(shape: tuple[int, int], georeferenced: bool, gsd_m: float | None, dated: bool) -> types.Pair:
    when = (datetime(2020, 10, 4, 7, 52, tzinfo=UTC), datetime(2020, 10, 13, 7, 49, tzinfo=UTC))
    grid = types.Grid(shape, UTM_38, "EPSG:32638", GSD_M) if georeferenced else types.Grid(shape, gsd_m=gsd_m)
    before, after = (
        image(name, shape, georeferenced, date if dated else None)
        for name, date in zip(("before.tif", "after.tif"), when, strict=True)
    )
    return types.Pair(before, after, grid, ("red", "green", "blue"), moving_is_file=not georeferenced)


def alignment(shape: tuple[int, int], accepted: bool, seed: int = 3) -> types.Alignment:
    """A shift of (2, -1.5) px, known to about .3 px; or nothing found."""
    rng = np.random.default_rng(seed)
    count = 80 if accepted else 6
    error_rc = rng.normal(0, 0.3, (count, 2))
    points = types.TiePoints(
        reference_rc=rng.uniform(0, 1, (count, 2)) * shape,
        displacement_rc=np.array([2, -1.5]) + error_rc,
        quality=rng.uniform(0.4, 0.9, count),
        role=tuple(("fit", "fit", "check", "fit")[k % 4] for k in range(count)),
        residual_px=np.hypot(*error_rc.T),
        held_out=np.arange(count) % 4 == 2,
    )
    matrix = np.eye(3)
    matrix[:2, 2] = (2, -1.5)
    evidence = types.Evidence(
        -41.2 if accepted else -0.4,
        22.0 if accepted else 2.1,
        0.94 if accepted else 0.1,
        180,
        131 if accepted else 6,
        58.2 if accepted else 0.4,
        6.0,
        log10_chance_full=-63.0 if accepted else None,
        rival=0.31 if accepted else 0.97,
    )
    reason = (
        "131 of 180 windows agree, far more than chance allows."
        if accepted
        else "6 of 180 windows agree, no more than between unrelated images."
    )
    return types.Alignment(
        accepted,
        reason,
        "translation" if accepted else "none",
        "A richer model did not lower the held-out residuals.",
        matrix,
        None,
        points,
        evidence,
        0.42 if accepted else None,
        0.66 if accepted else None,
        {"little structure": 31, "disagrees": 18},
        supported_rc=((0, 0), (0, shape[1]), (shape[0], shape[1]), (shape[0], 0), (0, 0)) if accepted else (),
        supported_share=0.94 if accepted else None,
        ce90_held_out_px=0.66 if accepted else None,
    )


def region(
    number: int, tier: types.Tier, bbox: tuple[int, int, int, int], gsd_m: float | None
) -> types.Region:
    """A rectangle with a square hole in it when there is room."""
    top, left, bottom, right = bbox
    outer = ((top, left), (top, right), (bottom, right), (bottom, left), (top, left))
    rows, cols = bottom - top, right - left
    hole = tuple(
        (float(top + rows * a), float(left + cols * b))
        for a, b in ((0.4, 0.4), (0.4, 0.6), (0.6, 0.6), (0.6, 0.4), (0.4, 0.4))
    )
    area = rows * cols
    return types.Region(
        number,
        tier,
        area,
        None if gsd_m is None else area * gsd_m**2,
        0.8 - number / 100,
        0.97 - number / 100,
        ("at image edge",) if number % 3 == 0 else (),
        bbox,
        ((top + bottom) / 2, (left + right) / 2),
        (tuple((float(r), float(c)) for r, c in outer), hole),
    )


def regions(
    shape: tuple[int, int], count: int, gsd_m: float | None, seed: int = 5
) -> tuple[types.Region, ...]:
    rng = np.random.default_rng(seed)
    found = []
    for number in range(1, count + 1):
        rows, cols = (int(n) for n in rng.integers(16, 60, 2))
        top, left = int(rng.integers(0, shape[0] - rows)), int(rng.integers(0, shape[1] - cols))
        found.append(
            region(
                number,
                "other" if number % 4 == 0 else "structural",
                (top, left, top + rows, left + cols),
                gsd_m,
            )
        )
    return tuple(found)


def change_map(shape: tuple[int, int], found: tuple[types.Region, ...], cell_px: int = 4) -> types.ChangeMap:
    """The mask that belongs to the regions; the first eight rows of cells were not analysed."""
    cells = (-(-shape[0] // cell_px), -(-shape[1] // cell_px))
    changed = np.zeros(cells, np.uint8)
    for item in found:
        top, left, bottom, right = (edge // cell_px for edge in item.bbox_rc)
        changed[top:bottom, left:right] = (
            types.STRUCTURAL_CHANGE if item.tier == "structural" else types.OTHER_CHANGE
        )
    changed[:8] = types.NOT_ANALYSED
    valid = changed != types.NOT_ANALYSED
    score = np.where(valid, np.where(changed > 0, 0.8, 0.2), np.nan).astype(np.float32)
    return types.ChangeMap(
        score,
        changed,
        valid,
        cell_px,
        0.58,
        "floor plus half of the way to the ceiling",
        0.31,
        {"floor": 0.42, "ceiling": 0.61, "unset": float("nan")},
        min_region_px=400,
    )


def pictures(
    before: types.ByteArray, after: types.ByteArray, found: tuple[types.Region, ...]
) -> types.Pictures:
    crops = []
    for item in found[:6]:
        top, left, bottom, right = item.bbox_rc
        window = types.Window(max(top - 20, 0), max(left - 20, 0), bottom - top + 40, right - left + 40)
        crops.append(types.Crop(item.id, window, before[window.slices], after[window.slices]))
    return types.Pictures(
        before, after, np.ones(before.shape[:2], bool), 1.0, ((12.0, 230.0),) * 3, tuple(crops)
    )


def buildings(shape: tuple[int, int]) -> tuple[types.Building, ...]:
    outline = (((10.0, 10.0), (10.0, 40.0), (30.0, 40.0), (30.0, 10.0), (10.0, 10.0)),)
    return (
        types.Building(
            "w1",
            0.83,
            1.0,
            150.0,
            "visible change",
            (outline,),
            {"name": "=cmd|' /C calc'!A0"},
            "it was seen",
            0.002,
            0.03,
            (1.5, -2.0),
            600.0,
        ),
        types.Building("=2+3", 0.21, 0.9, 150.0, "no visible change above the limit", (outline,), {}),
        types.Building("-7", None, 0.1, None, "not analysed", (outline,), {}),
    )


def trust(accepted: bool) -> types.Trust:
    checks = (
        types.Check(
            "alignment evidence",
            "Do more windows agree than chance allows?",
            58.2 if accepted else 0.4,
            6.0,
            "",
            accepted,
        ),
        types.Check(
            "comparability",
            "Do the pictures resemble each other where nothing changed?",
            0.31 if accepted else None,
            0.08,
            "",
            True if accepted else None,
        ),
    )
    return types.Trust("comparable" if accepted else "not comparable", checks)


def comparison(  # noqa: PLR0913
    shape: tuple[int, int] = (320, 480),
    *,
    accepted: bool = True,
    georeferenced: bool = True,
    gsd_m: float | None = None,
    dated: bool = True,
    count: int = 12,
    **changes: Any,
) -> types.Comparison:
    """A finished comparison; `changes` replace whole fields."""
    on = pair(shape, georeferenced, gsd_m, dated)
    found = regions(shape, count, on.grid.gsd_m) if accepted else ()
    before = picture(shape)
    after = before.copy()
    for item in found:
        top, left, bottom, right = item.bbox_rc
        after[top:bottom, left:right] = picture((bottom - top, right - left), seed=item.id)[:, :, ::-1]
    case = types.Case(types.Source(on.before.path), types.Source(on.after.path), title="A town, seen twice")
    made = types.Comparison(
        case,
        on,
        alignment(shape, accepted),
        change_map(shape, found) if accepted else None,
        found,
        (),
        trust(accepted),
        pictures(before, after, found),
        settings.to_dict(settings.Settings()),
        VERSIONS,
    )
    return dataclasses.replace(made, **changes)


def hostile(good: types.Comparison, words: str) -> types.Comparison:
    """The same comparison with `words` wherever a file, a user or a library may speak."""
    image = dataclasses.replace(
        good.pair.after,
        name=words,
        credit=words,
        crs=words,
        notes=(words,),
        acquisition=types.Acquisition(None, "day", words),
    )
    return dataclasses.replace(
        good,
        case=dataclasses.replace(good.case, title=words),
        pair=dataclasses.replace(good.pair, after=image),
        notes=(words,),
        alignment=dataclasses.replace(good.alignment, reason=words, windows_unused={words: 1}),
        buildings=tuple(dataclasses.replace(b, id=words[:80], label=words) for b in good.buildings),
        regions=tuple(dataclasses.replace(r, flags=(words,)) for r in good.regions),
        settings=good.settings | {"workers": 1, "seed": words},
        versions={words: words},
    )

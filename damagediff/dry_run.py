"""What a run would read, decide and write, and about how long it would take: nothing is computed or written.

All that the real run refuses by headers and small files is refused here too, in the same words. What only
pixels tell is not known: whether the pair can be aligned, and whether anything is valid in both.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from . import (
    areas,
    baselines,
    bracket,
    case_files,
    diff,
    evidence,
    figures,
    folders,
    footprints,
    hand_points,
    memory,
    pace,
    pipeline,
    raster,
    report,
    splitting,
    squares,
    tiles,
    wording,
)
from . import grid as grids
from . import settings as options
from .cut import Wish
from .settings import Settings
from .types import Acquisition, Case, Grid, Image, Pair

FORMAT = 1
"""Of the JSON."""
IMAGE_BYTES = {"deflate": 0.84, "zstd": 0.85, "none": 1.34}
"""Bytes written for each byte of pixels, overviews included; measured on three bands of 8 bits."""
CELLS_BYTES = {"change_score.tif": 0.7, "change_mask.tif": 0.01, "geometry.tif": 0.015, "comparison.zip": 2.8}
"""Bytes for each pixel of the grid; the last up to `report.picture_px` a side or so, then less."""
MOST_ZIP, MOST_PAGE = 48e6, 25e6
FIGURES = {"figure.png": 4.5e6, "figure.svg": 7.5e6, "figure_clean.png": 6e6, "figure_clean.svg": 8e6}
"""Bytes, hardly by the size of the scene."""
SMALL = {
    "results.json": 8e5,
    "regions.geojson": 6e4,
    "tie_points.csv": 3e4,
    "manifest.json": 1.5e4,
    "ro-crate-metadata.json": 8e3,
    "SHA256SUMS": 1e3,
    "custody.jsonl": 4e2,
}


@dataclass(frozen=True)
class Asked:
    """Where a run is to be written, and how its pictures are given."""

    out: Path
    overwrite: bool = False
    wish: Wish | None = None
    """What is known of one picture that holds both images; None: there are two files."""


def look(case: Case, settings: Settings, asked: Asked) -> dict[str, Any]:
    """Look at headers and small files as the run would.

    Returns
    -------
    dict
        ``read``, ``grid`` (None where the panels of one picture are still to be found), ``decided``,
        ``written``, ``time`` and ``notes``, ready for JSON; units in the names.

    Raises
    ------
    DamagediffError
        As the run, for what can be told without pixels.
    """
    credits_ = case.before.credit, case.after.credit
    figures.check(settings.report.figures, credits_, case.font)
    report.check(settings.report.embed, credits_)
    evidence.created(datetime.now(UTC))
    folders.check_apart(asked.out, [path for _, path in case_files.named(case)])
    there = folders.check_free(asked.out, asked.overwrite)
    if asked.wish is not None and asked.wish.panels is None:
        return _unsplit(case, settings, asked.out, there)
    if asked.wish is not None:
        case = _cut(case, settings, asked.wish)
    pair = pipeline.open_pair(case, settings)
    settings = memory.fitted(settings, pair.grid.shape, len(pair.roles))
    older = _beside(case, pair, settings)
    written = _written(asked.out, settings, pair, case)
    return {
        "format": FORMAT,
        "dry_run": True,
        "read": [_image("before", pair.before), _image("after", pair.after)]
        + [_image("baseline", image) for image in older]
        + _others(case),
        "grid": _grid(pair),
        "decided": _decided(case, settings, pair),
        "written": written,
        "time": _time(_megapixels(pair.grid), settings, len(older), asked.wish is not None),
        "notes": _notes(there, written),
    }


def _beside(case: Case, pair: Pair, settings: Settings) -> tuple[Image, ...]:
    """Every other file of the case, read or let in as the run does at its beginning."""
    areas.read(case.exclude, case.aoi, pair.before, pair.grid, settings.read)
    if case.stable is not None:
        areas.read_place(case.stable, pair.before, pair.grid, settings.read)
    if case.footprints is not None:
        footprints.read_counted(case.footprints, pair.grid)
    squares.side_px(pair.grid, settings.summary)
    diff.min_region(pair.grid, settings)
    if case.tie_points is not None:
        hand_points.read(case.tie_points, pair.before, pair.after)
    return baselines.let_in(case, pair, settings)


def _cut(case: Case, settings: Settings, wish: Wish) -> Case:
    """The case of both panels, where the user says where they are."""
    assert wish.panels is not None
    image = raster.inspect(case.before, settings.read)
    splitting.check_panels(image, wish.panels)
    first, second = splitting.in_order(wish.panels, wish.order)
    return replace(case, before=replace(case.before, crop=first), after=replace(case.after, crop=second))


def _unsplit(case: Case, settings: Settings, out: Path, there: Path) -> dict[str, Any]:
    """Of one picture whose panels are not known yet: no grid, and half of it for the time."""
    image = raster.inspect(case.before, settings.read)
    halves = image.shape[0] * image.shape[1] / 2e6
    return {
        "format": FORMAT,
        "dry_run": True,
        "read": [_image("both", image), *_others(case)],
        "grid": None,
        "decided": {"settings": _changed(settings)},
        "written": [],
        "time": _time(halves, settings, len(case.baselines), True),
        "notes": [
            "Its two panels are looked for in the run; until then neither grid nor files are known. "
            "--panels says where they are.",
            *_notes(there, []),
        ],
    }


def _image(role: str, image: Image) -> dict[str, Any]:
    told = raster.describe(image)
    keys = ("name", "driver", "size_bytes", "integrity", "rows", "cols", "dtype", "bands", "crs", "gsd_m")
    return {"role": role} | {key: told[key] for key in keys} | {"taken": wording.date_iso(image.acquisition)}


def _others(case: Case) -> list[dict[str, Any]]:
    """Files beside the images, by their size."""
    named = [(field, path) for field, path in case_files.named(case) if not field.endswith(".path")]
    return [
        {"role": case_files.role(field), "name": wording.plain(path.name), "size_bytes": path.stat().st_size}
        for field, path in named
        if path.is_file()
    ]


def _grid(pair: Pair) -> dict[str, Any]:
    on = pair.grid
    shares = {f"{side}_share": _share(image, pair) for side, image in pair_sides(pair)}
    return {
        "rows": on.shape[0],
        "cols": on.shape[1],
        "megapixels": round(_megapixels(on), 3),
        "gsd_m": on.gsd_m,
        "crs": on.crs,
        "bands": list(pair.roles),
        "laid_by": "pixels, as aligned" if pair.moving_is_file else "both georeferences, then as aligned",
        **shares,
    }


def pair_sides(pair: Pair) -> tuple[tuple[str, Image], tuple[str, Image]]:
    """Both images by the side they are on."""
    return ("before", pair.before), ("after", pair.after)


def _share(image: Image, pair: Pair) -> float | None:
    """About how much of an image lies on the grid, by extents; None where only pixels can tell."""
    on = pair.grid
    if on.crs is None or on.gsd_m is None or not image.georeferenced:
        return 1.0 if image is pair.before else None
    own = grids.ground_sample_distance(image, on.crs)
    here, all_of_it = _megapixels(on) * on.gsd_m**2, image.shape[0] * image.shape[1] / 1e6 * own**2
    return round(min(1.0, here / all_of_it), 3)


def _megapixels(on: Grid) -> float:
    return on.shape[0] * on.shape[1] / 1e6


def _changed(settings: Settings) -> dict[str, Any]:
    """Settings that differ from their defaults, by their full names."""
    here, usual = options.to_dict(settings), options.to_dict(Settings())
    found = {key: value for key, value in here.items() if not isinstance(value, dict) and value != usual[key]}
    for stage, part in here.items():
        if isinstance(part, dict):
            found |= {f"{stage}.{key}": value for key, value in part.items() if value != usual[stage][key]}
    return found


def _decided(case: Case, settings: Settings, pair: Pair) -> dict[str, Any]:
    workers = settings.workers or tiles.available_cores()
    event = None
    if case.event is not None:
        stated = Acquisition(case.event, case.event_precision, "command line")
        event = bracket.check(pair.before.acquisition, pair.after.acquisition, stated).detail
    return {
        "sensor": settings.sensor,
        "measure": settings.diff.measure,
        "settings": _changed(settings),
        "workers": workers,
        "tile_px": settings.tile_px,
        "tiles": len(tiles.plan(pair.grid.shape, settings.tile_px)),
        "memory_mib": round(memory.needed_mib(pair.grid.shape, len(pair.roles), workers, settings.tile_px)),
        "smallest_region": diff.min_region(pair.grid, settings)[1],
        "change_lies": wording.bracket(pair.before.acquisition, pair.after.acquisition),
        "event": event,
    }


def _written(out: Path, settings: Settings, pair: Pair, case: Case) -> list[dict[str, Any]]:
    """Names and rough sizes of the files of the run."""
    pixels = pair.grid.shape[0] * pair.grid.shape[1]
    packed = IMAGE_BYTES[settings.write.compression]
    sizes: dict[str, float] = {}
    for name, image in (("before.tif", pair.before), ("after_aligned.tif", pair.after)):
        each = 1 if image.dtype == "uint8" else 2 if image.dtype.endswith("16") else 4
        sizes[name] = packed * pixels * len(pair.roles) * each
    sizes |= {name: share * pixels for name, share in CELLS_BYTES.items()}
    sizes["comparison.zip"] = min(sizes["comparison.zip"] + 5e6, MOST_ZIP)
    sizes |= FIGURES | _asked_for(settings, case)
    sizes["report.html"] = min(3e6 + pixels, MOST_PAGE)
    if settings.report.pdf:
        sizes["report.pdf"] = min(2.5e6 + 0.8 * pixels, MOST_PAGE)
    return [{"name": name, "about_bytes": round(size)} for name, size in sorted((sizes | SMALL).items())]


def _asked_for(settings: Settings, case: Case) -> dict[str, float]:
    """What is only written when it was asked for."""
    found: dict[str, float] = {}
    for page in settings.report.figures:
        found |= {f"figure_{page}{end}": 9e6 for end in (".png", ".svg", "_clean.png", "_clean.svg")}
    if settings.report.animate is not None:
        found[f"figure_animation.{settings.report.animate}"] = 2e6
    if settings.report.embed:
        found |= dict.fromkeys(("embed_before.jpg", "embed_after.jpg"), 3e5)
        found |= dict.fromkeys(("embed.html", "embed_juxtapose.html"), 1e4)
    if settings.summary.cell_m is not None or settings.summary.cell_px is not None:
        found["grid.geojson"] = 2e5
    if case.footprints is not None:
        found |= {"buildings.csv": 1e5, "buildings.geojson": 4e5}
    return found


def _time(megapixels: float, settings: Settings, older: int, composite: bool) -> dict[str, Any]:
    stages = pace.stages(settings.trust.selftest, older, composite)
    seconds = pace.expected_s(megapixels, stages) * pace.slowness()
    return {
        "processor_s": round(seconds, 1),
        "error_share": pace.ERROR_SHARE,
        "is": "an estimate, of one core's time; free cores take less, a busy machine several times as long",
    }


def _notes(there: Path, written: list[dict[str, Any]]) -> list[str]:
    needed, free = sum(each["about_bytes"] for each in written), shutil.disk_usage(there).free
    notes = [
        "Only headers and small files were looked at: whether the pair can be aligned (exit code 4 if not) "
        "is told by its pixels."
    ]
    if needed > free:
        notes.append(
            f"About {needed / 1e6:,.0f} MB would be written, {free / 1e6:,.0f} MB are free: free some space, "
            "or choose another folder with -o."
        )
    return notes

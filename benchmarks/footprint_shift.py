"""Are footprints that lie off the before image brought back, and are those that lie right left alone?

python benchmarks/footprint_shift.py --data DIR [--out FILE.json] [--trials N]

DIR holds pairs as folders: ``xbd_*`` with damage.png (buildings drawn by people on the before image) and
``joplin_mosaic`` (buildings.geojson, outlines by a learned model). Only before images are used. The outlines
are displaced by known shifts, for the scene as a whole and for each block by itself, and the fit is asked to
bring them back; the error is that of each building. Outlines moved so far that they belong to nothing are the
test of chance: no shift should be shown for them.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import _buildings
import _pairs
import numpy as np
from rasterio.errors import NotGeoreferencedWarning

from damagediff import diff, footprint_fit, grid, raster, resample, settings
from damagediff.types import FootprintFit, Grid, Outline, Source, Window

ASKED = settings.BuildingSettings()
TURNS = 8
"""Directions in which outlines are moved off everything, by one or the other distance."""
FAR_PX = (60, 120)


def main() -> int:
    """Run, print a table, write JSON."""
    args = arguments()
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    pairs = [p for p in (*sorted(args.data.glob("xbd_*")), args.data / "joplin_mosaic") if p.is_dir()]
    if not _pairs.need_data(args.data, pairs):
        return 2
    scenes = {}
    for pair in pairs:
        scenes[pair.name] = run(pair, args.trials)
        print(row(pair.name, scenes[pair.name]), flush=True)
    pooled = pool([s for s in scenes.values() if s["in_place"]["outlines_used"]])
    print("all: " + ", ".join(f"{key} {value}" for key, value in pooled.items()))
    files = [_pairs.file_of(pair, "before") for pair in pairs]
    _pairs.write_json(args.out, {"scenes": scenes, "pooled": pooled, **_pairs.about(files)})
    return 0


def arguments() -> argparse.Namespace:
    """What was asked on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of pairs")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    parser.add_argument("--trials", type=int, default=6, help="displacements of each kind and scene")
    return parser.parse_args()


def run(pair: Path, trials: int) -> dict[str, Any]:
    """Everything that is asked of one scene."""
    grey, on = before(pair)
    outlines = [outline for _, outline in _buildings.drawn(pair, on)]
    rng = np.random.default_rng(7)
    reach = footprint_fit.reach_px(on, ASKED)
    in_place = fitted(grey, on, outlines)
    known = np.array(in_place.scene.shift_rc)
    whole, blocks, far = [], [], []
    for _ in range(trials):
        shift = rng.uniform(-0.7, 0.7, 2) * reach
        whole.append(error(grey, on, outlines, constant(shift)))
        blocks.append(error(grey, on, outlines, by_block(on, rng, 0.5 * reach)))
    for turn in range(TURNS):
        angle, length = 2 * np.pi * turn / TURNS, FAR_PX[turn % 2]
        away = constant(length * np.array([np.sin(angle), np.cos(angle)]))
        found = fitted(grey, on, [_buildings.moved(o, away(o)) for o in outlines])
        far.append({"shown": bool(found.scene.length_px), "peak_sd": found.scene.peak_sd})
    return {
        "outlines": len(outlines),
        "gsd_m": on.gsd_m,
        "reach_px": reach,
        "in_place": {
            "outlines_used": in_place.scene.outlines,
            "shift_px": float(np.hypot(*known)),
            "peak_sd": in_place.scene.peak_sd,
            "reason": in_place.scene.reason,
            "blocks": len(in_place.blocks),
            "blocks_of_their_own": sum(b.shift_rc != in_place.scene.shift_rc for b in in_place.blocks),
        },
        "one_shift": whole,
        "shift_by_block": blocks,
        "moved_off_everything": far,
    }


def before(pair: Path) -> tuple[np.ndarray, Grid]:
    """Luminance of the before image and its own grid."""
    image = raster.inspect(Source(_pairs.file_of(pair, "before")), settings.ReadSettings())
    on = grid.common_grid(image, image)
    data, _ = _pairs.pixels(image.path)
    return diff.luminance(np.moveaxis(data, -1, 0), ("red", "green", "blue")), on


Displacement = Callable[[Outline], np.ndarray]


def constant(shift: np.ndarray) -> Displacement:
    """The same displacement for all outlines."""
    return lambda outline: shift


def by_block(on: Grid, rng: np.random.Generator, most: float) -> Displacement:
    """One displacement for the scene and another, half as large, for each block."""
    side = footprint_fit.block_px(on)
    blocks = [-(-n // side) for n in on.shape]
    shifts = rng.uniform(-most, most, 2) + rng.uniform(-most / 2, most / 2, (*blocks, 2))

    def shift(outline: Outline) -> np.ndarray:
        at = np.clip(middle(outline) // side, 0, np.array(blocks) - 1).astype(int)
        return shifts[at[0], at[1]]

    return shift


def middle(outline: Outline) -> np.ndarray:
    """Of the box around an outline."""
    rc = np.concatenate([np.array(part[0]) for part in outline])
    return (rc.min(0) + rc.max(0)) / 2


def fitted(grey: np.ndarray, on: Grid, outlines: list[Outline]) -> FootprintFit:
    """The tool's own fit of outlines to a picture."""
    places = footprint_fit.places(outlines, on, ASKED)
    found = [(p, footprint_fit.agreement(*window_of(grey, p.window), p)) for p in places]
    kept = [(place, surface) for place, surface in found if surface is not None]
    return footprint_fit.fit([p for p, _ in kept], [s for _, s in kept], on)


def window_of(grey: np.ndarray, window: Window) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of a window mirrored at the edge, and that all are valid."""
    index = [
        resample.mirrored(first, n, size)
        for first, n, size in zip(window[:2], window[2:], grey.shape, strict=True)
    ]
    return grey[np.ix_(*index)], np.ones((window.rows, window.cols), bool)


def error(grey: np.ndarray, on: Grid, outlines: list[Outline], shift: Displacement) -> dict[str, Any]:
    """How far from their place buildings lie before and after the fit, px."""
    off = [_buildings.moved(outline, shift(outline)) for outline in outlines]
    found = fitted(grey, on, off)
    back = footprint_fit.moved(off, found)
    left = [middle(b) - middle(o) for (b, _), o in zip(back, outlines, strict=True)]
    was = [np.hypot(*shift(outline)) for outline in outlines]
    return {
        "shown": bool(found.scene.length_px),
        "blocks_of_their_own": sum(b.shift_rc != found.scene.shift_rc for b in found.blocks),
        "was_px": _pairs.spread(was),
        "left_px": _pairs.spread(np.hypot(*np.array(left).T)),
    }


def pool(scenes: list[dict[str, Any]]) -> dict[str, Any]:
    """Figures over all scenes."""
    whole = [t for s in scenes for t in s["one_shift"]]
    blocks = [t for s in scenes for t in s["shift_by_block"]]
    far = [t for s in scenes for t in s["moved_off_everything"]]
    return {
        "in_place_shift_px": _pairs.spread([s["in_place"]["shift_px"] for s in scenes]),
        "one_shift_shown": f"{sum(t['shown'] for t in whole)} of {len(whole)}",
        "one_shift_left_px": _pairs.spread([t["left_px"]["median"] for t in whole]),
        "by_block_was_px": _pairs.spread([t["was_px"]["median"] for t in blocks]),
        "by_block_left_px": _pairs.spread([t["left_px"]["median"] for t in blocks]),
        "by_block_left_p90_px": _pairs.spread([t["left_px"]["p90"] for t in blocks]),
        "false_shifts": f"{sum(t['shown'] for t in far)} of {len(far)}",
    }


def row(name: str, scene: dict[str, Any]) -> str:
    """One line of the table."""
    place, trials = scene["in_place"], scene["one_shift"]
    left = _pairs.spread([t["left_px"]["median"] for t in trials])
    block = _pairs.spread([t["left_px"]["median"] for t in scene["shift_by_block"]])
    return (
        f"{name}: {place['outlines_used']} outlines, in place {place['shift_px']:.2f} px "
        f"({place['reason']}), "
        f"one shift shown {sum(t['shown'] for t in trials)} of {len(trials)}, left {left}, by block {block}, "
        f"false {sum(t['shown'] for t in scene['moved_off_everything'])} of {TURNS}"
    )


if __name__ == "__main__":
    sys.exit(main())

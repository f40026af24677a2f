"""How well does damagediff do on its own synthetic sample, of which everything is known?

python benchmarks/sample_accuracy.py [--samples DIR] [--out FILE.json]

Prints the alignment error against truth, and precision and recall of buildings and regions. The sample is
easier than real pairs: these figures show that the machinery is right, not how well it does on yours.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.warp import Resampling, reproject

from damagediff import grid, pipeline, regions, settings, types

SAMPLES = Path(__file__).resolve().parents[1] / "sample_images"
LOST = {"collapsed", "partly"}
PLANTED = (1, 2, 3, 4)
"""Truth classes of planted damage: collapsed, crater, burn, debris; 5 is harmless change."""


def main() -> int:
    """Run, print, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, help="not needed: the samples are in the repository")
    parser.add_argument("--samples", type=Path, default=SAMPLES)
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    args = parser.parse_args()
    if not (args.samples / "ganja_truth.json").is_file():
        print(f"{args.samples}: no ganja_truth.json. Run sample_images/make_samples.py", file=sys.stderr)
        return 2
    figures = measure(args.samples)
    for name, value in figures.items():
        print(f"{name:45s} {value}")
    if args.out:
        args.out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 0


def measure(samples: Path) -> dict[str, Any]:
    """All figures of one run on the georeferenced pair."""
    case = types.Case(
        types.Source(samples / "ganja_before.tif"),
        types.Source(samples / "ganja_after.tif"),
        footprints=samples / "ganja_footprints.geojson",
    )
    truth = json.loads((samples / "ganja_truth.json").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = pipeline.compare(case, settings.Settings(), folder)
        error = alignment_error(found, folder, np.array(truth["after_from_before"]))
        classes = on_working_grid(samples / "ganja_truth.tif", folder / "change_mask.tif")
        with rasterio.open(folder / "change_mask.tif") as mask:
            changed = mask.read(1)
    return {
        **{f"alignment error {key} px": round(value, 3) for key, value in error.items()},
        **buildings(found.buildings),
        **region_figures(found.regions, classes, changed),
    }


def alignment_error(found: types.Comparison, folder: Path, after_from_before: np.ndarray) -> dict[str, float]:
    """Distance in px of the after file from truth, at the cells of geometry.tif that lie inside."""
    with rasterio.open(folder / "geometry.tif") as file:
        ours = np.moveaxis(file.read().astype(np.float64), 0, -1)
    rows, cols = (np.arange(n) * 16 + 7.5 for n in ours.shape[:2])
    here = np.stack(np.meshgrid(rows, cols, indexing="ij"), -1)
    before = grid.placement(found.pair.grid, found.pair.before, True).file_from_frame(here)
    truth = before @ after_from_before[:2, :2].T + after_from_before[:2, 2]
    apart = np.hypot(*np.moveaxis(ours - truth, -1, 0))
    apart = apart[np.isfinite(apart)]
    return {
        "RMS": float(np.sqrt((apart**2).mean())),
        "p95": float(np.percentile(apart, 95)),
        "max": float(apart.max()),
    }


def on_working_grid(path: Path, like: Path) -> np.ndarray:
    """A band of zeros and ones on the grid of another raster."""
    with rasterio.open(path) as source, rasterio.open(like) as target:
        out = np.zeros(target.shape, np.uint8)
        place = {"src_transform": source.transform, "src_crs": source.crs}
        place |= {"dst_transform": target.transform, "dst_crs": target.crs}
        reproject(source.read(1), out, resampling=Resampling.nearest, **place)
    return out


def buildings(found: tuple[types.Building, ...]) -> dict[str, Any]:
    """Precision and recall of the label "visible change" for collapsed and partly collapsed buildings."""
    analysed = [b for b in found if b.score is not None]
    called = [b for b in analysed if b.label == "visible change"]
    lost = [b for b in analysed if b.properties["state"] in LOST]
    hit = [b for b in called if b in lost]
    return {
        "buildings: analysed, collapsed or partly so": f"{len(analysed)}, {len(lost)}",
        "buildings: precision of 'visible change'": f"{len(hit)}/{len(called)}",
        "buildings: recall, collapsed or partly so": f"{len(hit)}/{len(lost)}",
        "buildings: recall, collapsed": share(hit, lost, "collapsed"),
        "buildings: recall, partly collapsed": share(hit, lost, "partly"),
    }


def share(hit: list[types.Building], lost: list[types.Building], state: str) -> str:
    """How many of the buildings in this state were found, of how many."""
    found, all_of = ([b for b in part if b.properties["state"] == state] for part in (hit, lost))
    return f"{len(found)}/{len(all_of)}"


def region_figures(
    found: tuple[types.Region, ...], classes: np.ndarray, changed: np.ndarray
) -> dict[str, Any]:
    """How many regions touch planted damage, and how many planted places a region touches."""
    damage = np.isin(classes, PLANTED)
    figures: dict[str, Any] = {}
    for tier, code in regions.CODES.items():
        own = [r for r in found if r.tier == tier]
        right = sum(bool(damage[inside(r, changed == code)].any()) for r in own)
        figures[f"regions: {tier}, touching planted damage"] = f"{right}/{len(own)}"
    for kind, name in zip(PLANTED, ("collapsed", "crater", "burn", "debris"), strict=True):
        places = components(classes == kind)
        analysed = [p for p in places if (changed[p] != types.NOT_ANALYSED).mean() > 0.5]
        touched = sum(bool(np.isin(changed[p], (1, 2)).any()) for p in analysed)
        figures[f"regions: planted {name} places touched"] = f"{touched}/{len(analysed)}"
    return figures


def inside(region: types.Region, of_tier: np.ndarray) -> tuple[np.ndarray, ...]:
    """Pixels of the tier in the region's box."""
    r0, c0, r1, c1 = region.bbox_rc
    rows, cols = np.nonzero(of_tier[r0:r1, c0:c1])
    return rows + r0, cols + c0


def components(mask: np.ndarray) -> list[tuple[np.ndarray, ...]]:
    """Pixels of each connected part of at least 16 px."""
    from skimage.measure import label, regionprops

    return [tuple(p.coords.T) for p in regionprops(label(mask, connectivity=2)) if p.area >= 16]


if __name__ == "__main__":
    sys.exit(main())

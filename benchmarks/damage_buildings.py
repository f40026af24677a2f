"""Does the building score tell destroyed from undamaged buildings, with one threshold for all scenes?

python benchmarks/damage_buildings.py --data DIR [--out FILE.json] [--displace PX] [--no-fit]

DIR holds pairs as folders: every ``xbd_*`` (before, after and damage.png with classes 1 no damage to 4
destroyed, drawn by people) and ``joplin_mosaic`` (buildings.geojson with ``damage_model`` 1 to 4, which a
learned model gave). Each pair runs through the whole pipeline. A building's score is the median of
change_score.tif inside it; the figures are the area under the ROC curve of class 4 against class 1, and the
share of destroyed buildings found at the threshold that 5 % of the undamaged exceed. The same buildings go
through the pipeline as footprints: for each class of damage, the share in each class of the tool, and the
share of undamaged ones whose p-value lies below .01, .05, .1 and .2, which is what it should be.
`--displace` moves the footprints off their place by so many pixels down and left, `--no-fit` takes them where
they are.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import _buildings
import cv2
import numpy as np
import rasterio
import rasterio.features
import rasterio.warp
from rasterio.errors import NotGeoreferencedWarning
from scipy.stats import rankdata

from damagediff import grid, pipeline, raster, settings, types, versions, wording

INTACT, DESTROYED = 1, 4
MIN_PX = 16
"""A component smaller than one cell of the measure has no measurement of its own: the tool calls it not
analysed. Model-drawn labels hold many such splinters; the figure with them is given beside."""
MIN_SHARE = 0.5
"""Share of a building that must be analysed."""


def main() -> int:
    """Run, print a table, write JSON."""
    args = arguments()
    pairs = [p for p in (*sorted(args.data.glob("xbd_*")), args.data / "joplin_mosaic") if p.is_dir()]
    if not pairs:
        print(f"{args.data}: no xbd_* folder and no joplin_mosaic. Point --data at the folder of pairs")
        return 2
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    scenes = {pair.name: run(pair, args.displace, not args.no_fit) for pair in pairs}
    for name, scene in scenes.items():
        print(row(name, scene), flush=True)
    drawn = [s["buildings"] for name, s in scenes.items() if name.startswith("xbd_")]
    both = [b for b in drawn if auc(b) is not None]
    pooled = {"all": pool(drawn), "scenes with both classes": pool(both)}
    for name, figures in pooled.items():
        print(f"xbd pooled, {name}: {figures}")
    outlines = {n: s["outlines"] for n, s in scenes.items() if s["outlines"]}
    classes = {"xbd": classed([o for n, s in outlines.items() if n.startswith("xbd_") for o in s])}
    classes |= {name: classed(found) for name, found in outlines.items()}
    for name, figures in classes.items():
        print(f"classes, {name}: " + ", ".join(f"{k} {v}" for k, v in figures.items()))
    if args.out:
        args.out.write_text(json.dumps(report(scenes, pooled, classes), indent=1) + "\n", encoding="utf-8")
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of pairs")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    parser.add_argument("--displace", type=float, default=0.0, help="px down and left, on the footprints")
    parser.add_argument("--no-fit", action="store_true", help="take footprints where they are")
    return parser.parse_args()


def run(pair: Path, displace: float, fit: bool) -> dict[str, Any]:
    """One pair through the pipeline: what was found, and (class, pixels, score) of each building."""
    sources = [types.Source(next(pair.glob(f"{when}.*"))) for when in ("before", "after")]
    asked = settings.from_dict({"buildings": {"fit": fit}})
    with tempfile.TemporaryDirectory() as name:
        before = raster.inspect(sources[0], asked.read)
        on = grid.common_grid(before, before)
        shift = np.array([displace, -displace])
        given = [(kind, _buildings.moved(o, shift)) for kind, o in _buildings.drawn(pair, on)]
        path = _buildings.write(Path(name) / "given.geojson", given, on)
        found = pipeline.compare(types.Case(*sources, footprints=path), asked, Path(name))
        if found.change is None:
            nothing = {"buildings": np.zeros((0, 3)), "outlines": []}
            return {"verdict": found.verdict, "reason": found.alignment.reason} | nothing
        with rasterio.open(Path(name) / "change_score.tif") as score:
            everything = measured(score.read(1), components(pair, score))
    outlines = [
        (b.properties["class"], b.score, b.label, b.p_value) for b in found.buildings if b.score is not None
    ]
    buildings = everything[everything[:, 1] >= MIN_PX]
    change, rmse = found.change, found.alignment.rmse_px
    intact, destroyed = of_class(buildings, INTACT), of_class(buildings, DESTROYED)
    return {
        "verdict": found.verdict,
        "rmse_px": rmse,
        "comparability": change.comparability,
        "intact": len(intact),
        "destroyed": len(destroyed),
        "auc": auc(buildings),
        "auc_with_splinters": auc(everything),
        "intact_above_threshold": share_above(intact, change.threshold),
        "destroyed_above_threshold": share_above(destroyed, change.threshold),
        "structural_regions": sum(region.tier == "structural" for region in found.regions),
        "other_regions": sum(region.tier == "other" for region in found.regions),
        "auc_of_outlines": auc(np.array([(k, 0, v) for k, v, *_ in outlines]).reshape(-1, 3)),
        "footprints_moved_px": found.footprint_fit.scene.length_px if found.footprint_fit else 0.0,
        "buildings": buildings,
        "outlines": outlines,
    }


Outline = tuple[int, float, str, float | None]
"""Class of damage, score, class of the tool, p-value."""


def classed(found: list[Outline]) -> dict[str, Any]:
    """Shares of the tool's classes by class of damage; how often p-values of undamaged buildings are low."""
    shares: dict[str, Any] = {"auc": auc(np.array([(k, 0, v) for k, v, *_ in found]).reshape(-1, 3))}
    for kind in _buildings.CLASSES:
        labels = [label for k, _, label, _ in found if k == kind]
        for label in (wording.VISIBLE, wording.POSSIBLE, wording.NO_CHANGE):
            if labels:
                shares[f"{kind}: {label}"] = round(labels.count(label) / len(labels), 3)
        shares[f"{kind}: n"] = len(labels)
    chance = np.array([p for k, _, _, p in found if k == INTACT and p is not None])
    levels = (0.01, 0.05, 0.1, 0.2) if len(chance) else ()
    return shares | {f"intact with p <= {x}": round(float((chance <= x).mean()), 3) for x in levels}


def components(pair: Path, score: rasterio.DatasetReader) -> list[tuple[int, np.ndarray]]:
    """(class, flat pixel indices on the working grid) of each building."""
    if (pair / "damage.png").exists():
        with rasterio.open(pair / "damage.png") as labels:
            return drawn_components(labels.read(1))
    features = json.loads((pair / "buildings.geojson").read_text(encoding="utf-8"))["features"]
    found = []
    for feature in features:
        shape = rasterio.warp.transform_geom("EPSG:4326", score.crs, feature["geometry"])
        found.append((int(feature["properties"]["damage_model"]), burnt(shape, score)))
    return [(kind, pixels) for kind, pixels in found if len(pixels)]


def drawn_components(labels: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """The 8-connected components of each class."""
    found = []
    for kind in range(INTACT, DESTROYED + 1):
        count, numbers = cv2.connectedComponents((labels == kind).astype(np.uint8), connectivity=8)
        order = np.argsort(numbers, axis=None, kind="stable")
        starts = np.searchsorted(numbers.ravel()[order], np.arange(1, count))
        found += [(kind, pixels) for pixels in np.split(order, starts)[1:]]
    return found


def burnt(shape: dict[str, Any], score: rasterio.DatasetReader) -> np.ndarray:
    """Pixels with their centre in a footprint; all it touches when it is smaller than a pixel."""
    for touched in (False, True):
        inside = rasterio.features.rasterize(
            [shape], score.shape, transform=score.transform, all_touched=touched
        )
        if inside.any():
            break
    return np.flatnonzero(inside)


def measured(score: np.ndarray, buildings: list[tuple[int, np.ndarray]]) -> np.ndarray:
    """(N, 3) class, pixels and median score of the buildings that were analysed."""
    rows = []
    for kind, pixels in buildings:
        known = score.ravel()[pixels]
        known = known[np.isfinite(known)]
        if len(known) >= MIN_SHARE * len(pixels):
            rows.append((kind, len(pixels), float(np.median(known))))
    return np.array(rows, np.float64).reshape(-1, 3)


def of_class(buildings: np.ndarray, kind: int) -> np.ndarray:
    """Scores of one class."""
    return buildings[buildings[:, 0] == kind, 2]


def auc(buildings: np.ndarray) -> float | None:
    """Area under the ROC curve, destroyed against intact; None without both."""
    hit, miss = of_class(buildings, DESTROYED), of_class(buildings, INTACT)
    if not len(hit) or not len(miss):
        return None
    ranks = rankdata(np.concatenate([hit, miss]))[: len(hit)].sum()
    return float((ranks - len(hit) * (len(hit) + 1) / 2) / (len(hit) * len(miss)))


def share_above(scores: np.ndarray, threshold: float) -> float | None:
    return float((scores > threshold).mean()) if len(scores) else None


def pool(scenes: list[np.ndarray]) -> dict[str, Any]:
    """Figures over the buildings of several scenes together."""
    buildings = np.concatenate(scenes) if scenes else np.zeros((0, 3))
    intact, destroyed = of_class(buildings, INTACT), of_class(buildings, DESTROYED)
    if not len(intact) or not len(destroyed):
        return {"intact": len(intact), "destroyed": len(destroyed), "auc": None}
    threshold = float(np.quantile(intact, 0.95))
    return {
        "intact": len(intact),
        "destroyed": len(destroyed),
        "auc": auc(buildings),
        "threshold_at_5_percent_of_intact": threshold,
        "recall_at_5_percent_of_intact": share_above(destroyed, threshold),
    }


def row(name: str, scene: dict[str, Any]) -> str:
    shown = {key: value for key, value in scene.items() if key not in ("buildings", "outlines")}
    return f"{name}: " + ", ".join(
        f"{k} {v:.3f}" if isinstance(v, float) else f"{k} {v}" for k, v in shown.items()
    )


def report(scenes: dict[str, Any], pooled: dict[str, Any], classes: dict[str, Any]) -> dict[str, Any]:
    """Everything as plain values, with machine and versions."""
    plain = {n: {k: v for k, v in s.items() if k not in ("buildings", "outlines")} for n, s in scenes.items()}
    machine = {
        "system": platform.system(),
        "machine": platform.machine(),
        "python": platform.python_version(),
    }
    return {
        "scenes": plain,
        "pooled": pooled,
        "classes": classes,
        "versions": versions.versions(),
        "machine": machine,
    }


if __name__ == "__main__":
    sys.exit(main())

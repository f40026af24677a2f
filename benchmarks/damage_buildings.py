"""Does the building score tell destroyed from undamaged buildings, with one threshold for all scenes?

python benchmarks/damage_buildings.py --data DIR [--out FILE.json]

DIR holds pairs as folders: every ``xbd_*`` (before, after and damage.png with classes 1 no damage to 4
destroyed, drawn by people) and ``joplin_mosaic`` (buildings.geojson with ``damage_model`` 1 to 4, which a
learned model gave). Each pair runs through the whole pipeline. A building's score is the median of
change_score.tif inside it; the figures are the area under the ROC curve of class 4 against class 1, and the
share of destroyed buildings found at the threshold that 5 % of the undamaged exceed.

The same again with the published references in place of the measure (`--measure` of the tool): 1 - SSIM,
change vector magnitude and IR-MAD, each cut by Otsu's threshold. Their pooled figures are given twice: of the
calibrated score, as the tool writes it, and of the raw measure, as it is published.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rasterio
import rasterio.features
import rasterio.warp
from rasterio.errors import NotGeoreferencedWarning
from scipy.stats import rankdata

from damagediff import calibration, pipeline, settings, types, versions

INTACT, DESTROYED = 1, 4
MEASURES = ("structure", "ssim", "cva", "irmad")
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
    found = {}
    for measure in args.measures:
        scenes = {pair.name: run(pair, measure) for pair in pairs}
        found[measure] = {"scenes": scenes, "pooled": pooled(scenes), "events": events(scenes)}
        for name, scene in scenes.items():
            print(row(f"{measure}, {name}", scene), flush=True)
    for line in table(found):
        print(line)
    if args.out:
        args.out.write_text(json.dumps(report(found), indent=1) + "\n", encoding="utf-8")
    return 0


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of pairs")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    parser.add_argument("--measures", nargs="+", choices=MEASURES, default=MEASURES, help="default: all")
    return parser.parse_args()


def run(pair: Path, measure: str) -> dict[str, Any]:
    """One pair through the pipeline: what was found, and (class, pixels, score) of each building."""
    options = settings.from_dict({"diff": {"measure": measure}})
    case = types.Case(*(types.Source(next(pair.glob(f"{when}.*"))) for when in ("before", "after")))
    with tempfile.TemporaryDirectory() as name:
        found = pipeline.compare(case, options, Path(name))
        if found.change is None:
            nothing = {"buildings": np.zeros((0, 3)), "raw": np.zeros((0, 3)), "called": np.zeros((0, 3))}
            return {"verdict": found.verdict, "reason": found.alignment.reason} | nothing
        with rasterio.open(Path(name) / "change_score.tif") as score:
            everything = measured(score.read(1), components(pair, score))
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
        "buildings": buildings,
        "raw": np.column_stack([buildings[:, :2], raw(buildings[:, 2], change)]),
        "called": np.column_stack([buildings[:, :2], buildings[:, 2] > change.threshold]),
    }


def raw(scores: np.ndarray, change: types.ChangeMap) -> np.ndarray:
    """The measure itself from the calibrated score, which is a strictly monotone function of it."""
    if change.measure == "structure":
        return scores
    steps = np.log(scores / (1 - scores))
    far = np.maximum(np.abs(steps) - calibration.TAIL, 0)
    steps = np.sign(steps) * (np.minimum(np.abs(steps), calibration.TAIL) + np.expm1(far))
    floor, ceiling = (change.calibration[f"{end}_reference"] for end in ("floor", "ceiling"))
    return floor + max(ceiling - floor, calibration.MIN_GAP) * (
        steps / calibration.STEEPNESS + calibration.MIDPOINT
    )


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
    """Share of scores above a threshold; None without any."""
    return float((scores > threshold).mean()) if len(scores) else None


def events(scenes: dict[str, Any]) -> dict[str, Any]:
    """The figures of each event, its scenes together."""
    event = {name: re.sub(r"_\d+$", "", name) for name in scenes}
    return {
        one: pool([scene for name, scene in scenes.items() if event[name] == one])
        for one in sorted(set(event.values()))
    }


def pooled(scenes: dict[str, Any]) -> dict[str, Any]:
    """The figures over all xbd scenes, and over those that have both classes."""
    drawn = [s for name, s in scenes.items() if name.startswith("xbd_")]
    both = [s for s in drawn if auc(s["buildings"]) is not None]
    return {"all": pool(drawn), "scenes with both classes": pool(both)}


def pool(scenes: list[dict[str, Any]]) -> dict[str, Any]:
    """Figures over the buildings of several scenes together."""

    def together(key: str) -> np.ndarray:
        return np.concatenate([s[key] for s in scenes]) if scenes else np.zeros((0, 3))

    buildings, plain, called = together("buildings"), together("raw"), together("called")
    intact, destroyed = of_class(buildings, INTACT), of_class(buildings, DESTROYED)
    if not len(intact) or not len(destroyed):
        return {
            "intact": len(intact),
            "destroyed": len(destroyed),
            "auc": None,
            "intact_called_changed": share_above(of_class(called, INTACT), 0.5),
        }
    threshold, plain_threshold = (float(np.quantile(of_class(x, INTACT), 0.95)) for x in (buildings, plain))
    return {
        "intact": len(intact),
        "destroyed": len(destroyed),
        "auc": auc(buildings),
        "auc_raw": auc(plain),
        "threshold_at_5_percent_of_intact": threshold,
        "recall_at_5_percent_of_intact": share_above(destroyed, threshold),
        "recall_at_5_percent_of_intact_raw": share_above(of_class(plain, DESTROYED), plain_threshold),
        "intact_called_changed": share_above(of_class(called, INTACT), 0.5),
        "destroyed_called_changed": share_above(of_class(called, DESTROYED), 0.5),
    }


def table(found: dict[str, Any]) -> Iterator[str]:
    """All measures side by side, one line for each event and for the pools."""
    shown = "auc", "recall_at_5_percent_of_intact", "intact_called_changed", "destroyed_called_changed"
    yield "AUC / recall at 5 % of intact / intact called changed / destroyed called changed; raw AUC, recall"
    for measure, figures in found.items():
        lines = figures["events"] | {f"xbd pooled, {k}": v for k, v in figures["pooled"].items()}
        for name, line in lines.items():
            told = " / ".join(_three(line.get(key)) for key in shown)
            plain = ", ".join(_three(line.get(f"{key}_raw")) for key in shown[:2])
            counts = f"{line['intact']} intact, {line['destroyed']} destroyed"
            yield f"{measure:9s} {name}: {told}; {plain} ({counts})"


def _three(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def row(name: str, scene: dict[str, Any]) -> str:
    """One scene in one line."""
    shown = {key: value for key, value in scene.items() if not isinstance(value, np.ndarray)}
    return f"{name}: " + ", ".join(
        f"{k} {v:.3f}" if isinstance(v, float) else f"{k} {v}" for k, v in shown.items()
    )


def report(found: dict[str, Any]) -> dict[str, Any]:
    """Everything as plain values, with machine and versions."""
    measures = {}
    for measure, figures in found.items():
        scenes = {
            name: {k: v for k, v in scene.items() if not isinstance(v, np.ndarray)}
            for name, scene in figures["scenes"].items()
        }
        measures[measure] = figures | {"scenes": scenes}
    machine = {
        "system": platform.system(),
        "machine": platform.machine(),
        "python": platform.python_version(),
    }
    return {"measures": measures, "versions": versions.versions(), "machine": machine}


if __name__ == "__main__":
    sys.exit(main())

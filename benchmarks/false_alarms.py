"""How often does the tool cry wolf where nothing was destroyed, and what does it find where much was?

python benchmarks/false_alarms.py --data DIR [--out FILE.json] [--crops FILE.png]

Without damage are ``xbd_mexico-earthquake_00000186``, ``iran_isfahan_powerplant`` and
``levir256_train_386_0512_0768``; in the other ``xbd_mexico`` tiles nearly nothing was destroyed, and of the
flood scenes ``xbd_hurricane-harvey_*`` every roof stood. Counted are structural regions a megapixel
analysed (a region that touches a building labelled major or destroyed is none), the intact buildings that
are called changed, by their score and by a structural region over them, and of the destroyed ones those
that a structural region touches, or covers by 30 %. --crops draws the false regions, before | after.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import _pairs
import _runs
import cv2
import numpy as np
from PIL import Image as PillowImage

from damagediff import types

NO_DAMAGE = ("xbd_mexico-earthquake_00000186", "iran_isfahan_powerplant", "levir256_train_386_0512_0768")
NEARLY_NONE = tuple(f"xbd_mexico-earthquake_{n}" for n in ("00000059", "00000085", "00000181"))
FLOOD = tuple(f"xbd_hurricane-harvey_{n}" for n in ("00000005", "00000015"))
DAMAGED = ("xbd_joplin-tornado_00000000", "xbd_joplin-tornado_00000002", "xbd_guatemala-volcano_00000004")
MAJOR = 3
COVERED = 0.3
CROP_PX = 200


def main() -> int:
    """Run, print a table, write JSON."""
    args = arguments()
    names = [n for n in (*NO_DAMAGE, *NEARLY_NONE, *FLOOD, *DAMAGED) if (args.data / n).is_dir()]
    if not _pairs.need_data(args.data, names):
        return 2
    rows, crops = {}, []
    for name in names:
        rows[name], drawn = measure(args.data / name)
        crops += drawn
        print(name, rows[name], flush=True)
    groups = {"no damage": NO_DAMAGE, "nearly none": NEARLY_NONE, "flood": FLOOD, "damaged": DAMAGED}
    pooled = {group: pool([rows[n] for n in chosen if n in rows]) for group, chosen in groups.items()}
    for group, figures in pooled.items():
        print(f"{group}: {figures}")
    if args.crops and crops:
        PillowImage.fromarray(np.concatenate(crops)).save(args.crops)
    files = [_pairs.file_of(args.data / n, when) for n in names for when in ("before", "after")]
    _pairs.write_json(args.out, {"pairs": rows, "pooled": pooled, **_pairs.about(files)})
    return 0


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of pairs")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    parser.add_argument("--crops", type=Path, help="draw the false regions into this PNG")
    return parser.parse_args()


def measure(pair: Path) -> tuple[dict[str, Any], list[np.ndarray]]:
    """Counts of one pair, and pictures of its false regions."""
    run = _runs.compare(_pairs.file_of(pair, "before"), _pairs.file_of(pair, "after"))
    if run is None:
        return {"refused": True}, []
    labels = pair / "damage.png"
    buildings = _runs.labelled(labels) if labels.exists() else []
    hurt = np.zeros(run.mask.size, bool)
    for kind, pixels in buildings:
        hurt[pixels] |= kind >= MAJOR
    false = [r for r in run.structural() if not touches(r, hurt.reshape(run.mask.shape))]
    change = run.found.change
    assert change is not None
    counts = {"analysed_mpx": run.analysed_mpx, "structural": len(run.structural()), "false": len(false)}
    for kind, word in ((_runs.INTACT, "intact"), (_runs.DESTROYED, "destroyed")):
        counts |= of_buildings(word, [p for k, p in buildings if k == kind], run, change.threshold)
    return counts, [crop(run, region) for region in false]


def touches(region: types.Region, where: np.ndarray) -> bool:
    """Whether a region's outline holds any pixel of `where`."""
    inside = np.zeros(where.shape, np.uint8)
    cv2.fillPoly(inside, [np.rint(np.array(region.outline_rc[0])[:, ::-1]).astype(np.int32)], 1)
    return bool((where & (inside > 0)).any())


def of_buildings(word: str, buildings: list[np.ndarray], run: _runs.Run, threshold: float) -> dict[str, int]:
    """How many of one class were analysed, exceed the threshold, are touched and covered."""
    mask, score = run.mask.ravel(), run.score.ravel()
    asked = [p for p in buildings if np.isfinite(score[p]).mean() >= 0.5]
    structural = [float((mask[p] == types.STRUCTURAL_CHANGE).mean()) for p in asked]
    return {
        word: len(asked),
        f"{word}_above_threshold": sum(float(np.nanmedian(score[p])) > threshold for p in asked),
        f"{word}_touched": sum(share > 0 for share in structural),
        f"{word}_covered": sum(share >= COVERED for share in structural),
    }


def pool(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Sums over pairs, and rates."""
    rows = [row for row in rows if "refused" not in row]
    total: dict[str, Any] = {key: sum(row[key] for row in rows) for key in (rows[0] if rows else {})}
    if total:
        total["false_per_mpx"] = round(total["false"] / total["analysed_mpx"], 2)
    for word in ("intact", "destroyed"):
        for what in ("above_threshold", "touched", "covered"):
            if total.get(word):
                total[f"{word}_{what}_share"] = round(total[f"{word}_{what}"] / total[word], 3)
    return total


def crop(run: _runs.Run, region: types.Region) -> np.ndarray:
    """Before | after around a region, outlined."""
    row, col = (round(x) for x in region.centroid_rc)
    half = max(48, max(region.bbox_rc[2] - region.bbox_rc[0], region.bbox_rc[3] - region.bbox_rc[1]))
    shown = []
    for bands in (run.before, run.after):
        bands = bands[:3] if len(bands) >= 3 else np.repeat(bands[:1], 3, 0)
        around = np.pad(bands, [(0, 0), (half, half), (half, half)])[
            :, row : row + 2 * half, col : col + 2 * half
        ]
        picture = np.ascontiguousarray(np.clip(around, 0, 255).astype(np.uint8).transpose(1, 2, 0))
        picture = cv2.resize(picture, (CROP_PX, CROP_PX))
        ring = (np.array(region.outline_rc[0]) - [row - half, col - half]) * CROP_PX / (2 * half)
        shown.append(cv2.polylines(picture, [ring[:, ::-1].astype(np.int32)], True, (255, 0, 0)))
    return np.concatenate(shown, 1)


if __name__ == "__main__":
    sys.exit(main())

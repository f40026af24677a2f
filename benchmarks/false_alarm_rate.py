"""Does the interval that a run states for ordinary change hold what is really there?

python benchmarks/false_alarm_rate.py --data DIR [--out FILE.json]

Truth: in pairs without damage, every region of visible change; in labelled pairs, those that come no nearer
than 20 px to a building labelled minor, major, destroyed or unclassified (of joplin_mosaic: by a model), over
the area analysed that lies so far away. Given are, for each pair, the interval that the run states (a
megapixel, for the area of the whole scene), whether it holds the rate found, and whether the interval for
the smaller area away from damage, by the same rule, holds the number found there. In a flood "major" means
water around a roof that stands. What is real change without a label, fallen trees and cars along a tornado
track above all, counts as ordinary here.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import _buildings
import _pairs
import _runs
import cv2
import numpy as np

from damagediff import false_alarms, types

UNDAMAGED = (
    "xbd_mexico-earthquake_00000186",
    "iran_isfahan_powerplant",
    "levir256_train_386_0512_0768",
)
LABELLED = (
    *(f"xbd_mexico-earthquake_{n}" for n in ("00000059", "00000085", "00000181")),
    *(f"xbd_hurricane-harvey_{n}" for n in ("00000005", "00000015")),
    "xbd_hurricane-florence_00000018",
    "xbd_guatemala-volcano_00000004",
    "xbd_joplin-tornado_00000000",
    "xbd_joplin-tornado_00000002",
    "joplin_mosaic",
)
AWAY_PX = 20
"""The measures' windows and the blur before the threshold; debris lies about that far."""
LEVELS = ((1 - false_alarms.LEVEL) / 2, (1 + false_alarms.LEVEL) / 2)


def main() -> int:
    """Run, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of pairs")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    args = parser.parse_args()
    names = [n for n in (*UNDAMAGED, *LABELLED) if (args.data / n).is_dir()]
    if not _pairs.need_data(args.data, names):
        return 2
    rows = {}
    for name in names:
        rows[name] = measure(args.data / name)
        print(name, rows[name], flush=True)
    counted = [row for row in rows.values() if "interval" in row]
    pooled = pool(counted)
    print(pooled)
    files = [_pairs.file_of(args.data / n, when) for n in names for when in ("before", "after")]
    _pairs.write_json(args.out, {"pairs": rows, "pooled": pooled, **_pairs.about(files)})
    return 0


def measure(pair: Path) -> dict[str, Any]:
    """What one run states, and what is true."""
    run = _runs.compare(_pairs.file_of(pair, "before"), _pairs.file_of(pair, "after"))
    if run is None:
        return {"refused": True}
    ordinary = run.found.trust.ordinary
    if ordinary.headline is None:
        return {"not_measured": ordinary.why_not}
    hurt = grown(damaged(pair, run))
    false = [r for r in run.structural() if not touches(r, hurt)]
    away_px = int(((run.mask != types.NOT_ANALYSED) & ~hurt).sum())
    by = ordinary.headline
    low, high = false_alarms.predicted(by.regions, away_px / by.counted_px, LEVELS)
    stated = run.found.trust.false_alarms_per_megapixel_interval
    assert stated is not None
    rate = len(false) / away_px * 1e6
    return {
        "source": by.name,
        "listed": len(run.structural()),
        "interval": [round(x, 2) for x in stated],
        "true_per_mpx": round(rate, 2),
        "rate_held": stated[0] <= rate <= stated[1],
        "away_mpx": round(away_px / 1e6, 3),
        "true": len(false),
        "interval_away": [low, high],
        "number_held": low <= len(false) <= high,
        "others": {n.name: [n.regions, *n.interval] for n in ordinary.nulls if n is not by},
        "chances_of_true": [round(r.ordinary_chance or 0, 2) for r in false],
        "chances_of_all": round(sum(r.ordinary_chance or 0 for r in run.structural()), 1),
    }


def damaged(pair: Path, run: _runs.Run) -> np.ndarray:
    """(rows, cols) of the grid: pixels of buildings with any label but "no damage"."""
    inside = np.zeros(run.mask.shape, np.uint8)
    if (pair / "damage.png").exists():
        labels = _pairs.pixels(pair / "damage.png")[0][:, :, 0]
        rows, cols = (min(a, b) for a, b in zip(labels.shape, inside.shape, strict=True))
        inside[:rows, :cols] = labels[:rows, :cols] > _runs.INTACT
    elif (pair / "buildings.geojson").exists():
        for kind, parts in _buildings.drawn(pair, run.found.pair.grid):
            if kind > _runs.INTACT:
                for outer, *_ in parts:
                    ring = np.rint(np.array(outer)[:, ::-1]).astype(np.int32)
                    cv2.fillPoly(inside, [ring], 1)
    return inside > 0


def grown(inside: np.ndarray) -> np.ndarray:
    """The same with all that lies within `AWAY_PX`."""
    if not inside.any():
        return inside
    return cv2.distanceTransform((~inside).astype(np.uint8), cv2.DIST_L2, 5) <= AWAY_PX


def touches(region: types.Region, where: np.ndarray) -> bool:
    """Whether a region's outline holds any pixel of `where`."""
    inside = np.zeros(where.shape, np.uint8)
    cv2.fillPoly(inside, [np.rint(np.array(region.outline_rc[0])[:, ::-1]).astype(np.int32)], 1)
    return bool((where & (inside > 0)).any())


def pool(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Share of pairs whose interval holds the truth, and how wide the intervals are."""
    widths = [row["interval_away"][1] - row["interval_away"][0] for row in rows]
    return {
        "pairs": len(rows),
        "rate_held": sum(row["rate_held"] for row in rows),
        "number_held": sum(row["number_held"] for row in rows),
        "width_regions_median": float(np.median(widths)),
        "width_regions_largest": max(widths),
        "width_per_mpx_median": float(np.median([row["interval"][1] - row["interval"][0] for row in rows])),
        "true": sum(row["true"] for row in rows),
        "away_mpx": round(sum(row["away_mpx"] for row in rows), 2),
    }


if __name__ == "__main__":
    sys.exit(main())

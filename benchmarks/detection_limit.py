"""The stated detection limit against real rubble planted into real pairs.

python benchmarks/detection_limit.py --data DIR [--pairs NAME ...] [--most 40] [--out FILE.json]

Each pair is compared once as it is: the size of a collapsed building that the self-test says is found with
90 % probability is the *stated* one. Then rubble cut from destroyed buildings of other pairs (tornado track
of ``xbd_joplin-*``), scaled to the brightness and contrast around, is put as turned rectangles of 8 to 72 px
into the aligned after image, at textured places that the run calls unchanged, and the pair is compared anew,
without self-test, until enough are planted: the *measured* size is the one at which the same curve, fitted to
these, reaches 90 %. Both count a place as found when a region of either tier touches it. Sizes that are not
reached count as 64 px; pairs in which too few had room are told apart. ``large_...``: planted of at least
24 px, found, found as structural. Goal: within a factor of 1.5 in at least 80 % of the pairs.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from pathlib import Path
from typing import Any

import _pairs
import _runs
import cv2
import numpy as np
import planted

from damagediff import detection_fit, settings, types

QUARRIES = ("xbd_joplin-tornado_00000000", "xbd_joplin-tornado_00000002")
SIZES_PX = (8, 12, 16, 20, 24, 28, 32, 36, 42, 50, 60, 72)
MOST_SHARE = 0.05
CLEAR_PX = 16
APART_PX = 40
MOST_ROUNDS = 8
MOST_GREEN = 0.06
"""Excess green above that of the least green twentieth of a picture, from which a place is vegetation."""
BEYOND_PX = 64.0
"""What is not reached lies beyond the largest size that the self-test plants."""
FACTOR = 1.5
MIN_LARGE, MIN_LARGEST_PX = 8, 42
"""Pairs in which fewer places of 24 px or more, or none of 42, had room cannot be measured this way."""
LARGE_PX = 24
"""From this size on, how many are found and how many as structural change is told beside the sizes."""
PLAIN = settings.from_dict({"trust": {"selftest": False}})


def main() -> int:
    """Run, print a line a pair, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of pairs")
    parser.add_argument("--pairs", nargs="*", help="only these")
    parser.add_argument("--most", type=int, default=48, help="places planted in each pair")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    args = parser.parse_args()
    quarries = [args.data / name for name in QUARRIES if (args.data / name).is_dir()]
    hosts = [p for p in _pairs.folders(args.data) if not args.pairs or p.name in args.pairs]
    if not _pairs.need_data(args.data, hosts and quarries):
        return 2
    rows = []
    for host in hosts:
        rubble = [stone for q in quarries if q != host for stone in planted.cut_rubble(q)]
        row = in_host(host, rubble, args.most)
        if row is not None:
            rows.append(row)
            print(line(row), flush=True)
    figures = {"summary": summary(rows), "pairs": rows}
    print(figures["summary"])
    files = [_pairs.file_of(host, when) for host in hosts for when in ("before", "after")]
    _pairs.write_json(args.out, {**figures, **_pairs.about(files)})
    return 0


def in_host(host: Path, rubble: list[np.ndarray], most: int) -> dict[str, Any] | None:
    """Stated and measured size of one pair; None where the pair is refused or not comparable."""
    plain = _runs.compare(_pairs.file_of(host, "before"), _pairs.file_of(host, "after"))
    if plain is None or (plain.mask == types.NOT_ANALYSED).all():
        return None
    rng = np.random.default_rng(11)
    outcomes: list[tuple[int, bool, bool]] = []
    with tempfile.TemporaryDirectory() as name:
        before = _pairs.write_png(Path(name) / "before.png", planted.shown(plain.before))
        for _ in range(MOST_ROUNDS):
            after, shapes = plant(plain, rubble, rng)
            path = _pairs.write_png(Path(name) / "after.png", planted.shown(after))
            run = _runs.compare(before, path, PLAIN) if shapes else None
            if run is None or run.mask.shape != plain.mask.shape:
                continue
            outcomes += [(size, *seen(run.mask, mask)) for size, mask in shapes]
            if len(outcomes) >= most:
                break
    curve = plain.found.trust.detection.curve("rubble")
    large = [o for o in outcomes if o[0] >= LARGE_PX]
    own = [t for t in curve.tallies if t.size_px >= LARGE_PX] if curve else []
    sizes = sorted({size for size, *_ in outcomes})
    counts = [[o for o in outcomes if o[0] == size] for size in sizes]
    fitted = detection_fit.fit(sizes, [len(c) for c in counts], [sum(o[1] for o in c) for c in counts])
    return {
        "pair": host.name,
        "stated_px": curve and curve.found.size_90_px,
        "stated_interval_px": curve and curve.found.interval_px,
        "stated_planted": curve and [(t.size_px, t.planted, t.found) for t in curve.tallies],
        "measured_px": fitted.size_90_px,
        "measured_interval_px": fitted.interval_px,
        "measured_planted": [(s, len(c), sum(o[1] for o in c)) for s, c in zip(sizes, counts, strict=True)],
        "large_stated": [sum(getattr(t, k) for t in own) for k in ("planted", "found", "structural")],
        "large_measured": [len(large), sum(o[1] for o in large), sum(o[2] for o in large)],
        "reason": (curve.found.reason if curve else plain.found.trust.detection.reason) or fitted.reason,
    }


def seen(mask: np.ndarray, place: np.ndarray) -> tuple[bool, bool]:
    """Whether a region of either tier touches a place, and a structural one."""
    codes = mask[place]
    both = np.isin(codes, (types.STRUCTURAL_CHANGE, types.OTHER_CHANGE)).any()
    return bool(both), bool((codes == types.STRUCTURAL_CHANGE).any())


def plant(
    plain: _runs.Run, rubble: list[np.ndarray], rng: np.random.Generator
) -> tuple[np.ndarray, list[tuple[int, np.ndarray]]]:
    """The aligned after image with rubble in it, and (size, mask) of each place."""
    after = plain.after.astype(np.float32).copy()
    unchanged = (plain.mask == types.NO_CHANGE).astype(np.uint8)
    room = cv2.distanceTransform(np.pad(unchanged, 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    textured = like_town(plain.before)
    shapes: list[tuple[int, np.ndarray]] = []
    used = np.zeros(room.shape, bool)
    for size in rng.permutation(np.repeat(SIZES_PX, 3)).tolist():
        mask = planted.rectangle(size, textured & (room > 0.7 * size + CLEAR_PX) & ~used, rng)
        if mask is None or (mask & ~(unchanged > 0)).any():
            continue
        around = cv2.dilate(mask.astype(np.uint8), np.ones((2 * APART_PX + 1,) * 2)) > 0
        full = sum(other.sum() for _, other in shapes) + mask.sum() > MOST_SHARE * unchanged.sum()
        if (around & used).any() or (full and shapes):
            continue
        after = planted.damaged(after, mask, "rubble", rubble[rng.integers(len(rubble))], rng)
        shapes.append((size, mask))
        used |= mask
    return after, shapes


def like_town(before: np.ndarray) -> np.ndarray:
    """Places with more edges around than the median place has, and no green: where people build."""
    bands = before[:3].astype(np.float32)
    grey = bands.mean(0)
    edges = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    around = cv2.GaussianBlur(edges, (0, 0), 10)
    built = around >= np.median(around)
    if len(bands) == 3:
        red, green, blue = (cv2.GaussianBlur(band, (0, 0), 6) for band in bands)
        excess = (2 * green - red - blue) / np.maximum(red + green + blue, 1)
        built &= excess <= np.quantile(excess, 0.05) + MOST_GREEN
    return np.asarray(built)


def measurable(row: dict[str, Any]) -> bool:
    """Whether enough was planted, and large enough, to measure nine tenths at all."""
    sizes = [size for size, _, _ in row["measured_planted"]]
    return row["large_measured"][0] >= MIN_LARGE and max(sizes, default=0) >= MIN_LARGEST_PX


def meet(row: dict[str, Any]) -> bool:
    """Whether both 90 % intervals have a size in common; what is not reached lies beyond 64 px."""
    spans = [row[f"{k}_interval_px"] or (BEYOND_PX, None) for k in ("stated", "measured")]
    (a, b), (c, d) = [(low, high or 1000.0) for low, high in spans]
    return max(a, c) <= min(b, d)


def agrees(row: dict[str, Any]) -> bool:
    """Whether stated and measured size lie within the factor; not reached counts as 64 px."""
    stated, measured = (min(row[k] or BEYOND_PX, BEYOND_PX) for k in ("stated_px", "measured_px"))
    return abs(math.log(stated / measured)) <= math.log(FACTOR)


def line(row: dict[str, Any]) -> str:
    """One pair in a line."""
    verdict = ("ok" if agrees(row) else "OFF") if measurable(row) else "too few planted to measure"
    stated, measured = (f"{row[k]:.1f}" if row[k] else "not reached" for k in ("stated_px", "measured_px"))
    return f"{row['pair']:42s} stated {stated:>12s} measured {measured:>12s} {verdict}"


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Shares within the factor, over all and by what was reached."""
    usable = [r for r in rows if measurable(r)]
    both = [r for r in usable if r["stated_px"] and r["measured_px"]]
    ratios = [r["stated_px"] / r["measured_px"] for r in both]
    return {
        "pairs": len(rows),
        "measurable": len(usable),
        "within": sum(agrees(r) for r in usable),
        "share_within": round(sum(agrees(r) for r in usable) / max(len(usable), 1), 3),
        "intervals_meet": sum(meet(r) for r in usable),
        "both_reached": len(both),
        "both_reached_within": sum(agrees(r) for r in both),
        "neither_reached": sum(not r["stated_px"] and not r["measured_px"] for r in usable),
        "only_one_reached": sum(bool(r["stated_px"]) != bool(r["measured_px"]) for r in usable),
        "median_ratio": round(float(np.median(ratios)), 3) if ratios else None,
        **{
            f"large_{k}": np.sum([r[f"large_{k}"] for r in rows], axis=0).tolist()
            for k in ("stated", "measured")
        },
    }


if __name__ == "__main__":
    sys.exit(main())

"""Are the two panels of a composite found, and is what is none refused?

python benchmarks/split.py --data DIR [--composites 80] [--others 40] [--seed 1] [--out FILE.json]

Composites made from pairs that align as two files: side by side or one above the other, with gutter,
touching, divided by a thin line, framed, with title bar, captions in several scripts, words in boxes, a map
collar with locator; of equal and unequal panels; saved as JPEG, some resized as a whole. Beside them what
must be refused: single pictures, pictures of two places, three dates of one place, slider screenshots (of
pairs that lie on each other as they are: other sliders do show some ground twice). And the published map
``unosat_bentjbail/composite.jpg``. Pairs with black blocks without data are left out: where such a panel
ends is a matter of taste.

- ``found``: every edge of both rectangles within 1 % of the side
- ``wrong``: accepted, and an edge is farther off, or it is no composite
- ``missed``: refused though its panels, cut at the truth, align as two files
- ``no alignment``: refused, and its panels cut at the truth do not align either: no cut could be believed
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import _composites
import _pairs
import numpy as np
from PIL import Image as PillowImage

from damagediff import cut, intake, settings, splitting
from damagediff.types import Source, Window

MOST_BLACK, FIXED = 0.02, 0.03
"""Share of black pixels of a usable pair; and of the side by which the pictures of a slider may be apart."""
NAMED = "looks like one scene behind a slider"
CLOSE = 0.01
"""Of the side, within which an edge is right."""


def main() -> int:
    """Run, print a table, write JSON."""
    args = arguments()
    pairs = [p for p in _pairs.folders(args.data) if not p.name.startswith("sar_")]
    if not _pairs.need_data(args.data, pairs):
        return 2
    with tempfile.TemporaryDirectory() as name:
        pictures = usable(pairs, Path(name))
        rows = list(runs(pictures, args, Path(name) / "sheet.png"))
    rows += published(args.data)
    figures = summary(rows)
    print(json.dumps(figures, indent=1))
    files = [_pairs.file_of(p, w) for p in pairs for w in ("before", "after")]
    _pairs.write_json(args.out, {**figures, "seed": args.seed, "rows": rows, **_pairs.about(files)})
    return 0


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of pairs")
    parser.add_argument("--composites", type=int, default=80)
    parser.add_argument("--others", type=int, default=40, help="pictures that must be refused")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="folder for the pictures that were got wrong or missed")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    return parser.parse_args()


class Pair(NamedTuple):
    """Two pictures of one frame, (rows, cols, 3) uint8, and whether they lie on each other as they are."""

    before: np.ndarray
    after: np.ndarray
    fixed: bool


Pictures = dict[str, Pair]


def usable(pairs: list[Path], folder: Path) -> Pictures:
    """Pairs of like frames, at least 400 px a side, that align as two files."""
    found: Pictures = {}
    for pair in pairs:
        both = [_pairs.pixels(_pairs.file_of(pair, when)) for when in ("before", "after")]
        shapes = [p.shape[:2] for p, _ in both]
        alike = np.abs(np.log(np.array(shapes[0]) / np.array(shapes[1]))).max() < 0.02
        if not alike or min(min(shapes)) < 400 or not all(valid.all() for _, valid in both):
            continue
        if min(min(shapes)) > 2500 or any((p.max(2) == 0).mean() > MOST_BLACK for p, _ in both):
            continue
        paths = [_pairs.write_png(folder / f"{k}.png", p) for k, (p, _) in enumerate(both)]
        aligned = _pairs.align(*paths)
        if aligned.accepted:
            rows, cols = (int(n) for n in np.min(shapes, axis=0))
            corners = _pairs.lattice((rows, cols), 3)
            apart = np.abs(aligned.after_from_grid(corners) - corners).max() / max(rows, cols)
            found[pair.name] = Pair(both[0][0][:rows, :cols], both[1][0][:rows, :cols], bool(apart < FIXED))
    print(f"{len(found)} pairs: {', '.join(found)}", flush=True)
    return found


def runs(pictures: Pictures, args: argparse.Namespace, path: Path) -> Any:
    """One row for each picture made."""
    rng = np.random.default_rng(args.seed)
    names = sorted(pictures)
    wanted = [(_composites.LAYOUTS, args.composites), (_composites.NOT_COMPOSITES, args.others)]
    for layouts, count in wanted:
        for k in range(count):
            layout = layouts[k % len(layouts)]
            fit = [n for n in names if pictures[n].fixed or layout != "slider"]
            name = str(rng.choice(fit))
            other = str(rng.choice([n for n in names if n.split("_00")[0] != name.split("_00")[0]]))
            pair = pictures[name]
            made = _composites.make(layout, pair.before, pair.after, pictures[other].before, rng)
            PillowImage.fromarray(made.sheet).save(path, compress_level=1)
            row = {
                "layout": made.layout,
                "pair": name,
                "shape": made.sheet.shape[:2],
                **judged(path, made.panels),
            }
            if row["outcome"] in ("wrong", "missed"):
                print(row, flush=True)
                if args.keep:
                    args.keep.mkdir(parents=True, exist_ok=True)
                    PillowImage.fromarray(made.sheet).save(args.keep / f"{args.seed}_{made.layout}_{k}.png")
            yield row


def judged(path: Path, truth: tuple[Window, Window] | None) -> dict[str, Any]:
    """What the tool says of one picture, and whether that is right."""
    start = time.perf_counter()
    found = splitting.find(Source(path), cut.Wish(), settings.Settings(workers=1))
    row: dict[str, Any] = {"seconds": round(time.perf_counter() - start, 2), "refusal": found.refusal}
    if found.panels is None:
        if truth is None:
            return row | {"outcome": "refused"}
        aligns = (
            splitting.refused_at_full_resolution(Source(path), truth, settings.Settings(workers=1)) is None
        )
        return row | {"outcome": "missed" if aligns else "no alignment", "truth": truth}
    off = None if truth is None else max(map(worst, found.panels, truth))
    right = off is not None and off <= CLOSE
    return row | {
        "outcome": "found" if right else "wrong",
        "off": off,
        "smaller_pictures": sum(each.kind == "picture" for each in found.split.others),
        "panels": found.panels,
        "truth": truth,
    }


def worst(found: Window, truth: Window) -> float:
    """How far the worst edge is off, as a share of the side."""
    ends = [np.array([w.row, w.col, w.row + w.rows, w.col + w.cols]) for w in (found, truth)]
    return float((np.abs(ends[0] - ends[1]) / np.array([truth.rows, truth.cols] * 2)).max())


def published(data: Path) -> list[dict[str, Any]]:
    """The published map, when it is there."""
    folder = data / "unosat_bentjbail"
    if not (folder / "composite.jpg").exists():
        print(f"{folder}/composite.jpg: missing, so not measured", file=sys.stderr)
        return []
    boxes = json.loads((folder / "meta.json").read_text(encoding="utf-8"))["panels"]
    edges = (boxes["before"], boxes["after"])
    truth = [Window(top, left, bottom - top, right - left) for left, top, right, bottom in edges]
    row = judged(folder / "composite.jpg", (truth[0], truth[1]))
    return [{"layout": "published map", "pair": folder.name, **row}]


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Outcomes by layout, and the shares that are asked for."""
    table: dict[str, Counter[str]] = {}
    for row in rows:
        table.setdefault(row["layout"], Counter())[row["outcome"]] += 1
    total = Counter(row["outcome"] for row in rows)
    alignable = total["found"] + total["missed"]
    alignable += sum(row["outcome"] == "wrong" and row["truth"] is not None for row in rows)
    sliders = [row for row in rows if row["layout"] == "slider"]
    return {
        "by_layout": {name: dict(counts) for name, counts in table.items()},
        "pictures": len(rows),
        "composites_that_align": alignable,
        "found_share": round(total["found"] / max(1, alignable), 4),
        "wrong_share": round(total["wrong"] / max(1, len(rows)), 4),
        "worst_off_of_found": max((row["off"] for row in rows if row["outcome"] == "found"), default=None),
        "sliders_named": sum(NAMED in str(row["refusal"]) for row in sliders),
        "sliders": len(sliders),
        "others_called_sliders": sum(NAMED in str(r["refusal"]) for r in rows if r["layout"] != "slider"),
        "seconds": _pairs.spread([row["seconds"] for row in rows]),
        "work_px": intake.WORK_PX,
    }


if __name__ == "__main__":
    sys.exit(main())

"""Do the regions of a published map lie where its experts put points? One picture in, both panels found.

python benchmarks/points.py --data DIR [--draws 200] [--seed 6] [--out FILE.json]

The map of Bent Jbail (``unosat_bentjbail/composite.jpg``: one page, two panels, red squares of UNOSAT drawn
over the after panel) is compared as ``damagediff compare composite.jpg`` does. Its ``points.json`` holds the
squares' centres; they are brought to the working grid through the split and the alignment.

- ``points near a region``, ``regions near a point``: shares within 15, 30 and 60 px
- ``at random``: the same shares when every region is put, as it is, at a random place; what falls on ground
  that was not analysed is cut off, at most half of it: mean, 5th and 95th percentile of the draws, and the
  share of draws that come as high as what was measured
- ``points on analysed ground``: the squares themselves are drawn, and so are not compared
- ``changed ground``: share of the analysed ground that is in a region: within 30 px of a point, as near to
  other graphics (lines, words) and no point within 60 px, and elsewhere. What only graphics made would lie
  beside both alike
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

import _pairs
import _runs
import cv2
import numpy as np
from scipy import signal

from damagediff import cut, settings, splitting, types
from damagediff.align_points import Model

FOLDER, PICTURE, POINTS = "unosat_bentjbail", "composite.jpg", "points.json"
NEAR_PX = (15, 30, 60)
SQUARE_PX = 15
"""From the centre of a square to the ground beside it that is analysed."""
KINDS = {"visible change": (types.STRUCTURAL_CHANGE,), "any change": (1, 2)}
SETTINGS = settings.Settings(workers=1, trust=settings.TrustSettings(selftest=False))


class Shape(NamedTuple):
    """One region: its pixels relative to the corner of its box."""

    corner_rc: tuple[int, int]
    mask: np.ndarray


def main() -> int:
    """Run, print, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of pairs")
    parser.add_argument("--draws", type=int, default=200, help="times that the regions are thrown")
    parser.add_argument("--seed", type=int, default=6)
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    args = parser.parse_args()
    picture, points = (args.data / FOLDER / name for name in (PICTURE, POINTS))
    for path in (picture, points):
        if not path.is_file():
            print(f"no {path.name} in {args.data / FOLDER}: --data must name a folder that holds it")
            return 2
    case = types.Case(types.Source(picture), types.Source(picture))
    case = splitting.cut_case(case, cut.Wish(), SETTINGS)
    run = _runs.compare_case(case, SETTINGS)
    if run is None:
        print("the panels were found, and their alignment refused")
        return 1
    figures = {
        "panels": {side: cut.xywh(getattr(case, side).crop) for side in ("before", "after")},
        **measured(run.mask, on_grid(run, case, read_points(points)), args),
    }
    print(json.dumps(figures, indent=1))
    _pairs.write_json(args.out, {**figures, "seed": args.seed, **_pairs.about([picture, points])})
    return 0


def read_points(path: Path) -> np.ndarray:
    """(N, 2) row and column on the whole page."""
    meta = json.loads((path.parent / "meta.json").read_text())
    left, top = meta["panels"]["after"][:2]
    return np.array(json.loads(path.read_text())["points_xy"])[:, ::-1] + [top, left]


def on_grid(run: _runs.Run, case: types.Case, page_rc: np.ndarray) -> np.ndarray:
    """(N, 2) working-grid pixels of places on the page: the alignment the other way round, by iteration."""
    alignment, crop = run.found.alignment, case.after.crop
    model = Model(alignment.model, alignment.moving_from_reference, alignment.local)
    moving = page_rc - [crop.row, crop.col]
    at = moving.copy()
    for _ in range(30):
        at = at + moving - model.moving_from_grid(at)
    assert np.abs(model.moving_from_grid(at) - moving).max() < 0.1
    return at


def measured(codes: np.ndarray, at: np.ndarray, args: argparse.Namespace) -> dict[str, Any]:
    """Both shares at every distance, measured and at random, for visible and for any change.

    `codes` is change_mask.tif, `at` (N, 2) row and column of the points on its grid.
    """
    usable = codes != types.NOT_ANALYSED
    rows, cols = usable.shape
    inside = at[((at > -0.5) & (at < [rows - 0.5, cols - 0.5])).all(1)]
    pixels = np.round(inside).astype(int)
    from_point = distance(pixels_as_mask(pixels, usable.shape))
    out: dict[str, Any] = {
        "points": len(at),
        "points on the grid": len(inside),
        "points on analysed ground": round(float(usable[tuple(pixels.T)].mean()), 3),
        "analysed": round(float(usable.mean()), 3),
        "analysed ground near a point": {
            f"{px} px": round(float((from_point <= px)[usable].mean()), 3) for px in NEAR_PX
        },
    }
    for name, kinds in KINDS.items():
        shapes = regions(np.isin(codes, kinds))
        rng = np.random.default_rng(args.seed)
        places = [allowed(usable, shape.mask) for shape in shapes]
        thrown = [shares(throw(shapes, places, usable, rng), pixels, from_point) for _ in range(args.draws)]
        changed = ground(np.isin(codes, kinds), usable, from_point)
        out[name] = {
            "regions": len(shapes),
            "changed ground": changed,
            **beside(shares(shapes, pixels, from_point), np.array(thrown)),
        }
    return out


def beside(found: np.ndarray, thrown: np.ndarray) -> dict[str, Any]:
    """(distance, 2) shares measured beside (draws, distance, 2) shares at random, in words."""
    out: dict[str, Any] = {}
    for k, what in enumerate(("points near a region", "regions near a point")):
        out[what] = {
            f"{px} px": {
                "measured": round(float(found[d, k]), 3),
                "at random": round(float(thrown[:, d, k].mean()), 3),
                "5 to 95 %": [round(float(v), 3) for v in np.percentile(thrown[:, d, k], (5, 95))],
                "draws as high": round(float((thrown[:, d, k] >= found[d, k]).mean()), 3),
            }
            for d, px in enumerate(NEAR_PX)
        }
    return out


def regions(mask: np.ndarray) -> list[Shape]:
    """The 8-connected parts of a mask."""
    count, label, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    found = []
    for k in range(1, count):
        left, top, cols, rows, _ = stats[k]
        found.append(Shape((int(top), int(left)), label[top : top + rows, left : left + cols] == k))
    return found


def allowed(usable: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """(N, 2) corners at which at least half of a shape lies on analysed ground."""
    count = signal.fftconvolve(usable.astype(np.float32), shape[::-1, ::-1].astype(np.float32), "valid")
    return np.argwhere(count > shape.sum() / 2 - 0.5)


def throw(
    shapes: list[Shape], places: list[np.ndarray], usable: np.ndarray, rng: np.random.Generator
) -> list[Shape]:
    """Every shape at one of its places, without what was not analysed; they may fall on one another."""
    thrown = []
    for shape, where in zip(shapes, places, strict=True):
        row, col = map(int, where[rng.integers(len(where))])
        rows, cols = shape.mask.shape
        thrown.append(Shape((row, col), shape.mask & usable[row : row + rows, col : col + cols]))
    return thrown


def ground(changed: np.ndarray, usable: np.ndarray, from_point: np.ndarray) -> dict[str, float]:
    """Share of analysed ground that changed: beside points, beside other graphics, elsewhere."""
    near, far = NEAR_PX[1], NEAR_PX[2]
    beside_any = distance(~usable) <= near - SQUARE_PX
    places = {
        "beside points": from_point <= near,
        "beside other graphics": beside_any & (from_point > far),
        "elsewhere": ~beside_any & (from_point > far),
    }
    return {name: round(float(changed[usable & where].mean()), 3) for name, where in places.items()}


def shares(shapes: list[Shape], points: np.ndarray, from_point: np.ndarray) -> np.ndarray:
    """(distance, 2): share of points near a region, share of regions near a point."""
    mask = np.zeros(from_point.shape, bool)
    nearest = []
    for (row, col), shape in shapes:
        part = np.s_[row : row + shape.shape[0], col : col + shape.shape[1]]
        mask[part] |= shape
        nearest.append(from_point[part][shape].min())
    from_region = distance(mask)[tuple(points.T)]
    near = np.array(NEAR_PX)[:, None]
    return np.stack([(from_region <= near).mean(1), (np.array(nearest) <= near).mean(1)], 1)


def distance(mask: np.ndarray) -> np.ndarray:
    """(rows, cols) px to the nearest True."""
    return np.asarray(cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE))


def pixels_as_mask(pixels: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """True at (N, 2) row and column."""
    mask = np.zeros(shape, bool)
    mask[tuple(pixels.T)] = True
    return mask


if __name__ == "__main__":
    sys.exit(main())

"""What another sun and another view angle cost, in invented towns where nothing changed but them.

python benchmarks/card_sun_and_view.py [--out FILE.json]

Needs no data. Each step takes the same towns again with the sun moved, or seen from further off the vertical.
Any region is false. Also whether the shadow direction of each picture is found, and how far off it is.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import _pairs
import _runs
import numpy as np

from damagediff import camera, relief, shadows, sun, town, types

SEEDS, SIDE_PX, GSD_M, CELLS = (41, 42), 700, 0.5, 2
FIRST = camera.View(sun_azimuth_deg=150, sun_elevation_deg=50, off_nadir_deg=5, lean_azimuth_deg=280)
STEPS: dict[str, camera.View] = {
    "the same": FIRST,
    **{f"sun {d:g} degrees lower": replace(FIRST, sun_elevation_deg=50 - d) for d in (10, 15, 20, 30)},
    **{f"sun from {d:g} degrees further": replace(FIRST, sun_azimuth_deg=150 + d) for d in (20, 40, 60, 90)},
    **{f"{d:g} degrees further off": replace(FIRST, off_nadir_deg=5 + d) for d in (5, 10, 15, 20, 30)},
}


def main() -> int:
    """Run, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    args = parser.parse_args()
    surfaces = [surface(seed) for seed in SEEDS]
    befores = [picture(s, FIRST, 1) for s in surfaces]
    table = []
    for name, view in STEPS.items():
        rows = [step(before, picture(s, view, 2)) for s, before in zip(surfaces, befores, strict=True)]
        off = [off_deg(picture(s, view, 2), view) for s in surfaces]
        table.append({"step": name, **together(rows), "shadows_off_deg": off})
        print(table[-1], flush=True)
    _pairs.write_json(args.out, {"steps": table, **_pairs.about([])})
    return 0


def surface(seed: int) -> Any:
    """One town on cells finer than the pixels."""
    size = SIDE_PX + 30
    return relief.surface(town.town(np.random.default_rng(seed), (size, size), GSD_M), GSD_M / CELLS)


def picture(of: Any, view: camera.View, seed: int) -> np.ndarray:
    """(3, rows, cols) uint8."""
    # never the same lattice twice: what lies at the same pixels of both is taken for drawn over
    at = 0.5 + CELLS * 4.3 * seed
    to_cells = np.array([[CELLS, 0, at], [0, CELLS, at], [0, 0, 1.0]])
    radiance = camera.render(of, view)
    return camera.expose(radiance, to_cells, (SIDE_PX, SIDE_PX), view, np.random.default_rng(seed))


def step(before: np.ndarray, after: np.ndarray) -> dict[str, Any] | None:
    """One comparison; None when it was refused."""
    with tempfile.TemporaryDirectory() as name:
        files = [
            _pairs.write_png(Path(name) / f"{word}.png", data.transpose(1, 2, 0))
            for word, data in (("before", before), ("after", after))
        ]
        run = _runs.compare(*files)
    if run is None:
        return None
    share = float(np.isin(run.mask, (types.STRUCTURAL_CHANGE, types.OTHER_CHANGE)).mean())
    return {
        "comparability": round(run.found.change.comparability, 3),
        "structural": len(run.structural()),
        "any": len(run.found.regions),
        "mpx": run.analysed_mpx,
        "changed": share,
    }


def together(rows: list[dict[str, Any] | None]) -> dict[str, Any]:
    """The towns of one step as one row."""
    found = [row for row in rows if row is not None]
    mpx = sum(row["mpx"] for row in found) or 1.0
    return {
        "refused": len(rows) - len(found),
        "comparability": [row["comparability"] for row in found],
        "structural_per_mpx": round(sum(row["structural"] for row in found) / mpx, 1),
        "regions_per_mpx": round(sum(row["any"] for row in found) / mpx, 1),
        "changed_share": round(float(np.mean([row["changed"] for row in found])), 4) if found else None,
    }


def off_deg(data: np.ndarray, view: camera.View) -> float | None:
    """How far the measured shadow direction is from the true one; None where none stands out."""
    side, found = shadows.SIDE_PX, []
    for row in range(0, SIDE_PX - side + 1, side):
        for col in range(0, SIDE_PX - side + 1, side):
            piece = data[:, row : row + side, col : col + side].astype(np.float32)
            found.append(shadows.votes(piece, np.ones(piece.shape[1:], bool)))
    seen = shadows.direction([vote for vote in found if vote is not None])
    return None if seen is None else round(sun.apart_deg(seen.towards_deg, view.sun_azimuth_deg + 180), 1)


if __name__ == "__main__":
    sys.exit(main())

"""What does the change score cost, as a multiple of one Gaussian blur of the same picture?

python benchmarks/speed.py [--data DIR] [--side 2048] [--repeats 5] [--out FILE.json]

The unit G is one `cv2.GaussianBlur` (sigma 3, float32, one band) of the same picture on one core. Timed in
the same round, interleaved, medians: the measures by tiles of the shipped size with their halo, then
calibration and score (`score`); threshold, tiers, regions and outlines (`regions`); the measures again over
two threads. The picture is a synthetic town, seen twice, with rubble; --data is not used. Peak memory is
that of the process, less what it held before.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import _pairs
import cv2
import numpy as np

from damagediff import diff, regions, settings, synthetic, tiles, types

RGB = ("red", "green", "blue")
LEAN = types.Lean((0.6, 0.8), 24.0, 20.0)


def main() -> int:
    """Run, print a table, write JSON."""
    args = arguments()
    cv2.setNumThreads(1)
    figures = {}
    for bands, roles in ((1, ("grey",)), (3, RGB)):
        for lean in (None, LEAN):
            name = f"{bands} band{'s' * (bands > 1)}{', leaning' if lean else ''}"
            figures[name] = measured(pair(args.side, bands), roles, lean, args.repeats)
            print(name, figures[name], flush=True)
    _pairs.write_json(args.out, {"side_px": args.side, "figures": figures, **_pairs.about([])})
    return 0


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, help="not used: the picture is made here")
    parser.add_argument("--side", type=int, default=2048, help="of the picture, px")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    return parser.parse_args()


def pair(side: int, bands: int) -> tuple[np.ndarray, np.ndarray]:
    """Two pictures of one texture, (bands, side, side) uint8, a twentieth of the second replaced."""
    rng = np.random.default_rng(3)
    grey = synthetic.textured(rng, (side, side))
    before = np.stack([np.clip(grey * gain, 0, 255) for gain in (1, 0.95, 0.9)[:bands]]).astype(np.uint8)
    after = np.clip(before + rng.normal(0, 4, before.shape), 0, 255).astype(np.uint8)
    for _ in range(side * side // 20 // 48**2):
        row, col = rng.integers(0, side - 48, 2)
        after[:, row : row + 48, col : col + 48] = rng.integers(0, 255, (48, 48))
    return before, after


def measured(
    pictures: tuple[np.ndarray, np.ndarray], roles: tuple[str, ...], lean: types.Lean | None, repeats: int
) -> dict[str, Any]:
    """Medians over `repeats` rounds, in units of the blur."""
    shape = pictures[0].shape[1:]
    halo, options = diff.halo(lean), settings.Settings()
    padded = [np.pad(x, [(0, 0), (halo, halo), (halo, halo)], mode="reflect") for x in pictures]
    valid = np.ones(padded[0].shape[1:], bool)
    windows = tiles.plan(shape, options.tile_px)

    def tile(core: types.Window) -> tuple[types.Window, diff.Measures]:
        at = np.s_[
            ..., core.row : core.row + core.rows + 2 * halo, core.col : core.col + core.cols + 2 * halo
        ]
        return core, diff.measure(padded[0][at], padded[1][at], valid[at[1:]], roles, lean)

    def score() -> tuple[diff.Survey, diff.Calibration]:
        measures = diff.assemble(shape, map(tile, windows))
        scale = diff.calibrate(measures, [measures.whole()])
        diff.score(measures, scale)
        return measures, scale

    def on_two() -> None:
        with ThreadPoolExecutor(2) as pool:
            diff.assemble(shape, pool.map(tile, windows))

    measures, scale = score()
    grid = types.Grid(shape)
    plane = pictures[0][0].astype(np.float32)
    jobs: dict[str, Callable[[], Any]] = {
        "blur": lambda: cv2.GaussianBlur(plane, (0, 0), 3),
        "score": score,
        "measures": lambda: diff.assemble(shape, map(tile, windows)),
        "measures, two threads": on_two,
        "regions": lambda: regions.find(diff.change_map(measures, scale, grid, options), measures, grid),
    }
    seconds = interleaved(jobs, repeats)
    unit = seconds["blur"]
    found: dict[str, Any] = {name: round(s / unit, 1) for name, s in seconds.items() if name != "blur"}
    found["blur_ms_per_mpx"] = round(unit * 1e9 / (shape[0] * shape[1]), 2)
    found["two_threads_against_one"] = round(seconds["measures"] / seconds["measures, two threads"], 2)
    found["peak_mib"] = _pairs.peak_mib()
    return found


def interleaved(jobs: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Median seconds of each job; all run in every round."""
    taken: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(repeats):
        for name, job in jobs.items():
            start = time.perf_counter()
            job()
            taken[name].append(time.perf_counter() - start)
    return {name: float(np.median(values)) for name, values in taken.items()}


if __name__ == "__main__":
    sys.exit(main())

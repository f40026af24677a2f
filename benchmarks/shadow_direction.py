"""How often the direction of shadows is found, how far off it is, and how often a true time is contradicted.

python benchmarks/shadow_direction.py [--towns 10] [--data DIR] [--out FILE.json]

Invented towns under six suns each, from 15 to 72 degrees high and from any side, seen from 0 to 28 degrees
off the vertical; with --data also the pairs whose sun the provider told. A contradiction of the true time is
false. Times that are wrong by 45 and 90 degrees of the sun's azimuth are tried on the same pictures.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import _pairs
import numpy as np

from damagediff import camera, card, relief, shadows, sun, town

SIDE_PX, GSD_M, CELLS, SUNS = 880, 0.5, 2, 6
WRONG_BY_DEG = (-90, -45, 45, 90)


def main() -> int:
    """Run, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--towns", type=int, default=10, help="towns, of six pictures each")
    parser.add_argument("--data", type=Path, help="folder of pairs")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    args = parser.parse_args()
    sources = {"towns": towns(args.towns), "real": told(args.data) if args.data else iter(())}
    figures = {}
    for name, pictures in sources.items():
        rows = [(direction(rgb), azimuth) for rgb, azimuth in pictures]
        figures[name] = summary(rows)
        print(name, figures[name], flush=True)
    _pairs.write_json(args.out, {**figures, **_pairs.about([])})
    return 0


def towns(count: int) -> Iterator[tuple[np.ndarray, float]]:
    """(3, rows, cols) uint8 and the sun's azimuth."""
    for seed in range(count):
        rng = np.random.default_rng(900 + seed)
        made = relief.surface(town.town(rng, (SIDE_PX + 20, SIDE_PX + 20), GSD_M), GSD_M / CELLS)
        to_cells = np.array([[CELLS, 0, 0.5], [0, CELLS, 0.5], [0, 0, 1.0]])
        for _ in range(SUNS):
            azimuth, elevation = float(rng.uniform(0, 360)), float(rng.uniform(15, 72))
            view = camera.View(
                sun_azimuth_deg=azimuth,
                sun_elevation_deg=elevation,
                off_nadir_deg=float(rng.uniform(0, 28)),
                lean_azimuth_deg=float(rng.uniform(0, 360)),
                dryness=float(rng.uniform(0, 0.9)),
                haze=float(rng.uniform(0.02, 0.2)),
                blur_px=float(rng.uniform(0.55, 1.2)),
                noise=float(rng.uniform(0.005, 0.02)),
            )
            yield (
                camera.expose(camera.render(made, view), to_cells, (SIDE_PX, SIDE_PX), view, rng),
                azimuth,
            )


def told(data: Path) -> Iterator[tuple[np.ndarray, float]]:
    """Pictures whose provider told the sun's azimuth, taken as north-up."""
    for meta in sorted(data.glob("*/meta.json")):
        said: dict[str, Any] = json.loads(meta.read_text(encoding="utf-8"))
        for when, key in (("before", "xbd_pre_metadata"), ("after", "xbd_post_metadata")):
            if key in said:
                picture = _pairs.pixels(_pairs.file_of(meta.parent, when))[0]
                yield picture.transpose(2, 0, 1), float(said[key]["sun_azimuth"])


def direction(rgb: np.ndarray) -> float | None:
    """Where shadows fall, in degrees from the top of the picture; None where none stands out."""
    side, votes = shadows.SIDE_PX, []
    for row in range(0, rgb.shape[1] - side + 1, side):
        for col in range(0, rgb.shape[2] - side + 1, side):
            piece = rgb[:3, row : row + side, col : col + side].astype(np.float32)
            votes.append(shadows.votes(piece, piece.max(0) > 0))
    found = shadows.direction([vote for vote in votes if vote is not None])
    return None if found is None else found.towards_deg


def summary(rows: list[tuple[float | None, float]]) -> dict[str, Any]:
    """Found, errors, and what the card would answer at the true and at wrong times."""
    found = [(towards, azimuth) for towards, azimuth in rows if towards is not None]
    errors = [sun.apart_deg(towards, azimuth + 180) for towards, azimuth in found]
    wrong = [sun.apart_deg(t, a + 180 + by) for t, a in found for by in WRONG_BY_DEG]
    return {
        "pictures": len(rows),
        "found": len(found),
        "error_deg_median": round(float(np.median(errors)), 1) if errors else None,
        "error_deg_max": round(max(errors), 1) if errors else None,
        "true_time": {word: [card.answer(e) for e in errors].count(word) for word in card.ANSWERS},
        "wrong_time": {word: [card.answer(e) for e in wrong].count(word) for word in card.ANSWERS},
    }


if __name__ == "__main__":
    sys.exit(main())

"""Does the coarse search find turned, scaled and cut copies of a real after image?

python benchmarks/any_geometry.py --data DIR [--out FILE.json]

The after image of upright pairs of another season or sensor is turned by up to 170 degrees and scaled by
.4 to 2.5, or cut to 30 to 50 % of the ground. The result is held against the map of the untouched pair
carried through the same transform. All at the resolution of the coarse search.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import _pairs
import cv2
import numpy as np

from damagediff import align, align_fields, align_fit, align_judge, settings
from damagediff.align_fields import Plane

PAIRS = (
    "xbd_mexico-earthquake_00000186",
    "xbd_joplin-tornado_00000002",
    "turkey2023_hatay_ekinci_mahallesi",
    "levir_test_13",
)
CASES = ((0.4, 35, 1), (0.5, 100, 1), (2.0, -60, 1), (2.5, 20, 1), (1, 0, 0.3), (1, 45, 0.4), (0.7, 170, 0.5))
"""Scale, degrees, share of the ground that is left."""


def main() -> int:
    """Run, print, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of pairs")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    args = parser.parse_args()
    found = [folder for folder in _pairs.folders(args.data) if folder.name in PAIRS]
    if not _pairs.need_data(args.data, found):
        return 2
    rows = [row for folder in found for row in cases_of(folder)]
    for row in rows:
        print(row)
    right = [row for row in rows if row["accepted"]]
    worst = max((row["median_px"] for row in right), default=float("nan"))
    print(
        f"{len(right)} of {len(rows)} accepted, the worst of them {worst:.2f} px off (median over the frame)"
    )
    _pairs.write_json(args.out, {"rows": rows, **_pairs.about([_pairs.file_of(p, "after") for p in found])})
    return 0


def cases_of(folder: Path) -> list[dict[str, Any]]:
    """Each case of this pair, measured against its own plain alignment."""
    ref, mov = (plane(_pairs.file_of(folder, when)) for when in ("before", "after"))
    base = find(ref, mov).moving_from_reference
    return [{"pair": folder.name, **one(ref, mov, base, case)} for case in CASES]


def plane(path: Path) -> Plane:
    """A picture as a grey plane, valid everywhere."""
    from PIL import Image

    with Image.open(path) as picture:
        grey = np.asarray(picture.convert("RGB"), np.float32).mean(2)
    return Plane(grey, np.ones(grey.shape, bool))


def find(ref: Plane, mov: Plane) -> align.Coarse:
    """The coarse search as a comparison asks it."""
    return align.find(ref, mov, settings.AlignSettings(), np.random.default_rng(0))


def one(ref: Plane, mov: Plane, base: np.ndarray, case: tuple[float, float, float]) -> dict[str, Any]:
    """Turn, scale and crop the after image by a known map, and ask for it."""
    scale, degrees, left = case
    turn, shape = transform(mov.shape, scale, degrees, left)
    coarse = find(ref, align_fields.warp(mov, np.linalg.inv(turn), shape))
    why = align_judge.refusal(coarse.evidence, settings.AlignSettings())
    rc = np.stack(np.meshgrid(*(np.linspace(0, n - 1, 20) for n in ref.shape), indexing="ij"), -1)
    truth = align_fit.apply(turn @ base, rc.reshape(-1, 2))
    shown = ((truth > 0) & (truth < np.array(shape))).all(1)
    apart = np.hypot(*(align_fit.apply(coarse.moving_from_reference, rc.reshape(-1, 2)) - truth)[shown].T)
    figures = {"accepted": why is None, "score": coarse.evidence.score}
    return (
        {"scale": scale, "degrees": degrees, "left": left}
        | figures
        | {"median_px": float(np.median(apart)) / scale}
    )


def transform(
    shape: tuple[int, int], scale: float, degrees: float, left: float
) -> tuple[np.ndarray, tuple[int, int]]:
    """New from old picture for (row, col, 1), and the new shape; what is left lies at the lower right."""
    angle, keep = np.deg2rad(degrees), float(np.sqrt(left))
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    turn = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1.0]])
    new = int(shape[0] * scale * keep), int(shape[1] * scale * keep)
    centre = np.array(shape) * (1 - keep / 2)
    turn[:2, 2] = np.array(new) / 2 - turn[:2, :2] @ centre
    return turn, new


if __name__ == "__main__":
    cv2.setNumThreads(1)
    sys.exit(main())

"""Does alignment answer alike when the same real pair is asked about in another way?

python benchmarks/consistency_real.py --data DIR [--only PATTERN,...] [--out FILE.json] [--pictures DIR]

For every folder of DIR with before.* and after.* (taken as plain pixels, without georeference):

- ``W``: align(before, after) gives A1, align(before, W(after)) gives A2, for a random similarity W with a
  rotation up to 3 degrees (``w3``) and up to 30 (``w30``), scale .9 to 1.1. W(after) is sampled once by
  cubic splines on a canvas that holds all of it, and what the canvas has beyond it is transparent. A2 must
  be W A1: the distance is given over the frame of BEFORE where A1 lands on AFTER, in px of AFTER.
- inverse: align(after, before) after align(before, after) must be the identity, in px of BEFORE.

Agreement does not prove that both are right, but disagreement proves that one is wrong. The pairs in
GEOREFERENCED are also aligned as they are, and that answer counts for them among the accepted: the pixels
of one are degrees, a quarter longer than wide, which without a georeference nothing can know.
``--pictures`` gets a checkerboard of every accepted pair.
"""

from __future__ import annotations

import argparse
import fnmatch
import math
import sys
import tempfile
from pathlib import Path
from typing import Any

import _pairs
import numpy as np
from scipy import ndimage

from damagediff import align_fit

SEED = 20230206
TURNS_DEG = {"w3": 3.0, "w30": 30.0}
SCALES = (0.9, 1.1)
GOALS = {"median": 0.3, "p90": 1.0, "max": 3.0, "inverse_median": 0.1, "accepted": 48}


def main() -> int:
    """Command line."""
    args = arguments()
    pairs = [p for p in _pairs.folders(args.data) if any(fnmatch.fnmatch(p.name, o) for o in args.only)]
    if not _pairs.need_data(args.data, pairs):
        return 2
    figures = {}
    for pair in pairs:
        with tempfile.TemporaryDirectory() as name:
            figures[pair.name] = one(pair, Path(name), args.pictures)
        print(row(pair.name, figures[pair.name]), flush=True)
    summary = summarise(figures)
    print_summary(summary)
    files = [_pairs.file_of(p, when) for p in pairs for when in ("before", "after")]
    _pairs.write_json(args.out, {"pairs": figures, "summary": summary, "goals": GOALS, **_pairs.about(files)})
    return 0


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of pairs")
    parser.add_argument(
        "--only", type=lambda text: text.split(","), default=["*"], help="names of pairs, with *"
    )
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    parser.add_argument(
        "--pictures", type=Path, help="write checkerboards of accepted pairs into this folder"
    )
    return parser.parse_args()


def one(pair: Path, folder: Path, pictures: Path | None) -> dict[str, Any]:
    """All questions about one pair."""
    before, after = _pairs.plain_copies([pair], folder)[pair.name]
    first = _pairs.align(before, after, picture=pictures and pictures / f"{pair.name}.png")
    figures: dict[str, Any] = {"right": answer(first)}
    if pair.name in _pairs.GEOREFERENCED:
        picture = pictures and pictures / f"{pair.name}_georeferenced.png"
        figures["georeferenced"] = answer(
            _pairs.align(_pairs.file_of(pair, "before"), _pairs.file_of(pair, "after"), picture=picture)
        )
    data, valid = _pairs.pixels(_pairs.file_of(pair, "after"))
    for name, degrees in TURNS_DEG.items():
        turn, shape = draw(pair.name, name, degrees, data.shape[:2])
        turned = _pairs.write_png(folder / f"{name}.png", *warped(data, valid, turn, shape))
        picture = pictures and pictures / f"{pair.name}_{name}.png"
        second = _pairs.align(before, turned, picture=picture)
        figures[name] = answer(second) | apart(first, second, turn)
    back = _pairs.align(after, before)
    figures["back"] = answer(back) | there_and_back(first, back)
    return figures


def answer(found: _pairs.Found) -> dict[str, Any]:
    """What alignment said, for the table and the JSON."""
    alignment = found.alignment
    return {
        "accepted": found.accepted,
        "reason": found.reason,
        "seconds": found.seconds,
        "model": alignment.model if alignment else "none",
        "model_reason": alignment.model_reason if alignment else "",
        "tie_points": sum(role != "rejected" for role in alignment.tie_points.role) if alignment else 0,
        "ce90_px": alignment.ce90_px if alignment else None,
        **found.evidence(),
    }


def draw(pair: str, name: str, degrees: float, shape: tuple[int, int]) -> tuple[np.ndarray, tuple[int, int]]:
    """W in (row, col, 1) of AFTER, the same for a pair whichever others run; and the canvas that holds it."""
    rng = np.random.default_rng([SEED, len(name), *pair.encode()])
    angle, scale = math.radians(rng.uniform(-degrees, degrees)), rng.uniform(*SCALES)
    c, s = math.cos(angle) * scale, math.sin(angle) * scale
    linear = np.array([[c, -s], [s, c]])
    corners = _pairs.lattice(shape, 2) @ linear.T
    margin = rng.uniform(2, 2 + 0.04 * max(shape), 2)
    turn = np.eye(3)
    turn[:2, :2] = linear
    turn[:2, 2] = margin - corners.min(0)
    rows, cols = np.ceil(np.ptp(corners, axis=0) + margin + 3).astype(int)
    return turn, (int(rows), int(cols))


def warped(
    data: np.ndarray, valid: np.ndarray, turn: np.ndarray, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """W(picture) and its validity, on a canvas of `shape`."""
    at = align_fit.apply(np.linalg.inv(turn), np.stack(np.mgrid[: shape[0], : shape[1]], -1))
    at = np.moveaxis(at, -1, 0)
    bands = [
        ndimage.map_coordinates(data[..., k].astype(np.float32), at, order=3, mode="mirror")
        for k in range(data.shape[2])
    ]
    share = ndimage.map_coordinates(valid.astype(np.float32), at, order=1, mode="constant", cval=0)
    known = share > 0.999
    pulled = np.clip(np.round(np.stack(bands, -1)), 0, 255).astype(np.uint8)
    return np.where(known[..., None], pulled, 0).astype(np.uint8), known


def apart(first: _pairs.Found, second: _pairs.Found, turn: np.ndarray) -> dict[str, Any]:
    """How far A2 is from W A1, over the frame; nothing when either was not even opened."""
    if first.model is None or second.model is None:
        return {}
    rc = _pairs.lattice(first.shape, 49)
    a1 = first.after_from_grid(rc)
    shown = _pairs.inside(a1, first.after.image.shape)
    if not shown.any():
        return {}
    off = second.after_from_grid(rc[shown]) - align_fit.apply(turn, a1[shown])
    distance = np.hypot(*off.T) / align_fit.scale_of(turn)
    return {"apart_px": _pairs.spread(distance), "both_accepted": first.accepted and second.accepted}


def there_and_back(first: _pairs.Found, back: _pairs.Found) -> dict[str, Any]:
    """How far A_ba A_ab is from the identity, over the frame."""
    if first.model is None or back.model is None:
        return {}
    rc = _pairs.lattice(first.shape, 49)
    there = first.after_from_grid(rc)
    shown = _pairs.inside(there, first.after.image.shape)
    if not shown.any():
        return {}
    distance = np.hypot(*(back.after_from_grid(there[shown]) - rc[shown]).T)
    return {"apart_px": _pairs.spread(distance), "both_accepted": first.accepted and back.accepted}


def row(name: str, figures: dict[str, Any]) -> str:
    """One pair as a line."""
    right = figures["right"]
    state = "accepted" if right["accepted"] else "refused "
    parts = [f"{name:36s} {state} {right['model']:11s} score {right.get('score', 0):6.1f}"]
    for key in (*TURNS_DEG, "back"):
        other = figures[key]
        if other.get("both_accepted"):
            parts.append(
                f"{key} {other['model']} {other['apart_px']['median']:.2f}/{other['apart_px']['p90']:.2f}"
            )
        else:
            parts.append(f"{key} {'accepted alone' if other['accepted'] else 'refused'}")
    if "georeferenced" in figures:
        parts.append("georeferenced " + ("accepted" if figures["georeferenced"]["accepted"] else "REFUSED"))
    seconds = [figures[k]["seconds"] for k in ("right", *TURNS_DEG, "back")]
    return ", ".join(parts) + f", {'/'.join(f'{s:.1f}' for s in seconds)} s"


def summarise(figures: dict[str, Any]) -> dict[str, Any]:
    """Each pair has a median, a 90 % and a largest distance; these are spread over the accepted pairs."""
    summary: dict[str, Any] = {
        "pairs": len(figures),
        "accepted": sum(as_given(f)["accepted"] for f in figures.values()),
        "accepted_plain": sum(f["right"]["accepted"] for f in figures.values()),
        "refused": {n: as_given(f)["reason"] for n, f in figures.items() if not as_given(f)["accepted"]},
        "georeferenced_accepted": {
            n: f["georeferenced"]["accepted"] for n, f in figures.items() if "georeferenced" in f
        },
        "seconds": _pairs.spread([f["right"]["seconds"] for f in figures.values()]),
    }
    for key in (*TURNS_DEG, "back"):
        both = {n: f[key]["apart_px"] for n, f in figures.items() if f[key].get("both_accepted")}
        summary[key] = {
            "pairs": len(both),
            "of_pair_medians": _pairs.spread([d["median"] for d in both.values()]),
            "of_pair_p90s": _pairs.spread([d["p90"] for d in both.values()]),
            "of_pair_maxima": _pairs.spread([d["max"] for d in both.values()]),
            "median_over_3_px": [n for n, d in both.items() if d["median"] > GOALS["max"]],
        }
    return summary


def as_given(figures: dict[str, Any]) -> dict[str, Any]:
    """The answer for the files as they are."""
    return figures.get("georeferenced", figures["right"])


def print_summary(summary: dict[str, Any]) -> None:
    """Accepted pairs, and how far known turns and the way back disagree."""
    print(
        f"\naccepted {summary['accepted']} of {summary['pairs']} (goal {GOALS['accepted']} of 60), "
        f"as plain pixels {summary['accepted_plain']}"
    )
    print(f"georeferenced as they are: {summary['georeferenced_accepted']}")
    print(
        "distance, px: median/p90/max over pairs of each pair's median, then of its 90 %, then of its largest"
    )
    for key in (*TURNS_DEG, "back"):
        line = summary[key]
        shown = [
            "/".join(f"{v:.2f}" for v in line[k].values())
            for k in ("of_pair_medians", "of_pair_p90s", "of_pair_maxima")
        ]
        print(
            f"  {key:4s} {line['pairs']:2d} pairs: {'   '.join(shown)}   "
            f"median over 3 px: {line['median_over_3_px']}"
        )
    print(f"goals: W {GOALS['median']}/{GOALS['p90']}/{GOALS['max']}, back {GOALS['inverse_median']}")
    for name, why in summary["refused"].items():
        print(f"refused {name}: {why}")


if __name__ == "__main__":
    sys.exit(main())

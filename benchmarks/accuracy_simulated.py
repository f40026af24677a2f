"""How far is the alignment from the truth, over the whole frame, on pairs whose truth is known?

python benchmarks/accuracy_simulated.py --data DIR [--sizes 1024,2048,4096,8192,16384] [--repeats N]
    [--variants georeferenced,plain,turned] [--workers N] [--out FILE.json]

The texture is real: large pictures of DIR (SOURCES). No picture is repeated like a mosaic: the scene is a
quilt of patches of random size (240 to 380 px), each from a random place of a random picture, turned by any
angle, flipped or not, scaled .85 to 1.2, with seams feathered over 48 px and nowhere on a lattice. Where the
quilt is larger than all pictures together the same place may come again, at another angle and scale.

BEFORE is the scene, with noise and JPEG. AFTER is the scene pulled through p = A^-1 q + r(q): A is a
similarity with shear, r a smooth field of three waves a component, half a frame long or longer, at most
1.5 px. It is sampled once by cubic splines; 2 to 30 % is replaced by patches of other content; then gain,
gamma, a gradient of illumination, noise, JPEG. The truth is that map itself, inverted to 1e-9 px.

``georeferenced``: two GeoTIFFs whose georeference is wrong by a shift up to 40 px, 3 degrees, 3 % and some
shear. ``plain``: the same as PNG. ``turned``: PNG, any angle, scale .8 to 1.25. PNG to 4096 px only.

The figure is the end-point error in px of AFTER on 200 x 200 points over the frame of BEFORE whose place
lies on AFTER: of the final model, accepted or not; the summary takes the accepted ones. Each pair is aligned
in a process of its own, whose peak memory is given.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import _pairs
import numpy as np
from _simulated import (
    GOALS,
    MIN_SOURCE_PX,
    PNG_MAX_PX,
    SEED,
    SOURCES,
    VARIANTS,
    Truth,
    draw_look,
    draw_truth,
    make_pair,
    texture,
)

from damagediff import settings


def main() -> int:
    """Command line."""
    args = arguments()
    found = [p for pattern in SOURCES for p in sorted(args.data.glob(pattern)) if p.is_dir()]
    if not _pairs.need_data(args.data, found):
        return 2
    files = [_pairs.file_of(p, when) for p in found for when in ("before", "after")]
    sources = [s for s in map(texture, files) if min(s.shape[:2]) >= MIN_SOURCE_PX]
    print(f"texture: {len(sources)} pictures, {sum(s[..., 0].size for s in sources) / 1e6:.0f} Mpx")
    cases = []
    for size in args.sizes:
        for variant in args.variants:
            for repeat in range(args.repeats if variant == "georeferenced" or size <= PNG_MAX_PX else 0):
                cases.append(one(sources, size, variant, repeat, args.workers))
                print(row(cases[-1]), flush=True)
    summary = [summarise(size, variant, cases) for size in args.sizes for variant in args.variants]
    summary = [line for line in summary if line]
    print_summary(summary)
    _pairs.write_json(args.out, {"cases": cases, "summary": summary, "goals": GOALS, **_pairs.about(files)})
    return 0


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of pairs")
    parser.add_argument("--sizes", type=numbers, default=numbers("1024,2048,4096,8192,16384"))
    parser.add_argument("--repeats", type=int, default=4, help="pairs of each size and variant")
    parser.add_argument("--variants", type=names, default=list(VARIANTS))
    parser.add_argument("--workers", type=int, default=0, help="threads of the alignment; 0: all cores")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    return parser.parse_args()


def numbers(text: str) -> list[int]:
    """Whole numbers between commas."""
    return [int(part) for part in text.split(",")]


def names(text: str) -> list[str]:
    """Known variants between commas."""
    unknown = set(text.split(",")) - set(VARIANTS)
    if unknown:
        raise argparse.ArgumentTypeError(f"no variant {', '.join(sorted(unknown))}")
    return text.split(",")


def one(sources: list[np.ndarray], size: int, variant: str, repeat: int, workers: int) -> dict[str, Any]:
    """Make one pair, align it in a process of its own, and hold it against the truth."""
    rng = np.random.default_rng([SEED, size, list(VARIANTS).index(variant), repeat])
    truth, look = draw_truth(rng, size, variant), draw_look(rng)
    with tempfile.TemporaryDirectory() as name:
        before, after, changed = make_pair(sources, size, variant, (truth, look), rng, Path(name))
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as child:
            figures = child.submit(measure, before, after, truth, workers).result()
    return {"size": size, "variant": variant, "repeat": repeat, "changed_share": changed, **figures}


def measure(before: Path, after: Path, truth: Truth, workers: int) -> dict[str, Any]:
    """Align, and hold the model and its tie points against the truth. Runs in a process of its own."""
    empty = _pairs.peak_mib()
    found = _pairs.align(before, after, settings.Settings(workers=workers))
    peak = _pairs.peak_mib()
    figures = {
        "accepted": found.accepted,
        "reason": found.reason,
        "seconds": found.seconds,
        "register_seconds": found.register_seconds,
        "peak_mib": peak,
        "peak_mib_before": empty,
        **found.evidence(),
    }
    if found.model is None:
        return figures
    grid_rc = _pairs.lattice(found.shape, 200)
    error, where = errors(found, truth, grid_rc)
    if not len(error):
        return figures
    size = np.hypot(*error.T)
    inner = (np.abs(where / (np.array(found.shape) - 1) - 0.5) < 0.4).all(-1)
    figures |= {
        "model": found.alignment.model,
        "model_reason": found.alignment.model_reason,
        "epe_mean": float(size.mean()),
        "epe_p95": float(np.percentile(size, 95)),
        "epe_max": float(size.max()),
        "epe_mean_inner": float(size[inner].mean()),
        "epe_max_inner": float(size[inner].max()),
        "bias_rc": error.mean(0).tolist(),
        "ce90_px_reported": found.alignment.ce90_px,
    }
    return figures | tie_points(found, truth)


def errors(found: _pairs.Found, truth: Truth, grid_rc: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, 2) found less true place in AFTER, and where on the grid, of the points that AFTER shows."""
    right = truth.after_at(found.before_from_grid(grid_rc))
    shown = _pairs.inside(right, found.after.image.shape)
    return (found.after_from_grid(grid_rc) - right)[shown], grid_rc[shown]


def tie_points(found: _pairs.Found, truth: Truth) -> dict[str, Any]:
    """How wrong the single tie points are: what the fit had to work with."""
    points = found.alignment.tie_points
    if not len(points.quality):
        return {}
    right = truth.after_at(found.before_from_grid(points.reference_rc))
    given = found.after.placement.file_from_frame(points.reference_rc + points.displacement_rc)
    wrong, size = given - right, np.hypot(*(given - right).T)
    kept = np.array([role != "rejected" for role in points.role])
    return {
        "tie_points": int(kept.sum()),
        "tie_points_rejected": int((~kept).sum()),
        "windows_unused": found.alignment.windows_unused,
        "tie_error_median": float(np.median(size[kept])),
        "tie_error_p95": float(np.percentile(size[kept], 95)),
        "tie_error_over_1_px": float((size[kept] > 1).mean()),
        "tie_bias_rc": np.median(wrong[kept], axis=0).tolist(),
    }


def row(case: dict[str, Any]) -> str:
    """One pair as a line."""
    start = f"{case['size']:6d} {case['variant']:13s} #{case['repeat']} changed {case['changed_share']:.2f} "
    state = "accepted" if case["accepted"] else "REFUSED "
    if "epe_mean" not in case:
        return f"{start}{state} {case['reason']}"
    return (
        f"{start}{state} {case['model']:11s} EPE "
        f"{case['epe_mean']:.3f}/{case['epe_p95']:.3f}/{case['epe_max']:.3f}"
        f" (inner {case['epe_mean_inner']:.3f}/{case['epe_max_inner']:.3f}),"
        f" {case.get('tie_points', 0)} tie points off by {case.get('tie_error_median', math.nan):.3f}/"
        f"{case.get('tie_error_p95', math.nan):.3f}, score {case['score']:.0f}, "
        f"{case['seconds']:.1f} s (register {case['register_seconds']:.1f}), {case['peak_mib'] or 0:.0f} MiB"
    )


def summarise(size: int, variant: str, cases: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians and worst over the pairs of one size and variant; empty when there are none."""
    these = [c for c in cases if c["size"] == size and c["variant"] == variant]
    good = [c for c in these if c["accepted"]]
    if not these:
        return {}
    keys = ("epe_mean", "epe_p95", "epe_max")
    goal = GOALS["large" if size >= 4096 else "small"]
    median = [float(np.median([c[k] for c in good])) for k in keys] if good else None
    worst = [float(max(c[k] for c in good)) for k in keys] if good else None
    return {
        "size": size,
        "variant": variant,
        "pairs": len(these),
        "accepted": len(good),
        "accepted_wrong_over_3_px": sum(c["epe_p95"] > 3 for c in good),
        "epe_median_over_pairs": median,
        "epe_worst_pair": worst,
        "goal": goal,
        "reached": [m <= g for m, g in zip(median, goal, strict=True)] if median else None,
        "seconds_median": float(np.median([c["seconds"] for c in these])),
        "register_seconds_median": float(np.median([c["register_seconds"] for c in these])),
        "peak_mib_max": max(c["peak_mib"] or 0 for c in these),
    }


def print_summary(summary: list[dict[str, Any]]) -> None:
    """Errors by size and variant, the goal beside them."""
    print("\n  size variant       accepted  EPE mean/p95/max: median pair, [worst pair], (goal)      s  MiB")
    for line in summary:
        shown = [
            "/".join(f"{v:.3f}" for v in line[k] or []) for k in ("epe_median_over_pairs", "epe_worst_pair")
        ]
        goal = "/".join(f"{v:g}" for v in line["goal"])
        print(
            f"{line['size']:6d} {line['variant']:13s} {line['accepted']:3d} of {line['pairs']:<3d} "
            f"{shown[0]} [{shown[1]}] ({goal}) {line['seconds_median']:.1f} {line['peak_mib_max']:.0f}"
        )


if __name__ == "__main__":
    sys.exit(main())

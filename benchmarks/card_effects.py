"""What each quality on the comparability card costs: one image of a pair made worse, step by step.

python benchmarks/card_effects.py --data DIR [--out FILE.json]

The after image of pairs is blurred, compressed, veiled, over-exposed or made coarser. Into two cities where
little was destroyed, real rubble is planted first on labelled intact buildings; of a destroyed town, people's
labels tell intact from destroyed. For each step: what the card measures, comparability, planted buildings
found, structural regions elsewhere, and AUC of labelled buildings by their median score.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import _pairs
import _runs
import cv2
import numpy as np
import planted
from PIL import Image as PillowImage

from damagediff import types

CITIES = ("xbd_mexico-earthquake_00000059", "xbd_mexico-earthquake_00000085")
TOWN = "xbd_joplin-tornado_00000000"
VEIL_GREY = 200.0
SHOWN = ("sharpness", "JPEG quality", "JPEG blocks", "haze", "clipped pixels", "resolution")

Picture = np.ndarray
"""(rows, cols, 3) uint8."""


def main() -> int:
    """Run, print a table, write JSON."""
    args = arguments()
    hosts = [args.data / name for name in (*CITIES, TOWN)]
    if not _pairs.need_data(args.data, all(host.is_dir() for host in hosts)):
        return 2
    rng = np.random.default_rng(11)
    rubble = planted.cut_rubble(args.data / TOWN)
    cases = [case for host in hosts if (case := prepare(host, rubble, rng)) is not None]
    table = []
    for name, worse in STEPS.items():
        row = {"step": name, **together([run(case, worse) for case in cases])}
        table.append(row)
        print(row, flush=True)
    files = [_pairs.file_of(host, when) for host in hosts for when in ("before", "after")]
    _pairs.write_json(args.out, {"steps": table, **_pairs.about(files)})
    return 0


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of pairs")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    return parser.parse_args()


def prepare(host: Path, rubble: list[np.ndarray], rng: np.random.Generator) -> dict[str, Any] | None:
    """One pair as pictures, with what is planted in it or labelled."""
    plain = _runs.compare(_pairs.file_of(host, "before"), _pairs.file_of(host, "after"))
    if plain is None:
        return None
    labels = _runs.labelled(host / "damage.png")
    case: dict[str, Any] = {"before": planted.shown(plain.before), "labels": [], "shapes": []}
    if host.name == TOWN:
        return case | {"after": planted.shown(plain.after), "labels": labels}
    intact = [pixels for kind, pixels in labels if kind == _runs.INTACT]
    after, shapes = planted.plant(plain, "rubble", intact, rubble, rng)
    shapes = [mask for building, mask in shapes if building]
    old = cv2.dilate((plain.mask == types.STRUCTURAL_CHANGE).astype(np.uint8), np.ones((17, 17))) > 0
    return case | {"after": planted.shown(after), "shapes": shapes, "old": old}


def run(case: dict[str, Any], worse: Callable[[Picture], tuple[Picture, str]]) -> dict[str, Any]:
    """One pair with its after image made worse."""
    with tempfile.TemporaryDirectory() as name:
        before = _pairs.write_png(Path(name) / "before.png", case["before"])
        picture, ending = worse(case["after"])
        after = Path(name) / f"after.{ending}"
        if ending == "png":
            _pairs.write_png(after, picture)
        else:
            after.write_bytes(picture.tobytes())
        found = _runs.compare(before, after)
    if found is None:
        return {"refused": 1}
    measured = {c.name: c.measured for c in found.found.trust.checks if c.name in SHOWN}
    row: dict[str, Any] = {"measured": measured, "comparability": found.found.change.comparability}
    structural = found.mask == types.STRUCTURAL_CHANGE
    if case["shapes"]:
        row["recall"] = [bool(structural[mask].any()) for mask in case["shapes"]]
        count, labels = cv2.connectedComponents(structural.astype(np.uint8), connectivity=8)
        known = set(np.unique(labels[np.any(case["shapes"], 0) | case["old"]]))
        row["false"], row["mpx"] = len(set(range(1, count)) - known), found.analysed_mpx
    if case["labels"]:
        row["auc"] = auc(found.score, case["labels"])
    return row


def auc(score: np.ndarray, labels: list[tuple[int, np.ndarray]]) -> float:
    """How surely a destroyed building scores above an intact one."""
    medians = {kind: [] for kind in (_runs.INTACT, _runs.DESTROYED)}
    for kind, pixels in labels:
        values = score.ravel()[pixels]
        if kind in medians and np.isfinite(values).mean() > 0.5:
            medians[kind].append(float(np.nanmedian(values)))
    low, high = (np.array(medians[kind]) for kind in (_runs.INTACT, _runs.DESTROYED))
    above = (high[:, None] > low).mean() + 0.5 * (high[:, None] == low).mean()
    return float(above)


def together(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The pairs of one step as one row."""
    found = [row for row in rows if "refused" not in row]
    recall = [hit for row in found for hit in row.get("recall", ())]
    mpx = sum(row.get("mpx", 0.0) for row in found)
    return {
        "refused": len(rows) - len(found),
        "comparability": [round(row["comparability"], 3) for row in found],
        "recall": f"{sum(recall)} of {len(recall)}",
        "false_per_mpx": round(sum(row.get("false", 0) for row in found) / mpx, 1) if mpx else None,
        "auc": next((round(row["auc"], 3) for row in found if "auc" in row), None),
        "measured": {name: [row["measured"][name] for row in found] for name in SHOWN},
    }


def blurred(picture: Picture, sigma: float) -> tuple[Picture, str]:
    """Softer."""
    return cv2.GaussianBlur(picture, (0, 0), sigma), "png"


def compressed(picture: Picture, quality: int) -> tuple[Picture, str]:
    """The bytes of a JPEG file."""
    target = io.BytesIO()
    PillowImage.fromarray(picture).save(target, "JPEG", quality=quality)
    return np.frombuffer(target.getvalue(), np.uint8), "jpg"


def veiled(picture: Picture, share: float) -> tuple[Picture, str]:
    """Behind even haze."""
    return np.rint(picture * (1 - share) + VEIL_GREY * share).astype(np.uint8), "png"


def over_exposed(picture: Picture, gain: float) -> tuple[Picture, str]:
    """Brighter, and cut at white."""
    return np.clip(np.rint(picture * gain), 0, 255).astype(np.uint8), "png"


def coarser(picture: Picture, factor: float) -> tuple[Picture, str]:
    """Fewer, larger pixels."""
    size = round(picture.shape[1] / factor), round(picture.shape[0] / factor)
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA), "png"


STEPS: dict[str, Callable[[Picture], tuple[Picture, str]]] = {
    "as it is": lambda p: (p, "png"),
    **{f"blur {s:g} px": lambda p, s=s: blurred(p, s) for s in (0.5, 1.0, 1.5, 2.0, 3.0)},
    **{f"JPEG quality {q}": lambda p, q=q: compressed(p, q) for q in (75, 50, 30, 15, 8)},
    **{f"haze {h:g}": lambda p, h=h: veiled(p, h) for h in (0.2, 0.4, 0.6, 0.8)},
    **{f"gain {g:g}": lambda p, g=g: over_exposed(p, g) for g in (1.5, 2.0, 3.0)},
    **{f"pixels {f:g} times": lambda p, f=f: coarser(p, f) for f in (1.5, 2.0, 3.0)},
}


if __name__ == "__main__":
    sys.exit(main())

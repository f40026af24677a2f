"""How small may damage be and still be found? Damage of known place, kind and size in real pairs.

python benchmarks/planted.py --data DIR [--repeats 3] [--out FILE.json]

Into the after image of pairs in which nothing or little was destroyed, on places that the tool calls
unchanged:

- ``rubble``: real rubble, cut from destroyed buildings of the Joplin scenes' after images, with the
  brightness and contrast of its new surroundings and its own hue; on labelled intact buildings it takes
  exactly the building, else a turned rectangle of 4 to 64 px
- ``roof loss``: the inside of the shape dark and rough, its walls left standing
- ``crater``: a dark bowl with a bright rim and ejecta
- ``burn``: darkened to a third, with a soft edge

A planted place is found when a region touches it: a structural one, or any. Precision: of the structural
regions that were not there without planting, those that touch a planted place.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import _pairs
import _runs
import cv2
import numpy as np

from damagediff import types

HOSTS = (
    "xbd_mexico-earthquake_00000059",
    "xbd_mexico-earthquake_00000085",
    "xbd_mexico-earthquake_00000181",
    "xbd_mexico-earthquake_00000186",
    "xbd_joplin-tornado_00000002",
    "joplin_mosaic",
    "iran_isfahan_powerplant",
)
QUARRIES = ("xbd_joplin-tornado_00000000", "xbd_joplin-tornado_00000002")
KINDS = ("rubble", "roof loss", "crater", "burn")
SIZES_PX = (4, 8, 12, 16, 24, 32, 48, 64)
BINS_PX = (0, 10, 20, 28, 40, 64, 1000)
MOST_SHARE = 0.03
"""Of a picture that is planted at once: more would be another scene."""
CLEAR_PX = 24


def main() -> int:
    """Run, print a table, write JSON."""
    args = arguments()
    hosts = [args.data / n for n in HOSTS if (args.data / n).is_dir()]
    quarries = [args.data / n for n in QUARRIES if (args.data / n).is_dir()]
    if not _pairs.need_data(args.data, hosts and quarries):
        return 2
    rng = np.random.default_rng(7)
    rubble = [stone for quarry in quarries for stone in cut_rubble(quarry)]
    planted, regions = [], []
    for host in hosts:
        for row, counts in in_host(host, rubble, args.repeats, rng):
            planted += row
            regions.append(counts)
        print(f"{host.name}: {len(planted)} planted so far", flush=True)
    figures = {"recall": table(planted), "precision": precision(regions)}
    for name, row in figures["recall"].items():
        print(name, row)
    print("precision", figures["precision"])
    files = [_pairs.file_of(host, when) for host in hosts for when in ("before", "after")]
    _pairs.write_json(args.out, {**figures, "planted": planted, **_pairs.about(files)})
    return 0


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of pairs")
    parser.add_argument("--repeats", type=int, default=3, help="plantings of each host")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    return parser.parse_args()


def cut_rubble(quarry: Path) -> list[np.ndarray]:
    """Square pieces of real rubble, (3, side, side) float32, from the largest destroyed buildings."""
    picture = _pairs.pixels(_pairs.file_of(quarry, "after"))[0].transpose(2, 0, 1).astype(np.float32)
    pieces = []
    for kind, pixels in _runs.labelled(quarry / "damage.png"):
        rows, cols = np.divmod(pixels, picture.shape[2])
        side = int(np.sqrt(len(pixels)))
        row, col = int(np.median(rows)) - side // 2, int(np.median(cols)) - side // 2
        piece = picture[:, max(row, 0) : row + side, max(col, 0) : col + side]
        if kind == _runs.DESTROYED and min(piece.shape[1:]) >= 24:
            pieces.append(piece)
    return pieces


def in_host(host: Path, rubble: list[np.ndarray], repeats: int, rng: np.random.Generator) -> Any:
    """Plant into one pair `repeats` times; yields (rows of planted places, counts of regions)."""
    plain = _runs.compare(_pairs.file_of(host, "before"), _pairs.file_of(host, "after"))
    if plain is None:
        return
    labels = host / "damage.png"
    intact = [p for kind, p in _runs.labelled(labels) if kind == _runs.INTACT] if labels.exists() else []
    with tempfile.TemporaryDirectory() as name:
        before = _pairs.write_png(Path(name) / "before.png", shown(plain.before))
        for _ in range(repeats):
            for kind in KINDS:
                after, shapes = plant(plain, kind, intact, rubble, rng)
                path = _pairs.write_png(Path(name) / "after.png", shown(after))
                run = _runs.compare(before, path)
                if run is not None:
                    yield judge(host.name, kind, shapes, run, plain)


def shown(bands: np.ndarray) -> np.ndarray:
    """(rows, cols, 3) uint8."""
    bands = bands[:3] if len(bands) >= 3 else np.repeat(bands[:1], 3, 0)
    return np.clip(np.rint(bands), 0, 255).astype(np.uint8).transpose(1, 2, 0)


Shape = tuple[bool, np.ndarray]
"""Whether it is a labelled building, and its (rows, cols) mask."""


def plant(
    plain: _runs.Run, kind: str, intact: list[np.ndarray], rubble: list[np.ndarray], rng: np.random.Generator
) -> tuple[np.ndarray, list[Shape]]:
    """The after image with damage of one kind in places called unchanged, and the places."""
    after = plain.after.astype(np.float32).copy()
    free = plain.mask == types.NO_CHANGE
    free &= cv2.blur(free.astype(np.float32), (CLEAR_PX, CLEAR_PX)) > 0.98
    shapes: list[Shape] = []
    used = np.zeros(free.shape, bool)
    wanted: list[Any] = [*SIZES_PX]
    if intact and kind in ("rubble", "roof loss"):
        wanted = [*wanted, *(intact[k] for k in rng.permutation(len(intact))[:16])]
    for want in reversed(wanted):
        building = not isinstance(want, int)
        mask = outline(want, free.shape) if building else rectangle(int(want), free, rng)
        if mask is None or (building and not (plain.mask.ravel()[want] == types.NO_CHANGE).mean() > 0.7):
            continue
        around = cv2.dilate(mask.astype(np.uint8), np.ones((2 * CLEAR_PX + 1,) * 2)) > 0
        if (around & used).any() or (used | mask).mean() > MOST_SHARE:
            continue
        used |= mask
        after = damaged(after, mask, kind, rubble[rng.integers(len(rubble))], rng)
        shapes.append((building, mask))
        free &= ~around
    return after, shapes


def outline(pixels: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The mask of a labelled building."""
    mask = np.zeros(shape, bool)
    mask.ravel()[pixels] = True
    return mask


def rectangle(side: int, free: np.ndarray, rng: np.random.Generator) -> np.ndarray | None:
    """A turned rectangle of about `side` px on free ground; None when there is no room."""
    places = np.argwhere(free)
    if not len(places):
        return None
    row, col = places[rng.integers(len(places))]
    box = cv2.boxPoints(((float(col), float(row)), (side * 1.15, side / 1.15), float(rng.uniform(0, 90))))
    mask = np.zeros(free.shape, np.uint8)
    cv2.fillPoly(mask, [np.rint(box).astype(np.int32)], 1)
    return mask > 0


def damaged(
    after: np.ndarray, mask: np.ndarray, kind: str, stone: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """The picture with one place damaged."""
    rows, cols = np.nonzero(mask)
    box = np.s_[:, rows.min() : rows.max() + 1, cols.min() : cols.max() + 1]
    inside = mask[box[1:]]
    edge = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), 0.8) * inside
    near = after[:, max(rows.min() - 30, 0) : rows.max() + 30, max(cols.min() - 30, 0) : cols.max() + 30]
    level, spread = near.mean((1, 2)), near.std((1, 2))
    texture = tiled(stone, inside.shape, len(after), rng)
    hue = texture.mean((1, 2)) / texture.mean()  # rubble keeps its own: grey and brown
    level = level.mean() * hue
    texture = (texture - texture.mean((1, 2), keepdims=True)) / (texture.std((1, 2), keepdims=True) + 1)
    far = cv2.distanceTransform(np.pad(inside.astype(np.uint8), 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
    depth = far / max(far.max(), 1)
    new = {
        "rubble": level[:, None, None] + texture * spread[:, None, None],
        "roof loss": np.where(
            far > 2.5, 0.55 * level[:, None, None] + 0.5 * texture * spread[:, None, None], after[box]
        ),
        "crater": level[:, None, None] * np.where(depth > 0.35, 0.45, 1.35)
        + 0.2 * texture * spread[:, None, None],
        "burn": after[box] * (1 - 0.65 * np.minimum(1, far / 3)),
    }[kind]
    planted = after.copy()
    planted[box] = after[box] * (1 - edge) + new * edge
    return planted


def tiled(stone: np.ndarray, shape: tuple[int, ...], bands: int, rng: np.random.Generator) -> np.ndarray:
    """Rubble of a size, mirrored where the piece is too small; as many bands as asked for."""
    room = [max(0, n - s) for n, s in zip(shape, stone.shape[1:], strict=True)]
    large = np.pad(stone, [(0, 0), (0, room[0]), (0, room[1])], mode="symmetric")
    row, col = (int(rng.integers(0, n - s + 1)) for n, s in zip(large.shape[1:], shape, strict=True))
    piece = large[:, row : row + shape[0], col : col + shape[1]]
    return piece[:bands] if bands <= 3 else np.repeat(piece.mean(0)[None], bands, 0)


def judge(host: str, kind: str, shapes: list[Shape], run: _runs.Run, plain: _runs.Run) -> Any:
    """Which planted places were found, and what the new structural regions lie on."""
    rows = [
        {
            "host": host,
            "kind": f"{kind} of a building" if building else kind,
            "size_px": float(np.sqrt(mask.sum())),
            "structural": bool((run.mask[mask] == types.STRUCTURAL_CHANGE).any()),
            "any": bool(np.isin(run.mask[mask], (types.STRUCTURAL_CHANGE, types.OTHER_CHANGE)).any()),
        }
        for building, mask in shapes
    ]
    everything = np.zeros(run.mask.shape, bool)
    for _, mask in shapes:
        everything |= mask
    old = cv2.dilate((plain.mask == types.STRUCTURAL_CHANGE).astype(np.uint8), np.ones((17, 17))) > 0
    count, labels = cv2.connectedComponents(
        (run.mask == types.STRUCTURAL_CHANGE).astype(np.uint8), connectivity=8
    )
    right = set(np.unique(labels[everything])) - {0}
    known = set(np.unique(labels[old])) - {0}
    return rows, {"right": len(right), "false": len(set(range(1, count)) - right - known)}


def table(planted: list[dict[str, Any]]) -> dict[str, Any]:
    """Recall by kind and size."""
    found: dict[str, Any] = {}
    for kind in sorted({row["kind"] for row in planted}):
        for low, high in zip(BINS_PX, BINS_PX[1:], strict=False):
            rows = [r for r in planted if r["kind"] == kind and low <= r["size_px"] < high]
            if rows:
                shares = {
                    what: round(float(np.mean([r[what] for r in rows])), 2) for what in ("structural", "any")
                }
                found[f"{kind}, {low} to {high} px"] = {"planted": len(rows), **shares}
    over = [r for r in planted if r["kind"] == "rubble of a building" and r["size_px"] > 20]
    if over:
        share = round(float(np.mean([r["structural"] for r in over])), 3)
        found["single buildings over 20 px, rubble"] = {"planted": len(over), "structural": share}
    return found


def precision(regions: list[dict[str, int]]) -> dict[str, Any]:
    """Of the new structural regions, those on planted places."""
    right, false = (sum(r[word] for r in regions) for word in ("right", "false"))
    return {"right": right, "false": false, "precision": round(right / max(right + false, 1), 3)}


if __name__ == "__main__":
    sys.exit(main())

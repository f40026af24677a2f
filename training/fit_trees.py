"""Fit the trees that find graphics to the arrays of make_patches.py, and write damagediff/overlay_trees.npz.

python training/fit_trees.py --patches DIR --out damagediff/overlay_trees.npz [--trees 120] [--seed 3]

The trees that are shipped: make_patches.py --grounds 1100 --times 2 --seed 12, then --trees 64 --each 1000.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from damagediff import overlay_signs, overlay_trees
from damagediff.overlay_trees import Trees

DEPTH = 6
BORDERS = 31
RATE = 0.25
SMOOTH = 20.0
"""Added to the curvature of a leaf: small leaves say little."""
ROWS = 90_000
"""Pixels that one tree is grown on."""
GROUND, OPAQUE, HALF = 0, 1, 2
TAKEN = {GROUND: 330, OPAQUE: 160, HALF: 320}
"""Pixels of each class taken from a patch."""
GROUND_WEIGHT = 4.0


def main() -> None:
    """Fit both stages, each to patches of its own, and judge them on a third part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--patches", type=Path, required=True, help="folder of make_patches.py")
    parser.add_argument("--out", type=Path, required=True, help="trees, .npz")
    parser.add_argument("--trees", type=int, default=120, help="trees of each stage")
    parser.add_argument("--each", type=int, default=900, help="patches for each stage")
    parser.add_argument("--seed", type=int, default=3)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    rng = np.random.default_rng(args.seed)
    pictures, truth = (np.load(args.patches / f"{name}.npy", mmap_mode="r") for name in ("pictures", "truth"))
    order = rng.permutation(len(pictures))
    parts = [order[: args.each], order[args.each : 2 * args.each], order[-200:]]
    found: list[Trees] = []
    for part in parts[:2]:
        signs, kinds = sampled(pictures, truth, part, found, rng)
        found.append(fit(signs, kinds, args.trees, rng))
        judge(found, *sampled(pictures, truth, parts[2], found[:-1], rng))
    arrays = {
        f"{name}{k}": getattr(trees, name)
        for k, trees in enumerate(found, 1)
        for name in ("borders", "asked", "above", "leaves")
    }
    np.savez_compressed(args.out, **arrays)


def sampled(
    pictures: np.ndarray, truth: np.ndarray, part: np.ndarray, before: list[Trees], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """(signs (signs, n), class (n,)) of pixels of some patches; with what an earlier stage says around."""
    signs, kinds = [], []
    for at in part:
        maps = overlay_signs.signs(np.ascontiguousarray(pictures[at]))
        flat = maps.reshape(len(maps), -1)
        if before:
            said = before[0].total(flat).reshape(maps.shape[1:])
            flat = np.concatenate([flat, overlay_trees.around(said).reshape(-1, said.size)])
        kind = truth[at].ravel()
        for which, most in TAKEN.items():
            members = np.flatnonzero(kind == which)
            members = rng.choice(members, min(most, len(members)), replace=False)
            signs.append(flat[:, members])
            kinds.append(kind[members])
    return np.concatenate(signs, 1), np.concatenate(kinds)


def fit(signs: np.ndarray, kinds: np.ndarray, count: int, rng: np.random.Generator) -> Trees:
    """Boost symmetric trees on the log loss."""
    borders = np.quantile(signs, np.linspace(0, 1, BORDERS + 2)[1:-1], axis=1).T.astype(np.float32)
    pairs = zip(borders, signs, strict=True)
    codes = np.stack([np.searchsorted(border, sign).astype(np.uint8) for border, sign in pairs])
    wanted, weight = (kinds > 0).astype(np.float32), np.where(kinds == GROUND, GROUND_WEIGHT, 1.0)
    said = np.zeros(len(kinds))
    grown = []
    for _ in range(count):
        odds = 1 / (1 + np.exp(-said))
        pull, bend = weight * (wanted - odds), weight * odds * (1 - odds)
        rows = rng.choice(len(kinds), min(ROWS, len(kinds)), replace=False)
        asked, above = grow(codes[:, rows], pull[rows], bend[rows])
        leaf = np.zeros(len(kinds), np.int64)
        for level, (sign, border) in enumerate(zip(asked, above, strict=True)):
            leaf |= (codes[sign] > border).astype(np.int64) << level
        sums = [np.bincount(leaf, x, 2**DEPTH) for x in (pull, bend)]
        value = (RATE * sums[0] / (sums[1] + SMOOTH)).astype(np.float32)
        said += value[leaf]
        grown.append((asked, above, value))
    asked, above, leaves = (np.array(part) for part in zip(*grown, strict=True))
    return Trees(borders, asked.astype(np.uint8), above.astype(np.uint8), leaves)


def grow(codes: np.ndarray, pull: np.ndarray, bend: np.ndarray) -> tuple[list[int], list[int]]:
    """The questions of one tree: at each level, the sign and border that gain most over all leaves."""
    leaf = np.zeros(codes.shape[1], np.int64)
    asked, above = [], []
    for level in range(DEPTH):
        best = (-1.0, 0, 0)
        for sign, code in enumerate(codes):
            cell = leaf * (BORDERS + 1) + code
            size = 2**level * (BORDERS + 1)
            low = [np.bincount(cell, x, size).reshape(-1, BORDERS + 1).cumsum(1) for x in (pull, bend)]
            high = [x[:, -1:] - x for x in low]
            gain = sum(x[0] ** 2 / (x[1] + SMOOTH) for x in (low, high)).sum(0)[:-1]
            border = int(gain.argmax())
            best = max(best, (float(gain[border]), sign, border))
        asked.append(best[1])
        above.append(best[2])
        leaf |= (codes[best[1]] > best[2]).astype(np.int64) << level
    return asked, above


def judge(found: list[Trees], signs: np.ndarray, kinds: np.ndarray) -> None:
    """Print what is found of each class at some shares of ground taken for graphics."""
    said = found[-1].total(signs)
    for share in (0.02, 0.01, 0.005):
        limit = np.quantile(said[kinds == GROUND], 1 - share)
        recall = [round(float((said[kinds == which] > limit).mean()), 3) for which in (OPAQUE, HALF)]
        print(f"stage {len(found)}: ground {share}, limit {limit:.2f}, opaque and half found {recall}")


if __name__ == "__main__":
    main()

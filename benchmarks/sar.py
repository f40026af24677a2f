"""Does the log-ratio find what changed in radar pairs, and does its false-alarm rate hold?

python benchmarks/sar.py --data DIR [--out FILE.json]

DIR holds ``sar_*`` folders: before, after (8-bit amplitude) and label.png (255: changed, drawn by an expert).
Each runs through the whole pipeline with ``sensor = sar``; figures are of all analysed pixels: area under the
ROC curve of change_score.tif, and F1, kappa and overall error of change_mask.tif, as shipped and with a
smallest region of 64 px. Beside them, on the files as delivered: the pixel's log-ratio with Otsu's threshold,
and principal components and k-means of Celik (2009, doi:10.1109/LGRS.2009.2025059). Then scenes of speckle
with known looks and correlation, of one unchanged ground, are measured: the share of cells beyond the
threshold of a stated rate, and the equivalent looks that are found.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rasterio
import scipy.cluster.vq
import skimage.filters
from rasterio.errors import NotGeoreferencedWarning
from scipy.stats import rankdata

from damagediff import diff, pipeline, radar, settings, types, versions

SAR = settings.from_dict({"sensor": "sar"})
FINE = settings.from_dict({"sensor": "sar", "regions": {"min_region_px": 64}})
"""For the literature's masks, which have no minimum mapping unit."""
RATES = (1e-2, 1e-3, 1e-4)
LOOKS = (1, 2, 4, 8)
CORRELATED_PX = (0.0, 0.7, 1.2)
"""Sigma of the blur of the complex field: what oversampling and weighting of a processor do to neighbours."""


def main() -> int:
    """Run, print, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of pairs")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    args = parser.parse_args()
    pairs = [pair for pair in sorted(args.data.glob("sar_*")) if (pair / "label.png").exists()]
    if not pairs:
        print(f"{args.data}: no sar_* folder with label.png. Point --data at the folder of pairs")
        return 2
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    units = {"": SAR, ", from 64 px": FINE}
    found = {f"{pair.name}{unit}": run(pair, options) for pair in pairs for unit, options in units.items()}
    found |= {f"{pair.name}, {name}": figures for pair in pairs for name, figures in baselines(pair).items()}
    for name, figures in found.items():
        print(name, ", ".join(f"{k} {told(v)}" for k, v in figures.items()), flush=True)
    simulated = []
    for looks in LOOKS:
        for blur in CORRELATED_PX:
            simulated.append(false_alarms(looks, blur))
            print("simulated", ", ".join(f"{k} {told(v)}" for k, v in simulated[-1].items()), flush=True)
    if args.out:
        machine = {"system": platform.system(), "machine": platform.machine()}
        report = {"pairs": found, "simulated": simulated, "versions": versions.versions(), "machine": machine}
        args.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


def told(value: Any) -> str:
    """A value for the table."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def run(pair: Path, options: settings.Settings) -> dict[str, Any]:
    """One pair through the pipeline, held against its label."""
    case = types.Case(*(types.Source(next(pair.glob(f"{when}.*"))) for when in ("before", "after")))
    with tempfile.TemporaryDirectory() as folder:
        found = pipeline.compare(case, options, Path(folder))
        if found.change is None:
            return {"verdict": found.verdict, "reason": found.alignment.reason}
        with rasterio.open(Path(folder) / "change_score.tif") as file:
            score = file.read(1)
        with rasterio.open(Path(folder) / "change_mask.tif") as file:
            mask = file.read(1)
    truth = labelled(pair)
    known = (mask != types.NOT_ANALYSED) & np.isfinite(score)
    change = found.change
    return {
        "verdict": found.verdict,
        "model": found.alignment.model,
        "comparability": change.comparability,
        "analysed": float(known.mean()),
        "auc": auc(score[known], truth[known]),
        **agreement(mask[known] > 0, truth[known]),
        "threshold_db": max(change.calibration[f"{rule}_threshold_db"] for rule in ("otsu", "false_alarm")),
        **change.calibration,
    }


def labelled(pair: Path) -> np.ndarray:
    """(rows, cols) where the folder's truth says changed."""
    with rasterio.open(pair / "label.png") as file:
        return np.asarray(file.read(1) > 0)


def baselines(pair: Path) -> dict[str, dict[str, Any]]:
    """Two published ways on the same files, pixel by pixel."""
    grey = []
    for when in ("before", "after"):
        with rasterio.open(next(pair.glob(f"{when}.*"))) as file:
            grey.append(file.read(1).astype(np.float32))
    ratio, truth = np.abs(np.log((grey[1] + 1) / (grey[0] + 1))), labelled(pair)
    level = skimage.filters.threshold_otsu(ratio)
    return {
        "log-ratio and Otsu": {"auc": auc(ratio, truth), **agreement(ratio > level, truth)},
        "PCA and k-means": agreement(pca_kmeans(ratio), truth),
    }


def pca_kmeans(difference: np.ndarray, block: int = 4, components: int = 3) -> np.ndarray:
    """Celik's method: components of blocks, each pixel's neighbourhood in them, two clusters."""
    rows, cols = (n // block * block for n in difference.shape)
    blocks = difference[:rows, :cols].reshape(rows // block, block, cols // block, block)
    blocks = blocks.swapaxes(1, 2).reshape(-1, block * block)
    mean = blocks.mean(0)
    _, _, axes = np.linalg.svd(blocks - mean, full_matrices=False)
    around = np.pad(difference, ((block // 2 - 1, block // 2),) * 2, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(around, (block, block)).reshape(-1, block * block)
    features = (windows - mean) @ axes[:components].T
    size = np.linalg.norm(windows, axis=1)
    start = np.stack(
        [features[size <= np.median(size)].mean(0), features[size >= np.quantile(size, 0.99)].mean(0)]
    )
    _, label = scipy.cluster.vq.kmeans2(features, start, minit="matrix")
    label = label.reshape(difference.shape)
    return label == int(difference[label == 1].mean() > difference[label == 0].mean())


def auc(score: np.ndarray, truth: np.ndarray) -> float:
    """Area under the ROC curve."""
    hits = int(truth.sum())
    ranks = rankdata(score.ravel())[truth.ravel()].sum()
    return float((ranks - hits * (hits + 1) / 2) / (hits * (truth.size - hits)))


def agreement(changed: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """F1, kappa and errors of a mask."""
    hit, false, missed = (int(x.sum()) for x in (changed & truth, changed & ~truth, ~changed & truth))
    right = 1 - (false + missed) / truth.size
    chance = float(changed.mean() * truth.mean() + (~changed).mean() * (~truth).mean())
    return {
        "f1": 2 * hit / max(1, 2 * hit + false + missed),
        "kappa": (right - chance) / (1 - chance),
        "overall_error": false + missed,
        "false_positives": false,
        "missed": missed,
        "overall_error_share": (false + missed) / truth.size,
    }


def speckled(rng: np.random.Generator, ground: np.ndarray, looks: int, blur: float) -> np.ndarray:
    """(1, rows, cols) float32 amplitude of `ground` (intensity) under speckle of whole looks, correlated."""
    total = np.zeros(ground.shape)
    for _ in range(looks):
        field = rng.normal(size=(2, *ground.shape))
        if blur:
            field = np.stack([cv2.GaussianBlur(part, (0, 0), blur) for part in field])
        total += (field**2).sum(0) / (field**2).sum(0).mean()
    return np.sqrt(ground * total / looks).astype(np.float32)[None]


def landscape(rng: np.random.Generator, side: int = 512) -> np.ndarray:
    """(side, side) intensity: fields and streets over 20 dB."""
    fields = rng.uniform(0, 2, (side // 32, side // 32))
    return 1e4 * 10 ** np.kron(fields, np.ones((32, 32)))


def false_alarms(looks: int, blur: float, scenes: int = 8) -> dict[str, Any]:
    """Share of unchanged cells beyond the threshold of each rate, over several scenes."""
    ratios, found, beyond = [], [], {rate: 0 for rate in RATES}
    cells = 0
    for seed in range(scenes):
        rng = np.random.default_rng(1000 * looks + seed)
        ground = landscape(rng)
        pair = [speckled(rng, ground, looks, blur) for _ in range(2)]
        measures = measured(*pair)
        change = radar.change_map(measures, [], 16, SAR)
        found.append([change.calibration[f"equivalent_looks_{when}"] for when in ("before", "after")])
        ratios.append(change.calibration["independent_samples_of_a_window"])
        cells += int(measures.valid.sum())
        for rate in RATES:
            level = settings.from_dict({"sensor": "sar", "radar": {"false_alarm_rate": rate}})
            score = radar.change_map(measures, [], 16, level).score[measures.valid]
            beyond[rate] += int((score > 0.5).sum())
    return {
        "looks": looks,
        "blur_px": blur,
        "cells": cells,
        **{f"beyond_at_{rate:g}": count / cells for rate, count in beyond.items()},
        "looks_found": float(np.mean(found)),
        "independent_samples": float(np.mean(ratios)),
    }


def measured(before: np.ndarray, after: np.ndarray) -> diff.Measures:
    """Measures of a whole scene, as the pipeline takes them from one tile."""
    valid = np.ones(before.shape[1:], bool)
    coded, reference = radar.log_coded(before, after, valid, (False, False), SAR.radar)
    whole = [
        np.pad(x, [(0, 0)] * (x.ndim - 2) + [(diff.HALO, diff.HALO)] * 2, mode="reflect")
        for x in (coded.before_8bit(before), coded.after_8bit(after), valid)
    ]
    return diff.measure(*whole, ("grey",), reference=reference)


if __name__ == "__main__":
    sys.exit(main())

"""How good is what a program wrote about a pair with known change and displacement?"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import vs_arosics
from _peer_pair import Known
from PIL import Image as PillowImage
from rasterio.errors import NotGeoreferencedWarning
from rasterio.windows import Window
from scipy import stats

FALSE_SHARE = 0.01
"""Of unchanged places that a threshold lets through, at which the changed places found are counted."""
STRIP_PX = 1024
"""A multiple of the lattice's step."""


def at_lattice(path: Path) -> np.ndarray:
    """(bands, N) values of a raster at the points of the lattice, read by strips."""
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    step = vs_arosics.LATTICE_PX
    with rasterio.open(path) as raster:
        strips = [
            raster.read(window=Window(0, row, raster.width, min(STRIP_PX, raster.height - row)))
            for row in range(0, raster.height, STRIP_PX)
        ]
        return np.concatenate([strip[:, ::step, ::step] for strip in strips], 1).reshape(raster.count, -1)


def of_score(score: np.ndarray, known: Known) -> dict[str, Any]:
    """What a score of change, (N,) and NaN where there is none, tells apart, whatever the threshold."""
    told = known.counts & np.isfinite(score)
    changed, unchanged = score[told & known.changed], score[told & ~known.changed]
    if not len(changed) or not len(unchanged):
        return {"auc": None, "found_at_1_percent_false": None}
    ranks = stats.rankdata(np.concatenate([changed, unchanged]))[: len(changed)]
    above = (ranks.sum() - len(changed) * (len(changed) + 1) / 2) / (len(changed) * len(unchanged))
    limit = np.quantile(unchanged, 1 - FALSE_SHARE)
    return {
        "auc": float(above),
        "found_at_1_percent_false": float((changed > limit).mean()),
        "scored_share": float(told.sum() / known.counts.sum()),
    }


def of_mask(mask: np.ndarray, analysed: np.ndarray, known: Known) -> dict[str, float]:
    """Of changed and of unchanged places that were looked at, the share that a program marked itself."""
    told = known.counts & analysed
    return {
        "marked_changed": float(mask[told & known.changed].mean()),
        "marked_unchanged": float(mask[told & ~known.changed].mean()),
        "analysed_share": float(told.sum() / known.counts.sum()),
    }


def of_run(folder: Path, known: Known) -> dict[str, Any]:
    """What damagediff wrote: ``change_score.tif`` and ``change_mask.tif``."""
    (score,), (mask,) = (at_lattice(folder / f"change_{name}.tif") for name in ("score", "mask"))
    return of_score(score, known) | of_mask((mask == 1) | (mask == 2), mask != 255, known)


def of_mad(path: Path, known: Known) -> dict[str, Any]:
    """MAD variates: the sum of their squares over their variances, as the method says. It gives no mask."""
    variates = at_lattice(path).astype(np.float64)
    return of_score(((variates / variates.std(1, keepdims=True)) ** 2).sum(0), known)


def of_ssim(folder: Path, known: Known) -> dict[str, Any]:
    """What _skimage_runner.py wrote: score, mask, and its one translation."""
    (score,), (mask,) = (at_lattice(folder / f"{name}.tif") for name in ("score", "mask"))
    moved = np.broadcast_to(np.loadtxt(folder / "displacement_rc.txt"), known.pair.lattice_rc.shape)
    seen = of_score(score, known) | of_mask(mask > 0, np.ones(len(mask), bool), known)
    return seen | vs_arosics.errors(moved, known.pair)


def of_picture(path: Path, known: Known) -> dict[str, float]:
    """A picture that is transparent or black where a program sees no difference."""
    PillowImage.MAX_IMAGE_PIXELS = None
    with PillowImage.open(path) as opened:
        band = opened.getchannel("A") if "A" in opened.getbands() else opened.convert("L")
        step = vs_arosics.LATTICE_PX
        mask = np.asarray(band)[::step, ::step].ravel() > 0
    return of_mask(mask, np.ones(len(mask), bool), known)

"""What was done to the pixels of both files, step by step and in order, for the manifest.

Alterations are to be written down: "Any alterations, transformations or conversions ... should be documented"
(Berkeley Protocol, paragraph 154). No step changes a file that came in.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from . import case_files, cut, digests, json_text, summary
from .outcome import LookUp
from .types import Comparison, Image

Step = dict[str, Any]


def steps(comparison: Comparison) -> Iterator[Step]:
    """Every step with its parameters: turn and crop, masks, warp, values to 8 bits, stretch."""
    images = {"before": comparison.pair.before, "after": comparison.pair.after}
    for role, image in images.items():
        yield from _cut_and_turned(role, image, comparison)
    yield from _masked(comparison)
    if comparison.alignment.accepted:
        for role, image in images.items():
            yield _warped(role, image, comparison)
        yield from _to_8_bits(comparison)
    yield _stretched(comparison)


def _cut_and_turned(role: str, image: Image, comparison: Comparison) -> Iterator[Step]:
    split = comparison.case.split
    if image.orientation != 1:
        yield {"what": "turn", "role": role, "exif_orientation": image.orientation}
    if image.crop is not None:
        told = {} if split is None else split.facts()
        crop = {"of_sha256": image.sha256, "crop": cut.xywh(image.crop)}
        yield {"what": "crop", "role": role} | crop | told


def _masked(comparison: Comparison) -> Iterator[Step]:
    """What was left out: by files that were given, and by reason, as a share of the grid."""
    for field in ("exclude", "aoi"):
        path: Path | None = getattr(comparison.case, field)
        if path is not None:
            entry = digests.entry(path)
            yield {"what": "mask", "by": case_files.role(field)} | {k: entry[k] for k in ("name", "sha256")}
    if comparison.change is not None:
        seen = summary.amounts(comparison.change, comparison.pair.grid)
        shares = {reason: px / seen.total_px for reason, px in seen.not_analysed_px.items()}
        yield {"what": "mask", "by": "not analysed", "shares": shares, "written_to": "change_mask.tif (255)"}


def _warped(role: str, image: Image, comparison: Comparison) -> Step:
    """One image onto the working grid, in one interpolation from the pixels of its file."""
    on, alignment = comparison.pair.grid, comparison.alignment
    place = image.crs, tuple(image.transform), image.shape
    untouched = role == "before" and (place == (on.crs, tuple(on.transform), on.shape) or image.crs is None)
    file = "before.tif" if role == "before" else "after_aligned.tif"
    step: Step = {
        "what": "warp",
        "role": role,
        "from": {"crs": image.crs, "transform": _matrix(image.transform), "shape": list(image.shape)},
        "to": {"crs": on.crs, "transform": _matrix(on.transform), "shape": list(on.shape)},
        "interpolation": "none"
        if untouched
        else "cubic, once, where positions are not whole pixels; means of "
        "whole blocks first where the file is finer than the grid",
        "written_to": f"{file}, rounded to {image.dtype}",
    }
    if role == "before":
        return step
    local = alignment.local
    return step | {
        "model": alignment.model,
        "moving_from_reference": json_text.Exact(np.asarray(alignment.moving_from_reference).tolist()),
        "local_spacing_px": None if local is None else local.spacing_px,
        "positions": "geometry.tif; alignment of results.json",
    }


def _matrix(transform: Any) -> json_text.Exact:
    return json_text.Exact(tuple(transform)[:6])


def _to_8_bits(comparison: Comparison) -> Iterator[Step]:
    told = comparison.eight_bit
    if told is None:
        return
    use = "measured and drawn only: before.tif and after_aligned.tif keep the values of the files"
    for role, bands in (("before", told.before), ("after", told.after)):
        yield {
            "what": "values to 8 bits",
            "role": role,
            "bands": [_look_up(name, band) for name, band in zip(comparison.pair.roles, bands, strict=False)],
            "for": use,
        }


def _look_up(name: str, band: LookUp) -> Step:
    return {"band": name, "from": [band.low, band.high], "grey": list(band.grey)}


def _stretched(comparison: Comparison) -> Step:
    """The pictures in figures and report."""
    drawn = comparison.pictures
    alone = drawn.after_reduction is not None
    return {
        "what": "stretch",
        "role": "before" if alone else "both",
        "black_and_white": [list(pair) for pair in drawn.stretch],
        "of": "percentiles 2 and 98 of the before image, values to 8 bits",
        "reduced_by": drawn.reduction,
        "for": "pictures in figures and report" + (", each picture by its own values" if alone else ""),
    }

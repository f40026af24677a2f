"""Part of `align`: why an alignment must be refused, in words, and what to try then."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import align_fit, align_points
from .align_points import GROSS_PX, Model, Points
from .settings import AlignSettings
from .types import Evidence, FloatArray

FULL_CHANCE = -3.0
"""Tie points at full resolution must agree more than chance would give once in a thousand pairs."""
PROMISE = 6.5
"""Evidence that tie points at full resolution may still add: with less missing, they are looked up."""
SHOW_MORE = (
    "Check that both images show the same place, crop them to it, give larger ones, or mark places by hand "
    "(--tie-points)"
)
"""What helps when too little agrees."""
NAMES = {"local": "local field", "none": "map found so far"}
"""What a model is called in a sentence, where that is not its own name."""


@dataclass(frozen=True)
class Refusal:
    """Why a pair is refused, one sentence without a full stop, and what to try, another one."""

    reason: str
    advice: str = SHOW_MORE
    may_be_mirrored: bool = False
    """Whether a mirrored image would be refused like this."""


def refusal(evidence: Evidence, settings: AlignSettings) -> Refusal | None:
    """Why the reduced images forbid an alignment; None when full resolution may be looked at."""
    e = evidence
    if e.windows < settings.min_windows:
        return Refusal(
            f"only {e.windows} windows hold usable content in both images, {settings.min_windows} needed: "
            "the images overlap too little, are too small, or are nearly empty"
        )
    if e.score < e.limit - PROMISE:
        return Refusal(
            f"{e.agreeing} of {e.windows} windows agree, evidence {e.score:.1f} of the {e.limit:g} needed: "
            "as many may agree by chance in images of different places",
            may_be_mirrored=True,
        )
    if e.coverage < settings.min_coverage:
        return Refusal(
            f"windows agree in {e.coverage:.0%} of the overlap only, {settings.min_coverage:.0%} needed",
            may_be_mirrored=True,
        )
    rival = max(e.rival, e.rival_far)
    if rival > settings.max_rival:
        return Refusal(
            f"the content repeats: another position explains the pair {rival:.0%} as well as this one, "
            f"at most {settings.max_rival:.0%} is allowed"
        )
    return None


def too_far(
    model: Model, centre_rc: FloatArray, moving_centre_rc: FloatArray | None, settings: AlignSettings
) -> Refusal | None:
    """Whether the centre moves by more than ``settings.max_shift_px``, a stated limit.

    Parameters
    ----------
    centre_rc : (2,)
        Middle of the working grid, px.
    moving_centre_rc : (2,) or None
        Of images without georeference the middle of the after image, in its pixels: their frames are
        compared laid centre on centre, and what the after image is larger by is divided out. None for
        georeferenced images, which share one frame.
    """
    if settings.max_shift_px is None:
        return None
    there = model.moving_from_grid(centre_rc[None])[0]
    if moving_centre_rc is None:
        shift, whose = float(np.hypot(*(there - centre_rc))), "working grid"
    else:
        shift = float(np.hypot(*(there - moving_centre_rc))) / align_fit.scale_of(model.matrix)
        whose = "before image"
    if shift <= settings.max_shift_px:
        return None
    return Refusal(
        f"the centre moves by {shift:.1f} px of the {whose}, more than --max-shift {settings.max_shift_px:g} "
        "allows",
        "If that may be right, raise --max-shift (align.max_shift_px)",
    )


def disagreement(
    evidence: Evidence,
    points: Points,
    model: Model,
    windows_unused: dict[str, int],
    settings: AlignSettings,
) -> Refusal | None:
    """Why the alignment must be refused after the look at full resolution; None when it is accepted."""
    agreeing = int((align_points.residuals(model, points) <= GROSS_PX).sum())
    said = (
        f"at full resolution {agreeing} of {len(points.check)} tie points lie within {GROSS_PX:g} px of the "
        f"{NAMES.get(model.kind, model.kind)}"
    )
    if settings.model != "auto":
        said += f" (--model {settings.model} allows no richer global model)"
    if windows_unused:
        reason = max(windows_unused, key=lambda why: windows_unused[why])
        said += f" (without one: {sum(windows_unused.values())} windows, {windows_unused[reason]} {reason})"
    if (evidence.log10_chance_full or 0.0) > FULL_CHANCE:
        return Refusal(f"{said}: as many may by chance", may_be_mirrored=True)
    if evidence.score < evidence.limit:
        return Refusal(
            f"{evidence.agreeing} of {evidence.windows} windows agree and {said}: evidence "
            f"{evidence.score:.1f} of the {evidence.limit:g} needed, as images of different places may reach",
            may_be_mirrored=True,
        )
    return None

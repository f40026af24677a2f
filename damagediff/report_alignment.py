"""The report's part on how the images were laid on each other."""

from __future__ import annotations

from typing import Any

from . import figure_residuals, report_pictures, summary, wording
from .types import Comparison


def alignment_part(comparison: Comparison) -> dict[str, Any]:
    """The model, its evidence, and what its check points say, in words."""
    alignment, grid = comparison.alignment, comparison.pair.grid
    evidence = alignment.evidence
    supported = alignment.supported_share
    return {
        "reason": wording.plain(alignment.reason, 1000),
        "model": alignment.model,
        "model_words": wording.MODELS.get(alignment.model, ""),
        "model_reason": wording.plain(alignment.model_reason, 1000),
        "check_points": summary.check_points(comparison),
        "ce90": wording.error(alignment.ce90_px, grid),
        "standard_error": wording.error(alignment.standard_error_px, grid),
        "lean": None if alignment.lean is None else summary.lean(alignment.lean, grid),
        "full": None if evidence.log10_chance_full is None else _chance(evidence.log10_chance_full),
        "rival": wording.share(max(0.0, evidence.rival, evidence.rival_far)),
        "points": [(role, alignment.tie_points.count(role), words) for role, words in wording.ROLES.items()],
        "unused": sorted(alignment.windows_unused.items()),
        "agree": f"{evidence.agreeing:,} of {evidence.windows:,}",
        "chance": _chance(evidence.log10_chance),
        "stack": wording.number(evidence.stack_peak_sd),
        "coverage": wording.share(evidence.coverage),
        "score": wording.number(evidence.score),
        "limit": wording.number(evidence.limit),
        "supported": None if supported is None else wording.share(supported),
        "figure": report_pictures.png(figure_residuals.png(comparison))
        if len(alignment.tie_points)
        else None,
    }


def _chance(log10: float) -> str:
    return f"1 in {10**-log10:,.0f}" if log10 > -6 else f"less than 1 in 10 to the power of {-log10:.0f}"

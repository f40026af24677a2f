"""What becomes of an alignment: accepted with what its check points say, or refused with what is known."""

from __future__ import annotations

import numpy as np

from . import align_points
from .align_judge import Refusal
from .align_models import Fitted
from .align_points import Points
from .types import Alignment, Evidence, FloatArray, TiePoints

NO_TIE_POINTS = TiePoints(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0), (), np.zeros(0), np.zeros(0, bool))


def accepted(evidence: Evidence, points: Points, fitted: Fitted, windows_unused: dict[str, int]) -> Alignment:
    """The alignment with what its check points say."""
    model = fitted.model
    tie_points = align_points.as_tie_points(points, model)
    rmse, ce90 = check_residual(tie_points)
    e = evidence
    return Alignment(
        accepted=True,
        reason=f"{e.agreeing} of {e.windows} windows agree, evidence {e.score:.1f} (needed: {e.limit:g}), "
        f"in {e.coverage:.0%} of the overlap",
        model=model.kind,  # type: ignore[arg-type]
        model_reason=fitted.reason,
        moving_from_reference=model.matrix / model.matrix[2, 2],
        local=model.local,
        tie_points=tie_points,
        evidence=evidence,
        rmse_px=rmse,
        ce90_px=ce90,
        ce90_held_out_px=_percentile(tie_points.residual_px[tie_points.held_out]),
        windows_unused=windows_unused,
        standard_error_px=fitted.standard_error_px,
        supported_rc=align_points.supported(tie_points),
    )


def refused(
    evidence: Evidence,
    moving_from_reference: FloatArray,
    why: Refusal,
    windows_unused: dict[str, int] | None = None,
) -> Alignment:
    """An alignment that must not be used; the best map found is kept for the record."""
    return Alignment(
        accepted=False,
        reason=why.reason,
        advice=why.advice,
        model="none",
        model_reason="the alignment was refused",
        moving_from_reference=moving_from_reference / moving_from_reference[2, 2],
        local=None,
        tie_points=NO_TIE_POINTS,
        evidence=evidence,
        rmse_px=None,
        ce90_px=None,
        windows_unused=windows_unused or {},
    )


def check_residual(points: TiePoints) -> tuple[float | None, float | None]:
    """RMSE and CE90 in px of the check points (rejected ones are counted, not averaged)."""
    residual = points.residual_px[np.array([role == "check" for role in points.role], bool)]
    if not len(residual):
        return None, None
    return float(np.sqrt((residual**2).mean())), _percentile(residual)


def _percentile(residual: FloatArray) -> float | None:
    return float(np.percentile(residual, 90)) if len(residual) else None

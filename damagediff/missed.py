"""What could have been missed, in words: the self-test's counts and curves for a reader with no training."""

from __future__ import annotations

import math
from collections.abc import Iterator

from . import wording
from .detection import Detection, DetectionCurve, Recall, Tally
from .types import Grid, Trust

SUBJECT = "rubble"
"""The kind whose size is the detection limit of a run."""
ONE_OF: dict[str, tuple[str, str]] = {
    "rubble": ("building turned to rubble", "buildings turned to rubble"),
    "roof loss": ("roof taken off", "roofs taken off"),
    "crater": ("crater", "craters"),
    "burn": ("burn scar", "burn scars"),
    "repaint": ("repainted roof", "repainted roofs"),
    "shadow": ("new shadow", "new shadows"),
}
"""What is planted, in words: one of it, many of it."""
WORTH_SAYING = 0.1
"""Stated, not measured: where less of the scene was left out, the hatch on figures says enough; beyond it,
whoever counts regions would count wrong."""
HALF = 0.5
LARGE_PX = 24
"""From this size on, harmless objects are large enough to be taken for damage."""


def size(px: float, grid: Grid) -> str:
    """A size, rounded up to whole pixels, and in metres where they are known."""
    return wording.error(math.ceil(px - 1e-9), grid)


def unseen(analysed_share: float) -> str:
    """That a good part of the scene was not looked at, as a sentence and a space; empty where it is small."""
    share = 1.0 - analysed_share
    return "" if share < WORTH_SAYING else f"{wording.share(share)} of the scene was not analysed. "


def headline(trust: Trust, grid: Grid) -> str:
    """One sentence beside every finding: from what size on a collapsed building would have been found."""
    curve = trust.detection.curve(SUBJECT)
    if trust.detection_limit_px is not None:
        across = size(trust.detection_limit_px, grid)
        return (
            f"Of buildings turned to rubble, {across} across or more, nine in ten would be found"
            f"{_as_visible(curve, trust.detection_limit_px, grid)}; smaller change can be missed."
        )
    if curve is None or not curve.tallies:
        why = f": {trust.detection.reason}" if trust.detection.reason else ""
        return f"How small a change could have been missed was not measured{why}."
    if not curve.found.curve:  # fewer than a curve is fitted to
        return (
            f"Change of any size can be missed here: too few {ONE_OF[SUBJECT][1]} could be drawn "
            f"({curve.planted}) to say from what size on change is found."
        )
    return (
        f"Change of any size can be missed here: {_counted(curve, curve.tallies[-1], grid)}, and nine in ten "
        "are not reached."
    )


def _as_visible(curve: DetectionCurve | None, limit_px: float, grid: Grid) -> str:
    """In which tier they would be found, where it is not plainly the first."""
    if curve is None:
        return ""
    at = curve.structural.size_90_px
    if at is None:
        return ", but many of them only as other change"
    return "" if at <= 1.2 * limit_px else f", but as visible change only from {size(at, grid)} on"


def beside(trust: Trust, grid: Grid) -> str:
    """In few words, beside "no visible change" of a building: what its own test could have missed."""
    curve = trust.detection.curve(SUBJECT)
    if curve is None:
        return "what could have been missed was not measured"
    if curve.outlined.size_90_px is None:
        return "a building of any size turned to rubble can be missed"
    return f"a building under {size(curve.outlined.size_90_px, grid)} across turned to rubble can be missed"


def lead(detection: Detection) -> str:
    """How the self-test was made, or why it was not."""
    if not detection.curves:
        why = detection.reason or "no self-test belongs to this run"
        return f"Not measured: {why}. So a place without a region may have changed, at any size."
    return (
        "To find out, known changes were drawn into a copy of the after image at places that this run calls "
        "unchanged, with the colours, sharpness and noise of that image, and the copy went through the same "
        "comparison. Drawn buildings were put "
        f"{detection.places}. The copy is used for nothing else: nothing drawn is in any other picture, "
        "map or number of this run. What was drawn only resembles the real thing."
    )


def limit(found: Recall, grid: Grid) -> str:
    """The size found with nine tenths of probability and its interval, or why there is none."""
    if found.size_90_px is None:
        return f"cannot be said: {found.reason}"
    assert found.interval_px is not None
    low, high = found.interval_px
    upper = "more than was tested" if high is None else size(high, grid)
    return f"from {size(found.size_90_px, grid)} (this size is uncertain: {size(low, grid)} to {upper})"


def sentences(curve: DetectionCurve, grid: Grid) -> Iterator[str]:
    """What was planted of one kind and what became of it, a sentence each."""
    if not curve.tallies:
        yield f"No room was left for any {ONE_OF[curve.kind][0]}."
        return
    if curve.harmless:
        yield wording.sentence(_harmless(curve, grid))
        return
    shown = {tally.size_px: tally for tally in (_near_limit(curve), curve.tallies[-1])}
    for tally in shown.values():
        yield wording.sentence(f"{_counted(curve, tally, grid)}{_visible(tally)}")
    blind = [at for at, share, _, _ in curve.found.curve if share < HALF]
    if blind and blind[-1] < curve.tallies[-1].size_px:
        below = f"Below {size(blind[-1], grid)} fewer than half are found"
        yield f"{below}: there, the absence of a region says nothing."
    elif blind:
        yield "At no size tested are even half found: the absence of a region says nothing."


def note(detection: Detection, grid: Grid) -> str:
    """What size means here, and beyond which nothing was tested."""
    sizes = [tally.size_px for curve in detection.curves for tally in curve.tallies]
    largest = f" Nothing over {size(max(sizes), grid)} was tested." if sizes else ""
    return (
        "Found: a region of visible or of other change touches the place. Across: the side of a square of "
        f"the same area.{largest}"
    )


def _near_limit(curve: DetectionCurve) -> Tally:
    """The size with the most planted among those near the limit, or the most planted of all large ones."""
    at = curve.found.size_90_px
    near = [t for t in curve.tallies if at is not None and abs(math.log2(t.size_px / at)) <= 0.5]
    return max(near or curve.tallies[len(curve.tallies) // 2 :], key=lambda t: (t.planted, t.size_px))


def _counted(curve: DetectionCurve, tally: Tally, grid: Grid) -> str:
    one, many = ONE_OF[curve.kind]
    across = f"{size(tally.size_px, grid)} across"
    if tally.planted == 1:
        return f"the one {one} of {across} that was drawn was {'found' if tally.found else 'not found'}"
    was = "was" if tally.found == 1 else "were"
    return f"of {tally.planted} {many} of {across} that were drawn, {tally.found or 'none'} {was} found"


def _visible(tally: Tally) -> str:
    if not tally.found:
        return ""
    if tally.found == 1:
        return f", as {'visible' if tally.structural else 'other'} change"
    return f", {tally.structural or 'none'} of them as visible change"


def _harmless(curve: DetectionCurve, grid: Grid) -> str:
    large = [t for t in curve.tallies if t.size_px >= LARGE_PX] or list(curve.tallies)
    planted, structural, found = (
        sum(getattr(t, k) for t in large) for k in ("planted", "structural", "found")
    )
    many = f"{ONE_OF[curve.kind][1]} of {size(large[0].size_px, grid)} or more"
    return (
        f"of {planted} {many}, which are harmless, "
        f"{structural or 'none'} {'was' if structural == 1 else 'were'} listed as visible change and "
        f"{found - structural or 'none'} as other change"
    )

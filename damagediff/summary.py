"""What every output says of a comparison: its counts and its sentences. Counts and words, no science."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from . import align_points, missed, summary_ordinary, wording
from .doubt import WEIGHT
from .ordinary import Ordinary
from .outcome import REASONS, Reason, Sensitivity
from .provenance import SOURCE_FIELDS, EarlierJpeg, FileFacts, Resampled, SourceRecord
from .types import (
    NOT_ANALYSED,
    OTHER_CHANGE,
    STRUCTURAL_CHANGE,
    Alignment,
    Building,
    ChangeMap,
    Comparison,
    Grid,
    Lean,
    Region,
    Shift,
    Square,
)

MIN_ANALYSED_OF_SQUARE = 0.5
"""A square of which less was analysed has no share: the rest may not stand for it."""


@dataclass(frozen=True)
class Amounts:
    """How much of the scene was analysed, and how much of that changed."""

    analysed_px: int
    total_px: int
    structural_px: int
    other_px: int
    pixel_area_m2: float | None
    not_analysed_px: dict[Reason, int] = field(default_factory=dict)
    """By reason; empty when the map does not tell."""
    area_doubt: float | None = None
    """Share by which areas in metres may be wrong by the scale; None: not told."""

    @property
    def share_of_asked(self) -> float:
        """The part analysed of what the user did not leave out, 0..1."""
        left_out = sum(self.not_analysed_px.get(reason, 0) for reason in wording.BY_HAND)
        asked = self.total_px - left_out
        return self.analysed_px / asked if asked else 0.0

    @property
    def analysed_share(self) -> float:
        """Of the working grid, 0..1."""
        return self.analysed_px / self.total_px if self.total_px else 0.0

    @property
    def changed_px(self) -> int:
        """Both tiers."""
        return self.structural_px + self.other_px

    def share_of_analysed(self, part_px: int) -> float:
        """`part_px` as a share of what was analysed; 0 when nothing was."""
        return part_px / self.analysed_px if self.analysed_px else 0.0

    def area_m2(self, part_px: int) -> float | None:
        """Ground area of so many pixels, None without a ground sample distance."""
        return None if self.pixel_area_m2 is None else part_px * self.pixel_area_m2

    def area(self, part_px: int) -> str:
        """The same in words."""
        return wording.area(part_px, self.area_m2(part_px)) + wording.within(self.area_doubt)


def amounts(change: ChangeMap, grid: Grid) -> Amounts:
    """Pixels of the working grid analysed and changed; of a cell over the edge, only what is inside."""
    weights = np.outer(
        *(
            _cell_sizes(n, cells, change.cell_px)
            for n, cells in zip(grid.shape, change.changed.shape, strict=True)
        )
    )

    def pixels(chosen: np.ndarray) -> int:
        return int(weights[chosen].sum())

    return Amounts(
        analysed_px=pixels(change.changed != NOT_ANALYSED),
        total_px=grid.shape[0] * grid.shape[1],
        structural_px=pixels(change.changed == STRUCTURAL_CHANGE),
        other_px=pixels(change.changed == OTHER_CHANGE),
        pixel_area_m2=grid.pixel_area_m2,
        area_doubt=grid.area_relative_uncertainty,
        not_analysed_px={}
        if change.why is None
        else {reason: pixels(change.why == code) for code, reason in enumerate(REASONS, 1)},
    )


def sensitivity(times: float, change: ChangeMap, found: tuple[Region, ...], grid: Grid) -> Sensitivity:
    """What was found at `times` the threshold that was used, counted."""
    seen = amounts(change, grid)
    structural = sum(region.tier == "structural" for region in found)
    other = len(found) - structural
    return Sensitivity(times, change.threshold, seen.changed_px, seen.structural_px, structural, other)


def sensitivity_lines(change: ChangeMap, grid: Grid) -> tuple[tuple[str, str], ...]:
    """(threshold, what was found there) in words, from the lowest threshold to the highest."""
    seen, lines = amounts(change, grid), []
    tiers = wording.tiers(change.measure)[0]
    first = next(iter(tiers))  # what a reader looks for first: of radar the only one
    together = ", in both kinds together" if len(tiers) > 1 else ""
    for found in change.sensitivity:
        used = "the threshold used" if found.times == 1 else f"{found.times:g} times the threshold"
        many = found.structural_regions if first == "structural" else found.other_regions
        changed = "nothing" if not found.changed_px else f"{seen.area(found.changed_px)} in all"
        lines.append(
            (
                f"At {used}, {wording.score(found.threshold)}",
                f"{wording.count(many, 'region')} of {tiers[first]}; {changed} changed{together}",
            )
        )
    if lines and change.sensitivity[-1].times <= 1:
        lines.append(("At a higher threshold", "not counted: the score ends at 1"))
    return tuple(lines)


def _cell_sizes(length: int, cells: int, cell_px: int) -> np.ndarray:
    return np.clip(length - np.arange(cells, dtype=np.int64) * cell_px, 0, cell_px)


def title(comparison: Comparison) -> str:
    """The user's title, or the names of the files."""
    pair, split = comparison.pair, comparison.case.split
    names = f"{pair.before.name} and {pair.after.name}"
    if split is not None:
        names = f"two panels of {pair.before.name}"
    return wording.plain(comparison.case.title) or wording.plain(names)


def bracket(comparison: Comparison) -> str:
    """Between which dates the two images allow a change to have come about."""
    return wording.bracket(comparison.pair.before.acquisition, comparison.pair.after.acquisition)


def credit(text: str | None) -> str:
    """The image's credit as given, or that none was."""
    return wording.plain(text or "", 300) or wording.NO_CREDIT


def missing_of_source(record: SourceRecord) -> str:
    """What a source record lacks, in words; empty when it is complete."""
    return ", ".join(SOURCE_FIELDS[name] for name in record.missing)


def file_lines(facts: FileFacts) -> tuple[tuple[str, str], ...]:
    """Rows of name and value: what pixels and file tell, and what was left out."""
    left_out = (("Left out as private", ", ".join(facts.withheld)),) if facts.withheld else ()
    unread = tuple(("Not read", words) for words in facts.unread)
    return (*file_history(facts), *facts.fields, *unread, *left_out)


def file_history(facts: FileFacts) -> tuple[tuple[str, str], ...]:
    """Rows of name and value: compression, earlier compression, enlargement, content credentials."""
    rows = []
    if facts.jpeg_quality is not None:
        how = "" if facts.jpeg_standard else "about "
        rows.append(("JPEG quality", f"{how}{facts.jpeg_quality} on the IJG scale"))
    if facts.pixels_asked:
        rows.append(("Earlier compression", _earlier(facts.earlier_jpeg)))
        rows.append(
            ("Resampling", "no signs found" if facts.resampled is None else _resampled(facts.resampled))
        )
        rows.append(("Effective resolution", _effective(facts)))
    else:
        rows.append(("Earlier compression, resampling", "not looked for: pixels not of 8 bits, or too few"))
    credentials = {True: "present, not checked", False: "none found", None: "not looked for in such a file"}
    rows.append(("Content credentials (C2PA)", credentials[facts.credentials]))
    return tuple(rows)


def _earlier(found: EarlierJpeg | None) -> str:
    if found is None:
        return "no signs found, which does not show that there was none"
    where = (
        "" if found.offset_xy == (0, 0) else f", on a grid that begins at column {found.offset_xy[0]}, row "
    )
    where += "" if found.offset_xy == (0, 0) else f"{found.offset_xy[1]}: cut or placed since"
    if found.quality is None:
        return f"signs of earlier JPEG compression{where}"
    return f"signs of earlier JPEG compression at quality about {found.quality}{where}"


def _resampled(found: Resampled) -> str:
    times = " or ".join(wording.number(value, 3) for value in found.enlarged)
    if found.repeated:
        return f"pixels are repeated: enlarged {times} times, and no finer than before"
    return (
        f"a pattern repeats every {wording.number(found.period_px, 3)} px, as an enlargement by about "
        f"{times} times leaves it, or a reduction; an enlarged picture is no finer than before"
    )


def _effective(facts: FileFacts) -> str:
    """Effective against nominal resolution, in numbers where the pixels tell."""
    found, nominal = facts.resampled, facts.nominal_px
    if found is None or nominal is None:
        return "not known; no sign that it is below the nominal one"
    least, most = found.effective_share
    share = f"{least:.2f}" if f"{least:.2f}" == f"{most:.2f}" else f"{least:.2f} to {most:.2f}"
    rows, cols = (found.effective_px(side) for side in nominal)
    sizes = dict.fromkeys(f"{cols[k]:,} × {rows[k]:,} px" for k in (0, 1))
    first = f"{share} of the nominal along a side: {' to '.join(sizes)} of {nominal[1]:,} × {nominal[0]:,} px"
    return first if found.repeated else f"{first}, if the pattern is that of an enlargement"


def tier_regions(comparison: Comparison, tier: str) -> tuple[Region, ...]:
    """Regions of one tier, in order of their ids."""
    return tuple(region for region in comparison.regions if region.tier == tier)


def building_counts(found: Iterable[Building]) -> dict[str, int]:
    """How many buildings are in each class, all classes named, in their order."""
    counts = dict.fromkeys(wording.BUILDING_CLASSES, 0)
    for building in found:
        counts[building.label] = counts.get(building.label, 0) + 1
    return counts


def square_analysed(square: Square) -> float:
    """Share of a square that was analysed, 0..1."""
    return square.analysed_px / square.total_px if square.total_px else 0.0


def square_share(square: Square, part_px: int) -> float | None:
    """`part_px` of a square as a share of what was analysed of it; None where that is less than half."""
    return None if square_analysed(square) < MIN_ANALYSED_OF_SQUARE else part_px / square.analysed_px


def square_buildings(square: Square) -> tuple[int, int]:
    """Buildings with visible or possible change in a square, and all that were analysed there."""
    b = square.buildings
    changed = b.get(wording.VISIBLE, 0) + b.get(wording.POSSIBLE, 0)
    return changed, changed + b.get(wording.NO_CHANGE, 0)


def grade_scale(comparison: Comparison) -> str:
    """The scale that the analyst chose for grades of buildings; none where pixels are too coarse for it."""
    gsd_m = comparison.pair.grid.gsd_m
    if gsd_m is not None and gsd_m > wording.GRADES_TO_GSD_M:
        return wording.NO_GRADES
    chosen = comparison.settings["buildings"]["grade_scale"]
    return wording.NO_GRADE_SCALE if chosen is None else wording.GRADE_SCALES[chosen]


def shift(found: Shift, grid: Grid) -> str:
    """One shift of footprints in words, with its doubt."""
    if not found.length_px:
        return found.reason
    down, right = found.shift_rc
    steps = f"{wording.error(abs(down), grid)} {'down' if down > 0 else 'up'}, "
    steps += f"{wording.error(abs(right), grid)} {'right' if right > 0 else 'left'}"
    doubt = (
        ""
        if found.standard_error_px is None
        else f"; standard error {wording.error(found.standard_error_px, grid)}"
    )
    return f"moved {steps}{doubt}; {found.reason}"


def damaged(comparison: Comparison) -> str | None:
    """The banner of a run on damaged files, which the user accepted; None when both are whole."""
    pair = comparison.pair
    sides = (("BEFORE", pair.before), ("AFTER", pair.after))
    which = [side for side, image in sides if image.integrity.state == "damaged"]
    return f"DAMAGED FILE ACCEPTED: {' and '.join(which)} · see the notes" if which else None


def synthetic(comparison: Comparison) -> bool:
    """Whether a note says that these are not pictures of a real place."""
    return any(re.search(r"\bsynthetic\b", note, re.IGNORECASE) for note in comparison.notes)


def verdict_line(comparison: Comparison) -> str | None:
    """What a figure must say of the verdict: nothing when the pair is comparable without reservations."""
    if comparison.verdict == "comparable":
        return None
    failed = [
        check.name
        for check in comparison.trust.checks
        if check.passed is False and WEIGHT.get(check.name) != "information"
    ]
    named = f": {', '.join(failed)}" if failed else ""
    return f"{comparison.verdict.upper()}{named}"


def measure_line(change: ChangeMap | None) -> str | None:
    """What every output must say when the score was not made of the tool's own measure."""
    if change is None or change.measure == "structure":
        return None
    if change.measure == "log_ratio":
        return (
            "Radar pair: regions are where backscatter differs. Moisture, wind on water, plants and another "
            "orbit change it too, and whether anything built changed cannot be told from it."
        )
    return f"Measure chosen by the user: {wording.MEASURES[change.measure]}. It is not the one recommended."


def told(comparison: Comparison) -> bool:
    """Whether anything is said about change: the pair was aligned, and resembles itself enough."""
    return comparison.change is not None and comparison.verdict != "not comparable"


def _held_out(alignment: Alignment) -> tuple[int, int]:
    """How many held-out points agree with the model, and how many there are."""
    return alignment.tie_points.count("check"), int(alignment.tie_points.held_out.sum())


def held_out(comparison: Comparison) -> str:
    """How held-out points judge the alignment, in few words."""
    alignment, grid = comparison.alignment, comparison.pair.grid
    agreeing, held = _held_out(alignment)
    if not held:
        return "error not measured: no check points"
    if alignment.ce90_px is None:
        return f"error not measured: none of {wording.count(held, 'check point')} agrees"
    error = wording.error(alignment.ce90_px, grid)
    if agreeing == held:
        return f"CE90 {error} of all {wording.count(held, 'check point')}"
    return f"CE90 {error} of the {agreeing:,} of {held:,} check points that agree"


def check_points(comparison: Comparison) -> str:
    """The same in full: how many held-out points agree, and the errors of those and of all."""
    alignment, grid = comparison.alignment, comparison.pair.grid
    agreeing, held = _held_out(alignment)
    if not held:
        return "No tie point was held out, so the error of the alignment was not measured."
    lie = "lies" if agreeing == 1 else "lie"
    first = (
        f"{agreeing:,} of {wording.count(held, 'held-out point')} {lie} "
        f"within {align_points.GROSS_PX:g} px of the model"
    )
    near = (
        ""
        if alignment.ce90_px is None
        else (
            f"; of those RMSE {wording.error(alignment.rmse_px, grid)}, "
            f"CE90 {wording.error(alignment.ce90_px, grid)}"
        )
    )
    told = f"{first}{near}; of all held-out points CE90 {wording.error(alignment.ce90_held_out_px, grid)}."
    return told if agreeing == held else f"{told} The others are mismatches, leaning roofs or change."


def lean(found: Lean, grid: Grid) -> str:
    """Where the after image shows tall things against the before image, in words of the picture."""
    down, right = found.direction_rc
    parts = [
        word
        for part, words in ((down, ("up", "down")), (right, ("to the left", "to the right")))
        if abs(part) > 0.38
        for word in (words[part > 0],)
    ]
    return (
        f"seen from another angle, they are displaced {' and '.join(parts)} in the picture, "
        f"by up to about {wording.error(found.reach_px, grid)}. Structure found again along that line "
        "does not count as change."
    )


def min_region_m2(change: ChangeMap, grid: Grid) -> float | None:
    """Ground area of the smallest region that can be reported, None without a ground sample distance."""
    return None if grid.pixel_area_m2 is None else change.min_region_px * grid.pixel_area_m2


def min_region(change: ChangeMap, grid: Grid) -> str:
    """The same in words, rounded up, in pixels where the ground size of a pixel is not known."""
    least = min_region_m2(change, grid)
    if least:
        step = 10.0 ** (math.floor(math.log10(least)) - 1)
        least = math.ceil(least / step - 1e-6) * step
    return wording.area(change.min_region_px, least)


def outline_doubt_px(region: Region, cell_px: int) -> float:
    """Area, in pixels, of half a cell all along a region's outline: no area read from cells is surer."""
    rings = [np.array(ring) for ring in region.outline_rc]
    length = sum(float(np.hypot(*np.diff(ring, axis=0).T).sum()) for ring in rings)
    return min(length * cell_px / 2, region.area_px)


def placed(comparison: Comparison) -> bool:
    """Whether both images lie on the working grid by their georeferences, aligned or not."""
    return not comparison.pair.moving_is_file


def finding(comparison: Comparison) -> str:
    """One sentence of what was found, with numbers and their doubt."""
    if comparison.pair.identical:
        return wording.IDENTICAL
    if comparison.change is None or not told(comparison):
        why = _why_not(comparison)
        return f"The two pictures are not comparable, so nothing is said about change: {why}."
    seen = amounts(comparison.change, comparison.pair.grid)
    if not seen.analysed_px:
        return "No part of the overlap could be analysed, so nothing is said about change."
    structural, other = tier_regions(comparison, "structural"), tier_regions(comparison, "other")
    least = min_region(comparison.change, comparison.pair.grid)
    if not comparison.regions:
        return (
            f"No region of change of at least {least} was found in the "
            f"{wording.share(seen.analysed_share)} of the scene that was analysed. {doubt(comparison)}"
        )
    if comparison.change.measure == "log_ratio":
        return (
            f"{wording.count(len(other), 'region')} of changed radar backscatter"
            f"{_extent(seen, seen.other_px)}. {missed.unseen(seen.analysed_share)}{doubt(comparison)}"
        )
    first = f"no region of visible change of at least {least}"
    if structural:
        first = f"{wording.count(len(structural), 'region')} of visible change"
        first += _extent(seen, seen.structural_px)
    second = (
        f" and {wording.count(len(other), 'region')} of other change{_extent(seen, seen.other_px)}"
        if other
        else ""
    )
    unseen = missed.unseen(seen.analysed_share)
    return f"{first[0].upper()}{first[1:]}{second}. {unseen}{doubt(comparison)}"


def one_picture(comparison: Comparison) -> bool:
    """Whether the two files appear to be copies of one picture."""
    return any(c.name == "two pictures" and c.passed is False for c in comparison.trust.checks)


def _why_not(comparison: Comparison) -> str:
    """Which of the deciding questions was answered with no."""
    change = comparison.change
    if one_picture(comparison):
        return "the two files appear to be copies of one picture, edited, mirrored or compressed again"
    if change is None:
        return wording.plain(comparison.alignment.reason, 1000).rstrip(".")
    least = next((c.limit for c in comparison.trust.checks if c.name == "comparability"), None)
    asked = f", at least {least:g} is asked" if isinstance(least, float) else ""
    return (
        "they resemble each other hardly more than pictures of different places do "
        f"(comparability {wording.number(change.comparability)}{asked})"
    )


def _extent(seen: Amounts, part_px: int) -> str:
    return f", {seen.area(part_px)} ({wording.share(seen.share_of_analysed(part_px))} of the area analysed)"


def doubt(comparison: Comparison) -> str:
    """One sentence: what could have been missed, and how many regions may be false."""
    trust = comparison.trust
    words = missed.headline(trust, comparison.pair.grid)
    if trust.ordinary == Ordinary():
        return f"{words} How many regions may be false was {wording.NOT_MEASURED}."
    return f"{words} {summary_ordinary.brief(trust.ordinary)}"


def limits(comparison: Comparison) -> tuple[str, ...]:
    """What this comparison cannot tell, in three lines."""
    if one_picture(comparison):
        return (
            "Whether anything changed: copies of one picture show one moment.",
            "Which of the two files is nearer to the picture as it was taken, and who changed what, and why.",
            "When the picture was taken: at most one of two different dates can be right.",
        )
    if not told(comparison):
        unaligned = comparison.change is None
        too_poor = "that cannot be aligned" if unaligned else "that resemble each other so little"
        return (
            f"Whether anything changed: pictures {too_poor} show neither change nor its absence.",
            "Whether both show the same place: too little agrees. Check places, dates and file names."
            if unaligned
            else "Why they differ so much: by season, light or sensor, or because nearly everything changed.",
            "What looks different to the eye may be season, sun, view angle or another place. "
            "Nothing here was verified on the ground.",
        )
    dated = all(image.acquisition.acquired for image in (comparison.pair.before, comparison.pair.after))
    moment = "between the two dates" if dated else "(the dates are not fully known)"
    return (
        f"It shows what looks different, not what caused it, who, with what, or at what moment {moment}.",
        "Season, sun, shadows, view angle, vehicles and building works also change pictures. "
        "Nothing here was verified on the ground.",
        "A place without a region is not shown to be unchanged: small, partial or vertical changes, "
        "and those under cloud, trees or roofs, can be missed.",
    )

"""The tool's vocabulary: one table of words, and the way numbers and dates are written.

Code, figures, report and docs take their words from here, so that one thing has one name. The tool says
what was seen (*visible change*), never who, with what, why, or at what hour.
"""

from __future__ import annotations

import math
import re
import unicodedata
from datetime import datetime, timedelta
from typing import Any

from .outcome import Reason
from .types import Acquisition, DatePrecision, Grid, Role, Tier, Verdict

NOT_KNOWN_DATE = "date not known"
NO_CREDIT = "credit not stated"
NO_SCALE = "no scale: not georeferenced"
STATED_SCALE = "scale stated by the user"
NOT_MEASURED = "not measured in this version"
SWITCHED_OFF = "self-tests were switched off (--no-selftest)"

TIERS: dict[Tier, str] = {"structural": "visible change", "other": "other change"}
TIER_MEANING: dict[Tier, str] = {
    "structural": "built structure was there before and looks different or is missing after",
    "other": "the ground or its colour looks different; built structure is not involved or cannot be told",
}
MEASURES = {
    "structure": "loss and change of structure, tolerant to small shifts",
    "ssim": "1 - SSIM, a published reference",
    "cva": "length of the change vector, a published reference",
    "irmad": "IR-MAD, a published reference",
    "stack": "departure from earlier images of the place, in standard errors of its own variation",
    "log_ratio": "log-ratio of radar backscatter over windows of about 12 px",
}
MEASURED_BY = {
    "structure": "A score of lost and altered structure was then measured, tolerant to small shifts",
    "ssim": "A score of dissimilarity (1 - SSIM) was then measured, without any tolerance to shifts",
    "cva": "A score of changed brightness and colour (length of the change vector) was then measured",
    "irmad": "A score of altered relations between the bands (IR-MAD) was then measured",
    "stack": "A score of departure from earlier images of the place, by its own variation, was then measured",
    "log_ratio": "A score of changed backscatter (log-ratio over windows) was then measured against speckle",
}
"""What a report says of the measure; ``settings.diff.measure`` names it."""
RADAR_TIERS: dict[Tier, str] = {"other": "changed backscatter"}
RADAR_MEANING: dict[Tier, str] = {
    "other": "radar backscatter differs by more than speckle does; what changed there cannot be told from it",
}


def tiers(measure: str) -> tuple[dict[Tier, str], dict[Tier, str]]:
    """Names of the tiers that a measure can give, and their meanings."""
    return (RADAR_TIERS, RADAR_MEANING) if measure == "log_ratio" else (TIERS, TIER_MEANING)


def legend(measure: str) -> dict[Tier, str]:
    """The same in few words, for figures."""
    if measure == "log_ratio":
        return {"other": "radar backscatter differs by more than speckle does"}
    return {
        "structural": "visible change: built structure looks different or is missing",
        "other": "other change: ground or colour looks different",
    }


VISIBLE, POSSIBLE = "visible change", "possible change"
NO_CHANGE, NOT_ANALYSED = "no visible change above the limit", "not analysed"
BUILDING_CLASSES: dict[str, str] = {
    VISIBLE: "the score inside the footprint is above the threshold and stands out in this pair",
    POSSIBLE: "above the threshold but common in this pair, or below it but rare among what is unchanged",
    NO_CHANGE: "nothing that can be told from chance; small or partial change can be missed",
    NOT_ANALYSED: "too little of it was analysed, or it is smaller than can be measured",
}
"""What can be said of a building. It is no grade of damage."""
GRADE_SCALES: dict[str, str] = {
    "copernicus": "Copernicus EMS: Destroyed | Damaged | Possibly damaged | No visible damage",
    "unosat": "UNOSAT: Destroyed | Severe damage | Moderate damage | Possible damage | No visible damage",
    "xbd": "xBD Joint Damage Scale: Destroyed | Major damage | Minor damage | No damage",
}
"""Scales in which an analyst may grade buildings; the tool never does."""
NO_GRADE_SCALE = "none chosen"
IDENTICAL = (
    "Both files are identical, byte for byte: it is one picture twice, so nothing is said about change."
)
GRADES_TO_GSD_M = 1.0
NO_GRADES = "none: pixels of more than 1 m show no grades of damage to buildings"


def grades(scale: str) -> tuple[str, ...]:
    """The grades of a scale, worst first."""
    return tuple(GRADE_SCALES[scale].split(": ", 1)[1].split(" | "))


def gradable(gsd_m: float | None) -> bool:
    """Whether pixels are fine enough for grades; where their size is not known, they are not."""
    return gsd_m is not None and gsd_m <= GRADES_TO_GSD_M


VERDICT_MEANING: dict[Verdict, str] = {
    "comparable": "The two pictures were aligned and resemble each other enough to compare them.",
    "comparable with reservations": "The comparison can be used, but not every check passed: see below.",
    "not comparable": "Nothing may be said about change from this pair.",
}
REASONS: dict[Reason, str] = {
    "outside_area_of_interest": "outside the area of interest",
    "excluded_by_hand": "excluded by hand, with what its neighbourhood reaches",
    "drawn_over": "drawn over in one picture or both, with what its neighbourhood reaches",
    "no_picture": "no picture in one of the two, or next to such a place",
    "outside_tie_points": "outside the part that tie points support",
    "not_comparable": "the pair is not comparable",
}
"""Why places were not analysed."""
BY_HAND: tuple[Reason, ...] = ("outside_area_of_interest", "excluded_by_hand")
ROLES: dict[Role, str] = {
    "fit": "used to fit the model",
    "check": "held out, near the model",
    "rejected": "disagree with the others",
}
MODELS = {
    "none": "no shift was needed or could be measured",
    "translation": "one shift for the whole picture",
    "similarity": "shift, rotation and scale",
    "affine": "shift, rotation, scale and shear",
    "homography": "perspective of a plane",
    "local": "a global model and a smooth local displacement",
}
SMALLEST = 0.0001
"""Numbers nearer to nothing are written "<0.0001"."""
SHORTEST_HONEST_SHARE = 0.001
"""Shares nearer to nothing or to everything than this are written "<0.1 %" and ">99.9 %"."""

_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_JOINERS = {"\u200c", "\u200d"}  # zero-width (non-)joiner: needed to write Persian and Indic scripts


def plain(text: str, limit: int = 300) -> str:
    """`text` as one line without control, bidirectional, invisible or broken characters.

    A file name must not be able to turn the words around it, or hide part of itself.
    """
    spaced = " ".join(unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode("utf-8")).split())
    seen = "".join(c for c in spaced if c in _JOINERS or unicodedata.category(c) not in _INVISIBLE)
    return seen if len(seen) <= limit else seen[: limit - 1] + "…"


def share(value: float) -> str:
    """A share 0..1 in percent; "0 %" and "100 %" only when they are true."""
    if value <= 0:
        return "0 %"
    if value >= 1:
        return "100 %"
    if value < SHORTEST_HONEST_SHARE:
        return "<0.1 %"
    if value > 1 - SHORTEST_HONEST_SHARE:
        return ">99.9 %"
    return f"{100 * value:.1f} %" if value < 0.1 or value > 0.9 else f"{100 * value:.0f} %"


def slug(text: str) -> str:
    """`text` as a name of a file that leads nowhere else: letters, digits, hyphens, at most 80."""
    seen = re.sub(r"[^\w-]+", "-", unicodedata.normalize("NFC", plain(text)))
    return seen.strip("-_")[:80].rstrip("-_")


def number(value: float, digits: int = 2) -> str:
    """`value` to so many significant digits, never in powers of ten; nothing is rounded down to zero."""
    if value == 0:
        return "0"
    rounded = float(f"{value:.{digits - 1}e}")  # may reach the next power of ten: 0.999 is 1.0
    places = max(0, digits - 1 - math.floor(math.log10(abs(rounded))))
    if abs(value) < SMALLEST:
        return f"{'<' if value > 0 else '>-'}{SMALLEST:.4f}"
    return f"{rounded:,.{places}f}"


def score(value: float) -> str:
    """A score 0..1 to two decimals; "0" and "1" only when they are true."""
    if 0 < value < 0.005:
        return "<0.01"
    if 0.995 <= value < 1:
        return ">0.99"
    return f"{value:.2f}"


def area(area_px: float, area_m2: float | None) -> str:
    """An area in m², ha or km²; in pixels when the ground size of a pixel is not known."""
    if area_m2 is None:
        return f"{area_px:,.0f} px"
    if area_m2 >= 1e6:
        return f"{number(area_m2 / 1e6)} km²"
    if area_m2 >= 1e4:
        return f"{number(area_m2 / 1e4)} ha"
    return f"{number(area_m2)} m²"


def count(n: int, one: str, many: str | None = None) -> str:
    """``1 region``, ``3 regions``, ``no regions``."""
    return f"{n:,} {one}" if n == 1 else f"{n:,} {many or one + 's'}" if n else f"no {many or one + 's'}"


def sentence(text: str) -> str:
    """`text` with a capital letter and a full stop."""
    return f"{text[0].upper()}{text[1:]}."


def error(px: float | None, grid: Grid) -> str:
    """A distance in pixels, and in metres where the ground size of a pixel is known."""
    if px is None:
        return "not known"
    metres = "" if grid.gsd_m is None else f" ({number(px * grid.gsd_m)} m)"
    return f"{number(px)} px{metres}"


def scale(grid: Grid) -> str:
    """How metres are known on this grid, or that they are not."""
    if grid.gsd_m is None:
        return NO_SCALE
    words = f"{number(grid.gsd_m, 3)} m a pixel"
    who = scale_source(grid)
    return f"{words}, {who}" if who else words


def scale_source(grid: Grid) -> str:
    """Who tells how large a pixel is, when it is not the file, and how far that may be wrong."""
    who = {
        "scale bar": "by a scale bar that the user read",
        "analyst's georeference": "georeferenced by the analyst",
    }.get(grid.gsd_source or "", "" if grid.crs else STATED_SCALE)
    doubt = grid.gsd_relative_uncertainty
    return (
        who
        if doubt is None
        else f"{who}: lengths{within(doubt)}, areas{within(grid.area_relative_uncertainty)}"
    )


def which(side: str, name: str, is_part: bool) -> str:
    """Which image is spoken of: ``the before image (a.jpg)``, or ``the before panel`` of one picture."""
    return f"the {side} panel" if is_part else f"the {side} image ({plain(name)})"


def within(relative: float | None) -> str:
    """What stands after a number, `` ± 4 %``; nothing where no doubt is known."""
    return "" if relative is None else f" ± {number(100 * relative)} %"


def date(acquisition: Acquisition) -> str:
    """``4 Oct 2020, 07:52 UTC``, as precisely as it is known."""
    when = acquisition.acquired
    if when is None:
        return NOT_KNOWN_DATE
    day = f"{when.day} {_MONTHS[when.month - 1]} {when.year}"
    return day + _clock(when, acquisition.precision)


def date_iso(acquisition: Acquisition) -> str:
    """``2020-10-04 07:52 UTC``, as precisely as it is known."""
    if acquisition.acquired is None:
        return NOT_KNOWN_DATE
    return f"{acquisition.acquired:%Y-%m-%d}" + _clock(acquisition.acquired, acquisition.precision).replace(
        ",", ""
    )


def _clock(when: datetime, precision: DatePrecision) -> str:
    return {"day": "", "minute": f", {when:%H:%M} UTC", "second": f", {when:%H:%M:%S} UTC"}[precision]


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def coarser(before: Acquisition, after: Acquisition) -> DatePrecision:
    """The precision to which both dates are known."""
    return min(before.precision, after.precision, key=tuple(_WHOLE).index)


def apart(before: Acquisition, after: Acquisition) -> timedelta | None:
    """Time from one date to the other, both cut to the coarser precision: zero when their order is not known.

    None without one of the dates. A day by a clock without a zone may be the next one or the one before.
    """
    if before.acquired is None or after.acquired is None:
        return None
    cut = _WHOLE[coarser(before, after)]
    found = after.acquired.replace(**cut) - before.acquired.replace(**cut)
    unsure = not (before.zone_stated and after.zone_stated)
    return timedelta(0) if unsure and abs(found) <= timedelta(days=1) else found


_WHOLE: dict[DatePrecision, dict[str, Any]] = {
    "day": {"hour": 0, "minute": 0, "second": 0, "microsecond": 0},
    "minute": {"second": 0, "microsecond": 0},
    "second": {"microsecond": 0},
}
"""What each precision leaves out, from the coarsest to the finest."""


def bracket(before: Acquisition, after: Acquisition) -> str:
    """What the two dates allow to say of the time of a change: it lies between them, never on one of them."""
    if before.acquired is None and after.acquired is None:
        return "dates not known: when anything changed cannot be told"
    if before.acquired is None:
        return f"not later than {date_iso(after)}; the date of the before image is not known"
    if after.acquired is None:
        return f"not earlier than {date_iso(before)}; the date of the after image is not known"
    time = apart(before, after)
    if not time:
        zones = before.zone_stated and after.zone_stated
        why = f"same {coarser(before, after)}" if zones else "a time without its zone"
        return f"dated {date_iso(before)} and {date_iso(after)}: {why}, order not known"
    if time < timedelta(0):
        return (
            f"the before image ({date_iso(before)}) is dated later than the after image ({date_iso(after)}): "
            "check the dates"
        )
    days = (after.acquired.date() - before.acquired.date()).days
    return f"between {date_iso(before)} and {date_iso(after)} ({count(days, 'day') if days else 'same day'})"

"""The comparability card: season, sun, angles, compression, sharpness, haze and clipping against limits."""

from __future__ import annotations

from dataclasses import dataclass

from . import bracket, sun, tones, wording
from .looks import Look, Looks, Shadows
from .outcome import SamePicture
from .sun import Sun
from .types import Acquisition, ChangeMap, Check, Image, Pair

MAX_DAYS_OF_YEAR = 45.0
"""Stated, not measured: half a season. Plants follow the weather, not the calendar."""
MAX_SUN_ELEVATION_DEG = 15.0
"""In unchanged towns 8 false regions a megapixel, none of them structural; at 30 degrees 25, of them 4."""
MAX_SUN_AZIMUTH_DEG = 40.0
"""The same: 4, none structural; at 60 degrees 25, of them 8."""
MAX_OFF_NADIR_DEG = 15.0
"""The same: 3, of them 1; at 20 degrees 14, at 30 degrees 41, of them 20."""
MIN_JPEG_QUALITY = 40
"""At 50 nothing is lost; at 30 there are 4 false regions a megapixel where there were none."""
MAX_BLOCKING = 0.4
"""What quality 40 gives: .26 to .34 at quality 50, .39 to .50 at 30."""
MAX_BLUR_PX = 1.0
"""At 1.0 px one planted building in five is lost, at 1.5 px two in five, at 2 px three."""
MAX_HAZE = 0.25
"""Stated: even haze cost nothing up to .8, but real haze is not even, and hides what it covers."""
MAX_CLOUD = 0.05
"""Share of the scene likely under cloud: so much ground, at least, one of the dates does not show."""
MAX_CLIPPED = 0.15
"""At .05 to .10 nothing is lost; at .20 to .35 there are 9 false regions a megapixel."""

YEAR_DAYS = 365.25
AGREES_WITHIN_DEG, CONTRADICTS_BEYOND_DEG, OPPOSITE_FROM_DEG = 30.0, 60.0, 150.0
"""A measured shadow direction was never off by more than 22 degrees where one was given at all; the opposite
direction is what an estimate that fails gives, so it is held against nobody."""
ANSWERS = ("agree", "contradict", "cannot tell")
SUN_DEG = (10.0, 75.0)
"""Lower, everything is shadow; higher, shadows are short and their direction turns by the minute."""


@dataclass(frozen=True)
class Facts:
    """What is known of a pair beside its alignment and change."""

    looks: Looks = Looks()
    suns: tuple[Sun | None, Sun | None] = (None, None)
    """Over the place at each acquisition; None without a place, or a time to the minute."""
    north_deg: float | None = None
    """True azimuth of the working grid's up."""
    event: Acquisition | None = None
    """When what is asked about happened, as stated."""
    same: SamePicture | None = None
    """Whether both files are one picture; None: not asked."""


def checks(pair: Pair, change: ChangeMap | None, facts: Facts) -> tuple[Check, ...]:
    """Every question of the card, in the order in which a reader needs them."""
    looks = facts.looks
    return (
        bracket.check(pair.before.acquisition, pair.after.acquisition, facts.event),
        _season(pair),
        _sun_height(facts.suns),
        _sun_direction(facts.suns),
        _stated_time("before", looks.before.shadows, facts.suns[0], facts.north_deg),
        _stated_time("after", looks.after.shadows, facts.suns[1], facts.north_deg),
        _view_angle(pair.before, pair.after),
        _blur(looks),
        _jpeg_quality(pair),
        _blocks(pair, looks),
        _haze(looks),
        _cloud(change),
        _clipped(looks),
    )


def _season(pair: Pair) -> Check:
    question = "Are both images of the same season?"
    time = wording.apart(pair.before.acquisition, pair.after.acquisition)
    if time is None:
        return Check(
            "season", question, None, MAX_DAYS_OF_YEAR, "days of the year apart", None, "a date is not known"
        )
    days = abs(time.total_seconds()) / 86400 % YEAR_DAYS
    days = round(min(days, YEAR_DAYS - days), 1)
    return Check(
        "season", question, days, MAX_DAYS_OF_YEAR, "days of the year apart", days <= MAX_DAYS_OF_YEAR
    )


_ASK = "check date, time zone and place"
_NO_SUN = "the place, or a time of day with its zone, is not known"


def _sun_height(suns: tuple[Sun | None, Sun | None]) -> Check:
    question, unit = "Did the sun stand about equally high?", "degrees apart"
    before, after = suns
    if before is None or after is None:
        return Check("sun height", question, None, MAX_SUN_ELEVATION_DEG, unit, None, _NO_SUN)
    apart = round(abs(before.elevation_deg - after.elevation_deg), 1)
    words = f"{before.elevation_deg:.1f} and {after.elevation_deg:.1f} degrees high at the times given"
    passed = apart <= MAX_SUN_ELEVATION_DEG
    if min(before.elevation_deg, after.elevation_deg) <= 0:
        passed, words = False, f"{words}: under the horizon, when no picture in daylight is taken: {_ASK}"
    return Check("sun height", question, apart, MAX_SUN_ELEVATION_DEG, unit, passed, words)


def _sun_direction(suns: tuple[Sun | None, Sun | None]) -> Check:
    question, unit = "Did the sun shine from about the same side?", "degrees apart"
    before, after = suns
    if before is None or after is None:
        return Check("sun direction", question, None, MAX_SUN_AZIMUTH_DEG, unit, None, _NO_SUN)
    apart = round(sun.apart_deg(before.azimuth_deg, after.azimuth_deg), 1)
    if min(before.elevation_deg, after.elevation_deg) <= 0:
        why = f"at a time given the sun is under the horizon: {_ASK}"
        return Check("sun direction", question, None, MAX_SUN_AZIMUTH_DEG, unit, None, why)
    words = f"{before.azimuth_deg:.0f} and {after.azimuth_deg:.0f} degrees clockwise from north, by the times"
    return Check(
        "sun direction", question, apart, MAX_SUN_AZIMUTH_DEG, unit, apart <= MAX_SUN_AZIMUTH_DEG, words
    )


def _stated_time(which: str, shadows: Shadows | None, at: Sun | None, north_deg: float | None) -> Check:
    """The shadows of one image against the sun of its stated time: agree, contradict, or cannot tell."""
    name, unit = f"shadows {which}", "degrees apart"
    question = f"Do the shadows in the {which} image fall as the stated time says?"
    limit = CONTRADICTS_BEYOND_DEG
    if at is None or north_deg is None:
        why = _NO_SUN if at is None else "without a georeference the picture does not say where north is"
        return Check(name, question, None, limit, unit, None, f"cannot tell: {why}")
    low, high = SUN_DEG
    if not low <= at.elevation_deg <= high:
        night = at.elevation_deg <= 0
        told = "under the horizon" if night else f"{at.elevation_deg:.0f} degrees high"
        words = f"at the stated time the sun is {told}; "
        words += "no picture in daylight can be of it" if night else "shadows tell no direction then"
        return Check(name, question, None, limit, unit, False if night else None, words)
    if shadows is None:
        return Check(
            name, question, None, limit, unit, None, "cannot tell: no clear direction in the picture"
        )
    towards, stated = (shadows.towards_deg + north_deg) % 360, (at.azimuth_deg + 180) % 360
    apart = round(sun.apart_deg(towards, stated), 1)
    words = (
        f"{answer(apart)}: measured towards {towards:.0f} ± {2 * shadows.error_deg:.0f}, the sun of the "
        f"stated time throws them towards {stated:.0f} degrees clockwise from north"
    )
    passed = {"agree": True, "contradict": False}.get(answer(apart))
    return Check(name, question, apart, limit, unit, passed, words)


def answer(apart_deg: float) -> str:
    """One of `ANSWERS` for a measured direction so far from the stated one."""
    if apart_deg <= AGREES_WITHIN_DEG:
        return "agree"
    return "contradict" if CONTRADICTS_BEYOND_DEG < apart_deg < OPPOSITE_FROM_DEG else "cannot tell"


def _view_angle(before: Image, after: Image) -> Check:
    question, unit = "Were both taken from about the same angle?", "degrees apart"
    first, second = before.off_nadir_deg, after.off_nadir_deg
    if first is None or second is None:
        words = "the files do not tell their angles; see Lean of tall things"
        return Check("view angle", question, None, MAX_OFF_NADIR_DEG, unit, None, words)
    apart = round(abs(first - second), 1)
    words = f"{first:.0f} and {second:.0f} degrees off the vertical; the direction of view is not counted"
    return Check("view angle", question, apart, MAX_OFF_NADIR_DEG, unit, apart <= MAX_OFF_NADIR_DEG, words)


def _blur(looks: Looks) -> Check:
    question, unit = "Are both about equally sharp?", "px of blur between them"
    if looks.blur_px is None:
        return Check("sharpness", question, None, MAX_BLUR_PX, unit, None, "not measured")
    blur = round(abs(looks.blur_px), 2)
    words = f"the {'after' if looks.blur_px > 0 else 'before'} image is the softer one" if blur else ""
    return Check("sharpness", question, blur, MAX_BLUR_PX, unit, blur <= MAX_BLUR_PX, words)


def _jpeg_quality(pair: Pair) -> Check:
    question, unit = "Was little thrown away by JPEG compression?", "quality, 1 to 100, of the worse"
    known = {name: image.jpeg_quality for name, image in (("before", pair.before), ("after", pair.after))}
    found = [quality for quality in known.values() if quality is not None]
    if not found:
        words = "neither file is a JPEG; what it was before cannot be read from it"
        return Check("JPEG quality", question, None, MIN_JPEG_QUALITY, unit, None, words)
    words = ", ".join(f"{name} {quality or 'no JPEG'}" for name, quality in known.items())
    return Check(
        "JPEG quality", question, min(found), MIN_JPEG_QUALITY, unit, min(found) >= MIN_JPEG_QUALITY, words
    )


def _blocks(pair: Pair, looks: Looks) -> Check:
    question, unit = (
        "Are the pictures free of the 8 x 8 blocks of compression?",
        "excess of steps at block borders",
    )
    sides = (("before", pair.before, looks.before), ("after", pair.after, looks.after))
    found = [look.blocking for _, _, look in sides if look.blocking is not None]
    if not found:
        return Check("JPEG blocks", question, None, MAX_BLOCKING, unit, None, "not measured")
    hidden = [which for which, image, look in sides if image.jpeg_quality is None and _blocked(look)]
    words = f"{' and '.join(hidden)}: once a JPEG, though the file is none" if hidden else ""
    return Check(
        "JPEG blocks", question, round(max(found), 3), MAX_BLOCKING, unit, max(found) <= MAX_BLOCKING, words
    )


def _blocked(look: Look) -> bool:
    return look.blocking is not None and look.blocking >= tones.MIN_BLOCKING


def _haze(looks: Looks) -> Check:
    question, unit = "Are both free of haze?", "darkest over brightest, of the hazier"
    return _worse("haze", question, (looks.before.haze, looks.after.haze), MAX_HAZE, unit)


def _cloud(change: ChangeMap | None) -> Check:
    question = "Is the ground free of cloud in both images?"
    shares = [] if change is None else [change.sight.cloud_before, change.sight.cloud_after]
    known = [share for share in shares if share is not None]
    measured = max(known) if known else None
    passed = None if measured is None else measured <= MAX_CLOUD
    return Check("cloud", question, measured, MAX_CLOUD, "share, at least", passed)


def _clipped(looks: Looks) -> Check:
    question, unit = (
        "Do both keep detail in bright and dark places?",
        "share of pixels at an end of the range",
    )
    return _worse("clipped pixels", question, (looks.before.clipped, looks.after.clipped), MAX_CLIPPED, unit)


def _worse(
    name: str, question: str, both: tuple[float | None, float | None], limit: float, unit: str
) -> Check:
    """The larger of two figures against a limit."""
    found = [value for value in both if value is not None]
    if not found:
        return Check(name, question, None, limit, unit, None, "not measured")
    words = ", ".join(
        f"{which} {'not known' if value is None else wording.number(value)}"
        for which, value in zip(("before", "after"), both, strict=True)
    )
    return Check(name, question, round(max(found), 4), limit, unit, max(found) <= limit, words)

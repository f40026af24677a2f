"""Whether the time between two images holds the date of an event, and by how much."""

from __future__ import annotations

from datetime import timedelta

from . import wording
from .types import Acquisition, Check

NAME = "event date"
QUESTION = "Was the stated event between the two images?"
UNIT = "days to the nearer image"


def check(before: Acquisition, after: Acquisition, event: Acquisition | None) -> Check:
    """The event held against the dates of both images, each no finer than the coarser of the two is known.

    Returns
    -------
    Check
        Measured are the days from the event to the nearer image, negative when it lies outside. None is
        passed without the dates, on the very day of an image that is known to the day, and where the answer
        stands on a date that may be of processing: the image may then be older than its date, by years.
    """
    if event is None or event.acquired is None:
        return Check(NAME, QUESTION, None, 0.0, UNIT, None, "no event date was stated (--event-date)")
    since, until = wording.apart(before, event), wording.apart(event, after)
    outside = _outside(since, until)
    older = _may_be_older(before, after, since, until)
    if older is not None:
        words = f"stated {wording.date_iso(event)}; the date of the {older} image may be that of processing, "
        words += "so the image may be older: state when it was taken"
        return Check(NAME, QUESTION, None, 0.0, UNIT, None, words)
    if outside is not None:
        words = f"stated {wording.date_iso(event)}, {outside}: nothing seen here can be of that event"
        return Check(NAME, QUESTION, -_outside_days(since, until), 0.0, UNIT, False, words)
    if since is None or until is None:
        missing = "before" if since is None else "after"
        words = f"stated {wording.date_iso(event)}; the date of the {missing} image is not known"
        return Check(NAME, QUESTION, None, 0.0, UNIT, None, words)
    return _inside(event, since, until)


def _may_be_older(
    before: Acquisition, after: Acquisition, since: timedelta | None, until: timedelta | None
) -> str | None:
    """The image that could undo the answer by being older than its date; None: the answer stands."""
    if before.may_be_processing and since is not None and since <= timedelta(0):
        return "before"
    if after.may_be_processing and until is not None and until >= timedelta(0):
        return "after"
    return None


def _inside(event: Acquisition, since: timedelta, until: timedelta) -> Check:
    edge = "before" if not since else "after" if not until else None
    if edge is not None:
        words = f"stated {wording.date_iso(event)}, as the {edge} image, as far as dates tell: "
        words += "which came first is not known"
        return Check(NAME, QUESTION, 0.0, 0.0, UNIT, None, words)
    words = (
        f"stated {wording.date_iso(event)}, {_long(since)} after the before image and {_long(until)} before "
        "the after image; the images cannot narrow it further"
    )
    return Check(NAME, QUESTION, min(_days(since), _days(until)), 0.0, UNIT, True, words)


def _outside(since: timedelta | None, until: timedelta | None) -> str | None:
    """On which side the event lies outside; both, where the dates of the images are swapped."""
    early, late = (side is not None and side < timedelta(0) for side in (since, until))
    if early and late:
        return "but the two images are dated the other way round"
    if early and since is not None:
        return f"{_long(-since)} before the before image"
    return f"{_long(-until)} after the after image" if late and until is not None else None


def _outside_days(since: timedelta | None, until: timedelta | None) -> float:
    return max(-_days(side) for side in (since, until) if side is not None)


def _days(time: timedelta) -> float:
    return round(time.total_seconds() / 86400, 3)


def _long(time: timedelta) -> str:
    """Whole days, or hours and minutes below two days."""
    if time >= timedelta(days=2) or not time % timedelta(days=1):
        return wording.count(time.days, "day")
    hours, minutes = divmod(int(time.total_seconds() // 60), 60)
    return f"{hours} h {minutes:02d} min"

"""Are two files copies of one picture, and does a picture hold a part of itself twice? The questions asked.

`same_windows` looks at windows of two pictures, `repeated` at one picture; what they found is held here
against the limits.
"""

from __future__ import annotations

from .outcome import SamePicture
from .repeated import SHARE
from .same_windows import PART, WHOLE
from .types import Check


def checks(found: SamePicture | None) -> tuple[Check, ...]:
    """The questions of the Trust list: one picture in two files, a part of it, parts repeated inside one."""
    whole = "Are these two pictures, and not copies of one, edited or compressed again?"
    part = "Is no part of both images one and the same picture?"
    within = "Does no picture hold a large part of itself twice?"
    unit = "share of the windows that are the same"
    if found is None or found.share is None:
        same = (
            Check("two pictures", whole, None, WHOLE, unit, None),
            Check("shared part", part, None, PART, unit, None),
        )
    else:
        measured = found.share if found.mirrored is None else f"mirrored {found.mirrored}"
        same = (
            Check("two pictures", whole, measured, WHOLE, unit, not found.whole),
            Check("shared part", part, found.share, PART, unit, None if found.whole else not found.partly),
        )
    repeated = None if found is None else max((r.share for r in found.repeated), default=0.0)
    passed = None if found is None else not found.repeated
    return (*same, Check("repeated part", within, repeated, SHARE, "share of the picture", passed))


def copies(found: SamePicture) -> str:
    """What is said of two files that are one picture as a whole, without a full stop."""
    how = "edited or compressed again" if found.mirrored is None else f"mirrored {found.mirrored}"
    return f"the two files appear to be copies of one picture, {how}"

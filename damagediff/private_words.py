"""Words in which somebody's whereabouts, machine or name may stand: a place on Earth, a folder, an address.

Asked of every text that a file tells of itself before it reaches a report. It rather keeps back a harmless
number than tells where an analyst sat: what is kept back is named, and told when asked for.
"""

from __future__ import annotations

import re
import unicodedata

MAX_ASKED = 20_000
"""Characters that are looked at; more than any value that is kept."""

_DEGREES = r"[-+]?\d{1,3}\.\d{2,}"
_FOLDER = r"""
    (?:^|[\s"'(=:;,<>|])(?:~|\$HOME|%USERPROFILE%|file://) |  # a home
    (?:^|[\s"'(=:;,<>|])/[^\s/]+/[^\s/] |                  # /Volumes/photos/...
    (?:^|[\s"'(=:;,<>|])/(?:home|Users|root|private|var|mnt|media|tmp)\b |
    /(?:home|Users)/ |
    (?<![A-Za-z])[A-Za-z]:[\\/](?!/) |                        # C:\ and C:/, but no https://
    \\\\[^\\\s] |                                             # \\server
    \\Users\\
"""
_ADDRESS = r"""
    [^\s@]+@[^\s@]+\.[A-Za-z] |                               # e-mail
    (?:^|[\s(,;:])@[A-Za-z]\w{2,} |                           # a handle
    (?:^|[\s(,;:])\+\d[\d\s().-]{7,}\d |                      # a telephone
    \b(?:user(?:[ _-]?name)?|login|log-?on|host(?:[ _-]?name)?|computer(?:[ _-]?name)?|owner)\s*[:=]\s*\S
"""
_PLACE = rf"""
    (?<![\d.]){_DEGREES}\s*°?\s*[NSns]?\s*[,;/|\s]\s*{_DEGREES}(?![\d.]) |  # 40.6828, 46.3606
    \d\s*[°º˚]\s*\d{{1,2}}(?:\.\d+)?\s*['′’] |                # 40°40'
    \d\s*[°º˚]\s*[NSEWnsew]\b |                               # 40.68° N
    \b[NS]\s*\d{{1,2}}(?:[.,:\s]\d+)+[^A-Za-z]{{0,8}}\b[EW]\s*\d{{1,3}} |   # N 40.68 E 46.36
    \b\d{{1,2}}(?:[.,:\s]\d+)+\s*[NS]\b.{{0,6}}?\d{{1,3}}(?:[.,:\s]\d+)+\s*[EW]\b |  # 40.68N 46.36E
    \b\d{{1,3}},\d{{1,2}}(?:\.\d+|,\d{{1,2}})[NSEW]\b |       # 40,40.968N of XMP
    @[-+]?\d{{1,2}}\.\d+,[-+]?\d |                            # .../@40.68,46.36,15z
    \b\d{{1,2}}[C-HJ-NP-X]\s?[A-HJ-NP-Z]{{2}}\s?\d{{2,5}}\s?\d{{2,5}}\b |   # MGRS
    \b[23456789CFGHJMPQRVWX]{{4,8}}\+[23456789CFGHJMPQRVWX]{{2,3}}\b |      # Plus Code
    \b\d{{6}}(?:\.\d+)?\s*(?:m\s?)?E?[,;/\s]+\d{{7}}(?:\.\d+)?\b            # easting, northing
"""
_NAMED_PLACE = r"""
    \b(?:geo:|(?:lat|lon|latitude|longitude|gps|coord|coords|coordinates?)(?![A-Za-z]))[^\d\n]{0,16}\d |
    \blong\s*[:=]\s*[-+]?\d
"""
_KINDS = (
    re.compile(_FOLDER, re.VERBOSE | re.IGNORECASE),
    re.compile(_ADDRESS, re.VERBOSE | re.IGNORECASE),
    re.compile(_NAMED_PLACE, re.VERBOSE | re.IGNORECASE),
    re.compile(_PLACE, re.VERBOSE),  # capitals tell N, E and letters of a grid from words
)


def private(text: str) -> bool:
    """Whether a text holds what looks like a place on Earth, a folder, or how to reach somebody."""
    shown = unicodedata.normalize("NFKC", text[:MAX_ASKED])
    return any(kind.search(shown) for kind in _KINDS)

"""Where the sun stands at a time and a place. The only room that knows the library of the sky."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import NamedTuple

import ephem


class Sun(NamedTuple):
    """Direction of the sun's middle, without the bending of light in the air."""

    azimuth_deg: float
    """Clockwise from true north, 0 to 360."""
    elevation_deg: float
    """Over the horizon; negative at night."""


def position(when: datetime, lon: float, lat: float) -> Sun:
    """The sun at one time over one place.

    PyEphem's VSOP87 [1]_. Against the worked example of the NREL solar position algorithm [2]_ it is off by
    .00002 degrees; see docs/method.md.

    Parameters
    ----------
    when : datetime
        Aware; any zone.
    lon, lat : float
        Degrees, WGS 84, east and north positive.

    References
    ----------
    .. [1] Bretagnon and Francou, "Planetary theories in rectangular and spherical variables: VSOP87
           solutions", Astron. Astrophys. 202, 1988.
    .. [2] Reda and Andreas, "Solar position algorithm for solar radiation applications", Solar Energy
           76(5), 2004. :DOI:`10.1016/j.solener.2003.12.003`
    """
    observer = ephem.Observer()
    observer.lon, observer.lat = math.radians(lon), math.radians(lat)
    observer.pressure = 0  # the true direction, in which shadows are thrown
    observer.date = ephem.Date(when.astimezone(UTC).replace(tzinfo=None))
    body = ephem.Sun(observer)
    return Sun(math.degrees(body.az), math.degrees(body.alt))


def apart_deg(first: float, second: float) -> float:
    """Smaller angle between two directions in degrees, 0 to 180."""
    return abs((first - second + 180) % 360 - 180)

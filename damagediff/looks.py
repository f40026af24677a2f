"""How two pictures look, apart from what they show: what the comparability card holds against limits."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Shadows:
    """The direction in which shadows fall, as measured in one picture."""

    towards_deg: float
    """Clockwise from the top of the picture, 0 to 360."""
    error_deg: float
    """Standard error of it, over windows of the picture."""
    strength: float
    """Length of the mean over its standard error: beyond 4 a direction stands out."""
    windows: int


@dataclass(frozen=True)
class Look:
    """One picture's own qualities; None where they could not be measured."""

    haze: float | None = None
    """Brightness of its darkest places as a share of its brightest, 0..1."""
    clipped: float | None = None
    """Share of its pixels at the end of its range, 0..1."""
    blocking: float | None = None
    """By how much steps at the borders of 8 x 8 blocks exceed other steps, as a share of those."""
    shadows: Shadows | None = None


@dataclass(frozen=True)
class Looks:
    """Both pictures, and how sharp one is against the other."""

    before: Look = Look()
    after: Look = Look()
    blur_px: float | None = None
    """Blur, as a Gaussian's sigma in px of the working grid, that makes the sharper picture as soft as the
    other; positive: the after image is the softer one."""

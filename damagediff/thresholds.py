"""Where change begins: thresholds from the histogram of the score, and regions grown down to a lower one.

Every rule works on whole counts of the smoothed score of the scene's valid cells, so that its answer
does not depend on tiles or order. The pair's own rule, the default, lives in `diff`. The others come from
the literature, for readers who are asked for them: they look for two groups of values whether there are
two or not, and so find change where there is none (docs/method.md).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from skimage.filters import threshold_otsu

from . import cells
from .cells import IntArray
from .types import BoolArray, FloatArray

BINS = 256
"""Steps of the score 0..1: as many as the rules were published with."""
CENTRES = (np.arange(BINS) + 0.5) / BINS


def histogram(score: FloatArray) -> IntArray:
    """(256,) counts of scores 0..1; a score of 1 is in the last step."""
    index = np.clip(score * np.float32(BINS), 0, BINS - 1).astype(np.int64)
    return np.bincount(index.ravel(), minlength=BINS)


def otsu(counts: IntArray) -> int:
    """The split with the greatest variance between its two classes [1]_.

    Parameters
    ----------
    counts : (256,) int
        At least two of them above 0; so for every rule here.

    Returns
    -------
    int
        The last step that is still no change; so for every rule here.

    References
    ----------
    .. [1] Otsu, "A threshold selection method from gray-level histograms", IEEE Trans. Systems, Man and
           Cybernetics 9(1), 1979. :DOI:`10.1109/TSMC.1979.4310076`
    """
    return int(threshold_otsu(hist=(counts, np.arange(BINS))))  # type: ignore[no-untyped-call]


def triangle(counts: IntArray) -> int:
    """The point of the histogram farthest from the line between its peak and the end of its longer tail [1]_.

    References
    ----------
    .. [1] Zack, Rogers and Latt, "Automatic measurement of sister chromatid exchange frequency", J.
           Histochemistry and Cytochemistry 25(7), 1977. :DOI:`10.1177/25.7.70454`
    """
    first, last = _ends(counts)
    peak = int(np.argmax(counts))
    if last - peak >= peak - first:
        return _farthest(counts, peak, last)
    return BINS - 1 - _farthest(counts[::-1], BINS - 1 - peak, BINS - 1 - first)


def rosin(counts: IntArray) -> int:
    """The corner of a histogram with one peak, no change, and a tail to its right [1]_.

    Like `triangle`, but the tail is always the right one, and the line ends at the empty step behind it.

    References
    ----------
    .. [1] Rosin, "Unimodal thresholding", Pattern Recognition 34(11), 2001.
           :DOI:`10.1016/S0031-3203(00)00136-9`
    """
    padded = np.append(counts, 0)
    return min(_farthest(padded, int(np.argmax(counts)), _ends(counts)[1] + 1), BINS - 1)


def li(counts: IntArray) -> int:
    """The split with the least cross entropy between the scores and the means of their class [1]_.

    All splits are tried, so that the answer is the least and not one near the first guess.

    References
    ----------
    .. [1] Li and Lee, "Minimum cross entropy thresholding", Pattern Recognition 26(4), 1993.
           :DOI:`10.1016/0031-3203(93)90115-D`
    """
    below, above = _both_sides(counts)
    mass_below, mass_above = _both_sides(counts * CENTRES)
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = mass_below * np.log(mass_below / below) + mass_above * np.log(mass_above / above)
    return _best_split(gain, counts)


def kapur(counts: IntArray) -> int:
    """The split whose two classes have the greatest entropy together [1]_.

    References
    ----------
    .. [1] Kapur, Sahoo and Wong, "A new method for gray-level picture thresholding using the entropy of the
           histogram", Computer Vision, Graphics and Image Processing 29(3), 1985.
           :DOI:`10.1016/0734-189X(85)90125-2`
    """
    information = counts * np.log(np.maximum(counts, 1))
    below, above = _both_sides(counts)
    sum_below, sum_above = _both_sides(information)
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = np.log(below) - sum_below / below + np.log(above) - sum_above / above
    return _best_split(entropy, counts)


RULES: dict[str, Callable[[IntArray], int]] = {
    "otsu": otsu,
    "triangle": triangle,
    "li": li,
    "kapur": kapur,
    "rosin": rosin,
}
WORDS = {
    "otsu": "Otsu's rule (1979): greatest variance between two classes",
    "triangle": "the triangle rule (Zack and others, 1977): farthest from the line from peak to tail",
    "li": "Li and Lee's rule (1993): least cross entropy",
    "kapur": "Kapur's rule (1985): greatest entropy of both classes",
    "rosin": "Rosin's rule (2001): the corner of a histogram with one peak",
}
"""What a report says of each."""


def from_histogram(rule: str, score: FloatArray) -> float | None:
    """The threshold that a rule gives: change is above it.

    Parameters
    ----------
    rule : str
        One of `RULES`.
    score : (N,) float32, 0..1
        Of the valid cells, in any order.

    Returns
    -------
    float or None
        0..1, an edge between two steps of the histogram; None where all scores lie in one step.
    """
    counts = histogram(score)
    return None if np.count_nonzero(counts) < 2 else (RULES[rule](counts) + 1) / BINS


def above(score: FloatArray, valid: BoolArray, high: float, low: float) -> BoolArray:
    """Valid cells above `high`, and those above `low` that hang together with one of them: hysteresis [1]_.

    Parameters
    ----------
    score, valid : (rows, cols)
    high, low : float
        ``low <= high``; the same twice is a plain threshold.

    References
    ----------
    .. [1] Canny, "A computational approach to edge detection", IEEE Trans. Pattern Anal. Mach. Intell. 8(6),
           1986. :DOI:`10.1109/TPAMI.1986.4767851`
    """
    core = (score > high) & valid
    if low >= high:
        return core
    labels, count = cells.components((score > low) & valid)
    held = np.bincount(labels[core], minlength=count + 1) > 0
    held[0] = False
    return cells.look_up(held, labels)


def _ends(counts: IntArray) -> tuple[int, int]:
    """The first and the last step with a count."""
    filled = np.flatnonzero(counts)
    return int(filled[0]), int(filled[-1])


def _farthest(counts: IntArray, peak: int, end: int) -> int:
    """The step from `peak` to `end`, where the line falls, that lies farthest below that line."""
    if end <= peak:
        return peak
    steps = np.arange(peak, end + 1)
    line = counts[peak] + (counts[end] - counts[peak]) * (steps - peak) / (end - peak)
    return peak + int(np.argmax(line - counts[peak : end + 1]))


def _both_sides(values: FloatArray | IntArray) -> tuple[FloatArray, FloatArray]:
    """(255,) sums up to and with each step but the last, and of the steps behind it."""
    below = np.cumsum(values, dtype=np.float64)
    return below[:-1], below[-1] - below[:-1]


def _best_split(criterion: FloatArray, counts: IntArray) -> int:
    """The first step with the greatest value among the splits that leave something on both sides."""
    first, last = _ends(counts)
    return first + int(np.argmax(criterion[first:last]))

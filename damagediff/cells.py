"""Maps of cells: what is measured on them, read by bands of rows; blurring past gaps, connected components.

A scene has a sixteenth as many cells as pixels, and two dozen maps of them. Whatever needs the whole scene
works band by band, with as many rows of neighbours as it looks into, and keeps one narrow map at most.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Any, Protocol, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from . import bands
from .bands import Band
from .types import BoolArray, ByteArray, FloatArray

CELL = 4
"""Side of a cell in working-grid pixels."""

NO_COLOUR = -1.0
GREEN_EXCESS = 0.06
"""Excess green from which a cell is vegetation, beyond the picture's own cast."""
CAST_SHARE = 0.05
MAX_CAST = 0.05
"""The cast is what the least green twentieth of a picture has: tiles, roads and soil are neutral."""
SHADOW_SHARE = 0.5
"""Of a picture's median brightness, below which a cell is dark."""
IntArray = npt.NDArray[np.integer[Any]]
Kind = TypeVar("Kind", bound=np.generic)
NOT_ASKED = np.zeros(0, np.uint8)
"""In place of a map that was not asked for."""


@dataclass(frozen=True)
class Measures:
    """Everything measured of a tile or a scene, on cells of `CELL` px."""

    structure: FloatArray
    """Loss of local correlation, contrast counts; 0 to 2."""
    pattern: FloatArray
    """Loss of local correlation, contrast does not count; 0 to 2."""
    orientation: FloatArray
    """Distance of the directions of edges; 0 to 3."""
    texture: FloatArray
    """Variance of the before image, grey levels squared."""
    colour: FloatArray
    """Difference of colour and brightness left after normalisation, grey levels."""
    edges_before: IntArray
    """(3, rows, cols) sums of m, re and im m exp(4it); see `structure.gradient_sums`."""
    edges_after: IntArray
    lines: IntArray
    """(4, rows, cols) sums of re and im m exp(2it), before and after; see `structure.gradient_sums`."""
    colours: IntArray
    """(2, 3, rows, cols) sums of red, green and blue of both images, grey levels; 0 without them."""
    darkest: ByteArray
    """(2, rows, cols) the darkest band of the darkest pixel of both images."""
    green: FloatArray
    """(2, rows, cols) excess green of both images: 2g - r - b of chromaticities; `NO_COLOUR` without RGB."""
    light: FloatArray
    """(2, rows, cols) mean luminance of both images, grey levels."""
    leaning: ByteArray
    """How many px along the pair's lean the structure is found again; 0 where it is not."""
    valid: BoolArray
    reference: FloatArray | None = None
    """Another measure in place of the three of structure, in its own unit; None: those three."""
    full: ByteArray | None = None
    """(2, rows, cols) pixels of each image at the top of what its file can hold; None: not known."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of cells."""
        return self.valid.shape[0], self.valid.shape[1]

    @property
    def known(self) -> frozenset[str]:
        """Names of the maps that there are."""
        return frozenset(f.name for f in fields(self) if getattr(self, f.name) is not None)

    def rows(self, first: int, last: int, names: Collection[str]) -> Measures:
        """Some rows of the maps named; `NOT_ASKED` in place of the others. `valid` is always there."""
        asked = self.known & {*names, "valid"}
        return of_maps({name: getattr(self, name)[..., first:last, :] for name in asked}, self.known)


def of_maps(maps: dict[str, npt.NDArray[Any]], known: frozenset[str]) -> Measures:
    """Measures of these maps; of the others that are known, `NOT_ASKED`."""
    absent: dict[str, Any] = dict.fromkeys(known, NOT_ASKED)
    return Measures(**({"reference": None, "full": None} | absent | maps))


class Maps(Protocol):
    """The measures of a scene, wherever they are kept: what whole-scene work reads, band by band."""

    @property
    def valid(self) -> BoolArray:
        """(rows, cols), the one map that is always at hand."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of cells."""

    @property
    def known(self) -> frozenset[str]:
        """Names of the maps that there are."""

    def rows(self, first: int, last: int, names: Collection[str]) -> Measures:
        """Some rows of the maps named; `NOT_ASKED` in place of the others. `valid` is always there."""


@dataclass(frozen=True)
class Seen:
    """The measures of a scene seen in another way: what becomes of them, and which maps that takes."""

    of: Maps
    turned: Callable[[Measures], Measures]
    source: dict[str, str]
    """By the name of a map, the name of the one that it is made of, where that is another."""

    @property
    def valid(self) -> BoolArray:
        """As they are."""
        return self.of.valid

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of cells."""
        return self.of.shape

    @property
    def known(self) -> frozenset[str]:
        """Names of the maps that there are."""
        return self.of.known

    def rows(self, first: int, last: int, names: Collection[str]) -> Measures:
        """See `Maps`."""
        return self.turned(self.of.rows(first, last, [self.source.get(name, name) for name in names]))


Work = Callable[[Measures], npt.NDArray[Kind]]
"""From a band of measures to maps of it, (..., rows, cols); bit for bit those of the whole scene but for the
halo."""


def each(
    measures: Maps, names: Collection[str], halo: int, work: Work[Kind]
) -> Iterator[tuple[Band, npt.NDArray[Kind]]]:
    """What `work` makes of each band, from the top.

    Parameters
    ----------
    measures : Maps
    names : collection of str
        Of the maps that `work` reads.
    halo : int
        Rows that it looks beyond.
    work : callable
    """
    for band in bands.of(measures.shape, halo):
        found = work(measures.rows(*band.outer, names))
        yield band, found[..., band.inner, :]


def computed(measures: Maps, names: Collection[str], halo: int, work: Work[Kind]) -> npt.NDArray[Kind]:
    """What `work` makes of the whole scene, band by band; see `each`."""
    whole: npt.NDArray[Kind] | None = None
    for band, part in each(measures, names, halo, work):
        if whole is None:
            whole = np.empty((*part.shape[:-2], *measures.shape), part.dtype)
        whole[..., band.core, :] = part
    assert whole is not None
    return whole


def gathered(measures: Maps, names: Collection[str], halo: int, work: Work[Kind]) -> npt.NDArray[Kind]:
    """(N,) what `work` makes of the valid cells; see `each`."""
    found: npt.NDArray[Kind] | None = None
    done = 0
    for band, part in each(measures, names, halo, work):
        chosen = part[measures.valid[band.core]]
        if found is None:
            found = np.empty(int(np.count_nonzero(measures.valid)), part.dtype)
        found[done : done + len(chosen)] = chosen
        done += len(chosen)
    assert found is not None
    return found


def median(values: npt.NDArray[Any]) -> float:
    """Of what was gathered, which loses its order; 0 without any."""
    return float(np.median(values, overwrite_input=True)) if len(values) else 0.0


def brightness(measures: Maps) -> tuple[float, float]:
    """Median luminance of the valid cells, before and after; 0 without any."""
    before, after = (median(_layer(measures, "light", k)) for k in (0, 1))
    return before, after


def _layer(measures: Maps, name: str, k: int) -> FloatArray:
    """(N,) one of the layers of a map, of the valid cells."""

    def layer(m: Measures) -> FloatArray:
        found: FloatArray = getattr(m, name)[k]
        return found

    return gathered(measures, [name], 0, layer)


def shadow(measures: Measures, usual: tuple[float, float]) -> tuple[BoolArray, BoolArray]:
    """Cells that are dark for their picture, of `brightness`, before and after: shadow, water, tar."""
    before, after = (light < SHADOW_SHARE * one for light, one in zip(measures.light, usual, strict=True))
    return before, after


Casts = tuple[float | None, float | None]


def casts(measures: Maps) -> Casts:
    """The green cast of each picture; None without colour."""
    before, after = (_cast(_layer(measures, "green", k)) for k in (0, 1))
    return before, after


def _cast(usable: FloatArray) -> float | None:
    if not usable.size or usable.max() <= NO_COLOUR:
        return None
    return float(np.clip(np.quantile(usable, CAST_SHARE, overwrite_input=True), 0, MAX_CAST))


def greenness(measures: Measures, cast: Casts) -> FloatArray:
    """(2, rows, cols) excess green of both images, each picture's own cast taken off; 0 without colour."""
    found = np.zeros_like(measures.green)
    for k, own in enumerate(cast):
        if own is not None:
            found[k] = measures.green[k] - np.float32(own)
    return found


def vegetation(measures: Measures, cast: Casts) -> tuple[BoolArray, BoolArray]:
    """Cells that are green before, and after."""
    before, after = greenness(measures, cast) > GREEN_EXCESS
    return before, after


def reach(sigma_cells: float) -> int:
    """Cells that a Gaussian of this sigma looks into, as OpenCV has it."""
    return (round(sigma_cells * 8 + 1) | 1) // 2


def coherence(sums: IntArray, sigma_cells: float) -> FloatArray:
    """How far edges agree in direction: |G(m exp(kit))| / G(m), 0..1.

    For k = 2 they lie along one line, for k = 4 along one line or two perpendicular ones.

    Parameters
    ----------
    sums : (3, rows, cols)
        Cell sums of m, real and imaginary m exp(kit), 0 where not valid; see `structure.gradient_sums`.
    sigma_cells : float
        Sigma of the Gaussian G in cells.
    """
    m, real, imaginary = (cv2.GaussianBlur(x.astype(np.float32), (0, 0), sigma_cells) for x in sums)
    # Not np.hypot: its bits may depend on the position in the array.
    share: FloatArray = np.sqrt(real * real + imaginary * imaginary) / (m + np.float32(0.5 * CELL * CELL))
    return share


def smooth(values: FloatArray, valid: BoolArray, sigma_cells: float) -> FloatArray:
    """Gaussian mean over the valid cells around each cell, 0 where not valid itself."""
    weight = cv2.GaussianBlur(valid.astype(np.float32), (0, 0), sigma_cells)
    total = cv2.GaussianBlur(np.where(valid, values, 0).astype(np.float32), (0, 0), sigma_cells)
    return np.where(valid, total / np.maximum(weight, np.float32(1e-3)), np.float32(0))


def smoothed(values: FloatArray, valid: BoolArray, sigma_cells: float) -> FloatArray:
    """`smooth` of whole maps, band by band."""
    whole = np.empty(values.shape, np.float32)
    for band in bands.of(values.shape, reach(sigma_cells)):
        rows = slice(*band.outer)
        whole[band.core] = smooth(values[rows], valid[rows], sigma_cells)[band.inner]
    return whole


def components(mask: BoolArray) -> tuple[IntArray, int]:
    """Labels from 1 of the 8-connected components, in the order of their first cells, and how many."""
    count, found_by_cv = cv2.connectedComponents(np.ascontiguousarray(mask).view(np.uint8), connectivity=8)
    labels: IntArray = np.asarray(found_by_cv, np.int32)
    rank, found = np.zeros(count, np.int32), 0
    for band in bands.of(mask.shape):
        part = labels[band.core]
        named, first = np.unique(part[part > 0], return_index=True)
        named = named[np.argsort(first)]
        fresh = named[rank[named] == 0]
        rank[fresh] = np.arange(found + 1, found + 1 + len(fresh))
        found += len(fresh)
    for band in bands.of(mask.shape):
        labels[band.core] = rank[labels[band.core]]
    return labels, found


def look_up(table: npt.NDArray[Kind], labels: IntArray) -> npt.NDArray[Kind]:
    """The entry of each label."""
    whole = np.empty(labels.shape, table.dtype)
    for band in bands.of(labels.shape):
        whole[band.core] = table[labels[band.core]]
    return whole


def sizes(labels: IntArray, count: int) -> IntArray:
    """(count + 1,) cells of each label, the background first."""
    found = np.zeros(count + 1, np.int64)
    for band in bands.of(labels.shape):
        found += np.bincount(labels[band.core].ravel(), minlength=count + 1)
    return found


def keep_large(mask: BoolArray, least_cells: int) -> BoolArray:
    """The components of at least `least_cells`, once threads thinner than 3 cells are opened away."""
    whole = np.ascontiguousarray(mask).view(np.uint8)
    opened = cv2.morphologyEx(whole, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    labels, count = components(opened.view(np.bool_))
    large = sizes(labels, count) >= least_cells
    large[0] = False
    return look_up(large, labels)


def in_bands(whole: npt.NDArray[Kind]) -> Iterator[tuple[Band, npt.NDArray[Kind]]]:
    """A whole map band by band, as `each` gives what is computed."""
    for band in bands.of(whole.shape):
        yield band, whole[..., band.core, :]


def component_sums(
    labels: IntArray, count: int, values: Iterable[tuple[Band, npt.NDArray[Any]]]
) -> FloatArray:
    """(..., count + 1) sum of values over each label, 0 of the background.

    Parameters
    ----------
    values : iterable of (Band, (..., rows, cols))
        Of `each` or `in_bands`. Added one by one in the order of the cells, so that bands change no bit.
    """
    total: FloatArray | None = None
    for band, part in values:
        own = labels[band.core]
        inside = own > 0
        at = own[inside].astype(np.intp)
        if total is None:
            total = np.zeros((*part.shape[:-2], count + 1))
        kinds = part.reshape(-1, *own.shape)
        for sums, one in zip(total.reshape(-1, count + 1), kinds, strict=True):
            np.add.at(sums, at, one[inside].astype(np.float64))
    assert total is not None
    return total


def component_means(
    labels: IntArray, count: int, values: Iterable[tuple[Band, npt.NDArray[Any]]]
) -> FloatArray:
    """(..., count + 1) mean of values over each label, 0 of the background; see `component_sums`."""
    return np.asarray(component_sums(labels, count, values) / np.maximum(sizes(labels, count), 1))


def component_peaks(labels: IntArray, count: int, values: FloatArray) -> FloatArray:
    """(count + 1,) largest of `values` in each label, 0 at least and of the background, which comes first."""
    peaks = np.zeros(count + 1, values.dtype)
    for band, part in in_bands(values):
        own = labels[band.core]
        np.maximum.at(peaks, own[own > 0].astype(np.intp), part[own > 0])
    return peaks

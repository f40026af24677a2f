"""The measures of a whole scene, kept in a file that has no name and is gone when nobody holds it.

Tiles are written as they are measured and read back by bands of rows, so that memory does not grow with the
scene. Parts that are measured anew, with something planted or displaced, lie in a file of their own on top.
"""

from __future__ import annotations

import math
import tempfile
import weakref
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from . import cells
from .cells import CELL, Measures
from .errors import OutputError
from .types import BoolArray, FloatArray, Window

Array = npt.NDArray[Any]


class _File:
    """A file without a name, which goes with the last who holds it."""

    def __init__(self, folder: Path | None) -> None:
        self._place = folder or tempfile.gettempdir()
        try:
            self._file: Any = tempfile.TemporaryFile(dir=folder, buffering=0)
        except OSError as error:
            raise OutputError(f"{self._place}: no file can be made ({error.strerror})") from None
        self._end = 0
        weakref.finalize(self, self._file.close)

    def put(self, data: Array) -> int:
        """Append, and say from which byte on."""
        view, at_byte = _bytes_of(data), self._end
        try:
            self._file.seek(at_byte)
            while len(view):
                view = view[self._file.write(view) :]
        except OSError as error:
            raise OutputError(
                f"{self._place}: the measures of the scene cannot be kept ({error.strerror}). They take "
                "about 5 bytes for each pixel of it"
            ) from None
        self._end += data.nbytes
        return at_byte

    def get(self, at_byte: int, into: Array) -> None:
        """Fill an array."""
        view = _bytes_of(into)
        self._file.seek(at_byte)
        while len(view):
            count = self._file.readinto(view)
            if not count:
                raise OutputError(f"{self._place}: the file of the measures was cut short")
            view = view[count:]


def _bytes_of(data: Array) -> memoryview:
    return memoryview(data.reshape(-1).view(np.uint8))  # type: ignore[arg-type]


@dataclass(frozen=True)
class _Map:
    """Where one map of a tile lies in the file, rows first: some rows of all its layers are one piece."""

    at_byte: int
    layers: tuple[int, ...]
    dtype: np.dtype[Any]


@dataclass(frozen=True)
class _Part:
    """One tile in a file."""

    file: _File
    row: int
    col: int
    shape: tuple[int, int]
    maps: dict[str, _Map]

    def paste(self, first: int, name: str, into: Array) -> None:
        """What it has of the rows of the scene from `first` on, into (..., rows, cols) of them."""
        top, bottom = max(first, self.row), min(first + into.shape[-2], self.row + self.shape[0])
        held = self.maps.get(name)
        if bottom <= top or held is None:
            return
        values = np.empty((bottom - top, *held.layers, self.shape[1]), held.dtype)
        self.file.get(held.at_byte + (top - self.row) * (values.nbytes // (bottom - top)), values)
        place = (..., slice(top - first, bottom - first), slice(self.col, self.col + self.shape[1]))
        into[place] = np.moveaxis(values, 0, -2)


@dataclass(frozen=True)
class Survey:
    """A scene's `Measures` as `cells.Maps`: read by bands, as often as asked."""

    valid: BoolArray
    """(rows, cols) in memory, unlike the others."""
    parts: tuple[_Part, ...]
    """Later ones lie on top."""
    folder: Path | None
    """Where the file lies; None: where temporary files do."""
    reference: FloatArray | None = None
    """In place of that of the tiles, for a measure that only the whole scene gives."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of cells."""
        return self.valid.shape[0], self.valid.shape[1]

    @property
    def known(self) -> frozenset[str]:
        """Names of the maps that there are."""
        own = {"valid"} | ({"reference"} if self.reference is not None else set())
        return frozenset(own.union(*(part.maps for part in self.parts)))

    def rows(self, first: int, last: int, names: Collection[str]) -> Measures:
        """See `cells.Maps`."""
        asked = self.known & set(names) - {"valid"}
        return cells.of_maps(
            {name: self._rows(first, last, name) for name in asked} | {"valid": self.valid[first:last]},
            self.known,
        )

    def _rows(self, first: int, last: int, name: str) -> Array:
        if name == "reference" and self.reference is not None:
            return self.reference[..., first:last, :]
        kind = next(part.maps[name] for part in self.parts if name in part.maps)
        found = np.zeros((*kind.layers, last - first, self.shape[1]), kind.dtype)
        for part in self.parts:
            part.paste(first, name, found)
        return found

    def whole(self) -> Measures:
        """All maps in memory: for small scenes."""
        return self.rows(0, self.shape[0], self.known)

    def with_parts(self, parts: Iterable[tuple[Window, Measures]]) -> Survey:
        """The same with some parts measured anew; `valid` stays, and maps that they lack."""
        anew = _written(parts, self.folder)
        return Survey(self.valid, (*self.parts, *(part for part, _ in anew)), self.folder, self.reference)


def assemble(
    shape: tuple[int, int], parts: Iterable[tuple[Window, Measures]], folder: Path | None = None
) -> Survey:
    """The scene's measures from those of its tiles.

    Parameters
    ----------
    shape : (rows, cols)
        Of the working grid in pixels.
    parts : iterable of (Window, Measures)
        Cores in pixels, their origins multiples of `CELL`, and what was measured on them, in any order.
    folder : Path, optional
        On whose disk they are kept; 74 bytes a cell.

    Raises
    ------
    OutputError
        The disk is full.
    """
    rows, cols = (math.ceil(n / CELL) for n in shape)
    valid = np.zeros((rows, cols), bool)
    kept = []
    for part, usable in _written(parts, folder):
        valid[part.row : part.row + part.shape[0], part.col : part.col + part.shape[1]] = usable
        kept.append(part)
    return Survey(valid, tuple(kept), folder)


def _written(
    parts: Iterable[tuple[Window, Measures]], folder: Path | None
) -> Iterator[tuple[_Part, BoolArray]]:
    """Each part in a new file, and where it is valid."""
    file = _File(folder)
    for window, part in parts:
        maps = {}
        for name in sorted(part.known - {"valid"}):
            values = getattr(part, name)
            data = np.ascontiguousarray(np.moveaxis(values, -2, 0))
            maps[name] = _Map(file.put(data), values.shape[:-2], values.dtype)
        yield _Part(file, window.row // CELL, window.col // CELL, part.shape, maps), part.valid

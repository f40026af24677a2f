"""What Python programs and notebooks call: files or arrays in, one `Comparison` out, nothing printed.

The names of this room are those of the package: ``damagediff.compare`` and so on; see docs/api.md.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Unpack, overload

import cv2

from . import (
    api_inputs,
    drawing,
    folders,
    outputs,
    pipeline,
    report_notebook,
    runs,
    scene,
    tables,
    types,
    verify,
    wording,
)
from .api_inputs import About as About
from .api_inputs import Asked, FilePath, Picture
from .errors import OutputError
from .scene import Progress
from .settings import Settings
from .types import Case


class _Kept:
    """The rasters of a comparison in a temporary folder, which goes when nothing needs it any more."""

    def __init__(self) -> None:
        self.folder = folders.scratch()
        self.computed: runs.Computed | None = None
        self.command: tuple[str, ...] = ()
        self.remove = weakref.finalize(self, _remove, self.folder, os.getpid())

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        """In another process the folder may be gone: nothing is kept there."""
        return type(None), ()


def _remove(folder: Path, owner: int) -> None:
    """Remove a temporary folder, if this is the process that made it, not a fork of it."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(types.Comparison):
    """Everything that one comparison found, as `types.Comparison`, with what programs and notebooks do.

    Shown by a notebook it is the verdict with its checks, a swipe between both pictures, tables and limits;
    nothing in that is loaded or run. Arrays in it are (rows, cols), pictures (rows, cols, 3), coordinates
    (row, col) of the working grid `pair.grid`.
    """

    _kept: _Kept | Path | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        """One line."""
        names = f"{self.pair.before.name!r}, {self.pair.after.name!r}"
        counted = wording.count(len(self.regions), "region")
        return f"<damagediff.Comparison {names}: {self.verdict}, {counted}>"

    def _repr_html_(self) -> str:
        """What a notebook shows; all words of files and users in it are escaped."""
        return report_notebook.html(self)

    @property
    def folder(self) -> Path | None:
        """The run folder that it was written to or opened from; None when there is none yet."""
        return self._kept if isinstance(self._kept, Path) else None

    def regions_geojson(self) -> dict[str, Any]:
        """The regions as a GeoJSON FeatureCollection, the content of ``regions.geojson``.

        Returns
        -------
        dict
            Coordinates are longitude and latitude in degrees (WGS 84) where the pair is georeferenced; else
            pixels of the working grid, x = col and y = row, and ``crs`` in the properties is None.
        """
        found: dict[str, Any] = json.loads(tables.regions_json(self))
        return found

    def results(self) -> dict[str, Any]:
        """The numbers as plain values, the content of ``results.json``: units are in the keys."""
        found: dict[str, Any] = json.loads(outputs.results_json(self))
        return found

    def write(self, folder: FilePath, *, overwrite: bool = False, operator: str | None = None) -> Path:
        """Make the run folder that the command line makes: report, figures, rasters, tables and manifest.

        Nothing is computed again. A comparison that was opened from a run folder is copied from there.

        Parameters
        ----------
        folder : str or path
            The folder to make; it appears whole or not at all.
        overwrite : bool
            Whether an earlier run there is replaced.
        operator : str, optional
            Who runs this, for manifest and custody log; not written otherwise.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        OutputError
            The folder exists already or cannot be written, or the rasters of this comparison are gone: after
            pickling it, when they were written into a folder of your own, and when the system cleared its
            temporary folder.
        InputError
            An image changed since it was compared.
        SettingsError
            Pages to be published are asked for and a credit is missing.
        EvidenceError
            The run that it was opened from was changed since.
        """
        out = api_inputs.folder(folder)
        if isinstance(self._kept, Path):
            runs.copy(self._kept, out, overwrite)
        elif self._kept is None or self._kept.computed is None:
            raise OutputError(
                f"{out}: this comparison has no rasters to write. Compare again with out={str(out)!r}"
            )
        else:
            with _quiet_threads():
                runs.write(self._kept.computed, out, runs.Order(self._kept.command, overwrite, operator))
        return out


@overload
def compare(
    before: Picture,
    after: Picture,
    settings: Asked = None,
    progress: Progress = scene.silent,
    *,
    out: FilePath | None = None,
    overwrite: bool = False,
    **about: Unpack[About],
) -> Comparison: ...


@overload
def compare(
    before: Case,
    after: None = None,
    settings: Asked = None,
    progress: Progress = scene.silent,
    *,
    out: FilePath | None = None,
    overwrite: bool = False,
) -> Comparison: ...


@overload
def compare(
    before: Case, after: Settings, settings: Path, progress: Progress = scene.silent
) -> Comparison: ...


def compare(
    before: Picture | Case,
    after: Picture | Settings | None = None,
    settings: Asked = None,
    progress: Progress = scene.silent,
    *,
    out: FilePath | None = None,
    overwrite: bool = False,
    **about: Unpack[About],
) -> Comparison:
    """Compare two images of one place: align, measure change, judge how far that can be trusted.

    Parameters
    ----------
    before, after : str, path, Source, Raster or array
        The two images. An array is (rows, cols) or (bands, rows, cols) of plain pixels; with `Raster` it has
        a place, roles of bands, validity and a name. Arrays go through the same door as files and give
        the same result. A `Case` as `before` holds both images and all that is known of them; `after` is left
        out then.
    settings : Settings, mapping, str, path, optional
        Settings, nested values such as ``{"regions": {"min_region_m2": 40}}``, or the path of a TOML file.
    progress : callable, optional
        Called with the name of the stage and the share of it that is done, 0..1.
    out : str or path, optional
        Run folder to make, as the command line does. Without it the rasters (about as large as both images)
        stay in a temporary folder until the comparison is forgotten, and `Comparison.write` makes the folder.
    overwrite : bool
        Whether an earlier run at `out` is replaced.
    **about
        What is known of the pair; see `About`.

    Returns
    -------
    Comparison
        Where the alignment is refused, ``verdict`` is ``not comparable``, ``change`` None and ``regions``
        empty: that is an answer, no error.

    Raises
    ------
    InputError
        An image, or a file beside it, cannot be used.
    SettingsError
        A setting or something told of the pair is unknown, of the wrong type or out of range.
    OutputError
        A file cannot be written, or `out` is there already.
    TypeError
        A keyword has no meaning here.

    Notes
    -----
    ``compare(case, settings, folder)`` with an existing folder writes only the rasters there, as earlier
    versions did. The same images and settings give the same bytes, whatever the number of workers.

    Examples
    --------
    >>> import damagediff
    >>> found = damagediff.compare("before.tif", "after.tif", before_date="2020-10-04")  # doctest: +SKIP
    >>> found.verdict, len(found.regions)  # doctest: +SKIP
    ('comparable', 12)
    """
    if isinstance(before, Case) and isinstance(after, Settings):
        if not isinstance(settings, str | os.PathLike):
            raise TypeError("compare(case, settings, folder): the folder for the rasters is missing")
        with _quiet_threads():
            return _shown(pipeline.compare(before, after, Path(settings), progress), None)
    if isinstance(before, Case) and (after is not None or about):
        raise TypeError("compare(case): the case holds both images and all that is known of them")
    if isinstance(after, Settings) or (after is None and not isinstance(before, Case)):
        raise TypeError("compare(before, after): the after image is missing")
    chosen, where = api_inputs.settings_of(settings), None if out is None else api_inputs.folder(out)
    kept = _Kept()
    with _removed_on_failure(kept), _quiet_threads():
        if isinstance(before, Case):
            case = api_inputs.checked(before)
        else:
            case = api_inputs.case_of(before, after, about, kept.folder)
        kept.command = ("damagediff.compare", *(source.path.name for source in (case.before, case.after)))
        if where is not None:
            found = runs.make(case, chosen, where, runs.Order(kept.command, overwrite), progress)
            kept.remove()
            return _shown(found, where)
        rasters = kept.folder / "rasters"
        rasters.mkdir()
        kept.computed = runs.compute(case, chosen, rasters, progress)
    return _shown(kept.computed.comparison, kept)


def open_run(folder: FilePath) -> Comparison:
    """The comparison of a finished run, after every file of the run was checked against its manifest.

    Parameters
    ----------
    folder : str or path
        The run folder: of ``damagediff compare -o``, of `compare` with `out`, or of `Comparison.write`.

    Returns
    -------
    Comparison
        With the reviews that the run got since, in ``reviews``.

    Raises
    ------
    EvidenceError
        The run does not agree with its manifest, or is none.
    InputError
        A review in it cannot be read.

    Examples
    --------
    >>> damagediff.open_run("runs/first").verdict  # doctest: +SKIP
    'comparable'
    """
    verify.check_sound(Path(folder), "Nothing was opened")
    return _shown(drawing.of_run(Path(folder)), Path(folder))


def _shown(found: types.Comparison, kept: _Kept | Path | None) -> Comparison:
    """The same with what programs do with it."""
    parts = {each.name: getattr(found, each.name) for each in dataclasses.fields(types.Comparison)}
    return Comparison(**parts, _kept=kept)


@contextmanager
def _removed_on_failure(kept: _Kept) -> Iterator[None]:
    """Nothing is left of a comparison that failed, though a traceback may still hold on to it."""
    done = False
    try:
        yield
        done = True
    finally:
        if not done:
            kept.remove()


@contextmanager
def _quiet_threads() -> Iterator[None]:
    """The program's own number of OpenCV threads is back afterwards: a comparison uses one."""
    before = cv2.getNumThreads()
    try:
        yield
    finally:
        cv2.setNumThreads(before)

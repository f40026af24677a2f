"""Files for maps from a finished run, in a folder of their own; nothing is computed."""

from __future__ import annotations

from pathlib import Path

from . import drawing, folders, gis, verify
from .gis import Wanted


def export(run: Path, out: Path, wanted: Wanted) -> list[str]:
    """Write what `wanted` names of a run into a new folder.

    Parameters
    ----------
    run : Path
        A run folder that verifies; it is left as it is.
    out : Path
        The folder to make.

    Returns
    -------
    list of str
        Names of what was written, in order.

    Raises
    ------
    EvidenceError
        The run does not agree with its manifest, or holds no comparison that can be read.
    InputError
        Its pictures have no place on Earth, or nothing is said about change.
    SettingsError
        A format needs a library that is not installed.
    OutputError
        `out` exists already or cannot be written.
    """
    gis.check(wanted)
    verify.check_sound(run, "Nothing was written")
    comparison = drawing.of_run(run)
    gis.check_has_place(comparison)
    folders.check_apart(out, [run])
    with folders.run_folder(out) as folder:
        gis.write(comparison, run, folder, wanted)
        return sorted(path.name for path in folder.iterdir())

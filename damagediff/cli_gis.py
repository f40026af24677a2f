"""The commands of maps: ``export``, the options that ``compare`` has for it, and the plugin of ``rio``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import click

from .cli_options import PATH
from .errors import EvidenceError, InputError, OutputError, SettingsError

Tell = Callable[[str], None]
FORMATS = ("gpkg", "kmz", "geojson", "csv", "fgb", "stac", "qgis")
SCHEMAS = ("copernicus", "unosat")


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What is written for a map, and under which names."""
    for option in (
        click.option(
            "--schema",
            type=click.Choice(SCHEMAS),
            help="Names of fields as Copernicus EMS or UNOSAT have them; their grades stay empty.",
        ),
        click.option(
            "--to",
            "formats",
            multiple=True,
            metavar="FORMATS",
            help=f"One or several with commas between, of {', '.join(FORMATS)}. Without: all but fgb, which "
            "needs the extra gis.",
        ),
    ):
        command = option(command)
    return command


def compare_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Whether ``compare`` writes them at once."""
    return click.option(
        "--gis",
        "gis_out",
        type=PATH,
        metavar="DIR",
        help="Also a folder of files for QGIS, Google Earth and others, as `export` makes it.",
    )(command)


def export(run: Path, out: Path, given: dict[str, Any], tell: Tell) -> None:
    """Write files for a map from a finished run, say which, and write that into its log."""
    from . import custody, digests, exporting, gis

    formats = tuple(dict.fromkeys(word for words in given["formats"] for word in words.split(",")))
    unknown = [word for word in formats if word not in get_args(gis.Format)]
    if unknown:
        raise SettingsError(f"--to {unknown[0]}: not one of {', '.join(FORMATS)}")
    wanted = gis.Wanted(formats or gis.USUAL, given["schema"], not given["no_pictures"])
    written = exporting.export(run, out, wanted)
    tell(f"{out}: {', '.join(written)}")
    try:
        listed = [digests.entry(out / name) for name in written]
        custody.append(run, "exported", {"maps": listed}, given["operator"])
    except (EvidenceError, OutputError) as error:
        tell(f"note: not written into the custody log: {error}")


def program() -> str:
    """What was typed first: damagediff, or rio, under which the command has damagediff's name."""
    return "rio" if click.get_current_context().info_name == "damagediff" else "damagediff"


def check_out(given: dict[str, Any], run: Path) -> None:
    """Refuse a folder for `--gis` that could not be made, before anything is computed.

    Raises
    ------
    OutputError
        It exists already, or is the run itself.
    """
    out = given["gis_out"]
    if out is not None and (out.exists() or out.is_symlink()):
        raise OutputError(f"{out}: already exists. Name a new folder with --gis")
    if out is not None and run.absolute() in (out.absolute(), *out.absolute().parents):
        raise OutputError(f"{out}: lies in the run, which holds nothing but itself. Name another with --gis")


def after_compare(run: Path, given: dict[str, Any], tell: Tell) -> None:
    """Write the usual formats where ``compare`` was asked to; a run without a place is told, no failure."""
    if given["gis_out"] is None:
        return
    try:
        asked = {"formats": (), "schema": None, "no_pictures": False, "operator": given["operator"]}
        export(run, given["gis_out"], asked, tell)
    except InputError as error:
        tell(str(error))

"""Options that several commands have in common, each defined once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import click

from .settings import FigurePreset

PATH = click.Path(readable=False, path_type=Path)
"""Whether it may be read is for the room that reads it to say: an input is exit code 3, not 2."""


def settings_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Settings, a seed, how many threads, and how much memory."""
    threads = click.option("--workers", type=click.IntRange(0), help="Threads; 0: one for each core.")
    memory = click.option(
        "--max-memory", type=click.IntRange(64), metavar="MIB", help="Memory that all processes may take."
    )
    return batch_settings_options(threads(memory(command)))


def batch_settings_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Settings and a seed."""
    for option in (
        click.option("--seed", type=int, help="Seed of every random choice."),
        click.option(
            "--set",
            "overrides",
            multiple=True,
            metavar="KEY=VALUE",
            help="One setting, e.g. align.window_px=96.",
        ),
        click.option("--settings", "settings_file", type=PATH, help="TOML file of settings."),
    ):
        command = option(command)
    return command


def split_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What the user knows of a picture that holds both images."""
    orders = click.Choice(["before-first", "after-first"])
    for option in (
        click.option(
            "--order",
            type=orders,
            help="Of one picture with two panels: whether the left, upper or first given one is before.",
        ),
        click.option(
            "--panels",
            nargs=2,
            metavar="X,Y,W,H X,Y,W,H",
            help="Of one picture with two panels: where they are, in its pixels as shown; before first.",
        ),
    ):
        command = option(command)
    return command


def align_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """How the images may be laid on each other."""
    models = click.Choice(["auto", "translation", "similarity", "affine", "homography"])
    for option in (
        click.option(
            "--exclude",
            type=PATH,
            help="Polygons or mask of places that are not looked at; a mask is a PNG or GeoTIFF with one "
            "band, 0 where it does not hold.",
        ),
        click.option(
            "--georeference",
            type=PATH,
            metavar="CSV",
            help="Places of the before image found on a map: before_col, before_row (or x, y), lon, lat.",
        ),
        click.option(
            "--no-graphics", is_flag=True, help="Do not look for captions and marks drawn over pictures."
        ),
        click.option("--no-local", is_flag=True, help="No smooth local field on top of the model."),
        click.option("--model", type=models, help="Richest global model allowed."),
        click.option(
            "--max-shift",
            type=float,
            metavar="PX",
            help="Refuse to move the centre by more (before image's pixels).",
        ),
        click.option(
            "--tie-points",
            type=PATH,
            help="CSV of places marked by hand: before_row, before_col, after_row, after_col.",
        ),
    ):
        command = option(command)
    return command


def place_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Where pictures lie that do not tell it, and how large their pixels are."""
    for option in (
        click.option(
            "--scale-bar",
            metavar="X1,Y1,X2,Y2,METRES[,PX]",
            help="Two points of the before image and their distance; PX: how far each may be misread (1).",
        ),
        click.option(
            "--gsd", type=float, metavar="METRES", help="Pixel size of a before image without georeference."
        ),
        click.option(
            "--place",
            metavar="LAT,LON",
            help="Where it is, in degrees, e.g. 40.68,46.36: for the sun, nothing is measured by it.",
        ),
    ):
        command = option(command)
    return command


def private_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Whether what files tell of people is told on."""
    return click.option(
        "--show-private",
        is_flag=True,
        help="Also tell what files hold of people: GPS position, names, serial numbers, folders.",
    )(command)


def pdf_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Whether the report is also written on pages."""
    return click.option("--no-pdf", is_flag=True, help="Write no report.pdf beside report.html.")(command)


RECORDED = {
    "url": ("URL", "Where the {side} image was found."),
    "publisher": ("NAME", "Who published the {side} image."),
    "licence": ("TEXT", "Terms under which the {side} image may be used."),
    "captured-by": ("NAME", "Who saved the {side} image."),
    "captured-at": ("DATE", "When it was saved, UTC: 2020-10-14T09:30Z."),
    "archive": ("URL", "Where a copy of the {side} image's page is archived."),
    "original-sha256": ("HEX", "SHA-256 of the {side} image as it was saved."),
}
"""What makes a source record, beside the credit."""


def record_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Where each image was found, by whom and when."""
    for side in ("after", "before"):
        for name, (metavar, words) in reversed(RECORDED.items()):
            command = click.option(f"--{side}-{name}", metavar=metavar, help=words.format(side=side))(command)
    command = private_option(command)
    file = click.option(
        "--sources", type=PATH, help="TOML file with the same in tables [before] and [after]."
    )
    return file(command)


def building_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Footprints, grades and squares."""
    scales = click.Choice(["copernicus", "unosat", "xbd"])
    for option in (
        click.option(
            "--cell", type=float, metavar="METRES", help="Also sum up change in squares of this side."
        ),
        click.option("--grade-scale", type=scales, help="Scale of the empty column for an analyst's grades."),
        click.option("--no-footprint-fit", is_flag=True, help="Take footprints where their file puts them."),
        click.option(
            "--footprints",
            type=PATH,
            help="Building outlines: GeoJSON, GeoJSON lines, CSV with WKT (also .gz) or GeoPackage.",
        ),
    ):
        command = option(command)
    return command


def diff_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """From score to regions."""
    for option in (
        click.option(
            "--min-region",
            metavar="AREA",
            help="Smallest region that is reported: 80m2, or 400px.",
        ),
        click.option(
            "--hysteresis",
            type=float,
            metavar="SHARE",
            help="Grow regions down to this share of the threshold; 1: do not.",
        ),
        click.option(
            "--threshold",
            metavar="RULE",
            help="auto, otsu, triangle, li, kapur, rosin, far:SHARE for a share of false alarms, or a score "
            "such as 0.42.",
        ),
    ):
        command = option(command)
    return command


def trust_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What a run may count ordinary change in."""
    for option in (
        click.option("--no-selftest", is_flag=True, help="Measure no detection limit and no false alarms."),
        click.option(
            "--baseline-date",
            "baseline_dates",
            multiple=True,
            metavar="DATE",
            help="When it was taken: one for each --baseline, in their order.",
        ),
        click.option(
            "--baseline",
            "baselines",
            type=PATH,
            multiple=True,
            help="A further, older image of the place: what differs from it is ordinary change. Repeatable.",
        ),
        click.option(
            "--stable",
            type=PATH,
            help="Polygons or mask, as for --exclude, of places where only ordinary change can be.",
        ),
    ):
        command = option(command)
    return command


dry_run_option = click.option(
    "--dry-run",
    is_flag=True,
    help="Say what would be read, decided and written, and how long it takes; do nothing.",
)


font_option = click.option(
    "--font", type=PATH, help="TrueType or OpenType font for characters that the bundled one lacks."
)


def figure_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What is drawn beside figure.png, and with what font."""
    pages = click.Choice(get_args(FigurePreset))
    for option in (
        font_option,
        click.option(
            "--animate",
            type=click.Choice(["gif", "webp"]),
            help="Also a small moving picture, before and after in turn.",
        ),
        click.option(
            "--embed",
            is_flag=True,
            help="Also for a news page: a fragment of HTML with a slider, and JuxtaposeJS markup.",
        ),
        click.option(
            "--figure",
            "figures",
            multiple=True,
            type=pages,
            help="Also a figure for this page, as PNG and SVG, with a clean twin. Repeatable.",
        ),
    ):
        command = option(command)
    return command


def output_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What is printed, and what may be replaced."""
    for option in (
        click.option(
            "-v", "--verbose", is_flag=True, help="Progress as plain lines, also where stderr is no terminal."
        ),
        click.option("-q", "--quiet", is_flag=True, help="No progress."),
        click.option("--json", "as_json", is_flag=True, help="Print results.json on stdout."),
        click.option("--overwrite", is_flag=True, help="Replace an earlier run in the same folder."),
    ):
        command = option(command)
    return command


def damaged_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Whether damaged files are used."""
    return click.option(
        "--accept-damaged",
        is_flag=True,
        help="Use a damaged image: what cannot be decoded is not valid, and every figure says so.",
    )(command)


def image_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What the user knows of each image."""
    command = damaged_option(command)
    for side in ("after", "before"):
        for option in (
            click.option(
                f"--{side}-world-file",
                type=PATH,
                help=f"World file of the {side} image.",
            ),
            click.option(
                f"--{side}-crs", metavar="EPSG:N", help=f"CRS of the {side} image, if it names none."
            ),
            click.option(
                f"--{side}-bands", metavar="R,G,B", help="Role of each band, e.g. blue,green,red,nir."
            ),
            click.option(
                f"--{side}-credit", metavar="TEXT", help=f"Who is to be credited for the {side} image."
            ),
            click.option(
                f"--{side}-date", metavar="DATE", help="When it was taken: 2020-10-04 or 2020-10-04T07:52Z."
            ),
        ):
            command = option(command)
    return command


dask_option = click.option(
    "--dask",
    metavar="ADDRESS",
    help="Work on a Dask cluster of yours, tcp://HOST:PORT or tls://HOST:PORT, or in local:N processes.",
)

operator_option = click.option(
    "--operator", metavar="NAME", help="Who runs this, for manifest and custody log; not written otherwise."
)

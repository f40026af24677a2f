"""Writes a commented case file: every key, what it is for, and the sample case."""

from __future__ import annotations

import shutil
from pathlib import Path

from .errors import OutputError

CASE = "case.toml"
SAMPLE_FILES = ("ganja_before.tif", "ganja_after.tif", "ganja_footprints.geojson")

TEMPLATE = """\
# A damagediff case. Compare it with: damagediff compare {case}
# Every key but those of the images may be left out. Files lie in the folder of this file, or below it.
format = 1
title = {title}
{event}
# place = "40.68,46.36"          # latitude, longitude: for the sun; nothing is measured by it
# gsd = 0.5                      # metres a pixel of a before image without georeference; or one of these two:
# scale_bar = "120,80,320,80,50" # x1,y1,x2,y2,METRES
# georeference = "points.csv"    # before_col, before_row, lon, lat
{footprints}
# aoi = "district.geojson"       # nothing is reported outside it
# exclude = "clouds.geojson"     # places that are not looked at
# stable = "stable.geojson"      # places where only ordinary change can be
# tie_points = "points.csv"      # before_row, before_col, after_row, after_col
# font = "NotoSansCJK.otf"       # for characters of the figures that the bundled font lacks
output = "run"

[before]                         # leave [after] out when this one picture holds both
file = {before}
{before_date}
{before_credit}
# url = "https://..."            # where it was found
# publisher = "..."
# licence = "..."
# captured_by = "..."            # who saved it, and when (UTC)
# captured_at = "2020-10-14T09:30Z"
# archive = "https://..."
# original_sha256 = "..."

[after]
file = {after}
{after_date}
{after_credit}

# What somebody says, quoted word for word, and where. It is set apart in the report; what the images can and
# cannot show of it stands beside it.
{claims}

# [[baseline]]                   # further images from before the event: how much changes there anyway
# file = "older.tif"
# date = "2020-07-01"

[settings]                       # as in a settings file: damagediff settings lists them all
# buildings.grade_scale = "copernicus"
# report.figures = ["news-16x9"] # pages to draw beside figure.png
"""

BLANK = {
    "title": '""',
    "event": "# event_date = 2020-10-11      # as stated: the images are never dated by it",
    "claims": '# [[claim]]\n# text = "..."\n# source = "https://..."',
    "footprints": '# footprints = "buildings.geojson"',
    "before": '"before.tif"',
    "before_date": '# date = 2020-10-04            # or "2020-10-04T07:52Z", UTC',
    "before_credit": '# credit = "© ..."',
    "after": '"after.tif"',
    "after_date": "# date = 2020-10-13",
    "after_credit": '# credit = "© ..."',
}
SAMPLE_CLAIMS = """\
[[claim]]
text = "A block near the crossroads collapsed."
source = "example, invented for the synthetic town"

[[claim]]
text = "Nothing in the town has changed."
source = "example, invented for the synthetic town"

[[claim]]
text = "It happened at two in the morning."
source = "example, invented for the synthetic town\""""
"""One that the images may support, one that they may contradict, one that they cannot tell."""
SAMPLE = BLANK | {
    "claims": SAMPLE_CLAIMS,
    "title": '"SYNTHETIC sample: Ganja before and after 11 October"',
    "event": "event_date = 2020-10-11",
    "footprints": 'footprints = "ganja_footprints.geojson"',
    "before": '"ganja_before.tif"',
    "before_date": 'date = "2020-10-04T07:52Z"',
    "before_credit": 'credit = "damagediff (synthetic)"',
    "after": '"ganja_after.tif"',
    "after_date": 'date = "2020-10-13T07:49Z"',
    "after_credit": 'credit = "damagediff (synthetic)"',
}


def write(folder: Path, samples: Path | None) -> Path:
    """Write ``case.toml`` into a folder that is made if need be; with `samples`, the sample's and its images.

    Returns
    -------
    Path
        Of the case file.

    Raises
    ------
    OutputError
        Something of that name is there already, or the disk refuses.
    """
    values = BLANK if samples is None else SAMPLE
    path = folder / CASE
    text = TEMPLATE.format(case=CASE, **values)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in (CASE, *(SAMPLE_FILES if samples is not None else ())):
            if (folder / name).exists() or (folder / name).is_symlink():
                raise OutputError(f"{folder / name}: exists already. Name another folder")
        for name in SAMPLE_FILES if samples is not None else ():
            shutil.copyfile(samples / name, folder / name)  # type: ignore[operator]
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot write: {error.strerror or error}. Free some space, or name another folder"
        ) from error
    return path

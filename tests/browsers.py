"""A browser for the tests that need one, and the pages opened in it.

Needs Chromium and the package playwright, which drives it; without them these tests are skipped.
DAMAGEDIFF_CHROMIUM names another browser of that kind.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import scenes

from damagediff import report, types

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
HOSTILE = "\"'><img src=x onerror=alert(1)><svg onload=alert(2)></script><script>alert(3)</script>"
SMALL = (160, 240)

Opened = tuple[Any, dict[str, list[str]]]


def path() -> str | None:
    """Of the browser, or None."""
    return os.environ.get("DAMAGEDIFF_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


def hostile() -> types.Comparison:
    """A comparison with a hostile text wherever others may speak."""
    found = scenes.comparison(SMALL, buildings=scenes.buildings(SMALL), notes=(HOSTILE,))
    image = dataclasses.replace(found.pair.after, name=HOSTILE, credit=HOSTILE)
    case = dataclasses.replace(
        found.case,
        title=HOSTILE,
        footprints=Path("f.geojson"),
        claims=(types.Claim("A roof is gone.", "a post"), types.Claim(HOSTILE, HOSTILE)),
    )
    buildings = (*found.buildings, dataclasses.replace(found.buildings[0], id=HOSTILE))
    pair = dataclasses.replace(found.pair, after=image)
    return dataclasses.replace(found, case=case, pair=pair, buildings=buildings)


COMPARED = hostile()


def write(comparison: types.Comparison, folder: Path) -> Path:
    """The page of a comparison, without its PDF."""
    page = folder / "report.html"
    page.write_text(report.html(comparison), encoding="utf-8", newline="\n")
    return page


@contextlib.contextmanager
def pages(browser: Any, file: Path) -> Iterator[Callable[..., Opened]]:
    """A function that opens `file`, offline, and tells what goes wrong from then on."""
    contexts = []

    def open_(width: int = 1280, scripts: bool = True, **options: Any) -> Opened:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, java_script_enabled=scripts, offline=True, **options
        )
        contexts.append(context)
        page = context.new_page()
        wrong: dict[str, list[str]] = {"console": [], "requests": [], "dialogs": []}
        page.on("console", lambda said: wrong["console"].append(said.text))
        page.on("pageerror", lambda error: wrong["console"].append(str(error)))
        page.on("request", lambda asked: wrong["requests"].append(asked.url))

        def dialog(shown: Any) -> None:
            wrong["dialogs"].append(shown.message)
            shown.accept()

        page.on("dialog", dialog)
        page.goto(file.as_uri())
        return page, wrong

    yield open_
    for context in contexts:
        context.close()


def left(wrong: dict[str, list[str]]) -> list[str]:
    """Requests that are for anything but the page, what is in it, and what it made."""
    return [url for url in wrong["requests"] if not url.startswith(("file:", "data:", "blob:"))]

"""The documentation site builds without a warning, loads nothing from elsewhere, and is searched offline."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import browsers
import pytest

pytest.importorskip("sphinx", reason="the extra docs is not installed")

ROOT = Path(__file__).parents[1]
LOADS = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href", "object": "data"}
"""What a page fetches by itself; a link to click is none of it."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` does."""
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "--fail-on-warning", "--keep-going", "-c", "docs"]
    done = subprocess.run(
        [*command, "-d", str(out / "doctrees"), ".", str(out / "html")],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    return out / "html"


class Page(HTMLParser):
    """What a page loads, where its links lead, and where links may lead to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.anchors.add(found.get("id", ""))
        if tag == "a" and found.get("href"):
            self.links.append(found["href"])
        navigation = tag == "link" and found.get("rel") in ("index", "search", "next", "prev", "canonical")
        if tag in LOADS and found.get(LOADS[tag]) and not navigation:
            self.loads.append(found[LOADS[tag]])


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path) for path in sorted(site.rglob("*.html"))}


def test_every_document_is_a_page(pages: dict[Path, Page], site: Path) -> None:
    documents = {path.relative_to(ROOT).with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
    assert documents <= {path.relative_to(site) for path in pages}
    assert len(documents) > 20


def test_no_page_loads_anything_from_elsewhere(pages: dict[Path, Page], site: Path) -> None:
    elsewhere = {load for page in pages.values() for load in page.loads if "//" in load.partition("data:")[0]}
    assert not elsewhere
    assert any(page.loads for page in pages.values())
    for style in site.rglob("*.css"):
        wanted = re.findall(r"""(?:url\(|@import\s)\s*["']?([^"')\s;]+)""", style.read_text(encoding="utf-8"))
        assert not [address for address in wanted if re.match(r"(https?:)?//", address)], style.name


def test_every_link_leads_to_a_place_on_the_site(pages: dict[Path, Page]) -> None:
    broken = {
        (path.name, link)
        for path, page in pages.items()
        for link in page.links
        if not lands(path, link, pages)
    }
    assert not broken


def lands(path: Path, link: str, pages: dict[Path, Page]) -> bool:
    address = urlsplit(link)
    if address.scheme:
        return address.scheme in ("http", "https", "mailto")
    there = (path.parent / unquote(address.path)).resolve() if address.path else path
    if there not in pages:
        return there.is_file()
    return not address.fragment or unquote(address.fragment) in pages[there].anchors


def test_it_is_read_and_searched_from_a_folder_without_a_network(browser: Any, site: Path) -> None:
    with browsers.pages(browser, site / "index.html") as open_:
        page, wrong = open_()
        page.wait_for_url("**/docs/index.html")
        assert page.locator("h1").inner_text().startswith("damagediff")
        page.goto((site / "docs" / "formulae.html").as_uri())
        assert page.locator("math").count() > 20
        page.goto((site / "search.html").as_uri() + "?q=comparability")
        page.locator("#search-results").get_by_role("link", name="Glossary").wait_for()
    assert not browsers.left(wrong) and not wrong["console"]


def test_no_page_is_wider_than_a_phone(browser: Any, site: Path) -> None:
    with browsers.pages(browser, site / "docs" / "index.html") as open_:
        page, _ = open_(390)
        for name in ("index", "comparison", "formulae", "cli", "settings", "tutorials/verify"):
            page.goto((site / "docs" / f"{name}.html").as_uri())
            width = page.evaluate("document.documentElement.scrollWidth")
            assert width <= 390, f"{name} is {width} px wide"

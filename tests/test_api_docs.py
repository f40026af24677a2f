"""The pages on Python: their examples run, the reference is that of the code, the notebook works."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from test_api import PLACE, grounds

import damagediff as dd
from damagediff import api_inputs, settings

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "docs" / "notebooks" / "sample_pair.ipynb"


def blocks(page: str) -> list[tuple[str, str]]:
    """(language, text) of every block of code of a page."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(r"^```(python|text)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.fixture
def at_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with before.tif and after.tif; settings without what takes long and is not looked at here."""
    for pixels, name in zip(grounds(), ("before", "after"), strict=True):
        dd.Raster(pixels, PLACE, "EPSG:32638", ("red", "green", "blue")).save(tmp_path / f"{name}.tif")
    monkeypatch.chdir(tmp_path)
    asked = api_inputs.settings_of

    def quick(given: Any) -> settings.Settings:
        found = asked(given)
        trust, told = replace(found.trust, selftest=False), replace(found.report, pdf=False)
        return replace(found, trust=trust, report=told, workers=1)

    monkeypatch.setattr(api_inputs, "settings_of", quick)


@pytest.mark.usefixtures("at_images")
@pytest.mark.parametrize("page", ["docs/api.md", "README.md"])
def test_examples_run_and_print_what_stands_below_them(page: str) -> None:
    names: dict[str, Any] = {}
    printed, told = "", 0
    for language, text in blocks(page):
        if language == "python":
            with contextlib.redirect_stdout(io.StringIO()) as heard:
                exec(compile(text, page, "exec"), names)  # our own page
            printed = heard.getvalue()
        else:
            assert printed == text
            told += 1
    assert isinstance(names["found"], dd.Comparison) and names["found"].regions
    assert told >= (5 if page == "docs/api.md" else 0)


def api_page() -> Any:
    spec = importlib.util.spec_from_file_location("api_page", ROOT / "docs" / "api_page.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_is_what_the_code_says() -> None:
    module = api_page()
    page = (ROOT / "docs" / "api_reference.md").read_text(encoding="utf-8")
    assert page == module.page(), "run: python docs/api_page.py"
    assert {name for names in module.GROUPS.values() for name in names} == set(dd.__all__) - module.NOT_LISTED
    assert not re.findall(r"^\|.*\|  \|$", page, re.MULTILINE), "a field that no word describes"


def test_the_notebook_is_kept_without_what_it_shows() -> None:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code and all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)


def test_the_notebook_runs_from_its_first_cell_to_its_last(tmp_path: Path) -> None:
    for needed in ("nbconvert", "ipykernel"):
        if importlib.util.find_spec(needed) is None:
            pytest.skip(f"{needed} is not installed")
    asked = ["nbconvert", "--execute", "--to", "html", "--output-dir", str(tmp_path), str(NOTEBOOK)]
    done = subprocess.run([sys.executable, "-m", *asked], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    page = (tmp_path / "sample_pair.html").read_text(encoding="utf-8")
    assert page.count('class="dd-stage"') == 1 and "What this cannot tell" in page
    assert "regions of visible change" in page and "SYNTHETIC" in page
    assert "Traceback" not in page

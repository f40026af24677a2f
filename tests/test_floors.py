"""The house: who may import whom, who may use what, and how large things may be.

A module without an entry in the tables fails; docs/architecture.md explains the floors.
"""

from __future__ import annotations

import ast
import configparser
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "damagediff"

FLOOR = {
    "errors": 0,
    "types": 1,
    "settings": 1,
    "versions": 1,
    "grid": 2,
    "sun": 2,
    "tiles": 2,
    "cluster": 2,
    "bits": 2,
    "wording": 2,
    "private_words": 2,
    "cells": 3,
    "footprints": 3,
    "hand_points": 3,
    "memory": 3,
    "raster": 3,
    "scale": 3,
    "source_record": 3,
    "align": 4,
    "buildings": 4,
    "diff": 4,
    "file_facts": 4,
    "intake": 4,
    "masks": 4,
    "overlays": 4,
    "regions": 4,
    "squares": 4,
    "resample": 4,
    "same_picture": 4,
    "shadows": 4,
    "sharpness": 4,
    "tones": 4,
    "synthetic": 4,
    "areas": 5,
    "false_alarms": 5,
    "summary": 5,
    "trust": 5,
    "outputs": 6,
    "pipeline": 6,
    "evidence": 7,
    "figures": 7,
    "splitting": 7,
    "gis": 8,
    "report": 8,
    "runs": 9,
    "api": 10,
    "cli": 10,
    "__init__": 11,
    "__main__": 11,
}

HELPER_OF = {
    "api_inputs": "api",
    "array_file": "raster",
    "report_notebook": "report",
    "one_pass": "pipeline",
    "passing": "raster",
    "cli_completion": "cli",
    "cli_doctor": "cli",
    "cli_dry": "cli",
    "cli_terminal": "cli",
    "doctor": "runs",
    "dry_run": "runs",
    "pace": "memory",
    "sandbox_trial": "raster",
    "cli_gis": "cli",
    "cli_stderr": "cli",
    "exporting": "runs",
    "figure_legend": "figures",
    "gis_flatgeobuf": "gis",
    "gis_geopackage": "gis",
    "gis_kml": "gis",
    "gis_layers": "gis",
    "gis_overlay": "gis",
    "gis_project": "gis",
    "gis_schemas": "gis",
    "gis_stac": "gis",
    "gis_styles": "gis",
    "gis_xml": "gis",
    "crate": "evidence",
    "report_pages": "report",
    "report_cards": "report",
    "report_layers": "report",
    "report_viewer": "report",
    "report_embed": "report",
    "report_batch": "report",
    "cli_cases": "cli",
    "case_template": "runs",
    "case_file": "runs",
    "batches": "runs",
    "saved": "outputs",
    "digests": "evidence",
    "cli_evidence": "cli",
    "reproduce": "runs",
    "bundle": "evidence",
    "signatures": "evidence",
    "transformations": "evidence",
    "verify": "evidence",
    "environment": "evidence",
    "custody": "evidence",
    "case_files": "outputs",
    "cli_options": "cli",
    "copies": "pipeline",
    "repeated": "same_picture",
    "same_windows": "same_picture",
    "cut": "types",
    "part": "raster",
    "remote": "raster",
    "remote_blocks": "raster",
    "remote_http": "raster",
    "sheet": "pipeline",
    "intake_layout": "intake",
    "intake_rest": "intake",
    "cli_values": "cli",
    "detection": "types",
    "detection_fit": "trust",
    "agreement": "summary",
    "drawing": "runs",
    "exchange": "outputs",
    "report_claims": "report",
    "report_review": "report",
    "review_files": "evidence",
    "reviewing": "runs",
    "states": "evidence",
    "claim_facts": "report",
    "doubt": "types",
    "judged": "types",
    "figure_detection": "figures",
    "figure_glyphs": "figures",
    "missed": "summary",
    "report_detection": "report",
    "selftest": "pipeline",
    "selftest_places": "pipeline",
    "looks": "types",
    "bracket": "trust",
    "card": "trust",
    "jpeg_tables": "raster",
    "looking": "pipeline",
    "report_card": "report",
    "ordinary": "types",
    "zones": "types",
    "json_text": "outputs",
    "lonlat": "outputs",
    "tables": "outputs",
    "notes": "pipeline",
    "rasters_out": "pipeline",
    "report_alignment": "report",
    "report_change": "report",
    "report_elements": "report",
    "report_pdf": "report",
    "report_pdf_blocks": "report",
    "report_pdf_glyphs": "report",
    "report_pdf_lines": "report",
    "report_pdf_pictures": "report",
    "report_pdf_tables": "report",
    "report_pdf_text": "report",
    "report_pictures": "report",
    "alarm_trials": "pipeline",
    "analysed": "pipeline",
    "graphics": "pipeline",
    "filling": "pipeline",
    "overlay_signs": "overlays",
    "overlay_trees": "overlays",
    "baselines": "pipeline",
    "measuring": "pipeline",
    "stack_measure": "diff",
    "summary_ordinary": "summary",
    "align_candidates": "align",
    "align_fields": "align",
    "align_fit": "align",
    "align_judge": "align",
    "align_local": "align",
    "align_models": "align",
    "align_lean": "align",
    "align_points": "align",
    "align_rival": "align",
    "align_result": "align",
    "bitmap": "raster",
    "containers": "raster",
    "control_points": "raster",
    "decoder": "raster",
    "decoder_processes": "raster",
    "decoding": "raster",
    "file_header": "raster",
    "georeference": "raster",
    "inspection": "raster",
    "integrity": "raster",
    "limits": "raster",
    "sandbox": "raster",
    "tiff_blocks": "raster",
    "block_means": "raster",
    "calibration": "diff",
    "survey": "diff",
    "bands": "cells",
    "camera": "synthetic",
    "cog": "raster",
    "cog_overviews": "raster",
    "cog_statistics": "raster",
    "displaced": "diff",
    "door": "raster",
    "feed": "pipeline",
    "xmp": "file_facts",
    "pixel_grid": "file_facts",
    "jpeg_history": "file_facts",
    "iptc": "file_facts",
    "file_blocks": "file_facts",
    "exif_fields": "file_facts",
    "footprint_files": "footprints",
    "footprint_fit": "buildings",
    "geopackage": "footprints",
    "finding": "pipeline",
    "folders": "outputs",
    "figure_animation": "figures",
    "figure_boxes": "figures",
    "figure_fonts": "figures",
    "figure_key": "figures",
    "figure_map": "figures",
    "figure_page": "figures",
    "figure_places": "figures",
    "figure_presets": "figures",
    "figure_press": "figures",
    "figure_words": "figures",
    "figure_hatch": "figures",
    "figure_labels": "figures",
    "figure_residuals": "figures",
    "figure_sheet": "figures",
    "figure_squares": "figures",
    "outcome": "types",
    "pictures": "pipeline",
    "planting": "synthetic",
    "provenance": "types",
    "irmad": "diff",
    "map_points": "raster",
    "radar": "diff",
    "radiometry": "diff",
    "reference_measures": "diff",
    "registration": "pipeline",
    "report_buildings": "report",
    "report_sources": "report",
    "scene": "pipeline",
    "relief": "synthetic",
    "relief_cells": "synthetic",
    "relief_roofs": "synthetic",
    "relief_ruins": "synthetic",
    "sight": "regions",
    "structure": "diff",
    "tags": "raster",
    "thresholds": "diff",
    "tiers": "diff",
    "town": "synthetic",
    "town_layout": "synthetic",
    "town_plots": "synthetic",
}
"""Rooms split off from a room that grew: they live on its floor, and it may import them, never they it."""

NOUNS = {"errors", "settings", "types"}
"""Functions are imported by name from these, and within a family; of other rooms only classes are."""

ONLY_IN = {
    "click": {"cli"},
    "dask": {"cluster"},
    "distributed": {"cluster"},
    "ephem": {"sun"},
    "jinja2": {"report"},
    "matplotlib": {"figures"},
    "reportlab": {"report"},
}
"""Libraries with one home."""

OPENERS = {"rasterio.open", "rasterio.io", "rasterio.MemoryFile", "PIL.Image.open", "Image.open"}
"""Ways into a raster file: only in `raster` and its helpers, where hostile files are stopped."""

NEVER = {
    f"cv2.{name}"
    for name in ("VideoCapture", "imcount", "imdecode", "imdecodemulti", "imread", "imreadmulti", "imwrite")
}
"""OpenCV is for arrays: its bundled decoders are not a door that we guard."""

DISTRIBUTION = {"PIL": "pillow", "cv2": "opencv-python-headless", "skimage": "scikit-image"}
"""Where the name to import is not the name to install."""

MAX_BODY, MAX_PARAMETERS, MAX_MODULE = 60, 6, 500

PARTS = ("damagediff", "benchmarks", "sample_images")
FILES = sorted(path.stem for path in PACKAGE.rglob("*.py"))
ROOMS = [room for room in FILES if room in FLOOR or room in HELPER_OF]
CODE = [path for part in PARTS for path in sorted((ROOT / part).rglob("*.py"))]
TESTS = sorted((ROOT / "tests").rglob("*.py"))


def tree(room: str) -> ast.Module:
    return ast.parse((PACKAGE / f"{room}.py").read_text(encoding="utf-8"))


def floor(room: str) -> int:
    return FLOOR[HELPER_OF.get(room, room)]


def own_imports(module: ast.Module) -> Iterator[tuple[str, str | None]]:
    """(room, name) of each import from this package; name is None when the room itself is imported."""
    for node in ast.walk(module):
        if isinstance(node, ast.ImportFrom) and node.level:
            for alias in node.names:
                if node.module is not None:
                    yield node.module.split(".")[0], alias.name
                elif alias.name != "__version__":
                    yield alias.name, None
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "damagediff":
            yield node.module or "", "*"
        elif isinstance(node, ast.Import):
            yield from ((alias.name, "*") for alias in node.names if alias.name.split(".")[0] == "damagediff")


def libraries(module: ast.Module) -> set[str]:
    """Top-level names of everything imported that is neither ours nor Python's."""
    found = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").split(".")[0])
    return found - set(sys.stdlib_module_names) - {"damagediff"}


def dotted_names(module: ast.Module) -> set[str]:
    """Every ``a.b.c`` that is read, and every import written as one."""
    found = {ast.unparse(node) for node in ast.walk(module) if isinstance(node, ast.Attribute)}
    for node in ast.walk(module):
        if isinstance(node, ast.ImportFrom) and not node.level:
            found |= {str(node.module)} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


def may_import(room: str, other: str) -> bool:
    family = HELPER_OF.get(room, room)
    return HELPER_OF.get(other) == family or FLOOR.get(HELPER_OF.get(other, other), 99) < floor(room)


def test_every_room_has_a_floor() -> None:
    homeless = sorted(set(FILES) - set(ROOMS))
    assert not homeless, f"no floor for {homeless}: enter them in FLOOR or HELPER_OF, and in the architecture"
    assert set(HELPER_OF.values()) <= set(FLOOR)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_from_below(room: str) -> None:
    above = {other for other, _ in own_imports(tree(room)) if not may_import(room, other)}
    assert not above, f"{room} (floor {floor(room)}) may not import {sorted(above)}"


@pytest.mark.parametrize("room", [room for room in ROOMS if room != "__init__"])
def test_rooms_are_imported_as_modules(room: str) -> None:
    if room == "__main__":
        pytest.skip("it is one call")
    by_name = [(other, name) for other, name in own_imports(tree(room)) if name and other not in NOUNS]
    family = HELPER_OF.get(room, room)
    strangers = [f"{o}.{name}" for o, name in by_name if HELPER_OF.get(o) != family and name[0].islower()]
    assert not strangers, f"{room}: write `from . import room` and `room.name` instead of names: {strangers}"


def test_no_room_imports_itself_in_a_circle() -> None:
    graph = {room: {other for other, _ in own_imports(tree(room))} for room in ROOMS}
    order = list(graphlib.TopologicalSorter(graph).static_order())
    assert set(ROOMS) <= set(order)


@pytest.mark.parametrize("room", ROOMS)
def test_libraries_stay_at_home(room: str) -> None:
    family = HELPER_OF.get(room, room)
    strangers = {name for name in libraries(tree(room)) if family not in ONLY_IN.get(name, {family})}
    assert not strangers, f"{room} may not import {sorted(strangers)}"


def test_libraries_are_declared() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    lines = config["options"]["install_requires"].split("\n")
    lines += config["options.extras_require"]["dask"].split("\n")  # imported only where it is asked for
    declared = {line.split()[0] for line in lines if line.strip() and not line.startswith("#")}
    used = {name for room in ROOMS for name in libraries(tree(room))}
    missing = {name for name in used if DISTRIBUTION.get(name, name).replace("_", "-") not in declared}
    assert not missing, f"nothing in install_requires of setup.cfg provides {sorted(missing)}"


@pytest.mark.parametrize("room", [room for room in ROOMS if HELPER_OF.get(room, room) != "raster"])
def test_only_raster_opens_rasters(room: str) -> None:
    assert not dotted_names(tree(room)) & OPENERS


@pytest.mark.parametrize("path", CODE + TESTS, ids=lambda path: path.name)
def test_opencv_decodes_nothing(path: Path) -> None:
    assert not dotted_names(ast.parse(path.read_text(encoding="utf-8"))) & NEVER


def functions(module: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(module) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of the body without its docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1 if body else 0


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    names = [a.arg for a in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]
    return len([name for name in names if name not in ("self", "cls")])


@pytest.mark.parametrize("path", CODE, ids=lambda path: path.name)
def test_sizes(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    module = ast.parse(text)
    assert text.count("\n") <= MAX_MODULE, f"{path.name}: split helpers out beside it"
    long = {f.name: body_lines(f) for f in functions(module) if body_lines(f) > MAX_BODY}
    assert not long, f"{path.name}: functions over {MAX_BODY} lines: {long}"
    many = {f.name: parameters(f) for f in functions(module) if parameters(f) > MAX_PARAMETERS}
    assert path.stem.startswith("cli") or not many, (
        f"{path.name}: more than {MAX_PARAMETERS} parameters: {many}"
    )


@pytest.mark.parametrize("room", ROOMS)
def test_no_print_and_no_broad_except(room: str) -> None:
    module = tree(room)
    calls = [node for node in ast.walk(module) if isinstance(node, ast.Call)]
    printed = [call.lineno for call in calls if ast.unparse(call.func) == "print"]
    assert not printed, f"{room}: print in lines {printed}"
    handlers = [node for node in ast.walk(module) if isinstance(node, ast.ExceptHandler)]
    kinds = [(h.lineno, ast.unparse(h.type) if h.type else "") for h in handlers]
    broad = [line for line, kind in kinds if kind in ("", "Exception", "BaseException")]
    assert not broad, f"{room}: broad except in lines {broad}"


def test_nothing_is_left_for_later() -> None:
    words = ("TO" + "DO", "FIX" + "ME")
    parts = ("damagediff", "benchmarks", "sample_images", "tests", "docs")
    kinds = {".py", ".md", ".html", ".css", ".js", ".toml", ".cfg"}
    files = [path for part in parts for path in (ROOT / part).rglob("*") if path.suffix in kinds]
    files += [path for path in ROOT.iterdir() if path.suffix in kinds]
    late = [
        str(path.relative_to(ROOT))
        for path in files
        if any(word in path.read_text(encoding="utf-8") for word in words)
    ]
    assert not late, f"open an issue instead: {late}"


def test_importing_the_package_loads_no_library() -> None:
    heavy = {"numpy", "rasterio", "matplotlib", "cv2", "scipy", "skimage", "pydantic"}
    code = "import sys, damagediff; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert not heavy & set(done.stdout.split())

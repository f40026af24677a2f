"""doctor, --dry-run, progress, completion and the manual page."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from click.testing import CliRunner
from test_cli import CONTRACT

from damagediff import cli, cli_terminal, cli_values, decoding, doctor, dry_run, pace, sandbox, sandbox_trial

ROOT = Path(__file__).parents[1]
UTM = {"crs": "EPSG:32638", "transform": Affine(0.5, 0, 614_000, 0, -0.5, 4_504_000)}


def run(*arguments):
    return CliRunner().invoke(cli.main, [str(argument) for argument in arguments])


@pytest.fixture
def pair(make_raster):
    rng = np.random.default_rng(3)
    pixels = rng.integers(1, 255, (3, 120, 150)).astype(np.uint8)
    return make_raster("before.tif", pixels, **UTM), make_raster("after.tif", pixels[:, ::-1], **UTM)


# ---- doctor -------------------------------------------------------------------------------------


def examined() -> dict[str, doctor.Finding]:
    return {finding.what: finding for finding in doctor.examine()}


def test_doctor_finds_this_environment_fit_and_says_so_in_json():
    done = run("doctor", "--json")
    said = json.loads(done.stdout)
    assert done.exit_code == 0, done.output
    assert said["sound"] and {"damagediff", "libraries", "sandbox", "fonts"} <= {
        finding["what"] for finding in said["findings"]
    }
    assert all(finding["advice"] for finding in said["findings"] if finding["state"] != "ok")


def test_doctor_names_what_is_missing_and_what_to_do(monkeypatch):
    monkeypatch.setattr(sandbox_trial, "drivers", lambda: ("GTiff", "COG", "JPEG"))
    monkeypatch.setitem(doctor.IMPORTED, "numpy", "no_such_module")
    done = run("doctor")
    assert done.exit_code == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("damagediff: 2 problems; first numpy: cannot be loaded")
    assert "pip install --force-reinstall numpy" in last
    assert "without the drivers PNG" in done.stdout


def test_doctor_outlives_what_a_library_of_another_version_raises(monkeypatch):
    def odd(name):
        raise AttributeError("module has no attribute _ARRAY_API")

    monkeypatch.setattr(doctor, "import_module", odd)
    found = examined()
    assert found["numpy"].state == "problem" and "_ARRAY_API" in found["numpy"].words
    assert found["memory"].state == "ok"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="without /dev/full")
def test_a_full_stdout_is_told_in_one_line():
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "damagediff", "settings"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 6 and done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("damagediff: cannot be written: ")


GONE = "import os; os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone');"


@pytest.mark.skipif(os.name == "nt", reason="there, a folder in use is not removed")
@pytest.mark.parametrize(
    ("first", "asked", "exit_code", "words"),
    [
        (GONE, ["doctor"], 1, "this folder: was removed"),
        (GONE, ["verify", "."], 6, "the folder that you are in was removed"),
        ("import sys; sys.stdout = None;", ["doctor"], 0, ""),
    ],
)
def test_a_folder_that_was_removed_and_a_closed_stdout(tmp_path, first, asked, exit_code, words):
    code = f"{first} from damagediff import cli; cli.main({asked!r})"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.count("\n")) == (exit_code, exit_code > 0), done.stderr
    assert words in done.stderr


def test_doctor_tells_where_nothing_holds_a_decoder_back(monkeypatch):
    monkeypatch.setattr(decoding, "IN_CHILD", False)
    found = examined()["sandbox"]
    assert found.state == "note" and "hostile" in found.words and "Linux" in found.advice


@pytest.mark.skipif(not decoding.IN_CHILD, reason="no child processes here")
def test_the_sandbox_is_tried_and_not_guessed(monkeypatch, tmp_path):
    if sandbox.landlock_abi():
        assert sandbox_trial.held(tmp_path) == dict.fromkeys(sandbox_trial.HELD, True)
    monkeypatch.setattr(sandbox, "restrict", lambda readable, memory_bytes: "process, landlock 7, seccomp")
    assert sandbox_trial.held(tmp_path) == dict.fromkeys(sandbox_trial.HELD, False)
    assert not list(tmp_path.iterdir())
    assert examined()["sandbox"].state == "note"


@pytest.mark.parametrize(
    ("version", "wanted", "fit"),
    [
        ("2.0.1", "numpy>=2.0,<3", True),
        ("1.26.4", "numpy>=2.0,<3", False),
        ("3.0", "numpy>=2.0,<3", False),
        ("3", "numpy>=2.0,<3.0.1", True),
        ("3.11.0rc1", "matplotlib>=3.11,<3.13", True),
        ("11.1", "pillow>=11.1", True),
    ],
)
def test_versions_are_compared_by_their_numbers(version, wanted, fit):
    assert doctor.fits(version, wanted) is fit


# ---- --dry-run ----------------------------------------------------------------------------------


def test_a_dry_run_tells_what_would_be_done_and_does_nothing(pair, tmp_path):
    out = tmp_path / "run"
    before = sorted(tmp_path.iterdir())
    dated = ("--before-date", "2020-10-04", "--after-date", "2020-10-13", "--event-date", "2020-10-11")
    done = run("compare", *pair, "-o", out, "--dry-run", "--json", *dated, "--set", "align.window_px=96")
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert sorted(tmp_path.iterdir()) == before
    assert [each["name"] for each in said["read"]] == ["before.tif", "after.tif"]
    assert (said["grid"]["rows"], said["grid"]["cols"], said["grid"]["gsd_m"]) == (120, 150, 0.5)
    assert said["grid"]["before_share"] == said["grid"]["after_share"] == 1
    assert {each["name"] for each in said["written"]} == CONTRACT
    assert said["decided"]["settings"] == {"align.window_px": 96}
    assert "between 2020-10-04 and 2020-10-13" in said["decided"]["change_lies"]
    assert "7 days after the before image" in said["decided"]["event"]
    assert said["time"]["processor_s"] > 0
    words = run("compare", *pair, "-o", out, "--dry-run").stdout
    assert "120 rows x 150 columns" in words and "estimate" in words and "report.html" in words


BAD = {
    "missing file": (("nowhere.tif",), (), 3),
    "damaged file": (("cut.tif",), (), 3),
    "no overlap": (("far.tif",), (), 3),
    "output is there": (("after.tif",), ("-o", "."), 6),
    "output replaces input": (("after.tif",), ("-o", "after.tif"), 6),
    "scale stated twice": (("after.tif",), ("--gsd", "2"), 2),
    "squares too small": (("after.tif",), ("--cell", "1"), 2),
    "too little memory": (("after.tif",), ("--max-memory", "64"), 2),
    "no footprints": (("after.tif",), ("--footprints", "cut.tif"), 3),
    "baseline is the same file": (("after.tif",), ("--baseline", "before.tif"), 3),
    "figure without credit": (("after.tif",), ("--figure", "news-1x1"), 2),
    "no such area": (("after.tif",), ("--aoi", "nowhere.geojson"), 3),
}


@pytest.mark.parametrize("what", BAD)
def test_a_dry_run_refuses_in_the_words_of_the_run(pair, make_raster, tmp_path, monkeypatch, what):
    monkeypatch.chdir(tmp_path)
    (after,), options, code = BAD[what]
    Path("cut.tif").write_bytes(pair[0].read_bytes()[:3000])
    far = UTM | {"transform": Affine(0.5, 0, 714_000, 0, -0.5, 4_504_000)}
    make_raster("far.tif", np.full((3, 100, 100), 7, np.uint8), **far)
    words = ["compare", "before.tif", after, *(() if "-o" in options else ("-o", "run")), *options, "-q"]
    real, dry = run(*words), run(*words, "--dry-run")
    assert (real.exit_code, dry.exit_code) == (code, code), dry.output
    assert dry.stderr.splitlines()[-1] == real.stderr.splitlines()[-1]
    assert not Path("run").exists()


def test_a_dry_run_of_one_picture_checks_panels_or_waits_for_them(make_raster, tmp_path):
    picture = make_raster("both.png", np.full((3, 200, 420), 90, np.uint8))
    words = ("compare", picture, "-o", tmp_path / "run", "--dry-run", "--json")
    assert json.loads(run(*words).stdout)["grid"] is None
    given = json.loads(run(*words, "--panels", "0,0,200,200", "210,0,200,200").stdout)
    assert (given["grid"]["rows"], given["grid"]["cols"]) == (200, 200)
    outside = run(*words, "--panels", "0,0,200,200", "230,0,200,200")
    assert outside.exit_code == 3 and "does not lie inside its 420 x 200 px" in outside.stderr


def test_a_dry_batch_names_the_cases_that_cannot_be_compared(pair, tmp_path):
    table = tmp_path / "pairs.csv"
    table.write_text("name,before,after\ngood,before.tif,after.tif\nbad,before.tif,nowhere.tif\n")
    done = run("batch", table, "-o", tmp_path / "runs", "--dry-run")
    assert done.exit_code == 1 and not (tmp_path / "runs").exists()
    assert "1 of 2 cases cannot be compared; first bad: " in done.stderr
    assert done.stdout.startswith("good: about ")


# ---- progress and colours -----------------------------------------------------------------------


@pytest.mark.parametrize("megapixels", [1, 16, 200])
@pytest.mark.parametrize("slow", [0.5, 4])
def test_the_time_left_follows_the_pace_from_the_first_tile_on(megapixels, slow):
    ahead = pace.stages(selftest=True, older=2)
    lasts = {
        stage: slow * ahead.count(stage) * (fixed + each * megapixels)
        for stage, (fixed, each) in pace.STAGES.items()
        if stage in ahead
    }
    watch, now, whole = pace.Watch(0.0, ahead), 0.0, sum(lasts.values())
    told = []
    for stage, lasting in lasts.items():
        for step in range(10):
            at = now + lasting * step / 10
            watch.heard(stage, step / 10, at)
            told.append((stage, whole - at, watch.left_s(at)))
        now += lasting
    assert all(left is None for _, _, left in told[:21]) and told[20][0] == "measuring change"
    for stage, truth, left in told[21:]:
        assert left == pytest.approx(truth, rel=0.05, abs=0.1 * slow), stage


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_line_of_progress_holds_no_escape_code_and_takes_itself_away(monkeypatch):
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    with cli_terminal.progress(False, False, pace.stages(True)) as progress:
        progress("aligning", 0.5)
        progress("measuring change", 1.0)
    text = stream.getvalue()
    assert "\x1b" not in text and "\n" not in text
    assert "aligning" in text and "############............" in text
    *_, last, after = text.split("\r")
    assert last.strip() == "" and after == ""


@pytest.mark.parametrize(
    ("quiet", "verbose", "term", "told"),
    [(False, False, "dumb", ""), (True, True, "xterm", ""), (False, True, "dumb", "0 s: aligning\n")],
)
def test_plain_lines_only_when_asked_for(monkeypatch, quiet, verbose, term, told):
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", term)
    with cli_terminal.progress(quiet, verbose) as progress:
        progress("aligning", 0.0)
        progress("aligning", 0.5)
    assert stream.getvalue() == told


@pytest.mark.parametrize(
    ("variables", "terminal", "coloured"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        ({"CLICOLOR": "0"}, True, False),
        ({"TERM": "dumb"}, True, False),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"CLICOLOR_FORCE": "0"}, False, False),
    ],
)
def test_colours_by_the_usual_variables(monkeypatch, variables, terminal, coloured):
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ({"TERM": "xterm"} | variables).items():
        monkeypatch.setenv(name, value)
    assert cli_terminal.colours(Terminal() if terminal else io.StringIO()) is coloured


def test_doctor_is_coloured_only_where_colours_are(monkeypatch):
    monkeypatch.setattr(doctor, "examine", lambda: iter([doctor.Finding("a", "note", "b", "c")]))
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[33mnote" in run("doctor").stdout
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in run("doctor").stdout


# ---- completion and manual page -----------------------------------------------------------------

PROGRAM = f"""#!{sys.executable}
from damagediff.cli import main
main(prog_name="damagediff")
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_bash_completes_commands_options_and_choices(tmp_path):
    program = tmp_path / "damagediff"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    ask = (
        "complete() { :; }; compopt() { echo compopt $2; }; eval \"$(damagediff completion bash)\"; "
        "say() { COMP_WORDS=($1); COMP_CWORD=$2; COMPREPLY=(); _damagediff_completion damagediff; "
        'echo "${COMPREPLY[@]}"; }; say "damagediff do" 1; say "damagediff compare a b --no-s" 4; '
        'say "damagediff compare --sensor s" 3; say "damagediff compare befo" 2'
    )  # fmt: skip
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", ask],
        env=os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["doctor", "--no-selftest", "sar", "compopt default", ""], done.stderr


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_get_their_own_script(shell):
    done = run("completion", shell)
    assert done.exit_code == 0 and f"_DAMAGEDIFF_COMPLETE={shell}_complete" in done.stdout
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=done.stdout, text=True, check=True)


def man_page():
    spec = importlib.util.spec_from_file_location("man_page", ROOT / "docs" / "man_page.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_manual_page_is_what_the_command_line_says():
    text = man_page().page()
    shipped = (ROOT / "docs" / "damagediff.1").read_text(encoding="utf-8")
    assert text == shipped, "run: python docs/man_page.py"
    assert text.count("\n.SS ") == len(cli.main.commands)
    if shutil.which("groff"):
        done = subprocess.run(
            ["groff", "-ww", "-man", "-Tutf8", "-Kutf8"],
            input=text,
            capture_output=True,
            text=True,
            check=True,
        )
        assert not done.stderr and "--no-selftest" in re.sub(".\b", "", done.stdout)


def test_nothing_in_a_help_text_is_taken_for_a_request_of_roff():
    escaped = man_page().escaped
    assert escaped(".TH x") == r"\&.TH x" and escaped("a\\b-c") == r"a\eb\-c" and escaped("'x")[0] == "\\"


def test_the_shipped_pair_is_found_in_an_installed_wheel_and_its_lack_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(cli_values, "__file__", str(tmp_path / "a" / "b" / "cli.py"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(metadata, "files", lambda name: None)
    assert run("init", tmp_path / "case", "--sample").exit_code == 3
    data = tmp_path / "share" / "damagediff" / "sample_images"
    shutil.copytree(ROOT / "sample_images", data)
    installed = metadata.PackagePath("../../share/damagediff/sample_images/ganja_before.tif")
    installed.dist = type("D", (), {"locate_file": lambda self, path: data / "ganja_before.tif"})()
    monkeypatch.setattr(metadata, "files", lambda name: [installed])
    assert run("init", tmp_path / "case", "--sample").exit_code == 0
    assert (tmp_path / "case" / "ganja_before.tif").exists()


def test_the_estimate_grows_with_size_and_with_what_is_asked():
    plain = pace.expected_s(4, pace.stages(False))
    assert plain < pace.expected_s(4, pace.stages(True)) < pace.expected_s(4, pace.stages(True, older=1))
    assert pace.expected_s(8, pace.stages(False)) > plain
    assert set(pace.stages(True, 1, True)) <= set(pace.STAGES)
    assert dry_run.FORMAT == 1 and pace.slowness() > 0

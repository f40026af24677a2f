"""A case file says everything once, names what is wrong in one line, and leads nowhere outside its folder."""

from __future__ import annotations

import csv
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from damagediff import batches, case_file, case_template, cli, cli_cases, report_batch, verify, wording
from damagediff.errors import DamagediffError, InputError, OutputError, SettingsError

DOCS = Path(__file__).parents[1] / "docs"
PAIR = '[before]\nfile = "b.tif"\n[after]\nfile = "a.tif"\n'


def invoke(*arguments: object):
    return CliRunner().invoke(cli.main, [str(argument) for argument in arguments])


def written(folder: Path, text: str) -> Path:
    path = folder / "case.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_published_schema_is_that_of_the_code() -> None:
    sys.path.insert(0, str(DOCS))
    import case_schema

    assert (DOCS / "case.schema.json").read_text(encoding="utf-8") == case_schema.text()


def test_a_byte_order_mark_is_no_word_of_a_case(tmp_path: Path) -> None:
    """Editors on Windows begin a file with it."""
    path = tmp_path / "case.toml"
    path.write_text('[before]\nfile = "a.png"\n', encoding="utf-8-sig")
    assert case_file.read(path).before.file == "a.png"


def test_dates_may_be_dates_or_text(tmp_path: Path) -> None:
    text = f'event_date = 2020-10-11\n{PAIR}date = "2020-10-13T07:49Z"\n'
    table = case_file.read(written(tmp_path, text))
    assert table.event_date == "2020-10-11"
    assert table.after is not None and table.after.date == "2020-10-13T07:49Z"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (PAIR + "colour = 3", "after.colour"),
        ("titel = 'x'\n" + PAIR, "titel"),
        ("title = 3\n" + PAIR, "title"),
        ("format = 2\n" + PAIR, "format"),
        ("[after]\nfile = 'a.tif'", "before"),
        ("footprints = '../x.geojson'\n" + PAIR, "footprints"),
        ("footprints = '/etc/passwd'\n" + PAIR, "footprints"),
        ("aoi = 'C:\\\\x.geojson'\n" + PAIR, "aoi"),
        ("aoi = '~/x.geojson'\n" + PAIR, "aoi"),
        ("output = '..'\n" + PAIR, "output"),
        ("[before]\nfile = ''", "before.file"),
        ("[[baseline]]\nfile = '../b.tif'\n" + PAIR, "baseline[0].file"),
        ("panels = ['1,2,3,4']\n" + PAIR, "panels"),
        ("[[claim]]\nsource = 'x'\n" + PAIR, "claim.0.text: is missing"),
        ("before = 3", "before: must be a table"),
        ("gsd = 'x'\n" + PAIR, "gsd: must be a number"),
        ("order = 'x'\n" + PAIR, "order: must be 'before-first' or 'after-first'"),
        ("footprints = 1\n" + PAIR, "footprints: must be a text"),
    ],
)
def test_what_is_wrong_is_one_line_that_names_the_key(tmp_path: Path, text: str, says: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(SettingsError) as error:
        case_file.read(path)
    assert str(error.value).startswith("case.toml: ") and says in str(error.value)
    done = invoke("compare", path, "-o", tmp_path / "run")
    assert done.exit_code == 2 and len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[before]\nfile = 'b.tif'\ndate = 'May'", "before.date May: not a date"),
        ("[before]\nfile = 'b.tif'\nurl = 'x'", "before.url x: not an address"),
        ("place = '91,0'\n" + PAIR, "place 91,0: latitude"),
        ("scale_bar = '1,2'\n" + PAIR, "scale_bar 1,2: give two points"),
        ("gsd = 0.5\nscale_bar = '0,0,9,0,9'\n" + PAIR, "gsd and scale_bar: each tells the scale"),
        ("panels = ['1', '2']\n[before]\nfile = 'b.tif'", "panels 1: give x,y,w,h"),
        ("order = 'after-first'\n" + PAIR, "panels and order are for one picture"),
        ("[[baseline]]\nfile = 'c.tif'\ndate = 'x'\n" + PAIR, "baseline.date x: not a date"),
        ("settings.seed = 'x'\n" + PAIR, "seed = 'x': must be a valid integer"),
    ],
)
def test_what_a_key_says_wrong_is_told_of_the_key_and_not_of_an_option(
    tmp_path: Path, text: str, says: str
) -> None:
    done = invoke("compare", written(tmp_path, text), "-o", tmp_path / "run")
    assert done.exit_code == 2 and says in done.stderr, done.stderr
    assert "--" not in done.stderr and "Input should" not in done.stderr
    assert "settings" in text or "case.toml: " in done.stderr


def test_what_a_column_says_wrong_is_told_of_the_column(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text("before,after,before_date,gsd\nb.tif,a.tif,May,\nb.tif,a.tif,,x\n")
    given = {"workers": 1, "settings_file": None, "seed": None, "overrides": ()}
    first, second = cli_cases.plan((path,), given, 1)
    assert first.error is not None and first.error[1].startswith("pairs.csv: before_date May: not a date")
    assert second.error is not None and second.error[1] == "pairs.csv: gsd: must be a number"


@pytest.mark.parametrize("text", ["= 3", "a = ", "[before", "\x00"], ids=["no key", "cut", "open", "zero"])
def test_what_is_no_toml_is_an_input_error(tmp_path: Path, text: str) -> None:
    done = invoke("compare", written(tmp_path, text), "-o", tmp_path / "run")
    assert done.exit_code == 3 and "not a TOML file" in done.stderr
    assert invoke("compare", tmp_path / "none.toml", "-o", tmp_path / "run").exit_code == 3


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_in_words(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("case") / "case.toml"
    path.write_text(text, encoding="utf-8", errors="replace")
    with pytest.raises(DamagediffError):
        case_file.read(path)


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    inside = tmp_path / "case"
    inside.mkdir()
    (tmp_path / "secret.tif").write_bytes(b"x")
    (inside / "b.tif").symlink_to(tmp_path / "secret.tif")
    done = invoke("compare", written(inside, PAIR), "-o", tmp_path / "run")
    assert done.exit_code == 2 and "before.file" in done.stderr and "link" in done.stderr


def test_options_beside_a_case_file_say_only_how(tmp_path: Path) -> None:
    done = invoke("compare", written(tmp_path, PAIR), "-o", tmp_path / "run", "--title", "another")
    assert done.exit_code == 2 and "--title: write it into case.toml" in done.stderr
    done = invoke("compare", written(tmp_path, PAIR))
    assert done.exit_code == 2 and "output" in done.stderr


def test_a_case_template_is_a_case(tmp_path: Path) -> None:
    path = case_template.write(tmp_path / "new", None)
    table = case_file.read(path)
    assert table.output == "run" and table.before.file == "before.tif" and table.after is not None
    text = path.read_text(encoding="utf-8")
    keys = {"claim", "baseline", "order", "panels"} ^ set(case_file.CaseTable.__dataclass_fields__)
    assert [key for key in keys if key not in text] == []
    uncommented = "\n".join(
        line.removeprefix("# ")
        if line.startswith(("# [[", "# text", "# source", "# date", '# file = "older'))
        else line
        for line in text.splitlines()
    )
    path.write_text(uncommented, encoding="utf-8")
    table = case_file.read(path)
    assert len(table.claim) == len(table.baseline) == 1 and table.output == "run"
    with pytest.raises(OutputError, match="exists already"):
        case_template.write(tmp_path / "new", None)


def test_the_sample_case_names_the_sample() -> None:
    values = case_template.TEMPLATE.format(case="case.toml", **case_template.SAMPLE)
    assert "Ganja before and after 11 October" in values and "SYNTHETIC" in values


def test_names_of_runs_lead_nowhere() -> None:
    assert batches.names(["../x", "x", "X y/z", "", "x"]) == ["x", "x-2", "X-y-z", "case", "x-3"]
    assert wording.slug("a\u202eb") == "ab"


def test_a_line_of_a_table_is_a_case(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text("name,before,after,before_date,gsd\none,b.tif,a.tif,2020-10-04,0.5\n,b.tif,c.tif,,\n")
    rows = list(batches.rows(path))
    assert [name for name, _ in rows] == ["one", "pairs-2"]
    table = case_file.checked("pairs.csv", batches.as_table(rows[0][1]))
    assert (table.before.file, table.before.date, table.gsd) == ("b.tif", "2020-10-04", 0.5)
    assert batches.arguments(rows[0][1], tmp_path) == (
        str(tmp_path / "b.tif"),
        str(tmp_path / "a.tif"),
        "--before-date=2020-10-04",
        "--gsd=0.5",
    )
    path.write_text("first,second\n1,2\n")
    with pytest.raises(InputError, match="before"):
        list(batches.rows(path))


def test_a_batch_goes_on_and_makes_nothing_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparisons themselves are stood in for: what is tested is what becomes of their outcomes."""
    made: list[str] = []

    def compare(arguments: tuple[str, ...], folder: str) -> tuple[int, str]:
        made.append(Path(folder).name)
        return 3, "damagediff: b.tif: no such file"

    monkeypatch.setattr(batches, "compare", compare)
    items = [
        batches.Item("bad", (), None, (2, "case.toml: unknown key titel")),
        batches.Item("missing", ("b.tif", "a.tif"), None),
    ]
    with ThreadPoolExecutor(1) as pool:
        lines = batches.run(items, tmp_path / "out", pool)
    assert [(line["name"], line["outcome"], line["exit_code"]) for line in lines] == [
        ("bad", "failed", 2),
        ("missing", "failed", 3),
    ]
    assert made == ["missing"]
    told = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert [case["message"] for case in told["cases"]] == [line["message"] for line in lines]
    with (tmp_path / "out" / "summary.csv").open() as file:
        assert [row["name"] for row in csv.DictReader(file)] == ["bad", "missing"]


def test_hostile_words_stay_words_on_the_page_of_a_batch() -> None:
    line = dict.fromkeys(batches.COLUMNS) | {
        "name": "<script>alert(1)</script>",
        "outcome": "made",
        "verdict": "comparable",
        "report": "javascript:alert(1)/report.html",
        "message": '"><img src=x onerror=alert(1)>',
    }
    page = report_batch.html([line])
    assert "<script>alert" not in page and "<img" not in page
    assert 'href="javascript%3Aalert' in page


def test_a_case_is_compared_and_a_batch_of_it_is_resumed(tmp_path: Path) -> None:
    """End to end on the shipped screenshots: one good case, one whose file is missing."""
    samples = Path(__file__).parents[1] / "sample_images"
    for side in ("before", "after"):
        (tmp_path / f"{side}.jpg").write_bytes((samples / f"ganja_{side}_screenshot.jpg").read_bytes())
    table = tmp_path / "pairs.csv"
    table.write_text(
        "name,before,after,before_date\ngood,before.jpg,after.jpg,2020-10-04\nbad,no.jpg,after.jpg,\n"
    )
    options = ("-o", tmp_path / "out", "--workers", 1, "--set", "trust.selftest=false")
    done = invoke("batch", table, *options)
    assert done.exit_code == 1 and "1 of 2 cases failed; first bad" in done.stderr
    assert verify.run(tmp_path / "out" / "good").sound
    before = (tmp_path / "out" / "good" / "manifest.json").read_bytes()
    done = invoke("batch", table, *options, "--json")
    assert "good: finished before, verified" in done.stderr
    assert (tmp_path / "out" / "good" / "manifest.json").read_bytes() == before
    told = json.loads(done.stdout)["cases"]
    assert [case["outcome"] for case in told] == ["verified", "failed"]
    case = tmp_path / "case.toml"
    case.write_text(
        'title = "One"\noutput = "run"\n[[claim]]\ntext = "a <b>block</b> fell"\n'
        '[before]\nfile = "before.jpg"\ndate = 2020-10-04\n'
        '[after]\nfile = "after.jpg"\n[settings]\ntrust.selftest = false\n'
    )
    assert invoke("compare", case, "-q").exit_code == 0
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert "a &lt;b&gt;block&lt;/b&gt; fell" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert results["pair"]["title"] == "One" and results["settings"]["trust"]["selftest"] is False
    assert invoke("verify", tmp_path / "run").exit_code == 0
